# SPDX-License-Identifier: BSD-2-Clause
unit += tests/unit/sys/core/disk/test_gpt.c tests/unit/sys/core/disk/test_label64.c
