/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * asan - nobody touches memory that is not his.  Linked when SANITIZE=address.
 *
 * Before each access of the kernel to memory the compiler puts a look at the shadow: a byte at
 * (address >> 3) + ASAN_SHADOW says of the eight bytes there that all are good (0), that the first 1 to 7
 * are, or, from 0x80 on, that none is, and why.  The compiler itself poisons the gaps between variables on a
 * stack, for as long as their function runs, and says what global variables there are; objects, pages and
 * kernel stacks are told of by who hands them out (asan.h).  Where it finds poison it calls __asan_report_*.
 *
 * Kernel stacks need nothing else: what poison a thread that never returns leaves on its own is gone when
 * the stack is handed out again, and each address has one shadow, whichever thread runs.
 *
 * memcpy, memmove and memset are string instructions; the linker puts functions of this file around them
 * (--wrap).
 *
 * This file is not instrumented.  The first report is the end: it is told, and panics.  What the report
 * itself touches is not reported, nor what happens after another panic has begun.
 *
 * Invariants
 *   A1  the shadow is there before any code of the kernel runs (the platform's business).
 *   A2  what is handed out was unpoisoned by who hands it out, before anybody else can see it; what is
 *       given back is poisoned before it can be handed out again.
 *
 * Locking: none.  A shadow byte belongs to the owner of its eight bytes.
 * Not here: code in assembly, other names of the same page (kernel stacks in the direct map), programs,
 * what the host's library reads and writes, memory of blocks that nobody has ever used.
 */
#include <core/rt/rt.h>
#include <machine/cpu.h>
#include <stdatomic.h>
#include <sys/debug/asan.h>
#include <sys/debug/kprint.h>
#include <sys/debug/symtab.h>
#include <sys/lwkt/thread.h>

#define CALLER		((uint64_t)__builtin_return_address(0))
#define MODULES_MAX	2048u		/* sources with global variables */
#define SHOWN		16u		/* shadow bytes around what was touched */

/* The compiler's: shadow bytes, and what lies in the gap below a function's variables. */
#define STACK_LEFT	0xf1u
#define STACK_MIDDLE	0xf2u
#define STACK_RIGHT	0xf3u
#define STACK_SCOPE	0xf8u
#define FRAME_MAGIC	0x41b58ab3u
struct frame {
	uint64_t	fr_magic;
	const char	*fr_text;	/* "N" and for each variable " offset bytes length name" */
	uint64_t	fr_func;
};
/* Likewise. */
struct global {
	uint64_t	gl_at, gl_bytes, gl_room;
	const char	*gl_name, *gl_module;
	uint64_t	gl_unused[3];
};

extern _Atomic uint32_t panicking;	/* panic.c */

/*
 * Written before the kernel's memory is made from the program's data, so they may not lie in bss, which is
 * not copied.
 */
#define IN_DATA		__attribute__((section(".data")))
static struct { const struct global *m_first; uint64_t m_n; } modules[MODULES_MAX] IN_DATA;
static uint32_t nmodules IN_DATA;	/* both const after boot */

static void (*teller)(uint64_t addr);	/* const after boot */

static int8_t *
shadow(uint64_t at)
{
	return (int8_t *)((at >> 3) + ASAN_SHADOW);
}

static void
shadow_fill(uint64_t at, uint64_t end, uint8_t with)
{
	void *to = shadow(at);
	uint64_t n = (end >> 3) - (at >> 3);

	__asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(with) : "memory");
}

void
asan_poison(const void *p, size_t bytes, enum asan_why why)
{
	uint64_t at = (uint64_t)p, end = at + bytes;
	int8_t *s = shadow(at), good = (int8_t)(at & 7);

	if (good != 0 && bytes != 0) {
		if (*s == 0 || *s > good)
			*s = good;
		at = (at | 7) + 1;
	}
	if (at < end)
		shadow_fill(at, end, (uint8_t)why);
}

void
asan_unpoison(const void *p, size_t bytes)
{
	uint64_t at = (uint64_t)p, end = at + bytes;

	shadow_fill(at, end, 0);
	if ((end & 7) != 0)
		*shadow(end) = (int8_t)(end & 7);
}

void
asan_set_teller(void (*tell)(uint64_t addr))
{
	teller = tell;
}

/* The first poisoned byte of [at, end); 0: none. */
static uint64_t
first_bad(uint64_t at, uint64_t end)
{
	while (at < end) {
		uint64_t next = (at | 7) + 1, stop = next < end ? next : end;
		int8_t s = *shadow(at);

		if ((at & 63) == 0 && end - at >= 64 && *(const word_t *)shadow(at) == 0) {
			at += 64;
			continue;
		}
		if (s < 0)
			return at;
		if (s > 0 && stop > (at & ~7ull) + (uint64_t)s)
			return rt_max(at, (at & ~7ull) + (uint64_t)s);
		at = stop;
	}
	return 0;
}

