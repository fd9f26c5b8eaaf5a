/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sys_cred - who a process is.
 *
 * A credential is never changed: each call copies the current one, changes
 * the copy and puts it in place, so whoever looks at it sees all of the old
 * or all of the new.  Rules and the fate of capabilities are Linux's.
 */
#include <abi/errno.h>
#include <abi/prctl.h>
#include <core/rt/rt.h>
#include <gen/syscalls.h>
#include <sys/proc/proc.h>
#include <sys/proc/sysmsg.h>
#include <sys/vm/uaccess.h>

#define KEEP		UINT32_MAX	/* "leave it as it is" */
#define CAP_FS_MASK	(1ull << CAP_CHOWN | 1ull << CAP_DAC_OVERRIDE | 1ull << CAP_DAC_READ_SEARCH | \
			 1ull << CAP_FOWNER | 1ull << CAP_FSETID | 1ull << CAP_MKNOD)

/* Replaces the current credential; takes over the reference. */
static void
publish(struct cred *c)
{
	struct proc *p = curproc;
	const struct cred *old;

	token_get(&p->p_tok);
	old = p->p_cred;
	if (c->cr_euid != old->cr_euid || c->cr_egid != old->cr_egid || c->cr_fsuid != old->cr_fsuid)
		p->p_dumpable = false;
	proc_set_cred(c);
	token_release(&p->p_tok);
}

/* Leaving or becoming root takes or gives capabilities. */
static void
fix_caps(struct cred *c, const struct cred *old)
{
	bool was_root = old->cr_uid == 0 || old->cr_euid == 0 || old->cr_suid == 0;
	bool is_root = c->cr_uid == 0 || c->cr_euid == 0 || c->cr_suid == 0;

	if ((c->cr_securebits & SECBIT_NO_SETUID_FIXUP) != 0)
		return;
	if (was_root && !is_root) {
		c->cr_cap_amb = 0;
		if ((c->cr_securebits & SECBIT_KEEP_CAPS) == 0)
			c->cr_cap_perm = c->cr_cap_eff = 0;
	}
	if (old->cr_euid == 0 && c->cr_euid != 0)
		c->cr_cap_eff = 0;
	if (old->cr_euid != 0 && c->cr_euid == 0)
		c->cr_cap_eff = c->cr_cap_perm;
}

static bool
uid_mine(const struct cred *c, uint32_t uid)
{
	return uid == KEEP || uid == c->cr_uid || uid == c->cr_euid || uid == c->cr_suid;
}

static bool
gid_mine(const struct cred *c, uint32_t gid)
{
	return gid == KEEP || gid == c->cr_gid || gid == c->cr_egid || gid == c->cr_sgid;
}

static void
set_unless_keep(uint32_t *field, uint32_t value)
{
	if (value != KEEP)
		*field = value;
}

int sys_getuid(struct sysmsg *m) { m->sm_result = cred_current()->cr_uid; return 0; }
int sys_geteuid(struct sysmsg *m) { m->sm_result = cred_current()->cr_euid; return 0; }
int sys_getgid(struct sysmsg *m) { m->sm_result = cred_current()->cr_gid; return 0; }
int sys_getegid(struct sysmsg *m) { m->sm_result = cred_current()->cr_egid; return 0; }

int
sys_setresuid(struct sysmsg *m, uint32_t ruid, uint32_t euid, uint32_t suid)
{
	const struct cred *old = cred_current();
	struct cred *c;

	(void)m;
	if (!cred_capable(old, CAP_SETUID) && (!uid_mine(old, ruid) || !uid_mine(old, euid) || !uid_mine(old, suid)))
		return EPERM;
	c = cred_copy(old);
	if (c == NULL)
		return ENOMEM;
	set_unless_keep(&c->cr_uid, ruid);
	set_unless_keep(&c->cr_euid, euid);
	set_unless_keep(&c->cr_suid, suid);
	c->cr_fsuid = c->cr_euid;
	fix_caps(c, old);
	publish(c);
	return 0;
}

int
sys_setresgid(struct sysmsg *m, uint32_t rgid, uint32_t egid, uint32_t sgid)
{
	const struct cred *old = cred_current();
	struct cred *c;

	(void)m;
	if (!cred_capable(old, CAP_SETGID) && (!gid_mine(old, rgid) || !gid_mine(old, egid) || !gid_mine(old, sgid)))
		return EPERM;
	c = cred_copy(old);
	if (c == NULL)
		return ENOMEM;
	set_unless_keep(&c->cr_gid, rgid);
	set_unless_keep(&c->cr_egid, egid);
	set_unless_keep(&c->cr_sgid, sgid);
	c->cr_fsgid = c->cr_egid;
	publish(c);
	return 0;
}

