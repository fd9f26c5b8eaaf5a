#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# trace - a kernel's events, written down while it runs: none is missing, they are in order, and what Perfetto is
# given says the same as the lines do.  protobuf's own library reads it back, by the part of Perfetto's schema that
# trace/perfetto.proto repeats.
set -u
. tests/tap.sh
v=$VKERNEL
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
name=trace$$
python=/usr/bin/python3

# running VKERNEL ARGUMENT...: in the background; returns when it can be found.
running() {
	"$@" </dev/null >"$t/out" 2>&1 &
	child=$!
	until "$v" ps | grep -q " $name " || ! kill -0 $child 2>/dev/null; do sleep 0.1; done
}
compare() {	# TRACE: .pftrace and .txt; what does not hold
	"$python" tests/system/trace/compare.py "$t" "$1.pftrace" "$1.txt" >"$t/compared" 2>&1
	grep -c "[1-9]" "$t/compared" | sed 's/^0$/nothing compared/; t; d'
	grep -v ": [0-9]* 0$" "$t/compared" | cut -c1-400 | head -n 5
}

if ! command -v protoc >/dev/null || ! "$python" -c 'import google.protobuf' 2>/dev/null; then
	skip "a trace for Perfetto" "no protobuf"
	finish
	exit
fi
protoc -Itests/system/trace --python_out="$t" tests/system/trace/perfetto.proto

# busy WHAT TEST: four processors, from the first event on.  On a host that is as busy some may be lost.
busy() {
	"$BUILD/bin/vkernel-test" -q -c 4 "--trace=$t/busy.pftrace" "--trace=$t/busy.txt" --timeout=600s \
	    -a "ktest=$2 ktest-long" >"$t/out" 2>&1 </dev/null
	same "$1: for Perfetto and in lines, the same events" "" "$(compare "$t/busy")"
}
busy "messages to threads that move" messages_of_a_sender_keep_their_order_although_it_moves
for what in "msg send" "msg take" "msg reply" "switch" "ready" "wake"; do
	holds "there are such as \"$what\"" grep -q "\] $what" "$t/busy.txt"
done
busy "messages to processors" floods_of_messages_arrive_once_and_in_order
for what in "ipi send" "ipi run"; do
	holds "there are such as \"$what\"" grep -q "\] $what" "$t/busy.txt"
done
busy "tokens" tokens_in_any_order_never_deadlock
for what in "token wait" "token got"; do
	holds "there are such as \"$what\"" grep -q "\] $what" "$t/busy.txt"
done

# From the first event on, in its own process.
"$v" -q -c 2 --trace="$t/all.txt" --timeout=600s -- sh -c 'sleep 0.1; ls /bin | wc -l' </dev/null >"$t/out" 2>&1
same "a whole life is traced, from its first event" "0 idle0" "$(awk 'NR == 1 { print $3, $8 }' "$t/all.txt")"
same "each CPU's events are numbered without a gap" "" \
    "$(awk '{ if ($3 != n[$2]++) print }' "$t/all.txt" | head -n 3)"
same "threads that end have begun" "" "$(awk '$5 == "thread" { a[$7] = 1 } $5 == "end" && !a[$7]' "$t/all.txt")"
holds "a processor at rest says so" grep -q '\] idle ' "$t/all.txt"
same "its output is its own" "yes" "$(grep -qx '[0-9]*' "$t/out" && echo yes)"

# A ring that is too small.
running "$BUILD/bin/vkernel-test" -q -c 2 -n "$name" --timeout=600s -a \
    'ktr=64 ktest=messages_of_a_sender_keep_their_order_although_it_moves ktest-long'
"$v" trace "$name" --for=1 -o "$t/small.txt" 2>"$t/err"
holds "what is lost is told" grep -q '^# cpu[01]: [0-9]* events lost' "$t/small.txt"
same "and counted: numbers go on after it" "" "$(awk '
    $1 == "#" { c = substr($2, 1, 4); if (n[c] != "") n[c] += $3; next }
    { if (n[$2] != "" && $3 != n[$2]) print; n[$2] = $3 + 1 }' "$t/small.txt" | head -n 3)"
same "the rest is as many as were told" "$(grep -vc '^#' "$t/small.txt") events" "$(grep -o '[0-9]* events' "$t/err")"

wait $child

# What is refused.
refused() {	# CLAIM MESSAGE COMMAND...
	claim=$1 message=$2
	shift 2
	"$@" >"$t/out" 2>"$t/err"
	same "$claim" "125 yes" "$? $(grep -q "$message" "$t/err" && echo yes)"
}
refused "a kernel that does not run" "no virtual kernel" "$v" trace nobody$$
refused "a process that is none" "is no virtual kernel" "$v" trace $$
refused "times that are none" "not like that" "$v" trace --for=soon
refused "two names" "not like that" "$v" trace a b
running "$v" -q -n "$name" --timeout=600s -- sh -c 'for i in $(seq 99); do ls /bin; done; exec sleep 20'
until "$v" trace "$name" --last 2>/dev/null | tail -n 1 | grep -q ' idle '; do sleep 0.1; done
same "what the ring has now" "511" "$("$v" trace "$name" --last 2>/dev/null | wc -l)"
refused "a file that cannot be made" "No such file or directory" "$v" trace "$name" -o "$t/no/such"
refused "a disk that is full" "not all could be written" "$v" trace "$name" --last -o /dev/full
kill $child
wait $child
finish