/* -------------------------------------------------------------- report -- */

/* Bytes whose first neighbours are good have their reason behind them. */
static uint8_t
reason_at(uint64_t bad)
{
	int8_t s = *shadow(bad);

	return (uint8_t)(s > 0 ? *shadow(bad + 8) : s);
}

static const char *
reason_text(uint8_t why)
{
	switch (why) {
	case ASAN_RED:
		return "past the end of an object";
	case ASAN_FREED:
		return "an object that is free";
	case ASAN_PAGE:
		return "a page that is free";
	case ASAN_STACK:
		return "a kernel stack that is free";
	case ASAN_GLOBAL:
		return "past the end of a global variable";
	case STACK_LEFT:
	case STACK_MIDDLE:
	case STACK_RIGHT:
		return "past the end of a variable on the stack";
	case STACK_SCOPE:
		return "a variable whose block has ended";
	default:
		return "memory that is nobody's";
	}
}

static void
tell_global(uint64_t at)
{
	for (uint32_t i = 0; i < nmodules; i++)
		for (uint64_t k = 0; k < modules[i].m_n; k++) {
			const struct global *g = &modules[i].m_first[k];

			if (at - g->gl_at < g->gl_room)
				kprintf("%s of %s, %llu bytes at %#llx\n", g->gl_name, g->gl_module,
				    (unsigned long long)g->gl_bytes, (unsigned long long)g->gl_at);
		}
}

static uint64_t
number(const char **text)
{
	uint64_t v = 0;

	while (**text >= '0' && **text <= '9')
		v = v * 10 + (uint64_t)(*(*text)++ - '0');
	while (**text == ' ')
		(*text)++;
	return v;
}

/* The function and its variables: they are described in the gap at the lower end. */
static void
tell_frame(uint64_t at)
{
	const struct frame *f;
	struct symtab_pos pos = { "?", 0, "?", 0 };
	const char *text;
	uint64_t base = at & ~7ull;

	for (uint32_t n = 0; n < LWKT_STACK_BYTES / 8 && (uint8_t)*shadow(base) != STACK_LEFT; n++)
		base -= 8;
	while ((uint8_t)*shadow(base - 8) == STACK_LEFT)
		base -= 8;
	f = (const struct frame *)base;
	if ((uint8_t)*shadow(base) != STACK_LEFT || f->fr_magic != FRAME_MAGIC)
		return;
	(void)symtab_lookup(f->fr_func, &pos);
	kprintf("in the frame of %s (%s:%u), %llu bytes from its lower end:\n", pos.sp_func, pos.sp_file,
	    pos.sp_line, (unsigned long long)(at - base));
	text = f->fr_text;
	for (uint64_t n = number(&text); n > 0; n--) {
		uint64_t from = number(&text), bytes = number(&text), len = number(&text);

		kprintf("  %llu to %llu: %.*s\n", (unsigned long long)from,
		    (unsigned long long)(from + bytes), (int)len, text);
		text += len;
		while (*text == ' ')
			text++;
	}
}

static void
tell_shadow(uint64_t at)
{
	uint64_t from = (at & ~7ull) - SHOWN / 2 * 8;

	kprintf("shadow from %#llx:", (unsigned long long)from);
	for (uint32_t i = 0; i < SHOWN; i++)
		kprintf(i == SHOWN / 2 ? " [%02x]" : " %02x", (uint8_t)*shadow(from + i * 8));
	kprintf("\n");
}

static void
tell_owner(uint64_t bad, uint8_t why)
{
	switch (why) {
	case STACK_LEFT:
	case STACK_MIDDLE:
	case STACK_RIGHT:
	case STACK_SCOPE:
		tell_frame(bad);
		return;
	case ASAN_GLOBAL:
		tell_global(bad);
		return;
	default:
		if (teller != NULL)
			teller(bad);
	}
}

/* One CPU tells; others that have something to tell wait for the end. */
static bool
is_first(void)
{
	static _Atomic uint32_t telling;	/* CPU + 1 */
	uint32_t who = 0, turns = 0;

	if (atomic_load(&panicking) != 0)
		return false;
	if (atomic_compare_exchange_strong(&telling, &who, mycpuid + 1))
		return true;
	while (who != mycpuid + 1)
		md_spin(&turns);
	return false;
}

