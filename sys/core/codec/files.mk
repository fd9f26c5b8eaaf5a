# SPDX-License-Identifier: BSD-2-Clause
kern += sys/core/codec/crc32.c sys/core/codec/inflate.c sys/core/codec/cpio.c sys/core/codec/passwd.c
pc64 += sys/core/codec/blake2s.c
