# SPDX-License-Identifier: BSD-2-Clause
pc64 += sys/core/usb/caps.c sys/core/usb/ring.c sys/core/usb/ctx.c sys/core/usb/desc.c sys/core/usb/enum.c
