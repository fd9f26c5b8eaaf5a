/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explore - every interleaving of a few CPUs, under x86's memory model.
 *
 * The code under test is the code that ships: messages, threads, interrupts,
 * the platform's kick and hostkit's sleep, compiled with access.h in place
 * of C11's atomics.  Each CPU is a fiber of one host thread.  It runs until it is
 * about to load a shared word, to lock one, or to make a host call, and
 * comes back here.
 *
 * The model is x86-TSO: a store goes to its CPU's buffer and reaches memory,
 * in order, at any later time; loads look there first; whatever locks, and a
 * host call, waits until the buffer is empty.  So a state has at most two
 * steps for each CPU: run to the next point, or let the oldest store go.
 *
 * A state is everything that the future depends on: tracked memory, buffers,
 * where each CPU stands, and the live part of each stack, byte for byte.
 * From each state all steps are tried, depth first, by putting the bytes
 * back; a state seen before is not entered again (64 bits of hash stand for
 * it: with 10^7 states two share one with a probability of 10^-5).  Waiting
 * loops come back to the same bytes and so end by themselves.  That makes
 * the search exhaustive for a scenario; no schedule is left out.
 *
 * What must hold: the scenario's own checks at every step; where all CPUs sleep nothing is
 * left to do; and from each state some such end can be reached (so nobody waits for ever).
 *
 * Where a step is coarser than the machine, nothing is hidden: an entry goes
 * to memory in one piece, together with the tail that follows it, because no
 * correct reader looks between the two, and an incorrect one is caught
 * reading the old entry.  Plain fields of one CPU change at once.  A CPU's load of a word that only
 * it writes is no point.  Statistics are not compared.
 *
 * Argument `sc` takes the buffers away: a control that a bug which only a missing fence makes
 * is not seen then.
 *
 * The fiber of CPU n runs with %gs:0 = its area, like a CPU of the kernel.
 */
#include <asm/prctl.h>
#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "access.h"
#include "host.h"
#include "world.h"

#define BUFFER		8u		/* stores that wait */
#define TRACKS		96u
#define MAX_STATES	40000000u

void	md_ctx_make(uint64_t *sp, uint64_t stack_top, void (*fn)(void *), void *arg);
void	md_ctx_switch(uint64_t *save_sp, uint64_t load_sp);
size_t	strlcpy(char *to, const char *from, size_t bytes);
int	rt_snprintf(char *to, size_t bytes, const char *fmt, ...);

enum stand { RUNS, LOCKS, SLEEPS, WAITS_BUFFER };	/* WAITS_BUFFER: its store finds no room */

struct store {
	uint64_t	to;
	uint64_t	value[3];
	uint32_t	size;
	uint32_t	more;		/* the next one goes with it */
};

struct vcpu {
	uint64_t	sp;
	enum stand	stand;
	uint32_t	stores;
	uint64_t	word;		/* that it sleeps on */
	struct store	store[BUFFER];
};

static struct vcpu cpu[X_CPUS];
static uint32_t ncpu, running;
static uint64_t explorer_sp;
static uint64_t gs_area[1];		/* what %gs:0 reads */
static const char *failed;
static bool started;
static bool no_buffers;			/* sequentially consistent: what is found only with buffers lacks a fence */

struct hk_machine hk_m;

/* -------------------------------------------------------------- memory -- */

static struct track {
	uint64_t	at;
	uint32_t	bytes;
	enum x_kind	kind;
	uint32_t	owner;
} track[TRACKS];
static uint32_t tracks;
static _Alignas(4096) uint8_t stacks[X_STACKS][X_STACK_BYTES];
static uint32_t stacks_used;

void
x_track(const volatile void *p, size_t bytes, enum x_kind kind, uint32_t owner)
{
	if (tracks == TRACKS)
		abort();
	track[tracks++] = (struct track){ (uint64_t)p, (uint32_t)bytes, kind, owner };
}

void *
x_memory(size_t bytes)
{
	void *p = aligned_alloc(64, (bytes + 63) & ~63ull);

	return p == NULL ? NULL : memset(p, 0, bytes);
}

uint64_t
x_stack(size_t bytes)
{
	if (bytes != X_STACK_BYTES || stacks_used == X_STACKS)
		return 0;
	return (uint64_t)stacks[stacks_used++];
}

static bool
is_point(const volatile void *p)
{
	uint64_t at = (uint64_t)p;

	for (uint32_t i = 0; i < tracks; i++)
		if (at - track[i].at < track[i].bytes)
			return track[i].kind == X_SHARED || (track[i].kind == X_OWNED && track[i].owner != running);
	if (at - (uint64_t)stacks < sizeof stacks)
		return true;
	fprintf(stderr, "explore: access to %#lx, which is not tracked\n", at);
	abort();
}

