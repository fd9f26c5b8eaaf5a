#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# pc64-disk - NVMe and SATA disks of a PC in QEMU: what is written is in the host's file, on disks of many shapes, all
# at once; and what comes of blocks that fail, of commands that are not answered, and of disks that are pulled out.
set -u
. tests/pc64.sh
begin "disks of a PC"
jobs=
trap 'kill $jobs 2>/dev/null; wait; rm -rf "$t"' EXIT
pattern=$BUILD/guest/pattern
{
	cat "$BUILD/root.list"
	echo "file /bin/pattern 0755 0 0 $pattern"
} >"$t/list"
"$BUILD/tools/mkcpio" "$t/list" >"$t/root.cpio"

# pc CPUS DEVICES COMMAND: what the shell inside says; the kernel's messages are in $t/log.
pc() {
	QEMU_ARGS=$2 sh scripts/run/pc64 --timeout=600s -v -c "$1" -m 256M -r "$t/root.cpio" -- sh -c "$3" \
	    </dev/null 2>"$t/log"
}
# drive NAME OPTIONS: a file in $t of that name, for a device.
drive() {
	[ -f "$t/$1" ] || truncate -s 16M "$t/$1"
	echo "-drive if=none,format=raw,id=$1,file=$t/$1$2"
}
# filled NAME BYTES SEED: that file with a pattern.
filled() {
	truncate -s "$2" "$t/$1"
	"$pattern" fill "$t/$1" "$3" 1 >/dev/null
}

# ------------------------------------------------------------------ errors --
# They go on beside the rest, since most of their time is waiting.
mkdir "$t/silent" "$t/pulled"
for f in silent/n pulled/n pulled/s; do
	filled "$f" 4M 1
done
filled silent/s 96K 1

# monitored NAME DEVICES SECONDS PIECES: such a machine, beside, whose monitor is $t/NAME/mon.in.  It reads from
# both disks, so many pieces of a SATA disk at once.
monitored() {
	mkfifo "$t/$1/mon.in" "$t/$1/mon.out"
	exec 7<>"$t/$1/mon.in"
	QEMU_ARGS="-chardev pipe,id=mon,path=$t/$1/mon -mon chardev=mon $2" sh scripts/run/pc64 --timeout=600s -v -c 2 \
	    -m 256M -r "$t/root.cpio" -- sh -c "pattern busy /dev/nvme0n1 1 8 $3 & pattern busy /dev/sda 1 $4 $3; wait; echo alive" \
	    </dev/null >"$t/$1/out" 2>"$t/$1/log" 7<&- &
	machine=$!
	jobs="$jobs $machine"
	until_said "$t/$1/out" 'nvme0n1: go'
	until_said "$t/$1/out" 'sda: go'
}
# until_said FILE WORDS: or the machine has ended.
until_said() {
	until grep -aq "$2" "$1" 2>/dev/null || ! kill -0 "$machine" 2>/dev/null; do
		sleep 0.1
	done
}

# Requests take longer than a driver waits.  QEMU waits for a SATA disk's when that is reset: the disk is so small
# that "busy" asks for one block at a time, which take 14 seconds each.
silent() {
	monitored silent "-drive if=none,format=raw,id=n,file=$t/silent/n -device nvme,drive=n,serial=n
	    -drive if=none,format=raw,id=s,file=$t/silent/s -device ide-hd,drive=s,bus=ide.0" 30 1
	printf 'block_set_io_throttle n 1 0 0 0 0 0\nblock_set_io_throttle s 300 0 0 0 0 0\n' >&7
	until_said "$t/silent/log" 'nvme0: .*not answered'
	until_said "$t/silent/log" 'ahci0.0: .*not answered'
	printf 'block_set_io_throttle n 0 0 0 0 0 0\nblock_set_io_throttle s 0 0 0 0 0 0\n' >&7
	wait "$machine"
}
# The slots' power is switched off, without a word to the system.  Its processors stand still for that moment: QEMU
# 7.2 itself crashes now and then when a device goes while one is about to read from it.
pulled() {
	monitored pulled "-global ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off
	    -device pcie-root-port,id=r0,slot=1,chassis=1,addr=5 -device pcie-root-port,id=r1,slot=2,chassis=2,addr=6
	    -drive if=none,format=raw,id=n,file=$t/pulled/n -device nvme,drive=n,serial=n,bus=r0,id=nvme
	    -drive if=none,format=raw,id=s,file=$t/pulled/s -device ahci,bus=r1,id=ahci -device ide-hd,drive=s,bus=ahci.0" 100 8
	printf 'stop\ndevice_del nvme\no /w 0xcf8 0x8000286c\no /w 0xcfc 0x700\n' >&7
	printf 'device_del ahci\no /w 0xcf8 0x8000306c\no /w 0xcfc 0x700\ncont\n' >&7
	wait "$machine"
}
silent &
jobs="$jobs $!"
pulled &
jobs="$jobs $!"

# -------------------------------------------------------------- all shapes --
devices="$(drive n0 '') -device nvme,drive=n0,serial=n0
    $(drive n1 '') -device nvme,drive=n1,serial=n1,logical_block_size=4096,physical_block_size=4096
    -device nvme,id=n2,serial=n2 $(drive n2n1 '') -device nvme-ns,bus=n2,drive=n2n1,nsid=1
    $(drive n2n5 '') -device nvme-ns,bus=n2,drive=n2n5,nsid=5
    $(drive sda '') -device ide-hd,drive=sda,bus=ide.0,serial=a0 $(drive sdb '') -device ide-hd,drive=sdb,bus=ide.3
    $(drive sdc '') -device ide-hd,drive=sdc,bus=ide.4 $(drive cd '') -device ide-cd,drive=cd,bus=ide.5"
