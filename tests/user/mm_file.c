/* SPDX-License-Identifier: BSD-2-Clause */
/* Mapped files and shared memory - who sees whose writes, and what lies past the end. */
#include "t.h"

static void
private_and_shared(void)
{
	char buf[16] = "";
	int fd = open("f", O_CREAT | O_RDWR, 0644);
	char *s, *m;

	t_need(fd >= 0 && ftruncate(fd, 2 * T_PAGE) == 0, "file");
	s = mmap(NULL, 2 * T_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	m = mmap(NULL, 2 * T_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	t_need(s != MAP_FAILED && m != MAP_FAILED, "mmap");
	memcpy(s, "shared", 6);
	T(pread(fd, buf, 6, 0));
	t_say("the file has \"%s\", the private mapping \"%.6s\"", buf, m);
	memcpy(m + 10, "private", 7);
	T(pread(fd, buf, 7, 10));
	t_say("the file has %d there", buf[0]);
	T(pwrite(fd, "written", 7, T_PAGE));
	t_say("shared \"%.7s\" private \"%.7s\"", s + T_PAGE, m + T_PAGE);
	m[T_PAGE] = 'P';
	T(pwrite(fd, "again..", 7, T_PAGE));
	t_say("shared \"%.7s\" private \"%.7s\"", s + T_PAGE, m + T_PAGE);
	if (t_child("a child writes both") == 0) {
		s[0] = 'S';
		m[1] = 'M';
		_exit(0);
	}
	t_say("shared \"%.6s\" private \"%.6s\"", s, m);
	T(msync(s, T_PAGE, MS_SYNC));
	T(close(fd));
	s[1] = 'H';
	munmap(s, 2 * T_PAGE);
	munmap(m, 2 * T_PAGE);
	t_cat("f");
}

static void
on_bus(int sig, siginfo_t *si, void *ctx)
{
	(void)sig;
	(void)ctx;
	t_say("%s code %d", t_signal(sig), si->si_code);
	_exit(sig);
}

static void
past_the_end(void)
{
	int fd = open("g", O_CREAT | O_RDWR, 0644);
	volatile char *p;

	t_need(fd >= 0 && write(fd, "12345", 5) == 5, "file");
	p = mmap(NULL, 3 * T_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	t_say("byte 4 '%c', byte 5 %d, last of the page %d", p[4], p[5], p[T_PAGE - 1]);
	t_handle_info(SIGBUS, on_bus, 0);
	t_handle_info(SIGSEGV, on_bus, 0);
	if (t_child("the page after") == 0)
		_exit(p[T_PAGE]);
	p[7] = 'z';
	T(ftruncate(fd, 20));
	t_say("byte 7 after growing: %d", p[7]);
	T(ftruncate(fd, T_PAGE + 1));
	p[T_PAGE] = 'n';
	t_say("the page is there now: %c", p[T_PAGE]);
	T(ftruncate(fd, 0));
	if (t_child("nothing is left") == 0)
		_exit(p[0]);
	if (t_child("not even to write") == 0) {
		p[0] = 1;
		_exit(0);
	}
	/* For system calls it is a bad address. */
	int q[2];
	t_need(pipe(q) == 0, "pipe");
	T(write(q[1], (const void *)(uintptr_t)p, 1));
	T_SYS(uname, p);
	T(ftruncate(fd, 3));
	t_say("after growing again: %d", p[0]);
	close(fd);
	signal(SIGBUS, SIG_DFL);
	signal(SIGSEGV, SIG_DFL);
}

static void
private_after_truncate(void)
{
	int fd = open("h", O_CREAT | O_RDWR, 0644);
	char *p;

	t_need(fd >= 0 && write(fd, "abcdef", 6) == 6, "file");
	p = mmap(NULL, T_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	p[0] = 'X';
	T(ftruncate(fd, 0));
	if (t_child("a private copy goes with the file") == 0) {
		t_handle_info(SIGBUS, on_bus, 0);
		_exit(p[0] == 'X' ? 1 : 2);
	}
	close(fd);
	munmap(p, T_PAGE);
}

static void
anonymous_shared(void)
{
	volatile int *p = mmap(NULL, 4 * T_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status, n = 0;

	for (int i = 0; i < 8; i++)
		if (fork() == 0) {
			for (int k = 0; k < 1000; k++)
				__atomic_add_fetch(p, 1, __ATOMIC_RELAXED);
			p[1024 + i] = i;
			_exit(0);
		}
	while (wait(&status) > 0)
		n += status == 0;
	T(n);
	t_say("sum %d, last %d", *p, p[1024 + 7]);
	T(madvise((void *)(uintptr_t)p, T_PAGE, MADV_DONTNEED));
	t_say("shared memory is not dropped: %d", *p);
	if (t_child("grandchildren too") == 0) {
		if (t_child("grandchild") == 0) {
			*p = 5;
			_exit(0);
		}
		_exit(*p);
	}
	T(*p);
}

static void
unlinked(void)
{
	int fd = open("u", O_CREAT | O_RDWR, 0600);
	char *p;

	t_need(fd >= 0 && ftruncate(fd, T_PAGE) == 0, "file");
	p = mmap(NULL, T_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	T(unlink("u"));
	close(fd);
	memcpy(p, "still here", 10);
	t_say("%.10s", p);
	if (t_child("in the child") == 0)
		_exit(p[0] == 's');
	munmap(p, T_PAGE);
}

/* read() into a mapping of the file that is read, and write() from it. */
static void
crossed(void)
{
	int fd = open("c", O_CREAT | O_RDWR, 0600);
	char *p;

	t_need(fd >= 0 && ftruncate(fd, 4 * T_PAGE) == 0, "file");
	p = mmap(NULL, 4 * T_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	for (int i = 0; i < 4 * T_PAGE; i++)
		p[i] = (char)(i / T_PAGE + 'A');
	T(pwrite(fd, p + T_PAGE, T_PAGE, 0));
	T(pread(fd, p + 3 * T_PAGE, T_PAGE, 2 * T_PAGE));
	t_say("%c%c%c%c", p[0], p[T_PAGE], p[2 * T_PAGE], p[3 * T_PAGE]);
	T(pwrite(fd, p, 4 * T_PAGE, 4 * T_PAGE));
	T(lseek(fd, 0, SEEK_END));
	close(fd);
}

int
main(void)
{
	private_and_shared();
	past_the_end();
	private_after_truncate();
	anonymous_shared();
	unlinked();
	crossed();
	return 0;
}
