/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Floating-point and vector state - private to each process, and untouched by
 * handlers, system calls, faults and forks.
 */
#include "t.h"
#include <cpuid.h>
#include <ucontext.h>

static volatile sig_atomic_t hits;
static bool has_avx;

static bool
avx(void)
{
	unsigned a, b, c, d, lo, hi;

	if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & bit_OSXSAVE) == 0 || (c & bit_AVX) == 0)
		return false;
	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return (lo & 6) == 6;
}

/* Leave rubbish in every register a handler could forget to keep. */
__attribute__((target("avx"))) static void
trash(void)
{
	if (has_avx)
		__asm__ volatile("vpcmpeqd %%xmm0, %%xmm0, %%xmm0; vinsertf128 $1, %%xmm0, %%ymm0, %%ymm0;"
		    "vmovaps %%ymm0, %%ymm1; vmovaps %%ymm0, %%ymm7; vmovaps %%ymm0, %%ymm8; vmovaps %%ymm0, %%ymm15"
		    : : : "xmm0", "xmm1", "xmm7", "xmm8", "xmm15");
	__asm__ volatile("pcmpeqd %%xmm2, %%xmm2; pcmpeqd %%xmm3, %%xmm3; fninit; fld1; fldpi"
	    : : : "xmm2", "xmm3");
}

static void
on_signal(int sig)
{
	(void)sig;
	hits++;
	trash();
}

/*
 * Fill the vector registers from a seed, run the given system call (or spin),
 * and say whether all came back.
 */
__attribute__((target("avx"))) static bool
keeps(uint64_t seed, long nr, long arg, long spin)
{
	uint64_t in[4] __attribute__((aligned(32))), out[16] __attribute__((aligned(32)));
	long r = nr;

	if (!has_avx)
		return true;

	for (int i = 0; i < 4; i++)
		in[i] = seed * 0x9e3779b97f4a7c15ull + (uint64_t)i;
	__asm__ volatile("vmovaps (%[in]), %%ymm1; vmovaps (%[in]), %%ymm7; vmovaps (%[in]), %%ymm8;"
	    "vmovaps (%[in]), %%ymm15; test %%rax, %%rax; js 2f; syscall;"
	    "2: dec %[spin]; jg 2b;"
	    "vmovaps %%ymm1, (%[out]); vmovaps %%ymm7, 32(%[out]); vmovaps %%ymm8, 64(%[out]);"
	    "vmovaps %%ymm15, 96(%[out]); vzeroupper"
	    : "+a"(r), "+D"(arg), [spin] "+r"(spin) : [in] "r"(in), [out] "r"(out)
	    : "rcx", "r11", "xmm1", "xmm7", "xmm8", "xmm15", "memory", "cc");
	for (int i = 0; i < 16; i++)
		if (out[i] != in[i % 4])
			return false;
	return true;
}

static void
over_system_calls(void)
{
	int bad = 0;

	for (uint64_t i = 0; i < 1000; i++)
		bad += !keeps(i, SYS_getppid, 0, 1);
	T(bad);
}

static void
over_handlers(void)
{
	struct itimerval it = { { 0, 700 }, { 0, 700 } }, off = { { 0, 0 }, { 0, 0 } };
	int bad = 0;

	t_handle(SIGALRM, on_signal, SA_RESTART);
	setitimer(ITIMER_REAL, &it, NULL);
	for (uint64_t i = 0; hits < 60; i++)
		bad += !keeps(i, -1, 0, 50000);
	setitimer(ITIMER_REAL, &off, NULL);
	T(bad);
}

static void
over_fork(void)
{
	int bad = 0, status;

	for (uint64_t i = 0; i < 20; i++) {
		/* Both sides continue after the fork with what was there before it. */
		pid_t pid;

		fflush(NULL);
		pid = fork();
		if (pid == 0) {
			for (uint64_t k = 0; k < 20; k++)
				if (!keeps(i * 1000 + k, SYS_sched_yield, 0, 2000))
					_exit(1);
			_exit(0);
		}
		for (uint64_t k = 0; k < 20; k++)
			bad += !keeps(i * 77 + k, SYS_sched_yield, 0, 2000);
		waitpid(pid, &status, 0);
		bad += status != 0;
	}
	T(bad);
}

/* The raw fork keeps the registers in the child as well. */
__attribute__((target("avx"))) static void
into_the_child(void)
{
	uint64_t in[4] __attribute__((aligned(32))) = { 11, 22, 33, 44 }, out[4] __attribute__((aligned(32)));
	long r = SYS_fork;
	int status;

	if (!has_avx) {
		t_say("child has 11 22 33 44");
		t_say("vector registers of the child: exit 0");
		return;
	}
	__asm__ volatile("vmovaps (%1), %%ymm9; syscall; vmovaps %%ymm9, (%2); vzeroupper"
	    : "+a"(r) : "r"(in), "r"(out) : "rcx", "r11", "xmm9", "memory");
	if (r == 0) {
		t_say("child has %d %d %d %d", (int)out[0], (int)out[1], (int)out[2], (int)out[3]);
		_exit(memcmp(in, out, sizeof in) != 0);
	}
	waitpid((pid_t)r, &status, 0);
	t_status("vector registers of the child", status);
}

static void
control_words(void)
{
	uint32_t mxcsr = 0x3f80, got = 0, other = 0x1f80;
	uint16_t cw = 0x0f7f, gotcw = 0, init_cw = 0x037f;

	__asm__ volatile("ldmxcsr %0; fldcw %1" : : "m"(mxcsr), "m"(cw));
	if (t_child("control words are inherited") == 0) {
		__asm__ volatile("stmxcsr %0; fnstcw %1" : "=m"(got), "=m"(gotcw));
		t_say("mxcsr %#x cw %#x", got & ~0x3fu, gotcw);
		_exit(0);
	}
	hits = 0;
	raise(SIGALRM);
	__asm__ volatile("stmxcsr %0; fnstcw %1" : "=m"(got), "=m"(gotcw));
	t_say("after a handler: mxcsr %#x cw %#x", got & ~0x3fu, gotcw);
	__asm__ volatile("ldmxcsr %0; fldcw %1" : : "m"(other), "m"(init_cw));
}

/* A handler may change the saved registers. */
static void
on_edit(int sig, siginfo_t *si, void *ctx)
{
	ucontext_t *uc = ctx;

	(void)sig;
	(void)si;
	uc->uc_mcontext.fpregs->_xmm[3].element[0] = 1234;
	uc->uc_mcontext.fpregs->_xmm[3].element[1] = 0;
}

static void
edited(void)
{
	uint64_t out = 0;
	long r = SYS_tkill;

	t_handle_info(SIGUSR1, on_edit, 0);
	__asm__ volatile("pxor %%xmm3, %%xmm3; syscall; movq %%xmm3, %1" : "+a"(r), "=r"(out)
	    : "D"(getpid()), "S"(SIGUSR1) : "rcx", "r11", "xmm3", "memory");
	t_say("xmm3 after the edit: %d", (int)out);
}

int
main(void)
{
	has_avx = avx();
	over_system_calls();
	over_handlers();
	over_fork();
	into_the_child();
	control_words();
	edited();
	return 0;
}
