/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * place - on which host CPUs the machine runs
 *
 * A CPU of the machine and the guest it runs hand one host CPU to and fro:
 * one sleeps exactly while the other works.  On one host CPU such a hand-over
 * is a switch of threads; across two it is an interrupt and a wake-up of an
 * idle processor, and costs several times as much.  A host's scheduler cannot
 * know this and spreads the two.  So each CPU of the machine is pinned to a
 * host CPU, and the threads of the stubs it enters follow it there.
 *
 * Which one: the host places a new thread where there is least to do, so a
 * CPU begins where its thread was born, unless another CPU of this machine
 * has that place already.  Later the placing is judged by its result alone:
 * the time that the CPU or its guest spent runnable and not running.  If that
 * is a quarter or more, somebody else wants this host CPU.  Then a host CPU
 * that was mostly idle is better; and if there is none, but this one has more
 * than its share of what is runnable, a random one may be, and is tried half of the
 * time, so that many machines that see the same do not all do the same.
 *
 * Invariants
 *   I1  place_used counts, per host CPU, the CPUs of this machine that have it.
 *   I2  c_hostcpu is changed by the CPU's own thread only, and never while
 *       it is inside a guest.
 *   I3  an answer that the host refuses to give means "stay".
 *
 * Locking: place_lock for place_used.
 * Not here: priorities, memory nodes.
 */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#include "host.h"
#include "place.h"

static struct hk_lock place_lock;
static struct hk_cpuset mask;			/* const after init: where we may be */
static uint32_t mask_count;			/* const after init */
static uint16_t place_used[HK_HOSTCPU_MAX];	/* [place_lock] I1 */

/* -------------------------------------------------------- sets of CPUs -- */

bool
hk_cpuset_has(const struct hk_cpuset *s, uint32_t cpu)
{
	return cpu < HK_HOSTCPU_MAX && (s->cs_bits[cpu / 64] >> (cpu % 64) & 1) != 0;
}

void
hk_cpuset_add(struct hk_cpuset *s, uint32_t cpu)
{
	ASSERT(cpu < HK_HOSTCPU_MAX);
	s->cs_bits[cpu / 64] |= 1ull << (cpu % 64);
}

uint32_t
hk_cpuset_count(const struct hk_cpuset *s)
{
	uint32_t n = 0;

	for (size_t i = 0; i < HK_HOSTCPU_MAX / 64; i++)
		n += (uint32_t)__builtin_popcountll(s->cs_bits[i]);
	return n;
}

/* A number below HK_HOSTCPU_MAX at *p; -1 if there is none. */
static int
take_number(const char **p)
{
	int value = 0;

	if (**p < '0' || **p > '9')
		return -1;
	for (; **p >= '0' && **p <= '9'; (*p)++) {
		value = value * 10 + (**p - '0');
		if (value >= (int)HK_HOSTCPU_MAX)
			return -1;
	}
	return value;
}

/* "0-3,6".  False: not such a list, or an empty one; *out is then undefined. */
bool
hk_cpuset_parse(const char *text, struct hk_cpuset *out)
{
	memset(out, 0, sizeof(*out));
	for (;;) {
		int first = take_number(&text), last = first;

		if (first < 0)
			return false;
		if (*text == '-') {
			text++;
			last = take_number(&text);
		}
		if (last < first)
			return false;
		for (int cpu = first; cpu <= last; cpu++)
			hk_cpuset_add(out, (uint32_t)cpu);
		if (*text == '\0')
			return true;
		if (*text++ != ',')
			return false;
	}
}

/* The member of `s` that fewest of ours use; among equals the first from `from` on, in a circle. */
uint32_t
hk_place_choose(const struct hk_cpuset *s, const uint16_t *used, uint32_t from)
{
	uint32_t best = HK_HOSTCPU_MAX;

	for (uint32_t i = 0; i < HK_HOSTCPU_MAX; i++) {
		uint32_t cpu = (from + i) % HK_HOSTCPU_MAX;

		if (!hk_cpuset_has(s, cpu))
			continue;
		if (best == HK_HOSTCPU_MAX || used[cpu] < used[best])
			best = cpu;
	}
	return best;
}

/* ------------------------------------------------------------- pinning -- */

static long
pin(int32_t tid, uint32_t cpu)
{
	struct hk_cpuset one;

	memset(&one, 0, sizeof(one));
	hk_cpuset_add(&one, cpu);
	return HK_SYS3(SYS_sched_setaffinity, tid, sizeof(one), &one);
}

