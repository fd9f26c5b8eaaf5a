/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ahci - SATA disks behind an AHCI controller; what happens to a port's commands is
 * decided by its core.
 *
 * The interrupt's handler takes what was completed and issues what waits.  Each
 * register costs much in a virtual machine, so it reads no more than it has to: which
 * events there were, and which commands are still out.  Anything but completions is
 * for the port's thread, which may wait: until it is through, the port is the
 * thread's alone (p_act) and does not interrupt.
 *
 * That thread also looks once a second whether a command has been out too long, in
 * registers that may tell more than an interrupt did.
 *
 * Invariants
 *   H1  p_act is AHP_RUN exactly while the core is in AHP_RUNNING, but for the time in
 *       which p_lock is held.
 *   H2  the core sees PxIS as it was before it was cleared, and commands after that.
 *   H3  a request ends only when the port's memory is not used any more: the core asks
 *       for that, and a port that does not stop costs the controller its access to memory.
 *
 * Locking: p_lock for the port; blk_done() and blk_room() are called without it.
 *
 * Not here: packet devices and port multipliers, which are named and left alone;
 * disks that come later, power management, a buffer below 4 GiB for a controller that
 * reaches no further, whose requests above it are refused.
 */
#include <core/rt/rt.h>
#include <core/storage/ahci.h>
#include <drv/blk.h>
#include <drv/dma.h>
#include <drv/lock.h>
#include <drv/pci.h>
#include <drv/thread.h>
#include <stdatomic.h>

#include "disk.h"

#define PORTS_MAX	32u
#define COMMAND_S	10u
#define ASK_NS		(5 * NSEC_PER_SEC)
#define READY_NS	(10 * NSEC_PER_SEC)	/* a disk that has to turn first */
#define STOP_NS		(NSEC_PER_SEC / 2)
#define RESET_NS	NSEC_PER_SEC
#define LINK_NS		NSEC_PER_SEC		/* until a disk that was noticed can be talked to */
#define NOTICE_NS	(NSEC_PER_SEC / 50)	/* until a disk is noticed: twice what it may take */
#define FIRMWARE_NS	(2 * NSEC_PER_SEC)
#define SCTL_RESET	0x301u			/* no power management, as in the next one */
#define SCTL_RUN	0x300u

enum { DET_NONE = 0, DET_ONLINE = 3 };
enum {
	COMPLETIONS = AHCI_IS_DHR | AHCI_IS_SDB,
	EVENTS = COMPLETIONS | AHCI_IS_PC | AHCI_IS_PRC | AHCI_IS_OF | AHCI_IS_IF | AHCI_IS_HBD |
	    AHCI_IS_HBF | AHCI_IS_TFE,
};

struct memory {
	struct ahci_memory m_port;
	uint8_t		m_identify[AHP_PRIVATE];
};

struct port {
	struct drv_lock	p_lock;
	struct ahp	p_ahp;			/* [p_lock] */
	enum ahp_act	p_act;			/* [p_lock] what the thread has to do next */
	uint32_t	p_since[AHP_SLOTS];	/* [p_lock] p_second when it was issued */
	uint32_t	p_recoveries;		/* [p_lock] */
	uint32_t	p_status;		/* [p_lock] PxTFD before the last one */
	bool		p_short;		/* [p_lock] somebody was refused for want of room */
	_Atomic uint32_t p_second;		/* [atomic] the time for commands */
	_Atomic uint32_t p_errors;		/* [atomic] told of */
	uint32_t	p_wait_ci;		/* [who may wait] the command that is waited for */
	struct drv_event p_event;		/* p_act is not AHP_RUN any more */
	struct ahci	*p_ahci;		/* const */
	volatile uint32_t *p_regs;		/* const */
	struct dma_mem	p_mem;			/* const: a struct memory */
	char		p_name[16];		/* const */
	struct blkdev	p_blk;
};

struct ahci {
	char		a_name[16];		/* const */
	struct pcidev	*a_pci;			/* const */
	volatile uint32_t *a_regs;		/* const */
	struct ahci_caps a_caps;		/* const */
	uint32_t	a_implemented;		/* const: set of ports */
	struct port	*_Atomic a_port[PORTS_MAX];	/* [atomic] those with disks */
	_Atomic uint32_t a_disks;		/* [atomic] the set of them */
};

