#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# sample - where time goes, by samples of a kernel that runs: folded stacks of the program's functions and the
# kernel's below them.  A guest that spends its time by its own clock says what is to be found.
set -u
. tests/tap.sh
v=$VKERNEL
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
name=sample$$
mkdir "$t/s"
cp "$BUILD/guest/sampled" "$t/s"

# sampled TRACE_ARGUMENTS -- VKERNEL ARGUMENTS: a kernel is sampled until it ends, or for so long; then the guest is
# asked to end.
sampled() {
	watch=
	rm -f "$t/s/stop"
	while [ "$1" != -- ]; do
		watch="$watch $1"
		shift
	done
	shift
	began=$(date +%s)
	"$@" </dev/null >"$t/out" 2>&1 &
	child=$!
	until "$v" ps | grep -q " $name " || ! kill -0 $child 2>/dev/null; do sleep 0.1; done
	# shellcheck disable=SC2086
	"$v" trace "$name" $watch -o "$t/x.folded" 2>"$t/err"
	watched=$?
	took=$(($(date +%s) - began + 1))
	: >"$t/s/stop"
	wait $child
}
# How many samples have this text in their stack.  Shares would be those of the host's clock, and of who else is busy.
met() { awk -v e="$1" 'index($0, e) > 0 { n += $NF } END { print n + 0 }' "$t/x.folded"; }
between() { [ "$2" -ge "$1" ] && [ "$2" -le "$3" ]; }	# LEAST VALUE MOST

sampled --hz=199 --for=4 -- "$v" -q -c 2 -n "$name" "--share=$t/s:/s" --timeout=600s -- /s/sampled /s/stop
same "the guest ends as it would" "0 0" "$watched $(grep -c . "$t/out")"
said=$(sed -n 's/^vkernel: \([0-9]* samples, [0-9]* pieces lost\)$/\1/p' "$t/err")
case $said in
*' samples, 0 '*) same "each sample is written down" "$(met ' ') samples, 0 pieces lost" "$said" ;;
*) skip "each sample is written down" "$said" ;;
esac
holds "there are some, and not more than were asked for" between 40 "$(met ' ')" $((2 * 199 * took))
same "each line is a stack and a number" "" "$(grep -vE '^[^ ;]+(;[^;]+)+ [0-9]+$' "$t/x.folded" | head -n 3)"
holds "its stacks go from its beginning to where it was" grep -qE '^sampled;.*main;computes;inner [0-9]+$' "$t/x.folded"
holds "much of the time is where it computes" [ "$(met ';main;computes;inner')" -ge 20 ]
holds "some is in its system calls" [ "$(met ';main;calls;reader')" -ge 5 ]
holds "and there in the kernel, function by function" grep -qE \
    ';main;calls;reader;.*;lwp_run_\[k\];.*;sys_read_\[k\];' "$t/x.folded"

# What the host's own dynamic programs are: functions that their libraries export, and else the files.
sampled --hz=199 --for=3 -- "$v" -q -n "$name" --root=/ --timeout=5s -- \
    sh -c 'i=0; while :; do i=$((i + 1)); [ $((i % 1000)) != 0 ] || ls /usr/bin >/dev/null; done'
holds "a dynamic program that has no symbols is its file" grep -q '^sh;.*\[dash\]' "$t/x.folded"
holds "another is told as soon as it is executed" grep -q '^ls;' "$t/x.folded"
holds "libraries have the functions that they export" grep -qE '^(sh|ls);.*(mem|str|mbr|read|_dl|fork|qsort)[a-z]*' "$t/x.folded"

# A kernel at rest.
sampled --for=3 -- "$v" -q -n "$name" --timeout=5s -- sleep 60
holds "a kernel at rest is left alone" between 0 "$(sed -n 's/^vkernel: \([0-9]*\) samples.*/\1/p' "$t/err")" 10

# A kernel without programs.
sampled --hz=199 --for=4 -- "$BUILD/bin/vkernel-test" -q -c 4 -n "$name" --timeout=9s -a ktest
holds "threads of the kernel have their names" grep -qE '^[a-z][^;]*;(.*;)?thread_main_\[k\];' "$t/x.folded"
same "and only the kernel's frames" "" "$(grep -vE '^[^;]+(;[^;]+_\[k\])+ [0-9]+$' "$t/x.folded" | head -n 3)"

sampled --for=1 -- "$v" -q -n "$name" --deterministic --timeout=5s -- sh -c 'while :; do :; done'
same "a deterministic kernel says that it cannot" "125 yes" \
    "$watched $(grep -q 'deterministic' "$t/err" && echo yes)"
"$v" trace "$name" --hz=0 -o "$t/y.folded" 2>"$t/err"
same "a rate that is none" "125 yes" "$? $(grep -q 'not like that' "$t/err" && echo yes)"
finish
