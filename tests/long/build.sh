#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# build - real builds below --root=/: the host's make and gcc, on the host's files.
#
# A generated project of 120 C files is made with make -j4 on the host, here
# with four processors and, if linux.uml is installed, on User Mode Linux with its one,
# in turns; what is compared is the time that make took, by the clock inside.
# Then this tree compiles itself, and every bit of it must be the host's.
#
#   ROUNDS=3
set -u
. tests/tap.sh
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
trap 'exit 130' INT TERM
files=120

if ! command -v gcc >/dev/null || ! command -v make >/dev/null; then
	skip "builds" "no gcc or no make"
	finish
	exit
fi

# ---- the project: each file has functions of its own, all include what programs include ----
steps() {	# N: a function for each step
	for k in 7 11 13 17 19 23 29 31; do
		cat <<E
static unsigned
step$k(const unsigned char *p, size_t len, unsigned h)
{
	for (size_t i = 0; i < len; i++) {
		h = (h ^ p[i]) * $((16777619 + 2 * $1 * k))u;
		if (h % $k == 3)
			h += (unsigned)strlen((const char *)p);
	}
	return h;
}
E
	done
}
a_file() {	# N
	printf '#include <%s.h>\n' stdio stdlib string unistd sys/stat
	echo '#include "p.h"'
	steps "$1"
	cat <<E
unsigned
f$1(const char *s)
{
	unsigned h = $1;
	unsigned char buf[128];

	snprintf((char *)buf, sizeof buf, "%s-%u", s, h);
E
	printf '	h = step%s(buf, strlen((char *)buf), h);\n' 7 11 13 17 19 23 29 31
	echo '	return h;'
	echo '}'
}
mkdir "$t/p"
for i in $(seq $files); do
	a_file "$i" >"$t/p/f$i.c"
	echo "unsigned f$i(const char *s);" >>"$t/p/p.h"
	echo "h ^= f$i(\"x\");" >>"$t/p/calls.h"
done
cat >"$t/p/main.c" <<'E'
#include <stdio.h>
#include "p.h"
int
main(int argc, char **argv)
{
	unsigned h = (unsigned)argc;

	(void)argv;
#include "calls.h"
	printf("%08x\n", h);
	return 0;
}
E
cat >"$t/p/Makefile" <<'E'
o := $(patsubst %.c,%.o,$(wildcard *.c))
p: $o
	gcc -o $@ $^
%.o: %.c p.h calls.h
	gcc -O2 -Wall -c -o $@ $<
E
# work DIR: what is measured.  It says how many ms make took, what the program says, and the sums.
cat >"$t/work" <<'E'
cd "$1" || exit 1
a=$(date +%s%N)
make -s -j4 || exit 1
b=$(date +%s%N)
echo "ms $(((b - a) / 1000000))"
./p
cat *.o p | sha256sum
make -s -n | wc -l
E
{
	echo '#!/bin/sh'
	echo "cp -r $t/p $t/uml && sh $t/work $t/uml >$t/out.uml 2>&1"
	echo 'busybox poweroff -f'
} >"$t/init"
chmod 755 "$t/init"
uml=$(command -v linux.uml || :)

inside() {
	"$VKERNEL" -q --root=/ -c 4 --timeout=600s -e PATH="$PATH" -- "$@"
}
run() {	# SYSTEM
	case $1 in
	host)
		cp -r "$t/p" "$t/host" && sh "$t/work" "$t/host"
		rm -rf "$t/host" ;;
	ours)
		inside sh -c "cp -r $t/p $t/ours && sh $t/work $t/ours" ;;
	uml)
		timeout -k 5 900 sh scripts/run/uml "$BUILD" mem=1G rootfstype=hostfs rootflags=/ rw quiet con=null ssl=null \
		    init="$t/init" PATH="$PATH" >/dev/null 2>&1
		cat "$t/out.uml"
		rm -rf "$t/uml" "$t/out.uml" ;;
	esac </dev/null
}
: >"$t/ms"
round=0
while [ $round -lt "${ROUNDS:-3}" ]; do
	round=$((round + 1))
	for s in host ours ${uml:+uml}; do
		run $s >"$t/said.$s" 2>"$t/err.$s" || sed 's/^/# /; 10q' "$t/err.$s"
		sed -n "s/^ms /$s /p" "$t/said.$s" >>"$t/ms"
		grep -v '^ms ' "$t/said.$s" >"$t/result.$s"
	done
	same "round $round: the same bits" "$(cat "$t/result.host")" "$(cat "$t/result.ours")"
done
sort -k1,1 -k2,2n "$t/ms" | awk '
	{ n[$1]++; v[$1, n[$1]] = $2 }
	END { for (s in n) print s, v[s, int((n[s] + 1) / 2)] }' >"$t/median"
sort "$t/median" | sed 's/^/# median, ms: /'
within() {	# A FACTOR B: A's time is at most FACTOR times B's
	awk -v a="$1" -v f="$2" -v b="$3" '
		{ m[$1] = $2 }
		END { printf "# %s/%s %.2f\n", a, b, m[a] / m[b]; exit !(m[a] <= f * m[b]) }' "$t/median"
}
holds "make -j4 takes at most 2.5 times the host's time" within ours 2.5 host
if grep -q '^uml ' "$t/median"; then
	holds "and a third of User Mode Linux's" within ours 0.3334 uml
else
	skip "and a third of User Mode Linux's" "no linux.uml, or it does not get through this here"
fi

# ---- this tree ----
mkdir "$t/tree"
cp -r Makefile LICENSE README.md hostkit platform scripts sys tests vkernel "$t/tree/"
cat >"$t/self" <<'E'
cd "$1" && make -s -j4 all >log 2>&1 || { tail -n 5 log; exit 1; }
find build -type f ! -name '*.d' | LC_ALL=C sort | xargs sha256sum
E
inside sh "$t/self" "$t/tree" >"$t/self.ours" 2>&1 </dev/null
sh "$t/self" "$t/tree" >"$t/self.host" 2>&1 </dev/null
n=$(wc -l <"$t/self.host")
same "this tree compiles itself: $n files" "$(cat "$t/self.host")" "$(cat "$t/self.ours")"
finish
