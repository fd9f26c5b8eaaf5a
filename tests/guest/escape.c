/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * escape - an inmate who tries everything: to see, signal, trace, open, change
 * or outlive what is outside of its jail.
 *
 *   escape VICTIM FD
 *   escape
 *
 * VICTIM is a process outside, run by the same user: the second form, which offers what could be
 * reached and makes the file /ready.  FD is a directory outside that was left open.  The directory holds a file `secret`.  TAP on standard output; the
 * processes that are to outlive this one are left behind on purpose.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KEY	0x6a61696c

static const struct sockaddr_un meeting = { AF_UNIX, "\0outside" };
static int tries, escapes;

/* Somebody outside, within reach of whoever sees the same names and keys. */
static int
be_there(void)
{
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	if (bind(s, (const void *)&meeting, sizeof meeting) != 0 || listen(s, 5) != 0 ||
	    shmget(KEY, 4096, IPC_CREAT | 0666) < 0 || semget(KEY, 1, IPC_CREAT | 0666) < 0 ||
	    mq_open("/outside", O_RDWR | O_CREAT, 0666, NULL) < 0 || creat("/ready", 0600) < 0)
		return 1;
	for (;;)
		pause();
}

/* An attempt: it failed with this error, or we are out. */
static void
fails(const char *what, long result, int error)
{
	bool held = result == -1 && errno == error;

	tries++;
	escapes += !held;
	printf("%s %d - %s%s%s\n", held ? "ok" : "not ok", tries, what, held ? "" : ": ",
	    held ? "" : result == -1 ? strerror(errno) : "done");
}

static void
holds(const char *what, bool held)
{
	tries++;
	escapes += !held;
	printf("%s %d - %s\n", held ? "ok" : "not ok", tries, what);
}

static void
signalling(pid_t victim)
{
	siginfo_t info = { .si_code = SI_QUEUE };

	fails("kill with signal 0", kill(victim, 0), ESRCH);
	fails("kill", kill(victim, SIGKILL), ESRCH);
	fails("kill process 1", kill(1, SIGTERM), ESRCH);
	fails("kill everybody", kill(-1, SIGKILL), ESRCH);
	fails("kill the victim's group", kill(-victim, SIGKILL), ESRCH);
	fails("tgkill", syscall(SYS_tgkill, victim, victim, SIGKILL), ESRCH);
	fails("tkill", syscall(SYS_tkill, victim, SIGKILL), ESRCH);
	fails("rt_sigqueueinfo", syscall(SYS_rt_sigqueueinfo, victim, SIGTERM, &info), ESRCH);
}

static void
seeing(pid_t victim)
{
	struct rlimit rl;
	char path[64], c;
	struct iovec here = { &c, 1 }, there = { &c, 1 };
	cpu_set_t set;
	DIR *d = opendir("/proc");
	int others = 0;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	snprintf(path, sizeof path, "/proc/%d", victim);
	fails("/proc of the victim", access(path, F_OK), ENOENT);
	fails("/proc of process 1", access("/proc/1/cmdline", F_OK), ENOENT);
	for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;)
		others += atoi(e->d_name) != 0 && atoi(e->d_name) != getpid();
	holds("/proc shows nobody else", d != NULL && others == 0);
	holds("no parent", getppid() == 0);
	fails("getpgid", getpgid(victim), ESRCH);
	fails("getsid", getsid(victim), ESRCH);
	errno = 0;
	fails("getpriority", getpriority(PRIO_PROCESS, (id_t)victim), ESRCH);
	fails("setpriority", setpriority(PRIO_PROCESS, (id_t)victim, 19), ESRCH);
	fails("sched_getaffinity", sched_getaffinity(victim, sizeof set, &set), ESRCH);
	fails("sched_setaffinity", sched_setaffinity(victim, sizeof set, &set), ESRCH);
	fails("prlimit", prlimit(victim, RLIMIT_NOFILE, NULL, &rl), ESRCH);
	fails("wait for it", waitpid(victim, NULL, WNOHANG), ECHILD);
	holds("trace it", ptrace(PTRACE_ATTACH, victim, 0, 0) == -1 && (errno == ESRCH || errno == ENOSYS));
	holds("read its memory", process_vm_readv(victim, &here, 1, &there, 1, 0) == -1 &&
	    (errno == ESRCH || errno == ENOSYS));
	fails("read the kernel's messages", klogctl(3, path, sizeof path), EPERM);
}

