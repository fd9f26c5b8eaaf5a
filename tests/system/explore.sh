#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# explore - all interleavings of messages, wake-ups and sleep, on CPUs with store buffers.
set -u
. tests/tap.sh
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT

run() {	# COPY SCENARIO [sc]
	"$BUILD/explore/$1/explore" $2 ${3:-} >"$t/out" 2>"$t/err"
	status=$?
	sed 's/^/# /' "$t/out"
}
sound() {	# CLAIM COPY SCENARIO [sc]
	claim=$1
	shift
	run "$@"
	same "$claim" 0 "$status"
}
found() {	# CLAIM COPY SCENARIO
	claim=$1
	shift
	run "$@"
	same "found: $claim" 1 "$status"
}

for s in 0 1 2 3 4 5 6 7 8; do
	sound "scenario $s of what ships" none $s
done
found "an end compared with equality, passed by a nested reader" equality 11
found "room and use exchanged, a ring overflows" hysteresis 11
found "a sender waits where only passive messages lie, and does not kick" nokick 3
sound "and its kick alone is enough" lazy 3
found "the bit of a ring cleared too late" pending 3
found "the mailbox cleared too late" mailbox 3
found "what a send answered in the window before sleep is slept over" interlock 6
found "a kick without a fence" fence 0
sound "which is no bug without store buffers" fence 0 sc
finish