static uint32_t
port_get(const struct port *p, uint32_t reg)
{
	return p->p_regs[reg / 4];
}

static void
port_set(struct port *p, uint32_t reg, uint32_t v)
{
	p->p_regs[reg / 4] = v;
}

/* ------------------------------------------------------------- requests -- */

/* Locked. */
static void
issue(struct port *p)
{
	const uint32_t now = atomic_load_explicit(&p->p_second, memory_order_relaxed);
	uint32_t sact, ci;

	if (!ahp_issue(&p->p_ahp, &sact, &ci))
		return;
	for (uint32_t set = ci; set != 0; set &= set - 1)
		p->p_since[__builtin_ctz(set)] = now;
	if (sact != 0)
		port_set(p, AHCI_PXSACT, sact);
	port_set(p, AHCI_PXCI, ci);
}

static bool
ahci_submit(struct blkdev *bd, struct bio *b)
{
	static const enum ahp_op op[] = { AHP_READ, AHP_WRITE, AHP_FLUSH };
	struct port *p = bd->bd_driver;
	const struct ahp_request r = {
		.ar_op = op[b->b_op], .ar_lba = b->b_lba, .ar_sectors = b->b_blocks, .ar_seg = b->b_seg,
		.ar_nseg = b->b_nseg, .ar_cookie = b,
	};
	enum ahp_answer a;

	drv_lock(&p->p_lock);
	a = ahp_submit(&p->p_ahp, &r);
	if (a == AHP_TAKEN)
		issue(p);
	p->p_short |= a == AHP_NOT_NOW;
	drv_unlock(&p->p_lock);
	if (a == AHP_BAD || a == AHP_DEAD)
		blk_done(b, a == AHP_BAD ? STORAGE_REFUSED : STORAGE_GONE);
	return a != AHP_NOT_NOW;
}

static const struct blk_ops ahci_ops = { .submit = ahci_submit };

/* Locked: what happened; H2.  Queued commands are out while their bit in PxSACT is set, others in PxCI. */
static struct ahp_regs
look(struct port *p, bool closely)
{
	struct ahp_regs r = { .rg_is = port_get(p, AHCI_PXIS), .rg_ssts = DET_ONLINE };

	if (r.rg_is != 0)
		port_set(p, AHCI_PXIS, r.rg_is);
	if (closely || (r.rg_is & ~(uint32_t)COMPLETIONS) != 0) {
		r.rg_ssts = port_get(p, AHCI_PXSSTS);
		r.rg_tfd = port_get(p, AHCI_PXTFD);
	}
	if (p->p_ahp.ap_issued != 0)
		r.rg_sact = r.rg_ci = port_get(p, (p->p_ahp.ap_issued & p->p_ahp.ap_queued) != 0 ?
		    AHCI_PXSACT : AHCI_PXCI);
	return r;
}

/* Locked: from the core to `done`, and from the core to the disk.  True: there may be room. */
static bool
move(struct port *p, struct list *done)
{
	struct ahp_done d;
	bool room = false;

	while (ahp_reap(&p->p_ahp, &d)) {
		struct bio *b = d.hd_cookie;

		b->b_result = d.hd_result;
		if (d.hd_result != STORAGE_OK && d.hd_result != STORAGE_GONE)
			disk_failed(&p->p_blk, &p->p_errors, b, p->p_status);
		list_push_back(done, &b->b_link);
		room = true;
	}
	issue(p);
	room &= p->p_short;
	if (room)
		p->p_short = false;
	return room;
}

