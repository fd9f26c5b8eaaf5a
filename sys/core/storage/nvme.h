/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nvme - NVM Express 1.4: queues, commands, data pointers and what a
 * controller says of itself.
 *
 * Pure: the caller owns registers, interrupts, time and all memory; values
 * for registers are results.  One thread at a time per queue pair.
 */
#pragma once
#include <core/storage/storage.h>

#define NVME_PAGE		4096u	/* as CC asks for; and of each identify structure */
#define NVQ_DEPTH_MAX		256u

/* Registers (section 3.1): offsets. */
enum {
	NVME_CAP = 0x00, NVME_VS = 0x08, NVME_CC = 0x14, NVME_CSTS = 0x1c, NVME_AQA = 0x24,
	NVME_ASQ = 0x28, NVME_ACQ = 0x30, NVME_DOORBELLS = 0x1000,
};
#define NVME_CC_SHUTDOWN	(1u << 14)	/* with the rest of CC: normal shutdown */
#define NVME_CSTS_SHUT_MASK	(3u << 2)
#define NVME_CSTS_SHUT		(2u << 2)	/* shutdown is complete */

enum nvme_state { NVME_OFF, NVME_READY, NVME_FATAL, NVME_ABSENT };

struct nvme_sqe {
	uint32_t	se_cdw0;		/* opcode; command id from bit 16 */
	uint32_t	se_nsid;
	uint32_t	se_reserved[2];
	uint64_t	se_metadata;
	uint64_t	se_prp1, se_prp2;
	uint32_t	se_cdw10, se_cdw11, se_cdw12, se_cdw13, se_cdw14, se_cdw15;
};

struct nvme_cqe {
	uint32_t	ce_dw0;
	uint32_t	ce_reserved;
	uint16_t	ce_sq_head, ce_sq_id;
	uint32_t	ce_id_status;		/* id; phase: bit 16; status: bit 17 up */
};
_Static_assert(sizeof(struct nvme_sqe) == 64, "NVMe 1.4, 4.2");
_Static_assert(sizeof(struct nvme_cqe) == 16, "NVMe 1.4, 4.6");

/* ---- The controller: registers. ---- */
struct nvme_caps {
	uint32_t	nc_depth_max;		/* entries of a queue */
	uint32_t	nc_timeout_ms;		/* for CSTS.RDY to follow CC.EN */
	uint32_t	nc_stride;		/* bytes from doorbell to doorbell */
};

/* false: it has not our page size or not the NVM command set, or nobody is there. */
bool	nvme_parse_cap(uint64_t cap, struct nvme_caps *out);
uint32_t nvme_cc(bool enable);
uint32_t nvme_aqa(uint32_t depth);
enum nvme_state nvme_state(uint32_t csts);
/* The offset of a queue's doorbell; submission tail or completion head. */
uint32_t nvme_doorbell(const struct nvme_caps *nc, uint32_t qid, bool completion);

/* ---- Identification.  Each page is NVME_PAGE bytes of foreign input. ---- */
struct nvme_controller {
	uint64_t	nc_transfer_max;	/* bytes of one command; UINT64_MAX: no limit */
	uint32_t	nc_namespaces;		/* ids are 1 to this */
	bool		nc_write_cache;		/* flush is needed */
	char		nc_serial[21], nc_model[41];
};

struct nvme_namespace {
	uint64_t	nn_blocks;
	uint32_t	nn_block_bytes;		/* 512 to NVME_PAGE */
	bool		nn_read_only;
};

/* false: no I/O controller, or entry sizes other than ours. */
bool	nvme_parse_controller(const uint8_t *page, struct nvme_controller *out);
/* false: inactive, with metadata, a format that is not there, or too large to address in bytes. */
bool	nvme_parse_namespace(const uint8_t *page, struct nvme_namespace *out);
/* Active namespaces, ascending: how many ids were written. */
size_t	nvme_parse_active(const uint8_t *page, uint32_t namespaces, uint32_t *id, size_t max);

