/* SPDX-License-Identifier: BSD-2-Clause */
/* RFC 7693's example (appendix B) and its test of all lengths (appendix E), in pieces of any size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <core/codec/blake2s.c>

_Noreturn void
rt_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	abort();
}

/* `piece` bytes at a time. */
static void
hash(uint8_t *digest, size_t out, const uint8_t *key, size_t key_len, const uint8_t *in, size_t len,
    size_t piece)
{
	struct blake2s b;

	blake2s_init(&b, out, key, key_len);
	for (size_t at = 0; at < len; at += piece)
		blake2s_update(&b, in + at, rt_min(piece, len - at));
	blake2s_final(&b, digest);
}

static void
the_example_is_right(void **state)
{
	static const uint8_t want[32] = {
		0x50, 0x8c, 0x5e, 0x8c, 0x32, 0x7c, 0x14, 0xe2, 0xe1, 0xa7, 0x2b, 0xa3,
		0x4e, 0xeb, 0x45, 0x2f, 0x37, 0x45, 0x8b, 0x20, 0x9e, 0xd6, 0x3a, 0x29,
		0x4d, 0x99, 0x9b, 0x4c, 0x86, 0x67, 0x59, 0x82,
	};
	uint8_t got[32];

	(void)state;
	hash(got, 32, NULL, 0, (const uint8_t *)"abc", 3, 3);
	assert_memory_equal(got, want, 32);
}

/* Appendix E: its sequence of bytes. */
static void
sequence(uint8_t *out, size_t len, uint32_t seed)
{
	uint32_t a = 0xdead4badu * seed, b = 1;

	for (size_t i = 0; i < len; i++) {
		uint32_t sum = a + b;

		a = b;
		b = sum;
		out[i] = (uint8_t)(sum >> 24);
	}
}

static void
all_lengths(size_t piece, uint8_t digest[32])
{
	static const size_t outs[] = { 16, 20, 28, 32 }, lengths[] = { 0, 3, 64, 65, 255, 1024 };
	uint8_t in[1024], key[32], one[32];
	struct blake2s all;

	blake2s_init(&all, 32, NULL, 0);
	for (size_t o = 0; o < 4; o++)
		for (size_t l = 0; l < 6; l++) {
			sequence(in, lengths[l], (uint32_t)lengths[l]);
			hash(one, outs[o], NULL, 0, in, lengths[l], piece);
			blake2s_update(&all, one, outs[o]);
			sequence(key, outs[o], (uint32_t)outs[o]);
			hash(one, outs[o], key, outs[o], in, lengths[l], piece);
			blake2s_update(&all, one, outs[o]);
		}
	blake2s_final(&all, digest);
}

static void
all_lengths_are_right_in_any_pieces(void **state)
{
	static const uint8_t want[32] = {
		0x6a, 0x41, 0x1f, 0x08, 0xce, 0x25, 0xad, 0xcd, 0xfb, 0x02, 0xab, 0xa6,
		0x41, 0x45, 0x1c, 0xec, 0x53, 0xc5, 0x98, 0xb2, 0x4f, 0x4f, 0xc7, 0x87,
		0xfb, 0xdc, 0x88, 0x79, 0x7f, 0x4c, 0x1d, 0xfe,
	};
	static const size_t pieces[] = { 1, 3, 63, 64, 65, 128, 1024 };
	uint8_t got[32];

	(void)state;
	for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
		all_lengths(pieces[i], got);
		assert_memory_equal(got, want, 32);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_example_is_right),
		cmocka_unit_test(all_lengths_are_right_in_any_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
