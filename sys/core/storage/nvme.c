/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nvme - rings of commands and of answers.
 *
 * A submission queue and a completion queue of one depth belong together.  The
 * controller takes commands in order and answers in any; an answer names its
 * command by an id, and is new when its phase bit is the one of this lap.
 *
 * A command occupies one of depth - 1 slots from its submission to its
 * completion.  Its id is the slot plus a multiple of the depth that grows with each
 * use, so that an answer that comes twice is not taken for the slot's next command.
 *
 * Invariants
 *   N1  at most depth - 1 commands are in flight: what was completed was
 *       fetched before, so neither ring can overflow and none needs counting.
 *   N2  nq_live[s] exactly while slot s is in flight; a cookie comes out once.
 *   N3  slot depth - 1 does not exist, and with it the id 0xffff, which the
 *       specification keeps for itself (5.14.1.1).
 *
 * What the controller writes is believed only after a check: a completion of
 * nothing is counted and skipped.
 *
 * Not here: SGLs, metadata, fused commands, queues in controller memory.
 */
#include <core/storage/nvme.h>
#include <core/rt/rt.h>

enum { OP_CREATE_SQ = 0x01, OP_CREATE_CQ = 0x05, OP_IDENTIFY = 0x06, OP_SET_FEATURES = 0x09 };
enum { OP_FLUSH = 0x00, OP_WRITE = 0x01, OP_READ = 0x02 };
enum { FEATURE_QUEUES = 0x07 };
enum { SQE_SHIFT = 6, CQE_SHIFT = 4 };

#define STATUS_GONE	0x7fffu		/* no controller says this: type and code are reserved */
#define DO_NOT_RETRY	(1u << 14)
#define LIST_ENTRIES	(NVME_PAGE / 8)

/* ---- Registers. ---- */
bool
nvme_parse_cap(uint64_t cap, struct nvme_caps *out)
{
	uint32_t depth = (uint32_t)(cap & 0xffff) + 1, page_min = (uint32_t)(cap >> 48) & 15;

	/* All ones, an empty slot, asks for pages of 128 MiB. */
	if (page_min != 0 || (cap >> 37 & 1) == 0 || depth < 2)
		return false;
	out->nc_depth_max = depth;
	out->nc_timeout_ms = (uint32_t)(cap >> 24 & 0xff) * 500;
	out->nc_stride = 4u << (cap >> 32 & 15);
	return true;
}

uint32_t
nvme_cc(bool enable)
{
	return CQE_SHIFT << 20 | SQE_SHIFT << 16 | enable;
}

uint32_t
nvme_aqa(uint32_t depth)
{
	ASSERT(depth >= 2 && depth <= 4096);
	return (depth - 1) << 16 | (depth - 1);
}

enum nvme_state
nvme_state(uint32_t csts)
{
	if (csts == UINT32_MAX)
		return NVME_ABSENT;
	if ((csts & 2) != 0)
		return NVME_FATAL;
	return (csts & 1) != 0 ? NVME_READY : NVME_OFF;
}

uint32_t
nvme_doorbell(const struct nvme_caps *nc, uint32_t qid, bool completion)
{
	ASSERT(qid <= 0xffff);
	return NVME_DOORBELLS + (2 * qid + completion) * nc->nc_stride;
}

/* ---- Identification. ---- */

/* A byte of two exponents, least and most: is ours between them? */
static bool
entry_size_fits(uint8_t sizes, unsigned shift)
{
	return (sizes & 15u) <= shift && shift <= sizes >> 4;
}

bool
nvme_parse_controller(const uint8_t *page, struct nvme_controller *out)
{
	uint8_t mdts = page[77], type = page[111];

	if (!entry_size_fits(page[512], SQE_SHIFT) || !entry_size_fits(page[513], CQE_SHIFT))
		return false;
	if (type > 1)			/* 0: from before there were types */
		return false;
	out->nc_transfer_max = mdts == 0 || mdts >= 32 ? UINT64_MAX : (uint64_t)NVME_PAGE << mdts;
	out->nc_namespaces = (uint32_t)storage_le(page + 516, 4);
	out->nc_write_cache = (page[525] & 1) != 0;
	storage_text(out->nc_serial, page + 4, 20, 0);
	storage_text(out->nc_model, page + 24, 40, 0);
	return true;
}

