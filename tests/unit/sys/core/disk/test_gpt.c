/* SPDX-License-Identifier: BSD-2-Clause */
/* test_gpt - GUID partition tables: our own, damaged, lying, and the host's. */
#include "memdisk.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCKS		4096u
#define N(a)		(sizeof(a) / sizeof *(a))
#define SAMPLES		4u

static struct slice sample[SAMPLES];

/* Four slices without gaps, in another order than that of their entries, on an empty disk. */
static void
sample_make(uint64_t blocks, uint32_t block_bytes)
{
	static const char *const name[SAMPLES] = { "boot", "Gr\xc3\xb6n", "",
	    "\xf0\x9f\xaa\xb0 \xe2\x82\xac" };
	static const uint32_t index[SAMPLES] = { 0, 1, 40, 127 };
	static const uint32_t at[SAMPLES] = { 1, 0, 2, 3 };
	struct dsk_guid id = md_guid(99);
	uint64_t lo = 0, hi = 0;

	md_make(blocks, block_bytes);
	assert_true(gpt_area(&md, &lo, &hi));
	for (uint32_t i = 0; i < SAMPLES; i++) {
		sample[i] = (struct slice){
			.sl_start = lo + at[i] * 64 * block_bytes, .sl_bytes = 64 * block_bytes,
			.sl_parent = SLICE_NO_PARENT, .sl_index = index[i],
			.sl_type = md_guid((uint8_t)i), .sl_id = md_guid((uint8_t)(50 + i)),
		};
		strcpy(sample[i].sl_name, name[i]);
	}
	sample[3].sl_bytes = hi - sample[3].sl_start;
	assert_int_equal(gpt_write(&md, &md_work, &id, sample, SAMPLES), DSK_OK);
}

static struct gpt_header *
header(bool backup)
{
	return (void *)md_at(backup ? md.d_blocks - 1 : 1);
}

static struct gpt_entry *
entry(bool backup, uint32_t i)
{
	const struct gpt_header *h = header(backup);

	return (void *)(md_at(h->gh_array_lba) + i * h->gh_entry_bytes);
}

static void
seal(bool backup)
{
	struct gpt_header *h = header(backup);

	h->gh_crc = 0;
	h->gh_crc = md_crc(0, h, h->gh_bytes);
}

/* Makes the sums of a copy right, whatever it says. */
static void
seal_array(bool backup)
{
	struct gpt_header *h = header(backup);

	h->gh_array_crc = md_crc(0, entry(backup, 0), h->gh_entries * h->gh_entry_bytes);
	seal(backup);
}

static void
what_is_written_is_read(void **state)
{
	struct dsk_guid id = md_guid(99);

	(void)state;
	for (uint32_t bb = 512; bb <= 4096; bb *= 2) {
		sample_make(MD_BYTES / bb, bb);
		assert_int_equal(md_scan(), SAMPLES);
		md_same(sample, SAMPLES);
		assert_true(md_info.di_gpt.gi_mbr && !md_info.di_gpt.gi_differ);
		assert_int_equal(md_info.di_gpt.gi_primary, TABLE_OK);
		assert_int_equal(md_info.di_gpt.gi_backup, TABLE_OK);
		assert_memory_equal(&md_info.di_gpt.gi_disk, &id, sizeof id);
		assert_int_equal(md_left_out(), 0);
	}
}

static void
a_disk_of_many_blocks_is_as_good(void **state)
{
	(void)state;
	sample_make((1ull << 51) - 1, 4096);
	md_scan();
	md_same(sample, SAMPLES);
	assert_true(md_info.di_gpt.gi_mbr);
}

/*
 * Sums find every single flipped bit: the other copy is given, and this one is told.
 * Every bit of the header and of two entries is tried, and one in 61 behind.
 */
static void
a_flipped_bit_changes_nothing(void **state)
{
	(void)state;
	sample_make(BLOCKS, 512);
	for (int backup = 0; backup < 2; backup++) {
		uint8_t *h = (void *)header(backup), *a = (void *)entry(backup, 0);

		for (uint32_t bit = 0; bit < 8 * (HEADER_BYTES + WRITE_ARRAY_BYTES);
		    bit += bit < 8 * (HEADER_BYTES + 2 * 128) ? 1 : 61) {
			uint32_t at = bit / 8;
			uint8_t *p = at < HEADER_BYTES ? h + at : a + at - HEADER_BYTES;
			enum table_state t;

			*p ^= (uint8_t)(1u << bit % 8);
			md_scan();
			md_same(sample, SAMPLES);
			t = backup ? md_info.di_gpt.gi_backup : md_info.di_gpt.gi_primary;
			assert_int_not_equal(t, TABLE_OK);
			*p ^= (uint8_t)(1u << bit % 8);
		}
	}
	assert_int_equal(md_scan(), SAMPLES);
}

