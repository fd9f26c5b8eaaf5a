/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a hostile guest can try against its stub.  An attack may end the
 * guest that makes it; it must not reach the host, another guest or this
 * process, and after each one an honest guest must run.  The list is that of
 * the design, each with the ways to vary it that were cheap.
 */
#include <signal.h>
#include <sys/syscall.h>
#include "hk_stub.h"
#include "machine.h"

#define SLOT_VA	STUB_SLOT0

static uint64_t seed = 88172645463325252ull;

static uint64_t
rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

GUEST(honest, "lea 1(%rdi), %rax; movq %rax, (%rsi); syscall");

/* The machine works: a new guest computes, stores and calls. */
static void
honest(void)
{
	struct guest g;
	uint64_t brk = machine_brk;

	guest_make(&g, CODE(honest));
	g.g_frame.rdi = 41;
	g.g_frame.rsi = DATA_VA;
	CHECK_EQ(guest_run(&g), HK_SYSCALL);
	CHECK_EQ(g.g_frame.rax, 42);
	CHECK_EQ(guest_data(&g)[0], 42);
	hk_space_destroy(g.g_space);
	machine_brk = brk;
}

/* Run an attacker until it stops by itself, or has been interrupted `kicks` times, 2 ms apart. */
static enum hk_stop
attack_run(struct guest *g, int kicks)
{
	enum hk_stop stop;

	do {
		atomic_store(&machine_mailbox[0], 0);
		hk_timer(0, now_ns() + 2000000);
		stop = hk_run(0, g->g_space, &g->g_frame);
	} while (stop == HK_INTR && --kicks > 0);
	hk_timer(0, UINT64_MAX);
	return stop;
}

/* ------------------------------------------------- the stub's own calls */

GUEST(jump, "jmp *%rbx");

static enum hk_stop
jump_to(uint64_t va, uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	struct guest g;
	uint64_t brk = machine_brk;
	enum hk_stop stop;

	guest_make(&g, CODE(jump));
	g.g_frame.rbx = va;
	g.g_frame.rax = nr;
	g.g_frame.rdi = a0;
	g.g_frame.rsi = a1;
	g.g_frame.rdx = a2;
	g.g_frame.r10 = a3;
	stop = attack_run(&g, 2);
	hk_space_destroy(g.g_space);
	machine_brk = brk;
	return stop;
}

/* Every SYSCALL instruction in the image, with calls that would be a way out. */
static void
borrowed_calls(void)
{
	static const uint64_t calls[][5] = {
		{ SYS_mmap, 0x10000000, 4096, 7, 0x11 },
		{ SYS_mprotect, STUB_CMD, 4096, 7, 0 },
		{ SYS_munmap, STUB_BASE, 0x100000, 0, 0 },
		{ SYS_execve, CODE_VA, 0, 0, 0 },
		{ SYS_pwrite64, STUB_FD_CTL, STUB_CMD, 4, 0 },
		{ SYS_clone, 0x50f00, STACK_TOP, 0, 0 },
		{ SYS_clone, 0x8600, 0, 0, 0 },
		{ SYS_rt_sigreturn, 0, 0, 0, 0 },
		{ SYS_kill, 1, 0, 0, 0 },
		{ SYS_futex, STUB_SLOT0, 6, 0, 0 },		/* LOCK_PI */
		{ SYS_futex, CODE_VA, 0, 0, 0 },		/* not a word of its slots */
		{ SYS_exit_group, 0, 0, 0, 0 },
		{ SYS_prctl, 4, 1, 0, 0 },
		{ SYS_seccomp, 1, 0, STUB_DATA, 0 },
		{ SYS_write, 1, CODE_VA, 4, 0 },
	};
	enum hk_stop stop;
	size_t off, i, found = 0;

	for (off = IMG_PARTS; off < IMG_PARTS + 0x3000 - 1; off++) {
		if (hk_stub_image[off] != 0x0f || hk_stub_image[off + 1] != 0x05)
			continue;
		found++;
		for (i = 0; i < sizeof calls / sizeof calls[0]; i++) {
			stop = jump_to(STUB_BASE + off - IMG_PARTS, calls[i][0], calls[i][1], calls[i][2],
			    calls[i][3], calls[i][4]);
			CHECK(stop == HK_HOSTILE || stop == HK_DEAD);
		}
		honest();
	}
	CHECK(found > 10);
}

