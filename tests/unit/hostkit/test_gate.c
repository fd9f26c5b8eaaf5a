/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The call gate: what a call by it looks like from both sides, whatever the
 * caller of hk_run() changes, and whenever it is interrupted.
 */
#include "machine.h"

#define ENTER	"lea 9f(%rip), %rcx; movabs $0x7fffff000800, %r11; jmp *%r11; 9: "
#define FLAGS	0xcd7ull	/* CF PF AF ZF SF DF OF */

static void
gate_make(struct guest *g, const uint8_t *code, size_t bytes)
{
	guest_make(g, code, bytes);
	g->g_frame.gsbase = hk_gate_base(0);
}

/* ------------------------------------------------------------ contract -- */

/* By the gate, then what it left in rcx and r11, then the same call by a trap. */
GUEST(contract, ENTER "mov %rcx, %rbx; mov %r11, %rbp; syscall; ud2");

static void
same_frame(const struct hk_frame *a, const struct hk_frame *b)
{
	CHECK_EQ(memcmp(a, b, offsetof(struct hk_frame, cr2)), 0);
}

static void
contract(void)
{
	struct guest g;
	struct hk_frame *f = &g.g_frame, call;

	gate_make(&g, CODE(contract));
	*f = (struct hk_frame){ 15, 14, 13, 12, 5, 3, 0x11, 10, 9, 8, 39, 0xc, 0xd, 0x51, 0xd1, CODE_VA, STACK_TOP, FLAGS,
	    0x12345000, hk_gate_base(0), 0, 0, 0 };
	call = *f;
	CHECK_EQ(guest_run(&g), HK_SYSCALL);
	CHECK(f->rip > CODE_VA && f->rip < CODE_VA + 64);
	call.rip = call.rcx = f->rip;
	call.r11 = call.rflags = FLAGS | 0x202;
	same_frame(f, &call);
	f->rax = 4711;
	CHECK_EQ(guest_run(&g), HK_SYSCALL);
	call.rax = 4711;			/* the number of the second call is the result of the first */
	call.rbx = call.rip;
	call.rbp = FLAGS | 0x202;
	call.rip = call.rcx = f->rip;
	call.r11 = f->r11;
	CHECK_EQ(f->r11 & ~0x200ull, FLAGS & ~0x200ull);
	same_frame(f, &call);
	CHECK_EQ(guest_run(&g), HK_TRAP);
	hk_space_destroy(g.g_space);
}

/* ------------------------------------------------------ what is kept -- */

GUEST(kept, "mov %rsp, %rdi; mov $16, %ecx; 1: mov %rcx, -128(%rdi); add $8, %rdi; dec %ecx; jnz 1b;"
    "movabs $0x123456789abcdef0, %rax; movq %rax, %xmm7; movq %rax, %mm3; mov $39, %eax;" ENTER
    "movq %xmm7, %r12; movq %mm3, %r13; xor %edx, %edx; mov %rsp, %rdi; mov $16, %ecx;"
    "2: cmp %rcx, -128(%rdi); jne 3f; add $8, %rdi; dec %ecx; jnz 2b; inc %edx; 3: syscall");

/* The red zone and the extended state, when the call returns by itself and when it ends by a trap. */
static void
kept(void)
{
	for (int change = 0; change < 2; change++) {
		struct guest g;

		gate_make(&g, CODE(kept));
		CHECK_EQ(guest_run(&g), HK_SYSCALL);
		CHECK_EQ(g.g_frame.rax, 39);
		g.g_frame.rbx += (uint64_t)change;
		CHECK_EQ(guest_run(&g), HK_SYSCALL);
		CHECK_EQ(g.g_frame.rdx, 1);
		CHECK_EQ(g.g_frame.rbx, change);
		CHECK_EQ(g.g_frame.r12, 0x123456789abcdef0);
		CHECK_EQ(g.g_frame.r13, 0x123456789abcdef0);
		hk_space_destroy(g.g_space);
	}
}

/* ------------------------------------------------------- other answers -- */

