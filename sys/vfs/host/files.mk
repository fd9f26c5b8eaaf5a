# SPDX-License-Identifier: BSD-2-Clause
kern += sys/vfs/host/hostfs.c sys/vfs/host/hostfs_dir.c sys/vfs/host/hostfs_file.c sys/vfs/host/hostfs_xattr.c
