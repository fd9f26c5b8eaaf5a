/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hk_run(): every way out of a guest, and everything that must survive it
 */
#include <cpuid.h>
#include "machine.h"

/* ---------------------------------------------------------- system calls */

GUEST(loop, "1: syscall; inc %rbx; jmp 1b");

static void
syscalls(void)
{
	struct guest g;
	struct hk_frame f;
	enum hk_stop stop;
	long i;

	guest_make(&g, CODE(loop));
	g.g_frame.rax = 39;
	CHECK_EQ(guest_run(&g), HK_SYSCALL);
	CHECK_EQ(g.g_frame.rax, 39);
	CHECK_EQ(g.g_frame.rip, CODE_VA + 2);
	CHECK_EQ(g.g_frame.rcx, g.g_frame.rip);
	CHECK_EQ(g.g_frame.r11 & ~0x200ull, g.g_frame.rflags & ~0x200ull);
	for (i = 0; i < times(2000); i++) {
		if (i == 335 || i == 336)
			continue;		/* uretprobe, uprobe: new hosts hide them from every filter */
		f = g.g_frame;
		g.g_frame.rax = (uint64_t)i;
		stop = guest_run(&g);
		CHECK_EQ(g.g_frame.rip, CODE_VA + 2);
		CHECK_EQ(g.g_frame.rbx, f.rbx + 1);
		CHECK_EQ(stop, HK_SYSCALL);
		CHECK_EQ(g.g_frame.rax, i);
		CHECK_EQ(g.g_frame.rsp, STACK_TOP);
	}
	/* An x32 number is a number like any other. */
	g.g_frame.rax = 0x40000000 + 39;
	CHECK_EQ(guest_run(&g), HK_SYSCALL);
	CHECK_EQ(g.g_frame.rax, 0x40000000 + 39);
	hk_space_destroy(g.g_space);
}

GUEST(regs, "xchg %r8, %r15; xchg %r9, %r14; xchg %r10, %r13; not %r12; xchg %rdi, %rsi; xchg %rdx, %rbp; not %rbx; syscall");

static void
registers(void)
{
	struct guest g;
	struct hk_frame *f = &g.g_frame;

	guest_make(&g, CODE(regs));
	*f = (struct hk_frame){ 15, 14, 13, 12, 5, 3, 11, 10, 9, 8, 1, 0xc, 0xd, 0x51, 0xd1, CODE_VA, STACK_TOP, 0xcd7,
	    0x12345000, 0x7ffffffff, 0, 0, 0 };
	CHECK_EQ(guest_run(&g), HK_SYSCALL);
	CHECK_EQ(f->r15, 8);
	CHECK_EQ(f->r8, 15);
	CHECK_EQ(f->r14, 9);
	CHECK_EQ(f->r9, 14);
	CHECK_EQ(f->r13, 10);
	CHECK_EQ(f->r10, 13);
	CHECK_EQ(f->r12, ~12ll);
	CHECK_EQ(f->rbx, ~3ll);
	CHECK_EQ(f->rbp, 0xd);
	CHECK_EQ(f->rdx, 5);
	CHECK_EQ(f->rdi, 0x51);
	CHECK_EQ(f->rsi, 0xd1);
	CHECK_EQ(f->rax, 1);
	CHECK_EQ(f->rflags, 0xed7);	/* as put in, IF added */
	CHECK_EQ(f->fsbase, 0x12345000);
	CHECK_EQ(f->gsbase, 0x7ffffffff);
	hk_space_destroy(g.g_space);
}

GUEST(redzone, "mov %rsp, %rdi; mov $16, %ecx; 1: mov %rcx, -128(%rdi); add $8, %rdi; dec %ecx; jnz 1b;"
    "syscall; xor %edx, %edx; mov %rsp, %rdi; mov $16, %ecx;"
    "2: cmp %rcx, -128(%rdi); jne 3f; add $8, %rdi; dec %ecx; jnz 2b; inc %edx; 3: syscall");

static void
red_zone(void)
{
	struct guest g;

	guest_make(&g, CODE(redzone));
	CHECK_EQ(guest_run(&g), HK_SYSCALL);
	CHECK_EQ(guest_run(&g), HK_SYSCALL);
	CHECK_EQ(g.g_frame.rdx, 1);
	hk_space_destroy(g.g_space);
}

