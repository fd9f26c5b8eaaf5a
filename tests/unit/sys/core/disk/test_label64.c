/* SPDX-License-Identifier: BSD-2-Clause */
/* test_label64 - disk labels on whole disks and in slices of a GPT. */
#include "memdisk.h"

#define MIB		(1u << 20)
#define N(a)		(sizeof(a) / sizeof *(a))
#define SAMPLES		3u

static struct slice sample[SAMPLES];

/* Partitions a, b and p of 64 KiB each, the first where a label's first begins. */
static void
sample_make(uint64_t start, uint64_t bytes)
{
	static const uint32_t index[SAMPLES] = { 0, 1, 15 };
	static const uint8_t fstype[SAMPLES] = { 1, 7, 23 };
	struct dsk_guid id = md_guid(3);
	uint64_t lo = 0, hi = 0;

	assert_true(label64_area(start, bytes, &lo, &hi));
	for (uint32_t i = 0; i < SAMPLES; i++)
		sample[i] = (struct slice){
			.sl_start = lo + i * 65536, .sl_bytes = 65536, .sl_kind = SLICE_LABEL64,
			.sl_parent = SLICE_NO_PARENT, .sl_index = index[i], .sl_fstype = fstype[i],
			.sl_type = md_guid((uint8_t)i), .sl_id = md_guid((uint8_t)(i + 9)),
		};
	assert_int_equal(label64_write(&md, &md_work, start, bytes, &id, sample, SAMPLES), DSK_OK);
}

static struct label64 *
label(uint64_t start)
{
	return (void *)md_at(start / md.d_block_bytes);
}

/* The sum as the format has it, computed in another way than the code does. */
static void
seal(uint64_t start)
{
	struct label64 *lb = label(start);
	uint32_t n = lb->lb_partitions;

	lb->lb_crc = 0;
	lb->lb_crc = md_crc(0, (uint8_t *)lb + 512, 200 + n * 64);
}

static void
disk_make(uint32_t block_bytes)
{
	md_make(MD_BYTES / block_bytes, block_bytes);
	sample_make(0, MD_BYTES);
}

static void
what_is_written_is_read(void **state)
{
	(void)state;
	for (uint32_t bb = 512; bb <= 4096; bb *= 2) {
		disk_make(bb);
		md_scan();
		md_same(sample, SAMPLES);
		assert_int_equal(md_info.di_label, TABLE_OK);
		assert_int_equal(md_left_out(), 0);
		assert_int_equal(sample[0].sl_start, MIB);
	}
}

/* The same bytes are the same label whatever a block is. */
static void
the_size_of_a_block_does_not_matter(void **state)
{
	(void)state;
	disk_make(512);
	for (uint32_t bb = 1024; bb <= 4096; bb *= 2) {
		md.d_blocks = MD_BYTES / bb;
		md.d_block_bytes = bb;
		md_scan();
		md_same(sample, SAMPLES);
	}
}

/* Places and the sum of the format, byte by byte. */
static void
the_label_is_dragonflys(void **state)
{
	static const uint8_t magic[] = { 0x59, 0x4c, 0x46, 0xc4 }, mib[8] = { 0, 0, 0x10 };
	uint32_t crc;

	(void)state;
	disk_make(512);
	assert_memory_equal(md_store + 512, magic, 4);
	assert_int_equal(md_store[524], 16);
	assert_memory_equal(md_store + 560, mib, 8);	/* the first byte that is given away */
	assert_memory_equal(md_store + 712, mib, 8);	/* where a begins */
	assert_int_equal(md_store[712 + 64 + 16], 7);	/* what b is */
	assert_memory_equal(md_store + 712 + 15 * 64 + 48, &sample[2].sl_id, 16);
	memcpy(&crc, md_store + 516, 4);
	memset(md_store + 516, 0, 4);
	assert_int_equal(crc, md_crc(0, md_store + 512, 1736 - 512));
}

static void
a_label_leaves_its_surroundings_alone(void **state)
{
	(void)state;
	md_make(MD_BYTES / 4096, 4096);
	memset(md_store, 0xaa, 8192);
	sample_make(0, MD_BYTES);
	for (uint32_t i = 0; i < 8192; i++)
		assert_true((i >= 512 && i < sizeof(struct label64)) || md_store[i] == 0xaa);
	md_scan();
	md_same(sample, SAMPLES);
}

