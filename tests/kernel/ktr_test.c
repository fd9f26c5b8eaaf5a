/* SPDX-License-Identifier: BSD-2-Clause */
/* Events: none is lost, none is half another, and together they tell one story. */
#include <sys/lwkt/ipi.h>
#include <sys/lwkt/ktr.h>
#include <sys/lwkt/port.h>
#include <sys/lwkt/token.h>
#include <sys/vm/kmem.h>

#include "group.h"

#define MOST	1024u		/* more than there are */

static struct ktr_event *seen;

static uint32_t
look(uint32_t cpu, uint64_t *first)
{
	if (seen == NULL)
		seen = kmalloc(MOST * sizeof *seen, KM_WAIT);
	return KCHECK(seen != NULL) ? ktr_copy(cpu, seen, MOST, first) : 0;
}

KTEST(events_are_kept_in_order_and_the_oldest_are_overwritten)
{
	uint64_t first, next = 0;
	uint32_t n;

	for (uint64_t i = 0; i < 2000; i++)
		ktr(KTR_MARK, i, ~i);
	n = look(mycpuid, &first);
	KCHECK(n >= 2);
	for (uint32_t i = 0; i < n; i++) {
		KCHECK(i == 0 || seen[i].ke_stamp >= seen[i - 1].ke_stamp);
		if (seen[i].ke_type != KTR_MARK)
			continue;
		KCHECK(seen[i].ke_c == ~seen[i].ke_b && (next == 0 || seen[i].ke_b == next));
		KCHECK(seen[i].ke_thread == (uint32_t)curthread->td_id);
		next = seen[i].ke_b + 1;
	}
	KCHECK(next == 2000);
}

/* ------------------------------------------------------- read from afar -- */

KTEST(what_a_ring_wrote_over_while_it_was_copied_is_left_out)
{
	static const struct { uint64_t begin, end, next, first; } is[] = {
		{ 0, 0, 0, 0 }, { 0, 10, 10, 0 }, { 0, 10, 63, 0 }, { 0, 10, 64, 1 }, { 3, 10, 64, 3 },
		{ 3, 10, 70, 7 }, { 3, 10, 73, 10 },
		{ 3, 10, 100000, 10 },		/* the reader slept meanwhile */
	};

	for (size_t i = 0; i < countof(is); i++)
		KCHECK(ktr_whole(is[i].begin, is[i].end, is[i].next, 63) == is[i].first);
}

static _Atomic bool enough;

static void
mark(void *arg)
{
	for (uint64_t i = 0; !atomic_load(&enough); i++) {
		ktr(KTR_MARK, i, ~i);
		if (i % 64 == 0)
			lwkt_poll();
	}
	(void)arg;
	grp_member_ends();
}

KTEST(who_reads_another_cpus_ring_gets_whole_events_or_none)
{
	uint32_t other = (mycpuid + 1) % cpu_count;
	uint64_t first;

	if (cpu_count == 1)
		return;
	atomic_store(&enough, false);
	grp_begin(300, 20000);
	grp_start(other, mark, NULL);
	for (uint64_t round = 0; round < grp.rounds; round++) {
		uint32_t n = look(other, &first);

		for (uint32_t i = 0; i < n; i++) {
			KCHECK(seen[i].ke_type > KTR_NONE && seen[i].ke_type < KTR_TYPE_COUNT);
			KCHECK(seen[i].ke_type != KTR_MARK || seen[i].ke_c == ~seen[i].ke_b);
			if (i > 0 && seen[i].ke_type == KTR_MARK && seen[i - 1].ke_type == KTR_MARK)
				KCHECK(seen[i].ke_b == seen[i - 1].ke_b + 1);
		}
		lwkt_poll();
	}
	atomic_store(&enough, true);
	grp_wait();
}

/* ------------------------------------------------------------ one story -- */

static struct token tok;
static struct port server;
static _Atomic uint32_t clients;

static void
serve(void *arg)
{
	while (atomic_load(&clients) > 0) {
		struct msg *m = port_wait(&server);

		if (m->m_op == 1)
			atomic_fetch_sub(&clients, 1);
		msg_reply(m, 0);
	}
	(void)arg;
	grp_member_ends();
}

