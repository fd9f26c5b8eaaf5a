/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pingpong - two CPUs that wake each other through their mailboxes
 *
 *	pingpong [ROUNDS]
 */
#include <hk/hk.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define BALL	HK_BIT_USER

static _Atomic uint32_t mailbox[2];
static uint8_t stack[2][64 << 10] __attribute__((aligned(16)));
static uint64_t gs_area[2];
static long rounds = 10000;

static void
wait_for_ball(uint32_t me)
{
	while ((atomic_exchange(&mailbox[me], 0) & BALL) == 0)
		hk_idle(me);
}

static void
answerer(void *arg)
{
	(void)arg;
	for (long i = 0; i < rounds; i++) {
		wait_for_ball(1);
		hk_post(0, BALL);
	}
	hk_cpu_stop();
}

static void
server(void *arg)
{
	uint64_t start_ns = hk_clock_mono();

	(void)arg;
	for (long i = 0; i < rounds; i++) {
		hk_post(1, BALL);
		wait_for_ball(0);
	}
	printf("%ld rounds, %.2f us each\n", rounds, (double)(hk_clock_mono() - start_ns) / 1e3 / (double)rounds);
	hk_exit(0);
}

int
main(int argc, char **argv)
{
	struct hk_config cfg = { .ncpu = 2, .ram_bytes = HK_BLOCK };
	void (*const entry[2])(void *) = { server, answerer };
	int status;

	if (argc > 1 && (rounds = atol(argv[1])) < 1)
		return 2;
	if (hk_init(&cfg) != HK_OK) {
		fprintf(stderr, "pingpong: %s\n", hk_why());
		return 1;
	}
	for (uint32_t i = 2; i-- > 0;)
		if (hk_cpu_start(i, &mailbox[i], (uint64_t)&gs_area[i], (uint64_t)(stack[i] + sizeof(stack[i])),
		    entry[i], NULL) != HK_OK) {
			fprintf(stderr, "pingpong: %s\n", hk_why());
			return 1;
		}
	status = hk_serve();
	hk_fini();
	return status;
}
