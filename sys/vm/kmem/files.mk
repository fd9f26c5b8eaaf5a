# SPDX-License-Identifier: BSD-2-Clause
kern += sys/vm/kmem/kmem.c sys/vm/kmem/debug.c sys/vm/kmem/kstack.c
