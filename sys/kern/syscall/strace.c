/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * strace - one line on the machine's console for each system call (--strace).
 *
 * A line is written when the call returns, with its arguments as they were at
 * the start.  A call that may never return (exit, exec, a long sleep) would
 * stay unseen, so exit and exec are shown when they begin.
 */
#include <abi/errno.h>
#include <core/rt/rt.h>
#include <gen/sysnum.h>
#include <machine/cpu.h>
#include <sys/debug/kprint.h>
#include <sys/proc/proc.h>
#include <sys/vm/uaccess.h>

#include "syscall_int.h"

#define LINE_MAX	320u
#define STRING_MAX	48u

static const char *const names[] = {
	[EPERM] = "EPERM", [ENOENT] = "ENOENT", [ESRCH] = "ESRCH", [EINTR] = "EINTR", [EIO] = "EIO",
	[ENXIO] = "ENXIO", [E2BIG] = "E2BIG", [ENOEXEC] = "ENOEXEC", [EBADF] = "EBADF",
	[ECHILD] = "ECHILD", [EAGAIN] = "EAGAIN", [ENOMEM] = "ENOMEM", [EACCES] = "EACCES",
	[EFAULT] = "EFAULT", [ENOTBLK] = "ENOTBLK", [EBUSY] = "EBUSY", [EEXIST] = "EEXIST",
	[EXDEV] = "EXDEV", [ENODEV] = "ENODEV", [ENOTDIR] = "ENOTDIR", [EISDIR] = "EISDIR",
	[EINVAL] = "EINVAL", [ENFILE] = "ENFILE", [EMFILE] = "EMFILE", [ENOTTY] = "ENOTTY",
	[ETXTBSY] = "ETXTBSY", [EFBIG] = "EFBIG", [ENOSPC] = "ENOSPC", [ESPIPE] = "ESPIPE",
	[EROFS] = "EROFS", [EMLINK] = "EMLINK", [EPIPE] = "EPIPE", [EDOM] = "EDOM",
	[ERANGE] = "ERANGE", [EDEADLK] = "EDEADLK", [ENAMETOOLONG] = "ENAMETOOLONG",
	[ENOLCK] = "ENOLCK", [ENOSYS] = "ENOSYS", [ENOTEMPTY] = "ENOTEMPTY", [ELOOP] = "ELOOP",
	[EOVERFLOW] = "EOVERFLOW", [EOPNOTSUPP] = "EOPNOTSUPP", [ETIMEDOUT] = "ETIMEDOUT",
	[ENOTSOCK] = "ENOTSOCK", [EMSGSIZE] = "EMSGSIZE", [EPROTOTYPE] = "EPROTOTYPE",
	[ENOPROTOOPT] = "ENOPROTOOPT", [EPROTONOSUPPORT] = "EPROTONOSUPPORT",
	[ESOCKTNOSUPPORT] = "ESOCKTNOSUPPORT", [EAFNOSUPPORT] = "EAFNOSUPPORT",
	[EADDRINUSE] = "EADDRINUSE", [ECONNABORTED] = "ECONNABORTED", [ECONNRESET] = "ECONNRESET",
	[ENOBUFS] = "ENOBUFS", [EISCONN] = "EISCONN", [ENOTCONN] = "ENOTCONN",
	[ETOOMANYREFS] = "ETOOMANYREFS", [ECONNREFUSED] = "ECONNREFUSED",
	[ERESTARTSYS] = "ERESTARTSYS", [ERESTARTNOINTR] = "ERESTARTNOINTR",
	[ERESTARTNOHAND] = "ERESTARTNOHAND", [ERESTART_RESTARTBLOCK] = "ERESTART_RESTARTBLOCK",
};

const char *
errno_name(int error)
{
	return error > 0 && (size_t)error < countof(names) ? names[error] : NULL;
}

struct line {
	char	text[LINE_MAX];
	size_t	len;
};

