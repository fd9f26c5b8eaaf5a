# SPDX-License-Identifier: BSD-2-Clause
unit += tests/unit/sys/core/nic/test_e1000.c