GUEST(vsyscall, "mov $0xffffffffff600000, %rax; xor %edi, %edi; xor %esi, %esi; call *%rax; syscall");

/* The host emulates the page's return, or refuses the page; either way we see what a processor would show. */
static void
vsyscall(void)
{
	struct guest g;
	enum hk_stop stop;

	guest_make(&g, CODE(vsyscall));
	stop = guest_run(&g);
	if (stop == HK_SYSCALL) {
		CHECK_EQ(g.g_frame.rax, 96);
		CHECK(g.g_frame.rip > CODE_VA && g.g_frame.rip < CODE_VA + 64);
	} else {
		CHECK_EQ(stop, HK_FAULT);
		CHECK_EQ(g.g_frame.rip, 0xffffffffff600000ull);
	}
	hk_space_destroy(g.g_space);
}

/* --------------------------------------------------------------- faults */

GUEST(touch, "1: mov (%rdi), %al; mov (%rsi), %dl; movb $1, (%rdi); add $4096, %rdi; dec %ecx; jnz 1b; syscall");

static void
faults(void)
{
	struct guest g;
	uint64_t *e;

	guest_make(&g, CODE(touch));
	g.g_frame.rdi = DATA_VA;
	g.g_frame.rsi = CODE_VA;
	g.g_frame.rcx = DATA_PAGES + 1;
	CHECK_EQ(guest_run(&g), HK_FAULT);
	CHECK_EQ(g.g_frame.cr2, DATA_VA + DATA_PAGES * HK_PAGE);
	CHECK_EQ(g.g_frame.err & 7, 4);
	CHECK_EQ(g.g_frame.rcx, 1);
	e = pt_entry(g.g_root, DATA_VA + 5 * HK_PAGE);
	CHECK((*e & PTE_A) != 0 && (*e & PTE_D) != 0);
	e = pt_entry(g.g_root, CODE_VA);
	CHECK((*e & PTE_A) != 0 && (*e & PTE_D) == 0);
	/* The caller maps the page and goes on at the same instruction. */
	pt_map(g.g_root, DATA_VA + DATA_PAGES * HK_PAGE, ram_pages(1), 1, PTE_RO);
	CHECK_EQ(guest_run(&g), HK_FAULT);
	CHECK_EQ(g.g_frame.err & 7, 7);
	*pt_entry(g.g_root, DATA_VA + DATA_PAGES * HK_PAGE) |= PTE_W;
	CHECK_EQ(guest_run(&g), HK_SYSCALL);
	/* Code that may not be executed, and kernel addresses. */
	g.g_frame.rip = DATA_VA;
	CHECK_EQ(guest_run(&g), HK_FAULT);
	CHECK_EQ(g.g_frame.cr2, DATA_VA);
	CHECK((g.g_frame.err & 0x10) != 0);
	g.g_frame.rip = CODE_VA;
	g.g_frame.rdi = 0xffff800000000000ull;
	CHECK_EQ(guest_run(&g), HK_FAULT);
	g.g_frame.rip = HK_USER_MAX;
	CHECK_EQ(guest_run(&g), HK_FAULT);
	CHECK_EQ(g.g_frame.cr2, HK_USER_MAX);
	hk_space_destroy(g.g_space);
}

/* Each served fault is a stop of its own, and what it mapped is there when the guest goes on. */
static void
each_fault(void)
{
	struct guest g;
	struct hk_stats before, after;
	enum hk_stop stop;
	uint64_t stops = 0;

	guest_make(&g, CODE(touch));
	g.g_frame.rdi = DATA_VA;
	g.g_frame.rsi = CODE_VA;
	g.g_frame.rcx = DATA_PAGES;
	hk_run_each_fault();
	hk_stats(&before);
	while ((stop = hk_run(0, g.g_space, &g.g_frame)) == HK_INTR)
		stops++;
	hk_stats(&after);
	CHECK_EQ(stop, HK_SYSCALL);
	CHECK(stops > 0);
	CHECK_EQ(stops, after.faults_served - before.faults_served);
	hk_space_destroy(g.g_space);
}

