/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * acpi - firmware's tables: the first piece is the RSDP, the rest memory from
 * RAM on.
 *
 * Sums are made right, or no table would ever be read: of the RSDP here, of a
 * table when all of it is mapped.
 */
#include "fake.h"

#include "../unit/sys/core/pc/window.h"
#include "../../sys/core/pc/acpi.c"

#define RAM	0x1000u

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
seal(uint8_t *p, size_t n, size_t sum)
{
	uint8_t total = 0;

	for (size_t i = 0; i < n; i++)
		total += p[i];
	p[sum] -= total;
}

static const void *
map_sealed(void *arg, uint64_t pa, uint64_t len)
{
	struct window *w = arg;

	if (window_map(w, pa, len) != NULL && len >= HEADER && pc_u32(w->w_last + 4) == len)
		seal(w->w_last, len, 9);
	return w->w_last;
}

static void
sane(const struct acpi *a)
{
	ASSERT(a->a_ncpus <= ACPI_CPUS_MAX && a->a_nioapics <= ACPI_IOAPICS_MAX);
	ASSERT(a->a_noverrides <= ACPI_OVERRIDES_MAX && a->a_nnmis <= ACPI_NMIS_MAX);
	ASSERT(a->a_nmcfg <= ACPI_MCFG_MAX && a->a_s5_a <= 7 && a->a_s5_b <= 7);
	for (uint32_t i = 0; i < a->a_nnmis; i++)
		ASSERT(a->a_nmis[i].an_lint <= 1 && a->a_nmis[i].an_polarity != 2);
	for (uint32_t i = 0; i < a->a_nmcfg; i++)
		ASSERT(a->a_mcfg[i].am_bus_first <= a->a_mcfg[i].am_bus_last);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct acpi a;
	uint8_t rsdp[36] = { 0 };
	struct window w = { .w_base = RAM };
	struct pc_mem m = { map_sealed, &w };
	const uint8_t *piece;
	size_t n;

	fake_begin(data, 0);
	piece = fake_piece(&data, &len, &n);
	n = rt_min(n, sizeof rsdp);
	memcpy(rsdp, piece, n);
	seal(rsdp, 20, 8);
	seal(rsdp, 36, 32);
	w.w_bytes = data;
	w.w_len = len;
	if (acpi_scan(&a, &m, rsdp, (uint32_t)n))
		sane(&a);
	free(w.w_last);
	fake_done();
	return 0;
}
