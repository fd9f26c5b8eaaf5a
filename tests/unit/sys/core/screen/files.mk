# SPDX-License-Identifier: BSD-2-Clause
unit += tests/unit/sys/core/screen/test_fb.c
unit += tests/unit/sys/core/screen/test_screen.c
