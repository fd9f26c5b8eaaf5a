/* SPDX-License-Identifier: BSD-2-Clause */
/* inflate - unpack gzip (RFC 1952) and raw deflate (RFC 1951) from memory, in pieces of bounded size. */
#pragma once
#include <core/codec/crc32.h>
#include <stdbool.h>

enum inflate_result {
	INFLATE_OK,
	INFLATE_TRUNCATED,	/* the input ends too early */
	INFLATE_BAD_HEADER,	/* not gzip, or an unknown method or flag */
	INFLATE_BAD_BLOCK,	/* unknown block type, or lengths that contradict each other */
	/* a set of code lengths that is no prefix code, or a code that is not in it */
	INFLATE_BAD_CODE,
	INFLATE_BAD_DISTANCE,	/* a copy from before the beginning */
	INFLATE_BAD_SUM,	/* check sum or length differ */
	INFLATE_STOPPED,	/* the consumer said stop */
};

/* Unpacked bytes, in order; false: stop. */
typedef bool (*inflate_out_fn)(void *arg, const uint8_t *data, size_t len);

#define INFLATE_WINDOW	32768u
#define INFLATE_FAST	10u

struct inflate_code {
	uint16_t	fast[1u << INFLATE_FAST];	/* symbol << 4 | length; 0: longer or none */
	uint16_t	count[16];
	uint16_t	symbol[288];			/* in order of their codes */
};

/* About 100 KiB; the caller's, contents do not matter. */
struct inflate {
	const uint8_t	*in, *in_end;
	uint64_t	bits;		/* not yet used, lowest first */
	uint32_t	nbits;
	size_t		pos, flushed;	/* in buf */
	uint64_t	total;		/* bytes put out or waiting in buf */
	uint32_t	crc;
	bool		sum;		/* keep crc */
	inflate_out_fn	out;
	void		*arg;
	struct inflate_code lit, dist;
	struct crc32_table table;
	uint8_t		buf[2 * INFLATE_WINDOW];
};

/* *used: bytes of input eaten, and on failure about where. */
enum inflate_result inflate_raw(struct inflate *s, const void *in, size_t len, size_t *used,
    inflate_out_fn out,
    void *arg);
/* One or more gzip members; zero bytes after the last are padding. */
enum inflate_result inflate_gzip(struct inflate *s, const void *in, size_t len, size_t *used,
    inflate_out_fn out,
    void *arg);
const char *inflate_strerror(enum inflate_result r);
