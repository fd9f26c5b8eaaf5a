/* SPDX-License-Identifier: BSD-2-Clause */
/* test_ahci - a port against a model of it and of its disk, which fail in all the ways they can. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <core/rt/rt.h>

#include "../../../../../sys/core/storage/ahci.c"

#define MEM_PA	0x40000000ull
#define JOBS	600u
#define SECTORS	8u		/* of each job, at its number times this */

_Noreturn void
rt_fail(const char *file, int line, const char *what)
{
	print_error("%s:%d: %s\n", file, line, what);
	abort();
}

static uint32_t seed;

static uint32_t
rnd(uint32_t n)
{
	seed = seed * 1664525u + 1013904223u;
	return (uint32_t)((uint64_t)(seed >> 8) * n >> 24);
}

static bool one_in(uint32_t n) { return n != 0 && rnd(n) == 0; }

static _Alignas(1024) struct ahci_memory mem;
static struct ahp ap;
static uint8_t sector[AHP_PRIVATE];

/* What is asked, by number. */
static struct job {
	enum ahp_op	op;
	struct storage_seg seg[8];
	size_t		nseg;
	bool		bad;		/* the disk cannot read it */
	uint32_t	crc;		/* so many times its data are damaged on the way */
	bool		taken, executed, ended;
	uint32_t	issues;
	enum storage_result result;
} job[JOBS];
static uint32_t flush_job;		/* the flush in flight: it has no address */

/* ---- The port and its disk. ---- */
static struct {
	bool		started, plugged;
	bool		failed;			/* nothing but the log is answered */
	bool		hung;
	bool		stuck;			/* does not stop: only a COMRESET helps */
	uint32_t	sact, ci, is, tfd;
	uint32_t	victim;			/* tag that failed */
	uint32_t	acts;			/* in this recovery */
	uint32_t	resets;
	/* How often: one in n; 0: never. */
	uint32_t	link_faults, hangs, no_stop, no_start, no_answer, bad_log;
	bool		other_disk;
	bool		like_qemu;		/* aborts, has no log, and before 8.1 a clear bit */
} port;

static void
put(unsigned i, uint32_t w)
{
	sector[2 * i] = (uint8_t)w;
	sector[2 * i + 1] = (uint8_t)(w >> 8);
}

static void
seal(uint8_t *page)
{
	page[511] = 0;
	page[511] = (uint8_t)-sum(page);
}

static void
put_text(unsigned i, const char *s, size_t n)
{
	for (size_t k = 0; k < n; k++)
		sector[2 * i + (k ^ 1)] = k < strlen(s) ? (uint8_t)s[k] : ' ';
}

static void
make_identify(uint32_t depth)
{
	memset(sector, 0, sizeof sector);
	put_text(10, port.other_disk ? "S-2" : "S-1", 20);
	put_text(27, "A DISK", 40);
	put(75, depth - 1);
	put(76, depth > 0 ? 1u << 8 : 0);
	put(83, 1u << 14 | 1u << 13 | 1u << 10);
	put(85, 1u << 5);
	put(87, 1u << 14);
	put(100, JOBS * SECTORS & 0xffff);
	put(106, 1u << 14 | 1u << 13 | 3);
	sector[510] = 0xa5;
	seal(sector);
}

/* The command in a slot as the controller reads it: which job, and is all of it as asked? */
static struct job *
decode(uint32_t slot, bool queued)
{
	const struct ahci_header *h = &mem.am_list[slot];
	const struct ahci_table *t = &mem.am_table[slot];
	const uint8_t *f = t->at_fis;
	uint64_t lba = storage_le(f + 4, 3) | storage_le(f + 8, 3) << 24, into = 0;
	uint32_t count = queued ? f[3] | (uint32_t)f[11] << 8 : f[12] | (uint32_t)f[13] << 8;
	struct job *j = &job[f[2] == 0xea ? flush_job : lba / SECTORS];
	size_t s = 0;

	assert_int_equal(h->ah_table_pa, MEM_PA + (uint64_t)((char *)t - (char *)&mem));
	assert_int_equal(h->ah_table_pa % 128, 0);
	assert_true((h->ah_flags & 31) == 5 && f[0] == 0x27 && f[1] == 0x80 && h->ah_moved == 0);
	assert_true(j < job + JOBS && j->taken && !j->ended);
	assert_int_equal((h->ah_flags >> 6 & 1) != 0, j->op == AHP_WRITE);
	if (j->op == AHP_FLUSH) {
		assert_true(!queued && f[2] == 0xea && h->ah_flags >> 16 == 0);
		return j;
	}
	assert_int_equal(count, SECTORS);
	if (queued)
		assert_true(f[2] == (j->op == AHP_WRITE ? 0x61 : 0x60) && f[12] == slot << 3);
	else
		assert_int_equal(f[2], j->op == AHP_WRITE ? 0x35 : 0x25);
	for (uint32_t i = 0; i < h->ah_flags >> 16; i++) {
		assert_true(s < j->nseg && t->at_prd[i].pr_pa == j->seg[s].pa + into);
		into += t->at_prd[i].pr_last + 1u;
		assert_true(into <= j->seg[s].bytes);
		if (into == j->seg[s].bytes) {
			s++;
			into = 0;
		}
	}
	assert_int_equal(s, j->nseg);
	return j;
}

