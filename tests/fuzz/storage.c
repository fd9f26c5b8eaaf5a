/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * storage - disk controllers that answer with whatever comes to mind.
 *
 * The first piece is what a controller says of itself, as identify pages and log;
 * each four bytes of the second are a step of an NVMe queue pair, of the third one of an
 * AHCI port.  Cookies come back at most once, and only what was asked is issued.
 */
#include "fake.h"

#include "../../sys/core/storage/nvme.c"
#include "../../sys/core/storage/ahci.c"

#define COOKIES	256u		/* more than there are slots */

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static uint8_t page[NVME_PAGE];
/* Identifies the disk of port_steps(). */
static const uint8_t good[AHP_PRIVATE] = { [167] = 0x64, [202] = 0x10 };
static _Alignas(4096) struct nvme_sqe sq_mem[16];
static _Alignas(4096) struct nvme_cqe cq_mem[16];
static _Alignas(1024) struct ahci_memory port_mem;
static bool out[COOKIES];		/* a cookie's command is under way */
static uint32_t asked, under_way;

static bool *
free_cookie(void)
{
	while (out[asked % COOKIES])
		asked++;
	return &out[asked % COOKIES];
}

static void
taken(bool *cookie)
{
	ASSERT(!*cookie);
	*cookie = true;
	asked++;
	under_way++;
}

static void
given_back(void *cookie)
{
	bool *c = cookie;

	ASSERT(c >= out && c < out + COOKIES && *c);
	*c = false;
	under_way--;
}

static void
pages(const uint8_t *at, size_t n)
{
	struct nvme_controller c;
	struct nvme_namespace ns;
	struct ata_disk d;
	uint32_t id[64];

	memset(page, 0, sizeof page);
	memcpy(page, at, rt_min(n, sizeof page));
	if (nvme_parse_controller(page, &c))
		ASSERT(strlen(c.nc_serial) <= 20 && strlen(c.nc_model) <= 40);
	if (nvme_parse_namespace(page, &ns))
		ASSERT(ns.nn_blocks <= (uint64_t)INT64_MAX / ns.nn_block_bytes);
	n = nvme_parse_active(page, 1024, id, 64);
	for (size_t i = 1; i < n; i++)
		ASSERT(id[i] > id[i - 1] && id[i] <= 1024);
	if (ata_parse_identify(page, &d)) {
		ASSERT(d.ad_sector_bytes >= 512 && d.ad_sector_bytes <= 4096);
		ASSERT(d.ad_sectors <= 1ull << 48 && d.ad_queue <= 32);
		ASSERT(strlen(d.ad_serial) <= 20 && strlen(d.ad_model) <= 40);
	}
}

static void
nvme_step(struct nvq *q, const uint8_t *s)
{
	struct nvme_cqe *e = &cq_mem[s[1] % q->nq_depth];
	struct nvme_sqe command;
	struct nvq_done d;
	bool *cookie = free_cookie();
	uint32_t tail;

	switch (s[0] % 4) {
	case 0:
		nvme_rw(&command, s[1] & 1, 1, s[2], s[3] + 1u);
		if (nvq_submit(q, &command, cookie, &tail)) {
			ASSERT(tail < q->nq_depth);
			taken(cookie);
		}
		break;
	case 1:			/* anything anywhere */
		e->ce_sq_id = s[0] >> 7;
		e->ce_id_status = (uint32_t)s[3] << 16 | s[2];
		break;
	case 2:			/* the answer to a live command, where it is expected */
		e = &cq_mem[q->nq_head];
		e->ce_sq_id = 0;
		e->ce_id_status = (uint32_t)s[3] << 17 | q->nq_phase << 16 |
		    q->nq_cid[s[2] % (q->nq_depth - 1)];
		break;
	default:
		for (uint32_t i = 0; i < s[1] && nvq_reap(q, &d); i++)
			given_back(d.nd_cookie);
		break;
	}
	ASSERT(nvq_in_flight(q) == under_way && under_way < q->nq_depth);
}

static void
nvme_steps(const uint8_t *at, size_t n)
{
	struct dma_mem sq = { sq_mem, 0x1000, sizeof sq_mem };
	struct dma_mem cq = { cq_mem, 0x2000, sizeof cq_mem };
	static struct nvq q;
	struct nvq_done d;

	nvq_init(&q, 0, n == 0 ? 2 : 2u << at[0] % 4, &sq, &cq);
	for (; n >= 4; at += 4, n -= 4)
		nvme_step(&q, at);
	while (nvq_drain(&q, &d))
		given_back(d.nd_cookie);
	ASSERT(under_way == 0);
}

