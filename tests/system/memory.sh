#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# memory - more is wanted than there is, on every processor at once: who takes it is ended, nobody else is.
set -u
. tests/tap.sh
hungry='sleep 100 & s=$!
for i in 1 2 3 4; do (tail /dev/zero; echo $?) & p="$p $!"; done
wait $p; kill -0 $s && echo alive
seq 100000 | sort -r | tail -n 1'
for c in 1 4 16; do
	same "four want all of it on $c processors" '137 137 137 137 alive 1 ' \
	    "$("$VKERNEL" -c $c -m 128M --timeout=200s -- sh -c "$hungry" </dev/null 2>/dev/null | tr '\n' ' ')"
done
finish