static uint64_t
get(const volatile void *p, uint32_t size)
{
	uint64_t v = 0;

	memcpy(&v, (const void *)p, size);
	return v;
}

/* ---------------------------------------------------- back to the explorer -- */

_Noreturn void
x_fail(const char *what)
{
	if (!started) {
		fprintf(stderr, "explore: %s\n", what);
		abort();
	}
	failed = what;
	for (;;)
		md_ctx_switch(&cpu[running].sp, explorer_sp);
}

static void
come_back(enum stand stand)
{
	if (!started)
		return;
	cpu[running].stand = stand;
	md_ctx_switch(&cpu[running].sp, explorer_sp);
	cpu[running].stand = RUNS;
}

static const struct store *
buffered(const volatile void *p)
{
	struct vcpu *c = &cpu[running];

	for (uint32_t i = c->stores; i-- > 0;)
		if (c->store[i].to == (uint64_t)p)
			return &c->store[i];
	return NULL;
}

uint64_t
x_load(const volatile void *p, uint32_t size)
{
	const struct store *s = buffered(p);

	if (s != NULL)
		return s->value[0];
	if (started && is_point(p))
		come_back(RUNS);
	return get(p, size);
}

static void
put_store(volatile void *to, const void *value, uint32_t size, uint32_t more)
{
	struct vcpu *c = &cpu[running];

	if (!started) {
		memcpy((void *)to, value, size);
		return;
	}
	if (no_buffers) {
		if (is_point(to))
			come_back(RUNS);
		memcpy((void *)to, value, size);
		return;
	}
	while (c->stores == BUFFER)
		come_back(WAITS_BUFFER);
	c->store[c->stores] = (struct store){ .to = (uint64_t)to, .size = size, .more = more };
	memcpy(c->store[c->stores++].value, value, size);
}

void
x_store(volatile void *p, uint32_t size, uint64_t value)
{
	put_store(p, &value, size, 0);
}

/* A ring's entry: to the ring, or from it. */
void
x_copy(void *to, const void *from, uint32_t size)
{
	for (uint32_t i = 0; i < tracks; i++)
		if ((uint64_t)to - track[i].at < track[i].bytes) {
			put_store(to, from, size, 1);
			return;
		}
	come_back(RUNS);
	memcpy(to, from, size);
}

static void
lock(const volatile void *p)
{
	if (started && (is_point(p) || cpu[running].stores > 0))
		come_back(LOCKS);
}

uint64_t
x_rmw(volatile void *p, uint32_t size, enum x_op op, uint64_t value)
{
	uint64_t was, is;

	lock(p);
	was = get(p, size);
	is = op == X_SET ? value : op == X_ADD ? was + value : op == X_SUB ? was - value :
	    op == X_OR ? was | value : was & value;
	memcpy((void *)p, &is, size);
	return was;
}

bool
x_cas(volatile void *p, uint32_t size, uint64_t *want, uint64_t value)
{
	uint64_t was;

	lock(p);
	was = get(p, size);
	if (was != *want) {
		*want = was;
		return false;
	}
	memcpy((void *)p, &value, size);
	return true;
}

/* The only host calls that matter are those of sleep.  Both are atomic in the host's kernel. */
static long
host_call(long nr, long a0, long a1, long a2, long a3, long a4, long a5)
{
	(void)a3, (void)a4, (void)a5;
	if (nr != SYS_futex)
		return 0;
	come_back(LOCKS);
	if ((a1 & 127) == FUTEX_WAKE) {
		for (uint32_t i = 0; i < ncpu; i++)
			if (cpu[i].stand == SLEEPS && cpu[i].word == (uint64_t)a0)
				cpu[i].stand = RUNS;
		return 0;
	}
	if (get((void *)a0, 4) != (uint32_t)a2)
		return -EAGAIN;
	cpu[running].word = (uint64_t)a0;
	come_back(SLEEPS);
	return 0;
}

static int
no_thread(void *(*entry)(void *), void *arg, uint64_t *handle)
{
	(void)entry, (void)arg, (void)handle;
	return EAGAIN;
}

struct hk_sysops hk_sysops = { .call = host_call, .thread = no_thread };

/* --------------------------------------------------------------- steps -- */

static bool
can_run(const struct vcpu *c)
{
	return c->stand == RUNS || (c->stand == LOCKS && c->stores == 0) ||
	    (c->stand == WAITS_BUFFER && c->stores < BUFFER);
}