int
sys_setuid(struct sysmsg *m, uint32_t uid)
{
	const struct cred *c = cred_current();

	if (uid == KEEP)
		return EINVAL;
	if (cred_capable(c, CAP_SETUID))
		return sys_setresuid(m, uid, uid, uid);
	return uid == c->cr_uid || uid == c->cr_suid ? sys_setresuid(m, KEEP, uid, KEEP) : EPERM;
}

int
sys_setgid(struct sysmsg *m, uint32_t gid)
{
	const struct cred *c = cred_current();

	if (gid == KEEP)
		return EINVAL;
	if (cred_capable(c, CAP_SETGID))
		return sys_setresgid(m, gid, gid, gid);
	return gid == c->cr_gid || gid == c->cr_sgid ? sys_setresgid(m, KEEP, gid, KEEP) : EPERM;
}

/* The saved id follows the effective one when the real one is set, or the effective one to anything else than it. */
int
sys_setreuid(struct sysmsg *m, uint32_t ruid, uint32_t euid)
{
	const struct cred *c = cred_current();
	bool saved = ruid != KEEP || (euid != KEEP && euid != c->cr_uid);

	if (!cred_capable(c, CAP_SETUID) && ruid != KEEP && ruid != c->cr_uid && ruid != c->cr_euid)
		return EPERM;
	return sys_setresuid(m, ruid, euid, saved ? (euid != KEEP ? euid : c->cr_euid) : KEEP);
}

int
sys_setregid(struct sysmsg *m, uint32_t rgid, uint32_t egid)
{
	const struct cred *c = cred_current();
	bool saved = rgid != KEEP || (egid != KEEP && egid != c->cr_gid);

	if (!cred_capable(c, CAP_SETGID) && rgid != KEEP && rgid != c->cr_gid && rgid != c->cr_egid)
		return EPERM;
	return sys_setresgid(m, rgid, egid, saved ? (egid != KEEP ? egid : c->cr_egid) : KEEP);
}

static int
three_out(uaddr_t a, uaddr_t b, uaddr_t c, uint32_t x, uint32_t y, uint32_t z)
{
	int error = copyout(a, &x, sizeof x);

	if (error == 0)
		error = copyout(b, &y, sizeof y);
	if (error == 0)
		error = copyout(c, &z, sizeof z);
	return error;
}

int
sys_getresuid(struct sysmsg *m, uaddr_t ruid, uaddr_t euid, uaddr_t suid)
{
	const struct cred *c = cred_current();

	(void)m;
	return three_out(ruid, euid, suid, c->cr_uid, c->cr_euid, c->cr_suid);
}

int
sys_getresgid(struct sysmsg *m, uaddr_t rgid, uaddr_t egid, uaddr_t sgid)
{
	const struct cred *c = cred_current();

	(void)m;
	return three_out(rgid, egid, sgid, c->cr_gid, c->cr_egid, c->cr_sgid);
}

/* Never fails: the old value is the answer either way. */
int
sys_setfsuid(struct sysmsg *m, uint32_t uid)
{
	const struct cred *old = cred_current();
	struct cred *c;

	m->sm_result = old->cr_fsuid;
	if (uid == KEEP || !(cred_capable(old, CAP_SETUID) || uid == old->cr_fsuid || uid_mine(old, uid)))
		return 0;
	c = cred_copy(old);
	if (c == NULL)
		return 0;
	c->cr_fsuid = uid;
	if ((c->cr_securebits & SECBIT_NO_SETUID_FIXUP) != 0)
		;
	else if (old->cr_fsuid == 0 && uid != 0)
		c->cr_cap_eff &= ~CAP_FS_MASK;
	else if (old->cr_fsuid != 0 && uid == 0)
		c->cr_cap_eff |= c->cr_cap_perm & CAP_FS_MASK;
	publish(c);
	return 0;
}

int
sys_setfsgid(struct sysmsg *m, uint32_t gid)
{
	const struct cred *old = cred_current();
	struct cred *c;

	m->sm_result = old->cr_fsgid;
	if (gid == KEEP || !(cred_capable(old, CAP_SETGID) || gid == old->cr_fsgid || gid_mine(old, gid)))
		return 0;
	c = cred_copy(old);
	if (c == NULL)
		return 0;
	c->cr_fsgid = gid;
	publish(c);
	return 0;
}

