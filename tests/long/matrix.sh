#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# matrix - all tests on 1, 4 and 16 processors, built by gcc, by clang, and by
# clang with undefined behaviour trapped; and the unit tests with addresses checked.
#
#   BUILDS="gcc clang ubsan asan"  CPUS_LIST="1 4 16"
set -u
. tests/tap.sh
t=$(mktemp)
trap 'rm -f "$t"' EXIT
CPUS_LIST=${CPUS_LIST:-1 4 16}
export CPUS_LIST

again() {	# CLAIM TARGET VARIABLE...
	claim=$1
	target=$2
	shift 2
	if make --no-print-directory -j"$(nproc)" "$@" "$target" >"$t" 2>&1 </dev/null; then
		tap_result ok "$claim: $(tail -n 1 "$t")"
	else
		tap_result not "$claim"
		grep -aE -A 8 'FAIL|error|passed, 0*[1-9][0-9]* failed' "$t" | cut -c1-200 | head -n 80 | sed 's/^/# /'
	fi
}
for b in ${BUILDS:-gcc clang ubsan asan}; do
	case $b in
	clang | ubsan)
		command -v clang >/dev/null 2>&1 || { skip "$b" "no clang"; continue; } ;;
	esac
	case $b in
	gcc)	again "gcc, $CPUS_LIST processors" test O="$BUILD" CC=gcc ;;
	clang)	again "clang, $CPUS_LIST processors" test O="$BUILD-clang" CC=clang ;;
	ubsan)	again "clang with UBSan, $CPUS_LIST processors" test O="$BUILD-ubsan" CC=clang SANITIZE=undefined ;;
	asan)	again "the unit tests under ASan" test-unit O="$BUILD-asan" SANITIZE=address ;;
	esac
done
finish
