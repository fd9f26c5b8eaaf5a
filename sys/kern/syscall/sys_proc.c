/* SPDX-License-Identifier: BSD-2-Clause */
/* sys_proc - processes: making, ending, waiting, groups, exec, what they used. */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/resource.h>
#include <abi/sched.h>
#include <abi/wait.h>
#include <core/rt/rt.h>
#include <gen/syscalls.h>
#include <sys/file/event.h>
#include <sys/file/exec.h>
#include <sys/file/file.h>
#include <sys/proc/proc.h>
#include <sys/vfs/name.h>
#include <sys/vm/kmem.h>
#include <sys/vm/uaccess.h>

/* --------------------------------------------------------------- identity -- */

int
sys_getpid(struct sysmsg *m)
{
	m->sm_result = curproc->p_pid;
	return 0;
}

int
sys_gettid(struct sysmsg *m)
{
	m->sm_result = curlwp->l_tid;
	return 0;
}

int
sys_getppid(struct sysmsg *m)
{
	m->sm_result = proc_ppid(curproc);
	return 0;
}

int
sys_getpgid(struct sysmsg *m, int32_t pid)
{
	int32_t pgid, sid;
	int error = proc_getpgid(pid, &pgid, &sid);

	if (error == 0)
		m->sm_result = pgid;
	return error;
}

int
sys_getpgrp(struct sysmsg *m)
{
	return sys_getpgid(m, 0);
}

int
sys_getsid(struct sysmsg *m, int32_t pid)
{
	int32_t pgid, sid;
	int error = proc_getpgid(pid, &pgid, &sid);

	if (error == 0)
		m->sm_result = sid;
	return error;
}

int
sys_setpgid(struct sysmsg *m, int32_t pid, int32_t pgid)
{
	(void)m;
	if (pid < 0)
		return pgid <= 0 ? EINVAL : ESRCH;
	return proc_setpgid(pid, pgid);
}

int
sys_setsid(struct sysmsg *m)
{
	int32_t sid;
	int error = proc_setsid(&sid);

	if (error == 0)
		m->sm_result = sid;
	return error;
}

int
sys_set_tid_address(struct sysmsg *m, uaddr_t tidptr)
{
	curlwp->l_clear_tid = tidptr;
	m->sm_result = curlwp->l_tid;
	return 0;
}

/* -------------------------------------------------------------------- fork -- */

static int
do_fork(struct sysmsg *m, const struct fork_args *fa)
{
	int32_t pid;
	int error = proc_fork(fa, &pid);

	if (error == 0)
		m->sm_result = pid;
	return error;
}

struct pidfd_to { uaddr_t addr; int fd; };

/* The child's pidfd, in the caller's table: the child has a copy of what was there before. */
static int
pidfd_made(struct proc *c, void *arg)
{
	struct pidfd_to *to = arg;
	struct file *fp;
	int error;

	if (c == NULL)
		return fd_close(to->fd);
	if ((error = pidfd_create(c, 0, &fp)) != 0 || (error = fd_install(fp, true, 0, &to->fd)) != 0)
		return error;
	if ((error = copyout(to->addr, &to->fd, sizeof(to->fd))) != 0)
		(void)fd_close(to->fd);
	return error;
}

/* pidfd: where CLONE_PIDFD wants the descriptor. */
static int
do_clone(struct sysmsg *m, struct fork_args *fa, uaddr_t pidfd)
{
	struct pidfd_to to = { .addr = pidfd };

	if ((fa->fa_flags & CLONE_PIDFD) != 0) {
		if ((fa->fa_flags & CLONE_PARENT_SETTID) != 0 && fa->fa_parent_tid == pidfd)
			return EINVAL;
		fa->fa_made = pidfd_made;
		fa->fa_arg = &to;
	}
	return do_fork(m, fa);
}

int
sys_fork(struct sysmsg *m)
{
	return do_fork(m, &(struct fork_args){ .fa_flags = SIGCHLD });
}

int
sys_vfork(struct sysmsg *m)
{
	return do_fork(m, &(struct fork_args){ .fa_flags = CLONE_VM | CLONE_VFORK | SIGCHLD });
}

