# SPDX-License-Identifier: BSD-2-Clause
kern += sys/kern/lwkt/thread.c sys/kern/lwkt/spin.c sys/kern/lwkt/token.c sys/kern/lwkt/wait.c sys/kern/lwkt/lock.c
kern += sys/kern/lwkt/ktr.c sys/kern/lwkt/port.c sys/kern/lwkt/intr.c sys/kern/lwkt/ipi.c sys/kern/lwkt/gap.c sys/kern/lwkt/witness.c sys/kern/lwkt/budget.c
