# SPDX-License-Identifier: BSD-2-Clause
kern += sys/kern/debug/symtab.c
