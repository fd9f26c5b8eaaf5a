/* SPDX-License-Identifier: BSD-2-Clause */
/* ptrace - a parent and its child: stops, signals, registers, memory, steps, system calls. */
#include "t.h"
#include <elf.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#define P(req, pid, addr, data)	syscall(SYS_ptrace, (long)(req), (long)(pid), (long)(addr), (long)(data))

static void
stop_of(const char *what, pid_t pid)
{
	int status = 0;
	pid_t r;

	errno = 0;
	r = waitpid(pid, &status, __WALL);
	if (r != pid)
		t_say("%s: wait %s", what, t_errno(errno));
	else if (WIFSTOPPED(status) && status >> 16 != 0)
		t_say("%s: stopped by %s, event %d", what, t_signal(WSTOPSIG(status)), status >> 16);
	else if (WIFSTOPPED(status) && (WSTOPSIG(status) & 0x80) != 0)
		t_say("%s: stopped at a system call", what);
	else
		t_status(what, status);
}

static pid_t
traced(void (*fn)(void))
{
	pid_t pid = fork();

	if (pid == 0) {
		MUST(P(PTRACE_TRACEME, 0, 0, 0) == 0);
		raise(SIGSTOP);
		fn();
		_exit(7);
	}
	return pid;
}

static void
finish(pid_t pid)
{
	P(PTRACE_KILL, pid, 0, 0);
	kill(pid, SIGKILL);
	stop_of("end", pid);
}

static volatile long shared_word = 1234;
static const long fixed_word = 5678;
static volatile sig_atomic_t handled;

static void
on_usr1(int sig)
{
	handled = sig;
}

static void
signals(void)
{
	t_handle(SIGUSR1, on_usr1, 0);
	t_handle(SIGUSR2, on_usr1, 0);
	raise(SIGUSR1);
	t_say("  handled %s", t_signal((int)handled));
	handled = 0;
	raise(SIGUSR1);
	t_say("  handled %s", t_signal((int)handled));
	handled = 0;
	raise(SIGUSR1);
	t_say("  handled %s", t_signal((int)handled));
	signal(SIGUSR1, SIG_IGN);
	raise(SIGUSR1);
	raise(SIGTERM);
}

static void
delivery(void)
{
	pid_t pid = traced(signals);
	siginfo_t si;

	stop_of("begin", pid);
	T(P(PTRACE_GETSIGINFO, pid, 0, &si));
	t_say("signo %d code %d mine %d", si.si_signo, si.si_code, si.si_pid == pid);
	MUST(P(PTRACE_CONT, pid, 0, 0) == 0);
	stop_of("to be passed on", pid);
	MUST(P(PTRACE_CONT, pid, 0, SIGUSR1) == 0);
	stop_of("to be suppressed", pid);
	MUST(P(PTRACE_CONT, pid, 0, 0) == 0);
	stop_of("to be replaced", pid);
	T(P(PTRACE_CONT, pid, 0, 65));
	MUST(P(PTRACE_CONT, pid, 0, SIGUSR2) == 0);
	stop_of("ignored", pid);
	MUST(P(PTRACE_CONT, pid, 0, SIGUSR1) == 0);
	stop_of("deadly", pid);
	MUST(P(PTRACE_CONT, pid, 0, SIGTERM) == 0);
	stop_of("end", pid);
	MUST(P(PTRACE_CONT, pid, 0, 0) == 0);
}

static void
nothing(void)
{
	raise(SIGUSR1);
}

