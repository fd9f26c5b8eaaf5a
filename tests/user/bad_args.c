/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bad arguments - every system call of the table, one argument wrong at a time.
 *
 * The rows come from sys/kern/syscall/syscalls.tbl, so that a new call is tried by being there.  Each
 * argument has a usual value, by its kind or by its name (usual[]), and a list of values that do harm.  For
 * each of these a child, which owns its memory, descriptors and directory, makes the call once with the
 * other arguments as usual; what it answered is told through shared memory. A child that is found asleep
 * again and again waits: that is an answer, too.
 *
 * One line for each argument: the answers, and which values got them.  Where this kernel means to differ
 * from Linux, or Linux from itself, differs[] says so with the reason, and both sides print that.
 * needs: root
 */
#include "t.h"
#include <ftw.h>
#include <gen/calls.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>

#define NOBODY	64998		/* nobody else's: what is sent to all processes of a user stays here */
#define SLOTS	40
#define ARENA	0x20000000000ull	/* nothing is mapped for 2^32 bytes around */
#define TOLD	0x10000000000ull
/* A page for each argument, all zero, and one that is not there. */
#define GOOD(i)	(ARENA + (uint64_t)(i) * 2 * T_PAGE)
#define HOLE(i)	(GOOD(i) + T_PAGE)
#define FULL	GOOD(6)			/* a page without a NUL */
#define CONST	GOOD(7)			/* read-only */
#define BUFFER	GOOD(8)			/* what an iovec points to */

enum { NEW, CALLS, RETURNED };
struct told {
	_Atomic int	state;
	long		result;
	int		shm, sem, msg;		/* System V objects that the child made, -1: none */
	int		status, asleep;		/* the parent's */
	pid_t		pid;			/* the parent's; 0: over */
};

struct value { const char *name; uint64_t v; };

static struct told *told;
static uint64_t stub = 0x7fffff000000;		/* where a virtual kernel keeps what is its own */

/* Descriptors of a child. */
enum { F_RW = 10, F_RO, F_WO, F_DIR, F_PATH, F_PIPER, F_PIPEW, F_SOCK, F_LISTEN, F_EPOLL, F_EVENT, F_TIMER,
    F_SIGNAL,
	F_MEM, F_PID, F_NULL, F_PROC, F_CLOSED = 77 };

