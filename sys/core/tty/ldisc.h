/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ldisc - the terminal's line discipline (Linux's N_TTY): bytes from the
 * keyboard in, lines for the reader and echo for the screen out.
 *
 * Pure: time, sleeping, signals and devices are the caller's.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Numbers of the Linux ABI. */
enum {
	LD_ISTRIP = 0000040, LD_INLCR = 0000100, LD_IGNCR = 0000200, LD_ICRNL = 0000400, LD_IUCLC = 0001000,
	LD_IXON = 0002000, LD_IXANY = 0004000, LD_IXOFF = 0010000, LD_IUTF8 = 0040000, LD_PARMRK = 0000010,
};
enum {
	LD_OPOST = 0000001, LD_OLCUC = 0000002, LD_ONLCR = 0000004, LD_OCRNL = 0000010, LD_ONOCR = 0000020,
	LD_ONLRET = 0000040, LD_TABDLY = 0014000, LD_XTABS = 0014000,
};
enum {
	LD_ISIG = 0000001, LD_ICANON = 0000002, LD_ECHO = 0000010, LD_ECHOE = 0000020, LD_ECHOK = 0000040,
	LD_ECHONL = 0000100, LD_NOFLSH = 0000200, LD_TOSTOP = 0000400, LD_ECHOCTL = 0001000, LD_ECHOPRT = 0002000,
	LD_ECHOKE = 0004000, LD_IEXTEN = 0100000,
};
enum { LD_B38400 = 0000017, LD_CSIZE = 0000060, LD_CS8 = 0000060, LD_CREAD = 0000200, LD_PARENB = 0000400, LD_HUPCL = 0002000 };
enum {
	LD_VINTR, LD_VQUIT, LD_VERASE, LD_VKILL, LD_VEOF, LD_VTIME, LD_VMIN, LD_VSWTC, LD_VSTART, LD_VSTOP, LD_VSUSP,
	LD_VEOL, LD_VREPRINT, LD_VDISCARD, LD_VWERASE, LD_VLNEXT, LD_VEOL2, LD_NCC = 19
};

/* Linux's struct termios2; its struct termios is the same without the speeds. */
struct ld_termios {
	uint32_t	iflag, oflag, cflag, lflag;
	uint8_t		line, cc[LD_NCC];
	uint32_t	ispeed, ospeed;
};
#define LD_TERMIOS_BYTES	36u	/* up to the speeds */
_Static_assert(sizeof(struct ld_termios) == 44 && offsetof(struct ld_termios, ispeed) == LD_TERMIOS_BYTES, "Linux's layout");

#define LDISC_IN	4096u		/* a line, with its end, as on Linux */
#define LDISC_OUT	4096u
#define LDISC_ECHO	256u		/* of LDISC_OUT: kept for echo */

/* What input brought about. */
enum {
	LDISC_INT = 1u << 0, LDISC_QUIT = 1u << 1, LDISC_SUSP = 1u << 2,	/* signals for the foreground group */
	LDISC_READABLE = 1u << 3,
	LDISC_OUTPUT = 1u << 4,			/* echo was made, or output was started again */
	LDISC_FLUSHED = 1u << 5,		/* a signal threw input and output away */
	LDISC_STOP = 1u << 6, LDISC_START = 1u << 7,	/* flow control changed */
	LDISC_SHOW = 1u << 8,			/* show what waits before the next key */
};

struct ldisc {
	struct ld_termios ld_t;			/* changed by ldisc_set_termios() only */
	uint32_t	ld_head;		/* input positions, ever growing: next byte from the keyboard, */
	uint32_t	ld_canon;		/* end of the last complete line, */
	uint32_t	ld_tail;		/* next byte for the reader */
	uint32_t	ld_ohead, ld_otail;	/* output positions, ever growing */
	uint32_t	ld_column, ld_canon_column;	/* of the cursor; where the line being typed began */
	uint32_t	ld_events;		/* LDISC_*, since the last ldisc_input() began */
	bool		ld_lnext;		/* the next byte is taken literally */
	bool		ld_erasing;		/* between \ and / of ECHOPRT */
	bool		ld_stopped;		/* output waits for START */
	uint8_t		ld_in[LDISC_IN];
	uint64_t	ld_end[LDISC_IN / 64];	/* bit: this byte ends a line; a 0 there is an end of file */
	uint8_t		ld_out[LDISC_OUT];
};

void	ldisc_init(struct ldisc *ld);
void	ldisc_set_termios(struct ldisc *ld, const struct ld_termios *t);
/*
 * Bytes from the keyboard: returns how many were taken; *events LDISC_*.
 * None: the reader must read first.  Fewer: show what there is and go on.
 */
size_t	ldisc_input(struct ldisc *ld, const uint8_t *buf, size_t len, uint32_t *events);
bool	ldisc_can_input(const struct ldisc *ld);
/* Bytes from a program: returns how many were taken. */
size_t	ldisc_output(struct ldisc *ld, const uint8_t *buf, size_t len);
bool	ldisc_can_output(const struct ldisc *ld);
/* Bytes for the screen; none while stopped. */
size_t	ldisc_take(struct ldisc *ld, uint8_t *buf, size_t len);
/* Look at bytes for the screen without taking them: the longest piece in one. */
size_t	ldisc_peek(const struct ldisc *ld, const uint8_t **at);
void	ldisc_skip(struct ldisc *ld, size_t n);
/* At least `min` bytes (without lines), or a line. */
bool	ldisc_readable(const struct ldisc *ld, uint32_t min);
/* Bytes for a reader.  *end: a line or the file ended here, so this read is complete. */
size_t	ldisc_read(struct ldisc *ld, uint8_t *buf, size_t len, bool *end);
size_t	ldisc_in_bytes(const struct ldisc *ld);			/* FIONREAD */
static inline size_t ldisc_out_bytes(const struct ldisc *ld) { return ld->ld_ohead - ld->ld_otail; }
void	ldisc_flush_in(struct ldisc *ld);
void	ldisc_flush_out(struct ldisc *ld);
void	ldisc_stop(struct ldisc *ld, bool on);
void	ldisc_send(struct ldisc *ld, uint8_t c);			/* as it is, even when programs' output is full */
