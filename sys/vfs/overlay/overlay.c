/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * overlay - mounting, and files and attributes: each operation is done on the
 * upper file if there is one, else on the topmost lower one; what changes
 * something copies up first.  The theory is in overlay_int.h.
 */
#include "overlay_int.h"

#include <abi/errno.h>
#include <abi/mount.h>
#include <abi/statfs.h>
#include <core/rt/rt.h>
#include <stdatomic.h>
#include <sys/vfs/fs.h>
#include <sys/vm/kmem.h>

static struct vnode *
real_of(struct vnode *vn)
{
	return on_real(vn_onode(vn))->n_vnode;
}

static int
overlay_getattr(struct vnode *vn, struct vattr *va)
{
	struct onode *on = vn_onode(vn);
	bool upper = on->on_upper != NULL;
	int error = vn_getattr(real_of(vn), va);

	if (error != 0)
		return error;
	va->va_ino = on->on_ino;
	if (vn->v_type == VDIR && on->on_nlower + upper > 1)
		va->va_nlink = 1;	/* as Linux: nobody has counted */
	return 0;
}

static int
overlay_setattr(struct vnode *vn, const struct vattr *va)
{
	uint64_t most = (va->va_mask & VA_SIZE) != 0 ? va->va_size : UINT64_MAX;
	int error;

	if ((va->va_mask & VA_SIZE) != 0 && vn->v_type != VREG)
		return vn->v_type == VDIR ? EISDIR : EINVAL;
	error = overlay_copy_up(vn_onode(vn), most);
	return error != 0 ? error : vn_setattr(real_of(vn), va);
}

/* Changing needs what the mode says; reading what the layer says, which may be stricter. */
static int
overlay_access(struct vnode *vn, uint32_t want, const struct cred *cr)
{
	struct vattr va;
	int error;

	if ((want & 2) != 0) {
		error = vn_getattr(real_of(vn), &va);
		if (error == 0)
			error = vn_access_mode(vn->v_type, va.va_mode, va.va_uid, va.va_gid, want, cr);
		if (error != 0)
			return error;
	}
	return vn_access(real_of(vn), want & ~2u, cr);
}

static int
overlay_will_write(struct vnode *vn, bool truncate)
{
	/* Truncating is setting an attribute, and copies nothing. */
	if (truncate)
		return vn_onode(vn)->on_mount->om_upper == NULL ? EROFS : 0;
	return overlay_copy_up(vn_onode(vn), UINT64_MAX);
}

static int
overlay_read(struct vnode *vn, struct uio *u, uint32_t ioflag)
{
	struct ncp *up = vn_onode(vn)->on_upper;

	return vn_read(real_of(vn), u, ioflag | (up == NULL ? IO_NOATIME : 0));
}

static int
overlay_write(struct vnode *vn, struct uio *u, uint32_t ioflag)
{
	int error = overlay_copy_up(vn_onode(vn), UINT64_MAX);

	return error != 0 ? error : vn_write(real_of(vn), u, ioflag);
}

static int
overlay_allocate(struct vnode *vn, uint32_t mode, uint64_t off, uint64_t len)
{
	int error = overlay_copy_up(vn_onode(vn), UINT64_MAX);

	return error != 0 ? error : vn_allocate(real_of(vn), mode, off, len);
}

static int
overlay_seek(struct vnode *vn, uint64_t off, bool data, uint64_t *result)
{
	return vn_seek(real_of(vn), off, data, result);
}

static int
overlay_fsync(struct vnode *vn)
{
	return vn_onode(vn)->on_upper != NULL ? vn_fsync(real_of(vn)) : 0;
}

static int
overlay_readlink(struct vnode *vn, char *buf, size_t size, size_t *len)
{
	return vn_readlink(real_of(vn), buf, size, len);
}

const struct vnode_ops overlay_ops = {
	.vop_lookup = overlay_lookup,
	.vop_create = overlay_create,
	.vop_symlink = overlay_symlink,
	.vop_link = overlay_link,
	.vop_unlink = overlay_unlink,
	.vop_rmdir = overlay_rmdir,
	.vop_rename = overlay_rename,
	.vop_readdir = overlay_readdir,
	.vop_readlink = overlay_readlink,
	.vop_getattr = overlay_getattr,
	.vop_setattr = overlay_setattr,
	.vop_access = overlay_access,
	.vop_will_write = overlay_will_write,
	.vop_read = overlay_read,
	.vop_write = overlay_write,
	.vop_allocate = overlay_allocate,
	.vop_seek = overlay_seek,
	.vop_getxattr = overlay_getxattr,
	.vop_setxattr = overlay_setxattr,
	.vop_listxattr = overlay_listxattr,
	.vop_fsync = overlay_fsync,
	.vop_inactive = overlay_inactive,
};

