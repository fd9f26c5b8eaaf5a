/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench - what the operations of a kernel cost, from a program's view.
 *
 *   bench [-d DIR] [-h DIR] [NAME...]    one round; DIR: a tmpfs (/tmp); files of the host (/share)
 *   bench -n COUNT [NAME...]             the same, each row one batch of COUNT, for who counts instructions
 *   bench -x                             exit (what fork+exec runs)
 *   bench -w COUNT COMMAND [ARG]...      wall time of COMMAND, start to exit
 *   bench -t                             standard input, before each line the ns since the start
 *   bench -m                             bytes of memory that the kernel takes per touched page
 *   bench -s COUNT START [DIR]           COUNT processes at once, each row from second START on
 *
 * One static program, so that host, virtual kernel and User Mode Linux run the
 * same instructions.  Each figure is one line, "BENCH name nanoseconds", per
 * operation or per page.
 * With -s they are "RATE name operations", of all processes together in a second;
 * since the rows begin at fixed times of the day, several machines at once can do
 * the same.  A batch is doubled until it lasts long enough; the
 * last one counts.  Medians over rounds are the caller's work.  BENCH_MS in the
 * environment is how long a batch must last; with 0 nothing is measured.
 *
 * As process 1 it makes itself a console and a tmpfs, says what the processor's
 * counter has come to, and powers the machine off at the end.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE_LEN	4096u
#define TOUCH_BYTES	(16u << 20)
#define IO_BYTES	65536u
#define IO_FILE_BYTES	(16u * IO_BYTES)
#define HOST_BYTES	(16u << 20)

static char self[PATH_MAX];
static uint64_t target_ns = 60000000;
static uint64_t batch;			/* -n: so many operations, however long they take */
static bool as_init;

static _Noreturn void
leave(int status)
{
	fflush(stdout);
	if (as_init) {
		sync();
		reboot(RB_POWER_OFF);
	}
	exit(status);
}

static void
must(bool ok, const char *what)
{
	if (ok)
		return;
	printf("bench: %s: %s\n", what, strerror(errno));
	leave(1);
}

static uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void
report(const char *name, double ns)
{
	if (ns >= 0)
		printf("BENCH %s %.1f\n", name, ns);
	fflush(stdout);
}

/* Run batches of op(n) until one lasts target_ns; ns per operation of that one. */
static double
measure(void (*op)(uint64_t n), uint64_t first)
{
	for (uint64_t n = batch != 0 ? batch : first;; n *= 2) {
		uint64_t t = now_ns();

		op(n);
		t = now_ns() - t;
		if (t >= target_ns || batch != 0)
			return (double)t / (double)n;
	}
}

/* ----------------------------------------------------------- operations -- */

static void
op_syscall(uint64_t n)
{
	while (n-- > 0)
		(void)getppid();
}

static void
op_fork(uint64_t n)
{
	while (n-- > 0) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		must(pid > 0 && waitpid(pid, NULL, 0) == pid, "fork");
	}
}

static void
op_exec(uint64_t n)
{
	int status;

	while (n-- > 0) {
		pid_t pid = fork();

		if (pid == 0) {
			execl(self, self, "-x", (char *)NULL);
			_exit(127);
		}
		must(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0, "exec");
	}
}

static int ping[2], pong[2];

static void
op_pipe(uint64_t n)
{
	char c = 0;

	while (n-- > 0)
		must(write(ping[1], &c, 1) == 1 && read(pong[0], &c, 1) == 1, "pipe");
}

/* The other end: a process that sends back what comes. */
static pid_t
pipe_begin(void)
{
	pid_t pid;
	char c;

	must(pipe(ping) == 0 && pipe(pong) == 0, "pipe");
	pid = fork();
	must(pid >= 0, "fork");
	if (pid == 0) {
		close(ping[1]);
		while (read(ping[0], &c, 1) == 1 && write(pong[1], &c, 1) == 1)
			continue;
		_exit(0);
	}
	close(ping[0]);
	close(pong[1]);
	return pid;
}

