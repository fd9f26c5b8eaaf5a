/* SPDX-License-Identifier: BSD-2-Clause */
/* File contents - positions, holes, truncation, appending, vectors and limits. */
#include "t.h"
#include <sys/sendfile.h>

static void
positions(void)
{
	int fd = open("p", O_CREAT | O_RDWR, 0600);
	char buf[16] = "";

	T(write(fd, "0123456789", 10));
	T(lseek(fd, 3, SEEK_SET));
	T(read(fd, buf, 2));
	T(pread(fd, buf, 3, 8));
	T(lseek(fd, 0, SEEK_CUR));
	T(pwrite(fd, "AB", 2, 20));
	T(lseek(fd, 0, SEEK_CUR));
	T(lseek(fd, 0, SEEK_END));
	T(lseek(fd, -30, SEEK_END));
	T(lseek(fd, -1, SEEK_SET));
	T(lseek(fd, 1000, SEEK_SET));
	T(read(fd, buf, 1));
	T(lseek(fd, 0, 99));
	T(lseek(fd, INT64_MAX, SEEK_SET));
	T(lseek(fd, 1, SEEK_CUR));
	T(pread(fd, buf, 1, -1));
	T(pwrite(fd, buf, 1, -1));
	T(pread(fd, buf, 1, INT64_MAX));
	T(lseek(-1, 0, SEEK_SET));
	t_cat("p");
	close(fd);
	fd = open("p", O_RDWR | O_APPEND);
	T(lseek(fd, 0, SEEK_CUR));
	T(write(fd, "app", 3));
	T(lseek(fd, 0, SEEK_CUR));
	T(lseek(fd, 0, SEEK_SET));
	T(write(fd, "end", 3));
	T(pwrite(fd, "PW", 2, 0));
	T(lseek(fd, 0, SEEK_END));
	close(fd);
	t_cat("p");
}

static void
vectors(void)
{
	char a[4], b[4], c[4];
	struct iovec w[4] = { { (void *)(uintptr_t)"one", 3 }, { NULL, 0 }, { (void *)(uintptr_t)"two", 3 },
	    { (void *)(uintptr_t)"three", 5 } };
	struct iovec r[3] = { { a, 4 }, { b, 4 }, { c, 4 } };
	int fd = open("v", O_CREAT | O_RDWR, 0600);

	T(writev(fd, w, 4));
	T(pwritev(fd, w, 1, 20));
	lseek(fd, 0, SEEK_SET);
	T(readv(fd, r, 3));
	t_say("%.4s|%.4s|%.3s", a, b, c);
	T(preadv(fd, r, 2, 2));
	t_say("%.4s|%.4s", a, b);
	T(lseek(fd, 0, SEEK_CUR));
	T(writev(fd, w, 0));
	close(fd);
}

static void
holes(void)
{
	int fd = open("h", O_CREAT | O_RDWR, 0600);
	struct stat st;
	char buf[3 * T_PAGE];
	int sum = 0;

	T(pwrite(fd, "start", 5, 0));
	T(pwrite(fd, "end", 3, 1 << 20));
	fstat(fd, &st);
	t_say("size %d, blocks %d", (int)st.st_size, (int)st.st_blocks);
	T(lseek(fd, 0, SEEK_HOLE));
	T(lseek(fd, 0, SEEK_DATA));
	T(lseek(fd, 5000, SEEK_DATA));
	T(lseek(fd, 1 << 20, SEEK_HOLE));
	T(lseek(fd, 1 << 21, SEEK_DATA));
	T(lseek(fd, (1 << 20) + 3, SEEK_HOLE));
	T(pread(fd, buf, sizeof buf, 4096));
	for (size_t i = 0; i < sizeof buf; i++)
		sum += buf[i];
	t_say("a hole reads as zeroes: %d", sum);
	T(ftruncate(fd, 5000));
	T(ftruncate(fd, 1 << 20));
	T(pread(fd, buf, 10, 1000));
	T(lseek(fd, 4096, SEEK_DATA));
	T(pwrite(fd, "x", 1, 0x123456789));
	fstat(fd, &st);
	t_say("size %lld", (long long)st.st_size);
	T(unlink("h"));
	close(fd);
}

