/* SPDX-License-Identifier: BSD-2-Clause */
/* chroot - a new root for names, and the ways around that Linux leaves open.  needs: root */
#include "t.h"

int
main(void)
{
	char buf[PATH_MAX];
	int out = open("..", O_RDONLY);

	mkdir("jail", 0755);
	mkdir("jail/in", 0755);
	t_file("jail/file", "inside", 0644);
	t_file("outside", "outside", 0644);
	symlink("/file", "jail/abs");
	symlink("../outside", "jail/rel");
	T(chroot("missing"));
	T(chroot("outside"));
	if (t_child("in the jail") == 0) {
		T(chdir("jail"));
		T(chroot("."));
		t_cat("/file");
		t_cat("file");
		t_cat("/abs");
		t_cat("/rel");
		t_cat("/../outside");
		t_cat("/../../../file");
		T(chdir("/in"));
		T(getcwd(buf, sizeof buf) != NULL);
		t_say("%s", buf);
		T(chdir("../../.."));
		T(getcwd(buf, sizeof buf) != NULL);
		t_say("%s", buf);
		T(fchdir(out));
		T((long)syscall(SYS_getcwd, buf, sizeof buf) > 0);
		t_say("%.13s", buf);
		T(access("chroot/outside", F_OK));
		_exit(0);
	}
	if (t_child("without chdir") == 0) {
		T(chroot("jail"));
		t_cat("outside");
		t_cat("/file");
		T_OK(syscall(SYS_getcwd, buf, sizeof buf));
		t_say("%.13s", buf);
		_exit(0);
	}
	t_cat("outside");
	return 0;
}