static void
invalidate(void)
{
	struct guest g;
	struct hk_range r = { DATA_VA, HK_PAGE };
	uint64_t *e;
	int i;

	guest_make(&g, CODE(touch));
	e = pt_entry(g.g_root, DATA_VA);
	for (i = 0; i < 50; i++) {
		g.g_frame.rip = CODE_VA;
		g.g_frame.rdi = DATA_VA;
		g.g_frame.rsi = CODE_VA;
		g.g_frame.rcx = 1;
		CHECK_EQ(guest_run(&g), HK_SYSCALL);
		*e &= i % 2 != 0 ? ~PTE_W : ~PTE_P;
		hk_invalidate(g.g_space, &r, 1, i % 2 != 0 ? HK_INVAL_WRPROTECT : HK_INVAL_DROP);
		g.g_frame.rip = CODE_VA;
		g.g_frame.rdi = DATA_VA;
		g.g_frame.rcx = 1;
		CHECK_EQ(guest_run(&g), HK_FAULT);
		CHECK_EQ(g.g_frame.cr2, DATA_VA);
		CHECK_EQ(g.g_frame.err & 7, i % 2 != 0 ? 7 : 4);
		*e |= PTE_RW;
	}
	hk_space_destroy(g.g_space);
}

GUEST(poke, "movq %rsi, (%rdi); syscall; mov (%rdi), %rax; syscall");

/* Two spaces that share a page see each other's stores; pages of their own stay their own. */
static void
sharing(void)
{
	struct guest a, b;

	guest_make(&a, CODE(poke));
	guest_make(&b, CODE(poke));
	*pt_entry(b.g_root, DATA_VA) = *pt_entry(a.g_root, DATA_VA);
	a.g_frame.rdi = DATA_VA;
	a.g_frame.rsi = 4711;
	b.g_frame.rdi = DATA_VA + HK_PAGE;
	b.g_frame.rsi = 42;
	CHECK_EQ(guest_run(&a), HK_SYSCALL);
	CHECK_EQ(guest_run(&b), HK_SYSCALL);
	b.g_frame.rdi = DATA_VA;
	CHECK_EQ(guest_run(&b), HK_SYSCALL);
	CHECK_EQ(b.g_frame.rax, 4711);
	a.g_frame.rdi = DATA_VA + HK_PAGE;
	CHECK_EQ(guest_run(&a), HK_SYSCALL);
	CHECK_EQ(a.g_frame.rax, 0);
	hk_space_destroy(a.g_space);
	hk_space_destroy(b.g_space);
}

/* ---------------------------------------------------------------- traps */

GUEST(ud, "ud2");
GUEST(bp, "int3");
GUEST(hlt, "hlt");
GUEST(div, "xor %ecx, %ecx; div %ecx");
GUEST(int80, "mov $20, %eax; int $0x80");
GUEST(int81, "int $0x81");
GUEST(noncanon, "mov $0x8000000000000000, %rax; mov (%rax), %al");
GUEST(wrfs, "mov $0x8000000000000000, %rax; wrfsbase %rax");
GUEST(align, "pushfq; orq $0x40000, (%rsp); popfq; mov 1(%rsp), %rax");

static void
trap(const uint8_t *code, size_t bytes, uint32_t trapno, uint32_t err, uint64_t rip_off)
{
	struct guest g;

	guest_make(&g, code, bytes);
	CHECK_EQ(guest_run(&g), HK_TRAP);
	CHECK_EQ(g.g_frame.trapno, trapno);
	CHECK_EQ(g.g_frame.err, err);
	CHECK_EQ(g.g_frame.rip, CODE_VA + rip_off);
	hk_space_destroy(g.g_space);
}

