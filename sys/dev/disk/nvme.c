/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nvme - NVMe controllers; each namespace is a disk.
 *
 * A CPU has its own pair of queues and its own interrupt, if there are enough of
 * both: a request goes to the queue of the CPU that asks, and what was completed is
 * reaped in the interrupt's handler there, all of it, with one doorbell.  The memory
 * for queues and PRP lists is one piece for each pair, allocated once.
 *
 * A thread for each controller looks once a second: whether the controller still
 * works, and whether a command has been out too long.  If so it is switched off, which
 * ends its access to memory, and on again; what was in flight is asked again.
 *
 * Invariants
 *   D1  a request is in a queue's slot or in its q_again, or its blk_done() was or is
 *       about to be called by who took it from there.
 *   D2  requests in flight are taken back only while the controller is off, or may
 *       not use memory any more.
 *   D3  a request is given to the device at most TRIES times.
 *   D4  RESETS_MAX resets in a row without a command that succeeds are the end.
 *
 * Locking: q_lock for a pair of queues; blk_done() and blk_room() are called without
 * it, since whoever hears of it may ask for more.  Administration is for one thread:
 * first the one that attaches, then the one that looks.
 *
 * Not here: metadata, several paths to a namespace, namespaces that come later,
 * power states.
 */
#include <core/rt/rt.h>
#include <core/storage/nvme.h>
#include <drv/blk.h>
#include <drv/dma.h>
#include <drv/lock.h>
#include <drv/pci.h>
#include <drv/thread.h>
#include <stdatomic.h>

#include "disk.h"

#define ADMIN_DEPTH	16u
#define NAMESPACES_MAX	64u
#define LIST_BYTES	(BIO_BYTES_MAX / NVME_PAGE * sizeof(uint64_t))	/* for all pages but the first */
#define MAP_BYTES_MAX	(1u << 20)
#define COMMAND_S	10u
#define ADMIN_NS	(5 * NSEC_PER_SEC)
#define SHUTDOWN_NS	(5 * NSEC_PER_SEC)
#define TRIES		4u
#define RESETS_MAX	4u

struct queue {
	struct drv_lock	q_lock;
	struct nvq	q_nvq;			/* [q_lock] */
	struct list	q_again;		/* [q_lock] requests that go out before any other */
	bool		q_open;			/* [q_lock] commands may be given to the controller */
	bool		q_short;		/* [q_lock] somebody was refused for want of room */
	bool		q_works;		/* [q_lock] a command succeeded since the last reset */
	struct nvme	*q_nvme;		/* const */
	struct dma_mem	q_mem;			/* const */
	uint8_t		*q_lists;		/* const: LIST_BYTES for each slot */
	uint64_t	q_lists_pa;		/* const */
	volatile uint32_t *q_sq_bell, *q_cq_bell;	/* const */
};

struct space {
	struct blkdev	s_blk;
	struct nvme	*s_nvme;		/* const */
	uint32_t	s_id;			/* const */
};

struct nvme {
	char		n_name[16];		/* const */
	struct pcidev	*n_pci;			/* const */
	volatile uint32_t *n_regs;		/* const */
	uint64_t	n_map_bytes;		/* const */
	struct nvme_caps n_caps;		/* const */
	struct nvme_controller n_is;		/* const */
	struct queue	n_admin;
	struct queue	*n_queue;		/* const */
	uint32_t	n_pairs;		/* const once attached */
	uint32_t	n_depth;		/* const */
	struct dma_mem	n_page;			/* [administration] */
	struct drv_event n_answered;		/* the command of administration was */
	struct nvq_done	n_answer;		/* by it */
	uint32_t	n_resets;		/* [administration] in a row */
	_Atomic uint32_t n_second;		/* [atomic] the time for commands */
	_Atomic bool	n_gone;			/* [atomic] */
	_Atomic uint32_t n_errors;		/* [atomic] told of */
	struct space	*n_space[NAMESPACES_MAX];	/* const once attached */
	uint32_t	n_spaces;		/* const once attached */
};