/* The usual value of an argument of this name, of some calls or of all: the first row that fits. */
static const struct { const char *calls, *arg; uint64_t v; } usual[] = {
	{ "mmap mprotect munmap msync mincore madvise mlock munlock mlock2", "len", T_PAGE },
	{ "mmap", "flags", MAP_PRIVATE | MAP_ANONYMOUS }, { "mmap mprotect", "prot", PROT_READ | PROT_WRITE },
	{ "mremap", "old_len", T_PAGE }, { "mremap", "new_len", 2 * T_PAGE }, { "mremap", "flags", 1 },
	{ "shmat", "addr", 0 }, { "msync", "flags", MS_SYNC }, { "madvise", "advice", MADV_DONTNEED },
	{ "accept accept4", "fd", F_LISTEN }, { "getdents getdents64 fchdir", "fd", F_DIR },
	{ "connect sendto recvfrom sendmsg recvmsg recvmmsg sendmmsg shutdown bind listen "
	    "getsockname getpeername setsockopt getsockopt", "fd", F_SOCK },
	{ "timerfd_settime timerfd_gettime", "fd", F_TIMER }, { "signalfd signalfd4", "fd", (uint64_t)-1 },
	{ "vmsplice", "fd", F_PIPEW }, { "epoll_ctl", "fd", F_PIPER }, { "splice tee", "in_fd", F_PIPER },
	{ "tee", "out_fd", F_PIPEW }, { NULL, "epfd", F_EPOLL }, { NULL, "pidfd", F_PID },
	{ NULL, "dirfd", (uint64_t)AT_FDCWD },
	{ NULL, "olddirfd", (uint64_t)AT_FDCWD }, { NULL, "newdirfd", (uint64_t)AT_FDCWD },
	{ NULL, "newfd", 40 },
	{ "timer_create", "sevp", 0 }, { "ioctl", "cmd", FIONREAD }, { "fcntl", "cmd", F_GETFL },
	{ "flock", "op", 2 },
	{ "shmctl semctl msgctl", "cmd", IPC_STAT }, { "shmget semget msgget", "flags", 0600 },
	{ "clone", "flags", SIGCHLD },
	{ "clone", "stack", 0 }, { "clone3", "size", 64 }, { "openat2", "size", 24 }, { "jail", "size", 24 },
	{ "futex", "op", 1 }, { "futex", "val", 1 }, { "futex", "timeout", 0 },
	{ "prctl", "option", PR_GET_DUMPABLE },
	{ "arch_prctl", "option", 0x1003 }, { "arch_prctl", "arg2", GOOD(1) },
	{ "waitid wait4", "options", WNOHANG | WEXITED },
	{ "rt_sigaction rt_sigqueueinfo rt_tgsigqueueinfo", "sig", SIGUSR1 }, { "rseq", "len", 32 },
	{ "unshare", "flags", 0 },
	{ "socket socketpair", "type", SOCK_STREAM }, { "epoll_ctl", "op", 1 },
	{ "close_range", "first", 60 },
	{ "close_range", "last", 90 }, { "access faccessat faccessat2", "mode", R_OK },
	{ "fallocate", "mode", 0 },
	{ "open openat creat mkdir mkdirat chmod fchmod fchmodat fchmodat2 mknod mknodat", "mode", 0644 },
	{ "mount", "fstype", GOOD(2) }, { "personality", "persona", 0xffffffff },
	{ "set_robust_list", "len", 24 },
	{ "execveat", "flags", 0 }, { "sync_file_range", "flags", 2 }, { "membarrier", "cpu", 0 },
	{ "alarm", "seconds", 1000 },
	{ NULL, "iovcnt", 1 }, { NULL, "n", 1 }, { NULL, "nlocal", 1 }, { NULL, "nremote", 1 },
	{ NULL, "nsegs", 1 },
	{ NULL, "nfds", 1 }, { NULL, "setsize", 8 }, { NULL, "addrlen", sizeof(struct sockaddr_un) },
	{ NULL, "maxevents", 1 },
	{ NULL, "nsems", 1 }, { NULL, "off", 0 }, { NULL, "off_lo", 0 }, { NULL, "off_hi", 0 },
	{ NULL, "clock", 1 },
	{ NULL, "family", AF_UNIX }, { NULL, "level", SOL_SOCKET }, { NULL, "opt", SO_TYPE },
	{ "setsockopt", "opt", SO_PASSCRED },
	{ NULL, "resource", RLIMIT_CORE }, { "msgrcv", "flags", IPC_NOWAIT }, { "getrandom", "flags", 0 },
	{ "setpriority", "prio", 19 }, { NULL, "uid", NOBODY }, { NULL, "gid", NOBODY },
	{ "reboot", "magic1", 0xfee1dead }, { "reboot", "magic2", 672274793 },
};

/* Strings that are not the name of a file that is there. */
static const struct { const char *calls, *arg, *text; } strings[] = {
	{ "mkdir mkdirat mknod mknodat", "path", "new" }, { "symlink symlinkat", "path", "new" },
	{ "rmdir chdir chroot", "path", "d" },
	{ "link linkat rename renameat renameat2", "to", "new" }, { NULL, "name", "user.x" },
	{ "mount", "fstype", "tmpfs" },
	{ "mount umount2", "target", "d" }, { "pivot_root", "new_root", "d" },
	{ "pivot_root", "put_old", "d" },
	{ "execve execveat", "path", "x" }, { "readlink readlinkat", "path", "loop" },
};

