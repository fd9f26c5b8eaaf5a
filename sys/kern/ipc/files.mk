# SPDX-License-Identifier: BSD-2-Clause
kern += sys/kern/ipc/ipc.c sys/kern/ipc/shm.c sys/kern/ipc/sem.c sys/kern/ipc/msg.c
kern += sys/kern/syscall/sys_ipc.c sys/kern/syscall/sys_vmcopy.c
