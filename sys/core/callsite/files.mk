# SPDX-License-Identifier: BSD-2-Clause
kern += sys/core/callsite/callsite.c
