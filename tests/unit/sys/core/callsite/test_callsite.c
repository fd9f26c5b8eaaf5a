/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_callsite - sites and trampolines: what is one, what is none, and that a patched one does what it did,
 * wherever a thread enters it or goes on.  The code is run: a gate of our own answers instead of a kernel.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../../../../sys/core/callsite/callsite.c"

_Noreturn void
rt_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	abort();
}

#define countof(a)	(sizeof(a) / sizeof((a)[0]))
#define PAGE	4096u
#define NR	39u

struct form {
	const char	*what;
	uint8_t		bytes[40];
	uint32_t	n;		/* of bytes */
	uint32_t	len;		/* expected */
	uint32_t	first, pad, behind;	/* bytes before and behind it */
};
#define FORM(what, len, ...) { what, { __VA_ARGS__ }, sizeof((uint8_t[]){ __VA_ARGS__ }), len, 1, 0, 0 }
#define READ(what, pad, behind, ...) { what, { __VA_ARGS__ }, sizeof((uint8_t[]){ __VA_ARGS__ }), \
    (pad) != 0 ? 2 : 0, 2, pad, behind }
#define COMPARE	0x48, 0x3d, 0x00, 0xf0, 0xff, 0xff, 0x77, 0x5b, 0xc3
#define MOV	0xb8, 39, 0, 0, 0
#define CALL	0x0f, 0x05

static const struct form forms[] = {
	FORM("mov; syscall", 5, 0x90, MOV, CALL),
	FORM("with a move", 8, 0x90, MOV, 0x48, 0x89, 0xfe, CALL),
	FORM("with two", 13, 0x90, MOV, 0x48, 0x89, 0xfe, 0xbf, 0x9c, 0xff, 0xff, 0xff, CALL),
	FORM("with a number to r10", 11, 0x90, MOV, 0x41, 0xba, 8, 0, 0, 0, CALL),
	FORM("with zero in edx", 7, 0x90, MOV, 0x31, 0xd2, CALL),
	FORM("with zero in r8", 8, 0x90, MOV, 0x45, 0x33, 0xc0, CALL),
	FORM("with a negative number", 12, 0x90, MOV, 0x48, 0xc7, 0xc7, 0xff, 0xff, 0xff, 0xff, CALL),
	FORM("with the other move", 8, 0x90, MOV, 0x4c, 0x8b, 0xd1, CALL),
	FORM("another number", 0, 0x90, 0xb8, 40, 0, 0, 0, CALL),
	FORM("a longer number", 0, 0x90, 0xb8, 39, 1, 0, 0, CALL),
	FORM("to r8", 0, 0x41, MOV, CALL),
	FORM("to rax, 64 bits", 0, 0x48, MOV, CALL),
	FORM("16 bits", 0, 0x66, MOV, CALL),
	FORM("popcnt", 0, 0x0f, MOV, CALL),
	FORM("lea", 0, 0x8d, MOV, CALL),
	FORM("no syscall", 0, 0x90, MOV, 0x0f, 0x34),
	FORM("nothing before", 0, CALL),
	FORM("rax is changed", 0, 0x90, MOV, 0x48, 0x89, 0xf8, CALL),
	FORM("rax is loaded", 0, 0x90, MOV, 0xb8, 1, 0, 0, 0, CALL),
	FORM("rax is cleared", 0, 0x90, MOV, 0x31, 0xc0, CALL),
	FORM("the stack is changed", 0, 0x90, MOV, 0x48, 0x89, 0xfc, CALL),
	FORM("memory is read", 0, 0x90, MOV, 0x48, 0x8b, 0x3e, CALL),
	FORM("xor of two", 0, 0x90, MOV, 0x31, 0xd1, CALL),
	FORM("a jump", 0, 0x90, MOV, 0xeb, 0x00, CALL),
	FORM("half a move", 0, 0x90, MOV, 0x48, 0x89, CALL),
	FORM("another instruction", 0, 0x90, MOV, 0x90, CALL),
	READ("read", 13, 19, 0x74, 23, 0x31, 0xc0, CALL, COMPARE, 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0,
	    0, 0),
	READ("other padding", 13, 15, 0x74, 19, 0x31, 0xc0, CALL, COMPARE, 0x66, 0x0f, 0x1f, 0x44, 0, 0),
	READ("two of them", 13, 14, 0x74, 18, 0x31, 0xc0, CALL, COMPARE, 0x0f, 0x1f, 0x00, 0x66, 0x90),
	READ("too little", 0, 13, 0x74, 17, 0x31, 0xc0, CALL, COMPARE, 0x0f, 0x1f, 0x40, 0),
	READ("not padding alone", 0, 14, 0x74, 18, 0x31, 0xc0, CALL, COMPARE, 0x0f, 0x1f, 0x00, 0x31, 0xc0),
	READ("a jump into it", 0, 14, 0x74, 15, 0x31, 0xc0, CALL, COMPARE, 0x0f, 0x1f, 0x44, 0, 0),
	READ("a jump behind it", 0, 14, 0x74, 19, 0x31, 0xc0, CALL, COMPARE, 0x0f, 0x1f, 0x44, 0, 0),
	READ("a jump back", 0, 14, 0x74, 0x92, 0x31, 0xc0, CALL, COMPARE, 0x0f, 0x1f, 0x44, 0, 0),
	READ("no return", 0, 14, 0x74, 18, 0x31, 0xc0, CALL, 0x48, 0x3d, 0x00, 0xf0, 0xff, 0xff, 0x77, 0x5b,
	    0xc9, 0x0f, 0x1f, 0x44, 0, 0),
};