int
sys_clone(struct sysmsg *m, uint64_t flags, uaddr_t stack, uaddr_t parent_tid, uaddr_t child_tid,
    uint64_t tls)
{
	struct fork_args fa = {
		.fa_flags = flags & UINT32_MAX,
		.fa_stack = stack,
		.fa_parent_tid = parent_tid,
		.fa_child_tid = child_tid,
		.fa_tls = tls,
	};

	if ((flags & CLONE_SETTLS) != 0 && tls >= MD_USER_MAX)
		return EPERM;
	return do_clone(m, &fa, parent_tid);
}

int
sys_clone3(struct sysmsg *m, uaddr_t args, size_t size)
{
	struct k_clone_args ca = { 0 };
	struct fork_args fa;
	uint8_t beyond;
	int error;

	if (size < CLONE_ARGS_SIZE_VER0)
		return EINVAL;
	if (size > PAGE_BYTES)
		return E2BIG;
	error = copyin(&ca, args, rt_min(size, sizeof(ca)));
	for (size_t i = sizeof(ca); error == 0 && i < size; i++) {
		error = copyin(&beyond, args + i, 1);
		if (error == 0 && beyond != 0)
			error = E2BIG;
	}
	if (error != 0)
		return error;
	if ((ca.flags & (CSIGNAL | CLONE_DETACHED)) != 0 || ca.exit_signal > NSIG || ca.set_tid != 0 ||
	    ca.set_tid_size != 0)
		return EINVAL;
	if ((ca.flags & (CLONE_THREAD | CLONE_PARENT)) != 0 && ca.exit_signal != 0)
		return EINVAL;
	if ((ca.stack == 0) != (ca.stack_size == 0) || ca.stack + ca.stack_size < ca.stack)
		return EINVAL;
	if ((ca.flags & CLONE_SETTLS) != 0 && ca.tls >= MD_USER_MAX)
		return EPERM;
	fa = (struct fork_args){
		.fa_flags = ca.flags | ca.exit_signal,
		.fa_stack = ca.stack + ca.stack_size,
		.fa_parent_tid = ca.parent_tid,
		.fa_child_tid = ca.child_tid,
		.fa_tls = ca.tls,
	};
	return do_clone(m, &fa, ca.pidfd);
}

/*
 * A process with one thread shares nothing that it could stop sharing; there
 * is one namespace of each kind.
 */
int
sys_unshare(struct sysmsg *m, uint64_t flags)
{
	const uint64_t alone = CLONE_THREAD | CLONE_SIGHAND | CLONE_VM,
	    namespaces = CLONE_NEWNS | CLONE_NEWCGROUP |
	    CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
	int error = 0;

	(void)m;
	if ((flags & ~(alone | namespaces | CLONE_SYSVSEM | CLONE_FILES | CLONE_FS)) != 0)
		return EINVAL;
	if ((flags & alone) != 0 && (curproc->p_nlwps > 1 || curproc->p_vm_shared))
		return EINVAL;
	if ((flags & namespaces) != 0)
		return cred_capable(cred_current(), CAP_SYS_ADMIN) ? EINVAL : EPERM;
	if ((flags & CLONE_FS) != 0)
		error = fsctx_unshare();
	if (error == 0 && (flags & CLONE_FILES) != 0)
		error = fdtable_unshare();
	return error;
}

int
sys_exit(struct sysmsg *m, int status)
{
	(void)m;
	proc_exit_thread(status);
}

int
sys_exit_group(struct sysmsg *m, int status)
{
	(void)m;
	proc_exit(W_EXITCODE(status, 0));
}

/* -------------------------------------------------------------------- wait -- */

static struct k_timeval
timeval_of(uint64_t ns)
{
	return (struct k_timeval){ (int64_t)(ns / NSEC_PER_SEC), (int64_t)(ns % NSEC_PER_SEC / 1000) };
}

