#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# fair - limits on speed that do not depend on the machine's.
#
# Start-up, and eight kernels at once on the host's CPUs, each within 1.3 times
# its fair share.
set -u
. tests/tap.sh
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
bench=$BUILD/perf/bench
cpus=$(nproc)
many=$((cpus * 2))

i=0
while [ $i -lt 21 ]; do
	i=$((i + 1))
	for c in 1 4; do
		"$bench" -w 1 "$VKERNEL" -c $c -- true </dev/null | awk '{ print $3 / 1e6 }' >>"$t/start.$c"
	done
	"$bench" -w 1 "$VKERNEL" --root=/ -- /bin/true </dev/null | awk '{ print $3 / 1e6 }' >>"$t/start.root"
done
middle() {
	sort -n "$1" | sed -n 11p
}
ms=$(middle "$t/start.1")
ms4=$(middle "$t/start.4")
root=$(middle "$t/start.root")
rm "$t"/start.*
echo "# start to exit: $ms ms; with 4 processors $ms4 ms; on the host's root $root ms"
holds "vkernel -- true takes at most 40 ms" awk "BEGIN { exit !($ms <= 40) }"
holds "and with 4 processors at most 10 ms more" awk "BEGIN { exit !($ms4 <= $ms + 10) }"
holds "and --root=/ -- /bin/true at most 60 ms" awk "BEGIN { exit !($root <= 60) }"

# A fixed amount of work with system calls, forks and computing: some seconds, because a place on the host is judged
# a few times a second only.
work='i=0; while [ $i -lt 1500 ]; do (exit 0); i=$((i+1)); done; i=0; while [ $i -lt 1500000 ]; do i=$((i+1)); done'
one() {
	s=$(date +%s%N)
	"$VKERNEL" --timeout=300s -- sh -c "$work" </dev/null >/dev/null 2>&1 || echo 999999999999
	echo $(($(date +%s%N) - s))
}

# at_once N: how long each of them takes.
at_once() {
	i=0
	while [ $i -lt "$1" ]; do
		one >"$t/$i" &
		i=$((i + 1))
	done
	wait
	cat "$t"/*
}

# Host CPUs may be threads of fewer cores: what a kernel takes is measured with all of them busy.
alone=$(at_once "$cpus" | sort -n | sed -n "$(((cpus + 1) / 2))p")
slowest=$(at_once $many | sort -n | tail -n 1)
share=$(awk "BEGIN { printf \"%.2f\", $slowest / ($alone * $many / $cpus) }")
echo "# one for each of $cpus CPUs $((alone / 1000000)) ms; slowest of $many $((slowest / 1000000)) ms: $share of its fair share"
holds "$many kernels at once: each within 1.3 times its fair share" awk "BEGIN { exit !($share <= 1.3) }"
finish
