/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * call_sites - sites of system calls that are used so often that a kernel may change them, and all ways to
 * notice: registers, flags, the stack's red zone, jumps to the syscall, signals, calls that wait, steps,
 * copies of the text, changes of it and of its file, what is mapped around it and instead of it, GS, forks,
 * and threads that all come to new sites at once.
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define ARCH_SET_GS	0x1001
#define ARCH_GET_GS	0x1004
#define SITES	50
#define GAP	0x10000
#define PAGE	4096ul

extern char with_moves[], moves_end[];
long	at_moves(long cmd);		/* fcntl(1, cmd) */
long	at_read(int fd, void *buf, size_t n);
long	at_library_read(int fd, void *buf, size_t n);	/* as the GNU library's */
extern char site[], site_ret[], sites[];
extern char text_begin[] __asm__("__executable_start"), text_end[] __asm__("etext");
long	at_site(void);
/* A call with known registers: in[] and out[] are rdi rsi rdx r10 r8 r9 rbx rbp r12 r13 r14 r15 flags. */
void	with_registers(const uint64_t *in, uint64_t *out);

__asm__(
"	.text\n"
"	.p2align 12\n"
"	nop\n"
"	.globl	at_site, site, site_ret\n"
"at_site:\n"
"	nop\n"
"site:	movl	$39, %eax\n"
"	syscall\n"
"site_ret:\n"
"	ret\n"
"	.globl	at_moves, with_moves, moves_end, at_read, at_library_read\n"
"at_moves:\n"
"	nop\n"
"with_moves: movl $72, %eax; movq %rdi, %rsi; movl $1, %edi\n"
"moves_end: syscall\n"
"	ret\n"
"at_read: nop; movl $0, %eax; syscall; ret\n"
"	.p2align 4\n"
"at_library_read:\n"
"	cmpb $0, sites(%rip); je 1f; xorl %eax, %eax; syscall; cmpq $-4096, %rax; ja 2f; ret\n"
"	.byte 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0\n"
"1:	ud2\n"
"2:	ret\n"
"	.globl	with_registers\n"
"with_registers:\n"
"	pushq %rbx; pushq %rbp; pushq %r12; pushq %r13; pushq %r14; pushq %r15\n"
"	pushq %rsi\n"
"	movq %rdi, %rax\n"
"	pushq 96(%rax); popfq\n"
"	movq 0(%rax), %rdi; movq 8(%rax), %rsi; movq 16(%rax), %rdx; movq 24(%rax), %r10\n"
"	movq 32(%rax), %r8; movq 40(%rax), %r9; movq 48(%rax), %rbx; movq 56(%rax), %rbp\n"
"	movq 64(%rax), %r12; movq 72(%rax), %r13; movq 80(%rax), %r14; movq 88(%rax), %r15\n"
"	movq $0x1234567, -8(%rsp); movq $0x7654321, -128(%rsp)\n"
"	leaq 1f(%rip), %rax; movq %rax, -64(%rsp)\n"
"	movl $39, %eax\n"
"	syscall\n"
"1:	movq (%rsp), %rax\n"			/* flags stay */
"	movq %rdi, 0(%rax); movq %rsi, 8(%rax); movq %rdx, 16(%rax); movq %r10, 24(%rax)\n"
"	movq %r8, 32(%rax); movq %r9, 40(%rax); movq %rbx, 48(%rax); movq %rbp, 56(%rax)\n"
"	movq %r12, 64(%rax); movq %r13, 72(%rax); movq %r14, 80(%rax); movq %r15, 88(%rax)\n"
"	movq %rcx, 104(%rax); movq %r11, 112(%rax)\n"
"	movq -8(%rsp), %rdi; movq %rdi, 120(%rax); movq -128(%rsp), %rdi; movq %rdi, 128(%rax)\n"
"	movq -64(%rsp), %rdi; movq %rdi, 136(%rax)\n"
"	pushfq; popq 96(%rax)\n"
"	pushq $0x202; popfq\n"
"	popq %rsi\n"
"	popq %r15; popq %r14; popq %r13; popq %r12; popq %rbp; popq %rbx\n"
"	ret\n"
"	.p2align 4\n"
"sites:\n"
"	.rept	50\n"
"	nop; movl $110, %eax; syscall; ret; .p2align 4\n"
"	.endr\n");

