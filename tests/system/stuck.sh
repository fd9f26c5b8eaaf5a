#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# stuck - a CPU of the kernel that makes no progress is told of, once, and nobody else is blamed for it.
set -u
. tests/tap.sh
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
vk=$BUILD/bin/vkernel-test
argument='stuck ktest=a_cpu_without_progress_is_told'

"$vk" -q -c 4 --timeout=400s -a "$argument" >"$t/out" 2>"$t/err" </dev/null
same "a CPU that loops in the kernel is told of, and goes on" 0 $?
same "once" 1 "$(grep -c '^damselfly: no progress' "$t/err")"
# What is said of CPU $1.
of() {
	awk -v cpu="$1" '/^cpu / { on = $2 == cpu } on' "$t/err"
}
holds "it does not take its mail" sh -c "echo '$(of 3)' | grep -q 'critical section, and does not take its mail'"
holds "it has a token" sh -c "echo '$(of 3)' | grep -q 'with token of the test'"
holds "names and lines are there" sh -c "echo '$(of 3)' | grep -q 'loop_until_told+.*tests/kernel/stuck_test.c:'"
holds "who waits for its spin is shown" sh -c "echo '$(of 1)' | grep -q 'spin_lock+'"
holds "who waits for its answer, too" sh -c "echo '$(of 2)' | grep -q 'ipi_call+'"
same "but that one takes its mail" 0 "$(of 2 | grep -c 'take its mail')"
sed 's/^/# /' "$t/err" | head -n 40

"$vk" -q -c 1 --timeout=400s -a "$argument stuck-ends" >"$t/out" 2>"$t/err" </dev/null
same "the only CPU, and the argument that makes it the end" 121 $?
holds "it says where" grep -q 'loop_until_told+' "$t/err"

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