/* In a critical section. */
static void
port_service(struct port *p, bool closely, bool hung)
{
	struct list done = LIST_INIT(done);
	struct ahp_regs r;
	bool room = false;

	drv_lock(&p->p_lock);
	if (p->p_act == AHP_RUN) {
		r = look(p, closely);
		if (r.rg_is != 0 || closely)
			p->p_act = ahp_event(&p->p_ahp, &r, hung);
		if (p->p_act == AHP_RUN) {
			room = move(p, &done);
		} else {
			port_set(p, AHCI_PXIE, 0);
			p->p_status = r.rg_tfd;
			if (disk_tells(++p->p_recoveries))
				drv_log(p->p_name, "recovery %u: events %#x, link %#x, status %#x%s",
				    p->p_recoveries, r.rg_is, r.rg_ssts, r.rg_tfd,
				    hung ? ", a command is not answered" : "");
			drv_event_set(&p->p_event);
		}
	}
	drv_unlock(&p->p_lock);
	disk_done(&done);
	if (room)
		blk_room(&p->p_blk);
}

static void
ahci_intr(void *arg)
{
	struct ahci *a = arg;
	const uint32_t disks = atomic_load(&a->a_disks);
	uint32_t is = disks;

	if ((disks & (disks - 1)) != 0)
		is = a->a_regs[AHCI_IS / 4];
	for (uint32_t set = is & disks; set != 0; set &= set - 1)
		port_service(atomic_load(&a->a_port[__builtin_ctz(set)]), false, false);
	if (is != 0)
		a->a_regs[AHCI_IS / 4] = is;
}

/* ------------------------------------------------------------- recovery -- */
static bool
is_stopped(void *arg)
{
	return (port_get(arg, AHCI_PXCMD) & AHCI_CMD_CR) == 0;
}

static bool
is_deaf(void *arg)
{
	return (port_get(arg, AHCI_PXCMD) & AHCI_CMD_FR) == 0;
}

static bool
is_idle(void *arg)
{
	return (port_get(arg, AHCI_PXTFD) & (ATA_BSY | ATA_DRQ)) == 0;
}

static bool
is_online(void *arg)
{
	return (port_get(arg, AHCI_PXSSTS) & 15) == DET_ONLINE;
}

static bool
is_answered(void *arg)
{
	const struct port *p = arg;

	return (port_get(p, AHCI_PXCI) & p->p_wait_ci) == 0 || (port_get(p, AHCI_PXIS) & AHCI_IS_TFE) != 0;
}

static bool
port_stop(struct port *p)
{
	port_set(p, AHCI_PXCMD, port_get(p, AHCI_PXCMD) & ~AHCI_CMD_ST);
	return drv_poll(is_stopped, p, STOP_NS);
}

static bool
port_start(struct port *p)
{
	port_set(p, AHCI_PXSERR, UINT32_MAX);
	port_set(p, AHCI_PXIS, UINT32_MAX);
	if (!drv_poll(is_idle, p, READY_NS))
		return false;
	port_set(p, AHCI_PXCMD, port_get(p, AHCI_PXCMD) | AHCI_CMD_ST);
	return true;
}

/* H3. */
static void
port_silence(struct port *p)
{
	bool ok = port_stop(p);

	port_set(p, AHCI_PXCMD, port_get(p, AHCI_PXCMD) & ~AHCI_CMD_FRE);
	if (ok && drv_poll(is_deaf, p, STOP_NS))
		return;
	drv_log(p->p_name, "it does not stop: the controller may not use memory any more");
	pci_command(p->p_ahci->a_pci->pd_cfg, p->p_ahci->a_pci->pd_fn.pf_bdf, 0, PCI_COMMAND_MASTER);
}

static bool
comreset(struct port *p)
{
	port_set(p, AHCI_PXSCTL, SCTL_RESET);
	drv_sleep(2000000);
	port_set(p, AHCI_PXSCTL, SCTL_RUN);
	if (!drv_poll(is_online, p, LINK_NS))
		return false;
	port_set(p, AHCI_PXSERR, UINT32_MAX);
	return drv_poll(is_idle, p, READY_NS) && ahci_signature(port_get(p, AHCI_PXSIG)) == AHCI_DISK;
}

/* A command that is waited for, while nothing else is out. */
static bool
ask(struct port *p, uint32_t ci)
{
	p->p_wait_ci = ci;
	port_set(p, AHCI_PXCI, ci);
	return drv_poll(is_answered, p, ASK_NS) && (port_get(p, AHCI_PXIS) & AHCI_IS_TFE) == 0;
}

