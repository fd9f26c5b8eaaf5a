# SPDX-License-Identifier: BSD-2-Clause
kern += sys/vm/phys/phys.c sys/vm/phys/reclaim.c
