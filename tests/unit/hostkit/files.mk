# SPDX-License-Identifier: BSD-2-Clause
unit += $(sort $(wildcard tests/unit/hostkit/test_*.c))
