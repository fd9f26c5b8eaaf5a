/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz - calls and arguments drawn by lot, from several processes and threads.
 *
 *	fuzz [-a] [-r ROUNDS] [-n STEPS] [-s SEED] [-x CALL,...]
 *
 * The calls come from sys/kern/syscall/syscalls.tbl.  A round draws some of them for half of its steps, so
 * that what belongs together meets, and takes the others from all.  Arguments by kind come from a small
 * model of what is useful: descriptors of every kind, memory that is there, read-only, shared or missing,
 * structures of words that may be addresses, lengths or descriptors, names that exist, processes of the
 * round.
 *
 * A round lives in a box, a process with workers.  Every second box is a jail with root inside, the others
 * lack only the capabilities that would let them end this program.  Nothing is known about what a call
 * returns, only that each returns or can be interrupted by SIGKILL, and that the kernel's memory is what it
 * was when all boxes are gone: with many rounds, what is in use by size (/proc/slabinfo) may not grow from
 * round to round.
 *
 * Chance comes from getrandom(), which in deterministic mode is the seed's, or from -s.  Needs root, in a
 * guest.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <gen/calls.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/msg.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE	4096ull
#define PAGES	32u
#define ARENA	0x20000000000ull	/* private; pages 24 to 27 are read-only, 28 is missing */
#define COMMON	0x28000000000ull	/* of a file that all have mapped */
#define PROCS	3u
#define THREADS	2u
#define FAVOURITES 12u
#define BOX	"/tmp/fuzz.box"
#define CALLS	(sizeof calls / sizeof calls[0])
#define OURS	2000			/* our own user, so that root in a box may send us no signals */
#define SLACK	(256u << 10)
#define ENDS	12000			/* looks, 5 ms apart: a loaded host takes long to end a process, not for ever */

/* Shared by all of a round. */
struct worker { pid_t pid; pid_t tid[THREADS]; };
struct round {
	struct worker	worker[PROCS];
	_Atomic uint32_t steps;		/* left */
	_Atomic uint32_t done;		/* calls that were no error */
	uint16_t	favourite[FAVOURITES];
	bool		jail;
};

static struct round *now;
static const char *self;
static bool apart;
static size_t cpus;
static uint16_t drawable[CALLS];
static size_t drawables;
static _Thread_local uint64_t chance;

static void
failed(const char *what)
{
	dprintf(1, "fuzz: %s (errno %d)\n", what, errno);
	_exit(99);
}

static uint64_t
below(uint64_t n)
{
	chance = chance * 6364136223846793005ull + 1442695040888963407ull;
	return (chance >> 33) % n;
}

static uint64_t
one_of(const uint64_t *v, size_t n)
{
	return v[below(n)];
}
#define ONE_OF(v)	one_of(v, sizeof(v) / sizeof((v)[0]))

/* ------------------------------------------------------------- arguments -- */

static const uint64_t nasty[] = {
	0, 1, 8, (uint64_t)-1, (uint64_t)-2, (uint64_t)-4096, 0x7ffffffff000, 0x7fffff000000,
	    0x800000000000, 0xffff888000001000,
	1ull << 63, INT64_MAX, 0xffffffff, 0x7fffffff, 0x80000000, 4095, 4096, 4097, 0x100000000, 65536,
	    ARENA + 28 * PAGE - 1,
};

static uint64_t
number(void)
{
	/* of ioctl, fcntl, prctl, the socket options, the scheduler ... */
	static const uint64_t known[] = {
		0x5401, 0x5402, 0x540b, 0x540e, 0x540f, 0x5410, 0x5413, 0x541b, 0x5421, 0x5422, 0x5450,
		    0x5451, 0x80045430, 0x40045431,
		1024, 1025, 1026, 1030, 1031, 1032, 1033, 1034, 36, 37, 38, 0x1001, 0x1002, 0x1003, 0x1004,
		    128, 129, 131, 132, 137, 256,
		39, 22, 24, 0x4200, 0x4206, 0x4203, 16, 17, 7, 31, 0x2000, 0x6000, 0x1000, 0xa000, 0x541000,
	};

	switch (below(8)) {
	case 0: return ONE_OF(nasty);
	case 1: case 2: return ONE_OF(known);
	case 3: return below(128);
	default: return below(12);
	}
}