static const uint8_t original[] = { 0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0xc3 };

static void
show(const char *what, int yes)
{
	printf("%s: %s\n", what, yes ? "yes" : "no");
	fflush(stdout);
}

static void
heat(int n)
{
	int good = 1;

	for (int i = 0; i < n; i++)
		good &= at_site() == getpid();
	show("the site answers", good);
}

static void
registers(void)
{
	static const uint64_t flags[] = { 0x202, 0x203, 0x206, 0x212, 0x242, 0x282, 0xa02, 0x602, 0xed7 };
	int bad = 0;

	for (int round = 0; round < 300; round++) {
		uint64_t in[13], out[18];

		for (int i = 0; i < 12; i++)
			in[i] = 0x1111111111111111ull * (uint64_t)(i + 1) + (uint64_t)round;
		in[12] = flags[round % 9];
		memset(out, 0, sizeof out);
		with_registers(in, out);
		bad += memcmp(in, out, sizeof in) != 0;
		bad += out[13] != out[17] || out[14] != in[12];
		bad += out[15] != 0x1234567 || out[16] != 0x7654321;
	}
	printf("registers, flags, red zone: %d bad\n", bad);
}

static void
middle(void)
{
	int bad = 0;

	for (int i = 0; i < 1000; i++) {
		long r = SYS_getppid;

		__asm__ volatile("call *%1" : "+a"(r) : "r"(site + 5) : "rcx", "r11", "memory");
		bad += r != getppid();
	}
	printf("jumps to the syscall: %d bad\n", bad);
}

static void
reads(const char *when)
{
	uint8_t got[sizeof original];
	int p[2], fd = open("/proc/self/mem", O_RDONLY);

	printf("%s: ", when);
	if (pipe(p) == 0 && write(p[1], site, sizeof got) == sizeof got &&
	    read(p[0], got, sizeof got) == sizeof got)
		printf("through a pipe %s, ", memcmp(got, original, sizeof got) == 0 ? "same" : "other");
	if (pread(fd, got, sizeof got, (off_t)(uintptr_t)site) == sizeof got)
		printf("in /proc/self/mem %s\n", memcmp(got, original, sizeof got) == 0 ? "same" : "other");
	close(fd);
	close(p[0]);
	close(p[1]);
}

static volatile int seen, outside, half;

static void
on_alarm(int signo, siginfo_t *info, void *context)
{
	const ucontext_t *uc = context;
	const char *rip = (const char *)(uintptr_t)uc->uc_mcontext.gregs[REG_RIP];

	(void)signo;
	(void)info;
	seen++;
	if ((rip < text_begin || rip >= text_end) && (rip < (char *)0x7f0000000000))
		outside++;
	/* Between the moves: the second is not made yet. */
	if (rip > with_moves + 5 && rip < moves_end && uc->uc_mcontext.gregs[REG_RDI] == 1)
		half++;
}

