/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fpu - extended processor state in and out of a slot
 *
 * The host keeps it in the signal frame as a standard-form XSAVE area, and
 * the stub's return path loads it from there with XRSTOR.  What a caller
 * supplies may come from a program (a signal frame it could write), so it
 * is made acceptable to the processor here, in the copy.
 *
 * Invariants
 *   X1  A component whose bit in XSTATE_BV is clear is in its initial state;
 *       its bytes are zero in what we hand out, so nothing stale leaks.
 *   X2  The bytes that the host uses to describe the area (464..511) are
 *       never taken from a caller.
 *
 * Locking: the CPU's own thread.
 */
#include <cpuid.h>
#include <string.h>
#include "hk_int.h"
#include "hk_stub.h"
#include "host.h"

enum {
	LEGACY = 512, HEADER = 64, AREA_MIN = LEGACY + HEADER,
	FCW = 0, MXCSR = 24, MXCSR_MASK = 28, SW_RESERVED = 464,
	XSTATE_BV = 512, XCOMP_BV = 520, RESERVED = 528,
	FCW_INIT = 0x37f, MXCSR_INIT = 0x1f80, COMPONENTS = 63,
};

#define XF_X87	1ull
#define XF_SSE	2ull

static uint64_t
get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

static uint32_t
get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

static void
put32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, sizeof v);
}

static void
put64(uint8_t *p, uint64_t v)
{
	memcpy(p, &v, sizeof v);
}

size_t
hk_fpu_bytes(void)
{
	ASSERT(hk_m.m_lay.f_known);
	return hk_m.m_lay.f_xbytes;
}

void
hk_fpu_init(void *image)
{
	uint8_t *p = image;

	memset(p, 0, hk_fpu_bytes());
	p[FCW] = FCW_INIT & 0xff;
	p[FCW + 1] = FCW_INIT >> 8;
	put32(p + MXCSR, MXCSR_INIT);
	put32(p + MXCSR_MASK, hk_m.m_lay.f_mxcsr_mask);
}

/* CPUID traps in a virtual machine, at the price of some system calls: ask once. */
void
hk_fpu_learn(void)
{
	struct hk_frame_lay *lay = &hk_m.m_lay;
	uint32_t a, b, c, d;

	for (int i = 2; i < COMPONENTS; i++) {
		if (((lay->f_xfeatures >> i) & 1) == 0)
			continue;
		__cpuid_count(0xd, i, a, b, c, d);
		if (b < AREA_MIN || a > lay->f_xbytes || b > lay->f_xbytes - a)
			continue;
		lay->f_comp[i].off = b;
		lay->f_comp[i].len = a;
	}
}

/* Zero what is in its initial state (X1). */
static void
fpu_blank(uint8_t *p)
{
	uint64_t bv = get64(p + XSTATE_BV), initial = hk_m.m_lay.f_xfeatures & ~bv & ~(XF_X87 | XF_SSE);

	if ((bv & XF_X87) == 0) {
		memset(p, 0, MXCSR);
		p[FCW] = FCW_INIT & 0xff;
		p[FCW + 1] = FCW_INIT >> 8;
		memset(p + 32, 0, 128);
	}
	if ((bv & XF_SSE) == 0)
		memset(p + 160, 0, 256);
	for (; initial != 0; initial &= initial - 1) {
		int i = __builtin_ctzll(initial);

		memset(p + hk_m.m_lay.f_comp[i].off, 0, hk_m.m_lay.f_comp[i].len);
	}
}

/* Whatever p holds, afterwards XRSTOR accepts it. */
static void
fpu_accept(uint8_t *p)
{
	bool sane = get64(p + XCOMP_BV) == 0;
	int i;

	for (i = RESERVED; i < AREA_MIN; i++)
		sane = sane && p[i] == 0;
	if (!sane || (get64(p + XSTATE_BV) & ~hk_m.m_lay.f_xfeatures) != 0 ||
	    (get32(p + MXCSR) & ~hk_m.m_lay.f_mxcsr_mask) != 0)
		hk_fpu_init(p);
	put32(p + MXCSR_MASK, hk_m.m_lay.f_mxcsr_mask);
}

void
hk_fpu_get(uint32_t cpu, hk_space s, void *image)
{
	struct hk_space_rec *sp = hk_space_rec(s);
	uint8_t *p = image;

	ASSERT(sp != NULL && cpu < hk_m.m_ncpu);
	ASSERT(((uintptr_t)image & 63) == 0);
	if (!sp->sp_slot[cpu].sl_live) {
		hk_fpu_init(image);
		return;
	}
	if (!hk_slot_ungate(sp, cpu)) {
		hk_fpu_init(image);
		return;
	}
	memcpy(p, hk_slot_fp(hk_slot_of(sp, cpu)), hk_fpu_bytes());
	memset(p + SW_RESERVED, 0, LEGACY - SW_RESERVED);
	put64(p + XSTATE_BV, get64(p + XSTATE_BV) & hk_m.m_lay.f_xfeatures);
	put64(p + XCOMP_BV, 0);
	memset(p + RESERVED, 0, AREA_MIN - RESERVED);
	put32(p + MXCSR, get32(p + MXCSR) & hk_m.m_lay.f_mxcsr_mask);
	put32(p + MXCSR_MASK, hk_m.m_lay.f_mxcsr_mask);
	fpu_blank(p);
}

void
hk_fpu_set(uint32_t cpu, hk_space s, const void *image)
{
	static _Thread_local uint8_t copy[SLOT_SIZE] __attribute__((aligned(64)));
	struct hk_space_rec *sp = hk_space_rec(s);
	uint8_t *fp;
	bool ok;

	ASSERT(sp != NULL && cpu < hk_m.m_ncpu);
	if (!sp->sp_slot[cpu].sl_live) {
		hk_lock(&sp->sp_lock);
		ok = !atomic_load(&sp->sp_dead) && hk_slot_make(sp, cpu);
		hk_unlock(&sp->sp_lock);
		if (!ok) {
			hk_space_kill(sp);
			return;		/* hk_run() will say HK_DEAD */
		}
	}
	if (!hk_slot_ungate(sp, cpu))
		return;
	memcpy(copy, image, hk_fpu_bytes());
	fpu_accept(copy);
	fp = hk_slot_fp(hk_slot_of(sp, cpu));
	memcpy(fp, copy, SW_RESERVED);
	memcpy(fp + LEGACY, copy + LEGACY, hk_fpu_bytes() - LEGACY);
}