static uint64_t
descriptor(void)
{
	switch (below(16)) {
	case 0: return ONE_OF(nasty);
	case 1: return (uint64_t)AT_FDCWD;
	case 2: case 3: return below(64);
	default: return 10 + below(24);
	}
}

static uint64_t
length(void)
{
	switch (below(8)) {
	case 0: return ONE_OF(nasty);
	case 1: return below(6) * PAGE;
	case 2: return below(40000);
	case 3: return below(600);
	default: return below(33);
	}
}

static uint64_t
bits(void)
{
	static const uint64_t known[] = {
		O_RDWR | O_CREAT, O_RDONLY, O_WRONLY | O_APPEND, O_RDWR | O_CREAT | O_TRUNC, O_DIRECTORY,
		    O_PATH, O_RDWR | O_NONBLOCK,
		PROT_READ | PROT_WRITE, PROT_NONE, PROT_READ, PROT_READ | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS, MAP_SHARED,
		MAP_SHARED | MAP_ANONYMOUS, MAP_PRIVATE | MAP_FIXED,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, 0600, 0644, 0777, 01600,
		SIGCHLD, 0x3d0f00, CLONE_VM | CLONE_VFORK | SIGCHLD, MSG_DONTWAIT, MSG_PEEK, AT_EMPTY_PATH,
		    AT_SYMLINK_NOFOLLOW, AT_REMOVEDIR,
		MREMAP_MAYMOVE, MREMAP_MAYMOVE | MREMAP_FIXED, S_IFIFO | 0666, S_IFCHR | 0666,
		    S_IFSOCK | 0600, MS_BIND, MS_REMOUNT,
	};

	switch (below(8)) {
	case 0: return ONE_OF(nasty);
	case 1: return 1ull << below(33);
	case 2: return 1ull << below(20) | 1ull << below(20);
	case 3: return below(16);
	case 4: case 5: return ONE_OF(known);
	default: return 0;
	}
}

static uint64_t
process(void)
{
	const struct worker *w = &now->worker[below(PROCS)];

	switch (below(8)) {
	case 0: return ONE_OF(nasty);
	case 1: return 0;
	case 2: return (uint64_t)-(int64_t)w->pid;
	case 3: case 4: return (uint64_t)w->tid[below(THREADS)];
	case 5: return (uint64_t)getpid();
	default: return (uint64_t)w->pid;
	}
}

static uint64_t
page(void)
{
	return (below(4) == 0 ? COMMON : ARENA) + below(PAGES) * PAGE;
}

/* Somewhere to read and write: often the beginning of a page, or shortly before the end. */
static uint64_t
place(void)
{
	switch (below(12)) {
	case 0: return 0;
	case 1: return ONE_OF(nasty);
	case 2: return page() + below(PAGE);
	case 3: return page() + PAGE - 8 * below(4);
	default: return page() + 8 * below(64);
	}
}

/* Kernel structures are words: addresses, lengths, descriptors, numbers, and halves of these. */
static void
structure(uint64_t at)
{
	uint64_t v[12];

	for (size_t i = 0; i < sizeof v / sizeof v[0]; i++)
		switch (below(9)) {
		case 0: v[i] = place(); break;
		case 1: v[i] = length(); break;
		case 2: v[i] = descriptor() | number() << 32; break;
		case 3: v[i] = number() | bits() << 32; break;
		case 4: v[i] = below(1000000); break;
		case 5: v[i] = number(); break;
		case 6: v[i] = process() | (uint64_t)below(100) << 32; break;
		default: v[i] = 0;
		}
	/* By the kernel's hand, which does not fault: the page may have gone. */
	if (at >= ARENA && at < COMMON + PAGES * PAGE)
		(void)syscall(SYS_pread64, 9, at, 0, 0);
	if (syscall(SYS_pwrite64, 9, v, sizeof v, 0) == (long)sizeof v)
		(void)syscall(SYS_pread64, 9, at, sizeof v, 0);
}