static bool
perform(struct port *p, enum ahp_act act)
{
	switch (act) {
	case AHP_STOP:
		return port_stop(p) && is_idle(p);
	case AHP_COMRESET:
		return comreset(p);
	case AHP_START:
		return port_start(p);
	case AHP_ASK:
		return ask(p, ahp_private_ci(&p->p_ahp));
	case AHP_RUN:
	case AHP_GIVE_UP:
		break;
	}
	ASSERT(!"something to do");
	return false;
}

/* Until the port runs again (true) or is given up. */
static bool
recover(struct port *p)
{
	enum ahp_act act = p->p_act;

	while (act != AHP_RUN && act != AHP_GIVE_UP) {
		bool ok = perform(p, act);

		drv_lock(&p->p_lock);
		act = ahp_next(&p->p_ahp, ok);
		drv_unlock(&p->p_lock);
	}
	if (act == AHP_GIVE_UP)
		port_silence(p);
	return act == AHP_RUN;
}

/* Requests end or go out again, after a recovery. */
static void
go_on(struct port *p, bool runs)
{
	struct list done = LIST_INIT(done);
	bool room;

	drv_lock(&p->p_lock);
	if (runs) {
		p->p_act = AHP_RUN;
		port_set(p, AHCI_PXIS, UINT32_MAX);
		port_set(p, AHCI_PXIE, EVENTS);
	}
	(void)move(p, &done);
	room = p->p_short;
	p->p_short = false;
	drv_unlock(&p->p_lock);
	drv_enter();
	disk_done(&done);
	if (!runs)
		blk_gone(&p->p_blk);
	else if (room)
		blk_room(&p->p_blk);
	drv_leave();
}

/* Seconds since the oldest command that is out was issued. */
static uint32_t
age(struct port *p)
{
	const uint32_t now = atomic_load(&p->p_second);
	uint32_t oldest = 0;

	drv_lock(&p->p_lock);
	for (uint32_t set = p->p_ahp.ap_issued; set != 0; set &= set - 1)
		oldest = (uint32_t)rt_max(oldest, now - p->p_since[__builtin_ctz(set)]);
	drv_unlock(&p->p_lock);
	return oldest;
}

static void
watch(void *arg)
{
	struct port *p = arg;
	bool runs = true;

	while (runs) {
		if (!drv_event_wait(&p->p_event, md_now() + NSEC_PER_SEC))
			atomic_fetch_add(&p->p_second, 1);
		drv_enter();
		if (age(p) > 1)			/* an interrupt may have been lost */
			port_service(p, true, false);
		if (age(p) > COMMAND_S)
			port_service(p, true, true);
		drv_leave();
		if (p->p_act == AHP_RUN)
			continue;
		runs = recover(p);
		if (!runs)
			drv_log(p->p_name, "given up");
		go_on(p, runs);
	}
}

/* -------------------------------------------------------------- attach -- */

/* The first command, with nobody else there. */
static bool
identify(struct port *p)
{
	struct memory *m = p->p_mem.va;
	const struct storage_seg seg = { dma_pa(&p->p_mem, m->m_identify), AHP_PRIVATE };
	const struct ahp_request r = { .ar_op = AHP_IDENTIFY, .ar_seg = &seg, .ar_nseg = 1, .ar_cookie = p };
	struct ahp_done d;
	struct ata_disk disk;
	uint32_t sact, ci;

	if (ahp_submit(&p->p_ahp, &r) != AHP_TAKEN)
		return false;
	while (!ahp_reap(&p->p_ahp, &d)) {
		bool hung = ahp_issue(&p->p_ahp, &sact, &ci) && !ask(p, ci) && !is_answered(p);
		struct ahp_regs regs = look(p, true);

		p->p_act = ahp_event(&p->p_ahp, &regs, hung);
		(void)recover(p);
	}
	p->p_act = AHP_RUN;
	if (d.hd_result != STORAGE_OK || !ata_parse_identify(m->m_identify, &disk))
		return false;
	ahp_set_disk(&p->p_ahp, &disk);
	return true;
}

