#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# load - what a parallel build does, for minutes, in two kernels at once.
#
# Rounds of the same work: generate sources, "compile" them with xargs -P,
# pipelines, an archive through gzip and back, jobs in the background.  Each ends in one
# checksum over all files, which must be what the same script says on the host.
#
#   SECONDS_LOAD=600  CPUS=4
set -u
. tests/tap.sh
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
trap 'exit 130' INT TERM
seconds=${SECONDS_LOAD:-600}

cat >"$t/work" <<'E'
# work SECONDS EXPECTED: rounds until the time is over, at least one; without EXPECTED one round, its sum is said.
round() {
	mkdir src obj copy && seq 1 48 | xargs -P 6 -n 1 sh -c 'awk -v n="$1" "BEGIN {
		for (i = 0; i < 400 + n * 10; i++) { n = (n * 1103515245 + 12345) % 65536; print n % 977, \"line\", i, n } }" >src/$1.c' sh
	ls src | xargs -P 8 -n 3 sh -c 'for f; do
		sort -n src/$f | uniq -c | tee obj/$f.lst | sed "s/line/LINE/" | gzip -c >obj/$f.gz; done' sh
	cat obj/*.lst | awk '{ s += $1 * $2 } END { print s }' >sum
	for p in 1 2 3 4; do
		(cat src/*$p.c | tr a-z A-Z | head -c 100000 | md5sum >part.$p) &
	done
	tar -cf - src | gzip -1 | gzip -d | tar -xf - -C copy
	wait
	find obj -name "*.gz" | xargs -P 4 -n 4 gzip -d
	(yes | head -n 5000; seq 1 5000) | while read -r x; do echo $x; done | sort | uniq | wc -l >many
	find . -type f | sort | xargs -P 4 -n 7 sha256sum | sort | sha256sum | cut -c1-64
	rm -rf src obj copy sum many part.*
}
if [ $# = 1 ]; then
	round
	exit
fi
end=$(($(date +%s) + $1))
n=0
while [ $n = 0 ] || [ "$(date +%s)" -lt $end ]; do
	got=$(round 2>&1)
	n=$((n + 1))
	if [ "$got" != "$2" ]; then
		echo "round $n: $got"
		exit 1
	fi
done
echo "$n rounds"
E

mkdir "$t/bin" "$t/w"
busybox --install -s "$t/bin"
want=$(cd "$t/w" && env -i PATH="$t/bin" "$t/bin/sh" "$t/work" 0 2>&1)
holds "the host does it: ${#want} digits" [ ${#want} = 64 ]
for k in 1 2; do
	"$VKERNEL" -q -c "${CPUS:-4}" -m 256M --timeout=$((seconds + 300))s -w /tmp -- sh -s "$seconds" "$want" \
	    <"$t/work" >"$t/out.$k" 2>"$t/err.$k" &
	eval "pid$k=$!"
done
# shellcheck disable=SC2154
for k in 1 2; do
	eval "wait \$pid$k"
	status=$?
	tail -n 3 "$t/out.$k" "$t/err.$k" | sed 's/^/# /'
	same "kernel $k of 2: each round's sum is the host's" 0 $status
done
finish
