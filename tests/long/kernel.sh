#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# kernel - the tests inside the kernel, with the big counts.
exec "$BUILD/bin/vkernel-test" -q -m 256M --timeout=7000s -a 'ktest ktest-long' </dev/null 2>&1
