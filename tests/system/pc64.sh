#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# pc64 - a PC as the machine, in QEMU: loaders, streams, statuses, panics, interrupts.
set -u
. tests/pc64.sh
begin "a PC"
pc() {
	sh scripts/run/pc64 --timeout=600s "$@"
}

pc -- sh -c 'echo out; echo err >&2; exit 3' >"$t/out" 2>"$t/err" </dev/null
same "status, output and errors" "3 out err" "$? $(cat "$t/out" "$t/err" | tr '\n' ' ' | sed 's/ $//')"
head -c 70000 /dev/urandom >"$t/bytes"
same "input, byte for byte" "$(sha256sum <"$t/bytes")" "$(pc -- sha256sum <"$t/bytes")"
same "output after the end of the input, to somebody who is late" "$(seq 40000 | sha256sum)" \
    "$(pc -- sh -c 'cat >/dev/null; seq 40000' <"$t/bytes" | { sleep 2; sha256sum; })"
pc -q -a panic -- true >"$t/out" 2>"$t/err" </dev/null
same "a panic's status" 120 $?
holds "a panic has names and lines" grep -q 'boot_late+.*main.c:' "$t/err"
pc -c 4 -- sh -c 'nproc; for i in 1 2 3 4; do (while :; do :; done) & done; sleep 1; kill $(jobs -p); wait; echo done' \
    >"$t/out" 2>/dev/null </dev/null
same "four processors, all of them busy" "4 done" "$(echo $(cat "$t/out"))"

# QEMU's log has the interrupts of local APICs: twenty seconds more of idleness bring none.
for seconds in 1 21; do
	QEMU_ARGS="-d trace:apic_local_deliver -D $t/idle$seconds" pc -c 2 -- sleep $seconds >"$t/out" 2>&1 </dev/null &
done
wait
holds "an idle processor is left alone" [ "$(wc -l <"$t/idle21")" -lt $(($(wc -l <"$t/idle1") + 40)) ]

boot_id() {
	CPU=max,-rdrand,-rdseed pc -- cat /proc/sys/kernel/random/boot_id 2>/dev/null </dev/null
}
one=$(boot_id)
same "a processor without random numbers: a name of 36 letters" 36 ${#one}
holds "and at the next boot another" [ "$one" != "$(boot_id)" ]
pc -c 2 -q -a ramdisk=1M,slow -- sh -c 'cat >/tmp/d; chmod +x /tmp/d; /tmp/d /dev/ram0 /tmp/f' \
    >"$t/out" 2>&1 <"$BUILD/guest/disk"
same "a block device, asked everything, as on Linux" "$(grep -v '^#' tests/system/disk.txt)" "$(cat "$t/out")"

MACHINE=microvm pc -- echo small >"$t/out" 2>/dev/null </dev/null
same "a PC without BIOS, PCI and the rest" small "$(cat "$t/out")"
gzip -c "$BUILD/root.cpio" >"$t/root.gz"
same "a compressed root" small "$(pc -r "$t/root.gz" -- echo small 2>/dev/null </dev/null)"
# This loader expands it.
for way in "seabios pc 4" "ovmf q35 1"; do
	# shellcheck disable=SC2086
	set -- $way
	FIRMWARE=$1 MACHINE=$2 pc -r "$t/root.gz" -c "$3" -- sh -c 'echo it works: $(nproc)' >"$t/out" 2>&1 </dev/null
	holds "by GRUB: $1, $2, $3 processors" grep -aq "it works: $3" "$t/out"
done

KERNEL=$BUILD/pc64/kernel-test.elf
export KERNEL
# Messages, a pin, neither: on both chipsets, with locks watched.
for machine in q35 pc; do
	for way in interrupts_by_message interrupts_by_its_pin whose_pin_does_not_stop \
	    without_interrupt_is_served_by_the_clock; do
		QEMU_ARGS='-device edu' MACHINE=$machine pc -v -c 2 -m 256M -a "ktest=pc_device_$way edu witness" \
		    >"$t/out" 2>&1 </dev/null
		same "$machine: a device $way" 0 $?
	done
	holds "$machine: it was" grep -q 'served by the clock' "$t/out"
	# This firmware gives devices no addresses.
	QEMU_ARGS='-bios qboot.rom -device edu' MACHINE=$machine pc -m 256M \
	    -a "ktest=pc_device_interrupts_by_message edu" >/dev/null 2>&1 </dev/null
	same "$machine: a device without an address" 0 $?
done
finish
