# SPDX-License-Identifier: BSD-2-Clause
#
# pc64.sh - for tests of a PC in QEMU; sourced, and tap.sh with it.
# shellcheck shell=sh
#
#   begin WHAT
#
# It is skipped where there is no QEMU.  $t is a folder that goes with the test.
#
#   configure CPUS/MACHINE/FIRMWARE/DISK FILE
#
# As 4/q35/ovmf/ahci: MACHINE, FIRMWARE and QEMU_ARGS are set for scripts/run/pc64, whose options -c $CPUS and -m 256M
# belong to it; FILE is its disk, virtio, ahci or nvme, which is $DISK inside.
#
#   each WHAT CONFIGURATION...
#
# Calls the function WHAT CONFIGURATION DIR for each; DIR is new, and of that name in $t/WHAT.  $JOBS go on beside each
# other: two where there are two processors, unless told otherwise.
#
# Processors that QEMU's threads have to share spin for each other: 4 means no more than there are, but more than one.

. tests/tap.sh

begin() {
	if ! command -v qemu-system-x86_64 >/dev/null; then
		skip "$1" "no qemu-system-x86_64"
		finish
		exit
	fi
	t=$(mktemp -d)
	trap 'rm -rf "$t"' EXIT
	trap 'exit 130' INT TERM
	export BUILD
}

configure() {
	IFS=/ read -r CPUS MACHINE FIRMWARE DISK <<-E
		$1
	E
	[ "$CPUS" = 1 ] || CPUS=$(nproc | awk '{ print ($1 < 2 ? 2 : $1 > 4 ? 4 : $1) }')
	QEMU_ARGS="-drive if=none,format=raw,id=raw,file=$2"
	case $MACHINE/$DISK in
	*/virtio) DISK=/dev/vda QEMU_ARGS="$QEMU_ARGS -device virtio-blk-pci,drive=raw" ;;
	*/nvme) DISK=/dev/nvme0n1 QEMU_ARGS="$QEMU_ARGS -device nvme,drive=raw,serial=raw" ;;
	q35/ahci) DISK=/dev/sda QEMU_ARGS="$QEMU_ARGS -device ide-hd,drive=raw,bus=ide.0" ;;
	pc/ahci)
		DISK=/dev/sda
		QEMU_ARGS="$QEMU_ARGS -device ich9-ahci,id=ahci -device ide-hd,drive=raw,bus=ahci.0"
		;;
	esac
	export CPUS MACHINE FIRMWARE QEMU_ARGS
}

: "${JOBS:=$(nproc | awk '{ print ($1 < 2 ? 1 : 2) }')}"

# DIR: of CONFIGURATION, for WHAT.
dir() {	# WHAT CONFIGURATION
	echo "$t/$1/$(echo "$2" | tr / -)"
}

each() {
	what=$1
	shift
	mkdir "$t/$what"
	for _ in $(seq "$JOBS"); do
		for c; do
			# Whoever makes it does it.
			mkdir "$(dir "$what" "$c")" 2>/dev/null && "$what" "$c" "$(dir "$what" "$c")"
		done &
	done
	wait
}
