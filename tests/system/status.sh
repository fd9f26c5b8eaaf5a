#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# status - what the vkernel command says about how it ended.
set -u
. tests/tap.sh
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
v=$VKERNEL

# ends CLAIM STATUS ARG...: run it with no input; output in $t/out and $t/err.
ends() {
	claim=$1
	want=$2
	shift 2
	"$v" --timeout=600s "$@" >"$t/out" 2>"$t/err" </dev/null
	same "$claim" "$want" "$?"
}
says() {	# CLAIM PATTERN FILE
	if grep -qE -- "$2" "$t/$3"; then
		tap_result ok "$1"
	else
		tap_result not "$1"
		head -n 5 "$t/$3" | sed 's/^/# /'
	fi
}

ends "the status is the command's" 3 -- sh -c 'echo $((6*7)); exit 3'
same "its output is all that is printed" 42 "$(cat "$t/out")"
same "and nothing is said beside it" '' "$(cat "$t/err")"
ends "success is 0" 0 -- true
ends "a command ended by signal 9 gives 137" 137 -- sh -c 'kill -9 $$'
ends "by signal 15, 143" 143 -- sh -c 'kill $$'
ends "by a fault, 139" 139 -- sh -c 'kill -SEGV $$'
ends "exit 137 is 137 too" 137 -- sh -c 'exit 137'
ends "a command that is not there gives 127" 127 -- /no/such
says "and says so" '^damselfly: /no/such: ' err
ends "a bare name is looked for along PATH" 127 -- no-such-command
ends "a command that is not executable gives 126" 126 -- /etc/passwd
ends "a folder gives 126" 126 -- /etc
ends "a panic gives 120" 120 -a panic -- true
says "with the panic's text" 'panic: ' err
says "names" '[a-z_]+\+0x[0-9a-f]+' err
says "and lines" 'sys/[a-z/]+\.c:[0-9]+' err

"$v" --timeout=300ms -- sleep 10 </dev/null >"$t/out" 2>"$t/err"
same "--timeout gives 124" 124 "$?"
"$v" --timeout=300ms -- sh -c 'while :; do :; done' </dev/null >"$t/out" 2>"$t/err"
same "--timeout ends a busy guest too" 124 "$?"

json() {	# CLAIM WANT ARG...
	claim=$1
	want=$2
	shift 2
	"$v" --status-fd=3 "$@" 3>"$t/json" >/dev/null 2>&1 </dev/null
	same "$claim" "$want" "$(cat "$t/json")"
}
json "--status-fd: an exit" '{"v":1,"outcome":"exit","status":137}' -- sh -c 'exit 137'
json "--status-fd: a signal" '{"v":1,"outcome":"signal","status":137,"signal":9}' -- sh -c 'kill -9 $$'
json "--status-fd: a panic" '{"v":1,"outcome":"panic","status":120}' -a panic -- true
json "--status-fd: a timeout" '{"v":1,"outcome":"timeout","status":124}' --timeout=200ms -- sleep 10
json "--status-fd: an error of the tool" '{"v":1,"outcome":"error","status":125}' -r /no/such -- true

refuses() {	# CLAIM PATTERN ARG...
	claim=$1
	pattern=$2
	shift 2
	"$v" "$@" >"$t/out" 2>"$t/err" </dev/null
	same "$claim: 125" 125 "$?"
	says "$claim: says why" "$pattern" err
}
refuses "an unknown option" "unrecognized option '--frob'" --frob -- true
refuses "a command without --" 'hint: the command comes after --' true
refuses "too little memory to boot" 'too little memory' -m 1M -- true
head -c 6000000 /dev/zero >"$t/big"
echo "file /big 0644 0 0 $t/big" >"$t/list"
"$BUILD/tools/mkcpio" "$t/list" >"$t/big.cpio"
refuses "too little memory for the root" 'too little memory.*(root|kernel)' -m 8M -r "$t/big.cpio" -- true
printf '#!/bin/sh\necho $$ of the archive; exit 5\n' >"$t/init"
{
	echo "file /bin/sh 0755 0 0 /bin/busybox"
	echo "file /init 0755 0 0 $t/init"
} >"$t/list"
"$BUILD/tools/mkcpio" "$t/list" >"$t/init.cpio"
same "an archive's /init is process 1" "1 of the archive 5" "$(echo $("$v" -r "$t/init.cpio" </dev/null; echo $?))"
same "but a command is a command" 2 "$("$v" -r "$t/init.cpio" -- /bin/sh -c 'echo $$' </dev/null)"
refuses "a size that is none" '--memory=lots: not a size' -m lots -- true
refuses "a time that is none" '--timeout=soon: not a time' --timeout=soon -- true
refuses "more processors than there can be" 'more than 256' -c 257 -- true
refuses "no processors" 'not a number of processors' -c 0 -- true
refuses "a variable without =" '--env=X: not a variable' -e X -- true
refuses "a status descriptor that is not open" '--status-fd=77: ' --status-fd=77 -- true
refuses "a root that is not there" '/no/such: No such file' -r /no/such -- true
refuses "a root that is no archive" 'not a cpio archive' -r "$0" -- true
refuses "host processors that are none" 'cannot start: ' --host-cpus=frog -- true
refuses "a bad --patch" 'on or off' --patch=maybe -- true
refuses "a bad --enosys" 'one of log, quiet, panic' --enosys=shout -- true

head -c 100000 "$BUILD/root.cpio" >"$t/short.cpio"
refuses "a truncated archive" 'root archive' -r "$t/short.cpio" -- true
gzip -c "$BUILD/root.cpio" >"$t/root.cpio.gz"
ends "a packed archive works" 4 -r "$t/root.cpio.gz" -- sh -c 'exit 4'
{ head -c 20000 "$t/root.cpio.gz"; echo garbage; tail -c +20009 "$t/root.cpio.gz"; } >"$t/bad.gz"
refuses "a packed archive with a bad spot" 'root archive' -r "$t/bad.gz" -- true

"$v" --help >"$t/out" 2>"$t/err"
same "--help gives 0" 0 "$?"
says "on standard output" '^Usage: vkernel' out
"$v" --version >"$t/out"
says "--version names it" '^vkernel \(Damselfly\) [0-9]' out
same "-u NAME: who, and where at home" 'uid=65534(nobody) gid=65534(nogroup) HOME=/ USER=nobody' \
    "$("$VKERNEL" -u nobody -- sh -c 'echo "$(id) HOME=$HOME USER=$USER"' </dev/null)"
same "-u UID:GID" 'uid=12 gid=34' "$("$VKERNEL" --user=12:34 -- id </dev/null)"
"$VKERNEL" -u joe -- true 2>"$t/err" </dev/null
same "-u of nobody known: 125" "125 damselfly: joe: not found" "$? $(cat "$t/err")"
finish
