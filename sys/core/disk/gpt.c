/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gpt - two copies of a header and an array of entries, at both ends of a disk.
 *
 * A copy is good when its header's and its array's sums are right and the
 * header does not contradict the disk.  The primary copy's slices are given
 * if it is good, else the backup's.  The other copy is looked at all the same
 * and what is wrong with it told; so is a missing protective MBR.
 *
 * Sums find accidents, not lies: what has a right sum is checked as well.
 *
 * Invariants
 *   G1  behind header_read(), [gh_first, gh_last] is inside the disk and apart
 *       from both headers, the MBR and this copy's array, and the array is
 *       inside the disk and GPT_ARRAY_BYTES_MAX long at most.
 *   G2  an entry is read once: what was summed is what is given.
 *   G3  the entry size divides DSK_BUF_BYTES, so no entry is cut in two.
 *
 * A disk that was made shorter or longer since has one good copy: the usable
 * blocks are cut to what the disk has, and entries beyond are outside.
 */
#include <core/disk/gpt.h>
#include <core/rt/rt.h>

#define GPT_SIGNATURE	0x5452415020494645ull	/* "EFI PART" */
#define GPT_REVISION	0x00010000u
#define HEADER_BYTES	92u
#define PRIMARY_LBA	1u
#define NAME_UNITS	36u
#define REPLACEMENT	0xfffdu

#define MBR_ENTRIES_AT	446u
#define MBR_ENTRIES	4u
#define MBR_PROTECTIVE	0xeeu

struct gpt_header {
	uint64_t	gh_signature;
	uint32_t	gh_revision, gh_bytes, gh_crc, gh_reserved;
	uint64_t	gh_my_lba, gh_other_lba;
	uint64_t	gh_first, gh_last;		/* usable, both included */
	struct dsk_guid	gh_disk;
	uint64_t	gh_array_lba;
	uint32_t	gh_entries, gh_entry_bytes, gh_array_crc;
};
_Static_assert(offsetof(struct gpt_header, gh_array_crc) + 4 == HEADER_BYTES, "disk format");

struct gpt_entry {
	struct dsk_guid	ge_type, ge_id;
	uint64_t	ge_first, ge_last;		/* both included */
	uint64_t	ge_attributes;
	uint16_t	ge_name[NAME_UNITS];
};
_Static_assert(sizeof(struct gpt_entry) == 128, "disk format");

#define WRITE_ARRAY_BYTES	(GPT_WRITE_ENTRIES * (uint32_t)sizeof(struct gpt_entry))
#define WRITE_PIECE_ENTRIES	(DSK_BUF_BYTES / (uint32_t)sizeof(struct gpt_entry))
_Static_assert(WRITE_ARRAY_BYTES % DSK_BUF_BYTES == 0, "written in whole pieces");

struct mbr_entry {
	uint8_t		me_status, me_first_chs[3], me_type, me_last_chs[3];
	uint16_t	me_first[2], me_blocks[2];	/* low half first: not aligned to 4 */
};
_Static_assert(sizeof(struct mbr_entry) == 16, "disk format");

static bool
is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

static size_t
put_utf8(char *to, uint32_t c)
{
	uint32_t more = (c >= 0x80) + (c >= 0x800) + (c >= 0x10000);
	static const uint8_t lead[] = { 0, 0xc0, 0xe0, 0xf0 };

	to[0] = (char)(lead[more] | c >> 6 * more);
	for (uint32_t i = 1; i <= more; i++)
		to[i] = (char)(0x80 | (c >> 6 * (more - i) & 0x3f));
	return more + 1;
}

static void
name_decode(const uint16_t *u, char *to)
{
	size_t n = 0;

	for (uint32_t i = 0; i < NAME_UNITS && u[i] != 0; i++) {
		uint32_t c = u[i];

		if ((c & 0xfc00) == 0xd800 && i + 1 < NAME_UNITS &&
		    (u[i + 1] & 0xfc00) == 0xdc00)
			c = 0x10000 + ((c & 0x3ff) << 10) + (u[++i] & 0x3ff);
		else if ((c & 0xf800) == 0xd800 || is_control(c))
			c = REPLACEMENT;
		n += put_utf8(to + n, c);
	}
	ASSERT(n < SLICE_NAME_BYTES);
	to[n] = '\0';
}

