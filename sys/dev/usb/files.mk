# SPDX-License-Identifier: BSD-2-Clause
pc64 += sys/dev/usb/xhci.c
