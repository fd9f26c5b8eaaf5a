/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flags that few use: RWF_APPEND, RENAME_WHITEOUT and whiteouts made by mknod, MNT_EXPIRE.
 * needs: root mounts
 */
#include "t.h"
#include <sched.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>

#define APPEND		0x10
#define WHITEOUT	4

static ssize_t
put(int fd, const char *text, off_t at)
{
	struct iovec iov = { (void *)(uintptr_t)text, strlen(text) };

	return syscall(SYS_pwritev2, fd, &iov, 1, at, 0, APPEND);
}

static void
append(void)
{
	int fd, p[2];
	char c[8];
	struct iovec iov = { c, 4 };

	t_file("f", "0123456789", 0600);
	t_need((fd = open("f", O_RDWR)) >= 0, "open");
	T(put(fd, "ab", 3));
	T(lseek(fd, 0, SEEK_CUR));
	t_cat("f");
	T(put(fd, "cd", -1));
	T(lseek(fd, 0, SEEK_CUR));
	t_cat("f");
	T(lseek(fd, 2, SEEK_SET));
	T(write(fd, "W", 1));
	t_cat("f");
	T(syscall(SYS_preadv2, fd, &iov, 1, 0, 0, APPEND));
	T(put(fd, "x", -2));
	close(fd);
	t_need((fd = open("f", O_RDONLY)) >= 0 && pipe(p) == 0, "open");
	T(put(fd, "x", 0));
	T(put(p[1], "x", 0));
	T(put(p[1], "x", -1));
	T(read(p[0], c, 8));
	close(fd), close(p[0]), close(p[1]);
}

static void
look(const char *name)
{
	struct stat st;

	if (lstat(name, &st) != 0)
		t_say("%s: %s", name, t_errno(errno));
	else
		t_say("%s: mode %o nlink %d rdev %d:%d size %d uid %d", name, st.st_mode, (int)st.st_nlink,
		    (int)major(st.st_rdev), (int)minor(st.st_rdev), S_ISDIR(st.st_mode) ? 0 : (int)st.st_size,
		    (int)st.st_uid);
}

static long
over(const char *from, const char *to, int flags)
{
	return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
}

static void
whiteouts(void)
{
	t_need(mkdir("d", 0755) == 0 && mkdir("e", 0755) == 0 && mkdir("d/sub", 0755) == 0, "mkdir");
	t_file("d/f", "text", 0644);
	t_file("d/g", "more", 0644);
	T(over("d/f", "e/f", WHITEOUT));
	look("d/f"), look("e/f");
	T(over("d/f", "e/f", WHITEOUT));
	look("d/f"), look("e/f");
	T(over("d/g", "e/g", WHITEOUT | 1));
	T(over("d/g", "e/g", WHITEOUT | 1));
	look("d/g"), look("e/g");
	T(over("d/g", "e/g", WHITEOUT | 2));
	T(over("d/sub", "e/sub", WHITEOUT));
	look("d/sub"), look("e/sub"), look("d"), look("e");
	T(over("d/none", "e/none", WHITEOUT));
	T(over("d/f", "e/f", 8));
	T(open("d/f", O_RDONLY));
	T(unlink("d/f"));
	T(rmdir("d/sub"));
	T(unlink("d/sub"));
	T(unlink("d/g"));
	T(rmdir("d"));
	if (t_child("not as root") == 0) {
		t_need(chmod("e", 0777) == 0 && setgid(64998) == 0 && setuid(64998) == 0, "setuid");
		T(mknod("e/w", S_IFCHR | 0644, 0));
		T(mknod("e/b", S_IFBLK | 0644, 0));
		T(mknod("e/c", S_IFCHR | 0644, makedev(1, 3)));
		look("e/w");
		T(open("e/w", O_RDONLY));
		_exit(0);
	}
}

static void
expire(void)
{
	int fd;

	t_need(unshare(CLONE_NEWNS) == 0 || errno == EINVAL, "unshare");
	(void)mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	t_need(mkdir("m", 0755) == 0, "mkdir");
	T(umount2("m", MNT_EXPIRE));
	T(mount("t", "m", "tmpfs", 0, NULL));
	T(umount2("m", MNT_EXPIRE | MNT_DETACH));
	T(umount2("m", MNT_EXPIRE));
	t_need((fd = open("m/x", O_CREAT | O_WRONLY, 0600)) >= 0, "open");
	T(umount2("m", MNT_EXPIRE));
	close(fd);
	T(umount2("m", MNT_EXPIRE));
	T(access("m/x", F_OK));
	T(umount2("m", MNT_EXPIRE));
	T(umount2("m", MNT_EXPIRE));
	T(access("m/x", F_OK));
	T(umount2("m", MNT_EXPIRE));
	T(umount2("/", MNT_EXPIRE));
}

int
main(void)
{
	umask(022);
	append();
	whiteouts();
	expire();
	return 0;
}
