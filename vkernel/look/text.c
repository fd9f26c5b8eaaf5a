/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * text - events as lines: seconds, CPU, the event's number there, the thread that ran, what happened.
 */
#include "trace.h"

#include <string.h>

static const struct { const char *text; char what[2]; } types[KTR_TYPE_COUNT] = {
#define ROW(name, words, b, c) [KTR_##name] = { words, { b, c } },
	KTR_TYPES(ROW)
#undef ROW
};

static const char *const states[] = {
	[DEBUG_RUNNING] = "running", [DEBUG_READY] = "ready", [DEBUG_SLEEPING] = "asleep",
	[DEBUG_MOVING] = "moving", [DEBUG_EXITED] = "ended",
};

const char *
event_text(uint32_t type, char what[2])
{
	if (type >= KTR_TYPE_COUNT || types[type].text == NULL)
		return NULL;
	memcpy(what, types[type].what, 2);
	return types[type].text;
}

static void
operand(const struct writer *w, char what, uint64_t v)
{
	unsigned long long n = v;
	const char *name;
	uint64_t offset;

	switch (what) {
	case '-':
		break;
	case 'f':
		name = symbols_find(w->w_symbols, v, &offset);
		if (name != NULL)
			fprintf(w->w_file, " %s", name);
		else
			fprintf(w->w_file, " %#llx", n);
		break;
	case 'a':
		fprintf(w->w_file, " %#llx", n);
		break;
	case 'c':
		fprintf(w->w_file, " cpu%llu", n);
		break;
	case 't':
		fprintf(w->w_file, " thread %llu", n);
		break;
	case 's':
		fprintf(w->w_file, ", %s", v < sizeof states / sizeof states[0] ? states[v] : "?");
		break;
	case 'i':
		fprintf(w->w_file, " cpu%u #%u", (uint32_t)(v >> 32), (uint32_t)v);
		break;
	case 'x':
		fprintf(w->w_file, " %.8s", (const char *)&v);
		break;
	default:
		fprintf(w->w_file, " %llu", n);
	}
}

static void
say_event(struct writer *w, const struct event *e)
{
	char what[2];
	const char *text = event_text(e->ev.ke_type, what);

	fprintf(w->w_file, "%llu.%09llu cpu%u %llu [%u] %s", (unsigned long long)(e->ev_ns / 1000000000),
	    (unsigned long long)(e->ev_ns % 1000000000), e->ev_cpu, (unsigned long long)e->ev_number,
	    e->ev.ke_thread, text != NULL ? text : "?");
	if (text != NULL) {
		operand(w, what[0], e->ev.ke_b);
		operand(w, what[1], e->ev.ke_c);
	}
	putc('\n', w->w_file);
}

static void
say_lost(struct writer *w, uint32_t cpu, uint64_t count, uint64_t ns)
{
	(void)ns;
	fprintf(w->w_file, "# cpu%u: %llu events lost\n", cpu, (unsigned long long)count);
}

static void
nothing(struct writer *w)
{
	(void)w;
}

void
text_writer(struct writer *w)
{
	w->w_begin = nothing;
	w->w_event = say_event;
	w->w_lost = say_lost;
	w->w_end = nothing;
}
