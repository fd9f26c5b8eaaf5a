# SPDX-License-Identifier: BSD-2-Clause
kern += sys/kern/time/timer.c sys/kern/time/clock.c sys/kern/time/told.c