static void
a_flipped_bit_is_found(void **state)
{
	(void)state;
	disk_make(512);
	for (uint32_t bit = 0; bit < 8 * sizeof(struct label64); bit++) {
		md_store[bit / 8] ^= (uint8_t)(1u << bit % 8);
		md_scan();
		if (bit < 8 * 512)
			md_same(sample, SAMPLES);
		else
			assert_true(md_list.l_n == 0 && md_info.di_label != TABLE_OK);
		md_store[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_int_equal(md_scan(), SAMPLES);
}

static void
a_lie_with_a_right_sum_harms_nobody(void **state)
{
	static uint8_t before[sizeof(struct label64)];
	uint32_t left_out = 0;

	(void)state;
	disk_make(512);
	memcpy(before, md_store, sizeof before);
	for (uint32_t bit = 8 * 520; bit < 8 * sizeof(struct label64); bit++) {
		md_store[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (label(0)->lb_partitions <= LABEL64_PARTITIONS)
			seal(0);
		md_scan();
		if (md_info.di_label == TABLE_OK)
			left_out += md_left_out() > 0;
		else
			assert_true(label(0)->lb_partitions > LABEL64_PARTITIONS);
		memcpy(md_store, before, sizeof before);
	}
	assert_true(left_out > 50);
}

static void
one_lying_partition_leaves_the_others(void **state)
{
	static const struct { uint64_t start, bytes; size_t count; } lie[] = {
		{ MIB, 512, offsetof(struct slice_list, l_overlap) },
		{ MIB + 65536 + 512, MIB, offsetof(struct slice_list, l_overlap) },
		{ MIB, MD_BYTES - MIB, offsetof(struct slice_list, l_overlap) },
		{ 0, MD_BYTES, offsetof(struct slice_list, l_outside) },	/* a c of old */
		{ MIB - 512, 512, offsetof(struct slice_list, l_outside) },
		{ MD_BYTES - 512, 1024, offsetof(struct slice_list, l_outside) },
		{ 2 * MIB, UINT64_MAX - 2 * MIB, offsetof(struct slice_list, l_outside) },
		{ 2 * MIB, UINT64_MAX, offsetof(struct slice_list, l_reversed) },
		{ UINT64_MAX - 511, 1024, offsetof(struct slice_list, l_reversed) },
		{ 2 * MIB + 1, 512, offsetof(struct slice_list, l_unaligned) },
		{ 2 * MIB, 513, offsetof(struct slice_list, l_unaligned) },
	};

	(void)state;
	for (size_t i = 0; i < N(lie); i++) {
		disk_make(512);
		label(0)->lb_partition[2].pa_start = lie[i].start;
		label(0)->lb_partition[2].pa_bytes = lie[i].bytes;
		seal(0);
		md_scan();
		/* What comes before it in the table stays; p is behind it and apart from it. */
		assert_int_equal(md_list.l_n, SAMPLES);
		md_same(sample, SAMPLES);
		assert_int_equal(*(uint32_t *)((char *)&md_list + lie[i].count), 1);
		assert_int_equal(md_left_out(), 1);
	}
}

/* A label may claim to give away what is not there, or itself. */
static void
a_label_cannot_give_away_more_than_its_slice(void **state)
{
	(void)state;
	disk_make(512);
	label(0)->lb_pbase = 0;
	label(0)->lb_pstop = label(0)->lb_total = UINT64_MAX;
	label(0)->lb_partition[2].pa_start = 512;
	label(0)->lb_partition[2].pa_bytes = 512;
	label(0)->lb_partition[3].pa_start = MD_BYTES;
	label(0)->lb_partition[3].pa_bytes = 512;
	seal(0);
	md_scan();
	md_same(sample, SAMPLES);
	assert_int_equal(md_list.l_outside, 2);

	md.d_blocks = (MIB + 65536) / 512;
	assert_int_equal(md_scan(), 1);
	assert_int_equal(md_list.l_outside, 4);
	for (md.d_blocks = 0; md.d_blocks < 4; md.d_blocks++)
		assert_true(md_scan() == 0 && md_info.di_label == TABLE_ABSENT);
}

static void
as_many_partitions_as_the_label_says(void **state)
{
	(void)state;
	disk_make(512);
	label(0)->lb_partitions = 2;
	seal(0);
	md_scan();
	md_same(sample, 2);
	label(0)->lb_partitions = 0;
	seal(0);
	assert_true(md_scan() == 0 && md_info.di_label == TABLE_OK);
	label(0)->lb_partitions = 17;
	assert_true(md_scan() == 0 && md_info.di_label == TABLE_BAD_FIELDS);
	label(0)->lb_partitions = UINT32_MAX;
	assert_true(md_scan() == 0 && md_info.di_label == TABLE_BAD_FIELDS);
	md_good_io = 3;			/* the MBR and both headers */
	assert_true(md_scan() == 0 && md_info.di_label == TABLE_UNREADABLE);
}

/* Three slices: one of another type with a good label in it, one with a label, one without. */
static void
labels_are_found_in_slices_of_their_type(void **state)
{
	struct slice s[3];
	struct dsk_guid id = md_guid(1);

	(void)state;
	for (uint32_t bb = 512; bb <= 4096; bb *= 8) {
		md_make(MD_BYTES / bb, bb);
		memset(s, 0, sizeof s);
		for (uint32_t i = 0; i < N(s); i++) {
			s[i].sl_start = (1 + 2 * i) * MIB;
			s[i].sl_bytes = 2 * MIB;
			s[i].sl_index = i;
			s[i].sl_type = i == 0 ? md_guid(1) : label64_type;
		}
		assert_int_equal(gpt_write(&md, &md_work, &id, s, N(s)), DSK_OK);
		sample_make(s[0].sl_start, s[0].sl_bytes);
		sample_make(s[1].sl_start, s[1].sl_bytes);
		assert_int_equal(md_scan(), N(s) + SAMPLES);
		assert_int_equal(md_info.di_labels_bad, 1);
		assert_int_equal(md_info.di_label, TABLE_ABSENT);
		for (uint32_t i = 0; i < SAMPLES; i++) {
			assert_int_equal(md_slice[N(s) + i].sl_parent, 1);
			assert_int_equal(md_slice[N(s) + i].sl_start, sample[i].sl_start);
			assert_int_equal(md_slice[N(s) + i].sl_index, sample[i].sl_index);
		}
	}
}

static void
what_cannot_be_is_not_written(void **state)
{
	struct dsk_guid id = md_guid(1);
	struct slice s[2];

	(void)state;
	disk_make(512);
	md_writes = 0;
	for (int i = 0; i < 7; i++) {
		memcpy(s, sample, sizeof s);
		switch (i) {
		case 0: s[1].sl_start -= 4096; break;
		case 1: s[1].sl_index = s[0].sl_index; break;
		case 2: s[1].sl_index = LABEL64_PARTITIONS; break;
		case 3: s[0].sl_start -= 4096; break;
		case 4: s[1].sl_bytes = MD_BYTES; break;
		case 5: s[1].sl_bytes = 0; break;
		case 6: s[0].sl_bytes -= 512; break;
		}
		assert_int_equal(label64_write(&md, &md_work, 0, MD_BYTES, &id, s, 2),
		    DSK_BAD_SLICE);
	}
	assert_int_equal(label64_write(&md, &md_work, 0, MIB, &id, NULL, 0), DSK_NO_ROOM);
	assert_int_equal(label64_write(&md, &md_work, 0, 0, &id, NULL, 0), DSK_NO_ROOM);
	for (md_good_io = 0; md_good_io < 2; md_good_io++) {
		uint32_t n = md_good_io;

		assert_int_equal(label64_write(&md, &md_work, 0, MD_BYTES, &id, NULL, 0), DSK_IO);
		md_good_io = n;
	}
	assert_int_equal(md_writes, 0);
	md_good_io = UINT32_MAX;
	md_scan();
	md_same(sample, SAMPLES);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(the_size_of_a_block_does_not_matter),
		cmocka_unit_test(the_label_is_dragonflys),
		cmocka_unit_test(a_label_leaves_its_surroundings_alone),
		cmocka_unit_test(a_flipped_bit_is_found),
		cmocka_unit_test(a_lie_with_a_right_sum_harms_nobody),
		cmocka_unit_test(one_lying_partition_leaves_the_others),
		cmocka_unit_test(a_label_cannot_give_away_more_than_its_slice),
		cmocka_unit_test(as_many_partitions_as_the_label_says),
		cmocka_unit_test(labels_are_found_in_slices_of_their_type),
		cmocka_unit_test(what_cannot_be_is_not_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
