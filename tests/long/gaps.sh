#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# gaps - all tests again, with the longest time that a CPU went without
# looking at its mailbox, in its own CPU time: at most a millisecond.
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
grep -a '^longest gap' "$t/err.\$\$" >>"$t/gaps"
grep -av '^longest gap' "$t/err.\$\$" >&2
rm "$t/err.\$\$"
exit \$status
E
chmod +x "$t/watched"

judge() {	# CLAIM STATUS
	sort -k3,3n "$t/gaps" | tail -n 3 | sed 's/^/# /'
	holds "$1: the tests pass" [ "$2" = 0 ]
	holds "$1: no gap above $limit us" awk -v limit="$limit" '$3 > limit { bad = 1 } END { exit bad || NR == 0 }' "$t/gaps"
}

for c in ${CPUS_LIST:-1 4}; do
	"$VKERNEL-test" -q -c "$c" --timeout=100s -a 'ktest gaps' </dev/null >"$t/out" 2>"$t/gaps"
	judge "kernel, $c cpus" $?
	for suite in user busybox; do
		: >"$t/gaps"
		CPUS=$c sh "scripts/run/$suite-tests" "$t/watched" "$BUILD" >"$t/out" 2>&1
		status=$?
		grep -av '^ok ' "$t/out" | sed 's/^/# /'
		judge "$suite, $c cpus" $status
	done
done
finish
