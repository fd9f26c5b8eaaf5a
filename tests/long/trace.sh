#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# trace - what tests/system/trace.sh claims of some of the kernel's tests, of all of them, on four processors and from
# the first event on; and of a stress of system calls on four processors, from its midst.
#
#   FOR=10      seconds of the stress
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

# whole WHAT TRACE: .pftrace and .txt
whole() {
	"$python" tests/system/trace/compare.py "$t" "$2.pftrace" "$2.txt" >"$t/compared" 2>&1
	sed 's/^/# /' "$t/compared" "$t/err" | cut -c1-300
	same "$1: each event is there in both, in order; messages' flows are whole" "" \
	    "$(grep -v ': [0-9]* 0$' "$t/compared")"
	for what in "a pair's messages run in order, each once" "in the order of time" \
	    "a CPU's events have its numbers in a row"; do
		holds "$1: $what" grep -q "^$what: [1-9][0-9]* 0$" "$t/compared"
	done
}

"$BUILD/bin/vkernel-test" -q -c 4 --timeout=600s "--trace=$t/tests.pftrace" "--trace=$t/tests.txt" \
    -a "ktr=65536 ktest witness" </dev/null >"$t/out" 2>"$t/err"
same "the kernel's tests pass meanwhile" "0 0" "$? $(grep -c '^not ok' "$t/out")"
whole "the kernel's tests" "$t/tests"
holds "a message's flow goes from its sender to its answer" \
    grep -q "^a message's flow goes from its sender to its answer: [1-9][0-9]* 0$" "$t/compared"

# shellcheck disable=SC2016
"$VKERNEL" -q -c 4 -m 512M -n "$name" --timeout=600s -a ktr=65536 "--share=$BUILD/stress:/s,ro" -- \
    sh -c 'while /s/stress all; do :; done' </dev/null >"$t/out" 2>&1 &
child=$!
until "$VKERNEL" ps | grep -q " $name " || ! kill -0 $child 2>/dev/null; do sleep 0.1; done
"$VKERNEL" trace "$name" "--for=${FOR:-10}" -o "$t/stress.pftrace" -o "$t/stress.txt" 2>"$t/err"
same "the stress goes on meanwhile" "yes" "$(kill -0 $child && echo yes)"
kill $child
wait $child
whole "the stress" "$t/stress"
finish