/* `inside`: of the box, so that what is mounted there hides nothing of ours. */
#define INSIDE	10
static uint64_t
text(bool inside)
{
	static const char *const texts[] = {
		"f0", "f1", "f2", "f3", "d0", "d1", "d0/f1", "d0/f2", "d1/d2", "s0", "s1", "s0/f1",
		    "d1/../f0", "x", ".", "..", "", "no",
		"/proc/self/maps", "/proc/self/fd/12", "/proc/self/status", "/proc/self/mem",
		    "/proc/self/ns", "/proc/thread-self/comm",
		"/proc/self/oom_score_adj", "/proc/sys/kernel/hostname", "/proc/1/stat", "/proc/self/fd",
		    "/proc/self/exe", "/dev/null",
		"/dev/zero", "/dev/ptmx", "/dev/tty", "/dev/pts/0", "/dev/full", "/dev/fd/15", "tmpfs",
		    "proc", "overlay", "devpts", "user.a",
		"user.b", "trusted.x", "security.capability", "system.posix_acl_access", "/", "f0/", "d0/.",
		    "lowerdir=d0,upperdir=d1",
	};
	uint64_t at = ARENA + below(2) * PAGE + below(30) * 128;
	const char *s = texts[below(inside ? INSIDE : sizeof texts / sizeof texts[0])];

	if (below(12) == 0)
		return place();
	if (syscall(SYS_pwrite64, 9, s, strlen(s) + 1, 0) > 0)
		(void)syscall(SYS_pread64, 9, at, strlen(s) + 1, 0);
	return at;
}

static uint64_t
argument(const struct call *c, int i)
{
	uint64_t at;

	if (below(40) == 0)
		return ONE_OF(nasty);
	switch (c->what[i]) {
	case 'S':
		return text(!now->jail && c->nr == SYS_mount && i == 1);
	case 'R': case 'W':
		at = place();
		if (below(3) != 0)
			structure(at);
		return at;
	case 'A': return below(3) == 0 ? place() : page();
	case 'F': return descriptor();
	case 'B': return bits();
	case 'I': return process();
	case 'L': return length();
	default:
		return below(6) == 0 ? place() : number();
	}
}

/* ----------------------------------------------------------------- calls -- */

/* What it forks ends at once, and touches no stack, which may be its parent's. */
static long
make(long nr, const uint64_t *a, bool forks)
{
	register uint64_t r10 __asm__("r10") = a[3], r8 __asm__("r8") = a[4], r9 __asm__("r9") = a[5];
	long r;

	__asm__ volatile("syscall\n\ttest %%rax, %%rax\n\tjnz 1f\n\ttest %%rbx, %%rbx\n\tjz 1f\n\t"
	    "mov $60, %%eax\n\txor %%edi, %%edi\n\tsyscall\n1:"
	    : "=a"(r) : "a"(nr), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9),
	    "b"((uint64_t)forks)
	    : "rcx", "r11", "memory");
	return r;
}

