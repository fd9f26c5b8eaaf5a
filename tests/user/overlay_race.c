/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Overlays under several processes at once: nobody sees half a copy or a file that was taken away, and one
 * file is copied up once.  needs: root mounts
 */
#include "overlay.h"

#define FILES	24
#define BYTES	(256 * 1024)
#define PROCS	4

static void
wait_all(const char *what)
{
	int bad = 0, status;

	while (wait(&status) > 0)
		bad += status != 0;
	t_say("%s: %d failed", what, bad);
}

static void
lower_files(void)
{
	static char block[BYTES];
	char p[64];

	memset(block, 'l', sizeof block);
	mkdir("low/d", 0755);
	mkdir("low/d/e", 0755);
	for (int i = 0; i < FILES; i++) {
		int fd;

		sprintf(p, "low/d/e/%d", i);
		fd = open(p, O_CREAT | O_WRONLY, 0644);
		t_need(write(fd, block, sizeof block) == BYTES, "write");
		close(fd);
	}
}

/* Each process writes its own byte into every file; all of them must be there. */
static int
same_files(int me)
{
	char p[64], c = (char)('0' + me);
	int bad = 0;

	for (int i = 0; i < FILES; i++) {
		struct stat a, b;
		int fd;

		sprintf(p, "m/d/e/%d", i);
		bad += stat(p, &a) != 0;
		fd = open(p, O_RDWR);
		bad += fd < 0 || pwrite(fd, &c, 1, me * 100) != 1;
		bad += fstat(fd, &b) != 0 || a.st_ino != b.st_ino || b.st_size != BYTES;
		close(fd);
	}
	return bad;
}

static void
check_files(void)
{
	int bad = 0;
	char p[64], c;

	for (int i = 0; i < FILES; i++) {
		int fd;

		sprintf(p, "m/d/e/%d", i);
		fd = open(p, O_RDONLY);
		for (int me = 0; me < PROCS; me++)
			bad += pread(fd, &c, 1, me * 100) != 1 || c != '0' + me;
		bad += pread(fd, &c, 1, BYTES - 1) != 1 || c != 'l';
		close(fd);
	}
	t_say("lost writes: %d", bad);
}

/* A file is renamed to and fro while others read it and copy it up: one of the two names is always whole. */
static int
moving(int me)
{
	char p[64], q[64], buf[8];
	int bad = 0;

	for (int round = 0; round < 60; round++) {
		int i = round % FILES;

		sprintf(p, "m/d/e/%d", i);
		sprintf(q, "m/d/%d", i);
		if (me == 0) {
			bad += rename(p, q) != 0;
			bad += rename(q, p) != 0;
		} else {
			int fd = open(p, me == 1 ? O_RDWR : O_RDONLY);

			if (fd < 0 && errno != ENOENT)
				bad++;
			if (fd >= 0)
				bad += pread(fd, buf, 1, BYTES - 1) != 1 || buf[0] != 'l';
			if (fd >= 0)
				close(fd);
		}
	}
	return bad;
}

/* Linux, too, may say that it came too late to copy. */
static bool
is_gone(void)
{
	return errno == ENOENT || errno == ESTALE || errno == EEXIST;
}

/* Taken away and made again while others open and change it: each sees one or the other. */
static int
replacing(int me)
{
	char p[64];
	int bad = 0;

	for (int round = 0; round < 4 * FILES; round++) {
		struct stat st;
		int fd;

		sprintf(p, "m/d/e/%d", round % FILES);
		if (me == 0) {
			bad += unlink(p) != 0;
			fd = open(p, O_CREAT | O_EXCL | O_WRONLY, 0600);
			bad += fd < 0;
			close(fd);
		} else if (me == 1) {
			if (chmod(p, 0600) != 0)
				bad += !is_gone();
		} else {
			fd = open(p, me == 2 ? O_RDONLY : O_RDWR);
			if (fd < 0)
				bad += !is_gone();
			else
				bad += fstat(fd, &st) != 0 || (st.st_size != 0 && st.st_size != BYTES);
			if (fd >= 0)
				close(fd);
		}
	}
	return bad;
}

static void
run(const char *what, int (*fn)(int))
{
	t_need(mount("o", "m", "overlay", 0, OV_LAYERS) == 0, "an overlay");
	for (int me = 0; me < PROCS; me++)
		if (fork() == 0)
			_exit(fn(me) != 0);
	wait_all(what);
}

static void
end(void)
{
	t_need(umount("m") == 0, "umount");
}

int
main(void)
{
	ov_begin();
	lower_files();
	run("one copy each", same_files);
	check_files();
	end();
	run("moving", moving);
	end();
	t_need(rename("up", "up.old") == 0 && mkdir("up", 0755) == 0, "an empty layer");
	run("moving what is below", moving);
	end();
	t_need(rename("up", "up.old2") == 0 && mkdir("up", 0755) == 0, "an empty layer");
	run("replacing", replacing);
	ov_show("m");
	end();
	return 0;
}
