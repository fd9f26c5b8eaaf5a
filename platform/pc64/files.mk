# SPDX-License-Identifier: BSD-2-Clause
pc64 += platform/pc64/boot/entry.S platform/pc64/boot/boot.c platform/pc64/boot/args.c platform/pc64/boot/power.c
pc64 += platform/pc64/cpu/gate.S platform/pc64/cpu/trap.c platform/pc64/cpu/user.c platform/pc64/cpu/cpu.c platform/pc64/cpu/apic.c
pc64 += platform/pc64/cpu/entropy.c platform/pc64/cpu/watch.c
pc64 += platform/pc64/mmu/mmu.c platform/pc64/timer/clock.c
pc64 += platform/pc64/dev/serial.c platform/pc64/dev/stdio.c platform/pc64/dev/console.c
pc64 += platform/pc64/dev/i8042.c platform/pc64/dev/keyboard.c platform/pc64/dev/vector.c platform/pc64/dev/pci.c platform/pc64/dev/mmio.c
# Switching between kernel stacks is the same on both.
pc64 += platform/vkernel/cpu/ctx.S
