# SPDX-License-Identifier: BSD-2-Clause
pc64 += sys/core/nic/e1000.c
