#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# planted - three bugs that were put into the kernel of tests are found by the commands of docs/debugging.md: in a kernel
# that runs, and in its core.
set -u
. tests/tap.sh
v=$VKERNEL
vt=$BUILD/bin/vkernel-test
name=planted$$
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
if ! command -v gdb >/dev/null; then
	skip "planted bugs" "no gdb"
	finish
	exit
fi

running() {	# KERNEL_ARGUMENTS
	"$vt" -q -c 2 -n "$name" --timeout=600s -a "$1" -- sleep 1000 </dev/null >"$t/out" 2>&1 &
	child=$!
	until "$v" ps | grep -q " $name " || ! kill -0 $child 2>/dev/null; do sleep 0.1; done
}
ended() {
	kill $child
	wait $child
}
vk() {	# ID|CORE GDB_COMMAND...
	id=$1
	shift
	for c; do
		set -- "$@" -ex "$c"
		shift
	done
	timeout -k 5 600 "$vt" gdb "$id" -batch "$@" 2>"$t/gdb.err" </dev/null
}
until_said() {	# WORDS COMMAND: asked again and again
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		vk "$name" "$2" >"$t/said"
		! grep -q "$1" "$t/said" || return 0
		sleep 0.5
	done
	return 1
}

running plant=deadlock
circle='^cycle: [0-9]* archivist --lk test 0x[0-9a-f]*--> [0-9]* guard --lk test 0x[0-9a-f]*--> [0-9]* clerk --reply to message 0x[0-9a-f]*, taken from port 0x[0-9a-f]*--> [0-9]* archivist$'
holds "a deadlock: vk waits names its threads, its locks and its message" until_said "$circle" "vk waits"
holds "it is dumped" "$vt" dump "$name" -o "$t/core$child"
ended
holds "and named in the core" sh -c 'grep -q "$1" <<E
$2
E' - "$circle" "$(vk "$t/core$child" "vk waits")"
guard=$(vk "$t/core$child" "vk threads" | awk '/ guard / { print $1 }')
holds "with the lines of the source where a thread of it waits" sh -c 'case $1 in
*"lk_excl (sys/kern/lwkt/lock.c:"*"guard (tests/kernel/planted.c:"*) ;; *) exit 1 ;; esac' - "$(vk "$t/core$child" "vk bt $guard")"

running "plant=corruption kmem_debug"
wrong='^kernel_objects: object 0x[0-9a-f]* of 100 bytes, allocated by ktest_corruption (tests/kernel/planted.c:[0-9]*), was written past its end: at 0x[0-9a-f]* is'
holds "a corruption: vk check names the object and who allocated it" until_said "$wrong" "vk check"
at=$(sed -n 's/^kernel_objects.* at \(0x[0-9a-f]*\) is.*/\1/p' "$t/said")
same "a watchpoint finds who writes there" "write_letter" \
    "$(vk "$name" "watch *(char *)$at" continue bt | grep -o '^#0 .*write_letter' | grep -o 'write_letter')"
holds "it is dumped" "$vt" dump "$name" -o "$t/core$child"
ended
holds "and the object is found in the core" sh -c 'grep -q "$1" <<E
$2
E' - "$wrong" "$(vk "$t/core$child" "vk check")"
same "by an address that lies in it, too" "100 bytes were asked for" "$(vk "$t/core$child" "vk kmem $at" | grep 'asked for')"

running "plant=leak kmem_debug"
holds "a leak: vk kmem has it above all others" until_said "^ *[0-9]\{4,\} *[0-9]* porter\|visit_note" "vk kmem"
first=$(awk '/planted.c/ { print $1 }' "$t/said")
same "as its first line" "yes" "$(awk '/OBJECTS/ { getline; print /planted.c/ ? "yes" : $0 }' "$t/said")"
sleep 1
more=$(vk "$name" "vk kmem" | awk '/planted.c/ { print $1 }')
holds "which grows" test "$more" -gt "$first"
holds "it is dumped" "$vt" dump "$name" -o "$t/core$child"
ended
holds "and is in the core" sh -c 'test "$(echo "$1" | awk "/planted.c/ { print \$1 }")" -ge "$2"' - "$(vk "$t/core$child" "vk kmem")" "$more"
finish