/* Anywhere in the code pages, with registers that point at tempting places. */
static void
wild_jumps(void)
{
	static const uint64_t places[] = {
		SLOT_VA, SLOT_VA + 0x1000, SLOT_VA + 0x7000, SLOT_VA + SLOT_SIZE, STUB_CMD, STUB_BASE, STUB_DATA,
		DATA_VA, DATA_VA + 0x1000, STACK_TOP, CODE_VA, 0, 1, 2, 9, 56, 202,
	};
	const size_t n = sizeof places / sizeof places[0];
	struct guest g;
	uint64_t brk = machine_brk;
	enum hk_stop stop;
	long i;

	for (i = 0; i < times(600); i++) {
		guest_make(&g, CODE(jump));
		g.g_frame.rbx = STUB_BASE + rnd() % 0x2000;
		g.g_frame.rax = places[rnd() % n];
		g.g_frame.rcx = places[rnd() % n];
		g.g_frame.rdx = places[rnd() % n];
		g.g_frame.rdi = places[rnd() % n];
		g.g_frame.rsi = places[rnd() % n];
		g.g_frame.rbp = places[rnd() % n];
		g.g_frame.r12 = places[rnd() % n];
		g.g_frame.r13 = places[rnd() % n];
		g.g_frame.r14 = places[rnd() % n];
		g.g_frame.r15 = places[rnd() % n];
		g.g_frame.gsbase = rnd() % 2 == 0 ? hk_gate_base((uint32_t)(rnd() % 3)) : places[rnd() % n];
		if (rnd() % 2 == 0)
			g.g_frame.rsp = places[rnd() % n] - rnd() % 64 * 8;
		stop = attack_run(&g, 2);
		CHECK(stop <= HK_DEAD);
		hk_space_destroy(g.g_space);
		machine_brk = brk;
		if (i % 50 == 0)
			honest();
	}
	honest();
}

/* ------------------------------------------------------- its memory */

GUEST(write, "movb $0xcc, (%rdi); syscall");
GUEST(read, "mov (%rdi), %al; syscall");

static void
stub_pages(void)
{
	static const uint64_t sealed[] = {
		STUB_BASE, STUB_MAPPER, STUB_DATA, STUB_DATA + 0x1000, STUB_CMD, STUB_CMD + C_DONE, STUB_CMD + C_RES,
	};
	static const uint64_t absent[] = {
		STUB_ZYGOTE, STUB_CMD + STUB_CMD_LEN, STUB_SLOT0 - HK_PAGE, STUB_SLOT0 + SLOT_SIZE, STUB_END - HK_PAGE,
		STUB_END, 0, 0x1000, 0x7ffff7fcd000, 0x7ffff7ffd000, 0x7ffe00000000, IMG_LOAD, 0xffff800000000000,
	};
	struct guest g;
	size_t i;

	guest_make(&g, CODE(write));
	for (i = 0; i < sizeof sealed / sizeof sealed[0]; i++) {
		g.g_frame.rip = CODE_VA;
		g.g_frame.rdi = sealed[i];
		CHECK_EQ(guest_run(&g), HK_FAULT);
		CHECK_EQ(g.g_frame.cr2, sealed[i]);
	}
	hk_space_destroy(g.g_space);
	guest_make(&g, CODE(read));
	for (i = 0; i < sizeof absent / sizeof absent[0]; i++) {
		enum hk_stop stop;

		g.g_frame.rip = CODE_VA;
		g.g_frame.rdi = absent[i];
		stop = guest_run(&g);
		CHECK(stop == HK_FAULT || (stop == HK_TRAP && absent[i] >= STUB_END));
	}
	hk_space_destroy(g.g_space);
	honest();
}

