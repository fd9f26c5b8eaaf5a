/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * planted - bugs to be found: docs/debugging.md finds each, and tests/system/planted.sh by the same commands.
 *
 * Do not read on if you want to try it yourself.
 */
#include <abi/errno.h>
#include <core/rt/rt.h>
#include <machine/clock.h>
#include <sys/debug/bootarg.h>
#include <sys/debug/kprint.h>
#include <sys/debug/ktest.h>
#include <sys/lwkt/ipi.h>
#include <sys/lwkt/lock.h>
#include <sys/lwkt/port.h>
#include <sys/lwkt/thread.h>
#include <sys/lwkt/token.h>
#include <sys/lwkt/wait.h>
#include <sys/vm/kmem.h>

#define A_WHILE	20000000ull		/* ns */

static void
start(void (*fn)(void *), const char *name)
{
	struct thread *td;

	if (lwkt_create(fn, NULL, LWKT_PRI_KERN, name, &td) != 0)
		panic("no memory for a bug");
	lwkt_start(td);
}

static void
rest(nsec_t time)
{
	(void)sleep_until(md_now() + time, 0);
}

/* ------------------------------------------------------------- deadlock -- */

/*
 * A clerk holds the ledger and asks the archive for a page; the archive wants the vault first; a guard has
 * the vault and waits for the ledger.  He has keys, too, which as a token are free while he sleeps.
 */
static struct lk ledger, vault;
static struct token keys;
static struct port archive;

static void
clerk(void *unused)
{
	struct msg m = { .m_op = 7 };

	(void)unused;
	lk_excl(&ledger);
	rest(A_WHILE);
	(void)port_call(&archive, &m);
	lk_release(&ledger);
}

static void
heard(void *unused, uint64_t cpu)
{
	(void)unused;
	(void)cpu;
}

static void
opened(void *unused, uint64_t from)
{
	(void)unused;
	ipi_send((uint32_t)from, heard, NULL, mycpuid);
}

static void
archivist(void *unused)
{
	(void)unused;
	for (uint32_t i = 0; i < cpu_count; i++)	/* so that there are messages between all processors, and answers */
		ipi_send(i, opened, NULL, mycpuid);
	for (;;) {
		struct msg *m = port_wait(&archive);

		lk_excl(&vault);
		lk_release(&vault);
		msg_reply(m, 0);
	}
}

static void
guard(void *unused)
{
	(void)unused;
	token_get(&keys);
	lk_excl(&vault);
	rest(2 * A_WHILE);
	lk_excl(&ledger);
	lk_release(&ledger);
	lk_release(&vault);
	token_release(&keys);
}

KPLANT(deadlock)
{
	lk_init(&ledger, LR_test);
	lk_init(&vault, LR_test);
	token_init(&keys, "keys");
	port_init(&archive);
	start(archivist, "archivist");
	start(guard, "guard");
	start(clerk, "clerk");
}

/* The same among very many threads, crowd=N or these, each of which waits for something else. */
#define CROWD	2000u

static void
one_of_many(void *unused)
{
	struct waitq own;
	struct waiter w;

	(void)unused;
	waitq_init(&own);
	wait_begin(&own, &w);
	for (;;)
		(void)wait_sleep(&w, NSEC_NEVER, 0);
}

KPLANT(crowd)
{
	char text[8] = "";
	uint32_t many = 0;

	ktest_deadlock();
	(void)boot_arg("crowd", text, sizeof text);
	for (const char *p = text; *p >= '0' && *p <= '9'; p++)
		many = many * 10 + (uint32_t)(*p - '0');
	for (uint32_t i = 0; i < (many != 0 ? many : CROWD); i++)
		start(one_of_many, "crowd");
}

/* ----------------------------------------------------------- corruption -- */

#define LETTERS	100u

static char *letter;

static void
write_letter(uint32_t n)
{
	for (uint32_t i = 0; i <= n % (LETTERS + 1); i++)	/* one too many, once in a while */
		letter[i] = (char)('a' + (n + i) % 26);
}

static void
writer(void *unused)
{
	(void)unused;
	for (uint32_t n = 50;; n++) {
		write_letter(n);
		rest(A_WHILE);
	}
}

KPLANT(corruption)
{
	letter = kmalloc(LETTERS, KM_ZERO);
	if (letter == NULL)
		panic("no memory for a bug");
	start(writer, "writer");
}

/* ----------------------------------------------------------------- leak -- */

struct visit {
	struct visit	*v_next;
	uint64_t	v_number;
	char		v_name[40];
};

static struct visit *visits;

static struct visit *
visit_note(uint64_t number)
{
	struct visit *v = kmalloc(sizeof *v, KM_ZERO);

	if (v != NULL)
		v->v_number = number;
	return v;
}

static void
porter(void *unused)
{
	(void)unused;
	for (uint64_t n = 0;; n++) {
		struct visit *v = visit_note(n);

		if (v != NULL) {
			v->v_next = NULL;	/* those before it are forgotten, and not freed */
			visits = v;
		}
		rest(A_WHILE / 20);
	}
}

KPLANT(leak)
{
	start(porter, "porter");
}
