# SPDX-License-Identifier: BSD-2-Clause
unit += tests/unit/sys/core/tty/test_ldisc.c
