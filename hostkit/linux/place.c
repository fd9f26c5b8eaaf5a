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
 * the time that the CPU and its guest spent runnable and not running.  If that
 * is a quarter or more, somebody else wants this host CPU.  Then a host CPU
 * that was mostly idle is better; and if there is none, but this one has more
 * than its share of what is runnable, a random one may be, and is tried half of the
 * time, so that many machines that see the same do not all do the same.
 * A CPU whose guest computes without a stop is made to look by the watchdog.
 *
 * Where two share a host CPU, the one that is woken should have it at once: a
 * waker that goes on finds nothing to do, sleeps, and must be woken itself, two
 * system calls more.  The host (Linux from 6.12) lets the thread with the
 * shorter slice go first.  So those that answer, CPUs and mappers, have the
 * shortest slice, and the guests, which ask, the usual one.
 *
 * Invariants
 *   I1  place_used counts, per host CPU, the CPUs of this machine that have it.
 *   I2  c_hostcpu is changed by the CPU's own thread only; when that is while
 *       its guest runs, the guest's threads follow at once.
 *   I3  an answer that the host refuses to give means "stay".
 *
 * Locking: place_lock for place_used.
 * Not here: priorities, memory nodes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <sys/syscall.h>

#include "host.h"
#include "place.h"

#define LOOK_NS		50000000u	/* how often a busy CPU judges its place */
#define CROWDED_PERCENT	25u		/* waiting that makes it look for another one */
#define IDLE_PERCENT	50u		/* a host CPU this idle is a better one */
#define VIEW_MIN_NS	100000000u	/* /proc/stat counts in ticks: closer looks see nothing */
#define VIEW_MAX_NS	2000000000u	/* what was seen before that is history */
#define SLICE_NS	100000u		/* the shortest that Linux grants */
#define TICK_NS		10000000u	/* USER_HZ is 100 on x86 */

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

