/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ahci - a port of an AHCI 1.3.1 controller with a SATA disk: commands,
 * completions, and what to do after an error.
 *
 * Pure: the caller owns registers, interrupts, time and all memory; values for
 * registers and what to do with the port are results.  One thread at a time per port.
 *
 * The driver's interrupt handler (and its clock, with `hung`):
 *
 *	act = ahp_event(ap, &regs, hung);
 *	while (act != AHP_RUN && act != AHP_GIVE_UP)
 *		act = ahp_next(ap, perform(act));
 *	while (ahp_reap(ap, &done))
 *		...
 *	ahp_issue(ap, &sact, &ci), and write them, PxSACT first
 */
#pragma once
#include <core/storage/storage.h>

#define AHP_SLOTS	32u
#define AHP_SEGS	56u
#define AHP_SEG_BYTES	(4u << 20)
#define AHP_PRIVATE	512u
#define AHP_TRIES	3u		/* of a command among others; one more alone */
#define AHP_RESETS	8u		/* in a row, without a command that completes */

/* Registers (section 3): of the controller; of a port, from AHCI_PORT(n). */
enum {
	AHCI_CAP = 0x00, AHCI_GHC = 0x04, AHCI_IS = 0x08, AHCI_PI = 0x0c, AHCI_VS = 0x10,
	AHCI_CAP2 = 0x24, AHCI_BOHC = 0x28,
};
#define AHCI_GHC_AE	(1u << 31)
#define AHCI_GHC_IE	(1u << 1)
#define AHCI_GHC_HR	(1u << 0)
#define AHCI_CAP2_BOH	(1u << 0)	/* there is AHCI_BOHC: who owns the controller */
#define AHCI_BOHC_BOS	(1u << 0)	/* firmware */
#define AHCI_BOHC_OOS	(1u << 1)	/* the system, or wants to */
#define AHCI_PORT(n)	(0x100u + 0x80u * (n))
enum {
	AHCI_PXCLB = 0x00, AHCI_PXFB = 0x08, AHCI_PXIS = 0x10, AHCI_PXIE = 0x14, AHCI_PXCMD = 0x18,
	AHCI_PXTFD = 0x20, AHCI_PXSIG = 0x24, AHCI_PXSSTS = 0x28, AHCI_PXSCTL = 0x2c,
	AHCI_PXSERR = 0x30, AHCI_PXSACT = 0x34, AHCI_PXCI = 0x38,
};
enum {
	AHCI_CMD_ST = 1u << 0, AHCI_CMD_SUD = 1u << 1, AHCI_CMD_POD = 1u << 2,
	AHCI_CMD_FRE = 1u << 4, AHCI_CMD_FR = 1u << 14, AHCI_CMD_CR = 1u << 15,
};
enum {
	AHCI_IS_DHR = 1u << 0, AHCI_IS_PS = 1u << 1, AHCI_IS_SDB = 1u << 3, AHCI_IS_PC = 1u << 6,
	AHCI_IS_PRC = 1u << 22, AHCI_IS_OF = 1u << 24, AHCI_IS_IF = 1u << 27,
	AHCI_IS_HBD = 1u << 28, AHCI_IS_HBF = 1u << 29, AHCI_IS_TFE = 1u << 30,
};
enum { ATA_ERR = 0x01, ATA_DRQ = 0x08, ATA_DF = 0x20, ATA_BSY = 0x80 };	/* status, PxTFD 7:0 */

struct ahci_caps {
	uint32_t	ac_slots;
	bool		ac_queued;		/* NCQ */
	bool		ac_wide;		/* addresses above 4 GiB */
};
void	ahci_parse_cap(uint32_t cap, struct ahci_caps *out);

enum ahci_kind { AHCI_NONE, AHCI_DISK, AHCI_PACKET, AHCI_MULTIPLIER };
enum ahci_kind ahci_signature(uint32_t sig);

/* ---- Identification: a sector of foreign input. ---- */
struct ata_disk {
	uint64_t	ad_sectors;
	uint32_t	ad_sector_bytes;	/* 512 to 4096 */
	uint32_t	ad_physical_bytes;
	uint32_t	ad_queue;		/* commands at a time; 0: no NCQ */
	bool		ad_write_cache;		/* it is on: flush is needed */
	bool		ad_flush;
	char		ad_serial[21], ad_model[41];
};

/* false: no disk, no 48-bit addresses, a bad sum, or absurd sizes. */
bool	ata_parse_identify(const uint8_t *sector, struct ata_disk *out);

/* ---- Memory of a port (section 4): what the caller gives. ---- */
struct ahci_header {
	uint32_t	ah_flags;		/* FIS words 4:0, W 6, PRDs 31:16 */
	uint32_t	ah_moved;
	uint64_t	ah_table_pa;
	uint32_t	ah_reserved[4];
};

struct ahci_prd {
	uint64_t	pr_pa;
	uint32_t	pr_reserved;
	uint32_t	pr_last;		/* bytes - 1 */
};

struct ahci_table {
	uint8_t		at_fis[64];
	uint8_t		at_packet[16];
	uint8_t		at_reserved[48];
	struct ahci_prd	at_prd[AHP_SEGS];
};

