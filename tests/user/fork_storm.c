/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fork storm - copy-on-write under many generations and many siblings.
 *
 * Every process fills pages with a pattern made from its own position in the
 * tree and checks, after its children did the same, that nothing of theirs can
 * be seen.  A wrong reference count shows as a wrong checksum.
 */
#include "t.h"

#define PAGES	64

static uint64_t *area;

static uint64_t
sum(void)
{
	uint64_t s = 0;

	for (size_t i = 0; i < PAGES * T_PAGE / 8; i++)
		s = s * 31 + area[i];
	return s;
}

static void
scribble(uint64_t seed)
{
	for (size_t i = 0; i < PAGES; i++) {
		uint32_t r = t_rand(&seed);

		area[i * 512 + r % 512] = r;
	}
}

static int
grow(unsigned depth, uint64_t seed)
{
	uint64_t before;
	int bad = 0;

	scribble(seed);
	before = sum();
	if (depth == 0)
		return 0;
	for (unsigned k = 0; k < 3; k++) {
		int status;
		pid_t pid = fork();

		if (pid == 0)
			_exit(grow(depth - 1, seed * 7 + k + 1));
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
			bad = 1;
		if (sum() != before)
			bad = 1;
	}
	return bad;
}

/* Siblings that live at the same time, each writing while the others read. */
static void
siblings(void)
{
	pid_t pid[24];
	int ok = 0, status;
	uint64_t before = sum();

	for (unsigned k = 0; k < T_COUNT(pid); k++) {
		pid[k] = fork();
		if (pid[k] == 0) {
			uint64_t mine;

			if (sum() != before)
				_exit(1);
			scribble(k + 100);
			mine = sum();
			for (int i = 0; i < 5; i++) {
				t_sleep_ms(1);
				if (sum() != mine)
					_exit(2);
				if (i == 2 && k % 2 == 0) {
					scribble(k + 200);
					mine = sum();
				}
			}
			_exit(0);
		}
	}
	for (unsigned k = 0; k < T_COUNT(pid); k++)
		if (waitpid(pid[k], &status, 0) == pid[k] && status == 0)
			ok++;
	T(ok);
	T(sum() == before);
}

/* Parent and child take turns at writing the same page many times. */
static void
ping_pong(void)
{
	int up[2], down[2], status;
	char c = 'x';
	pid_t pid;

	t_need(pipe(up) == 0 && pipe(down) == 0, "pipe");
	area[0] = 1000;
	pid = fork();
	if (pid == 0) {
		for (unsigned i = 0; i < 200; i++) {
			if (read(down[0], &c, 1) != 1 || area[0] != 1000 + i)
				_exit(1);
			area[0]++;
			if (write(up[1], &c, 1) != 1)
				_exit(2);
		}
		_exit(0);
	}
	for (unsigned i = 0; i < 200; i++) {
		area[0] = 5000 + i;
		if (write(down[1], &c, 1) != 1 || read(up[0], &c, 1) != 1 || area[0] != 5000 + i) {
			t_say("lost at %u", i);
			break;
		}
	}
	waitpid(pid, &status, 0);
	t_status("ping-pong child", status);
}

int
main(void)
{
	area = (uint64_t *)(void *)t_pages(PAGES);
	T(grow(4, 1));
	siblings();
	ping_pong();
	return 0;
}
