#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# seeds - 20,000 seeds of the stress programs, each hundredth twice.
set -u
. tests/tap.sh
same "20,000 seeds" '20000 of 20000 seeds passed' "$(sh scripts/run/seeds "$VKERNEL" "$BUILD" 1000 20000)"
same "2,000 seeds of the kernel's own tests" '2000 of 2000 seeds passed' \
    "$(WORK=kernel sh scripts/run/seeds "$VKERNEL" "$BUILD" 1000 2000)"
finish
