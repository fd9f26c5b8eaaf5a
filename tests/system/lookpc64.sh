#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# lookpc64 - a PC's kernel seen from outside: by QEMU's stub, with the vk commands.
#
# A PC and a virtual kernel are brought to the same state, and each command must say the same of both; so must the
# virtual kernel's core.  plain() takes away what cannot be the same: addresses (of mappings the sizes stay), times,
# how often something happened, what is said of the machine, and the thread that only a PC's devices have.
set -u
. tests/pc64.sh
begin "a PC's kernel seen from outside"
if ! command -v gdb >/dev/null 2>&1; then
	skip "a PC's kernel seen from outside" "no gdb"
	finish
	exit
fi
vt=$BUILD/bin/vkernel-test
name=lookpc$$
KERNEL=$BUILD/pc64/kernel-test.elf
export KERNEL
machine='' virtual=''
trap 'kill $machine $virtual 2>/dev/null; wait; rm -rf "$t"' EXIT

start_pc() {	# PC64_ARGUMENT...
	rm -f "$t/socket"
	QEMU_ARGS="-gdb unix:$t/socket,server=on,wait=off" sh scripts/run/pc64 -q -c 2 -m 64M --timeout=600s "$@" \
	    </dev/null >"$t/pc.out" 2>&1 &
	machine=$!
	until [ -S "$t/socket" ] || ! kill -0 $machine 2>/dev/null; do sleep 0.1; done
}
end_pc() {
	kill $machine
	wait $machine
	machine=
}
# Each puts a line before what a command says.
pc() {	# COMMAND...
	ask "sh scripts/run/debug-attach $t/socket" "$@"
}
vk() {	# ID|CORE COMMAND...
	which=$1
	shift
	ask "$vt gdb $which" "$@"
}
ask() {	# GDB COMMAND...
	how=$1
	shift
	for c; do
		set -- "$@" -ex "echo ==== $c\\n" -ex "$c"
		shift
	done
	# shellcheck disable=SC2086
	timeout -k 5 600 $how -nx -batch "$@" 2>"$t/gdb.err" </dev/null |
	    awk '/^====/ { on = 1 } /^\[Inferior 1 .*detached\]$/ { next } on'
}
until_said() {	# FILE WORDS FUNCTION...: asked again and again
	file=$1 words=$2
	shift 2
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		"$@" >"$file"
		! grep -q "$words" "$file" || return 0
		sleep 0.5
	done
	return 1
}

# Sizes of mappings, for awk has no such numbers.
sizes() {
	while IFS= read -r line; do
		case $line in
		[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]-*)
			range=${line%% *}
			echo "$((0x${range#*-} - 0x${range%-*})) ${line#* }"
			;;
		*) printf '%s\n' "$line" ;;
		esac
	done
}
plain() {
	sizes | sed -E 's/0x[0-9a-f]+(, [0-9a-f]+)?/X/g; s/^[0-9a-f]{12} /X /; s/[0-9]+ switches/N switches/
	    s/put [0-9]+, taken [0-9]+/put N, taken N/; s/^\[ *[0-9.]+\]/[TIME]/; s/[0-9]+ (KiB|MiB)/N \1/g
	    s,^(kernel  *).*,\1X,
	    s,platform/(pc64|vkernel)/include/([a-z/]*\.h):[0-9]*,platform/include/\2,' | awk -v only='devclock' '
	BEGIN { n = split(only, names); for (i = 1; i <= n; i++) own[names[i]] = 1 }
	/^====/ { what = $3; skip = 0; print; next }
	# Numbers of threads are given to those of devices, too; and one is not there yet in the other kernel.
	{ gsub(/thread [0-9]+ /, "thread ") ; gsub(/--> [0-9]+ /, "--> "); gsub(/cycle: [0-9]+ /, "cycle: ") }
	what == "threads" && NF > 5 { id = $5 ~ /^[0-9]+$/ ? 6 : 5 
		if ($id in own) next
		$1 = "N"; $0 = $0 }
	what == "info" && $1 == "threads" { $2 = "N" }
	what == "ps" && $4 == "alive" { $5 = "RSS"; $0 = $0 }
	what == "dmesg" && /ahci0|pci0/ { next }
	# What drivers and the machine have; a thread of a program has room for the registers of the processor.
	what == "kmem" && $4 ~ /^\((platform|sys\/dev)/ { next }
	what == "kmem" && $3 == "lwp_alloc" { $2 = "BYTES" }
	what == "kmem" { gsub(/[a-z0-9_]+ \(platform[^)]*\)/, "MACHINE") }
	what == "bt" && $1 == "thread" { skip = $2 ~ /,$/ ? (substr($2, 1, length($2) - 1) in own) : ($2 in own) }
	# How a processor came to be idle, and how it is.
	what == "bt" && /platform\/(pc64|vkernel)\/(boot|cpu\/cpu\.c)|hostkit/ { next }
	what == "bt" && $1 ~ /^#/ { $1 = "#" }
	!skip { $1 = $1; print }'
}

