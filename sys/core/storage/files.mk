# SPDX-License-Identifier: BSD-2-Clause
pc64 += sys/core/storage/nvme.c sys/core/storage/ahci.c