/* Now and then what a call may have spoilt: signals, memory. */
static void
repair(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	(void)mmap((void *)ARENA, 28 * PAGE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	(void)mprotect((void *)(ARENA + 24 * PAGE), 4 * PAGE, PROT_READ);
	if (below(2) == 0)
		(void)mmap((void *)COMMON, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, 8,
		    0);
}

static void *
thread(void *arg)
{
	struct worker *w = arg;
	size_t k = 0;

	for (; k < THREADS - 1 && w->tid[k] != 0; k++)
		continue;
	w->tid[k] = (pid_t)syscall(SYS_gettid);
	if (getrandom(&chance, sizeof chance, 0) != sizeof chance)
		failed("getrandom");
	chance ^= (uint64_t)w->tid[k] << 40;
	while ((int32_t)now->steps > 0) {
		const struct call *c = &calls[below(2) == 0 ? now->favourite[below(FAVOURITES)] :
		    drawable[below(drawables)]];
		uint64_t a[6] = { 0 };

		now->steps--;
		if (below(16) == 0)
			repair();
		for (int i = 0; c->what[i] != '\0'; i++)
			a[i] = argument(c, i);
		if (make(c->nr, a, c->nr == SYS_fork || c->nr == SYS_vfork || c->nr == SYS_clone ||
		    c->nr == 435) >= 0)
			now->done++;
	}
	return NULL;
}

/* --------------------------------------------------------------- workers -- */

static void
put(int fd, int at)
{
	if (fd >= 0 && fd != at) {
		dup2(fd, at);
		close(fd);
	}
}

static void
descriptors(void)
{
	sigset_t set;
	int p[2], at = 10;

	sigfillset(&set);
	put(open("f0", O_RDWR | O_CREAT, 0666), at++);
	put(open("f1", O_RDWR | O_CREAT | O_APPEND, 0666), at++);
	put(open("f2", O_RDONLY | O_CREAT, 0666), at++);
	put(open("d0", O_RDONLY | O_DIRECTORY), at++);
	put(open("f0", O_PATH), at++);
	put(open("/proc/self/maps", O_RDONLY), at++);
	put(open("/dev/zero", O_RDWR), at++);
	put(open("/dev/ptmx", O_RDWR | O_NOCTTY), at++);
	put(epoll_create1(0), at++);
	put(eventfd(1, 0), at++);
	put(timerfd_create(CLOCK_MONOTONIC, 0), at++);
	put(signalfd(-1, &set, 0), at++);
	put(memfd_create("m", MFD_ALLOW_SEALING), at++);
	put((int)syscall(434, getpid(), 0), at++);
	put(socket(AF_UNIX, SOCK_DGRAM, 0), at++);
	for (int type = 0; type < 3; type++)
		if ((type == 2 ? pipe(p) : socketpair(AF_UNIX, type == 0 ? SOCK_STREAM : SOCK_SEQPACKET, 0,
		    p)) == 0) {
			put(p[1], at + 1);
			put(p[0], at);
			at += 2;
		}
}

static void
on_nothing(int signo)
{
	(void)signo;
}

static void
worker(struct worker *w)
{
	struct sigaction sa = { .sa_handler = on_nothing };
	pthread_t t;
	cpu_set_t set;

	w->pid = getpid();
	memset(w->tid, 0, sizeof w->tid);
	put(open("/dev/null", O_RDWR), 0);
	dup2(0, 1);
	dup2(0, 2);
	setsid();
	sigaction(SIGALRM, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
	descriptors();
	put(memfd_create("scratch", 0), 9);
	put(open("common", O_RDWR), 8);
	(void)mmap((void *)COMMON, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, 8, 0);
	repair();
	if (apart) {
		CPU_ZERO(&set);
		CPU_SET((size_t)getpid() % cpus, &set);
		(void)sched_setaffinity(0, sizeof set, &set);
	}
	for (unsigned i = 1; i < THREADS; i++)
		if (pthread_create(&t, NULL, thread, w) == 0)
			pthread_detach(t);
	thread(w);
	_exit(0);
}

/* -------------------------------------------------------------- the box -- */

static void
limits(void)
{
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
	setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 1 << 20, 1 << 20 });
	setrlimit(RLIMIT_NPROC, &(struct rlimit){ 60, 60 });
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 100, 100 });
	setrlimit(RLIMIT_AS, &(struct rlimit){ 256 << 20, 256 << 20 });
	setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){ 1 << 20, 1 << 20 });
}

/* All capabilities but those over others' processes, over users and limits, and to end the machine. */
static void
become_root(void)
{
	/* KILL, SETGID, SETUID, SETPCAP, SYS_PTRACE, SYS_BOOT, SYS_RESOURCE */
	static const int gone[] = { 5, 6, 7, 8, 19, 22, 24 };
	struct { uint32_t version; int pid; } header = { 0x20080522, 0 };
	struct { uint32_t eff, perm, inh; } all[2] = { { ~0u, ~0u, 0 }, { 0x1ff, 0x1ff, 0 } };

	if (syscall(SYS_setresuid, 0, 0, 0) != 0)
		failed("setresuid");
	for (size_t i = 0; i < sizeof gone / sizeof gone[0]; i++) {
		(void)prctl(PR_CAPBSET_DROP, gone[i], 0, 0, 0);
		all[0].eff = all[0].perm &= ~(1u << gone[i]);
	}
	if (syscall(SYS_capset, &header, all) != 0)
		failed("capset");
}

/* Workers are replaced while there is something to do; who sleeps is told to wake up. */
static void
box(void)
{
	uint64_t args[3] = { 0, (uint64_t)(uintptr_t)BOX, (uint64_t)(uintptr_t)"box" };
	struct timespec little = { 0, 2000000 };
	pid_t pid[PROCS] = { 0 };
	int spoilt = 0;

	setsid();
	limits();
	if (chdir(BOX) != 0)
		failed(BOX);
	if (now->jail && (syscall(4096, args, sizeof args) != 0 || chdir("/") != 0))
		failed("jail");
	if (!now->jail && (chroot(".") != 0 || chdir("/") != 0))
		failed("chroot");
	if (!now->jail)
		become_root();
	signal(SIGALRM, SIG_IGN);
	while ((int32_t)now->steps > 0 && spoilt < 2000) {
		for (size_t i = 0; i < PROCS; i++) {
			if (pid[i] != 0 && waitpid(pid[i], NULL, WNOHANG) == 0) {
				for (size_t k = 0; k < THREADS; k++)
					(void)syscall(SYS_tgkill, pid[i], now->worker[i].tid[k],
					    below(4) == 0 ? SIGCONT : SIGALRM);
				continue;
			}
			spoilt++;
			pid[i] = fork();
			if (pid[i] == 0)
				worker(&now->worker[i]);
			if (pid[i] < 0)
				pid[i] = 0;
		}
		nanosleep(&little, NULL);
	}
	_exit(0);
}

