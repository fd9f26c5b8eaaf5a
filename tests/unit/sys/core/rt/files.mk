# SPDX-License-Identifier: BSD-2-Clause
unit += tests/unit/sys/core/rt/test_rbtree.c
unit += tests/unit/sys/core/rt/test_word.c
