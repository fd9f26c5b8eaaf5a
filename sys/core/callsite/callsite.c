/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * callsite - the place in a program's text where a system call is made.
 */
#include <core/callsite/callsite.h>
#include <core/rt/rt.h>

#define SYSCALL_BYTES	2u
#define JUMP_BYTES	5u
#define PAGE		4096u
#define RAX		0u
#define RSP		4u

/* Behind a trampoline's code, at its end: what callsite_back() needs. */
struct trailer {
	int32_t		t_distance;	/* to the site */
	uint32_t	t_len;		/* the site's bytes, and of those here that are the same */
};

#define CODE_MAX	(CALLSITE_TRAMP - sizeof(struct trailer))

/* The length of an instruction that only moves something to a register, not %rax or %rsp.  0: another one. */
static uint32_t
move_length(const uint8_t *b, uint32_t room)
{
	uint32_t rex = room > 0 && (b[0] & 0xf0) == 0x40 ? b[0] : 0, n = rex != 0;
	uint32_t op, modrm, reg, rm, to, length;

	if (n + 2 > room)
		return 0;
	op = b[n];
	modrm = b[n + 1];
	reg = (modrm >> 3 & 7) | (rex & 4) << 1;
	rm = (modrm & 7) | (rex & 1) << 3;
	if ((op & 0xf8) == 0xb8 && (rex & 8) == 0) {		/* mov $imm32,%r32 */
		to = (op & 7) | (rex & 1) << 3;
		length = n + 5;
	} else if (modrm < 0xc0) {
		return 0;					/* memory */
	} else if (op == 0x89) {				/* mov %reg,%rm */
		to = rm;
		length = n + 2;
	} else if (op == 0x8b) {				/* mov %rm,%reg */
		to = reg;
		length = n + 2;
	} else if ((op == 0x31 || op == 0x33) && reg == rm) {	/* xor %reg,%reg */
		to = rm;
		length = n + 2;
	} else if (op == 0xc7 && (modrm & 0x38) == 0) {		/* mov $imm32,%rm */
		to = rm;
		length = n + 6;
	} else {
		return 0;
	}
	return to == RAX || to == RSP || length > room ? 0 : length;
}

/* Do the `len` bytes at b begin with the mov of `nr`, and are moves then, to the end? */
static bool
is_site(const uint8_t *b, uint32_t len, uint32_t nr)
{
	uint32_t imm, at = JUMP_BYTES;

	memcpy(&imm, b + 1, sizeof imm);
	if (b[0] != 0xb8 || imm != nr)
		return false;
	while (at < len) {
		uint32_t n = move_length(b + at, len - at);

		if (n == 0)
			return false;
		at += n;
	}
	return true;
}

/* Could `b8` behind this byte be part of another instruction, which runs with the call's number in %rax? */
static bool
is_joined(uint8_t before)
{
	return (before & 0xf0) == 0x40 ||	/* REX: another register, or a number of 64 bits */
	    before == 0x66 ||			/* a number of 16 */
	    before == 0x0f ||			/* popcnt */
	    before == 0x8d;			/* lea n(%rax); a load or store would have failed */
}

/* The length of an instruction that does nothing, with up to n bytes.  0: another one. */
static uint32_t
nop_length(const uint8_t *b, uint32_t n)
{
	uint32_t at = 0, length;

	while (at < n && (b[at] == 0x66 || b[at] == 0x2e))
		at++;
	if (at < n && b[at] == 0x90)
		return at + 1;
	if (n - at < 3 || b[at] != 0x0f || b[at + 1] != 0x1f)
		return 0;
	switch (b[at + 2]) {
	case 0x00: length = at + 3; break;	/* (%rax) */
	case 0x40: length = at + 4; break;	/* n(%rax), n in a byte */
	case 0x44: length = at + 5; break;	/* n(%rax,%rax) */
	case 0x80: length = at + 7; break;	/* the same with four */
	case 0x84: length = at + 8; break;
	default: return 0;
	}
	return length <= n ? length : 0;
}

/* The GNU library's read(), as above, whose syscall ends at page[end]. */
static bool
is_read(const uint8_t *page, uint32_t end, struct callsite *cs)
{
	static const uint8_t clear[] = { 0x31, 0xc0 };
	static const uint8_t compare[] = { 0x48, 0x3d, 0x00, 0xf0, 0xff, 0xff, 0x77 };
	uint32_t pad = end + sizeof compare + 2, to, n;

	if (end < 6 || pad > PAGE || page[end - 6] != 0x74 || page[pad - 1] != 0xc3 ||
	    memcmp(page + end - 4, clear, sizeof clear) != 0 ||
	    memcmp(page + end, compare, sizeof compare) != 0)
		return false;
	to = end - 4 + page[end - 5];		/* of the je */
	if (page[end - 5] > 0x7f || to > PAGE || to < pad + JUMP_BYTES)
		return false;
	for (uint32_t at = pad; at < to; at += n) {
		n = nop_length(page + at, to - at);
		if (n == 0)
			return false;
	}
	*cs = (struct callsite){ 2, pad - (end - 4) };
	return true;
}

bool
callsite_find(const uint8_t *page, uint32_t end, uint32_t nr, struct callsite *cs)
{
	uint32_t at = end - SYSCALL_BYTES;

	if (end < SYSCALL_BYTES || page[at] != 0x0f || page[at + 1] != 0x05)
		return false;
	for (uint32_t len = JUMP_BYTES; len <= CALLSITE_MAX && len < at; len++) {
		const uint8_t *b = page + at - len;

		if (!is_joined(b[-1]) && is_site(b, len, nr)) {
			*cs = (struct callsite){ len, 0 };
			return true;
		}
	}
	return nr == 0 && is_read(page, end, cs);
}

void
callsite_trampoline(uint8_t out[CALLSITE_TRAMP], const uint8_t *site, const struct callsite *cs,
    int32_t distance, uint64_t gate)
{
	struct trailer t = { distance, cs->cs_len };
	uint8_t *p = out;
	int32_t rel;

	_Static_assert(CALLSITE_MAX + 7 + 10 + 3 <= CODE_MAX, "there is room");
	ASSERT(cs->cs_len <= CALLSITE_MAX);
	memset(out, 0xcc, CALLSITE_TRAMP);
	memcpy(p, site, cs->cs_len);
	p += cs->cs_len;
	memcpy(p, "\x48\x8d\x0d", 3);
	p += 7;
	rel = distance + (int32_t)(cs->cs_len + SYSCALL_BYTES) - (int32_t)(p - out);
	memcpy(p - 4, &rel, sizeof rel);
	memcpy(p, "\x49\xbb", 2);
	memcpy(p + 2, &gate, sizeof gate);
	memcpy(p + 10, "\x41\xff\xe3", 3);
	memcpy(out + CODE_MAX, &t, sizeof t);
}

void
callsite_patch(uint8_t *site, const struct callsite *cs, int32_t distance)
{
	int32_t rel = -distance - (int32_t)(cs->cs_pad + JUMP_BYTES);

	if (cs->cs_pad != 0) {
		site[0] = 0xeb;
		site[1] = (uint8_t)(cs->cs_pad - 2);
	}
	site[cs->cs_pad] = 0xe9;
	memcpy(site + cs->cs_pad + 1, &rel, sizeof rel);
}

int32_t
callsite_back(const uint8_t tramp[CALLSITE_TRAMP], uint32_t at)
{
	struct trailer t;

	memcpy(&t, tramp + CODE_MAX, sizeof t);
	return t.t_distance + (int32_t)rt_min(at, t.t_len);
}
