# SPDX-License-Identifier: BSD-2-Clause
unit += tests/unit/sys/core/pci/test_pci.c
