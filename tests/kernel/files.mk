# SPDX-License-Identifier: BSD-2-Clause
kerntest += tests/kernel/lwkt_test.c
