/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * callsite - the place in a program's text where a system call is made.
 */
#include <core/callsite/callsite.h>
#include <core/rt/rt.h>

#define SYSCALL_BYTES	2u
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
	uint32_t imm, at = CALLSITE_MOVE;

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

uint32_t
callsite_find(const uint8_t *page, uint32_t end, uint32_t nr)
{
	uint32_t at = end - SYSCALL_BYTES;

	if (end < SYSCALL_BYTES || page[at] != 0x0f || page[at + 1] != 0x05)
		return 0;
	for (uint32_t len = CALLSITE_MOVE; len <= CALLSITE_MAX && len < at; len++) {
		const uint8_t *b = page + at - len;

		if (!is_joined(b[-1]) && is_site(b, len, nr))
			return len;
	}
	return 0;
}

void
callsite_trampoline(uint8_t out[CALLSITE_TRAMP], const uint8_t *site, uint32_t len, int32_t distance,
    uint64_t gate)
{
	struct trailer t = { distance, len };
	uint8_t *p = out;
	int32_t rel;

	_Static_assert(CALLSITE_MAX + 7 + 10 + 3 <= CODE_MAX, "there is room");
	ASSERT(len >= CALLSITE_MOVE && len <= CALLSITE_MAX);
	memset(out, 0xcc, CALLSITE_TRAMP);
	memcpy(p, site, len);
	p += len;
	memcpy(p, "\x48\x8d\x0d", 3);
	p += 7;
	rel = distance + (int32_t)(len + SYSCALL_BYTES) - (int32_t)(p - out);
	memcpy(p - 4, &rel, sizeof rel);
	memcpy(p, "\x49\xbb", 2);
	memcpy(p + 2, &gate, sizeof gate);
	memcpy(p + 10, "\x41\xff\xe3", 3);
	memcpy(out + CODE_MAX, &t, sizeof t);
}

void
callsite_patch(uint8_t site[CALLSITE_MOVE], int32_t distance)
{
	int32_t rel = -distance - (int32_t)CALLSITE_MOVE;

	site[0] = 0xe9;
	memcpy(site + 1, &rel, sizeof rel);
}

int32_t
callsite_back(const uint8_t tramp[CALLSITE_TRAMP], uint32_t at)
{
	struct trailer t;

	memcpy(&t, tramp + CODE_MAX, sizeof t);
	return t.t_distance + (int32_t)rt_min(at, t.t_len);
}
