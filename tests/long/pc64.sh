#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# pc64 - a PC in QEMU in all 24 configurations: the tests of tests/system/pc64-matrix.sh; boots in a row, each of which
# ends by itself; and the kernel's tests on four processors, round after round, with locks watched.
#
#   BOOTS=100 MINUTES=30 CONFIGURATIONS="1/q35/seabios/virtio ..."  JOBS=2
set -u
. tests/pc64.sh
begin "a PC in all configurations"
boots=${BOOTS:-100}
minutes=${MINUTES:-30}
if [ -z "${CONFIGURATIONS:-}" ]; then
	CONFIGURATIONS=$(for c in 1 4; do for m in q35 pc; do for f in seabios ovmf; do for d in virtio ahci nvme; do
		echo "$c/$m/$f/$d"; done; done; done; done)
fi
BAD_ARGS=$CONFIGURATIONS
export CONFIGURATIONS BAD_ARGS JOBS

sh tests/system/pc64-matrix.sh >"$t/matrix" 2>&1
status=$?
grep -aA 12 '^not ok' "$t/matrix" | sed 's/^/# /'
same "$(echo "$CONFIGURATIONS" | wc -w) configurations do as the virtual kernel and the host" 0 "$status"

# Each boot that did not end well is told in DIR/bad.
boots() {	# CONFIGURATION DIR
	truncate -s 4M "$2/disk"
	configure "$1" "$2/disk"
	: >"$2/bad"
	for i in $(seq "$boots"); do
		sh scripts/run/pc64 --timeout=120s -c "$CPUS" -m 256M -- true >"$2/out" 2>&1 </dev/null ||
		    printf '%s\n' "boot $i: status $?" "$(tail -n 5 "$2/out" | tr -d '\r')" >>"$2/bad"
	done
}
# shellcheck disable=SC2086
each boots $CONFIGURATIONS
for c in $CONFIGURATIONS; do
	same "$boots boots: $c" "" "$(cat "$(dir boots "$c")/bad")"
done

truncate -s 4M "$t/disk"
configure 4/q35/none/nvme "$t/disk"
end=$(($(date +%s) + minutes * 60))
rounds=0
status=0
while [ "$status" = 0 ] && [ "$(date +%s)" -lt "$end" ]; do
	KERNEL=$BUILD/pc64/kernel-test.elf sh scripts/run/pc64 --timeout=600s -q -c "$CPUS" -m 256M -a 'ktest witness' \
	    >"$t/out" 2>&1 </dev/null
	status=$?
	rounds=$((rounds + 1))
done
[ "$status" = 0 ] || grep -a '^not ok\|^#' "$t/out" | sed 's/^/# /'
same "the kernel's tests on $CPUS processors for $minutes minutes, $rounds rounds" 0 "$status"
finish
