#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# generators - what the build makes, and that it refuses bad input by name.
#
#   generators.sh BUILD_DIR
set -u
export LC_ALL=C
. tests/tap.sh
build=$1
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT

refuses() {	# CLAIM PATTERN COMMAND...
	claim=$1
	pattern=$2
	shift 2
	if "$@" >"$t/out" 2>"$t/err"; then
		tap_result not "$claim (it was accepted)"
	elif grep -q "$pattern" "$t/err"; then
		tap_result ok "$claim"
	else
		tap_result not "$claim"
		sed 's/^/# /' "$t/err"
	fi
}
calls() {	# LINE: one line of a system call table
	printf '%s\n' "$1" | awk -v out=table -f scripts/gen/mksyscalls.awk
}
T=$(printf '\t')
refuses "a call with a pointer that is not user's" 'not user' calls "0${T}read${T}int fd, void *buf"
refuses "a call with seven arguments" 'more than six' \
    calls "0${T}x${T}int a, int b, int c, int d, int e, int f, int g"
refuses "an argument without a name" 'no type in argument' calls "0${T}x${T}int"
refuses "numbers that do not ascend" 'ascend' calls "$(printf '1\ta\tvoid\n0\tb\tvoid')"
refuses "a name twice" 'named twice' calls "$(printf '1\ta\tvoid\n2\ta\tvoid')"

cpio=$build/tools/mkcpio
list() {
	printf '%s\n' "$@" >"$t/list"
	"$cpio" "$t/list"
}
refuses "an archive with a file that is not there" 'No such file' list 'file /a 0644 0 0 /no/such'
refuses "a line that is none" 'not a line of this format' list 'fifo /a'
refuses "a mode that is no number" 'not a number' list 'dir /a 9z9 0 0'
refuses "too many fields" 'too many fields' list 'nod /a 1 2 3 c 4 5 6 7'
seq 1000 >"$t/data"
list 'dir /d 1777 3 4' "file /d/f 0640 1 2 $t/data" 'slink /l d/f' 'nod /n 0600 0 0 c 5 1' >"$t/a.cpio"
mkdir "$t/x"
(cd "$t/x" && busybox cpio -id <"$t/a.cpio" >/dev/null 2>&1)
holds "a packed file comes out as it went in" cmp -s "$t/data" "$t/x/d/f"
same "an archive lists with its modes and owners" 'drwxrwxrwt 3/4 d|-rw-r----- 1/2 d/f|lrwxrwxrwx 0/0 l|crw------- 0/0 n|' \
    "$(busybox cpio -tv <"$t/a.cpio" 2>/dev/null | awk '{ n = $6; if ($1 ~ /^l/) n = $6; printf "%s %s %s|", $1, $2, n }')"
list 'dir /d 1777 3 4' "file /d/f 0640 1 2 $t/data" 'slink /l d/f' 'nod /n 0600 0 0 c 5 1' >"$t/b.cpio"
holds "the same list gives the same archive" cmp -s "$t/a.cpio" "$t/b.cpio"
finish
