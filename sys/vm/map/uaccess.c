/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uaccess - the only way to user memory.
 *
 * Walk the page table in RAM and touch at most the rest of one page, all
 * inside one section.  What a leaf names while we are inside stays a page of
 * that memory: whoever takes the leaf out drops the page only after every
 * CPU has been seen outside (vm_quiesce).  When the leaf does not permit the
 * access we leave the section, let the fault be resolved as if the guest had
 * made the access (which may sleep), and walk again.
 *
 * A and D are set as the processor would, before the bytes move.
 *
 * A section is a critical section plus an odd v_usection, which other CPUs
 * look at; the exchange that makes it odd is a full fence, so either they
 * see us inside or we see the leaf gone.
 */
#include <abi/errno.h>
#include <core/rt/rt.h>
#include <sys/vm/uaccess.h>
#include "map_int.h"

#define POLL_BYTES	65536u

static struct vmspace *(*current_fn)(void);	/* const after boot */

void
vm_set_current(struct vmspace *(*fn)(void))
{
	current_fn = fn;
}

struct vmspace *
vmspace_current(void)
{
	return current_fn == NULL ? NULL : current_fn();
}

static void
section_enter(void)
{
	struct vm_cpu *v;

	crit_enter();
	v = vm_mycpu();
	atomic_exchange_explicit(&v->v_usection, v->v_usection + 1, memory_order_seq_cst);
}

static void
section_leave(void)
{
	struct vm_cpu *v = vm_mycpu();

	atomic_store_explicit(&v->v_usection, v->v_usection + 1, memory_order_release);
	crit_exit();
}

