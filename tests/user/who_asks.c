/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * who_asks - calls that only say who the program is: what they leave alone, and
 * that they hear of every change.
 */
#include "t.h"
#include <pthread.h>
#include <sys/ptrace.h>

static const struct { long nr; const char *name; } calls[] = {
#define C(name) { SYS_##name, #name }
	C(getpid), C(gettid), C(getppid), C(getuid), C(geteuid), C(getgid), C(getegid),
#undef C
};

/* Registers in the order of the instructions below, and the flags. */
#define NREGS	12
uint64_t regs_before[NREGS] = { 1, 22, 333, 4444, 55555, 666666, 7777777, 88888888, 99, 1010, 1111, 0 };
uint64_t regs_after[NREGS];

#define EACH(op)	op("rdi", "0") op("rsi", "8") op("rdx", "16") op("r10", "24") op("r8", "32") \
	op("r9", "40") op("rbx", "48") op("rbp", "56") op("r12", "64") op("r13", "72") op("r14", "80")
#define LOAD(r, at)	"movq regs_before+" at "(%%rip), %%" r "\n\t"
#define STORE(r, at)	"movq %%" r ", regs_after+" at "(%%rip)\n\t"

static void
registers(long nr, const char *name, uint64_t flags)
{
	long result = nr;

	regs_before[NREGS - 1] = flags;
	__asm__ volatile(
	    "pushq %%rbp\n\tpushq regs_before+88(%%rip)\n\tpopfq\n\t"
	    EACH(LOAD)
	    "syscall\n\t"
	    EACH(STORE)
	    "pushfq\n\tpopq regs_after+88(%%rip)\n\tcld\n\tpopq %%rbp"
	    : "+a"(result)
	    :
	    : "rdi", "rsi", "rdx", "rcx", "r10", "r8", "r9", "rbx", "r11", "r12", "r13", "r14",
	    "memory", "cc");
	t_say("%s: %s, registers %s", name, result == syscall(nr) ? "as ever" : "another answer",
	    memcmp(regs_before, regs_after, sizeof regs_before) == 0 ? "kept" : "changed");
}

static int turn[2][2];

static void
wait_for_turn(int who)
{
	char c;

	MUST(read(turn[who][0], &c, 1) == 1);
}

static void
give_turn(int who)
{
	MUST(write(turn[who][1], "", 1) == 1);
}

static void
who(const char *thread)
{
	t_say("%s: %ld %ld %ld %ld", thread, syscall(SYS_getuid), syscall(SYS_geteuid), syscall(SYS_getgid),
	    syscall(SYS_getegid));
}

static void *
other_thread(void *unused)
{
	(void)unused;
	for (int i = 0; i < 3; i++) {
		wait_for_turn(1);
		who("the other thread");
		give_turn(0);
	}
	return NULL;
}

/* The C library changes all threads, each by a call of its own. */
static void
changes(void)
{
	pthread_t t;

	MUST(pipe(turn[0]) == 0 && pipe(turn[1]) == 0);
	MUST(pthread_create(&t, NULL, other_thread, NULL) == 0);
	give_turn(1);
	wait_for_turn(0);
	T(setresgid(7, 8, 9));
	T(setresuid(5, 6, 0));
	who("this thread");
	give_turn(1);
	wait_for_turn(0);
	T(setresuid(0, 0, 0));
	give_turn(1);
	wait_for_turn(0);
	MUST(pthread_join(t, NULL) == 0);
}

/* An orphan asks until somebody else has taken it in. */
static void
orphan(void)
{
	pid_t self = getpid(), child;
	int told[2];
	char c = 'n';

	MUST(pipe(told) == 0);
	T(prctl(PR_SET_CHILD_SUBREAPER, 1));
	child = fork();
	if (child == 0) {
		if (fork() == 0) {
			while (syscall(SYS_getppid) != self)
				continue;
			MUST(write(told[1], "y", 1) == 1);
			_exit(3);
		}
		_exit(4);
	}
	MUST(read(told[0], &c, 1) == 1);
	t_say("adopted: %c", c);
	for (int i = 0, status; i < 2; i++)
		t_say("%s", wait(&status) == child ? "the child" : "the grandchild");
}

/* A tracer sees these calls, too, and each single step. */
static void
traced(long request, const char *what)
{
	int status, stops = 0;
	pid_t pid = fork();

	if (pid == 0) {
		MUST(ptrace(PTRACE_TRACEME, 0, 0, 0) == 0);
		raise(SIGSTOP);
		__asm__ volatile("movl $39, %%eax\n\tsyscall\n\tmovl $110, %%eax\n\tsyscall\n\t"
		    "movl $60, %%eax\n\tmovl $9, %%edi\n\tsyscall"
		    : : : "rax", "rcx", "rdi", "r11", "memory");
	}
	MUST(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));
	while (ptrace(request, pid, 0, 0) == 0 && waitpid(pid, &status, 0) == pid && WIFSTOPPED(status))
		if (WSTOPSIG(status) == SIGTRAP)
			stops++;
	if (request == PTRACE_SYSCALL)
		t_say("%s: %d stops", what, stops);
	t_status(what, status);
}

/* The trap flag is the program's own: where its handler finds itself after each of these instructions. */
static volatile int steps;

static void
step(int sig)
{
	(void)sig;
	steps++;
}

static void
steps_itself(void)
{
	struct sigaction sa = { .sa_handler = step };

	MUST(sigaction(SIGTRAP, &sa, NULL) == 0);
	__asm__ volatile("pushfq\n\torl $0x100, (%%rsp)\n\tpopfq\n\t"
	    "movl $39, %%eax\n\tsyscall\n\tnop\n\tmovl $110, %%eax\n\tsyscall\n\tnop\n\t"
	    "pushfq\n\tandl $~0x100, (%%rsp)\n\tpopfq" : : : "rax", "rcx", "r11", "memory", "cc");
	t_say("stepped %d times", steps);
}

int
main(void)
{
	for (size_t i = 0; i < T_COUNT(calls); i++) {
		registers(calls[i].nr, calls[i].name, 0x202);
		registers(calls[i].nr, calls[i].name, 0x202 | 0xcd5);	/* all that a program has */
	}
	steps_itself();
	changes();
	orphan();
	traced(PTRACE_SYSCALL, "each call");
	traced(PTRACE_SINGLESTEP, "each step");
	return 0;
}
