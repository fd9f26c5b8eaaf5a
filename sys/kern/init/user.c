/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * user - who the command runs as, when its starter says so.
 *
 * A name is looked up in the root's /etc/passwd and /etc/group, as login
 * would; numbers need no files, and groups that are given as numbers are all.
 */
#include "init_int.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <core/codec/passwd.h>
#include <core/rt/rt.h>
#include <sys/proc/proc.h>
#include <sys/vfs/name.h>
#include <sys/vm/kmem.h>

#define TEXT_MAX	(256u << 10)

/* The beginning of a file, kmalloc'ed; a file that is not there is empty. */
static char *
slurp(const char *path, size_t *len)
{
	char *text = kmalloc(TEXT_MAX, KM_WAIT);
	struct ncp *n;

	*len = 0;
	if (text == NULL || name_open(NULL, path, O_RDONLY, 0, &n) != 0)
		return text;
	if (vn_read_kernel(n->n_vnode, text, TEXT_MAX, 0, len) != 0)
		*len = 0;
	ncp_drop(n);
	return text;
}

static int
become(uint32_t uid, uint32_t gid, const uint32_t *groups, size_t ngroups)
{
	struct cred *c = cred_copy(cred_current());

	if (c == NULL)
		return ENOMEM;
	c->cr_uid = c->cr_euid = c->cr_suid = c->cr_fsuid = uid;
	c->cr_gid = c->cr_egid = c->cr_sgid = c->cr_fsgid = gid;
	c->cr_ngroups = (uint32_t)ngroups;
	for (size_t i = 0; i < ngroups; i++)
		c->cr_groups[i] = groups[i];
	if (uid != 0)
		c->cr_cap_perm = c->cr_cap_eff = c->cr_cap_amb = 0;
	token_get(&curproc->p_tok);
	proc_set_cred(c);
	token_release(&curproc->p_tok);
	return 0;
}

static void
tell(struct env *e, const char *name, const char *value, size_t len)
{
	char text[PATH_MAX_];

	if (rt_snprintf(text, sizeof text, "%.*s", (int)rt_min(len, PATH_MAX_), value) > 0)
		env_default(e, name, text);
}

int
user_become(const char *who, struct env *e)
{
	uint32_t uid = 0, gid = UINT32_MAX, groups[NGROUPS_MAX];
	size_t plen, glen, ngroups = SIZE_MAX;
	char *people = slurp("/etc/passwd", &plen), *text = slurp("/etc/group", &glen);
	bool numbers = passwd_numbers(who, &uid, &gid, groups, NGROUPS_MAX, &ngroups), found;
	struct passwd pw;
	int error;

	found = people != NULL && passwd_find(people, plen, numbers ? NULL : who, uid, &pw);
	error = text == NULL || people == NULL ? ENOMEM : found || numbers ? 0 : ENOENT;
	if (error == 0 && found) {
		uid = pw.pw_uid;
		gid = gid == UINT32_MAX ? pw.pw_gid : gid;
		if (ngroups == SIZE_MAX)
			ngroups = group_ids(text, glen, pw.pw_name, pw.pw_name_len, groups, NGROUPS_MAX);
		tell(e, "HOME", pw.pw_home, pw.pw_home_len);
		tell(e, "USER", pw.pw_name, pw.pw_name_len);
		tell(e, "LOGNAME", pw.pw_name, pw.pw_name_len);
	}
	kfree(people);
	kfree(text);
	if (ngroups == SIZE_MAX)
		ngroups = 0;
	return error != 0 ? error : become(uid, gid == UINT32_MAX ? uid : gid, groups, ngroups);
}
