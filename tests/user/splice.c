/* SPDX-License-Identifier: BSD-2-Clause */
/* splice, tee, vmsplice, sendfile, copy_file_range - which files they take, what they move, how they wait. */
#include "t.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/sendfile.h>

static char data[70000], got[70000];

static int
make_file(const char *name, size_t n)
{
	int fd = open(name, O_CREAT | O_RDWR | O_TRUNC, 0600);

	t_need(fd >= 0 && pwrite(fd, data, n, 0) == (ssize_t)n, name);
	return fd;
}

static void
refusals(void)
{
	int p[2], q[2], f = make_file("r", 100), app = open("r", O_WRONLY | O_APPEND), dir = open(".",
	    O_RDONLY);
	int ev = eventfd(5, EFD_NONBLOCK), path = open("r", O_PATH);
	loff_t off = 0, bad = -1;

	t_need(pipe2(p, O_NONBLOCK) == 0 && pipe2(q, O_NONBLOCK) == 0, "pipe");
	T(splice(f, NULL, p[1], NULL, 10, 16));
	T(splice(f, NULL, p[1], NULL, 0, 16));
	T(splice(999, NULL, p[1], NULL, 10, 0));
	T(splice(f, NULL, 999, NULL, 10, 0));
	T(splice(path, NULL, p[1], NULL, 10, 0));
	T(splice(f, NULL, f, NULL, 10, 0));
	T(splice(p[1], NULL, f, NULL, 10, 0));
	T(splice(f, NULL, p[0], NULL, 10, 0));
	T(splice(p[0], NULL, p[1], NULL, 10, 0));
	T(splice(f, NULL, p[1], &off, 10, 0));
	T(splice(p[0], &off, f, NULL, 10, 0));
	T(splice(f, &bad, p[1], NULL, 10, 0));
	T(splice(f, (void *)8, p[1], NULL, 10, 0));
	T(splice(p[0], NULL, f, NULL, 10, 0));
	T(splice(p[0], NULL, q[1], NULL, 10, 0));
	T(splice(dir, NULL, p[1], NULL, 10, 0));
	T(splice(ev, NULL, p[1], NULL, 10, 0));
	T(write(p[1], "abc", 3));
	T(splice(p[0], NULL, app, NULL, 10, 0));
	T(splice(p[0], NULL, ev, NULL, 10, 0));
	T(tee(p[0], q[1], 10, 16));
	T(tee(p[0], f, 10, 0));
	T(tee(f, q[1], 10, 0));
	T(tee(p[0], p[1], 10, 0));
	T(tee(p[0], q[1], 0, 0));
	T(tee(q[0], p[1], 10, 0));
	T(tee(999, p[1], 10, 0));
	T(vmsplice(f, NULL, 0, 0));
	T(vmsplice(f, &(struct iovec){ data, 1 }, 1, 0));
	T(vmsplice(p[1], NULL, 0, 16));
	T(vmsplice(p[1], NULL, 0, 0));
	T(vmsplice(p[1], NULL, 1, 0));
	T(vmsplice(p[1], NULL, 1025, 0));
	T(vmsplice(999, NULL, 0, 0));
	close(q[0]);
	signal(SIGPIPE, SIG_IGN);
	T(splice(f, NULL, q[1], NULL, 10, 0));
	T(tee(p[0], q[1], 10, 0));
	T(vmsplice(q[1], &(struct iovec){ data, 1 }, 1, 0));
	close(q[1]);
	close(p[1]);
	T(splice(p[0], NULL, f, NULL, 10, 0));
	T(splice(p[0], NULL, f, NULL, 10, 0));
	close(p[0]), close(f), close(app), close(dir), close(ev), close(path);
}

