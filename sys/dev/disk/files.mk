# SPDX-License-Identifier: BSD-2-Clause
pc64 += sys/dev/disk/disk.c sys/dev/disk/nvme.c sys/dev/disk/ahci.c