bool
nvme_parse_namespace(const uint8_t *page, struct nvme_namespace *out)
{
	uint64_t blocks = storage_le(page, 8);
	uint32_t format = page[26] & 15u;
	const uint8_t *f = page + 128 + 4 * format;
	uint32_t shift = f[2];

	if (format > page[25] || storage_le(f, 2) != 0 || shift < 9 || shift > 12)
		return false;
	if (blocks == 0 || blocks > (uint64_t)INT64_MAX >> shift)
		return false;
	out->nn_blocks = blocks;
	out->nn_block_bytes = 1u << shift;
	out->nn_read_only = (page[99] & 1) != 0;
	return true;
}

size_t
nvme_parse_active(const uint8_t *page, uint32_t namespaces, uint32_t *id, size_t max)
{
	size_t n = 0;
	uint32_t last = 0;

	for (size_t i = 0; i < NVME_PAGE / 4 && n < max; i++) {
		uint32_t next = (uint32_t)storage_le(page + 4 * i, 4);

		if (next <= last || next > namespaces)
			break;
		id[n++] = last = next;
	}
	return n;
}

/* ---- Commands. ---- */
void
nvme_identify(struct nvme_sqe *e, uint32_t what, uint32_t nsid, uint64_t page_pa)
{
	ASSERT(page_pa % NVME_PAGE == 0);
	*e = (struct nvme_sqe){
		.se_cdw0 = OP_IDENTIFY, .se_nsid = nsid, .se_prp1 = page_pa, .se_cdw10 = what,
	};
}

void
nvme_create_cq(struct nvme_sqe *e, uint32_t qid, uint32_t depth, uint64_t pa, uint32_t vector)
{
	ASSERT(qid >= 1 && qid <= 0xffff && vector <= 0xffff);
	ASSERT(depth >= 2 && depth <= NVQ_DEPTH_MAX && pa % NVME_PAGE == 0);
	*e = (struct nvme_sqe){
		.se_cdw0 = OP_CREATE_CQ, .se_prp1 = pa, .se_cdw10 = (depth - 1) << 16 | qid,
		.se_cdw11 = vector << 16 | 1u << 1 | 1u << 0,	/* interrupts; contiguous */
	};
}

void
nvme_create_sq(struct nvme_sqe *e, uint32_t qid, uint32_t depth, uint64_t pa)
{
	ASSERT(qid >= 1 && qid <= 0xffff);
	ASSERT(depth >= 2 && depth <= NVQ_DEPTH_MAX && pa % NVME_PAGE == 0);
	*e = (struct nvme_sqe){
		.se_cdw0 = OP_CREATE_SQ, .se_prp1 = pa, .se_cdw10 = (depth - 1) << 16 | qid,
		.se_cdw11 = qid << 16 | 1u << 0,		/* contiguous */
	};
}

void
nvme_set_queues(struct nvme_sqe *e, uint32_t pairs)
{
	ASSERT(pairs >= 1 && pairs <= 0xffff);
	*e = (struct nvme_sqe){
		.se_cdw0 = OP_SET_FEATURES, .se_cdw10 = FEATURE_QUEUES,
		.se_cdw11 = (pairs - 1) << 16 | (pairs - 1),
	};
}

uint32_t
nvme_queues_granted(uint32_t dw0)
{
	return (uint32_t)rt_min(dw0 & 0xffff, dw0 >> 16) + 1;
}

void
nvme_rw(struct nvme_sqe *e, bool write, uint32_t nsid, uint64_t lba, uint32_t blocks)
{
	ASSERT(blocks >= 1 && blocks <= 65536);
	*e = (struct nvme_sqe){
		.se_cdw0 = write ? OP_WRITE : OP_READ, .se_nsid = nsid,
		.se_cdw10 = (uint32_t)lba, .se_cdw11 = (uint32_t)(lba >> 32),
		.se_cdw12 = blocks - 1,
	};
}

