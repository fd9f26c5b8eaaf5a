# SPDX-License-Identifier: BSD-2-Clause
stress += tests/stress/stress.c
stress += tests/stress/fingerprint.c
stress += tests/stress/mix.c
stress += tests/stress/fuzz.c
