# SPDX-License-Identifier: BSD-2-Clause
kern += sys/core/tty/ldisc.c
