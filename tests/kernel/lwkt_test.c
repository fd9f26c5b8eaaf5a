/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads, waiting, tokens, locks, messages and timers, on whatever machine this kernel runs. */
#include <abi/errno.h>
#include <core/rt/rt.h>
#include <machine/clock.h>
#include <stdatomic.h>
#include <sys/debug/ktest.h>
#include <sys/lwkt/lock.h>
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
