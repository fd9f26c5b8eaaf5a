# SPDX-License-Identifier: BSD-2-Clause
kern += sys/kern/syscall/dispatch.c sys/kern/syscall/strace.c sys/kern/syscall/sys_proc.c sys/kern/syscall/sys_ptrace.c \
	sys/kern/syscall/sys_time.c sys/kern/syscall/timespec.c sys/kern/syscall/iov.c sys/kern/syscall/sys_mm.c sys/kern/syscall/sys_sig.c sys/kern/syscall/sys_cred.c \
	sys/kern/syscall/sys_misc.c sys/kern/syscall/sys_prctl.c sys/kern/syscall/sys_jail.c \
	sys/kern/syscall/sys_sched.c sys/kern/syscall/sys_mempolicy.c sys/kern/syscall/sys_itimer.c sys/kern/syscall/sys_futex.c sys/kern/syscall/sys_membarrier.c
kern += sys/kern/syscall/futex_pi.c sys/kern/syscall/quick.c