static uint32_t
number(const struct form *f)
{
	return f->behind != 0 ? SYS_read : NR;
}

static void
finds_what_it_should(void **state)
{
	uint8_t page[PAGE];

	(void)state;
	for (size_t i = 0; i < countof(forms); i++) {
		const struct form *f = &forms[i];

		for (uint32_t at = 0; at + f->n <= PAGE; at += at == 0 ? PAGE - f->n : 1) {
			struct callsite cs = { 0, 0 };

			memset(page, 0xcc, sizeof page);
			memcpy(page + at, f->bytes, f->n);
			if (callsite_find(page, at + f->n - f->behind, number(f), &cs) != (f->len != 0) ||
			    cs.cs_len != f->len || cs.cs_pad != f->pad)
				fail_msg("%s at %u: %u bytes, not %u", f->what, at, cs.cs_len, f->len);
			if (f->behind != 0 && f->len != 0)
				assert_false(callsite_find(page, at + f->n - f->behind, NR, &cs));
		}
		/* Its end beyond the page's: what is there is not looked at. */
		memcpy(page + PAGE - (f->n - f->behind), f->bytes, f->n - f->behind);
		if (f->behind != 0)
			assert_false(callsite_find(page, PAGE, number(f), &(struct callsite){ 0, 0 }));
	}
	/* A page's first byte has none before it that says what it is. */
	memcpy(page, forms[0].bytes + 1, 7);
	assert_false(callsite_find(page, 7, NR, &(struct callsite){ 0, 0 }));
	assert_false(callsite_find(page, 1, NR, &(struct callsite){ 0, 0 }));
}

/* Registers before and after, as the code below moves them. */
struct registers {
	uint64_t	rdi, rsi, rdx, r10, r8, r9, rbx, rcx, r11, rax, flags;
};

/* Calls `to` with *in in the registers; what comes back in *out.  *out's address waits on the stack. */
void	enter(void (*to)(void), const struct registers *in, struct registers *out);
/* What a gate is told, and where it goes on: rax the number, rcx the address.  Answers with all of it. */
void	gate(void);

__asm__(
"	.text\n"
"	.globl	enter, gate\n"
"enter:	pushq %rbx; pushq %rbp; pushq %rdx; movq %rdi, %rbp; movq %rsi, %rax\n"
"	pushq 80(%rax); popfq\n"
"	movq (%rax), %rdi; movq 8(%rax), %rsi; movq 16(%rax), %rdx; movq 24(%rax), %r10; movq 32(%rax), %r8\n"
"	movq 40(%rax), %r9; movq 48(%rax), %rbx; movq 56(%rax), %rcx; movq 64(%rax), %r11\n"
"	movq 72(%rax), %rax\n"
"	call *%rbp\n"
"	movq (%rsp), %rbp\n"
"	movq %rdi, (%rbp); movq %rsi, 8(%rbp); movq %rdx, 16(%rbp); movq %r10, 24(%rbp); movq %r8, 32(%rbp)\n"
"	movq %r9, 40(%rbp); movq %rbx, 48(%rbp); movq %rcx, 56(%rbp); movq %r11, 64(%rbp)\n"
"	movq %rax, 72(%rbp)\n"
"	pushfq; popq 80(%rbp)\n"
"	popq %rdx; popq %rbp; popq %rbx; pushq $0x202; popfq; ret\n"
"gate:	leaq 1000(%rax), %rax; pushfq; popq %r11; jmp *%rcx\n");

static void
run(const uint8_t *at, const struct registers *in, struct registers *out)
{
	void (*to)(void);

	memcpy(&to, &at, sizeof to);
	enter(to, in, out);
}

