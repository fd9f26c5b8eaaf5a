# SPDX-License-Identifier: BSD-2-Clause
kern += sys/vfs/node/vnode.c sys/vfs/node/range.c sys/vfs/node/ncache.c sys/vfs/node/name.c
kern += sys/vfs/node/nameop.c sys/vfs/node/open.c sys/vfs/node/mount.c sys/vfs/node/notify.c
kern += sys/kern/syscall/sys_path.c sys/kern/syscall/sys_stat.c sys/kern/syscall/sys_mount.c
