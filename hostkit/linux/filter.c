/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filter - which host system calls a stub can still make
 *
 * Two seccomp filters.  The mapper's is put on by the zygote and inherited
 * by everything it makes; the guest's is added by each guest thread before
 * its first trap.  Whatever a filter does not allow becomes SIGSYS, which is
 * how a guest's system calls reach the machine at all.
 *
 * Invariants
 *   F1  A call is judged by where it comes from first.  Outside the stub's
 *       code pages nothing is allowed, so a guest's own futex() or mmap()
 *       reaches the machine like any other.
 *   F2  A guest thread can wait and wake on words of its slots, nothing else.
 *   F3  The mapper maps only the RAM file, shared, at fixed guest addresses;
 *       unmaps and protects only there; writes at most four bytes from the
 *       stub's own pages to the ctl file; makes threads of one exact kind.
 *   F4  What only the zygote needs is tied to its code page, and the mapper's
 *       first act is to unmap that page.
 *
 * Deliberately absent: a different answer than SIGSYS.  KILL would take
 * precedence over the guest filter's TRAP, since both filters are asked.
 */
#include <stddef.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include "hk_filter.h"
#include "stublay.h"

/* Jump targets that are known only at the end; real distances stay below. */
enum { TO_ALLOW = 254, TO_TRAP = 255, DISTANCE_MAX = 250 };

struct prog {
	struct sock_filter	*p_insn;
	size_t			p_n, p_max;
	bool			p_full;
};

static void
emit(struct prog *p, uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
	if (p->p_n == p->p_max) {
		p->p_full = true;
		return;
	}
	p->p_insn[p->p_n++] = (struct sock_filter){ .code = code, .jt = jt, .jf = jf, .k = k };
}

static void
load(struct prog *p, size_t off)
{
	emit(p, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)off);
}

/* Go on only if the accumulator is k. */
static void
want(struct prog *p, uint32_t k)
{
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, TO_TRAP, k);
}

static void
allow(struct prog *p)
{
	emit(p, BPF_JMP | BPF_JA, 0, 0, TO_ALLOW);
}

static void
deny(struct prog *p)
{
	emit(p, BPF_JMP | BPF_JA, 0, 0, TO_TRAP);
}

/* What follows, up to the matching end_if(), is for accumulators equal to k. */
static size_t
if_equal(struct prog *p, uint32_t k)
{
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, k);
	return p->p_n;
}

static void
end_if(struct prog *p, size_t from)
{
	if (p->p_n - from > DISTANCE_MAX)
		p->p_full = true;
	else
		p->p_insn[from - 1].jf = (uint8_t)(p->p_n - from);
}

static size_t
arg_lo(int n)
{
	return offsetof(struct seccomp_data, args) + (size_t)n * 8;
}

static size_t
arg_hi(int n)
{
	return arg_lo(n) + 4;
}

static void
want_arg(struct prog *p, int n, uint64_t v)
{
	load(p, arg_hi(n));
	want(p, (uint32_t)(v >> 32));
	load(p, arg_lo(n));
	want(p, (uint32_t)v);
}

/* The accumulator becomes the low half of the caller's page; the high half is right. */
static void
load_caller(struct prog *p)
{
	load(p, offsetof(struct seccomp_data, arch));
	want(p, AUDIT_ARCH_X86_64);
	load(p, offsetof(struct seccomp_data, instruction_pointer) + 4);
	want(p, STUB_BASE_HI);
	load(p, offsetof(struct seccomp_data, instruction_pointer));
	emit(p, BPF_ALU | BPF_AND | BPF_K, 0, 0, 0xfffff000u);
}

static void
load_nr(struct prog *p)
{
	load(p, offsetof(struct seccomp_data, nr));
}

