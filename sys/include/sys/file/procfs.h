/* SPDX-License-Identifier: BSD-2-Clause */
/* procfs - /proc. */
#pragma once
int	procfs_init(void);	/* kmain, after vfs_init and the archive: registers it and mounts it on /proc */
