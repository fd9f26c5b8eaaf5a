# SPDX-License-Identifier: BSD-2-Clause
kern += sys/kern/debug/symtab.c sys/kern/debug/frames.c sys/kern/debug/kprint.c sys/kern/debug/panic.c \
	sys/kern/debug/ktest.c sys/kern/debug/bootarg.c sys/kern/debug/report.c sys/kern/debug/table.c
kern += sys/kern/debug/builtin.c
