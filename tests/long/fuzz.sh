#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# fuzz - any bytes for what reads bytes of others: programs, archives, messages, text, for a minute each; and calls with any
# arguments on four processors, many rounds of them, for ten.
#
#   SECONDS_FUZZ=60  ROUNDS=400
set -u
. tests/tap.sh
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
trap 'exit 130' INT TERM

piece() {	# FILE: behind its length
	n=$(wc -c <"$1")
	# shellcheck disable=SC2059
	printf "\\$(printf %03o $((n % 256)))\\$(printf %03o $((n / 256)))"
	cat "$1"
}

# A corpus to begin with: what is right, and small.
corpus() {
	mkdir "$t/exec" "$t/socket" "$t/codec" "$t/text"
	head -c 4096 /bin/busybox >"$t/static"
	head -c 4096 /bin/ls >"$t/dynamic"
	printf '#!/bin/i -x\n' >"$t/script"
	printf '\000\001\020\000\000\000\000\000\000\000\000\000\000\000\000\000' >"$t/args"
	for f in static dynamic script; do
		{ piece "$t/$f"; piece "$t/static"; cat "$t/args"; } >"$t/exec/$f"
	done
	for call in 0 3 6 7 8 9 10 11 12 13; do
		# shellcheck disable=SC2059
		printf "\\$(printf %03o $call)\\000\\000\\020\\000\\001\\000\\100\\000\\020\\000\\020\\000" >"$t/call"
		{ piece "$t/call"; head -c 600 /dev/zero; } >"$t/socket/$call"
	done
	(cd "$t" && echo script | busybox cpio -o -H newc 2>/dev/null) >"$t/codec/cpio"
	gzip -c "$t/codec/cpio" >"$t/codec/gzip"
	head -c 44 /dev/zero >"$t/termios"
	printf 'a line\n\004\003\177more\n\360\340' >"$t/keys"
	{ piece "$t/termios"; piece "$t/keys"; cat /etc/passwd /etc/group; } >"$t/text/typed"
}

if ! command -v clang >/dev/null 2>&1; then
	skip "any bytes" "no clang"
else
	make --no-print-directory O="$BUILD" fuzz >"$t/log" 2>&1
	holds "it builds" [ $? = 0 ]
	corpus
	for f in exec socket codec text bootinfo acpi disk storage device usb kbd screen; do
		mkdir -p "$t/$f"
		"$BUILD/fuzz/$f" -max_total_time="${SECONDS_FUZZ:-60}" -max_len=16384 -timeout=20 -print_final_stats=1 \
		    -artifact_prefix="$t/" "$t/$f" >"$t/out" 2>&1 </dev/null
		same "$f: any bytes" 0 $?
		grep -E 'cov:' "$t/out" | tail -n 1 | cut -c1-100 | sed 's/^/# /'
		grep -E -A12 'ERROR|rt_fail|: [a-z_>. -]*$|^sys/' "$t/out" | head -n 30 | sed 's/^/# /'
		for crash in "$t"/crash-* "$t"/leak-* "$t"/timeout-* "$t"/oom-*; do
			[ ! -f "$crash" ] || { gzip -9c "$crash" | base64 -w 100 | head -n 40 | sed "s/^/# ${crash##*/}.gz: /"; rm "$crash"; }
		done
	done
fi

mkdir -p "$t/tree/t" "$t/tree/tmp" "$t/tree/dev" "$t/tree/proc"
cp "$BUILD/stress/fuzz" "$t/tree/t/"
(cd "$t/tree" && find . | busybox cpio -o -H newc 2>/dev/null >"$t/root.cpio")
"$VKERNEL" -v -c "${CPUS:-4}" -m 192M --timeout=1200s -a 'page_poison kmem_debug witness' -w /tmp -r "$t/root.cpio" -- \
    /t/fuzz -r "${ROUNDS:-400}" -n 3000 >"$t/out" 2>"$t/err" </dev/null
same "calls with any arguments: status" 0 $?
same "calls with any arguments" "done" "$(tail -n 1 "$t/out")"
tail -n 1 "$t/out" | grep -qx "done" || (head -n 3; tail -n 20) <"$t/out" | sed 's/^/# /'
grep -a -A12 'panic' "$t/err" | sed 's/^/# /'
finish
