/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm/map - address spaces.
 *
 * A tree of entries; an entry has an upper layer (anonymous pages, counted,
 * copied on write, no shadow chains) over a lower layer (a struct vmobj).
 */
#pragma once
#include <sys/vm/object.h>

struct ncp;
struct vmspace;

void	vm_map_init(void);					/* kmain, after memory */

/* Protection and flags are Linux's PROT_* and MAP_* (abi/mman.h). */
int	vmspace_create(struct vmspace **out);			/* empty; one reference */
/* Copy on write.  alone: nobody but the caller can write to the parent's memory meanwhile. */
int	vmspace_fork(struct vmspace *parent, bool alone, struct vmspace **out);
void	vmspace_hold(struct vmspace *vs);
void	vmspace_drop(struct vmspace *vs);
void	vmspace_clear(struct vmspace *vs);			/* exec: unmap everything */
md_space_t vmspace_machine(struct vmspace *vs);			/* for md_user_run */

/*
 * mmap: *addr is hint or fixed address and becomes the result.  obj NULL:
 * anonymous (MAP_SHARED: a fresh object).  Takes its own reference on obj.
 * Errors as mmap(2).  `max_prot` bounds later mprotect.  `name`: for who asks what is mapped (vm_foreach);
 * each entry holds one reference, so that it follows its file through renames and removal.
 */
int	vm_mmap_named(struct vmspace *vs, uaddr_t *addr, uint64_t len, uint32_t prot, uint32_t flags,
	    struct vmobj *obj, uint64_t off, uint32_t max_prot, struct ncp *name);
static inline int
vm_mmap(struct vmspace *vs, uaddr_t *addr, uint64_t len, uint32_t prot, uint32_t flags, struct vmobj *obj,
    uint64_t off, uint32_t max_prot)
{
	return vm_mmap_named(vs, addr, len, prot, flags, obj, off, max_prot, NULL);
}
int	vm_munmap(struct vmspace *vs, uaddr_t addr, uint64_t len);
/* What is left of the mapping of an object of this kind that was made at addr (shmdt); EINVAL: nothing. */
int	vm_unmap_object(struct vmspace *vs, uaddr_t addr, const struct vmobj_ops *kind);
int	vm_mprotect(struct vmspace *vs, uaddr_t addr, uint64_t len, uint32_t prot);
int	vm_mremap(struct vmspace *vs, uaddr_t old, uint64_t old_len, uint64_t new_len, uint32_t flags,
	    uaddr_t *addr);
/* [addr, +len), all of it one shared mapping, shows its object from `off` on; EINVAL: it is not one. */
int	vm_remap_object(struct vmspace *vs, uaddr_t addr, uint64_t len, uint64_t off);
int	vm_madvise(struct vmspace *vs, uaddr_t addr, uint64_t len, int advice);
int	vm_msync(struct vmspace *vs, uaddr_t addr, uint64_t len);	/* vo_clean of what is shared */
/*
 * mlock: no more than `limit` bytes locked in all.  All: what is there `now`, what will be there;
 * neither unlocks.  ENOMEM
 */
int	vm_lock(struct vmspace *vs, uaddr_t addr, uint64_t len, bool on, uint64_t limit);
int	vm_lock_all(struct vmspace *vs, bool now, bool future, uint64_t limit);
/*
 * A number kept for each piece of a space: from which memory its pages are to come (set_mempolicy(2)).
 * EFAULT: not all of it is mapped.
 */
int	vm_policy_set(struct vmspace *vs, uaddr_t start, uaddr_t end, uint32_t policy);
int	vm_policy_get(struct vmspace *vs, uaddr_t addr, uint32_t *policy);
int	vm_mincore(struct vmspace *vs, uaddr_t addr, uint64_t len, uint8_t *vec);
bool	vm_is_mapped(struct vmspace *vs, uaddr_t addr, uint64_t len);	/* all of it */
/* brk: *brk in: wished (0: ask), out: current.  exec sets the start. */
void	vm_brk_set(struct vmspace *vs, uaddr_t start);
void	vm_brk(struct vmspace *vs, uaddr_t *brk);

/* Tell the machine that [addr, +len) will be used now (exec): faults are resolved ahead and installed in one batch. */
void	vm_populate(struct vmspace *vs, uaddr_t addr, uint64_t len, bool write);
#define VM_WANT_MAX	8u
struct vm_want { uaddr_t addr; uint64_t len; bool write; };
void	vm_populate_all(struct vmspace *vs, const struct vm_want *w, size_t n);	/* several ranges, one batch */

enum vm_fault { VMF_OK, VMF_MAPERR, VMF_ACCERR, VMF_BUS, VMF_OOM };
/* Resolve a page fault; access is PROT_READ, PROT_WRITE or PROT_EXEC.  May sleep. */
enum vm_fault vm_fault(struct vmspace *vs, uaddr_t addr, uint32_t access);

struct vm_region {
	uaddr_t		start, end;
	uint32_t	prot, flags;	/* PROT_*, MAP_SHARED/PRIVATE/GROWSDOWN/STACK */
	uint32_t	max_prot;
	struct vmobj	*obj;		/* not held: valid in the callback */
	struct ncp	*name;		/* likewise */
	uint64_t	off;
	bool		locked, dontfork, wipeonfork, nohuge;
};
/* Names are the file layer's: how to keep one.  At boot. */
void	vm_set_names(void (*hold)(struct ncp *), void (*drop)(struct ncp *));
/* The regions that end above `from`, upwards, until fn says false; it must not sleep. */
void	vm_foreach(struct vmspace *vs, uaddr_t from, bool (*fn)(const struct vm_region *, void *), void *arg);
/* What is mapped in [start, end) now is added to it; bytes, and shares of pages in 1/4096 of a byte. */
struct vm_weight {
	uint64_t	rss, pss_4096ths, pss_dirty_4096ths, pss_anon_4096ths;
	uint64_t	kind[2][2];	/* [mapped elsewhere too][dirty] */
	uint64_t	referenced, anonymous, huge;
};
void	vm_weigh(struct vmspace *vs, uaddr_t start, uaddr_t end, struct vm_weight *w);
/* pages */
struct vm_usage {
	uint64_t	size, size_peak, resident, resident_peak;
	uint64_t	shared, text, data, stack, locked, tables;
};
void	vm_usage(struct vmspace *vs, struct vm_usage *out);
uint64_t vm_resident(struct vmspace *vs);		/* pages, about; takes no lock: for the choice of a victim */
uint64_t vm_code_pages(struct vmspace *vs);	/* that may be run; takes no lock */
uint64_t vm_returning(void);			/* pages, about, of spaces being dropped: soon free */
uint64_t vm_resident_peak(struct vmspace *vs);		/* the most when somebody looked or unmapped */
/* RLIMIT_AS, RLIMIT_DATA, RLIMIT_STACK as set by setrlimit; UINT64_MAX: none. */
void	vm_limits(struct vmspace *vs, uint64_t as, uint64_t data, uint64_t stack);

/* What names a word of memory to all that can see it (futexes): object and offset if shared, else space and address. */
void	vm_word_key(struct vmspace *vs, uaddr_t addr, bool private, uint64_t key[2]);

/* All mappings of a page lose what `prot` does not name; done on all CPUs on return. */
void	page_revoke(struct page *pg, uint32_t prot);

/*
 * Out of memory.  kill_one: proc chooses and kills one process and says so in
 * the log, unless one is on its way out already; false: there is none.
 * dying: the current thread must end and should not wait for memory.
 */
void	vm_set_oom(bool (*kill_one)(void), bool (*dying)(void));
