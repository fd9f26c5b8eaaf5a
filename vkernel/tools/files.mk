# SPDX-License-Identifier: BSD-2-Clause
tools += vkernel/tools/mkcpio.c vkernel/tools/part.c
# It contains sys/core/disk.
$(O)/tools/part: hostflags += -Isys
