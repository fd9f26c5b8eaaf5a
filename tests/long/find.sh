#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# find - a walk through all of the host's /usr: on the host, here below --root=/,ro, and on User Mode Linux's hostfs.
#
# Everything is pinned to one host CPU.  Each system walks three times; the first walk warms its caches and is not
# counted.  Once more ours has two host CPUs to itself.
set -u
. tests/tap.sh
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
trap 'exit 130' INT TERM
cpu=$(($(nproc) - 1))
uml=$(command -v linux.uml || :)

# Says how many files there are, and how many ms each walk took.
cat >"$t/walk" <<'E'
for walk in 1 2 3; do
	a=$(date +%s%N)
	find /usr -type f | wc -l
	b=$(date +%s%N)
	[ $walk = 1 ] || echo "ms $(((b - a) / 1000000))"
done
E
{
	echo '#!/bin/sh'
	echo "sh $t/walk >$t/said.uml 2>&1"
	echo 'busybox poweroff -f'
} >"$t/init"
chmod 755 "$t/init"

inside() {	# SYSTEM OPTION...
	system=$1
	shift
	"$VKERNEL" -q --root=/,ro --timeout=300s "$@" -e PATH="$PATH" -- sh "$t/walk" >"$t/said.$system" 2>"$t/err.$system" </dev/null
}
on_uml() {
	timeout -k 5 300 taskset -c "$cpu" sh scripts/run/uml "$BUILD" mem=1G rootfstype=hostfs rootflags=/ rw quiet \
	    con=null ssl=null init="$t/init" PATH="$PATH" >/dev/null 2>&1 </dev/null
}
taskset -c "$cpu" sh "$t/walk" >"$t/said.host" 2>&1 </dev/null
inside ours "--host-cpus=$cpu"
[ "$cpu" -eq 0 ] || inside spin --spin "--host-cpus=$((cpu - 1)),$cpu"
[ -z "$uml" ] || on_uml

same "the same number of files as on the host" "$(grep -v '^ms' "$t/said.host")" "$(grep -v '^ms' "$t/said.ours")"
for said in "$t"/said.*; do
	awk -v s="${said##*.}" '$1 == "ms" { ms += $2; n++ } END { if (n) print s, ms / n }' "$said"
done >"$t/means"
sed 's/^/# mean of two walks, ms: /' "$t/means"
faster() {	# A FACTOR: A's walk takes at most a FACTORth of User Mode Linux's
	awk -v a="$1" -v f="$2" '{ m[$1] = $2 }
	    END { printf "# uml/%s %.2f\n", a, m["uml"] / m[a]; exit !(m["uml"] >= f * m[a]) }' "$t/means"
}
if [ -n "$uml" ]; then
	same "as User Mode Linux finds" "$(grep -v '^ms' "$t/said.host")" "$(grep -v '^ms' "$t/said.uml")"
	holds "a walk takes less time than on User Mode Linux" faster ours 1
	if [ "$cpu" -gt 0 ]; then
		holds "and with two host CPUs to itself at most two thirds" faster spin 1.5
	fi
else
	skip "a walk takes less time than on User Mode Linux" "no linux.uml"
fi
finish