int
sys_getgroups(struct sysmsg *m, int size, uaddr_t list)
{
	const struct cred *c = cred_current();

	if (size < 0 || (size > 0 && (uint32_t)size < c->cr_ngroups))
		return EINVAL;
	m->sm_result = c->cr_ngroups;
	return size == 0 ? 0 : copyout(list, c->cr_groups, c->cr_ngroups * sizeof c->cr_groups[0]);
}

/* Programs see them in order, as on Linux. */
static void
sort_groups(uint32_t *g, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++) {
		uint32_t v = g[i], j = i;

		for (; j > 0 && g[j - 1] > v; j--)
			g[j] = g[j - 1];
		g[j] = v;
	}
}

int
sys_setgroups(struct sysmsg *m, int size, uaddr_t list)
{
	uint32_t groups[NGROUPS_MAX];
	struct cred *c;
	int error;

	(void)m;
	if (!cred_capable(cred_current(), CAP_SETGID))
		return EPERM;
	if (size < 0 || size > NGROUPS_MAX)
		return EINVAL;
	error = copyin(groups, list, (size_t)size * sizeof groups[0]);
	if (error != 0)
		return error;
	sort_groups(groups, (uint32_t)size);
	c = cred_copy(cred_current());
	if (c == NULL)
		return ENOMEM;
	c->cr_ngroups = (uint32_t)size;
	memcpy(c->cr_groups, groups, (size_t)size * sizeof groups[0]);
	publish(c);
	return 0;
}

/* ----------------------------------------------------------- capabilities */

/* How many words of each set the version has; 0: unknown, and ours was written back. */
static int
cap_header(uaddr_t header, struct k_cap_header *h, uint32_t *words)
{
	uint32_t ours = LINUX_CAPABILITY_V3;
	int error = copyin(h, header, sizeof *h);

	if (error != 0)
		return error;
	if (h->pid < 0)
		return EINVAL;
	*words = h->version == LINUX_CAPABILITY_V1 ? 1 :
	    h->version == LINUX_CAPABILITY_V2 || h->version == LINUX_CAPABILITY_V3 ? 2 : 0;
	return *words == 0 ? copyout(header, &ours, sizeof ours) : 0;
}

int
sys_capget(struct sysmsg *m, uaddr_t header, uaddr_t data)
{
	struct k_cap_data d[2];
	struct k_cap_header h;
	struct proc *p;
	struct cred *c;
	uint32_t words;
	int error = cap_header(header, &h, &words);

	(void)m;
	if (error != 0)
		return error;
	if (words == 0)
		return data == 0 ? 0 : EINVAL;
	p = proc_find(h.pid != 0 ? h.pid : curproc->p_pid);
	if (p == NULL)
		return ESRCH;
	c = proc_cred(p);
	for (uint32_t i = 0; i < 2; i++) {
		d[i].effective = (uint32_t)(c->cr_cap_eff >> 32 * i);
		d[i].permitted = (uint32_t)(c->cr_cap_perm >> 32 * i);
		d[i].inheritable = (uint32_t)(c->cr_cap_inh >> 32 * i);
	}
	cred_drop(c);
	proc_drop(p);
	return data != 0 ? copyout(data, d, words * sizeof d[0]) : 0;
}

int
sys_capset(struct sysmsg *m, uaddr_t header, uaddr_t data)
{
	const struct cred *old = cred_current();
	uint64_t eff, perm, inh;
	struct k_cap_data d[2] = { { 0, 0, 0 }, { 0, 0, 0 } };
	struct k_cap_header h;
	struct cred *c;
	uint32_t words;
	int error = cap_header(header, &h, &words);

	(void)m;
	if (error == 0 && words == 0)
		error = EINVAL;
	if (error == 0 && h.pid != 0 && h.pid != curproc->p_pid)
		error = EPERM;
	if (error == 0)
		error = copyin(d, data, words * sizeof d[0]);
	if (error != 0)
		return error;
	eff = d[0].effective | (uint64_t)d[1].effective << 32;
	perm = d[0].permitted | (uint64_t)d[1].permitted << 32;
	inh = d[0].inheritable | (uint64_t)d[1].inheritable << 32;
	if ((perm & ~old->cr_cap_perm) != 0 || (eff & ~perm) != 0)
		return EPERM;
	if (!cred_capable(old, CAP_SETPCAP) && (inh & ~(old->cr_cap_inh | old->cr_cap_perm)) != 0)
		return EPERM;
	c = cred_copy(old);
	if (c == NULL)
		return ENOMEM;
	c->cr_cap_eff = eff;
	c->cr_cap_perm = perm;
	c->cr_cap_inh = inh;
	c->cr_cap_amb &= perm & inh;
	publish(c);
	return 0;
}
