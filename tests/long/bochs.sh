#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# bochs - the PC's kernel on processors that have x2APIC, the deadline timer, PCID and AVX-512, emulated by Bochs.
#
# What the others say is right: the virtual kernel for the kernel tests, the host for programs.
set -u
. tests/tap.sh
if ! command -v bochs >/dev/null; then
	skip "a PC in Bochs" "no bochs (packages bochs bochs-term bochsbios vgabios)"
	finish
	exit
fi
t=$(mktemp -d /dev/shm/bochs.XXXXXX) || exit 1	# the host's memory filesystem is what ours is like
trap 'rm -rf "$t"' EXIT
trap 'exit 130' INT TERM
export BUILD

names() {	# but those that only a PC has
	sed -n '/^ok [0-9]* - pc_/d; s/^\(.*ok\) [0-9]* - \([a-z_0-9]*\).*/\1 \2/p' "$1"
}

# Programs whose address spaces change much, and one after another.
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
user=$(realpath "$BUILD/user")
(cd "$t/here" && sh "$t/run" "$user") >"$t/want"
for cpus in 1 2; do
	"$BUILD/bin/vkernel-test" -q -c $cpus -m 256M -a ktest >"$t/vkernel" 2>&1 </dev/null
	for cpu in corei7_skylake_x corei7_haswell_4770; do
		export CPU=$cpu
		on="$cpu, $cpus"
		KERNEL=$BUILD/pc64/kernel-test.elf LOG=$t/log sh scripts/run/bochs -c $cpus -t 2000 -- \
		    -q --append=ktest >"$t/bochs" 2>"$t/err"
		status=$?
		same "$on: kernel tests as on the virtual kernel" "0 $(names "$t/vkernel")" \
		    "$status $(names "$t/bochs")"
		holds "$on: it has x2APIC, and it is in use" grep -q 'MMIO disabled' "$t/log"
		same "$on: not a word of the kernel's" "" "$(cat "$t/err")"

		sh scripts/run/bochs -c $cpus -t 2000 -r "$t/root" -- -q -w /tmp -- sh /t/run /t >"$t/got" 2>"$t/err"
		status=$?
		same "$on: $(grep -c '^mkdir' "$t/run") programs do as on the host" "0 $(cat "$t/want")" \
		    "$status $(cat "$t/got" "$t/err")"
	done
done
same "vector registers of 512 bits are kept" "512 bits" "$(CPU=corei7_skylake_x \
    sh scripts/run/bochs -t 1000 -r "$t/root" -- -q -- /t/fpu_wide width 2>&1 | head -n 1)"
finish
