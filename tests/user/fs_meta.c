/* SPDX-License-Identifier: BSD-2-Clause */
/* Metadata - modes, owners, times, access, special files and locks.  needs: root */
#include "t.h"
#include <grp.h>
#include <sys/file.h>
#include <sys/sysmacros.h>

static void
show(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		t_say("%s: %s", path, t_errno(errno));
	else
		t_say("%s: mode %o uid %d gid %d", path, st.st_mode, (int)st.st_uid, (int)st.st_gid);
}

static void
modes(void)
{
	umask(0);
	t_file("f", "x", 0644);
	T(chmod("f", 07777));
	show("f");
	T(chmod("f", 0177777));
	show("f");
	T(chmod("missing", 0));
	T(fchmod(-1, 0));
	T(fchmodat(AT_FDCWD, "f", 0600, 0));
	show("f");
	T(symlink("f", "s"));
	T(chmod("s", 0640));
	show("f");
	show("s");
	umask(077);
	int fd = open("u", O_CREAT | O_RDWR, 06777);
	close(fd);
	show("u");
	umask(022);
	/* Ownership, and what happens to set-id bits. */
	T(chmod("f", 06755));
	T(chown("f", 100, 200));
	show("f");
	T(chmod("f", 06755));
	T(chown("f", -1, 300));
	show("f");
	T(chown("f", 7, -1));
	T(chmod("f", 06755));
	fd = open("f", O_WRONLY);
	if (t_child("a write by another user drops set-id bits") == 0) {
		t_need(setgid(400) == 0 && setuid(400) == 0, "setuid");
		T(write(fd, "y", 1));
		T(fchmod(fd, 0777));
		T(fchown(fd, 400, 400));
		_exit(0);
	}
	show("f");
	close(fd);
	T(lchown("s", 5, 6));
	show("s");
	T(fchownat(AT_FDCWD, "s", 8, 9, AT_SYMLINK_NOFOLLOW));
	show("s");
	T(mkdir("sg", 02755));
	T(chmod("sg", 02777));
	T(chown("sg", 0, 55));
	T(chmod("sg", 02777));
	t_file("sg/f", "", 0644);
	show("sg/f");
	T(mkdir("sg/d", 0755));
	show("sg/d");
}

static void
as_user(void)
{
	chmod(".", 0755);
	mkdir("sticky", 0777);
	chmod("sticky", 01777);
	t_file("sticky/rootfile", "", 0666);
	t_file("mine", "", 0600);
	t_need(chown("mine", 1000, 1000) == 0, "chown");
	t_file("group", "", 0040);
	t_need(chown("group", 0, 2000) == 0, "chown");
	mkdir("closed", 0700);
	t_file("closed/f", "", 0666);
	if (t_child("user 1000 in group 2000") == 0) {
		gid_t g = 2000;

		t_need(setgroups(1, &g) == 0, "setgroups");
		t_need(setresgid(1000, 1000, 1000) == 0 && setresuid(1000, 1000, 1000) == 0, "setresuid");
		T(chmod("mine", 0644));
		T(chmod("f", 0644));
		T(chown("mine", 1001, -1));
		T(chown("mine", -1, 2000));
		T(chown("mine", -1, 3000));
		T(chmod("mine", 02755));
		show("mine");
		T(access("group", R_OK));
		T(access("group", W_OK));
		T(access("closed/f", F_OK));
		T(access("closed", X_OK));
		T(mkdir("x", 0700));
		T(open("sticky/mine", O_CREAT | O_RDWR, 0600) >= 0);
		T(unlink("sticky/rootfile"));
		T(rename("sticky/rootfile", "sticky/x"));
		T(rename("sticky/mine", "sticky/rootfile"));
		T(unlink("sticky/mine"));
		T(unlink("f"));
		T(truncate("f", 0));
		T(mknod("sticky/dev", S_IFCHR | 0600, makedev(1, 3)));
		T(mknod("sticky/reg", S_IFREG | 0600, 0));
		T(mkfifo("sticky/fifo", 0600));
		T(chroot("."));
		T(utimensat(AT_FDCWD, "f", NULL, 0));
		struct timespec ts[2] = { { 1, 0 }, { 1, 0 } };
		T(utimensat(AT_FDCWD, "sticky/rootfile", ts, 0));
		T(utimensat(AT_FDCWD, "sticky/rootfile", NULL, 0));
		_exit(0);
	}
}

