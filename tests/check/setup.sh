#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# setup - what the machine lacks is named, and installed if we may.
#
# The commands that it finds are a folder of links to the real ones, without
# some, and with an apt-get that only writes down what it was asked for.
set -u
. tests/tap.sh
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
setup=$PWD/scripts/run/setup
mkdir "$t/bin"
for f in /usr/bin/* /bin/*; do
	ln -s "$f" "$t/bin/" 2>/dev/null
done
rm -f "$t/bin/sudo" "$t/bin/apt-get" "$t/bin/musl-gcc" "$t/bin/id"
fake() {	# NAME: a command of this shell text, read from standard input
	rm -f "$t/bin/$1"
	{ echo '#!/bin/sh'; cat; } >"$t/bin/$1"
	chmod +x "$t/bin/$1"
}
in_world() {	# TARGET
	env PATH="$t/bin" CC=gcc sh "$setup" "$1" >"$t/out" 2>&1 </dev/null
}

fake id <<'E'
echo 1000
E
in_world test
same "without apt-get it stops" 1 "$?"
holds "and names what is missing" grep -q 'missing packages: musl-tools$' "$t/out"

fake apt-get <<E
echo "\$@" >>$t/asked
E
in_world test
same "without root or sudo it stops" 1 "$?"
holds "and says what root would do" grep -q 'run as root: apt-get install musl-tools' "$t/out"

fake id <<'E'
echo 0
E
fake apt-get <<E
echo "\$@" >>$t/asked
case " \$* " in *" install "*) ln -sf /bin/true $t/bin/musl-gcc ;; esac
E
in_world test
same "as root it installs and goes on" 0 "$?"
holds "exactly what was missing" grep -q 'install .* musl-tools$' "$t/asked"
: >"$t/asked"
in_world test
same "nothing missing: nothing said" '0 ' "$? $(cat "$t/out")"
same "nothing missing: nothing asked" '' "$(cat "$t/asked")"

rm -f "$t/bin/musl-gcc"
in_world run
same "make run needs no test tools" 0 "$?"
fake apt-get <<E
echo "E: no network" >&2
exit 100
E
in_world test
same "when installing fails it stops" 1 "$?"
holds "and shows why" grep -q 'no network' "$t/out"
finish
