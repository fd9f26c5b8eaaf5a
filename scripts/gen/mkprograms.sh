#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# mkprograms.sh - list programs of this machine, with all that they load, for mkcpio.
#
#   mkprograms.sh PATH... >LIST
#
# PATH is a file or a folder with all that is in it; a program brings its
# libraries.  A symbolic link brings what it points to.  Owners are root.
set -eu

# The folder that a path is in, by its real name, and that folder itself.
emit() {	# PATH
	dir=$(realpath "$(dirname "$1")")
	path=${dir%/}/$(basename "$1")
	echo "dir $dir"
	if [ -L "$path" ]; then
		target=$(readlink "$path")
		echo "slink $path $target"
		case $target in
		/*) emit "$target" ;;
		*) emit "$dir/$target" ;;
		esac
	elif [ -d "$path" ]; then
		find "$path" \( -name '*[ 	]*' -o -name __pycache__ \) -prune -o -type d -printf 'dir %p\n' \
		    -o -type l -printf 'slink %p %l\n' -o -type f -printf 'file %p 0%m 0 0 %p\n'
	else
		echo "file $path 0$(stat -c %a "$path") 0 0 $path"
	fi
}

{
	for d in /bin /sbin /lib /lib64; do
		[ ! -L $d ] || echo "slink $d $(readlink $d)"
	done
	printf 'dir %s\n' /dev /etc /proc /root /sys /tmp
	for p; do
		emit "$p"
	done
	# What is no dynamic program has no libraries, and ldd says so.
	for p; do
		realpath "$p"
	done | xargs -I PATH find PATH -type f \( -perm -100 -o -name '*.so*' \) -print | sort -u | xargs ldd 2>/dev/null |
	    awk '/=> \// { print $3 } $1 ~ /^\// && $2 ~ /^\(/ { print $1 }' | sort -u | while read -r lib; do
		emit "$lib"
	done
} | awk '
	$1 == "dir" {		# and all above it
		n = split($2, part, "/")
		path = ""
		for (i = 2; i <= n; i++) {
			path = path "/" part[i]
			if (part[i] != "" && !(path in seen)) {
				seen[path] = 1
				print "dir", path, path == "/tmp" ? "1777" : "0755", 0, 0
			}
		}
		next
	}
	!($2 in seen) { seen[$2] = 1; print }'
