/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * planted_asan - one bug of each kind that the address sanitizer finds: tests/long/asan.sh wants its report
 * to name the function below and what was touched.  Linked when SANITIZE=address.
 *
 * Most of them only read, and one byte or word, so that nothing else would ever find them.
 */
#include <core/rt/rt.h>
#include <sys/debug/kprint.h>
#include <sys/debug/ktest.h>
#include <sys/lwkt/thread.h>
#include <sys/vm/kmem.h>
#include <sys/vm/page.h>

#define LETTERS		100u
#define AS_WRITTEN	__attribute__((noipa))	/* it has its name, and knows nothing of its arguments */

static volatile uint64_t sink;

/* -------------------------------------------------------------- objects -- */

AS_WRITTEN static void
read_letter(const char *letter, uint32_t n)
{
	sink = (uint8_t)letter[n];
}

AS_WRITTEN static char *
letter_new(void)
{
	char *letter = kmalloc(LETTERS, KM_ZERO);

	if (letter == NULL)
		panic("no memory for a bug");
	return letter;
}

KPLANT(asan_past)
{
	read_letter(letter_new(), LETTERS);
}

AS_WRITTEN static void
burn(char *letter)
{
	kfree(letter);
	sink = 1;
}

KPLANT(asan_freed)
{
	char *letter = letter_new();

	burn(letter);
	read_letter(letter, 7);
}

AS_WRITTEN static void
copy_letter(char *to, const char *letter, uint32_t n)
{
	memcpy(to, letter, n);
	sink = (uint8_t)to[0];
}

KPLANT(asan_copy)
{
	static char to[2 * LETTERS];

	copy_letter(to, letter_new(), LETTERS + 8);
}

/* ------------------------------------------------------ pages and stacks -- */

AS_WRITTEN static void
read_word(const uint64_t *at)
{
	sink = *at;
}

KPLANT(asan_page)
{
	struct page *pg = page_alloc(PAGE_ZERO);
	const uint64_t *at;

	if (pg == NULL)
		panic("no memory for a bug");
	at = page_va(pg);
	read_word(at);
	page_drop(pg);
	read_word(at + 9);
}

KPLANT(asan_kstack)
{
	uint64_t stack = kstack_alloc(LWKT_STACK_BYTES);

	if (stack == 0)
		panic("no memory for a bug");
	*(uint64_t *)stack = 1;
	kstack_free(stack, LWKT_STACK_BYTES);
	read_word((const uint64_t *)stack);
}

/* ------------------------------------------------------------- variables -- */

AS_WRITTEN static void
write_digits(uint32_t n)
{
	uint32_t digits[10] = { 0 };

	for (uint32_t i = 0; i <= n; i++)	/* one too many */
		((volatile uint32_t *)digits)[i] = i;
	sink = digits[n / 2];
}

KPLANT(asan_stack)
{
	write_digits(10);
}

AS_WRITTEN static void
read_ended(uint64_t n)
{
	const volatile uint64_t *at = NULL;

	for (uint64_t i = 0; i < n; i++) {
		volatile uint64_t own = i;

		__asm__ volatile("" : "=r"(at) : "0"(&own));
	}
	sink = *at;
}

KPLANT(asan_scope)
{
	read_ended(3);
}

static uint16_t table[13];

AS_WRITTEN static void
read_table(uint32_t n)
{
	sink = table[n];
}

KPLANT(asan_global)
{
	table[12] = 1;
	read_table(12);
	read_table(13);
}
