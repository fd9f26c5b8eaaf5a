/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace - vkernel trace: the events of a kernel that runs, and samples of what it does, read from its rings
 * and written down in order.
 *
 * The kernel is not stopped and, for events, does not know of it.  Each ring is copied every few
 * milliseconds; what was overwritten meanwhile is counted and told (abi/ktr.h says what of a copy is good).
 * Who wants to lose nothing gives the kernel larger rings: -a ktr=N.
 *
 * Order: events of one CPU are in order.  Those of several are merged by their stamps; what a CPU may still
 * put, it puts with a later stamp than its last, so nothing later than the least of those is written, unless
 * that CPU has been silent for LATE_NS.  A CPU that its host does not run for so long between the stamp and
 * the store makes an event that comes late; it is written where it comes.
 *
 * Samples are another set of rings, into which the kernel puts something only while it is asked to, by a word
 * that is written into its memory (abi/debug.h): that word is all that is ever changed there.
 *
 * Time: stamps are counts of the host's time stamp counter, which this process can read as well, or in
 * deterministic mode the kernel's nanoseconds.
 */
#include "trace.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "../launch/launch.h"

#define ERROR_STATUS	125
#define CPUS_LIMIT	4096u
#define EVENTS_LIMIT	(1u << 24)	/* of a ring that is believed */
#define POLL_NS		2000000l
#define MEASURE_NS	50000000l	/* of the stamp's rate */
#define LATE_NS		1000000000ull
#define WRITERS_MAX	4u
#define HZ		99u		/* samples of a CPU in a second: not in step with a clock of 100 */
#define HZ_MAX		10000u

/*
 * One CPU: what has been copied and not yet written is q_ev[q_head .. q_tail).  KTR_NONE stands for ke_b
 * events that were lost.
 */
struct queue {
	uint64_t	q_ring, q_events;	/* addresses there */
	uint64_t	q_size;			/* events in the ring */
	uint64_t	q_next;			/* number of the next event to copy */
	uint64_t	q_last;			/* stamp of the last one copied */
	uint64_t	q_number;		/* of q_ev[q_head] */
	struct ktr_event *q_ev;
	size_t		q_head, q_tail, q_room;
};

/* Stamps and nanoseconds that belong together, and how many stamps there are in 2^32 ns. */
struct rate {
	uint64_t	r_stamp, r_ns;
	double		r_ns_per_stamp;
};

struct tracer {
	struct target	t;
	struct rate	rate;
	uint32_t	ncpu;
	struct queue	*q, *s;			/* of events, of samples */
	bool		want_events, want_samples;
	struct writer	w[WRITERS_MAX];
	uint32_t	nw;
	uint64_t	events, lost, samples, samples_lost;
};

static volatile sig_atomic_t interrupted;

static void
interrupt(int signo)
{
	(void)signo;
	interrupted = 1;
}

/* ---------------------------------------------------------------- time -- */

static uint64_t
mono_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Of some pairs the one whose two halves lie closest to each other. */
static void
pair(uint64_t *stamp, uint64_t *ns)
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < 32; i++) {
		uint64_t before = __rdtsc(), now = mono_now(), width = __rdtsc() - before;

		if (width < best) {
			best = width;
			*stamp = before + width / 2;
			*ns = now;
		}
	}
}

static void
measure(struct tracer *tr)
{
	struct rate *r = &tr->rate;
	uint64_t stamp, ns;
	bool is_ns = false;

	(void)target_read(&tr->t, tr->t.t_table.dt_stamp_is_ns, &is_ns, sizeof is_ns);
	if (is_ns) {
		r->r_ns_per_stamp = 1;
		return;
	}
	pair(&r->r_stamp, &r->r_ns);
	nanosleep(&(struct timespec){ .tv_nsec = MEASURE_NS }, NULL);
	pair(&stamp, &ns);
	r->r_ns_per_stamp = (double)(ns - r->r_ns) / (double)(stamp - r->r_stamp);
}