/* With right sums a table may say anything: what md_check() looks for holds all the same. */
static void
a_lie_with_right_sums_harms_nobody(void **state)
{
	static uint8_t before[MD_BYTES];
	uint32_t left_out = 0;

	(void)state;
	sample_make(BLOCKS, 512);
	memcpy(before, md_store, BLOCKS * 512);
	for (uint32_t bit = 0; bit < 8 * (HEADER_BYTES + 2 * 128); bit++) {
		uint8_t *h = (void *)header(false), *a = (void *)entry(false, 0);
		uint32_t at = bit / 8;

		if (at < HEADER_BYTES) {
			h[at] ^= (uint8_t)(1u << bit % 8);
			if (header(false)->gh_bytes <= 512)
				seal(false);
		} else {
			a[at - HEADER_BYTES] ^= (uint8_t)(1u << bit % 8);
			seal_array(false);
		}
		md_scan();
		if (md_info.di_gpt.gi_primary == TABLE_OK)
			left_out += md_left_out() > 0;
		else
			md_same(sample, SAMPLES);
		memcpy(md_store, before, BLOCKS * 512);
	}
	assert_true(left_out > 50);
}

static void
one_lying_entry_leaves_the_others(void **state)
{
	static const struct { uint64_t first, last; size_t count; } lie[] = {
		/* The first block of a slice, the last of another, all. */
		{ 98, 98, offsetof(struct slice_list, l_overlap) },
		{ 97, 97, offsetof(struct slice_list, l_overlap) },
		{ 34, BLOCKS - 34, offsetof(struct slice_list, l_overlap) },
		{ 1, 40, offsetof(struct slice_list, l_outside) },
		{ 33, 33, offsetof(struct slice_list, l_outside) },
		{ BLOCKS - 33, BLOCKS - 33, offsetof(struct slice_list, l_outside) },
		{ BLOCKS - 1, UINT64_MAX, offsetof(struct slice_list, l_outside) },
		{ 300, 299, offsetof(struct slice_list, l_reversed) },
		{ UINT64_MAX, 0, offsetof(struct slice_list, l_reversed) },
	};

	(void)state;
	for (size_t i = 0; i < N(lie); i++) {
		sample_make(BLOCKS, 512);
		entry(false, 40)->ge_first = lie[i].first;
		entry(false, 40)->ge_last = lie[i].last;
		seal_array(false);
		assert_int_equal(md_scan(), SAMPLES - 1);
		assert_int_equal(md_info.di_gpt.gi_primary, TABLE_OK);
		assert_int_equal(*(uint32_t *)((char *)&md_list + lie[i].count), 1);
		assert_int_equal(md_left_out(), 1);
		assert_true(md_info.di_gpt.gi_differ);
	}
}

