/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/rt - what pure code needs: assertions, memory, text, checked sums.
 *
 * Freestanding.  The one thing it needs from outside is rt_fail(), given by
 * the kernel (panic) or by a host program (print and abort).
 */
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

_Noreturn void rt_fail(const char *file, int line, const char *what);
#define ASSERT(x)	((x) ? (void)0 : rt_fail(__FILE__, __LINE__, #x))

/* Words that may lie anywhere, in memory of any type. */
typedef uint64_t word_t __attribute__((aligned(1), may_alias));
typedef uint32_t word32_t __attribute__((aligned(1), may_alias));

void	*memcpy(void *restrict dst, const void *restrict src, size_t n);
void	*memmove(void *dst, const void *src, size_t n);
void	*memset(void *dst, int c, size_t n);
int	memcmp(const void *a, const void *b, size_t n);
void	*memchr(const void *s, int c, size_t n);
size_t	strlen(const char *s);
size_t	strnlen(const char *s, size_t max);
int	strcmp(const char *a, const char *b);
int	strncmp(const char *a, const char *b, size_t n);
char	*strchr(const char *s, int c);
char	*strrchr(const char *s, int c);
/* Copy at most size-1 bytes and end with NUL; returns strlen(src). */
size_t	strlcpy(char *dst, const char *src, size_t size);
size_t	strlcat(char *dst, const char *src, size_t size);

/*
 * The next word `name` or `name=value` of those that blanks separate: its value, *len bytes (0 if
 * there is none), and *words is what follows it.  False: no such word.
 */
bool	rt_word(const char **words, const char *name, const char **value, size_t *len);

/* C's printf without floating point: %d %i %u %x %X %o %c %s %p %% with flags, width, precision, hh h l ll z j t. */
int	rt_vsnprintf(char *buf, size_t size, const char *fmt, va_list ap);
int	rt_snprintf(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static inline bool rt_add_overflows(uint64_t a, uint64_t b, uint64_t *sum) { return __builtin_add_overflow(a, b, sum); }
static inline uint64_t rt_min(uint64_t a, uint64_t b) { return a < b ? a : b; }
static inline uint64_t rt_max(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* A hash for names and addresses; not for hostile input that must not collide. */
static inline uint64_t
rt_hash(uint64_t h, const void *p, size_t n)
{
	const unsigned char *s = p;

	for (size_t i = 0; i < n; i++)
		h = (h ^ s[i]) * 0x100000001b3ull;
	return h;
}
#define RT_HASH_SEED	0xcbf29ce484222325ull
