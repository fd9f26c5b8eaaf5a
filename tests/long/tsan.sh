#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# tsan - the kernel's own tests under clang's thread sanitizer: no two CPUs touch anything unordered.
# No report is suppressed; two functions that fill and check freed pages are not instrumented (sys/vm/phys/phys.c).
# What it cannot see: copies (memcpy and memset are string instructions), and hostkit.
set -u
. tests/tap.sh
if ! command -v clang >/dev/null 2>&1; then
	skip "no data races" "no clang"
	finish
	exit
fi
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
vk=$BUILD-tsan/bin/vkernel-test

# Reports have addresses only: put function and line there.
names() {
	grep -o '+0x[0-9a-f]*)' "$1" | tr -d '+)' | sort -u >"$t/addr"
	addr2line -f -s -e "$vk" <"$t/addr" | paste -d ' ' "$t/addr" - - >"$t/names"
	awk 'NR == FNR { name[$1] = $2 " " $3; next }
	    match($0, /\+0x[0-9a-f]*\)/) { a = substr($0, RSTART + 1, RLENGTH - 2); sub(/<null> <null>.*/, name[a]) }
	    { print }' "$t/names" "$1"
}

holds "it builds" make --no-print-directory -j"$(nproc)" O="$BUILD-tsan" CC=clang SANITIZE=thread all >"$t/log" 2>&1
grep -E 'error|symbols:' "$t/log" | head -n 20 | sed 's/^/# /'
for c in ${CPUS:-1 2 4 8 16}; do
	timeout -k 5 600 "$vk" -q -m 512M -c "$c" --timeout=500s -a 'ktest' >"$t/out" 2>"$t/err" </dev/null
	status=$?
	cat "$t/err" >>"$t/out"
	same "the kernel's own tests on $c processors: status, tests that failed, races" "0 0 0" \
	    "$status $(grep -c '^not ok' "$t/out") $(grep -c 'WARNING: ThreadSanitizer' "$t/out")"
	names "$t/out" | awk '/^not ok/ || /panic/ { print } /^WARNING/ { on = 1 } on { print } /^SUMMARY/ { on = 0 }' |
	    head -n 200 | sed 's/^/# /'
done
finish
