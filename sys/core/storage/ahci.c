/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ahci - a set of slots that moves from waiting to issued to done.
 *
 * A request takes a slot: its data pieces are written into the slot's table and
 * stay there, so that the command can be issued again without asking anybody.
 * The slot's number is the tag of a queued command (NCQ).
 *
 * An error of one queued command aborts all.  The port is stopped and started; the
 * disk's log of queued errors (page 10h) names the one that failed, which ends with
 * its status if that is for good; the rest is issued again, one at a time if there is
 * no such log.  Other faults (the link, a command that hangs) blame nobody: a
 * COMRESET, after which the disk must be the one that was there, and all is issued
 * again.  Each recovery counts for who went through it: after AHP_TRIES, commands are
 * issued one at a time and not queued, so that the next fault has one culprit, which
 * then ends.
 *
 * The last slot is never given out: it is for the log and for IDENTIFY, which are
 * needed when all others are taken.
 *
 * Invariants
 *   A1  waiting, issued and done are disjoint; a cookie comes out when its slot
 *       leaves done, once.
 *   A2  issued is either all queued commands or a single other one.
 *   A3  a slot is issued at most AHP_TRIES + 1 times.
 *   A4  memory of a command that failed goes back only after the port was stopped.
 *   A5  a recovery ends: COMRESET happens once in it, and at most AHP_RESETS of them
 *       follow each other without a command that completes.
 *
 * Not here: packet devices, port multipliers, power management, enclosures.
 */
#include <core/storage/ahci.h>
#include <core/rt/rt.h>

enum {
	ATA_READ = 0x25, ATA_WRITE = 0x35, ATA_READ_LOG = 0x2f, ATA_READ_QUEUED = 0x60,
	ATA_WRITE_QUEUED = 0x61, ATA_FLUSH = 0xea, ATA_IDENTIFY = 0xec,
};
enum { FIS_H2D = 0x27, FIS_COMMAND = 0x80, FIS_WORDS = 5, DEVICE_LBA = 0x40 };
enum { LOG_QUEUED_ERRORS = 0x10 };
enum { ERROR_ABORT = 0x04, ERROR_CRC = 0x80 };
enum { HEADER_WRITE = 1u << 6, DET_ONLINE = 3 };

#define FAULTS_OF_LINK \
	(AHCI_IS_PC | AHCI_IS_PRC | AHCI_IS_OF | AHCI_IS_IF | AHCI_IS_HBD | AHCI_IS_HBF)

void
ahci_parse_cap(uint32_t cap, struct ahci_caps *out)
{
	out->ac_slots = (cap >> 8 & 31) + 1;
	out->ac_queued = (cap >> 30 & 1) != 0;
	out->ac_wide = (cap >> 31 & 1) != 0;
}

enum ahci_kind
ahci_signature(uint32_t sig)
{
	switch (sig) {
	case 0x00000101: return AHCI_DISK;
	case 0xeb140101: return AHCI_PACKET;
	case 0x96690101: return AHCI_MULTIPLIER;
	default: return AHCI_NONE;
	}
}

/* ---- Identification (ACS-3, 7.12). ---- */
static uint32_t
word(const uint8_t *sector, unsigned i)
{
	return (uint32_t)storage_le(sector + 2 * i, 2);
}

/* Some words mean something only when their upper bits are 01. */
static bool
word_valid(uint32_t w)
{
	return w >> 14 == 1;
}

static uint8_t
sum(const uint8_t *sector)
{
	uint8_t s = 0;

	for (unsigned i = 0; i < AHP_PRIVATE; i++)
		s = (uint8_t)(s + sector[i]);
	return s;
}

static bool
parse_sizes(const uint8_t *sector, struct ata_disk *out)
{
	uint64_t sectors = storage_le(sector + 200, 8), bytes = 512;
	uint32_t w = word(sector, 106), exponent = 0;

	if (word_valid(w) && (w & 1u << 12) != 0)
		bytes = 2 * storage_le(sector + 234, 4);
	if (word_valid(w) && (w & 1u << 13) != 0)
		exponent = w & 15;
	if (sectors == 0 || sectors > 1ull << 48)
		return false;
	if (bytes < 512 || bytes > 4096 || (bytes & (bytes - 1)) != 0)
		return false;
	out->ad_sectors = sectors;
	out->ad_sector_bytes = (uint32_t)bytes;
	out->ad_physical_bytes = (uint32_t)bytes << exponent;
	return true;
}

