#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# jail - an inmate that tries everything sees and touches nothing outside, and nothing of it outlives the jail.
set -u
. tests/tap.sh
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
busybox=$(command -v busybox)
cat >"$t/list" <<E2
dir /dev 0755 0 0
dir /proc 0755 0 0
dir /tmp 1777 0 0
dir /bin 0755 0 0
dir /prison 0755 0 0
dir /prison/proc 0755 0 0
dir /prison/tmp 1777 0 0
file /bin/busybox 0755 0 0 $busybox
slink /bin/sh busybox
file /bin/jail 0755 0 0 $BUILD/guest/jail
file /prison/escape 0755 0 0 $BUILD/guest/escape
file /run 0755 0 0 $t/run
file /secret 0644 0 0 $t/run
E2
cat >"$t/run" <<'E2'
PATH=/bin; export PATH
b=busybox
/prison/escape & victim=$!
until [ -e /ready ]; do $b usleep 10000; done
$b mount -t proc none /prison/proc
exec 7</
jail /prison inmate /escape $victim 7
echo "status $?"
kill -0 $victim && echo "victim lives"
echo "left: $($b ps | $b grep '[e]scape\|[o]utlives' | $b grep -cv "^ *$victim ")"
echo "name $($b hostname)"
[ ! -e /made ] && echo "nothing made"
jail /nowhere x /escape; echo "nowhere $?"
jail /prison x /none; echo "none $?"
E2
"$BUILD/tools/mkcpio" "$t/list" >"$t/root.cpio"
for cpus in 1 4; do
	"$VKERNEL" -c $cpus -r "$t/root.cpio" --timeout=600s -- sh /run >"$t/out" 2>"$t/err" </dev/null
	same "$cpus cpus: attempts that succeeded" 0 "$(grep -c '^not ok' "$t/out")"
	grep '^not ok' "$t/out" | sed 's/^/# /'
	holds "$cpus cpus: there were at least 30" [ "$(grep -c '^ok' "$t/out")" -ge 30 ]
	same "$cpus cpus: afterwards" "status 42
victim lives
left: 0
name damselfly
nothing made
nowhere 125
none 127" "$(grep -v '^ok\|^not ok\|^1\.\.' "$t/out")"
	sed 's/^/# /' "$t/err" | grep -v 'No such file' | head -n 5
done
finish
