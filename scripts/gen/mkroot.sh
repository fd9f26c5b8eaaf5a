#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# mkroot.sh - list the default root for mkcpio, from the machine's busybox.
#
#   mkroot.sh BUSYBOX SCRATCH >LIST
#
# The small files of /etc are written below SCRATCH.  Applets are symbolic
# links in /bin; /sbin and /usr/*bin are the same folder.
set -eu
busybox=$1
scratch=$2
mkdir -p "$scratch"

etc() {
	cat >"$scratch/$1"
	echo "file /etc/$1 $2 0 0 $scratch/$1"
}

for d in bin dev etc home mnt proc run sys usr usr/lib usr/share var var/log var/spool; do
	echo "dir /$d 0755 0 0"
done
echo "dir /root 0700 0 0"
echo "dir /tmp 1777 0 0"
echo "dir /var/tmp 1777 0 0"
echo "slink /sbin bin"
echo "slink /usr/bin ../bin"
echo "slink /usr/sbin ../bin"
echo "slink /var/run ../run"
echo "nod /dev/console 0600 0 0 c 5 1"
echo "nod /dev/null 0666 0 0 c 1 3"

echo "file /bin/busybox 0755 0 0 $busybox"
"$busybox" --list | sort -u | while read -r applet; do
	[ "$applet" = busybox ] || echo "slink /bin/$applet busybox"
done

etc passwd 0644 <<-'E'
	root:x:0:0:root:/root:/bin/sh
	daemon:x:1:1:daemon:/usr/sbin:/bin/false
	bin:x:2:2:bin:/bin:/bin/false
	nobody:x:65534:65534:nobody:/:/bin/false
E
etc group 0644 <<-'E'
	root:x:0:
	daemon:x:1:
	bin:x:2:
	tty:x:5:
	disk:x:6:
	users:x:100:
	nogroup:x:65534:
E
etc shadow 0600 <<-'E'
	root::19000:0:99999:7:::
	nobody:*:19000:0:99999:7:::
E
etc profile 0644 <<-'E'
	export PATH=/bin
	export PS1='\w \$ '
E
etc shells 0644 <<-'E'
	/bin/sh
	/bin/ash
E
etc inittab 0644 <<-'E'
	::sysinit:/bin/true
	console::askfirst:-/bin/sh
	::restart:/bin/init
	::ctrlaltdel:/bin/reboot
E
etc fstab 0644 <<-'E'
	tmpfs / tmpfs rw 0 0
	devfs /dev devfs rw 0 0
	proc /proc proc rw 0 0
E
etc hostname 0644 <<-'E'
	damselfly
E
etc hosts 0644 <<-'E'
	127.0.0.1 localhost
E
etc os-release 0644 <<-'E'
	NAME=Damselfly
	ID=damselfly
	PRETTY_NAME="Damselfly"
E
etc issue 0644 <<-'E'
	Damselfly \n \l
E
