/* SPDX-License-Identifier: BSD-2-Clause */
/* Signal frames - what a handler is given, and that what it changes there takes effect. */
#include "t.h"
#include <ucontext.h>

static volatile sig_atomic_t hits;
static volatile long seen_value, seen_addr, seen_code, seen_pid_ok, seen_trapno, seen_err;
static uint64_t mask_inside;

static void
on_fault(int sig, siginfo_t *si, void *ctx)
{
	ucontext_t *uc = ctx;

	(void)sig;
	hits++;
	seen_addr = (long)(uintptr_t)si->si_addr;
	seen_code = si->si_code;
	seen_trapno = (long)uc->uc_mcontext.gregs[REG_TRAPNO];
	seen_err = (long)uc->uc_mcontext.gregs[REG_ERR];
	/* Every faulting access below is a two-byte or longer instruction placed between labels. */
	uc->uc_mcontext.gregs[REG_RIP] = uc->uc_mcontext.gregs[REG_RBX];
	uc->uc_mcontext.gregs[REG_RAX] = 4711;
}

static long
poke(volatile char *p)
{
	long out;

	__asm__ volatile("lea 1f(%%rip), %%rbx; movb $1, (%1); mov $1, %%eax; 1:"
	    : "=a"(out) : "r"(p) : "rbx", "memory");
	return out;
}

static void
edits(void)
{
	char *none = mmap(NULL, T_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	t_handle_info(SIGSEGV, on_fault, 0);
	T(poke(none + 123));
	T(hits);
	t_say("address right %d code %ld trap %ld error %#lx", seen_addr == (long)(uintptr_t)none + 123, seen_code,
	    seen_trapno, seen_err);
	munmap(none, T_PAGE);
	poke(none + 8);
	t_say("address right %d code %ld trap %ld error %#lx", seen_addr == (long)(uintptr_t)none + 8, seen_code,
	    seen_trapno, seen_err);
	poke((char *)0x8000000000000000);
	t_say("not canonical: address %ld code %ld trap %ld error %#lx", seen_addr, seen_code, seen_trapno, seen_err);
	poke((char *)0xffff888000000000);
	t_say("kernel address: code %ld trap %ld", seen_code, seen_trapno);
	signal(SIGSEGV, SIG_DFL);
}

static void
on_user(int sig, siginfo_t *si, void *ctx)
{
	ucontext_t *uc = ctx;

	hits++;
	seen_code = si->si_code;
	seen_pid_ok = si->si_pid == getpid() && si->si_uid == getuid() && si->si_signo == sig;
	seen_value = si->si_value.sival_int;
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &mask_inside, 8);
	/* Leave SIGHUP blocked behind. */
	sigaddset(&uc->uc_sigmask, SIGHUP);
}

static void
masks(void)
{
	struct sigaction sa;
	sigset_t set;

	memset(&sa, 0, sizeof sa);
	sa.sa_sigaction = on_user;
	sa.sa_flags = SA_SIGINFO;
	sigaddset(&sa.sa_mask, SIGTERM);
	sigaction(SIGUSR1, &sa, NULL);
	raise(SIGUSR1);
	t_say("mask inside %#llx", (unsigned long long)mask_inside);
	sigprocmask(SIG_SETMASK, NULL, &set);
	t_say("SIGHUP blocked by the edit %d, SIGUSR1 %d, SIGTERM %d", sigismember(&set, SIGHUP),
	    sigismember(&set, SIGUSR1), sigismember(&set, SIGTERM));
	sigemptyset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
}

static void
senders(void)
{
	union sigval v = { .sival_int = 77 };

	kill(getpid(), SIGUSR1);
	t_say("kill: code %ld sender right %ld", seen_code, seen_pid_ok);
	syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1);
	t_say("tgkill: code %ld sender right %ld", seen_code, seen_pid_ok);
	T(sigqueue(getpid(), SIGUSR1, v));
	t_say("sigqueue: code %ld sender right %ld value %ld", seen_code, seen_pid_ok, seen_value);
	if (t_child("a child sends") == 0) {
		kill(getppid(), SIGUSR1);
		_exit(0);
	}
	t_say("from the child: code %ld, sender is me %ld", seen_code, seen_pid_ok);
}

