/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * symtab - names and lines for code addresses.
 *
 * A panic must print names when nothing works any more, so the table is plain
 * read-only data, sorted when it is built; a lookup is two binary searches.
 *
 * Invariants (the generator's)
 *   I1  si_func and si_line ascend by offset.
 *   I2  every string offset and file index is inside its table.
 *
 * Locking: none, everything is const.  Not here: data symbols, inlined frames
 * (the line is the innermost one, the name the function really entered).
 */
#include <sys/debug/symtab.h>

extern const struct symtab_image symtab_image;

/* Index of the last of n ascending offsets, `step` bytes apart, that is <= off; n if there is none. */
static uint32_t
last_not_above(const void *first, uint32_t step, uint32_t n, uint32_t off)
{
	uint32_t lo = 0, hi = n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		const uint32_t *at = (const void *)((const char *)first + (uint64_t)mid * step);

		if (*at <= off)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo == 0 ? n : lo - 1;
}

bool
symtab_find(const struct symtab_image *si, uint64_t pc, struct symtab_pos *out)
{
	uint32_t off, i;

	if (pc < si->si_start || pc >= si->si_end)
		return false;
	off = (uint32_t)(pc - si->si_start);

	out->sp_func = out->sp_file = "?";
	out->sp_off = off;
	out->sp_line = 0;
	i = last_not_above(si->si_func, sizeof(struct symtab_func), si->si_nfunc, off);
	if (i < si->si_nfunc) {
		out->sp_func = si->si_str + si->si_func[i].sf_name;
		out->sp_off = off - si->si_func[i].sf_off;
	}
	i = last_not_above(si->si_line, sizeof(struct symtab_line), si->si_nline, off);
	if (i < si->si_nline) {
		out->sp_file = si->si_str + si->si_file[si->si_line[i].sl_file];
		out->sp_line = si->si_line[i].sl_line;
	}
	return true;
}

bool
symtab_lookup(uint64_t pc, struct symtab_pos *out)
{
	return symtab_find(&symtab_image, pc, out);
}
