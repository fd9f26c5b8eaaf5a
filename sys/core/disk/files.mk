# SPDX-License-Identifier: BSD-2-Clause
kern += sys/core/disk/slice.c sys/core/disk/gpt.c sys/core/disk/label64.c
