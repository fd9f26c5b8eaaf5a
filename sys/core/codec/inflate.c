/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inflate - deflate's decoder.
 *
 * The output passes through a buffer of twice the window: what a copy may
 * refer to is always in it, and when it is full the older half goes.  A code
 * is looked up by its next ten bits; longer ones are found by counting
 * through the canonical order, length by length.
 *
 * Invariants
 *   I1  pos - flushed bytes of buf wait for the consumer; the last
 *       min(total, INFLATE_WINDOW) bytes before pos are the history.
 *   I2  nbits <= 64 bits of `bits` are valid and the rest are zero, so a
 *       peek beyond the end of the input sees zeros and a take is refused.
 *   I3  every loop eats input or makes output: the run time is bounded by
 *       the two lengths.
 *
 * Locking: none, all state is the caller's.
 */
#include <core/codec/inflate.h>
#include <core/rt/rt.h>

static const uint16_t len_base[29] = {
	3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131,
	    163, 195, 227, 258,
};
static const uint8_t len_extra[29] = {
	0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
};
static const uint16_t dist_base[30] = {
	1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049,
	    3073, 4097, 6145,
	8193, 12289, 16385, 24577,
};
static const uint8_t dist_extra[30] = {
	0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
};

static void
refill(struct inflate *s)
{
	while (s->nbits <= 56 && s->in < s->in_end) {
		s->bits |= (uint64_t)*s->in++ << s->nbits;
		s->nbits += 8;
	}
}

static bool
take(struct inflate *s, uint32_t n, uint32_t *out)
{
	if (s->nbits < n)
		refill(s);
	if (s->nbits < n)
		return false;
	*out = (uint32_t)(s->bits & ((1ull << n) - 1));
	s->bits >>= n;
	s->nbits -= n;
	return true;
}

static bool
flush(struct inflate *s)
{
	size_t n = s->pos - s->flushed;

	if (n == 0)
		return true;
	if (s->sum)
		s->crc = crc32_update(&s->table, s->crc, s->buf + s->flushed, n);
	s->flushed = s->pos;
	return s->out(s->arg, s->buf + s->pos - n, n);
}

/* The buffer is full: hand it over and keep one window as history. */
static bool
turn(struct inflate *s)
{
	if (!flush(s))
		return false;
	memcpy(s->buf, s->buf + s->pos - INFLATE_WINDOW, INFLATE_WINDOW);
	s->pos = s->flushed = INFLATE_WINDOW;
	return true;
}

static uint32_t
reverse(uint32_t v, uint32_t n)
{
	uint32_t r = 0;

	while (n-- > 0) {
		r = r << 1 | (v & 1);
		v >>= 1;
	}
	return r;
}

/* A complete prefix code, or one single code of one bit, as some packers write for distances. */
static bool
build(struct inflate_code *c, const uint8_t *len, uint32_t n)
{
	uint16_t offset[16], next[16];
	uint32_t code = 0;
	int32_t left = 1;

	memset(c, 0, sizeof *c);
	for (uint32_t i = 0; i < n; i++)
		c->count[len[i]]++;
	c->count[0] = 0;
	for (uint32_t l = 1; l < 16; l++) {
		left = 2 * left - c->count[l];
		if (left < 0)
			return false;
	}
	for (uint32_t l = 1, sum = 0; l < 16; l++) {
		offset[l] = (uint16_t)sum;
		sum += c->count[l];
		if (l == 15 && left > 0 && !(sum <= 1 && c->count[1] == sum))
			return false;
	}
	for (uint32_t l = 1; l < 16; l++) {
		code = (code + c->count[l - 1]) << 1;
		next[l] = (uint16_t)code;
	}
	for (uint32_t i = 0; i < n; i++) {
		uint32_t l = len[i];

		if (l == 0)
			continue;
		c->symbol[offset[l]++] = (uint16_t)i;
		if (l <= INFLATE_FAST) {
			for (uint32_t k = reverse(next[l], l); k < 1u << INFLATE_FAST; k += 1u << l)
				c->fast[k] = (uint16_t)(i << 4 | l);
		}
		next[l]++;
	}
	return true;
}

/* Negative: no such code, or no more input. */
static int32_t
decode(struct inflate *s, const struct inflate_code *c)
{
	uint32_t code = 0, first = 0, index = 0, e;

	if (s->nbits < 15)
		refill(s);
	e = c->fast[s->bits & ((1u << INFLATE_FAST) - 1)];
	if (e != 0) {
		if ((e & 15) > s->nbits)
			return -1;
		s->bits >>= e & 15;
		s->nbits -= e & 15;
		return (int32_t)(e >> 4);
	}
	for (uint32_t l = 1; l < 16 && l <= s->nbits; l++) {
		code |= (uint32_t)(s->bits >> (l - 1)) & 1;
		if (code - first < c->count[l]) {
			s->bits >>= l;
			s->nbits -= l;
			return c->symbol[index + code - first];
		}
		index += c->count[l];
		first = (first + c->count[l]) << 1;
		code <<= 1;
	}
	return -1;
}