static void
times(void)
{
	struct timespec ts[2] = { { 1000000000, 123456789 }, { -5, 0 } };
	struct stat st;
	struct timespec before;

	t_file("t", "x", 0600);
	T(utimensat(AT_FDCWD, "t", ts, 0));
	stat("t", &st);
	t_say("atime %lld.%09ld mtime %lld", (long long)st.st_atim.tv_sec, st.st_atim.tv_nsec, (long long)st.st_mtim.tv_sec);
	ts[0].tv_nsec = UTIME_OMIT;
	ts[1] = (struct timespec){ 2000000000, 1 };
	T(utimensat(AT_FDCWD, "t", ts, 0));
	stat("t", &st);
	t_say("atime %lld.%09ld mtime %lld.%09ld", (long long)st.st_atim.tv_sec, st.st_atim.tv_nsec,
	    (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	ts[1].tv_nsec = 1000000000;
	T(utimensat(AT_FDCWD, "t", ts, 0));
	T(utimensat(AT_FDCWD, "missing", NULL, 0));
	T(utimensat(AT_FDCWD, "t", NULL, 0x1234));
	symlink("t", "ts");
	ts[0] = ts[1] = (struct timespec){ 77, 0 };
	T(utimensat(AT_FDCWD, "ts", ts, AT_SYMLINK_NOFOLLOW));
	lstat("ts", &st);
	t_say("of the link: %lld", (long long)st.st_mtim.tv_sec);
	stat("t", &st);
	t_say("of the file: %lld", (long long)st.st_mtim.tv_sec);
	int fd = open("t", O_RDWR);
	T(futimens(fd, ts));
	fstat(fd, &st);
	t_say("%lld", (long long)st.st_mtim.tv_sec);
	/* What sets which. */
	before = st.st_ctim;
	t_sleep_ms(20);
	T(write(fd, "y", 1));
	fstat(fd, &st);
	t_say("write: mtime moves %d, ctime moves %d", st.st_mtim.tv_sec != 77, st.st_ctim.tv_nsec != before.tv_nsec);
	futimens(fd, ts);
	chmod("t", 0640);
	fstat(fd, &st);
	t_say("chmod: mtime moves %d", st.st_mtim.tv_sec != 77);
	futimens(fd, ts);
	T(ftruncate(fd, 0));
	fstat(fd, &st);
	t_say("ftruncate: mtime moves %d", st.st_mtim.tv_sec != 77);
	mkdir("td", 0755);
	utimensat(AT_FDCWD, "td", ts, 0);
	t_file("td/f", "", 0600);
	stat("td", &st);
	t_say("making a file: directory's mtime moves %d", st.st_mtim.tv_sec != 77);
	utimensat(AT_FDCWD, "td", ts, 0);
	unlink("td/f");
	stat("td", &st);
	t_say("unlink: directory's mtime moves %d", st.st_mtim.tv_sec != 77);
	close(fd);
}

static void
access_checks(void)
{
	t_file("acc", "", 0);
	T(access("acc", R_OK | W_OK));
	T(access("acc", X_OK));
	T(access("acc", 8));
	T(access("acc", F_OK));
	T(chmod("acc", 0100));
	T(access("acc", X_OK));
	T(faccessat(AT_FDCWD, "acc", R_OK, 0));
	T(access("acc/x", F_OK));
	/* access asks for the real user, open for the effective one. */
	if (t_child("real and effective differ") == 0) {
		t_need(chmod("acc", 0600) == 0 && setreuid(1000, 0) == 0, "setreuid");
		T(access("acc", R_OK));
		T_OK(open("acc", O_RDONLY));
		T_SYS(faccessat2, AT_FDCWD, "acc", R_OK, 0x200);
		_exit(0);
	}
}

static void
special(void)
{
	struct stat st;
	char c = 1;
	int fd;

	T(mknod("null", S_IFCHR | 0666, makedev(1, 3)));
	stat("null", &st);
	t_say("mode %o rdev %d:%d", st.st_mode, (int)major(st.st_rdev), (int)minor(st.st_rdev));
	T(mknod("reg", S_IFREG | 0640, 0));
	show("reg");
	T(mknod("reg0", 0600, 0));
	show("reg0");
	T(mknod("dir", S_IFDIR | 0700, 0));
	T(mknod("bad", 0170000 | 0700, 0));
	T(mknod("null", S_IFCHR | 0666, makedev(1, 3)));
	fd = open("/dev/zero", O_RDWR);
	T(read(fd, &c, 1));
	T(c);
	T(write(fd, &c, 1));
	close(fd);
	fd = open("/dev/null", O_RDWR);
	T(read(fd, &c, 1));
	T(write(fd, "abc", 3));
	T(lseek(fd, 100, SEEK_SET));
	T(ftruncate(fd, 0));
	close(fd);
	fd = open("/dev/full", O_RDWR);
	if (fd >= 0) {
		T(write(fd, "abc", 3));
		T(read(fd, &c, 1));
		close(fd);
	}
	T_OK(open("/dev/urandom", O_RDONLY));
	T(open("/dev/tty", O_RDWR));
}

static void
locks(void)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 10 };
	int fd = open("lk", O_CREAT | O_RDWR, 0600), fd2 = open("lk", O_RDWR), ro = open("lk", O_RDONLY);
	pid_t me = getpid();

	T(flock(fd, LOCK_EX));
	T(flock(fd2, LOCK_EX | LOCK_NB));
	T(flock(fd2, LOCK_SH | LOCK_NB));
	T(flock(fd, LOCK_SH));
	T(flock(fd2, LOCK_SH | LOCK_NB));
	T(flock(fd, LOCK_UN));
	T(flock(fd2, LOCK_UN));
	T(flock(fd, 77));
	T(flock(-1, LOCK_EX));
	T(fcntl(fd, F_SETLK, &fl));
	T(fcntl(fd2, F_SETLK, &fl));
	T(fcntl(ro, F_SETLK, &fl));
	if (t_child("another process") == 0) {
		struct flock q = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 15 };

		T(fcntl(fd, F_SETLK, &q));
		T(fcntl(fd, F_GETLK, &q));
		t_say("type %d start %d len %d pid right %d", q.l_type, (int)q.l_start, (int)q.l_len, q.l_pid == me);
		q = (struct flock){ .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 10 };
		T(fcntl(fd, F_SETLK, &q));
		T(fcntl(fd, F_GETLK, &q));
		T(q.l_type);
		_exit(0);
	}
	fl.l_type = F_UNLCK;
	fl.l_start = 12;
	fl.l_len = 2;
	T(fcntl(fd, F_SETLK, &fl));
	if (t_child("after a hole was made") == 0) {
		struct flock q = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 12, .l_len = 2 };

		T(fcntl(fd, F_SETLK, &q));
		q = (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 14, .l_len = 1 };
		T(fcntl(fd, F_SETLK, &q));
		_exit(0);
	}
	close(fd2);
	if (t_child("closing any descriptor lets go") == 0) {
		struct flock q = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

		T(fcntl(fd, F_SETLK, &q));
		_exit(0);
	}
	fl.l_type = 9;
	T(fcntl(fd, F_SETLK, &fl));
	fl = (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = -1 };
	T(fcntl(fd, F_SETLK, &fl));
}

static void
fs_stat(void)
{
	struct statfs sf;

	T(statfs(".", &sf));
	t_say("type %#lx namelen %ld bsize %ld", (long)sf.f_type, (long)sf.f_namelen, (long)sf.f_bsize);
	T(statfs("missing", &sf));
	T(fstatfs(-1, &sf));
	struct stat st;
	T(stat("f", &st));
	t_say("blksize %ld", (long)st.st_blksize);
	T(fstatat(AT_FDCWD, "s", &st, 0x100000));
	T(fstatat(AT_FDCWD, "", &st, 0));
	T(fstatat(AT_FDCWD, "", &st, AT_EMPTY_PATH));
	t_say("is a directory: %d", S_ISDIR(st.st_mode));
	sync();
}

int
main(void)
{
	modes();
	as_user();
	times();
	access_checks();
	special();
	locks();
	fs_stat();
	return 0;
}