bool
ata_parse_identify(const uint8_t *sector, struct ata_disk *out)
{
	uint32_t supports = word(sector, 83), queued = word(sector, 76);

	if ((word(sector, 0) & 1u << 15) != 0)
		return false;
	if (sector[510] == 0xa5 && sum(sector) != 0)
		return false;
	if (!word_valid(supports) || (supports & 1u << 10) == 0)
		return false;
	if (!parse_sizes(sector, out))
		return false;
	out->ad_queue = 0;
	if (queued != 0xffff && (queued & 1u << 8) != 0)
		out->ad_queue = (word(sector, 75) & 31) + 1;
	out->ad_write_cache = word_valid(word(sector, 87)) && (word(sector, 85) & 1u << 5) != 0;
	out->ad_flush = (supports & 1u << 13) != 0;
	storage_text(out->ad_serial, sector + 20, 20, 1);
	storage_text(out->ad_model, sector + 54, 40, 1);
	return true;
}

/* ---- Commands in memory. ---- */
bool
ahp_init(struct ahp *ap, const struct ahci_caps *caps, const struct dma_mem *mem)
{
	ASSERT(mem->pa % 1024 == 0 && mem->bytes >= sizeof(struct ahci_memory));
	ASSERT(caps->ac_slots <= AHP_SLOTS);
	if (caps->ac_slots < 2)
		return false;
	if (!caps->ac_wide && mem->pa > (1ull << 32) - sizeof(struct ahci_memory))
		return false;
	memset(ap, 0, sizeof *ap);
	ap->ap_caps = *caps;
	ap->ap_mem = mem->va;
	ap->ap_pa = mem->pa;
	memset(ap->ap_mem, 0, sizeof *ap->ap_mem);
	for (uint32_t i = 0; i < AHP_SLOTS; i++)
		ap->ap_mem->am_list[i].ah_table_pa = mem->pa +
		    offsetof(struct ahci_memory, am_table) + i * sizeof(struct ahci_table);
	return true;
}

void
ahp_set_disk(struct ahp *ap, const struct ata_disk *disk)
{
	ASSERT((ap->ap_waiting | ap->ap_issued | ap->ap_done) == 0);
	ap->ap_disk = *disk;
	if (!ap->ap_caps.ac_queued)
		ap->ap_disk.ad_queue = 0;
}

static void
write_fis(uint8_t *f, uint8_t command, uint64_t lba, uint32_t features, uint32_t count)
{
	memset(f, 0, 4 * FIS_WORDS);
	f[0] = FIS_H2D;
	f[1] = FIS_COMMAND;
	f[2] = command;
	f[3] = (uint8_t)features;
	f[7] = DEVICE_LBA;
	for (unsigned i = 0; i < 3; i++) {
		f[4 + i] = (uint8_t)(lba >> 8 * i);
		f[8 + i] = (uint8_t)(lba >> (24 + 8 * i));
	}
	f[11] = (uint8_t)(features >> 8);
	f[12] = (uint8_t)count;
	f[13] = (uint8_t)(count >> 8);
}

/* The command of a slot, for this time queued or not; its data pieces are there. */
static void
write_command(struct ahp *ap, uint32_t slot, bool queued)
{
	const struct ahp_slot *s = &ap->ap_slot[slot];
	uint8_t *f = ap->ap_mem->am_table[slot].at_fis;
	bool write = s->sl_op == AHP_WRITE;

	ap->ap_mem->am_list[slot].ah_moved = 0;
	if (s->sl_op == AHP_FLUSH || s->sl_op == AHP_IDENTIFY)
		write_fis(f, s->sl_op == AHP_FLUSH ? ATA_FLUSH : ATA_IDENTIFY, 0, 0, 0);
	else if (queued)
		write_fis(f, write ? ATA_WRITE_QUEUED : ATA_READ_QUEUED, s->sl_lba, s->sl_sectors,
		    slot << 3);
	else
		write_fis(f, write ? ATA_WRITE : ATA_READ, s->sl_lba, 0, s->sl_sectors);
}