/* Of a ring of commands; that of answers comes after it. */
static uint64_t
sq_bytes(uint32_t depth)
{
	return page_round(depth * sizeof(struct nvme_sqe));
}

static uint32_t
reg_get(const struct nvme *n, uint32_t off)
{
	return n->n_regs[off / 4];
}

static void
reg_set(struct nvme *n, uint32_t off, uint32_t v)
{
	n->n_regs[off / 4] = v;
}

static void
reg_set64(struct nvme *n, uint32_t off, uint64_t v)
{
	reg_set(n, off, (uint32_t)v);
	reg_set(n, off + 4, (uint32_t)(v >> 32));
}

/* ------------------------------------------------------------- requests -- */
static uint32_t
tries(const struct bio *b)
{
	return (uint32_t)(b->b_driver[0] >> 32);
}

static struct space *
space_of(const struct bio *b)
{
	return (struct space *)(uintptr_t)b->b_driver[1];
}

/* Into the queue, and no doorbell yet.  False: nothing that can be asked. */
static bool
put(struct queue *q, struct bio *b, uint32_t *tail)
{
	const uint64_t at = nvq_slot(&q->q_nvq) * LIST_BYTES;
	const struct dma_mem list = { q->q_lists + at, q->q_lists_pa + at, LIST_BYTES };
	const struct space *s = space_of(b);
	struct nvme_sqe e;

	if (b->b_op == BIO_FLUSH) {
		nvme_flush(&e, s->s_id);
	} else {
		nvme_rw(&e, b->b_op == BIO_WRITE, s->s_id, b->b_lba, b->b_blocks);
		if (!nvme_prp(&e, b->b_seg, b->b_nseg, &list))
			return false;
	}
	b->b_driver[0] = (uint64_t)(tries(b) + 1) << 32 |
	    atomic_load_explicit(&s->s_nvme->n_second, memory_order_relaxed);
	return nvq_submit(&q->q_nvq, &e, b, tail);
}

static bool
has_room(const struct queue *q)
{
	return q->q_open && nvq_in_flight(&q->q_nvq) < q->q_nvq.nq_depth - 1;
}

static bool
nvme_submit(struct blkdev *bd, struct bio *b)
{
	struct space *s = bd->bd_driver;
	struct nvme *n = s->s_nvme;
	struct queue *q = &n->n_queue[drv_cpu() % n->n_pairs];
	enum storage_result refused = STORAGE_REFUSED;
	bool room, ok = false;
	uint32_t tail;

	b->b_driver[0] = 0;
	b->b_driver[1] = (uintptr_t)s;
	drv_lock(&q->q_lock);
	room = has_room(q) && list_empty(&q->q_again);
	if (room) {
		ok = put(q, b, &tail);
		if (ok)
			*q->q_sq_bell = tail;
	} else if (atomic_load(&n->n_gone)) {
		room = true;
		refused = STORAGE_GONE;
	} else {
		q->q_short = true;
	}
	drv_unlock(&q->q_lock);
	if (room && !ok)
		blk_done(b, refused);
	return room;
}

static const struct blk_ops nvme_ops = { .submit = nvme_submit };

/* A command ended: what was asked goes to `done`, or out once more. */
static void
ended(struct queue *q, struct bio *b, uint16_t status, struct list *done)
{
	struct nvme *n = q->q_nvme;

	b->b_result = nvme_result(status);
	if (b->b_result == STORAGE_OK) {
		q->q_works = true;
	} else {
		disk_failed(&space_of(b)->s_blk, &n->n_errors, b, status);
		if (b->b_result == STORAGE_RETRY && tries(b) < TRIES) {		/* D3 */
			list_push_back(&q->q_again, &b->b_link);
			return;
		}
	}
	list_push_back(done, &b->b_link);
}