static void
pipe_end(pid_t pid)
{
	close(ping[1]);
	close(pong[0]);
	must(waitpid(pid, NULL, 0) == pid, "wait");
}

static double
run_pipe(void)
{
	pid_t pid = pipe_begin();
	double ns = measure(op_pipe, 64);

	pipe_end(pid);
	return ns;
}

/* Two threads that take turns; a word of each says that it is its turn. */
static _Atomic uint32_t turn[2];
enum { FUTEX_WAIT_PRIVATE = 128, FUTEX_WAKE_PRIVATE = 129 };

static void
give_turn(uint32_t to)
{
	atomic_store(&turn[to], 1);
	syscall(SYS_futex, &turn[to], FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void
take_turn(uint32_t me)
{
	while (atomic_load(&turn[me]) == 0)
		syscall(SYS_futex, &turn[me], FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	atomic_store(&turn[me], 0);
}

static void
op_futex(uint64_t n)
{
	while (n-- > 0) {
		give_turn(1);
		take_turn(0);
	}
}

static atomic_bool turns_over;

static void *
other_thread(void *arg)
{
	for (take_turn(1); !turns_over; take_turn(1))
		give_turn(0);
	return arg;
}

static double
run_futex(void)
{
	pthread_t thread;
	double ns;

	turns_over = false;
	must(pthread_create(&thread, NULL, other_thread, NULL) == 0, "thread");
	ns = measure(op_futex, 64);
	turns_over = true;
	give_turn(1);
	must(pthread_join(thread, NULL) == 0, "join");
	return ns;
}

static void *
no_thread(void *arg)
{
	return arg;
}

static void
op_thread(uint64_t n)
{
	pthread_t thread;

	while (n-- > 0)
		must(pthread_create(&thread, NULL, no_thread, NULL) == 0 && pthread_join(thread, NULL) == 0, "thread");
}

static void
op_stat(uint64_t n)
{
	struct stat st;

	while (n-- > 0)
		must(stat("bench.stat", &st) == 0, "stat");
}

static double
run_stat(void)
{
	double ns;

	must(close(open("bench.stat", O_CREAT | O_WRONLY, 0644)) == 0, "create");
	ns = measure(op_stat, 64);
	unlink("bench.stat");
	return ns;
}

static void
op_create(uint64_t n)
{
	while (n-- > 0) {
		int fd = open("bench.create", O_CREAT | O_EXCL | O_WRONLY, 0644);

		must(fd >= 0 && close(fd) == 0 && unlink("bench.create") == 0, "create");
	}
}

static void *
anonymous(size_t len)
{
	return mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void
op_mmap(uint64_t n)
{
	while (n-- > 0) {
		void *p = anonymous(16 * PAGE_LEN);

		must(p != MAP_FAILED && munmap(p, 16 * PAGE_LEN) == 0, "mmap");
	}
}

static int io_fd;
static char io_buf[IO_BYTES];

static off_t
io_at(uint64_t i)
{
	return (off_t)(i * IO_BYTES % IO_FILE_BYTES);
}

static void
op_write(uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		must(pwrite(io_fd, io_buf, IO_BYTES, io_at(i)) == IO_BYTES, "write");
}

static void
op_read(uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		must(pread(io_fd, io_buf, IO_BYTES, io_at(i)) == IO_BYTES, "read");
}

static double
run_io(void (*op)(uint64_t n))
{
	double ns;

	io_fd = open("bench.io", O_CREAT | O_RDWR, 0644);
	must(io_fd >= 0, "open");
	memset(io_buf, 1, sizeof io_buf);
	op_write(IO_FILE_BYTES / IO_BYTES);
	ns = measure(op, 16);
	close(io_fd);
	unlink("bench.io");
	return ns;
}

static double
run_write(void)
{
	return run_io(op_write);
}

static double
run_read(void)
{
	return run_io(op_read);
}

/* Files that belong to the host: one to read, cached, and a tree to walk.  None there: nothing to say. */
static const char *host_dir = "/share";

static void
op_host_read(uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		must(pread(io_fd, io_buf, IO_BYTES, (off_t)(i * IO_BYTES % HOST_BYTES)) == IO_BYTES, "read");
}

static double
run_host_read(void)
{
	char path[PATH_MAX];
	double ns;

	snprintf(path, sizeof path, "%s/file", host_dir);
	io_fd = open(path, O_RDONLY);
	if (io_fd < 0)
		return -1;
	op_host_read(HOST_BYTES / IO_BYTES);
	ns = measure(op_host_read, 16);
	close(io_fd);
	return ns;
}

/* The files below a directory, as find -type f counts them. */
static uint64_t
walk(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	struct stat st;
	uint64_t n = 0;

	must(d != NULL && fstat(fd, &st) == 0, name);
	while ((e = readdir(d)) != NULL) {
		if (e->d_type == DT_REG)
			n++;
		else if (e->d_type == DT_DIR && e->d_name[0] != '.')
			n += walk(fd, e->d_name);
	}
	closedir(d);
	return n;
}

static void
op_host_walk(uint64_t n)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/tree", host_dir);
	while (n-- > 0)
		must(walk(AT_FDCWD, path) > 0, "walk");
}

static double
run_host_walk(void)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/tree", host_dir);
	if (access(path, F_OK) != 0)
		return -1;
	op_host_walk(1);
	return measure(op_host_walk, 1);
}

/* First touch of anonymous memory, per page. */
static double
touch(void)
{
	volatile char *p = anonymous(TOUCH_BYTES);
	uint64_t t = now_ns();

	must(p != MAP_FAILED, "mmap");
	for (uint32_t i = 0; i < TOUCH_BYTES; i += PAGE_LEN)
		p[i] = 1;
	t = now_ns() - t;
	munmap((void *)p, TOUCH_BYTES);
	return (double)t / (TOUCH_BYTES / PAGE_LEN);
}

/*
 * Cold: memory that the machine has not used since it started.  It stands
 * first in the list below for that reason.  Warm: memory used a moment ago.
 */
static double
run_touch_warm(void)
{
	double best = touch();

	for (uint64_t i = 1; i < (batch != 0 ? batch : 5); i++) {
		double ns = touch();

		if (ns < best)
			best = ns;
	}
	return best;
}

/* Integer, floating point and memory work; no system call. */
static volatile uint64_t sink;

static void
op_compute(uint64_t n)
{
	enum { WORDS = 8192 };
	static uint64_t word[WORDS];
	uint64_t x = 88172645463325252ull;
	double f = 1.0;

	while (n-- > 0)
		for (int i = 0; i < WORDS; i++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			word[(x >> 20) % WORDS] += x;
			f = f * 1.0000001 + (double)(word[i] & 1);
		}
	sink = x + (uint64_t)f + word[1];
}

static double
run_compute(void)
{
	uint64_t t = now_ns();

	op_compute(1200);
	return (double)(now_ns() - t);
}

/* --------------------------------------------------------------- the list -- */

struct row {
	const char	*name;
	double		(*run)(void);		/* or: */
	void		(*op)(uint64_t n);
};

static const struct row rows[] = {
	{ "touch-cold", touch, NULL },
	{ "touch-warm", run_touch_warm, NULL },
	{ "syscall", NULL, op_syscall },
	{ "fork-exit-wait", NULL, op_fork },
	{ "fork-exec-wait", NULL, op_exec },
	{ "thread-create-join", NULL, op_thread },
	{ "pipe-round-trip", run_pipe, NULL },
	{ "futex-round-trip", run_futex, NULL },
	{ "stat", run_stat, NULL },
	{ "create-unlink", NULL, op_create },
	{ "mmap-munmap", NULL, op_mmap },
	{ "tmpfs-write-64k", run_write, NULL },
	{ "tmpfs-read-64k", run_read, NULL },
	{ "host-read-64k", run_host_read, NULL },
	{ "host-walk", run_host_walk, NULL },
	{ "compute", run_compute, NULL },
};

static bool
wanted(const char *name, char *const *names)
{
	if (*names == NULL)
		return true;
	for (; *names != NULL; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

/* -------------------------------------------------------------- together -- */

#define ROW_MS		1000u		/* a row is measured for so long */
#define ROW_EVERY_MS	1500u

/* Memory that nobody used a moment ago, as far as the machine is not out of it. */
static void
op_touch_once(uint64_t n)
{
	enum { LEN = 64 * PAGE_LEN };

	while (n-- > 0) {
		volatile char *p = anonymous(LEN);

		must(p != MAP_FAILED, "mmap");
		for (uint32_t i = 0; i < LEN; i += PAGE_LEN)
			p[i] = 1;
		munmap((void *)p, LEN);
	}
}

static void
op_file(uint64_t n)
{
	while (n-- > 0) {
		int fd = open("bench.file", O_CREAT | O_EXCL | O_WRONLY, 0644);

		must(fd >= 0 && write(fd, io_buf, PAGE_LEN) == PAGE_LEN && close(fd) == 0 && unlink("bench.file") == 0,
		    "file");
	}
}

static const struct {
	const char	*name;
	void		(*op)(uint64_t n);
	uint64_t	batch;
} together[] = {
	{ "syscall", op_syscall, 100 },
	{ "touch-64-pages", op_touch_once, 4 },
	{ "create-write-unlink", op_file, 16 },
	{ "pipe-round-trip", op_pipe, 16 },
	{ "fork-exit-wait", op_fork, 2 },
	{ "compute", op_compute, 100 },
};

static uint64_t
day_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* One of the processes: how many operations of each row it got done. */
static void
worker(uint64_t start_ms, _Atomic uint64_t *done)
{
	pid_t echo = pipe_begin();

	for (size_t r = 0; r < sizeof together / sizeof together[0]; r++, start_ms += ROW_EVERY_MS) {
		struct timespec ts = { (time_t)(start_ms / 1000), (long)(start_ms % 1000) * 1000000 };

		must(day_ms() < start_ms, "late");
		while (clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &ts, NULL) != 0)
			continue;
		for (; day_ms() < start_ms + ROW_MS; done[r] += together[r].batch)
			together[r].op(together[r].batch);
	}
	pipe_end(echo);
}

static void
run_together(uint32_t count, uint64_t start_ms)
{
	_Atomic uint64_t *done = mmap(NULL, IO_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const size_t nrows = sizeof together / sizeof together[0];
	char name[32];

	must(done != MAP_FAILED && count <= 64, "shared memory");
	for (uint32_t i = 0; i < count; i++) {
		pid_t pid = fork();

		must(pid >= 0, "fork");
		if (pid != 0)
			continue;
		snprintf(name, sizeof name, "bench.%d", (int)getpid());
		must(mkdir(name, 0755) == 0 && chdir(name) == 0, name);
		worker(start_ms, done + 16 * i);
		must(chdir("..") == 0 && rmdir(name) == 0, name);
		_exit(0);
	}
	for (int status; wait(&status) > 0;)
		must(status == 0, "worker");
	for (size_t r = 0; r < nrows; r++) {
		uint64_t sum = 0;

		for (uint32_t i = 0; i < count; i++)
			sum += done[16 * i + r];
		printf("RATE %s %llu\n", together[r].name, (unsigned long long)sum * 1000 / ROW_MS);
	}
}

/* Wall time of a command, for start-up. */
static int
time_command(int count, char **argv)
{
	for (int i = 0; i < count; i++) {
		uint64_t t = now_ns();
		int status;
		pid_t pid = fork();

		if (pid == 0) {
			int null = open("/dev/null", O_RDWR);

			dup2(null, 0);
			dup2(null, 1);
			dup2(null, 2);
			execvp(argv[0], argv);
			_exit(127);
		}
		must(pid > 0 && waitpid(pid, &status, 0) == pid, "wait");
		must(!WIFEXITED(status) || WEXITSTATUS(status) != 127, argv[0]);
		report("start-to-exit", (double)(now_ns() - t));
	}
	return 0;
}

/* Standard input as it comes, each line with its time. */
static int
stamp_lines(void)
{
	uint64_t t = now_ns();
	char line[4096];

	while (fgets(line, sizeof line, stdin) != NULL)
		printf("%llu %s", (unsigned long long)(now_ns() - t), line);
	return 0;
}

static uint64_t
free_bytes(void)
{
	FILE *f = fopen("/proc/meminfo", "r");
	char line[128];
	unsigned long long kib = 0;

	must(f != NULL, "/proc/meminfo");
	while (fgets(line, sizeof line, f) != NULL && sscanf(line, "MemFree: %llu", &kib) != 1)
		continue;
	fclose(f);
	return kib * 1024;
}

static void
touch_all(size_t len)
{
	volatile char *p = anonymous(len);

	must(p != MAP_FAILED, "mmap");
	for (size_t i = 0; i < len; i += PAGE_LEN)
		p[i] = 1;
}

/* With page tables and whatever else the kernel keeps.  What it has in reserve goes to the first ones. */
static int
page_bytes(void)
{
	enum { LEN = 64 << 20 };
	uint64_t before;

	touch_all(LEN / 2);
	before = free_bytes();
	touch_all(LEN);
	report("page-bytes", (double)(before - free_bytes()) / (LEN / PAGE_LEN));
	return 0;
}

/* Process 1 of a bare machine has no console and no writable tmpfs. */
static void
become_init(void)
{
	int fd;

	as_init = true;
	mount("proc", "/proc", "proc", 0, NULL);
	mount("tmpfs", "/tmp", "tmpfs", 0, NULL);
	mknod("/tmp/console", S_IFCHR | 0600, makedev(5, 1));
	fd = open("/tmp/console", O_RDWR);
	if (fd < 0)
		leave(1);
	dup2(fd, 0);
	dup2(fd, 1);
	dup2(fd, 2);
	report("boot-ticks", (double)__builtin_ia32_rdtsc());
}

int
main(int argc, char **argv)
{
	const char *dir = "/tmp", *ms = getenv("BENCH_MS");
	int c;

	if (realpath(argv[0], self) == NULL)
		snprintf(self, sizeof self, "%s", argv[0]);
	if (argc > 1 && strcmp(argv[1], "-x") == 0 && getpid() != 1)
		return 0;
	if (argc > 3 && strcmp(argv[1], "-w") == 0)
		return time_command(atoi(argv[2]), argv + 3);
	if (argc > 1 && strcmp(argv[1], "-t") == 0)
		return stamp_lines();
	if (argc > 3 && strcmp(argv[1], "-s") == 0) {
		must(chdir(argc > 4 ? argv[4] : dir) == 0, "directory");
		run_together((uint32_t)atoi(argv[2]), strtoull(argv[3], NULL, 10) * 1000);
		return 0;
	}
	if (getpid() == 1)
		become_init();
	if (ms != NULL)
		target_ns = strtoull(ms, NULL, 10) * 1000000;
	while ((c = getopt(argc, argv, "d:h:n:m")) != -1) {
		if (c == 'd')
			dir = optarg;
		else if (c == 'h')
			host_dir = optarg;
		else if (c == 'n')
			batch = strtoull(optarg, NULL, 10);
		else if (c == 'm')
			leave(page_bytes());
		else
			return 2;
	}
	must(chdir(dir) == 0, dir);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (target_ns != 0 && wanted(rows[i].name, argv + optind))
			report(rows[i].name, rows[i].run != NULL ? rows[i].run() : measure(rows[i].op, 16));
	leave(0);
}