static uint64_t
ns_of(const struct tracer *tr, uint64_t stamp)
{
	const struct rate *r = &tr->rate;

	if (r->r_stamp == 0)
		return stamp;
	return r->r_ns + (uint64_t)(int64_t)((double)(int64_t)(stamp - r->r_stamp) * r->r_ns_per_stamp);
}

/* ------------------------------------------------------------- reading -- */

/* The ring that a pointer in the kernel names, if there is one already. */
static bool
ring_find(const struct tracer *tr, struct queue *q, uint64_t pointer)
{
	struct ktr_ring head;
	uint64_t ring;

	if (!target_read(&tr->t, pointer, &ring, sizeof ring))
		return false;
	if (ring == q->q_ring)
		return true;
	if (!target_read(&tr->t, ring, &head, sizeof head) || head.kr_mask >= EVENTS_LIMIT ||
	    (head.kr_mask & (head.kr_mask + 1)) != 0)
		return false;
	q->q_ring = ring;
	q->q_events = (uint64_t)(uintptr_t)head.kr_event;
	q->q_size = head.kr_mask + 1ul;
	return true;
}

static struct queue *
queues_grow(struct queue *q, uint32_t from, uint32_t to)
{
	q = realloc(q, to * sizeof *q);
	if (q == NULL)
		abort();
	memset(q + from, 0, (to - from) * sizeof *q);
	return q;
}

/* A kernel that boots gives its CPUs their rings; the first has a small one before, whose events move. */
static bool
rings_find(struct tracer *tr)
{
	const struct debug_table *dt = &tr->t.t_table;
	uint32_t n;

	if (!target_read(&tr->t, dt->dt_cpu_count, &n, sizeof n) || n > CPUS_LIMIT)
		return false;
	if (n > tr->ncpu) {
		tr->q = queues_grow(tr->q, tr->ncpu, n);
		tr->s = queues_grow(tr->s, tr->ncpu, n);
		tr->ncpu = n;
	}
	for (uint32_t i = 0; i < n; i++) {
		uint64_t cpu;

		if (!target_read(&tr->t, dt->dt_cpus + 8ul * i, &cpu, sizeof cpu) ||
		    !ring_find(tr, &tr->q[i], cpu + dt->dt_c_ktr) ||
		    !ring_find(tr, &tr->s[i], cpu + dt->dt_c_samples))
			return false;
	}
	return true;
}

/* The first event that is still whole. */
static uint64_t
oldest(const struct queue *q, uint64_t next)
{
	return next > q->q_size - 1 ? next - (q->q_size - 1) : 0;
}

static void
make_room(struct queue *q, size_t n)
{
	if (q->q_head > 0) {
		memmove(q->q_ev, q->q_ev + q->q_head, (q->q_tail - q->q_head) * sizeof q->q_ev[0]);
		q->q_tail -= q->q_head;
		q->q_head = 0;
	}
	if (q->q_tail + n <= q->q_room)
		return;
	q->q_room = 2 * (q->q_tail + n);
	q->q_ev = realloc(q->q_ev, q->q_room * sizeof q->q_ev[0]);
	if (q->q_ev == NULL)
		abort();
}

static bool
next_of(const struct tracer *tr, const struct queue *q, uint64_t *out)
{
	return target_read(&tr->t, q->q_ring + offsetof(struct ktr_ring, kr_next), out, sizeof *out);
}

/* Copy [from, end), which may go round the ring's end, to the queue's tail. */
static bool
copy(const struct tracer *tr, struct queue *q, uint64_t from, uint64_t end)
{
	struct ktr_event *to = q->q_ev + q->q_tail;

	while (from < end) {
		uint64_t at = from % q->q_size, n = q->q_size - at < end - from ? q->q_size - at : end - from;

		if (!target_read(&tr->t, q->q_events + at * sizeof *to, to, n * sizeof *to))
			return false;
		to += n;
		from += n;
	}
	return true;
}