/* In a section: where `va` is in RAM, good to the end of its page; NULL: fault first. */
static void *
walk(struct vmspace *vs, uaddr_t va, bool write)
{
	uint64_t need = PTE_P | PTE_U | (write ? PTE_W : 0), set = PTE_A | (write ? PTE_D : 0);
	uint64_t span, *p, val;

	if (va >= MD_USER_MAX)
		return NULL;
	p = pmap_find(vs, va, &span);
	if (p == NULL)
		return NULL;
	val = __atomic_load_n(p, __ATOMIC_ACQUIRE);
	if (((val & PTE_PS) != 0) != (span == BLOCK_BYTES))
		return NULL;			/* split since: a table now */
	while ((val & need) == need && (val & set) != set)
		if (__atomic_compare_exchange_n(p, &val, val | set, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			break;
	if ((val & need) != need)
		return NULL;
	md_point(MD_PT_PTE, va);
	if ((val & PTE_GATED) != 0)
		return md_p2v((paddr_t)page_of(val & PTE_PA)->pg_serial + (va & PAGE_MASK));
	return md_p2v((val & PTE_PA) + (va & (span - 1)));
}

/*
 * Whom this interrupts, on its own CPU, may be in a section, or about to enter or leave one: so the count is
 * left as odd or even as it was, and what interrupted code makes of a count that it has read is as good.
 */
bool
vm_peek(struct vmspace *vs, uaddr_t va, uint64_t word[2])
{
	struct vm_cpu *v = vm_mycpu();
	uint32_t before = v->v_usection;
	uint64_t span, *p, val = 0;

	if (va >= MD_USER_MAX || (va & PAGE_MASK) > PAGE_BYTES - 16)
		return false;
	if ((before & 1) == 0)
		atomic_exchange_explicit(&v->v_usection, before + 1, memory_order_seq_cst);
	p = pmap_find(vs, va, &span);
	if (p != NULL)
		val = __atomic_load_n(p, __ATOMIC_ACQUIRE);
	if ((val & (PTE_P | PTE_U)) != (PTE_P | PTE_U) || ((val & PTE_PS) != 0) != (span == BLOCK_BYTES))
		val = 0;
	if (val != 0)
		memcpy(word, md_p2v((val & PTE_PA) + (va & (span - 1))), 2 * sizeof word[0]);
	if ((before & 1) == 0)
		atomic_store_explicit(&v->v_usection, before + 2, memory_order_release);
	return val != 0;
}

static int
resolve(struct vmspace *vs, uaddr_t va, bool write)
{
	return vm_fault(vs, va, write ? PROT_WRITE : PROT_READ) == VMF_OK ? 0 : EFAULT;
}

/* Move bytes; src NULL with to_user: zeros. */
static int
move(struct vmspace *vs, char *k, uaddr_t u, size_t len, bool to_user, size_t *done)
{
	size_t at = 0, polled = 0;
	int error = 0;

	if (vs == NULL)
		error = EFAULT;
	while (error == 0 && at < len) {
		size_t n = rt_min(len - at, PAGE_BYTES - ((u + at) & PAGE_MASK));
		void *p;

		section_enter();
		p = walk(vs, u + at, to_user);
		if (p != NULL && k == NULL)
			memset(p, 0, n);
		else if (p != NULL && to_user)
			memcpy(p, k + at, n);
		else if (p != NULL)
			memcpy(k + at, p, n);
		section_leave();
		if (p == NULL) {
			error = resolve(vs, u + at, to_user);
			continue;
		}
		md_point_bytes(MD_PT_COPY, k == NULL ? NULL : k + at, k == NULL ? 0 : n);
		at += n;
		if (at - polled >= POLL_BYTES) {
			polled = at;
			lwkt_poll();
		}
	}
	if (done != NULL)
		*done = at;
	return error;
}

int
copyin(void *dst, uaddr_t src, size_t len)
{
	return move(vmspace_current(), dst, src, len, false, NULL);
}

int
copyout(uaddr_t dst, const void *src, size_t len)
{
	return move(vmspace_current(), (char *)(uintptr_t)src, dst, len, true, NULL);
}

int
copyin_part(void *dst, uaddr_t src, size_t len, size_t *done)
{
	return move(vmspace_current(), dst, src, len, false, done);
}

int
copyout_part(uaddr_t dst, const void *src, size_t len, size_t *done)
{
	return move(vmspace_current(), (char *)(uintptr_t)src, dst, len, true, done);
}

int
uzero(uaddr_t dst, size_t len)
{
	return move(vmspace_current(), NULL, dst, len, true, NULL);
}

int
vs_read(struct vmspace *vs, void *dst, uaddr_t src, size_t len, size_t *done)
{
	return move(vs, dst, src, len, false, done);
}

int
vs_write(struct vmspace *vs, uaddr_t dst, const void *src, size_t len, size_t *done)
{
	return move(vs, (char *)(uintptr_t)src, dst, len, true, done);
}

/*
 * A text, up to its NUL or for n bytes: the length without the NUL.  Every word
 * is read once, so what was looked at is what was copied, whoever changes it.
 */
static size_t
copy_text(char *d, const char *s, size_t n)
{
	const uint64_t ones = 0x0101010101010101ull;
	size_t at = 0;

	for (; n - at >= 8; at += 8) {
		uint64_t w = *(const volatile word_t *)(s + at), nul = (w - ones) & ~w & ones << 7;

		*(word_t *)(d + at) = w;
		if (nul != 0)
			return at + (size_t)__builtin_ctzll(nul) / 8;
	}
	for (; at < n; at++) {
		d[at] = *(const volatile char *)(s + at);
		if (d[at] == '\0')
			break;
	}
	return at;
}

int
user_hold(uaddr_t va, bool write, struct page **out)
{
	struct vmspace *vs = vmspace_current();
	struct page *pg = NULL;

	if (vs == NULL)
		return EFAULT;
	while (pg == NULL) {
		void *p;

		section_enter();
		p = walk(vs, va, write);
		if (p != NULL) {
			pg = page_of(md_v2p(p));
			page_hold(pg);
		}
		section_leave();
		if (p == NULL && resolve(vs, va, write) != 0)
			return EFAULT;
	}
	*out = pg;
	return 0;
}

int
copyinstr(char *dst, uaddr_t src, size_t max, size_t *len)
{
	struct vmspace *vs = vmspace_current();
	size_t at = 0;

	if (vs == NULL)
		return EFAULT;
	while (at < max) {
		size_t n = rt_min(max - at, PAGE_BYTES - ((src + at) & PAGE_MASK)), got = 0;
		const char *p;

		section_enter();
		p = walk(vs, src + at, false);
		if (p != NULL)
			got = copy_text(dst + at, p, n);
		section_leave();
		if (p == NULL) {
			if (resolve(vs, src + at, false) != 0)
				return EFAULT;
			continue;
		}
		md_point_bytes(MD_PT_COPY, dst + at, got);
		at += got;
		if (got < n) {
			if (len != NULL)
				*len = at;
			return 0;
		}
		lwkt_poll();
	}
	return ENAMETOOLONG;
}

/* One aligned word, by one access: op 0 load, 1 store, 2 compare and swap. */
static int
word(uaddr_t addr, int op, uint32_t expect, uint32_t val, uint32_t *old)
{
	struct vmspace *vs = vmspace_current();
	uint32_t seen = expect;

	if (vs == NULL || (addr & 3) != 0)
		return EFAULT;
	for (;;) {
		uint32_t *p;

		section_enter();
		p = walk(vs, addr, op != 0);
		if (p != NULL && op == 0)
			seen = __atomic_load_n(p, __ATOMIC_SEQ_CST);
		else if (p != NULL && op == 1)
			__atomic_store_n(p, val, __ATOMIC_SEQ_CST);
		else if (p != NULL)
			(void)__atomic_compare_exchange_n(p, &seen, val, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
		section_leave();
		if (p != NULL)
			break;
		if (resolve(vs, addr, op != 0) != 0)
			return EFAULT;
	}
	if (old != NULL)
		*old = seen;
	return 0;
}

int uload32(uaddr_t addr, uint32_t *out) { return word(addr, 0, 0, 0, out); }
int ustore32(uaddr_t addr, uint32_t val) { return word(addr, 1, 0, val, NULL); }

int
ucas32(uaddr_t addr, uint32_t expect, uint32_t val, uint32_t *old)
{
	return word(addr, 2, expect, val, old);
}