/* Allow when [arg 0, arg 0 + arg 1) is at most HK_BATCH_SPAN long and below the stub; else trap. */
static void
allow_guest_range(struct prog *p)
{
	load(p, arg_hi(1));
	want(p, 0);
	load(p, arg_lo(1));
	emit(p, BPF_JMP | BPF_JGT | BPF_K, TO_TRAP, 0, 1u << 30);
	emit(p, BPF_MISC | BPF_TAX, 0, 0, 0);
	load(p, arg_hi(0));
	emit(p, BPF_JMP | BPF_JGT | BPF_K, TO_TRAP, 0, STUB_BASE_HI);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, TO_ALLOW, STUB_BASE_HI);
	load(p, arg_lo(0));
	emit(p, BPF_ALU | BPF_ADD | BPF_X, 0, 0, 0);
	emit(p, BPF_JMP | BPF_JGE | BPF_X, 0, TO_TRAP, 0);	/* the sum wrapped */
	emit(p, BPF_JMP | BPF_JGT | BPF_K, TO_TRAP, TO_ALLOW, STUB_BASE_LO);
}

static void
mapper_memory(struct prog *p)
{
	size_t c, d, e;

	c = if_equal(p, SYS_mmap);
	want_arg(p, 4, STUB_FD_RAM);
	load(p, arg_lo(2));
	emit(p, BPF_JMP | BPF_JGT | BPF_K, TO_TRAP, 0, 7);
	load(p, arg_hi(3));
	want(p, 0);
	load(p, arg_lo(3));
	emit(p, BPF_ALU | BPF_AND | BPF_K, 0, 0, ~0x8000u);	/* MAP_POPULATE or not */
	want(p, 0x11);						/* MAP_SHARED | MAP_FIXED */
	allow_guest_range(p);
	end_if(p, c);

	c = if_equal(p, SYS_munmap);
	load(p, arg_hi(1));
	d = if_equal(p, (uint32_t)((STUB_BASE - 0x10000) >> 32));
	want_arg(p, 0, 0x10000);				/* everything */
	want_arg(p, 1, STUB_BASE - 0x10000);
	allow(p);
	end_if(p, d);
	load(p, arg_hi(0));
	d = if_equal(p, STUB_BASE_HI);
	load(p, arg_lo(0));
	e = if_equal(p, (uint32_t)STUB_ZYGOTE);			/* F4 */
	want_arg(p, 1, 0x1000);
	allow(p);
	end_if(p, e);
	end_if(p, d);
	allow_guest_range(p);
	end_if(p, c);

	c = if_equal(p, SYS_mprotect);
	load(p, arg_lo(2));
	emit(p, BPF_JMP | BPF_JGT | BPF_K, TO_TRAP, 0, 7);
	allow_guest_range(p);
	end_if(p, c);
}

static void
mapper_rules(struct prog *p)
{
	size_t c;

	mapper_memory(p);
	c = if_equal(p, SYS_futex);
	load(p, arg_lo(1));
	emit(p, BPF_JMP | BPF_JGT | BPF_K, TO_TRAP, TO_ALLOW, 1);	/* WAIT or WAKE */
	end_if(p, c);
	c = if_equal(p, SYS_pwrite64);
	want_arg(p, 0, STUB_FD_CTL);
	load(p, arg_hi(1));
	want(p, STUB_BASE_HI);
	load(p, arg_lo(1));
	emit(p, BPF_JMP | BPF_JGE | BPF_K, 0, TO_TRAP, STUB_BASE_LO);
	load(p, arg_hi(2));
	want(p, 0);
	load(p, arg_lo(2));
	emit(p, BPF_JMP | BPF_JGT | BPF_K, TO_TRAP, TO_ALLOW, 4);
	end_if(p, c);
	c = if_equal(p, SYS_clone);
	want_arg(p, 0, STUB_THREAD_FLAGS);
	allow(p);
	end_if(p, c);
	c = if_equal(p, SYS_sigaltstack);
	allow(p);
	end_if(p, c);
	c = if_equal(p, SYS_seccomp);
	want_arg(p, 0, SECCOMP_SET_MODE_FILTER);
	want_arg(p, 1, 0);
	want_arg(p, 2, STUB_DATA + DATA_GUEST_PROG);
	allow(p);
	end_if(p, c);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, TO_ALLOW, TO_TRAP, SYS_exit_group);
}

