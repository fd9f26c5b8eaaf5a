#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# watchdog - innocent guests are not killed, however slow the host is.
set -u
. tests/tap.sh
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT

# Counts how many of N busy loops are still there after a while.
crowd='n=$1; i=0
while [ $i -lt $n ]; do (while :; do :; done) & i=$((i+1)); done
sleep $2; alive=0
for p in $(jobs -p); do kill -0 $p && alive=$((alive+1)); done
echo alive $alive; kill -9 $(jobs -p)'

same "200 busy guests on two host CPUs" 'alive 200' \
    "$(taskset -c 0,1 "$VKERNEL" -m 512M --timeout=300s -- sh -c "$crowd" sh 200 30 </dev/null 2>"$t/err" | tail -n 1)"
sed 's/^/# /' "$t/err" | head -n 5

"$VKERNEL" --timeout=60s -- sh -c "$crowd" sh 4 12 </dev/null >"$t/out" 2>"$t/err" &
pid=$!
sleep 2
kill -STOP "$pid"
sleep 5
kill -CONT "$pid"
wait "$pid"
same "five seconds of SIGSTOP" 'alive 4' "$(tail -n 1 "$t/out")"

if command -v gdb >/dev/null 2>&1; then
	"$VKERNEL" --timeout=60s -- sh -c "$crowd" sh 4 12 </dev/null >"$t/out" 2>"$t/err" &
	pid=$!
	sleep 2
	gdb -q -batch -p "$pid" -ex 'shell sleep 5' -ex detach >"$t/gdb" 2>&1 </dev/null
	wait "$pid"
	same "a debugger attached for five seconds" 'alive 4' "$(tail -n 1 "$t/out")"
else
	skip "a debugger attached for five seconds" "no gdb"
fi
finish
