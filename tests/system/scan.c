/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scan - does the memory of an idle kernel hold anything of the host?
 *
 *	scan VKERNEL
 *
 * Everything the kernel can change lies in one memfd, and it must mean the
 * same in another process, on another host.  So it may hold no pointer into
 * what the host chose (heap, stacks, libraries, vdso), and no host pid or tid.
 *
 * A word that looks like one by chance is not one: the kernel is started
 * RUNS times, each with its own address layout and pids, and only a place that
 * looks foreign in every run counts.  That the scan sees at all is shown by
 * the kernel's own pointers, which it must find in numbers.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { RUNS = 4, RANGES_MAX = 256, PIDS_MAX = 64, PAGE = 4096, SMALL_PID = 1000 };
#define RAM_BASE	0x200000000000ull
#define KMAP_BASE	0x300000000000ull
#define KMAP_END	(KMAP_BASE + 0x4000000000ull)
#define KDATA_BASE	0x10000000ull
#define IMAGE_BASE	0x400000ull

struct range { uint64_t start, end; };
struct host {
	struct range	range[RANGES_MAX];
	int		nranges;
	uint32_t	pid[PIDS_MAX];
	int		npids;
};

static void
die(const char *what)
{
	printf("Bail out! scan: %s\n", what);
	exit(1);
}

static void
add_pid(struct host *h, long pid)
{
	if (pid >= SMALL_PID && h->npids < PIDS_MAX)
		h->pid[h->npids++] = (uint32_t)pid;
}

/* Threads of `pid`, and its children with their threads. */
static void
add_pids(struct host *h, long pid, int depth)
{
	char path[300];
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof path, "/proc/%ld/task", pid);
	d = opendir(path);
	if (d == NULL)
		return;
	while ((e = readdir(d)) != NULL) {
		FILE *f;
		long child;

		if (atol(e->d_name) == 0)
			continue;
		add_pid(h, atol(e->d_name));
		snprintf(path, sizeof path, "/proc/%ld/task/%s/children", pid, e->d_name);
		f = depth > 0 ? fopen(path, "r") : NULL;
		while (f != NULL && fscanf(f, "%ld", &child) == 1)
			add_pids(h, child, depth - 1);
		if (f != NULL)
			fclose(f);
	}
	closedir(d);
}

/* What the host chose: every mapping but the image and the machine's fixed addresses. */
static void
add_ranges(struct host *h, pid_t pid)
{
	char path[64], line[512];
	uint64_t start, end;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
	f = fopen(path, "r");
	if (f == NULL)
		die("no maps");
	while (fgets(line, sizeof line, f) != NULL) {
		if (sscanf(line, "%lx-%lx", &start, &end) != 2 || h->nranges == RANGES_MAX)
			die("maps not understood");
		if ((start >= RAM_BASE && start < RAM_BASE + (1ull << 40)) || (start >= KMAP_BASE && start < KMAP_END))
			continue;
		if (start >= IMAGE_BASE && end <= KDATA_BASE + (64u << 20) && strstr(line, "[heap]") == NULL)
			continue;
		h->range[h->nranges++] = (struct range){ start, end };
	}
	fclose(f);
}

static int
open_ram(pid_t pid)
{
	char path[300], link[300];
	struct dirent *e;
	ssize_t n;
	DIR *d;
	int fd = -1;

	snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
	d = opendir(path);
	while (d != NULL && fd < 0 && (e = readdir(d)) != NULL) {
		snprintf(path, sizeof path, "/proc/%d/fd/%s", (int)pid, e->d_name);
		n = readlink(path, link, sizeof link - 1);
		if (n <= 0)
			continue;
		link[n] = '\0';
		if (strstr(link, "memfd:hk-ram") != NULL)
			fd = open(path, O_RDONLY);
	}
	if (d != NULL)
		closedir(d);
	if (fd < 0)
		die("no RAM among the descriptors");
	return fd;
}

static bool
is_foreign(const struct host *h, uint64_t word)
{
	for (int i = 0; i < h->nranges; i++)
		if (word >= h->range[i].start && word < h->range[i].end)
			return true;
	return false;
}

static bool
is_pid(const struct host *h, uint32_t half)
{
	for (int i = 0; i < h->npids; i++)
		if (half == h->pid[i])
			return true;
	return false;
}

