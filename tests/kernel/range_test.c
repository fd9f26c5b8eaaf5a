/* SPDX-License-Identifier: BSD-2-Clause */
/* Locks of byte ranges: the rule, in every order of a few requests; and reads and writes of one file. */
#include <abi/errno.h>
#include <core/rt/rt.h>
#include <stdatomic.h>
#include <sys/debug/ktest.h>
#include <sys/lwkt/thread.h>
#include <sys/vfs/name.h>
#include <sys/vm/kmem.h>

#include "group.h"

/* ------------------------------------------------ every order of requests -- */

#define KINDS	8u
#define DEPTH	7u		/* steps */
#define LIVE	4u		/* requests at once */

static const struct { uint64_t first, end; bool excl; } kind[KINDS] = {
	{ 0, 10, false }, { 0, 10, true }, { 5, 15, false }, { 5, 15, true },
	{ 10, 20, true }, { 12, RANGE_END, true }, { 0, RANGE_END, false }, { 7, 7, true },
};
static struct range_lock rl;
static struct range req[LIVE];
static uint32_t req_kind[LIVE], order[LIVE], nlive;	/* order: of arrival, of those that live */
static bool live[LIVE];
static uint64_t states, wrong;

static bool
clash(uint32_t a, uint32_t b)
{
	if (!kind[a].excl && !kind[b].excl)
		return false;
	return kind[a].first < kind[b].end && kind[b].first < kind[a].end && kind[a].first != kind[a].end &&
	    kind[b].first != kind[b].end;
}

/* The rule, said again: held if nobody before is in the way; so no two held ones are. */
static void
check(void)
{
	states++;
	for (uint32_t i = 0; i < nlive; i++) {
		bool held = range_is_held(&rl, &req[order[i]]), want = true;

		for (uint32_t j = 0; j < i; j++) {
			bool both = clash(req_kind[order[i]], req_kind[order[j]]);

			want = want && !both;
			wrong += both && held && range_is_held(&rl, &req[order[j]]);
		}
		wrong += held != want;
	}
}

static void
explore(uint32_t depth)
{
	check();
	if (depth == 0)
		return;
	for (uint32_t slot = 0; slot < LIVE; slot++) {
		if (live[slot])
			continue;
		for (uint32_t k = 0; k < KINDS; k++) {
			uint64_t first = kind[k].first, end = kind[k].end;
			bool could = range_try(&rl, &req[slot], first, end, kind[k].excl);

			if (could)
				range_unlock(&rl, &req[slot]);
			wrong += could != range_enter(&rl, &req[slot], first, end, kind[k].excl);
			live[slot] = true;
			req_kind[slot] = k;
			order[nlive++] = slot;
			explore(depth - 1);
			nlive--;
			live[slot] = false;
			range_unlock(&rl, &req[slot]);
		}
		break;			/* free slots are alike */
	}
	/* Only what is held is given up.  Afterwards it is put back where it was. */
	for (uint32_t i = 0; i < nlive; i++) {
		uint32_t slot = order[i];
		struct list *after = req[slot].r_link.l_next;

		if (!range_is_held(&rl, &req[slot]))
			continue;
		list_remove(&req[slot].r_link);
		live[slot] = false;
		memmove(&order[i], &order[i + 1], (nlive - i - 1) * sizeof order[0]);
		nlive--;
		explore(depth - 1);
		memmove(&order[i + 1], &order[i], (nlive - i) * sizeof order[0]);
		order[i] = slot;
		nlive++;
		live[slot] = true;
		list_insert_before(after, &req[slot].r_link);
	}
	lwkt_poll();
}

KTEST(ranges_are_held_when_nobody_before_is_in_the_way)
{
	range_lock_init(&rl);
	states = wrong = 0;
	explore((uint32_t)ktest_rounds(DEPTH - 2, DEPTH));
	KCHECK(states > 1000);
	KCHECK(wrong == 0);
	KCHECK(list_empty(&rl.rl_queue) && nlive == 0);
}

/* --------------------------------------------------- one file, many CPUs -- */

#define BLOCK	(3 * PAGE_BYTES + 100)	/* not a number of pages */

static struct vnode *file;
static _Atomic uint64_t mixed, failed;

static int
move(bool write, char *buf, size_t len, uint64_t off, uint32_t ioflag, size_t *done)
{
	struct uio_seg seg;
	struct uio u;
	int error;

	uio_kernel(&u, &seg, buf, len, off, !write);
	error = write ? vn_write(file, &u, ioflag) : vn_read(file, &u, ioflag);
	*done = len - u.u_resid;
	return error;
}