/* -------------------------------------------------------- stack games */

GUEST(stack, "mov %rdi, %rsp; syscall; syscall; syscall");
GUEST(stackloop, "1: lea (%rdi), %rsp; syscall; add %rsi, %rdi; jmp 1b");

static void
stack_games(void)
{
	static const uint64_t at[] = {
		SLOT_VA + 0x1000, SLOT_VA + 0x1100, SLOT_VA + 0x1800, SLOT_VA + 0x3000, SLOT_VA + 0x5000, SLOT_VA + 0x7000,
		SLOT_VA + 0x7400, SLOT_VA + 0x7ff8, SLOT_VA + SLOT_SIZE, SLOT_VA + SLOT_SIZE + 128, SLOT_VA,
		STUB_CMD + 0x1000, STUB_BASE + 0x1000, 0, 8, 1ull << 63, ~0ull,
	};
	struct guest g;
	enum hk_stop stop;
	size_t i, j;

	for (i = 0; i < sizeof at / sizeof at[0]; i++) {
		guest_make(&g, CODE(stack));
		g.g_frame.rdi = at[i];
		for (j = 0; j < 3; j++) {
			stop = attack_run(&g, 2);
			CHECK(stop == HK_HOSTILE || stop == HK_DEAD || stop == HK_SYSCALL);
			/* Inside the signal stack no frame lands where it should. */
			if (at[i] > SLOT_VA + SLOT_ALT && at[i] <= SLOT_VA + SLOT_SIZE)
				CHECK(stop != HK_SYSCALL);
			if (stop != HK_SYSCALL)
				break;
		}
		hk_space_destroy(g.g_space);
		honest();
	}
}

static _Atomic bool storm_end;

static void *
storm(void *unused)
{
	volatile uint32_t i;

	(void)unused;
	while (!atomic_load(&storm_end)) {
		hk_post(0, HK_BIT_USER);
		for (i = 0; i < 3000; i++)
			continue;
	}
	return NULL;
}

/* Kicks as fast as they come against a guest that walks its stack pointer through its slot. */
static void
stack_storm(void)
{
	struct guest g;
	uint64_t handle, brk = machine_brk;
	enum hk_stop stop;
	long i, j;

	atomic_store(&storm_end, false);
	CHECK_EQ(hk_sysops.thread(storm, NULL, &handle), 0);
	for (i = 0; i < times(60); i++) {
		guest_make(&g, CODE(stackloop));
		g.g_frame.rdi = SLOT_VA - 512 + rnd() % (SLOT_SIZE + 1024);
		g.g_frame.rsi = rnd() % 256;
		for (j = 0; j < 200; j++) {
			atomic_store(&machine_mailbox[0], 0);
			stop = hk_run(0, g.g_space, &g.g_frame);
			if (stop != HK_SYSCALL && stop != HK_INTR)
				break;
		}
		hk_space_destroy(g.g_space);
		machine_brk = brk;
	}
	atomic_store(&storm_end, true);
	hk_sysops.join(handle);
	honest();
}

/* ------------------------------------------------------ forged frames */

/* Fill the slot with words from a table in our data, then call; the table is chosen by the test. */
GUEST(forge, "mov $512, %ecx; lea 0x700000, %rsi; 1: mov (%rsi), %rdi; mov 8(%rsi), %rax; mov %rax, (%rdi); add $16, %rsi; dec %ecx;"
    "jnz 1b; mov $39, %eax; 2: syscall; jmp 2b");

