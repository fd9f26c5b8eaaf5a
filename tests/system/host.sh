#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# host - hosts that lack something, or are short of it: status 125 and one line
# that names it, or it works all the same.
set -u
. tests/tap.sh
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
deny=$BUILD/system/deny
reap=$BUILD/system/reap
v="$VKERNEL --timeout=600s"

lacks() {	# CLAIM PATTERN COMMAND...
	claim=$1
	pattern=$2
	shift 2
	"$@" >"$t/out" 2>"$t/err" </dev/null
	same "$claim: 125" 125 "$?"
	if grep -qiE "^vkernel: .*$pattern" "$t/err"; then
		tap_result ok "$claim: names it"
	else
		tap_result not "$claim: names it"
		head -n 3 "$t/err" | sed 's/^/# /'
	fi
}
works() {	# CLAIM COMMAND...
	claim=$1
	shift
	"$@" >"$t/out" 2>"$t/err" </dev/null
	same "$claim" "7" "$?"
	[ ! -s "$t/err" ] || head -n 3 "$t/err" | sed 's/^/# /'
}

# shellcheck disable=SC2086
{
	lacks "a host without memfd_create" 'memfd' "$deny" 319 $v -- true
	lacks "a host without seccomp filters" 'seccomp' "$deny" 317,157=22 $v -- true
	works "a host without execveat" "$deny" 322 $v -- sh -c 'exit 7'
	lacks "too few descriptors" 'descriptor|open files|too many' sh -c 'ulimit -n 6; exec "$@"' sh $v -- true
	works "not many descriptors" sh -c 'ulimit -n 24; exec "$@"' sh $v -- sh -c 'exit 7'
	lacks "too small an address space" 'memory|address' sh -c 'ulimit -v 20000; exec "$@"' sh $v -- true
	works "a host without name_to_handle_at, io_uring, bpf" "$deny" 303,425,321 $v -- sh -c 'exit 7'
	works "a host that refuses to collapse memory" "$deny" 28=22 $v -- sh -c 'exit 7'
	works "a host that lets nobody choose processors" "$deny" 203=1 $v -- sh -c 'exit 7'
	works "no core files, no locked memory" sh -c 'ulimit -c 0; ulimit -l 0; exec "$@"' sh $v -- sh -c 'exit 7'
	if command -v unshare >/dev/null 2>&1 && unshare -Ur true 2>/dev/null; then
		works "inside a user namespace" unshare -Ur $v -- sh -c 'exit 7'
		works "inside a pid namespace, as its first process" unshare -Urpf --mount-proc $v -- sh -c 'exit 7'
	else
		skip "inside a user namespace" "not allowed here"
	fi
	if command -v strace >/dev/null 2>&1; then
		works "under strace" strace -f -o "$t/trace" $v -- sh -c 'exit 7'
	else
		skip "under strace" "no strace"
	fi
	if command -v gdb >/dev/null 2>&1; then
		gdb -q -batch -ex 'handle all nostop noprint pass' -ex run --args $v -- sh -c 'exit 7' >"$t/gdb" 2>&1 </dev/null
		holds "under GDB" grep -q 'exited with code 07' "$t/gdb"
	else
		skip "under GDB" "no gdb"
	fi
	same "a start that fails half-way leaves nothing behind" 'status 125, survivors 0' \
	    "$("$reap" "$deny" 222 "$VKERNEL" -- true 2>/dev/null </dev/null | tail -n 1)"
}
finish
