/* SPDX-License-Identifier: BSD-2-Clause */
/* test_virtio - features, and capabilities that say where registers are: sound ones, and others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../../../../sys/core/pci/pci.c"
#include "../../../../../sys/core/virtio/virtio.c"
#include "../pci/model.h"

_Noreturn void
rt_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	abort();
}

static struct pci_function f;
static struct pci_bar bar[PCI_BARS];
static struct virtio_pci vp;
static uint32_t last;		/* capability */

static struct model_function *
begin(void)
{
	struct model_function *m;

	memset(&model, 0, sizeof model);
	m = model_add(0, 0);
	model_bar(m, 1, 1, 4096, 0xc000);
	model_bar(m, 4, 4, 16384, 0x800000000ull);
	assert_true(pci_identify(&model_cfg, 0, &f));
	pci_bars(&model_cfg, &f, bar);
	last = 0;
	return m;
}

static void
add(struct model_function *m, uint32_t kind, uint32_t in, uint32_t offset, uint32_t bytes)
{
	uint32_t at = last == 0 ? 0x40 : last + 20;

	if (last != 0)
		m->m_space[last + 1] = (uint8_t)at;
	model_cap(m, at, PCI_CAP_VENDOR, 0);
	model_put(m, at + 2, 1, 20);
	model_put(m, at + 3, 1, kind);
	model_put(m, at + 4, 1, in);
	model_put(m, at + 8, 4, offset);
	model_put(m, at + 12, 4, bytes);
	model_put(m, at + 16, 4, 4);
	last = at;
}

static void
features_are_agreed_on(void **state)
{
	uint64_t got = 77;

	(void)state;
	assert_false(virtio_negotiate(VIRTIO_F_EVENT_IDX, VIRTIO_F_EVENT_IDX, 0, &got));
	assert_int_equal(got, 77);
	assert_true(virtio_negotiate(VIRTIO_F_VERSION_1 | 6, 3, 4, &got));
	assert_int_equal(got, VIRTIO_F_VERSION_1 | 6);
	assert_false(virtio_negotiate(VIRTIO_F_VERSION_1 | 2, 3, 4, &got));
}