hk_result
hk_place_init(const char *host_cpus)
{
	long got;

	memset(&mask, 0, sizeof(mask));
	memset(place_used, 0, sizeof(place_used));
	if (host_cpus == NULL) {
		got = HK_SYS3(SYS_sched_getaffinity, 0, sizeof(mask), &mask);
		mask_count = got < 0 ? 0 : hk_cpuset_count(&mask);	/* I3: nothing to choose from */
		return HK_OK;
	}
	if (!hk_cpuset_parse(host_cpus, &mask))
		return hk_fail(HK_INVAL, "not a list of host CPUs: \"%s\"", host_cpus);
	got = HK_SYS3(SYS_sched_setaffinity, 0, sizeof(mask), &mask);
	if (got < 0)
		return hk_fail(HK_INVAL, "no host CPU of \"%s\" may be used", host_cpus);
	/* The host leaves out what does not exist. */
	got = HK_SYS3(SYS_sched_getaffinity, 0, sizeof(mask), &mask);
	mask_count = got < 0 ? 0 : hk_cpuset_count(&mask);
	return HK_OK;
}

static bool
is_placing(void)
{
	return (hk_m.m_flags & HK_F_NO_PLACE) == 0 && mask_count > 1;
}

static uint32_t
take_place(uint32_t from)
{
	uint32_t cpu;

	hk_lock(&place_lock);
	cpu = hk_place_choose(&mask, place_used, from);
	ASSERT(cpu < HK_HOSTCPU_MAX);
	place_used[cpu]++;
	hk_unlock(&place_lock);
	return cpu;
}

static void
leave_place(int32_t cpu)
{
	if (cpu < 0)
		return;
	hk_lock(&place_lock);
	ASSERT(place_used[cpu] > 0);
	place_used[cpu]--;
	hk_unlock(&place_lock);
}

/*
 * Spinning needs a host CPU for each side; otherwise both share one.  The
 * zygote serves CPU 0's requests most of all, at boot above all.
 */
static void
settle(struct hk_cpu_rec *c, uint32_t cpu)
{
	int32_t guest = (int32_t)cpu;

	if ((hk_m.m_flags & HK_F_SPIN) != 0)
		guest = (int32_t)take_place(cpu + 1);
	if (pin(0, cpu) < 0) {
		if (guest != (int32_t)cpu)
			leave_place(guest);
		leave_place((int32_t)cpu);
		return;
	}
	c->c_guestcpu = guest;
	atomic_store(&c->c_hostcpu, (int32_t)cpu);
	if (c->c_index == 0 && hk_m.m_zyg_pid > 0)
		pin(hk_m.m_zyg_pid, (uint32_t)guest);
}

void
hk_place_start(struct hk_cpu_rec *c)
{
	unsigned int here = 0;

	atomic_store(&c->c_hostcpu, -1);
	c->c_guestcpu = -1;
	if (!is_placing())
		return;
	HK_SYS2(SYS_getcpu, &here, NULL);
	settle(c, take_place(here));
}

void
hk_place_stop(struct hk_cpu_rec *c)
{
	int32_t cpu = atomic_load(&c->c_hostcpu);

	if (c->c_guestcpu != cpu)
		leave_place(c->c_guestcpu);
	leave_place(cpu);
	atomic_store(&c->c_hostcpu, -1);
	c->c_guestcpu = -1;
}

/* I3: a refusal is remembered as done, or every entry into the guest would ask again. */
void
hk_place_follow(struct hk_space_rec *sp, uint32_t cpu)
{
	struct hk_cpu_rec *c = &hk_m.m_cpu[cpu];
	int32_t host = atomic_load(&c->c_hostcpu);
	int32_t pid;

	if (host < 0)
		return;
	if (sp->sp_slot[cpu].sl_tid > 0)
		pin(sp->sp_slot[cpu].sl_tid, (uint32_t)c->c_guestcpu);
	sp->sp_slot[cpu].sl_hostcpu = host;
	hk_lock(&sp->sp_lock);
	pid = atomic_load(&sp->sp_pid);
	if (sp->sp_hostcpu != host && pid > 0) {
		pin(pid, (uint32_t)c->c_guestcpu);
		sp->sp_hostcpu = host;
	}
	hk_unlock(&sp->sp_lock);
}

void
hk_place_tick(struct hk_cpu_rec *c)
{
	(void)c;
}