void
nvme_flush(struct nvme_sqe *e, uint32_t nsid)
{
	*e = (struct nvme_sqe){ .se_cdw0 = OP_FLUSH, .se_nsid = nsid };
}

/* ---- Data pointers. ---- */

/* The pages that the pieces touch; 0: they cannot be said in PRPs. */
static uint64_t
prp_pages(const struct storage_seg *seg, size_t nseg)
{
	uint64_t pages = 0;

	for (size_t i = 0; i < nseg; i++) {
		uint64_t into = seg[i].pa % NVME_PAGE, end;

		if (seg[i].bytes == 0 || rt_add_overflows(seg[i].pa, seg[i].bytes, &end))
			return 0;
		if (into != 0 && (i > 0 || into % 4 != 0))
			return 0;
		if (end % NVME_PAGE != 0 && i + 1 < nseg)
			return 0;
		pages += (into + seg[i].bytes - 1) / NVME_PAGE + 1;
		if (pages > UINT32_MAX)
			return 0;
	}
	return pages;
}

/* Whether n entries fit: the last of each list page but one points to the next. */
static bool
list_holds(const struct dma_mem *list, uint64_t n)
{
	if (list == NULL)
		return false;
	ASSERT(list->pa % 8 == 0 && (uintptr_t)list->va % 8 == 0);
	if (list->pa % NVME_PAGE + list->bytes <= NVME_PAGE)
		return n <= list->bytes / 8;
	ASSERT(list->pa % NVME_PAGE == 0);
	return n <= list->bytes / NVME_PAGE * (LIST_ENTRIES - 1) + 1;
}

bool
nvme_prp(struct nvme_sqe *e, const struct storage_seg *seg, size_t nseg,
    const struct dma_mem *list)
{
	uint64_t left = prp_pages(seg, nseg), *entry, at = 0;

	if (left == 0 || (left > 2 && !list_holds(list, left - 1)))
		return false;
	e->se_prp1 = seg[0].pa;
	e->se_prp2 = 0;
	entry = &e->se_prp2;
	if (--left > 1) {
		e->se_prp2 = list->pa;
		entry = list->va;
	}
	for (size_t i = 0; i < nseg; i++) {
		uint64_t into = seg[i].pa % NVME_PAGE, page = seg[i].pa - into;
		uint64_t n = (into + seg[i].bytes - 1) / NVME_PAGE + 1;

		for (uint64_t k = i == 0; k < n; k++, left--) {
			if (at % LIST_ENTRIES == LIST_ENTRIES - 1 && left > 1) {
				entry[at] = list->pa + (at + 1) * 8;
				at++;
			}
			entry[at++] = page + k * NVME_PAGE;
		}
	}
	ASSERT(left == 0);
	return true;
}

/* ---- A queue pair. ---- */
void
nvq_init(struct nvq *q, uint32_t id, uint32_t depth, const struct dma_mem *sq,
    const struct dma_mem *cq)
{
	ASSERT(depth >= 2 && depth <= NVQ_DEPTH_MAX && (depth & (depth - 1)) == 0);
	ASSERT(sq->pa % NVME_PAGE == 0 && sq->bytes >= depth * sizeof(struct nvme_sqe));
	ASSERT(cq->pa % NVME_PAGE == 0 && cq->bytes >= depth * sizeof(struct nvme_cqe));
	memset(q, 0, sizeof *q);
	q->nq_sq = sq->va;
	q->nq_cq = cq->va;
	q->nq_id = id;
	q->nq_depth = depth;
	q->nq_phase = 1;
	for (uint32_t i = 0; i < depth - 1; i++)
		q->nq_free[i] = q->nq_cid[i] = (uint16_t)i;
	memset(q->nq_sq, 0, depth * sizeof *q->nq_sq);
	memset(q->nq_cq, 0, depth * sizeof *q->nq_cq);
}