static void
through(void)
{
	int in = make_file("in", 70000), out = make_file("out", 0), p[2], q[2];
	loff_t from = 10, to = 5;
	struct iovec iov[2] = { { got, 6 }, { got + 100, 5 } };

	t_need(pipe(p) == 0 && pipe2(q, O_NONBLOCK) == 0, "pipe");
	T(splice(in, NULL, p[1], NULL, 1000, 0));
	T(lseek(in, 0, SEEK_CUR));
	T(splice(in, &from, p[1], NULL, 1000, 0));
	T(from);
	T(lseek(in, 0, SEEK_CUR));
	int left = -1;
	T(ioctl(p[0], FIONREAD, &left));
	T(left);
	T(tee(p[0], q[1], 1500, 0));
	T(tee(p[0], q[1], 100, 0));
	T(ioctl(p[0], FIONREAD, &left));
	T(left);
	T(splice(p[0], NULL, out, &to, 1200, 0));
	T(to);
	T(lseek(out, 0, SEEK_CUR));
	T(splice(p[0], NULL, out, NULL, 100000, 0));
	T(lseek(out, 0, SEEK_CUR));
	T(pread(out, got, 2000, 0));
	T(memcmp(got + 800, data + 10 + 195 + 800, 5));
	T(memcmp(got + 805, data + 800, 395));
	T(memcmp(got + 1005 - 5, data + 10 + 195, 5) != 0);
	T(read(q[0], got, 60000));
	T(memcmp(got, data, 1000) | memcmp(got + 1000, data + 10, 500));
	T(read(q[0], got, 60000));
	/* As much as a pipe holds, and not more. */
	from = 0;
	T(splice(in, &from, q[1], NULL, 70000, 0));
	T(splice(in, &from, q[1], NULL, 70000, 0));
	T(from);
	T(splice(q[0], NULL, p[1], NULL, 70000, 0));
	T(splice(q[0], NULL, p[1], NULL, 70000, SPLICE_F_NONBLOCK));
	for (int n = 0, r; n < 65536; n += r)
		t_need((r = (int)read(p[0], got + n, 65536 - (size_t)n)) > 0, "read");
	T(memcmp(got, data, 65536));
	from = 69990;
	T(splice(in, &from, q[1], NULL, 70000, 0));
	T(splice(in, &from, q[1], NULL, 70000, 0));
	/* Part of a slot. */
	T(splice(q[0], NULL, p[1], NULL, 4, 0));
	T(read(p[0], got, 10));
	T(memcmp(got, data + 69990, 4));
	T(splice(q[0], NULL, p[1], NULL, 400, 0));
	T(write(p[1], "behind", 6));
	T(read(p[0], got, 100));
	T(memcmp(got, data + 69994, 6) | memcmp(got + 6, "behind", 6));
	/* Memory. */
	T(vmsplice(q[1], &(struct iovec){ data, 5000 }, 1, 0));
	T(vmsplice(q[0], iov, 2, 0));
	T(memcmp(got, data, 6) | memcmp(got + 100, data + 6, 5));
	T(vmsplice(q[0], &(struct iovec){ got, 10000 }, 1, 0));
	T(memcmp(got, data + 11, 4989));
	T(vmsplice(q[0], &(struct iovec){ got, 10000 }, 1, SPLICE_F_NONBLOCK));
	T(vmsplice(q[1], &(struct iovec){ (void *)8, 10 }, 1, 0));
	close(in), close(out), close(p[0]), close(p[1]), close(q[0]), close(q[1]);
}

/* Who waits is woken by the other side, and by a signal; nothing is lost and nothing twice. */
static void
on_alarm(int sig)
{
	(void)sig;
}

