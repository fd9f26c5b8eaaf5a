/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * procfs_pid - /proc/PID: what a process is and has.
 *
 * Each function finds its process anew, copies what it needs under the
 * process's token or spin, and makes text afterwards.
 */
#include "procfs_int.h"
#include "tty_int.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/mman.h>
#include <abi/mount.h>
#include <core/rt/rt.h>
#include <stdatomic.h>
#include <sys/ipc/ipc.h>
#include <sys/file/event.h>
#include <sys/proc/vdso.h>
#include <sys/vm/kmem.h>

#define TICK_NS		(NSEC_PER_SEC / 100)
#define ARGS_MAX	(256u << 10)

int32_t
procfs_number(const char *name, size_t len)
{
	int32_t v = 0;

	if (len == 0 || len > 9 || (name[0] == '0' && len > 1))
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (name[i] < '0' || name[i] > '9')
			return -1;
		v = v * 10 + (name[i] - '0');
	}
	return v;
}

struct proc *
procfs_proc(const struct pnode *n)
{
	struct proc *p = proc_find(n->pn_pid);

	if (p != NULL && p->p_id != n->pn_id) {
		proc_drop(p);
		p = NULL;
	}
	return p;
}

bool
procfs_may_look(struct proc *p)
{
	return ptrace_may_access(p, PTRACE_FS);
}

/* The process, if the reader may know its secrets. */
int
procfs_look_at(const struct pnode *n, struct proc **out)
{
	struct proc *p = procfs_proc(n);

	if (p == NULL)
		return ESRCH;
	if (!procfs_may_look(p)) {
		proc_drop(p);
		return EACCES;
	}
	*out = p;
	return 0;
}

struct vmspace *
procfs_space_of(struct proc *p)
{
	struct vmspace *vs;

	token_get(&p->p_tok);
	vs = p->p_vmspace;
	if (vs != NULL)
		vmspace_hold(vs);
	token_release(&p->p_tok);
	return vs;
}

/* ------------------------------------------------------- state, in common -- */

struct about {
	char		comm[16];
	char		state;
	int32_t		pid, tid, ppid, tracer, pgid, sid, tty_pgid;
	uint64_t	tty;
	uint32_t	nlwps;
	int		nice, exit_signal, status;
	bool		no_new_privs;
	nsec_t		start;
	struct rusage_acc ru, cru;
	struct vm_usage	vm;
	uaddr_t		stack_start, arg_start, arg_end, env_start, env_end;
	uint64_t	rss_limit, nsig_limit;
	sigset_t	pending, shared_pending, blocked, ignored, caught;
	uint32_t	queued, umask, cpu;	/* umask: more than 0777: none */
	uint64_t	cpus[CPU_MAX / 64];
	struct cred	*cred;		/* held */
};

static char
lwp_state(const struct lwp *l)
{
	if (l->l_thread == NULL)
		return 'S';
	if (td_state(l->l_thread) != TD_SLEEPING)
		return 'R';
	/* Waiting for its turn on the CPU is running, too. */
	if (l->l_us.waiting || l->l_us.queued)
		return 'R';
	return (td_flags(l->l_thread) & TDF_INTERRUPTIBLE) != 0 ? 'S' : 'D';
}

/* What p_sig guards. */
static void
about_signals(struct proc *p, const struct pnode *n, struct about *a)
{
	spin_lock(&p->p_sig);
	a->nlwps = p->p_nlwps;
	a->cru = p->p_cru;
	a->status = p->p_status;
	a->shared_pending = p->p_sigq.sq_set;
	a->queued = p->p_sigq.sq_count;
	for (int s = 1; s <= 64; s++) {
		uint64_t h = p->p_sigact[s - 1].sa_handler;

		if (h == SIG_IGN)
			a->ignored |= sigbit(s);
		else if (h != SIG_DFL)
			a->caught |= sigbit(s);
	}
	a->state = 'S';
	list_foreach(l, &p->p_lwps, struct lwp, l_link) {
		char st = lwp_state(l);

		if (n->pn_tid != 0 ? l->l_tid == n->pn_tid : l->l_tid == p->p_pid) {
			a->pending = l->l_sigq.sq_set;
			a->blocked = l->l_sigmask;
			a->state = st;
			memcpy(a->comm, l->l_comm, sizeof a->comm);
			a->cpu = l->l_thread != NULL ? l->l_thread->td_cpu->c_id : 0;
			for (uint32_t w = 0; w < CPU_MAX / 64; w++)
				a->cpus[w] = atomic_load_explicit(&l->l_us.cpus[w], memory_order_relaxed);
		}
	}
	if (p->p_state == P_STOPPED)
		a->state = 'T';
	else if (p->p_state == P_ZOMBIE || p->p_state == P_REAPED)
		a->state = 'Z';
	spin_unlock(&p->p_sig);
}

