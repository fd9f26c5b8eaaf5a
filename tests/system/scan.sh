#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# scan - an idle kernel's memory holds nothing of the host (scan.c).
exec "$BUILD/system/scan" "$VKERNEL"
