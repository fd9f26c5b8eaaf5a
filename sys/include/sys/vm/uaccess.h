/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uaccess - the only way to user memory.
 *
 * Kernel mode never faults on it: walk the page table and copy, at most to
 * the end of one page, inside one critical section; when the translation is
 * missing or read-only, leave the section, resolve the fault as the guest
 * would (may sleep; tokens are lost), retry.  A store takes the same
 * copy-on-write, accessed and dirty path as a guest's store.
 *
 * The plain calls act on the current thread's space, vs_* on any.
 * EFAULT when an address is not accessible.
 */
#pragma once
#include <sys/vm/map.h>

int	copyin(void *dst, uaddr_t src, size_t len) __must_check;
int	copyout(uaddr_t dst, const void *src, size_t len) __must_check;
/* Bytes that could be moved before the first inaccessible one; returns EFAULT when fewer than len. */
int	copyin_part(void *dst, uaddr_t src, size_t len, size_t *done);
int	copyout_part(uaddr_t dst, const void *src, size_t len, size_t *done);
int	uzero(uaddr_t dst, size_t len) __must_check;
/* With NUL; *len (may be NULL) without it.  ENAMETOOLONG when no NUL in the first `max` bytes. */
int	copyinstr(char *dst, uaddr_t src, size_t max, size_t *len) __must_check;
int	uload32(uaddr_t addr, uint32_t *out) __must_check;		/* aligned, one access */
int	ustore32(uaddr_t addr, uint32_t val) __must_check;
/* Aligned compare and swap; *old gets what was there. */
int	ucas32(uaddr_t addr, uint32_t expect, uint32_t val, uint32_t *old) __must_check;

/*
 * The page at va, held, for a device that reads it, or writes it: then it is as
 * after a store there.  Held is the page, not the mapping: what a device wrote
 * is to be marked PG_DIRTY again when it is done.
 */
struct page;
int	user_hold(uaddr_t va, bool write, struct page **out) __must_check;

/* Two words at va, if they lie in one page that is there now.  Any context, even inside another copy. */
bool	vm_peek(struct vmspace *vs, uaddr_t va, uint64_t word[2]);

int	vs_read(struct vmspace *vs, void *dst, uaddr_t src, size_t len, size_t *done);
int	vs_write(struct vmspace *vs, uaddr_t dst, const void *src, size_t len, size_t *done);
/* A debugger's: also to private memory that the program itself may only read; it gets a copy of its own. */
int	vs_write_forced(struct vmspace *vs, uaddr_t dst, const void *src, size_t len, size_t *done);

struct vmspace *vmspace_current(void);			/* of the current thread; NULL in a kernel thread */
void	vm_set_current(struct vmspace *(*fn)(void));	/* proc layer tells how to find it */
