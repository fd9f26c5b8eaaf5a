/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * perfetto - events as a trace of Perfetto: TracePackets in protobuf's wire format.
 *
 * What a thread does to the scheduler becomes its state (GenericKernelTaskStateEvent), from which Perfetto
 * draws CPUs and threads.  All else are TrackEvents on the track of the thread that ran; a wait for a token
 * is a slice.  Flows, the arrows: a message from its sender by who takes it to its answer; an interrupt
 * message and a wake-up to where they are seen.
 *
 * The numbers of messages and fields are those of protos/perfetto/trace/ in Perfetto's source (trace_packet,
 * track_event, generic_task); the wire format that of protobuf.dev, "Encoding".
 */
#include "trace.h"

#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------- wire format -- */

enum { VARINT = 0, FIXED64 = 1, BYTES = 2 };

#define MESSAGE_MAX	1024u		/* none of ours is longer: names are short */

struct message {
	size_t		n;
	uint8_t		bytes[MESSAGE_MAX];
};

static void
put_byte(struct message *m, uint8_t b)
{
	if (m->n == MESSAGE_MAX)
		abort();
	m->bytes[m->n++] = b;
}

static void
put_varint(struct message *m, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		put_byte(m, (uint8_t)(v | 0x80));
	put_byte(m, (uint8_t)v);
}

static void
put_uint(struct message *m, uint32_t field, uint64_t v)
{
	put_varint(m, field << 3 | VARINT);
	put_varint(m, v);
}

static void
put_fixed64(struct message *m, uint32_t field, uint64_t v)
{
	put_varint(m, field << 3 | FIXED64);
	for (int i = 0; i < 64; i += 8)
		put_byte(m, (uint8_t)(v >> i));
}

static void
put_bytes(struct message *m, uint32_t field, const void *p, size_t n)
{
	put_varint(m, field << 3 | BYTES);
	put_varint(m, n);
	for (size_t i = 0; i < n; i++)
		put_byte(m, ((const uint8_t *)p)[i]);
}

static void
put_text(struct message *m, uint32_t field, const char *text)
{
	put_bytes(m, field, text, strlen(text));
}

static void
put_message(struct message *m, uint32_t field, const struct message *inner)
{
	put_bytes(m, field, inner->bytes, inner->n);
}

/* --------------------------------------------------------------- schema -- */

enum { TRACE_PACKET = 1 };
enum { PKT_TIMESTAMP = 8, PKT_SEQUENCE = 10, PKT_TRACK_EVENT = 11, PKT_INTERNED = 12, PKT_FLAGS = 13,
	PKT_DROPPED = 42, PKT_TRACK = 60, PKT_FIRST = 87, PKT_TASK_STATE = 117, PKT_TASK_RENAME = 120,
	PKT_PROCESS_TREE = 122 };
enum { FLAG_CLEARED = 1, FLAG_NEEDS_STATE = 2 };
enum { TE_ANNOTATION = 4, TE_TYPE = 9, TE_NAME_IID = 10, TE_TRACK = 11, TE_FLOW = 47, TE_FLOW_END = 48 };
enum { TYPE_BEGIN = 1, TYPE_END = 2, TYPE_INSTANT = 3 };
enum { TRACK_UUID = 1, TRACK_THREAD = 4, THREAD_PID = 1, THREAD_TID = 2, THREAD_NAME = 5 };
enum { ANN_NAME_IID = 1, ANN_UINT = 3, ANN_STRING = 6, ANN_POINTER = 7 };
enum { INTERNED_EVENT_NAME = 2, INTERNED_ANN_NAME = 3, NAME_IID = 1, NAME_TEXT = 2 };
enum { STATE_CPU = 1, STATE_COMM = 2, STATE_TID = 3, STATE_STATE = 4 };
enum { TASK_RUNNABLE = 2, TASK_RUNNING = 3, TASK_SLEEP = 4, TASK_MOVING = 5, TASK_DEAD = 7 };
enum { RENAME_TID = 1, RENAME_COMM = 2 };
enum { TREE_PROCESS = 1, TREE_THREAD = 2, PROC_PID = 1, PROC_CMDLINE = 3, TH_TID = 1, TH_PID = 2, TH_COMM = 3,
	TH_IDLE = 5 };

#define SEQUENCE	1u
#define PID_BASE	1000000000u	/* so that the process's number is none of a kernel thread */

/* Names of annotations, by the kind of an operand (abi/ktr.h), and by which of two it is. */
enum { ANN_CPU = 1, ANN_NUMBER, ANN_ADDRESS, ANN_WHERE, ANN_THREAD, ANN_FUNCTION, ANN_NS, ANN_COUNT };
static const char *const annotations[ANN_COUNT] = {
	[ANN_CPU] = "cpu", [ANN_NUMBER] = "number", [ANN_ADDRESS] = "address", [ANN_WHERE] = "where",
	[ANN_THREAD] = "thread", [ANN_FUNCTION] = "function", [ANN_NS] = "ns",
};