struct ahci_memory {
	struct ahci_header am_list[AHP_SLOTS];	/* PxCLB */
	uint8_t		am_fis[256];		/* PxFB */
	uint8_t		am_private[AHP_PRIVATE];	/* answers to our own commands */
	uint8_t		am_reserved[256];
	struct ahci_table am_table[AHP_SLOTS];
};
_Static_assert(sizeof(struct ahci_header) == 32, "AHCI 1.3.1, 4.2.2");
_Static_assert(sizeof(struct ahci_prd) == 16, "AHCI 1.3.1, 4.2.3.3");
_Static_assert(sizeof(struct ahci_table) == 1024, "AHCI 1.3.1, 4.2.3");
_Static_assert(offsetof(struct ahci_memory, am_fis) == 1024, "the caller's PxFB");

/* ---- A port. ---- */
enum ahp_op { AHP_READ, AHP_WRITE, AHP_FLUSH, AHP_IDENTIFY };

struct ahp_request {
	enum ahp_op	ar_op;
	uint64_t	ar_lba;			/* sectors; read and write */
	uint32_t	ar_sectors;		/* 1 to 65536 */
	const struct storage_seg *ar_seg;	/* even addresses and sizes */
	size_t		ar_nseg;
	void		*ar_cookie;
};

enum ahp_answer {
	AHP_TAKEN,
	AHP_NOT_NOW,		/* slots are full, the port recovers, or the kinds would mix */
	AHP_BAD,		/* out of range, or data that cannot be described */
	AHP_DEAD,		/* the port gave up */
};

/* What the driver must do with the port.  perform() says whether it worked. */
enum ahp_act {
	AHP_RUN,		/* nothing: go on with ahp_reap() and ahp_issue() */
	AHP_STOP,		/* PxCMD.ST off until CR is; ok: and neither BSY nor DRQ */
	AHP_COMRESET,		/* with ST off; ok: there is a link and a disk's signature */
	AHP_START,		/* PxSERR and PxIS cleared, PxCMD.ST on; ok: not busy */
	AHP_ASK,		/* ahp_private_ci() to PxCI, and wait; ok: bit gone, no error */
	AHP_GIVE_UP,		/* ST and FRE off: after that ahp_reap() tells of the rest */
};

/* Registers of a port: PxIS is read and cleared first, so that no completion is lost; PxCI last. */
struct ahp_regs {
	uint32_t	rg_is, rg_ssts, rg_tfd, rg_sact, rg_ci;
};

enum ahp_state {
	AHP_RUNNING, AHP_STOPPING, AHP_RESETTING, AHP_STARTING, AHP_COMPARING, AHP_LOGGING,
	AHP_GONE,
};

struct ahp_slot {
	enum ahp_op	sl_op;
	uint64_t	sl_lba;
	uint32_t	sl_sectors;
	uint32_t	sl_tries;		/* recoveries that it went through */
	enum storage_result sl_result;		/* in ap_done */
	void		*sl_cookie;
};

struct ahp {
	struct ahci_memory *ap_mem;
	uint64_t	ap_pa;
	struct ahci_caps ap_caps;
	struct ata_disk	ap_disk;		/* ad_sectors 0: not known yet */
	enum ahp_state	ap_state;
	/* Sets of slots; the first three are disjoint, the rest is free. */
	uint32_t	ap_waiting;		/* to be issued */
	uint32_t	ap_issued;
	uint32_t	ap_done;		/* to be reaped */
	uint32_t	ap_queued;		/* issued, or to be, as queued commands */
	bool		ap_alone;		/* one at a time, not queued, until none is left */
	/* The recovery that goes on. */
	bool		ap_reset;		/* COMRESET is needed */
	bool		ap_was_reset;
	bool		ap_log;			/* the log will say who failed */
	uint32_t	ap_blamed;		/* the one that did; AHP_SLOTS: unknown */
	enum storage_result ap_blame;
	uint32_t	ap_resets;		/* in a row */
	struct ahp_slot	ap_slot[AHP_SLOTS];
};

struct ahp_done {
	void		*hd_cookie;
	enum storage_result hd_result;
};

/* mem: a struct ahci_memory, aligned to 1024; zeroed here.  false: one slot, or out of reach. */
bool	ahp_init(struct ahp *ap, const struct ahci_caps *caps, const struct dma_mem *mem);
/* What IDENTIFY said; before that nothing else can be asked.  Nothing may be in flight. */
void	ahp_set_disk(struct ahp *ap, const struct ata_disk *disk);
/*
 * Queued commands (reads and writes of a disk with NCQ) and others never mix:
 * who wants the other kind holds back new requests until those in flight are done.
 */
enum ahp_answer ahp_submit(struct ahp *ap, const struct ahp_request *r);
/* What to write to PxSACT, and then to PxCI; false: nothing. */
bool	ahp_issue(struct ahp *ap, uint32_t *sact, uint32_t *ci);
/* hung: a command took too long. */
enum ahp_act ahp_event(struct ahp *ap, const struct ahp_regs *r, bool hung);
enum ahp_act ahp_next(struct ahp *ap, bool ok);
bool	ahp_reap(struct ahp *ap, struct ahp_done *out);

static inline uint32_t
ahp_private_ci(const struct ahp *ap)
{
	return 1u << (ap->ap_caps.ac_slots - 1);
}
