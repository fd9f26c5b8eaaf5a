# SPDX-License-Identifier: BSD-2-Clause
unit += tests/unit/sys/core/storage/test_nvme.c tests/unit/sys/core/storage/test_ahci.c
