/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * disk DEVICE FILE - what reads, writes and questions of a block device answer, a line each.
 *
 * The device is 1 MiB of 512-byte blocks, and is written to.  FILE is made, for a shared mapping of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef BLKPBSZGET
#define BLKPBSZGET _IO(0x12, 123)
#endif
#define SIZE	(1 << 20)
#define PAGE	4096

static const char *device;
static int fd, direct;
static unsigned char *mem, *gap;	/* both whole pages; behind gap there is nothing */

static void
show(const char *what, long r)
{
	if (r < 0)
		printf("%s: %s\n", what, strerror(errno));
	else
		printf("%s: %ld\n", what, r);
}

static int
all(const unsigned char *p, size_t n, int v)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != v)
			return 0;
	return 1;
}

static void *
fresh_memory(size_t n)
{
	return mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void
questions(void)
{
	uint64_t bytes = 0;
	unsigned long sectors = 0;
	struct stat st;
	int v = 0;

	show("fstat", fstat(fd, &st));
	show("is a block device", S_ISBLK(st.st_mode));
	show("size by its end", lseek(fd, 0, SEEK_END));
	show("beyond the end", lseek(fd, 1, SEEK_END));
	show("before the start", lseek(fd, -1, SEEK_SET));
	show("BLKGETSIZE64", ioctl(fd, BLKGETSIZE64, &bytes) == 0 ? (long)bytes : -1);
	show("BLKGETSIZE", ioctl(fd, BLKGETSIZE, &sectors) == 0 ? (long)sectors : -1);
	show("BLKSSZGET", ioctl(fd, BLKSSZGET, &v) == 0 ? v : -1);
	show("BLKPBSZGET", ioctl(fd, BLKPBSZGET, &v) == 0 ? v : -1);
	show("BLKROGET", ioctl(fd, BLKROGET, &v) == 0 ? v : -1);
	show("BLKFLSBUF", ioctl(fd, BLKFLSBUF, 0));
	show("ftruncate", ftruncate(fd, 0));
	show("fsync", fsync(fd));
	show("fdatasync", fdatasync(fd));
	show("open as a directory", open(device, O_RDONLY | O_DIRECTORY));
}

static void
bytes(void)
{
	int ro = open(device, O_RDONLY), ap = open(device, O_WRONLY | O_APPEND);

	memset(mem, 0xaa, SIZE);
	show("write all", pwrite(fd, mem, SIZE, 0));
	show("three bytes over two blocks", pwrite(fd, "xyz", 3, 510));
	memset(mem, 0, SIZE);
	show("read all", pread(fd, mem, SIZE, 0));
	show("as written", memcmp(mem + 510, "xyz", 3) == 0 && all(mem, 510, 0xaa) &&
	    all(mem + 513, SIZE - 513, 0xaa));
	show("odd place and length", pread(fd, mem, 1000, 77));
	show("what is there", memcmp(mem + 433, "xyz", 3) == 0);
	show("read at the end", pread(fd, mem, 10, SIZE));
	show("read behind the end", pread(fd, mem, 10, SIZE + 1000));
	show("read over the end", pread(fd, mem, 10, SIZE - 3));
	show("write at the end", pwrite(fd, mem, 10, SIZE));
	show("write over the end", pwrite(fd, mem, 10, SIZE - 3));
	show("write nothing at the end", pwrite(fd, mem, 0, SIZE));
	show("read before the start", pread(fd, mem, 1, -1));
	show("write by a reader", write(ro, mem, 1));
	show("append", write(ap, mem, 1));
	show("truncating open", close(open(device, O_RDWR | O_TRUNC)));
	show("takes nothing", pread(fd, mem, 3, 510) == 3 && memcmp(mem, "xyz", 3) == 0);
	show("no memory to read to", pread(fd, gap + PAGE, 512, 0));
	show("no memory to write from", pwrite(fd, gap + PAGE, 512, 0));
	memset(gap, 0xbb, PAGE);
	show("half of the memory, written", pwrite(fd, gap, 2 * PAGE, 8192));
	show("it is there", pread(fd, mem, 2 * PAGE, 8192) == 2 * PAGE && all(mem, PAGE, 0xbb) &&
	    all(mem + PAGE, PAGE, 0xaa));
	close(ro);
	close(ap);
}

/* How memory must be aligned is the device's business. */
static int
done_or_refused(long r)
{
	return r == 512 || (r < 0 && errno == EINVAL);
}

static void
direct_rules(void)
{
	struct iovec good[2] = { { mem, 512 }, { mem + 2 * PAGE, 1024 } };
	struct iovec bad[2] = { { mem, 512 }, { mem + 2049, 512 } };

	memset(mem, 0x11, SIZE);
	show("direct: write all", pwrite(direct, mem, SIZE, 0));
	memset(mem, 0, SIZE);
	show("direct: read all", pread(direct, mem, SIZE, 0));
	show("direct: as written", all(mem, SIZE, 0x11));
	show("direct: one block", pread(direct, mem, 512, 512));
	show("direct: odd place", pread(direct, mem, 512, 100));
	show("direct: odd length", pread(direct, mem, 100, 512));
	show("direct: odd memory: refused, or done", done_or_refused(pread(direct, mem + 1, 512, 512)));
	show("direct: odd place, written", pwrite(direct, mem, 512, 100));
	show("direct: odd length, written", pwrite(direct, mem, 100, 512));
	show("direct: odd memory, written", done_or_refused(pwrite(direct, mem + 1, 512, 512)));
	show("direct: memory by blocks", pread(direct, mem + 512, 8192, 512));
	show("direct: pieces", preadv(direct, good, 2, 0));
	show("direct: an odd piece", preadv(direct, bad, 2, 0));
	show("direct: at the end", pread(direct, mem, 512, SIZE));
	show("direct: over the end", pread(direct, mem, 1024, SIZE - 512));
	show("direct: write at the end", pwrite(direct, mem, 512, SIZE));
	show("direct: write over the end", pwrite(direct, mem, 1024, SIZE - 512));
	show("direct: no memory", pread(direct, gap + PAGE, 512, 0));
	mprotect(gap, PAGE, PROT_READ);
	show("direct: read to memory that is read-only", pread(direct, gap, 512, 0));
	show("direct: written from there", pwrite(direct, gap, 512, 0));
	mprotect(gap, PAGE, PROT_READ | PROT_WRITE);
	pwrite(fd, "buffered", 8, 512);
	show("direct: sees what was written", pread(direct, mem, 512, 512) == 512 &&
	    memcmp(mem, "buffered", 8) == 0);
}

/* Memory that is shared until somebody writes to it, and pages of a file. */
static void
direct_memory(const char *file)
{
	int f = open(file, O_RDWR | O_CREAT | O_TRUNC, 0600), status = 1;
	unsigned char *map, *fresh = fresh_memory(4 * PAGE);
	pid_t pid;

	memset(mem, 0x22, SIZE);
	show("memory: prepared", pwrite(fd, mem, SIZE, 0));
	memset(mem, 0x33, 4 * PAGE);
	pid = fork();
	if (pid == 0)
		_exit(pread(direct, mem, 4 * PAGE, 0) != 4 * PAGE || !all(mem, 4 * PAGE, 0x22));
	waitpid(pid, &status, 0);
	show("memory: a child reads to its own", WIFEXITED(status) && WEXITSTATUS(status) == 0);
	show("memory: not to its parent's", all(mem, 4 * PAGE, 0x33));
	show("memory: never touched, written", pwrite(direct, fresh, 4 * PAGE, 65536));
	show("memory: is zero", pread(fd, mem, 4 * PAGE, 65536) == 4 * PAGE && all(mem, 4 * PAGE, 0));
	show("memory: never touched, read to", pread(direct, fresh, 4 * PAGE, 0));
	show("memory: has it", all(fresh, 4 * PAGE, 0x22));
	show("memory: file", ftruncate(f, 4 * PAGE));
	map = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0);
	show("memory: shared, read to", pread(direct, map, 4 * PAGE, 0));
	show("memory: the file has it", pread(f, mem, 4 * PAGE, 0) == 4 * PAGE && all(mem, 4 * PAGE, 0x22));
	close(f);
}

