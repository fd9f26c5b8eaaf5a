/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pattern - write, check and trouble a disk, or a file, by many threads and past all caches.
 *
 *	pattern fill PATH SEED THREADS	all of it; the bytes follow from seed and place
 *	pattern check PATH SEED THREADS	are they there?  Places that are not, or cannot be read, are named.
 *	pattern busy PATH SEED THREADS SECONDS	checks again and again, up to 5000 errors; "go": it is open
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PIECE		4096u
#define RUN_MAX		24u		/* pieces in one call */
#define THREADS_MAX	64
#define TOLD_MAX	32
#define BUSY_MAX	5000		/* errors */

static int fd;
static uint64_t pieces, key;
static bool filling, busy;
static time_t end;
static _Atomic uint64_t next, good, bad;
static pthread_mutex_t told = PTHREAD_MUTEX_INITIALIZER;

static void
make(uint64_t *p, uint64_t piece)
{
	uint64_t x = (piece + 1) * 0x9e3779b97f4a7c15ull ^ key * 0xd1342543de82ef95ull;

	for (unsigned i = 0; i < PIECE / 8; i++) {
		x ^= x >> 29;
		x *= 0xbf58476d1ce4e5b9ull;
		p[i] = x += i;
	}
}

static void
fail(uint64_t piece, const char *why)
{
	if (++bad > TOLD_MAX || busy)
		return;
	pthread_mutex_lock(&told);
	printf("%llu: %s\n", (unsigned long long)piece, why);
	pthread_mutex_unlock(&told);
}

static void
check(const uint8_t *buf, uint64_t at, uint64_t n)
{
	uint64_t want[PIECE / 8];

	for (uint64_t i = 0; i < n; i++) {
		make(want, at + i);
		if (memcmp(want, buf + i * PIECE, PIECE) == 0)
			good++;
		else
			fail(at + i, "other bytes");
	}
}

/* Those of a run that can be done, if not all at once. */
static void
transfer(uint8_t *buf, uint64_t at, uint64_t n)
{
	const size_t bytes = n * PIECE;
	ssize_t got;

	memset(buf, 0x55, bytes);
	for (uint64_t i = 0; filling && i < n; i++)
		make((uint64_t *)(void *)(buf + i * PIECE), at + i);
	got = filling ? pwrite(fd, buf, bytes, (off_t)(at * PIECE)) :
	    pread(fd, buf, bytes, (off_t)(at * PIECE));
	if (got == (ssize_t)bytes && filling)
		good += n;
	else if (got == (ssize_t)bytes)
		check(buf, at, n);
	else if (n == 1)
		fail(at, got < 0 ? strerror(errno) : "short");
	else
		for (uint64_t i = 0; i < n; i++)
			transfer(buf, at + i, 1);
}

/* Runs of several lengths, in an order that is none. */
static void *
work(void *arg)
{
	const uint64_t runs = (pieces + RUN_MAX - 1) / RUN_MAX;
	uint8_t *buf = aligned_alloc(PIECE, RUN_MAX * PIECE);
	uint64_t run;

	(void)arg;
	while ((run = next++) < runs || busy) {
		uint64_t at = run * 7919 % runs * RUN_MAX, to = at + RUN_MAX;

		if (busy && (time(NULL) >= end || bad >= BUSY_MAX))
			break;
		if (to > pieces)
			to = pieces;
		for (uint64_t n = 1 + at / RUN_MAX % RUN_MAX; at < to; at += n) {
			n = n < to - at ? n : to - at;
			transfer(buf, at, n);
		}
	}
	free(buf);
	return NULL;
}

int
main(int argc, char **argv)
{
	pthread_t thread[THREADS_MAX];
	int threads = argc < 5 ? 0 : atoi(argv[4]);

	if (threads < 1 || threads > THREADS_MAX)
		return 2;
	filling = strcmp(argv[1], "fill") == 0;
	busy = strcmp(argv[1], "busy") == 0;
	end = time(NULL) + (argc > 5 ? atoi(argv[5]) : 0);
	key = strtoull(argv[3], NULL, 10);
	fd = open(argv[2], (filling ? O_RDWR : O_RDONLY) | O_DIRECT);
	if (fd < 0) {
		printf("%s: %s\n", argv[2], strerror(errno));
		return 1;
	}
	if (busy) {
		printf("%s: go\n", argv[2]);
		fflush(stdout);
	}
	pieces = (uint64_t)lseek(fd, 0, SEEK_END) / PIECE;
	for (int i = 0; i < threads; i++)
		if (pthread_create(&thread[i], NULL, work, NULL) != 0)
			return 2;
	for (int i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	if (filling && fsync(fd) != 0)
		fail(0, "fsync");
	printf("%s: %s %s, bad %llu\n", argv[2], argv[1], good > 0 ? "good" : "nothing",
	    (unsigned long long)bad);
	return bad != 0;
}
