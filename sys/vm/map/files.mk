# SPDX-License-Identifier: BSD-2-Clause
kern += sys/vm/map/anon.c
