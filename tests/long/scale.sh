#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# scale - one kernel with several processors against as many kernels with one.
#
# Processes that do independent work, as many as processors.  On the same host
# CPUs, in turns: one kernel with all of them, and one kernel for each at the
# same time, whose throughput is summed up.  Beside it what the host itself
# gains from its CPUs.  In each round both are measured within some seconds; the
# median of the rounds' ratios counts, because the host may have other work to do.
#
#   ROUNDS=5
set -u
. tests/tap.sh
t=$(mktemp -d /dev/shm/scale.XXXXXX)
trap 'rm -rf "$t"' EXIT
trap 'exit 130' INT TERM
bench=$BUILD/perf/bench
cpus=$(nproc)
[ "$cpus" -le 4 ] || cpus=4
printf 'dir /tmp 1777 0 0\ndir /dev 0755 0 0\ndir /proc 0755 0 0\nfile /bench 0755 0 0 %s\n' "$bench" >"$t/list"
"$BUILD/tools/mkcpio" "$t/list" >"$t/root.cpio"

kernel() {	# LOG PROCESSORS START VKERNEL_OPTION...
	log=$1 n=$2 start=$3
	shift 3
	"$VKERNEL" -q -c "$n" -m 192M --timeout=60s -r "$t/root.cpio" "$@" -- /bench -s "$n" "$start" </dev/null >"$log" 2>"$log.err"
}
start() {
	echo $(($(date +%s) + 2))
}
round=0
while [ "$round" -lt "${ROUNDS:-5}" ]; do
	round=$((round + 1))
	s=$(start)
	i=0
	while [ "$i" -lt "$cpus" ]; do
		kernel "$t/many.$round.$i" 1 "$s" --host-cpus="$i" &
		i=$((i + 1))
	done
	wait
	kernel "$t/one.$round" "$cpus" "$(start)" --host-cpus="0-$((cpus - 1))" -a tokens
	"$bench" -s 1 "$(start)" "$t" >"$t/host1.$round"
	"$bench" -s "$cpus" "$(start)" "$t" >"$t/hostn.$round"
done

awk -v cpus="$cpus" '
function median(name, what,   n, v, i, j, x) {
	n = 0
	for (i = 1; i <= rounds; i++)
		v[++n] = what == "ratio" ? r[name, "one", i] / r[name, "many", i] : \
		    what == "host" ? r[name, "hostn", i] / r[name, "host1", i] / cpus : r[name, what, i]
	for (i = 2; i <= n; i++)
		for (j = i; j > 1 && v[j] < v[j - 1]; j--) { x = v[j]; v[j] = v[j - 1]; v[j - 1] = x }
	return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
}
$1 == "RATE" {
	n = split(FILENAME, f, "/")
	split(f[n], p, ".")
	if (!($2 in seen)) { seen[$2] = 1; name[++names] = $2 }
	r[$2, p[1], p[2]] += $3
	if (p[2] > rounds) rounds = p[2]
}
END {
	printf "# %-20s %12s %12s %7s   %12s %12s %7s\n", "operations/s", cpus " kernels", "one kernel", "ratio", "host, 1", \
	    "host, " cpus, "/" cpus
	for (i = 1; i <= names; i++)
		printf "# %-20s %12.0f %12.0f %7.2f   %12.0f %12.0f %7.2f\n", name[i], median(name[i], "many"), \
		    median(name[i], "one"), median(name[i], "ratio"), median(name[i], "host1"), median(name[i], "hostn"), \
		    median(name[i], "host")
}' "$t"/many.*.? "$t"/one.? "$t"/host[1n].* >"$t/table"
cat "$t/table"
sort "$t"/one.*.err | awk '/^token / { w[$2] += $3; s[$2] += $5 }
    END { for (k in w) printf "# token %s %d waits, %d asleep\n", k, w[k], s[k] }'
for row in syscall touch-64-pages create-write-unlink pipe-round-trip fork-exit-wait; do
	holds "$row: one kernel does at least 0.75 of what $cpus do" \
	    awk -v row="$row" '$2 == row && $5 >= 0.75 { ok = 1 } END { exit !ok }' "$t/table"
done
finish
