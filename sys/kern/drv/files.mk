# SPDX-License-Identifier: BSD-2-Clause
kern += sys/kern/drv/thread.c sys/kern/drv/memory.c