/* The next character of a text; 0 at its end; UINT32_MAX if it is not UTF-8. */
static uint32_t
get_utf8(const uint8_t **from)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	uint32_t c = *(*from)++, more;

	if (c < 0x80)
		return c;
	more = (c >= 0xc0) + (c >= 0xe0) + (c >= 0xf0);
	if (more == 0 || c >= 0xf8)
		return UINT32_MAX;
	c &= 0x3fu >> more;
	for (uint32_t i = 0; i < more; i++, (*from)++) {
		if ((**from & 0xc0) != 0x80)
			return UINT32_MAX;
		c = c << 6 | (**from & 0x3f);
	}
	if (c < least[more] || c > 0x10ffff || (c & 0xfffff800) == 0xd800)
		return UINT32_MAX;
	return c;
}

static bool
name_encode(const char *name, uint16_t *u)
{
	const uint8_t *from = (const uint8_t *)name;
	uint32_t n = 0, c;

	while ((c = get_utf8(&from)) != 0) {
		uint32_t units = c < 0x10000 ? 1 : 2;

		if (c == UINT32_MAX || is_control(c) || n + units > NAME_UNITS)
			return false;
		if (units == 2) {
			u[n++] = (uint16_t)(0xd800 | (c - 0x10000) >> 10);
			c = 0xdc00 | (c & 0x3ff);
		}
		u[n++] = (uint16_t)c;
	}
	return true;
}

static bool
mbr_read(const struct dsk *d, struct dsk_work *w)
{
	struct mbr_entry e;

	if (!d->d_read(d->d_arg, 0, 1, w->w_buf))
		return false;
	if (w->w_buf[510] != 0x55 || w->w_buf[511] != 0xaa)
		return false;
	for (uint32_t i = 0; i < MBR_ENTRIES; i++) {
		memcpy(&e, w->w_buf + MBR_ENTRIES_AT + i * sizeof e, sizeof e);
		if (e.me_type == MBR_PROTECTIVE &&
		    e.me_first[0] == PRIMARY_LBA && e.me_first[1] == 0)
			return true;
	}
	return false;
}

static uint64_t
array_bytes(const struct gpt_header *h)
{
	return (uint64_t)h->gh_entries * h->gh_entry_bytes;
}

/* Cuts the usable blocks to what the disk has; false if what is left cannot be: G1. */
static bool
header_check(const struct dsk *d, uint64_t lba, struct gpt_header *h)
{
	uint64_t last = d->d_blocks - 1, blocks;

	if (h->gh_revision != GPT_REVISION || h->gh_my_lba != lba)
		return false;
	if (h->gh_entry_bytes < sizeof(struct gpt_entry) || h->gh_entry_bytes > DSK_BUF_BYTES ||
	    (h->gh_entry_bytes & (h->gh_entry_bytes - 1)) != 0)
		return false;
	if (h->gh_entries == 0 || array_bytes(h) > GPT_ARRAY_BYTES_MAX)
		return false;
	blocks = (array_bytes(h) + d->d_block_bytes - 1) / d->d_block_bytes;
	if (h->gh_array_lba <= PRIMARY_LBA || h->gh_array_lba > last ||
	    blocks > last - h->gh_array_lba)
		return false;
	h->gh_first = rt_max(h->gh_first, PRIMARY_LBA + 1);
	h->gh_last = rt_min(h->gh_last, last - 1);
	if (h->gh_first > h->gh_last)
		return false;
	return h->gh_array_lba + blocks <= h->gh_first || h->gh_array_lba > h->gh_last;
}

static enum table_state
header_read(const struct dsk *d, struct dsk_work *w, uint64_t lba, struct gpt_header *h)
{
	if (!d->d_read(d->d_arg, lba, 1, w->w_buf))
		return TABLE_UNREADABLE;
	memcpy(h, w->w_buf, HEADER_BYTES);
	if (h->gh_signature != GPT_SIGNATURE)
		return TABLE_ABSENT;
	if (h->gh_bytes < HEADER_BYTES || h->gh_bytes > d->d_block_bytes)
		return TABLE_BAD_FIELDS;
	memset(w->w_buf + offsetof(struct gpt_header, gh_crc), 0, sizeof h->gh_crc);
	if (crc32_update(&w->w_crc, 0, w->w_buf, h->gh_bytes) != h->gh_crc)
		return TABLE_BAD_SUM;
	return header_check(d, lba, h) ? TABLE_OK : TABLE_BAD_FIELDS;
}