static void
port_write(uint32_t sact, uint32_t ci)
{
	assert_true(port.started && ci != 0 && (ci & (port.ci | port.sact)) == 0);
	assert_int_equal(ci & ahp_private_ci(&ap), 0);
	assert_int_equal(ci >> (rt_max(ap.ap_disk.ad_queue, 1) - 1) >> 1, 0);
	if (sact != 0)
		assert_true(sact == ci && !ap.ap_alone && (port.ci & ~port.sact) == 0);
	else
		assert_true((ci & (ci - 1)) == 0 && (port.ci | port.sact) == 0);
	for (uint32_t i = 0; i < AHP_SLOTS; i++)
		if ((ci >> i & 1) != 0) {
			struct job *j = decode(i, sact != 0);

			j->executed = false;
			assert_in_range(++j->issues, 1, AHP_TRIES + 1);
		}
	port.sact |= sact;
	port.ci |= ci;
}

static void
task_error(uint32_t slot, uint32_t error)
{
	port.failed = true;
	port.victim = slot;
	port.tfd = error << 8 | 0x41;
	if (port.like_qemu && port.sact == 0)
		port.ci = 0;
	port.is |= AHCI_IS_TFE;
}

/* The disk works on one command; the controller may fail. */
static void
port_step(void)
{
	uint32_t slot = rnd(AHP_SLOTS), bit = 1u << slot;
	bool queued = (port.sact & bit) != 0;
	struct job *j;

	if (!port.started || !port.plugged || port.failed || port.hung)
		return;
	if (one_in(port.link_faults)) {
		port.is |= rnd(2) == 0 ? AHCI_IS_IF : AHCI_IS_PC;
		port.failed = true;
		return;
	}
	if (one_in(port.hangs)) {
		port.hung = true;
		return;
	}
	if (!queued)				/* all queued ones were accepted by now, or some */
		port.ci &= ~(port.sact & rnd(1u << 24));
	if (((port.ci | port.sact) & bit) == 0)
		return;
	j = decode(slot, queued);
	port.ci &= queued ? ~port.sact : UINT32_MAX;
	if (j->bad || j->crc > 0) {
		task_error(slot, j->crc > 0 ? 0x84 : port.like_qemu ? 0x04 : 0x40);
		j->crc -= j->crc > 0;
		return;
	}
	j->executed = true;
	port.ci &= ~bit;
	port.sact &= ~bit;
	port.is |= queued ? AHCI_IS_SDB : AHCI_IS_DHR;
}

static bool
answer_private(void)
{
	const uint8_t *f = mem.am_table[ap.ap_caps.ac_slots - 1].at_fis;
	uint64_t pa = mem.am_table[ap.ap_caps.ac_slots - 1].at_prd[0].pr_pa;
	uint8_t *to = (uint8_t *)&mem + (pa - MEM_PA);

	assert_true(port.started && (port.ci | port.sact) == 0);
	assert_true(to == mem.am_private);
	if (!port.plugged || one_in(port.no_answer))
		return false;
	if (f[2] == 0xec) {
		make_identify(ap.ap_disk.ad_queue);
		memcpy(to, sector, AHP_PRIVATE);
		return true;
	}
	assert_true(f[2] == 0x2f && f[4] == 0x10 && f[5] == 0 && f[12] == 1);
	if (port.like_qemu)
		return false;
	port.failed = false;
	if (one_in(port.bad_log) && rnd(2) == 0)
		return true;			/* and not a byte comes */
	memset(to, 0, AHP_PRIVATE);
	to[0] = (uint8_t)port.victim;
	if (one_in(port.bad_log))
		to[0] = (uint8_t)(0x80 | rnd(32));	/* of a command that was not queued */
	to[2] = 0x41;
	to[3] = (uint8_t)(port.tfd >> 8);
	seal(to);
	if (one_in(port.bad_log))
		to[rnd(512)] ^= (uint8_t)(1 + rnd(255));
	return true;
}

