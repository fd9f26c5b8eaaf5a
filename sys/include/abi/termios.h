/* SPDX-License-Identifier: BSD-2-Clause */
/* Terminal structures of the Linux x86-64 ABI; termios itself is core/tty/ldisc.h's struct ld_termios. */
#pragma once
#include <stdint.h>

struct k_winsize {
	uint16_t	ws_row, ws_col, ws_xpixel, ws_ypixel;
};
#define TERMIO_NCC	8
/* The oldest form of the settings: half of each word, the first keys. */
struct k_termio {
	uint16_t	iflag, oflag, cflag, lflag;
	uint8_t		line, cc[TERMIO_NCC], pad;
};
_Static_assert(sizeof(struct k_termio) == 18, "struct termio is 18 bytes");
#define TIOCPKT_DATA		0u
#define TIOCPKT_FLUSHREAD	1u
#define TIOCPKT_FLUSHWRITE	2u
#define TIOCPKT_STOP		4u
#define TIOCPKT_START		8u
#define TIOCPKT_NOSTOP		16u
#define TIOCPKT_DOSTOP		32u
