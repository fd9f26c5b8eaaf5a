#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# crash - the bugs of tests/crash can still be planted: the code has not moved away from them.
set -u
. tests/tap.sh
for patch in tests/crash/*.patch; do
	out=$(patch -p1 -F0 --dry-run <"$patch" 2>&1)
	same "$(basename "$patch" .patch) applies" "0 " "$? $(echo "$out" | grep -E 'FAILED|No file')"
done
finish
