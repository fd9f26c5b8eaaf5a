# SPDX-License-Identifier: BSD-2-Clause
unit += tests/unit/sys/kern/debug/test_symtab.c tests/unit/sys/kern/debug/test_frames.c
