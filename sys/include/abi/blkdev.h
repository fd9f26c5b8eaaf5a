/* SPDX-License-Identifier: BSD-2-Clause */
/* ioctl(2) requests for block devices, and major numbers, of the Linux x86-64 ABI. */
#pragma once
#define BLKROGET	0x125eu
#define BLKRRPART	0x125fu
#define BLKGETSIZE	0x1260u		/* unsigned long: in 512 bytes */
#define BLKFLSBUF	0x1261u
#define BLKSSZGET	0x1268u		/* int: bytes of a block */
#define BLKIOMIN	0x1278u
#define BLKIOOPT	0x1279u
#define BLKALIGNOFF	0x127au
#define BLKPBSZGET	0x127bu
#define BLKBSZGET	0x80081270u
#define BLKGETSIZE64	0x80081272u

#define BLK_MAJOR_RAM	1u
#define BLK_MAJOR_SD	8u
#define BLK_MAJOR_EXT	259u
