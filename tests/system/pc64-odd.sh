#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# pc64-odd - PCs that lack something or whose firmware lies: each works, or says in a sentence why it does not.
set -u
. tests/pc64.sh
begin "a PC"
pc() {
	sh scripts/run/pc64 --timeout=600s "$@" </dev/null 2>"$t/err"
}
# it CLAIM WORDS: the kernel's words are among them.
it() {
	holds "$1: $2" grep -q "$2" "$t/err"
}
words="it lives"

# ---- clocks ----
# The hypervisor's name is what makes the emulated processor's counter one to trust.
distrust=max,-hypervisor
clock() {	# CLAIM: time passes
	same "$1" "$words" "$(pc -c 2 -- sh -c 'a=$(date +%s); sleep 1; [ "$(date +%s)" -gt "$a" ] && echo it lives')"
}
MACHINE=q35,hpet=off clock "no HPET"
same "not a word" "" "$(cat "$t/err")"
CPU=$distrust clock "a counter not to be trusted"
it "said" "time is the HPET's"
CPU=$distrust MACHINE=q35,hpet=off clock "and no HPET"
it "said" "time is the ACPI timer's"
CPU=$distrust MACHINE=microvm clock "and only a PIT"
it "said" "there is no other clock"
MACHINE=microvm,rtc=off clock "no RTC"
it "said" "it is 1970"
MACHINE=microvm,rtc=off,pit=off pc -- echo "$words" >"$t/out"
same "no clock at all is the end" 125 $?
it "said" "no clock"

# ---- memory ----
lives() {	# CLAIM [OPTION]...
	claim=$1
	shift
	same "$claim" "$words" "$(pc "$@" -- echo "$words")"
}
lives "24 MiB of memory" -m 24M
same "not a word" "" "$(cat "$t/err")"
pc -m 18M -- echo "$words" >"$t/out"
same "18 MiB are too few" 125 $?
it "said" "memory has no room"
same "5 GiB, in two pieces" 1 "$(pc -m 5G -- awk '/MemTotal/ { print ($2 > 5100000) }' /proc/meminfo)"
QEMU_ARGS="-smp 2,maxcpus=64,sockets=32,cores=2" lives "processors that could come" -c 1
far="-smp 1,sockets=127,cores=2,threads=1,maxcpus=254 -device max-x86_64-cpu,socket-id=120,core-id=1,thread-id=0"
same "two processors, of numbers 0 and 241" 2 "$(QEMU_ARGS=$far pc -- nproc)"
same "six, and numbers left out" 6 "$(QEMU_ARGS="-smp 6,sockets=2,cores=3,threads=1" pc -c 6 -- nproc)"

# ---- tables ----
MACHINE=q35,acpi=off lives "the tables of the BIOS" -c 2
MACHINE=microvm,acpi=off lives "no tables"
le() {	# BYTES VALUE: little-endian
	v=$(($2))
	i=0
	while [ $i -lt "$1" ]; do
		# shellcheck disable=SC2059
		printf "\\$(printf %03o $((v & 255)))"
		v=$((v >> 8))
		i=$((i + 1))
	done
}
hpet() {	# ADDRESS: the body of a table that says so
	le 4 0x8086a201
	le 4 0x4000
	le 8 "$1"
	le 4 0
}
for at in 0 0x2000000 0x1000 0xfee00000 0xfffffffff0000000; do
	hpet $at >"$t/hpet"
	QEMU_ARGS="-acpitable sig=HPET,data=$t/hpet" MACHINE=q35,hpet=off lives "an HPET at $at" -c 2
done
hpet 0xfed00000 | head -c 9 >"$t/hpet"
QEMU_ARGS="-acpitable sig=HPET,data=$t/hpet" MACHINE=q35,hpet=off lives "half a table"
it "said" "tables 1 are bad"
{ printf HPET; le 4 0x7fffffff; head -c 48 /dev/zero; } >"$t/table"
QEMU_ARGS="-acpitable file=$t/table" MACHINE=q35,hpet=off lives "a table of 2 GiB"
{ printf APIC; le 4 60; head -c 36 /dev/urandom; le 8 0xff00ff00ff00; le 8 0; } >"$t/table"
QEMU_ARGS="-acpitable file=$t/table" lives "a second table of processors, of noise" -c 2

