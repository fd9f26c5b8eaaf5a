/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * open - from a path and O_* flags to a name that may be opened.
 *
 * Invariants
 *   E1  when name_open() returns 0 the caller may use the vnode as the flags
 *       say; permissions are not asked again at read and write.
 *   E2  a file that this call created needs no permission on itself.
 *   E3  nor is it truncated, so that nobody is told of a change: O_TRUNC goes.
 *
 * Locking: none kept.  Not here: open file descriptions, and O_TRUNC's
 * truncation, which waits until nothing else can fail (file_open_name).
 */
#include "node_int.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/mount.h>
#include <core/rt/rt.h>
#include <stdatomic.h>
#include <sys/proc/cred.h>
#include <sys/vm/kmem.h>

#define PATH_FLAGS	(O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define TMPFILE_BIT	(O_TMPFILE & ~O_DIRECTORY)

/* Read 4, write 2, as the access mode says; 3 means both permissions and neither use. */
static uint32_t
wanted(uint32_t flags)
{
	static const uint32_t want[] = { 4, 2, 6, 6 };
	uint32_t w = want[flags & O_ACCMODE];

	return (flags & O_TRUNC) != 0 ? w | 2 : w;
}

static int
may_open(struct ncp *n, uint32_t flags, bool created)
{
	const struct cred *cr = vfs_cred();
	struct vnode *vn = n->n_vnode;
	uint32_t want = wanted(flags);
	struct vattr va;
	int error;

	if (vn->v_type == VLNK)
		return ELOOP;
	if (vn->v_type == VDIR && (want & 2) != 0)
		return EISDIR;
	if ((vn->v_type == VCHR || vn->v_type == VBLK) && (n->n_mount->mp_flags & MS_NODEV) != 0)
		return EACCES;
	if (!created) {
		error = name_access(n, want, cr);
		if (error != 0)
			return error;
	}
	if ((flags & O_NOATIME) != 0) {
		error = vn_getattr(vn, &va);
		if (error == 0 && cr->cr_fsuid != va.va_uid && !cred_capable(cr, CAP_FOWNER))
			error = EPERM;
		if (error != 0)
			return error;
	}
	if (vn->v_type == VREG && (want & 2) != 0 && atomic_load_explicit(&vn->v_execs,
	    memory_order_relaxed) != 0)
		return ETXTBSY;
	if (vn->v_type == VREG && (want & 2) != 0 && vn->v_ops->vop_will_write != NULL)
		return vn->v_ops->vop_will_write(vn, (flags & O_TRUNC) != 0);
	return 0;
}

static int
finish(struct ncp *n, uint32_t flags, bool created)
{
	struct vnode *vn = n->n_vnode;

	if ((flags & O_DIRECTORY) != 0 && vn->v_type != VDIR)
		return ENOTDIR;
	return may_open(n, flags, created);
}

/* Where an open looks: all const. */
struct place {
	struct ncp	*p_root;	/* NULL: the process's */
	uint32_t	p_look;		/* LOOK_* restrictions */
};

static int
open_existing(const struct place *pl, struct ncp *start, const char *path, uint32_t flags, struct ncp **out)
{
	struct lookup lu;
	uint32_t look = pl->p_look | ((flags & O_NOFOLLOW) != 0 ? 0 : LOOK_FOLLOW);
	int error;

	error = name_lookup_in(pl->p_root, start, path, look, &lu);
	if (error != 0)
		return error;
	if ((flags & O_PATH) != 0)
		error = (flags & O_DIRECTORY) != 0 && lu.lu_ncp->n_vnode->v_type != VDIR ? ENOTDIR : 0;
	else if (lu.lu_ncp->n_vnode->v_type == VLNK && (flags & O_DIRECTORY) != 0)
		error = ENOTDIR;
	else
		error = finish(lu.lu_ncp, flags, false);
	if (error != 0)
		lookup_done(&lu);
	else
		*out = lu.lu_ncp;
	return error;
}

/*
 * The last component: there, a link to follow, or to be made.  EAGAIN with
 * *next set: go on with that text from the same directory.
 */
static int
open_last(const struct lookup *lu, uint32_t look, uint32_t *pflags, uint32_t mode, struct ncp **out,
    char **next)
{
	struct ncp *dir = lu->lu_ncp, *n;
	uint32_t flags = *pflags;
	struct vnode *vn;
	size_t len;
	int error;

	error = name_child(dir, lu->lu_last, lu->lu_last_len, &n);
	if (error == ENOENT) {
		error = name_create(dir, lu->lu_last, lu->lu_last_len, false, VREG, mode, 0, out);
		/* Somebody else made it meanwhile: look again. */
		if (error == EEXIST && (flags & O_EXCL) == 0)
			return ERESTART;
		*pflags &= ~O_TRUNC;		/* E3 */
		return error == 0 ? finish(*out, flags, true) : error;
	}
	if (error != 0)
		return error;
	vn = n->n_vnode;
	if ((look & LOOK_NO_XDEV) != 0 && n->n_mount != dir->n_mount) {
		error = EXDEV;
	} else if ((flags & O_EXCL) != 0) {
		error = EEXIST;
	} else if (vn->v_type == VLNK && ((flags & O_NOFOLLOW) != 0 || (look & LOOK_NO_LINKS) != 0)) {
		error = ELOOP;
	} else if (vn->v_type == VLNK && vn->v_ops->vop_jump != NULL) {
		struct ncp *to;

		error = name_jump(n, look, &to);
		if (error == 0) {
			ncp_drop(n);
			n = to;
			if ((look & LOOK_NO_XDEV) != 0 && n->n_mount != dir->n_mount)
				error = EXDEV;
		}
	} else if (vn->v_type == VLNK) {
		*next = kmalloc(PATH_MAX_ + 1, KM_WAIT);
		error = *next == NULL ? ENOMEM : vn_readlink(vn, *next, PATH_MAX_, &len);
		if (error == 0) {
			(*next)[len] = '\0';
			error = EAGAIN;
		}
	}
	if (error == 0 && n->n_vnode->v_type == VDIR)
		error = EISDIR;
	if (error == 0)
		error = finish(n, flags, false);
	if (error == 0)
		*out = n;
	else
		ncp_drop(n);
	return error;
}

