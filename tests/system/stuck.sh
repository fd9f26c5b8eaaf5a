#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# stuck - a CPU of the kernel that makes no progress is told of, once, and nobody else is blamed for it.
set -u
. tests/tap.sh
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
argument='stuck ktest=a_cpu_without_progress_is_told'

# What is said of CPU $1.
of() {
	awk -v cpu="$1" '/^cpu / { on = $2 == cpu } on' "$t/err"
}

told() {	# WHERE COMMAND...
	where=$1
	shift
	"$@" -q -c 4 --timeout=400s -a "$argument" >"$t/out" 2>"$t/err" </dev/null
	same "$where: a CPU that loops in the kernel is told of, and goes on" 0 $?
	same "once" 1 "$(grep -c '^damselfly: no progress' "$t/err")"
	holds "it does not take its mail" sh -c "echo '$(of 3)' | grep -q 'critical section, and does not take its mail'"
	holds "it has a token" sh -c "echo '$(of 3)' | grep -q 'with token of the test'"
	holds "names and lines are there" sh -c "echo '$(of 3)' | grep -q 'loop_until_told+.*tests/kernel/stuck_test.c:'"
	holds "who waits for its spin is shown" sh -c "echo '$(of 1)' | grep -q 'wait_for_the_spin+'"
	holds "who waits for its answer, too" sh -c "echo '$(of 2)' | grep -q 'wait_for_the_call+'"
	same "but that one takes its mail" 0 "$(of 2 | grep -c 'take its mail')"
	sed 's/^/# /' "$t/err" | head -n 40

	"$@" -q -c 1 --timeout=400s -a "$argument stuck-ends" >"$t/out" 2>"$t/err" </dev/null
	same "the only CPU, and the argument that makes it the end" 121 $?
	holds "it says where" grep -q 'loop_until_told+' "$t/err"
}
told "the virtual kernel" "$BUILD/bin/vkernel-test"
if command -v qemu-system-x86_64 >/dev/null; then
	KERNEL=$BUILD/pc64/kernel-test.elf told "a PC" sh scripts/run/pc64
else
	skip "a PC" "no qemu-system-x86_64"
fi

# A machine that waits for the host uses no time of its own.
"$VKERNEL" -c 4 --timeout=400s -- sh -c 'for i in 1 2 3 4; do (while :; do :; done) & done; sleep 2; kill $(jobs -p)' \
    </dev/null >"$t/out" 2>"$t/err" &
pid=$!
sleep 1
kill -STOP $pid
sleep 1
kill -CONT $pid
wait $pid
same "busy guests and a machine that was stopped are nothing to tell" '' "$(cat "$t/err")"
finish
