/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bootinfo - what a loader left: a first piece that is empty for multiboot2, then
 * memory from RAM on, where the structure is.
 */
#include "fake.h"

#include "../unit/sys/core/pc/window.h"
#include "../../sys/core/pc/bootinfo.c"

#define RAM	0x1000u

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
sane(const struct bootinfo *bi)
{
	uint64_t at = 0;

	ASSERT(bi->bi_nmap <= BI_MAP_MAX && bi->bi_map_end <= PA_END);
	ASSERT(bi->bi_nmods <= BI_MODS_MAX && bi->bi_rsdp_len <= BI_RSDP_BYTES);
	for (uint32_t i = 0; i < bi->bi_nmap; i++) {
		const struct bi_range *r = &bi->bi_map[i];

		ASSERT(r->br_base >= at && r->br_len > 0 && (r->br_base | r->br_len) % PAGE == 0);
		ASSERT(i == 0 || r->br_base > at || r->br_kind != r[-1].br_kind);
		at = range_end(r);
	}
	ASSERT(at <= bi->bi_map_end);
	ASSERT(memchr(bi->bi_cmdline, 0, sizeof bi->bi_cmdline) != NULL);
	ASSERT(memchr(bi->bi_loader, 0, sizeof bi->bi_loader) != NULL);
	for (uint32_t i = 0; i < bi->bi_nmods; i++) {
		ASSERT(bi->bi_mods[i].bm_pa + bi->bi_mods[i].bm_len >= bi->bi_mods[i].bm_pa);
		ASSERT(memchr(bi->bi_mods[i].bm_text, 0, sizeof bi->bi_mods[i].bm_text) != NULL);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct bootinfo bi;
	struct window w = { .w_base = RAM };
	struct pc_mem m = { window_map, &w };
	size_t n;

	fake_begin(data, 0);
	(void)fake_piece(&data, &len, &n);
	w.w_bytes = data;
	w.w_len = len;
	if (n > 0 ? bootinfo_pvh(&bi, &m, RAM) : bootinfo_multiboot2(&bi, &m, RAM))
		sane(&bi);
	free(w.w_last);
	fake_done();
	return 0;
}