static bool
perform(enum ahp_act act)
{
	assert_in_range(++port.acts, 1, 12);
	switch (act) {
	case AHP_STOP:
		port.started = false;
		port.ci = port.sact = 0;
		port.stuck = port.hung || one_in(port.no_stop);
		return !port.stuck;
	case AHP_COMRESET:
		assert_false(port.started);
		port.resets++;
		port.hung = port.failed = false;
		port.stuck = !port.plugged;
		return port.plugged;
	case AHP_START:
		assert_false(port.started || port.stuck);
		port.is = 0;
		if (one_in(port.no_start))
			return false;
		port.started = true;
		/* After a queued error the disk waits for somebody to read the log. */
		port.failed = port.failed && ap.ap_log;
		return true;
	case AHP_ASK:
		return answer_private();
	default:
		fail();
		return false;
	}
}

/* ---- The driver. ---- */
static void
interrupt(bool hung)
{
	struct ahp_regs r = {
		.rg_is = port.is, .rg_ssts = port.plugged ? 0x123 : 0, .rg_tfd = port.tfd,
		.rg_sact = port.sact, .rg_ci = port.ci,
	};
	enum ahp_act act;
	struct ahp_done d;
	uint32_t sact, ci;

	port.is = 0;
	port.acts = 0;
	act = ahp_event(&ap, &r, hung);
	while (act != AHP_RUN && act != AHP_GIVE_UP)
		act = ahp_next(&ap, perform(act));
	if (act == AHP_GIVE_UP)
		port.started = false;
	while (ahp_reap(&ap, &d)) {
		struct job *j = d.hd_cookie;

		assert_true(j->taken && !j->ended);
		assert_true(d.hd_result != STORAGE_OK || j->executed);
		j->ended = true;
		j->result = d.hd_result;
	}
	if (ahp_issue(&ap, &sact, &ci))
		port_write(sact, ci);
}

static enum ahp_answer
submit(uint32_t i)
{
	struct job *j = &job[i];
	struct ahp_request r = {
		.ar_op = j->op, .ar_lba = i * SECTORS, .ar_sectors = SECTORS, .ar_seg = j->seg,
		.ar_nseg = j->nseg, .ar_cookie = j,
	};
	enum ahp_answer a = ahp_submit(&ap, &r);
	uint32_t sact, ci;

	assert_int_not_equal(a, AHP_BAD);
	if (a != AHP_TAKEN)
		return a;
	j->taken = true;
	if (j->op == AHP_FLUSH)
		flush_job = i;
	if (ahp_issue(&ap, &sact, &ci))
		port_write(sact, ci);
	return a;
}

static void
make_jobs(uint32_t bad)
{
	memset(job, 0, sizeof job);
	for (uint32_t i = 0; i < JOBS; i++) {
		uint64_t left = SECTORS * 512;

		job[i].op = one_in(40) ? AHP_FLUSH : rnd(2) == 0 ? AHP_READ : AHP_WRITE;
		job[i].bad = one_in(bad);
		while (job[i].op != AHP_FLUSH && left > 0) {
			uint64_t n = job[i].nseg == 7 ? left : rt_min(left, 2 * (1 + rnd(1024)));

			job[i].seg[job[i].nseg++] = (struct storage_seg){ 2ull * rnd(1u << 24), n };
			left -= n;
		}
	}
}

static void
start(uint32_t slots, uint32_t depth)
{
	struct ahci_caps caps = { .ac_slots = slots, .ac_queued = true, .ac_wide = true };
	struct dma_mem m = { &mem, MEM_PA, sizeof mem };
	struct ata_disk disk;

	memset(&port, 0, sizeof port);
	port.started = port.plugged = true;
	assert_true(ahp_init(&ap, &caps, &m));
	make_identify(depth);
	assert_true(ata_parse_identify(sector, &disk));
	assert_int_equal(disk.ad_queue, depth);
	ahp_set_disk(&ap, &disk);
}