static void
rusage_of(const struct rusage_acc *ru, uint64_t maxrss_kib, struct k_rusage *out)
{
	memset(out, 0, sizeof(*out));
	out->ru_utime = timeval_of(ru->ru_utime);
	out->ru_stime = timeval_of(ru->ru_stime);
	out->ru_maxrss = (int64_t)maxrss_kib;
	out->ru_minflt = (int64_t)ru->ru_minflt;
	out->ru_majflt = (int64_t)ru->ru_majflt;
	out->ru_nvcsw = (int64_t)ru->ru_nvcsw;
	out->ru_nivcsw = (int64_t)ru->ru_nivcsw;
}

static int
rusage_out(uaddr_t to, const struct wait_result *wr)
{
	struct k_rusage ru;

	if (to == 0)
		return 0;
	rusage_of(&wr->wr_ru, wr->wr_maxrss_kib, &ru);
	return copyout(to, &ru, sizeof(ru));
}

int
sys_wait4(struct sysmsg *m, int32_t pid, uaddr_t status, uint32_t options, uaddr_t ru)
{
	struct wait_args wa = { .wa_options = options | WEXITED };
	struct wait_result wr;
	int error;

	if ((options & ~(WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WALL | __WCLONE)) != 0)
		return EINVAL;
	if (pid == INT32_MIN)
		return ESRCH;
	wa.wa_idtype = pid == -1 ? P_ALL : pid > 0 ? P_PID : P_PGID;
	wa.wa_id = pid > 0 ? pid : -pid;
	if (pid == 0) {
		int32_t sid;

		error = proc_getpgid(0, &wa.wa_id, &sid);
		if (error != 0)
			return error;
	}
	error = proc_wait(&wa, &wr);
	if (error != 0)
		return error;
	if (wr.wr_pid != 0 && status != 0)
		error = copyout(status, &wr.wr_status, sizeof(wr.wr_status));
	if (error == 0 && wr.wr_pid != 0)
		error = rusage_out(ru, &wr);
	m->sm_result = wr.wr_pid;
	return error;
}

/* waitid tells the status as siginfo does. */
static void
waitid_info(const struct wait_result *wr, struct k_siginfo *info)
{
	int st = wr->wr_status;

	memset(info, 0, sizeof(*info));
	if (wr->wr_pid == 0)
		return;
	info->si_signo = SIGCHLD;
	info->u.chld.pid = wr->wr_pid;
	info->u.chld.uid = wr->wr_uid;
	if (st == W_CONTINUED) {
		info->si_code = CLD_CONTINUED;
		info->u.chld.status = SIGCONT;
	} else if ((st & 0xff) == 0x7f) {
		info->si_code = wr->wr_trapped ? CLD_TRAPPED : CLD_STOPPED;
		info->u.chld.status = st >> 8;
	} else if ((st & 0x7f) == 0) {
		info->si_code = CLD_EXITED;
		info->u.chld.status = st >> 8 & 0xff;
	} else {
		info->si_code = CLD_KILLED;
		info->u.chld.status = st & 0x7f;
	}
}

static int
wait_pidfd(int fd, struct wait_args *wa, struct file **out)
{
	struct file *fp;
	int error = fd_get(fd, &fp);

	if (error != 0)
		return error;
	wa->wa_proc = pidfd_proc(fp);
	if (wa->wa_proc == NULL) {
		file_drop(fp);
		return EBADF;
	}
	if ((atomic_load(&fp->f_flags) & O_NONBLOCK) != 0)
		wa->wa_options |= WNOHANG;
	*out = fp;
	return 0;
}

