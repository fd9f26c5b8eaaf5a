/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * devfs - device files.
 *
 * Two halves: a table from the number of a character device to the function
 * that makes an open file, used by device nodes on any filesystem; and the
 * tree on /dev, a tmpfs in which devfs_add() makes the nodes.  Block devices
 * come and go: who knows them all has one such function for all numbers.
 *
 * Invariants
 *   Y1  the table only grows, at boot or by a driver, never past DEVICES_MAX.
 *
 * Locking: dev_spin for the table; an entry is const once it is counted.
 */
#include "tmpfs_int.h"

#include <abi/errno.h>
#include <core/rt/rt.h>
#include <stdatomic.h>
#include <sys/vfs/fs.h>
#include <sys/vfs/name.h>

#define DEVICES_MAX	256u

struct device {
	uint64_t	rdev;
	int		(*open)(struct vnode *vn, struct file *fp);
};
static struct spin dev_spin = SPIN_INIT(devfs);
static struct device devices[DEVICES_MAX];	/* [dev_spin to add; entries below ndevices are const] */
static _Atomic uint32_t ndevices;
static int (*block_open)(struct vnode *vn, struct file *fp);	/* const after boot; NULL: there are none */
static struct mount *the_mount;			/* const after boot */

int
dev_open(struct vnode *vn, struct file *fp)
{
	uint32_t n = atomic_load_explicit(&ndevices, memory_order_acquire);

	if (vn->v_type != VCHR)
		return block_open == NULL ? ENXIO : block_open(vn, fp);
	for (uint32_t i = 0; i < n; i++) {
		if (devices[i].rdev == vn->v_rdev)
			return devices[i].open(vn, fp);
	}
	return ENXIO;
}

static int
add_number(uint64_t rdev, int (*open)(struct vnode *vn, struct file *fp))
{
	uint32_t n;
	int error = 0;

	spin_lock(&dev_spin);
	n = ndevices;
	for (uint32_t i = 0; i < n; i++) {
		if (devices[i].rdev == rdev)
			error = EEXIST;
	}
	if (error == 0 && n == DEVICES_MAX)
		error = ENOSPC;
	if (error == 0) {
		devices[n] = (struct device){ rdev, open };
		atomic_store_explicit(&ndevices, n + 1, memory_order_release);
	}
	spin_unlock(&dev_spin);
	return error;
}

/* The directory that holds the last part of "pts/ptmx"; its subdirectories are made as needed. */
static int
add_parents(struct ncp **dir, const char **name)
{
	const char *slash;
	struct ncp *sub;
	int error;

	while ((slash = strchr(*name, '/')) != NULL) {
		size_t len = (size_t)(slash - *name);

		error = name_create(*dir, *name, len, false, VDIR, 0755, 0, &sub);
		if (error == EEXIST)
			error = name_child(*dir, *name, len, &sub);
		if (error != 0)
			return error;
		ncp_drop(*dir);
		*dir = sub;
		*name = slash + 1;
	}
	return 0;
}

static int
add_node(const char *name, enum v_type type, uint32_t mode, uint64_t rdev)
{
	struct ncp *dir = the_mount->mp_ncp;
	int error;

	ncp_hold(dir);
	error = add_parents(&dir, &name);
	if (error == 0)
		error = name_create(dir, name, strlen(name), false, type, mode, rdev, NULL);
	ncp_drop(dir);
	return error;
}

int
devfs_add(const char *name, uint32_t mode, uint64_t rdev, int (*open)(struct vnode *vn, struct file *fp))
{
	int error;

	ASSERT(the_mount != NULL);
	error = add_number(rdev, open);
	return error != 0 ? error : add_node(name, VCHR, mode, rdev);
}

void
devfs_set_block(int (*open)(struct vnode *vn, struct file *fp))
{
	block_open = open;
}

int
devfs_add_block(const char *name, uint32_t mode, uint64_t rdev)
{
	return add_node(name, VBLK, mode, rdev);
}

/* Somebody may have removed it, or put something else there: that stays. */
void
devfs_remove_block(const char *name, uint64_t rdev)
{
	struct ncp *dir = the_mount->mp_ncp, *n;

	if (name_child(dir, name, strlen(name), &n) != 0)
		return;
	if (n->n_vnode != NULL && n->n_vnode->v_type == VBLK && n->n_vnode->v_rdev == rdev)
		(void)name_remove(dir, name, strlen(name), false, false);
	ncp_drop(n);
}

int
devfs_mount(struct mount *mp, const char *source, const char *options)
{
	int error;

	if (the_mount != NULL)
		return EBUSY;		/* the tree was unmounted: it does not come back */
	(void)options;
	error = tmpfs_mount(mp, source, "mode=755");
	if (error == 0)
		the_mount = mp;
	return error;
}

static void
link_in(struct ncp *dir, const char *name, const char *target)
{
	/* The archive cannot be in the way: nothing else has written here yet. */
	int error = name_symlink(dir, name, strlen(name), false, target);

	ASSERT(error == 0);
}

void
devfs_fill(void)
{
	struct ncp *dir = the_mount->mp_ncp;
	int error;

	ncp_hold(dir);		/* for ever: drivers add to the tree even when nobody sees it */
	error = name_create(dir, "pts", 3, false, VDIR, 0755, 0, NULL);
	ASSERT(error == 0);
	error = name_create(dir, "shm", 3, false, VDIR, 01777, 0, NULL);
	ASSERT(error == 0);
	error = name_create(dir, "mqueue", 6, false, VDIR, 0755, 0, NULL);
	ASSERT(error == 0);
	link_in(dir, "fd", "/proc/self/fd");
	link_in(dir, "stdin", "/proc/self/fd/0");
	link_in(dir, "stdout", "/proc/self/fd/1");
	link_in(dir, "stderr", "/proc/self/fd/2");
}
