#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# look - a kernel seen from outside: found by its name, its threads in GDB, in a core, behind a stub; and what is
# refused.  What GDB says of processes, memory and files is compared with what the guest itself says.
set -u
. tests/tap.sh
v=$VKERNEL
if ! command -v gdb >/dev/null 2>&1; then
	skip "a kernel seen from outside" "no gdb"
	finish
fi
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
name=look$$
mkdir "$t/s"
# The guest tells what it knows of itself, and sleeps.
"$v" -q -c 2 -n "$name" "--share=$t/s:/s" --timeout=600s -- sh -c '
	sleep 1000 & sleep 1001 & exec 7</etc/passwd
	until [ $(ps -o comm | grep -cx sleep) = 2 ]; do :; done
	ps -o pid,ppid,comm >/s/ps; cat /proc/$$/maps >/s/maps; cat /proc/mounts >/s/mounts; echo $$ >/s/pid
	: >/s/ready; wait' </dev/null >"$t/out" 2>"$t/err" &
until [ -e "$t/s/ready" ] || ! kill -0 $! 2>/dev/null; do sleep 0.1; done
vk() {	# COMMAND...: of GDB, and what they say
	for c; do
		set -- "$@" -ex "$c"
		shift
	done
	timeout -k 5 600 "$v" gdb "$name" -batch "$@" 2>"$t/gdb.err" </dev/null
}
pid=$("$v" ps --json | sed -n "s/.*\"pid\":\([0-9]*\),\"name\":\"$name\".*/\1/p")
same "it is found by its name" "$name 2" "$("$v" ps | awk -v p="$pid" '$1 == p { print $2, $3 }')"
shell=$(cat "$t/s/pid")
said() {	# of the guest, in the form of the command's output
	case $1 in
	ps) awk '$3 != "ps" && $1 ~ /^[0-9]/ { print $1, $2, $3 }' "$t/s/ps" | sort ;;
	vm) awk '{ print $1, $2 }' "$t/s/maps" ;;
	mounts) awk '{ print $3, $2 }' "$t/s/mounts" | sort ;;
	esac
}
vk "vk ps" "echo ----\n" "vk vm $shell" "echo ----\n" "vk mounts" "echo ----\n" "vk fds $shell" "echo ----\n" \
    "vk threads" "vk cpu" "vk info" "vk tokens" "vk ports" "vk waits" "vk ipi" "vk vfs / 2" "vk kmem" "vk bt all" "vk check" \
    "vk dmesg" >"$t/live"
part() {	# NUMBER FILE
	awk -v n="$1" '/^----$/ { k++; next } k == n - 1' "$2"
}
same "the processes are those of the guest's ps" "$(said ps)" \
    "$(part 1 "$t/live" | awk '/^ *PID/ { on = 1; next } on && NF == 6 { print $1, $2, $6 }' | sort)"
same "what its shell has mapped" "$(said vm)" \
    "$(part 2 "$t/live" | awk '{ split($1, a, "-"); for (i in a) sub(/^0*/, "", a[i]); while (length(a[1]) < 8) a[1] = "0" a[1]
        while (length(a[2]) < 8) a[2] = "0" a[2]; print a[1] "-" a[2], $2 }')"
same "what is mounted" "$(said mounts)" "$(part 3 "$t/live" | awk 'NR > 1 { print $2, $3 }' | sort)"
same "what its shell has open" "/etc/passwd" "$(part 4 "$t/live" | awk '$1 == 7 { print $NF }')"
same "nothing is wrong with it" "0 things wrong" "$(grep -o '[0-9]* things wrong' "$t/live")"
holds "its log is there" grep -q '^.*damselfly: 2 cpu' "$t/live"

# By the signal that GDB sends for ^C, and that otherwise ends a kernel.
vk continue "vk ps" >"$t/stopped" &
gdb=$!
until awk '/^State:/ { s = $2 } /^TracerPid:/ { t = $2 } END { exit !(s == "S" && t != 0) }' "/proc/$pid/status" ||
    ! kill -0 $gdb 2>/dev/null; do
	sleep 0.1
