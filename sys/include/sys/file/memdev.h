/* SPDX-License-Identifier: BSD-2-Clause */
/* memdev - /dev/null and its kind. */
#pragma once
int	memdev_init(void);	/* kmain, after vfs_init */
