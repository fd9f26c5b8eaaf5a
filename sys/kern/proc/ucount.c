/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ucount - counts per user, for limits that no process could keep alone.
 *
 * A count is there while anything is charged to it.
 *
 * Invariant: uc_units is the sum of uc_n, and never 0 of what is in the table.
 *
 * Locking: one spin for all: what is charged here is made rarely.
 */
#include <abi/errno.h>
#include <core/rt/list.h>
#include <core/rt/rt.h>
#include <sys/lwkt/spin.h>
#include <sys/proc/cred.h>
#include <sys/proc/ucount.h>
#include <sys/proc/view.h>
#include <sys/vm/kmem.h>

#define BUCKETS		32u

struct ucount {
	struct list	uc_link;	/* [uc_spin] */
	uint32_t	uc_uid;		/* const */
	uint64_t	uc_view;	/* const: v_id */
	uint64_t	uc_n[UC_KINDS];	/* [uc_spin] */
	uint64_t	uc_units;	/* [uc_spin] */
};

static struct spin uc_spin = SPIN_INIT(ucount);
static struct list users[BUCKETS];	/* [uc_spin] */

static struct ucount *
find(uint32_t uid, uint64_t view)
{
	list_foreach(uc, &users[uid % BUCKETS], struct ucount, uc_link)
		if (uc->uc_uid == uid && uc->uc_view == view)
			return uc;
	return NULL;
}

int
ucount_take(enum ucount_kind k, uint64_t n, uint64_t limit, struct ucount **out)
{
	uint32_t uid = cred_current()->cr_uid;
	uint64_t view = view_current()->v_id;
	struct ucount *new = kmalloc(sizeof(*new), KM_WAIT | KM_ZERO), *uc;
	int error = 0;

	ASSERT(n > 0);
	if (new == NULL)
		return ENOMEM;
	spin_lock(&uc_spin);
	uc = find(uid, view);
	if (n > limit || (uc != NULL && uc->uc_n[k] > limit - n)) {
		error = EAGAIN;
	} else if (uc == NULL) {
		uc = new;
		new = NULL;
		uc->uc_uid = uid;
		uc->uc_view = view;
		list_push_back(&users[uid % BUCKETS], &uc->uc_link);
	}
	if (error == 0) {
		uc->uc_n[k] += n;
		uc->uc_units += n;
	}
	spin_unlock(&uc_spin);
	kfree(new);
	*out = uc;
	return error;
}

void
ucount_give(struct ucount *uc, enum ucount_kind k, uint64_t n)
{
	bool last;

	spin_lock(&uc_spin);
	ASSERT(uc->uc_n[k] >= n);
	uc->uc_n[k] -= n;
	uc->uc_units -= n;
	last = uc->uc_units == 0;
	if (last)
		list_remove(&uc->uc_link);
	spin_unlock(&uc_spin);
	if (last)
		kfree(uc);
}

void
ucount_init(void)
{
	for (uint32_t i = 0; i < BUCKETS; i++)
		list_init(&users[i]);
}