static void
traps(void)
{
	struct guest g;

	trap(CODE(ud), 6, 0, 0);
	trap(CODE(bp), 3, 0, 1);
	trap(CODE(hlt), 13, 0, 0);
	trap(CODE(div), 0, 0, 2);
	trap(CODE(int80), 13, 0x402, 5);
	trap(CODE(int81), 13, 0x40a, 0);
	trap(CODE(noncanon), 13, 0, 10);
	trap(CODE(wrfs), 13, 0, 10);
	trap(CODE(align), 17, 0, 10);
	/* Frames that the processor would refuse stop before they start. */
	guest_make(&g, CODE(loop));
	g.g_frame.fsbase = 1ull << 63;
	CHECK_EQ(guest_run(&g), HK_TRAP);
	CHECK_EQ(g.g_frame.trapno, 13);
	g.g_frame.fsbase = 0;
	g.g_frame.rip = 1ull << 62;
	CHECK_EQ(guest_run(&g), HK_TRAP);
	CHECK_EQ(g.g_frame.trapno, 13);
	g.g_frame.rip = CODE_VA;
	g.g_frame.rsp = 1ull << 62;		/* this one may be anything */
	CHECK_EQ(guest_run(&g), HK_SYSCALL);
	CHECK_EQ(g.g_frame.rsp, 1ull << 62);
	hk_space_destroy(g.g_space);
}

GUEST(steps, "nop; nop; mov $1, %eax; syscall; nop; jmp .");
GUEST(popf, "pushfq; orq $0x100, (%rsp); popfq; nop; nop");

static void
single_step(void)
{
	static const uint64_t at[] = { 1, 2, 7 };
	struct guest g;
	size_t i;

	guest_make(&g, CODE(steps));
	for (i = 0; i < 3; i++) {
		g.g_frame.rflags |= RFLAGS_TF;
		CHECK_EQ(guest_run(&g), HK_TRAP);
		CHECK_EQ(g.g_frame.trapno, 1);
		CHECK_EQ(g.g_frame.rip, CODE_VA + at[i]);
	}
	/* Over the system call: first the call, then the step after the next instruction. */
	CHECK_EQ(guest_run(&g), HK_SYSCALL);
	CHECK((g.g_frame.rflags & RFLAGS_TF) != 0);
	CHECK_EQ(guest_run(&g), HK_TRAP);
	CHECK_EQ(g.g_frame.rip, CODE_VA + 10);
	for (i = 0; i < 100; i++) {
		CHECK_EQ(guest_run(&g), HK_TRAP);
		CHECK_EQ(g.g_frame.rip, CODE_VA + 10);
	}
	hk_space_destroy(g.g_space);
	/* A guest that sets TF itself. */
	guest_make(&g, CODE(popf));
	CHECK_EQ(guest_run(&g), HK_TRAP);
	CHECK_EQ(g.g_frame.trapno, 1);
	CHECK_EQ(g.g_frame.rip, CODE_VA + 11);
	hk_space_destroy(g.g_space);
}

GUEST(nt, "pushfq; orq $0x4000, (%rsp); popfq; syscall; syscall");

/* NT makes IRETQ fault; a guest that sets it must not get its stub into trouble. */
static void
nested_task(void)
{
	struct guest g;

	guest_make(&g, CODE(nt));
	CHECK_EQ(guest_run(&g), HK_SYSCALL);
	CHECK_EQ(guest_run(&g), HK_SYSCALL);
	hk_space_destroy(g.g_space);
}

GUEST(bases, "rdfsbase %rax; rdgsbase %rdx; add $64, %rax; add $64, %rdx; wrfsbase %rax; wrgsbase %rdx; syscall;"
    "jmp guest_bases");

static void
segment_bases(void)
{
	struct guest a, b;
	uint64_t i;

	guest_make(&a, CODE(bases));
	guest_make(&b, CODE(bases));
	a.g_frame.fsbase = 0x1000;
	a.g_frame.gsbase = 0x7fff00001000;
	for (i = 1; i < 200; i++) {
		CHECK_EQ(guest_run(&a), HK_SYSCALL);
		CHECK_EQ(a.g_frame.fsbase, 0x1000 + 64 * i);
		CHECK_EQ(a.g_frame.gsbase, 0x7fff00001000 + 64 * i);
		CHECK_EQ(guest_run(&b), HK_SYSCALL);
		CHECK_EQ(b.g_frame.fsbase, 64 * i);
	}
	hk_space_destroy(a.g_space);
	hk_space_destroy(b.g_space);
}

