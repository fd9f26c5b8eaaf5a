#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# asan - the kernel built with the address sanitizer: its own tests and programs of all kinds make no report, and one
# planted bug of each kind (tests/kernel/planted_asan.c) makes one that names the function and what it touched.
#
#   CPUS="1 4"  PROGRAMS="NAME..."  SEEDS=500
set -u
. tests/tap.sh
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
o=$BUILD-asan
vt=$o/bin/vkernel-test
programs=${PROGRAMS:-"async bad_args epoll_nest exec_elf exec_script fd_race fork_basic fork_storm fs_data fs_race futex
    futex_pi inotify_fs ipc_shm mm_map mm_random mm_threads mm_uaccess mqueue overlay pidfd pipe_race proc_race
    ptrace_events pty_basic sig_frame signalfd thread_storm unix_rights unix_stream"}

build() {
	make --no-print-directory -j"$(nproc)" O="$o" CC=gcc SANITIZE=address "$o/bin/vkernel" "$vt" >"$t/log" 2>&1
}
holds "it builds" build
grep -E 'error|symbols:' "$t/log" | head -n 20 | sed 's/^/# /'

for c in ${CPUS:-1 4}; do
	timeout -k 5 1300 "$vt" -q -m 512M -c "$c" --timeout=1200s -a 'ktest witness' >"$t/out" 2>"$t/err" </dev/null
	status=$?
	same "the kernel's own tests on $c processors: status, tests that failed, reports" "0 0 0" \
	    "$status $(grep -c '^not ok' "$t/out") $(grep -c '^asan:' "$t/err")"
	{ grep '^not ok' "$t/out"; grep -A 40 -E '^asan:|panic' "$t/err"; } | head -n 100 | sed 's/^/# /'
	# shellcheck disable=SC2086
	CPUS=$c BOOT_MAX=2000 sh scripts/run/user-tests "$o/bin/vkernel" "$BUILD" $programs >"$t/out" 2>"$t/err" </dev/null
	same "programs on $c processors: status, those that failed, reports" "0 0 0" \
	    "$? $(grep -c '^not ok' "$t/out") $(cat "$t/out" "$t/err" | grep -c 'asan:')"
	grep -A 40 '^not ok' "$t/out" | head -n 200 | sed 's/^/# /'
done

seeds() {	# CLAIM WORK FIRST COUNT
	same "$1: $4 seeds" "$4 of $4 seeds passed" \
	    "$(CPUS="" WORK=$2 sh scripts/run/seeds "$o/bin/vkernel" "$BUILD" "$3" "$4" 2>&1)"
}
seeds "programs that meet on several processors" "" 7000 "${SEEDS:-500}"
seeds "traced children that end" traced 1 "${SEEDS:-500}"
seeds "calls drawn by lot" fuzz 30000 "${SEEDS:-500}"

# planted NAME FUNCTION ACCESS REASON [WORDS...]: and each of WORDS is on a line of the report.
planted() {
	name=$1
	wanted="asan: $3 by $2 (tests/kernel/planted_asan.c:N): $4"
	shift 4
	timeout -k 5 110 "$vt" -q -m 128M --timeout=100s -a "plant=$name" -- true >"$t/out" 2>"$t/err" </dev/null
	status=$?
	same "$name: status and report" "120 $wanted" \
	    "$status $(sed -n '/^asan:/{ s/ at 0x[0-9a-f]* / /; s/asan\.c:[0-9]*/asan.c:N/; p; }' "$t/err")"
	for words; do
		holds "$name: the report has: $words" grep -q -e "$words" "$t/err"
	done
}
planted asan_past read_letter "read of 1 byte" "past the end of an object" \
    "^object 0x[0-9a-f]* of 100 bytes, at byte 100$" "letter_new+" "^damselfly: panic: asan: read of 1 byte at"
planted asan_freed read_letter "read of 1 byte" "an object that is free" \
    "^object 0x[0-9a-f]* of 100 bytes, at byte 7$" "letter_new+" "^freed by thread" "burn+"
planted asan_copy copy_letter "read of 108 bytes" "past the end of an object" "^the first 100 bytes of it are good$"
planted asan_page read_word "read of 8 bytes" "a page that is free"
planted asan_kstack read_word "read of 8 bytes" "a kernel stack that is free"
planted asan_stack write_digits "write of 4 bytes" "past the end of a variable on the stack" \
    "^in the frame of write_digits (tests/kernel/planted_asan.c:" "[0-9]* to [0-9]*: digits"
planted asan_scope read_ended "read of 8 bytes" "a variable whose block has ended" "[0-9]* to [0-9]*: own"
planted asan_global read_table "read of 2 bytes" "past the end of a global variable" \
    "^table of .*planted_asan.c, 26 bytes at"
finish
