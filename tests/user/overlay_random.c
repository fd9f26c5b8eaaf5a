/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random operations on an overlay: each one's answer and the tree that is left must be Linux's.
 * needs: root mounts
 */
#include "overlay.h"

#define SEEDS	40
#define STEPS	120

static void
put(const char *p, unsigned what)
{
	char text[96];
	int fd = open(p, O_CREAT | O_WRONLY | (what % 2 != 0 ? O_APPEND : O_TRUNC), 0644);

	if (fd < 0)
		return;
	sprintf(text, "%s %u", p, what);
	t_need(write(fd, text, strlen(text)) > 0, "write");
	close(fd);
}

static void
fill(const char *top)
{
	char p[64];

	for (int i = 0; i < 40; i++) {
		ov_path(top, p);
		switch (ov_next(4)) {
		case 0: case 1: mkdir(p, 0755); break;
		case 2: put(p, ov_next(10)); break;
		default: symlink("a", p); break;
		}
	}
}

static const char *
answer(int r)
{
	return r < 0 ? t_errno(errno) : "ok";
}

static void
step(const char *top, int i)
{
	char p[64], q[64];
	unsigned what = ov_next(14);
	struct stat st;
	int fd;

	ov_path(top, p);
	ov_path(top, q);
	errno = 0;
	switch (what) {
	case 0: t_say("%d mkdir %s: %s", i, p, answer(mkdir(p, 0700))); break;
	case 1: t_say("%d rmdir %s: %s", i, p, answer(rmdir(p))); break;
	case 2: case 3: t_say("%d unlink %s: %s", i, p, answer(unlink(p))); break;
	case 4: case 5: t_say("%d rename %s %s: %s", i, p, q, answer(rename(p, q))); break;
	case 6: t_say("%d link %s %s: %s", i, p, q, answer(link(p, q))); break;
	case 7: t_say("%d symlink %s: %s", i, p, answer(symlink("b/c", p))); break;
	case 8: t_say("%d chmod %s: %s", i, p, answer(chmod(p, 0500 + ov_next(64)))); break;
	case 9: t_say("%d truncate %s: %s", i, p, answer(truncate(p, ov_next(20)))); break;
	case 10: t_say("%d exchange %s %s: %s", i, p, q, answer((int)syscall(SYS_renameat2, AT_FDCWD, p,
	    AT_FDCWD, q, 2))); break;
	case 11: t_say("%d lstat %s: %s", i, p, answer(lstat(p, &st))); break;
	default:
		fd = open(p, O_CREAT | O_RDWR | (what == 12 ? O_APPEND : 0), 0644);
		t_say("%d open %s: %s", i, p, answer(fd));
		if (fd >= 0 && write(fd, p, strlen(p)) > 0)
			close(fd);
		break;
	}
}

/* What is low becomes an overlay, too, that has been changed. */
static void
below(void)
{
	mkdir("up0", 0755);
	mkdir("work0", 0755);
	t_need(mount("o", "low", "overlay", 0, "lowerdir=low,upperdir=up0,workdir=work0") == 0, "below");
	fill("low");
	for (int i = 0; i < STEPS / 4; i++)
		step("low", i);
}

int
main(void)
{
	char opt[64], dir[16];

	ov_begin();
	for (unsigned seed = 1; seed <= SEEDS; seed++) {
		ov_state = seed * 7919;
		sprintf(dir, "s%u", seed);
		mkdir(dir, 0755);
		t_need(chdir(dir) == 0, "chdir");
		mkdir("low", 0755);
		mkdir("low2", 0755);
		mkdir("up", 0755);
		mkdir("work", 0755);
		mkdir("m", 0755);
		fill("low");
		if (seed % 3 == 0)
			fill("low2");
		ov_numbers = seed % 4 != 1;	/* Linux tells others, for overlays in overlays */
		if (seed % 4 == 1)
			below();
		sprintf(opt, "lowerdir=low%s,upperdir=up,workdir=work", seed % 3 == 0 ? ":low2" : "");
		t_need(mount("o", "m", "overlay", 0, opt) == 0, "an overlay");
		t_say("seed %u", seed);
		for (int i = 0; i < STEPS; i++)
			step("m", i);
		ov_show("m");
		t_need(umount("m") == 0, "umount");
		t_need(mount("o", "m", "overlay", 0, opt) == 0, "again");
		t_say("mounted again");
		ov_show("m");
		t_need(umount("m") == 0, "umount");
		t_need(seed % 4 != 1 || umount("low") == 0, "umount low");
		t_need(chdir("..") == 0, "chdir ..");
	}
	return 0;
}
