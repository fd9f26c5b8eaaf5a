/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Layers that are changed behind an overlay's back: what it then shows is undefined, but nothing breaks, and
 * afterwards it can be unmounted.  needs: root mounts
 */
#include "overlay.h"

#define STEPS	1500

static void
step(const char *top)
{
	char p[64], q[64];
	struct stat st;
	int fd;

	ov_path(top, p);
	ov_path(top, q);
	switch (ov_next(11)) {
	case 0: mkdir(p, 0700); break;
	case 1: rmdir(p); break;
	case 2: unlink(p); break;
	case 3: rename(p, q); break;
	case 4: link(p, q); break;
	case 5: symlink("b/c", p); break;
	case 6: chmod(p, 0700); break;
	case 7: syscall(SYS_renameat2, AT_FDCWD, p, AT_FDCWD, q, 2); break;
	case 8: lstat(p, &st); break;
	case 9:
		fd = open(p, O_RDONLY | O_DIRECTORY);
		for (DIR *d = fd < 0 ? NULL : fdopendir(fd); d != NULL; d = NULL) {
			while (readdir(d) != NULL)
				;
			closedir(d);
		}
		break;
	default:
		fd = open(p, O_CREAT | O_RDWR, 0644);
		if (fd >= 0)
			(void)!write(fd, p, 10);
		if (fd >= 0)
			close(fd);
		break;
	}
}

int
main(void)
{
	static const char *const tops[] = { "m", "m", "m", "up", "low", "work/work" };
	int status, bad = 0;

	ov_begin();
	ov_state = 7;
	mkdir("work/work", 0700);
	for (int i = 0; i < 60; i++)
		step("low");
	t_need(mount("o", "m", "overlay", 0, OV_LAYERS) == 0, "an overlay");
	for (unsigned i = 0; i < T_COUNT(tops); i++) {
		if (fork() == 0) {
			ov_state = i * 77 + 1;
			for (int k = 0; k < STEPS; k++)
				step(tops[i]);
			_exit(0);
		}
	}
	while (wait(&status) > 0)
		bad += status != 0;
	t_say("%d died", bad);
	T(umount("m"));
	T(chdir(".."));
	T(umount("fs"));
	return 0;
}