/* The controlling terminal.  The group is held, so its session is there. */
static void
about_terminal(struct pgrp *pg, struct about *a)
{
	struct tty *t = tty_held_by(pg->pg_session);

	a->tty_pgid = -1;
	if (t == NULL)
		return;
	token_get(&t->t_tok);
	a->tty = t->t_rdev;
	if (t->t_pgrp != NULL)
		a->tty_pgid = t->t_pgrp->pg_pgid;
	token_release(&t->t_tok);
	tty_drop(t);
}

static int
about(const struct pnode *n, struct about *a)
{
	struct proc *p = procfs_proc(n);
	struct vmspace *vs;
	struct fsctx *fc;
	struct pgrp *pg;
	bool traced_stop;

	if (p == NULL)
		return ESRCH;
	memset(a, 0, sizeof *a);
	a->pid = p->p_pid;
	a->tid = n->pn_tid != 0 ? n->pn_tid : p->p_pid;
	a->ppid = proc_ppid(p);
	a->tracer = ptrace_tracer_pid(p, a->tid, &traced_stop);
	a->start = p->p_start;
	a->exit_signal = p->p_exit_signal;
	token_get(&p->p_tok);
	memcpy(a->comm, p->p_comm, sizeof a->comm);
	a->nice = p->p_nice;
	a->no_new_privs = p->p_no_new_privs;
	a->stack_start = p->p_stack_start;
	a->arg_start = p->p_arg_start;
	a->arg_end = p->p_arg_end;
	a->env_start = p->p_env_start;
	a->env_end = p->p_env_end;
	a->rss_limit = p->p_rlimit[5][0];
	a->nsig_limit = p->p_rlimit[11][0];
	a->cred = cred_hold(p->p_cred);
	token_release(&p->p_tok);
	a->comm[sizeof a->comm - 1] = '\0';
	about_signals(p, n, a);
	if (traced_stop)
		a->state = 't';
	proc_times(p, &a->ru);
	(void)proc_getpgid(p->p_pid, &a->pgid, &a->sid);
	pg = pgrp_find(a->pgid);
	if (pg != NULL) {
		about_terminal(pg, a);
		pgrp_drop(pg);
	}
	fc = fsctx_of(p, a->tid);
	a->umask = fc != NULL ? fc->fc_umask : UINT32_MAX;
	if (fc != NULL)
		fsctx_drop(fc);
	vs = procfs_space_of(p);
	if (vs != NULL) {
		vm_usage(vs, &a->vm);
		vmspace_drop(vs);
	}
	proc_drop(p);
	return 0;
}

/* ------------------------------------------------------------------ files -- */

static uint64_t
ticks(uint64_t ns)
{
	return ns / TICK_NS;
}

static int
text_stat(struct pbuf *b, const struct pnode *n)
{
	struct about a;
	int error = about(n, &a);

	if (error != 0)
		return error;
	pb_printf(b, "%d (%s) %c %d %d %d %llu %d %u ", a.tid, a.comm, a.state, a.ppid, a.pgid, a.sid,
	    (unsigned long long)a.tty, a.tty_pgid, 0x400000u);
	pb_printf(b, "%llu %llu %llu %llu ", (unsigned long long)a.ru.ru_minflt,
	    (unsigned long long)a.cru.ru_minflt,
	    (unsigned long long)a.ru.ru_majflt, (unsigned long long)a.cru.ru_majflt);
	pb_printf(b, "%llu %llu %llu %llu ", (unsigned long long)ticks(a.ru.ru_utime),
	    (unsigned long long)ticks(a.ru.ru_stime), (unsigned long long)ticks(a.cru.ru_utime),
	    (unsigned long long)ticks(a.cru.ru_stime));
	pb_printf(b, "%d %d %u 0 %llu %llu %llu %llu ", 20 + a.nice, a.nice, a.nlwps,
	    (unsigned long long)ticks(a.start > time_boot() ? a.start - time_boot() : 0),
	    (unsigned long long)(a.vm.size * PAGE_BYTES), (unsigned long long)a.vm.resident,
	    (unsigned long long)a.rss_limit);
	pb_printf(b, "0 0 %llu 0 0 %llu %llu %llu %llu 0 0 0 %d %u 0 0 0 0 0 0 0 0 %llu %llu %llu %llu %d\n",
	    (unsigned long long)a.stack_start, (unsigned long long)(a.pending & 0x7fffffff),
	    (unsigned long long)(a.blocked & 0x7fffffff), (unsigned long long)(a.ignored & 0x7fffffff),
	    (unsigned long long)(a.caught & 0x7fffffff), a.exit_signal, a.cpu,
	    (unsigned long long)a.arg_start,
	    (unsigned long long)a.arg_end, (unsigned long long)a.env_start, (unsigned long long)a.env_end,
	    a.state == 'Z' ? a.status : 0);
	cred_drop(a.cred);
	return 0;
}