int
sys_waitid(struct sysmsg *m, int idtype, int32_t id, uaddr_t info, uint32_t options, uaddr_t ru)
{
	struct wait_args wa = { .wa_idtype = idtype, .wa_id = id, .wa_options = options };
	struct file *fp = NULL;
	struct wait_result wr;
	struct k_siginfo si;
	int32_t sid;
	int error = 0;

	(void)m;
	if ((options & ~(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | __WNOTHREAD |
	    __WALL | __WCLONE)) != 0)
		return EINVAL;
	if ((options & (WEXITED | WSTOPPED | WCONTINUED)) == 0)
		return EINVAL;
	if (idtype < P_ALL || idtype > P_PIDFD || (idtype == P_PID && id <= 0) ||
	    (idtype >= P_PGID && id < 0))
		return EINVAL;
	if (idtype == P_PIDFD)
		error = wait_pidfd(id, &wa, &fp);
	if (idtype == P_PGID && id == 0)
		error = proc_getpgid(0, &wa.wa_id, &sid);
	if (error == 0)
		error = proc_wait(&wa, &wr);
	if (error == 0 && wr.wr_pid == 0 && (options & WNOHANG) == 0)
		error = EAGAIN;			/* the pidfd asked not to wait */
	if (fp != NULL)
		file_drop(fp);
	if (error == 0 && wr.wr_pid != 0)
		error = rusage_out(ru, &wr);
	if (info == 0 || error == EFAULT)
		return error;
	if (error != 0)
		memset(&wr, 0, sizeof wr);	/* as Linux: that there is nobody is told, too */
	waitid_info(&wr, &si);
	/* Only the fields of a child's siginfo: the rest of the caller's memory is left alone. */
	if (copyout(info, &si, 12) != 0 || copyout(info + offsetof(struct k_siginfo, u), &si.u, 12) != 0)
		return EFAULT;
	return error;
}

int
sys_getrusage(struct sysmsg *m, int who, uaddr_t to)
{
	struct proc *p = curproc;
	struct rusage_acc acc;
	struct k_rusage ru;
	uint64_t maxrss = rt_max(p->p_maxrss_kib, vm_resident_peak(p->p_vmspace) * 4);

	(void)m;
	switch (who) {
	case RUSAGE_SELF:
		proc_times(p, &acc);
		break;
	case RUSAGE_THREAD:
		lwp_account(curlwp, time_now(), false);
		acc = curlwp->l_ru;
		break;
	case RUSAGE_CHILDREN:
		spin_lock(&p->p_sig);
		acc = p->p_cru;
		maxrss = p->p_cmaxrss_kib;
		spin_unlock(&p->p_sig);
		break;
	default:
		return EINVAL;
	}
	rusage_of(&acc, maxrss, &ru);
	return copyout(to, &ru, sizeof(ru));
}

int
sys_times(struct sysmsg *m, uaddr_t to)
{
	const uint64_t tick = NSEC_PER_SEC / 100;
	struct rusage_acc ru, cru;
	int64_t t[4];

	proc_times(curproc, &ru);
	spin_lock(&curproc->p_sig);
	cru = curproc->p_cru;
	spin_unlock(&curproc->p_sig);
	t[0] = (int64_t)(ru.ru_utime / tick);
	t[1] = (int64_t)(ru.ru_stime / tick);
	t[2] = (int64_t)(cru.ru_utime / tick);
	t[3] = (int64_t)(cru.ru_stime / tick);
	m->sm_result = (int64_t)(time_now() / tick);
	return to != 0 ? copyout(to, t, sizeof(t)) : 0;
}

/* -------------------------------------------------------------------- exec -- */

int
sys_execve(struct sysmsg *m, uaddr_t path, uaddr_t argv, uaddr_t envp)
{
	return sys_execveat(m, AT_FDCWD, path, argv, envp, 0);
}

int
sys_execveat(struct sysmsg *m, int dirfd, uaddr_t path, uaddr_t argv, uaddr_t envp, uint32_t flags)
{
	char *name = kmalloc(PATH_MAX_, KM_WAIT);
	struct file *fp = NULL;
	int error;

	if (name == NULL)
		return ENOMEM;
	error = copyinstr(name, path, PATH_MAX_, NULL);
	if (error == 0 && (flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) != 0)
		error = EINVAL;
	if (error == 0 && dirfd != AT_FDCWD && name[0] != '/') {
		error = fd_get(dirfd, &fp);
		if (error == 0 && fp->f_ncp == NULL)
			error = name[0] == '\0' && (flags & AT_EMPTY_PATH) != 0 ? EACCES : ENOTDIR;
	}
	if (error == 0)
		error = exec_user(fp != NULL ? fp->f_ncp : NULL, dirfd, name, argv, envp, flags);
	if (error == 0)
		m->sm_noreturn = true;
	if (fp != NULL)
		file_drop(fp);
	kfree(name);
	return error;
}