static void
put_again(struct queue *q, struct list *done)
{
	bool any = false;
	uint32_t tail;

	while (has_room(q) && !list_empty(&q->q_again)) {
		struct bio *b = list_first(&q->q_again, struct bio, b_link);

		list_remove(&b->b_link);
		if (put(q, b, &tail)) {
			any = true;
		} else {
			b->b_result = STORAGE_REFUSED;
			list_push_back(done, &b->b_link);
		}
	}
	if (any)
		*q->q_sq_bell = tail;
}

/* In a critical section: all that was completed, and new commands for it. */
static void
queue_service(struct queue *q)
{
	struct list done = LIST_INIT(done);
	struct nvme *n = q->q_nvme;
	struct nvq_done d;
	uint32_t head;
	bool room;

	drv_lock(&q->q_lock);
	if (!q->q_open) {
		drv_unlock(&q->q_lock);
		return;
	}
	head = q->q_nvq.nq_head;
	while (nvq_reap(&q->q_nvq, &d))
		ended(q, d.nd_cookie, d.nd_status, &done);
	if (q->q_nvq.nq_head != head)
		*q->q_cq_bell = q->q_nvq.nq_head;
	put_again(q, &done);
	room = q->q_short && has_room(q);
	if (room)
		q->q_short = false;
	drv_unlock(&q->q_lock);

	disk_done(&done);
	for (uint32_t i = 0; room && i < n->n_spaces; i++)
		blk_room(&n->n_space[i]->s_blk);
}

static void
admin_service(struct nvme *n)
{
	struct queue *q = &n->n_admin;
	struct nvq_done d;
	uint32_t head;
	bool any = false;

	drv_lock(&q->q_lock);
	head = q->q_nvq.nq_head;
	while (q->q_open && nvq_reap(&q->q_nvq, &d)) {
		n->n_answer = d;
		any = true;
	}
	if (q->q_nvq.nq_head != head)
		*q->q_cq_bell = q->q_nvq.nq_head;
	drv_unlock(&q->q_lock);
	if (any)
		drv_event_set(&n->n_answered);
}

static void
nvme_intr(void *arg)
{
	struct queue *q = arg;

	if (q == q->q_nvme->n_queue)
		admin_service(q->q_nvme);
	queue_service(q);
}

/* ------------------------------------------------------- administration -- */
static void
queue_open(struct queue *q, bool open)
{
	drv_lock(&q->q_lock);
	q->q_open = open;
	drv_unlock(&q->q_lock);
}

/*
 * One command, waited for.  False: no answer, after which nothing more is asked before a
 * reset, or an error.
 */
static bool
admin(struct nvme *n, const struct nvme_sqe *e, uint32_t *dw0)
{
	const uint32_t opcode = e->se_cdw0 & 0xff;
	struct queue *q = &n->n_admin;
	uint32_t tail;
	bool ok;

	drv_lock(&q->q_lock);
	ok = q->q_open && nvq_submit(&q->q_nvq, e, q, &tail);
	if (ok)
		*q->q_sq_bell = tail;
	drv_unlock(&q->q_lock);
	if (!ok)
		return false;
	if (!drv_event_wait(&n->n_answered, md_now() + ADMIN_NS)) {
		drv_log(n->n_name, "no answer to command %#x", opcode);
		queue_open(q, false);
		return false;
	}
	if (nvme_result(n->n_answer.nd_status) != STORAGE_OK) {
		drv_log(n->n_name, "command %#x failed: status %#x", opcode, n->n_answer.nd_status);
		return false;
	}
	if (dw0 != NULL)
		*dw0 = n->n_answer.nd_dw0;
	return true;
}

static bool
identify(struct nvme *n, uint32_t what, uint32_t nsid)
{
	struct nvme_sqe e;

	memset(n->n_page.va, 0, NVME_PAGE);
	nvme_identify(&e, what, nsid, n->n_page.pa);
	return admin(n, &e, NULL);
}

