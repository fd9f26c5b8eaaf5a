#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# trace - ten seconds of all kernel tests on four processors, traced for Perfetto and in lines: what
# tests/system/trace.sh claims of some tests, of all.
#
#   FOR=10      seconds
set -u
. tests/tap.sh
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
name=trace$$
python=/usr/bin/python3

if ! command -v protoc >/dev/null || ! "$python" -c 'import google.protobuf' 2>/dev/null; then
	skip "a trace for Perfetto" "no protobuf"
	finish
	exit
fi
protoc -Itests/system/trace --python_out="$t" tests/system/trace/perfetto.proto
"$BUILD/bin/vkernel-test" -q -c 4 -n "$name" --timeout=500s -a "ktr=65536 ktest witness" </dev/null >"$t/out" 2>&1 &
child=$!
until "$VKERNEL" ps | grep -q " $name " || ! kill -0 $child 2>/dev/null; do sleep 0.1; done
"$VKERNEL" trace "$name" "--for=${FOR:-10}" -o "$t/x.pftrace" -o "$t/x.txt" 2>"$t/err"
wait $child
same "the kernel's tests pass meanwhile" "0 0" "$? $(grep -c '^not ok' "$t/out")"
"$python" tests/system/trace/compare.py "$t" "$t/x.pftrace" "$t/x.txt" >"$t/compared" 2>&1
sed 's/^/# /' "$t/compared" "$t/err" | cut -c1-300
same "each event is there in both, in order; messages' flows are whole" "" "$(grep -v ': [0-9]* 0$' "$t/compared")"
for what in "a message's flow goes from its sender to its answer" "a pair's messages run in order, each once" \
    "in the order of time" "a CPU's events have its numbers in a row"; do
	holds "$what" grep -q "^$what: [1-9][0-9]* 0$" "$t/compared"
done
finish
