/* SPDX-License-Identifier: BSD-2-Clause */
/* procfs - /proc. */
#pragma once
/* kmain, after vfs_init and the archive: registers it and mounts it on /proc */
int	procfs_init(void);