static void
forged_frames(void)
{
	static const uint64_t words[] = {
		0, 1, 2, ~0ull, SLOT_VA, SLOT_VA + 0x7480, STUB_BASE, STUB_BASE + 0x40, STUB_CMD, DATA_VA, 1ull << 63,
		0x002b000000000033, 0x7fffffff, STUB_SIG_RESET, STUB_SIG_KICK, SIGSYS, SIGSEGV,
	};
	struct guest g;
	uint64_t brk = machine_brk, *d, off;
	enum hk_stop stop;
	long i, j;

	for (i = 0; i < times(150); i++) {
		guest_make(&g, CODE(forge));
		d = guest_data(&g);
		for (j = 0; j < 512; j++) {
			off = rnd() % 2 == 0 ? rnd() % 0x110 : rnd() % 4 == 0 ? rnd() % SLOT_SIZE : 0x7400 + rnd() % 0xc00;
			d[2 * j] = SLOT_VA + (off & ~7ull);
			d[2 * j + 1] = rnd() % 8 == 0 ? rnd() : words[rnd() % (sizeof words / sizeof words[0])];
		}
		for (j = 0; j < 20; j++) {
			stop = attack_run(&g, 2);
			if (stop != HK_SYSCALL && stop != HK_FAULT && stop != HK_TRAP)
				break;
			if (stop != HK_SYSCALL)
				g.g_frame.rip = CODE_VA;
		}
		hk_space_destroy(g.g_space);
		machine_brk = brk;
		if (i % 16 == 0)
			honest();
	}
	honest();
}

/*
 * A second thread, on another CPU, writes the slot of the first while it
 * runs and calls by traps or by the gate.  The two may end in any way that hk_run() has, in bounded time.
 */
GUEST(scribble, "1: mov %rbx, %rax; shl $13, %rax; xor %rax, %rbx; mov %rbx, %rax; shr $7, %rax; xor %rax, %rbx;"
    "mov %rbx, %rax; shl $17, %rax; xor %rax, %rbx; mov %rbx, %rdx; shr $20, %rdx; and %r14, %rdx; mov %rbx, %rcx; and $3, %ecx;"
    "mov (%rsi,%rcx,8), %rax; mov %rax, (%rdi,%rdx); dec %r15; jnz 1b; 2: syscall; jmp 2b");
GUEST(caller, "1: mov $39, %eax; syscall; mov %bl, 0x700000; jmp 1b");

GUEST(gate_caller, "1: mov $39, %eax; lea 2f(%rip), %rcx; movabs $0x7fffff000800, %r11; jmp *%r11; 2: mov %bl, 0x700000; jmp 1b");

static struct guest prey;
static _Atomic uint32_t scribbler_done;

static void
scribbler(void *unused)
{
	struct hk_frame f = prey.g_frame;
	enum hk_stop stop;
	int calls = 0;

	(void)unused;
	f.rip = CODE_VA + 2 * HK_PAGE;
	f.rbx = 88172645463325252ull;
	f.rdi = SLOT_VA;
	f.rsi = DATA_VA;
	f.r14 = 0x7ff8;
	f.r15 = 300000;
	do {
		atomic_store(&machine_mailbox[1], 0);
		stop = hk_run(1, prey.g_space, &f);
	} while (stop == HK_INTR || (stop == HK_SYSCALL && ++calls < 3));
	atomic_store(&scribbler_done, 1);
	hk_post(0, HK_BIT_USER);
	hk_cpu_stop();
}

/* The other CPU has a guest of its own to be thrown out of. */
static void
await_second(void)
{
	while (atomic_load(&scribbler_done) == 0) {
		atomic_store(&machine_mailbox[0], 0);
		hk_post(1, HK_BIT_USER);
		hk_timer(0, now_ns() + 10000000);
		hk_idle(0);
	}
	hk_timer(0, UINT64_MAX);
}