static void
report(uint64_t at, size_t bytes, bool write, uint64_t pc)
{
	uint64_t bad = first_bad(at, at + bytes);
	struct symtab_pos by = { "?", 0, "?", 0 };
	const char *how = write ? "write" : "read", *many = bytes == 1 ? "" : "s";
	uint8_t why;

	if (!is_first())
		return;
	if (bad == 0)
		bad = at;
	why = reason_at(bad);
	(void)symtab_lookup(pc - 1, &by);
	kprint_apart(true);
	kprintf("asan: %s of %zu byte%s at %#llx by %s (%s:%u): %s\n", how, bytes, many,
	    (unsigned long long)at, by.sp_func, by.sp_file, by.sp_line, reason_text(why));
	if (bad != at)
		kprintf("the first %llu bytes of it are good\n", (unsigned long long)(bad - at));
	tell_owner(bad, why);
	tell_shadow(bad);
	panic("asan: %s of %zu byte%s at %#llx: %s", how, bytes, many, (unsigned long long)at,
	    reason_text(why));
}

/* ------------------------------------------------- what the compiler calls -- */

#define REPORTS(n)								\
	void __asan_report_load##n##_noabort(uint64_t at);			\
	void __asan_report_store##n##_noabort(uint64_t at);			\
	void __asan_report_load##n##_noabort(uint64_t at) { report(at, n, false, CALLER); }	\
	void __asan_report_store##n##_noabort(uint64_t at) { report(at, n, true, CALLER); }
REPORTS(1)
REPORTS(2)
REPORTS(4)
REPORTS(8)
REPORTS(16)

void	__asan_report_load_n_noabort(uint64_t at, size_t bytes);
void	__asan_report_store_n_noabort(uint64_t at, size_t bytes);
void	__asan_poison_stack_memory(const void *p, size_t bytes);
void	__asan_unpoison_stack_memory(const void *p, size_t bytes);
void	__asan_handle_no_return(void);
void	__asan_register_globals(const struct global *first, uint64_t n);
void	__asan_unregister_globals(const struct global *first, uint64_t n);

void __asan_report_load_n_noabort(uint64_t at, size_t bytes) { report(at, bytes, false, CALLER); }
void __asan_report_store_n_noabort(uint64_t at, size_t bytes) { report(at, bytes, true, CALLER); }

/* Blocks of large variables begin and end; of small ones the function writes the shadow itself. */
void
__asan_poison_stack_memory(const void *p, size_t bytes)
{
	uint64_t at = (uint64_t)p;

	shadow_fill(at, (at + bytes + 7) & ~7ull, STACK_SCOPE);
}

void
__asan_unpoison_stack_memory(const void *p, size_t bytes)
{
	asan_unpoison(p, bytes);
}

/* The frames above are left for ever: see above. */
void
__asan_handle_no_return(void)
{
}

/* A constructor: it runs before main() on a stack of the host's, and nothing of the kernel is there yet. */
void
__asan_register_globals(const struct global *first, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		asan_poison((const void *)(first[i].gl_at + first[i].gl_bytes),
		    first[i].gl_room - first[i].gl_bytes, ASAN_GLOBAL);
	if (nmodules == MODULES_MAX)
		return;				/* they are watched, but have no names */
	modules[nmodules].m_first = first;
	modules[nmodules++].m_n = n;
}

void
__asan_unregister_globals(const struct global *first, uint64_t n)
{
	(void)first;
	(void)n;
}

/* -------------------------------------------------- string instructions -- */

void	*__wrap_memcpy(void *restrict dst, const void *restrict src, size_t n);
void	*__real_memcpy(void *restrict dst, const void *restrict src, size_t n);
void	*__wrap_memmove(void *dst, const void *src, size_t n);
void	*__real_memmove(void *dst, const void *src, size_t n);
void	*__wrap_memset(void *dst, int c, size_t n);
void	*__real_memset(void *dst, int c, size_t n);

static void
check(const void *p, size_t n, bool write, uint64_t pc)
{
	if (first_bad((uint64_t)p, (uint64_t)p + n) != 0)
		report((uint64_t)p, n, write, pc);
}

void *
__wrap_memcpy(void *restrict dst, const void *restrict src, size_t n)
{
	check(src, n, false, CALLER);
	check(dst, n, true, CALLER);
	return __real_memcpy(dst, src, n);
}

void *
__wrap_memmove(void *dst, const void *src, size_t n)
{
	check(src, n, false, CALLER);
	check(dst, n, true, CALLER);
	return __real_memmove(dst, src, n);
}

void *
__wrap_memset(void *dst, int c, size_t n)
{
	check(dst, n, true, CALLER);
	return __real_memset(dst, c, n);
}