/* false: the pieces are not `want` bytes, or the controller cannot have them. */
static bool
write_pieces(struct ahp *ap, uint32_t slot, const struct ahp_request *r, uint64_t want)
{
	struct ahci_prd *prd = ap->ap_mem->am_table[slot].at_prd;
	uint64_t limit = ap->ap_caps.ac_wide ? UINT64_MAX : 1ull << 32;
	uint32_t n = 0;

	for (size_t i = 0; i < r->ar_nseg; i++) {
		uint64_t pa = r->ar_seg[i].pa, left = r->ar_seg[i].bytes, end;

		if (rt_add_overflows(pa, left, &end) || end > limit)
			return false;
		if (left == 0 || left > want || ((pa | left) & 1) != 0)
			return false;
		want -= left;
		for (uint64_t now; left > 0; left -= now, pa += now) {
			now = rt_min(left, AHP_SEG_BYTES);
			if (n == AHP_SEGS)
				return false;
			prd[n++] = (struct ahci_prd){ .pr_pa = pa, .pr_last = (uint32_t)now - 1 };
		}
	}
	ap->ap_mem->am_list[slot].ah_flags = n << 16 | FIS_WORDS |
	    (r->ar_op == AHP_WRITE ? HEADER_WRITE : 0);
	return want == 0;
}

/* The bytes that a request moves; false: it cannot be asked of this disk. */
static bool
request_bytes(const struct ata_disk *ad, const struct ahp_request *r, uint64_t *bytes)
{
	bool known = ad->ad_sectors > 0;

	*bytes = r->ar_op == AHP_IDENTIFY ? AHP_PRIVATE : 0;
	if (r->ar_op == AHP_IDENTIFY)
		return true;
	if (r->ar_op == AHP_FLUSH)
		return known && ad->ad_flush;
	*bytes = (uint64_t)r->ar_sectors * ad->ad_sector_bytes;
	return known && r->ar_sectors >= 1 && r->ar_sectors <= 65536 &&
	    r->ar_sectors <= ad->ad_sectors && r->ar_lba <= ad->ad_sectors - r->ar_sectors;
}

/* ---- From submission to completion. ---- */
enum ahp_answer
ahp_submit(struct ahp *ap, const struct ahp_request *r)
{
	uint32_t busy = ap->ap_waiting | ap->ap_issued, slot, can;
	bool moves = r->ar_op == AHP_READ || r->ar_op == AHP_WRITE;
	bool queued = moves && ap->ap_disk.ad_queue > 0;
	uint64_t bytes;

	if (ap->ap_state == AHP_GONE)
		return AHP_DEAD;
	if (!request_bytes(&ap->ap_disk, r, &bytes))
		return AHP_BAD;
	if (busy == 0)
		ap->ap_alone = false;
	if (ap->ap_state != AHP_RUNNING || ap->ap_alone)
		return AHP_NOT_NOW;
	if ((queued ? busy & ~ap->ap_queued : busy) != 0)
		return AHP_NOT_NOW;			/* A2 */
	slot = (uint32_t)rt_min(rt_max(ap->ap_disk.ad_queue, 1), ap->ap_caps.ac_slots - 1);
	can = ((1u << slot) - 1) & ~(busy | ap->ap_done);
	if (can == 0)
		return AHP_NOT_NOW;
	slot = (uint32_t)__builtin_ctz(can);
	if (!write_pieces(ap, slot, r, bytes))
		return AHP_BAD;
	ap->ap_slot[slot] = (struct ahp_slot){
		.sl_op = r->ar_op, .sl_lba = r->ar_lba, .sl_sectors = r->ar_sectors,
		.sl_cookie = r->ar_cookie,
	};
	ap->ap_waiting |= 1u << slot;
	if (queued)
		ap->ap_queued |= 1u << slot;
	return AHP_TAKEN;
}

bool
ahp_issue(struct ahp *ap, uint32_t *sact, uint32_t *ci)
{
	uint32_t set = ap->ap_waiting;

	if (ap->ap_state != AHP_RUNNING || set == 0)
		return false;
	if (ap->ap_alone && ap->ap_issued != 0)
		return false;
	if (ap->ap_alone) {
		set &= -set;
		ap->ap_queued &= ~set;
	}
	ap->ap_waiting &= ~set;
	ap->ap_issued |= set;
	*sact = set & ap->ap_queued;
	*ci = set;
	ASSERT((ap->ap_issued & ~ap->ap_queued) == 0 || (ap->ap_issued & (ap->ap_issued - 1)) == 0);
	for (uint32_t slot = 0; slot < AHP_SLOTS; slot++)
		if ((set >> slot & 1) != 0)
			write_command(ap, slot, (*sact >> slot & 1) != 0);
	/* The commands are in memory before the register tells of them. */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	return true;
}

