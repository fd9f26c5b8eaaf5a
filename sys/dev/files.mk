# SPDX-License-Identifier: BSD-2-Clause
kern += sys/dev/chr.c sys/dev/fsdev.c sys/dev/net.c
pc64 += sys/dev/pci_drivers.c