static void
memory(void)
{
	pid_t pid = traced(nothing);
	long w = 0;
	char path[64];
	int fd;

	stop_of("begin", pid);
	T(P(PTRACE_PEEKDATA, pid, &shared_word, &w));
	T(w);
	T(P(PTRACE_PEEKDATA, pid, &fixed_word, &w));
	T(w);
	T(P(PTRACE_POKEDATA, pid, &shared_word, 4321));
	T(P(PTRACE_POKEDATA, pid, &fixed_word, 8765));
	T(P(PTRACE_PEEKDATA, pid, &fixed_word, &w));
	T(w);
	T(*(const volatile long *)&fixed_word);
	T(P(PTRACE_POKETEXT, pid, (void *)nothing, 1));
	T(P(PTRACE_PEEKTEXT, pid, (void *)nothing, &w));
	T(w);
	T(P(PTRACE_PEEKDATA, pid, 8, &w));
	T(P(PTRACE_POKEDATA, pid, 8, 1));
	T(P(PTRACE_PEEKDATA, pid, &shared_word, 8));
	T(P(PTRACE_PEEKDATA, pid, -8, &w));

	snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
	fd = open(path, O_RDWR);
	t_need(fd >= 0, "mem");
	T(pread(fd, &w, sizeof w, (off_t)(uintptr_t)&fixed_word));
	T(w);
	w = 99;
	T(pwrite(fd, &w, sizeof w, (off_t)(uintptr_t)&fixed_word));
	w = 0;
	T(P(PTRACE_PEEKDATA, pid, &fixed_word, &w));
	T(w);
	T(pread(fd, &w, sizeof w, 16));
	close(fd);
	finish(pid);
}

static void
registers(void)
{
	pid_t pid = traced(nothing);
	struct iovec iov;
	struct user_regs_struct u, v;
	long w = 0;

	stop_of("begin", pid);
	T(P(PTRACE_GETREGS, pid, 0, &u));
	t_say("cs %lx ss %lx ds %lx", (long)u.cs, (long)u.ss, (long)u.ds);
	iov = (struct iovec){ &v, sizeof v };
	T(P(PTRACE_GETREGSET, pid, NT_PRSTATUS, &iov));
	t_say("%zu bytes, same %d", iov.iov_len, memcmp(&u, &v, sizeof u) == 0);
	iov.iov_len = 16;
	T(P(PTRACE_GETREGSET, pid, NT_PRSTATUS, &iov));
	T(iov.iov_len);
	iov.iov_len = 13;
	T(P(PTRACE_GETREGSET, pid, NT_PRSTATUS, &iov));
	iov.iov_len = 4096;
	T(P(PTRACE_GETREGSET, pid, 0x777, &iov));
	T(P(PTRACE_PEEKUSER, pid, offsetof(struct user, regs.rip), &w));
	t_say("rip same %d", w == (long)u.rip);
	T(P(PTRACE_PEEKUSER, pid, 3, &w));
	T(P(PTRACE_PEEKUSER, pid, sizeof(struct user), &w));
	T(P(PTRACE_PEEKUSER, pid, offsetof(struct user, u_debugreg[7]), &w));
	T(P(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[7]), 0));
	T(P(PTRACE_POKEUSER, pid, offsetof(struct user, regs.rbx), 77));
	T(P(PTRACE_PEEKUSER, pid, offsetof(struct user, regs.rbx), &w));
	T(w);
	T(P(PTRACE_POKEUSER, pid, offsetof(struct user, regs.cs), 0));
	T(P(PTRACE_POKEUSER, pid, offsetof(struct user, regs.fs_base), -1));
	T(P(PTRACE_SETREGS, pid, 0, &u));
	T(P(PTRACE_SETREGS, pid, 0, 8));
	T(P(PTRACE_GETREGS, pid, 0, 8));
	T(P(4711, pid, 0, 0));
	T(P(PTRACE_LISTEN, pid, 0, 0));
	T(P(PTRACE_INTERRUPT, pid, 0, 0));
	T(P(PTRACE_SETOPTIONS, pid, 0, 0x80000000));
	T(P(PTRACE_GETSIGMASK, pid, 7, &w));
	T(P(PTRACE_GETSIGMASK, pid, 8, &w));
	T(w);
	w = -1;
	T(P(PTRACE_SETSIGMASK, pid, 8, &w));
	T(P(PTRACE_GETSIGMASK, pid, 8, &w));
	t_say("mask %lx", w);
	finish(pid);
}