static const struct { const char *calls, *arg, *value, *why; } differs[] = {
	/* What no run can know. */
	{ "rt_sigreturn", NULL, NULL, "takes a frame from the stack" },
	{ NULL, "id", "0 1 2 3 4 5 7 8 11 16 31 64 65 1000 2^32 2^63", "what others have" },
	{ "getpriority setpriority ioprio_get ioprio_set", "who", "1 2 3 4 5 7 8 11 16 31 64 65 1000",
	    "what others have" },
	{ "mmap mremap", "len new_len", "2^31-1 2^31 2^32-1 2^32", "how much memory there is" },
	{ "shmget", "size", "2^31-1 2^31 2^32-1 2^32 2^63-1 2^63", "how much memory there is" },
	{ "flock", "fd", "null 2^32", "who else has it" },
	{ "prlimit64 setrlimit", "resource", "0 2^32 2^63", "a second of CPU time is the limit then" },
	{ "syslog", "type", "3", "Linux's dmesg_restrict" },
	{ "clone", "flags", "1", "SIGSTOP when its child ends, which is soon" },
	{ "poll epoll_wait epoll_pwait", "timeout", "2 3 4 5 7 8 11 16 31 64 65 1000",
	    "when its time is over" },
	/* What Linux's releases do differently. */
	{ NULL, "fd in_fd out_fd epfd dirfd olddirfd newdirfd", "pid", "a pidfd is a file in new releases" },
	{ "fsetxattr fgetxattr flistxattr fremovexattr", "fd", "cwd", "the directory in some releases" },
	{ "fchmod fchown", "fd", "epoll event timer signal", "refused in new releases" },
	{ "readahead", "count", "-1 2^63 -4096", "refused in new releases" },
	{ "ioctl", "fd", "epoll", "other errors in new releases" },
	{ "sched_get_priority_max sched_get_priority_min", "policy", "7", "SCHED_EXT of new releases" },
	{ "execveat", "flags", "16", "AT_EXECVE_CHECK of new releases" },
	{ "pidfd_send_signal pidfd_open", "flags", "0 2 7", "pidfds of threads in new releases" },
	{ "rseq", "len", NULL, "longer in new releases" },
	{ "preadv2 pwritev2", "flags", "5 6 7 8", "flags of new releases" },
	/* What is not here. */
	{ "socket socketpair", "family", "2 16", "no network" },
	{ "setsockopt getsockopt", "opt", "11 31 64 65", "options of networks" },
	{ "clone unshare", "flags", "7 17 25 26 27 28 29 30", "no namespaces" },
	{ "shmget memfd_create", "flags", "2 all", "no huge pages" },
	{ "prctl", "option", "8 31 65", "not here" },
	{ "timer_create clock_nanosleep", "clock", "8", "no timers to wake a machine" },
	{ "clock_settime clock_gettime clock_getres clock_adjtime", "clock", "8", "no clocks of an alarm" },
	{ "pipe2", "flags", "7", "no pipes of notes" },
	{ "membarrier", "cmd", "64", "no MEMBARRIER_SYNC_CORE" },
	{ "ioprio_set", "which", "3", "priorities of I/O are words only" },
	{ "ioctl", "cmd", "1 2", "files have no blocks" },
	/* What is done differently. */
	{ "mmap munmap mprotect mremap madvise msync mincore mlock munlock mlock2 shmat shmdt brk ptrace",
	    "addr old new_addr brk",
	    "stub", "the end of a program's memory is a little lower" },
	{ "shmat", "addr", "minus4096", "an error, another one" },
	{ "mlock mlock2", "len", "-4096", "an error, another one" },
	{ "mount", "fstype flags", "noend long name256 31 32 all", "an error, another one" },
	{ "rseq", "rseq", "const", "found out at once" },
	{ "futex", "uaddr", "null low hole const", "waking looks for sleepers, not at memory" },
	{ "sched_getaffinity", "len", "2^31", "a product overflows in Linux" },
	{ "sendfile splice", "in_fd", "2^32 null proc", "can be sent" },
	{ "ioctl fsync fdatasync fchown pwrite64 pwritev pwritev2", "fd", "proc",
	    "a file of /proc is like others" },
	{ "fsetxattr fgetxattr flistxattr fremovexattr", "fd",
	    "2^32 piper pipew sock listen epoll event timer signal",
	    "what is in no directory has no attributes" },
};

static const struct value pointers[] = {
	{ "null", 0 }, { "low", 8 }, { "hole", HOLE(5) }, { "const", CONST },
	{ "kernel", 0xffff888000001000 },
	{ "split", 0x800000000000 }, { "last", 0x7ffffffff000 }, { "stub", 0 }, { "minus1", (uint64_t)-1 },
	{ "minus4096", (uint64_t)-4096 },
};
/* made from the argument's own page */
static const struct value odd[] = { { "straddle", 0 }, { "odd", 1 } };
static const struct value texts[] = { { "empty", 0 }, { "noend", 0 }, { "long", 0 }, { "name256", 0 },
    { "missing", 0 },
	{ "dir", 0 }, { "f/", 0 }, { "f/x", 0 }, { "loop", 0 }, { "d/../f", 0 }, { "d/.", 0 } };
