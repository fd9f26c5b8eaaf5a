/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memfd - files in memory that have no name, and seals on them.
 *
 * Such a file lives in a tmpfs that is mounted nowhere.  A seal is a promise
 * to everybody who has the file that something will never happen to it again:
 * it can be added, never taken away.
 *
 * Invariants
 *   M1  with F_SEAL_WRITE no shared mapping of the file can be written to,
 *       now or later: its object was sealed when there was none.
 *   M2  what is in no hidden file has F_SEAL_SEAL from the start, so nothing
 *       is ever sealed that others found by its name.
 *
 * Locking: t_seals changes with the whole of v_range held, of which writes and
 * changes of size hold what they need anyway.
 */
#include "tmpfs_int.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <core/rt/rt.h>
#include <sys/proc/cred.h>
#include <sys/vfs/fs.h>
#include <sys/vfs/name.h>

#define SEALS_WRITE	(F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)
#define SEALS_OF_EXEC	(F_SEAL_SHRINK | F_SEAL_GROW | SEALS_WRITE)	/* implied for programs */

/* A file that must not grow takes the whole pages of a write that end within it. */
int
tseal_write(const struct tnode *t, uint64_t off, uint64_t *len)
{
	uint64_t size = t->t_vnode->v_obj->o_bytes;

	if ((t->t_seals & SEALS_WRITE) != 0)
		return EPERM;
	if ((t->t_seals & F_SEAL_GROW) == 0 || off + *len <= size)
		return 0;
	if (off >= page_trunc(size))
		return EPERM;
	*len = page_trunc(size) - off;
	return 0;
}

int
tseal_resize(const struct tnode *t, uint64_t bytes)
{
	uint64_t size = t->t_vnode->v_obj->o_bytes;

	if (bytes < size)
		return (t->t_seals & F_SEAL_SHRINK) != 0 ? EPERM : 0;
	return bytes > size && (t->t_seals & F_SEAL_GROW) != 0 ? EPERM : 0;
}

static int
seal_add(struct vnode *vn, uint32_t add)
{
	struct tnode *t = vn_tnode(vn);
	int error;

	if ((t->t_seals & F_SEAL_SEAL) != 0)
		return EPERM;
	if ((add & F_SEAL_EXEC) != 0 && (t->t_mode & 0111) != 0)
		add |= SEALS_OF_EXEC;
	if ((add & ~t->t_seals & SEALS_WRITE) != 0) {
		error = vmobj_seal(vn->v_obj, (add & ~t->t_seals & F_SEAL_WRITE) != 0);
		if (error != 0)
			return error;
	}
	t->t_seals |= add;
	return 0;
}

int
tmpfs_seal(struct vnode *vn, const uint32_t *add, uint32_t *now)
{
	struct range r;
	int error = 0;

	if (vn->v_type != VREG)
		return EINVAL;
	range_lock(&vn->v_range, &r, 0, RANGE_END, true);
	if (add != NULL)
		error = seal_add(vn, *add);
	*now = vn_tnode(vn)->t_seals;
	range_unlock(&vn->v_range, &r);
	return error;
}

int
tmpfs_memfd(const char *text, uint32_t mode, uint32_t seals, struct ncp **out)
{
	struct mount *mp = vfs_hidden_mount();
	struct vnode *dir = mp->mp_root, *vn;
	int error;

	lk_excl(&dir->v_lk);
	error = tdir_create(dir, NULL, 0, VREG, mode, 0, vfs_cred(), &vn);
	lk_release(&dir->v_lk);
	if (error != 0)
		return error;
	vn_tnode(vn)->t_seals = seals;
	error = name_orphan(vn, text, out);
	vnode_drop(vn);
	return error;
}