/* Two write halves of the same blocks. */
static void
halves(void)
{
	unsigned char half[256];
	int status, ok = 1;
	pid_t pid;

	memset(mem, 0, 16384);
	pwrite(fd, mem, 16384, 0);
	pid = fork();
	memset(half, pid == 0 ? 1 : 2, sizeof half);
	for (int turn = 0; turn < 50; turn++)
		for (int b = 0; b < 32; b++)
			ok &= pwrite(fd, half, sizeof half, b * 512 + (pid == 0 ? 0 : 256)) == sizeof half;
	if (pid == 0)
		_exit(!ok);
	waitpid(pid, &status, 0);
	pread(fd, mem, 16384, 0);
	for (int b = 0; b < 32; b++)
		ok &= all(mem + b * 512, 256, 1) && all(mem + b * 512 + 256, 256, 2);
	show("halves of blocks, by two", ok && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static _Atomic(unsigned char *) target;
static atomic_int stop;

static void *
reader(void *arg)
{
	(void)arg;
	while (!atomic_load(&stop))
		(void)pread(direct, atomic_load(&target), 16 * PAGE, 0);
	return NULL;
}

/* Memory goes away while the device writes to it.  What is mapped next is zero, and stays so. */
static void
unmapped(void)
{
	unsigned char *p = fresh_memory(16 * PAGE), *q;
	pthread_t t;
	int ok = 1;

	memset(mem, 0x44, 16 * PAGE);
	pwrite(fd, mem, 16 * PAGE, 0);
	atomic_store(&target, p);
	pthread_create(&t, NULL, reader, NULL);
	for (int i = 0; i < 300; i++) {
		munmap(p, 16 * PAGE);
		q = fresh_memory(32 * PAGE);
		if (q < p + 16 * PAGE && p < q + 32 * PAGE) {	/* the reader's, once it is there */
			munmap(q, 32 * PAGE);
			q = NULL;
		}
		for (int k = 0; k < 32 && q != NULL; k++)
			q[k * PAGE] = 0;
		mmap(p, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		ok &= q == NULL || all(q, 32 * PAGE, 0);
		if (q != NULL)
			munmap(q, 32 * PAGE);
	}
	atomic_store(&stop, 1);
	pthread_join(t, NULL);
	show("memory that goes away", ok);
}

int
main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	device = argv[1];
	fd = open(device, O_RDWR);
	direct = open(device, O_RDWR | O_DIRECT);
	mem = fresh_memory(SIZE);
	gap = fresh_memory(2 * PAGE);
	if (fd < 0 || direct < 0 || mem == MAP_FAILED || gap == MAP_FAILED) {
		perror(device);
		return 1;
	}
	munmap(gap + PAGE, PAGE);
	questions();
	bytes();
	direct_rules();
	direct_memory(argv[2]);
	halves();
	unmapped();
	return 0;
}
