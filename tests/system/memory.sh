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
	    "$("$VKERNEL" -c $c -m 128M --timeout=600s -- sh -c "$hungry" </dev/null 2>/dev/null | tr '\n' ' ')"
done
# While what those had is on its way back, others want a little.
others='for k in 1 2 3; do
	(for i in 1 2 3 4 5 6 7 8 9 10; do /bin/true || echo killed; usleep 20000; done) & p="$p $!"
done
for i in 1 2 3 4; do tail /dev/zero & p="$p $!"; done
wait $p; echo end'
same "nobody else is ended meanwhile" end \
    "$("$VKERNEL" -c 4 -m 64M --timeout=600s -- sh -c "$others" </dev/null 2>/dev/null)"
finish
