#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# pc64-odd - PCs that lack something or whose firmware lies: each works, or says in a sentence why it does not.
set -u
. tests/tap.sh
if ! command -v qemu-system-x86_64 >/dev/null; then
	skip "a PC" "no qemu-system-x86_64"
	finish
	exit
fi
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
trap 'exit 130' INT TERM
export BUILD
pc() {
	sh scripts/run/pc64 --timeout=90s "$@" </dev/null 2>"$t/err"
}
# it CLAIM WORDS: the kernel's words are among them.
it() {
	holds "$1: $2" grep -q "$2" "$t/err"
}
words="it lives"

# ---- clocks ----
# The hypervisor's name is what makes the emulated processor's counter one to trust.
distrust=max,-hypervisor
clock() {	# CLAIM: time passes
	same "$1" "$words" "$(pc -c 2 -- sh -c 'a=$(date +%s); sleep 1; [ "$(date +%s)" -gt "$a" ] && echo it lives')"
}
MACHINE=q35,hpet=off clock "no HPET"
same "not a word" "" "$(cat "$t/err")"
CPU=$distrust clock "a counter not to be trusted"
it "said" "time is the HPET's"
CPU=$distrust MACHINE=q35,hpet=off clock "and no HPET"
it "said" "time is the ACPI timer's"
CPU=$distrust MACHINE=microvm clock "and only a PIT"
it "said" "there is no other clock"
MACHINE=microvm,rtc=off clock "no RTC"
it "said" "it is 1970"
MACHINE=microvm,rtc=off,pit=off pc -- echo "$words" >"$t/out"
same "no clock at all is the end" 125 $?
it "said" "no clock"

# ---- the end ----
for way in q35 pc microvm q35,acpi=off microvm,acpi=off; do
	MACHINE=$way pc -- sh -c 'reboot -f; echo still here; sleep 100' >"$t/out"
	same "$way starts anew, which ends it here" "0 " "$? $(cat "$t/out")"
done
finish
