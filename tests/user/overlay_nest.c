/* SPDX-License-Identifier: BSD-2-Clause */
/* An overlay as a lower layer of another one: what each shows, what changes.  needs: root mounts */
#include "overlay.h"

#define FILES	12
#define PROCS	4

static void
layers(void)
{
	static const char *const dirs[] = { "low/d", "low/d/deep", "low/gone", "low2", "low2/d", "m2", "up2",
	    "work2" };
	char p[64];

	for (size_t i = 0; i < T_COUNT(dirs); i++)
		mkdir(dirs[i], 0755);
	t_file("low/f", "lowest f", 0644);
	t_file("low/g", "lowest g", 0640);
	t_file("low/d/x", "lowest x", 0644);
	t_file("low/d/deep/y", "lowest y", 0600);
	t_file("low/gone/z", "lowest z", 0600);
	t_file("low2/d/w", "beside w", 0644);
	for (int i = 0; i < FILES; i++) {
		sprintf(p, "low/d/%d", i);
		t_file(p, "every process has a byte", 0644);
	}
	T(mount("o", "m", "overlay", 0, OV_LAYERS));
	t_file("m/f", "middle f", 0644);
	t_file("m/d/new", "middle new", 0644);
	T(unlink("m/gone/z"));
	T(rmdir("m/gone"));
	T(mkdir("m/gone", 0711));
}

/* Numbers differ, and a file keeps its own when it is copied. */
static void
numbers(void)
{
	static const char *const names[] = { "m2/f", "m2/g", "m2/d", "m2/d/x", "m2/d/w", "m2/d/deep",
	    "m2/d/deep/y" };
	struct stat was, st, other;
	int same = 0;

	for (size_t i = 0; i < T_COUNT(names); i++)
		for (size_t k = 0; k < i; k++)
			same += stat(names[i], &st) == 0 && stat(names[k], &other) == 0 &&
			    st.st_ino == other.st_ino;
	stat("m2/d/x", &was);
	t_file("m2/d/x", "upper x", 0644);
	stat("m2/d/x", &st);
	t_say("same numbers: %d, another after the copy: %d", same, st.st_ino != was.st_ino);
}

static void
changing(void)
{
	T(rename("m2/f", "m2/d/moved"));
	T(unlink("m2/g"));
	T(mkdir("m2/gone/again", 0755));
	T(chmod("m2/d/deep/y", 0444));
	T(rename("m2/d/deep", "m2/deep"));
	T(symlink("d/x", "m2/link"));
	T(mknod("m2/whiteout", S_IFCHR, 0));
	ov_show("m2");
	t_say("-- and below");
	ov_show("m");
}

/* All of them want the same copies at once, through both. */
static void
together(void)
{
	char p[64], c;
	int bad = 0, status;

	for (int me = 0; me < PROCS; me++) {
		if (fork() != 0)
			continue;
		c = (char)('0' + me);
		for (int i = 0; i < FILES; i++) {
			int fd;

			sprintf(p, "m2/d/%d", (i + me * 3) % FILES);
			fd = open(p, O_RDWR);
			bad += fd < 0 || pwrite(fd, &c, 1, me) != 1;
			close(fd);
		}
		_exit(bad);
	}
	while (wait(&status) > 0)
		bad += status != 0;
	for (int i = 0; i < FILES; i++) {
		char buf[8] = "";
		int fd;

		sprintf(p, "m2/d/%d", i);
		fd = open(p, O_RDONLY);
		bad += pread(fd, buf, PROCS + 1, 0) != PROCS + 1 || memcmp(buf, "0123y", PROCS + 1) != 0;
		close(fd);
	}
	t_say("together: %d failed", bad);
}

static void
refused(void)
{
	char at[16], options[64];
	int n;

	mkdir("m/up", 0755);
	mkdir("m/work", 0755);
	mkdir("m3", 0755);
	T(mount("o", "m3", "overlay", 0, "lowerdir=low,upperdir=m/up,workdir=m/work"));
	/* How many there may be below each other is the kernel's business; that there is an end is not. */
	for (n = 3; n < 10; n++) {
		sprintf(at, "m%d", n);
		mkdir(at, 0755);
		sprintf(options, "lowerdir=m%d:low2", n - 1);
		if (mount("o", at, "overlay", 0, options) != 0)
			break;
	}
	t_say("too many: %s", t_errno(errno));
	sprintf(at, "m%d/d/new", n - 1);
	t_say("from the deepest: %08x", ov_sum(at));
	while (--n >= 3) {
		sprintf(at, "m%d", n);
		t_need(umount(at) == 0, "umount");
	}
}

int
main(void)
{
	ov_begin();
	ov_numbers = false;		/* Linux tells others in a directory that is made of overlays */
	layers();
	T(mount("o", "m2", "overlay", 0, "lowerdir=m:low2,upperdir=up2,workdir=work2"));
	ov_show("m2");
	numbers();
	changing();
	together();
	refused();
	T(umount("m2"));
	T(mount("o", "m2", "overlay", 0, "lowerdir=m:low2,upperdir=up2,workdir=work2"));
	ov_show("m2");
	T(umount("m2"));
	T(umount("m"));
	return 0;
}
