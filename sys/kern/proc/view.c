/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * view - jails: processes that see a part of the machine.
 *
 * One question decides everything, whether a process sees another: the
 * machine's view sees all, a jail only its own.  The lookups of the process
 * table ask it for whoever is current, so that kill, wait, ptrace, /proc and
 * all that come later cannot forget to.
 *
 * Invariants
 *   J1  a view's members are v_init and what descends from it: it entered
 *       without children or tracees, and no process changes its view but by entering.
 *   J2  v_init outlives all others in it: their children become its own, and
 *       its exit kills and waits until none is left.  From then on v_closed
 *       keeps forks out, so the wait ends.
 *   J3  nobody inside has a capability outside JAIL_CAPS, nor can get one back.
 *
 * Locking: proc_tree for v_closed; p_sig, inside it, to look at a process's
 * credential.
 */
#include "proc_int.h"
#include <abi/errno.h>
#include <core/rt/rt.h>
#include <sys/proc/uts.h>
#include <sys/proc/view.h>
#include <sys/vm/kmem.h>

/* What root may do inside: with files and processes of the jail, nothing with the machine. */
#define JAIL_CAPS	(1ull << CAP_CHOWN | 1ull << CAP_DAC_OVERRIDE | 1ull << CAP_DAC_READ_SEARCH | \
    1ull << CAP_FOWNER | 1ull << CAP_FSETID | 1ull << CAP_KILL | 1ull << CAP_SETGID | 1ull << CAP_SETUID | \
    1ull << CAP_SETPCAP | 1ull << CAP_SYS_CHROOT | 1ull << CAP_SYS_PTRACE | 1ull << CAP_IPC_OWNER)

struct view view_machine = { .v_refs = 1, .v_spin = SPIN_INIT(view), .v_domain = "(none)" };
static _Atomic uint64_t next_id;		/* [atomic] */
static void (*drop_fn)(struct view *v);		/* const after boot */

void
view_set_drop(void (*fn)(struct view *v))
{
	ASSERT(drop_fn == NULL);
	drop_fn = fn;
}

void
view_hold(struct view *v)
{
	atomic_fetch_add_explicit(&v->v_refs, 1, memory_order_relaxed);
}

void
view_drop(struct view *v)
{
	if (atomic_fetch_sub_explicit(&v->v_refs, 1, memory_order_acq_rel) > 1)
		return;
	ASSERT(view_is_jail(v));
	if (drop_fn != NULL)
		drop_fn(v);
	kfree(v);
}

struct view *
view_current(void)
{
	return cred_current()->cr_view;
}

/* Compared, never followed: p may be leaving. */
static const struct view *
view_of(struct proc *p)
{
	const struct view *v;

	spin_lock(&p->p_sig);
	v = p->p_cred->cr_view;
	spin_unlock(&p->p_sig);
	return v;
}

bool
view_sees(struct proc *p)
{
	const struct view *mine = view_current();

	return !view_is_jail(mine) || view_of(p) == mine;
}

/* Is p what process 1 is to the machine? */
bool
view_is_init(struct proc *p)
{
	bool yes;

	spin_lock(&p->p_sig);
	yes = p->p_cred->cr_view->v_init == p->p_pid;
	spin_unlock(&p->p_sig);
	return yes;
}

static int
view_create(const char *host, struct view **out)
{
	struct k_utsname now;
	struct view *v = kmalloc(sizeof(*v), KM_ZERO | KM_WAIT);

	if (v == NULL)
		return ENOMEM;
	uts_get(&now);
	v->v_refs = 1;
	v->v_init = curproc->p_pid;
	v->v_id = atomic_fetch_add_explicit(&next_id, 1, memory_order_relaxed) + 1;
	spin_init(&v->v_spin, LR_view);
	strlcpy(v->v_host, host[0] != '\0' ? host : now.nodename, sizeof(v->v_host));
	strlcpy(v->v_domain, now.domainname, sizeof(v->v_domain));
	*out = v;
	return 0;
}

int
view_enter(const char *host)
{
	struct proc *p = curproc;
	struct view *v;
	struct cred *c;
	bool alone;
	int error;

	if (view_is_jail(view_current()) || !cred_capable(cred_current(), CAP_SYS_ADMIN))
		return EPERM;
	spin_lock(&proc_tree);
	alone = list_empty(&p->p_children) && list_empty(&p->p_tracees) && p->p_nlwps == 1 &&
	    !p->p_vm_shared && p != proc_first;
	spin_unlock(&proc_tree);
	if (!alone)
		return EBUSY;				/* J1: nobody else can make it untrue */
	error = view_create(host, &v);
	if (error != 0)
		return error;
	c = cred_copy(cred_current());
	if (c == NULL) {
		view_drop(v);
		return ENOMEM;
	}
	view_drop(c->cr_view);
	c->cr_view = v;
	c->cr_cap_perm &= JAIL_CAPS;			/* J3 */
	c->cr_cap_eff &= JAIL_CAPS;
	c->cr_cap_inh &= JAIL_CAPS;
	c->cr_cap_bnd &= JAIL_CAPS;
	c->cr_cap_amb &= JAIL_CAPS;
	token_get(&p->p_tok);
	proc_set_cred(c);
	token_release(&p->p_tok);
	return 0;
}

static int
kill_one(struct proc *p, void *arg)
{
	(void)arg;
	if (p != curproc)
		sig_post(p, SIGKILL, NULL);
	return 0;
}

/* v_init ends: so do all others in its jail, before it.  J2. */
void
view_end(void)
{
	spin_lock(&proc_tree);
	view_current()->v_closed = true;
	spin_unlock(&proc_tree);
	(void)proc_foreach(kill_one, NULL);
	proc_reap_all();
}
