#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# gaps - all tests again, with the longest times that a CPU went without
# looking at its mailbox, in its own CPU time: at most a millisecond.
#
# A host that is a virtual machine loses milliseconds now and then, and books them on
# whoever runs.  So each suite runs twice: a gap of the kernel's is at the same place
# in both runs, and what counts is the shorter of the two.
#
# The runners get a command in place of vkernel that adds the kernel argument
# and keeps what it says at the end.  On a terminal it stays out of the way.
#
#   CPUS_LIST="1 4"  LIMIT_US=1000
set -u
. tests/tap.sh
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
trap 'exit 130' INT TERM
limit=${LIMIT_US:-1000}

cat >"$t/watched" <<E
#!/bin/sh
[ ! -t 2 ] || exec "$VKERNEL" "\$@"
"$VKERNEL" -a gaps "\$@" 2>"$t/err.\$\$"
status=\$?
grep -a '^gap: ' "$t/err.\$\$" >>"$t/gaps"
grep -av '^gap: ' "$t/err.\$\$" >&2
rm "$t/err.\$\$"
exit \$status
E
chmod +x "$t/watched"

# places FILE: microseconds and where, the longest of each place.
places() {
	sed -n 's/^gap: \([0-9]*\) us, /\1 /p' "$1" | awk '
		{ us = $1; sub(/^[0-9]* /, ""); if (us > most[$0]) most[$0] = us }
		END { for (p in most) print most[p] "\t" p }'
}
both() {	# in both runs: the shorter of the two
	places "$t/gaps.1" >"$t/places.1"
	places "$t/gaps.2" | awk -F '\t' -v OFS='\t' '
		FNR == NR { first[$2] = $1; next }
		$2 in first { print ($1 < first[$2] ? $1 : first[$2]), $2 }' "$t/places.1" - | sort -rn
}
run() {		# CPUS SUITE
	: >"$t/gaps"
	if [ "$2" = kernel ]; then
		"$VKERNEL-test" -q -c "$1" --timeout=100s -a 'ktest gaps' </dev/null >"$t/out" 2>"$t/gaps"
		return
	fi
	CPUS=$1 sh "scripts/run/$2-tests" "$t/watched" "$BUILD" >"$t/out" 2>&1
}

for c in ${CPUS_LIST:-1 4}; do
	for suite in kernel user busybox; do
		for round in 1 2; do
			run "$c" $suite
			holds "$suite, $c cpus, run $round: the tests pass" [ $? = 0 ]
			grep '^not ok' "$t/out" | sed 's/^/# /'
			mv "$t/gaps" "$t/gaps.$round"
		done
		both >"$t/both"
		echo "# in one run: $(cat "$t/gaps.1" "$t/gaps.2" | sort -k2,2rn | head -n 1)"
		sed 's/^/# in both: /; 3q' "$t/both"
		holds "$suite, $c cpus: no gap above $limit us" \
		    awk -v limit="$limit" '$1 > limit { bad = 1 } END { exit bad || NR == 0 }' "$t/both"
	done
done
finish