/* ---- Commands: each fills *e but for data pointers (nvme_prp) and the id (nvq_submit). ---- */
enum { NVME_ID_NAMESPACE = 0, NVME_ID_CONTROLLER = 1, NVME_ID_ACTIVE = 2 };

void	nvme_identify(struct nvme_sqe *e, uint32_t what, uint32_t nsid, uint64_t page_pa);
/* Queues must be page-aligned; the submission queue completes to the completion queue of its id. */
void	nvme_create_cq(struct nvme_sqe *e, uint32_t qid, uint32_t depth, uint64_t pa,
	    uint32_t vector);
void	nvme_create_sq(struct nvme_sqe *e, uint32_t qid, uint32_t depth, uint64_t pa);
void	nvme_set_queues(struct nvme_sqe *e, uint32_t pairs);
/* How many queue pairs the answer to it grants. */
uint32_t nvme_queues_granted(uint32_t dw0);
/* blocks: 1 to 65536. */
void	nvme_rw(struct nvme_sqe *e, bool write, uint32_t nsid, uint64_t lba, uint32_t blocks);
void	nvme_flush(struct nvme_sqe *e, uint32_t nsid);

/*
 * Data pointers (section 4.3) for pieces that, but for the first's beginning and
 * the last's end, begin and end on pages.  `list` is for PRP lists, in use until the
 * command completes: a part of a page, aligned to 8, or whole pages; NULL: two pages at most.
 * false: misaligned, empty, or more than the list holds; *e is as it was.
 */
bool	nvme_prp(struct nvme_sqe *e, const struct storage_seg *seg, size_t nseg,
	    const struct dma_mem *list);

/* ---- A queue pair. ---- */
struct nvq {
	struct nvme_sqe	*nq_sq;
	struct nvme_cqe	*nq_cq;
	uint32_t	nq_id, nq_depth;
	uint32_t	nq_tail;		/* submission: next entry to fill */
	uint32_t	nq_head;		/* completion: next entry to look at */
	uint32_t	nq_phase;		/* that new completions have */
	uint32_t	nq_taken, nq_given;	/* ever growing: uses of nq_free */
	uint64_t	nq_bogus;		/* completions of nothing, skipped */
	uint16_t	nq_free[NVQ_DEPTH_MAX];	/* ring of free slots */
	uint16_t	nq_cid[NVQ_DEPTH_MAX];	/* by slot: its last command id */
	bool		nq_live[NVQ_DEPTH_MAX];	/* by slot: submitted and not completed */
	void		*nq_cookie[NVQ_DEPTH_MAX];
};

struct nvq_done {
	void		*nd_cookie;
	uint16_t	nd_status;		/* nvme_result() decodes it */
	uint32_t	nd_dw0;
};

/* depth: a power of two, 2 to NVQ_DEPTH_MAX; memory: page-aligned, depth entries, zeroed here. */
void	nvq_init(struct nvq *q, uint32_t id, uint32_t depth, const struct dma_mem *sq,
	    const struct dma_mem *cq);
/* false: full (depth - 1 commands).  *tail is for the submission doorbell. */
bool	nvq_submit(struct nvq *q, const struct nvme_sqe *e, void *cookie, uint32_t *tail);
/* The next completion; false: no more.  When nq_head moved, it is for the completion doorbell. */
bool	nvq_reap(struct nvq *q, struct nvq_done *out);
/* Of a controller that is disabled or gone: a command that it did not complete; false: no more. */
bool	nvq_drain(struct nvq *q, struct nvq_done *out);
static inline uint32_t nvq_in_flight(const struct nvq *q) { return q->nq_taken - q->nq_given; }
/* The slot of the next command, whose list the caller keeps; meaningless while it is full. */
static inline uint32_t nvq_slot(const struct nvq *q) { return q->nq_free[q->nq_taken & (q->nq_depth - 1)]; }

enum storage_result nvme_result(uint16_t status);