/* All jobs, in any order of events; the disk vanishes after so many steps (0: never). */
static void
run(uint32_t vanish)
{
	uint32_t next = 0, waited = 0, step;

	for (step = 1; next < JOBS || (ap.ap_waiting | ap.ap_issued | ap.ap_done) != 0; step++) {
		enum ahp_answer a = AHP_NOT_NOW;

		assert_true(step < 3000000);
		if (step == vanish)
			port.plugged = false;
		if (next < JOBS && rnd(3) == 0)
			a = submit(next);
		if (a == AHP_DEAD)
			break;
		next += a == AHP_TAKEN;
		waited = a == AHP_TAKEN ? 0 : waited + 1;
		port_step();
		if (waited > 2000) {
			interrupt(true);
			waited = 0;
		} else if (rnd(4) == 0)
			interrupt(false);
	}
	for (uint32_t i = 0; i < JOBS; i++)
		assert_int_equal(job[i].taken, job[i].ended);
	assert_int_equal(ap.ap_waiting | ap.ap_issued | ap.ap_done | ap.ap_queued, 0);
}

static void
commands_complete_once_in_any_order(void **state)
{
	static const uint32_t shape[5][2] = {
		{ 32, 32 }, { 32, 0 }, { 2, 32 }, { 8, 4 }, { 4, 32 },
	};

	(void)state;
	for (seed = 1; seed < 40; seed++) {
		make_jobs(0);
		start(shape[seed % 5][0], shape[seed % 5][1]);
		run(0);
		assert_int_equal(port.resets, 0);
		for (uint32_t i = 0; i < JOBS; i++)
			assert_true(job[i].result == STORAGE_OK && job[i].issues == 1);
	}
}

static void
the_one_that_failed_fails_and_the_others_do_not(void **state)
{
	(void)state;
	for (uint32_t s = 1; s < 100; s++) {
		seed = s;
		make_jobs(1 + s % 20);
		start(32, s % 33);
		run(0);
		assert_int_equal(port.resets, 0);
		for (uint32_t i = 0; i < JOBS; i++)
			assert_int_equal(job[i].result, job[i].bad ? STORAGE_MEDIUM : STORAGE_OK);
	}
}

static void
errors_that_are_told_in_qemus_way_are_found(void **state)
{
	(void)state;
	for (uint32_t s = 1; s < 100; s++) {
		seed = s;
		make_jobs(20 + s % 20);
		start(32, s % 33);
		port.like_qemu = true;
		run(0);
		for (uint32_t i = 0; i < JOBS; i++)
			assert_int_equal(job[i].result, !job[i].bad ? STORAGE_OK :
			    job[i].op == AHP_FLUSH ? STORAGE_REFUSED : STORAGE_MEDIUM);
	}
}

static void
data_damaged_on_the_way_are_asked_for_again(void **state)
{
	(void)state;
	for (uint32_t s = 1; s < 100; s++) {
		seed = s;
		make_jobs(0);
		start(32, s % 33);
		for (uint32_t i = s % 7; i < JOBS; i += 100)
			job[i].crc = i % 2 == 0 ? 1 : 100;
		run(0);
		for (uint32_t i = 0; i < JOBS; i++)
			assert_int_equal(job[i].result, job[i].crc > 0 ? STORAGE_MEDIUM : STORAGE_OK);
	}
}

static void
a_log_that_tells_nothing_ends_all_the_same(void **state)
{
	(void)state;
	for (uint32_t s = 1; s < 100; s++) {
		seed = s;
		make_jobs(30);
		start(32, 32);
		port.bad_log = 1 + s % 3;
		run(0);
		for (uint32_t i = 0; i < JOBS; i++)
			assert_int_equal(job[i].result, job[i].bad ? STORAGE_MEDIUM : STORAGE_OK);
	}
}

static void
faults_at_every_step_lose_nothing(void **state)
{
	(void)state;
	for (uint32_t s = 1; s < 400; s++) {
		seed = s;
		make_jobs(50);
		start(32, s % 33);
		port.link_faults = s % 3 == 0 ? 0 : 30 + rnd(200);
		port.hangs = s % 4 == 0 ? 0 : 100 + rnd(400);
		port.no_stop = rnd(6);
		port.no_start = s % 5 == 0 ? 3 + rnd(20) : 0;
		port.no_answer = s % 6 == 0 ? 3 + rnd(20) : 0;
		port.bad_log = rnd(4);
		run(s % 7 == 0 ? 1 + rnd(3000) : 0);
		for (uint32_t i = 0; i < JOBS; i++)
			assert_true(!job[i].ended || !job[i].bad || job[i].result != STORAGE_OK);
	}
}

