#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# pc64-net - network controllers: a gateway answers all that it is sent, and the link is followed.
set -u
. tests/pc64.sh
begin "network controllers"

# talks CLAIM CPUS MACHINE DEVICE...
talks() {
	claim=$1 cpus=$2 machine=$3 n=0 args=
	shift 3
	for device in "$@"; do
		n=$((n + 1))
		args="$args -netdev user,id=n$n -device $device,netdev=n$n"
	done
	KERNEL=$BUILD/pc64/kernel-test.elf MACHINE=$machine QEMU_ARGS=$args \
	    sh scripts/run/pc64 --timeout=600s -v -c "$cpus" -m 128M \
	    -a ktest=pc_net_the_gateway_echoes_what_it_is_sent >"$t/out" 2>&1 </dev/null
	same "$claim, $machine, processors: $cpus" "$n yes" "$(grep -c 'eth[0-9]: link up' "$t/out") $(
	    grep -q '^ok 1 - pc_net_the_gateway' "$t/out" && echo yes || cat "$t/out")"
}
talks "the 82540EM sends and receives" 1 q35 e1000
talks "the 82574L sends and receives" 1 pc e1000e
talks "all kinds at once" 4 q35 e1000 e1000e virtio-net-pci
talks "two on a pin" 2 pc e1000,addr=10 e1000,addr=14

for device in e1000 e1000e; do
	QEMU_ARGS="-netdev user,id=n -device $device,netdev=n -monitor unix:$t/mon,server=on,wait=off" \
	    "$BUILD/system/pty" sh scripts/run/pc64 -v --timeout=600s -m 128M >"$t/out" 2>&1 <<E
monitor $t/mon
expect eth0: link up: 1000 Mbit/s, full duplex
qemu set_link n off
expect eth0: link down
qemu set_link n on
expect eth0: link up
send \r
expect #
send exit 6\r
E
	same "the link is followed: $device" 6 $?
done
finish