static void
entry_add(const struct dsk *d, const struct gpt_header *h, const uint8_t *at, uint32_t index,
    uint32_t from, struct slice_list *l)
{
	static const struct dsk_guid unused;
	struct gpt_entry e;
	struct slice s;

	memcpy(&e, at, sizeof e);
	if (memcmp(&e.ge_type, &unused, sizeof unused) == 0)
		return;
	if (index >= GPT_ENTRIES_MAX) {
		l->l_lost++;
	} else if (e.ge_first > e.ge_last) {
		l->l_reversed++;
	} else if (e.ge_first < h->gh_first || e.ge_last > h->gh_last) {
		l->l_outside++;
	} else {
		s = (struct slice){
			.sl_start = e.ge_first * d->d_block_bytes,
			.sl_bytes = (e.ge_last - e.ge_first + 1) * d->d_block_bytes,
			.sl_kind = SLICE_GPT, .sl_parent = SLICE_NO_PARENT,
			.sl_index = index, .sl_type = e.ge_type, .sl_id = e.ge_id,
		};
		name_decode(e.ge_name, s.sl_name);
		slice_add(l, from, &s);
	}
}

static enum table_state
array_read(const struct dsk *d, struct dsk_work *w, const struct gpt_header *h,
    struct slice_list *l)
{
	struct slice_list before = *l;
	uint32_t crc = 0, index = 0, n;

	for (uint64_t at = 0; at < array_bytes(h); at += n) {
		n = (uint32_t)rt_min(array_bytes(h) - at, DSK_BUF_BYTES);
		if (!d->d_read(d->d_arg, h->gh_array_lba + at / d->d_block_bytes,
		    (n + d->d_block_bytes - 1) / d->d_block_bytes, w->w_buf)) {
			*l = before;
			return TABLE_UNREADABLE;
		}
		crc = crc32_update(&w->w_crc, crc, w->w_buf, n);
		for (uint32_t e = 0; e < n; e += h->gh_entry_bytes)
			entry_add(d, h, w->w_buf + e, index++, before.l_n, l);
	}
	if (crc == h->gh_array_crc)
		return TABLE_OK;
	*l = before;
	return TABLE_BAD_SUM;
}

static enum table_state
copy_read(const struct dsk *d, struct dsk_work *w, uint64_t lba, struct gpt_header *h,
    struct slice_list *l)
{
	enum table_state t = header_read(d, w, lba, h);

	return t == TABLE_OK ? array_read(d, w, h, l) : t;
}

bool
gpt_read(const struct dsk *d, struct dsk_work *w, struct slice_list *l, struct gpt_info *info)
{
	struct gpt_header a, b;
	struct slice_list none = { .l_max = 0 };
	bool primary;

	*info = (struct gpt_info){ .gi_primary = TABLE_ABSENT, .gi_backup = TABLE_ABSENT };
	if (d->d_blocks <= PRIMARY_LBA + 1)
		return false;
	crc32_init(&w->w_crc);
	info->gi_mbr = mbr_read(d, w);
	info->gi_primary = copy_read(d, w, PRIMARY_LBA, &a, l);
	primary = info->gi_primary == TABLE_OK;
	info->gi_backup = copy_read(d, w, d->d_blocks - 1, &b, primary ? &none : l);
	if (!primary && info->gi_backup != TABLE_OK)
		return false;
	info->gi_disk = primary ? a.gh_disk : b.gh_disk;
	if (primary && info->gi_backup == TABLE_OK)
		info->gi_differ = a.gh_first != b.gh_first || a.gh_last != b.gh_last ||
		    memcmp(&a.gh_disk, &b.gh_disk, sizeof a.gh_disk) != 0 ||
		    array_bytes(&a) != array_bytes(&b) || a.gh_entries != b.gh_entries ||
		    a.gh_array_crc != b.gh_array_crc ||
		    a.gh_other_lba != b.gh_my_lba || b.gh_other_lba != a.gh_my_lba;
	return true;
}

static uint32_t
write_array_blocks(const struct dsk *d)
{
	return WRITE_ARRAY_BYTES / d->d_block_bytes;
}

bool
gpt_area(const struct dsk *d, uint64_t *lo, uint64_t *hi)
{
	uint64_t first = PRIMARY_LBA + 1 + write_array_blocks(d);

	/* As much at the end, but for the MBR: at least one block is left. */
	if (d->d_blocks < 2 * first)
		return false;
	*lo = first * d->d_block_bytes;
	*hi = (d->d_blocks - (first - 1)) * d->d_block_bytes;
	return true;
}