done
sleep 0.5
kill -INT "$pid"
wait $gdb
same "^C stops it for GDB" "1 1 init" \
    "$(grep -c 'received signal SIGINT' "$t/stopped") $(awk '$1 == 1 { print 1, $NF }' "$t/stopped")"
same "and it goes on" "alive" "$(kill -0 "$pid" && echo alive)"

holds "it is dumped while it runs" "$v" dump "$name" -o "$t/core"
same "and goes on" "alive" "$(kill -0 "$pid" && echo alive)"
core() {
	timeout -k 5 600 "$v" gdb "$t/core" -batch "$@" 2>"$t/gdb.err" </dev/null
}
same "its core says of processes what it did itself" "$(part 1 "$t/live" | sed -n '/PID/,$p')" "$(core -ex 'vk ps' | sed -n '/PID/,$p')"
same "and of mounts" "$(part 3 "$t/live")" "$(core -ex 'vk mounts' | sed -n '/FILESYSTEM/,$p')"
core -ex 'vk threads' | awk '/^ *ID/ { on = 1; next } on { print $1 }' | sort >"$t/ids"
gdb -nx -batch -ex 'info threads' "$v" "$t/core" 2>/dev/null | sed -n 's/^[* ] *[0-9]* .*LWP \([0-9]*\).*/\1/p' | sort >"$t/lwps"
same "GDB alone has each kernel thread in it" "" "$(comm -23 "$t/ids" "$t/lwps")"

# The same state, seen live and in a core: a kernel that has stopped for good.
"$v" -q -c 2 -n "$name-p" -a panic --on-panic=stop --timeout=600s </dev/null >"$t/out" 2>&1 &
other=$!
until grep -q "stopped: vkernel gdb" "$t/out" || ! kill -0 $other 2>/dev/null; do sleep 0.1; done
all='-ex "vk info" -ex "vk threads" -ex "vk cpu" -ex "vk waits" -ex "vk kmem" -ex "vk bt all" -ex "vk ipi" -ex "vk dmesg" -ex "vk check"'
same "a kernel that has panicked is dumped" 0 "$("$v" dump "$name-p" -o "$t/core.p" >/dev/null 2>&1; echo $?)"
eval "timeout -k 5 600 \"$v\" gdb $name-p -batch $all" 2>/dev/null </dev/null | sed -n '/^kernel /,$p' | grep -v '^\[Inferior' >"$t/live.p"
eval "timeout -k 5 600 \"$v\" gdb \"$t/core.p\" -batch $all" 2>/dev/null </dev/null | sed -n '/^kernel /,$p' >"$t/core.p.said"
holds "it says enough" test "$(wc -l <"$t/live.p")" -gt 30
same "all that can be asked has the same answer, live and from the core" "" "$(diff "$t/live.p" "$t/core.p.said" | head -n 20)"
kill -CONT $other
wait $other
same "it ends when it is let go" 120 $?

# What is refused: never data of something else.
refused() {	# CLAIM MESSAGE COMMAND...
	claim=$1 message=$2
	shift 2
	timeout -k 5 600 "$@" >"$t/out" 2>"$t/err" </dev/null
	same "$claim" "125 yes" "$? $(grep -q "$message" "$t/err" && echo yes || head -n 2 "$t/err")"
}
refused "a name that nobody has" "no virtual kernel" "$v" gdb nobody$$
refused "a process that is none" "is no virtual kernel" "$v" gdb $$
refused "a process that is gone" "no such process" "$v" dump 4194303 -o "$t/x"
head -c 100000 "$t/core" >"$t/cut"
refused "a core that is cut" "" "$v" gdb "$t/cut" -batch
cp "$t/core" "$t/bad"
printf 'x' | dd of="$t/bad" bs=1 seek=1 conv=notrunc 2>/dev/null
refused "a core that is none" "" "$v" gdb "$t/bad" -batch
refused "a core of another build" "another build" "$BUILD/bin/vkernel-test" gdb "$t/core" -batch
refused "a core that is there already" "File exists" "$v" dump "$name" -o "$t/core"
refused "a dump to nowhere" "" "$v" dump "$name"
kill "$pid"
wait