/* False: the kernel is gone. */
static bool
ring_read(const struct tracer *tr, struct queue *q)
{
	uint64_t end, after, from, good;
	struct ktr_event *to;

	if (q->q_ring == 0)
		return true;
	if (!next_of(tr, q, &end))
		return false;
	if (end == q->q_next)
		return true;
	from = q->q_next > oldest(q, end) ? q->q_next : oldest(q, end);
	make_room(q, end - from + 1);
	if (!copy(tr, q, from, end) || !next_of(tr, q, &after))
		return false;
	good = oldest(q, after) > from ? oldest(q, after) : from;
	good = good < end ? good : end;
	to = q->q_ev + q->q_tail;
	if (good > q->q_next) {
		memmove(to + 1, to + (good - from), (end - good) * sizeof *to);
		*to++ = (struct ktr_event){ .ke_stamp = q->q_last, .ke_b = good - q->q_next };
	}
	q->q_tail = (size_t)(to - q->q_ev) + (end - good);
	if (q->q_tail > q->q_head)
		q->q_last = q->q_ev[q->q_tail - 1].ke_stamp;
	q->q_next = end;
	return true;
}

static bool
rings_read(struct tracer *tr)
{
	bool there = rings_find(tr);

	for (uint32_t i = 0; i < tr->ncpu; i++) {
		if (tr->want_events)
			there = ring_read(tr, &tr->q[i]) && there;
		if (tr->want_samples)
			there = ring_read(tr, &tr->s[i]) && there;
	}
	return there;
}

/* Ask for so many samples in a second; 0: no more.  False: the kernel is gone. */
static bool
sampling(const struct tracer *tr, uint32_t hz)
{
	uint64_t to_hz = tr->t.t_table.dt_sample + offsetof(struct debug_sample, ds_hz);
	uint64_t to_session = tr->t.t_table.dt_sample + offsetof(struct debug_sample, ds_session);
	uint32_t session = (uint32_t)mono_now();

	return (hz == 0 || target_write(&tr->t, to_session, &session, sizeof session)) &&
	    target_write(&tr->t, to_hz, &hz, sizeof hz);
}

/* ------------------------------------------------------------- writing -- */

static void
write_one(struct tracer *tr, uint32_t cpu)
{
	struct queue *q = &tr->q[cpu];
	struct event e = { .ev_cpu = cpu, .ev_number = q->q_number, .ev = q->q_ev[q->q_head++] };

	e.ev_ns = ns_of(tr, e.ev.ke_stamp);
	if (e.ev.ke_type == KTR_NONE) {
		q->q_number += e.ev.ke_b;
		tr->lost += e.ev.ke_b;
	} else {
		q->q_number++;
		tr->events++;
	}
	for (uint32_t i = 0; i < tr->nw; i++) {
		struct writer *w = &tr->w[i];

		if (w->w_event == NULL)
			continue;
		if (e.ev.ke_type == KTR_NONE)
			w->w_lost(w, cpu, e.ev.ke_b, e.ev_ns);
		else
			w->w_event(w, &e);
	}
}

/* Write what no CPU can put anything before any more; `all`: everything. */
static void
write_ready(struct tracer *tr, uint64_t silent, bool all)
{
	uint64_t least = UINT64_MAX;

	for (uint32_t i = 0; i < tr->ncpu && !all; i++)
		least = tr->q[i].q_last < least ? tr->q[i].q_last : least;
	if (!all && least < silent)
		least = silent;
	for (;;) {
		uint32_t best = tr->ncpu;

		for (uint32_t i = 0; i < tr->ncpu; i++) {
			const struct queue *q = &tr->q[i];

			if (q->q_head < q->q_tail && (best == tr->ncpu || q->q_ev[q->q_head].ke_stamp <
			    tr->q[best].q_ev[tr->q[best].q_head].ke_stamp))
				best = i;
		}
		if (best == tr->ncpu || tr->q[best].q_ev[tr->q[best].q_head].ke_stamp > least)
			return;
		write_one(tr, best);
	}
}