static int
text_statm(struct pbuf *b, const struct pnode *n)
{
	struct about a;
	int error = about(n, &a);

	if (error != 0)
		return error;
	cred_drop(a.cred);
	pb_printf(b, "%llu %llu %llu %llu 0 %llu 0\n", (unsigned long long)a.vm.size,
	    (unsigned long long)a.vm.resident,
	    (unsigned long long)a.vm.shared, (unsigned long long)a.vm.text,
	    (unsigned long long)(a.vm.data + a.vm.stack));
	return 0;
}

static const char *
state_name(char c)
{
	switch (c) {
	case 'R':	return "R (running)";
	case 'D':	return "D (disk sleep)";
	case 'T':	return "T (stopped)";
	case 't':	return "t (tracing stop)";
	case 'Z':	return "Z (zombie)";
	default:	return "S (sleeping)";
	}
}

static void
status_memory(struct pbuf *b, const struct about *a)
{
	const uint64_t k = PAGE_BYTES / 1024;

	if (a->state == 'Z')
		return;
	pb_printf(b, "VmPeak:\t%8llu kB\nVmSize:\t%8llu kB\nVmLck:\t%8llu kB\nVmPin:\t%8u kB\n",
	    (unsigned long long)(a->vm.size_peak * k), (unsigned long long)(a->vm.size * k),
	    (unsigned long long)(a->vm.locked * k), 0);
	pb_printf(b,
	    "VmHWM:\t%8llu kB\nVmRSS:\t%8llu kB\nRssAnon:\t%8llu kB\nRssFile:\t%8llu kB\nRssShmem:\t%8u kB\n",
	    (unsigned long long)(a->vm.resident_peak * k), (unsigned long long)(a->vm.resident * k),
	    (unsigned long long)((a->vm.resident - rt_min(a->vm.shared, a->vm.resident)) * k),
	    (unsigned long long)(a->vm.shared * k), 0);
	pb_printf(b,
	    "VmData:\t%8llu kB\nVmStk:\t%8llu kB\nVmExe:\t%8llu kB\n"
	    "VmLib:\t%8u kB\nVmPTE:\t%8llu kB\nVmSwap:\t%8u kB\n",
	    (unsigned long long)(a->vm.data * k), (unsigned long long)(a->vm.stack * k),
	    (unsigned long long)(a->vm.text * k), 0, (unsigned long long)(a->vm.tables * k), 0);
}

static void
status_places(struct pbuf *b, const struct about *a)
{
	uint64_t cpus[CPU_MAX / 64];

	memcpy(cpus, a->cpus, sizeof cpus);
	if (cpu_count % 64 != 0)
		cpus[cpu_count / 64] &= (1ull << cpu_count % 64) - 1;
	pb_printf(b, "Cpus_allowed:\t");
	pb_cpu_mask(b, cpus, cpu_count);
	pb_printf(b, "Cpus_allowed_list:\t");
	pb_cpu_list(b, cpus, cpu_count);
	pb_printf(b, "Mems_allowed:\t1\nMems_allowed_list:\t0\n");
}

static int
text_status(struct pbuf *b, const struct pnode *n)
{
	struct about a;
	const struct cred *c;
	int error = about(n, &a);

	if (error != 0)
		return error;
	c = a.cred;
	pb_printf(b, "Name:\t%s\n", a.comm);
	if (a.umask <= 0777)
		pb_printf(b, "Umask:\t%04o\n", a.umask);
	pb_printf(b, "State:\t%s\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t%d\n",
	    state_name(a.state), a.pid, a.tid, a.ppid, a.tracer);
	pb_printf(b, "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\nFDSize:\t64\nGroups:\t", c->cr_uid,
	    c->cr_euid,
	    c->cr_suid, c->cr_fsuid, c->cr_gid, c->cr_egid, c->cr_sgid, c->cr_fsgid);
	for (uint32_t i = 0; i < c->cr_ngroups; i++)
		pb_printf(b, "%u ", c->cr_groups[i]);
	pb_printf(b, "\nNStgid:\t%d\nNSpid:\t%d\nNSpgid:\t%d\nNSsid:\t%d\n", a.pid, a.tid, a.pgid, a.sid);
	status_memory(b, &a);
	pb_printf(b,
	    "Threads:\t%u\nSigQ:\t%u/%llu\nSigPnd:\t%016llx\nShdPnd:\t%016llx\nSigBlk:\t%016llx\n", a.nlwps,
	    a.queued, (unsigned long long)a.nsig_limit, (unsigned long long)a.pending,
	    (unsigned long long)a.shared_pending, (unsigned long long)a.blocked);
	pb_printf(b, "SigIgn:\t%016llx\nSigCgt:\t%016llx\n", (unsigned long long)a.ignored,
	    (unsigned long long)a.caught);
	pb_printf(b,
	    "CapInh:\t%016llx\nCapPrm:\t%016llx\nCapEff:\t%016llx\nCapBnd:\t%016llx\nCapAmb:\t%016llx\n",
	    (unsigned long long)c->cr_cap_inh, (unsigned long long)c->cr_cap_perm,
	    (unsigned long long)c->cr_cap_eff,
	    (unsigned long long)c->cr_cap_bnd, (unsigned long long)c->cr_cap_amb);
	pb_printf(b, "NoNewPrivs:\t%d\nSeccomp:\t0\nSeccomp_filters:\t0\n", a.no_new_privs);
	status_places(b, &a);
	pb_printf(b, "voluntary_ctxt_switches:\t%llu\nnonvoluntary_ctxt_switches:\t%llu\n",
	    (unsigned long long)a.ru.ru_nvcsw, (unsigned long long)a.ru.ru_nivcsw);
	cred_drop(a.cred);
	return 0;
}

