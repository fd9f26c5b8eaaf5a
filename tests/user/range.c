/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads and writes of one file from several processes, with buffers that are mappings of it. */
#include "t.h"

#define BYTES	(64 * T_PAGE)

static int
new_file(const char *name, int fill)
{
	static char block[BYTES];
	int fd = open(name, O_CREAT | O_TRUNC | O_RDWR, 0600);

	memset(block, fill, sizeof block);
	t_need(fd >= 0 && write(fd, block, sizeof block) == BYTES, name);
	return fd;
}

static char *
map(int fd)
{
	char *p = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	t_need(p != MAP_FAILED, "mmap");
	return p;
}

static void
own_mapping(void)
{
	int fd = new_file("own", 'a');
	char *p = map(fd);

	memset(p, 'b', T_PAGE);
	T(pwrite(fd, p, T_PAGE, T_PAGE));
	T(pwrite(fd, p + 100, 2 * T_PAGE, 100));
	T(pread(fd, p + 3 * T_PAGE, T_PAGE, 0));
	T(pwrite(fd, p + T_PAGE, BYTES - T_PAGE, BYTES));
	t_say("%c %c %c %c", p[0], p[T_PAGE], p[3 * T_PAGE], p[4 * T_PAGE]);
	T(ftruncate(fd, T_PAGE));
	T(pwrite(fd, p + 2 * T_PAGE, 10, 0));
	T(pwrite(fd, p + T_PAGE - 5, 10, 0));
	close(fd);
}

/* Each writes to its own file from the other's mapping: they must not wait for each other. */
static void
crossed(void)
{
	int a = new_file("cross-a", 'a'), b = new_file("cross-b", 'b'), status, bad = 0;

	for (int me = 0; me < 2; me++) {
		if (fork() == 0) {
			char *p = map(me ? a : b);

			for (int i = 0; i < 50; i++) {
				madvise(p, BYTES, MADV_DONTNEED);
				if (pwrite(me ? b : a, p, BYTES, 0) != BYTES)
					_exit(1);
			}
			_exit(0);
		}
	}
	while (wait(&status) > 0)
		bad += status != 0;
	t_say("crossed: %d failed", bad);
}

/* One makes the file shorter and longer while others write to it and to its mapping: SIGBUS, or done. */
static void
truncated(void)
{
	int fd = new_file("cut", 'c'), status, strange = 0;

	for (int me = 0; me < 3; me++) {
		if (fork() == 0) {
			char *p = map(fd);

			for (int i = 0; i < 300; i++) {
				if (me == 0)
					ftruncate(fd, i % 2 != 0 ? BYTES : 0);
				else if (me == 1)
					pwrite(fd, "x", 1, i % 64 * T_PAGE);
				else
					p[i % 64 * T_PAGE] = 'y';
			}
			_exit(0);
		}
	}
	while (wait(&status) > 0)
		strange += !(WIFEXITED(status) || WTERMSIG(status) == SIGBUS);
	t_say("truncated: %d strange ends", strange);
}

static void
appended(void)
{
	int fd = open("log", O_CREAT | O_RDWR | O_APPEND, 0600), n, bad = 0;
	char rec[37], seen[4] = "";

	for (int me = 0; me < 4; me++) {
		if (fork() == 0) {
			memset(rec, 'a' + me, sizeof rec);
			for (int i = 0; i < 200; i++)
				if (write(fd, rec, sizeof rec) != sizeof rec)
					_exit(1);
			_exit(0);
		}
	}
	while (wait(NULL) > 0)
		;
	for (n = 0; pread(fd, rec, sizeof rec, (off_t)n * (off_t)sizeof rec) == sizeof rec; n++) {
		for (size_t i = 1; i < sizeof rec; i++)
			bad += rec[i] != rec[0];
		seen[rec[0] - 'a'] = 1;
	}
	t_say("appended: %d records, %d mixed, all there: %d", n, bad, seen[0] + seen[1] + seen[2] + seen[3]);
}

/* Parts side by side, by many at once: each finds what it wrote. */
static void
side_by_side(void)
{
	int fd = new_file("parts", 0), status, bad = 0;

	for (int me = 0; me < 8; me++) {
		if (fork() == 0) {
			char out[700], in[700];

			for (int i = 0; i < 200; i++) {
				memset(out, me * 16 + i % 16, sizeof out);
				if (pwrite(fd, out, sizeof out, me * 700) != 700 ||
				    pread(fd, in, sizeof in, me * 700) != 700 || memcmp(in, out, 700) != 0)
					_exit(1);
			}
			_exit(0);
		}
	}
	while (wait(&status) > 0)
		bad += status != 0;
	t_say("side by side: %d failed", bad);
}

int
main(void)
{
	own_mapping();
	crossed();
	truncated();
	appended();
	side_by_side();
	return 0;
}