static void
truncation(void)
{
	int fd, ro;
	char buf[16];

	t_file("t", "0123456789", 0600);
	T(truncate("t", 4));
	t_cat("t");
	T(truncate("t", 8));
	t_cat("t");
	T(truncate("t", -1));
	T(truncate("missing", 0));
	T(truncate(".", 0));
	T(truncate("t/x", 0));
	fd = open("t", O_RDWR);
	ro = open("t", O_RDONLY);
	T(ftruncate(ro, 0));
	T(ftruncate(fd, -5));
	T(lseek(fd, 6, SEEK_SET));
	T(ftruncate(fd, 2));
	T(read(fd, buf, 4));
	T(write(fd, "Z", 1));
	t_cat("t");
	T(ftruncate(-1, 0));
	close(fd), close(ro);
	T_OK(open("t", O_WRONLY | O_TRUNC));
	t_cat("t");
	fd = open("t", O_RDWR);
	T(fallocate(fd, 0, 0, 10000));
	T(lseek(fd, 0, SEEK_END));
	T(fallocate(fd, 1, 0, 20000));
	T(lseek(fd, 0, SEEK_END));
	T(fallocate(fd, 0, -1, 10));
	T(fallocate(fd, 0, 0, 0));
	T(pwrite(fd, "data", 4, 100));
	T(fallocate(fd, 3, 0, 4096));
	T(pread(fd, buf, 4, 100));
	t_say("%d", buf[0]);
	T(fsync(fd));
	T(fdatasync(fd));
	T(fsync(-1));
	close(fd);
}

static volatile sig_atomic_t hits;

static void
on_signal(int sig)
{
	(void)sig;
	hits++;
}

static void
size_limit(void)
{
	struct rlimit rl = { 1000, 1000 };
	char buf[600];
	int fd;

	memset(buf, 'l', sizeof buf);
	if (t_child("RLIMIT_FSIZE") == 0) {
		setrlimit(RLIMIT_FSIZE, &rl);
		fd = open("l", O_CREAT | O_RDWR, 0600);
		t_handle(SIGXFSZ, on_signal, 0);
		T(write(fd, buf, 600));
		T(write(fd, buf, 600));
		T(hits);
		T(write(fd, buf, 600));
		T(hits);
		T(ftruncate(fd, 1001));
		T(hits);
		T(ftruncate(fd, 1000));
		T(pwrite(fd, buf, 1, 999));
		T(fallocate(fd, 0, 0, 1000));
		T(fallocate(fd, 0, 500, 501));
		T(hits);
		T(fallocate(fd, 1, 500, 501));
		T(fallocate(fd, 0, 1, INT64_MAX));
		T(hits);
		signal(SIGXFSZ, SIG_IGN);
		T(write(fd, buf, 1));
		signal(SIGXFSZ, SIG_DFL);
		setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
		T(write(fd, buf, 1));
		_exit(0);
	}
}

static void
appenders(void)
{
	int status, bad = 0;
	struct stat st;

	for (int k = 0; k < 4; k++)
		if (fork() == 0) {
			int fd = open("log", O_CREAT | O_WRONLY | O_APPEND, 0600);
			char line[32];

			memset(line, 'a' + k, 31);
			line[31] = '\n';
			for (int i = 0; i < 100; i++)
				if (write(fd, line, 32) != 32)
					_exit(1);
			_exit(0);
		}
	while (wait(&status) > 0)
		bad += status != 0;
	stat("log", &st);
	t_say("size %d, bad %d", (int)st.st_size, bad);
	int fd = open("log", O_RDONLY);
	char line[32];
	while (read(fd, line, 32) == 32)
		for (int i = 1; i < 31; i++)
			bad += line[i] != line[0];
	T(bad);
	close(fd);
}

static void
send_file(void)
{
	int in, out, p[2];
	off_t off = 2;
	char buf[16] = "";

	t_file("src", "abcdefghij", 0600);
	in = open("src", O_RDONLY);
	out = open("dst", O_CREAT | O_RDWR, 0600);
	T(sendfile(out, in, &off, 3));
	T(off);
	T(sendfile(out, in, NULL, 100));
	T(sendfile(out, in, NULL, 100));
	t_cat("dst");
	t_need(pipe(p) == 0, "pipe");
	off = 0;
	T(sendfile(p[1], in, &off, 4));
	T(read(p[0], buf, 16));
	T(sendfile(out, p[0], NULL, 4));
	T(sendfile(in, out, NULL, 4));
	T(sendfile(-1, in, NULL, 4));
	off = -1;
	T(sendfile(out, in, &off, 4));
}

int
main(void)
{
	positions();
	vectors();
	holes();
	truncation();
	size_limit();
	appenders();
	send_file();
	return 0;
}
