#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# ptrace - this machine's own strace and gdb, inside: what they tell of a
# program is what they tell on the host.
set -u
. tests/tap.sh
PATH=/usr/bin:/bin
export PATH
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT

# as_host CLAIM ARCHIVE SCRIPT FILTER: numbers that differ from run to run are N for both.
as_host() {
	(cd "$t" && env -i PATH=$PATH TMPDIR="$t" LC_ALL=C bash -c "$3" </dev/null) 2>&1 | sed -E "$4" >"$t/want"
	"$VKERNEL" -c 2 -m 1G -w /tmp --timeout=600s -r "$2" -- \
	    /usr/bin/env -i PATH=$PATH TMPDIR="$t" LC_ALL=C bash -c "$3" </dev/null 2>&1 | sed -E "$4" >"$t/got"
	if [ -s "$t/want" ] && cmp -s "$t/want" "$t/got"; then
		tap_result ok "$1"
	else
		tap_result not "$1"
		diff "$t/want" "$t/got" | head -n 60 | sed 's/^/# /'
	fi
}

if command -v strace >/dev/null; then
	printf '%s\n' /etc/ld.so.cache bash env true strace | sed 's|^[^/]|/usr/bin/&|' |
	    xargs sh scripts/gen/mkprograms.sh >"$t/list"
	"$BUILD/tools/mkcpio" "$t/list" >"$t/strace.cpio"
	as_host "strace follows a shell and its children" "$t/strace.cpio" \
	    'strace -f -o /dev/stdout -e trace=execve,exit_group,kill bash -c "/usr/bin/true; (exit 3); kill -USR1 \$\$"
	    echo $?' \
	    's/^[0-9]+ +//; s/0x[0-9a-f]+/N/g; s/(kill\(|pid=|uid=)[0-9]+/\1N/g; s/[0-9]+ vars/N vars/; s/ += / = /; s,_([us]time)=[^,}]*,_\1=N,g; /^bash:/d'
else
	skip "strace follows a shell and its children" "strace is not installed"
fi

if command -v gdb >/dev/null && command -v gcc >/dev/null; then
	cat >"$t/prog.c" <<'end'
static int total;
static int twice(int x)
{
	total += x * 2;
	return x * 2;
}
int main(void)
{
	for (int i = 0; i < 3; i++)
		twice(i);
	return total;
}
end
	gcc -g -O0 -no-pie -static -o "$t/prog" "$t/prog.c"
	{ printf '%s\n' /etc/ld.so.cache /usr/bin/bash /usr/bin/env /usr/bin/gdb; ls -d /usr/lib/python3*/ /usr/share/gdb; } |
	    xargs sh scripts/gen/mkprograms.sh >"$t/list"
	echo "file /tmp/prog 0755 0 0 $t/prog" >>"$t/list"
	"$BUILD/tools/mkcpio" "$t/list" >"$t/gdb.cpio"
	# The source is not there for either, nor the place of the program.
	rm "$t/prog.c"
	as_host "gdb breaks, steps, watches, calls" "$t/gdb.cpio" \
	    'p=./prog; [ -e $p ] || p=/tmp/prog
	    gdb -nx -batch -ex "set can-use-hw-watchpoints 0" -ex "set startup-with-shell off" -ex "break twice" -ex run \
	    -ex bt -ex next -ex step -ex "info locals" -ex "watch total" -ex continue -ex continue -ex "info registers eflags" \
	    -ex delete -ex "print total" -ex "set var total=40" -ex "print twice(1)" -ex finish -ex continue $p' \
	    '/host encoding|should not happen|No such file/d; s/process [0-9]+/process N/; s/0x[0-9a-f]+/N/g; s|^[0-9]+\t.*||'
else
	skip "gdb breaks, steps, watches, calls" "gdb or gcc is not installed"
fi
finish
