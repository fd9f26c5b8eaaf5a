# SPDX-License-Identifier: BSD-2-Clause
kern += sys/dev/chr.c sys/dev/fsdev.c