static void
describe(struct port *p)
{
	const struct ata_disk *ad = &p->p_ahp.ap_disk;
	struct blkdev *bd = &p->p_blk;

	blk_letter(bd->bd_name, "sd", blk_number("sd"));
	bd->bd_ops = &ahci_ops;
	bd->bd_driver = p;
	bd->bd_blocks = ad->ad_sectors;
	bd->bd_block_bytes = ad->ad_sector_bytes;
	bd->bd_bytes_max = BIO_BYTES_MAX;
	bd->bd_segs_max = BIO_SEGS;
	bd->bd_flush = ad->ad_write_cache;
	memcpy(bd->bd_model, ad->ad_model, sizeof bd->bd_model);
	memcpy(bd->bd_serial, ad->ad_serial, sizeof bd->bd_serial);
	list_init(&bd->bd_waiting);		/* it may vanish before blk_attach() */
	drv_log(p->p_name, "%s, serial %s: %s, %u commands at a time", ad->ad_model, ad->ad_serial,
	    bd->bd_name, (uint32_t)rt_max(1, rt_min(ad->ad_queue, p->p_ahp.ap_caps.ac_slots - 1)));
}

/* Somebody is there.  False: nobody whom we can talk to. */
static bool
port_bring_up(struct port *p)
{
	const uint64_t reach = p->p_ahci->a_caps.ac_wide ? UINT64_MAX : UINT32_MAX;
	const char *what = "nothing that is known";
	struct dma_mem mem;
	uint64_t fis;

	if (dma_alloc(&p->p_mem, sizeof(struct memory), reach) != 0)
		return false;
	mem = (struct dma_mem){ p->p_mem.va, p->p_mem.pa, sizeof(struct ahci_memory) };
	if (!ahp_init(&p->p_ahp, &p->p_ahci->a_caps, &mem))
		return false;
	port_set(p, AHCI_PXCLB, (uint32_t)mem.pa);
	port_set(p, AHCI_PXCLB + 4, (uint32_t)(mem.pa >> 32));
	fis = mem.pa + offsetof(struct ahci_memory, am_fis);
	port_set(p, AHCI_PXFB, (uint32_t)fis);
	port_set(p, AHCI_PXFB + 4, (uint32_t)(fis >> 32));
	port_set(p, AHCI_PXCMD, port_get(p, AHCI_PXCMD) | AHCI_CMD_FRE);
	if (!drv_poll(is_online, p, LINK_NS) || !drv_poll(is_idle, p, READY_NS)) {
		drv_log(p->p_name, "no answer: link %#x, status %#x", port_get(p, AHCI_PXSSTS),
		    port_get(p, AHCI_PXTFD));
		return false;
	}
	switch (ahci_signature(port_get(p, AHCI_PXSIG))) {
	case AHCI_DISK:
		if (port_start(p) && identify(p))
			return true;
		what = "a disk that is not understood";
		break;
	case AHCI_PACKET:
		what = "a packet device, left alone";
		break;
	case AHCI_MULTIPLIER:
		what = "a port multiplier, left alone";
		break;
	case AHCI_NONE:
		break;
	}
	drv_log(p->p_name, "%s: signature %#x", what, port_get(p, AHCI_PXSIG));
	return false;
}

static void
port_attach(struct ahci *a, uint32_t number)
{
	struct port *p = drv_alloc(sizeof *p);

	if (p == NULL)
		return;
	p->p_ahci = a;
	p->p_regs = a->a_regs + AHCI_PORT(number) / 4;
	rt_snprintf(p->p_name, sizeof p->p_name, "%s.%u", a->a_name, number);
	drv_event_init(&p->p_event);
	if (!port_bring_up(p)) {
		port_silence(p);
		return;
	}
	describe(p);
	atomic_store(&a->a_port[number], p);
	atomic_fetch_or(&a->a_disks, 1u << number);
	go_on(p, true);
	if (drv_thread(p->p_name, watch, p) == 0)
		blk_attach(&p->p_blk);
}

static bool
firmware_left(void *arg)
{
	return (((struct ahci *)arg)->a_regs[AHCI_BOHC / 4] & AHCI_BOHC_BOS) == 0;
}

static bool
is_reset(void *arg)
{
	return (((struct ahci *)arg)->a_regs[AHCI_GHC / 4] & AHCI_GHC_HR) == 0;
}

