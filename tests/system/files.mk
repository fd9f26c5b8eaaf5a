# SPDX-License-Identifier: BSD-2-Clause
helpers += tests/system/deny.c tests/system/pty.c tests/system/reap.c tests/system/scan.c
