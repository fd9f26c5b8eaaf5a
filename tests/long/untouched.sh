#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# untouched - nothing on the host is written but what was shared.
#
# All of the host's files that are on the filesystems of / and of $TMPDIR are listed before and after every test that
# runs guests, most of which see the host's own root and are root in it: names, numbers, modes, owners,
# sizes, and when contents and attributes changed last.  Whoever else writes on this machine meanwhile spoils
# the result; it is told which file it was.  This tree and a folder for temporary files are left out, and so
# are the journals of the machine's own services.
set -u
. tests/tap.sh
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
trap 'exit 130' INT TERM
chmod 755 "$t"
mkdir -m 1777 "$t/tmp"		# some tests are another user
tree=$(pwd -P)
build=$(readlink -f "$BUILD")
real=$(readlink -f "$t")

everything() {
	find / "${TMPDIR:-/tmp}" -xdev \( -path "$tree" -o -path "$build" -o -path "$real" -o -path /var/log \) -prune -o \
	    -printf '%p %i %y %m %U:%G %s %T@ %C@\n' 2>/dev/null | LC_ALL=C sort -u -T "$t"
}

everything >"$t/before"
env TMPDIR="$t/tmp" sh scripts/run/tests "$BUILD" kernel user busybox system >"$t/tests" 2>&1 </dev/null
everything >"$t/after"
echo "# $(wc -l <"$t/before") files; $(tail -n 1 "$t/tests")"
same "the tests pass meanwhile" "" "$(grep FAIL "$t/tests")"
LC_ALL=C comm -3 "$t/before" "$t/after" >"$t/differ"
same "no file of the host has changed" "" "$(cat "$t/differ")"
finish
