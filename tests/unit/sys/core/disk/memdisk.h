/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memdisk - a disk in memory for these tests.
 *
 * It may have more blocks than there is memory: the first half of the memory is
 * its beginning and the second its end, and in between nobody has business.
 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../../../../sys/core/codec/crc32.c"
#include "../../../../../sys/core/disk/gpt.c"
#include "../../../../../sys/core/disk/label64.c"
#include "../../../../../sys/core/disk/slice.c"

#define MD_BYTES	(8u << 20)
#define MD_SLICES	256u

static uint8_t md_store[MD_BYTES];
static uint32_t md_good_io;		/* so many reads and writes more do not fail */
static uint32_t md_writes;
static struct dsk md;
static struct dsk_work md_work;
static struct slice md_slice[MD_SLICES];
static struct slice_list md_list;
static struct dsk_info md_info;

_Noreturn void
rt_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	abort();
}

static uint8_t *
md_at(uint64_t lba)
{
	uint64_t half = MD_BYTES / 2 / md.d_block_bytes;

	assert_true(lba < md.d_blocks);
	if (md.d_blocks > 2 * half && lba >= half) {
		assert_true(md.d_blocks - lba <= half);
		lba -= md.d_blocks - 2 * half;
	}
	return md_store + lba * md.d_block_bytes;
}

static bool
md_read(void *arg, uint64_t lba, uint32_t nblocks, void *buf)
{
	assert_ptr_equal(arg, &md);
	assert_in_range(nblocks * md.d_block_bytes, md.d_block_bytes, DSK_BUF_BYTES);
	assert_true(nblocks <= md.d_blocks && lba <= md.d_blocks - nblocks);
	if (md_good_io == 0)
		return false;
	md_good_io--;
	memcpy(buf, md_at(lba), nblocks * md.d_block_bytes);
	return true;
}

static bool
md_write(void *arg, uint64_t lba, uint32_t nblocks, const void *buf)
{
	assert_ptr_equal(arg, &md);
	assert_true(nblocks <= md.d_blocks && lba <= md.d_blocks - nblocks);
	if (md_good_io == 0)
		return false;
	md_good_io--;
	md_writes++;
	memcpy(md_at(lba), buf, nblocks * md.d_block_bytes);
	return true;
}

static void
md_make(uint64_t blocks, uint32_t block_bytes)
{
	md = (struct dsk){ .d_blocks = blocks, .d_block_bytes = block_bytes,
	    .d_read = md_read, .d_write = md_write, .d_arg = &md };
	memset(md_store, 0, sizeof md_store);
	md_good_io = UINT32_MAX;
	md_writes = 0;
}

/* What holds whatever is on a disk. */
static void
md_check(void)
{
	for (uint32_t i = 0; i < md_list.l_n; i++) {
		const struct slice *s = &md_slice[i];
		uint64_t lo = 0, hi = md.d_blocks * md.d_block_bytes;

		if (s->sl_parent != SLICE_NO_PARENT) {
			assert_true(s->sl_parent < i);
			assert_int_equal(md_slice[s->sl_parent].sl_parent, SLICE_NO_PARENT);
			lo = md_slice[s->sl_parent].sl_start;
			hi = lo + md_slice[s->sl_parent].sl_bytes;
		}
		assert_true(s->sl_start > lo && s->sl_start < hi);	/* behind the table */
		assert_true(s->sl_bytes > 0 && s->sl_bytes <= hi - s->sl_start);
		assert_int_equal((s->sl_start | s->sl_bytes) % md.d_block_bytes, 0);
		assert_true(memchr(s->sl_name, 0, sizeof s->sl_name) != NULL);
		for (uint32_t k = 0; k < i; k++)
			assert_true(md_slice[k].sl_parent != s->sl_parent ||
			    md_slice[k].sl_start >= s->sl_start + s->sl_bytes ||
			    s->sl_start >= md_slice[k].sl_start + md_slice[k].sl_bytes);
	}
}

static uint32_t
md_scan(void)
{
	md_list = (struct slice_list){ .l_at = md_slice, .l_max = MD_SLICES };
	dsk_scan(&md, &md_work, &md_list, &md_info);
	md_check();
	return md_list.l_n;
}

static uint32_t
md_left_out(void)
{
	return md_list.l_reversed + md_list.l_outside + md_list.l_unaligned + md_list.l_overlap +
	    md_list.l_lost;
}

static struct dsk_guid
md_guid(uint8_t seed)
{
	struct dsk_guid g;

	for (int i = 0; i < 16; i++)
		g.g_bytes[i] = (uint8_t)(seed + i * 17 + 1);
	return g;
}

static uint32_t
md_crc(uint32_t crc, const void *p, size_t n)
{
	static struct crc32_table tab;

	if (tab.t[0][1] == 0)
		crc32_init(&tab);
	return crc32_update(&tab, crc, p, n);
}

static void
md_same(const struct slice *want, uint32_t n)
{
	assert_int_equal(md_list.l_n, n);
	for (uint32_t i = 0; i < n; i++) {
		const struct slice *s = &md_slice[i], *x = &want[i];

		assert_true(s->sl_start == x->sl_start && s->sl_bytes == x->sl_bytes);
		assert_int_equal(s->sl_kind, x->sl_kind);
		assert_int_equal(s->sl_index, x->sl_index);
		assert_int_equal(s->sl_fstype, x->sl_fstype);
		assert_memory_equal(&s->sl_type, &x->sl_type, 16);
		assert_memory_equal(&s->sl_id, &x->sl_id, 16);
		assert_string_equal(s->sl_name, x->sl_name);
	}
}