static void
omount_release(struct omount *om)
{
	if (om->om_upper != NULL)
		ncp_drop(om->om_upper);
	if (om->om_work != NULL)
		ncp_drop(om->om_work);
	for (uint32_t i = 0; i < om->om_nlower; i++)
		ncp_drop(om->om_lower[i]);
	omount_drop(om);
}

/* How many overlays `vn` is made of. */
static uint32_t
depth_of(struct vnode *vn)
{
	return vn->v_ops == &overlay_ops ? vn_onode(vn)->on_mount->om_depth : 0;
}

/*
 * A directory made of at most `most` overlays.  The mount table is locked: no links that would
 * need it.
 */
static int
find_layer(struct omount *om, const char *path, uint32_t most, struct ncp **out)
{
	struct lookup lu;
	uint64_t dev;
	uint32_t i = 0, depth;
	int error = name_lookup_in(NULL, NULL, path, LOOK_FOLLOW | LOOK_DIR | LOOK_NO_MAGIC, &lu);

	if (error != 0)
		return error;
	if ((depth = depth_of(lu.lu_ncp->n_vnode)) > most) {
		lookup_done(&lu);
		return EINVAL;
	}
	om->om_depth = (uint32_t)rt_max(om->om_depth, depth + 1);
	dev = lu.lu_ncp->n_mount->mp_dev;
	while (i < om->om_ndev && om->om_dev[i] != dev)
		i++;
	om->om_dev[i] = dev;
	om->om_ndev = (uint32_t)rt_max(om->om_ndev, i + 1);
	*out = lu.lu_ncp;
	return 0;
}

/* The next piece of `s` up to `end`, with \ before what it shall not mean; it is put together in place. */
static char *
next_piece(char **s, char end)
{
	char *from = *s, *to = *s, *piece = *s;

	if (*from == '\0')
		return NULL;
	while (*from != '\0' && *from != end) {
		if (*from == '\\' && from[1] == end)
			from++;
		*to++ = *from++;
	}
	*s = *from == '\0' ? from : from + 1;
	*to = '\0';
	return piece;
}

static int
add_lowers(struct omount *om, char *list)
{
	char *path;
	int error = 0;

	while (error == 0 && (path = next_piece(&list, ':')) != NULL) {
		if (om->om_nlower == OVERLAY_LOWER_MAX)
			return EINVAL;
		error = find_layer(om, path, OVERLAY_DEPTH_MAX - 1, &om->om_lower[om->om_nlower]);
		if (error == 0)
			om->om_nlower++;
	}
	return error;
}

static char *
value_of(char *option, const char *key)
{
	size_t n = strlen(key);

	return memcmp(option, key, rt_min(n, strlen(option) + 1)) == 0 ? option + n : NULL;
}

/* Lower layers first: the numbers of the first filesystem are shown as they are. */
static int
parse(struct omount *om, char *options)
{
	char *o, *v, *lower = NULL, *upper = NULL, *work = NULL;
	int error;

	while ((o = next_piece(&options, ',')) != NULL) {
		if ((v = value_of(o, "lowerdir=")) != NULL)
			lower = v;
		else if ((v = value_of(o, "upperdir=")) != NULL)
			upper = v;
		else if ((v = value_of(o, "workdir=")) != NULL)
			work = v;
		else if (strcmp(o, "redirect_dir=off") != 0 && strcmp(o, "index=off") != 0 &&
		    strcmp(o, "metacopy=off") != 0 && strcmp(o, "xino=auto") != 0 && o[0] != '\0')
			return EINVAL;
	}
	if (lower == NULL || (upper == NULL) != (work == NULL))
		return EINVAL;
	error = add_lowers(om, lower);
	if (error == 0 && om->om_nlower == 0)
		error = EINVAL;
	if (error == 0 && upper != NULL)
		error = find_layer(om, upper, 0, &om->om_upper);
	if (error == 0 && upper != NULL)
		error = find_layer(om, work, 0, &om->om_work);
	return error;
}

/* Is `a` the directory `n`, or above it on its mount? */
static bool
is_above(struct ncp *a, struct ncp *n)
{
	bool found = false;

	if (a->n_mount->mp_dev != n->n_mount->mp_dev)
		return false;
	ncp_hold(n);
	while (n != NULL && !found) {
		struct ncp *up = ncp_parent(n);

		if (up != NULL && up->n_mount != n->n_mount) {
			ncp_drop(up);
			up = NULL;
		}
		found = n->n_vnode == a->n_vnode;
		ncp_drop(n);
		n = up;
	}
	if (n != NULL)
		ncp_drop(n);
	return found;
}