/* Is somebody noticed at a port? */
static bool
any_device(const struct ahci *a)
{
	for (uint32_t set = a->a_implemented; set != 0; set &= set - 1)
		if ((a->a_regs[(AHCI_PORT(__builtin_ctz(set)) + AHCI_PXSSTS) / 4] & 15) != DET_NONE)
			return true;
	return false;
}

static bool
controller_reset(struct ahci *a)
{
	volatile uint32_t *r = a->a_regs;

	if ((r[AHCI_CAP2 / 4] & AHCI_CAP2_BOH) != 0) {
		r[AHCI_BOHC / 4] |= AHCI_BOHC_OOS;
		if (!drv_poll(firmware_left, a, FIRMWARE_NS))
			drv_log(a->a_name, "the firmware does not let go");
	}
	r[AHCI_GHC / 4] |= AHCI_GHC_AE;
	r[AHCI_GHC / 4] |= AHCI_GHC_HR;
	if (!drv_poll(is_reset, a, RESET_NS)) {
		drv_log(a->a_name, "it does not reset");
		return false;
	}
	r[AHCI_GHC / 4] |= AHCI_GHC_AE;
	return true;
}

/* Registers, and what they say. */
static bool
find(struct ahci *a)
{
	const uint64_t bytes = rt_min(a->a_pci->pd_bar[5].pb_bytes, AHCI_PORT(PORTS_MAX));
	uint32_t ports;

	if (bytes < AHCI_PORT(1) || (a->a_regs = pci_map(a->a_pci, 5, 0, bytes)) == NULL) {
		drv_log(a->a_name, "no registers");
		return false;
	}
	ahci_parse_cap(a->a_regs[AHCI_CAP / 4], &a->a_caps);
	ports = (uint32_t)((bytes - AHCI_PORT(0)) / (AHCI_PORT(1) - AHCI_PORT(0)));
	a->a_implemented = a->a_regs[AHCI_PI / 4] & (uint32_t)((1ull << ports) - 1);
	if (!any_device(a))
		pci_attached(a->a_pci);		/* nothing to wait for, it seems */
	return a->a_regs[AHCI_GHC / 4] != UINT32_MAX && controller_reset(a);
}

static void
ahci_attach(struct pcidev *pd)
{
	static _Atomic uint32_t count;
	struct ahci *a = drv_alloc(sizeof *a);
	const struct pci_vector v = { .pv_fn = ahci_intr, .pv_arg = a };
	bool msix;

	if (a == NULL)
		return;
	a->a_pci = pd;
	rt_snprintf(a->a_name, sizeof a->a_name, "ahci%u", atomic_fetch_add(&count, 1));
	if (!find(a))
		return;
	for (uint32_t set = a->a_implemented; set != 0; set &= set - 1)
		a->a_regs[(AHCI_PORT(__builtin_ctz(set)) + AHCI_PXCMD) / 4] |= AHCI_CMD_SUD | AHCI_CMD_POD;
	drv_sleep(NOTICE_NS);
	drv_log(a->a_name, "ports %#x, %u commands each%s%s at %s", a->a_implemented, a->a_caps.ac_slots,
	    a->a_caps.ac_queued ? ", queued" : "", a->a_caps.ac_wide ? "" : ", addresses below 4 GiB",
	    pd->pd_name);
	(void)pci_interrupts(pd, &v, 1, &msix);
	pci_master(pd);
	a->a_regs[AHCI_IS / 4] = UINT32_MAX;
	a->a_regs[AHCI_GHC / 4] |= AHCI_GHC_IE;
	for (uint32_t set = a->a_implemented; set != 0; set &= set - 1) {
		const uint32_t number = (uint32_t)__builtin_ctz(set);

		if ((a->a_regs[(AHCI_PORT(number) + AHCI_PXSSTS) / 4] & 15) != DET_NONE)
			port_attach(a, number);
	}
}

static bool
ahci_match(const struct pci_function *f)
{
	return f->pf_class == 0x010601;
}

const struct pci_driver ahci_driver = {
	.pr_name = "ahci", .pr_match = ahci_match, .pr_attach = ahci_attach,
};