/* Memory for a pair: its two rings and the lists. */
static bool
queue_alloc(struct queue *q, uint32_t id, uint32_t depth)
{
	const uint64_t rings = sq_bytes(depth) + page_round(depth * sizeof(struct nvme_cqe));
	const struct nvme *n = q->q_nvme;

	list_init(&q->q_again);
	q->q_sq_bell = n->n_regs + nvme_doorbell(&n->n_caps, id, false) / 4;
	q->q_cq_bell = n->n_regs + nvme_doorbell(&n->n_caps, id, true) / 4;
	if (dma_alloc(&q->q_mem, rings + depth * LIST_BYTES, UINT64_MAX) != 0)
		return false;
	q->q_lists = (uint8_t *)q->q_mem.va + rings;
	q->q_lists_pa = q->q_mem.pa + rings;
	return true;
}

/* Empty, for a controller that is off. */
static void
queue_reset(struct queue *q, uint32_t id, uint32_t depth)
{
	const uint64_t half = sq_bytes(depth), bytes = depth * sizeof(struct nvme_cqe);
	const struct dma_mem sq = { q->q_mem.va, q->q_mem.pa, half };
	const struct dma_mem cq = { (uint8_t *)q->q_mem.va + half, q->q_mem.pa + half, bytes };

	nvq_init(&q->q_nvq, id, depth, &sq, &cq);
}

/* The queues of a controller that has just come up. */
static bool
create_queues(struct nvme *n)
{
	struct nvme_sqe e;

	for (uint32_t i = 0; i < n->n_pairs; i++) {
		const uint64_t pa = n->n_queue[i].q_mem.pa;

		queue_reset(&n->n_queue[i], i + 1, n->n_depth);
		nvme_create_cq(&e, i + 1, n->n_depth, pa + sq_bytes(n->n_depth), i);
		if (!admin(n, &e, NULL))
			return false;
		nvme_create_sq(&e, i + 1, n->n_depth, pa);
		if (!admin(n, &e, NULL))
			return false;
	}
	return true;
}

/* How many pairs the controller gives. */
static bool
set_pairs(struct nvme *n, uint32_t want, uint32_t *pairs)
{
	struct nvme_sqe e;
	uint32_t dw0;

	nvme_set_queues(&e, want);
	if (!admin(n, &e, &dw0))
		return false;
	*pairs = (uint32_t)rt_min(want, nvme_queues_granted(dw0));
	return true;
}

/* -------------------------------------------------------- off and on -- */
static bool
is_off(void *arg)
{
	return (reg_get(arg, NVME_CSTS) & 1) == 0;
}

static bool
is_on(void *arg)
{
	return nvme_state(reg_get(arg, NVME_CSTS)) != NVME_OFF;
}

static bool
is_shut(void *arg)
{
	return (reg_get(arg, NVME_CSTS) & NVME_CSTS_SHUT_MASK) == NVME_CSTS_SHUT;
}

static nsec_t
timeout(const struct nvme *n)
{
	return (n->n_caps.nc_timeout_ms + 500) * 1000000ull;
}

/* False: it does not stop, and may go on using memory. */
static bool
stop(struct nvme *n)
{
	reg_set(n, NVME_CC, nvme_cc(false));
	if (drv_poll(is_off, n, timeout(n)))
		return true;
	drv_log(n->n_name, "it does not stop: status %#x", reg_get(n, NVME_CSTS));
	return false;
}

static bool
start(struct nvme *n)
{
	struct queue *q = &n->n_admin;

	queue_open(q, false);
	queue_reset(q, 0, ADMIN_DEPTH);
	(void)drv_event_wait(&n->n_answered, 0);	/* an answer from before */
	reg_set(n, NVME_AQA, nvme_aqa(ADMIN_DEPTH));
	reg_set64(n, NVME_ASQ, q->q_mem.pa);
	reg_set64(n, NVME_ACQ, q->q_mem.pa + sq_bytes(ADMIN_DEPTH));
	queue_open(q, true);
	reg_set(n, NVME_CC, nvme_cc(true));
	if (!drv_poll(is_on, n, timeout(n)) || nvme_state(reg_get(n, NVME_CSTS)) != NVME_READY) {
		drv_log(n->n_name, "it does not start: status %#x", reg_get(n, NVME_CSTS));
		return false;
	}
	return true;
}

