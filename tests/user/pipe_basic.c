/* SPDX-License-Identifier: BSD-2-Clause */
/* Pipes - order, atomicity, capacity, end of file, and not waiting. */
#include "t.h"

static char big[1 << 20];

static void
ends(void)
{
	int p[2];
	char buf[100];

	T(pipe(p));
	T(write(p[0], "x", 1));
	T(read(p[1], buf, 1));
	T(lseek(p[0], 0, SEEK_SET));
	T(pread(p[0], buf, 1, 0));
	T(ftruncate(p[1], 0));
	T(fsync(p[1]));
	T(write(p[1], "hello", 5));
	T(write(p[1], " world", 6));
	T(read(p[0], buf, 3));
	T(read(p[0], buf, 100));
	T(write(p[1], "rest", 4));
	T(close(p[1]));
	T(read(p[0], buf, 100));
	T(read(p[0], buf, 100));
	T(close(p[0]));
	T(pipe2(p, O_CLOEXEC | O_NONBLOCK));
	T(fcntl(p[0], F_GETFD));
	t_say("%#o %#o", (unsigned)fcntl(p[0], F_GETFL), (unsigned)fcntl(p[1], F_GETFL));
	T(read(p[0], buf, 1));
	struct stat st;
	T(fstat(p[0], &st));
	t_say("mode %o nlink %d size %d", st.st_mode, (int)st.st_nlink, (int)st.st_size);
	close(p[0]), close(p[1]);
	T(pipe2(p, 0x12345));
}

static void
capacity(void)
{
	int p[2], n;

	t_need(pipe2(p, O_NONBLOCK) == 0, "pipe");
	T(fcntl(p[0], F_GETPIPE_SZ));
	T(write(p[1], big, sizeof big));
	T(write(p[1], big, 1));
	T(ioctl(p[0], FIONREAD, &n));
	T(n);
	T(read(p[0], big, 100));
	T(write(p[1], big, 50));
	T(read(p[0], big, 4000));
	T(write(p[1], big, 5000));
	T(read(p[0], big, sizeof big));
	T(fcntl(p[1], F_SETPIPE_SZ, 4096));
	T(fcntl(p[1], F_GETPIPE_SZ));
	T(write(p[1], big, 5000));
	T(write(p[1], big, 1));
	T(fcntl(p[1], F_SETPIPE_SZ, 1 << 17));
	T(write(p[1], big, 4096));
	T(fcntl(p[1], F_SETPIPE_SZ, 4096));
	T(fcntl(p[1], F_SETPIPE_SZ, 5000));
	T(fcntl(0, F_SETPIPE_SZ, 4096));
	close(p[0]), close(p[1]);
}

/* Writes of up to PIPE_BUF bytes by many writers never mix. */
static void
atomic(void)
{
	int p[2], status, mixed = 0, records = 0, n;
	static char in[8 * 50 * 4096];
	size_t have = 0;

	t_need(pipe(p) == 0, "pipe");
	for (int w = 0; w < 8; w++)
		if (fork() == 0) {
			char rec[4096];
			uint64_t seed = (uint64_t)w;

			for (int i = 0; i < 50; i++) {
				n = 2 + (int)(t_rand(&seed) % 4094);
				memset(rec, 'a' + w, (size_t)n);
				rec[n - 1] = '\n';
				if (write(p[1], rec, (size_t)n) != n)
					_exit(1);
			}
			_exit(0);
		}
	close(p[1]);
	while ((n = (int)read(p[0], in + have, sizeof in - have)) > 0)
		have += (size_t)n;
	while (wait(&status) > 0)
		mixed += status != 0;
	for (size_t i = 0, start = 0; i < have; i++) {
		if (in[i] == '\n') {
			records++;
			start = i + 1;
		} else if (in[i] != in[start])
			mixed++;
	}
	t_say("%d records, %d mixed", records, mixed);
	close(p[0]);
}

/* A writer and a reader at different paces move a megabyte unchanged. */
static void
throughput(void)
{
	int p[2], status;
	uint64_t seed = 5, sum = 0, want = 0;
	pid_t pid;

	for (size_t i = 0; i < sizeof big; i++) {
		big[i] = (char)t_rand(&seed);
		want = want * 31 + (uint8_t)big[i];
	}
	t_need(pipe(p) == 0, "pipe");
	pid = fork();
	if (pid == 0) {
		size_t done = 0;

		while (done < sizeof big) {
			size_t n = 1 + t_rand(&seed) % 30000;
			ssize_t r = write(p[1], big + done, n < sizeof big - done ? n : sizeof big - done);

			if (r <= 0)
				_exit(1);
			done += (size_t)r;
		}
		_exit(0);
	}
	close(p[1]);
	memset(big, 0, sizeof big);
	for (;;) {
		char buf[20000];
		ssize_t r = read(p[0], buf, 1 + t_rand(&seed) % sizeof buf);

		if (r <= 0)
			break;
		for (ssize_t i = 0; i < r; i++)
			sum = sum * 31 + (uint8_t)buf[i];
	}
	waitpid(pid, &status, 0);
	t_status("writer", status);
	t_say("same bytes: %d", sum == want);
	close(p[0]);
}

static void
blocked_writer_learns(void)
{
	int p[2], status, n;
	pid_t pid;

	t_need(pipe(p) == 0, "pipe");
	pid = fork();
	if (pid == 0) {
		close(p[0]);
		signal(SIGPIPE, SIG_IGN);
		T(write(p[1], big, sizeof big));
		T(write(p[1], big, 1));
		_exit(0);
	}
	close(p[1]);
	T_UNTIL(ioctl(p[0], FIONREAD, &n) == 0 && n == 65536);
	T(read(p[0], big, 70000));
	T_UNTIL(ioctl(p[0], FIONREAD, &n) == 0 && n == 65536);
	close(p[0]);
	waitpid(pid, &status, 0);
	t_status("writer", status);
}

static void
fifos(void)
{
	int r, w, rw;
	char buf[8];

	T(mkfifo("f", 0640));
	T(mkfifo("f", 0640));
	T(open("f", O_WRONLY | O_NONBLOCK));
	T_OK(r = open("f", O_RDONLY | O_NONBLOCK));
	T(read(r, buf, 8));
	T_OK(w = open("f", O_WRONLY | O_NONBLOCK));
	T(read(r, buf, 8));
	T(write(w, "abc", 3));
	T(read(r, buf, 8));
	T(close(w));
	T(read(r, buf, 8));
	T(close(r));
	T_OK(rw = open("f", O_RDWR));
	T(write(rw, "self", 4));
	T(read(rw, buf, 8));
	T(unlink("f"));
	T(write(rw, "gone", 4));
	T(read(rw, buf, 8));
	close(rw);
	T(mkfifo("g", 0600));
	if (fork() == 0) {
		w = open("g", O_WRONLY);
		_exit(write(w, "rendezvous", 6) == 6 ? 0 : 1);
	}
	r = open("g", O_RDONLY);
	T(read(r, buf, 8));
	T(read(r, buf, 8));
	wait(NULL);
	close(r);
	struct stat st;
	stat("g", &st);
	t_say("mode %o size %d", st.st_mode, (int)st.st_size);
}

int
main(void)
{
	ends();
	capacity();
	atomic();
	throughput();
	blocked_writer_learns();
	fifos();
	return 0;
}
