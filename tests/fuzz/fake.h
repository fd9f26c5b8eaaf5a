/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake - the kernel around a piece of it, on libFuzzer.
 *
 * The input is cut into pieces: the first are what the harness asks for, each
 * behind its length; the rest is the program's memory, at USER_BASE, mirrored
 * so that whoever copies in beyond its end is told EFAULT as by a kernel.
 *
 * What the kernel takes it must give back: objects from kmalloc() (the leak
 * sanitizer looks), holds on names and files (fake_holds, fake_done()).  Copies to
 * the program are read byte by byte, so that the sanitizer sees where they come from.
 *
 * There is one CPU with one thread; its struct cpu is found as in the kernel, by %gs.
 */
#pragma once
#include <abi/errno.h>
#include <core/rt/rt.h>
#include <sys/debug/kprint.h>
#include <sys/lwkt/cpu.h>
#include <sys/lwkt/thread.h>
#include <sys/proc/proc.h>
#include <sys/vm/kmem.h>
#include <sys/vm/uaccess.h>

/* Of the C library, which this world does not know. */
void	*malloc(size_t n);
void	free(void *p);
_Noreturn void abort(void);
int	dprintf(int fd, const char *fmt, ...);

#define USER_BASE	0x100000ull
#define USER_BYTES	65536u

static uint8_t fake_user[USER_BYTES];
static size_t fake_user_len;
static int64_t fake_holds;
static uint32_t fake_chance;
static volatile uint8_t fake_sum;

static struct proc fake_proc;
static struct lwp fake_lwp;
static struct thread fake_thread;
static struct cpu fake_cpu;

_Noreturn void
rt_fail(const char *file, int line, const char *what)
{
	dprintf(2, "%s:%d: %s\n", file, line, what);
	abort();
}

_Noreturn void
panic(const char *fmt, ...)
{
	dprintf(2, "panic: %s\n", fmt);
	abort();
}

/* Memory is short now and then: one time in 64, by the input. */
void *
kmalloc(size_t n, uint32_t flags)
{
	void *p;

	fake_chance = fake_chance * 1664525u + 1013904223u;
	if (n > 2u << 20 || fake_chance >> 26 == 0)
		return NULL;
	p = malloc(n);
	if (p != NULL)
		memset(p, (flags & KM_ZERO) != 0 ? 0 : 0xa5, n);
	return p;
}

void *
kmalloc_array(size_t n, size_t each, uint32_t flags)
{
	return n > (2u << 20) / each ? NULL : kmalloc(n * each, flags);
}

void kfree(void *p) { free(p); }

char *
kstrdup(const char *s, uint32_t flags)
{
	size_t n = strlen(s) + 1;
	char *p = kmalloc(n, flags);

	return p == NULL ? NULL : memcpy(p, s, n);
}

static void
fake_read(const void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fake_sum ^= ((const uint8_t *)p)[i];
}

int
copyin(void *dst, uaddr_t src, size_t len)
{
	if (src < USER_BASE || src - USER_BASE > fake_user_len || len > fake_user_len - (src - USER_BASE))
		return EFAULT;
	memcpy(dst, fake_user + (src - USER_BASE), len);
	return 0;
}

/* Into what was there at the start, or, as for a new program, to wherever the harness allows. */
static bool (*fake_writable)(uaddr_t at, size_t len);

int
copyout(uaddr_t dst, const void *src, size_t len)
{
	fake_read(src, len);
	if (fake_writable != NULL && fake_writable(dst, len))
		return 0;
	if (dst < USER_BASE || dst - USER_BASE > fake_user_len || len > fake_user_len - (dst - USER_BASE))
		return EFAULT;
	memcpy(fake_user + (dst - USER_BASE), src, len);
	return 0;
}

int
copyinstr(char *dst, uaddr_t src, size_t max, size_t *len)
{
	for (size_t i = 0; i < max; i++) {
		if (copyin(dst + i, src + i, 1) != 0)
			return EFAULT;
		if (dst[i] == '\0') {
			if (len != NULL)
				*len = i;
			return 0;
		}
	}
	return ENAMETOOLONG;
}

void lwkt_poll(void) { }

size_t
strlcpy(char *dst, const char *src, size_t size)
{
	size_t n = strlen(src);

	if (size > 0) {
		memcpy(dst, src, rt_min(n, size - 1));
		dst[rt_min(n, size - 1)] = '\0';
	}
	return n;
}

/* The next piece of the input. */
static const uint8_t *
fake_piece(const uint8_t **data, size_t *len, size_t *piece)
{
	const uint8_t *at = *data + 2;

	if (*len < 2) {
		*piece = 0;
		return *data;
	}
	*piece = rt_min((*data)[0] | (size_t)(*data)[1] << 8, *len - 2);
	*data += 2 + *piece;
	*len -= 2 + *piece;
	return at;
}

static void
fake_begin(const uint8_t *data, size_t len)
{
	struct cpu *c = &fake_cpu;
	long r;

	fake_user_len = rt_min(len, USER_BYTES);
	memcpy(fake_user, data, fake_user_len);
	fake_chance = (uint32_t)len * 2654435761u;
	fake_holds = 0;
	memset(&fake_proc, 0, sizeof fake_proc);
	memset(&fake_lwp, 0, sizeof fake_lwp);
	fake_lwp.l_proc = &fake_proc;
	fake_thread.td_lwp = &fake_lwp;
	fake_cpu.c_curthread = &fake_thread;
	fake_cpu.c_self = c;
	/* arch_prctl(ARCH_SET_GS): nobody else here uses it. */
	__asm__ volatile("syscall" : "=a"(r) : "a"(158L), "D"(0x1001L), "S"(c) : "rcx", "r11", "memory");
}

static void
fake_done(void)
{
	ASSERT(fake_holds == 0);
}
