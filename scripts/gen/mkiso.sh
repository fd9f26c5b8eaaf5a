#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# mkiso.sh - one image that starts a PC's kernel by BIOS and by UEFI, as a CD, a disk or a stick.
#
#   mkiso.sh KERNEL ROOT.cpio OUT.iso [ARGUMENTS]
#
# ARGUMENTS are the kernel's, in the words of scripts/run/pc64; the menu's second entry adds -v.
#
# It is an ISO 9660 file system whose first sectors are a partition table, too.  BIOS starts GRUB
# from El Torito's boot record or from the first sector, UEFI from a FAT image, which is a boot
# record and a partition.  Either GRUB has its modules in itself, finds the file system by its label
# and reads the one menu.  Needs no root.
#
# The same input and packages make the same bytes: all times are SOURCE_DATE_EPOCH, all ids fixed.
# grub-mkrescue makes such an image in one step, but draws ids.
set -eu
export LC_ALL=C TZ=UTC0 MTOOLSRC=/dev/null MTOOLS_SKIP_CHECK=1
: "${SOURCE_DATE_EPOCH:=1577836800}"
export SOURCE_DATE_EPOCH
label=DAMSELFLY
if [ $# -lt 3 ] || [ $# -gt 4 ]; then
	echo "usage: mkiso.sh KERNEL ROOT.cpio OUT.iso [ARGUMENTS]" >&2
	exit 2
fi
kernel=$1 root=$2 out=$3 arguments=${4:-}
bios=/usr/lib/grub/i386-pc
efi=/usr/lib/grub/x86_64-efi

missing=
want() {	# PACKAGE TEST...
	package=$1
	shift
	"$@" >/dev/null 2>&1 || missing="$missing $package"
}
want grub-common command -v grub-mkimage
want grub-pc-bin test -f $bios/boot_hybrid.img
want grub-efi-amd64-bin test -f $efi/moddep.lst
want mtools command -v mformat
want xorriso command -v xorriso
[ -z "$missing" ] || { echo "mkiso.sh: missing packages of Debian:$missing" >&2; exit 1; }

t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
trap 'exit 130' INT TERM
mkdir -p "$t/iso/boot/grub"
efi_image=$t/iso/boot/grub/efi.img
cp "$kernel" "$t/iso/boot/kernel.elf"
cp "$root" "$t/iso/boot/root.cpio"

# A backslash is GRUB's own outside of quotes.
words=$(printf '%s\n' "$arguments" | sed "s/[^ ][^ ]*/'&'/g")

# entry TITLE ARGUMENTS
entry() {
	cat <<-M
	menuentry "$1" {
		multiboot2 /boot/kernel.elf $2
		module2 /boot/root.cpio
	}
	M
}
{
	cat <<-'M'
	if serial --unit=0 --speed=115200; then
		terminal_input console serial
		terminal_output console serial
	fi
	insmod all_video
	set default=0
	set timeout=1
	M
	entry Damselfly "$words"
	entry "Damselfly, verbose" "-v $words"
} >"$t/iso/boot/grub/grub.cfg"
cat >"$t/find.cfg" <<-M
	search --no-floppy --label --set=root $label
	set prefix=(\$root)/boot/grub
M

modules="normal test search search_label iso9660 part_gpt part_msdos multiboot2 serial terminal
    gzio all_video"
# shellcheck disable=SC2086
grub-mkimage -O i386-pc -d $bios -c "$t/find.cfg" -p /boot/grub -o "$t/core" biosdisk $modules
cat $bios/cdboot.img "$t/core" >"$t/iso/boot/grub/bios.img"
# shellcheck disable=SC2086
grub-mkimage -O x86_64-efi -d $efi -c "$t/find.cfg" -p /boot/grub -o "$t/bootx64.efi" fat $modules

# Cylinders of 64 KiB that hold GRUB and some room.
tracks=$(($(wc -c <"$t/bootx64.efi") / 65536 + 4))
mformat -i "$efi_image" -C -N 44414d53 -v EFI -h 8 -s 16 -t $tracks ::
mmd -i "$efi_image" ::/EFI ::/EFI/BOOT
mcopy -i "$efi_image" "$t/bootx64.efi" ::/EFI/BOOT/BOOTX64.EFI

find "$t/iso" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
stamp=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d%H%M%S00)
xorriso -as mkisofs -quiet -o "$t/out" -r -V $label \
    --modification-date="$stamp" --set_all_file_dates "$stamp" \
    --gpt_disk_guid 44616d73-656c-666c-7920-69736f393636 \
    -b boot/grub/bios.img -no-emul-boot -boot-load-size 4 -boot-info-table --grub2-boot-info \
    --grub2-mbr $bios/boot_hybrid.img --protective-msdos-label \
    --efi-boot-part --efi-boot-image -eltorito-alt-boot --efi-boot boot/grub/efi.img \
    "$t/iso" 2>"$t/log" || { cat "$t/log" >&2; exit 1; }
mv "$t/out" "$out"