/* seen[]: one byte per 4 bytes of RAM, counting the runs in which something foreign stood there. */
static uint64_t
scan(int fd, const struct host *h, uint8_t *seen, uint64_t bytes)
{
	static uint32_t page[PAGE / 4];
	uint64_t own = 0;
	off_t off = 0;

	while ((off = lseek(fd, off, SEEK_DATA)) >= 0 && (uint64_t)off < bytes) {
		if (pread(fd, page, PAGE, off) != PAGE)
			die("RAM cannot be read");
		for (size_t i = 0; i < PAGE / 4; i++) {
			uint64_t word = i % 2 == 0 ? page[i] | (uint64_t)page[i + 1] << 32 : 0;

			own += word >= RAM_BASE && word < RAM_BASE + bytes;
			if (is_pid(h, page[i]) || (word != 0 && is_foreign(h, word)))
				seen[(uint64_t)off / 4 + i]++;
		}
		off += PAGE;
	}
	return own;
}

/* CPU time of all threads, so that "idle" is seen and not guessed; 0: one is not asleep. */
static uint64_t
cpu_ns(pid_t pid)
{
	char path[300];
	uint64_t sum = 0, ns;
	bool asleep = true;
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	d = opendir(path);
	while (d != NULL && (e = readdir(d)) != NULL) {
		FILE *f;
		char state;

		snprintf(path, sizeof path, "/proc/%d/task/%s/stat", (int)pid, e->d_name);
		f = fopen(path, "r");
		/* Its time stands still as well while others have the host's CPUs. */
		if (f != NULL && fscanf(f, "%*d (%*[^)]) %c", &state) == 1 && state != 'S')
			asleep = false;
		if (f != NULL)
			fclose(f);
		snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", (int)pid, e->d_name);
		f = fopen(path, "r");
		if (f != NULL && fscanf(f, "%lu", &ns) == 1)
			sum += ns;
		if (f != NULL)
			fclose(f);
	}
	if (d != NULL)
		closedir(d);
	return asleep ? sum : 0;
}

/* Its program has said so, and then nothing happens any more. */
static void
wait_idle(pid_t pid, int out)
{
	uint64_t last = 0, now;
	char c;

	if (read(out, &c, 1) != 1)
		die("the kernel's program does not run");
	for (int quiet = 0, i = 0; quiet < 3 && i < 500; i++) {
		nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
		now = cpu_ns(pid);
		quiet = now == last && now != 0 ? quiet + 1 : 0;
		last = now;
	}
}

int
main(int argc, char **argv)
{
	uint8_t *seen = NULL;
	uint64_t bytes = 0, own = 0, foreign = 0;

	if (argc != 2)
		die("usage: scan VKERNEL");
	for (int run = 0; run < RUNS; run++) {
		struct host h = { .nranges = 0 };
		struct stat st;
		pid_t pid = -1;
		int fd, out[2];

		if (pipe(out) != 0 || (pid = fork()) < 0)
			die("no process");
		if (pid == 0) {
			dup2(out[1], 1);
			execl(argv[1], "vkernel", "--timeout=600s", "--", "sh", "-c", "echo; exec sleep 500", (char *)NULL);
			_exit(125);
		}
		close(out[1]);
		wait_idle(pid, out[0]);
		close(out[0]);
		kill(pid, SIGSTOP);
		fd = open_ram(pid);
		if (fstat(fd, &st) != 0)
			die("no size of RAM");
		if (seen == NULL)
			seen = calloc((size_t)st.st_size / 4, 1);
		bytes = (uint64_t)st.st_size;
		add_ranges(&h, pid);
		add_pids(&h, pid, 2);
		own = scan(fd, &h, seen, bytes);
		close(fd);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	for (uint64_t i = 0; i < bytes / 4; i++) {
		if (seen[i] < RUNS)
			continue;
		if (foreign++ < 16)
			printf("# something of the host stands at physical address %#lx\n", i * 4);
	}
	printf("%s 1 - the scan sees the kernel's own pointers\n", own > 1000 ? "ok" : "not ok");
	printf("%s 2 - an idle kernel holds nothing of the host\n", foreign == 0 ? "ok" : "not ok");
	printf("1..2\n");
	return own <= 1000 || foreign != 0;
}
