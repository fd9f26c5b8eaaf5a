# SPDX-License-Identifier: BSD-2-Clause
pc64 += sys/core/pci/pci.c
