/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * watchdog - a guest that does not leave when told to is killed, and a CPU
 * that does not look at its mailbox is told of
 *
 * A guest thread cannot block the kick, but it can jump into its stub with
 * any registers it likes, or have a second thread rewrite the slot at the
 * wrong moment.  So a kick that is not answered is watched.
 *
 * What counts is never the clock on the wall.  A guest that runs is judged by
 * the CPU time of its thread since the kick was first seen here; a guest that
 * sleeps, which an honest one does not do while kicked, by the heartbeats of
 * this file during which it slept.  A guest that waits for a host CPU is
 * innocent, and while this process is stopped nothing is counted at all.  The
 * same holds for a thread that is being born or taken back (hk_slot_wait).
 * A host that is a virtual machine itself may charge a thread with what was
 * stolen from it; so what counts for one heartbeat has a limit.
 *
 * A CPU is judged likewise.  When one has used some CPU time all are asked,
 * by a bit that means nothing, and one that takes it lives.  Who does not,
 * and goes on using time, either is stuck or spins for somebody who is; or for
 * somebody whom the host does not let run, and who therefore uses none.  So
 * nothing is said before all that have not answered have used enough.  Who
 * gives way again and again (hk_yield) is known to wait, may get next to no
 * time, and counts only when nobody else is left.  What counts for one
 * heartbeat has a limit: clocks that jump prove nothing.
 *
 * Locking: main thread only; what it reads of others is atomic.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <sys/syscall.h>
#include "hk_int.h"
#include "host.h"
#include "hk_stub.h"

#define BEAT_NS		1000000000ull
#define BEAT_FAST_NS	100000000ull
#define BEAT_BUSY_NS	150000000ull	/* while a guest computes without a stop */
#define CPU_MAX_NS	300000000ull
#define CPU_CREDIT_NS	100000000ull	/* of one look: clocks that jump prove nothing */
#define USER_HZ		100u		/* ticks of /proc in a second */
#define ASLEEP_MAX_NS	5000000000ull
#define ASK_NS		500000000ull	/* used by a CPU, of which it is not known that it lives */
#define STUCK_NS	1000000000ull	/* used by a CPU that was asked */
#define CREDIT_NS	250000000ull	/* of one heartbeat */

/* The host's encoding of "CPU time of process, or thread, id". */
#define CLOCK_OF_PROCESS(id)	((long)(~(unsigned long)(id) << 3 | 2))
#define CLOCK_OF_THREAD(id)	((long)(~(unsigned long)(id) << 3 | 6))

