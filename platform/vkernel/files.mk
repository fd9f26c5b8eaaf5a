# SPDX-License-Identifier: BSD-2-Clause
kern += platform/vkernel/boot/boot.c platform/vkernel/cpu/ctx.S platform/vkernel/cpu/cpu.c platform/vkernel/cpu/user.c
kern += platform/vkernel/det/det.c
kern += platform/vkernel/mmu/mmu.c platform/vkernel/timer/clock.c
kern += platform/vkernel/dev/stdio.c platform/vkernel/dev/hostfile.c