/* Requests in flight come back, for another try or to their end; D2. */
static void
take_back(struct queue *q, enum storage_result end, struct list *done)
{
	struct nvq_done d;
	struct bio *b;

	drv_lock(&q->q_lock);
	while (nvq_drain(&q->q_nvq, &d)) {
		b = d.nd_cookie;
		b->b_result = end;
		list_push_back(end == STORAGE_RETRY && tries(b) < TRIES ? &q->q_again : done, &b->b_link);
	}
	while (end == STORAGE_GONE && (b = list_first(&q->q_again, struct bio, b_link)) != NULL) {
		list_remove(&b->b_link);
		b->b_result = end;
		list_push_back(done, &b->b_link);
	}
	drv_unlock(&q->q_lock);
}

static void
take_back_all(struct nvme *n, enum storage_result end)
{
	struct list done = LIST_INIT(done);

	for (uint32_t i = 0; i < n->n_pairs; i++)
		take_back(&n->n_queue[i], end, &done);
	drv_enter();
	disk_done(&done);
	drv_leave();
}

static void
give_up(struct nvme *n)
{
	drv_log(n->n_name, "given up");
	atomic_store(&n->n_gone, true);
	pci_command(n->n_pci->pd_cfg, n->n_pci->pd_fn.pf_bdf, 0, PCI_COMMAND_MASTER);
	queue_open(&n->n_admin, false);
}

/* Its queues are closed: restart() failed. */
static void
lose(struct nvme *n)
{
	give_up(n);
	take_back_all(n, STORAGE_GONE);
	drv_enter();
	for (uint32_t i = 0; i < n->n_spaces; i++)
		blk_gone(&n->n_space[i]->s_blk);
	drv_leave();
}

static bool
is_there(const struct nvme *n)
{
	struct pci_function f;

	return pci_identify(n->n_pci->pd_cfg, n->n_pci->pd_fn.pf_bdf, &f) &&
	    f.pf_vendor == n->n_pci->pd_fn.pf_vendor && f.pf_device == n->n_pci->pd_fn.pf_device;
}

/* False: it is lost. */
static bool
restart(struct nvme *n)
{
	uint32_t pairs;

	for (uint32_t i = 0; i < n->n_pairs; i++) {
		struct queue *q = &n->n_queue[i];

		drv_lock(&q->q_lock);
		q->q_open = false;
		if (q->q_works)
			n->n_resets = 0;
		q->q_works = false;
		drv_unlock(&q->q_lock);
	}
	if (!is_there(n)) {
		drv_log(n->n_name, "it is not there any more");
		return false;
	}
	if (++n->n_resets > RESETS_MAX || !stop(n))	/* D4 */
		return false;
	take_back_all(n, STORAGE_RETRY);
	if (!start(n) || !set_pairs(n, n->n_pairs, &pairs) || pairs < n->n_pairs || !create_queues(n))
		return false;
	for (uint32_t i = 0; i < n->n_pairs; i++) {
		queue_open(&n->n_queue[i], true);
		drv_enter();
		queue_service(&n->n_queue[i]);
		drv_leave();
	}
	return true;
}

/* ---------------------------------------------------------- the thread -- */

/* Of those in flight, after one more look at what was completed: an interrupt may have been lost. */
static bool
is_late(struct queue *q)
{
	const uint32_t now = atomic_load(&q->q_nvme->n_second);
	bool late = false;

	drv_enter();
	queue_service(q);
	drv_leave();
	drv_lock(&q->q_lock);
	for (uint32_t i = 0; nvq_in_flight(&q->q_nvq) > 0 && i < q->q_nvq.nq_depth; i++) {
		const struct bio *b = q->q_nvq.nq_cookie[i];

		late |= q->q_nvq.nq_live[i] && now - (uint32_t)b->b_driver[0] > COMMAND_S;
	}
	drv_unlock(&q->q_lock);
	return late;
}