static const struct value lengths[] = {
	{ "0", 0 }, { "1", 1 }, { "-1", (uint64_t)-1 }, { "4095", 4095 }, { "2^31-1", 0x7fffffff },
	{ "2^31", 0x80000000 },
	{ "2^32-1", 0xffffffff }, { "2^32", 0x100000000 }, { "2^63-1", INT64_MAX }, { "2^63", 1ull << 63 },
	{ "-4096", (uint64_t)-4096 },
};
static const struct value numbers[] = {
	{ "0", 0 }, { "1", 1 }, { "2", 2 }, { "3", 3 }, { "4", 4 }, { "5", 5 }, { "7", 7 }, { "8", 8 },
	{ "11", 11 }, { "16", 16 },
	{ "31", 31 }, { "64", 64 }, { "65", 65 }, { "1000", 1000 }, { "-1", (uint64_t)-1 },
	{ "-2", (uint64_t)-2 },
	{ "2^31-1", 0x7fffffff }, { "2^31", 0x80000000 }, { "2^63", 1ull << 63 }, { "2^32", 0x100000000 },
};
static const struct value processes[] = {
	{ "0", 0 }, { "1", 1 }, { "-1", (uint64_t)-1 }, { "2^31-1", 0x7fffffff }, { "2^31", 0x80000000 },
	{ "2^22+1", 4194305 },
	{ "-2^22", (uint64_t)-4194304 }, { "self", 0 },
};
static const struct value descriptors[] = {
	{ "-1", (uint64_t)-1 }, { "cwd", (uint64_t)AT_FDCWD }, { "closed", F_CLOSED },
	{ "2^31-1", 0x7fffffff }, { "2^31", 0x80000000 },
	{ "2^20", 1 << 20 }, { "2^32", 0x100000000 }, { "rw", F_RW }, { "ro", F_RO }, { "wo", F_WO },
	{ "dir", F_DIR }, { "path", F_PATH },
	{ "piper", F_PIPER }, { "pipew", F_PIPEW }, { "sock", F_SOCK }, { "listen", F_LISTEN },
	{ "epoll", F_EPOLL },
	{ "event", F_EVENT }, { "timer", F_TIMER }, { "signal", F_SIGNAL }, { "mem", F_MEM },
	{ "pid", F_PID }, { "null", F_NULL },
	{ "proc", F_PROC },
};

static bool
named(const char *list, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = list; p != NULL && (p = strstr(p, name)) != NULL; p += n)
		if ((p == list || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0'))
			return true;
	return list == NULL;
}

static uint64_t
usually(const struct call *c, int i)
{
	for (size_t k = 0; k < T_COUNT(usual); k++)
		if (strcmp(usual[k].arg, c->arg[i]) == 0 && named(usual[k].calls, c->name))
			return usual[k].v;
	switch (c->what[i]) {
	case 'S': case 'R': case 'W': case 'A': return GOOD(i);
	case 'F': return F_RW;
	case 'L': return 64;
	case 'I': return (uint64_t)getpid();
	default: return 0;
	}
}

/* ------------------------------------------------------------- the child -- */

static void
opens(int fd, int want)
{
	if (fd < 0 || (fd != want && dup2(fd, want) != want))
		_exit(90);
	if (fd != want)
		close(fd);
}

static void
descriptors_make(void)
{
	struct sockaddr_un any = { .sun_family = AF_UNIX };
	sigset_t set;
	int p[2];

	sigemptyset(&set);
	opens(open("f", O_RDWR), F_RW);
	opens(open("f", O_RDONLY), F_RO);
	opens(open("f", O_WRONLY), F_WO);
	opens(open("d", O_RDONLY | O_DIRECTORY), F_DIR);
	opens(open("f", O_PATH), F_PATH);
	if (pipe(p) != 0)
		_exit(91);
	opens(p[1], F_PIPEW);
	opens(p[0], F_PIPER);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, p) != 0)
		_exit(91);
	opens(p[0], F_SOCK);
	opens(socket(AF_UNIX, SOCK_STREAM, 0), F_LISTEN);
	if (bind(F_LISTEN, (void *)&any, sizeof any.sun_family) != 0 || listen(F_LISTEN, 3) != 0)
		_exit(91);
	opens(epoll_create1(0), F_EPOLL);
	opens(eventfd(0, 0), F_EVENT);
	opens(timerfd_create(CLOCK_MONOTONIC, 0), F_TIMER);
	opens(signalfd(-1, &set, 0), F_SIGNAL);
	opens(memfd_create("m", 0), F_MEM);
	opens((int)syscall(434, getpid(), 0), F_PID);
	opens(open("/dev/null", O_RDWR), F_NULL);
	opens(open("/proc/self/status", O_RDONLY), F_PROC);
}

