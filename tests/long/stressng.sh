#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# stressng - stress-ng's stressors of six classes, each in a kernel of its own, judged by what the host does.
#
# No stressor may panic, hang or stop a kernel; of those that pass on the
# host nine in ten must pass here.  One that finds something missing and leaves
# it out has not passed.  On the host they run as nobody, with limits, and not
# those that are about its devices; here as root, and with what stress-ng holds to be
# dangerous.
#
# stressng.tsv: NAME, KIND, and for KIND
#   nohost   why it does not run on the host
#   fails    why it does not pass here; if it does that is a failure, too, so that the list stays true
#   nobody   why it does not run as root here
#   words    more words for stress-ng
#
#   SECONDS_EACH=5  INSTANCES=2  CPUS=4  MEMORY=2G  ONLY="fork pipe"
set -u
. tests/tap.sh
list=tests/long/stressng.tsv
seconds=${SECONDS_EACH:-5}
n=${INSTANCES:-2}
PATH=$PATH:/usr/sbin:/sbin

if ! command -v stress-ng >/dev/null; then
	skip "stress-ng" "not installed"
	finish
	exit
fi
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
trap 'exit 130' INT TERM
chmod 755 "$t"
mkdir -m 1777 "$t/scratch"

# listed NAME KIND: is it in the list?  What it says then.
listed() {
	awk -F'\t' -v name="$1" -v kind="$2" '
		$1 == name && $2 == kind { print $3; found = 1 }
		END { exit !found }' "$list"
}
# full STATUS FILE: it passed, and left nothing out.  7: only the figures that it counts are not to be
# trusted, since it killed a process of its own in the middle of counting, as on a loaded machine.
full() {
	case $1 in 0 | 7) ;; *) return 1 ;; esac
	! grep -aqE '^stress-ng: .*(skipp|not implemented|not supported|aborted early)' "$2"
}

on_host() {
	as=
	[ "$(id -u)" != 0 ] || as="setpriv --reuid=65534 --regid=65534 --clear-groups --"
	# shellcheck disable=SC2086
	(cd "$t/scratch" && exec $as prlimit --core=0 --nproc=2000 --as=3000000000 --fsize=2000000000 \
	    timeout -k 5 $((seconds * 4 + 30)) stress-ng $words --temp-path "$t/scratch") \
	    >"$t/host.$name" 2>&1 </dev/null
	full $? "$t/host.$name"
}

# how.NAME gets the machine's end, out.NAME what was said.
on_ours() {
	user=0:0
	! listed "$name" nobody >/dev/null || user=65534:65534
	script="PATH=$PATH; mkdir tmp.s && exec stress-ng $words --pathological --temp-path /tmp/tmp.s"
	"$VKERNEL" -q --root=/ -c "${CPUS:-4}" -m "${MEMORY:-2G}" -u $user -w /tmp \
	    --timeout=$((seconds * 10 + 60))s --status-fd=3 -- sh -c "$script" \
	    3>"$t/how.$name" >"$t/out.$name" 2>&1 </dev/null
	full $? "$t/out.$name"
}

judge() {
	name=$1
	words="--$name $n --timeout ${seconds}s --verify $(listed "$name" words)"
	host=no ours=no
	listed "$name" nohost >/dev/null || ! on_host || host=passes
	! on_ours || ours=passes
	if ! grep -q '"outcome":"exit"' "$t/how.$name" || grep -aq '^damselfly: ' "$t/out.$name"; then
		tap_result not "$name: the kernel lives"
		sed -n 's/^/# /; 1,60p' "$t/out.$name"
		return
	fi
	echo "$name $host $ours" >>"$t/sum"
	[ $host = passes ] || return
	if ! reason=$(listed "$name" fails); then
		same "$name" passes $ours
		[ $ours = passes ] || sed -n 's/^/# /; 1,10p' "$t/out.$name"
	elif [ $ours = passes ]; then
		tap_result not "$name passes: it should leave the list"
	else
		skip "$name" "$reason"
	fi
}

: >"$t/sum"
for class in filesystem memory vm pipe scheduler os; do
	stress-ng --class "$class?" 2>&1 | sed -n 's/.*stressors: //p' | tr ' ' '\n'
done | sort -u >"$t/names"
for name in ${ONLY:-$(cat "$t/names")}; do
	judge "$name"
done
echo "# $(wc -l <"$t/sum") stressors ran and their kernels lived"
awk '$2 == "passes" { n++; ok += $3 == "passes" }
    END { print "# of " n " that pass on the host " ok " pass here"; exit n == 0 || ok < 0.9 * n }' "$t/sum"
same "nine in ten of those that pass on the host" 0 $?
finish
