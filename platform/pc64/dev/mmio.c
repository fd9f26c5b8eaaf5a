/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mmio - registers of devices in memory, wherever somebody says that they are.
 *
 * Invariant: an address that a device claims is mapped only if it is not RAM, not the interrupt
 * controllers', and one that the processor has.
 */
#include <core/pc/acpi.h>
#include <core/pc/bootinfo.h>
#include <core/rt/rt.h>
#include <drv/lock.h>
#include <drv/mmio.h>
#include <drv/thread.h>

#include "../boot/boot.h"
#include "dev.h"
#include "vector.h"

static struct drv_lock lock;		/* the map of registers */

static bool
is_taken(uint64_t pa, uint64_t bytes)
{
	const struct bootinfo *b = boot_info();

	if (pa < 1ull << 32 && MMIO_END < pa + bytes)
		return true;
	for (uint32_t i = 0; i < b->bi_nmap; i++) {
		const struct bi_range *r = &b->bi_map[i];

		if (r->br_kind != BI_RESERVED && pa < r->br_base + r->br_len && r->br_base < pa + bytes)
			return true;
	}
	return false;
}

volatile void *
mmio_map(uint64_t pa, uint64_t bytes)
{
	uint64_t end;
	void *at;

	if (pa == 0 || rt_add_overflows(pa, bytes, &end) || is_taken(pa, bytes))
		return NULL;
	drv_lock(&lock);
	at = mmu_io(pa, bytes);
	drv_unlock(&lock);
	return at;
}

void
mmio_interrupt(const char *name, uint32_t line, void (*fn)(void *arg), void *arg)
{
	struct vector *clocked;

	if (line != boot_acpi()->a_sci && vector_line(line, fn, arg) != NULL)
		return;
	clocked = vector_take(0, fn, arg);
	if (clocked != NULL)
		vector_by_clock(clocked);
	drv_log(name, clocked != NULL ? "line %u: served by the clock" : "line %u: no vector is left", line);
}
