#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# det - deterministic mode: the same run again, what it says when nothing will come, and 200 seeds of the stress programs.
set -u
. tests/tap.sh
v=$VKERNEL

hash() {	# SEED CPUS COMMAND
	"$v" -v -c "$2" --deterministic --seed="$1" --timeout=600s -- sh -c "$3" 2>&1 </dev/null | grep -a '^event-hash'
}
work='for i in 1 2 3; do (ls -l /bin | sort | md5sum) & done; wait; date; dd if=/dev/urandom bs=64 count=2 2>/dev/null | md5sum'
for c in 1 2 4 16; do
	one=$(hash 7 $c "$work")
	holds "$c processors: there is a hash" [ -n "$one" ]
	same "$c processors: the same seed is the same run" "$one" "$(TERM=odd MORE=$work hash 7 $c "$work")"
done
holds "another seed is another run" [ "$(hash 1 4 "$work")" != "$(hash 2 4 "$work")" ]
same "status and output are the command's" '42 3' \
    "$("$v" -c 4 --deterministic -- sh -c 'echo $((6*7)); exit 3' </dev/null | tr '\n' ' ')$(
    "$v" -c 4 --deterministic -- sh -c 'exit 3' </dev/null; echo $?)"

# What a program can ask, from another folder, with another environment, pid and layout of addresses.
fingerprint() {	# COMMAND...
	"$@" -v -c 3 --deterministic --seed=5 --timeout=600s -- sh -c 'cat >/tmp/f; chmod +x /tmp/f; exec /tmp/f' \
	    <"$BUILD/stress/fingerprint" 2>&1
}
one=$(fingerprint "$v")
holds "a program reads its time stamp counter, which grows" sh -c 'echo "$1" | grep -q "^grows 1"' sh "$one"
v=$(realpath "$v")
BUILD=$(realpath "$BUILD")
same "no two runs can be told apart" "$one" "$(cd /usr && TERM=odd MORE=$work fingerprint setarch -R "$v")"
holds "but by the seed" [ "$one" != "$("$v" -v -c 3 --deterministic --seed=6 --timeout=600s -- sh -c \
    'cat >/tmp/f; chmod +x /tmp/f; exec /tmp/f' <"$BUILD/stress/fingerprint" 2>&1)" ]
same "the time limit is the host's" '124' \
    "$("$v" --deterministic --timeout=500ms -- sh -c 'while :; do (:); done' </dev/null >/dev/null 2>&1; echo $?)"
same "virtual time is not the host's" 'slept' "$("$v" -c 2 --deterministic --timeout=600s -- sh -c 'sleep 100000; echo slept' </dev/null)"
same "input from a file" "$(md5sum <"$v")" "$("$v" -c 4 --deterministic --timeout=600s -- md5sum <"$v")"
same "input from a pipe" 'word' "$( (sleep 0.2; echo word) | "$v" -c 4 --deterministic --timeout=600s -- cat)"
same "output into a slow pipe" '300000' \
    "$("$v" -c 4 --deterministic --timeout=600s -- sh -c 'yes | head -c 300000' </dev/null | (sleep 0.3; wc -c))"
same "a program that never enters the kernel is a hang" '121' \
    "$("$v" -c 2 --deterministic --timeout=600s -- sh -c 'while :; do :; done' </dev/null >/dev/null 2>&1; echo $?)"
same "a seed is a number" '125' "$("$v" --deterministic --seed=x -- true 2>/dev/null; echo $?)"
same "200 seeds of the stress programs" '200 of 200 seeds passed' "$(sh scripts/run/seeds "$v" "$BUILD" 1 200)"
same "40 seeds of the kernel's own tests" '40 of 40 seeds passed' "$(WORK=kernel sh scripts/run/seeds "$v" "$BUILD" 1 40)"
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
same "and they pass on the host" 'done' "$(TMPDIR=$t "$BUILD/stress/stress" all)"
finish