static enum inflate_result
code_error(const struct inflate *s)
{
	return s->in == s->in_end && s->nbits < 15 ? INFLATE_TRUNCATED : INFLATE_BAD_CODE;
}

static bool
copy(struct inflate *s, uint32_t dist, uint32_t len)
{
	while (len > 0) {
		uint32_t n;

		if (s->pos == sizeof s->buf && !turn(s))
			return false;
		n = (uint32_t)rt_min(len, sizeof s->buf - s->pos);
		for (uint32_t i = 0; i < n; i++)
			s->buf[s->pos + i] = s->buf[s->pos + i - dist];
		s->pos += n;
		len -= n;
	}
	return true;
}

static enum inflate_result
block_codes(struct inflate *s)
{
	for (;;) {
		int32_t sym = decode(s, &s->lit);
		uint32_t len, dist, extra;

		if (sym < 0)
			return code_error(s);
		if (sym == 256)
			return INFLATE_OK;
		if (sym < 256) {
			if (s->pos == sizeof s->buf && !turn(s))
				return INFLATE_STOPPED;
			s->buf[s->pos++] = (uint8_t)sym;
			s->total++;
			continue;
		}
		if (sym > 285)
			return INFLATE_BAD_CODE;
		if (!take(s, len_extra[sym - 257], &extra))
			return INFLATE_TRUNCATED;
		len = len_base[sym - 257] + extra;
		sym = decode(s, &s->dist);
		if (sym < 0)
			return code_error(s);
		if (sym > 29)
			return INFLATE_BAD_CODE;
		if (!take(s, dist_extra[sym], &extra))
			return INFLATE_TRUNCATED;
		dist = dist_base[sym] + extra;
		if (dist > s->total)
			return INFLATE_BAD_DISTANCE;
		if (!copy(s, dist, len))
			return INFLATE_STOPPED;
		s->total += len;
	}
}

static enum inflate_result
block_stored(struct inflate *s)
{
	uint32_t len, inverse, skip;

	if (!take(s, s->nbits & 7, &skip) || !take(s, 16, &len) || !take(s, 16, &inverse))
		return INFLATE_TRUNCATED;
	if (len != (inverse ^ 0xffff))
		return INFLATE_BAD_BLOCK;
	/* Whole bytes that were read ahead go back. */
	s->in -= s->nbits / 8;
	s->bits = 0;
	s->nbits = 0;
	if (len > (size_t)(s->in_end - s->in))
		return INFLATE_TRUNCATED;
	while (len > 0) {
		uint32_t n;

		if (s->pos == sizeof s->buf && !turn(s))
			return INFLATE_STOPPED;
		n = (uint32_t)rt_min(len, sizeof s->buf - s->pos);
		memcpy(s->buf + s->pos, s->in, n);
		s->in += n;
		s->pos += n;
		s->total += n;
		len -= n;
	}
	return INFLATE_OK;
}

static void
fixed_codes(struct inflate *s)
{
	uint8_t len[288];

	memset(len, 8, 144);
	memset(len + 144, 9, 112);
	memset(len + 256, 7, 24);
	memset(len + 280, 8, 8);
	if (!build(&s->lit, len, 288))
		ASSERT(!"the fixed literal code is complete");
	memset(len, 5, 32);
	if (!build(&s->dist, len, 32))
		ASSERT(!"the fixed distance code is complete");
}

/* The code lengths of both codes are themselves packed with a code. */
static enum inflate_result
dynamic_codes(struct inflate *s)
{
	static const uint8_t order[19] = { 16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15 };
	uint8_t len[320] = { 0 };
	uint32_t nlit, ndist, ncode, v, at = 0;

	if (!take(s, 5, &nlit) || !take(s, 5, &ndist) || !take(s, 4, &ncode))
		return INFLATE_TRUNCATED;
	nlit += 257;
	ndist += 1;
	if (nlit > 286 || ndist > 30)
		return INFLATE_BAD_BLOCK;
	for (uint32_t i = 0; i < ncode + 4; i++) {
		if (!take(s, 3, &v))
			return INFLATE_TRUNCATED;
		len[order[i]] = (uint8_t)v;
	}
	if (!build(&s->lit, len, 19))
		return INFLATE_BAD_CODE;
	memset(len, 0, 19);
	while (at < nlit + ndist) {
		static const uint8_t extra[3] = { 2, 3, 7 }, least[3] = { 3, 3, 11 };
		int32_t sym = decode(s, &s->lit);
		uint8_t fill = 0;

		if (sym < 0)
			return code_error(s);
		if (sym < 16) {
			len[at++] = (uint8_t)sym;
			continue;
		}
		if (sym == 16 && at == 0)
			return INFLATE_BAD_BLOCK;
		if (sym == 16)
			fill = len[at - 1];
		if (!take(s, extra[sym - 16], &v))
			return INFLATE_TRUNCATED;
		v += least[sym - 16];
		if (v > nlit + ndist - at)
			return INFLATE_BAD_BLOCK;
		memset(len + at, fill, v);
		at += v;
	}
	if (len[256] == 0)
		return INFLATE_BAD_CODE;	/* the block could never end */
	if (!build(&s->lit, len, nlit) || !build(&s->dist, len + nlit, ndist))
		return INFLATE_BAD_CODE;
	return INFLATE_OK;
}