GUEST(calls, "1: inc %rbx; mov $39, %eax;" ENTER "jmp 1b; 2: mov $77, %eax; syscall");
#define OTHER_WAY	(CODE_VA + (size_t)(guest_end_calls - guest_calls) - 7)

/* Each register in turn, and another way to go on. */
static void
changed_frames(void)
{
	struct guest g;
	uint64_t *r = (uint64_t *)&g.g_frame, calls = 0;

	gate_make(&g, CODE(calls));
	for (size_t i = 0; i < offsetof(struct hk_frame, rip) / 8; i++) {
		struct hk_frame before;

		CHECK_EQ(guest_run(&g), HK_SYSCALL);
		CHECK_EQ(g.g_frame.rbx, ++calls);
		before = g.g_frame;
		r[i] ^= 0x5a5a;
		if (i == offsetof(struct hk_frame, rbx) / 8)
			calls ^= 0x5a5a;
		CHECK_EQ(guest_run(&g), HK_SYSCALL);
		calls++;
		before.rbx = calls;
		if (r + i != &g.g_frame.rax && r + i != &g.g_frame.rcx && r + i != &g.g_frame.r11 && r + i != &g.g_frame.rbx)
			((uint64_t *)&before)[i] ^= 0x5a5a;
		before.rflags = before.r11 = g.g_frame.r11;
		same_frame(&g.g_frame, &before);
		g.g_frame.rax = 0;
	}
	CHECK_EQ(guest_run(&g), HK_SYSCALL);
	g.g_frame.rip = OTHER_WAY;
	CHECK_EQ(guest_run(&g), HK_SYSCALL);
	CHECK_EQ(g.g_frame.rax, 77);
	hk_space_destroy(g.g_space);
}

GUEST(fpu, "mov $39, %eax;" ENTER "movq %xmm9, %r14; syscall");

/* The state of a thread that waits in the gate can be read and replaced. */
static void
extended_state(void)
{
	uint8_t image[16384] __attribute__((aligned(64)));
	uint64_t value = 0xfeedfacecafebeef;
	struct guest g;

	CHECK(hk_fpu_bytes() <= sizeof image);
	gate_make(&g, CODE(fpu));
	CHECK_EQ(guest_run(&g), HK_SYSCALL);
	hk_fpu_get(0, g.g_space, image);
	memcpy(image + 160 + 9 * 16, &value, sizeof value);
	image[512] |= 2;
	hk_fpu_set(0, g.g_space, image);
	CHECK_EQ(guest_run(&g), HK_SYSCALL);
	CHECK_EQ(g.g_frame.r14, value);
	hk_space_destroy(g.g_space);

	/* Another thread of the same space in the same slot, and back. */
	gate_make(&g, CODE(calls));
	CHECK_EQ(guest_run(&g), HK_SYSCALL);
	for (int i = 1; i < 50; i++) {
		struct hk_frame other = { .rip = OTHER_WAY, .rsp = STACK_TOP, .rflags = 0x202 };

		CHECK_EQ(hk_run(0, g.g_space, &other), HK_SYSCALL);
		CHECK_EQ(other.rax, 77);
		CHECK_EQ(g.g_frame.rbx, i);
		CHECK_EQ(guest_run(&g), HK_SYSCALL);
	}
	/* A space that is given back while a thread waits in its gate is as good as new. */
	for (int i = 0; i < 50; i++) {
		hk_space_destroy(g.g_space);
		machine_brk = HK_BLOCK;
		gate_make(&g, CODE(calls));
		CHECK_EQ(guest_run(&g), HK_SYSCALL);
		CHECK_EQ(guest_run(&g), HK_SYSCALL);
		CHECK_EQ(g.g_frame.rbx, 2);
	}
	hk_space_destroy(g.g_space);
}

/* -------------------------------------------------------------- kicks -- */

static _Atomic bool storm_end;

static void *
storm(void *cpu)
{
	uint64_t seed = 88172645463325252ull;
	volatile uint32_t i;

	while (!atomic_load(&storm_end)) {
		hk_post((uint32_t)(uintptr_t)cpu, HK_BIT_USER);
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		for (i = 0; i < seed % 20000; i++)
			continue;
	}
	return NULL;
}

