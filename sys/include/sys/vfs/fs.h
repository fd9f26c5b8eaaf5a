/* SPDX-License-Identifier: BSD-2-Clause */
/* fs - the filesystems that live in memory, and the hand-over between them and who mounts them. */
#pragma once
#include <sys/vfs/vnode.h>

extern const struct fs_ops tmpfs_fs;	/* "tmpfs" */
extern const struct fs_ops devfs_fs;	/* "devtmpfs": one tree, mounted on /dev at boot */

void	devfs_fill(void);			/* the directories and links that /dev has without drivers */
