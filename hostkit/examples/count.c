/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * count - a guest of three instructions, and what its system calls cost
 *
 *	count [CALLS]
 */
#include <hk/hk.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CODE_VA	0x400000ull
#define CODE_PA	0x10000ull
#define ROOT_PA	0x1000ull
#define PTE	7ull			/* present, writable, user */

static const uint8_t loop[] = {
	0xb8, 0x27, 0x00, 0x00, 0x00,	/* mov $39, %eax */
	0x0f, 0x05,			/* syscall */
	0xeb, 0xf7,			/* jmp loop */
};

static _Atomic uint32_t mailbox;
static uint8_t stack[64 << 10] __attribute__((aligned(16)));
static uint64_t gs_area[8];
static long calls = 100000;

static uint64_t *
entry(uint64_t table_pa, uint64_t va, int shift)
{
	return (uint64_t *)(hk_ram_base() + table_pa) + (va >> shift & 511);
}

/* Four tables, one after another, lead to one page. */
static void
map_code(void)
{
	uint64_t pa = ROOT_PA;

	for (int shift = 39; shift > 12; shift -= 9, pa += HK_PAGE)
		*entry(pa, CODE_VA, shift) = (pa + HK_PAGE) | PTE;
	*entry(pa, CODE_VA, 12) = CODE_PA | PTE;
	memcpy((void *)(hk_ram_base() + CODE_PA), loop, sizeof(loop));
}

static void
cpu(void *arg)
{
	struct hk_frame f = { .rip = CODE_VA, .rflags = 0x202 };
	uint64_t start_ns, end_ns;
	hk_space space;

	(void)arg;
	map_code();
	if (hk_space_create(&space) != HK_OK || hk_space_root(space, ROOT_PA) != HK_OK) {
		fprintf(stderr, "count: %s\n", hk_why());
		hk_exit(1);
	}
	start_ns = hk_clock_mono();
	for (long n = 0; n < calls;) {
		enum hk_stop stop = hk_run(0, space, &f);

		if (stop == HK_SYSCALL) {
			f.rax = 1;
			n++;
		} else if (stop != HK_INTR) {
			fprintf(stderr, "count: the guest stopped with %d\n", stop);
			hk_exit(1);
		}
	}
	end_ns = hk_clock_mono();
	printf("%ld system calls, %.2f us each\n", calls, (double)(end_ns - start_ns) / 1e3 / (double)calls);
	hk_space_destroy(space);
	hk_exit(0);
}

int
main(int argc, char **argv)
{
	struct hk_config cfg = { .ncpu = 1, .ram_bytes = HK_BLOCK };
	int status;

	if (argc > 1 && (calls = atol(argv[1])) < 1)
		return 2;
	if (hk_init(&cfg) != HK_OK || hk_cpu_start(0, &mailbox, (uint64_t)gs_area,
	    (uint64_t)(stack + sizeof(stack)), cpu, NULL) != HK_OK) {
		fprintf(stderr, "count: %s\n", hk_why());
		return 1;
	}
	status = hk_serve();
	hk_fini();
	return status;
}
