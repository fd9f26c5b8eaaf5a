#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# streams - the guest's 0, 1 and 2 are the host's, each by its kind.
set -u
. tests/tap.sh
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
v="$VKERNEL --timeout=600s"

$v -- sh -c 'echo one; echo two >&2' >"$t/out" 2>"$t/err" </dev/null
same "output and errors are not merged" 'one two' "$(cat "$t/out") $(cat "$t/err")"

head -c 1000000 /dev/urandom >"$t/data"
$v -- cat <"$t/data" >"$t/copy"
holds "a million bytes pass unchanged, file to file" cmp -s "$t/data" "$t/copy"
# shellcheck disable=SC2002
cat "$t/data" | $v -- cat | cat >"$t/copy"
holds "and pipe to pipe" cmp -s "$t/data" "$t/copy"
same "the end of input is seen" '0' "$($v -- wc -c </dev/null | tr -d ' ')"
same "closed input is no input" '0' "$($v -- sh -c 'cat | wc -c' <&- | tr -d ' ')"
$v -- true <&- >&- 2>&-
same "all three may be closed" 0 "$?"
same "output goes to a file at its offset" 'a b' "$({ echo a; $v -- echo b; } >"$t/o"; tr '\n' ' ' <"$t/o" | sed 's/ $//')"
echo start >"$t/log"
$v -- echo more >>"$t/log" </dev/null
same "and is appended" 'start more' "$(tr '\n' ' ' <"$t/log" | sed 's/ $//')"
{ $v -- yes; echo $? >"$t/status"; } 2>/dev/null </dev/null | head -n 1 >/dev/null
same "a reader that leaves ends the writer by SIGPIPE" 141 "$(cat "$t/status")"
same "a full device is an error, not a loss" 1 "$($v -- sh -c 'echo x' >/dev/full 2>/dev/null </dev/null; echo $?)"
same "a pipe is no terminal" 1 "$($v -- tty -s </dev/null; echo $?)"

# A slow reader: back pressure, nothing lost.
$v -- sh -c 'i=0; while [ $i -lt 5000 ]; do echo line $i of many; i=$((i+1)); done' </dev/null |
    { sleep 1; cat; } >"$t/slow"
same "a slow reader loses nothing" '5000 line 4999 of many' "$(wc -l <"$t/slow" | tr -d ' ') $(tail -n 1 "$t/slow")"

same "-e sets a variable" 'b c' "$($v -e A='b c' -- sh -c 'echo $A' </dev/null)"
same "the last -e counts" '2' "$($v -e A=1 -e A=2 -- sh -c 'echo $A' </dev/null)"
same "-w sets the folder" '/etc' "$($v -w /etc -- pwd </dev/null)"
same "-n sets the host name" 'finch' "$($v -n finch -- hostname </dev/null)"
same "-m sets the memory" 1 "$($v -m 128M -- awk '/MemTotal/ { print ($2 > 110000 && $2 < 131073) }' /proc/meminfo </dev/null)"
$v --init=/bin/false >/dev/null 2>&1 </dev/null
same "--init runs a program as process 1" 1 "$?"
$v -v -- true >"$t/out" 2>"$t/err" </dev/null
holds "-v shows kernel messages on standard error" test -s "$t/err"
same "and only there" '' "$(cat "$t/out")"
$v --strace -- echo traced >"$t/out" 2>"$t/err" </dev/null
holds "--strace shows calls with their arguments" grep -qE 'write\((fd=)?1, .*\) *= 7' "$t/err"
same "and leaves the output alone" traced "$(cat "$t/out")"
finish