static void
flush(struct vcpu *c)
{
	bool more;

	do {
		more = c->store[0].more != 0 && c->stores > 1;
		memcpy((void *)c->store[0].to, c->store[0].value, c->store[0].size);
		memmove(&c->store[0], &c->store[1], --c->stores * sizeof c->store[0]);
	} while (more);
}

/* Step 2n: CPU n runs; 2n + 1: its oldest store goes.  False: not possible now. */
static bool
step(uint32_t which)
{
	struct vcpu *c = &cpu[which / 2];

	if (which % 2 == 1) {
		if (c->stores == 0)
			return false;
		flush(c);
		return true;
	}
	if (!can_run(c))
		return false;
	running = which / 2;
	gs_area[0] = (uint64_t)w_cpu(running);
	md_ctx_switch(&explorer_sp, c->sp);
	return true;
}

/* -------------------------------------------------------------- states -- */

struct shot { uint32_t bytes; uint8_t b[]; };

static uint8_t *scratch, *cursor;

static void
shoot_bytes(const void *p, size_t bytes)
{
	memcpy(cursor, p, bytes);
	cursor += bytes;
}

static uint64_t
stack_low(uint32_t s)
{
	for (uint32_t i = 0; i < ncpu; i++)
		if (cpu[i].sp - (uint64_t)stacks[s] < X_STACK_BYTES)
			return cpu[i].sp;
	return w_thread_sp(s);
}

static uint64_t
stack_end(uint32_t s)
{
	uint64_t end = w_thread_end(s);

	return end != 0 ? end : (uint64_t)stacks[s] + X_STACK_BYTES;
}

/* The state into scratch; its length. */
static uint32_t
shoot(void)
{
	cursor = scratch;
	for (uint32_t i = 0; i < ncpu; i++) {
		shoot_bytes(&cpu[i], offsetof(struct vcpu, store));
		shoot_bytes(cpu[i].store, cpu[i].stores * sizeof cpu[i].store[0]);
	}
	for (uint32_t i = 0; i < tracks; i++)
		if (track[i].kind != X_CONST && track[i].kind != X_STAT)
			shoot_bytes((void *)track[i].at, track[i].bytes);
	for (uint32_t s = 0; s < stacks_used; s++) {
		uint64_t low = stack_low(s);

		shoot_bytes(&low, sizeof low);
		shoot_bytes((void *)low, stack_end(s) - low);
	}
	while ((cursor - scratch) % 8 != 0)
		*cursor++ = 0;
	return (uint32_t)(cursor - scratch);
}

static void
put_back(const struct shot *shot)
{
	const uint8_t *p = shot->b;

	for (uint32_t i = 0; i < ncpu; i++) {
		memcpy(&cpu[i], p, offsetof(struct vcpu, store));
		p += offsetof(struct vcpu, store);
		memcpy(cpu[i].store, p, cpu[i].stores * sizeof cpu[i].store[0]);
		p += cpu[i].stores * sizeof cpu[i].store[0];
	}
	for (uint32_t i = 0; i < tracks; i++)
		if (track[i].kind != X_CONST && track[i].kind != X_STAT) {
			memcpy((void *)track[i].at, p, track[i].bytes);
			p += track[i].bytes;
		}
	for (uint32_t s = 0; s < stacks_used; s++) {
		uint64_t low;

		memcpy(&low, p, sizeof low);
		memcpy((void *)low, p + sizeof low, stack_end(s) - low);
		p += sizeof low + (stack_end(s) - low);
	}
}

static uint64_t
hash(const uint8_t *p, uint32_t bytes)
{
	uint64_t a = 0x9e3779b97f4a7c15ull, b = 0xc2b2ae3d27d4eb4full, w;

	for (uint32_t i = 0; i < bytes; i += 8) {
		unsigned __int128 m;

		memcpy(&w, p + i, 8);
		m = (unsigned __int128)(a ^ w) * (b | 1);
		a = (uint64_t)m ^ (uint64_t)(m >> 64) ^ (w << 23);
		b += 0x2545f4914f6cdd1dull + (w ^ a >> 31);
	}
	a ^= b;
	a *= 0xff51afd7ed558ccdull;
	a ^= a >> 33;
	return a != 0 ? a : 1;
}

/* Hash table of states seen: key and number; grows by doubling. */
static struct { uint64_t key; uint32_t number; } *table;
static uint64_t table_size;
static uint32_t states;

static uint32_t *
slot(uint64_t key)
{
	uint64_t i = key & (table_size - 1);

	while (table[i].key != 0 && table[i].key != key)
		i = (i + 1) & (table_size - 1);
	table[i].key = key;
	return &table[i].number;
}

