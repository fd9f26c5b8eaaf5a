/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zygote - the process that makes stubs
 *
 * A stub must hold nothing of this process: no memory, no vdso address, no
 * registered rseq area, no descriptors.  So one tiny static program is
 * executed from a sealed memfd, takes off everything exec gave it, and
 * clones itself on demand with CLONE_PARENT, which makes the stubs children
 * of this process.  Requests and answers go through a shared page.
 *
 * Invariants
 *   Z1  The zygote is started by the thread that called hk_init(), which
 *       lives as long as the process: the parent-death signal is tied to it.
 *   Z2  One request at a time (m_zyg_lock); the zygote is trusted, it never
 *       runs guest code.
 *   Z3  CLONE_UNTRACED everywhere a debugger could look: stubs are nobody's
 *       business but ours.
 *
 * Locking: m_zyg_lock.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <linux/filter.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "hk_filter.h"
#include "hk_int.h"
#include "hk_stub.h"

#ifndef MFD_EXEC
#define MFD_EXEC	0x10u
#endif

enum { FD_HIGH = 3 /* beyond those that the stub will have */, WAIT_NS = 250000000 };

static _Atomic uint32_t *
zyg_word(size_t off)
{
	return (_Atomic uint32_t *)(void *)(hk_m.m_zyg + off);
}

static _Atomic uint64_t *
zyg_word64(size_t off)
{
	return (_Atomic uint64_t *)(void *)(hk_m.m_zyg + off);
}