/* ------------------------------------------------------- extended state */

GUEST(avx512, "mov $0x5a5a, %eax; kmovd %eax, %k5; vpternlogd $0xff, %zmm31, %zmm31, %zmm31; vpbroadcastd %eax, %zmm7;"
    "1: syscall; kmovd %k5, %edx; cmp $0x5a5a, %edx; jne 2f; vpcmpeqd %zmm31, %zmm31, %k1; vpternlogd $0xff, %zmm1, %zmm1, %zmm1;"
    "vpcmpeqd %zmm1, %zmm31, %k1; kmovd %k1, %edx; cmp $0xffff, %edx; jne 2f; dec %rbx; jnz 1b; 2: ud2");
GUEST(sse, "mov $0x5a5a, %eax; movq %rax, %xmm15; fld1; 1: syscall; movq %xmm15, %rdx; cmp $0x5a5a, %edx; jne 2f;"
    "dec %rbx; jnz 1b; 2: ud2");

static bool
has_avx512(void)
{
	unsigned int a, b = 0, c, d;

	return (hk_m.m_lay.f_xfeatures & 0xe0) == 0xe0 && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b >> 16 & 1) != 0;
}

static void
extended_state(void)
{
	struct guest g;
	long n = 20000;

	if (has_avx512())
		guest_make(&g, CODE(avx512));
	else
		guest_make(&g, CODE(sse));
	g.g_frame.rbx = (uint64_t)n;
	while (guest_run(&g) == HK_SYSCALL)
		n--;
	CHECK_EQ(n, 0);
	CHECK_EQ(g.g_frame.rbx, 0);
	hk_space_destroy(g.g_space);
}

GUEST(xmm, "1: movq %xmm3, %rdx; syscall; movq %rax, %xmm3; stmxcsr -8(%rsp); mov -8(%rsp), %ebx; jmp 1b");

/* Two threads in one slot, their state carried by the caller. */
static void
fpu_switch(void)
{
	static uint8_t image[2][16384] __attribute__((aligned(64)));
	struct guest g;
	uint64_t rdx;
	uint32_t bad = 0xffffffff;
	int i;

	CHECK(hk_fpu_bytes() <= sizeof image[0]);
	guest_make(&g, CODE(xmm));
	hk_fpu_get(0, g.g_space, image[0]);
	hk_fpu_init(image[1]);
	for (i = 0; i < 200; i++) {
		hk_fpu_set(0, g.g_space, image[i & 1]);
		CHECK_EQ(guest_run(&g), HK_SYSCALL);
		rdx = g.g_frame.rdx;
		CHECK_EQ(rdx, i < 2 ? 0 : i - 2);
		g.g_frame.rax = (uint64_t)i;
		CHECK_EQ(guest_run(&g), HK_SYSCALL);
		g.g_frame.rax = (uint64_t)i;
		hk_fpu_get(0, g.g_space, image[i & 1]);
		CHECK_EQ(*(uint64_t *)(void *)(image[i & 1] + 160 + 48), (uint64_t)i);
		g.g_frame.rip = CODE_VA;
	}
	/* What the processor would refuse becomes the initial state: garbage, and a bad MXCSR. */
	memset(image[0], 0xff, sizeof image[0]);
	hk_fpu_set(0, g.g_space, image[0]);
	CHECK_EQ(guest_run(&g), HK_SYSCALL);
	CHECK_EQ(g.g_frame.rdx, 0);
	memcpy(image[1] + 24, &bad, 4);
	hk_fpu_set(0, g.g_space, image[1]);
	CHECK_EQ(guest_run(&g), HK_SYSCALL);
	CHECK_EQ(guest_run(&g), HK_SYSCALL);
	CHECK_EQ((uint32_t)g.g_frame.rbx, 0x1f80);
	hk_space_destroy(g.g_space);
}

/* ------------------------------------------------------- interruptions */

GUEST(spin, "1: inc %rbx; jmp 1b");