bool
nvq_submit(struct nvq *q, const struct nvme_sqe *e, void *cookie, uint32_t *tail)
{
	struct nvme_sqe *to = &q->nq_sq[q->nq_tail];
	uint16_t slot;

	ASSERT(e->se_cdw0 >> 16 == 0);
	if (nvq_in_flight(q) == q->nq_depth - 1)
		return false;				/* N1 */
	slot = q->nq_free[q->nq_taken++ & (q->nq_depth - 1)];
	ASSERT(!q->nq_live[slot]);
	q->nq_live[slot] = true;
	q->nq_cookie[slot] = cookie;
	q->nq_cid[slot] = (uint16_t)(q->nq_cid[slot] + q->nq_depth);
	*to = *e;
	to->se_cdw0 |= (uint32_t)q->nq_cid[slot] << 16;
	q->nq_tail = (q->nq_tail + 1) & (q->nq_depth - 1);
	/* The command is in memory before the doorbell tells of it. */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	*tail = q->nq_tail;
	return true;
}

static void
give_slot(struct nvq *q, uint32_t slot)
{
	q->nq_live[slot] = false;
	/* The ring began with slots up to its last entry but one. */
	q->nq_free[(q->nq_given++ + q->nq_depth - 1) & (q->nq_depth - 1)] = (uint16_t)slot;
}

bool
nvq_reap(struct nvq *q, struct nvq_done *out)
{
	for (uint32_t looked = 0; looked < q->nq_depth; looked++) {
		const struct nvme_cqe *e = &q->nq_cq[q->nq_head];
		/* The rest of the entry was written before its phase, and is read after it. */
		uint32_t is = __atomic_load_n(&e->ce_id_status, __ATOMIC_ACQUIRE);
		uint32_t slot = is & (q->nq_depth - 1);

		if ((is >> 16 & 1) != q->nq_phase)
			return false;
		out->nd_dw0 = e->ce_dw0;
		out->nd_status = (uint16_t)(is >> 17);
		q->nq_head = (q->nq_head + 1) & (q->nq_depth - 1);
		q->nq_phase ^= q->nq_head == 0;
		if (!q->nq_live[slot] || q->nq_cid[slot] != (is & 0xffff) ||
		    e->ce_sq_id != q->nq_id) {
			q->nq_bogus++;
			continue;
		}
		out->nd_cookie = q->nq_cookie[slot];
		give_slot(q, slot);			/* N2 */
		return true;
	}
	return false;
}

bool
nvq_drain(struct nvq *q, struct nvq_done *out)
{
	for (uint32_t slot = 0; slot < q->nq_depth - 1; slot++)
		if (q->nq_live[slot]) {
			*out = (struct nvq_done){
				.nd_cookie = q->nq_cookie[slot], .nd_status = STATUS_GONE,
			};
			give_slot(q, slot);
			return true;
		}
	ASSERT(nvq_in_flight(q) == 0);
	return false;
}

/* ---- Status (section 4.6.1): code, type from bit 8, do-not-retry. ---- */
static enum storage_result
generic_result(uint32_t code)
{
	switch (code) {
	case 0x00:		/* success */
		return STORAGE_OK;
	case 0x04:		/* data transfer error */
	case 0x05:		/* power loss */
	case 0x06:		/* internal error */
	case 0x07:		/* abort requested */
	case 0x08:		/* queue deleted */
	case 0x82:		/* namespace not ready */
	case 0x84:		/* format in progress */
		return STORAGE_RETRY;
	case 0x0b:		/* invalid namespace: it was deleted or detached */
		return STORAGE_GONE;
	default:
		return STORAGE_REFUSED;
	}
}

enum storage_result
nvme_result(uint16_t status)
{
	enum storage_result r;

	if (status == STATUS_GONE)
		return STORAGE_GONE;
	switch (status >> 8 & 7) {
	case 0:
		r = generic_result(status & 0xff);
		break;
	case 1:			/* of one command: a wrong argument */
		r = STORAGE_REFUSED;
		break;
	case 2:			/* medium; 0x86: access denied */
		r = (status & 0xff) == 0x86 ? STORAGE_REFUSED : STORAGE_MEDIUM;
		break;
	default:		/* the path to it, or the vendor's own */
		r = STORAGE_RETRY;
		break;
	}
	return r == STORAGE_RETRY && (status & DO_NOT_RETRY) != 0 ? STORAGE_MEDIUM : r;
}