static void
a_header_that_contradicts_the_disk_is_refused(void **state)
{
	static const struct { size_t field, bytes; uint64_t value; } lie[] = {
		{ offsetof(struct gpt_header, gh_revision), 4, 0x20000 },
		{ offsetof(struct gpt_header, gh_my_lba), 8, 2 },
		{ offsetof(struct gpt_header, gh_first), 8, 33 },	/* the array's last block */
		{ offsetof(struct gpt_header, gh_first), 8, 0 },
		{ offsetof(struct gpt_header, gh_first), 8, BLOCKS - 1 },
		{ offsetof(struct gpt_header, gh_last), 8, 33 },
		{ offsetof(struct gpt_header, gh_array_lba), 8, 0 },
		{ offsetof(struct gpt_header, gh_array_lba), 8, 1 },
		{ offsetof(struct gpt_header, gh_array_lba), 8, 34 },
		{ offsetof(struct gpt_header, gh_array_lba), 8, BLOCKS - 34 },	/* the last usable */
		{ offsetof(struct gpt_header, gh_array_lba), 8, BLOCKS - 32 },
		{ offsetof(struct gpt_header, gh_array_lba), 8, BLOCKS },
		{ offsetof(struct gpt_header, gh_array_lba), 8, UINT64_MAX },
		{ offsetof(struct gpt_header, gh_entries), 4, 0 },
		{ offsetof(struct gpt_header, gh_entries), 4, 129 },
		{ offsetof(struct gpt_header, gh_entries), 4, UINT32_MAX },
		{ offsetof(struct gpt_header, gh_entry_bytes), 4, 0 },
		{ offsetof(struct gpt_header, gh_entry_bytes), 4, 64 },
		{ offsetof(struct gpt_header, gh_entry_bytes), 4, 384 },
		{ offsetof(struct gpt_header, gh_entry_bytes), 4, 8192 },
		{ offsetof(struct gpt_header, gh_entry_bytes), 4, 1u << 31 },
	};

	(void)state;
	for (size_t i = 0; i < N(lie); i++) {
		sample_make(BLOCKS, 512);
		memcpy((char *)header(false) + lie[i].field, &lie[i].value, lie[i].bytes);
		seal(false);
		md_scan();
		assert_int_equal(md_info.di_gpt.gi_primary, TABLE_BAD_FIELDS);
		md_same(sample, SAMPLES);
	}
	for (uint32_t bytes = 0; bytes < 1024; bytes += bytes == 0 ? 91 : 422) {
		sample_make(BLOCKS, 512);
		header(false)->gh_bytes = bytes;
		md_scan();
		assert_int_equal(md_info.di_gpt.gi_primary, TABLE_BAD_FIELDS);
		md_same(sample, SAMPLES);
	}
}

/* Usable blocks may not be more than there are: neither header can be given away. */
static void
a_header_cannot_give_itself_away(void **state)
{
	(void)state;
	sample_make(BLOCKS, 512);
	header(false)->gh_last = UINT64_MAX;
	entry(false, 127)->ge_last = BLOCKS - 1;
	seal_array(false);
	assert_int_equal(md_scan(), SAMPLES - 1);
	assert_int_equal(md_list.l_outside, 1);

	sample_make(BLOCKS, 512);
	header(false)->gh_first = 0;
	header(false)->gh_array_lba = BLOCKS - 33;
	entry(false, 1)->ge_first = 1;
	seal_array(false);
	assert_int_equal(md_scan(), SAMPLES - 1);
	assert_int_equal(md_list.l_outside, 1);
	assert_int_equal(md_info.di_gpt.gi_primary, TABLE_OK);
}

static void
the_backup_stands_in(void **state)
{
	(void)state;
	sample_make(BLOCKS, 512);
	memset(md_store, 0, 34 * 512);
	md_scan();
	md_same(sample, SAMPLES);
	assert_false(md_info.di_gpt.gi_mbr);
	assert_int_equal(md_info.di_gpt.gi_primary, TABLE_ABSENT);
	assert_int_equal(md_info.di_gpt.gi_backup, TABLE_OK);

	memset(md_at(BLOCKS - 1), 0, 512);
	assert_int_equal(md_scan(), 0);
	assert_int_equal(md_info.di_gpt.gi_backup, TABLE_ABSENT);
}

static void
a_disk_cut_short_keeps_what_is_on_it(void **state)
{
	(void)state;
	sample_make(BLOCKS, 512);
	md.d_blocks = BLOCKS / 2;
	assert_int_equal(md_scan(), SAMPLES - 1);
	assert_int_equal(md_list.l_outside, 1);
	assert_int_equal(md_info.di_gpt.gi_backup, TABLE_ABSENT);
	for (md.d_blocks = 0; md.d_blocks < 40; md.d_blocks++)
		assert_int_equal(md_scan(), 0);
}

static void
copies_that_say_different_things_are_told(void **state)
{
	(void)state;
	sample_make(BLOCKS, 512);
	entry(true, 0)->ge_last--;
	seal_array(true);
	md_scan();
	md_same(sample, SAMPLES);
	assert_true(md_info.di_gpt.gi_differ);

	sample_make(BLOCKS, 512);
	header(true)->gh_disk.g_bytes[3] ^= 1;
	seal(true);
	md_scan();
	assert_true(md_info.di_gpt.gi_differ);
}