static void
client(void *arg)
{
	struct msg m = { .m_op = 0 };

	(void)arg;
	for (int i = 0; i < 40; i++) {
		KCHECK(port_call(&server, &m) == 0);
		token_get(&tok);
		lwkt_yield();
		token_release(&tok);
	}
	m.m_op = 1;
	KCHECK(port_call(&server, &m) == 0);
	grp_member_ends();
}

/* Each event is told by the thread that the last switch went to. */
static void
check_story(uint32_t cpu)
{
	uint32_t n, thread = 0;
	uint64_t first;

	n = look(cpu, &first);
	for (uint32_t i = 0; i < n; i++) {
		const struct ktr_event *e = &seen[i];

		KCHECK(e->ke_type > KTR_NONE && e->ke_type < KTR_TYPE_COUNT);
		KCHECK(thread == 0 || e->ke_thread == thread);
		thread = e->ke_type == KTR_SWITCH ? (uint32_t)e->ke_b : e->ke_thread;
	}
}

KTEST(events_tell_one_story)
{
	token_init(&tok, "story");
	port_init(&server);
	atomic_store(&clients, rt_min(cpu_count, 8u));
	grp_begin(1, 1);
	grp_start(0, serve, NULL);
	for (uint32_t i = 0; i < rt_min(cpu_count, 8u); i++)
		grp_start(i, client, NULL);
	grp_wait();
	for (uint32_t i = 0; i < cpu_count; i++)
		check_story(i);
}

/* One message and one call, looked for on the CPUs where they were. */
static const struct ktr_event *
find(uint32_t n, enum ktr_type type, uint64_t b)
{
	for (uint32_t i = n; i > 0; i--)
		if (seen[i - 1].ke_type == type && seen[i - 1].ke_b == b)
			return &seen[i - 1];
	return NULL;
}

static void
nothing(void *arg, uint64_t value)
{
	(void)arg, (void)value;
}

KTEST(a_message_to_a_cpu_is_told_there_and_here_with_one_number)
{
	uint32_t other = (mycpuid + 1) % cpu_count, here = mycpuid;
	const struct ktr_event *e;
	uint64_t first, number, when;

	if (cpu_count == 1)
		return;
	ipi_send(other, nothing, NULL, 0);
	e = find(look(here, &first), KTR_IPI_SEND, (uint64_t)nothing);
	if (!KCHECK(e != NULL) || !KCHECK(e->ke_c >> 32 == other))
		return;
	number = (uint32_t)e->ke_c;
	when = e->ke_stamp;
	ipi_quiesce();
	e = find(look(other, &first), KTR_IPI_RUN, (uint64_t)nothing);
	KCHECK(e != NULL && e->ke_c == ((uint64_t)here << 32 | number) && e->ke_stamp >= when);
}

static void
answer(void *arg)
{
	msg_reply(port_wait(arg), 0);
	grp_member_ends();
}

KTEST(a_message_is_sent_taken_and_answered)
{
	struct msg m = { .m_op = 1 };
	uint64_t first, sent, taken, answered;
	const struct ktr_event *e;
	struct port p;
	uint32_t n;

	port_init(&p);
	grp_begin(1, 1);
	grp_start(mycpuid, answer, &p);
	KCHECK(port_call(&p, &m) == 0);
	n = look(mycpuid, &first);
	e = find(n, KTR_MSG_SEND, (uint64_t)&m);
	sent = KCHECK(e != NULL && e->ke_c == (uint64_t)&p) ? e->ke_stamp : 0;
	e = find(n, KTR_MSG_TAKE, (uint64_t)&m);
	taken = KCHECK(e != NULL && e->ke_c == (uint64_t)&p) ? e->ke_stamp : 0;
	e = find(n, KTR_MSG_REPLY, (uint64_t)&m);
	answered = KCHECK(e != NULL) ? e->ke_stamp : 0;
	KCHECK(sent <= taken && taken <= answered);
	grp_wait();
}
