#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# symbols.sh - what linked objects may need from below.
#
#   symbols.sh [-w] [-m MAX] ALLOWED[,ALLOWED...] OBJECT...
#
# Links the objects together as an image is linked, and fails on every name that is still
# undefined and that no list of ALLOWED names (one a line, # comments).
#   -w      nothing that can change may lie outside .kdata and .kbss, and
#           nothing may be thread-local
#   -m MAX  the lists together may have no more than MAX names; how many is said
set -eu
export LC_ALL=C
writable= max=
while getopts wm: o; do
	case $o in
	w) writable=1 ;;
	m) max=$OPTARG ;;
	*) sed -n '6p' "$0" >&2; exit 2 ;;
	esac
done
shift $((OPTIND - 1))
lists=$(echo "$1" | tr , ' ')
shift
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT

# shellcheck disable=SC2086
sed '/^#/d;/^$/d' $lists | sort -u >"$t/allowed"
ld -r -T vkernel/image/kernel.ld -o "$t/o" "$@"
nm -u "$t/o" | awk '{ print $NF }' | sort -u | comm -23 - "$t/allowed" |
    sed 's/^/symbols: not in the interface: /' >"$t/bad"
if [ -n "$max" ]; then
	n=$(wc -l <"$t/allowed")
	length="symbols: the interface has $n names, at most $max are allowed"
	if [ "$n" -le "$max" ]; then
		echo "$length"
	else
		echo "$length" >>"$t/bad"
	fi
fi
if [ -n "$writable" ]; then
	# objdump -h prints the flags on a line below the section's name
	objdump -h "$t/o" | awk '$1 ~ /^[0-9]+$/ { name = $2; size = $3; next }
	    name == "" || size ~ /^0+$/ { next }
	    /THREAD_LOCAL/ { print "symbols: thread-local data: " name; name = ""; next }
	    /ALLOC/ && !/READONLY/ && name !~ /^\.k(data|bss)$/ { print "symbols: writable data in " name }
	    { name = "" }' >>"$t/bad"
fi
cat "$t/bad"
[ ! -s "$t/bad" ]