/* Slots end, with one result. */
static void
finish(struct ahp *ap, uint32_t set, enum storage_result result)
{
	ASSERT((set & ~(ap->ap_waiting | ap->ap_issued)) == 0);
	for (uint32_t slot = 0; slot < AHP_SLOTS; slot++)
		if ((set >> slot & 1) != 0)
			ap->ap_slot[slot].sl_result = result;
	ap->ap_waiting &= ~set;
	ap->ap_issued &= ~set;
	ap->ap_queued &= ~set;
	ap->ap_done |= set;
}

bool
ahp_reap(struct ahp *ap, struct ahp_done *out)
{
	uint32_t slot;

	if (ap->ap_done == 0)
		return false;
	slot = (uint32_t)__builtin_ctz(ap->ap_done);
	ap->ap_done &= ~(1u << slot);
	out->hd_cookie = ap->ap_slot[slot].sl_cookie;
	out->hd_result = ap->ap_slot[slot].sl_result;
	return true;
}

/* ---- Faults. ---- */

/* Status in bits 7:0, error in bits 15:8, as in PxTFD. */
static enum storage_result
ata_result(uint32_t tfd)
{
	if ((tfd & ATA_DF) != 0)
		return STORAGE_MEDIUM;
	if ((tfd & ATA_ERR) == 0 || (tfd >> 8 & ERROR_CRC) != 0)
		return STORAGE_RETRY;
	return (tfd >> 8 & 0xff) == ERROR_ABORT ? STORAGE_REFUSED : STORAGE_MEDIUM;
}

static enum ahp_act
give_up(struct ahp *ap)
{
	ap->ap_state = AHP_GONE;
	finish(ap, ap->ap_waiting | ap->ap_issued, STORAGE_GONE);
	return AHP_GIVE_UP;
}

static enum ahp_act
go(struct ahp *ap, enum ahp_state state, enum ahp_act act)
{
	ap->ap_state = state;
	return act;
}

static enum ahp_act
reset(struct ahp *ap)
{
	if (ap->ap_was_reset || ap->ap_resets == AHP_RESETS)
		return give_up(ap);			/* A5 */
	ap->ap_resets++;
	ap->ap_was_reset = true;
	return go(ap, AHP_RESETTING, AHP_COMRESET);
}

/* A command of our own, in the last slot. */
static enum ahp_act
ask(struct ahp *ap, enum ahp_state state)
{
	struct ahci_memory *m = ap->ap_mem;
	uint32_t slot = ap->ap_caps.ac_slots - 1;

	/* An answer that never came is neither a log nor an identification. */
	memset(m->am_private, 0xff, sizeof m->am_private);
	m->am_list[slot].ah_flags = 1u << 16 | FIS_WORDS;
	m->am_list[slot].ah_moved = 0;
	m->am_table[slot].at_prd[0] = (struct ahci_prd){
		.pr_pa = ap->ap_pa + offsetof(struct ahci_memory, am_private),
		.pr_last = AHP_PRIVATE - 1,
	};
	if (state == AHP_LOGGING)
		write_fis(m->am_table[slot].at_fis, ATA_READ_LOG, LOG_QUEUED_ERRORS, 0, 1);
	else
		write_fis(m->am_table[slot].at_fis, ATA_IDENTIFY, 0, 0, 0);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	return go(ap, state, AHP_ASK);
}

/* Log page 10h (SATA 3.x, 13.7.4): tag and kind, then the registers of the one that failed. */
static void
read_log(struct ahp *ap)
{
	const uint8_t *page = ap->ap_mem->am_private;
	uint32_t tag = page[0] & 31;

	if (sum(page) != 0 || (page[0] & 0x80) != 0)
		return;
	ap->ap_blamed = tag;
	ap->ap_blame = ata_result(page[2] | (uint32_t)page[3] << 8);
}

static bool
same_disk(const struct ahp *ap)
{
	const struct ata_disk *was = &ap->ap_disk;
	struct ata_disk is;

	return ata_parse_identify(ap->ap_mem->am_private, &is) &&
	    is.ad_sectors == was->ad_sectors && is.ad_sector_bytes == was->ad_sector_bytes &&
	    strcmp(is.ad_serial, was->ad_serial) == 0 && strcmp(is.ad_model, was->ad_model) == 0;
}

