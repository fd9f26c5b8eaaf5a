/* SPDX-License-Identifier: BSD-2-Clause */
/* fs - the filesystems, and the hand-over between them and who mounts them. */
#pragma once
#include <sys/vfs/vnode.h>

extern const struct fs_ops tmpfs_fs;	/* "tmpfs" */
extern const struct fs_ops hostfs_fs;	/* "hostfs": files behind a driver (drv/fs.h) */
extern const struct fs_ops devfs_fs;	/* "devtmpfs": one tree, mounted on /dev at boot */
extern const struct fs_ops overlay_fs;	/* "overlay" */

/*
 * A file that is in no directory, shown as `text`: memfd_create's.  In the filesystem of vfs_hidden_mount().  The
 * name is held.
 */
int	tmpfs_memfd(const char *text, uint32_t mode, uint32_t seals, struct ncp **out);

/* Mounts an overlay on the directory `on`: `lower` is below, an own tmpfs above. */
int	overlay_mount_boot(const char *lower, const char *on);
void	devfs_fill(void);			/* the directories and links that /dev has without drivers */
