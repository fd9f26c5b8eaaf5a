# SPDX-License-Identifier: BSD-2-Clause
unit += tests/unit/sys/core/callsite/test_callsite.c