static void
second_thread(void)
{
	uint64_t brk = machine_brk, *d;
	enum hk_stop stop;
	long i, n;

	for (i = 0; i < times(4); i++) {
		if (i % 2 == 0)
			guest_make(&prey, CODE(caller));
		else
			guest_make(&prey, CODE(gate_caller));
		prey.g_frame.gsbase = SLOT_VA;
		memcpy((uint8_t *)ram_at(*pt_entry(prey.g_root, CODE_VA + 2 * HK_PAGE) & 0x000ffffffffff000ull),
		    guest_scribble, (size_t)(guest_end_scribble - guest_scribble));
		d = guest_data(&prey);
		d[0] = 0;
		d[1] = 1;
		d[2] = STUB_BASE + 0x100;
		d[3] = SLOT_VA + 0x7480;
		atomic_store(&scribbler_done, 0);
		CHECK_EQ(hk_cpu_start(1, &machine_mailbox[1], 0,
		    (uint64_t)(uintptr_t)machine_stack[1] + sizeof machine_stack[1], scribbler, NULL), HK_OK);
		for (n = 0; n < 200000 && atomic_load(&scribbler_done) == 0; n++) {
			atomic_store(&machine_mailbox[0], 0);
			stop = hk_run(0, prey.g_space, &prey.g_frame);
			if (stop != HK_SYSCALL && stop != HK_INTR)
				prey.g_frame = (struct hk_frame){ .rip = CODE_VA, .rsp = STACK_TOP, .rflags = 0x202,
				    .gsbase = SLOT_VA };
			if (stop == HK_DEAD)
				break;
		}
		await_second();
		hk_space_destroy(prey.g_space);
		machine_brk = brk;
		honest();
	}
}

/* ----------------------------------------------------- other doors in */

GUEST(cs32, "ljmp *1f(%rip); 1: .long 0x400000 + (2f - guest_cs32); .short 0x23; 2: .byte 0xb8, 20, 0, 0, 0, 0xcd, 0x80; 3: jmp 3b");
GUEST(cs32sc, "ljmp *1f(%rip); 1: .long 0x400000 + (2f - guest_cs32sc); .short 0x23; 2: .byte 0xb8, 20, 0, 0, 0, 0x0f, 0x05; 3: jmp 3b");
GUEST(cs32se, "mov %rsp, %rbp; ljmp *1f(%rip); 1: .long 0x400000 + (2f - guest_cs32se); .short 0x23;"
    "2: .byte 0xb8, 20, 0, 0, 0, 0x0f, 0x34; 3: jmp 3b");
GUEST(sysenter, "mov %rsp, %rbp; mov $20, %eax; .byte 0x0f, 0x34; 3: jmp 3b");
GUEST(lock_pi, "mov $202, %eax; mov $6, %esi; syscall");
GUEST(cs32spin, "ljmp *1f(%rip); 1: .long 0x400000 + (2f - guest_cs32spin); .short 0x23; 2: jmp 2b");

static void
door(const uint8_t *code, size_t bytes, unsigned int allowed)
{
	struct guest g;
	enum hk_stop stop;

	guest_make(&g, code, bytes);
	g.g_frame.rdi = DATA_VA;
	stop = attack_run(&g, 3);
	if ((allowed >> stop & 1) == 0)
		fprintf(stderr, "stop %d, allowed %#x, trap %u\n", stop, allowed, g.g_frame.trapno);
	CHECK((allowed >> stop & 1) != 0);
	hk_space_destroy(g.g_space);
	honest();
}

static void
other_doors(void)
{
	const unsigned int ended = 1u << HK_HOSTILE | 1u << HK_DEAD;

	door(CODE(cs32), ended);
	door(CODE(cs32sc), ended);
	door(CODE(cs32se), ended);
	door(CODE(cs32spin), ended);
	door(CODE(sysenter), ended | 1u << HK_TRAP);
	door(CODE(lock_pi), 1u << HK_SYSCALL);		/* its own futex() is just a call to us */
}

