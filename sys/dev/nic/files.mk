# SPDX-License-Identifier: BSD-2-Clause
pc64 += sys/dev/nic/e1000.c