static int
check_upper(const struct omount *om)
{
	if (om->om_upper->n_mount != om->om_work->n_mount)
		return EINVAL;
	if ((om->om_upper->n_mount->mp_flags & MS_RDONLY) != 0)
		return EINVAL;
	if (is_above(om->om_upper, om->om_work) || is_above(om->om_work, om->om_upper))
		return EINVAL;
	for (uint32_t i = 0; i < om->om_nlower; i++) {
		if (is_above(om->om_upper, om->om_lower[i]) || is_above(om->om_work, om->om_lower[i]) ||
		    is_above(om->om_lower[i], om->om_upper))
			return ELOOP;
	}
	return 0;
}

static int
make_root(struct mount *mp, struct omount *om)
{
	struct olayers l = { .l_upper = om->om_upper, .l_nlower = om->om_nlower };

	memcpy(l.l_lower, om->om_lower, sizeof l.l_lower);
	return onode_get(mp, NULL, "", 0, &l, &mp->mp_root);
}

static int
overlay_mount(struct mount *mp, const char *source, const char *options)
{
	struct omount *om = kmalloc(sizeof *om, KM_ZERO | KM_WAIT);
	char *text = kstrdup(options, KM_WAIT);
	int error;

	(void)source;
	if (om == NULL || text == NULL) {
		kfree(om);
		kfree(text);
		return ENOMEM;
	}
	om->om_refs = 1;
	spin_init(&om->om_spin, LR_overlay_nodes);
	list_init(&om->om_pinned);
	for (uint32_t i = 0; i < OVERLAY_BUCKETS; i++)
		spin_init(&om->om_bucket[i].b_spin, LR_overlay_nodes);
	mp->mp_data = om;
	error = parse(om, text);
	kfree(text);
	lk_init(&mp->mp_rename_lk, OVERLAY_RANK(om, rename));
	if (error == 0 && om->om_upper != NULL)
		error = check_upper(om);
	else if (error == 0)
		mp->mp_flags |= MS_RDONLY;
	if (error == 0)
		error = make_root(mp, om);
	if (error != 0)
		omount_release(om);
	return error;
}

/* Children before their directories, as the list has them. */
static int
overlay_unmount(struct mount *mp)
{
	struct omount *om = mp->mp_data;
	struct onode *on;

	do {
		spin_lock(&om->om_spin);
		on = list_first(&om->om_pinned, struct onode, on_pin);
		spin_unlock(&om->om_spin);
		if (on != NULL)
			onode_unpin(on);
	} while (on != NULL);
	omount_release(om);
	return 0;
}

static int
overlay_statfs(struct mount *mp, struct statfs_info *out)
{
	struct omount *om = mp->mp_data;
	struct mount *real = (om->om_upper != NULL ? om->om_upper : om->om_lower[0])->n_mount;
	int error = real->mp_ops->fs_statfs == NULL ? 0 : real->mp_ops->fs_statfs(real, out);

	out->type = OVERLAYFS_MAGIC;
	return error;
}

const struct fs_ops overlay_fs = {
	.fs_name = "overlay",
	.fs_flags = FS_NODEV,
	.fs_mount = overlay_mount,
	.fs_unmount = overlay_unmount,
	.fs_statfs = overlay_statfs,
};

int
overlay_mount_boot(const char *lower, const char *on)
{
	static const char *const dirs[] = { "upper", "work" };
	size_t size = 2 * PATH_MAX_;
	struct lookup lu;
	char *options;
	int error = name_lookup(NULL, on, LOOK_FOLLOW | LOOK_DIR, &lu);

	if (error != 0)
		return error;
	error = vfs_mount("tmpfs", "overlay", lu.lu_ncp, 0, "mode=755");
	lookup_done(&lu);
	if (error == 0)
		error = name_lookup(NULL, on, LOOK_FOLLOW | LOOK_DIR, &lu);
	if (error != 0)
		return error;
	for (uint32_t i = 0; error == 0 && i < sizeof dirs / sizeof dirs[0]; i++)
		error = name_create(lu.lu_ncp, dirs[i], strlen(dirs[i]), false, VDIR, 0755, 0, NULL);
	options = kmalloc(size, KM_WAIT);
	if (error == 0 && options == NULL)
		error = ENOMEM;
	if (error == 0) {
		if ((size_t)rt_snprintf(options, size, "lowerdir=%s,upperdir=%s/upper,workdir=%s/work",
		    lower, on, on) >= size)
			error = ENAMETOOLONG;
		else
			error = vfs_mount("overlay", "overlay", lu.lu_ncp, 0, options);
	}
	kfree(options);
	if (error != 0)
		(void)vfs_unmount(lu.lu_ncp, 0);
	lookup_done(&lu);
	return error;
}
