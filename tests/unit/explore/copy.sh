#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# copy.sh - the code that the explorer runs: what ships, with one planted bug or none.
#
#   copy.sh BUG DIR
#
# Copies are exact, but for what would make time part of a state: the count of turns in
# md_spin(), the question whether the host thread is the CPU's, and the rings of events.
set -eu
export LC_ALL=C
bug=$1
to=$2
mkdir -p "$to/core/ipi"
cp sys/core/ipi/ring.h "$to/core/ipi/ring.h"
cp sys/kern/lwkt/ipi.c sys/kern/lwkt/thread.c sys/kern/lwkt/intr.c "$to/"
cp platform/vkernel/cpu/cpu.c "$to/md_cpu.c"
cp hostkit/linux/cpu.c "$to/hk_cpu.c"

# edit FILE SED_SCRIPT: it must change something, or the code has moved away from the bug.
edit() {
	sed -e "$2" "$to/$1" >"$to/edited"
	if cmp -s "$to/edited" "$to/$1"; then
		echo "copy.sh: $bug: nothing to change in $1" >&2
		exit 1
	fi
	mv "$to/edited" "$to/$1"
}

edit md_cpu.c 's/(++\*turns % 64 == 0)/(*turns % 64 == 1)/'
edit hk_cpu.c 's/^\tASSERT(c == self_cpu);$//'
for f in ipi.c thread.c; do
	edit $f 's/^\(\t*\)ktr_at(\(stamp\),.*$/\1(void)\2;/; s/^\(\t*\)ktr[a-z_]*(.*);.*$/\1{ }/; s/ktr_init_cpu(c) != 0/false/; s/ktr_stamp()/0/g'
done
edit ipi.c 's/return ncpu <= 8 ? 256 :/return ncpu <= 8 ? 4 :/'

case $bug in
none) ;;
equality)	# an end that was remembered is compared with ==: a nested reader has passed it
	edit core/ipi/ring.h 's/(int32_t)(end - head) <= 0/end == head/' ;;
hysteresis)	# room taken for use, and use for room
	edit core/ipi/ring.h 's/if (ring_used(r) > r->r_mask)/if (r->r_mask + 1 - ring_used(r) > r->r_mask + 1)/' ;;
lazy)		# no bug: passive messages never interrupt by themselves, so only a waiting sender's kick can
	edit ipi.c 's/if (ring_used(r) > entries \/ 4)$/if (ring_used(r) > entries)/' ;;
nokick)		# the same, and a sender that waits does not kick
	edit ipi.c 's/if (ring_used(r) > entries \/ 4)$/if (ring_used(r) > entries)/'
	edit ipi.c '/^wait_for_room/,/^}/s/^\tkick(to);$//' ;;
pending)	# the bit is cleared after its ring was read
	edit ipi.c 's/: *atomic_exchange_explicit(&me->i_from\[w\], 0, memory_order_acq_rel)/: atomic_load(\&me->i_from[w])/
	    s/^\t    atomic_exchange_explicit(&me->i_from\[w\], 0, memory_order_acq_rel);/\t    atomic_load(\&me->i_from[w]);/
	    s/^\t\t\trun_ring(me, \(.*\), choosy);/\t\t\t{ run_ring(me, \1, choosy); if (!choosy) atomic_fetch_and(\&me->i_from[w], ~(from \& -from)); }/' ;;
mailbox)	# likewise the mailbox
	edit intr.c 's/while ((bits = atomic_exchange_explicit(&c->c_mailbox, 0, memory_order_acq_rel)) != 0) {/while ((bits = atomic_load(\&c->c_mailbox)) != 0) {/
	    s/^\t\t\t\thandlers\[i\].fn(handlers\[i\].arg);/\t\t\t\t{ handlers[i].fn(handlers[i].arg); atomic_exchange(\&c->c_mailbox, 0); }/' ;;
interlock)	# what the hook's sends answered may have made a thread ready: no second look
	edit thread.c '/^lwkt_idle/,/^}/s/^\t\tif (c->c_runmask == 0)$/\t\tif (c != NULL)/' ;;
fence)		# the kick's store may pass its look at the sleeper; without store buffers it is right
	edit md_cpu.c 's/^\tif (atomic_fetch_or(&areas\[cpu\]->mailbox, bits) == 0 && !md_deterministic)$/\tatomic_store_explicit(\&areas[cpu]->mailbox, bits, memory_order_release);/' ;;
*)
	echo "copy.sh: $bug: no such bug" >&2
	exit 2 ;;
esac