/* A wait for ever through the stub's own futex call: the kick gets it out. */
static void
sleep_for_ever(void)
{
	struct guest g;
	size_t off;
	enum hk_stop stop;

	for (off = IMG_PARTS; off < IMG_PARTS + 0x1000; off++) {
		if (hk_stub_image[off] != 0x0f || hk_stub_image[off + 1] != 0x05)
			continue;
		guest_make(&g, CODE(jump));
		g.g_frame.rbx = STUB_BASE + off - IMG_PARTS;
		g.g_frame.rax = SYS_futex;
		g.g_frame.rdi = SLOT_VA + 0x1f00;	/* a word that is 0 for ever */
		g.g_frame.rsi = 0;
		g.g_frame.rdx = 0;
		stop = attack_run(&g, 2);
		CHECK(stop == HK_INTR || stop == HK_HOSTILE || stop == HK_DEAD);
		hk_space_destroy(g.g_space);
		honest();
	}
}

/* ------------------------------------------------- leftovers in a stub */

GUEST(leave, "mov $512, %ecx; 1: mov %rbx, (%rdi); add $8, %rdi; dec %ecx; jnz 1b; mov %rbx, %r15; movq %rbx, %xmm9; syscall");
GUEST(look, "mov $4096, %ecx; xor %eax, %eax; 1: cmp %rbx, (%rdi); jne 2f; inc %eax; 2: add $8, %rdi; dec %ecx; jnz 1b;"
    "movq %xmm9, %rdx; syscall");

/* A recycled stub shows the next guest nothing of the last: not in slots, not in registers. */
static void
leftovers(void)
{
	const uint64_t secret = 0x5ec7e75ec7e75ec7;
	struct guest a, b;
	hk_space id, newer[16];
	uint32_t others = 0;

	guest_make(&a, CODE(leave));
	id = a.g_space;
	a.g_frame.rbx = secret;
	a.g_frame.rdi = SLOT_VA + 0x2000;
	CHECK_EQ(guest_run(&a), HK_SYSCALL);
	hk_space_destroy(a.g_space);
	/* The same stub, or this test shows nothing; new ones may have come into the pool meanwhile. */
	for (guest_make(&b, CODE(look)); b.g_space != id; guest_make(&b, CODE(look))) {
		newer[others++] = b.g_space;
		CHECK(others < 16);
	}
	b.g_frame.rbx = ~secret;		/* looked for inverted, so that looking does not find itself */
	b.g_frame.rdi = SLOT_VA;
	CHECK_EQ(guest_run(&b), HK_SYSCALL);
	b.g_frame = (struct hk_frame){ .rip = CODE_VA, .rsp = STACK_TOP, .rflags = 0x202, .rdi = SLOT_VA, .rbx = secret };
	CHECK_EQ(guest_run(&b), HK_SYSCALL);
	CHECK(b.g_frame.rax <= 2);		/* its own rbx, in its own frame */
	CHECK_EQ(b.g_frame.rdx, 0);
	CHECK_EQ(b.g_frame.r15, 0);
	hk_space_destroy(b.g_space);
	while (others > 0)
		hk_space_destroy(newer[--others]);
}

/*
 * A guest that says "stopped" in its slot and runs on: by the time it is
 * given back, its thread must have left its code.  The thread loops in the
 * stub's own code where no unmapping can reach it.
 */
GUEST(liar, "movl $1, (%rdi); mov $202, %eax; add $64, %rdi; movl $0, (%rdi);"
    "mov $1, %esi; mov $1, %edx; jmp *%rbx");

static void
liars(void)
{
	struct guest g;
	size_t off;

	for (off = IMG_PARTS; off < IMG_PARTS + 0x1000; off++) {
		if (hk_stub_image[off] != 0x0f || hk_stub_image[off + 1] != 0x05)
			continue;
		guest_make(&g, CODE(liar));
		g.g_frame.rdi = SLOT_VA;
		g.g_frame.rbx = STUB_BASE + off - IMG_PARTS;
		(void)attack_run(&g, 2);
		hk_space_destroy(g.g_space);
		honest();
		honest();
	}
}