/* Emulated disks, which surely know how to read and write, say "aborted" of blocks that they cannot. */
static enum storage_result
blame(const struct ahp *ap, enum ahp_op op)
{
	bool moves = op == AHP_READ || op == AHP_WRITE;

	return moves && ap->ap_blame == STORAGE_REFUSED ? STORAGE_MEDIUM : ap->ap_blame;
}

/* The port runs again: who failed ends, the rest waits to be issued again. */
static enum ahp_act
recovered(struct ahp *ap)
{
	for (uint32_t slot = 0; slot < AHP_SLOTS; slot++) {
		struct ahp_slot *s = &ap->ap_slot[slot];

		if ((ap->ap_issued >> slot & 1) == 0)
			continue;
		s->sl_tries++;
		if (slot == ap->ap_blamed && ap->ap_blame != STORAGE_RETRY)
			finish(ap, 1u << slot, blame(ap, s->sl_op));
		else if (s->sl_tries > AHP_TRIES)
			finish(ap, 1u << slot, STORAGE_MEDIUM);		/* A3 */
		else if (s->sl_tries == AHP_TRIES)
			ap->ap_alone = true;
	}
	ap->ap_waiting |= ap->ap_issued;
	ap->ap_issued = 0;
	return go(ap, AHP_RUNNING, AHP_RUN);
}

/*
 * Those whose bits are clear, in the registers of a port that has a disk: the zeros of one that
 * is not there any more tell nothing.  Nor does the bit of a single command that failed: emulators
 * have been seen to clear it.
 */
static void
take_done(struct ahp *ap, const struct ahp_regs *r, bool task)
{
	uint32_t done = ap->ap_issued & ~r->rg_ci & ~(ap->ap_queued & r->rg_sact);

	if (task)
		done &= ap->ap_queued;
	if (done != 0)
		ap->ap_resets = 0;
	finish(ap, done, STORAGE_OK);
}

enum ahp_act
ahp_event(struct ahp *ap, const struct ahp_regs *r, bool hung)
{
	bool online = (r->rg_ssts & 15) == DET_ONLINE;
	bool link = (r->rg_is & FAULTS_OF_LINK) != 0 || !online;
	bool task = (r->rg_is & AHCI_IS_TFE) != 0;

	if (ap->ap_state == AHP_GONE)
		return AHP_GIVE_UP;
	ASSERT(ap->ap_state == AHP_RUNNING);
	if (r->rg_is == UINT32_MAX)			/* the controller is gone */
		return give_up(ap);
	if (online)
		take_done(ap, r, task);
	if (!link && !task && !hung)
		return AHP_RUN;

	ap->ap_reset = link || hung;
	ap->ap_was_reset = false;
	ap->ap_blamed = AHP_SLOTS;
	ap->ap_log = !ap->ap_reset && (ap->ap_issued & ap->ap_queued) != 0;
	if (!ap->ap_reset && !ap->ap_log && ap->ap_issued != 0) {
		ap->ap_blamed = (uint32_t)__builtin_ctz(ap->ap_issued);	/* A2 */
		ap->ap_blame = ata_result(r->rg_tfd);
	}
	return go(ap, AHP_STOPPING, AHP_STOP);		/* A4 */
}

enum ahp_act
ahp_next(struct ahp *ap, bool ok)
{
	switch (ap->ap_state) {
	case AHP_STOPPING:
		if (!ok || ap->ap_reset)
			return reset(ap);
		return go(ap, AHP_STARTING, AHP_START);
	case AHP_RESETTING:
		if (!ok)
			return give_up(ap);
		return go(ap, AHP_STARTING, AHP_START);
	case AHP_STARTING:
		if (!ok)
			break;
		if (ap->ap_was_reset && ap->ap_disk.ad_sectors > 0)
			return ask(ap, AHP_COMPARING);
		return ap->ap_log ? ask(ap, AHP_LOGGING) : recovered(ap);
	case AHP_COMPARING:
		return ok && same_disk(ap) ? recovered(ap) : give_up(ap);
	case AHP_LOGGING:
		if (!ok) {
			ap->ap_alone = true;
			break;
		}
		read_log(ap);
		return recovered(ap);
	case AHP_RUNNING:
	case AHP_GONE:
		ASSERT(!"a recovery goes on");
	}
	/* It does not even start, or does not know: a COMRESET may help. */
	ap->ap_reset = true;
	return go(ap, AHP_STOPPING, AHP_STOP);
}
