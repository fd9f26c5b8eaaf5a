#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# boots - a thousand in a row and a hundred at once, and nothing survives.
#
#   COUNT=1000 CROWD=100
set -u
. tests/tap.sh
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
reap=$BUILD/system/reap
count=${COUNT:-1000}
crowd=${CROWD:-100}

i=0
bad=0
while [ "$i" -lt "$count" ]; do
	i=$((i + 1))
	want="status $((i % 50)), survivors 0"
	got=$("$reap" "$VKERNEL" --timeout=60s -- sh -c "sleep 100 & exit $((i % 50))" 2>"$t/err" </dev/null)
	[ "$got" = "$want" ] && continue
	bad=$((bad + 1))
	echo "# boot $i: $got"
	sed 's/^/# /' "$t/err" | head -n 5
done
same "$count boots in a row" 0 "$bad"

i=0
while [ "$i" -lt "$crowd" ]; do
	i=$((i + 1))
	"$reap" "$VKERNEL" --timeout=300s -- sh -c "for a in 1 2 3; do sh -c 'exit 0'; done; exit $((i % 50))" \
	    >"$t/out.$i" 2>&1 </dev/null &
done
wait
bad=0
i=0
while [ "$i" -lt "$crowd" ]; do
	i=$((i + 1))
	[ "$(tail -n 1 "$t/out.$i")" = "status $((i % 50)), survivors 0" ] && continue
	bad=$((bad + 1))
	head -n 3 "$t/out.$i" | sed "s/^/# $i: /"
done
same "$crowd at once" 0 "$bad"
finish
