#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# disk - raw disks and their slices, on a disk in memory: what programs see of
# them, and what comes of a disk that fails or vanishes.
set -u
. tests/tap.sh
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
mkdir "$t/bin" "$t/img"
cp "$BUILD/guest/disk" "$t/bin"

# on RAMDISK COMMAND: what the shell inside says, errors too.
on() {
	"$VKERNEL" --timeout=600s ${CPUS:+-c "$CPUS"} -m 64M "--share=$t/bin:/b,ro" "--share=$t/img:/img,ro" \
	    -a "ramdisk=$1" -- sh -c "$2" </dev/null 2>&1
}

# What Linux 6.18 answers of a loop device.
linux=$(grep -v "^#" tests/system/disk.txt)
for how in 1M 1M,slow; do
	same "calls answer as Linux's do: $how" "$linux" "$(on $how '/b/disk /dev/ram0 /tmp/f')"
done
CPUS=4 same "on four CPUs" "$linux" "$(on 1M,slow '/b/disk /dev/ram0 /tmp/f')"

# --------------------------------------------------------------- slices --
truncate -s 8M "$t/img/gpt"
"$BUILD/tools/part" gpt "$t/img/gpt" 1M:first:efi 2M:second 3M:third:label64
"$BUILD/tools/part" label "$t/img/gpt" s3 1M 512K
truncate -s 4M "$t/img/label"
"$BUILD/tools/part" label "$t/img/label" disk 512K 1M

same "slices of a GPT, and partitions of a label in one" \
'   1        0       8192 ram0
 259        0       1024 ram0p1
 259        1       2048 ram0p2
 259        2       3072 ram0p3
 259        3       1024 ram0p3a
 259        4        512 ram0p3b' "$(on 8M 'cat /img/gpt >/dev/ram0; blockdev --rereadpt /dev/ram0
    tail -n +3 /proc/partitions')"
same "a slice in /sys and /dev" \
'259:1 4096 4096 2 0
1:0
b 103,3 600
1048576' "$(on 8M 'cat /img/gpt >/dev/ram0; blockdev --rereadpt /dev/ram0
    cd /sys/class/block/ram0p2; echo $(cat dev start size partition ro); cat /sys/dev/block/1:0/dev
    test -b /dev/ram0p3a && stat -c "b %t,%T %a" /dev/ram0p3a; blockdev --getsize64 /dev/ram0p3a')"
