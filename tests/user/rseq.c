/* SPDX-License-Identifier: BSD-2-Clause */
/* Restartable sequences: registration, the number of the CPU, code that nothing comes between. */
#include "t.h"
#include <pthread.h>

#define SIG		0x53053053u
#define THREADS		4
#define ROUNDS		3000
#define CPUS		1024

struct area {
	uint32_t cpu_id_start, cpu_id;
	uint64_t rseq_cs;
	uint32_t flags, node_id, mm_cid, pad;
} __attribute__((aligned(32)));

static struct counter { long n; char apart[56]; } counter[CPUS];
static _Atomic long aborts, wrong;

static long
reg(struct area *a, unsigned len, unsigned flags, unsigned sig)
{
	return syscall(SYS_rseq, a, len, flags, sig);
}

/* Add 1 to the counter, which is `cpu`'s, slowly: false if we did not stay. */
static bool
add_slowly(struct area *a, uint32_t cpu, long *n)
{
	__asm__ goto(
	    ".pushsection .data.rseq, \"aw\"\n"
	    ".balign 32\n"
	    "1:	.long 0, 0\n"
	    "	.quad 2f, 3f - 2f, 4f\n"
	    ".popsection\n"
	    "	leaq	1b(%%rip), %%rax\n"
	    "	movq	%%rax, 8(%[a])\n"
	    "2:	cmpl	%[cpu], 4(%[a])\n"
	    "	jne	%l[elsewhere]\n"
	    "	movq	(%[n]), %%rax\n"
	    "	movl	$30000, %%ecx\n"
	    "5:	decl	%%ecx\n"
	    "	jnz	5b\n"
	    "	incq	%%rax\n"
	    "	movq	%%rax, (%[n])\n"
	    "3:\n"
	    ".pushsection .text.rseq, \"ax\"\n"
	    "	.byte	0x0f, 0xb9, 0x3d\n"
	    "	.long	0x53053053\n"
	    "4:	jmp	%l[aborted]\n"
	    ".popsection\n"
	    : : [a] "r" (a), [cpu] "r" (cpu), [n] "r" (n)
	    : "rax", "rcx", "memory", "cc" : elsewhere, aborted);
	return true;
aborted:
	aborts++;
	return false;
elsewhere:
	return false;
}

static void
on_alarm(int sig)
{
	(void)sig;
}

static void *
count(void *arg)
{
	struct area a = { .cpu_id = ~0u };

	(void)arg;
	if (reg(&a, sizeof a, 0, SIG) != 0)
		wrong++;
	for (int done = 0; done < ROUNDS;) {
		uint32_t cpu = *(volatile uint32_t *)&a.cpu_id_start;

		if (cpu >= CPUS)
			wrong++;
		else
			done += add_slowly(&a, cpu, &counter[cpu].n);
	}
	if (reg(&a, sizeof a, 1, SIG) != 0 || a.cpu_id != ~0u)
		wrong++;
	return NULL;
}

/* What the kernel finds amiss when a piece was left is the program's end. */
static void
bad_mark(struct area *a)
{
	static uint64_t cs[4] __attribute__((aligned(32)));

	cs[1] = 0x1000;
	cs[2] = 0x10;
	cs[3] = (uint64_t)(uintptr_t)bad_mark;
	a->rseq_cs = (uint64_t)(uintptr_t)cs;
	for (;;)
		;
}

int
main(void)
{
	static struct area a = { .cpu_id = ~0u }, b;
	struct itimerval often = { { 0, 500 }, { 0, 500 } }, never = { { 0, 0 }, { 0, 0 } };
	pthread_t th[THREADS];
	long sum = 0;
	int status;

	T(reg(&a, 16, 0, SIG));
	T(reg(&a, sizeof a, 2, SIG));
	T(reg((struct area *)((char *)&a + 8), sizeof a, 0, SIG));
	T(reg((struct area *)0xffff800000000000, sizeof a, 0, SIG));
	T(reg(&a, sizeof a, 1, SIG));
	T(reg(&a, sizeof a, 0, SIG));
	T(a.cpu_id < CPUS && a.cpu_id == a.cpu_id_start);
	T(reg(&a, sizeof a, 0, SIG));
	T(reg(&a, sizeof a, 0, SIG + 1));
	T(reg(&b, sizeof b, 0, SIG));
	T(reg(&b, sizeof b, 1, SIG));
	T(reg(&a, sizeof a, 1, SIG + 1));
	if (fork() == 0) {
		T(reg(&a, sizeof a, 0, SIG));
		T(a.cpu_id < CPUS);
		_exit(0);
	}
	wait(NULL);
	fflush(NULL);
	if (fork() == 0) {
		signal(SIGALRM, on_alarm);
		ualarm(1000, 1000);
		bad_mark(&a);
	}
	wait(&status);
	t_say("a bad mark: %s", WIFSIGNALED(status) ? t_signal(WTERMSIG(status)) : "exit");
	T(reg(&a, sizeof a, 1, SIG));
	T(a.cpu_id == ~0u);
	signal(SIGALRM, on_alarm);
	setitimer(ITIMER_REAL, &often, NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&th[i], NULL, count, NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_join(th[i], NULL);
	setitimer(ITIMER_REAL, &never, NULL);
	for (int i = 0; i < CPUS; i++)
		sum += counter[i].n;
	T(sum);
	T((long)wrong);
	return 0;
}
