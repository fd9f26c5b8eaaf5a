/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads, waiting, tokens, locks, messages and timers, on whatever machine this kernel runs. */
#include <abi/errno.h>
#include <core/rt/rt.h>
#include <machine/clock.h>
#include <stdatomic.h>
#include <sys/debug/ktest.h>
#include <sys/lwkt/lock.h>
#include <sys/lwkt/port.h>
#include <sys/lwkt/thread.h>
#include <sys/lwkt/token.h>
#include <sys/time/time.h>

struct done {
	struct waitq	q;
	uint32_t	n;
};

static void
done_one(struct done *d)
{
	d->n++;
	wake_all(&d->q);
}

static int
done_wait(struct done *d, uint32_t n)
{
	int error;

	WAIT_FOR(&d->q, d->n >= n, md_now() + 20 * NSEC_PER_SEC, 0, error);
	return error;
}

static bool
start(void (*fn)(void *), void *arg, uint32_t pri)
{
	struct thread *td;

	if (!KCHECK(lwkt_create(fn, arg, pri, "test", &td) == 0))
		return false;
	lwkt_start(td);
	return true;
}

/* -------------------------------------------------------------- threads -- */

static struct done fin;

static void
count_self(void *arg)
{
	(void)arg;
	for (int i = 0; i < 10; i++)
		lwkt_yield();
	done_one(&fin);
}

KTEST(threads_start_yield_and_end)
{
	uint32_t n = (uint32_t)ktest_rounds(300, 20000), started = 0;

	waitq_init(&fin.q);
	fin.n = 0;
	for (uint32_t i = 0; i < n; i++) {
		started += start(count_self, NULL, LWKT_PRI_KERN);
		if (i % 64 == 63)
			KCHECK(done_wait(&fin, started) == 0);
	}
	KCHECK(done_wait(&fin, started) == 0);
	KCHECK(fin.n == n);
}

static char order[8];
static uint32_t norder;

static void
note_priority(void *arg)
{
	order[norder++] = *(char *)arg;
	done_one(&fin);
}

KTEST(higher_priority_runs_first)
{
	waitq_init(&fin.q);
	fin.n = norder = 0;
	start(note_priority, (void *)(uintptr_t)"l", LWKT_PRI_USER);
	start(note_priority, (void *)(uintptr_t)"h", LWKT_PRI_SOFT);
	start(note_priority, (void *)(uintptr_t)"m", LWKT_PRI_KERN - 1);
	KCHECK(done_wait(&fin, 3) == 0);
	KCHECK(memcmp(order, "hml", 3) == 0);
}

KTEST(stacks_do_not_share_registers)
{
	uint64_t sum = 0;

	waitq_init(&fin.q);
	fin.n = 0;
	for (uint64_t i = 0; i < 50; i++) {
		uint64_t a = i * 3, b = i ^ 0x55, c = i + 7;

		start(count_self, NULL, LWKT_PRI_KERN);
		lwkt_yield();
		sum += a + b + c == i * 3 + (i ^ 0x55) + i + 7;
	}
	KCHECK(sum == 50);
	KCHECK(done_wait(&fin, 50) == 0);
}

/* -------------------------------------------------------------- waiting -- */

static struct waitq wq;
static struct waiter early;

KTEST(a_wake_up_before_the_sleep_is_not_lost)
{
	waitq_init(&wq);
	wait_begin(&wq, &early);
	wake_all(&wq);
	KCHECK(wait_sleep(&early, md_now() + NSEC_PER_SEC, 0) == 0);
	wait_end(&early);
}

KTEST(a_sleep_ends_at_its_deadline)
{
	struct waiter w;
	nsec_t before = md_now();

	waitq_init(&wq);
	wait_begin(&wq, &w);
	KCHECK(wait_sleep(&w, before + 5000000, 0) == ETIMEDOUT);
	KCHECK(md_now() >= before + 5000000);
	KCHECK(wait_sleep(&w, before, 0) == ETIMEDOUT);		/* already past */
	wait_end(&w);
	KCHECK(sleep_until(md_now() + 1000000, 0) == 0);
}

static struct thread *sleeper;
static int slept;

static void
sleep_long(void *arg)
{
	(void)arg;
	slept = sleep_until(NSEC_NEVER, WAIT_INTR);
	done_one(&fin);
}

KTEST(an_interruptible_sleep_can_be_ended)
{
	waitq_init(&fin.q);
	fin.n = 0;
	slept = 0;
	if (!KCHECK(lwkt_create(sleep_long, NULL, LWKT_PRI_KERN, "sleeper", &sleeper) == 0))
		return;
	lwkt_start(sleeper);
	lwkt_yield();
	lwkt_interrupt(sleeper);
	KCHECK(done_wait(&fin, 1) == 0);
	KCHECK(slept == EINTR);
}

static uint32_t woken;

static void
wait_for_turn(void *arg)
{
	struct waiter w;

	(void)arg;
	wait_begin(&wq, &w);
	KCHECK(wait_sleep(&w, md_now() + 10 * NSEC_PER_SEC, 0) == 0);
	wait_end(&w);
	woken++;
	done_one(&fin);
}

KTEST(wake_one_wakes_each_waiter_once)
{
	waitq_init(&wq);
	waitq_init(&fin.q);
	fin.n = woken = 0;
	for (int i = 0; i < 5; i++)
		start(wait_for_turn, NULL, LWKT_PRI_SOFT);
	lwkt_yield();
	for (uint32_t i = 1; i <= 5; i++) {
		wake_one(&wq);
		KCHECK(done_wait(&fin, i) == 0);
		KCHECK(woken == i);
	}
}

