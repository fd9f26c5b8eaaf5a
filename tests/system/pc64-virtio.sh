#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# pc64-virtio - a PC with virtio devices: disks of all kinds are read and written as their files are from outside,
# errors are told, and one that vanishes at work stops nobody; an interface talks to a network; random bytes
# come; a console is a terminal, the system's if that is asked for.  With PCI, and without, as the command line
# tells.
set -u
. tests/pc64.sh
begin "virtio"
export MACHINE QEMU_ARGS
pc() {
	sh scripts/run/pc64 --timeout=600s -m 128M -a witness "$@" </dev/null
}

# disk N [PROPERTY...]: one more, from the file $t/N.
disk() {
	QEMU_ARGS="$QEMU_ARGS -drive if=none,id=$1,format=raw,file=$t/$1"
	QEMU_ARGS="$QEMU_ARGS -device virtio-blk-pci,drive=$1,id=disk-$1${2:-}"
}
sums() {	# FILE...
	sha256sum "$@" | sed 's/ .*//'
}

# Each disk is read, and its first quarter goes to its last, all disks at once.
# shellcheck disable=SC2016
copy='for d in /dev/vd?; do
	(sha256sum $d | sed "s/ .*//" >/tmp/${d##*/}; dd if=$d of=/tmp/x${d##*/} bs=64k count=16
	    dd if=/tmp/x${d##*/} of=$d bs=64k seek=48 && sync) 2>/dev/null &
done; wait; cat /tmp/vd?'
for way in "q35 4" "pc 1"; do
	# shellcheck disable=SC2086
	set -- $way
	MACHINE=$1 QEMU_ARGS=
	for i in a b c d e f; do
		head -c 4194304 /dev/urandom >"$t/$i"
	done
	disk a ,serial=first
	disk b ,disable-legacy=on,iommu_platform=on
	disk c ,logical_block_size=4096,physical_block_size=4096
	disk d ,vectors=0
	disk e ,queue-size=8,vectors=1,event_idx=off,indirect_desc=off
	QEMU_ARGS="$QEMU_ARGS -drive if=none,id=f,format=raw,read-only=on,file=$t/f"
	QEMU_ARGS="$QEMU_ARGS -device virtio-blk-pci,drive=f"
	want=$(cd "$t" && sums a b c d e f)
	for i in a b c d e; do
		dd if="$t/$i" bs=1M count=1 2>/dev/null >"$t/quarter"
		head -c 3145728 "$t/$i" | cat - "$t/quarter" >"$t/want.$i"
	done
	same "what disks of six kinds hold: $1, processors: $2" "$want" "$(pc -c "$2" -- sh -c "$copy" 2>/dev/null)"
	for i in a b c d e; do
		holds "and what was written, disk $i" cmp "$t/$i" "$t/want.$i"
	done
	same "and nothing on the one that is only read" "$(echo "$want" | tail -1)" "$(sums "$t/f")"
done

cat >"$t/errors" <<'EOF'
[inject-error]
event = "read_aio"
errno = "5"
sector = "4096"
[inject-error]
event = "write_aio"
errno = "5"
sector = "4096"
EOF
MACHINE=q35
QEMU_ARGS="-blockdev raw,node-name=a,file.driver=blkdebug,file.config=$t/errors,file.image.driver=file"
QEMU_ARGS="$QEMU_ARGS,file.image.filename=$t/a -device virtio-blk-pci,drive=a,rerror=report,werror=report"
disk b
# shellcheck disable=SC2016
same "errors are told, and what is beside them goes on" "no no yes yes" "$(pc -c 2 -- sh -c '
	said() { "$@" 2>/dev/null && echo yes || echo no; }
	dd() { busybox dd bs=4k iflag=direct oflag=direct "$@"; }
	echo $(said dd if=/dev/vda of=/dev/null skip=500 count=20; said dd if=/dev/vdb of=/dev/vda count=1 seek=512
	    said dd if=/dev/vda of=/dev/null count=500; said dd if=/dev/vda of=/dev/vdb skip=513)' 2>/dev/null)"

# A line that begins with HMP is for QEMU's monitor.  A slot is ejected by ports, as firmware would, and nobody is asked.
monitor() {
	while read -r word line; do
		[ "$word" != HMP ] || echo "$line" >"$t/mon.in"
		echo "$word $line"
	done
}
mkfifo "$t/mon.in" "$t/mon.out"
MACHINE=pc
QEMU_ARGS="-chardev pipe,id=mon,path=$t/mon -mon chardev=mon -netdev user,id=n -device virtio-net-pci,netdev=n,id=n0"
want=$(sums "$t/b")
disk a ,addr=10
disk b ,addr=11
# shellcheck disable=SC2016
pc -v -c 2 -- sh -c '
	echo HMP set_link n0 off
	echo HMP block_resize b 8
	cp /dev/vda /tmp/a
	(n=0; while dd if=/tmp/a of=/dev/vda bs=64k oflag=direct; do
		n=$((n + 1))
		[ $n != 2 ] || echo "HMP device_del disk-a"
		[ $n != 3 ] || echo "HMP o /w 0xae10 0"
		[ $n != 3 ] || echo "HMP o /w 0xae08 0x10000"
	done 2>/dev/null; echo gone) &
	wait
	cat /dev/vda 2>/dev/null || echo "it stays so"
	echo "$(sha256sum </dev/vdb)"' 2>"$t/err" | monitor >"$t/out"
same "a disk vanishes while it is written: its programs are told, others go on" \
    "gone it stays so $want -" "$(grep -v "^HMP" "$t/out" | tr -s "\n " " " | sed "s/ $//")"
for said in "vda: it is gone: not used any more" "vdb: 16384 blocks now, used as 8192" "eth0: link down"; do
	holds "the log: $said" grep -q "$said" "$t/err"
done

# A console outside is two pipes, $t/hvc.in, which is descriptor 8, and $t/hvc.out, read to the file $t/hvc.
mkfifo "$t/hvc.in" "$t/hvc.out"
exec 8<>"$t/hvc.in"
hvc="-chardev pipe,id=hvc,path=$t/hvc -device virtconsole,chardev=hvc"
with_reader() {	# COMMAND...
	timeout 600 cat "$t/hvc.out" >"$t/hvc" &
	reader=$!
	"$@"
	result=$?
	wait $reader
	return $result
}
mmio="-global virtio-mmio.force-legacy=false"
for way in "q35 2 virtio-serial-pci" "q35 1 virtio-serial-pci,vectors=2" \
    "pc 1 virtio-serial-pci,vectors=0,event_idx=off" "microvm,acpi=off 1 virtio-serial-device,max_ports=1"; do
	# shellcheck disable=SC2086
	set -- $way
	MACHINE=$1 QEMU_ARGS="$mmio -device $3 $hvc"
	echo "typed outside" >&8
	: >"$t/hvc"
	# shellcheck disable=SC2016
	(timeout 600 sh -c 'until grep -q "^3000" "$0"; do sleep 0.1; done' "$t/hvc" && echo "seen" >&8) &
	# shellcheck disable=SC2016
	with_reader pc -c "$2" -- sh -c 'exec 3</dev/hvc0
		read -r line <&3; echo "$line"; seq 3000 >/dev/hvc0
		read -r line <&3; echo "$line"' >"$t/out" 2>/dev/null
	same "what is typed at a console comes in: $3" "typed outside
seen" "$(cat "$t/out")"
	same "and what is written goes out" "$( (echo "typed outside"; seq 3000) | sha256sum)" \
	    "$(tr -d '\r' <"$t/hvc" | sed '/^seen/d' | sha256sum)"
done
MACHINE=q35 QEMU_ARGS="-device virtio-serial-pci $hvc"
# shellcheck disable=SC2016
same "nobody reads there: who writes waits, and can be interrupted" "143 143" "$(pc -c 2 -- sh -c '
	a=$(timeout 1 cat /dev/zero >/dev/hvc0; echo $?); b=$(timeout 1 cat /dev/zero >/dev/hvc0; echo $?)
	echo "$a $b"' 2>/dev/null)"

# No serial line and no screen: words of the machine's maker in front of ours.
alone() {	# WORD...
	with_reader timeout 600 qemu-system-x86_64 -nodefaults -no-user-config -no-reboot -display none \
	    -monitor none -machine q35 -cpu max -accel tcg -m 128M -kernel "$BUILD/pc64/kernel.elf" \
	    -initrd "$BUILD/root.cpio" -device "$serial" -chardev pipe,id=hvc,path="$t/hvc" \
	    -device virtconsole,chardev=hvc -append "$*"
}
for serial in virtio-serial-pci,emergency-write=off virtio-serial-pci; do
	# shellcheck disable=SC2016
	echo 'echo $((6 * 7)) >/dev/console; tty; exec cat /proc/nowhere' >&8
	alone console=ttyS0 console=hvc0 -v
	for said in "damselfly: 1 cpu" "console=ttyS0: there is no such terminal" "42" "/dev/console" \
	    "cat: can.t open .*nowhere"; do
		holds "a machine with nothing but $serial shows: $said" grep -q "^$said" "$t/hvc"
	done
done
alone console=hvc0 -a panic
holds "also its last words" grep -q "panic: asked for by a boot argument" "$t/hvc"
alone console=hvc7 -v -- true
same "which only an existing one does" "" "$(cat "$t/hvc")"
exec 8>&-

MACHINE="microvm,acpi=off"
QEMU_ARGS="$mmio -device virtio-rng-device -netdev user,id=n -device virtio-net-device,netdev=n"
for i in a b; do
	head -c 4194304 /dev/urandom >"$t/$i"
	QEMU_ARGS="$QEMU_ARGS -drive if=none,id=$i,format=raw,file=$t/$i -device virtio-blk-device,drive=$i"
done
want=$(cd "$t" && sums a b)
dd if="$t/a" bs=1M count=1 2>/dev/null >"$t/quarter"
head -c 3145728 "$t/a" | cat - "$t/quarter" >"$t/want.a"
same "disks without PCI are found and hold what they hold" "$want" \
    "$(pc -v -a virtio_mmio.device=512@0xd0000000:5 -a virtio_mmio.device=512@0x1000000:5 \
	-a virtio_mmio.device=512@0xfec00000:3 -a virtio_mmio.device=511x@0xd0000000:5 \
	-a virtio_mmio.device -a virtio_mmio.device=512@0xfeb00e00:12 \
	-- sh -c "$copy" 2>"$t/err")"
holds "and what was written" cmp "$t/a" "$t/want.a"
for said in "512@0xd0000000:5: no virtio device is there" "512@0x1000000:5: no place for registers" \
    "512@0xfec00000:3: no place for registers" "511x@0xd0000000:5: not understood" \
    "virtio_mmio.device: : not understood" "512@0xfeb00e00:12: a device is there already" \
    "virtio@feb00e00: 64 random bytes" "eth0: link up"; do
	holds "the log: $said" grep -q "$said" "$t/err"
done
word=virtio_mmio.device=512@0xfeb00e00:12
same "none of a command's words is taken to tell of a device" "$word" "$(pc -- echo $word 2>/dev/null)"
QEMU_ARGS="-device virtio-rng-device"
pc -v -- true 2>"$t/err"
holds "a device of before virtio 1.0 is refused" grep -q ":12: a device of before virtio 1.0" "$t/err"
MACHINE=microvm QEMU_ARGS="$mmio -drive if=none,id=a,format=raw,file=$t/a -device virtio-blk-device,drive=a"
want=$(sums "$t/a")
for line in 47 99 4; do
	same "line $line of the interrupt controllers" "$want" \
	    "$(pc -c 2 -a virtio_mmio.device=512@0xfeb02e00:$line -- sha256sum /dev/vda 2>/dev/null |
		sed 's/ .*//')"
done

MACHINE=q35
QEMU_ARGS="-netdev user,id=n -device virtio-net-pci,netdev=n -device virtio-rng-pci"
export KERNEL="$BUILD/pc64/kernel-test.elf"
for cpus in 1 2; do
	pc -v -c $cpus -a ktest=pc_net_the_gateway_echoes_what_it_is_sent >"$t/out" 2>"$t/err"
	holds "a network, processors: $cpus" grep -q '^ok 1 - pc_net_the_gateway' "$t/out"
done
holds "the log: random bytes" grep -q ': 64 random bytes' "$t/err"
QEMU_ARGS=
disk a
for cpus in 1 4; do
	pc -v -c $cpus -a ktest=pc_virtio_a_device_that_gives_up_is_reset >"$t/out" 2>"$t/err"
	holds "a device that gives up is reset, processors: $cpus" grep -q '^ok 1 - pc_virtio_a_device' "$t/out"
	holds "and the log says so" grep -q 'vda: it needs a reset: reset' "$t/err"
done
QEMU_ARGS="-netdev user,id=n -device virtio-net-pci,netdev=n"
pc -v -a ktest=pc_net_what_cannot_be_sent_is_refused >"$t/out" 2>&1
holds "what cannot be sent is refused" grep -q '^ok 1 - pc_net_what' "$t/out"
finish
