/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Vector registers in all of the processor's width - kept over system calls,
 * and while other processes that fill them with something else take turns.
 * With an argument it says how wide they are.
 */
#include "t.h"
#include <cpuid.h>

#define REGS	32
#define MASKS	8
#define ROUNDS	300

struct state {
	uint8_t		s_reg[REGS][64];
	uint16_t	s_mask[MASKS];
} __attribute__((aligned(64)));
_Static_assert(offsetof(struct state, s_mask) == 2048, "as LOAD_K has it");

static unsigned
width(void)
{
	unsigned a, b, c, d, low, high;

	if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & bit_OSXSAVE) == 0 || (c & bit_AVX) == 0)
		return 128;
	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	if ((low & 6) != 6)
		return 128;
	if ((low & 0xe6) == 0xe6 && __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b & bit_AVX512F) != 0)
		return 512;
	return 256;
}

#define EACH16(op)	op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7) op(8) op(9) op(10) op(11) op(12) \
			op(13) op(14) op(15)
#define NEXT16(op)	op(16) op(17) op(18) op(19) op(20) op(21) op(22) op(23) op(24) op(25) op(26) op(27) \
			op(28) op(29) op(30) op(31)
#define EACH8(op)	op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7)
#define LOAD_X(n)	"movdqa " #n "*64(%[in]), %%xmm" #n "\n\t"
#define SAVE_X(n)	"movdqa %%xmm" #n ", " #n "*64(%[out])\n\t"
#define LOAD_Y(n)	"vmovdqa " #n "*64(%[in]), %%ymm" #n "\n\t"
#define SAVE_Y(n)	"vmovdqa %%ymm" #n ", " #n "*64(%[out])\n\t"
#define LOAD_Z(n)	"vmovdqa64 " #n "*64(%[in]), %%zmm" #n "\n\t"
#define SAVE_Z(n)	"vmovdqa64 %%zmm" #n ", " #n "*64(%[out])\n\t"
#define LOAD_K(n)	"kmovw 2048+" #n "*2(%[in]), %%k" #n "\n\t"
#define SAVE_K(n)	"kmovw %%k" #n ", 2048+" #n "*2(%[out])\n\t"
#define SYSCALL		"syscall\n\t"
#define LOW		"xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", \
			"xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "rcx", "r11", "memory"
#define HIGH		"xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", \
			"xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", \
			"k1", "k2", "k3", "k4", "k5", "k6", "k7"

static void
yield128(const struct state *in, struct state *out)
{
	long nr = SYS_sched_yield;

	__asm__ volatile(EACH16(LOAD_X) SYSCALL EACH16(SAVE_X)
	    : "+a"(nr) : [in] "r"(in), [out] "r"(out) : LOW);
}

__attribute__((target("avx"))) static void
yield256(const struct state *in, struct state *out)
{
	long nr = SYS_sched_yield;

	__asm__ volatile(EACH16(LOAD_Y) SYSCALL EACH16(SAVE_Y)
	    : "+a"(nr) : [in] "r"(in), [out] "r"(out) : LOW);
}

__attribute__((target("avx512f"))) static void
yield512(const struct state *in, struct state *out)
{
	long nr = SYS_sched_yield;

	__asm__ volatile(EACH16(LOAD_Z) NEXT16(LOAD_Z) EACH8(LOAD_K) SYSCALL
	    EACH16(SAVE_Z) NEXT16(SAVE_Z) EACH8(SAVE_K)
	    : "+a"(nr) : [in] "r"(in), [out] "r"(out) : LOW, HIGH);
}

/* How many of the rounds changed anything. */
static int
rounds(unsigned bits, uint64_t seed)
{
	static struct state in, out, want;
	int bad = 0;

	for (int i = 0; i < ROUNDS; i++) {
		for (size_t n = 0; n < sizeof in; n++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			((uint8_t *)&in)[n] = (uint8_t)(seed >> 56);
		}
		memset(&out, 0, sizeof out);
		memset(&want, 0, sizeof want);
		for (int r = 0; r < (bits == 512 ? REGS : 16); r++)
			memcpy(want.s_reg[r], in.s_reg[r], bits / 8);
		if (bits == 512)
			memcpy(want.s_mask, in.s_mask, sizeof in.s_mask);
		(bits == 512 ? yield512 : bits == 256 ? yield256 : yield128)(&in, &out);
		bad += memcmp(&out, &want, sizeof out) != 0;
	}
	return bad;
}

int
main(int argc, char **argv)
{
	const unsigned bits = width();
	int status;

	(void)argv;
	if (argc > 1)
		t_say("%u bits", bits);
	for (int i = 0; i < 3; i++)
		if (fork() == 0)
			_exit(rounds(bits, (uint64_t)i) != 0);
	for (int i = 0; i < 3; i++) {
		T_OK(wait(&status));
		t_status("registers kept", status);
	}
	return 0;
}
