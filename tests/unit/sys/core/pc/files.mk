# SPDX-License-Identifier: BSD-2-Clause
unit += tests/unit/sys/core/pc/test_bootinfo.c tests/unit/sys/core/pc/test_acpi.c
