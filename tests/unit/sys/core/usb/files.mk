# SPDX-License-Identifier: BSD-2-Clause
unit += tests/unit/sys/core/usb/test_caps.c tests/unit/sys/core/usb/test_ring.c tests/unit/sys/core/usb/test_ctx.c
unit += tests/unit/sys/core/usb/test_desc.c tests/unit/sys/core/usb/test_enum.c
