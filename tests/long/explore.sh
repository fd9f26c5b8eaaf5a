#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# explore - the scenarios that take a minute and a gigabyte or more each.
set -u
. tests/tap.sh
s=9
while :; do
	"$BUILD/explore/none/explore" $s
	status=$?
	[ $status != 9 ] || break
	same "scenario $s of what ships" 0 $status
	s=$((s + 1))
done
holds "there were some" [ $s -gt 9 ]
finish
