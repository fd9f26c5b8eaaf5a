#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# doctor - vkernel doctor tells what a host lacks, and is right about whether a machine runs.
set -u
. tests/tap.sh
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
deny=$BUILD/system/deny

says() {	# CLAIM STATUS PATTERN COMMAND...
	claim=$1 status=$2 pattern=$3
	shift 3
	"$@" >"$t/out" 2>"$t/err" </dev/null
	same "$claim: status" "$status" "$?"
	holds "$claim: says so" grep -qE "$pattern" "$t/out"
}

says "a host that runs machines" 0 '^vkernel runs here' "$VKERNEL" doctor
same "nothing on standard error" '' "$(cat "$t/err")"
says "no seccomp" 125 '^missing +machine .*seccomp' "$deny" 317,157=22 "$VKERNEL" doctor
says "few descriptors" 0 '^limit +descriptors +32$' sh -c 'ulimit -n 32; exec "$@"' sh "$VKERNEL" doctor
says "no huge pages" 0 '^slow +huge pages +no' "$deny" 28=22 "$VKERNEL" doctor
says "one processor" 0 '^limit +processors +1$' taskset -c 0 "$VKERNEL" doctor
says "for programs" 0 '^\{"v":1,"host":"Linux [^"]*","findings":\[\{.*\}\],"runs":true\}$' "$VKERNEL" doctor --json
if command -v python3 >/dev/null 2>&1; then
	holds "that is JSON" python3 -c 'import json, sys; json.load(open(sys.argv[1]))' "$t/out"
else
	skip "that is JSON" "no python3"
fi
"$VKERNEL" doctor --nonsense >"$t/out" 2>"$t/err"
same "an option it has not: 125" 125 "$?"
finish