static void
a_failed_command_is_issued_once(void **state)
{
	(void)state;
	seed = 3;
	make_jobs(0);
	start(32, 32);
	for (uint32_t i = 0; i < 10; i++)
		job[i].op = AHP_READ;
	job[4].bad = true;
	for (uint32_t i = 0; i < 10; i++) {
		job[i].nseg = 1;
		job[i].seg[0] = (struct storage_seg){ 0x1000, SECTORS * 512 };
		assert_int_equal(submit(i), AHP_TAKEN);
	}
	for (uint32_t i = 0; i < 1000; i++) {
		port_step();
		interrupt(false);
	}
	for (uint32_t i = 0; i < 10; i++) {
		assert_true(job[i].ended && job[i].issues <= (i == 4 ? 1 : 2));
		assert_int_equal(job[i].result, i == 4 ? STORAGE_MEDIUM : STORAGE_OK);
	}
}

static void
a_link_that_fails_now_and_then_is_not_given_up(void **state)
{
	(void)state;
	seed = 4;
	make_jobs(0);
	start(32, 32);
	port.link_faults = 200;
	run(0);
	assert_true(ap.ap_state == AHP_RUNNING && port.resets > AHP_RESETS);
	for (uint32_t i = 0; i < JOBS; i++)
		assert_int_equal(job[i].result, STORAGE_OK);
}

static void
a_disk_that_never_answers_is_given_up(void **state)
{
	(void)state;
	seed = 5;
	make_jobs(0);
	start(32, 32);
	port.hangs = 1;
	run(0);
	assert_int_equal(ap.ap_state, AHP_GONE);
	assert_true(port.resets <= AHP_RESETS);
	assert_int_equal(submit(JOBS - 1), AHP_DEAD);
}

static void
another_disk_in_its_place_gets_no_commands(void **state)
{
	(void)state;
	seed = 9;
	make_jobs(0);
	start(32, 32);
	for (uint32_t i = 0; i < 10; i++)
		(void)submit(i);
	port.other_disk = true;
	port.is = AHCI_IS_PC;
	interrupt(false);
	assert_int_equal(ap.ap_state, AHP_GONE);
	for (uint32_t i = 0; i < JOBS; i++)
		assert_int_equal(job[i].ended && job[i].result == STORAGE_GONE, job[i].taken);
}

static void
a_controller_that_vanishes_is_given_up_at_once(void **state)
{
	(void)state;
	seed = 9;
	make_jobs(0);
	start(32, 32);
	assert_int_equal(submit(0), AHP_TAKEN);
	port.is = port.ci = port.sact = UINT32_MAX;
	interrupt(false);
	assert_true(job[0].ended && job[0].result == STORAGE_GONE && port.resets == 0);
}

static void
zeros_of_a_controller_that_vanished_complete_nothing(void **state)
{
	(void)state;
	seed = 9;
	make_jobs(0);
	start(32, 32);
	assert_int_equal(submit(0), AHP_TAKEN);
	port.plugged = false;
	port.is = port.ci = port.sact = 0;
	interrupt(false);
	assert_true(job[0].ended && job[0].result == STORAGE_GONE);
}

static void
queued_and_other_commands_never_mix(void **state)
{
	(void)state;
	seed = 1;
	make_jobs(0);
	start(32, 32);
	for (uint32_t i = 0; i < 5; i++) {
		job[i].op = i % 2 == 0 ? AHP_READ : AHP_FLUSH;
		job[i].nseg = i % 2 == 0;
		job[i].seg[0] = (struct storage_seg){ 0x1000, SECTORS * 512 };
	}
	assert_int_equal(submit(0), AHP_TAKEN);
	assert_int_equal(submit(1), AHP_NOT_NOW);
	assert_int_equal(submit(2), AHP_TAKEN);
	while ((port.ci | port.sact) != 0)
		port_step();
	interrupt(false);
	assert_int_equal(submit(1), AHP_TAKEN);
	assert_int_equal(submit(3), AHP_NOT_NOW);
	assert_int_equal(submit(4), AHP_NOT_NOW);
}