static void
floats(void)
{
	struct user_fpregs_struct f, g;
	static char image[16384], again[16384];
	struct iovec iov = { image, sizeof image };
	pid_t pid = traced(nothing);

	stop_of("begin", pid);
	T(P(PTRACE_GETFPREGS, pid, 0, &f));
	t_say("cwd %x mxcsr %x", f.cwd, f.mxcsr);
	f.cwd = 0x27f;
	f.mxcsr = 0x1fa0;
	f.xmm_space[0] = 0x12345678;
	f.st_space[0] = 0x1234;
	T(P(PTRACE_SETFPREGS, pid, 0, &f));
	T(P(PTRACE_GETFPREGS, pid, 0, &g));
	t_say("cwd %x mxcsr %x xmm %x st %x", g.cwd, g.mxcsr, g.xmm_space[0], g.st_space[0]);
	f.mxcsr = 0xffffffff;
	T(P(PTRACE_SETFPREGS, pid, 0, &f));
	T(P(PTRACE_GETREGSET, pid, NT_X86_XSTATE, &iov));
	t_say("xsave image %d", iov.iov_len >= 576);
	T(P(PTRACE_SETREGSET, pid, NT_X86_XSTATE, &iov));
	iov.iov_base = again;
	T(P(PTRACE_GETREGSET, pid, NT_X86_XSTATE, &iov));
	t_say("same %d", memcmp(image, again, iov.iov_len) == 0);
	memset(again + 512 + 16, 1, 8);
	T(P(PTRACE_SETREGSET, pid, NT_X86_XSTATE, &iov));
	iov.iov_len = 64;
	T(P(PTRACE_SETREGSET, pid, NT_X86_XSTATE, &iov));
	iov.iov_len = 512;
	T(P(PTRACE_GETREGSET, pid, NT_PRFPREG, &iov));
	T(P(PTRACE_CONT, pid, 0, 0));
	stop_of("goes on with them", pid);
	T(P(PTRACE_GETFPREGS, pid, 0, &g));
	t_say("cwd %x mxcsr %x", g.cwd, g.mxcsr);
	finish(pid);
}

static void
calls(void)
{
	syscall(SYS_getppid);
	t_say("  getuid gives %ld", (long)syscall(SYS_getuid));
	errno = 0;
	t_say("  getgid gives %ld", (long)syscall(SYS_getgid));
	t_say("  close(-1) gives %d %s", close(-1), t_errno(errno));
	_exit(3);
}

static void
call_stop(pid_t pid)
{
	struct __ptrace_syscall_info si;
	struct user_regs_struct u;
	long n;

	stop_of("call", pid);
	memset(&si, 0, sizeof si);
	n = P(PTRACE_GET_SYSCALL_INFO, pid, sizeof si, &si);
	MUST(P(PTRACE_GETREGS, pid, 0, &u) == 0);
	if (si.op == PTRACE_SYSCALL_INFO_ENTRY)
		t_say("%ld bytes, arch %x, begin of %ld, rax %d, ip %d", n, si.arch, (long)si.entry.nr,
		    (int)u.rax, si.instruction_pointer == u.rip);
	else if (si.op == PTRACE_SYSCALL_INFO_EXIT)
		t_say("%ld bytes, end of %ld, error %d", n, (long)u.orig_rax, si.exit.is_error);
	else
		t_say("%ld bytes, op %d", n, si.op);
}

static void
syscalls(void)
{
	pid_t pid = traced(calls);
	struct user_regs_struct u;

	stop_of("begin", pid);
	T(P(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD));
	P(PTRACE_SYSCALL, pid, 0, 0);		/* musl's raise() restores the mask */
	for (;;) {
		int status;

		MUST(waitpid(pid, &status, 0) == pid);
		MUST(P(PTRACE_GETREGS, pid, 0, &u) == 0);
		if ((long)u.orig_rax == SYS_getppid)
			break;
		MUST(P(PTRACE_SYSCALL, pid, 0, 0) == 0);
	}
	T(P(PTRACE_SYSCALL, pid, 0, 0));
	call_stop(pid);
	T(P(PTRACE_SYSCALL, pid, 0, 0));
	call_stop(pid);				/* getuid: another result */
	T(P(PTRACE_SYSCALL, pid, 0, 0));
	call_stop(pid);
	MUST(P(PTRACE_GETREGS, pid, 0, &u) == 0);
	u.rax = 4242;
	MUST(P(PTRACE_SETREGS, pid, 0, &u) == 0);
	P(PTRACE_SYSCALL, pid, 0, 0);
	call_stop(pid);				/* write */
	P(PTRACE_SYSCALL, pid, 0, 0);
	call_stop(pid);
	P(PTRACE_SYSCALL, pid, 0, 0);
	call_stop(pid);				/* getgid: not made */
	MUST(P(PTRACE_POKEUSER, pid, offsetof(struct user, regs.orig_rax), -1) == 0);
	P(PTRACE_SYSCALL, pid, 0, 0);
	call_stop(pid);
	P(PTRACE_CONT, pid, 0, 0);
	stop_of("end", pid);
}

