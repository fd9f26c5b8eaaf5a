# SPDX-License-Identifier: BSD-2-Clause
kern += sys/kern/file/file.c
kern += sys/kern/file/fdtable.c
kern += sys/kern/file/vnode_file.c
kern += sys/kern/file/poll.c
kern += sys/kern/file/pipe.c