static void
a_slot_is_taken_until_it_was_reaped(void **state)
{
	struct ahp_regs idle = { .rg_ssts = 3 };
	struct ahp_done d;

	(void)state;
	seed = 2;
	make_jobs(0);
	start(2, 32);
	job[0].op = job[1].op = AHP_FLUSH;
	job[0].nseg = job[1].nseg = 0;
	assert_int_equal(submit(0), AHP_TAKEN);
	assert_int_equal(ahp_event(&ap, &idle, false), AHP_RUN);
	assert_int_equal(submit(1), AHP_NOT_NOW);
	assert_true(ahp_reap(&ap, &d) && d.hd_cookie == &job[0]);
	assert_false(ahp_reap(&ap, &d));
	port.ci = 0;
	assert_int_equal(submit(1), AHP_TAKEN);
}

static enum ahp_answer
ask_for(struct storage_seg *seg, size_t nseg, uint64_t lba, uint32_t sectors)
{
	struct ahp_request r = {
		.ar_op = AHP_READ, .ar_lba = lba, .ar_sectors = sectors,
		.ar_seg = seg, .ar_nseg = nseg,
	};

	return ahp_submit(&ap, &r);
}

static void
requests_that_cannot_be_described_are_refused(void **state)
{
	struct ahci_caps narrow = { .ac_slots = 32 }, one = { .ac_slots = 1, .ac_wide = true };
	struct dma_mem m = { &mem, MEM_PA, sizeof mem };
	struct dma_mem high = { &mem, 1ull << 32, sizeof mem };
	struct storage_seg odd = { 1, 512 }, half = { 0, 511 }, none = { 0, 0 };
	struct storage_seg wrap = { UINT64_MAX - 1, 512 };
	struct storage_seg top = { (1ull << 32) - 512, 512 }, over = { (1ull << 32) - 510, 512 };
	struct storage_seg most = { 0, 65536 * 512 }, many[AHP_SEGS + 1];
	struct ata_disk disk = { .ad_sectors = 1u << 20, .ad_sector_bytes = 512 };

	(void)state;
	assert_false(ahp_init(&ap, &one, &m));
	assert_false(ahp_init(&ap, &narrow, &high));
	assert_true(ahp_init(&ap, &narrow, &m));
	assert_int_equal(ask_for(&top, 1, 0, 1), AHP_BAD);
	ahp_set_disk(&ap, &disk);
	assert_int_equal(ask_for(&odd, 1, 0, 1), AHP_BAD);
	assert_int_equal(ask_for(&half, 1, 0, 1), AHP_BAD);
	assert_int_equal(ask_for(&none, 1, 0, 1), AHP_BAD);
	assert_int_equal(ask_for(&none, 0, 0, 1), AHP_BAD);
	assert_int_equal(ask_for(&wrap, 1, 0, 1), AHP_BAD);
	assert_int_equal(ask_for(&over, 1, 0, 1), AHP_BAD);
	assert_int_equal(ask_for(&top, 1, 0, 2), AHP_BAD);
	assert_int_equal(ask_for(&top, 1, 0, 0), AHP_BAD);
	assert_int_equal(ask_for(&top, 1, 1u << 20, 1), AHP_BAD);
	assert_int_equal(ask_for(&top, 1, UINT64_MAX, 1), AHP_BAD);
	assert_int_equal(ask_for(&most, 1, 0, 65537), AHP_BAD);
	for (uint32_t i = 0; i <= AHP_SEGS; i++)
		many[i] = (struct storage_seg){ 4096ull * i, 512 };
	assert_int_equal(ask_for(many, AHP_SEGS + 1, 0, AHP_SEGS + 1), AHP_BAD);
	assert_int_equal(ask_for(&most, 1, (1u << 20) - 65536, 65536), AHP_TAKEN);
	assert_int_equal(mem.am_list[0].ah_flags, 8u << 16 | 5);
	for (uint32_t i = 0; i < 8; i++)
		assert_true(mem.am_table[0].at_prd[i].pr_pa == i * (uint64_t)AHP_SEG_BYTES &&
		    mem.am_table[0].at_prd[i].pr_last == AHP_SEG_BYTES - 1);
	assert_int_equal(ask_for(&top, 1, 0, 1), AHP_NOT_NOW);
}