static void
place_make(int slot)
{
	char name[32];
	sigset_t all;

	snprintf(name, sizeof name, "slot.%d", slot);
	if (mkdir(name, 0777) != 0 || chown(name, NOBODY, NOBODY) != 0 || chdir(name) != 0)
		_exit(92);
	setpgid(0, 0);
	setpriority(PRIO_PROCESS, 0, 19);	/* wherever it began */
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
	setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 1 << 20, 1 << 20 });
	setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){ 1 << 16, 1 << 16 });
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 256, 256 });
	if (syscall(SYS_setgroups, 0, NULL) != 0 || syscall(SYS_setgid, NOBODY) != 0 ||
	    syscall(SYS_setuid, NOBODY) != 0)
		_exit(93);
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	umask(022);
	t_file("f", "some bytes of a file", 0644);
	t_file("x", "no program", 0755);
	if (mkdir("d", 0755) != 0 || symlink("loop", "loop") != 0)
		_exit(94);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
}

/* What the usual arguments point to. */
static void
memory_fill(const struct call *c, int i)
{
	const char *arg = c->arg[i];
	char *p = (char *)GOOD(i);

	if (c->what[i] == 'S') {
		strcpy(p, "f");
		for (size_t k = 0; k < T_COUNT(strings); k++)
			if (strcmp(strings[k].arg, arg) == 0 && named(strings[k].calls, c->name)) {
				strcpy(p, strings[k].text);
				break;
			}
	} else if (named("connect sendto bind", c->name) && strcmp(arg, "addr") == 0) {
		*(struct sockaddr_un *)p = (struct sockaddr_un){ AF_UNIX, "new" };
	} else if (named("iov local remote", arg)) {
		*(struct iovec *)p = (struct iovec){ (void *)BUFFER, 16 };
	} else if (named("len addrlen", arg) || (strcmp(arg, "head") == 0 && c->nr == SYS_get_robust_list)) {
		*(int *)p = 110;
	} else if (strcmp(arg, "header") == 0) {
		*(uint32_t *)p = 0x20080522;
	} else if (strcmp(arg, "msg") == 0 && c->nr == SYS_msgsnd) {
		*(long *)p = 1;
	}
}

/* Objects without which a call of a family says nothing but that there is none. */
static void
objects_make(const struct call *c, struct told *t, uint64_t *id)
{
	timer_t timer;

	if (strncmp(c->name, "shm", 3) == 0 && c->nr != SYS_shmget)
		*id = (uint64_t)(t->shm = shmget(IPC_PRIVATE, T_PAGE, 0600));
	else if (strncmp(c->name, "sem", 3) == 0 && c->nr != SYS_semget)
		*id = (uint64_t)(t->sem = semget(IPC_PRIVATE, 1, 0600));
	else if (strncmp(c->name, "msg", 3) == 0 && c->nr != SYS_msgget)
		*id = (uint64_t)(t->msg = msgget(IPC_PRIVATE, 0600));
	else if (strncmp(c->name, "timer_", 6) == 0 && c->nr != SYS_timer_create)
		timer_create(CLOCK_MONOTONIC, NULL, &timer);
}

/* The call itself; what it forks ends at once, and touches no stack, which may be ours. */
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

static void
string_value(const struct value *v, char *page)
{
	if (strcmp(v->name, "long") == 0 || strcmp(v->name, "name256") == 0) {
		memset(page, 'a', T_PAGE);
		page[v->name[0] == 'l' ? T_PAGE - 1 : 256] = '\0';
		for (int k = 100; v->name[0] == 'l' && k < T_PAGE; k += 100)
			page[k] = '/';
	} else {
		strcpy(page, strcmp(v->name, "empty") == 0 ? "" : strcmp(v->name, "dir") == 0 ? "d" :
		    v->name);
	}
}