static void
watch(void *arg)
{
	struct nvme *n = arg;

	for (;;) {
		uint32_t status;
		bool late = false;

		drv_sleep(NSEC_PER_SEC);
		atomic_fetch_add(&n->n_second, 1);
		for (uint32_t i = 0; i < n->n_pairs; i++)
			late |= is_late(&n->n_queue[i]);
		status = reg_get(n, NVME_CSTS);
		if (nvme_state(status) == NVME_READY && !late)
			continue;
		drv_log(n->n_name, "status %#x%s: reset", status, late ? ", a command is not answered" : "");
		if (!restart(n)) {
			lose(n);
			return;
		}
	}
}

/* -------------------------------------------------------------- attach -- */
static void
add_space(struct nvme *n, uint32_t id)
{
	struct nvme_namespace ns;
	struct blkdev *bd;
	struct space *s;

	if (!identify(n, NVME_ID_NAMESPACE, id))
		return;
	if (!nvme_parse_namespace(n->n_page.va, &ns)) {
		drv_log(n->n_name, "namespace %u has a format that is not understood", id);
		return;
	}
	s = drv_alloc(sizeof *s);
	if (s == NULL)
		return;
	s->s_nvme = n;
	s->s_id = id;
	bd = &s->s_blk;
	rt_snprintf(bd->bd_name, sizeof bd->bd_name, "%sn%u", n->n_name, id);
	bd->bd_ops = &nvme_ops;
	bd->bd_driver = s;
	bd->bd_blocks = ns.nn_blocks;
	bd->bd_block_bytes = ns.nn_block_bytes;
	bd->bd_bytes_max = (uint32_t)rt_min(n->n_is.nc_transfer_max, BIO_BYTES_MAX);
	bd->bd_segs_max = BIO_SEGS;
	bd->bd_read_only = ns.nn_read_only;
	bd->bd_flush = n->n_is.nc_write_cache;
	memcpy(bd->bd_model, n->n_is.nc_model, sizeof bd->bd_model);
	memcpy(bd->bd_serial, n->n_is.nc_serial, sizeof bd->bd_serial);
	list_init(&bd->bd_waiting);		/* it may vanish before blk_attach() */
	n->n_space[n->n_spaces++] = s;
}

static void
add_spaces(struct nvme *n)
{
	uint32_t id[NAMESPACES_MAX];
	size_t count;

	if (!identify(n, NVME_ID_ACTIVE, 0))
		return;
	count = nvme_parse_active(n->n_page.va, n->n_is.nc_namespaces, id, NAMESPACES_MAX);
	if (count == NAMESPACES_MAX)
		drv_log(n->n_name, "no namespaces beyond the first %u", NAMESPACES_MAX);
	for (size_t i = 0; i < count; i++)
		add_space(n, id[i]);
}

/* Registers, and what they say. */
static bool
find(struct nvme *n)
{
	uint64_t cap;

	n->n_map_bytes = rt_min(n->n_pci->pd_bar[0].pb_bytes, MAP_BYTES_MAX);
	if (n->n_map_bytes < NVME_DOORBELLS + PAGE_BYTES ||
	    (n->n_regs = pci_map(n->n_pci, 0, 0, n->n_map_bytes)) == NULL) {
		drv_log(n->n_name, "no registers");
		return false;
	}
	cap = reg_get(n, NVME_CAP) | (uint64_t)reg_get(n, NVME_CAP + 4) << 32;
	if (!nvme_parse_cap(cap, &n->n_caps)) {
		drv_log(n->n_name, "no controller that is understood: %#llx", (unsigned long long)cap);
		return false;
	}
	for (n->n_depth = NVQ_DEPTH_MAX; n->n_depth > n->n_caps.nc_depth_max;)
		n->n_depth /= 2;
	return stop(n);
}

