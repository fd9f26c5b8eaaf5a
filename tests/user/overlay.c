/* SPDX-License-Identifier: BSD-2-Clause */
/* Overlay mounts - copying up, whiteouts, merged and opaque directories.  needs: root mounts */
#include "overlay.h"

#include <sys/xattr.h>

static unsigned long
ino_of(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 ? (unsigned long)st.st_ino : 0;
}

static void
layers(void)
{
	mkdir("low/d", 0755);
	mkdir("low/d/sub", 0750);
	mkdir("low/full", 0755);
	mkdir("up/d", 0711);
	t_file("low/f", "lower f", 0644);
	t_file("low/g", "lower g", 0600);
	t_file("low/both", "lower both", 0644);
	t_file("up/both", "upper both", 0640);
	t_file("low/d/x", "lower x", 0644);
	t_file("up/d/y", "upper y", 0644);
	t_file("low/d/sub/deep", "deep", 0644);
	t_file("low/full/1", "one", 0644);
	t_file("low/full/2", "two", 0644);
	t_file("low/hard", "hard", 0644);
	link("low/hard", "low/hard2");
	symlink("f", "low/link");
	mkfifo("low/fifo", 0644);
	chown("low/g", 5, 6);
	mknod("up/hidden", S_IFCHR, 0);
	t_file("low/hidden", "never seen", 0644);
}

static void
mounting(void)
{
	T(mount("o", "m", "overlay", 0, "upperdir=up,workdir=work"));
	T(mount("o", "m", "overlay", 0, "lowerdir=low,upperdir=up"));
	T(mount("o", "m", "overlay", 0, "lowerdir=missing,upperdir=up,workdir=work"));
	T(mount("o", "m", "overlay", 0, "lowerdir=low,upperdir=up,workdir=up"));
	T(mount("o", "m", "overlay", 0, "lowerdir=low,upperdir=up,workdir=work,nonsense=1"));
	T(mount("o", "m", "overlay", 0, OV_LAYERS));
}

static void
copying(void)
{
	unsigned long before = ino_of("m/f"), dir = ino_of("m/d/sub"), deep = ino_of("m/d/sub/deep");
	int old = open("m/f", O_RDONLY), fd;
	char *map, buf[32] = "";
	struct stat a, b;

	map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, old, 0);
	t_need(map != MAP_FAILED, "mmap");
	T(stat("low/f", &a));
	fd = open("m/f", O_WRONLY);
	T(fstat(fd, &b));
	t_say("times kept: %d", memcmp(&a.st_mtim, &b.st_mtim, sizeof a.st_mtim) == 0);
	T(write(fd, "UPPER", 5));
	close(fd);
	T(pread(old, buf, 31, 0));
	t_say("the file opened before: %s", buf);
	t_say("the mapping made before: %.7s", map);
	t_say("numbers stay: %d", before == ino_of("m/f"));
	close(old);
	t_file("m/f", "new", 0644);
	T(truncate("m/g", 3));
	T(chmod("m/d/sub/deep", 0600));
	t_say("numbers stay: %d %d", dir == ino_of("m/d/sub"), deep == ino_of("m/d/sub/deep"));
	T(chown("m/link", 1, 1));
	if (lchown("m/link", 7, 7) == 0)
		t_cat("m/link");
	T(utimensat(AT_FDCWD, "m/fifo", NULL, 0));
	t_cat("low/f");
	t_cat("low/d/sub/deep");
	ov_show("low");
	ov_show("m");
}

static void
links(void)
{
	struct stat a, b;

	T(stat("m/hard", &a) + stat("m/hard2", &b));
	t_say("one file below: %d, links %d", a.st_ino == b.st_ino, (int)a.st_nlink);
	T(chmod("m/hard", 0600));
	T(stat("m/hard", &a) + stat("m/hard2", &b));
	t_say("separate: %d, links %d %d", a.st_ino != b.st_ino, (int)a.st_nlink, (int)b.st_nlink);
	T(link("m/hard2", "m/d/hard3"));
	T(stat("m/d/hard3", &a) + stat("m/hard2", &b));
	t_say("one file: %d, links %d", a.st_ino == b.st_ino, (int)a.st_nlink);
	T(unlink("m/hard2"));
	t_cat("m/d/hard3");
	T(link("m/d/hard3", "m/hidden"));
	T(link("m/d/hard3", "m/both"));
	T(unlink("m/hidden"));
	ov_show("m");
}

