/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What messages cost, to another CPU, to a port, and names, in place and through a bind mount;
 * `vkernel-test -a kbench`.
 *
 * A round trip begins and ends on CPU 0.  The other CPU either idles, and is
 * woken by each message, or looks at its mailbox all the time, which shows
 * what the message itself costs.  A batch is doubled until it lasts BATCH_NS;
 * of BATCHES such the quickest counts, because the host may have other work to do.
 */
#include <core/rt/rt.h>
#include <machine/clock.h>
#include <stdatomic.h>
#include <sys/debug/ktest.h>
#include <sys/lwkt/ipi.h>
#include <sys/lwkt/port.h>
#include <sys/lwkt/thread.h>
#include <sys/vfs/name.h>

#define BATCH_NS	4000000u
#define BATCHES		9u
#define OTHER		1u		/* the other CPU */

static nsec_t
batch(uint64_t n, void (*op)(void))
{
	nsec_t begin = md_now();

	for (uint64_t i = 0; i < n; i++)
		op();
	return md_now() - begin;
}

static void
measure(const char *name, void (*op)(void))
{
	nsec_t best = 0;
	uint64_t n = 32;

	while (best < BATCH_NS) {
		n *= 2;
		best = batch(n, op);
	}
	for (uint32_t i = 0; i < BATCHES; i++)
		best = rt_min(best, batch(n, op));
	ktest_figure(name, best, n);
}

/* ------------------------------------------------------------- messages -- */

static uint64_t ran;

static void
count(void *arg, uint64_t value)
{
	(void)arg;
	ran += value;
}

static void
ipi_to_self(void)
{
	ipi_call(mycpuid, count, NULL, 1);
}

static void
ipi_to_other(void)
{
	ipi_call(OTHER, count, NULL, 1);
}

static struct waitq done_q = WAITQ_INIT(done_q);
static _Atomic bool looking, enough;

static void
look_at_mailbox(void *arg)
{
	(void)arg;
	atomic_store(&looking, true);
	while (!atomic_load_explicit(&enough, memory_order_relaxed))
		lwkt_poll();
	atomic_store(&looking, false);
	wake_all(&done_q);
}

KBENCH(ipi)
{
	struct thread *td;
	uint32_t turns = 0;
	int error;

	measure("ipi-same-cpu", ipi_to_self);
	if (cpu_count == 1)
		return;
	measure("ipi-other-idle", ipi_to_other);
	if (!KCHECK(lwkt_create_on(OTHER, look_at_mailbox, NULL, LWKT_PRI_KERN, "bench", &td) == 0))
		return;
	lwkt_start(td);
	while (!atomic_load(&looking))
		md_spin(&turns);
	measure("ipi-other-looking", ipi_to_other);
	atomic_store(&enough, true);
	WAIT_FOR(&done_q, !atomic_load(&looking), NSEC_NEVER, 0, error);
	KCHECK(error == 0 && ran > 0);
}

/* ---------------------------------------------------------------- ports -- */

enum { OP_PING, OP_END };

static struct port asked;

static void
call(uint32_t op)
{
	struct msg m = { .m_op = op };

	KCHECK(port_call(&asked, &m) == 0);
}

static void
port_ping(void)
{
	call(OP_PING);
}

static int
answer_at_once(struct port *p, struct msg *m)
{
	(void)p;
	(void)m;
	return 0;
}

static void
server(void *arg)
{
	uint32_t op;

	(void)arg;
	do {
		struct msg *m = port_wait(&asked);

		op = m->m_op;
		msg_reply(m, 0);
	} while (op != OP_END);
}

static void
measure_server(const char *name, uint32_t cpu)
{
	struct thread *td;

	port_init(&asked);
	if (!KCHECK(lwkt_create_on(cpu, server, NULL, LWKT_PRI_KERN, "bench", &td) == 0))
		return;
	lwkt_start(td);
	measure(name, port_ping);
	call(OP_END);
}

KBENCH(port)
{
	port_init_put(&asked, answer_at_once, NULL, NULL);
	measure("port-same-cpu-inline", port_ping);
	measure_server("port-same-cpu-queued", 0);
	if (cpu_count > 1)
		measure_server("port-other-cpu", OTHER);
}

/* ---------------------------------------------------------------- names -- */

#define IN_PLACE	"/bench/a/b/c"
#define BOUND		"/bench/m/b/c"

static struct ncp *there;

static void
look_up(const char *path)
{
	struct lookup lu;

	if (KCHECK(name_lookup(NULL, path, LOOK_FOLLOW, &lu) == 0))
		lookup_done(&lu);
}

static void
look_up_in_place(void)
{
	look_up(IN_PLACE);
}

static void
look_up_bound(void)
{
	look_up(BOUND);
}

static void
ask(void)
{
	struct vattr va;

	KCHECK(vn_getattr(there->n_vnode, &va) == 0);
}

static void
measure_file(const char *name, const char *path)
{
	struct lookup lu;

	if (!KCHECK(name_lookup(NULL, path, LOOK_FOLLOW, &lu) == 0))
		return;
	there = lu.lu_ncp;
	measure(name, ask);
	lookup_done(&lu);
}

KBENCH(names)
{
	static const char *const dirs[] = { "/bench", "/bench/a", "/bench/a/b", "/bench/m", "/bench/a/b/c" };
	struct lookup lu, m;

	for (uint32_t i = 0; i < 5; i++) {
		if (!KCHECK(name_lookup(NULL, dirs[i], LOOK_PARENT, &lu) == 0))
			return;
		(void)name_create(lu.lu_ncp, lu.lu_last, lu.lu_last_len, false, i == 4 ? VREG : VDIR, 0755, 0,
		    NULL);
		lookup_done(&lu);
	}
	KCHECK(name_lookup(NULL, "/bench/a", 0, &lu) == 0 && name_lookup(NULL, "/bench/m", 0, &m) == 0);
	KCHECK(vfs_bind(lu.lu_ncp, m.lu_ncp, 0) == 0);
	lookup_done(&lu);
	lookup_done(&m);
	measure("lookup-4-names", look_up_in_place);
	measure("lookup-4-names-bound", look_up_bound);
	measure_file("attributes", IN_PLACE);
	measure_file("attributes-bound", BOUND);
}