/* ---------------------------------------------------------------- tables -- */

/* What is known of something with a number: open addressing, key 0: free. */
struct entry {
	uint64_t	key, flow;
	char		name[32];		/* of a thread */
	bool		has_track, waits;
};
struct table {
	struct entry	*e;
	size_t		n, room;		/* room: a power of two, or 0 */
};

static struct entry *
slot(const struct table *t, uint64_t key)
{
	size_t i = (key * 0x9e3779b97f4a7c15ull >> 20) & (t->room - 1);

	while (t->e[i].key != 0 && t->e[i].key != key)
		i = (i + 1) & (t->room - 1);
	return &t->e[i];
}

/* The entry of a key that is not 0; a new one is zero. */
static struct entry *
entry(struct table *t, uint64_t key)
{
	struct entry *e;

	if (t->n * 2 >= t->room) {
		struct table more = { .n = t->n, .room = t->room != 0 ? 2 * t->room : 64 };

		more.e = calloc(more.room, sizeof *more.e);
		if (more.e == NULL)
			abort();
		for (size_t i = 0; i < t->room; i++)
			if (t->e[i].key != 0)
				*slot(&more, t->e[i].key) = t->e[i];
		free(t->e);
		*t = more;
	}
	e = slot(t, key);
	if (e->key == 0) {
		e->key = key;
		t->n++;
	}
	return e;
}

struct trace {
	struct table	threads;		/* by number */
	struct table	messages;		/* by address: the flow of who sent it last */
	struct table	wakes;			/* by thread: of who woke it */
	uint64_t	flows;			/* given so far */
};

/* --------------------------------------------------------------- packets -- */

static void
packet(struct writer *w, uint64_t ns, uint32_t field, const struct message *data, uint32_t flags)
{
	struct message p = { .n = 0 }, out = { .n = 0 };

	put_uint(&p, PKT_TIMESTAMP, ns);
	put_uint(&p, PKT_SEQUENCE, SEQUENCE);
	put_uint(&p, PKT_FLAGS, flags);
	if (flags == FLAG_CLEARED)
		put_uint(&p, PKT_FIRST, 1);
	put_message(&p, field, data);
	put_message(&out, TRACE_PACKET, &p);
	fwrite(out.bytes, 1, out.n, w->w_file);
}

static uint32_t
process_number(const struct writer *w)
{
	return PID_BASE + (uint32_t)w->w_target->t_pid;
}

static void
name_thread(struct entry *t, const char *name)
{
	snprintf(t->name, sizeof t->name, "%s", name);
}

static void
state(struct writer *w, uint64_t ns, uint64_t thread, uint32_t cpu, uint32_t task)
{
	struct trace *x = w->w_own;
	struct message m = { .n = 0 };

	put_uint(&m, STATE_CPU, cpu);
	put_text(&m, STATE_COMM, entry(&x->threads, thread)->name);
	put_uint(&m, STATE_TID, thread);
	put_uint(&m, STATE_STATE, task);
	packet(w, ns, PKT_TASK_STATE, &m, FLAG_NEEDS_STATE);
}

static void
annotate(struct message *te, uint32_t name, uint32_t field, uint64_t v, const char *text)
{
	struct message a = { .n = 0 };

	put_uint(&a, ANN_NAME_IID, name);
	if (text != NULL)
		put_text(&a, ANN_STRING, text);
	else
		put_uint(&a, field, v);
	put_message(te, TE_ANNOTATION, &a);
}

static void
operand(const struct writer *w, struct message *te, char what, uint64_t v, bool second)
{
	const char *name;
	uint64_t offset;

	switch (what) {
	case 'a':
		annotate(te, second ? ANN_WHERE : ANN_ADDRESS, ANN_POINTER, v, NULL);
		break;
	case 'f':
		name = symbols_find(w->w_symbols, v, &offset);
		annotate(te, ANN_FUNCTION, ANN_POINTER, v, name);
		break;
	case 'c':
		annotate(te, ANN_CPU, ANN_UINT, v, NULL);
		break;
	case 'i':
		annotate(te, ANN_CPU, ANN_UINT, v >> 32, NULL);
		annotate(te, ANN_NUMBER, ANN_UINT, (uint32_t)v, NULL);
		break;
	case 't':
		annotate(te, ANN_THREAD, ANN_UINT, v, NULL);
		break;
	case 'n':
		annotate(te, ANN_NS, ANN_UINT, v, NULL);
		break;
	case 'd':
		annotate(te, ANN_NUMBER, ANN_UINT, v, NULL);
		break;
	default:
		break;
	}
}