static void
zygote_rules(struct prog *p)
{
	static const uint32_t plain[] = {
		SYS_futex, SYS_mmap, SYS_prctl, SYS_getppid, SYS_exit_group,
	};
	size_t c, i;

	for (i = 0; i < sizeof plain / sizeof plain[0]; i++)
		emit(p, BPF_JMP | BPF_JEQ | BPF_K, TO_ALLOW, 0, plain[i]);
	c = if_equal(p, SYS_clone);
	want_arg(p, 0, STUB_PROCESS_FLAGS);
	allow(p);
	end_if(p, c);
	deny(p);
}

/* Append the two verdicts and aim the open jumps at them.  Returns the length, 0 when it did not fit. */
static size_t
finish(struct prog *p)
{
	size_t i, to_allow, to_trap;

	to_allow = p->p_n;
	emit(p, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW);
	to_trap = p->p_n;
	emit(p, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_TRAP);
	if (p->p_full || p->p_n > DISTANCE_MAX)
		return 0;
	for (i = 0; i < to_allow; i++) {
		struct sock_filter *f = &p->p_insn[i];

		if (BPF_CLASS(f->code) != BPF_JMP)
			continue;
		if (BPF_OP(f->code) == BPF_JA) {
			f->k = (uint32_t)((f->k == TO_ALLOW ? to_allow : to_trap) - i - 1);
			continue;
		}
		if (f->jt >= TO_ALLOW)
			f->jt = (uint8_t)((f->jt == TO_ALLOW ? to_allow : to_trap) - i - 1);
		if (f->jf >= TO_ALLOW)
			f->jf = (uint8_t)((f->jf == TO_ALLOW ? to_allow : to_trap) - i - 1);
	}
	return p->p_n;
}

size_t
hk_filter_mapper(struct sock_filter *out, size_t max)
{
	struct prog p = { .p_insn = out, .p_max = max };
	size_t c;

	load_caller(&p);
	c = if_equal(&p, (uint32_t)STUB_GUEST);
	load_nr(&p);
	emit(&p, BPF_JMP | BPF_JEQ | BPF_K, TO_ALLOW, TO_TRAP, SYS_futex);	/* the guest's filter has the details */
	end_if(&p, c);
	c = if_equal(&p, (uint32_t)STUB_MAPPER);
	load_nr(&p);
	mapper_rules(&p);
	end_if(&p, c);
	want(&p, (uint32_t)STUB_ZYGOTE);
	load_nr(&p);
	zygote_rules(&p);
	return finish(&p);
}

size_t
hk_filter_guest(struct sock_filter *out, size_t max, uint32_t nslots)
{
	struct prog p = { .p_insn = out, .p_max = max };

	load_caller(&p);
	want(&p, (uint32_t)STUB_GUEST);
	load_nr(&p);
	want(&p, SYS_futex);
	load(&p, arg_lo(1));
	emit(&p, BPF_JMP | BPF_JGT | BPF_K, TO_TRAP, 0, 1);		/* WAIT or WAKE, shared */
	load(&p, arg_hi(0));
	want(&p, STUB_BASE_HI);
	load(&p, arg_lo(0));
	emit(&p, BPF_JMP | BPF_JGE | BPF_K, 0, TO_TRAP, (uint32_t)STUB_SLOT0);
	emit(&p, BPF_JMP | BPF_JGE | BPF_K, TO_TRAP, TO_ALLOW, (uint32_t)(STUB_SLOT0 + nslots * SLOT_SIZE));
	return finish(&p);
}
