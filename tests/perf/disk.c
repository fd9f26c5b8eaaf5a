/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * disk - what a disk gives to a program that goes past the cache.
 *
 *   disk [-t MS] DEVICE...
 *
 * One static program, so that both kernels that are compared run the same
 * instructions.  Sequential and random, reads and writes, of 4 and 128 KiB, by
 * one thread and by 32, that is how many requests the device has at a time;
 * each for MS milliseconds (500).  What was on the device is lost.  A line for
 * each:
 *
 *   DISK sda/random-read-4k/32 OPERATIONS_PER_SECOND INTERRUPTS_PER_OPERATION
 *
 * Interrupts are those of the numbered lines of /proc/interrupts, without
 * timers: nothing else may be busy.  Where it has none: "-".
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
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX	32
#define BYTES_MAX	(128u << 10)
#define BLKGETSIZE64	0x80081272

struct job {
	bool		random;
	bool		write;
	uint32_t	bytes;
	int		threads;
};

static int disk_fd;
static uint64_t disk_bytes;		/* const while threads run; so is: */
static struct job job;
static _Atomic uint64_t next_at;	/* sequential: in units of job.bytes */
static _Atomic uint64_t done;
static _Atomic bool stop;
static char buf[THREADS_MAX][BYTES_MAX] __attribute__((aligned(4096)));

static void
must(bool ok, const char *what)
{
	if (ok)
		return;
	printf("disk: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Numbered lines, each with a count for every processor and then a text. */
static int64_t
interrupts(void)
{
	FILE *f = fopen("/proc/interrupts", "r");
	char line[1024];
	int64_t sum = -1;

	if (f == NULL)
		return -1;
	while (fgets(line, sizeof line, f) != NULL) {
		char *p, *end;

		strtoull(line, &p, 10);
		if (p == line || *p != ':' || strstr(line, "timer") != NULL)
			continue;
		sum += sum < 0;
		for (p++;; p = end) {
			unsigned long long n = strtoull(p, &end, 10);

			if (end == p || (*end != ' ' && *end != '\n'))
				break;
			sum += (int64_t)n;
		}
	}
	fclose(f);
	return sum;
}

static void *
work(void *arg)
{
	char *b = arg;
	uint64_t x = 88172645463325252ull + (uint64_t)(uintptr_t)arg, units = disk_bytes / job.bytes;

	while (!stop) {
		uint64_t at;
		ssize_t n;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		at = (job.random ? x : next_at++) % units * job.bytes;
		n = job.write ? pwrite(disk_fd, b, job.bytes, (off_t)at) :
		    pread(disk_fd, b, job.bytes, (off_t)at);
		must(n == (ssize_t)job.bytes, job.write ? "write" : "read");
		done++;
	}
	return NULL;
}

static void
run(const char *name, uint32_t ms)
{
	struct timespec pause = { ms / 1000, (long)(ms % 1000) * 1000000 };
	pthread_t thread[THREADS_MAX];
	int64_t intr;
	double t;

	next_at = 0;
	done = 0;
	stop = false;
	intr = interrupts();
	t = now();
	for (int i = 0; i < job.threads; i++)
		must(pthread_create(&thread[i], NULL, work, buf[i]) == 0, "thread");
	while (nanosleep(&pause, &pause) != 0)
		continue;
	stop = true;
	for (int i = 0; i < job.threads; i++)
		must(pthread_join(thread[i], NULL) == 0, "join");
	t = now() - t;
	printf("DISK %s/%s-%s-%uk/%d %.1f ", name, job.random ? "random" : "sequential",
	    job.write ? "write" : "read", job.bytes >> 10, job.threads, (double)done / t);
	if (intr < 0)
		printf("-\n");
	else
		printf("%.3f\n", (double)(interrupts() - intr) / (double)done);
	fflush(stdout);
}

static void
run_all(const char *device, uint32_t ms)
{
	const char *name = strrchr(device, '/');

	disk_fd = open(device, O_RDWR | O_DIRECT);
	must(disk_fd >= 0, device);
	must(ioctl(disk_fd, BLKGETSIZE64, &disk_bytes) == 0 && disk_bytes >= BYTES_MAX, "size");
	for (int i = 0; i < 16; i++) {
		job.threads = (i & 1) != 0 ? THREADS_MAX : 1;
		job.write = (i & 2) != 0;
		job.random = (i & 4) != 0;
		job.bytes = (i & 8) != 0 ? BYTES_MAX : 4096;
		run(name != NULL ? name + 1 : device, ms);
	}
	close(disk_fd);
}

int
main(int argc, char **argv)
{
	uint32_t ms = 500;
	int c;

	while ((c = getopt(argc, argv, "t:")) != -1) {
		if (c != 't')
			return 2;
		ms = (uint32_t)strtoul(optarg, NULL, 10);
	}
	for (int i = optind; i < argc; i++)
		run_all(argv[i], ms);
	return 0;
}