/* ------------------------------------------------------------ the rounds -- */

static int
forget(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st;
	(void)f;
	if ((type == FTW_DP ? rmdir(path) : unlink(path)) == 0)
		return 0;
	dprintf(1, "fuzz: %s: %s\n", path, strerror(errno));
	return -1;
}

static void
prepare(const char *program)
{
	int fd;

	if (mkdir(BOX, 0777) != 0 || chdir(BOX) != 0)
		failed(BOX);
	chmod(".", 0777);
	mkdir("d0", 0777);
	mkdir("d1", 0777);
	mkdir("d1/d2", 0777);
	mkdir("proc", 0755);
	mkdir("dev", 0755);
	mkdir("tmp", 01777);
	(void)symlink("d0", "s0");
	(void)symlink("s1", "s1");
	(void)link(program, "x");
	if (mount("none", "proc", "proc", 0, NULL) != 0)
		failed("mount");
	(void)mknod("dev/null", S_IFCHR | 0666, 0x103);
	(void)mknod("dev/zero", S_IFCHR | 0666, 0x105);
	(void)mknod("dev/ptmx", S_IFCHR | 0666, 0x502);
	fd = open("common", O_RDWR | O_CREAT, 0666);
	if (fd < 0 || ftruncate(fd, PAGES * PAGE) != 0 || fchmod(fd, 0666) != 0)
		failed("common");
	close(fd);
	if (chdir("/") != 0)
		failed("chdir");
}

/* Mounts of a box, the last first; some may be busy until those above them are gone. */
static void
unmount(void)
{
	char line[512], path[512];
	bool found = true;

	for (int tries = 0; found && tries < 100; tries++) {
		FILE *f = fopen("/proc/self/mountinfo", "r");	/* in /proc/mounts a source may be empty */

		for (found = false; f != NULL && fgets(line, sizeof line, f) != NULL;)
			if (sscanf(line, "%*s %*s %*s %*s %511s", path) == 1 && strncmp(path, BOX, strlen(BOX)) == 0)
				found = umount2(path, MNT_DETACH) == 0 || found;
		if (f != NULL)
			fclose(f);
	}
}

/* What boxes without a jail left behind: processes, System V objects. */
static int
sweep(bool tell)
{
	char text[400];
	DIR *d = opendir("/proc");
	int left = 0;

	for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
		pid_t pid = atoi(e->d_name);

		if (pid < 2 || pid == getpid())
			continue;
		kill(pid, SIGKILL);
		left++;
		snprintf(text, sizeof text, "/proc/%d/stat", pid);
		for (int fd = tell ? open(text, O_RDONLY) : -1; fd >= 0; close(fd), fd = -1)
			if (read(fd, text, sizeof text) > 0)
				dprintf(1, "left: %.60s\n", text);
	}
	if (d != NULL)
		closedir(d);
	for (int kind = 0; kind < 3; kind++) {
		FILE *f = fopen(kind == 0 ? "/proc/sysvipc/shm" : kind == 1 ? "/proc/sysvipc/sem" :
		    "/proc/sysvipc/msg", "r");
		int id;

		while (f != NULL && fgets(text, sizeof text, f) != NULL)
			if (sscanf(text, "%*d %d", &id) == 1)
				(void)(kind == 0 ? shmctl(id, IPC_RMID, NULL) : kind == 1 ?
				    semctl(id, 0, IPC_RMID) : msgctl(id, IPC_RMID, NULL));
		if (f != NULL)
			fclose(f);
	}
	return left;
}

static void
show(const char *path)
{
	FILE *f = fopen(path, "r");
	char line[512];

	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		dprintf(1, "%s", line);
	if (f != NULL)
		fclose(f);
}