/* All sixteen registers and the flags survive a handler at any instruction. */
static void
registers_survive(void)
{
	struct itimerval it = { { 0, 500 }, { 0, 500 } }, off = { { 0, 0 }, { 0, 0 } };
	long bad = 0;

	t_handle_info(SIGALRM, on_user, 0);
	setitimer(ITIMER_REAL, &it, NULL);
	hits = 0;
	while (hits < 40) {
		long r;

		__asm__ volatile(
		    "mov $1, %%rbx; mov $2, %%rcx; mov $3, %%rdx; mov $4, %%rsi; mov $5, %%rdi; mov $6, %%r8;"
		    "mov $7, %%r9; mov $8, %%r10; mov $9, %%r11; mov $10, %%r12; mov $11, %%r13; mov $12, %%r14;"
		    "mov $13, %%r15; mov $20000, %%eax; stc;"
		    "1: dec %%eax; jnz 1b;"
		    "setnc %%al; movzx %%al, %%eax; imul $1000, %%rax, %%rax;"
		    "lea (%%rax,%%rbx), %%rax; add %%rcx, %%rax; add %%rdx, %%rax; add %%rsi, %%rax; add %%rdi, %%rax;"
		    "add %%r8, %%rax; add %%r9, %%rax; add %%r10, %%rax; add %%r11, %%rax; add %%r12, %%rax;"
		    "add %%r13, %%rax; add %%r14, %%rax; add %%r15, %%rax"
		    : "=a"(r) : : "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
		      "r15", "cc");
		if (r != 91)
			bad++;
	}
	setitimer(ITIMER_REAL, &off, NULL);
	T(bad);
}

/* A frame the handler has ruined must only hurt its owner. */
static void
on_ruin(int sig, siginfo_t *si, void *ctx)
{
	ucontext_t *uc = ctx;

	(void)si;
	switch (sig) {
	case SIGUSR1:
		uc->uc_mcontext.gregs[REG_RIP] = (greg_t)0x8000000000000000;
		break;
	case SIGUSR2:
		uc->uc_mcontext.gregs[REG_CSGSFS] = 0;
		break;
	case SIGHUP:
		uc->uc_mcontext.gregs[REG_RSP] = 8;
		break;
	case SIGTERM:
		uc->uc_mcontext.gregs[REG_EFL] |= 0x3000 | 0x200000 | 0x20000000;
		break;
	case SIGURG:
		uc->uc_mcontext.fpregs = (void *)8;
		break;
	case SIGINT:
		memset(uc, 0xff, sizeof *uc);
		break;
	}
}

static void
ruined(void)
{
	static const int sigs[] = { SIGUSR1, SIGUSR2, SIGHUP, SIGTERM, SIGURG, SIGINT };
	struct rlimit rl = { 0, 0 };

	setrlimit(RLIMIT_CORE, &rl);
	for (size_t i = 0; i < T_COUNT(sigs); i++)
		if (t_child(t_signal(sigs[i])) == 0) {
			t_handle_info(sigs[i], on_ruin, 0);
			raise(sigs[i]);
			_exit(3);
		}
	if (t_child("sigreturn without a frame") == 0) {
		syscall(SYS_rt_sigreturn);
		_exit(3);
	}
	if (t_child("no room for a frame") == 0) {
		t_handle_info(SIGUSR1, on_user, 0);
		__asm__ volatile("mov $8, %%rsp; syscall; ud2" : : "a"(SYS_tkill), "D"(getpid()), "S"(SIGUSR1) : "memory");
		_exit(3);
	}
	if (t_child("SIGSEGV blocked") == 0) {
		sigset_t set;

		sigfillset(&set);
		sigprocmask(SIG_SETMASK, &set, NULL);
		t_handle_info(SIGSEGV, on_fault, 0);
		*(volatile int *)8 = 1;
		_exit(3);
	}
	if (t_child("SIGSEGV ignored") == 0) {
		signal(SIGSEGV, SIG_IGN);
		*(volatile int *)8 = 1;
		_exit(3);
	}
}

int
main(void)
{
	edits();
	masks();
	senders();
	registers_survive();
	ruined();
	return 0;
}
