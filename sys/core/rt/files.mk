# SPDX-License-Identifier: BSD-2-Clause
kern += sys/core/rt/string.c sys/core/rt/word.c sys/core/rt/rbtree.c sys/core/rt/fmt.c
