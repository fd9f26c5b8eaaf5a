/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many at pipes, FIFOs and terminals: records up to PIPE_BUF stay whole with
 * several writers and readers, poll loses no wake-up, a FIFO's open meets
 * its other side however short that stays, and a terminal whose master goes
 * away lets nobody wait.
 */
#include "t.h"

#include <pthread.h>
#include <stdatomic.h>

static int
ended_well(int n)
{
	int status, well = 0;

	for (int i = 0; i < n; i++)
		if (wait(&status) > 0 && status == 0)
			well++;
	return well;
}

/* ---------------------------------------------------- writers and readers -- */

#define SIDE	3
#define EACH	400
static _Atomic uint64_t *sums;		/* shared: of what was written, of what was read, records read */

static void
write_records(int fd, int me, size_t size)
{
	unsigned char r[PIPE_BUF];

	for (int i = 0; i < EACH; i++) {
		memset(r, me * 64 + i % 64, size);
		atomic_fetch_add(&sums[0], r[0]);
		MUST(write(fd, r, size) == (ssize_t)size);
	}
}

static void
read_records(int fd, size_t size)
{
	unsigned char r[PIPE_BUF];
	ssize_t n;

	while ((n = read(fd, r, size)) > 0) {
		MUST(n == (ssize_t)size);
		for (ssize_t i = 1; i < n; i++)
			MUST(r[i] == r[0]);
		atomic_fetch_add(&sums[1], r[0]);
		atomic_fetch_add(&sums[2], 1);
	}
	MUST(n == 0);
}

/* A size that divides the page: what one reader takes is what one writer put. */
static void
records(size_t size)
{
	int p[2];

	MUST(pipe(p) == 0);
	for (int k = 0; k < 3; k++)
		atomic_store(&sums[k], 0);
	for (int i = 0; i < 2 * SIDE; i++)
		if (fork() == 0) {
			close(p[i % 2]);
			if (i % 2 == 0)
				write_records(p[1], i / 2, size);
			else
				read_records(p[0], size);
			_exit(0);
		}
	close(p[0]);
	close(p[1]);
	T(ended_well(2 * SIDE));
	t_say("records of %zu: %d, sums equal %d", size, (int)sums[2], sums[0] == sums[1]);
}

/* The writer puts more than fits, in pieces of all sizes; the reader takes other pieces: no byte is lost. */
static void
stream(void)
{
	static unsigned char b[200000];
	uint64_t seed = 9, hash[2] = { 0, 0 };
	int p[2], back[2], status;

	MUST(pipe(p) == 0 && pipe(back) == 0);
	if (fork() == 0) {
		ssize_t n;

		close(p[1]);
		seed = 10;
		while ((n = read(p[0], b, 1 + t_rand(&seed) % 70000)) > 0)
			for (ssize_t i = 0; i < n; i++)
				hash[0] = hash[0] * 31 + b[i];
		MUST(write(back[1], hash, 8) == 8);
		_exit(0);
	}
	close(p[0]);
	for (int i = 0; i < 60; i++) {
		size_t n = 1 + t_rand(&seed) % sizeof b;

		for (size_t k = 0; k < n; k++) {
			b[k] = (unsigned char)(k * 7 + (size_t)i);
			hash[1] = hash[1] * 31 + b[k];
		}
		MUST(write(p[1], b, n) == (ssize_t)n);
	}
	close(p[1]);
	MUST(read(back[0], hash, 8) == 8 && wait(&status) > 0);
	t_say("stream: equal %d", hash[0] == hash[1]);
	close(back[0]);
	close(back[1]);
}

/* A token goes round; each waits with poll for its turn, also on a pipe where nothing comes. */
static void
ring(void)
{
	int p[5][2];

	for (int i = 0; i < 5; i++)
		MUST(pipe(p[i]) == 0);
	for (int i = 0; i < 4; i++)
		if (fork() == 0) {
			struct pollfd f[2] = { { .fd = p[4][0], .events = POLLIN }, { .fd = p[i][0], .events = POLLIN } };
			char c;

			for (int k = 0; k < 500; k++) {
				MUST(poll(f, 2, -1) == 1 && f[0].revents == 0 && f[1].revents == POLLIN);
				MUST(read(p[i][0], &c, 1) == 1 && write(p[(i + 1) % 4][1], &c, 1) == 1);
			}
			_exit(0);
		}
	MUST(write(p[0][1], "t", 1) == 1);
	T(ended_well(4));
	for (int i = 0; i < 5; i++) {
		close(p[i][0]);
		close(p[i][1]);
	}
}

/* ------------------------------------------------------------------- FIFOs -- */

static void
fifo(void)
{
	int ack[2];
	char c;

	MUST(mkfifo("fifo", 0600) == 0 && pipe(ack) == 0);
	if (fork() == 0) {
		for (int i = 0; i < 500; i++) {
			int fd = open("fifo", O_WRONLY);

			MUST(fd >= 0);
			if (i % 2 == 0)
				MUST(write(fd, "x", 1) == 1);
			close(fd);
			MUST(read(ack[0], &c, 1) == 1);
		}
		_exit(0);
	}
	for (int i = 0; i < 500; i++) {
		int fd = open("fifo", O_RDONLY);

		MUST(fd >= 0);
		if (i % 2 == 0)
			MUST(read(fd, &c, 1) == 1);
		MUST(read(fd, &c, 1) == 0);	/* the writer is gone: it does not meet the next round */
		close(fd);
		MUST(write(ack[1], "a", 1) == 1);
	}
	T(ended_well(1));
}

/* --------------------------------------------------------------- terminals -- */

/* The terminal is opened, read and made the controlling one while its master closes. */
static void
terminal(int i, int master, const char *name)
{
	char buf[16];
	int fd;

	close(master);
	if (i % 2 == 0)
		setsid();
	signal(SIGHUP, SIG_IGN);
	fd = open(name, O_RDWR);
	if (fd < 0)
		_exit(0);		/* it is going or gone; which of that is the host's to say */
	if (i % 3 == 0)
		write(fd, "hello\n", 6);
	if (i % 4 == 0)
		tcgetpgrp(fd);
	while (read(fd, buf, sizeof buf) > 0)
		;
	_exit(0);
}

static void
terminals(void)
{
	int well = 0;

	for (int i = 0; i < 150; i++) {
		int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC), unlock = 0, n = -1;
		char name[32];

		MUST(master >= 0 && ioctl(master, TIOCSPTLCK, &unlock) == 0 && ioctl(master, TIOCGPTN, &n) == 0);
		snprintf(name, sizeof name, "/dev/pts/%d", n);
		for (int k = 0; k < 2; k++)
			if (fork() == 0)
				terminal(i + k, master, name);
		if (i % 5 != 0)
			t_sleep_ms(i % 3);
		if (i % 3 == 1)
			write(master, "line\n", 5);
		close(master);
		well += ended_well(2);
	}
	T(well);
}

int
main(void)
{
	sums = mmap(NULL, T_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	t_need(sums != MAP_FAILED, "mmap");
	records(1);
	records(64);
	records(PIPE_BUF);
	stream();
	ring();
	fifo();
	terminals();
	return 0;
}