static uint64_t
bad(const struct call *c, int i, const struct value *v)
{
	if (v >= texts && v < texts + T_COUNT(texts)) {
		if (strcmp(v->name, "noend") == 0)
			return FULL + T_PAGE - 100;
		string_value(v, (char *)GOOD(i));
		return GOOD(i);
	}
	if (v == &odd[0]) {
		*(char *)(HOLE(i) - 1) = *(char *)GOOD(i);
		return HOLE(i) - 1;
	}
	if (v == &odd[1])
		return GOOD(i) + 1;
	if (strcmp(v->name, "stub") == 0)
		return stub;
	if (strcmp(v->name, "self") == 0)
		return (uint64_t)getpid();
	return c->what[i] == 'B' ? usually(c, i) ^ v->v : v->v;
}

/* One call with one bad argument, or with none (v NULL). */
static void
child(const struct call *c, int i, const struct value *v, int slot)
{
	struct told *t = &told[slot];
	uint64_t a[6] = { 0 }, id = 0;

	place_make(slot);
	if (strchr(c->what, 'F') != NULL)
		descriptors_make();
	objects_make(c, t, &id);
	for (int k = 0; c->what[k] != '\0'; k++) {
		memory_fill(c, k);
		a[k] = strcmp(c->arg[k], "id") == 0 && id != 0 ? id : usually(c, k);
	}
	if (v != NULL)
		a[i] = bad(c, i, v);
	t->state = CALLS;
	t->result = make(c->nr, a, c->nr == SYS_fork || c->nr == SYS_vfork || c->nr == SYS_clone ||
	    c->nr == 435);
	if (c->nr == SYS_shmget)
		t->shm = (int)t->result;
	else if (c->nr == SYS_semget)
		t->sem = (int)t->result;
	else if (c->nr == SYS_msgget)
		t->msg = (int)t->result;
	t->state = RETURNED;
	_exit(0);
}

/* ------------------------------------------------------------ the parent -- */

/* Wait for all; who sleeps at twenty looks in a row, a while apart, waits for good. */
static void
collect(int n)
{
	for (int left = n; left > 0; t_sleep_ms(1)) {
		for (int s = 0; s < n; s++) {
			struct told *t = &told[s];

			if (t->pid == 0)
				continue;
			if (waitpid(t->pid, &t->status, WNOHANG | WUNTRACED) != 0 || t->asleep == 20) {
				kill(t->pid, SIGKILL);
				if (t->asleep == 20 || WIFSTOPPED(t->status))
					waitpid(t->pid, NULL, 0);
				t->pid = 0;
				left--;
			} else {
				t->asleep = t->state == CALLS && t_state(t->pid) == 'S' ? t->asleep + 1 : 0;
			}
		}
	}
	for (int s = 0; s < n; s++) {
		if (told[s].shm >= 0)
			shmctl(told[s].shm, IPC_RMID, NULL);
		if (told[s].sem >= 0)
			semctl(told[s].sem, 0, IPC_RMID);
		if (told[s].msg >= 0)
			msgctl(told[s].msg, IPC_RMID, NULL);
	}
	while (waitpid(-1, NULL, WNOHANG) > 0)
		continue;
}

static void
answer(const struct told *t, char *out, size_t size)
{
	if (t->state == NEW)
		snprintf(out, size, "not tried: %#x", t->status);
	else if (t->state == RETURNED)
		snprintf(out, size, "%s", t->result < 0 && t->result > -4096 ? t_errno(-(int)t->result) :
		    "ok");
	else if (t->asleep == 20)
		snprintf(out, size, "waits");
	else if (WIFSTOPPED(t->status))
		snprintf(out, size, "stops");
	else if (WIFSIGNALED(t->status))
		snprintf(out, size, "%s", t_signal(WTERMSIG(t->status)));
	else
		snprintf(out, size, "ends");
}

static const char *
reason(const struct call *c, const char *arg, const char *value)
{
	for (size_t k = 0; k < T_COUNT(differs); k++)
		if (named(differs[k].calls, c->name) &&
		    (differs[k].arg == NULL || (arg != NULL && named(differs[k].arg, arg))) &&
		    (differs[k].value == NULL || named(differs[k].value, value)))
			return differs[k].why;
	return NULL;
}