/* Entries larger than a block are read whole; those behind the 1024th are counted. */
static void
arrays_may_be_large(void **state)
{
	struct gpt_header *h;

	(void)state;
	for (uint32_t bytes = 128; bytes <= 4096; bytes *= 2) {
		uint32_t entries = GPT_ARRAY_BYTES_MAX / bytes;

		sample_make(MD_BYTES / 512, 512);
		h = header(false);
		h->gh_entry_bytes = bytes;
		h->gh_entries = entries;
		h->gh_first = 2 + GPT_ARRAY_BYTES_MAX / 512 + 8;
		memset(md_at(2), 0, GPT_ARRAY_BYTES_MAX);
		for (uint32_t i = 0; i < entries; i += i == 0 ? 1023 : entries - 1024) {
			entry(false, i)->ge_type = md_guid(1);
			entry(false, i)->ge_first = entry(false, i)->ge_last = h->gh_first + i;
			if (entries == 1024 && i == 1023)
				break;
		}
		seal_array(false);
		assert_int_equal(md_scan(), 2);
		assert_int_equal(md_info.di_gpt.gi_primary, TABLE_OK);
		assert_int_equal(md_slice[1].sl_index, 1023);
		assert_int_equal(md_list.l_lost, entries > 1024);

		h->gh_entries++;
		seal(false);
		md_scan();
		assert_int_equal(md_info.di_gpt.gi_primary, TABLE_BAD_FIELDS);
	}
}

static void
a_full_list_counts_the_rest(void **state)
{
	(void)state;
	sample_make(BLOCKS, 512);
	md_list = (struct slice_list){ .l_at = md_slice, .l_max = 2 };
	assert_true(gpt_read(&md, &md_work, &md_list, &md_info.di_gpt));
	assert_int_equal(md_list.l_n, 2);
	assert_int_equal(md_list.l_lost, SAMPLES - 2);
}