static void
timer_interrupts(void)
{
	struct guest g;
	uint64_t t;
	int i;

	guest_make(&g, CODE(spin));
	for (i = 0; i < 100; i++) {
		atomic_store(&machine_mailbox[0], 0);
		t = now_ns();
		hk_timer(0, t + 300000);
		CHECK_EQ(hk_run(0, g.g_space, &g.g_frame), HK_INTR);
		if ((atomic_load(&machine_mailbox[0]) & HK_BIT_TIMER) == 0)
			i--;			/* spurious is legal; once more */
		else
			CHECK(now_ns() - t >= 300000);
	}
	CHECK(g.g_frame.rbx > 0);
	/* With mail waiting the guest is not entered at all. */
	atomic_store(&machine_mailbox[0], HK_BIT_USER);
	t = g.g_frame.rbx;
	CHECK_EQ(hk_run(0, g.g_space, &g.g_frame), HK_INTR);
	CHECK_EQ(g.g_frame.rbx, t);
	hk_space_destroy(g.g_space);
}

static _Atomic bool storm_end;
static _Atomic long storm_sent;

static void *
storm(void *unused)
{
	uint64_t seed = 88172645463325252ull;
	volatile uint32_t i;

	(void)unused;
	while (!atomic_load(&storm_end)) {
		hk_post(0, HK_BIT_USER);
		atomic_fetch_add(&storm_sent, 1);
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		for (i = 0; i < seed % 60000; i++)
			continue;
	}
	return NULL;
}

/*
 * Mail at random moments against a guest that calls, faults and loops.  A
 * lost kick would leave the CPU in the guest for ever; registers must not
 * change under any of it.
 */
GUEST(busy, "1: inc %rbx; lea 0x1000(%rbx), %rax; syscall; mov %rbx, %rdi; and $63, %rdi; shl $12, %rdi; add $0x700000, %rdi;"
    "mov %bl, (%rdi); mov $300, %ecx; 2: dec %ecx; jnz 2b; jmp 1b");

static void
kick_storm(void)
{
	struct guest g, h;
	struct hk_range r = { DATA_VA, DATA_PAGES * HK_PAGE };
	uint64_t want = 1, handle, before;
	long i, kicks = 0;

	atomic_store(&storm_end, false);
	guest_make(&g, CODE(busy));
	guest_make(&h, CODE(spin));
	CHECK_EQ(hk_sysops.thread(storm, NULL, &handle), 0);
	for (i = 0; i < times(4000); i++) {
		enum hk_stop stop;

		if (atomic_exchange(&machine_mailbox[0], 0) != 0)
			kicks++;
		stop = hk_run(0, g.g_space, &g.g_frame);
		CHECK(stop == HK_SYSCALL || stop == HK_INTR);
		if (stop == HK_SYSCALL) {
			CHECK_EQ(g.g_frame.rax, 0x1000 + want);
			want++;
		}
		if (i % 64 == 0)
			hk_invalidate(g.g_space, &r, 1, HK_INVAL_DROP);
		if (i % 16 != 0)
			continue;
		/* This one ends by a kick only. */
		before = h.g_frame.rbx;
		atomic_store(&machine_mailbox[0], 0);
		CHECK_EQ(hk_run(0, h.g_space, &h.g_frame), HK_INTR);
		CHECK(h.g_frame.rbx >= before);
	}
	atomic_store(&storm_end, true);
	hk_sysops.join(handle);
	CHECK(want > 1);
	CHECK(kicks > 0);
	hk_space_destroy(g.g_space);
	hk_space_destroy(h.g_space);
}

/* ------------------------------------------------------------ two CPUs */

GUEST(count, "mov $200, %ecx; 1: lock incq (%rdi); mov %ecx, %edx; and $31, %edx; shl $12, %edx; lea (%rdi,%rdx), %rsi;"
    "lock incq 8(%rsi); syscall; mov %r15, %rcx; dec %rcx; mov %rcx, %r15; jnz 1b; ud2");

static struct guest shared;
static _Atomic uint32_t second_done;

static void
second_cpu(void *unused)
{
	struct hk_frame f = shared.g_frame;
	enum hk_stop stop;

	(void)unused;
	f.r15 = 5000;
	f.rsp = STACK_TOP - 16 * HK_PAGE;
	do {
		atomic_store(&machine_mailbox[1], 0);
		stop = hk_run(1, shared.g_space, &f);
	} while (stop == HK_SYSCALL || stop == HK_INTR);
	atomic_store(&second_done, stop == HK_TRAP ? 1 : 2);
	hk_post(0, HK_BIT_USER);
	hk_cpu_stop();
}