static void
grow(void)
{
	__typeof__(table) old = table;
	uint64_t n = table_size;

	table_size = n == 0 ? 1u << 16 : n * 2;
	table = calloc(table_size, sizeof *table);
	if (table == NULL)
		abort();
	for (uint64_t i = 0; i < n; i++)
		if (old[i].key != 0)
			*slot(old[i].key) = old[i].number;
	free(old);
}

/* The graph: who reaches whom, to find states from which no end can be reached. */
static struct edge { uint32_t from, to; } *edges;
static uint64_t edges_used, edges_room;
static uint8_t *good;		/* of each state: an end, or one can be reached */
static uint64_t good_room;

static void
add_edge(uint32_t from, uint32_t to)
{
	if (edges_used == edges_room) {
		edges_room = edges_room == 0 ? 1u << 16 : edges_room * 2;
		edges = realloc(edges, edges_room * sizeof *edges);
		if (edges == NULL)
			abort();
	}
	edges[edges_used++] = (struct edge){ from, to };
}

static void
set_good(uint32_t state, uint8_t is)
{
	if (state >= good_room) {
		good_room = good_room == 0 ? 1u << 16 : good_room * 2;
		good = realloc(good, good_room);
		if (good == NULL)
			abort();
	}
	good[state] = is;
}

/* Backwards from the ends.  Some state from which none is reached, or `states`. */
static uint32_t
find_stuck(void)
{
	uint64_t *first = calloc((uint64_t)states + 2, sizeof *first);
	uint32_t *from = malloc((edges_used + 1) * sizeof *from), *todo = malloc(((uint64_t)states + 1) * sizeof *todo);
	uint32_t n = 0, stuck = 0;

	if (first == NULL || from == NULL || todo == NULL)
		abort();
	for (uint64_t i = 0; i < edges_used; i++)
		first[edges[i].to + 1]++;
	for (uint32_t i = 0; i < states; i++)
		first[i + 1] += first[i];
	for (uint64_t i = 0; i < edges_used; i++)
		from[first[edges[i].to]++] = edges[i].from;	/* first[s] ends as the end of s */
	for (uint32_t i = 0; i < states; i++)
		if (good[i])
			todo[n++] = i;
	while (n > 0) {
		uint32_t s = todo[--n];

		for (uint64_t i = s == 0 ? 0 : first[s - 1]; i < first[s]; i++)
			if (!good[from[i]]) {
				good[from[i]] = 1;
				todo[n++] = from[i];
			}
	}
	while (stuck < states && good[stuck])
		stuck++;
	free(first);
	free(from);
	free(todo);
	return stuck;
}

/* -------------------------------------------------------------- search -- */

struct frame { struct shot *shot; uint32_t number, next, live; };
static struct frame *path;
static uint64_t depth, path_room, deepest;

/* The state that is there now: 0 if known, 1 if new (then it is pushed). */
static int
enter(uint32_t from)
{
	uint32_t bytes = shoot(), *number;

	if ((uint64_t)states * 2 >= table_size)
		grow();
	number = slot(hash(scratch, bytes));
	if (*number != 0) {
		add_edge(from, *number - 1);
		return 0;
	}
	*number = ++states;
	set_good(states - 1, 0);
	if (states > 1)
		add_edge(from, states - 1);
	if (depth == path_room) {
		path_room = path_room == 0 ? 4096 : path_room * 2;
		path = realloc(path, path_room * sizeof *path);
		if (path == NULL)
			abort();
	}
	path[depth] = (struct frame){ malloc(sizeof(struct shot) + bytes), states - 1, 0, 0 };
	if (path[depth].shot == NULL)
		abort();
	path[depth].shot->bytes = bytes;
	memcpy(path[depth].shot->b, scratch, bytes);
	if (++depth > deepest)
		deepest = depth;
	return 1;
}

static const char *
search(void)
{
	const char *why;

	enter(0);
	while (depth > 0) {
		struct frame *f = &path[depth - 1];

		if (f->next == 2 * ncpu) {
			if (f->live == 0) {
				put_back(f->shot);
				if ((why = w_unfinished()) != NULL)
					return why;
				set_good(f->number, 1);
			}
			free(f->shot);
			depth--;
			continue;
		}
		put_back(f->shot);
		if (!step(f->next++))
			continue;
		f->live = 1;
		if (failed != NULL)
			return failed;
		if ((why = w_wrong()) != NULL)
			return why;
		if (states == MAX_STATES)
			return "more states than this machine can hold";
		enter(f->number);
	}
	return find_stuck() < states ? "some CPU waits for ever" : NULL;
}

