#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# life - how a virtual kernel ends, and that nothing of it stays behind.
set -u
. tests/tap.sh
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
reap=$BUILD/system/reap
v=$VKERNEL
busy='echo busy; for i in 1 2 3 4 5; do sleep 100 & done; while :; do :; done'

last() {
	"$@" 2>/dev/null </dev/null | tail -n 1
}
same "nothing survives a normal end" 'status 3, survivors 0' "$(last "$reap" "$v" -- sh -c 'sleep 100 & exit 3')"
same "SIGTERM shuts down in good order" 'status 143, survivors 0' "$(last "$reap" -s 15 "$v" -- sh -c 'echo here; exec sleep 100')"
same "even a command that ignores it" 'status 137, survivors 0' \
    "$(last "$reap" -s 15 "$v" -- sh -c 'trap "" TERM; echo here; while :; do sleep 1; done')"
same "a command can catch it and end as it likes" 'status 9, survivors 0' \
    "$(last "$reap" -s 15 "$v" -- sh -c 'trap "exit 9" TERM; echo here; sleep 100 & wait')"
same "SIGKILL of the kernel leaves no guest behind" 'status 137, survivors 0' \
    "$(last "$reap" -s 9 "$v" -- sh -c "$busy")"
same "a timeout leaves nothing behind" 'status 124, survivors 0' "$(last "$reap" "$v" --timeout=400ms -- sh -c "$busy")"
same "a panic leaves nothing behind" 'status 120, survivors 0' "$(last "$reap" "$v" -a panic -- true)"
same "orphans are reaped by process 1" '0' \
    "$("$v" --timeout=600s -- sh -c '(sleep 0 & ) ; sleep 1; ps -o stat | grep -c Z' </dev/null 2>/dev/null)"

if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null 2>&1; then
	d=$(mktemp -d)
	chmod 755 "$d"
	cp "$v" "$d/vkernel"
	same "works as an ordinary user without capabilities" 'hello' \
	    "$(cd / && setpriv --reuid=65534 --regid=65534 --clear-groups --bounding-set=-all --no-new-privs \
	    "$d/vkernel" --timeout=600s -- echo hello </dev/null)"
	rm -rf "$d"
else
	same "works as an ordinary user" 'hello' "$("$v" --timeout=600s -- echo hello </dev/null)"
fi

(ulimit -v 1048576; "$v" --timeout=600s -- true) >"$t/out" 2>&1 </dev/null
status=$?
case $status in
0 | 125) tap_result ok "a small address space: works, or says why not" ;;
*) same "a small address space: works, or says why not" '0 or 125' "$status" ;;
esac
i=0
while [ $i -lt 20 ]; do
	"$v" --timeout=600s -- true </dev/null >/dev/null 2>&1 || break
	i=$((i + 1))
done
same "twenty boots in a row" 20 "$i"
pids=
for i in 1 2 3 4; do
	"$v" --timeout=600s -- sh -c "exit $i" </dev/null >/dev/null 2>&1 &
	pids="$pids $!"
done
sum=0
for p in $pids; do
	wait "$p"
	sum=$((sum + $?))
done
same "four at once, each with its own status" 10 "$sum"
finish
