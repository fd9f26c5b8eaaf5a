# SPDX-License-Identifier: BSD-2-Clause
pc64 += sys/core/pc/bootinfo.c sys/core/pc/acpi.c
