#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# rules - the tree against its own rules (`make rules`).
#
#   rules.sh BUILD_DIR
set -u
. tests/tap.sh
t=$(mktemp)
trap 'rm -f "$t"' EXIT
for rule in layers symbols headers style; do
	if ${MAKE:-make} --no-print-directory O="$1" "rule-$rule" >"$t" 2>&1; then
		tap_result ok "the tree keeps the rules of $rule"
	else
		tap_result not "the tree keeps the rules of $rule"
		grep -v '^make' "$t" | head -n 40 | sed 's/^/# /'
	fi
done
finish
