# SPDX-License-Identifier: BSD-2-Clause
pc64 += sys/core/disk/slice.c sys/core/disk/gpt.c sys/core/disk/label64.c