# A debugger that is too old, or none.
mkdir "$t/old"
printf '#!/bin/sh\necho "GNU gdb (GDB) 11.2"\n' >"$t/old/gdb"
chmod +x "$t/old/gdb"
"$v" -q -n "$name" --timeout=600s -- sleep 1000 </dev/null >"$t/out" 2>&1 &
pid=$!
until "$v" ps | grep -q " $name " || ! kill -0 $pid 2>/dev/null; do sleep 0.1; done
refused "a GDB that is too old" "gdb: this one is of version 11.2" env PATH="$t/old:$PATH" "$v" gdb "$name"
refused "no GDB at all" "gdb: there is none" env PATH="$t/s" "$v" gdb "$name"
kill $pid
wait

# A host whose kernel lets only ancestors look, as Yama does: a filter refuses what it would, and its setting says so.
# shellcheck disable=SC2016
yama='mount -t tmpfs none /proc/sys/kernel && mkdir /proc/sys/kernel/yama &&
    echo "$1" >/proc/sys/kernel/yama/ptrace_scope || exit 77
"$2" -q -n "$3" --timeout=600s -- sleep 1000 </dev/null >/dev/null 2>&1 &
until "$2" ps | grep -q " $3 " || ! kill -0 $! 2>/dev/null; do sleep 0.1; done
for id in "$3" $! ""; do
	"$4" 101=1,310=1 "$2" gdb $id 2>&1 </dev/null
	echo $?
done
kill $!
wait'
for scope in 1 2; do
	case $scope in
	1) hint='kernel.yama.ptrace_scope is 1: start it with --gdb, or become root' ;;
	2) hint='kernel.yama.ptrace_scope forbids it' ;;
	esac
	unshare -rm sh -c "$yama" - $scope "$v" "$name" "$BUILD/system/deny" >"$t/out" 2>/dev/null
	if [ $? = 77 ] || [ ! -s "$t/out" ]; then
		skip "a host with Yama's $scope: by name, by number and without either" "no namespaces here"
		continue
	fi
	one="vkernel: N: Operation not permitted hint: $hint 125"
	same "a host with Yama's $scope: by name, by number and without either" "$one $one $one" \
	    "$(sed 's/^vkernel: [0-9]*: /vkernel: N: /' "$t/out" | tr '\n' ' ' | sed 's/ $//')"
done

# Many threads.
"$BUILD/bin/vkernel-test" -q -c 2 -n "$name" -m 256M --timeout=600s -a plant=crowd -- sleep 1000 </dev/null >"$t/out" 2>&1 &
pid=$!
crowd() {
	timeout -k 5 600 "$BUILD/bin/vkernel-test" gdb "$1" -batch -ex 'vk threads' -ex 'vk waits' 2>/dev/null </dev/null
}
n=0
until crowd "$name" >"$t/crowd"; [ "$(grep -c ' crowd ' "$t/crowd")" = 2000 ] && grep -q '^cycle' "$t/crowd" || [ $n = 20 ]; do
	sleep 0.5
	n=$((n + 1))
done
same "of 2000 threads all are shown" 2000 "$(grep -c ' crowd ' "$t/crowd")"
same "and the only circle" "cycle: clerk guard archivist" \
    "$(grep '^cycle' "$t/crowd" | awk '{ s = $1; n = split("clerk guard archivist", a); for (i = 1; i <= n; i++) if (index($0, a[i])) s = s " " a[i]; print s }')"
"$BUILD/bin/vkernel-test" dump "$name" -o "$t/core.c"
same "GDB alone has them in the core" "yes" "$(gdb -nx -batch -ex 'thread apply all bt 1' "$BUILD/bin/vkernel-test" "$t/core.c" 2>/dev/null | grep -c '^Thread ' |
    awk '{ print $1 >= 2000 ? "yes" : $1 }')"
kill $pid
wait
finish
