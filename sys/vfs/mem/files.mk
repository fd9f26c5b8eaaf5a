# SPDX-License-Identifier: BSD-2-Clause
kern += sys/vfs/mem/tmpfs.c sys/vfs/mem/tmpfs_dir.c sys/vfs/mem/tmpfs_file.c sys/vfs/mem/memfd.c sys/vfs/mem/tmpfs_xattr.c sys/vfs/mem/devfs.c sys/vfs/mem/initramfs.c