static void
meeting_others(void)
{
	int s = socket(AF_UNIX, SOCK_STREAM, 0), id = shmget(IPC_PRIVATE, 4096, 0600);
	struct shmid_ds ds;

	fails("connect to an abstract name", connect(s, (const void *)&meeting, sizeof meeting), ECONNREFUSED);
	fails("shared memory by its key", shmget(KEY, 0, 0), ENOENT);
	fails("semaphores by their key", semget(KEY, 0, 0), ENOENT);
	holds("but the jail has its own", id >= 0 && shmctl(id, IPC_RMID, NULL) == 0);
	fails("a message queue by its name", mq_open("/outside", O_RDWR), ENOENT);
	fails("or to remove it", mq_unlink("/outside"), ENOENT);
	holds("but the jail has its own again", mq_open("/outside", O_RDWR | O_CREAT, 0666, NULL) >= 0);
	fails("any segment by its number", shmctl(0, SHM_STAT, &ds), EINVAL);
}

static bool
opens_again(void)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/self/fd/%d", memfd_create("own", 0));
	return open(path, O_RDWR) >= 0;
}

static void
opening(int fd)
{
	char path[64];
	int top = open("/", O_RDONLY | O_DIRECTORY);

	fails("/../secret", open("/../secret", O_RDONLY), ENOENT);
	holds("make a link to ../../secret", symlink("../../../secret", "/tmp/link") == 0);
	fails("... and follow it", open("/tmp/link", O_RDONLY), ENOENT);
	fails("from an open directory outside", openat(fd, "secret", O_RDONLY), ENOENT);
	fails("and make a file there", openat(fd, "made", O_CREAT | O_WRONLY, 0600), ENOENT);
	snprintf(path, sizeof path, "/proc/self/fd/%d/secret", fd);
	fails("through /proc/self/fd", open(path, O_RDONLY), ENOENT);
	if (fchdir(fd) == 0)
		fails("from a working directory outside", open("secret", O_RDONLY), ENOENT);
	else
		fails("to go there", -1, errno);
	holds("but what was made inside opens again", opens_again());
	holds("the classic: chroot below, then up",
	    mkdir("/tmp/x", 0755) == 0 && chroot("/tmp/x") == 0 && fchdir(top) == 0);
	for (int i = 0; i < 10; i++)
		(void)chdir("..");
	fails("... and open", open("secret", O_RDONLY), ENOENT);
	if (chroot(".") == 0)
		fails("... and make it the root", open("/secret", O_RDONLY), ENOENT);
	(void)fchdir(top);
	(void)chroot(".");
	close(top);
}

static void
changing(void)
{
	const struct timespec ts = { .tv_sec = 1 };
	struct { uint32_t version; int pid; } header = { 0x20080522, 0 };
	struct { uint32_t eff, perm, inh; } all[2] = { { ~0u, ~0u, ~0u }, { 0x1ff, 0x1ff, 0x1ff } };
	uint64_t args[3] = { 0, (uint64_t)(uintptr_t)"/", 0 };
	struct rlimit rl;

	fails("mount", mount("none", "/tmp", "tmpfs", 0, NULL), EPERM);
	fails("unmount", umount2("/proc", MNT_DETACH), EPERM);
	fails("pivot_root", syscall(SYS_pivot_root, "/", "/tmp"), EPERM);
	fails("make a device", mknod("/tmp/mem", S_IFCHR | 0600, makedev(1, 1)), EPERM);
	fails("set the time", clock_settime(CLOCK_REALTIME, &ts), EPERM);
	fails("reboot", reboot(RB_AUTOBOOT), EPERM);
	fails("name the machine", sethostname("mine", 4), EPERM);
	fails("all capabilities", syscall(SYS_capset, &header, all), EPERM);
	fails("a jail in the jail", syscall(4096, args, sizeof args), EPERM);
	holds("CAP_SYS_ADMIN stays out", prctl(PR_CAPBSET_READ, 21) == 0);
	getrlimit(RLIMIT_NOFILE, &rl);
	rl.rlim_max++;
	fails("a higher limit", setrlimit(RLIMIT_NOFILE, &rl), EPERM);
}

/* Orphans in sessions of their own that nothing but SIGKILL ends, and make more of themselves. */
static void
outliving(void)
{
	for (int i = 0; i < 5; i++) {
		if (fork() != 0)
			continue;
		setsid();
		for (int sig = 1; sig < 65; sig++)
			signal(sig, SIG_IGN);
		for (;;)
			if (fork() == 0) {
				prctl(PR_SET_NAME, "outlives");
				for (int n = 0; n < 20; n++)
					usleep(5000);
				if (fork() != 0)
					_exit(0);
			} else
				usleep(30000);
	}
	usleep(100000);
}

int
main(int argc, char **argv)
{
	struct utsname u;

	if (argc == 1)
		return be_there();
	if (argc != 3)
		return 125;
	setvbuf(stdout, NULL, _IOLBF, 0);
	signalling(atoi(argv[1]));
	seeing(atoi(argv[1]));
	meeting_others();
	opening(atoi(argv[2]));
	changing();
	uname(&u);
	holds("a name of its own", strcmp(u.nodename, "inmate") == 0);
	printf("1..%d\n", tries);
	outliving();
	return escapes > 0 ? 1 : 42;
}
