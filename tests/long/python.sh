#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# python - Debian's test suite of Python, file by file, on the host and on our
# kernel.
#
# The oracle is the host without a network: there as here only sockets of
# AF_UNIX can be made.  What passes there must pass here, case by case.  What
# does not is listed in tests/system/expect.tsv: a file or a case, and why.
# One that is listed and passes nevertheless fails this test, too.
#
#   FILES="test_os test_io"  only these        JOBS=N  so many at once
#   LOGS=DIR                 what they print is kept there
set -u
. tests/tap.sh
python=/usr/bin/python3.11
limit=600

# Cases that without a network wait for ever, on any host.
waits='-i test_drain_raises -i "test_listen_*" -i "*Server*TestCase*" -i RequestHandlerLoggingTestCase'
waits="$waits -i '*PicklingConnections.test_pickling'"

# What runs on both sides, in a folder of its own: status, log and the results, in this order.
inside="mkdir tmp; $python -m test --junit-xml=r.xml $waits"' "$0" >log 2>&1
    echo "status $?"; cat log; echo "=== cases"; cat r.xml'

# results: CASE and ok, skipped or bad, once each, the worst of them.
results() {
	sed '1,/^=== cases$/d; s/<testcase /\n&/g' | awk '
		BEGIN { split("bad skipped ok", word) }
		function done() { if (name != "" && (!(name in all) || how < all[name])) all[name] = how }
		/^<testcase / {
			done()
			name = match($0, /name="[^"]*"/) ? substr($0, RSTART + 6, RLENGTH - 7) : ""
			how = 3
		}
		/<skipped[ >]/ { how = 2 }
		/<(error|failure|outcome)[ >]/ { how = 1 }
		END { done(); for (n in all) print n "\t" word[all[n]] }' | sort
}

# one FILE DIR: run it on both sides; what passes there and not here is in DIR/FILE.differs.
one() {
	file=$1
	at=$2/$1
	mkdir "$at"
	set -- env -i PATH=/usr/bin:/bin LC_ALL=C.UTF-8 TZ=UTC0 HOME="$at" TMPDIR="$at/tmp" \
	    sh -c "$inside" "$file"
	(cd "$at" && exec timeout -k 5 $limit "$BUILD/system/deny" 41/1=97 "$@" </dev/null >"$at.host" 2>&1)
	rm -rf "$at"
	results <"$at.host" >"$at.host.cases"
	: >"$at.differs"
	grep -q '	ok$' "$at.host.cases" || return
	mkdir "$at"
	"$VKERNEL" --root=/ -c 4 -u "$(id -u):$(id -g)" --timeout=${limit}s -w "$at" -- "$@" \
	    </dev/null >"$at.guest" 2>&1
	rm -rf "$at"
	results <"$at.guest" >"$at.guest.cases"
	awk -F '\t' -v OFS='\t' -v guest="$at.guest.cases" '
		FILENAME == guest { here[$1] = $2; next }
		$2 == "ok" && here[$1] != "ok" { print $1, here[$1] == "" ? "did not end" : here[$1] }' \
	    "$at.guest.cases" "$at.host.cases" >"$at.differs"
	[ -s "$at.differs" ] || ! grep -aq '^status 0$' "$at.host" || grep -aq '^status 0$' "$at.guest" ||
	    printf '%s\tended with another status\n' "$file" >"$at.differs"
}

# judge FILE: what differs and is not listed, what is listed and does not differ.
judge() {
	awk -F '\t' -v file="$1" '
		FILENAME == ARGV[1] { listed[$1]; next }
		FILENAME == ARGV[2] {
			differs[$1]
			n++
			if (!($1 in listed) && !(file in listed))
				print $1 ": " $2
			next
		}
		$2 == "ok" && ($1 in listed) && !($1 in differs) { print $1 ": passes, and is listed" }
		END { if (file in listed && n == 0) print file ": passes, and is listed" }' \
	    tests/system/expect.tsv "$t/$1.differs" "$t/$1.host.cases"
}

if [ "${1:-}" = one ]; then
	one "$3" "$2"
	exit 0
fi
if [ ! -f /usr/lib/python3.11/test/test_os.py ]; then
	skip "Python's test suite" "libpython3.11-testsuite is not installed"
	finish
	exit
fi
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
trap 'exit 130' INT TERM
VKERNEL=$(realpath "$VKERNEL")
BUILD=$(realpath "$BUILD")
files=${FILES:-$($python -m test --list-tests)}
printf '%s\n' $files | xargs -P "${JOBS:-$(nproc)}" -n 1 sh "$0" one "$t"
[ -z "${LOGS:-}" ] || { mkdir -p "$LOGS" && cp "$t"/* "$LOGS"; }
judged=0 passed=0
for f in $files; do
	grep -q '	ok$' "$t/$f.host.cases" || continue	# nothing that passes on the host
	judged=$((judged + 1))
	[ -s "$t/$f.differs" ] || passed=$((passed + 1))
	same "$f" "" "$(judge "$f")"
	grep -q 'did not end' "$t/$f.differs" &&
	    sed '/^=== cases$/,$d' "$t/$f.guest" | tail -n 20 | cut -c1-200 | sed 's/^/# it ended with: /'
done
echo "# $(echo "$files" | wc -w) files, $judged do something that needs no network, $passed of them the same here"
[ -n "${FILES:-}" ] || holds "at least 85 % of the files pass" [ $((passed * 100)) -ge $((judged * 85 + !judged)) ]
finish
