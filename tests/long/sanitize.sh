#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# sanitize - all tests again, built by clang with undefined behaviour trapped;
# and the unit tests with addresses checked.
set -u
. tests/tap.sh
t=$(mktemp)
trap 'rm -f "$t"' EXIT

again() {	# CLAIM TARGET VARIABLE...
	claim=$1
	target=$2
	shift 2
	if make --no-print-directory -j"$(nproc)" "$@" "$target" >"$t" 2>&1 </dev/null; then
		tap_result ok "$claim: $(tail -n 1 "$t")"
	else
		tap_result not "$claim"
		grep -E 'FAIL|error|passed' "$t" | tail -n 30 | sed 's/^/# /'
	fi
}
if command -v clang >/dev/null 2>&1; then
	again "clang with UBSan passes all tests" test O="$BUILD/ubsan" CC=clang SANITIZE=undefined
else
	skip "clang with UBSan passes all tests" "no clang"
fi
again "the unit tests pass under ASan" test-unit O="$BUILD/asan" SANITIZE=address
finish