static void
storm(void)
{
	struct sigaction sa = { .sa_sigaction = on_alarm, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct itimerval it = { { 0, 500 }, { 0, 500 } };
	long wrong = 0;

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
	for (int pid = getpid(), flags = fcntl(1, F_GETFL); seen < 500;)
		wrong += at_site() != pid || at_moves(F_GETFL) != flags || at_moves(F_GETFD) != 0 ||
		    at_library_read(-1, NULL, 0) != -EBADF;
	memset(&it, 0, sizeof it);
	setitimer(ITIMER_REAL, &it, NULL);
	printf("a storm of signals: %ld wrong answers, %d outside of the text, %d half done\n", wrong,
	    outside, half);
}

static void
on_nothing(int signo)
{
	(void)signo;
}

/* A call that waits, and is interrupted: it ends, or is made again. */
static void
waits(long (*by)(int, void *, size_t))
{
	struct itimerval it = { { 0, 0 }, { 0, 20000 } };
	int p[2], status, ends = 0, goes_on = 0;
	char c = 'x';

	if (pipe(p) != 0)
		return;
	for (int i = 0; i < 40 && write(p[1], &c, 1) == 1; i++)
		ends += by(p[0], &c, 1) == 1;
	printf("reads: %d\n", ends);
	for (int restart = 0; restart < 2; restart++) {
		struct sigaction sa = { .sa_handler = on_nothing, .sa_flags = restart ? SA_RESTART : 0 };
		pid_t child;

		sigaction(SIGALRM, &sa, NULL);
		fflush(stdout);
		child = restart ? fork() : -1;
		if (child == 0) {
			usleep(100000);
			_exit(write(p[1], "y", 1) != 1);
		}
		setitimer(ITIMER_REAL, &it, NULL);
		if (restart)
			goes_on = by(p[0], &c, 1) == 1 && c == 'y';
		else
			ends = by(p[0], &c, 1) == -EINTR;
		if (child > 0)
			waitpid(child, &status, 0);
	}
	printf("one that waits is interrupted: %d, made again: %d\n", ends, goes_on);
	close(p[0]);
	close(p[1]);
}

static volatile int steps;
static const char *volatile stepped[8];

static void
on_step(int signo, siginfo_t *info, void *context)
{
	const ucontext_t *uc = context;
	const char *rip = (const char *)(uintptr_t)uc->uc_mcontext.gregs[REG_RIP];

	(void)signo;
	(void)info;
	if (rip >= site - 1 && rip <= site_ret && steps < 8)
		stepped[steps++] = rip;
}

static void
step(void)
{
	struct sigaction sa = { .sa_sigaction = on_step, .sa_flags = SA_SIGINFO };

	sigaction(SIGTRAP, &sa, NULL);
	__asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq; call at_site; pushfq; andq $~0x100, (%%rsp);"
	    "popfq" ::: "rax", "rcx", "r11", "memory", "cc");
	printf("steps:");
	for (int i = 0; i < steps; i++)
		printf(" %d", (int)(stepped[i] - site));
	printf("\n");
}

static void
child_steps(void)
{
	int status;

	fflush(stdout);
	if (fork() == 0) {
		heat(100);
		step();
		heat(100);
		exit(0);
	}
	wait(&status);
}