/* Writers fill the block, each with its letter; readers must see one letter. */
static void
writer(void *arg)
{
	char *buf = kmalloc(BLOCK, KM_WAIT);
	size_t done;

	memset(buf, 'a' + (int)(uintptr_t)arg, BLOCK);
	for (uint64_t i = 0; i < grp.rounds; i++)
		failed += move(true, buf, BLOCK, 50, 0, &done) != 0 || done != BLOCK;
	kfree(buf);
	grp_member_ends();
}

static void
reader(void *arg)
{
	char *buf = kmalloc(BLOCK, KM_WAIT);
	size_t done;

	(void)arg;
	for (uint64_t i = 0; i < grp.rounds; i++) {
		failed += move(false, buf, BLOCK, 50, 0, &done) != 0 || done != BLOCK;
		for (size_t k = 1; k < done; k++)
			mixed += buf[k] != buf[0];
	}
	kfree(buf);
	grp_member_ends();
}

/* Appended records come whole and none is lost, though the file is cut and grows by others' calls. */
static void
appender(void *arg)
{
	char buf[40];
	size_t done;

	memset(buf, 'A' + (int)(uintptr_t)arg, sizeof buf);
	for (uint64_t i = 0; i < grp.rounds; i++)
		failed += move(true, buf, sizeof buf, 0, IO_APPEND, &done) != 0 || done != sizeof buf;
	grp_member_ends();
}

/* Makes the file longer and shorter; bytes that were never written are zeros. */
static void
cutter(void *arg)
{
	char buf[200];
	size_t done;

	(void)arg;
	for (uint64_t i = 0; i < grp.rounds; i++) {
		struct vattr va = { .va_mask = VA_SIZE, .va_size = 100000 + i % 3 * 5000 };

		failed += vn_setattr(file, &va) != 0;
		memset(buf, 'x', sizeof buf);
		failed += move(true, buf, sizeof buf, va.va_size, 0, &done) != 0;
		va.va_size -= 300;
		failed += vn_setattr(file, &va) != 0;
		va.va_size += 600;
		failed += vn_setattr(file, &va) != 0;
		failed += move(false, buf, sizeof buf, va.va_size - 600, 0, &done) != 0;
		for (size_t k = 0; k < done; k++)
			mixed += buf[k] != 0;
	}
	grp_member_ends();
}

static struct ncp *
file_begin(void)
{
	struct ncp *n = NULL;

	KCHECK(name_create(vfs_root(), "range-test", 10, false, VREG, 0600, 0, &n) == 0);
	file = n->n_vnode;
	mixed = failed = 0;
	return n;
}

static void
file_end(struct ncp *n)
{
	ncp_drop(n);
	KCHECK(name_remove(vfs_root(), "range-test", 10, false, false) == 0);
	KCHECK(mixed == 0);
	KCHECK(failed == 0);
}

KTEST(a_read_sees_all_of_a_write_or_nothing)
{
	struct vattr va = { .va_mask = VA_SIZE, .va_size = BLOCK + 50 };
	struct ncp *n = file_begin();

	KCHECK(vn_setattr(file, &va) == 0);
	grp_begin(2000, 100000);
	for (uint32_t i = 0; i < 4; i++)
		grp_start(i, i % 2 == 0 ? writer : reader, (void *)(uintptr_t)i);
	grp_wait();
	file_end(n);
}

KTEST(appends_are_whole_and_none_is_lost)
{
	struct ncp *n = file_begin();
	struct vattr va;
	char buf[40];
	size_t done;
	uint64_t records = 0;

	grp_begin(2000, 50000);
	for (uint32_t i = 0; i < 4; i++)
		grp_start(i, appender, (void *)(uintptr_t)i);
	grp_wait();
	KCHECK(vn_getattr(file, &va) == 0 && va.va_size == 4 * grp.rounds * sizeof buf);
	while (move(false, buf, sizeof buf, records * sizeof buf, 0, &done) == 0 && done == sizeof buf) {
		for (size_t k = 1; k < sizeof buf; k++)
			mixed += buf[k] != buf[0];
		records++;
	}
	KCHECK(records == 4 * grp.rounds);
	file_end(n);
}

KTEST(a_file_cut_and_grown_while_others_write_below)
{
	struct ncp *n = file_begin();
	struct vattr va = { .va_mask = VA_SIZE, .va_size = 100000 };

	KCHECK(vn_setattr(file, &va) == 0);
	grp_begin(1000, 30000);
	grp_start(0, cutter, NULL);
	for (uint32_t i = 1; i < 4; i++)
		grp_start(i, i == 1 ? reader : writer, (void *)(uintptr_t)i);
	grp_wait();
	file_end(n);
}
