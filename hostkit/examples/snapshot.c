/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * snapshot - take a guest's state by copying only what it changes afterwards
 *
 * The guest counts in its memory and reports.  At five its one data page is
 * write-protected; its next write faults, and only then the page is copied.
 * At ten the guest is put back to five, registers and memory.
 */
#include <hk/hk.h>
#include <stdio.h>
#include <string.h>

#define VA	0x400000ull		/* code; data is the page after it */
#define ROOT_PA	0x1000ull
#define CODE_PA	0x10000ull
#define DATA_PA	0x11000ull
#define COPY_PA	0x12000ull
#define P	1ull
#define RW	2ull
#define US	4ull

static const uint8_t loop[] = {
	0x48, 0xff, 0x05, 0xf9, 0x0f, 0x00, 0x00,	/* incq 0x401000(%rip) */
	0x48, 0x8b, 0x3d, 0xf2, 0x0f, 0x00, 0x00,	/* mov 0x401000(%rip), %rdi */
	0x0f, 0x05,					/* syscall: report %rdi */
	0xeb, 0xee,					/* jmp loop */
};
static _Atomic uint32_t mailbox;
static uint8_t stack[64 << 10] __attribute__((aligned(16)));
static uint64_t gs_area[8];

static void *
ram(uint64_t pa)
{
	return (void *)(hk_ram_base() + pa);
}

static void
cpu(void *arg)
{
	const struct hk_range data = { VA + HK_PAGE, HK_PAGE };
	struct hk_frame f = { .rip = VA, .rflags = 0x202 }, saved = f;
	uint64_t *leaf = (uint64_t *)ram(ROOT_PA + 3 * HK_PAGE);
	bool back = false;
	hk_space space;

	(void)arg;
	for (uint64_t i = 0, pa = ROOT_PA; i < 3; i++, pa += HK_PAGE)
		((uint64_t *)ram(pa))[VA >> (39 - 9 * i) & 511] = (pa + HK_PAGE) | P | RW | US;
	leaf[0] = CODE_PA | P | US;
	leaf[1] = DATA_PA | P | RW | US;
	memcpy(ram(CODE_PA), loop, sizeof(loop));
	if (hk_space_create(&space) != HK_OK || hk_space_root(space, ROOT_PA) != HK_OK)
		hk_exit(1);
	for (;;) {
		switch (hk_run(0, space, &f)) {
		case HK_SYSCALL:
			printf(" %d", (int)f.rdi);
			if (f.rdi == 5 && !back) {
				saved = f;
				leaf[1] &= ~RW;
				hk_invalidate(space, &data, 1, HK_INVAL_WRPROTECT);
			} else if (f.rdi == 10 && !back) {
				back = true;
				f = saved;
				memcpy(ram(DATA_PA), ram(COPY_PA), HK_PAGE);
				printf(" |");
			} else if (f.rdi == 7 && back) {
				printf("\n");
				hk_exit(0);
			}
			break;
		case HK_FAULT:
			memcpy(ram(COPY_PA), ram(DATA_PA), HK_PAGE);
			leaf[1] |= RW;
			printf(" (copied)");
			break;
		case HK_INTR:
			break;
		default:
			hk_exit(1);
		}
	}
}

int
main(void)
{
	struct hk_config cfg = { .ncpu = 1, .ram_bytes = HK_BLOCK };

	if (hk_init(&cfg) != HK_OK || hk_cpu_start(0, &mailbox, (uint64_t)gs_area,
	    (uint64_t)(stack + sizeof(stack)), cpu, NULL) != HK_OK) {
		fprintf(stderr, "snapshot: %s\n", hk_why());
		return 1;
	}
	return hk_serve();
}