disks='nvme0n1 nvme1n1 nvme2n1 nvme2n5 sda sdb sdc'
files='n0 n1 n2n1 n2n5 sda sdb sdc'
for cpus in 1 4; do
	pc "$cpus" "$devices" "
		for d in $disks; do pattern fill /dev/\$d $cpus 8 & done; wait
		for d in $disks; do pattern check /dev/\$d $cpus 8 & done; wait
		cd /dev; sha256sum $disks" >"$t/out"
	same "$cpus processors: seven disks are written and read at once" 14 "$(grep -c 'good, bad 0' "$t/out")"
	same "all of it is in the host's files" 7 \
	    "$(for f in $files; do "$pattern" check "$t/$f" "$cpus" 4; done | grep -c 'good, bad 0')"
	# shellcheck disable=SC2086
	same "and read from beginning to end it is the same" "$(cd "$t" && sha256sum $files | cut -d ' ' -f 1)" \
	    "$(grep -v bad "$t/out" | cut -d ' ' -f 1)"
done
holds "packet devices are named and left alone" grep -q 'ahci0.5: a packet device, left alone' "$t/log"
holds "each processor has its queue" grep -q 'serial n0: 4 queues of 256' "$t/log"

"$BUILD/tools/part" gpt "$t/sda" 1M:first 2M:second
"$BUILD/tools/part" gpt "$t/n0" 1M:first 2M:second
filled slice 2M 3
filled n2n1 16M 4
pc 2 "$(drive sda '') -device ide-hd,drive=sda,bus=ide.0 $(drive n0 '') -device nvme,drive=n0,serial=n0
    $(drive n2n1 ',readonly=on') -device nvme,drive=n2n1,serial=ro" '
	pattern fill /dev/sda2 3 4; pattern fill /dev/nvme0n1p2 3 4; pattern check /dev/nvme1n1 4 4
	pattern fill /dev/nvme1n1 5 1 | tail -n 1' >"$t/out"
same "slices, and a disk that refuses to be written" "/dev/sda2: fill good, bad 0
/dev/nvme0n1p2: fill good, bad 0
/dev/nvme1n1: check good, bad 0
/dev/nvme1n1: fill nothing, bad 4096" "$(cat "$t/out")"
for f in sda n0; do
	same "a slice is in its place: $f" "$(sha256sum <"$t/slice")" \
	    "$(dd if="$t/$f" bs=1M skip=2 count=2 2>/dev/null | sha256sum)"
done

# ----------------------------------------------------------------- the end --
for end in exit 'reboot -f' 'poweroff -f'; do
	pc 2 "$(drive n0 '') -device nvme,drive=n0,serial=n0 $(drive sda '') -device ide-hd,drive=sda,bus=ide.0
	    -d trace:pci_nvme_mmio_shutdown_set,trace:ide_exec_cmd -D $t/trace" "$end" >"$t/out"
	same "$end: a SATA disk is flushed, then an NVMe controller shut down" "cmd 0xea;shutdown bit set;" \
	    "$(tail -n 2 "$t/trace" | grep -o 'cmd 0x.*\|shutdown bit set' | tr '\n' ';')"
	same "and they obey" "" "$(grep 'does not' "$t/log")"
done

# ------------------------------------------------------------- bad blocks --
cat >"$t/blkdebug" <<'E2'
[inject-error]
event = "read_aio"
errno = "5"
sector = "800"
[inject-error]
event = "read_aio"
errno = "12"
sector = "2400"
once = "on"
E2
filled nvme 16M 6
filled sata 16M 6
# shellcheck disable=SC2016
pc 2 "-drive if=none,format=raw,id=n,file=blkdebug:$t/blkdebug:$t/nvme -device nvme,drive=n,serial=n
    -drive if=none,format=raw,id=s,file=blkdebug:$t/blkdebug:$t/sata -device ide-hd,drive=s,bus=ide.0" \
    'for d in nvme0n1 sda; do pattern check /dev/$d 6 8; done' >"$t/out"
same "a block that cannot be read costs no other, and one that fails once nothing" "100: I/O error
/dev/nvme0n1: check good, bad 1
100: I/O error
/dev/sda: check good, bad 1" "$(cat "$t/out")"
holds "and it is told of" [ "$(grep -c '^nvme0n1: error\|^sda: error' "$t/log")" -ge 4 ]

wait
same "commands that are not answered in time are asked again" "/dev/nvme0n1: busy good, bad 0
/dev/nvme0n1: go
/dev/sda: busy good, bad 0
/dev/sda: go
alive" "$(sort "$t/silent/out")"
holds "NVMe: by a reset" grep -q 'nvme0: .*not answered: reset' "$t/silent/log"
holds "SATA: likewise" grep -q 'ahci0.0: .*not answered' "$t/silent/log"
same "a system goes on when its disks are pulled out" alive "$(tail -n 1 "$t/pulled/out")"
same "and says that they are gone" 2 "$(grep -c ': given up$' "$t/pulled/log")"
finish
