/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * view - what of the machine a process may see: the whole of it, or a jail.
 *
 * A jail has its own processes, names of the system and IPC objects, and a
 * directory above which no path leads (fsctx, vfs).  What is not in it does not exist
 * for those inside: asking gives ESRCH or ENOENT, never EPERM.  The view is
 * part of the credential, so it is inherited and cannot be left.  Jails have no
 * jails.  After FreeBSD's jail(2), which DragonFly has, too.
 */
#pragma once
#include <abi/utsname.h>
#include <sys/lwkt/spin.h>

struct proc;

struct view {
	_Atomic uint32_t v_refs;
	/* const: the process that entered it, whose end ends all in it; 0: the machine's */
	int32_t		v_init;
	uint64_t	v_id;		/* const: 0: the machine's */
	bool		v_closed;	/* [proc tree] it ends: nobody may be made in it */
	struct spin	v_spin;
	char		v_host[UTS_LEN];	/* [v_spin] "": the name that the machine was started with */
	char		v_domain[UTS_LEN];	/* [v_spin] */
	void		*v_ipc;		/* const once set: the ipc layer's */
};
extern struct view view_machine;

void	view_hold(struct view *v);
void	view_drop(struct view *v);
/* Called before a view is freed; one function, set at boot. */
void	view_set_drop(void (*fn)(struct view *v));
/* The current process's; a kernel thread's is the machine's.  Not held: valid as long as its credential. */
struct view *view_current(void);
static inline bool
view_is_jail(const struct view *v)
{
	return v != &view_machine;
}
/* Does p exist for the current process?  Any context that may take a p_sig. */
bool	view_sees(struct proc *p);

/*
 * The current process, of one thread and without children, enters a jail of its own: host
 * is its name there, "" the present one.  Its power shrinks to what concerns the jail.
 * EPERM: not allowed, or in a jail already.  EBUSY: it has children or threads.
 */
int	view_enter(const char *host);