static void
one_round(uint32_t steps, bool jail)
{
	struct timespec little = { 0, 5000000 };
	pid_t pid;

	prepare(self);
	now->jail = jail;
	now->steps = steps;
	now->done = 0;
	memset(now->worker, 0, sizeof now->worker);
	for (size_t i = 0; i < FAVOURITES; i++)
		now->favourite[i] = drawable[below(drawables)];
	pid = fork();
	if (pid == 0)
		box();
	for (int n = 0; waitpid(pid, NULL, WNOHANG) == 0; n++) {
		if (n == 2000)
			kill(pid, SIGKILL);
		if (n == 2000 + ENDS)
			failed("a box does not end");
		nanosleep(&little, NULL);
	}
	now->steps = 0;
	for (int n = 0; sweep(n == ENDS) > 0; n++) {
		while (waitpid(-1, NULL, WNOHANG | __WALL) > 0)
			continue;
		if (n == ENDS)
			failed("a process does not end");
		nanosleep(&little, NULL);
	}
	unmount();
	if (nftw(BOX, forget, 16, FTW_DEPTH | FTW_PHYS) != 0) {
		show("/proc/self/mountinfo");
		failed("cannot clean up");
	}
}

/* Kernel memory in use by its small and large objects. */
static uint64_t
in_use(bool tell)
{
	FILE *f = fopen("/proc/slabinfo", "r");
	unsigned long long used, size, sum = 0;
	char line[200];

	while (f != NULL && fgets(line, sizeof line, f) != NULL) {
		if (sscanf(line, "%*s %llu %*u %llu", &used, &size) != 2)
			continue;
		sum += used * size;
		if (tell)
			dprintf(1, "  %llu of %llu\n", used, size);
	}
	if (f != NULL)
		fclose(f);
	return sum;
}

static void
draw_from(const char *without)
{
	static const int never[] = { SYS_reboot, SYS_pivot_root, SYS_swapon, SYS_swapoff };

	for (size_t k = 0; k < CALLS; k++) {
		const char *p = without == NULL ? NULL : strstr(without, calls[k].name);
		bool skip = p != NULL && (p == without || p[-1] == ',') &&
		    strchr(",", p[strlen(calls[k].name)]) != NULL;

		for (size_t i = 0; i < sizeof never / sizeof never[0]; i++)
			skip = skip || calls[k].nr == never[i];
		if (!skip)
			drawable[drawables++] = (uint16_t)k;
	}
}

/* Lowest over a quarter of the rounds: what was there all the time. */
static uint64_t
floor_of(const uint64_t *used, long n)
{
	uint64_t low = used[0];

	for (long i = 1; i < n; i++)
		low = used[i] < low ? used[i] : low;
	return low;
}

int
main(int argc, char **argv)
{
	long rounds = 1, steps = 400;
	uint64_t *used;
	bool seeded = false, tell = false;
	char *without = NULL;

	if (argc < 1 || strstr(argv[0], "fuzz") == NULL)
		return 0;		/* run by a worker */
	self = argv[0];
	for (int c; (c = getopt(argc, argv, "ar:n:s:x:v")) != -1;)
		switch (c) {
		case 'a': apart = true; break;
		case 'r': rounds = atol(optarg); break;
		case 'n': steps = atol(optarg); break;
		case 's': chance = strtoull(optarg, NULL, 0); seeded = true; break;
		case 'x': without = optarg; break;
		case 'v': tell = true; break;
		default: return 2;
		}
	cpus = (size_t)sysconf(_SC_NPROCESSORS_ONLN);
	if (!seeded && getrandom(&chance, sizeof chance, 0) != sizeof chance)
		failed("getrandom");
	draw_from(without);
	used = calloc((size_t)rounds, sizeof *used);
	now = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (now == MAP_FAILED || used == NULL || rounds < 1)
		failed("memory");
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	umask(0);
	if (syscall(SYS_setresuid, OURS, 0, OURS) != 0)
		failed("setresuid");
	for (long i = 0; i < rounds; i++) {
		one_round((uint32_t)steps, below(2) == 0);
		used[i] = in_use(false);
		if (tell)
			dprintf(1, "round %ld: %u calls %ssucceeded, %llu bytes in use\n", i, now->done,
			    now->jail ? "in a jail " : "",
			    (unsigned long long)used[i]);
	}
	if (rounds >= 16 && floor_of(used + rounds - rounds / 4, rounds / 4) > floor_of(used + rounds / 4,
	    rounds / 4) + SLACK) {
		in_use(true);
		failed("memory in use grows");
	}
	dprintf(1, "done\n");
	return 0;
}
