/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls on memory that ends - partial results where Linux gives them,
 * EFAULT where it does not, and never a byte beyond.
 */
#include "t.h"
#include <sys/utsname.h>

static char *edge;	/* first byte that is not there; two pages before it are */

static void
pipes(void)
{
	int p[2];
	char buf[64];
	ssize_t n;

	t_need(pipe(p) == 0, "pipe");
	memset(edge - 100, 'e', 100);
	T(write(p[1], edge - 10, 20));
	T(fcntl(p[0], F_GETFD));
	n = -1;
	ioctl(p[0], FIONREAD, &n);
	t_say("in the pipe: %d", (int)n);
	while (n > 0 && (n = read(p[0], buf, (size_t)n)) > 0)
		break;
	T(write(p[1], "0123456789", 10));
	T(read(p[0], edge - 4, 10));
	t_say("%.4s", edge - 4);
	n = -1;
	ioctl(p[0], FIONREAD, &n);
	t_say("left in the pipe: %d", (int)n);
	T(read(p[0], edge, 1) == -1 ? errno == EFAULT : 0);
	T(write(p[1], NULL, 5));
	T(write(p[1], NULL, 0));
	T_SYS(write, p[1], 0x8000000000000000, 5);
	T_SYS(write, p[1], 0xffffffffffffff00, 0x200);
	T_SYS(write, p[1], (char *)0x7ffffffff000, 5);
	close(p[0]);
	close(p[1]);
}

static void
files(void)
{
	int fd = open("f", O_CREAT | O_RDWR | O_TRUNC, 0600);
	struct iovec v[3] = { { edge - 4, 4 }, { edge, 4 }, { edge - 8, 4 } };

	memcpy(edge - 8, "ABCDEFGH", 8);
	T(write(fd, edge - 8, 20));
	T(lseek(fd, 0, SEEK_CUR));
	T(pwrite(fd, edge, 4, 2));
	T(lseek(fd, 0, SEEK_END));
	T(pwrite(fd, "0123456789", 10, 0));
	T(pread(fd, edge - 6, 10, 0));
	t_say("%.6s", edge - 6);
	T(pread(fd, edge, 10, 0));
	T(lseek(fd, 0, SEEK_SET));
	T(readv(fd, v, 3));
	T(lseek(fd, 0, SEEK_CUR));
	lseek(fd, 0, SEEK_SET);
	T(writev(fd, v, 3));
	T(lseek(fd, 0, SEEK_CUR));
	T_SYS(readv, fd, v, -1);
	T_SYS(readv, fd, v, 1025);
	T_SYS(readv, fd, v, 0);
	T_SYS(readv, fd, edge - 16, 2);
	v[0].iov_len = (size_t)-1;
	T(readv(fd, v, 2));
	v[0].iov_len = 0x7fffffffffffffff;
	v[1].iov_len = 1;
	T(readv(fd, v, 2));
	close(fd);
	T_SYS(read, fd, edge, 10);
}

static void
strings(void)
{
	memcpy(edge - 2, "ab", 2);
	T(open(edge - 2, O_RDONLY));
	memcpy(edge - 2, "f", 2);
	T_OK(open(edge - 2, O_RDONLY));
	T(open(edge, O_RDONLY));
	T(access(edge - 3 + 3, F_OK));
	T(mkdir(NULL, 0700));
	T(rename("f", edge));
	T(symlink(edge, "x"));
	T(chdir((char *)8));
	T(readlink("f", edge, 4));
	T_SYS(getcwd, edge, 4096);
	T_SYS(getcwd, edge - 1, 1);
}

static void
structures(void)
{
	int p[2];

	t_need(pipe(p) == 0, "pipe");
	T_SYS(uname, edge - sizeof(struct utsname) + 1);
	T_SYS(uname, edge - sizeof(struct utsname));
	T_SYS(stat, "f", edge - sizeof(struct stat) + 8);
	T_SYS(stat, "f", edge - sizeof(struct stat));
	T_SYS(fstat, 1, 8);
	T_SYS(pipe2, edge - 4, 0);
	T_SYS(pipe2, 8, 0);
	T_SYS(poll, edge - 4, 1, 0);
	T_SYS(poll, edge, 0, 0);
	T_SYS(select, 10, edge, NULL, NULL, NULL);
	T_SYS(nanosleep, edge, NULL);
	T_SYS(clock_gettime, CLOCK_MONOTONIC, edge - 8);
	T_SYS(gettimeofday, edge - 8, NULL);
	T_SYS(getrlimit, RLIMIT_NOFILE, edge - 8);
	T_SYS(setrlimit, RLIMIT_NOFILE, edge);
	T_SYS(getrusage, RUSAGE_SELF, edge - 16);
	T_SYS(times, edge - 8);
	T_SYS(sysinfo, edge - 8);
	T_SYS(getgroups, 0, edge);
	T_SYS(ioctl, p[0], FIONREAD, edge);
	T_SYS(futex, edge, 0, 0, NULL);
	T_SYS(getrandom, edge, 8, 0);
	T_SYS(getrandom, edge - 4, 8, 0);
	T_SYS(statfs, "f", edge - 8);
	T_SYS(utimensat, AT_FDCWD, "f", edge - 8, 0);
	T_SYS(sched_getaffinity, 0, 128, edge);
	T_SYS(set_robust_list, edge, 24);
	T_SYS(set_robust_list, edge, 23);
	T_SYS(getitimer, ITIMER_REAL, edge);
	T_SYS(prctl, PR_GET_NAME, edge - 8);
	T_SYS(prctl, PR_SET_NAME, edge);
}

/* The page table changes under a system call that waits. */
static void
unmapped_while_waiting(void)
{
	int p[2], status;
	pid_t pid;

	t_need(pipe(p) == 0, "pipe");
	pid = fork();
	if (pid == 0) {
		t_sleep_ms(20);
		_exit(write(p[1], "data", 4) == 4 ? 0 : 1);
	}
	T(read(p[0], edge - 2, 4));
	waitpid(pid, &status, 0);
}

/* A large copy over pages that are copy-on-write, untouched, and file-backed. */
static void
many_kinds(void)
{
	int p[2], fd = open("k", O_CREAT | O_RDWR, 0600), status;
	char *big = t_pages(16), *file;
	uint32_t sum = 0;
	pid_t pid;

	t_need(pipe(p) == 0 && ftruncate(fd, 16 * T_PAGE) == 0, "setup");
	file = mmap(NULL, 16 * T_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	for (int i = 0; i < 16 * T_PAGE; i += 7)
		if (i / T_PAGE % 2 == 0)
			big[i] = (char)i;
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 4; i++)
			if (write(p[1], big + 3000 * i, 16 * T_PAGE - 12000) < 0)
				_exit(1);
		_exit(0);
	}
	for (size_t got = 0; got < 4 * (16 * T_PAGE - 12000);) {
		ssize_t n = read(p[0], file + got % 30011, 20000);

		t_need(n > 0, "read");
		got += (size_t)n;
	}
	waitpid(pid, &status, 0);
	t_status("writer", status);
	for (int i = 0; i < 16 * T_PAGE; i++)
		sum += (uint8_t)big[i];
	t_say("source sum %u", sum);
}

int
main(void)
{
	char *p = t_pages(3);

	munmap(p + 2 * T_PAGE, T_PAGE);
	edge = p + 2 * T_PAGE;
	pipes();
	files();
	strings();
	structures();
	unmapped_while_waiting();
	many_kinds();
	return 0;
}