/* I3 here too. */
void
hk_place_answers(int32_t tid)
{
	struct sched_attr attr;

	if (HK_SYS4(SYS_sched_getattr, tid, &attr, SCHED_ATTR_SIZE_VER0, 0) < 0 || attr.sched_policy != SCHED_NORMAL)
		return;
	attr.sched_flags |= SCHED_FLAG_RESET_ON_FORK;
	attr.sched_runtime = SLICE_NS;
	HK_SYS3(SYS_sched_setattr, tid, &attr, 0);
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
		return;		/* I3 */
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
	hk_place_answers(0);
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
hk_place_gather(struct hk_space_rec *sp)
{
	const struct hk_cpu_rec *c = hk_cpu_self();
	int32_t host = c == NULL ? -1 : atomic_load(&c->c_hostcpu);

	if (host < 0 || sp->sp_nslots == 1)
		return;
	for (uint32_t cpu = 0; cpu < hk_m.m_ncpu; cpu++) {
		struct hk_slot_rec *sl = &sp->sp_slot[cpu];

		if (!sl->sl_live || sl->sl_hostcpu == host)
			continue;
		pin(sl->sl_tid, (uint32_t)c->c_guestcpu);
		sl->sl_hostcpu = host;
	}
	if (sp->sp_hostcpu != host) {
		pin(atomic_load(&sp->sp_pid), (uint32_t)c->c_guestcpu);
		sp->sp_hostcpu = host;
	}
}

/* ------------------------------------------------------------- judging -- */

/* The n-th number (from 0) of a line of numbers, after any word in front; false: there is none. */
static bool
number_at(const char **p, const char *end, uint64_t *out)
{
	const char *s = *p;
	uint64_t value = 0;

	while (s < end && *s == ' ')
		s++;
	if (s == end || *s < '0' || *s > '9')
		return false;
	for (; s < end && *s >= '0' && *s <= '9'; s++)
		value = value * 10 + (uint64_t)(*s - '0');
	*p = s;
	*out = value;
	return true;
}

/* "run wait slices": time spent running, and runnable but not running, in ns. */
bool
hk_place_parse_times(const char *text, size_t len, struct hk_place_times *t)
{
	const char *end = text + len;

	return number_at(&text, end, &t->pt_run_ns) && number_at(&text, end, &t->pt_wait_ns);
}

/*
 * What a rival cost, in percent of `elapsed`.  CPU, guest and mapper take
 * turns, so all of the time that was not spent idle went to one of them or
 * was lost.  It was lost to a rival only if one of them was runnable
 * meanwhile; and part of being runnable is not lost, namely when one of them has
 * woken the next and does not sleep yet.  So: the smaller of the two.
 */
uint32_t
hk_place_loss(uint64_t elapsed_ns, uint64_t idle_ns, const struct hk_place_times *sum)
{
	uint64_t used = idle_ns + sum->pt_run_ns, lost;

	if (elapsed_ns == 0 || used >= elapsed_ns)
		return 0;
	lost = elapsed_ns - used;
	lost = lost < sum->pt_wait_ns ? lost : sum->pt_wait_ns;
	return (uint32_t)(lost * 100 / elapsed_ns);
}

/*
 * The lines "cpuN user nice system idle ..." of /proc/stat: idle time of
 * each, in ticks of 10 ms.  Returns how many lines there were.
 */
uint32_t
hk_place_parse_idle(const char *text, size_t len, uint64_t idle[HK_HOSTCPU_MAX])
{
	const char *p = text, *end = text + len;
	uint32_t n = 0;

	while (end - p > 4 && memcmp(p, "cpu", 3) == 0) {
		uint64_t cpu = HK_HOSTCPU_MAX, v[4] = { 0 };
		const char *q = p + 3;

		if (*q != ' ' && number_at(&q, end, &cpu) && cpu < HK_HOSTCPU_MAX && number_at(&q, end, &v[0]) &&
		    number_at(&q, end, &v[1]) && number_at(&q, end, &v[2]) && number_at(&q, end, &v[3])) {
			idle[cpu] = v[3];
			n++;
		}
		p = memchr(q, '\n', (size_t)(end - q));
		if (p == NULL)
			break;
		p++;
	}
	return n;
}

/*
 * Where to go from `here`: the idlest member of `s` that none of ours has and
 * that was idle for at least half of the time.  HK_HOSTCPU_MAX: nowhere.
 */
uint32_t
hk_place_idlest(const struct hk_cpuset *s, const uint16_t *used, const uint32_t *idle_percent, uint32_t here)
{
	uint32_t best = HK_HOSTCPU_MAX;

	for (uint32_t cpu = 0; cpu < HK_HOSTCPU_MAX; cpu++) {
		if (cpu == here || used[cpu] != 0 || !hk_cpuset_has(s, cpu) || idle_percent[cpu] < IDLE_PERCENT)
			continue;
		if (best == HK_HOSTCPU_MAX || idle_percent[cpu] > idle_percent[best])
			best = cpu;
	}
	return best;
}

/*
 * With nobody idle: who waits w percent of the time shares with w / (100 - w)
 * others.  Is that clearly more than there are for each host CPU?
 */
bool
hk_place_is_overfull(uint32_t wait_percent, uint64_t runnable, uint32_t host_cpus)
{
	uint64_t here, fair;

	if (host_cpus == 0 || wait_percent >= 100)
		return host_cpus != 0;
	here = 10000 / (100 - wait_percent);
	fair = runnable * 100 / host_cpus;
	return here > fair + 60;
}

static size_t
read_text(const char *path, char *buf, size_t len)
{
	long fd = HK_SYS3(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC), got;

	if (fd < 0)
		return 0;
	got = HK_SYS3(SYS_read, fd, buf, len);
	HK_SYS1(SYS_close, fd);
	return got < 0 ? 0 : (size_t)got;
}

static bool
times_of(int32_t pid, int32_t tid, struct hk_place_times *t)
{
	char path[64], text[96];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", pid, tid);
	return hk_place_parse_times(text, read_text(path, text, sizeof(text)), t);
}

/* Runnable threads of the host: the number before the slash of "0.0 0.0 0.0 3/171 999". */
static uint64_t
runnable(void)
{
	char text[64];
	size_t n = read_text("/proc/loadavg", text, sizeof(text) - 1);
	const char *slash, *p;
	uint64_t value = 1;

	text[n] = '\0';
	slash = strchr(text, '/');
	if (slash == NULL)
		return 1;
	for (p = slash; p > text && p[-1] >= '0' && p[-1] <= '9'; p--)
		continue;
	return number_at(&p, slash, &value) ? value : 1;
}

/* [place_lock] What the host CPUs did when last looked at; text is too large for a caller's stack. */
static struct {
	uint64_t	v_ns;
	uint32_t	v_count;
	uint64_t	v_idle[HK_HOSTCPU_MAX];
	uint64_t	v_before[HK_HOSTCPU_MAX];
	uint32_t	v_percent[HK_HOSTCPU_MAX];
	char		v_text[HK_HOSTCPU_MAX * 96];
} view;

/* place_lock.  Look at the host's CPUs; true: v_percent says how idle each was since the last look, not long ago. */
static bool
look(uint64_t now)
{
	uint64_t elapsed = now - view.v_ns;
	size_t n;

	if (view.v_ns != 0 && elapsed < VIEW_MIN_NS)
		return false;
	n = read_text("/proc/stat", view.v_text, sizeof(view.v_text));
	memcpy(view.v_before, view.v_idle, sizeof(view.v_before));
	view.v_count = hk_place_parse_idle(view.v_text, n, view.v_idle);
	if (view.v_count == 0)
		return false;
	view.v_ns = now;
	if (elapsed > VIEW_MAX_NS)
		return false;
	for (uint32_t cpu = 0; cpu < HK_HOSTCPU_MAX; cpu++)
		view.v_percent[cpu] = (uint32_t)((view.v_idle[cpu] - view.v_before[cpu]) * TICK_NS * 100 / elapsed);
	return true;
}

/* A better place for a CPU that waits `percent` of its time; taken already.  HK_HOSTCPU_MAX: stay. */
static uint32_t
better_place(uint32_t here, uint32_t percent, uint64_t now)
{
	uint32_t random = (uint32_t)__builtin_ia32_rdtsc() * 2654435761u >> 8;
	uint32_t to = HK_HOSTCPU_MAX;

	hk_lock(&place_lock);
	if (look(now) && random % 2 == 0) {
		to = hk_place_idlest(&mask, place_used, view.v_percent, here);
		if (to == HK_HOSTCPU_MAX && view.v_count == mask_count &&
		    hk_place_is_overfull(percent, runnable(), mask_count))
			to = hk_place_choose(&mask, place_used, (random >> 1) % HK_HOSTCPU_MAX);
		if (to == here)
			to = HK_HOSTCPU_MAX;
	}
	if (to != HK_HOSTCPU_MAX)
		place_used[to]++;
	hk_unlock(&place_lock);
	return to;
}

/* Add to *sum what thread `tid` did since it was looked at before, if it is the one looked at before. */
static void
add_growth(struct hk_place_seen *seen, int32_t pid, int32_t tid, struct hk_place_times *sum)
{
	struct hk_place_times now;

	if (tid <= 0 || !times_of(pid, tid, &now)) {
		seen->ps_tid = 0;
		return;
	}
	if (seen->ps_tid == tid) {
		sum->pt_run_ns += now.pt_run_ns - seen->ps_times.pt_run_ns;
		sum->pt_wait_ns += now.pt_wait_ns - seen->ps_times.pt_wait_ns;
	}
	seen->ps_tid = tid;
	seen->ps_times = now;
}

/* The CPU's thread, and the threads of the guest that it was in last. */
static struct hk_place_times
growth(struct hk_cpu_rec *c)
{
	hk_space id = atomic_exchange_explicit(&c->c_place_space, HK_NOSPACE, memory_order_relaxed);
	struct hk_place_times sum = { 0, 0 };
	int32_t pid = 0, tid = 0;

	if (id >= 0) {
		pid = atomic_load(&hk_m.m_space[id]->sp_pid);
		tid = pid > 0 ? hk_m.m_space[id]->sp_slot[c->c_index].sl_tid : 0;
	}
	add_growth(&c->c_place_seen[0], hk_m.m_pid, atomic_load(&c->c_hosttid), &sum);
	add_growth(&c->c_place_seen[1], pid, tid, &sum);
	add_growth(&c->c_place_seen[2], pid, pid, &sum);
	return sum;
}

void
hk_place_tick(struct hk_cpu_rec *c)
{
	int32_t here = atomic_load_explicit(&c->c_hostcpu, memory_order_relaxed);
	struct hk_place_times sum;
	uint64_t now, elapsed, idle;
	uint32_t percent, to;
	bool first;

	if (here < 0 || c->c_guestcpu != here)
		return;
	now = hk_clock_mono();
	elapsed = now - c->c_place_seen_ns;
	if (elapsed < LOOK_NS)
		return;
	first = c->c_place_seen[0].ps_tid == 0;
	idle = c->c_idle_ns - c->c_place_idle_ns;
	sum = growth(c);
	c->c_place_seen_ns = now;
	c->c_place_idle_ns = c->c_idle_ns;
	percent = first ? 0 : hk_place_loss(elapsed, idle, &sum);
	if (percent < CROWDED_PERCENT)
		return;
	to = better_place((uint32_t)here, percent, now);
	if (to == HK_HOSTCPU_MAX)
		return;
	settle(c, to);
	leave_place(here);
}