/* Of each CPU as they come. */
static void
write_samples(struct tracer *tr)
{
	for (uint32_t cpu = 0; cpu < tr->ncpu; cpu++) {
		struct queue *q = &tr->s[cpu];

		while (q->q_head < q->q_tail) {
			const struct ktr_event *e = &q->q_ev[q->q_head++];

			tr->samples += e->ke_type == SAMPLE_TAKEN;
			tr->samples_lost += e->ke_type == SAMPLE_NONE ? e->ke_b : 0;
			for (uint32_t i = 0; i < tr->nw; i++)
				if (tr->w[i].w_sample != NULL)
					tr->w[i].w_sample(&tr->w[i], cpu, e);
		}
	}
}

/* Until `until` (CLOCK_MONOTONIC, ns), an interrupt or the kernel's end. */
static void
record(struct tracer *tr, uint64_t until)
{
	bool there = true;

	while (there && !interrupted && mono_now() < until) {
		uint64_t late = (uint64_t)((double)LATE_NS / tr->rate.r_ns_per_stamp);
		uint64_t now = tr->rate.r_stamp != 0 ? __rdtsc() : UINT64_MAX;

		there = rings_read(tr);
		write_ready(tr, now != UINT64_MAX && now > late ? now - late : 0, false);
		write_samples(tr);
		for (uint32_t i = 0; i < tr->nw; i++)
			if (tr->w[i].w_file == stdout)
				fflush(stdout);
		if (there)
			nanosleep(&(struct timespec){ .tv_nsec = POLL_NS }, NULL);
	}
	if (tr->want_samples)
		sampling(tr, 0);
	(void)rings_read(tr);
	write_ready(tr, 0, true);
	write_samples(tr);
}

/* ---------------------------------------------------------------- main -- */

static bool
ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && strcmp(text + n - m, end) == 0;
}

/* A file's name says what is written to it. */
static bool
writer_open(struct tracer *tr, const char *name, const struct symbols *symbols)
{
	struct writer *w = &tr->w[tr->nw];

	if (tr->nw == WRITERS_MAX) {
		say_error(NULL, "trace: more than %u files", WRITERS_MAX);
		return false;
	}
	*w = (struct writer){ .w_target = &tr->t, .w_symbols = symbols };
	w->w_file = strcmp(name, "-") == 0 ? stdout : fopen(name, "we");
	if (w->w_file == NULL) {
		say_error(NULL, "%s: %s", name, strerror(errno));
		return false;
	}
	if (ends_with(name, ".pftrace") || ends_with(name, ".perfetto-trace"))
		perfetto_writer(w);
	else if (ends_with(name, ".folded"))
		folded_writer(w);
	else
		text_writer(w);
	w->w_begin(w);
	tr->want_events |= w->w_event != NULL;
	tr->want_samples |= w->w_sample != NULL;
	tr->nw++;
	return true;
}

static bool
writers_close(struct tracer *tr)
{
	bool good = true;

	for (uint32_t i = 0; i < tr->nw; i++) {
		struct writer *w = &tr->w[i];

		w->w_end(w);
		if (ferror(w->w_file) | (w->w_file == stdout ? fflush(stdout) : fclose(w->w_file))) {
			say_error(NULL, "trace: not all could be written: %s", strerror(errno));
			good = false;
		}
	}
	return good;
}

static const char usage[] = "vkernel trace [ID] [--for=SECONDS] [--last|--all] [--hz=N] [-q]"
    " [-o FILE[.pftrace|.folded]]...";

struct wish {
	const char	*id;
	uint64_t	for_ns;
	uint32_t	hz;
	bool		last, all;		/* what the rings have, and no more; and what comes */
	bool		quiet;
	const char	*file[WRITERS_MAX];
	uint32_t	files;
};