guest='exec 7</etc/passwd; mkfifo /tmp/f; taskset 1 sleep 1000 & taskset 2 sleep 1001 & taskset 2 cat /tmp/f & wait'
is_quiet() {	# FUNCTION [ARGUMENT...]: the circle is closed, the guest's four programs sleep
	"$@" "vk waits" "vk ps -t" "vk cpu" >"$t/now"
	[ "$(grep -c '^cycle: ' "$t/now")" = 1 ] && [ "$(grep -c '(idle)' "$t/now")" = 2 ] &&
	    [ "$(grep -c 'sleeping' "$t/now")" -ge 5 ] && [ "$(grep -c ' alive .* sleep$' "$t/now")" = 2 ] &&
	    grep -q ' cat$' "$t/now"
}
wait_quiet() {
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		! is_quiet "$@" || return 0
		sleep 0.5
	done
	return 1
}
begin_both() {	# KERNEL_ARGUMENTS
	"$vt" -q -c 2 -m 64M -n "$name" --timeout=600s -a "$1" -- taskset 1 sh -c "$guest" </dev/null >"$t/out" 2>&1 &
	virtual=$!
	start_pc -a "$1" -- taskset 1 sh -c "$guest"
}
# shellcheck disable=SC2016
page='(long)$_vk_proc(1)-(long)debug_table.dt_direct'
set -- "vk info" "vk threads" "vk threads -cpu 1" "vk threads -state sleeping" "vk threads -proc 2" "vk ps" "vk ps -t" \
    "vk cpu" "vk cpu 1" "vk bt all" "vk ports" "vk ports &archive" "vk tokens" "vk tokens -held" "vk waits" "vk ipi" \
    "vk ipi 1" "vk vm 1" "vk vm 2" "vk vm 4" "vk vm 6" "vk vm 4 -pages 0x401000" "vk page $page" "vk vfs" "vk vfs / 2" \
    "vk vfs /bin" "vk mounts" "vk fds 1" "vk fds 2" "vk fds 6" "vk bt 3 -full" "vk kmem" "vk kmem -by 3" \
    "vk kmem (long)\$_vk_proc(1)" "vk dmesg" "vk check"

begin_both "plant=deadlock kmem_debug"
holds "a virtual kernel in a deadlock, with programs that wait" wait_quiet vk "$name"
holds "a PC in the same" wait_quiet pc
vk "$name" "$@" >"$t/vk"
"$vt" dump "$name" -o "$t/core" >/dev/null 2>&1
vk "$t/core" "$@" >"$t/core.vk"
pc "$@" >"$t/pc"
part() {	# COMMAND FILE
	awk -v want="==== $1" '/^====/ { on = $0 == want } on' "$2" | plain |
	    case $1 in *kmem*) sort ;; *) cat ;; esac
}
silent=
for c; do
	part "$c" "$t/vk" >"$t/a"
	part "$c" "$t/core.vk" >"$t/b"
	part "$c" "$t/pc" >"$t/c"
	[ "$(wc -l <"$t/c")" -gt 1 ] || silent="$silent $c;"
	same "$c: a virtual kernel and a PC" "" "$(diff "$t/a" "$t/c" | head -n 20)"
	same "$c: a virtual kernel and its core" "" "$(diff "$t/a" "$t/b" | head -n 20)"