static void
make_cpus(uint32_t scenario)
{
	uint64_t top[X_CPUS];

	ncpu = w_scenario(scenario)->ncpu;
	hk_m.m_ncpu = ncpu;
	w_boot(scenario, top);
	if (syscall(SYS_arch_prctl, ARCH_SET_GS, gs_area) != 0)
		abort();
	gs_area[0] = (uint64_t)w_cpu(0);
	w_boot_threads();
	for (uint32_t i = 0; i < ncpu; i++) {
		struct hk_cpu_rec *c = &hk_m.m_cpu[i];

		*(uint64_t *)&c->c_mailbox = (uint64_t)w_cpu(i) + 8;	/* struct md_percpu */
		x_track(&c->c_mailbox, sizeof c->c_mailbox, X_CONST, 0);
		x_track(&c->c_wait, sizeof c->c_wait, X_SHARED, 0);
		md_ctx_make(&cpu[i].sp, top[i], w_main, (void *)(uint64_t)i);
	}
}

/* The code under test has called or touched what is not there: a bug, too. */
static void
on_crash(int signo)
{
	static const char text[] = "the code under test crashed\n";

	(void)signo;
	_exit(write(1, text, sizeof text - 1) > 0 ? 1 : 2);
}

static void
catch_crashes(void)
{
	struct sigaction sa = { .sa_handler = on_crash, .sa_flags = SA_ONSTACK };
	stack_t ss = { .ss_size = 65536, .ss_sp = malloc(65536) };

	if (ss.ss_sp == NULL || sigaltstack(&ss, NULL) != 0 || sigaction(SIGSEGV, &sa, NULL) != 0)
		abort();
}

/* explore SCENARIO [sc]: status 0: nothing found, 1: something, 9: no such scenario. */
int
main(int argc, char **argv)
{
	const struct x_scenario *s;
	uint32_t n = argc > 1 ? (uint32_t)atoi(argv[1]) : 0;
	const char *why;

	no_buffers = argc > 2 && strcmp(argv[2], "sc") == 0;
	s = w_scenario(n);
	if (s == NULL)
		return 9;
	scratch = malloc(2 * sizeof stacks);
	if (scratch == NULL)
		return 2;
	make_cpus(n);
	catch_crashes();
	started = true;
	why = search();
	printf("%s: %u states, %lu steps, path %lu: %s\n", s->name, states, edges_used, deepest, why ? why : "ok");
	return why != NULL;
}

/* ------------------------------------------- what the library also has -- */

_Noreturn void
hk_assert_failed(const char *file, int line, const char *what)
{
	(void)file;
	(void)line;
	x_fail(what);
}

size_t
strlcpy(char *to, const char *from, size_t bytes)
{
	return (size_t)snprintf(to, bytes, "%s", from);
}

int
rt_snprintf(char *to, size_t bytes, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(to, bytes, fmt, ap);
	va_end(ap);
	return n;
}

/* Time stands still: it would make every state a new one. */
int	x_clock(clockid_t id, struct timespec *ts);
int
x_clock(clockid_t id, struct timespec *ts)
{
	(void)id;
	ts->tv_sec = ts->tv_nsec = 0;
	return 0;
}

/* Not on any path that is explored. */
void
hk_emergency(const char *text, size_t len)
{
	(void)len;
	x_fail(text);
}

void
hk_entropy(void *buf, size_t len)
{
	(void)buf;
	(void)len;
	x_fail("chance is no part of a state");
}

uint32_t
hk_signals(void)
{
	return 0;
}

void	hk_stack_enter(uint64_t top, void (*entry)(void *), void *arg, uint64_t *saved);
_Noreturn void hk_stack_leave(uint64_t saved);
void
hk_stack_enter(uint64_t top, void (*entry)(void *), void *arg, uint64_t *saved)
{
	(void)top;
	(void)saved;
	entry(arg);
}

_Noreturn void
hk_stack_leave(uint64_t saved)
{
	(void)saved;
	x_fail("a CPU was stopped");
}

void
hk_place_tick(struct hk_cpu_rec *c)
{
	(void)c;
}

void hk_place_start(struct hk_cpu_rec *c) { (void)c; }
void hk_place_stop(struct hk_cpu_rec *c) { (void)c; }
void hk_stream_cook(void) { }
void hk_lock(struct hk_lock *l) { (void)l; }
void hk_unlock(struct hk_lock *l) { (void)l; }

void
hk_futex_wake(_Atomic uint32_t *word, int count)
{
	(void)word;
	(void)count;
	x_fail("a CPU with no guest waits for one");
}

hk_result
hk_fail_host(const char *what, long minus_errno)
{
	(void)what;
	(void)minus_errno;
	return HK_HOST;
}