static void
port_submit(struct ahp *ap, const uint8_t *s)
{
	struct storage_seg seg[2] = {
		{ (uint64_t)s[2] << 8 * (s[1] & 7), 512u * (s[3] & 15) },
		{ 0x1000 + (s[2] & 1u), 512 },
	};
	struct ahp_request r = {
		.ar_op = (enum ahp_op)(s[1] >> 3 & 3), .ar_lba = s[2], .ar_seg = seg,
		.ar_nseg = s[1] >> 5 & 1, .ar_sectors = s[3] & 15u, .ar_cookie = free_cookie(),
	};

	if (r.ar_nseg == 0 && r.ar_op != AHP_FLUSH) {
		r.ar_nseg = 2;
		r.ar_sectors++;
	}
	if (ahp_submit(ap, &r) == AHP_TAKEN)
		taken(r.ar_cookie);
}

/* What the registers say is the input's; the recovery succeeds by the bits of s[3]. */
static void
port_event(struct ahp *ap, const uint8_t *s)
{
	static const uint32_t is[8] = {
		0, AHCI_IS_TFE, AHCI_IS_IF, AHCI_IS_PC, AHCI_IS_SDB, AHCI_IS_TFE, UINT32_MAX,
		AHCI_IS_HBF,
	};
	uint32_t left = s[2] * 0x01010101u;
	struct ahp_regs r = {
		.rg_is = is[s[1] & 7], .rg_ssts = (s[1] & 8) != 0 ? 0 : 3, .rg_tfd = s[2] * 0x101u,
		.rg_sact = left, .rg_ci = (s[1] & 16) != 0 ? left : 0,
	};
	enum ahp_act act = ahp_event(ap, &r, s[1] >> 5 == 7);
	uint32_t steps = 0;

	for (; act != AHP_RUN && act != AHP_GIVE_UP; steps++) {
		ASSERT(steps < 12);
		if (act == AHP_ASK)
			memcpy(port_mem.am_private, s[3] >> 7 != 0 ? good : page, AHP_PRIVATE);
		act = ahp_next(ap, (s[3] >> steps % 8 & 1) == 0);
	}
}

static void
port_step(struct ahp *ap, const uint8_t *s)
{
	uint32_t sact, ci, used, issued = ap->ap_issued;
	struct ahp_done d;

	switch (s[0] % 4) {
	case 0: case 1: port_submit(ap, s); break;
	case 2: port_event(ap, s); break;
	default:
		if (ahp_issue(ap, &sact, &ci)) {
			ASSERT(ci != 0 && (ci & (issued | ahp_private_ci(ap))) == 0);
			ASSERT(sact == ci || (sact == 0 && (ci & (ci - 1)) == 0 && issued == 0));
		}
		break;
	}
	while (s[0] >> 7 != 0 && ahp_reap(ap, &d))
		given_back(d.hd_cookie);
	used = ap->ap_waiting | ap->ap_issued | ap->ap_done;
	ASSERT((uint32_t)__builtin_popcount(used) == under_way);
	ASSERT((ap->ap_waiting & ap->ap_issued) == 0 && (ap->ap_queued & ap->ap_done) == 0);
}

static void
port_steps(const uint8_t *at, size_t n)
{
	struct dma_mem mem = { &port_mem, 0x100000, sizeof port_mem };
	struct ahci_caps caps = { 32, true, false };
	struct ata_disk disk = { .ad_sectors = 1 << 20, .ad_sector_bytes = 512, .ad_flush = true };
	static struct ahp ap;
	struct ahp_regs gone = { .rg_is = UINT32_MAX };
	struct ahp_done d;

	if (n > 0) {
		caps.ac_slots = 2 + at[0] % 31;
		disk.ad_queue = at[0] % 33;
	}
	ASSERT(ahp_init(&ap, &caps, &mem));
	if (n % 4 != 1)
		ahp_set_disk(&ap, &disk);
	for (; n >= 4; at += 4, n -= 4)
		port_step(&ap, at);
	ASSERT(ahp_event(&ap, &gone, false) == AHP_GIVE_UP);
	while (ahp_reap(&ap, &d))
		given_back(d.hd_cookie);
	ASSERT(under_way == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const uint8_t *piece;
	size_t n;

	fake_begin(data, 0);
	memset(out, 0, sizeof out);
	asked = under_way = 0;
	piece = fake_piece(&data, &len, &n);
	pages(piece, n);
	piece = fake_piece(&data, &len, &n);
	nvme_steps(piece, n);
	port_steps(data, len);
	fake_done();
	return 0;
}