done
same "all say something, but for a token's owner, who sleeps, and the memory of process 1, which has none" \
    " vk tokens -held; vk vm 1;" "$silent"
ends() {	# FILE: the last function on each thread's stack, and how many have it
	sed -n '/^==== vk bt all/,/^==== vk ports/p' "$1" |
	    awk '/^thread|^====/ { if (n++ > 1) print last; last = "nothing" } /^#/ { last = $2 }' | sort | uniq -c | awk '{ print $2, ($2 == "md_ctx_start" ? "all" : $1) }' | tr '\n' ' '
}
same "each stack of a PC ends where it began" "boot_arrive 1 high 1 md_ctx_start all " "$(ends "$t/pc")"
same "each stack of a virtual kernel, too" "hk_stack_call 2 md_ctx_start all " "$(ends "$t/vk")"
same "GDB's own back trace of a thread ends there" "md_ctx_start ()" \
    "$(pc "vk switch 3" bt | awk '/^#/ { last = $0 } END { print last }' | grep -o 'md_ctx_start ()')"

# Symbols of another kernel say nothing of this one.
KERNEL=$BUILD/pc64/kernel.elf pc "vk threads" >"$t/out"
holds "a file that is not that of the kernel in memory" \
    grep -q "in memory is not the kernel of .*/kernel.elf" "$t/gdb.err"
same "about which nothing is said" "==== vk threads" "$(cat "$t/out")"
kill $virtual
wait $virtual
end_pc

# Processors that are in a program: one in each of two.
guest='taskset 2 sh -c "while :; do :; done" & while :; do :; done'
running() {	# FUNCTION [ARGUMENT...]: what the kernel has on the stacks of the two programs
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		"$@" "vk threads -state running" "vk bt all" >"$t/now"
		tids=$(awk '$1 == "====" { on = $3 == "threads" } on && $3 == "running" && $4 == 8 { print $2 $1 }' "$t/now" | sort)
		[ "$(echo "$tids" | cut -c 1 | tr -d '\n')" != 01 ] || break
		sleep 0.3
	done
	for tid in $tids; do
		echo "cpu ${tid%"${tid#?}"}"
		awk -v tid="${tid#?}" '$1 == "thread" { on = $2 == tid; next }
		    on && !/platform.*\/(user|cpu)\.c|hostkit/ { $1 = "#"; print }' "$t/now"
	done
}
"$vt" -q -c 2 -m 64M -n "$name" --timeout=600s -- taskset 1 sh -c "$guest" </dev/null >"$t/out" 2>&1 &
virtual=$!
start_pc -- taskset 1 sh -c "$guest"
end='# thread_main # md_ctx_start'
wanted="cpu 0 # lwp_run # kernel_child $end cpu 1 # lwp_run # user_child $end"
until_said "$t/now" ' 1 running  *8 ' vk "$name" "vk threads"
running vk "$name" >"$t/a"
until_said "$t/now" ' 1 running  *8 ' pc "vk threads"
running pc >"$t/b"
same "below a program that runs there is its thread's stack" "$wanted" \
    "$(sed 's/ (.*//' "$t/b" | tr '\n' ' ' | sed 's/ $//')"
same "as in a virtual kernel" "" "$(diff "$t/a" "$t/b")"
same "and nothing is wrong with either" "0 things wrong 0 things wrong" \
    "$( (vk "$name" "vk check"; pc "vk check") | grep -o '[0-9]* things wrong' | tr '\n' ' ' | sed 's/ $//')"
kill $virtual
wait $virtual
virtual=
end_pc

# Bugs are found as in a virtual kernel: tests/system/planted.sh.
start_pc -a "plant=corruption kmem_debug" -- sleep 1000
wrong='^kernel_objects: object 0x[0-9a-f]* of 100 bytes, allocated by ktest_corruption (tests/kernel/planted.c:[0-9]*), '
wrong="${wrong}was written past its end: at 0x[0-9a-f]* is"
holds "a corruption: vk check names the object and who allocated it" until_said "$t/said" "$wrong" pc "vk check"
at=$(sed -n 's/^kernel_objects.* at \(0x[0-9a-f]*\) is.*/\1/p' "$t/said")
same "a watchpoint of QEMU's finds who writes there" "write_letter" \
    "$(pc "watch *(char *)$at" continue bt | grep -o '^#0 .*write_letter' | grep -o 'write_letter')"
# Through the gate: from who serves an interrupt to what it interrupted, and on to where that stack began.
pc "break trap_kernel_mode" continue bt >"$t/out"
same "a back trace goes through an interrupt" "trap_kernel_mode <signal ends" \
    "$(sed -n 's/^#[0-9]* *\(0x[0-9a-f]* in \)*\([<a-z][a-z_0-9]*\).*/\2/p' "$t/out" |
	awk 'NR < 3 { print } END { print /^(md_ctx_start|high|boot_arrive)$/ ? "ends" : $0 }' | tr '\n' ' ' | sed 's/ $//')"