static void
removing(void)
{
	int fd = open("m/d/x", O_RDONLY);
	char buf[16] = "";

	T(unlink("m/d/x"));
	T(access("m/d/x", F_OK));
	T(read(fd, buf, 15));
	t_say("%s", buf);
	/* Linux cannot copy it up any more; here it can.  What it holds stays. */
	fchmod(fd, 0640);
	T(pread(fd, buf, 15, 0));
	close(fd);
	T(unlink("m/d/x"));
	T(rmdir("m/full"));
	T(unlink("m/full/1"));
	T(rmdir("m/full"));
	T(unlink("m/full/2"));
	T(rmdir("m/full"));
	T(access("m/full", F_OK));
	T(mkdir("m/full", 0700));
	ov_show("m/full");
	t_file("m/full/3", "three", 0644);
	T(unlink("m/full"));
	T(rmdir("m/d"));
	t_file("m/d/x", "made again", 0600);
	T(unlink("m/both"));
	T(unlink("m/both"));
	T(symlink("nowhere", "m/both"));
	T(mknod("m/white", S_IFCHR, 0));
	T(mknod("m/null", S_IFCHR | 0666, makedev(1, 3)));
	ov_show("m");
	t_cat("low/d/x");
}

static void
moving(void)
{
	unsigned long n = ino_of("m/g");

	T(rename("m/g", "m/d/g"));
	t_say("number stays: %d", n == ino_of("m/d/g"));
	T(access("m/g", F_OK));
	T(rename("m/d/g", "m/g"));
	T(rename("m/d/sub/deep", "m/f"));
	T(access("m/d/sub/deep", F_OK));
	T(rename("m/d/sub", "m/sub"));
	T(mkdir("m/new", 0755));
	t_file("m/new/a", "a", 0644);
	T(rename("m/new", "m/newer"));
	T(rename("m/newer", "m/full"));
	T(unlink("m/full/3"));
	T(rename("m/newer", "m/full"));
	T(mkdir("m/d/e", 0755));
	T(rename("m/d/e", "m/d/x"));
	T(rename("m/f", "m/full"));
	T(syscall(SYS_renameat2, AT_FDCWD, "m/f", AT_FDCWD, "m/g", 2));
	T(syscall(SYS_renameat2, AT_FDCWD, "m/full", AT_FDCWD, "m/g", 2));
	T(syscall(SYS_renameat2, AT_FDCWD, "m/d", AT_FDCWD, "m/g", 2));
	T(syscall(SYS_renameat2, AT_FDCWD, "m/f", AT_FDCWD, "m/g", 1));
	ov_show("m");
	ov_show("low");
}

static void
attributes(void)
{
	char buf[64];

	memset(buf, 0, sizeof buf);
	t_file("low/x", "has attributes", 0644);
	t_need(setxattr("low/x", "trusted.a", "one", 3, 0) == 0, "setxattr");
	T(getxattr("m/x", "trusted.a", buf, sizeof buf));
	T(removexattr("m/x", "trusted.none"));
	T(setxattr("m/x", "trusted.none", "x", 1, XATTR_REPLACE));
	T(access("up/x", F_OK));
	T(setxattr("m/x", "trusted.b", "two", 3, 0));
	T(access("up/x", F_OK));
	T(getxattr("m/x", "trusted.a", buf, sizeof buf));
	t_say("%s", buf);
	T(getxattr("low/x", "trusted.b", buf, sizeof buf));
	T(removexattr("m/x", "trusted.a"));
	T(getxattr("m/x", "trusted.a", buf, sizeof buf));
	T(getxattr("m/x", "trusted.b", buf, sizeof buf));
	T(unlink("m/x"));
}