/* Strings of the process's own memory, which may be gone or hostile: what can be read is shown. */
static int
user_bytes(struct pbuf *b, struct proc *p, uaddr_t from, uaddr_t to)
{
	struct vmspace *vs = procfs_space_of(p);
	char buf[512];
	size_t done = 0;

	if (vs == NULL)
		return 0;
	if (to > from && to - from > ARGS_MAX)
		to = from + ARGS_MAX;
	while (from < to) {
		(void)vs_read(vs, buf, from, rt_min(to - from, sizeof buf), &done);
		if (done == 0)
			break;
		pb_bytes(b, buf, done);
		from += done;
	}
	vmspace_drop(vs);
	return 0;
}

static int
text_cmdline(struct pbuf *b, const struct pnode *n)
{
	struct proc *p = procfs_proc(n);
	uaddr_t from, to;
	int error;

	if (p == NULL)
		return ESRCH;
	token_get(&p->p_tok);
	from = p->p_arg_start;
	to = p->p_arg_end;
	token_release(&p->p_tok);
	error = user_bytes(b, p, from, to);
	proc_drop(p);
	return error;
}

static int
text_environ(struct pbuf *b, const struct pnode *n)
{
	struct proc *p;
	uaddr_t from, to;
	int error = procfs_look_at(n, &p);

	if (error != 0)
		return error;
	token_get(&p->p_tok);
	from = p->p_env_start;
	to = p->p_env_end;
	token_release(&p->p_tok);
	error = user_bytes(b, p, from, to);
	proc_drop(p);
	return error;
}

static int
text_auxv(struct pbuf *b, const struct pnode *n)
{
	struct proc *p;
	uint8_t auxv[sizeof p->p_auxv];
	uint32_t len;
	int error = procfs_look_at(n, &p);

	if (error != 0)
		return error;
	token_get(&p->p_tok);
	len = (uint32_t)rt_min(p->p_auxv_bytes, sizeof auxv);
	memcpy(auxv, p->p_auxv, len);
	token_release(&p->p_tok);
	proc_drop(p);
	pb_bytes(b, auxv, len);
	return 0;
}

static int
text_comm(struct pbuf *b, const struct pnode *n)
{
	struct about a;
	int error = about(n, &a);

	if (error != 0)
		return error;
	cred_drop(a.cred);
	pb_printf(b, "%s\n", a.comm);
	return 0;
}

/* Nobody logs in through us: the answer is Linux's for "no login". */
static int
text_loginuid(struct pbuf *b, const struct pnode *n)
{
	(void)n;
	pb_printf(b, "4294967295");
	return 0;
}

