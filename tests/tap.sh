# SPDX-License-Identifier: BSD-2-Clause
#
# tap.sh - for tests written in sh; sourced.  They say what they claim:
#
#   same "claim" EXPECTED ACTUAL
#   holds "claim" COMMAND...          the command's status is 0
#   skip "claim" "reason"
#   finish                            prints the plan

tap_n=0
tap_bad=0

tap_result() {	# ok|not claim
	tap_n=$((tap_n + 1))
	if [ "$1" = ok ]; then
		echo "ok $tap_n - $2"
	else
		tap_bad=$((tap_bad + 1))
		echo "not ok $tap_n - $2"
	fi
}

same() {
	if [ "$2" = "$3" ]; then
		tap_result ok "$1"
	else
		tap_result not "$1"
		printf '%s\n' "wanted: $2" "got:    $3" | head -n 12 | sed 's/^/# /'
	fi
}

holds() {
	tap_claim=$1
	shift
	if "$@"; then
		tap_result ok "$tap_claim"
	else
		tap_result not "$tap_claim"
	fi
}

skip() {
	tap_n=$((tap_n + 1))
	echo "ok $tap_n - $1 # SKIP $2"
}

finish() {
	echo "1..$tap_n"
	[ "$tap_bad" = 0 ]
}