static uint64_t
cpu_time(long clock)
{
	struct timespec ts;

	if (HK_SYS2(SYS_clock_gettime, clock, &ts) < 0)
		return 0;
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t
hk_space_time(hk_space id)
{
	struct hk_space_rec *sp = hk_space_rec(id);

	ASSERT(sp != NULL);
	return cpu_time(CLOCK_OF_PROCESS(atomic_load(&sp->sp_pid)));
}

/* A thread of a stub, as the host sees it. */
struct task {
	char		t_state;	/* 'S': sleeps; not one that runs, could run, is stopped or traced */
	uint64_t	t_cpu_ns;	/* by ticks of 10 ms */
};

static bool
look_at_task(int32_t pid, int32_t tid, struct task *out)
{
	char text[256], state;
	const char *p;
	unsigned long user, sys;
	long fd, n;

	snprintf(text, sizeof text, "/proc/%d/task/%d/stat", pid, tid);
	fd = HK_SYS4(SYS_openat, AT_FDCWD, text, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return false;
	n = HK_SYS3(SYS_read, fd, text, sizeof text - 1);
	(void)HK_SYS1(SYS_close, fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	p = strrchr(text, ')');
	if (p == NULL || sscanf(p + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &state,
	    &user, &sys) != 3)
		return false;
	out->t_state = state;
	out->t_cpu_ns = (user + sys) * (1000000000ull / USER_HZ);
	return true;
}

bool
hk_suspect_count(struct hk_suspect *q, char state, uint64_t cpu_ns, uint64_t since_ns)
{
	uint64_t used = q->q_seen && cpu_ns > q->q_cpu_ns ? cpu_ns - q->q_cpu_ns : 0;

	if (q->q_seen && state == 'S')
		q->q_asleep_ns += since_ns;
	q->q_used_ns += used < CPU_CREDIT_NS ? used : CPU_CREDIT_NS;
	q->q_cpu_ns = cpu_ns;
	q->q_seen = true;
	return q->q_used_ns >= CPU_MAX_NS || q->q_asleep_ns >= ASLEEP_MAX_NS;
}

/*
 * Only the thread itself is judged: others of the stub may run while this one waits for a host CPU.  Where
 * the host does not show its threads (no /proc), they are taken to sleep.
 */
bool
hk_is_guilty(struct hk_suspect *q, int32_t pid, int32_t tid, uint64_t since_ns)
{
	struct task t = { .t_state = 'S', .t_cpu_ns = q->q_cpu_ns };

	(void)look_at_task(pid, tid, &t);
	return hk_suspect_count(q, t.t_state, t.t_cpu_ns, since_ns);
}

/* The kick `kick` of this CPU's guest is not answered yet. */
static void
watch_kick(struct hk_cpu_rec *c, struct hk_space_rec *sp, uint32_t cpu, uint32_t kick)
{
	struct hk_slot *s = hk_slot_of(sp, cpu);
	const int32_t pid = atomic_load(&sp->sp_pid), tid = sp->sp_slot[cpu].sl_tid;
	bool guilty;

	if (atomic_load(&s->s_state) == ST_STOPPED) {
		/* Answered; the CPU's thread has not run yet, or was not woken. */
		atomic_store(&s->s_vksleep, 0);
		hk_futex_wake(&s->s_vksleep, 1);
		return;
	}
	if (c->w_kick != kick) {
		c->w_kick = kick;
		c->w_suspect = (struct hk_suspect){ .q_seen = false };
	}
	guilty = hk_is_guilty(&c->w_suspect, pid, tid, BEAT_FAST_NS);
	/* It may have answered while this thread did not run, and computed since. */
	if (atomic_load(&c->c_kick) != kick)
		return;
	if (guilty) {
		hk_space_kill(sp);
		return;
	}
	if (c->w_suspect.q_asleep_ns > 0) {
		atomic_store(&s->s_kreq, 1);
		(void)HK_SYS3(SYS_tgkill, pid, tid, STUB_SIG_KICK);
	}
}

/* A guest that has not stopped since the last heartbeat: its CPU's thread may want to judge its place. */
static bool
watch_computing(struct hk_cpu_rec *c, _Atomic uint32_t *word)
{
	uint32_t runs = atomic_load_explicit(&c->c_place_runs, memory_order_relaxed);

	if (runs != c->w_runs) {
		c->w_runs = runs;
		return false;
	}
	atomic_store(word, 0);
	hk_futex_wake(word, 1);
	return true;
}

/* Watch one CPU.  Returns after how long it should be looked at again. */
static uint64_t
watch_cpu(struct hk_cpu_rec *c, uint32_t cpu)
{
	const int32_t id = atomic_load(&c->c_space);
	const uint32_t kick = atomic_load(&c->c_kick);
	_Atomic uint32_t *word = atomic_load(&c->c_wait);
	struct hk_space_rec *sp;

	if (id < 0 || word == NULL) {
		c->w_kick = 0;
		return BEAT_NS;
	}
	sp = hk_m.m_space[id];
	if (kick != 0) {
		watch_kick(c, sp, cpu, kick);
		return BEAT_FAST_NS;
	}
	c->w_kick = 0;
	if (atomic_load(c->c_mailbox) == 0)
		return watch_computing(c, word) ? BEAT_BUSY_NS : BEAT_NS;
	/* Mail, but no kick: its thread has not run yet, or its guest spoilt the word that it sleeps on. */
	atomic_store(word, 0);
	hk_futex_wake(word, 1);
	return BEAT_FAST_NS;
}

/* What the CPU has used since the last heartbeat, as far as it counts. */
static void
count_use(struct hk_cpu_rec *c)
{
	uint64_t now = cpu_time(CLOCK_OF_THREAD(atomic_load(&c->c_hosttid))), used = now - c->w_own_ns;

	if (c->w_asked && (atomic_load(c->c_mailbox) & HK_BIT_BEAT) == 0) {
		c->w_asked = false;
		c->w_used_ns = 0;
	}
	if (now > c->w_own_ns)
		c->w_used_ns += used < CREDIT_NS ? used : CREDIT_NS;
	c->w_own_ns = now;
}

static void
ask_all(void)
{
	for (uint32_t cpu = 0; cpu < hk_m.m_ncpu; cpu++) {
		struct hk_cpu_rec *c = &hk_m.m_cpu[cpu];

		if (c->w_asked || atomic_load(&c->c_state) != HK_CPU_RUNNING)
			continue;
		c->w_asked = true;
		c->w_used_ns = 0;
		hk_post(cpu, HK_BIT_BEAT);
	}
}

/* Has it given way since the last heartbeat? */
static bool
is_waiting(struct hk_cpu_rec *c)
{
	uint32_t yields = atomic_load_explicit(&c->c_yields, memory_order_relaxed);
	bool waits = yields != c->w_yields;

	c->w_yields = yields;
	return waits;
}

/* Do the CPUs live?  Returns after how long they should be looked at again. */
static uint64_t
watch_mail(void)
{
	static bool told;
	uint32_t asked[2] = { 0, 0 }, stuck[2] = { 0, 0 };	/* of those that wait, and the others */
	struct hk_cpu_rec *who[2] = { NULL, NULL };
	bool doubt = false, any;

	if (atomic_load(&hk_m.m_on_stuck) == NULL)
		return BEAT_NS;
	for (uint32_t cpu = 0; cpu < hk_m.m_ncpu; cpu++) {
		struct hk_cpu_rec *c = &hk_m.m_cpu[cpu];
		bool active;

		if (atomic_load(&c->c_state) != HK_CPU_RUNNING)
			continue;
		count_use(c);
		active = !is_waiting(c);
		doubt |= !c->w_asked && c->w_used_ns > ASK_NS;
		asked[active] += c->w_asked;
		if (c->w_asked && c->w_used_ns > STUCK_NS) {
			stuck[active]++;
			who[active] = c;
		}
	}
	if (doubt)
		ask_all();
	any = asked[1] > 0;		/* judge those; or who waits, if there is nobody else */
	if (asked[0] + asked[1] == 0)
		told = false;
	else if (stuck[any] == asked[any] && !told) {
		told = true;
		hk_cpu_tell_stuck(who[any]);
	}
	return asked[0] + asked[1] > 0 || doubt ? BEAT_FAST_NS : BEAT_NS;
}

uint64_t
hk_watchdog(void)
{
	uint64_t next = watch_mail();
	uint32_t cpu;

	hk_cpu_sample_rates();
	for (cpu = 0; cpu < hk_m.m_ncpu; cpu++) {
		uint64_t wish = watch_cpu(&hk_m.m_cpu[cpu], cpu);

		next = wish < next ? wish : next;
	}
	return next;
}