/* Each form, near and far, entered at its begin and gone on from each place of its trampoline. */
static void
does_what_it_did(void **state)
{
	static const struct registers in = {
		0x1111, 0x2222, 0x3333, 0x4444, 0x5555, 0x6666, 0x7777, 0x8888, 0x9999, 0xaaaa, 0xad7,
	};
	uint8_t *area = mmap(NULL, 32 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
	    -1, 0);

	(void)state;
	assert_ptr_not_equal(area, MAP_FAILED);
	for (size_t i = 0; i < countof(forms); i++) {
		const struct form *f = &forms[i];

		for (size_t far = 1; f->len != 0 && far < 32; far += 30) {
			uint8_t *tramp = area, *site = area + far * PAGE + 77;
			uint8_t *end = site + f->len + SYSCALL_BYTES;
			const struct callsite cs = { f->len, f->pad };
			int32_t distance = (int32_t)(site - tramp);
			struct registers was, is;
			uint64_t to = (uint64_t)(uintptr_t)gate;

			/* What the site did: with the syscall made by hand. */
			memcpy(site, f->bytes + f->first, f->len);
			memcpy(end - SYSCALL_BYTES, (uint8_t[]){ 0x90, 0x90, 0xc3 }, 3);
			run(site, &in, &was);
			assert_int_equal(was.rax, number(f));
			was.rcx = (uint64_t)(uintptr_t)end;
			was.rax += 1000;

			memcpy(end - SYSCALL_BYTES, (uint8_t[]){ CALL }, SYSCALL_BYTES);
			callsite_trampoline(tramp, site, &cs, distance, to);
			callsite_patch(site, &cs, distance);
			run(site, &in, &is);
			assert_int_equal(is.r11 & 0xcd5, was.flags & 0xcd5);	/* the gate's */
			is.r11 = was.r11;
			assert_memory_equal(&is, &was, sizeof is);

			/* Whoever stands in it stands at the site, and behind the moves at the syscall. */
			for (uint32_t at = 0; at < f->len + 20; at++)
				assert_int_equal(callsite_back(tramp, at),
				    distance + (int32_t)(at < f->len ? at : f->len));
			if (f->pad == 0)
				assert_memory_equal(site + JUMP_BYTES, f->bytes + f->first + JUMP_BYTES,
				    f->len - JUMP_BYTES + SYSCALL_BYTES);
			run(end - SYSCALL_BYTES, &(struct registers){ .rax = SYS_getpid }, &is);
			assert_int_equal(is.rax, getpid());
		}
	}
	munmap(area, 32 * PAGE);
}

/* Any bytes, nothing before and behind them: nothing else is read, and what is found is one by its bytes. */
static void
reads_nothing_else(void **state)
{
	uint8_t *page = mmap(NULL, 3 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	static const uint8_t likely[] = { 0xb8, 39, 0, 0x0f, 0x05, 0x48, 0x89, 0xc7, 0xbf, 0x31, 0xd2, 0x41 };
	uint64_t seed = 88172645463325252ull;
	uint32_t found = 0;

	(void)state;
	page += PAGE;
	assert_int_equal(mprotect(page, PAGE, PROT_READ | PROT_WRITE), 0);
	for (int round = 0; round < 300; round++) {
		for (uint32_t i = 0; i < PAGE; i++) {
			seed = seed * 6364136223846793005ull + 1442695040888963407ull;
			page[i] = likely[(seed >> 50) % countof(likely)];
			if ((seed >> 40) % 4 == 0)
				page[i] = (uint8_t)(seed >> 33);
		}
		for (uint32_t i = 0; i + 32 <= PAGE; i += 32 + (uint32_t)(seed >> 61))
			memcpy(page + i, forms[(seed >> 32) % countof(forms)].bytes, 14);
		for (uint32_t end = 0; end <= PAGE; end++) {
			const uint8_t *call = page + end - SYSCALL_BYTES;
			struct callsite cs;

			(void)callsite_find(page, end, SYS_read, &cs);
			if (!callsite_find(page, end, NR, &cs))
				continue;
			found++;
			assert_in_range(cs.cs_len, JUMP_BYTES, CALLSITE_MAX);
			assert_memory_equal(call - cs.cs_len, "\xb8\x27\0\0\0", JUMP_BYTES);
			assert_memory_equal(call, "\x0f\x05", SYSCALL_BYTES);
		}
	}
	assert_true(found > 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_it_should),
		cmocka_unit_test(does_what_it_did),
		cmocka_unit_test(reads_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
