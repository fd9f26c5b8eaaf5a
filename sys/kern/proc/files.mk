# SPDX-License-Identifier: BSD-2-Clause
kern += sys/kern/proc/table.c sys/kern/proc/cred.c sys/kern/proc/fork.c sys/kern/proc/exit.c sys/kern/proc/signal.c \
	sys/kern/proc/sigframe.c sys/kern/proc/user.c sys/kern/proc/sched.c sys/kern/proc/clock.c sys/kern/proc/execstate.c sys/kern/proc/ptrace.c sys/kern/proc/uts.c \
	sys/kern/proc/rseq.c sys/kern/proc/vdso.c sys/kern/proc/view.c sys/kern/proc/ucount.c sys/kern/proc/sample.c