end_pc
start_pc -a "plant=leak kmem_debug" -- sleep 1000
holds "a leak: vk kmem has it above all others" until_said "$t/said" "^ *[0-9]\{4,\} .*planted.c" pc "vk kmem"
same "as its first line" "yes" "$(awk '/OBJECTS/ { getline; print /planted.c/ ? "yes" : $0 }' "$t/said")"
end_pc

# What the makefile's targets do.
KERNEL=$BUILD/pc64/kernel.elf
printf '%s\n' 'bt 1' 'vk info' 'break sys_exit_group' continue 'vk ps' delete |
    QEMU_ARGS="-name $name" timeout -k 5 600 sh scripts/run/debug-pc64 -q -c 2 -- sh -c 'echo from the guest; exit 3' >"$t/out" 2>&1
has() {	# CLAIM FILE WORDS...: each of them is in a line, in this order
	claim=$1 file=$2
	shift 2
	same "$claim" "$(printf '%s\n' "$@")" "$(awk '
	    BEGIN { for (i = 1; i < ARGC; i++) want[i] = ARGV[i]; n = ARGC; ARGC = 1; at = 1 }
	    at < n && index($0, want[at]) { print want[at++] }' "$@" <"$file")"
}
has "debug-pc64: a machine in GDB, in its first function, and then in a call of its guest" "$t/out" \
    "#0  kmain ()" "cpus " "sys_exit_group" "COMMAND" " sh"
same "which goes with GDB" "" "$(pgrep -f "[q]emu-system.* -name $name")"
printf '%s\n' 'bt 1' 'break sys_exit_group' continue 'vk ps' delete |
    timeout -k 5 600 sh scripts/run/debug -q -n "$name" -- sh -c 'echo from the guest; exit 3' >"$t/out" 2>&1
has "debug: the same of a virtual kernel" "$t/out" "#0  kmain ()" "sys_exit_group" "COMMAND" " sh"
same "which goes with GDB, too" "" "$("$VKERNEL" ps | grep " $name ")"
QEMU_ARGS="-S -gdb unix:$t/socket,server=on,wait=off"
export QEMU_ARGS
rm -f "$t/socket"
sh scripts/run/pc64 --timeout=600s </dev/null >/dev/null 2>&1 &
machine=$!
until [ -S "$t/socket" ] || ! kill -0 $machine 2>/dev/null; do sleep 0.1; done
pc "vk threads" >"$t/out"
holds "before the kernel is loaded it is told that there is none" grep -q "or none yet" "$t/gdb.err"
end_pc
mkdir "$t/old"
printf '#!/bin/sh\necho "GNU gdb (GDB) 11.2"\n' >"$t/old/gdb"
chmod +x "$t/old/gdb"
same "a GDB that is too old" "125 debug: gdb is of version 11.2: install 12 or later" \
    "$(said=$(PATH=$t/old:$PATH sh scripts/run/debug-attach "$t/socket" 2>&1 >/dev/null); echo "$? $said")"
finish
