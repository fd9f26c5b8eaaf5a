# SPDX-License-Identifier: BSD-2-Clause
kern += sys/dev/blk.c sys/dev/chr.c sys/dev/fsdev.c sys/dev/net.c sys/dev/ramdisk.c
pc64 += sys/dev/pci_drivers.c