static int
text_limits(struct pbuf *b, const struct pnode *n)
{
	static const struct { const char *name, *unit; } row[16] = {
		{ "Max cpu time", "seconds" }, { "Max file size", "bytes" }, { "Max data size", "bytes" },
		{ "Max stack size", "bytes" }, { "Max core file size", "bytes" }, { "Max resident set",
		    "bytes" },
		{ "Max processes", "processes" }, { "Max open files", "files" }, { "Max locked memory",
		    "bytes" },
		{ "Max address space", "bytes" }, { "Max file locks", "locks" }, { "Max pending signals",
		    "signals" },
		{ "Max msgqueue size", "bytes" }, { "Max nice priority", "" }, { "Max realtime priority",
		    "" },
		{ "Max realtime timeout", "us" },
	};
	struct proc *p = procfs_proc(n);
	uint64_t lim[16][2];

	if (p == NULL)
		return ESRCH;
	token_get(&p->p_tok);
	memcpy(lim, p->p_rlimit, sizeof lim);
	token_release(&p->p_tok);
	proc_drop(p);
	pb_printf(b, "%-26s%-21s%-21s%-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
	for (int i = 0; i < 16; i++) {
		char v[2][24];

		for (int k = 0; k < 2; k++) {
			if (lim[i][k] == UINT64_MAX)
				strlcpy(v[k], "unlimited", sizeof v[k]);
			else
				rt_snprintf(v[k], sizeof v[k], "%llu", (unsigned long long)lim[i][k]);
		}
		pb_printf(b, "%-26s%-21s%-21s%-10s\n", row[i].name, v[0], v[1], row[i].unit);
	}
	return 0;
}

/* As Linux: with what children brought that were waited for, but for a single thread.  There is no disk. */
static int
text_io(struct pbuf *b, const struct pnode *n)
{
	struct rusage_acc ru = { 0 };
	struct proc *p;
	int error = procfs_look_at(n, &p);

	if (error != 0)
		return error;
	if (n->pn_tid == 0)
		proc_times(p, &ru);
	spin_lock(&p->p_sig);
	if (n->pn_tid == 0)
		rusage_add(&ru, &p->p_cru);
	list_foreach(l, &p->p_lwps, struct lwp, l_link)
		if (n->pn_tid != 0 && l->l_tid == n->pn_tid)
			rusage_add(&ru, &l->l_ru);
	spin_unlock(&p->p_sig);
	proc_drop(p);
	pb_printf(b, "rchar: %llu\nwchar: %llu\nsyscr: %llu\nsyscw: %llu\n"
	    "read_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n", (unsigned long long)ru.ru_rchar,
	    (unsigned long long)ru.ru_wchar, (unsigned long long)ru.ru_syscr,
	    (unsigned long long)ru.ru_syscw);
	return 0;
}

static int
text_wchan(struct pbuf *b, const struct pnode *n)
{
	(void)n;
	pb_printf(b, "0");
	return 0;
}

static int
write_comm(const struct pnode *n, const char *text, size_t len)
{
	struct proc *p = procfs_proc(n);

	(void)len;
	if (p == NULL)
		return ESRCH;
	if (p == curproc)
		proc_set_comm(p, n->pn_tid != 0 ? n->pn_tid : p->p_pid, text);
	proc_drop(p);
	return p == curproc ? 0 : EINVAL;
}

/* ---------------------------------------------------------- out of memory -- */

/* oom_adj is the older scale: -17 (never) to 15. */
#define OOM_NEVER	(-1000)
#define OOM_FIRST	1000
#define OOM_OLD_NEVER	(-17)
#define OOM_OLD_FIRST	15

static int
text_oom_score(struct pbuf *b, const struct pnode *n)
{
	struct proc *p = procfs_proc(n);

	if (p == NULL)
		return ESRCH;
	pb_printf(b, "%llu\n", (unsigned long long)proc_oom_points(p));
	proc_drop(p);
	return 0;
}

static int
text_oom_adj(struct pbuf *b, const struct pnode *n)
{
	bool old = strcmp(n->pn_ent->pe_name, "oom_adj") == 0;
	struct proc *p = procfs_proc(n);
	int adj;

	if (p == NULL)
		return ESRCH;
	adj = p->p_oom_adj;
	proc_drop(p);
	if (old)
		adj = adj == OOM_FIRST ? OOM_OLD_FIRST : adj * -OOM_OLD_NEVER / OOM_FIRST;
	pb_printf(b, "%d\n", adj);
	return 0;
}

static int
write_oom_adj(const struct pnode *n, const char *text, size_t len)
{
	bool old = strcmp(n->pn_ent->pe_name, "oom_adj") == 0, minus = text[0] == '-';
	bool mighty = cred_capable(cred_current(), CAP_SYS_RESOURCE);
	int32_t adj = procfs_number(text + minus, len - minus);
	struct proc *p;
	int error = 0;

	if (adj < 0)
		return EINVAL;
	adj = minus ? -adj : adj;
	if (old ? adj < OOM_OLD_NEVER || adj > OOM_OLD_FIRST : adj < OOM_NEVER || adj > OOM_FIRST)
		return EINVAL;
	if (old)
		adj = adj == OOM_OLD_FIRST ? OOM_FIRST : adj * OOM_FIRST / -OOM_OLD_NEVER;
	p = procfs_proc(n);
	if (p == NULL)
		return ESRCH;
	if (adj < (old ? p->p_oom_adj : p->p_oom_adj_min) && !mighty) {
		error = EACCES;
	} else {
		p->p_oom_adj = adj;
		if (mighty && !old)
			p->p_oom_adj_min = adj;
	}
	proc_drop(p);
	return error;
}

/* ------------------------------------------------------------ small things -- */

static int
text_timerslack(struct pbuf *b, const struct pnode *n)
{
	struct proc *p = procfs_proc(n);

	if (p == NULL)
		return ESRCH;
	pb_printf(b, "%llu\n", (unsigned long long)p->p_timerslack);
	proc_drop(p);
	return 0;
}

static int
text_personality(struct pbuf *b, const struct pnode *n)
{
	struct proc *p;
	int error = procfs_look_at(n, &p);

	if (error != 0)
		return error;
	pb_printf(b, "%08x\n", p->p_personality);
	proc_drop(p);
	return 0;
}

/* All users and groups are what they are. */
static int
text_id_map(struct pbuf *b, const struct pnode *n)
{
	(void)n;
	pb_printf(b, "%10u %10u %10u\n", 0, 0, UINT32_MAX);
	return 0;
}

static int
text_setgroups(struct pbuf *b, const struct pnode *n)
{
	(void)n;
	pb_printf(b, "allow\n");
	return 0;
}

/* ----------------------------------------------------------------- memory -- */

/* An open mem file holds the space it was opened on: after an exec that space is empty and reads end. */
static int
mem_read(struct file *fp, struct uio *u)
{
	char buf[512];
	int error = 0;

	while (error == 0 && u->u_resid > 0) {
		size_t n = rt_min(u->u_resid, sizeof buf), done = 0;

		error = vs_read(fp->f_data, buf, u->u_off, n, &done);
		if (done > 0 && uio_move(buf, done, u) != 0)
			return EFAULT;
		if (error != 0)
			return done > 0 ? 0 : EIO;
		lwkt_poll();
	}
	return error;
}

static int
mem_write(struct file *fp, struct uio *u)
{
	char buf[512];
	int error = 0;

	while (error == 0 && u->u_resid > 0) {
		size_t n = rt_min(u->u_resid, sizeof buf), done = 0;
		uint64_t at = u->u_off;

		error = uio_move(buf, n, u);
		if (error != 0)
			return error;
		error = vs_write_forced(fp->f_data, at, buf, n, &done);
		if (error != 0) {
			u->u_off = at + done;
			u->u_resid += n - done;
			return done > 0 ? 0 : EIO;
		}
		lwkt_poll();
	}
	return error;
}

static int
mem_seek(struct file *fp, int64_t off, int whence, uint64_t *result)
{
	if (whence != SEEK_SET && whence != SEEK_CUR)
		return EINVAL;
	fp->f_off = *result = (whence == SEEK_CUR ? fp->f_off : 0) + (uint64_t)off;
	return 0;
}

static void
mem_close(struct file *fp)
{
	vmspace_drop(fp->f_data);
}

static const struct file_ops mem_ops = {
	.fo_read = mem_read, .fo_write = mem_write, .fo_seek = mem_seek, .fo_close = mem_close,
};

int
procfs_mem_open(const struct pnode *n, struct file *fp)
{
	struct vmspace *vs;
	struct proc *p;
	int error = procfs_look_at(n, &p);

	if (error != 0)
		return error;
	vs = procfs_space_of(p);
	proc_drop(p);
	if (vs == NULL)
		return ESRCH;
	fp->f_data = vs;
	fp->f_ops = &mem_ops;
	return 0;
}

/* ------------------------------------------------------------------ links -- */

static int
jump_place(const struct pnode *n, bool root, struct ncp **out)
{
	struct fsctx *fc;
	struct proc *p;
	int error = procfs_look_at(n, &p);

	if (error != 0)
		return error;
	fc = fsctx_of(p, n->pn_tid != 0 ? n->pn_tid : p->p_pid);
	proc_drop(p);
	if (fc == NULL)
		return ENOENT;
	fsctx_get(fc, root ? NULL : out, root ? out : NULL);
	fsctx_drop(fc);
	return 0;
}

static int jump_cwd(const struct pnode *n, struct ncp **out) { return jump_place(n, false, out); }
static int jump_root(const struct pnode *n, struct ncp **out) { return jump_place(n, true, out); }

int
procfs_text_name(struct pbuf *b, struct ncp *n)
{
	char *text = kmalloc(PATH_MAX_, KM_WAIT);
	struct ncp *root;
	bool unreachable;
	int error;

	if (text == NULL)
		return ENOMEM;
	fsctx_get(fsctx_current(), NULL, &root);
	error = name_path(n, root, text, PATH_MAX_, &unreachable);
	ncp_drop(root);
	if (error == 0)
		pb_printf(b, "%s%s", text, ncp_is_deleted(n) ? " (deleted)" : "");
	kfree(text);
	return error;
}

static int
text_place(struct pbuf *b, const struct pnode *n, bool root)
{
	struct ncp *at;
	int error = jump_place(n, root, &at);

	if (error != 0)
		return error;
	error = procfs_text_name(b, at);
	ncp_drop(at);
	return error;
}

static int text_cwd(struct pbuf *b, const struct pnode *n) { return text_place(b, n, false); }
static int text_root(struct pbuf *b, const struct pnode *n) { return text_place(b, n, true); }

static int
jump_exe(const struct pnode *n, struct ncp **out)
{
	struct proc *p;
	int error = procfs_look_at(n, &p);

	if (error != 0)
		return error;
	token_get(&p->p_tok);
	*out = p->p_exe;
	if (*out == NULL)
		error = ENOENT;
	else
		ncp_hold(*out);
	token_release(&p->p_tok);
	proc_drop(p);
	return error;
}

static int
text_exe(struct pbuf *b, const struct pnode *n)
{
	struct ncp *exe;
	int error = jump_exe(n, &exe);

	if (error != 0)
		return error;
	error = procfs_text_name(b, exe);
	ncp_drop(exe);
	return error;
}

static int
fd_file(const struct pnode *n, struct file **out)
{
	struct proc *p;
	int error = procfs_look_at(n, &p);

	if (error != 0)
		return error;
	error = fd_get_of(p, n->pn_fd, out);
	proc_drop(p);
	return error != 0 ? ENOENT : 0;
}

int
procfs_jump_fd(const struct pnode *n, struct ncp **out)
{
	struct file *fp;
	int error = fd_file(n, &fp);

	if (error != 0)
		return error;
	if (fp->f_ncp != NULL) {
		*out = fp->f_ncp;
		ncp_hold(*out);
	} else {
		error = EOPNOTSUPP;
	}
	file_drop(fp);
	return error;
}

int
procfs_stat_fd(const struct pnode *n, struct k_stat *st)
{
	struct file *fp;
	int error = fd_file(n, &fp);

	if (error != 0)
		return error;
	error = file_stat(fp, st);
	file_drop(fp);
	return error;
}

int
procfs_text_fd(struct pbuf *b, const struct pnode *n)
{
	struct k_stat st;
	struct file *fp;
	int error = fd_file(n, &fp);

	if (error != 0)
		return error;
	if (fp->f_ncp != NULL) {
		error = procfs_text_name(b, fp->f_ncp);
	} else if (fp->f_ops->fo_name != NULL) {
		pb_printf(b, "anon_inode:%s", fp->f_ops->fo_name);
	} else if (file_stat(fp, &st) == 0) {
		const char *kind = (st.st_mode & S_IFMT) == S_IFIFO ? "pipe" :
		    (st.st_mode & S_IFMT) == S_IFSOCK ?
		    "socket" : (st.st_mode & S_IFMT) == S_IFCHR ? "char" : "file";

		pb_printf(b, "%s:[%llu]", kind, (unsigned long long)(st.st_ino != 0 ? st.st_ino : fp->f_id));
	} else {
		pb_printf(b, "anon_inode:[%llu]", (unsigned long long)fp->f_id);
	}
	file_drop(fp);
	return error;
}

static void
fdinfo_watches(struct pbuf *b, struct file *fp)
{
	struct vnode *vn;
	struct vattr va;
	uint32_t mask;

	for (int32_t wd = 0; (vn = inotify_next(fp, &wd, &mask)) != NULL; wd++) {
		if (vn_getattr(vn, &va) == 0)
			pb_printf(b, "inotify wd:%x ino:%llx sdev:%x mask:%x ignored_mask:0 \n", (uint32_t)wd,
			    (unsigned long long)va.va_ino, (uint32_t)vn->v_mount->mp_dev, mask);
		vnode_drop(vn);
	}
}

int
procfs_text_fdinfo(struct pbuf *b, const struct pnode *n)
{
	struct file *fp;
	uint64_t off;
	int error = fd_file(n, &fp);

	if (error != 0)
		return error;
	off = fp->f_ops->fo_seek != NULL ? fp->f_off : 0;
	pb_printf(b, "pos:\t%llu\nflags:\t0%o\nmnt_id:\t%u\nino:\t%llu\n", (unsigned long long)off,
	    atomic_load(&fp->f_flags), fp->f_vnode != NULL ? fp->f_vnode->v_mount->mp_id : 0,
	    (unsigned long long)fp->f_id);
	fdinfo_watches(b, fp);
	file_drop(fp);
	return 0;
}

/* ----------------------------------------------------------------- mounts -- */

struct mounts_arg {
	struct pbuf	*b;
	struct ncp	*root;
	bool		info;
};

/* Blanks and backslashes as octal, so that a line has as many fields as it should. */
static void
pb_escaped(struct pbuf *b, const char *s)
{
	for (; *s != '\0'; s++) {
		if (*s == ' ' || *s == '\t' || *s == '\n' || *s == '\\')
			pb_printf(b, "\\%03o", (unsigned)(uint8_t)*s);
		else
			pb_bytes(b, s, 1);
	}
}

static void
pb_flags(struct pbuf *b, uint32_t fl)
{
	pb_printf(b, "%s%s%s%s%s%s%s", (fl & MS_RDONLY) != 0 ? "ro" : "rw", (fl & MS_NOSUID) != 0 ?
	    ",nosuid" : "",
	    (fl & MS_NODEV) != 0 ? ",nodev" : "", (fl & MS_NOEXEC) != 0 ? ",noexec" : "",
	    (fl & MS_SYNCHRONOUS) != 0 ? ",sync" : "", (fl & MS_NOATIME) != 0 ? ",noatime" : "",
	    (fl & (MS_NOATIME | MS_STRICTATIME)) == 0 ? ",relatime" : "");
}

static void
mount_line(struct mount *mp, void *arg)
{
	struct mounts_arg *m = arg;
	struct mount *up = mp;
	char *text;
	bool unreachable = true;

	text = kmalloc(PATH_MAX_, KM_WAIT);
	if (text == NULL)
		return;
	if (name_path(mp->mp_ncp, m->root, text, PATH_MAX_, &unreachable) == 0 && !unreachable) {
		if (m->info) {
			if (mp->mp_covers != NULL)
				up = mp->mp_covers->n_mount;
			pb_printf(m->b, "%u %u %u:%u / ", mp->mp_id, up->mp_id,
			    (unsigned)(mp->mp_dev >> 8 & 0xfff),
			    (unsigned)(mp->mp_dev & 0xff));
			pb_escaped(m->b, text);
			pb_printf(m->b, " ");
			pb_flags(m->b, mp->mp_flags);
			pb_printf(m->b, " - %s ", mp->mp_ops->fs_name);
			pb_escaped(m->b, mp->mp_source);
			pb_printf(m->b, " %s\n", (mp->mp_flags & MS_RDONLY) != 0 ? "ro" : "rw");
		} else {
			pb_escaped(m->b, mp->mp_source);
			pb_printf(m->b, " ");
			pb_escaped(m->b, text);
			pb_printf(m->b, " %s ", mp->mp_ops->fs_name);
			pb_flags(m->b, mp->mp_flags);
			pb_printf(m->b, " 0 0\n");
		}
	}
	kfree(text);
}

void
procfs_mounts(struct pbuf *b, const struct pnode *n, bool info)
{
	struct mounts_arg m = { .b = b, .info = info };

	(void)n;
	fsctx_get(fsctx_current(), NULL, &m.root);
	vfs_mount_foreach(mount_line, &m);
	ncp_drop(m.root);
}

static int text_mounts(struct pbuf *b, const struct pnode *n) { procfs_mounts(b, n, false); return 0; }
static int text_mountinfo(struct pbuf *b, const struct pnode *n) { procfs_mounts(b, n, true); return 0; }

const struct pentry procfs_pid_table[] = {
	{ "auxv", PK_FILE, 0400, text_auxv, NULL, NULL, NULL },
	{ "cmdline", PK_FILE, 0444, text_cmdline, NULL, NULL, NULL },
	{ "comm", PK_FILE, 0644, text_comm, NULL, write_comm, NULL },
	{ "cwd", PK_LINK, 0777, text_cwd, jump_cwd, NULL, NULL },
	{ "environ", PK_FILE, 0400, text_environ, NULL, NULL, NULL },
	{ "exe", PK_LINK, 0777, text_exe, jump_exe, NULL, NULL },
	{ "fd", PK_FDS, 0500, NULL, NULL, NULL, NULL },
	{ "fdinfo", PK_FDINFOS, 0555, NULL, NULL, NULL, NULL },
	{ "gid_map", PK_FILE, 0444, text_id_map, NULL, NULL, NULL },
	{ "io", PK_FILE, 0400, text_io, NULL, NULL, NULL },
	{ "limits", PK_FILE, 0444, text_limits, NULL, NULL, NULL },
	{ "loginuid", PK_FILE, 0444, text_loginuid, NULL, NULL, NULL },
	{ "map_files", PK_MAPS, 0500, NULL, NULL, NULL, NULL },
	{ "maps", PK_FILE, 0444, procfs_maps, NULL, NULL, NULL },
	{ "mem", PK_MEM, 0600, NULL, NULL, NULL, NULL },
	{ "mountinfo", PK_FILE, 0444, text_mountinfo, NULL, NULL, NULL },
	{ "mounts", PK_FILE, 0444, text_mounts, NULL, NULL, NULL },
	{ "net", PK_DIR, 0555, NULL, NULL, NULL, procfs_net_table },
	{ "oom_adj", PK_FILE, 0644, text_oom_adj, NULL, write_oom_adj, NULL },
	{ "oom_score", PK_FILE, 0444, text_oom_score, NULL, NULL, NULL },
	{ "oom_score_adj", PK_FILE, 0644, text_oom_adj, NULL, write_oom_adj, NULL },
	{ "personality", PK_FILE, 0400, text_personality, NULL, NULL, NULL },
	{ "root", PK_LINK, 0777, text_root, jump_root, NULL, NULL },
	{ "sessionid", PK_FILE, 0444, text_loginuid, NULL, NULL, NULL },
	{ "setgroups", PK_FILE, 0444, text_setgroups, NULL, NULL, NULL },
	{ "smaps", PK_FILE, 0444, procfs_smaps, NULL, NULL, NULL },
	{ "smaps_rollup", PK_FILE, 0444, procfs_smaps_rollup, NULL, NULL, NULL },
	{ "stat", PK_FILE, 0444, text_stat, NULL, NULL, NULL },
	{ "statm", PK_FILE, 0444, text_statm, NULL, NULL, NULL },
	{ "status", PK_FILE, 0444, text_status, NULL, NULL, NULL },
	{ "task", PK_TASKS, 0555, NULL, NULL, NULL, NULL },
	{ "timerslack_ns", PK_FILE, 0444, text_timerslack, NULL, NULL, NULL },
	{ "uid_map", PK_FILE, 0444, text_id_map, NULL, NULL, NULL },
	{ "wchan", PK_FILE, 0444, text_wchan, NULL, NULL, NULL },
	{ NULL, PK_FILE, 0, NULL, NULL, NULL, NULL },
};