static void add(struct line *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void
add(struct line *l, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = rt_vsnprintf(l->text + l->len, sizeof(l->text) - l->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		l->len = rt_min(l->len + (size_t)n, sizeof(l->text) - 1);
}

/* Whole lines, at once: the kernel's log would lose what is older than its ring. */
static void
show(struct line *l)
{
	l->len = rt_min(l->len, sizeof(l->text) - 2);
	l->text[l->len++] = '\n';
	md_emergency(l->text, l->len);
}

static void
add_string(struct line *l, uaddr_t at)
{
	char text[STRING_MAX + 1];
	size_t done = 0;

	if (at == 0) {
		add(l, "NULL");
		return;
	}
	(void)copyin_part(text, at, STRING_MAX, &done);	/* an unreadable end only shortens what is shown */
	if (done == 0) {
		add(l, "%#llx", (unsigned long long)at);
		return;
	}
	add(l, "\"");
	for (size_t i = 0; i < done && text[i] != '\0'; i++) {
		uint8_t c = (uint8_t)text[i];

		if (c == '\n')
			add(l, "\\n");
		else if (c < ' ' || c >= 127 || c == '"' || c == '\\')
			add(l, "\\%o", c);
		else
			add(l, "%c", c);
	}
	add(l, memchr(text, '\0', done) != NULL ? "\"" : "\"...");
}

static void
add_arg(struct line *l, enum sysarg_kind kind, uint64_t v)
{
	switch (kind) {
	case SYSARG_SIGNED:
	case SYSARG_FD:
		add(l, "%lld", v > UINT32_MAX ? (long long)v : (long long)(int32_t)v);
		break;
	case SYSARG_UNSIGNED:
		add(l, "%llu", (unsigned long long)v);
		break;
	case SYSARG_OCTAL:
		add(l, "%#llo", (unsigned long long)v);
		break;
	case SYSARG_STRING:
		add_string(l, v);
		break;
	case SYSARG_HEX:
	case SYSARG_POINTER:
		add(l, "%#llx", (unsigned long long)v);
	}
}

static void
add_call(struct line *l, const struct sysmsg *m, const struct sysent *se)
{
	const struct proc *p = m->sm_lwp->l_proc;

	add(l, "[%d %s] ", (int)p->p_pid, p->p_comm);
	if (se == NULL) {
		add(l, "syscall_%llu()", (unsigned long long)m->sm_nr);
		return;
	}
	add(l, "%s(", se->se_name);
	for (uint32_t i = 0; i < se->se_nargs; i++) {
		add(l, i == 0 ? "%s=" : ", %s=", se->se_arg[i]);
		add_arg(l, se->se_kind[i], m->sm_arg[i]);
	}
	add(l, ")");
}

static bool
shown_early(const struct sysmsg *m)
{
	return m->sm_nr == SYS_exit || m->sm_nr == SYS_exit_group || m->sm_nr == SYS_execve;
}

void
strace_enter(const struct sysmsg *m, const struct sysent *se)
{
	struct line l = { .len = 0 };

	if (!shown_early(m))
		return;
	add_call(&l, m, se);
	add(&l, " ...");
	show(&l);
}

void
strace_leave(const struct sysmsg *m, const struct sysent *se)
{
	struct line l = { .len = 0 };
	const char *name = errno_name(m->sm_error);

	if (shown_early(m))
		add(&l, "[%d %s] %s", (int)m->sm_lwp->l_proc->p_pid, m->sm_lwp->l_proc->p_comm,
		    se->se_name);
	else
		add_call(&l, m, se);
	if (m->sm_error != 0 && name != NULL)
		add(&l, " = -1 %s", name);
	else if (m->sm_error != 0)
		add(&l, " = -1 errno %d", m->sm_error);
	else if (m->sm_result > 0xffffffff)
		add(&l, " = %#llx", (unsigned long long)m->sm_result);
	else
		add(&l, " = %lld", (long long)m->sm_result);
	show(&l);
}
