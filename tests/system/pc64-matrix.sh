#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# pc64-matrix - what runs on the virtual kernel runs on a PC in QEMU, however that is made.
#
# In each configuration (tests/pc64.sh): the kernel's own tests, line by line; a disk, whose bytes are inside what
# they are outside, before and after it was written; and the programs of tests/user against the host, but those in
# pc64.tsv.  (The suite "user" compares the virtual kernel with the host.)  user/bad_args takes as long as all others
# and has nothing to do with devices: it runs in those that BAD_ARGS names.  The six by default hold every pair of
# values; tests/long/pc64.sh has all.
#
#   CONFIGURATIONS="1/q35/seabios/virtio ..."  BAD_ARGS="1/q35/seabios/virtio ..."  JOBS=2
#   ORACLE=DIR (of scripts/run/user-tests)
set -u
. tests/pc64.sh
begin "a PC, however made"
: "${CONFIGURATIONS:=1/q35/seabios/virtio 4/pc/ovmf/virtio 1/pc/ovmf/nvme 4/q35/ovmf/ahci 4/q35/seabios/nvme
    1/pc/seabios/ahci}"
: "${BAD_ARGS:=1/q35/seabios/virtio}"
pattern=$BUILD/guest/pattern
{
	cat "$BUILD/root.list"
	echo "file /bin/pattern 0755 0 0 $pattern"
} >"$t/list"
"$BUILD/tools/mkcpio" "$t/list" >"$t/root.cpio"
for p in $(find "$BUILD/user" -type f -perm -u+x ! -name driver | sed 's|.*/||' | sort); do
	grep -q "^$p	" tests/system/pc64.tsv || echo "$p"
done >"$t/programs"

# Numbers and times are left out, and what only a PC has and is right; firmware's words end without a new line.
kernel_tests() {	# COMMAND...
	"$@" -q -m 256M -a ktest 2>&1 </dev/null | tr '\r' '\n' | grep -aE '^(not )?ok' | grep -v '^ok .* - pc_'
}
# Their names, for user-tests.
programs_of() {	# CONFIGURATION
	case " $BAD_ARGS " in
	*" $1 "*) cat "$t/programs" ;;
	*) grep -v '^bad_args$' "$t/programs" ;;
	esac
}
programs() {	# RUNNER, or - for the host's part; NAME...
	runner=$1
	shift
	ORACLE=${ORACLE:-$t/host} sh scripts/run/user-tests "$runner" "$BUILD" "$@" 2>&1
}
disk_sum() {	# FILE
	sha256sum "$1" | cut -d ' ' -f 1
}

# configuration NAME DIR: run it.  What it found is in DIR: kernel, programs, disk and disk.want.
configuration() {
	truncate -s 4M "$2/file"
	"$pattern" fill "$2/file" 1 1 >"$2/log"
	configure "$1" "$2/file"
	export MEMORY=256M
	truncate -s 4M "$2/written"
	"$pattern" fill "$2/written" 2 1 >>"$2/log"
	for f in file written written; do
		disk_sum "$2/$f"
	done >"$2/disk.want"
	sh scripts/run/pc64 --timeout=600s -c "$CPUS" -m 256M -r "$t/root.cpio" -- sh -c \
	    "echo; sha256sum $DISK; pattern fill $DISK 2 4; sha256sum $DISK" >"$2/disk.out" 2>>"$2/log" </dev/null
	{
		grep -ao '^[0-9a-f]\{64\}' "$2/disk.out"
		disk_sum "$2/file"
	} >"$2/disk"
	KERNEL=$BUILD/pc64/kernel-test.elf kernel_tests sh scripts/run/pc64 --timeout=600s -c "$CPUS" >"$2/kernel"
	# shellcheck disable=SC2046
	programs scripts/run/pc64 $(programs_of "$1") >"$2/programs"
}

kernel_tests "$BUILD/bin/vkernel-test" -c 1 >"$t/vkernel"
# shellcheck disable=SC2046
programs - $(cat "$t/programs") >"$t/oracle"
# shellcheck disable=SC2086
each configuration $CONFIGURATIONS
holds "there is something to compare with" [ -s "$t/vkernel" ]
for c in $CONFIGURATIONS; do
	d=$(dir configuration "$c")
	same "$c: kernel tests, as on the virtual kernel" "" "$(diff "$t/vkernel" "$d/kernel")"
	same "$c: the disk's bytes, read and written" "$(cat "$d/disk.want")" "$(cat "$d/disk")"
	n=$(programs_of "$c" | wc -l)
	same "$c: $n programs do as on the host" "" "$(grep -A 8 '^not ok' "$d/programs")"
	holds "$c: and all of them ran" [ "$(grep -cE '^(not )?ok' "$d/programs")" = "$n" ]
done
finish