/* "call.arg: ANSWER value value; ANSWER value": in the order of the values. */
static void
report(const struct call *c, const char *arg, const struct value *const *v, int n)
{
	char got[SLOTS][64], line[2000];
	bool done[SLOTS] = { false };
	int len = snprintf(line, sizeof line, "%s%s%s:", c->name, arg == NULL ? "" : ".", arg == NULL ? "" :
	    arg);

	for (int s = 0; s < n; s++) {
		const char *why = reason(c, arg, v[s] == NULL ? "" : v[s]->name);

		answer(&told[s], got[s], sizeof got[s]);
		if (why != NULL)
			snprintf(got[s], sizeof got[s], "(%s)", why);
	}
	for (int s = 0; s < n; s++) {
		if (done[s])
			continue;
		len += snprintf(line + len, sizeof line - (size_t)len, "%s %s", s == 0 ? "" : ";", got[s]);
		for (int k = s; k < n; k++)
			if (!done[k] && strcmp(got[k], got[s]) == 0) {
				done[k] = true;
				len += snprintf(line + len, sizeof line - (size_t)len, " %s", v[k] == NULL ?
				    "" : v[k]->name);
			}
	}
	t_say("%s", line);
}

static int
add(const struct value **v, int n, const struct value *from, size_t count)
{
	for (size_t k = 0; k < count; k++)
		v[n++] = &from[k];
	return n;
}
#define ADD(table)	(n = add(v, n, table, T_COUNT(table)))

static int
values(char what, const struct value **v)
{
	static struct value bits[34];
	static char names[34][8];
	int n = 0;

	switch (what) {
	case 'S':
		ADD(pointers);
		return ADD(texts);
	case 'R': case 'W': case 'A':
		ADD(pointers);
		return ADD(odd);
	case 'F':
		return ADD(descriptors);
	case 'L':
		return ADD(lengths);
	case 'I':
		return ADD(processes);
	case 'B':
		for (int b = 0; b < 34; b++) {
			snprintf(names[b], sizeof names[b], b == 33 ? "all" : "%d", b);
			bits[b] = (struct value){ names[b], b == 33 ? UINT64_MAX : 1ull << b };
		}
		return ADD(bits);
	default:
		return ADD(numbers);
	}
}

static int
forget(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st;
	(void)f;
	return type == FTW_DP ? rmdir(path) : unlink(path);
}

static void
attempt(const struct call *c, int i, const char *arg, const struct value *const *v, int n)
{
	char name[32];
	pid_t pid;

	for (int s = 0; s < n; s++) {
		told[s] = (struct told){ .shm = -1, .sem = -1, .msg = -1 };
		pid = fork();
		t_need(pid >= 0, "fork");
		if (pid == 0)
			child(c, i, v[s], s);
		told[s].pid = pid;
	}
	collect(n);
	if (c->nr < 4096)
		report(c, arg, v, n);
	for (int s = 0; s < n; s++) {
		snprintf(name, sizeof name, "slot.%d", s);
		nftw(name, forget, 8, FTW_DEPTH | FTW_PHYS);
	}
}

static void
prepare(void)
{
	for (int i = 0; i < 9; i++)
		t_need(mmap((void *)GOOD(i), T_PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) ==
		    (void *)GOOD(i), "the arena");
	memset((void *)FULL, 'a', T_PAGE);
	mprotect((void *)CONST, T_PAGE, PROT_READ);
	told = mmap((void *)TOLD, T_PAGE, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	t_need(told == (void *)TOLD && sizeof *told * SLOTS <= T_PAGE, "memory to tell by");
	while (mincore((void *)stub, T_PAGE, (void *)BUFFER) == 0 || errno != ENOMEM)
		stub += 1 << 20;
	chmod(".", 0755);
}

int
main(int argc, char **argv)
{
	const struct value *v[SLOTS];

	prepare();
	for (size_t k = 0; k < T_COUNT(calls); k++) {
		const struct call *c = &calls[k];

		if (argc > 1 && strcmp(argv[1], c->name) != 0)
			continue;
		v[0] = NULL;
		attempt(c, 0, NULL, v, 1);
		for (int i = 0; c->what[i] != '\0'; i++)
			attempt(c, i, c->arg[i], v, values(c->what[i], v));
	}
	return 0;
}