# ---- a processor without XSAVE and most else ----
same "programs whose registers go into signal frames" "3 passed, 0 failed" "$(CPU=qemu64 sh scripts/run/user-tests \
    scripts/run/pc64 "$BUILD" sig_frame sig_fpu sig_altstack 2>&1 | sed -n 's/^# \(.*failed\).*/\1/p')"

# ---- bridges ----
# One of the two firmwares numbers the buses, and nothing else.
head -c 300000 /dev/urandom >"$t/disk"
truncate -s 1M "$t/disk"
port="-device pcie-root-port,id=root,chassis=1"
switch="$port -device x3130-upstream,id=up,bus=root -device xio3130-downstream,id=down,bus=up,chassis=2"
bridge="-device pci-bridge,id=bridge,chassis_nr=3"
behind() {	# CLAIM MACHINE DISK DEVICE...: it is read
	claim=$1 machine=$2 disk=$3
	shift 3
	same "$claim" "$(sha256sum <"$t/disk")" "$(MACHINE=$machine \
	    QEMU_ARGS="-drive if=none,format=raw,id=raw,file=$t/disk $*" pc -m 256M -- sh -c "sha256sum </dev/$disk")"
}
for bios in bios-256k.bin qboot.rom; do
	behind "$bios: a disk behind a port" q35 nvme0n1 "-bios $bios $port -device nvme,bus=root,drive=raw,serial=1"
	behind "$bios: behind a switch" q35 vda "-bios $bios $switch -device virtio-blk-pci,bus=down,drive=raw"
	behind "$bios: behind a bridge" pc sda "-bios $bios $bridge -device ich9-ahci,id=ahci,bus=bridge,addr=1" \
	    "-device ide-hd,bus=ahci.0,drive=raw"
done

# ---- screens ----
# screen BITS: one with all colours on it, of pixels of so many bits; of each colour the five highest are told.
# The line is told first and then the screen; so when a title comes there, which shows nowhere, all before it is drawn.
# A loader goes by the kernel's own wish, whatever its menu says: so a kernel is made that wishes for others.
wish='\x14\x00\x00\x00\x00\x04\x00\x00\x00\x03\x00\x00'
five=$(awk 'BEGIN { for (i = 0; i < 256; i++) printf "\\%03o", i - i % 8 }')
cat >"$t/script" <<'E'
monitor HERE/mon
expect #
send for c in 0 1 2 3 4 5 6 7; do printf '\\033[0;3%d;4%dmdark\\033[1mbright' $c $((7 - c)); done\r
expect #
send printf '\\033[0m'; printf '\\033]2;dra''wn\\a'; read word; exit\r
expect drawn
qemu screendump HERE/ppm
send \r
E
sed -i "s|HERE|$t|" "$t/script"
screen() {
	LC_ALL=C sed "s/$wish\x20/$wish\x$(printf %02x "$1")/" "$BUILD/pc64/kernel.elf" >"$t/kernel"
	sh scripts/gen/mkiso.sh "$t/kernel" "$BUILD/root.cpio" "$t/iso" --stdio=tty,tty,tty
	FIRMWARE=seabios ISO=$t/iso QEMU_ARGS="-vga std -monitor unix:$t/mon,server=on,wait=off" \
	    "$BUILD/system/pty" sh scripts/run/pc64 --timeout=600s -m 256M <"$t/script" >"$t/shown" 2>&1
	LC_ALL=C tr '\000-\377' "$five" <"$t/ppm"
}
screen 32 >"$t/32"
same "a screen of 1024 by 768 pixels shows all colours" 16 "$(tail -c 2359296 "$t/32" | od -An -v -tx1 -w3 | sort -u | wc -l)"
for bits in 24 16 15; do
	screen $bits >"$t/other"
	holds "and the same with $bits bits for each" cmp "$t/32" "$t/other"
done

# ---- the end ----
for way in q35 pc microvm q35,acpi=off microvm,acpi=off; do
	MACHINE=$way pc -- sh -c 'reboot -f; echo still here; sleep 100' >"$t/out"
	same "$way starts anew, which ends it here" "0 " "$? $(cat "$t/out")"
done
MACHINE=microvm,acpi=off pc -- sh -c 'exit 3' >"$t/out"
same "a power that does not go off" 3 $?
it "said" "can be switched off now"
finish
