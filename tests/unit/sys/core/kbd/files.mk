# SPDX-License-Identifier: BSD-2-Clause
unit += tests/unit/sys/core/kbd/test_scan.c tests/unit/sys/core/kbd/test_report.c
unit += tests/unit/sys/core/kbd/test_text.c