/* One piece of the array, in w_buf.  False: a name cannot be written. */
static bool
piece_make(const struct dsk *d, struct dsk_work *w, const struct slice *s, uint32_t n,
    uint32_t piece)
{
	struct gpt_entry e;

	memset(w->w_buf, 0, sizeof w->w_buf);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t at = s[i].sl_index % WRITE_PIECE_ENTRIES * (uint32_t)sizeof e;

		if (s[i].sl_index / WRITE_PIECE_ENTRIES != piece)
			continue;
		e = (struct gpt_entry){
			.ge_type = s[i].sl_type, .ge_id = s[i].sl_id,
			.ge_first = s[i].sl_start / d->d_block_bytes,
			.ge_last = (s[i].sl_start + s[i].sl_bytes) / d->d_block_bytes - 1,
		};
		if (!name_encode(s[i].sl_name, e.ge_name))
			return false;
		memcpy(w->w_buf + at, &e, sizeof e);
	}
	return true;
}

static bool
array_write(const struct dsk *d, struct dsk_work *w, const struct slice *s, uint32_t n,
    uint64_t lba)
{
	uint32_t blocks = DSK_BUF_BYTES / d->d_block_bytes;

	for (uint32_t p = 0; p < WRITE_ARRAY_BYTES / DSK_BUF_BYTES; p++) {
		if (!piece_make(d, w, s, n, p) ||
		    !d->d_write(d->d_arg, lba + p * blocks, blocks, w->w_buf))
			return false;
	}
	return true;
}

static bool
header_write(const struct dsk *d, struct dsk_work *w, struct gpt_header *h, uint64_t lba,
    uint64_t array_lba)
{
	h->gh_my_lba = lba;
	h->gh_other_lba = d->d_blocks - 1 - (lba - PRIMARY_LBA);
	h->gh_array_lba = array_lba;
	h->gh_crc = 0;
	h->gh_crc = crc32_update(&w->w_crc, 0, h, HEADER_BYTES);
	memset(w->w_buf, 0, d->d_block_bytes);
	memcpy(w->w_buf, h, HEADER_BYTES);
	return d->d_write(d->d_arg, lba, 1, w->w_buf);
}

static bool
mbr_write(const struct dsk *d, struct dsk_work *w)
{
	uint32_t blocks = (uint32_t)rt_min(d->d_blocks - PRIMARY_LBA, UINT32_MAX);
	struct mbr_entry e = {
		.me_first_chs = { 0, 2, 0 }, .me_type = MBR_PROTECTIVE,
		.me_last_chs = { 0xff, 0xff, 0xff }, .me_first = { PRIMARY_LBA, 0 },
		.me_blocks = { (uint16_t)blocks, (uint16_t)(blocks >> 16) },
	};

	memset(w->w_buf, 0, d->d_block_bytes);
	memcpy(w->w_buf + MBR_ENTRIES_AT, &e, sizeof e);
	w->w_buf[510] = 0x55;
	w->w_buf[511] = 0xaa;
	return d->d_write(d->d_arg, 0, 1, w->w_buf);
}

enum dsk_result
gpt_write(const struct dsk *d, struct dsk_work *w, const struct dsk_guid *id,
    const struct slice *s, uint32_t n)
{
	struct gpt_header h = {
		.gh_signature = GPT_SIGNATURE, .gh_revision = GPT_REVISION,
		.gh_bytes = HEADER_BYTES, .gh_disk = *id,
		.gh_entries = GPT_WRITE_ENTRIES, .gh_entry_bytes = sizeof(struct gpt_entry),
	};
	uint64_t lo, hi, last = d->d_blocks - 1, backup_array;

	if (!gpt_area(d, &lo, &hi))
		return DSK_NO_ROOM;
	if (!slices_fit(s, n, lo, hi, GPT_WRITE_ENTRIES, d->d_block_bytes))
		return DSK_BAD_SLICE;
	crc32_init(&w->w_crc);
	for (uint32_t p = 0; p < WRITE_ARRAY_BYTES / DSK_BUF_BYTES; p++) {
		if (!piece_make(d, w, s, n, p))
			return DSK_BAD_NAME;
		h.gh_array_crc = crc32_update(&w->w_crc, h.gh_array_crc, w->w_buf, sizeof w->w_buf);
	}
	h.gh_first = lo / d->d_block_bytes;
	h.gh_last = hi / d->d_block_bytes - 1;
	backup_array = last - write_array_blocks(d);
	/* The backup is whole before the primary is touched. */
	if (!array_write(d, w, s, n, backup_array) ||
	    !header_write(d, w, &h, last, backup_array) ||
	    !array_write(d, w, s, n, PRIMARY_LBA + 1) ||
	    !header_write(d, w, &h, PRIMARY_LBA, PRIMARY_LBA + 1) ||
	    !mbr_write(d, w))
		return DSK_IO;
	return DSK_OK;
}