static int
open_create(const struct place *pl, struct ncp *start, const char *path, uint32_t *flags, uint32_t mode,
    struct ncp **out)
{
	struct ncp *at = start;
	char *text = NULL;
	int error;

	if (at != NULL)
		ncp_hold(at);
	for (uint32_t links = 0, races = 0;;) {
		struct lookup lu;
		char *next = NULL;

		error = name_lookup_in(pl->p_root, at, text != NULL ? text : path,
		    LOOK_PARENT | pl->p_look | (text != NULL ? LOOK_LINK : 0), &lu);
		if (error != 0)
			break;
		if (name_is_dots(lu.lu_last, lu.lu_last_len))
			error = (*flags & O_EXCL) != 0 ? EEXIST : EISDIR;
		else if (lu.lu_trailing)
			error = EISDIR;
		else
			error = open_last(&lu, pl->p_look, flags, mode, out, &next);
		if (error == EAGAIN && ++links <= SYMLINKS_MAX) {
			if (at != NULL)
				ncp_drop(at);
			at = lu.lu_ncp;
			kfree(text);
			text = next;
			continue;
		}
		if (error == EAGAIN)
			error = ELOOP;
		kfree(next);
		lookup_done(&lu);
		if (error != ERESTART || ++races > 100)
			break;
	}
	if (at != NULL)
		ncp_drop(at);
	kfree(text);
	return error;
}

/* O_TMPFILE: the filesystem makes it without a name; what is shown is a number in its directory. */
static int
open_tmpfile(const struct place *pl, struct ncp *start, const char *path, uint32_t flags, uint32_t mode,
    struct ncp **out)
{
	struct lookup lu;
	struct vnode *dvn, *vn;
	char text[32];
	int error;

	if ((flags & O_DIRECTORY) == 0 || (flags & O_ACCMODE) == O_RDONLY || (flags & O_CREAT) != 0)
		return EINVAL;
	error = name_lookup_in(pl->p_root, start, path, LOOK_FOLLOW | LOOK_DIR | pl->p_look, &lu);
	if (error != 0)
		return error;
	dvn = lu.lu_ncp->n_vnode;
	error = name_access(lu.lu_ncp, 3, vfs_cred());
	lk_excl(&dvn->v_lk);
	if (error == 0)
		error = dvn->v_ops->vop_create == NULL ? EOPNOTSUPP :
		    dvn->v_ops->vop_create(dvn, NULL, (flags & O_EXCL) == 0, VREG, mode, 0, vfs_cred(), &vn);
	lk_release(&dvn->v_lk);
	if (error == 0) {
		rt_snprintf(text, sizeof text, "#%llu", (unsigned long long)vn->v_id);
		error = name_orphan_in(lu.lu_ncp, vn, text, out);
		vnode_drop(vn);
	}
	lookup_done(&lu);
	return error;
}

static int
open_at(const struct place *pl, struct ncp *start, const char *path, uint32_t *pflags, uint32_t mode,
    struct ncp **out)
{
	struct fsctx *fc = fsctx_current();
	uint32_t umask, flags = *pflags;

	if ((flags & O_PATH) != 0)
		return open_existing(pl, start, path, flags & PATH_FLAGS, out);
	spin_lock(&fc->fc_spin);
	umask = fc->fc_umask;
	spin_unlock(&fc->fc_spin);
	mode &= 07777 & ~umask;
	if ((flags & TMPFILE_BIT) != 0)
		return open_tmpfile(pl, start, path, flags, mode, out);
	if ((flags & O_CREAT) == 0)
		return open_existing(pl, start, path, flags, out);
	if ((flags & O_DIRECTORY) != 0)
		return EINVAL;
	return open_create(pl, start, path, pflags, mode, out);
}

int
name_open(struct ncp *start, const char *path, uint32_t flags, uint32_t mode, struct ncp **out)
{
	return open_at(&(struct place){ NULL, 0 }, start, path, &flags, mode, out);
}

int
name_open_in(struct ncp *start, const char *path, uint32_t *flags, uint32_t mode, uint32_t look,
    struct ncp **out)
{
	struct place pl = { NULL, look };
	int error;

	if ((look & (LOOK_BENEATH | LOOK_IN_ROOT)) == 0)
		return open_at(&pl, start, path, flags, mode, out);
	if (start == NULL)
		fsctx_get(fsctx_current(), &pl.p_root, NULL);
	else
		ncp_hold(pl.p_root = start);
	error = open_at(&pl, pl.p_root, path, flags, mode, out);
	ncp_drop(pl.p_root);
	return error;
}
