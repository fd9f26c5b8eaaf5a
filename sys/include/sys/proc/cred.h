/* SPDX-License-Identifier: BSD-2-Clause */
/* cred - who a process is.  Immutable once published: changing means replacing. */
#pragma once
#include <machine/types.h>

#define NGROUPS_MAX	32
struct view;		/* sys/proc/view.h */
struct cred {
	_Atomic uint32_t cr_refs;
	uint32_t	cr_uid, cr_euid, cr_suid, cr_fsuid;
	uint32_t	cr_gid, cr_egid, cr_sgid, cr_fsgid;
	uint32_t	cr_ngroups;
	uint32_t	cr_groups[NGROUPS_MAX];
	uint64_t	cr_cap_perm, cr_cap_eff, cr_cap_inh, cr_cap_bnd, cr_cap_amb;
	uint32_t	cr_securebits;	/* SECBIT_* (abi/prctl.h) */
	struct view	*cr_view;	/* held */
};
struct cred *cred_hold(struct cred *c);
void	cred_drop(struct cred *c);
/* one reference, to be changed before publishing; NULL: no memory */
struct cred *cred_copy(const struct cred *c);
bool	cred_in_group(const struct cred *c, uint32_t gid);	/* fsgid or supplementary */
bool	cred_capable(const struct cred *c, uint32_t cap);	/* CAP_*, effective */
struct cred *cred_current(void);			/* not held: valid for the current system call, or until it sets another */

enum {
	CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_FSETID, CAP_KILL,
	CAP_SETGID, CAP_SETUID, CAP_SETPCAP, CAP_LINUX_IMMUTABLE,
	CAP_IPC_LOCK = 14, CAP_IPC_OWNER, CAP_SYS_BOOT = 22, CAP_SYS_NICE,
	CAP_SYS_RESOURCE, CAP_SYS_TIME, CAP_SYS_TTY_CONFIG, CAP_MKNOD, CAP_SYS_CHROOT = 18,
	CAP_SYS_PTRACE, CAP_SYS_PACCT, CAP_SYS_ADMIN, CAP_SYSLOG = 34, CAP_WAKE_ALARM, CAP_LAST = 40,
};
