# SPDX-License-Identifier: BSD-2-Clause
user += $(sort $(wildcard tests/user/*.c))
user_glibc += $(addprefix tests/user/,mm_threads.c thread_storm.c thread_signals.c thread_sync.c threads.c)
user_glibc += tests/user/futex_pi.c