static bool
wish_read(struct wish *x, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		double s;
		char *end;

		if (strcmp(argv[i], "--last") == 0) {
			x->last = true;
		} else if (strcmp(argv[i], "-q") == 0) {
			x->quiet = true;
		} else if (strcmp(argv[i], "--all") == 0) {
			x->all = true;
		} else if (strncmp(argv[i], "--for=", 6) == 0) {
			s = strtod(argv[i] + 6, &end);
			if (end == argv[i] + 6 || *end != '\0' || !(s > 0 && s < 1e9))
				return false;
			x->for_ns = (uint64_t)(s * 1e9);
		} else if (strncmp(argv[i], "--hz=", 5) == 0) {
			s = strtod(argv[i] + 5, &end);
			if (end == argv[i] + 5 || *end != '\0' || !(s >= 1 && s <= HZ_MAX))
				return false;
			x->hz = (uint32_t)s;
		} else if (strcmp(argv[i], "-o") == 0 && i + 1 < argc && x->files < WRITERS_MAX) {
			x->file[x->files++] = argv[++i];
		} else if (argv[i][0] != '-' && x->id == NULL) {
			x->id = argv[i];
		} else {
			return false;
		}
	}
	if (x->files == 0)
		x->file[x->files++] = "-";
	return true;
}

int
trace_main(int argc, char **argv)
{
	static struct tracer tr;
	struct wish x = { .for_ns = UINT64_MAX / 2, .hz = HZ };
	struct sigaction sa = { .sa_handler = interrupt };
	struct symbols *symbols;
	sigset_t term;
	char exe[32];
	pid_t pid;
	bool good;

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_UNBLOCK, &term, NULL);	/* who started us may have blocked it until now */
	if (!wish_read(&x, argc, argv)) {
		say_error(usage, "trace: not like that");
		return ERROR_STATUS;
	}
	if (!look_find(x.id, &pid) || !target_open(&tr.t, pid))
		return ERROR_STATUS;
	measure(&tr);
	if (!rings_find(&tr)) {
		say_error(NULL, "%d: its events cannot be found", pid);
		return ERROR_STATUS;
	}
	for (uint32_t i = 0; i < tr.ncpu; i++) {
		struct queue *q = &tr.q[i];

		if (!next_of(&tr, q, &q->q_next))
			q->q_next = 0;
		if (x.last || x.all)
			q->q_next = oldest(q, q->q_next);
		q->q_number = q->q_next;
		if (tr.s[i].q_ring == 0 || !next_of(&tr, &tr.s[i], &tr.s[i].q_next))
			tr.s[i].q_next = 0;
	}
	(void)target_list(&tr.t);		/* names, as far as they go */
	snprintf(exe, sizeof exe, "/proc/%d/exe", pid);
	symbols = symbols_read(exe);
	for (uint32_t i = 0; i < x.files; i++)
		if (!writer_open(&tr, x.file[i], symbols))
			return ERROR_STATUS;
	if (tr.want_samples && (tr.rate.r_stamp == 0 || !sampling(&tr, x.hz))) {
		say_error(NULL, tr.rate.r_stamp == 0 ? "%d: a deterministic kernel cannot be sampled" :
		    "%d: cannot be told to take samples", pid);
		return ERROR_STATUS;
	}
	record(&tr, x.last ? 0 : mono_now() + x.for_ns);
	good = writers_close(&tr);
	if (tr.want_events && (!x.quiet || tr.lost > 0))
		fprintf(stderr, "vkernel: %llu events, %llu lost\n", (unsigned long long)tr.events,
		    (unsigned long long)tr.lost);
	if (tr.want_samples && (!x.quiet || tr.samples_lost > 0))
		fprintf(stderr, "vkernel: %llu samples, %llu pieces lost\n", (unsigned long long)tr.samples,
		    (unsigned long long)tr.samples_lost);
	for (uint32_t i = 0; i < tr.ncpu; i++) {
		free(tr.q[i].q_ev);
		free(tr.s[i].q_ev);
	}
	free(tr.q);
	free(tr.s);
	symbols_free(symbols);
	target_close(&tr.t);
	return good ? 0 : ERROR_STATUS;
}