static void
chain(void)
{
	int p[2], q[2], in, out = make_file("chain.out", 0);
	enum { BYTES = 1 << 20 };
	uint32_t sum = 0, want = 0;
	ssize_t n;

	in = open("chain.in", O_CREAT | O_RDWR, 0600);
	for (size_t i = 0; i < BYTES; i += 4096)
		t_need(write(in, data + i % 60000, 4096) == 4096, "write");
	for (size_t i = 0; i < BYTES; i += 4096)
		for (size_t k = 0; k < 4096; k++)
			want = want * 31 + (uint8_t)data[i % 60000 + k];
	t_need(pipe(p) == 0 && pipe(q) == 0, "pipe");
	lseek(in, 0, SEEK_SET);
	if (fork() == 0) {
		close(p[0]), close(q[0]), close(q[1]);
		while ((n = splice(in, NULL, p[1], NULL, 7777, 0)) > 0)
			;
		_exit(n < 0);
	}
	close(p[1]);
	if (fork() == 0) {
		close(q[0]);
		while ((n = splice(p[0], NULL, q[1], NULL, 3333, 0)) > 0)
			;
		_exit(n < 0);
	}
	close(p[0]), close(q[1]);
	while ((n = splice(q[0], NULL, out, NULL, 10000, 0)) > 0)
		;
	T(n);
	for (int i = 0, status; i < 2; i++) {
		wait(&status);
		t_status("child", status);
	}
	T(lseek(out, 0, SEEK_SET));
	for (size_t all = 0; (n = read(out, got, sizeof got)) > 0; all += (size_t)n)
		for (ssize_t k = 0; k < n; k++)
			sum = sum * 31 + (uint8_t)got[k];
	T(sum == want);
	close(in), close(out), close(q[0]);
	t_need(pipe(p) == 0 && pipe(q) == 0, "pipe");
	t_handle(SIGALRM, on_alarm, 0);
	t_alarms(10);
	T(splice(p[0], NULL, q[1], NULL, 1, 0));
	T(tee(p[0], q[1], 1, 0));
	t_alarms(0);
	T(splice(p[0], NULL, q[1], NULL, 1, SPLICE_F_NONBLOCK));
	close(p[0]), close(p[1]), close(q[0]), close(q[1]);
}

/* Two that empty one pipe: each byte goes to one of them. */
static void
rivals(void)
{
	int p[2], out[2] = { make_file("a", 0), make_file("b", 0) }, status;
	struct stat st;
	long sum = 0;

	t_need(pipe(p) == 0, "pipe");
	for (int i = 0; i < 2; i++)
		if (fork() == 0) {
			ssize_t n;

			close(p[1]);
			while ((n = i == 0 ? splice(p[0], NULL, out[i], NULL, 5000, 0) :
			    (n = read(p[0], got, 5000)) <= 0 ? n : write(out[i], got, (size_t)n)) > 0)
				;
			_exit(n < 0);
		}
	for (int i = 0; i < 300; i++)
		t_need(write(p[1], data, 3001) == 3001, "write");
	close(p[1]), close(p[0]);
	for (int i = 0; i < 2; i++) {
		wait(&status);
		t_status("child", status);
		t_need(fstat(out[i], &st) == 0, "fstat");
		sum += st.st_size;
	}
	T(sum);
	close(out[0]), close(out[1]);
}

static void
copies(void)
{
	int in = make_file("cin", 10000), out = make_file("cout", 0), p[2], zero = open("/dev/zero",
	    O_RDONLY);
	int null = open("/dev/null", O_WRONLY), proc = open("/proc/self/stat", O_RDONLY);
	loff_t a = 0, b = 0;
	off_t off = 5000;

	t_need(pipe(p) == 0, "pipe");
	T(sendfile(p[1], in, &off, 100000));
	T(off);
	T(read(p[0], got, 10000));
	T(memcmp(got, data + 5000, 5000));
	T(sendfile(out, in, NULL, 3000));
	T(lseek(in, 0, SEEK_CUR));
	T(sendfile(out, p[0], NULL, 3000));
	T(sendfile(null, zero, NULL, 30));
	T(sendfile(out, in, (off_t *)8, 3000));
	T(copy_file_range(in, &a, out, &b, 4000, 0));
	T(a + b);
	T(copy_file_range(in, NULL, out, NULL, 100000, 0));
	T(copy_file_range(in, NULL, out, NULL, 100000, 0));
	T(copy_file_range(in, &a, in, &b, 4000, 0));
	a = 0, b = 5000;
	T(copy_file_range(in, &a, in, &b, 4000, 0));
	T(copy_file_range(in, &a, p[1], NULL, 4000, 0));
	T(copy_file_range(in, &a, out, &b, 4000, 1));
	T(copy_file_range(in, &a, null, &b, 4000, 0));
	T(copy_file_range(proc, NULL, out, NULL, 4000, 0));
	close(in), close(out), close(p[0]), close(p[1]), close(zero), close(null), close(proc);
}

int
main(void)
{
	uint64_t state = 1;

	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (char)t_rand(&state);
	refusals();
	through();
	chain();
	rivals();
	copies();
	return 0;
}
