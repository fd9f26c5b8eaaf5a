# SPDX-License-Identifier: BSD-2-Clause
pc64 += sys/core/screen/fb.c sys/core/screen/screen.c