static void
names_become_good_text(void **state)
{
	static const struct { uint16_t u[4]; const char *want; } name[] = {
		{ { 'a', 0, 'b', 0 }, "a" },
		{ { 0xd800, 'x', 0, 0 }, "\xef\xbf\xbdx" },
		{ { 0xdc00, 0xd800, 0, 0 }, "\xef\xbf\xbd\xef\xbf\xbd" },
		{ { 0xd83e, 0xdeb0, 0, 0 }, "\xf0\x9f\xaa\xb0" },
		{ { 0xdbff, 0xdfff, 0, 0 }, "\xf4\x8f\xbf\xbf" },
		{ { 0x1b, '[', '2', 'J' }, "\xef\xbf\xbd[2J" },
		{ { 0x7f, 0x9b, '\n', 0xa0 }, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xc2\xa0" },
		{ { 0x7ff, 0x800, 0, 0 }, "\xdf\xbf\xe0\xa0\x80" },
	};
	char want[SLICE_NAME_BYTES] = "";

	(void)state;
	sample_make(BLOCKS, 512);
	for (size_t i = 0; i < N(name); i++) {
		memset(entry(false, 0)->ge_name, 0, 2 * NAME_UNITS);
		memcpy(entry(false, 0)->ge_name, name[i].u, sizeof name[i].u);
		seal_array(false);
		md_scan();
		assert_string_equal(md_slice[0].sl_name, name[i].want);
	}
	for (uint32_t i = 0; i < NAME_UNITS; i++) {
		entry(false, 0)->ge_name[i] = 0xd801;		/* the last has nothing behind it */
		strcat(want, "\xef\xbf\xbd");
	}
	seal_array(false);
	md_scan();
	assert_string_equal(md_slice[0].sl_name, want);
}

static void
what_cannot_be_is_not_written(void **state)
{
	static const char *const bad[] = { "\xff", "\x80", "\xc3", "\xc0\xaf", "\xe0\x80\xaf",
	    "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "a\nb", "\xc2\x9b",
	    "1234567890123456789012345678901234567",
	    "12345678901234567890123456789012345\xf0\x9f\xaa\xb0" };
	struct dsk_guid id = md_guid(1);
	struct slice s[2];

	(void)state;
	sample_make(BLOCKS, 512);
	md_writes = 0;
	for (size_t i = 0; i < N(bad); i++) {
		memcpy(s, sample, sizeof s);
		strcpy(s[1].sl_name, bad[i]);
		assert_int_equal(gpt_write(&md, &md_work, &id, s, 2), DSK_BAD_NAME);
	}
	for (int i = 0; i < 8; i++) {
		memcpy(s, sample, sizeof s);
		switch (i) {
		case 0: s[1].sl_start -= 512; break;
		case 1: s[1].sl_index = s[0].sl_index; break;
		case 2: s[1].sl_index = GPT_WRITE_ENTRIES; break;
		case 3: s[0].sl_start -= 512; break;
		case 4: s[1].sl_bytes = BLOCKS * 512; break;
		case 5: s[1].sl_bytes = UINT64_MAX & ~511ull; break;
		case 6: s[1].sl_bytes = 0; break;
		case 7: s[0].sl_bytes -= 1; break;
		}
		assert_int_equal(gpt_write(&md, &md_work, &id, s, 2), DSK_BAD_SLICE);
	}
	for (md.d_blocks = 0; md.d_blocks < 68; md.d_blocks++)
		assert_int_equal(gpt_write(&md, &md_work, &id, NULL, 0), DSK_NO_ROOM);
	assert_int_equal(md_writes, 0);
	assert_int_equal(gpt_write(&md, &md_work, &id, NULL, 0), DSK_OK);
	md_scan();
	assert_int_equal(md_info.di_gpt.gi_primary, TABLE_OK);
	assert_int_equal(md_info.di_gpt.gi_backup, TABLE_OK);
}

/* The power fails at each write of a new table: the disk has the old one or the new one. */
static void
a_write_cut_off_leaves_a_table(void **state)
{
	struct slice other = { .sl_start = 1000 * 512, .sl_bytes = 512, .sl_index = 5,
	    .sl_parent = SLICE_NO_PARENT, .sl_name = "new" };
	struct dsk_guid id = md_guid(7);
	bool seen_new = false;

	(void)state;
	other.sl_type = other.sl_id = md_guid(8);
	for (uint32_t n = 0;; n++) {
		enum dsk_result r;

		sample_make(BLOCKS, 512);
		md_good_io = n;
		r = gpt_write(&md, &md_work, &id, &other, 1);
		md_good_io = UINT32_MAX;
		md_scan();
		seen_new |= md_list.l_n == 1;
		md_same(seen_new ? &other : sample, seen_new ? 1 : SAMPLES);
		if (r == DSK_OK)
			break;
		assert_int_equal(r, DSK_IO);
	}
	assert_true(seen_new);
}

static void
a_disk_that_does_not_answer_is_told(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < 11; n++) {
		sample_make(BLOCKS, 512);
		md_good_io = n;
		assert_int_equal(md_scan(), n >= 6 ? SAMPLES : 0);
		assert_int_equal(md_info.di_gpt.gi_primary, n >= 6 ? TABLE_OK : TABLE_UNREADABLE);
		assert_int_equal(md_info.di_gpt.gi_backup, TABLE_UNREADABLE);
	}
}

static char image[] = "/tmp/test_gpt.XXXXXX";

static void
image_put(void)
{
	int fd = mkstemp(strcpy(image, "/tmp/test_gpt.XXXXXX"));

	assert_true(fd >= 0 && write(fd, md_store, MD_BYTES) == MD_BYTES && close(fd) == 0);
}

static void
image_get(void)
{
	int fd = open(image, O_RDONLY);

	assert_true(fd >= 0 && read(fd, md_store, MD_BYTES) == MD_BYTES && close(fd) == 0);
	unlink(image);
}

/* Runs a command with the image as $I; skips the test if there is no such program. */
static void
host(const char *command, char *out, size_t size)
{
	char line[512], self[256];
	FILE *f;
	size_t n;
	int status;
	ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);

	assert_true(len > 0);
	self[len] = '\0';
	*strstr(self, "/unit/") = '\0';		/* beside it are the tools */
	snprintf(line, sizeof line, "PATH=$PATH:/usr/sbin:/sbin:%s/tools I=%s; (%s) 2>&1", self,
	    image, command);
	f = popen(line, "r");
	assert_non_null(f);
	n = fread(out, 1, size - 1, f);
	out[n] = '\0';
	status = pclose(f);
	if (WEXITSTATUS(status) == 127) {
		unlink(image);
		skip();
	}
	if (status != 0)
		print_message("%s: %s\n", line, out);
	assert_int_equal(status, 0);
}

