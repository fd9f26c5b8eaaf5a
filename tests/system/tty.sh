#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# tty - a person at the console.
set -u
. tests/tap.sh
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
pty=$BUILD/system/pty
v=$VKERNEL

# session CLAIM STATUS ARG... <SCRIPT
session() {
	claim=$1
	want=$2
	shift 2
	"$pty" "$v" --timeout=600s "$@" >"$t/out" 2>"$t/err"
	got=$?
	same "$claim" "$want" "$got"
	[ "$got" = "$want" ] || { cat "$t/err"; tail -n 5 "$t/out"; echo; } | tr -d '\r' | sed 's/^/# /'
}

session "without a command there is a shell" 5 <<'E'
expect #
send echo $((6*7))\r
expect 42
expect #
raw
send exit 5\r
E
holds "the host's terminal was raw meanwhile" grep -q 'raw$' "$t/out"
holds "the greeting says how to leave" grep -q 'Ctrl-]' "$t/out"

session "Ctrl-C ends the command, not the shell" 7 <<'E'
expect #
send sleep 100\r
expect sleep 100
wait 400
send \x03
expect #
send echo still here $?\r
expect still here 130
send exit 7\r
E

session "Ctrl-Z stops, fg goes on" 0 <<'E'
expect #
send sleep 100\r
expect sleep 100
wait 400
send \x1a
expect Stopped
send jobs\r
expect sleep 100
send fg\r
wait 400
send \x03
expect #
send echo status $?\r
expect status 130
send exit 0\r
E

session "Ctrl-D ends the shell" 0 <<'E'
expect #
send true\r
expect #
send \x04
E

session "Ctrl-] leaves, as a hang-up" 129 <<'E'
expect #
send \x1d
E

session "the window's size is the host's, and follows it" 0 <<'E'
expect #
send stty size\r
expect 24 80
size 30 100
send stty size\r
expect 30 100
send exit\r
E

session "line editing: erase and kill" 0 -- sh -c 'read x; echo "[$x]"' <<'E'
send wrong\x15rigjj\x7f\x7fht\r
expect [right]
E

"$pty" sh -c "$v --timeout=600s -- true; stty -a" </dev/null >"$t/out" 2>&1
holds "the terminal is put back afterwards" grep -qE '(^|[^-])icanon' "$t/out"
"$pty" sh -c "$v --timeout=300ms -- sleep 10; stty -a" </dev/null >"$t/out" 2>&1
holds "after a timeout too" grep -qE '(^|[^-])icanon' "$t/out"
"$pty" sh -c "$v -a panic -- true; stty -a" </dev/null >"$t/out" 2>&1
holds "after a panic too" grep -qE '(^|[^-])icanon' "$t/out"
finish
