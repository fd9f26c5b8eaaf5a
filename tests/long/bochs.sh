#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# bochs - the PC's kernel on processors that have x2APIC, the deadline timer, PCID and AVX-512, emulated by Bochs.
#
# One processor: with two a kernel test hangs there, and why is not known.
set -u
. tests/tap.sh
if ! command -v bochs >/dev/null; then
	skip "a PC in Bochs" "no bochs (packages bochs bochs-term bochsbios vgabios)"
	finish
	exit
fi
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
trap 'exit 130' INT TERM
export BUILD

names() {
	sed -n 's/^\(.*ok\) [0-9]* - \([a-z_0-9]*\).*/\1 \2/p' "$1"
}
"$BUILD/bin/vkernel-test" -q -m 256M -a ktest >"$t/vkernel" 2>&1 </dev/null
KERNEL=$BUILD/pc64/kernel-test.elf LOG=$t/log sh scripts/run/bochs -t 3000 -- -q --append=ktest >"$t/bochs" 2>"$t/err"
same "kernel tests on a Skylake-X, as on the virtual kernel" "0 $(names "$t/vkernel")" "$? $(names "$t/bochs")"
holds "which has x2APIC, and it is in use" grep -q 'MMIO disabled' "$t/log"
same "not a word of the kernel's" "" "$(cat "$t/err")"

# Programs whose address spaces change much, and one after another; the host says what is right.
programs="fork_basic wait_basic mm_file mm_remap mm_random mm_uaccess mm_threads thread_sync vfork_exec vmcopy"
: >"$t/run"
cp "$BUILD/root.list" "$t/list"
echo "dir /t 0755 0 0" >>"$t/list"
for p in fpu_wide $programs; do
	[ -x "$BUILD/user/$p" ] || continue
	echo "file /t/$p 0755 0 0 $BUILD/user/$p" >>"$t/list"
	echo "mkdir $p; cd $p; \$1/$p </dev/null 2>&1; echo $p \$?; cd .." >>"$t/run"
done
echo "file /t/run 0755 0 0 $t/run" >>"$t/list"
"$BUILD/tools/mkcpio" "$t/list" >"$t/root"
mkdir "$t/here"
(cd "$t/here" && sh "$t/run" "$(realpath "$OLDPWD/$BUILD/user")") >"$t/want"
for cpu in corei7_skylake_x corei7_haswell_4770; do
	CPU=$cpu sh scripts/run/bochs -t 2000 -r "$t/root" -- -q -w /tmp -- sh /t/run /t >"$t/got" 2>"$t/err"
	same "$cpu: $(grep -c '^mkdir' "$t/run") programs do as on the host" "0 $(cat "$t/want")" "$? $(cat "$t/got" "$t/err")"
done
same "vector registers of 512 bits are kept" "512 bits" \
    "$(sh scripts/run/bochs -t 1000 -r "$t/root" -- -q -- /t/fpu_wide width 2>&1 | head -n 1)"
finish