static void
nameless(void)
{
	char text[64], buf[16] = "";
	int fd = open("m/d", O_TMPFILE | O_RDWR, 0640);

	T(fd < 0);
	T(write(fd, "no name", 7));
	snprintf(text, sizeof text, "/proc/self/fd/%d", fd);
	T(linkat(AT_FDCWD, text, AT_FDCWD, "m/d/named", AT_SYMLINK_FOLLOW));
	T(linkat(AT_FDCWD, text, AT_FDCWD, "m/d/named", AT_SYMLINK_FOLLOW));
	T(pread(fd, buf, 15, 0));
	t_say("%s", buf);
	close(fd);
	t_cat("m/d/named");
	fd = open("m/d", O_TMPFILE | O_EXCL | O_RDWR, 0640);
	snprintf(text, sizeof text, "/proc/self/fd/%d", fd);
	T(linkat(AT_FDCWD, text, AT_FDCWD, "m/d/named2", AT_SYMLINK_FOLLOW));
	close(fd);
	ov_show("m/d");
}

/* rm -r as programs do it: a portion of names, then taking these away, then the next portion. */
static void
in_portions(void)
{
	struct stat st;
	char p[64];
	int taken = 0, left = 0, fd;

	for (int i = 0; i < 300; i++) {
		snprintf(p, sizeof p, i % 3 == 0 ? "m/many/upper%d" : "low/many/lower%d", i);
		if (i == 0) {
			mkdir("low/many", 0755);
			t_say("seen: %d", stat("m/many", &st));
		}
		t_file(p, "x", 0644);
	}
	fd = open("m/many", O_RDONLY | O_DIRECTORY);
	for (;;) {
		char buf[512];
		long n = syscall(SYS_getdents64, fd, buf, sizeof buf);

		if (n <= 0)
			break;
		for (long at = 0; at < n; at += *(unsigned short *)(buf + at + 16)) {
			const char *name = buf + at + 19;

			if (name[0] != '.')
				taken += unlinkat(fd, name, 0) == 0;
		}
	}
	lseek(fd, 0, SEEK_SET);
	for (DIR *d = fdopendir(fd); d != NULL && readdir(d) != NULL;)
		left++;
	t_say("taken %d, left %d", taken, left);
	T(rmdir("m/many"));
}

static void
several_lowers(void)
{
	mkdir("a", 0755);
	mkdir("b", 0755);
	mkdir("a/d", 0755);
	mkdir("b/d", 0755);
	t_file("a/d/1", "a1", 0644);
	t_file("b/d/1", "b1", 0644);
	t_file("b/d/2", "b2", 0644);
	t_file("a/x", "ax", 0644);
	mkdir("b/x", 0755);
	mknod("a/gone", S_IFCHR, 0);
	t_file("b/gone", "gone", 0644);
	t_file("b/only", "only", 0644);
	T(mount("o", "m", "overlay", 0, "lowerdir=a:b"));
	ov_show("m");
	t_say("read-only: %d %s", open("m/only", O_WRONLY), t_errno(errno));
	T(mkdir("m/z", 0755));
	T(umount("m"));
	mkdir("up2", 0755);
	mkdir("work2", 0755);
	T(mount("o", "m", "overlay", 0, "lowerdir=a:b,upperdir=up2,workdir=work2"));
	t_file("m/only", "changed", 0644);
	t_file("m/d/1", "changed too", 0644);
	T(unlink("m/d/2"));
	T(unlink("m/x"));
	T(mkdir("m/x", 0755));
	ov_show("m");
	T(umount("m"));
	T(mount("o", "m", "overlay", 0, "lowerdir=a:b,upperdir=up2,workdir=work2"));
	ov_show("m");
	ov_show("b");
	T(umount("m"));
}

int
main(void)
{
	ov_begin();
	layers();
	mounting();
	ov_numbers = false;		/* Linux does not know the origin of up/d, which was not copied up */
	ov_show("m");
	ov_numbers = true;
	copying();
	links();
	removing();
	moving();
	attributes();
	nameless();
	in_portions();
	T(umount("m"));
	T(mount("o", "m", "overlay", 0, OV_LAYERS));
	ov_show("m");
	T(umount("m"));
	several_lowers();
	chdir("..");
	T(umount("fs"));
	return 0;
}
