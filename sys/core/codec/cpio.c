/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cpio - a state machine over the bytes of an archive.
 *
 * Header, name, padding, data, padding; TRAILER!!! ends an archive, after
 * which zeros and further archives may follow.  Data goes to the consumer as
 * it comes, straight from the piece that was fed.
 *
 * Invariants
 *   C1  offset counts every byte eaten, so padding is what is missing to a
 *       multiple of four.
 *   C2  name is NUL-terminated, without a NUL before, before anybody sees it.
 *
 * Locking: none, all state is the caller's.
 */
#include <core/codec/cpio.h>
#include <core/rt/rt.h>

enum { S_HEADER, S_NAME, S_NAME_PAD, S_DATA, S_DATA_PAD, S_BETWEEN };

void
cpio_begin(struct cpio *c, const struct cpio_sink *sink, void *arg)
{
	memset(c, 0, sizeof *c);
	c->sink = sink;
	c->arg = arg;
	c->state = S_HEADER;
}

static bool
hex8(const char *p, uint32_t *out)
{
	uint32_t v = 0;

	for (int i = 0; i < 8; i++) {
		uint32_t ch = (uint8_t)p[i], d;

		if (ch - '0' < 10)
			d = ch - '0';
		else if ((ch | 0x20) - 'a' < 6)
			d = (ch | 0x20) - 'a' + 10;
		else
			return false;
		v = v << 4 | d;
	}
	*out = v;
	return true;
}

static enum cpio_result
parse_header(struct cpio *c)
{
	uint32_t f[13];

	if (memcmp(c->header, "07070", 5) != 0 || (c->header[5] != '1' && c->header[5] != '2'))
		return CPIO_BAD_MAGIC;
	c->with_sum = c->header[5] == '2';
	for (int i = 0; i < 13; i++) {
		if (!hex8(c->header + 6 + 8 * i, &f[i]))
			return CPIO_BAD_NUMBER;
	}
	c->entry = (struct cpio_entry){
		.ino = f[0], .mode = f[1], .uid = f[2], .gid = f[3], .nlink = f[4], .mtime = f[5],
		    .size = f[6],
		.dev_major = f[7], .dev_minor = f[8], .rdev_major = f[9], .rdev_minor = f[10], .sum = f[12],
		.name = c->name,
	};
	c->name_size = f[11];
	if (c->name_size < 2 || c->name_size > CPIO_NAME_MAX)
		return CPIO_BAD_NAME;
	c->state = S_NAME;
	c->have = 0;
	return CPIO_OK;
}

static uint32_t
padding(const struct cpio *c)
{
	return (uint32_t)(-c->offset & 3);
}

static enum cpio_result
end_of_data(struct cpio *c)
{
	if (c->with_sum && c->sum != c->entry.sum && c->entry.size != 0)
		return CPIO_BAD_SUM;
	if (!c->sink->end(c->arg))
		return CPIO_STOPPED;
	c->left = padding(c);
	c->state = S_DATA_PAD;
	return CPIO_OK;
}

static enum cpio_result
begin_data(struct cpio *c)
{
	if (strcmp(c->name, "TRAILER!!!") == 0) {
		c->state = S_BETWEEN;
		return CPIO_OK;
	}
	if (!c->sink->begin(c->arg, &c->entry))
		return CPIO_STOPPED;
	c->left = c->entry.size;
	c->sum = 0;
	c->state = S_DATA;
	return c->left == 0 ? end_of_data(c) : CPIO_OK;
}

/* Collects up to `want` bytes in `to`; true when they are there. */
static bool
collect(struct cpio *c, char *to, uint32_t want, const uint8_t **p, size_t *n)
{
	uint32_t k = (uint32_t)rt_min(want - c->have, *n);

	memcpy(to + c->have, *p, k);
	c->have += k;
	c->offset += k;
	*p += k;
	*n -= k;
	return c->have == want;
}

static enum cpio_result
eat_data(struct cpio *c, const uint8_t **p, size_t *n)
{
	uint32_t k = (uint32_t)rt_min(c->left, *n);

	if (c->with_sum) {
		for (uint32_t i = 0; i < k; i++)
			c->sum += (*p)[i];
	}
	if (!c->sink->data(c->arg, *p, k))
		return CPIO_STOPPED;
	c->left -= k;
	c->offset += k;
	*p += k;
	*n -= k;
	return c->left == 0 ? end_of_data(c) : CPIO_OK;
}

static enum cpio_result
eat(struct cpio *c, const uint8_t **p, size_t *n)
{
	uint32_t k;

	switch (c->state) {
	case S_HEADER:
		if (c->have == 0)
			c->entry_offset = c->offset;
		return collect(c, c->header, CPIO_HEADER_BYTES, p, n) ? parse_header(c) : CPIO_OK;
	case S_NAME:
		if (!collect(c, c->name, c->name_size, p, n))
			return CPIO_OK;
		if (memchr(c->name, 0, c->name_size) != c->name + c->name_size - 1)
			return CPIO_BAD_NAME;
		c->left = padding(c);
		c->state = S_NAME_PAD;
		return c->left == 0 ? begin_data(c) : CPIO_OK;
	case S_DATA:
		return eat_data(c, p, n);
	case S_BETWEEN:
		if (**p == 0) {
			c->offset++;
			(*p)++;
			(*n)--;
			return CPIO_OK;
		}
		c->state = S_HEADER;
		c->have = 0;
		return padding(c) == 0 ? CPIO_OK : CPIO_BAD_MAGIC;
	default:
		k = (uint32_t)rt_min(c->left, *n);
		c->left -= k;
		c->offset += k;
		*p += k;
		*n -= k;
		if (c->left > 0)
			return CPIO_OK;
		if (c->state == S_NAME_PAD)
			return begin_data(c);
		c->state = S_HEADER;
		c->have = 0;
		return CPIO_OK;
	}
}

enum cpio_result
cpio_feed(struct cpio *c, const void *data, size_t len)
{
	const uint8_t *p = data;
	enum cpio_result r = CPIO_OK;

	while (len > 0 && r == CPIO_OK)
		r = eat(c, &p, &len);
	return r;
}

enum cpio_result
cpio_finish(struct cpio *c)
{
	return c->state == S_BETWEEN ? CPIO_OK : CPIO_TRUNCATED;
}

const char *
cpio_strerror(enum cpio_result r)
{
	switch (r) {
	case CPIO_OK:		return "no error";
	case CPIO_BAD_MAGIC:	return "no cpio header where one must be";
	case CPIO_BAD_NUMBER:	return "a header field is not a hexadecimal number";
	case CPIO_BAD_NAME:	return "a member's name is corrupt or too long";
	case CPIO_BAD_SUM:	return "a member's check sum differs";
	case CPIO_TRUNCATED:	return "the archive ends too early";
	case CPIO_STOPPED:	return "stopped";
	}
	return "unknown";
}