/* ----------------------------------------------------- tokens and locks -- */

static struct token tok = TOKEN_INIT(tok, "test");

static void
take_token(void *arg)
{
	(void)arg;
	token_get(&tok);
	token_release(&tok);
	done_one(&fin);
}

KTEST(a_token_is_recursive_and_lost_in_sleep)
{
	uint32_t generation;

	waitq_init(&fin.q);
	fin.n = 0;
	token_get(&tok);
	token_get(&tok);
	token_release(&tok);
	KCHECK(token_held(&tok));
	generation = tok.t_generation;
	start(take_token, NULL, LWKT_PRI_SOFT);
	KCHECK(done_wait(&fin, 1) == 0);		/* it got the token while we slept */
	KCHECK(token_held(&tok));
	KCHECK(tok.t_generation != generation);
	token_release(&tok);
	KCHECK(!token_held(&tok));
}

static struct lk lock;
static uint32_t inside, most_inside;

static void
excl_section(void *arg)
{
	(void)arg;
	for (int i = 0; i < 20; i++) {
		lk_excl(&lock);
		inside++;
		most_inside = inside > most_inside ? inside : most_inside;
		lwkt_yield();
		inside--;
		lk_release(&lock);
		lwkt_yield();
	}
	done_one(&fin);
}

KTEST(an_exclusive_lock_is_kept_across_sleep)
{
	waitq_init(&fin.q);
	fin.n = inside = most_inside = 0;
	lk_init(&lock, LR_test);
	for (int i = 0; i < 8; i++)
		start(excl_section, NULL, LWKT_PRI_KERN);
	KCHECK(done_wait(&fin, 8) == 0);
	KCHECK(most_inside == 1);
	lk_shared(&lock);
	lk_shared(&lock);
	KCHECK(!lk_try_excl(&lock));
	lk_release(&lock);
	lk_release(&lock);
	KCHECK(lk_try_excl(&lock) && lk_held_excl(&lock));
	lk_release(&lock);
}

/* ------------------------------------------------------------- messages -- */

static struct port server;

static void
serve(void *arg)
{
	uint32_t n = *(uint32_t *)arg;

	for (uint32_t i = 0; i < n; i++) {
		struct msg *m = port_wait(&server);

		msg_reply(m, (int)m->m_op + 1);
	}
	done_one(&fin);
}

KTEST(a_call_brings_the_servers_answer)
{
	static uint32_t n;

	n = (uint32_t)ktest_rounds(1000, 1000000);
	waitq_init(&fin.q);
	fin.n = 0;
	port_init(&server);
	if (!start(serve, &n, LWKT_PRI_KERN))
		return;
	for (uint32_t i = 0; i < n; i++) {
		struct msg m = { .m_op = i & 0xff };

		KCHECK(port_call(&server, &m) == (int)(i & 0xff) + 1);
	}
	KCHECK(done_wait(&fin, 1) == 0);
}

static int
answer_inline(struct port *p, struct msg *m)
{
	(void)p;
	return (int)m->m_op * 2;
}

KTEST(the_fast_path_answers_in_the_callers_context)
{
	struct port fast, reply;
	struct msg m = { .m_op = 21 }, *back;

	port_init_put(&fast, answer_inline, NULL);
	port_init(&reply);
	KCHECK(port_call(&fast, &m) == 42);
	port_send(&fast, &m, &reply);		/* an asynchronous sender sees an ordinary reply */
	back = port_get(&reply);
	KCHECK(back == &m && m.m_error == 42);
}

KTEST(messages_keep_their_order_and_priority_goes_first)
{
	struct port p, reply;
	struct msg a = { .m_op = 1 }, b = { .m_op = 2 }, urgent = { .m_op = 3, .m_flags = MSG_PRIO };

	port_init(&p);
	port_init(&reply);
	port_send(&p, &a, &reply);
	port_send(&p, &b, &reply);
	port_send(&p, &urgent, &reply);
	KCHECK(port_get(&p) == &urgent);
	KCHECK(port_get(&p) == &a);
	KCHECK(port_get(&p) == &b);
	KCHECK(port_get(&p) == NULL);
}

/* --------------------------------------------------------------- timers -- */

static uint32_t fired[3], nfired;

static void
timer_one(struct timer *t)
{
	(void)t;
	fired[nfired++] = 1;
	done_one(&fin);
}

static void
timer_two(struct timer *t)
{
	(void)t;
	fired[nfired++] = 2;
	done_one(&fin);
}

KTEST(timers_fire_in_order_and_not_when_cancelled)
{
	struct timer a, b, c;
	nsec_t now = md_now();

	waitq_init(&fin.q);
	fin.n = nfired = 0;
	timer_init(&a, timer_one);
	timer_init(&b, timer_two);
	timer_init(&c, timer_one);
	timer_arm(&a, now + 6000000);
	timer_arm(&b, now + 3000000);
	timer_arm(&c, now + 4000000);
	KCHECK(timer_cancel(&c));
	KCHECK(!timer_cancel(&c));
	KCHECK(done_wait(&fin, 2) == 0);
	KCHECK(nfired == 2 && fired[0] == 2 && fired[1] == 1);
	KCHECK(md_now() >= now + 6000000);
}
