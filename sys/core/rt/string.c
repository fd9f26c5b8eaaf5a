/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * string - memory and text for freestanding code.
 *
 * The compiler calls the first four by itself, and does itself what is small
 * and of a known size.  Up to 32 bytes are two to four words that may
 * overlap; more goes by the string instructions, eight bytes at a time, as every
 * processor does quickly, those too that count each turn.
 */
#include <core/rt/rt.h>

/* Under 8 bytes. */
static void
copy_few(unsigned char *d, const unsigned char *s, size_t n)
{
	if (n >= 4) {
		word32_t first = *(const word32_t *)s, last = *(const word32_t *)(s + n - 4);

		*(word32_t *)d = first;
		*(word32_t *)(d + n - 4) = last;
		return;
	}
	for (; n > 0; n--)
		*d++ = *s++;
}

void *
memcpy(void *restrict dst, const void *restrict src, size_t n)
{
	unsigned char *d = dst;
	const unsigned char *s = src;
	size_t words = n / 8;
	word_t last;

	if (n < 8) {
		copy_few(d, s, n);
		return dst;
	}
	last = *(const word_t *)(s + n - 8);
	if (n <= 32) {
		for (size_t i = 0; i + 8 < n; i += 8)
			*(word_t *)(d + i) = *(const word_t *)(s + i);
	} else {
		void *to = d;

		__asm__ volatile("rep movsq" : "+D"(to), "+S"(src), "+c"(words) : : "memory");
	}
	*(word_t *)(d + n - 8) = last;
	return dst;
}

void *
memmove(void *dst, const void *src, size_t n)
{
	unsigned char *d = dst;
	const unsigned char *s = src;

	if (d <= s || d >= s + n)
		return memcpy(dst, src, n);
	for (; n >= 8; n -= 8)
		*(word_t *)(d + n - 8) = *(const word_t *)(s + n - 8);
	while (n > 0) {
		n--;
		d[n] = s[n];
	}
	return dst;
}

void *
memset(void *dst, int c, size_t n)
{
	const uint64_t v = (unsigned char)c * 0x0101010101010101ull;
	unsigned char *d = dst;
	size_t words = n / 8;

	if (n < 8) {
		while (n > 0)
			d[--n] = (unsigned char)c;
		return dst;
	}
	if (n <= 32) {
		for (size_t i = 0; i + 8 < n; i += 8)
			*(word_t *)(d + i) = v;
	} else {
		void *to = d;

		__asm__ volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(v) : "memory");
	}
	*(word_t *)(d + n - 8) = v;
	return dst;
}

int
memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;

	for (; n >= 8 && *(const word_t *)x == *(const word_t *)y; n -= 8) {
		x += 8;
		y += 8;
	}
	for (size_t i = 0; i < n; i++)
		if (x[i] != y[i])
			return x[i] < y[i] ? -1 : 1;
	return 0;
}

void *
memchr(const void *s, int c, size_t n)
{
	const unsigned char *p = s;

	for (size_t i = 0; i < n; i++)
		if (p[i] == (unsigned char)c)
			return (void *)(uintptr_t)(p + i);
	return NULL;
}

size_t
strlen(const char *s)
{
	size_t n = 0;

	while (s[n] != '\0')
		n++;
	return n;
}

size_t
strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n] != '\0')
		n++;
	return n;
}

int
strcmp(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b) {
		a++;
		b++;
	}
	return (unsigned char)*a - (unsigned char)*b;
}

int
strncmp(const char *a, const char *b, size_t n)
{
	for (; n > 0; n--, a++, b++)
		if (*a != *b || *a == '\0')
			return (unsigned char)*a - (unsigned char)*b;
	return 0;
}

char *
strchr(const char *s, int c)
{
	for (;; s++) {
		if (*s == (char)c)
			return (char *)(uintptr_t)s;
		if (*s == '\0')
			return NULL;
	}
}

char *
strrchr(const char *s, int c)
{
	const char *last = NULL;

	for (;; s++) {
		if (*s == (char)c)
			last = s;
		if (*s == '\0')
			return (char *)(uintptr_t)last;
	}
}

size_t
strlcpy(char *dst, const char *src, size_t size)
{
	size_t n = strlen(src);

	if (size > 0) {
		size_t k = rt_min(n, size - 1);

		memcpy(dst, src, k);
		dst[k] = '\0';
	}
	return n;
}

size_t
strlcat(char *dst, const char *src, size_t size)
{
	size_t n = strnlen(dst, size);

	if (n == size)
		return n + strlen(src);
	return n + strlcpy(dst + n, src, size - n);
}