static void
two_cpus(void)
{
	struct hk_range r = { DATA_VA, DATA_PAGES * HK_PAGE };
	enum hk_stop stop;
	long i = 0;

	guest_make(&shared, CODE(count));
	shared.g_frame.rdi = DATA_VA;
	shared.g_frame.r15 = 5000;
	atomic_store(&second_done, 0);
	CHECK_EQ(hk_cpu_start(1, &machine_mailbox[1], 0,
	    (uint64_t)(uintptr_t)machine_stack[1] + sizeof machine_stack[1], second_cpu, NULL), HK_OK);
	do {
		atomic_store(&machine_mailbox[0], 0);
		stop = hk_run(0, shared.g_space, &shared.g_frame);
		if (++i % 50 == 0)
			hk_invalidate(shared.g_space, &r, 1, HK_INVAL_DROP);
	} while (stop == HK_SYSCALL || stop == HK_INTR);
	CHECK_EQ(stop, HK_TRAP);
	while (atomic_load(&second_done) == 0) {
		hk_idle(0);
		atomic_store(&machine_mailbox[0], 0);
	}
	CHECK_EQ(atomic_load(&second_done), 1);
	CHECK_EQ(guest_data(&shared)[0], 10000);
	hk_space_destroy(shared.g_space);
}

static void test_syscalls(void **s) { (void)s; machine_run(syscalls); }
static void test_registers(void **s) { (void)s; machine_run(registers); }
static void test_red_zone(void **s) { (void)s; machine_run(red_zone); }
static void test_vsyscall(void **s) { (void)s; machine_run(vsyscall); }
static void test_faults(void **s) { (void)s; machine_run(faults); }
static void test_each_fault(void **s) { (void)s; machine_run(each_fault); }
static void test_invalidate(void **s) { (void)s; machine_run(invalidate); }
static void test_sharing(void **s) { (void)s; machine_run(sharing); }
static void test_traps(void **s) { (void)s; machine_run(traps); }
static void test_single_step(void **s) { (void)s; machine_run(single_step); }
static void test_nested_task(void **s) { (void)s; machine_run(nested_task); }
static void test_segment_bases(void **s) { (void)s; machine_run(segment_bases); }
static void test_extended_state(void **s) { (void)s; machine_run(extended_state); }
static void test_fpu_switch(void **s) { (void)s; machine_run(fpu_switch); }
static void test_timer(void **s) { (void)s; machine_run(timer_interrupts); }
static void test_kick_storm(void **s) { (void)s; machine_run(kick_storm); }
static void test_two_cpus(void **s) { (void)s; machine_run_cpus(2, two_cpus); }

static void
test_spinning(void **s)
{
	(void)s;
	machine_run_with(&(struct hk_config){ .ncpu = 1, .ram_bytes = RAM_BYTES, .flags = HK_F_SPIN }, syscalls);
	machine_run_with(&(struct hk_config){ .ncpu = 1, .ram_bytes = RAM_BYTES, .flags = HK_F_SPIN }, faults);
	machine_run_with(&(struct hk_config){ .ncpu = 1, .ram_bytes = RAM_BYTES, .flags = HK_F_SPIN }, kick_storm);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_syscalls),
		cmocka_unit_test(test_registers),
		cmocka_unit_test(test_red_zone),
		cmocka_unit_test(test_vsyscall),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_each_fault),
		cmocka_unit_test(test_invalidate),
		cmocka_unit_test(test_sharing),
		cmocka_unit_test(test_traps),
		cmocka_unit_test(test_single_step),
		cmocka_unit_test(test_nested_task),
		cmocka_unit_test(test_segment_bases),
		cmocka_unit_test(test_extended_state),
		cmocka_unit_test(test_fpu_switch),
		cmocka_unit_test(test_timer),
		cmocka_unit_test(test_kick_storm),
		cmocka_unit_test(test_two_cpus),
		cmocka_unit_test(test_spinning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
