# SPDX-License-Identifier: BSD-2-Clause
pc64 += sys/core/kbd/scan.c sys/core/kbd/report.c sys/core/kbd/text.c
