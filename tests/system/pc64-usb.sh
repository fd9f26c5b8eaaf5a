#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# pc64-usb - USB keyboards at a PC's console, typed on through QEMU's monitor.  In a keyboard of QEMU's 16 presses and
# releases wait, those of an arrow counting twice: so a script types a little and sees it before it goes on.  What a
# program is to read is typed when the program has begun: until then the shell has the terminal in its own mode.
set -u
. tests/pc64.sh
begin "USB keyboards"

# at NAME CPUS MACHINE DEVICE...: a console where the script on standard input is typed; several at a time.
at() {
	name=$1 cpus=$2 machine=$3
	shift 3
	sed "s|MONITOR|$t/$name.mon|" >"$t/$name.script"
	MACHINE=$machine QEMU_ARGS="-monitor unix:$t/$name.mon,server=on,wait=off $*" \
	    "$BUILD/system/pty" sh scripts/run/pc64 -v --timeout=600s -c "$cpus" -m 256M \
	    <"$t/$name.script" >"$t/$name.out" 2>"$t/$name.err" &
	eval "pid_$name=$!"
}

# ended NAME STATUS CLAIM
ended() {
	eval "wait \$pid_$1"
	got=$?
	same "$3" "$2" "$got"
	[ "$got" = "$2" ] || { cat "$t/$1.err"; tail -n 12 "$t/$1.out"; echo; } | tr -d '\r' | sed 's/^/# /'
}

# Six at a time, since the last ones before them may still be there.
{
	printf 'monitor MONITOR\nexpect keyboard 0627:0001\nkeys \\r\nexpect #\n'
	printf 'keys echo g\nexpect echo g\nkeys $?;\nexpect $?;\nkeys cat>f\nexpect cat>f\nkeys \\r\nexpect g0\n'
	awk 'BEGIN { for (i = 10001; i <= 10167; i++) printf "keys %d\\r\nexpect %d\n", i, i }'
	printf 'keys \\x04\nexpect #\nkeys wc -c\nexpect wc -c\nkeys  f\\r\nexpect 1002 f\n'
	printf 'keys exit 3\nexpect exit 3\nkeys \\r\n'
} >"$t/thousand"
at fast 1 q35 -device qemu-xhci -device usb-kbd <"$t/thousand"

# Letters of all kinds, with devices beside the keyboard that are none.
truncate -s 1M "$t/disk"
at keys 4 pc -device qemu-xhci,id=x,p2=8 -device usb-tablet,bus=x.0 -device usb-mouse,bus=x.0 \
    -drive "if=none,id=d,format=raw,file=$t/disk" -device usb-storage,bus=x.0,drive=d \
    -device usb-hub,bus=x.0 -device usb-kbd,bus=x.0 <<'E'
monitor MONITOR
expect keyboard 0627:0001
keys \r
expect #
keys n=6;
expect n=6;
keys echo 
expect echo 
keys Ab_
expect Ab_
keys $((
expect $((
keys n*7
expect n*7
keys ))\r
expect Ab_42
expect #
qemu sendkey up 1
expect echo Ab_$((n*7))
qemu sendkey left 1
qemu sendkey left 1
qemu sendkey backspace 1
qemu sendkey 5 1
expect 5))
qemu sendkey end 1
keys \r
expect Ab_30
expect #
qemu sendkey caps_lock 1
keys E
expect e
keys CH
expect ch
keys O 
expect o 
keys ok$
expect OK$
keys {#
expect {#
keys }\r
expect OK0
expect #
qemu sendkey caps_lock 1
keys sh -c 
expect sh -c 
keys 'echo 
expect 'echo 
keys g$?;
expect g$?;
keys sleep 
expect sleep 
keys 99'\r
expect g0
keys \x03
expect #
keys echo 
expect echo 
keys $?\r
expect 130
expect #
qemu sendkey x 2500
expect xxxx
keys \x15
expect #
keys exit 4
expect exit 4
keys \r
E

# Out while a key is down, and in again; two at once.
at plug 2 q35 -device qemu-xhci,id=x -device usb-kbd,id=k1 <<'E'
monitor MONITOR
expect port 5: keyboard 0627:0001
keys \r
expect #
qemu sendkey y 2000
expect yyyy
qemu device_del k1
expect port 5: the keyboard is gone
qemu device_add usb-kbd,id=k2,port=2
expect port 6: keyboard 0627:0001
qemu device_add usb-kbd,id=k3,port=1
expect port 5: keyboard 0627:0001
keys \x15
keys $((
expect $((
keys 6*7
expect 6*7
keys ))\r
expect 42
expect #
qemu device_del k3
expect port 5: the keyboard is gone
keys echo 
expect echo 
keys $((
expect $((
keys 5*5
expect 5*5
keys ))\r
expect 25
expect #
qemu device_del k2
expect port 6: the keyboard is gone
qemu device_add usb-kbd,id=k4,port=2
expect port 6: keyboard 0627:0001
keys exit 5
expect exit 5
keys \r
E

MACHINE=microvm sh scripts/run/pc64 --timeout=600s -- echo none >"$t/out" 2>"$t/err" </dev/null
same "a PC without PCI has none, and works" none "$(cat "$t/out")"
ended fast 3 "a thousand keys arrive, each once"
ended keys 4 "letters, signs, arrows, Backspace, Caps Lock, Ctrl-C, a key that is held"
holds "a hub is named and left alone" grep -q 'hub 0409:55aa is left alone' "$t/keys.out"
same "and so is what is no keyboard" 3 "$(grep -c 'is no keyboard and left alone' "$t/keys.out")"
ended plug 5 "keyboards come and go, one with a key down; two at once"
finish