static void
a_type_has_two_numbers(void **state)
{
	static const struct { uint16_t vendor, device; uint32_t type; } t[] = {
		{ 0x1af4, 0x1000, VIRTIO_NET }, { 0x1af4, 0x1001, VIRTIO_BLK },
		{ 0x1af4, 0x1003, VIRTIO_CONSOLE }, { 0x1af4, 0x1005, VIRTIO_RNG },
		{ 0x1af4, 0x1041, VIRTIO_NET }, { 0x1af4, 0x1042, VIRTIO_BLK },
		{ 0x1af4, 0x1044, VIRTIO_RNG }, { 0x1af4, 0x107f, 63 }, { 0x1af4, 0x1040, 0 },
		{ 0x1af4, 0x1080, 0 }, { 0x1af4, 0x1110, 0 }, { 0x1b36, 0x1041, 0 }, { 0xffff, 0xffff, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		f = (struct pci_function){ .pf_vendor = t[i].vendor, .pf_device = t[i].device };
		assert_int_equal(virtio_pci_type(&f), t[i].type);
	}
}

static void
the_first_sound_region_counts(void **state)
{
	struct model_function *m = begin();
	uint32_t offset;

	(void)state;
	add(m, VIRTIO_CAP_COMMON, 1, 0, 64);		/* ports are not mapped */
	add(m, VIRTIO_CAP_COMMON, 4, 0x1000, 64);
	add(m, VIRTIO_CAP_COMMON, 4, 0x2000, 64);
	add(m, VIRTIO_CAP_ISR, 4, 1, 1);
	assert_false(virtio_pci_find(&model_cfg, &f, bar, &vp));
	add(m, VIRTIO_CAP_NOTIFY, 4, 0x3000, 0x1000);
	add(m, 77, 4, 0, 4096);
	assert_true(virtio_pci_find(&model_cfg, &f, bar, &vp));
	assert_int_equal(vp.vp_region[VIRTIO_CAP_COMMON].bar, 4);
	assert_int_equal(vp.vp_region[VIRTIO_CAP_COMMON].offset, 0x1000);
	assert_int_equal(vp.vp_region[VIRTIO_CAP_DEVICE].bytes, 0);
	assert_int_equal(vp.vp_notify_multiplier, 4);
	assert_true(virtio_pci_notify(&vp, 1023, &offset));
	assert_int_equal(offset, 0x3ffc);
	assert_false(virtio_pci_notify(&vp, 1024, &offset));
	vp.vp_notify_multiplier = UINT32_MAX;
	assert_false(virtio_pci_notify(&vp, 65535, &offset));
	vp.vp_notify_multiplier = 0;
	assert_true(virtio_pci_notify(&vp, 65535, &offset));
	m->m_space[0x34] = 0xf0;	/* the last thing there is, and its end is cut off */
	last = 0xf0 - 20;
	add(m, VIRTIO_CAP_ISR, 4, 0, 1);
	assert_false(virtio_pci_find(&model_cfg, &f, bar, &vp));
	assert_int_equal(vp.vp_region[VIRTIO_CAP_ISR].bytes, 0);
	model_put(m, 0xf2, 1, 16);
	assert_false(virtio_pci_find(&model_cfg, &f, bar, &vp));
	assert_int_equal(vp.vp_region[VIRTIO_CAP_ISR].bytes, 1);
}

static void
regions_are_inside_their_bars(void **state)
{
	static const struct { uint32_t bar, offset, bytes; bool ok; } t[] = {
		{ 4, 0, 56, true }, { 4, 0, 55, false }, { 4, 16384 - 56, 56, true },
		{ 4, 16384 - 52, 56, false },
		{ 4, 0, 16384, true }, { 4, 0, 16385, false }, { 4, 0xfffffffc, 56, false },
		{ 4, 4, 0xfffffffc, false },
		{ 4, 2, 56, false }, { 1, 0, 56, false }, { 0, 0, 56, false }, { 5, 0, 56, false },
		{ 6, 0, 56, false },
		{ 255, 0, 56, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		struct model_function *m = begin();

		add(m, VIRTIO_CAP_COMMON, t[i].bar, t[i].offset, t[i].bytes);
		add(m, VIRTIO_CAP_ISR, 4, 0, 1);
		add(m, VIRTIO_CAP_NOTIFY, 4, 0, 2);
		assert_int_equal(virtio_pci_find(&model_cfg, &f, bar, &vp), t[i].ok);
	}
}

static void
a_place_is_told_as_linux_tells_it(void **state)
{
	static const struct {
		const char *text;
		bool	ok;
		uint64_t bytes, pa;
		uint32_t line;
	} t[] = {
		{ "512@0xfeb00000:5", true, 512, 0xfeb00000, 5 },
		{ "0x200@0XFEB00e00:12:7", true, 512, 0xfeb00e00, 12 },
		{ "1K@4096:010", true, 1024, 4096, 8 }, { "4k@0x1000:0", true, 4096, 4096, 0 },
		{ "1M@0x10000000000:31", true, 1 << 20, 1ull << 40, 31 }, { "1g@0:1", true, 1 << 30, 0, 1 },
		{ "256@0xfffffffffffffe00:4294967295", true, 256, -512ull, UINT32_MAX },
		{ "", false, 0, 0, 0 }, { "512", false, 0, 0, 0 }, { "512@", false, 0, 0, 0 },
		{ "512@0xfeb00000", false, 0, 0, 0 }, { "512@0xfeb00000:", false, 0, 0, 0 },
		{ "@0xfeb00000:5", false, 0, 0, 0 }, { "512@:5", false, 0, 0, 0 },
		{ "512@0x:5", false, 0, 0, 0 },
		{ "512@0xfeb00000:5:", false, 0, 0, 0 }, { "512@0xfeb00000:5:x", false, 0, 0, 0 },
		{ "512@0xfeb00000:5 ", false, 0, 0, 0 }, { "512@0xfeb00000:5x", false, 0, 0, 0 },
		{ "512@0xfeb00000:-5", false, 0, 0, 0 }, { "512@0xfeb00001:5", false, 0, 0, 0 },
		{ "255@0xfeb00000:5", false, 0, 0, 0 }, { "0@0xfeb00000:5", false, 0, 0, 0 },
		{ "512kk@0xfeb00000:5", false, 0, 0, 0 }, { "08@0xfeb00000:5", false, 0, 0, 0 },
		{ "512@0xfeb00000:4294967296", false, 0, 0, 0 },
		{ "512@0x10000000000000000:5", false, 0, 0, 0 },
		{ "512@0xfffffffffffffff8:5", false, 0, 0, 0 },
		{ "18446744073709551615g@0:5", false, 0, 0, 0 },
		{ "18446744073709551616@0:5", false, 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		struct virtio_mmio_place p = { 1, 2, 3 };
		char *text = strdup(t[i].text);		/* its end is the end of what may be read */
		size_t len = strlen(text);

		text = realloc(text, len == 0 ? 1 : len);
		assert_int_equal(virtio_mmio_place(text, len, &p), t[i].ok);
		assert_int_equal(p.vm_pa, t[i].ok ? t[i].pa : 1);
		assert_int_equal(p.vm_bytes, t[i].ok ? t[i].bytes : 2);
		assert_int_equal(p.vm_line, t[i].ok ? t[i].line : 3);
		free(text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(features_are_agreed_on),
		cmocka_unit_test(a_type_has_two_numbers),
		cmocka_unit_test(the_first_sound_region_counts),
		cmocka_unit_test(regions_are_inside_their_bars),
		cmocka_unit_test(a_place_is_told_as_linux_tells_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
