#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# idle - what a virtual kernel costs that does nothing.
#
# Memory is the proportional set size of all its processes; time is the
# scheduler's own count of all their threads over a minute.
set -u
. tests/tap.sh
seconds=${SECONDS_IDLE:-60}

# The process and all below it, whoever their parents are.
family() {
	ps -e -o pid= -o ppid= | awk -v root="$pid" '{ up[$1] = $2 }
	    END { for (p in up) { q = p; for (i = 0; i < 64 && q > 1 && q != root; i++) q = up[q]; if (q == root) print p } }'
}
cpu_ns() {
	for p in $(family); do
		cat "/proc/$p/task/"*/schedstat 2>/dev/null
	done | awk '{ s += $1 } END { printf "%.0f\n", s }'
}

idle() {	# PROCESSORS
	"$VKERNEL" -c "$1" --timeout=200s -- sleep 150 </dev/null >/dev/null 2>&1 &
	pid=$!
	sleep 3
	pss=$(for p in $(family); do cat "/proc/$p/smaps_rollup" 2>/dev/null; done | awk '$1 == "Pss:" { s += $2 } END { print s + 0 }')
	before=$(cpu_ns)
	sleep "$seconds"
	after=$(cpu_ns)
	used=$(((after - before) / seconds / 1000))
	echo "# $1 cpus: PSS $pss kB in $(family | wc -l) processes; $used us of CPU time a second"
	holds "$1 cpus: an idle kernel has at most 12 MB" [ "$pss" -gt 0 -a "$pss" -le 12288 ]
	holds "$1 cpus: and uses at most 0.1 % of a CPU" [ "$used" -le 1000 ]
	kill "$pid"
	wait "$pid"
}
idle 1
idle 4
finish