static void
steps(void)
{
	__asm__ volatile("nop; nop; int3; nop; mov $39, %%eax; syscall; nop; nop"
	    ::: "rax", "rcx", "r11", "memory");
	__asm__ volatile("pushf; pop %%rax; and $0x100, %%eax; int3" ::: "rax", "memory");
	raise(SIGUSR1);
	_exit(0);
}

static void
stepping(void)
{
	pid_t pid = traced(steps);
	struct user_regs_struct u, v;
	siginfo_t si;

	stop_of("begin", pid);
	P(PTRACE_CONT, pid, 0, 0);
	stop_of("breakpoint", pid);
	T(P(PTRACE_GETSIGINFO, pid, 0, &si));
	t_say("code %#x", si.si_code);
	MUST(P(PTRACE_GETREGS, pid, 0, &u) == 0);
	for (int i = 0; i < 5; i++) {
		T(P(PTRACE_SINGLESTEP, pid, 0, 0));
		stop_of("step", pid);
		MUST(P(PTRACE_GETSIGINFO, pid, 0, &si) == 0);
		MUST(P(PTRACE_GETREGS, pid, 0, &v) == 0);
		t_say("%d bytes on, code %d, flag %d", (int)(v.rip - u.rip), si.si_code,
		    (v.eflags & 0x100) != 0);
	}
	P(PTRACE_CONT, pid, 0, 0);
	stop_of("breakpoint", pid);
	MUST(P(PTRACE_GETREGS, pid, 0, &u) == 0);
	t_say("the program's own flag %d", (int)u.rax);
	P(PTRACE_CONT, pid, 0, 0);
	stop_of("signal", pid);
	P(PTRACE_SINGLESTEP, pid, 0, 0);
	stop_of("step", pid);
	P(PTRACE_SINGLESTEP, pid, 0, SIGKILL);
	stop_of("end", pid);
}

static void
in_handler(void)
{
	t_handle(SIGUSR1, on_usr1, 0);
	raise(SIGUSR1);
	t_say("  after the handler");
	_exit(0);
}

/* Stepping with a signal leads to the handler's first instruction. */
static void
step_into_handler(void)
{
	pid_t pid = traced(in_handler);
	struct user_regs_struct u;

	stop_of("begin", pid);
	P(PTRACE_CONT, pid, 0, 0);
	stop_of("signal", pid);
	P(PTRACE_SINGLESTEP, pid, 0, SIGUSR1);
	stop_of("handler", pid);
	MUST(P(PTRACE_GETREGS, pid, 0, &u) == 0);
	t_say("at its beginning %d", u.rip == (unsigned long)(uintptr_t)on_usr1);
	P(PTRACE_SINGLESTEP, pid, 0, 0);
	stop_of("step", pid);
	P(PTRACE_CONT, pid, 0, 0);
	stop_of("end", pid);
}

static void
not_mine(void)
{
	pid_t pid = fork();
	long w;

	if (pid == 0)
		for (;;)
			pause();
	T(P(PTRACE_CONT, pid, 0, 0));
	T(P(PTRACE_PEEKDATA, pid, &w, &w));
	T(P(PTRACE_ATTACH, getpid(), 0, 0));
	T(P(PTRACE_ATTACH, 0x7fffffff, 0, 0));
	T(P(PTRACE_ATTACH, -1, 0, 0));
	T(P(PTRACE_SEIZE, pid, 1, 0));
	T(P(PTRACE_SEIZE, pid, 0, 0x80000000));
	T(P(PTRACE_ATTACH, pid, 0, 0));
	T(P(PTRACE_ATTACH, pid, 0, 0));
	stop_of("attached", pid);
	T(P(PTRACE_DETACH, pid, 0, 65));
	T(P(PTRACE_DETACH, pid, 0, SIGTERM));
	stop_of("let go with a signal", pid);
}

int
main(void)
{
	delivery();
	memory();
	registers();
	floats();
	syscalls();
	stepping();
	step_into_handler();
	not_mine();
	return 0;
}