/* An interrupt for each CPU, while there are any, for the queues that will be. */
static bool
make_interrupts(struct nvme *n)
{
	const uint64_t pairs_mapped = (n->n_map_bytes - NVME_DOORBELLS) / (2ull * n->n_caps.nc_stride);
	struct pci_vector *v;
	bool msix;

	if (pairs_mapped < 2) {
		drv_log(n->n_name, "no doorbells");
		return false;
	}
	n->n_pairs = (uint32_t)rt_min(drv_cpus(), pairs_mapped - 1);
	n->n_queue = drv_alloc(n->n_pairs * sizeof *n->n_queue);
	v = drv_alloc(n->n_pairs * sizeof *v);
	if (v == NULL || n->n_queue == NULL)
		return false;
	for (uint32_t i = 0; i < n->n_pairs; i++) {
		n->n_queue[i].q_nvme = n;
		v[i] = (struct pci_vector){ .pv_fn = nvme_intr, .pv_arg = &n->n_queue[i], .pv_cpu = i };
	}
	n->n_pairs = pci_interrupts(n->n_pci, v, n->n_pairs, &msix);
	drv_free(v);
	return true;
}

static bool
make_queues(struct nvme *n)
{
	if (!set_pairs(n, n->n_pairs, &n->n_pairs))
		return false;
	for (uint32_t i = 0; i < n->n_pairs; i++)
		if (!queue_alloc(&n->n_queue[i], i + 1, n->n_depth))
			return false;
	return create_queues(n);
}

static bool
bring_up(struct nvme *n)
{
	n->n_admin.q_nvme = n;
	drv_event_init(&n->n_answered);
	if (!find(n) || !make_interrupts(n) || !queue_alloc(&n->n_admin, 0, ADMIN_DEPTH) ||
	    dma_alloc(&n->n_page, NVME_PAGE, UINT64_MAX) != 0)
		return false;
	pci_master(n->n_pci);
	if (!start(n) || !identify(n, NVME_ID_CONTROLLER, 0))
		return false;
	if (!nvme_parse_controller(n->n_page.va, &n->n_is)) {
		drv_log(n->n_name, "a controller without disks");
		return false;
	}
	return make_queues(n);
}

static void
nvme_attach(struct pcidev *pd)
{
	struct nvme *n = drv_alloc(sizeof *n);

	if (n == NULL)
		return;
	n->n_pci = pd;
	rt_snprintf(n->n_name, sizeof n->n_name, "nvme%u", blk_number("nvme"));
	if (!bring_up(n)) {
		give_up(n);
		return;
	}
	add_spaces(n);
	for (uint32_t i = 0; i < n->n_pairs; i++)
		queue_open(&n->n_queue[i], true);
	drv_log(n->n_name, "%s, serial %s: %u queues of %u at %s", n->n_is.nc_model, n->n_is.nc_serial,
	    n->n_pairs, n->n_depth, pd->pd_name);
	if (drv_thread(n->n_name, watch, n) != 0) {
		give_up(n);
		return;
	}
	pd->pd_driver = n;
	for (uint32_t i = 0; i < n->n_spaces; i++)
		blk_attach(&n->n_space[i]->s_blk);
}

/* A disk that is not told takes the end for a power failure, and repairs itself when it comes back. */
static void
nvme_end(struct pcidev *pd)
{
	struct nvme *n = pd->pd_driver;

	if (n == NULL || atomic_load(&n->n_gone) || nvme_state(reg_get(n, NVME_CSTS)) != NVME_READY)
		return;
	for (uint32_t i = 0; i < n->n_pairs; i++)
		queue_open(&n->n_queue[i], false);
	reg_set(n, NVME_CC, nvme_cc(true) | NVME_CC_SHUTDOWN);
	if (!drv_poll(is_shut, n, SHUTDOWN_NS))
		drv_log(n->n_name, "it does not shut down: status %#x", reg_get(n, NVME_CSTS));
}

static bool
nvme_match(const struct pci_function *f)
{
	return f->pf_class == 0x010802;
}

const struct pci_driver nvme_driver = {
	.pr_name = "nvme", .pr_match = nvme_match, .pr_attach = nvme_attach, .pr_end = nvme_end,
};