static void
identify_data_is_believed_within_bounds(void **state)
{
	struct ata_disk d;

	(void)state;
	port.other_disk = false;
	make_identify(32);
	assert_true(ata_parse_identify(sector, &d));
	assert_true(d.ad_sectors == JOBS * SECTORS && d.ad_sector_bytes == 512);
	assert_true(d.ad_physical_bytes == 4096 && d.ad_queue == 32);
	assert_true(d.ad_write_cache && d.ad_flush);
	assert_string_equal(d.ad_serial, "S-1");
	assert_string_equal(d.ad_model, "A DISK");
	sector[300]++;
	assert_false(ata_parse_identify(sector, &d));
	sector[510] = 0;				/* from here on without a sum */
	assert_true(ata_parse_identify(sector, &d));
	put(106, 1u << 14 | 1u << 12);
	put(117, 2048);
	assert_true(ata_parse_identify(sector, &d) && d.ad_sector_bytes == 4096);
	for (uint32_t words = 0; words < 65536; words++) {
		put(117, words);
		assert_int_equal(ata_parse_identify(sector, &d), words == 256 || words == 512 ||
		    words == 1024 || words == 2048);
	}
	put(118, 0x8000);
	assert_false(ata_parse_identify(sector, &d));
	put(106, 0xffff);				/* not valid: 512 */
	assert_true(ata_parse_identify(sector, &d) && d.ad_physical_bytes == 512);
	put(103, 1);
	assert_true(!ata_parse_identify(sector, &d));	/* 2^48 and more */
	put(103, 0);
	put(100, 0);
	assert_false(ata_parse_identify(sector, &d));
	put(100, 1);
	put(76, 0xffff);
	assert_true(ata_parse_identify(sector, &d) && d.ad_queue == 0);
	put(83, 0xffff);
	assert_false(ata_parse_identify(sector, &d));
	memset(sector, 0xff, sizeof sector);
	assert_false(ata_parse_identify(sector, &d));
	memset(sector, 0, sizeof sector);
	assert_false(ata_parse_identify(sector, &d));
}

static void
registers_are_read_by_the_book(void **state)
{
	struct ahci_caps c;

	(void)state;
	ahci_parse_cap(0xc0141f05, &c);
	assert_true(c.ac_slots == 32 && c.ac_queued && c.ac_wide);
	ahci_parse_cap(0, &c);
	assert_true(c.ac_slots == 1 && !c.ac_queued && !c.ac_wide);
	assert_int_equal(ahci_signature(0x101), AHCI_DISK);
	assert_int_equal(ahci_signature(0xeb140101), AHCI_PACKET);
	assert_int_equal(ahci_signature(0x96690101), AHCI_MULTIPLIER);
	assert_int_equal(ahci_signature(UINT32_MAX), AHCI_NONE);
	assert_int_equal(ata_result(0x4041), STORAGE_MEDIUM);
	assert_int_equal(ata_result(0x0441), STORAGE_REFUSED);
	assert_int_equal(ata_result(0x8441), STORAGE_RETRY);
	assert_int_equal(ata_result(0x0461), STORAGE_MEDIUM);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_complete_once_in_any_order),
		cmocka_unit_test(the_one_that_failed_fails_and_the_others_do_not),
		cmocka_unit_test(errors_that_are_told_in_qemus_way_are_found),
		cmocka_unit_test(data_damaged_on_the_way_are_asked_for_again),
		cmocka_unit_test(a_log_that_tells_nothing_ends_all_the_same),
		cmocka_unit_test(faults_at_every_step_lose_nothing),
		cmocka_unit_test(a_failed_command_is_issued_once),
		cmocka_unit_test(a_link_that_fails_now_and_then_is_not_given_up),
		cmocka_unit_test(a_disk_that_never_answers_is_given_up),
		cmocka_unit_test(another_disk_in_its_place_gets_no_commands),
		cmocka_unit_test(a_controller_that_vanishes_is_given_up_at_once),
		cmocka_unit_test(zeros_of_a_controller_that_vanished_complete_nothing),
		cmocka_unit_test(queued_and_other_commands_never_mix),
		cmocka_unit_test(a_slot_is_taken_until_it_was_reaped),
		cmocka_unit_test(requests_that_cannot_be_described_are_refused),
		cmocka_unit_test(identify_data_is_believed_within_bounds),
		cmocka_unit_test(registers_are_read_by_the_book),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