static void
the_host_reads_what_we_write(void **state)
{
	static char out[65536];

	(void)state;
	sample_make(MD_BYTES / 512, 512);
	image_put();
	host("sgdisk -v $I", out, sizeof out);
	assert_non_null(strstr(out, "No problems found"));
	host("sfdisk -V $I", out, sizeof out);
	host("sfdisk -d $I", out, sizeof out);
	assert_non_null(strstr(out, "1 : start=          98, size=          64, "
	    "type=34231201-5645-7867-899A-ABBCCDDEEF00, uuid=66554433-8877-AA99-BBCC-"));
	assert_non_null(strstr(out, "41 : start=         162"));
	assert_non_null(strstr(out, "128 : start=         226, size=       16125"));
	unlink(image);
}

static void
we_read_what_the_host_writes(void **state)
{
	static char out[65536];
	static const char *const command[] = {
		"sgdisk -o -n 1:2048:4095 -t 1:ef00 -c 1:first -n 7:8192:9000 -c 7:seventh $I",
		"printf 'label: gpt\\n1: start=2048, size=2048, type=U, name=first\\n"
		"7: start=8192, size=809, name=seventh\\n' | sfdisk -q $I",
	};

	(void)state;
	for (size_t i = 0; i < N(command); i++) {
		md_make(MD_BYTES / 512, 512);
		image_put();
		host(command[i], out, sizeof out);
		image_get();
		assert_int_equal(md_scan(), 2);
		assert_int_equal(md_info.di_gpt.gi_primary, TABLE_OK);
		assert_int_equal(md_info.di_gpt.gi_backup, TABLE_OK);
		assert_true(md_info.di_gpt.gi_mbr && !md_info.di_gpt.gi_differ);
		assert_int_equal(md_slice[0].sl_start, 2048 * 512);
		assert_int_equal(md_slice[0].sl_bytes, 2048 * 512);
		/* An EFI system partition. */
		assert_int_equal(md_slice[0].sl_type.g_bytes[0], 0x28);
		assert_string_equal(md_slice[0].sl_name, "first");
		assert_int_equal(md_slice[1].sl_index, 6);
		assert_int_equal(md_slice[1].sl_bytes, 809 * 512);
		assert_string_equal(md_slice[1].sl_name, "seventh");
	}
}

static void
the_tool_makes_what_all_read(void **state)
{
	static char out[65536];

	(void)state;
	md_make(MD_BYTES / 512, 512);
	image_put();
	host("part gpt $I 1M:boot:efi 4M:root:label64 -:rest && part label $I s2 64K:ufs -:hammer2",
	    out, sizeof out);
	host("sgdisk -v $I", out, sizeof out);
	assert_non_null(strstr(out, "No problems found"));
	host("part show $I", out, sizeof out);
	assert_non_null(strstr(out, "s2b           4194304        2097152  23 "));
	image_get();
	assert_int_equal(md_scan(), 5);
	assert_int_equal(md_info.di_labels_bad + md_left_out(), 0);
	assert_string_equal(md_slice[1].sl_name, "root");
	assert_int_equal(md_slice[3].sl_parent, 1);
	assert_int_equal(md_slice[3].sl_start, 3 << 20);
	assert_int_equal(md_slice[3].sl_fstype, 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(a_disk_of_many_blocks_is_as_good),
		cmocka_unit_test(a_flipped_bit_changes_nothing),
		cmocka_unit_test(a_lie_with_right_sums_harms_nobody),
		cmocka_unit_test(one_lying_entry_leaves_the_others),
		cmocka_unit_test(a_header_that_contradicts_the_disk_is_refused),
		cmocka_unit_test(a_header_cannot_give_itself_away),
		cmocka_unit_test(the_backup_stands_in),
		cmocka_unit_test(a_disk_cut_short_keeps_what_is_on_it),
		cmocka_unit_test(copies_that_say_different_things_are_told),
		cmocka_unit_test(arrays_may_be_large),
		cmocka_unit_test(a_full_list_counts_the_rest),
		cmocka_unit_test(names_become_good_text),
		cmocka_unit_test(what_cannot_be_is_not_written),
		cmocka_unit_test(a_write_cut_off_leaves_a_table),
		cmocka_unit_test(a_disk_that_does_not_answer_is_told),
		cmocka_unit_test(the_host_reads_what_we_write),
		cmocka_unit_test(we_read_what_the_host_writes),
		cmocka_unit_test(the_tool_makes_what_all_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