static void
change(void)
{
	char *page = (char *)((uintptr_t)site & ~4095ul);
	int status;

	fflush(stdout);
	if (fork() == 0) {
		show("text made writable", mprotect(page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
		site[1] = SYS_getppid;
		show("and changed", at_site() == getppid());
		for (int i = 0; i < 100; i++)
			(void)at_site();
		site[1] = SYS_getpid;
		show("and back", at_site() == getpid());
		exit(0);
	}
	wait(&status);
}

static void
around(void)
{
	char *below = (char *)((uintptr_t)text_begin - GAP);
	int status;

	fflush(stdout);
	if (fork() == 0) {
		heat(100);
		show("nothing is below the text", mmap(below, GAP, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == below);
		memset(below, 0xcc, GAP);
		heat(100);
		show("it is there", below[GAP - 1] == (char)0xcc);
		exit(0);
	}
	wait(&status);
	if (fork() == 0) {
		heat(100);
		show("below the text", mmap(below, 4096, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == below && munmap(below, 4096) == 0);
		heat(100);
		show("unmapped", munmap(below, GAP) == 0);
		heat(100);
		exit(0);
	}
	wait(&status);
}

static void
gs(void)
{
	static uint64_t word = 0x5a5a5a5a5a5a5a5aull;
	uint64_t v = 1;
	int status;

	fflush(stdout);
	if (fork() == 0) {
		heat(100);
		show("GS base is zero", syscall(SYS_arch_prctl, ARCH_GET_GS, &v) == 0 && v == 0);
		show("GS base is set", syscall(SYS_arch_prctl, ARCH_SET_GS, &word) == 0);
		heat(100);
		__asm__ volatile("movq %%gs:0, %0" : "=r"(v));
		show("and used", v == word);
		exit(0);
	}
	wait(&status);
}

/* Files with one call each, which are mapped at one place in turn, and changed while they are. */
static void
files(void)
{
	static const int call[2] = { SYS_getppid, SYS_getpid };
	char name[2][40];
	uint8_t *at = NULL;
	int fd[2], bad = 0;

	for (int i = 0; i < 2; i++) {
		uint8_t code[] = { 0x90, 0xb8, (uint8_t)call[i], 0, 0, 0, 0x0f, 0x05, 0xc3 };

		snprintf(name[i], sizeof name[i], "call_sites.%d.%d", (int)getpid(), i);
		fd[i] = open(name[i], O_RDWR | O_CREAT | O_TRUNC, 0700);
		if (ftruncate(fd[i], 3 * PAGE) != 0 ||
		    pwrite(fd[i], code, sizeof code, PAGE + 16) != sizeof code)
			printf("no file\n");
	}
	for (int round = 0; round < 20; round++) {
		int k = round & 1, want;
		long r;

		/* As a loader does: all of it, then its text. */
		at = mmap(at, 3 * PAGE, PROT_READ, MAP_PRIVATE | (at != NULL ? MAP_FIXED : 0), fd[k], 0);
		if (at == MAP_FAILED || mmap(at + PAGE, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED,
		    fd[k], PAGE) != at + PAGE) {
			printf("no mapping\n");
			break;
		}
		want = k == 0 ? getppid() : getpid();
		for (int i = 0; i < 40; i++) {
			__asm__ volatile("call *%1" : "=a"(r) : "r"(at + PAGE + 16) : "rcx", "r11", "memory");
			bad += r != want;
		}
		munmap(at, 3 * PAGE);
	}
	printf("two files at one place: %d bad\n", bad);
	at = mmap(NULL, 3 * PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd[0], 0);
	for (int round = 0; round < 4; round++) {
		uint8_t nr = (uint8_t)call[round & 1];
		int want = (round & 1) == 0 ? getppid() : getpid();
		long r;

		if (pwrite(fd[0], &nr, 1, PAGE + 18) != 1)
			printf("not written\n");
		for (int i = 0; i < 40; i++) {
			__asm__ volatile("call *%1" : "=a"(r) : "r"(at + PAGE + 16) : "rcx", "r11", "memory");
			bad += r != want;
		}
	}
	printf("a file that changes below: %d bad\n", bad);
	munmap(at, 3 * PAGE);
	for (int i = 0; i < 2; i++) {
		close(fd[i]);
		unlink(name[i]);
	}
}

static void *
first_calls(void *arg)
{
	long bad = 0, ppid = getppid();

	(void)arg;
	for (int round = 0; round < 40; round++)
		for (int i = 0; i < SITES; i++) {
			long r;

			__asm__ volatile("call *%1" : "=a"(r) : "r"(sites + 16 * i) : "rcx", "r11", "memory");
			bad += r != ppid;
		}
	return (void *)bad;
}

/* Four threads; meanwhile this one forks, and the children call, too. */
static long
threads(void)
{
	pthread_t t[4];
	long bad = 0;
	int status;
	void *r;

	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, first_calls, NULL);
	for (int i = 0; i < 3; i++) {
		if (fork() == 0)
			_exit(first_calls(NULL) != NULL);
		bad += wait(&status) < 0 || status != 0;
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(t[i], &r);
		bad += (long)r;
	}
	return bad;
}

/* The same in copies of this program: to each its sites are new. */
static void
copies(void)
{
	static char text[1 << 20];
	int self = open("/proc/self/exe", O_RDONLY), bad = 0, status;
	ssize_t n = read(self, text, sizeof text);
	char name[40];

	fflush(stdout);
	snprintf(name, sizeof name, "./call_sites.%d.copy", (int)getpid());
	for (int i = 0; i < 10; i++) {
		int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0700);

		if (write(fd, text, (size_t)n) != n)
			printf("no copy\n");
		close(fd);
		if (fork() == 0) {
			execl(name, name, "threads", NULL);
			_exit(127);
		}
		wait(&status);
		bad += status != 0;
		unlink(name);
	}
	printf("ten times four threads at fifty new sites: %d bad\n", bad);
	close(self);
}

int
main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "threads") == 0)
		return threads() != 0;
	reads("before");
	heat(100);
	reads("after");
	registers();
	middle();
	copies();
	storm();
	waits(at_read);
	waits(at_library_read);
	files();
	child_steps();
	change();
	around();
	gs();
	heat(100);
	return 0;
}
