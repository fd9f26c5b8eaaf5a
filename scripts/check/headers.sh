#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# headers.sh - every public header compiles alone, twice in a row, and says
# "#pragma once"; the structures that programs see have no bytes without a
# name, which nobody would clear before they are copied out (clang looks only
# at those whose size is asserted).
#
#   headers.sh CC 'KERNEL FLAGS' 'HOST FLAGS'
#
# Kernel headers with the kernel's flags, hostkit's with both.
set -eu
cc=$1
kernel=$2
host=$3
bad=0

compiles() {	# header, flags
	# shellcheck disable=SC2086
	printf '#include "%s"\n#include "%s"\n' "$PWD/$1" "$PWD/$1" | $cc $2 -fsyntax-only -x c - 2>&1
}

alone() {	# header, flags
	if ! compiles "$1" "$2"; then
		echo "headers: $1 does not compile alone"
		bad=1
	elif [ "${1#sys/include/abi/}" != "$1" ] && ! compiles "$1" "$2 -Wpadded"; then
		echo "headers: $1: bytes without a name"
		bad=1
	fi
	if ! grep -q '^#pragma once' "$1"; then
		echo "headers: $1: no #pragma once"
		bad=1
	fi
}

for h in $(find sys/include sys/core platform -name '*.h' | sort); do
	alone "$h" "$kernel"
done
for h in $(find hostkit/include -name '*.h' | sort); do
	alone "$h" "$kernel"
	alone "$h" "$host"
done
exit $bad
