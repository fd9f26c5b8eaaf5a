#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# planted - each rule of the tree, proved by breaking it in a copy.
#
#   planted.sh BUILD_DIR
#
# A check that has never failed is not known to work.  Every test plants one
# violation, runs the very program that `make rules` (or the compiler with the
# makefile's flags) runs, and wants it to fail and to name the culprit.
set -u
export LC_ALL=C
. tests/tap.sh
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
spdx='/* SPDX-License-Identifier: BSD-2-Clause */'

# The copy: sources and headers only.  Planted files have their own files.mk.
mkdir "$t/tree"
git ls-files -co --exclude-standard | grep -vE '^tests/(user|busybox|unit|system|perf)/' | while read -r f; do
	[ -f "$f" ] && echo "$f"
done | cpio_like="$t/tree" sh -c 'tar cf - -T - | tar xf - -C "$cpio_like"'
cd "$t/tree" || exit 1

# plant PATH LINE...: a source file of these lines.
plant() {
	path=$1
	shift
	mkdir -p "$(dirname "$path")"
	printf '%s\n' "$spdx" "$@" >"$path"
}

# build OBJECT: compile one planted source as the makefile would.  Output in $t/out.
build() {
	make --no-print-directory O="$t/build" "$t/build/obj/$1" >"$t/out" 2>&1
}

refuses() {	# claim, what the output must name, command...
	claim=$1
	names=$2
	shift 2
	if "$@" >"$t/out" 2>&1; then
		tap_result not "$claim (it was accepted)"
	elif ! grep -qE "$names" "$t/out"; then
		tap_result not "$claim (nothing names: $names)"
		head -n 5 "$t/out" | sed 's/^/# /'
	else
		tap_result ok "$claim"
	fi
}

# ------------------------------------------------------------ include paths --
plant sys/core/rt/planted.c '#include <unistd.h>' 'int planted;'
refuses "a core file cannot see <unistd.h>" 'unistd.h.*(No such file|not found)' build kern/sys/core/rt/planted.o
plant sys/vm/planted.c '#include <hk/hk.h>' 'int planted;'
refuses "a kernel file cannot see <hk/hk.h>" 'hk/hk.h.*(No such file|not found)' build kern/sys/vm/planted.o
plant platform/vkernel/planted.c '#include <stdio.h>' 'int planted;'
refuses "a platform file cannot see <stdio.h>" 'stdio.h.*(No such file|not found)' build kern/platform/vkernel/planted.o
plant vkernel/launch/planted.c '#include <machine/types.h>' 'int planted;'
build host/vkernel/launch/planted.o && mv "$t/build/obj/host/vkernel/launch/planted.d" "$t/launch.d"
rm -f sys/core/rt/planted.c sys/vm/planted.c platform/vkernel/planted.c

# ------------------------------------------------------------------- layers --
layers() {
	sh scripts/check/layers.sh scripts/check/layers "$t/build" "$@"
}
# reads SOURCE OBJECT HEADER: plant an include, compile, check the layers.
reads() {
	plant "$1" "#include \"$3\"" 'int planted(void);' 'int planted(void) { return 0; }'
	rm -f "$t/build/obj/$2.d"
	build "$2.o"
	rm -f "$1"
	[ -f "$t/build/obj/$2.d" ] || { cat "$t/out"; echo "did not compile"; return 0; }
	layers "$t/build/obj/$2.d"
}
plant sys/include/sys/lwkt/planted.h '#pragma once'
refuses "the launcher reads abi headers only" 'planted.c \(launch\) reads .*machine/types.h' layers "$t/launch.d"
refuses "core cannot read the machine interface by a relative path" 'planted.c \(core\) reads .*\(mtypes\)' \
    reads sys/core/rt/planted.c kern/sys/core/rt/planted ../../include/machine/types.h
refuses "the kernel cannot read hostkit's header by a relative path" 'planted.c \(vm\) reads .*\(hk\)' \
    reads sys/vm/planted.c kern/sys/vm/planted ../../hostkit/include/hk/hk.h
refuses "hostkit cannot read the machine interface" 'planted.c \(hostkit\) reads .*\(mtypes\)' \
    reads hostkit/linux/planted.c host/hostkit/linux/planted ../../sys/include/machine/types.h
refuses "hostkit cannot read it by an absolute path either" 'planted.c \(hostkit\) reads .*\(mtypes\)' \
    reads hostkit/linux/planted.c host/hostkit/linux/planted "$PWD/sys/include/machine/types.h"
refuses "a platform cannot read the kernel above the interface" 'planted.c \(vplat\) reads .*\(lwkt\)' \
    reads platform/vkernel/planted.c kern/platform/vkernel/planted ../../sys/include/sys/lwkt/planted.h
refuses "a driver cannot read the kernel" 'planted.c \(dev\) reads .*\(lwkt\)' \
    reads sys/dev/planted.c kern/sys/dev/planted ../include/sys/lwkt/planted.h
refuses "nor the machine interface, but for its types and its clock" 'planted.c \(dev\) reads .*\(machine\)' \
    reads sys/dev/planted.c kern/sys/dev/planted ../include/machine/cpu.h