same "a label on the whole disk" 'ram0
ram0p0a
ram0p0b' "$(on 4M 'cat /img/label >/dev/ram0; blockdev --rereadpt /dev/ram0; ls /sys/class/block')"
same "slices go when their table does" 'ram0' \
    "$(on 8M 'cat /img/gpt >/dev/ram0; blockdev --rereadpt /dev/ram0; dd if=/dev/zero of=/dev/ram0 bs=1M 2>/dev/null
    blockdev --rereadpt /dev/ram0; ls -d /sys/block/ram0/ram0* /sys/class/block/* /dev/ram* 2>/dev/null | grep -o "ram0.*" | sort -u')"
same "tables are not read again while a slice is open" 'blockdev: /dev/ram0: Device or resource busy
0' "$(on 8M 'cat /img/gpt >/dev/ram0; blockdev --rereadpt /dev/ram0; exec 5</dev/ram0p3b; blockdev --rereadpt /dev/ram0
    exec 5<&-; blockdev --rereadpt /dev/ram0; echo $?')"
same "a slice is its part of the disk, to its last byte" 'same
same
1048576
full' "$(on 8M 'cat /img/gpt >/dev/ram0; blockdev --rereadpt /dev/ram0
    (cat /bin/busybox; yes) | head -c 1048576 >/tmp/f
    dd if=/tmp/f of=/dev/ram0p1 bs=7777 2>/dev/null
    dd if=/dev/ram0 bs=1M skip=1 count=1 2>/dev/null | cmp - /tmp/f && echo same
    dd if=/dev/ram0p1 bs=4k iflag=direct 2>/dev/null | cmp - /tmp/f && echo same
    wc -c </dev/ram0p1; echo more | dd of=/dev/ram0p1 bs=1 seek=1M 2>/dev/null || echo full')"
same "a slice does not touch its neighbours" 'same' "$(on 8M 'cat /img/gpt >/dev/ram0; blockdev --rereadpt /dev/ram0
    yes | dd of=/dev/ram0p2 bs=333 2>/dev/null
    (dd if=/img/gpt bs=1M count=2; yes | head -c 2097152; dd if=/img/gpt bs=1M skip=4) 2>/dev/null |
    cmp - /dev/ram0 && echo same')"
same "blocks of 4096 bytes" '4096
same' "$(on 1M,4096 'blockdev --getss /dev/ram0; head -c 300001 /bin/busybox >/tmp/f
    dd if=/tmp/f of=/dev/ram0 bs=1001 seek=1 2>/dev/null
    dd if=/dev/ram0 bs=1001 skip=1 2>/dev/null | head -c 300001 | cmp - /tmp/f && echo same')"
same "a node elsewhere, and one of nothing" '1048576
cat: can'"'"'t open '"'"'/tmp/none'"'"': No such device or address' \
    "$(on 1M 'mknod /tmp/d b 1 0; mknod /tmp/none b 8 0; wc -c </tmp/d; cat /tmp/none')"
same "read-only" 'dd: error writing '"'"'/dev/ram0'"'"': Operation not permitted
1' "$(on 1M,ro 'echo x | dd of=/dev/ram0 2>&1 | head -n 1; cat /sys/block/ram0/ro')"

# --------------------------------------------------------------- errors --
same "a bad block gives EIO, its neighbours are good" 'good
dd: /dev/ram0: Input/output error
dd: error writing '"'"'/dev/ram0'"'"': Input/output error
good' "$(on 64K,fail=100 'for b in 99 100 101; do
    dd if=/dev/ram0 of=/tmp/o bs=512 skip=$b count=1 2>&1 | grep Input
    dd if=/bin/busybox of=/dev/ram0 bs=512 seek=$b count=1 2>&1 | grep Input
    head -c 512 /bin/busybox >/tmp/a; dd if=/dev/ram0 bs=512 skip=$b count=1 2>/dev/null | cmp -s - /tmp/a && echo good; done')"
same "a disk that vanishes: errors, and everything else goes on" \
'dd: /dev/ram0: Input/output error
cat: can'"'"'t open '"'"'/dev/ram0'"'"': No such device or address
on' "$(on 1M,slow,gone=50 'dd if=/dev/ram0 of=/dev/null bs=512 2>&1 | head -n 1; cat /dev/ram0; echo on')"
same "a disk that comes back: what was open stays dead, and all that was on it is there" \
'Input/output error
Input/output error
same
ram0 ram0p1 ram0p2 ram0p3 ram0p3a ram0p3b
1:0' "$(on 8M,gone=900,back 'cat /img/gpt >/dev/ram0; blockdev --rereadpt /dev/ram0; exec 5</dev/ram0p2 6</dev/ram0
    while dd bs=512 count=1 of=/dev/null 2>/tmp/e <&6; do :; done; grep -o Input.* /tmp/e
    until head -c 1 /dev/ram0p3b >/dev/null 2>&1; do :; done
    cat <&5 2>&1 | grep -o Input.*
    cmp /img/gpt /dev/ram0 && echo same; cd /sys/class/block; echo $(ls -d ram0*); cat ram0/dev')"
same "a program that is killed while it reads leaves nothing behind" 'good' "$(on 4M,slow 'i=0
    while [ $i -lt 20 ]; do dd if=/dev/ram0 of=/dev/null bs=4M iflag=direct 2>/dev/null & kill -9 $!; wait; i=$((i + 1)); done
    cmp -n 4194304 /dev/ram0 /dev/zero && echo good')"
same "a size that cannot be" 125 "$("$VKERNEL" --timeout=600s -a ramdisk=x -- true 2>/dev/null </dev/null; echo $?)"
finish