static uint64_t
track_of(struct writer *w, uint64_t ns, uint32_t thread)
{
	struct trace *x = w->w_own;
	struct entry *t = entry(&x->threads, thread);
	const uint64_t uuid = (uint64_t)process_number(w) << 32 | thread;
	struct message th = { .n = 0 }, track = { .n = 0 };

	if (t->has_track)
		return uuid;
	t->has_track = true;
	put_uint(&th, THREAD_PID, process_number(w));
	put_uint(&th, THREAD_TID, thread);
	put_text(&th, THREAD_NAME, t->name);
	put_uint(&track, TRACK_UUID, uuid);
	put_message(&track, TRACK_THREAD, &th);
	packet(w, ns, PKT_TRACK, &track, FLAG_NEEDS_STATE);
	return uuid;
}

/* On the track of the thread that ran.  flow 0: none. */
static void
track_event(struct writer *w, const struct event *e, uint32_t type, uint64_t flow, bool ends)
{
	struct message te = { .n = 0 };
	char what[2];

	put_uint(&te, TE_TYPE, type);
	put_uint(&te, TE_TRACK, track_of(w, e->ev_ns, e->ev.ke_thread));
	if (type != TYPE_END)
		put_uint(&te, TE_NAME_IID, e->ev.ke_type);
	if (flow != 0)
		put_fixed64(&te, ends ? TE_FLOW_END : TE_FLOW, flow);
	if (type != TYPE_END && event_text(e->ev.ke_type, what) != NULL) {
		operand(w, &te, what[0], e->ev.ke_b, false);
		operand(w, &te, what[1], e->ev.ke_c, true);
	}
	packet(w, e->ev_ns, PKT_TRACK_EVENT, &te, FLAG_NEEDS_STATE);
}

/* ---------------------------------------------------------------- events -- */

static uint32_t
state_of(uint64_t td_state)
{
	static const uint32_t to[] = {
		[DEBUG_RUNNING] = TASK_RUNNABLE, [DEBUG_READY] = TASK_RUNNABLE, [DEBUG_SLEEPING] = TASK_SLEEP,
		[DEBUG_MOVING] = TASK_MOVING, [DEBUG_EXITED] = TASK_DEAD,
	};

	return td_state < sizeof to / sizeof to[0] ? to[td_state] : TASK_SLEEP;
}

/* Which threads there are. */
static void
say_thread(struct writer *w, uint64_t ns, uint64_t thread, const char *name)
{
	struct message tree = { .n = 0 }, one = { .n = 0 };

	put_uint(&one, TH_TID, thread);
	put_uint(&one, TH_PID, process_number(w));
	put_text(&one, TH_COMM, name);
	if (strncmp(name, "idle", 4) == 0)
		put_uint(&one, TH_IDLE, 1);
	put_message(&tree, TREE_THREAD, &one);
	packet(w, ns, PKT_PROCESS_TREE, &tree, FLAG_NEEDS_STATE);
}

/* A new thread's name comes in pieces; what has been told is corrected by each. */
static void
new_name(struct writer *w, const struct event *e, bool first)
{
	struct trace *x = w->w_own;
	struct entry *t = entry(&x->threads, (uint32_t)e->ev.ke_b);
	struct message m = { .n = 0 };
	char name[sizeof t->name + 8] = "";
	size_t n;

	if (first)
		*t = (struct entry){ .key = t->key };
	n = strlen(t->name);
	memcpy(name, t->name, n);
	memcpy(name + n, &e->ev.ke_c, 8);
	name_thread(t, name);
	if (first) {
		say_thread(w, e->ev_ns, t->key, t->name);
		return;
	}
	put_uint(&m, RENAME_TID, t->key);
	put_text(&m, RENAME_COMM, t->name);
	packet(w, e->ev_ns, PKT_TASK_RENAME, &m, FLAG_NEEDS_STATE);
}

static uint64_t
ipi_flow(uint32_t from, uint32_t to, uint32_t number)
{
	return 1ull << 63 | (uint64_t)(from & 0x7fff) << 48 | (uint64_t)(to & 0xffff) << 32 | number;
}