/*
 * A guest is in the gate and must leave it for a frame, but a second thread
 * takes that word back, so it goes on as it likes: it computes.
 */
GUEST(gate_then_compute, "lea 2f(%rip), %rcx; movabs $0x7fffff000800, %r11; jmp *%r11; 2: jmp 2b");
GUEST(undo, "movl $1, (%rsi); 1: cmpl $1, (%rdi); jne 1b; movl $0, (%rdi); syscall");

static _Atomic bool undo_over;

static void
undoer(void *unused)
{
	struct hk_frame f = prey.g_frame;
	enum hk_stop stop;

	(void)unused;
	f.rip = CODE_VA + 2 * HK_PAGE;
	f.rdi = SLOT_VA + S_REDO;
	f.rsi = DATA_VA;
	do {
		atomic_store(&machine_mailbox[1], 0);
		stop = hk_run(1, prey.g_space, &f);
	} while (stop == HK_INTR && !atomic_load(&undo_over));
	atomic_store(&scribbler_done, 1);
	hk_post(0, HK_BIT_USER);
	hk_cpu_stop();
}

static void
gate_undone(void)
{
	_Atomic uint64_t *looks;

	guest_make(&prey, CODE(gate_then_compute));
	memcpy((uint8_t *)ram_at(*pt_entry(prey.g_root, CODE_VA + 2 * HK_PAGE) & 0x000ffffffffff000ull),
	    guest_undo, (size_t)(guest_end_undo - guest_undo));
	prey.g_frame.gsbase = hk_gate_base(0);
	looks = (_Atomic uint64_t *)guest_data(&prey);
	atomic_store(looks, 0);
	CHECK_EQ(guest_run(&prey), HK_SYSCALL);
	atomic_store(&scribbler_done, 0);
	atomic_store(&undo_over, false);
	CHECK_EQ(hk_cpu_start(1, &machine_mailbox[1], 0,
	    (uint64_t)(uintptr_t)machine_stack[1] + sizeof machine_stack[1], undoer, NULL), HK_OK);
	while (atomic_load(looks) == 0)
		hk_yield();
	prey.g_frame.rbx++;
	(void)attack_run(&prey, 2);
	atomic_store(&undo_over, true);
	await_second();
	hk_space_destroy(prey.g_space);
	honest();
}

static void test_borrowed_calls(void **s) { (void)s; machine_run(borrowed_calls); }
static void test_wild_jumps(void **s) { (void)s; machine_run(wild_jumps); }
static void test_stub_pages(void **s) { (void)s; machine_run(stub_pages); }
static void test_stack_games(void **s) { (void)s; machine_run(stack_games); }
static void test_stack_storm(void **s) { (void)s; machine_run(stack_storm); }
static void test_forged_frames(void **s) { (void)s; machine_run(forged_frames); }
static void test_second_thread(void **s) { (void)s; machine_run_cpus(2, second_thread); }
static void test_other_doors(void **s) { (void)s; machine_run(other_doors); }
static void test_sleep_for_ever(void **s) { (void)s; machine_run(sleep_for_ever); }
static void test_leftovers(void **s) { (void)s; machine_run(leftovers); }
static void test_liars(void **s) { (void)s; machine_run(liars); }
static void test_gate_undone(void **s) { (void)s; machine_run_cpus(2, gate_undone); }

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_borrowed_calls),
		cmocka_unit_test(test_wild_jumps),
		cmocka_unit_test(test_stub_pages),
		cmocka_unit_test(test_stack_games),
		cmocka_unit_test(test_stack_storm),
		cmocka_unit_test(test_forged_frames),
		cmocka_unit_test(test_second_thread),
		cmocka_unit_test(test_other_doors),
		cmocka_unit_test(test_sleep_for_ever),
		cmocka_unit_test(test_leftovers),
		cmocka_unit_test(test_liars),
		cmocka_unit_test(test_gate_undone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