/*
 * Mail at random moments: no call is lost or made twice, and no frame shows
 * the gate's own code.  At least n calls, and for as long as the host has not
 * yet let the sender of the mail run.
 */
static void
storm_on(uint32_t cpu, struct guest *g, long n)
{
	uint64_t want = 1;
	long interrupts = 0;

	while ((long)want <= n || interrupts == 0) {
		enum hk_stop stop;

		atomic_store(&machine_mailbox[cpu], 0);
		stop = hk_run(cpu, g->g_space, &g->g_frame);
		CHECK(g->g_frame.rip >= CODE_VA && g->g_frame.rip < CODE_VA + HK_PAGE);
		if (stop == HK_SYSCALL) {
			CHECK_EQ(g->g_frame.rax, 39);
			CHECK_EQ(g->g_frame.rbx, want);
			want++;
			g->g_frame.rax = want;
			if (want % 7 == 0)
				g->g_frame.r15 = want;		/* ends by a trap */
		} else {
			CHECK_EQ(stop, HK_INTR);
			interrupts++;
		}
		CHECK_EQ(g->g_frame.r15, want / 7 * 7);
	}
}

static void
kick_storm(void)
{
	struct guest g;
	uint64_t handle;

	atomic_store(&storm_end, false);
	gate_make(&g, CODE(calls));
	CHECK_EQ(hk_sysops.thread(storm, NULL, &handle), 0);
	storm_on(0, &g, times(10000));
	atomic_store(&storm_end, true);
	hk_sysops.join(handle);
	hk_space_destroy(g.g_space);
}

/* Two CPUs in the gate of one space, each by its own slot. */
static struct guest shared;
static _Atomic bool second_done;

static void
second_cpu(void *unused)
{
	struct guest g = shared;

	(void)unused;
	g.g_frame.gsbase = hk_gate_base(1);
	storm_on(1, &g, times(2000));
	atomic_store(&second_done, true);
	hk_post(0, HK_BIT_USER);
	hk_cpu_stop();
}

static void
two_cpus(void)
{
	uint64_t handle[2];

	atomic_store(&storm_end, false);
	atomic_store(&second_done, false);
	gate_make(&shared, CODE(calls));
	for (uintptr_t i = 0; i < 2; i++)
		CHECK_EQ(hk_sysops.thread(storm, (void *)i, &handle[i]), 0);
	CHECK_EQ(hk_cpu_start(1, &machine_mailbox[1], 0,
	    (uint64_t)(uintptr_t)machine_stack[1] + sizeof machine_stack[1], second_cpu, NULL), HK_OK);
	storm_on(0, &shared, times(2000));
	while (!atomic_load(&second_done)) {
		hk_idle(0);
		atomic_store(&machine_mailbox[0], 0);
	}
	atomic_store(&storm_end, true);
	for (int i = 0; i < 2; i++)
		hk_sysops.join(handle[i]);
	hk_space_destroy(shared.g_space);
}

static void test_contract(void **s) { (void)s; machine_run(contract); }
static void test_kept(void **s) { (void)s; machine_run(kept); }
static void test_changed_frames(void **s) { (void)s; machine_run(changed_frames); }
static void test_extended_state(void **s) { (void)s; machine_run(extended_state); }
static void test_kick_storm(void **s) { (void)s; machine_run(kick_storm); }
static void test_two_cpus(void **s) { (void)s; machine_run_cpus(2, two_cpus); }

static void
test_spinning(void **s)
{
	const struct hk_config cfg = { .ncpu = 1, .ram_bytes = RAM_BYTES, .flags = HK_F_SPIN };

	(void)s;
	machine_run_with(&cfg, contract);
	machine_run_with(&cfg, kick_storm);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_contract),
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_changed_frames),
		cmocka_unit_test(test_extended_state),
		cmocka_unit_test(test_kick_storm),
		cmocka_unit_test(test_two_cpus),
		cmocka_unit_test(test_spinning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