# One rule for each kernel layer: it may not read the next one up.
previous=debug
for pair in lwkt:kern/lwkt time:kern/time vm:vm proc:kern/proc vfs:vfs file:kern/file net:net cluster:cluster \
    syscall:kern/syscall init:kern/init; do
	layer=${pair%%:*}
	plant "sys/include/sys/$layer/planted.h" '#pragma once'
	if [ "$previous" != debug ]; then
		refuses "$previous cannot read $layer" "planted.c \\($previous\\) reads .*\\($layer\\)" \
		    reads "sys/$folder/planted.c" "kern/sys/$folder/planted" "$PWD/sys/include/sys/$layer/planted.h"
	fi
	previous=$layer
	folder=${pair#*:}
done
for layer in lwkt time vm proc vfs file net cluster syscall init; do
	rm -f "sys/include/sys/$layer/planted.h"
done

# ------------------------------------------------------------------ symbols --
object() {	# NAME LINE...: compile a kernel object in place
	out=$1
	shift
	plant sys/vm/planted.c "$@"
	build kern/sys/vm/planted.o || cat "$t/out"
	cp "$t/build/obj/kern/sys/vm/planted.o" "$t/$out.o"
	rm -f sys/vm/planted.c
}
symbols() {
	sh scripts/check/symbols.sh "$@"
}
object hkwait 'void hk_wait(void);' 'void planted(void);' 'void planted(void) { hk_wait(); }'
refuses "an image may need only what hostkit's header has" 'hk_wait' symbols -w scripts/check/hk.sym "$t/hkwait.o"
object open 'int open(const char *, int);' 'int planted(void);' 'int planted(void) { return open("x", 0); }'
refuses "an image may not need the host's open()" ': open' symbols -w scripts/check/hk.sym "$t/open.o"
object hkrun 'void hk_idle(unsigned);' 'void planted(void);' 'void planted(void) { hk_idle(0); }'
refuses "sys/ alone may not need hostkit" 'hk_idle' symbols -w -m 60 scripts/check/machine.sym "$t/hkrun.o"
object section '__attribute__((section("elsewhere"))) int planted = 1;'
refuses "nothing that changes lies outside .kdata and .kbss" 'writable data in elsewhere' \
    symbols -w scripts/check/hk.sym "$t/section.o"
object tls '_Thread_local int planted = 1;'
refuses "nothing in the kernel is thread-local" 'thread-local' symbols -w scripts/check/hk.sym "$t/tls.o"
awk 'BEGIN { for (i = 0; i < 61; i++) print "md_planted" i }' >"$t/sixtyone"
refuses "the machine interface has at most 60 names" 'at most 60' symbols -m 60 "$t/sixtyone" "$t/hkrun.o"

# ------------------------------------------------------------------ headers --
plant sys/include/sys/vm/planted.h '#pragma once' 'struct planted { paddr_t p; };'
refuses "a header that needs another one first is found" 'vm/planted.h does not compile alone' \
    make --no-print-directory O="$t/build" rule-headers
plant sys/include/sys/vm/planted.h 'struct planted;'
refuses "a header without #pragma once is found" 'vm/planted.h: no #pragma once' \
    make --no-print-directory O="$t/build" rule-headers
rm -f sys/include/sys/vm/planted.h
plant sys/include/abi/planted.h '#pragma once' 'struct planted { char c; int i; };' \
    '_Static_assert(sizeof(struct planted) == 8, "8 bytes");'
refuses "padding in a structure that programs see is found" 'abi/planted.h: bytes without a name' \
    make --no-print-directory O="$t/build" rule-headers
rm -f sys/include/abi/planted.h

# --------------------------------------------------------------------- form --
style() {
	sh scripts/check/style.sh .
}
style >"$t/before" 2>&1
echo 'int planted;' >sys/core/rt/planted.c
refuses "a file without a licence line is found" 'sys/core/rt/planted.c: no SPDX line' style
plant sys/planted/planted.c 'int planted;'
refuses "a folder without README is found" 'sys/planted: no README.md' style
rm -rf sys/planted
name='PC''64'
plant sys/core/rt/planted.c "/* only on $name */" 'int planted;'
refuses "a platform's name above the machine interface is found" 'names a platform: sys/core/rt/planted.c' style
sed -i 's/^\([a-z-]*\) [0-9]*$/\1 0/' scripts/check/ratchet
later='TO''DO'
plant sys/core/rt/planted.c "/* $later: later */" 'int planted;'
refuses "a word that promises later work is found" 'later-word: 1' style
plant sys/core/rt/planted.c 'int' 'planted(void)' '{' '#ifdef X' '#endif' '}'
refuses "#if inside a function is found" 'if-in-function: 1' style
{ echo "$spdx"; echo int; echo 'planted(void)'; echo '{'; seq -f 'f%g();' 69; echo '}'; } >sys/core/rt/planted.c
sh scripts/check/style_metrics.sh -l sys/core/rt >"$t/remarks"
holds "a function of 71 lines is found" grep -q 'planted has 71 lines' "$t/remarks"
printf '%s\n%s\n' "$spdx" "$(printf 'x%.0s' $(seq 111))" >sys/core/rt/planted.c
sh scripts/check/style_metrics.sh -l sys/core/rt >"$t/remarks"
holds "a line of 111 columns is found" grep -q 'line of 111 columns' "$t/remarks"
finish
