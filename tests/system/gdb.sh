#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# gdb - a debugger on a kernel that runs: from its first instruction, after its last, and by GDB's remote protocol with
# the kernel's own threads.
set -u
. tests/tap.sh
v=$VKERNEL
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
name=gdb$$
if ! command -v gdb >/dev/null; then
	skip "a debugger" "no gdb"
	finish
	exit
fi
has() {	# CLAIM FILE WORDS...: each of them is in a line, in this order
	claim=$1 file=$2
	shift 2
	same "$claim" "$(printf '%s\n' "$@")" "$(awk 'BEGIN { for (i = 1; i < ARGC; i++) want[i] = ARGV[i]; n = ARGC; ARGC = 1; at = 1 }
	    at < n && index($0, want[at]) { print want[at++] }' "$@" <"$file")"
}
limit() { timeout -k 5 600 "$@"; }

# From the first instruction on.
printf '%s\n' 'break kmain' 'continue' 'bt' 'next' 'next' 'break sys_exit_group' 'continue' 'vk ps' 'delete' 'continue' |
    limit "$v" -q --gdb --timeout=90s -- sh -c 'echo from the guest' >"$t/out" 2>&1
has "--gdb: a breakpoint in the first function, steps, and one in a system call" "$t/out" \
    "kmain ()" "#0" "sys_exit_group" "COMMAND" " sh"
has "--gdb: and the guest runs" "$t/out" "from the guest"

"$v" -q -n "$name" --gdb=wait --timeout=90s -- echo from the guest </dev/null >"$t/wait" 2>"$t/wait.err" &
child=$!
until grep -q "waits for a debugger" "$t/wait.err" || ! kill -0 $child 2>/dev/null; do sleep 0.1; done
limit "$v" gdb "$name" -batch -ex 'break kmain' -ex continue -ex bt </dev/null >"$t/out" 2>&1
has "--gdb=wait: who comes later finds it at its beginning" "$t/out" "kmain ()" "#0"
wait $child
same "and it goes on when he goes" "0 from the guest" "$? $(cat "$t/wait")"

# After the last.
limit "$v" -q -a panic "--on-panic=dump:$t/core" --timeout=90s </dev/null >"$t/out" 2>&1
same "--on-panic=dump: the status is that of a panic" 120 $?
limit "$v" gdb "$t/core" -batch -ex 'vk info' -ex bt </dev/null >"$t/out" 2>&1
has "and the core says what it was" "$t/out" "ended      on cpu 0, panic: asked for by a boot argument"
echo 'vk info' | limit "$v" -q -a panic --on-panic=gdb --timeout=90s >"$t/out" 2>&1
has "--on-panic=gdb: at once" "$t/out" "ended      on cpu 0, panic: asked for by a boot argument"

# Two at once.
"$v" -q -c 2 -n "$name" --timeout=600s -- sh -c 'while :; do ls / >/dev/null; done' </dev/null >/dev/null 2>&1 &
child=$!
until "$v" ps | grep -q " $name " || ! kill -0 $child 2>/dev/null; do sleep 0.1; done
pid=$("$v" ps | awk -v n="$name" '$2 == n { print $1 }')
limit "$v" gdb "$name" -batch -ex "shell \"$v\" dump $name -o $t/x 2>&1" </dev/null >"$t/out" 2>&1
has "who comes second is told by whom it is held" "$t/out" "debugs it already"

# By the remote protocol.
limit "$v" stub "$name" "unix:$t/socket" </dev/null >"$t/stub" 2>&1 &
stub=$!
until [ -S "$t/socket" ] || ! kill -0 $stub 2>/dev/null; do sleep 0.1; done
limit gdb -nx -batch -ex "file $v" -ex "target remote $t/socket" -ex 'info threads' -ex 'break sys_getdents64' -ex continue \
    -ex bt -ex next -ex next -ex stepi -ex 'info registers rip' -ex 'thread apply all bt' -ex delete -ex detach </dev/null >"$t/out" 2>&1
has "GDB's own threads are the kernel's" "$t/out" "idle0" "Breakpoint 1, sys_getdents64" "#0  sys_getdents64" "rip" "lwkt_switch"
limit gdb -nx -batch -ex "file $v" -ex "target remote $t/socket" -ex 'info threads' -ex kill </dev/null >"$t/out" 2>&1
has "who comes next is served, too" "$t/out" "idle0"
same "and the kernel goes on" "alive" "$(kill -0 "$pid" 2>/dev/null && echo alive)"
kill "$pid"
wait $child
wait $stub
same "the stub ends with it" 0 $?

"$v" -q -c 2 "--gdb-stub=unix:$t/own" --timeout=600s -- sh -c 'while :; do ls / >/dev/null; done' </dev/null >/dev/null 2>&1 &
child=$!
until [ -S "$t/own" ] || ! kill -0 $child 2>/dev/null; do sleep 0.1; done
limit gdb -nx -batch -ex "file $v" -ex "target remote $t/own" -ex 'break sys_getdents64' -ex continue -ex 'info threads' </dev/null >"$t/out" 2>&1
has "--gdb-stub: a kernel has its own" "$t/out" "Breakpoint 1, sys_getdents64" "idle0"
kill $child
wait $child
same "which goes with it" "" "$(ls "$t/own" 2>/dev/null)"
finish