static void
say_event(struct writer *w, const struct event *e)
{
	struct trace *x = w->w_own;
	const struct ktr_event *k = &e->ev;
	const uint32_t pair_cpu = (uint32_t)(k->ke_c >> 32);
	struct entry *t;

	switch (k->ke_type) {
	case KTR_SWITCH:
		state(w, e->ev_ns, k->ke_thread, e->ev_cpu, state_of(k->ke_c));
		state(w, e->ev_ns, k->ke_b, e->ev_cpu, TASK_RUNNING);
		break;
	case KTR_THREAD:
	case KTR_NAME:
		new_name(w, e, k->ke_type == KTR_THREAD);
		break;
	case KTR_WAKE:
		t = entry(&x->wakes, k->ke_b);
		t->flow = ++x->flows;
		track_event(w, e, TYPE_INSTANT, t->flow, false);
		break;
	case KTR_READY:
		t = entry(&x->wakes, k->ke_b);
		track_event(w, e, TYPE_INSTANT, t->flow, true);
		t->flow = 0;
		state(w, e->ev_ns, k->ke_b, e->ev_cpu, TASK_RUNNABLE);
		break;
	case KTR_IPI_SEND:
		track_event(w, e, TYPE_INSTANT, ipi_flow(e->ev_cpu, pair_cpu, (uint32_t)k->ke_c), false);
		break;
	case KTR_IPI_RUN:
		track_event(w, e, TYPE_INSTANT, ipi_flow(pair_cpu, e->ev_cpu, (uint32_t)k->ke_c), false);
		break;
	case KTR_MSG_SEND:
		t = entry(&x->messages, k->ke_b);
		t->flow = ++x->flows;
		track_event(w, e, TYPE_INSTANT, t->flow, false);
		break;
	case KTR_MSG_TAKE:
		track_event(w, e, TYPE_INSTANT, entry(&x->messages, k->ke_b)->flow, false);
		break;
	case KTR_MSG_REPLY:
		t = entry(&x->messages, k->ke_b);
		track_event(w, e, TYPE_INSTANT, t->flow, true);
		t->flow = 0;
		break;
	case KTR_TOKEN_WAIT:
		entry(&x->threads, k->ke_thread)->waits = true;
		track_event(w, e, TYPE_BEGIN, 0, false);
		break;
	case KTR_TOKEN_GOT:
		t = entry(&x->threads, k->ke_thread);
		if (t->waits)			/* since we look */
			track_event(w, e, TYPE_END, 0, false);
		t->waits = false;
		break;
	default:
		track_event(w, e, TYPE_INSTANT, 0, false);
	}
}

static void
say_lost(struct writer *w, uint32_t cpu, uint64_t count, uint64_t ns)
{
	struct message p = { .n = 0 }, out = { .n = 0 };

	(void)cpu;
	(void)count;
	put_uint(&p, PKT_TIMESTAMP, ns);
	put_uint(&p, PKT_SEQUENCE, SEQUENCE);
	put_uint(&p, PKT_DROPPED, 1);
	put_message(&out, TRACE_PACKET, &p);
	fwrite(out.bytes, 1, out.n, w->w_file);
}

static void
say_names(struct writer *w)
{
	struct message names = { .n = 0 };
	char what[2];

	for (uint32_t i = 0; i < KTR_TYPE_COUNT; i++) {
		struct message one = { .n = 0 };
		const char *text = event_text(i, what);

		if (text == NULL)
			continue;
		put_uint(&one, NAME_IID, i);
		put_text(&one, NAME_TEXT, text);
		put_message(&names, INTERNED_EVENT_NAME, &one);
	}
	for (uint32_t i = 1; i < ANN_COUNT; i++) {
		struct message one = { .n = 0 };

		put_uint(&one, NAME_IID, i);
		put_text(&one, NAME_TEXT, annotations[i]);
		put_message(&names, INTERNED_ANN_NAME, &one);
	}
	packet(w, 0, PKT_INTERNED, &names, FLAG_CLEARED);
}

/* The kernel's name and the threads that it has. */
static void
begin(struct writer *w)
{
	const struct target *g = w->w_target;
	struct message tree = { .n = 0 }, process = { .n = 0 };
	struct trace *x = calloc(1, sizeof *x);

	if (x == NULL)
		abort();
	w->w_own = x;
	say_names(w);
	put_uint(&process, PROC_PID, process_number(w));
	put_text(&process, PROC_CMDLINE, g->t_label.ll_name[0] != '\0' ? g->t_label.ll_name : "damselfly");
	put_message(&tree, TREE_PROCESS, &process);
	packet(w, 0, PKT_PROCESS_TREE, &tree, FLAG_NEEDS_STATE);
	for (size_t i = 0; i < g->t_nthreads; i++) {
		const struct kthread *k = &g->t_threads[i];

		name_thread(entry(&x->threads, (uint32_t)k->k_id), k->k_name);
		say_thread(w, 0, (uint32_t)k->k_id, k->k_name);
	}
}

static void
end(struct writer *w)
{
	struct trace *x = w->w_own;

	free(x->threads.e);
	free(x->messages.e);
	free(x->wakes.e);
	free(x);
}

void
perfetto_writer(struct writer *w)
{
	w->w_begin = begin;
	w->w_event = say_event;
	w->w_lost = say_lost;
	w->w_end = end;
}