/* A memfd whose contents may be executed; hosts before 6.3 do not know the flag and need none. */
static long
memfd_exec(const char *name)
{
	long fd;

	fd = HK_SYS2(SYS_memfd_create, name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
	if (fd == -EINVAL)
		fd = HK_SYS2(SYS_memfd_create, name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return fd;
}

/* Copy the image, add the filters for this machine's number of slots.  False: they do not fit. */
static bool
image_build(uint8_t *image)
{
	const size_t data = IMG_PARTS + (STUB_DATA - STUB_BASE);
	struct sock_filter *guest, *mapper;
	struct { uint16_t len; uint64_t filter; } prog;
	size_t n;

	memcpy(image, hk_stub_image, IMG_BYTES);
	guest = (struct sock_filter *)(void *)(image + data + DATA_GUEST_BPF);
	mapper = (struct sock_filter *)(void *)(image + data + DATA_MAPPER_BPF);

	memset(&prog, 0, sizeof prog);
	n = hk_filter_guest(guest, (DATA_MAPPER_BPF - DATA_GUEST_BPF) / sizeof *guest, hk_m.m_ncpu);
	prog.len = (uint16_t)n;
	prog.filter = STUB_DATA + DATA_GUEST_BPF;
	memcpy(image + data + DATA_GUEST_PROG, &prog, sizeof prog);
	if (n == 0)
		return false;
	n = hk_filter_mapper(mapper, (DATA_STACKS - DATA_MAPPER_BPF) / sizeof *mapper);
	prog.len = (uint16_t)n;
	prog.filter = STUB_DATA + DATA_MAPPER_BPF;
	memcpy(image + data + DATA_MAPPER_PROG, &prog, sizeof prog);
	return n != 0;
}

static hk_result
image_file(int *out)
{
	static uint8_t image[IMG_BYTES];
	long fd, error;

	if (!image_build(image))
		return hk_fail(HK_LIMIT, "the system call filter does not fit its page");
	fd = memfd_exec("hk-stub");
	if (fd == -EACCES)
		return hk_fail(HK_UNSUPPORTED, "executable memfds are forbidden (sysctl vm.memfd_noexec=2)");
	if (fd < 0)
		return hk_fail(hk_from_errno(fd), "memfd_create: %s", strerror((int)-fd));
	error = HK_SYS4(SYS_pwrite64, fd, image, IMG_BYTES, 0);
	if (error == IMG_BYTES)
		error = HK_SYS3(SYS_fcntl, fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_WRITE | F_SEAL_SEAL);
	else if (error >= 0)
		error = -ENOSPC;
	if (error < 0) {
		(void)HK_SYS1(SYS_close, fd);
		return hk_fail(hk_from_errno(error), "memfd for the stub image: %s", strerror((int)-error));
	}
	*out = (int)fd;
	return HK_OK;
}

static void
fd_path(char *out, long fd)
{
	static const char dir[] = "/proc/self/fd/";
	char digits[20];
	int n = 0;

	for (; fd > 0; fd /= 10)
		digits[n++] = (char)('0' + fd % 10);
	memcpy(out, dir, sizeof dir - 1);
	for (out += sizeof dir - 1; n > 0;)
		*out++ = digits[--n];
	*out = '\0';
}

/*
 * The child between clone and exec: descriptors 0, 1, 2 become RAM, ctl and
 * the image, nothing else stays open.  Raw system calls only.
 */
static _Noreturn void
zygote_child(int image)
{
	static char name[] = "hk-stub";
	static char *argv[] = { name, NULL };
	static char *envp[] = { NULL };
	static char path[32];
	int from[3] = { hk_m.m_ram_fd, hk_m.m_ctl_fd, image };
	long fd, exec_fd;
	int i;

	for (i = 0; i < 3; i++)
		from[i] = (int)HK_SYS3(SYS_fcntl, from[i], F_DUPFD_CLOEXEC, FD_HIGH);
	exec_fd = HK_SYS3(SYS_fcntl, image, F_DUPFD_CLOEXEC, FD_HIGH);
	for (i = 0; i < 3; i++) {
		fd = HK_SYS3(SYS_dup3, from[i], i, 0);
		if (fd != i)
			(void)HK_SYS1(SYS_exit_group, 2);
	}
	/* Everything above is close-on-exec for well-behaved callers; do not rely on it. */
	if (HK_SYS3(SYS_close_range, 3, exec_fd - 1, 0) < 0 || HK_SYS3(SYS_close_range, exec_fd + 1, ~0u, 0) < 0)
		for (fd = 3; fd < 4096; fd++)
			if (fd != exec_fd)
				(void)HK_SYS1(SYS_close, fd);
	/* Inherited by all stubs, and kept by exec. */
	if ((hk_m.m_flags & HK_F_TRAP_TSC) != 0 && HK_SYS2(SYS_prctl, PR_SET_TSC, PR_TSC_SIGSEGV) < 0)
		(void)HK_SYS1(SYS_exit_group, 4);
	(void)HK_SYS5(SYS_execveat, exec_fd, "", argv, envp, AT_EMPTY_PATH);
	/* An interpreter of this process (valgrind) may know execve() only. */
	fd_path(path, exec_fd);
	(void)HK_SYS3(SYS_execve, path, argv, envp);
	(void)HK_SYS1(SYS_exit_group, 3);
	__builtin_trap();
}

/* Wait for the answer to request `seq`.  False: the zygote died; *status is how. */
static bool
zygote_answer(uint32_t seq, int *status)
{
	uint32_t done;

	for (;;) {
		done = atomic_load_explicit(zyg_word(Z_DONE), memory_order_acquire);
		if (done == seq)
			return true;
		if (hk_futex_wait(zyg_word(Z_DONE), done, WAIT_NS) == -ETIMEDOUT &&
		    HK_SYS4(SYS_wait4, hk_m.m_zyg_pid, status, WNOHANG | __WALL, 0) != 0) {
			hk_m.m_zyg_pid = 0;
			return false;
		}
	}
}

static hk_result
zygote_refused(int status)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;

	hk_zygote_stop();
	if (code == 2)
		return hk_fail(HK_NOMEM, "no file descriptor is free");
	if (code == 23)
		return hk_fail(HK_UNSUPPORTED, "the host refuses seccomp filters");
	if (code == 3)
		return hk_fail(HK_UNSUPPORTED, "the host refuses to execute a memfd");
	if (code == 4)
		return hk_fail(HK_UNSUPPORTED, "the host cannot trap the time stamp counter");
	return hk_fail(HK_HOST, "the stub image did not start (status %#x, step %d)", (unsigned)status, code);
}

hk_result
hk_zygote_start(void)
{
	hk_result r;
	sigset_t all, old;
	long pid;
	int image = -1, status = 0;

	r = image_file(&image);
	if (r != HK_OK)
		return r;
	atomic_store_explicit(zyg_word64(Z_PPID), (uint64_t)hk_m.m_pid, memory_order_relaxed);
	/* "Be ready" stands before the zygote runs: else it would take the store for a new request. */
	atomic_store_explicit(zyg_word(Z_SEQ), 1, memory_order_relaxed);
	atomic_store_explicit(zyg_word(Z_DONE), 0, memory_order_relaxed);
	/* No handler of this process may run in the child. */
	memset(&all, 0xff, sizeof all);
	(void)HK_SYS4(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, 8);
	pid = HK_SYS5(SYS_clone, CLONE_UNTRACED | CLONE_VFORK | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0)
		zygote_child(image);
	(void)HK_SYS4(SYS_rt_sigprocmask, SIG_SETMASK, &old, 0, 8);
	(void)HK_SYS1(SYS_close, image);
	if (pid < 0)
		return hk_fail(hk_from_errno(pid), "clone: %s", strerror((int)-pid));
	hk_m.m_zyg_pid = (int32_t)pid;
	if (!zygote_answer(1, &status))
		return zygote_refused(status);
	return HK_OK;
}

/* Kill the zygote and wait for its end. */
void
hk_zygote_stop(void)
{
	long pid = hk_m.m_zyg_pid;

	if (pid == 0)
		return;
	(void)HK_SYS2(SYS_kill, pid, SIGKILL);
	while (HK_SYS4(SYS_wait4, pid, 0, __WALL, 0) == -EINTR)
		continue;
	hk_m.m_zyg_pid = 0;
}

/* A new stub whose control region is `region`.  Returns its pid or -errno. */
long
hk_zygote_clone(uint64_t region)
{
	uint32_t seq;
	long pid;
	int status;

	hk_lock(&hk_m.m_zyg_lock);
	if (hk_m.m_zyg_pid == 0) {
		hk_unlock(&hk_m.m_zyg_lock);
		return -ECHILD;
	}
	atomic_store_explicit(zyg_word64(Z_REGION), region, memory_order_relaxed);
	atomic_store_explicit(zyg_word64(Z_SLOTS_LEN), (uint64_t)hk_m.m_ncpu * SLOT_SIZE, memory_order_relaxed);
	seq = atomic_load_explicit(zyg_word(Z_SEQ), memory_order_relaxed) + 1;
	atomic_store_explicit(zyg_word(Z_SEQ), seq, memory_order_release);
	hk_futex_wake(zyg_word(Z_SEQ), 1);
	if (zygote_answer(seq, &status))
		pid = (long)atomic_load_explicit(zyg_word64(Z_PID), memory_order_relaxed);
	else
		pid = -ECHILD;
	hk_unlock(&hk_m.m_zyg_lock);
	return pid;
}
