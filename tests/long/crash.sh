#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# crash - each bug of tests/crash, planted in a copy of the tree, is found by seeds; but not on one processor.
#
# CRASH="name name" takes only those.  The line `work:` of a patch names the stress programs to run.
set -u
. tests/tap.sh
seeds=2000
root=$PWD
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
mkdir "$t/tree"
git ls-files | tar cf - -T - | tar xf - -C "$t/tree"
cd "$t/tree" || exit 1
make -j"$(nproc)" build/bin/vkernel build/stress/stress build/stress/mix >"$t/log" 2>&1 || { tail -n 3 "$t/log"; exit 1; }

find_it() {	# NAME WORK
	STATUS=255 LIMIT=60s WORK=$2 sh scripts/run/seeds build/bin/vkernel build 1 $seeds >"$t/out" 2>/dev/null && return 1
	echo "# $1: $(sed -n '/^seed/{s/: \/.* -- / /;p;n;p;q}' "$t/out" | tr -s '\n ' ' ')"
}

for name in ${CRASH:-$(ls "$root/tests/crash" | sed -n 's/\.patch$//p')}; do
	patch=$root/tests/crash/$name.patch
	work=$(sed -n 's/^work: //p' "$patch")
	if ! patch -p1 -F0 --no-backup-if-mismatch <"$patch" >"$t/log" 2>&1 ||
	    ! make -j"$(nproc)" build/bin/vkernel >>"$t/log" 2>&1; then
		tap_result not "$name can be planted"
		sed 's/^/# /' "$t/log"
	else
		holds "$name is found" find_it "$name" "$work"
		same "$name is not found with one processor" "$seeds of $seeds seeds passed" \
		    "$(CPUS=1 WORK=$work sh scripts/run/seeds build/bin/vkernel build 1 $seeds)"
	fi
	patch -R -p1 --no-backup-if-mismatch <"$patch" >/dev/null 2>&1
done
finish