static void
begin(struct inflate *s)
{
	s->bits = 0;
	s->nbits = 0;
	s->pos = s->flushed = 0;
	s->total = 0;
	s->crc = 0;
}

static enum inflate_result
stream(struct inflate *s)
{
	enum inflate_result r = INFLATE_OK;
	uint32_t last, type;

	do {
		if (!take(s, 1, &last) || !take(s, 2, &type))
			return INFLATE_TRUNCATED;
		if (type == 3)
			return INFLATE_BAD_BLOCK;
		if (type == 0) {
			r = block_stored(s);
		} else {
			if (type == 1)
				fixed_codes(s);
			else
				r = dynamic_codes(s);
			if (r == INFLATE_OK)
				r = block_codes(s);
		}
	} while (r == INFLATE_OK && last == 0);
	if (r == INFLATE_OK && !flush(s))
		r = INFLATE_STOPPED;
	s->in -= s->nbits / 8;
	s->bits = 0;
	s->nbits = 0;
	return r;
}

enum inflate_result
inflate_raw(struct inflate *s, const void *in, size_t len, size_t *used, inflate_out_fn out, void *arg)
{
	enum inflate_result r;

	s->in = in;
	s->in_end = s->in + len;
	s->out = out;
	s->arg = arg;
	s->sum = false;
	begin(s);
	r = stream(s);
	*used = (size_t)(s->in - (const uint8_t *)in);
	return r;
}

static bool
skip_text(struct inflate *s)
{
	const uint8_t *end = memchr(s->in, 0, (size_t)(s->in_end - s->in));

	if (end == NULL)
		return false;
	s->in = end + 1;
	return true;
}

static enum inflate_result
gzip_header(struct inflate *s)
{
	size_t left = (size_t)(s->in_end - s->in), extra;
	uint8_t flags;

	if (left < 2)
		return INFLATE_TRUNCATED;
	if (s->in[0] != 0x1f || s->in[1] != 0x8b)
		return INFLATE_BAD_HEADER;
	if (left < 10)
		return INFLATE_TRUNCATED;
	if (s->in[2] != 8 || (s->in[3] & 0xe0) != 0)
		return INFLATE_BAD_HEADER;
	flags = s->in[3];
	s->in += 10;
	left -= 10;
	if ((flags & 4) != 0) {
		if (left < 2)
			return INFLATE_TRUNCATED;
		extra = 2u + s->in[0] + 256u * s->in[1];
		if (left < extra)
			return INFLATE_TRUNCATED;
		s->in += extra;
	}
	if ((flags & 8) != 0 && !skip_text(s))
		return INFLATE_TRUNCATED;
	if ((flags & 16) != 0 && !skip_text(s))
		return INFLATE_TRUNCATED;
	if ((flags & 2) != 0) {
		if (s->in_end - s->in < 2)
			return INFLATE_TRUNCATED;
		s->in += 2;
	}
	return INFLATE_OK;
}

static uint32_t
little32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static enum inflate_result
member(struct inflate *s)
{
	enum inflate_result r = gzip_header(s);

	if (r != INFLATE_OK)
		return r;
	begin(s);
	r = stream(s);
	if (r != INFLATE_OK)
		return r;
	if (s->in_end - s->in < 8)
		return INFLATE_TRUNCATED;
	if (little32(s->in) != s->crc || little32(s->in + 4) != (uint32_t)s->total)
		return INFLATE_BAD_SUM;
	s->in += 8;
	return INFLATE_OK;
}

enum inflate_result
inflate_gzip(struct inflate *s, const void *in, size_t len, size_t *used, inflate_out_fn out, void *arg)
{
	enum inflate_result r;

	s->in = in;
	s->in_end = s->in + len;
	s->out = out;
	s->arg = arg;
	s->sum = true;
	crc32_init(&s->table);
	do {
		r = member(s);
		while (r == INFLATE_OK && s->in < s->in_end && *s->in == 0)
			s->in++;
	} while (r == INFLATE_OK && s->in < s->in_end);
	*used = (size_t)(s->in - (const uint8_t *)in);
	return r;
}

const char *
inflate_strerror(enum inflate_result r)
{
	switch (r) {
	case INFLATE_OK:		return "no error";
	case INFLATE_TRUNCATED:		return "the packed data end too early";
	case INFLATE_BAD_HEADER:	return "not a gzip header";
	case INFLATE_BAD_BLOCK:		return "a packed block is corrupt";
	case INFLATE_BAD_CODE:		return "a packed code is corrupt";
	case INFLATE_BAD_DISTANCE:	return "a packed reference is corrupt";
	case INFLATE_BAD_SUM:		return "the check sum differs";
	case INFLATE_STOPPED:		return "stopped";
	}
	return "unknown";
}
