/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * poll - who wants to know when an object's state changes.
 *
 * A note is queued before the state is looked at, so a change between the
 * look and the sleep calls the note's function: nothing is lost.  The
 * function runs under the head's spin lock and may only set flags and wake.
 */
#include <core/rt/rt.h>
#include <sys/file/poll.h>

void
pollhead_init(struct pollhead *h)
{
	spin_init(&h->ph_spin, LR_poll_head);
	list_init(&h->ph_notes);
}

void
poll_queue(struct pollhead *h, struct pollnote *n)
{
	if (n == NULL)
		return;
	ASSERT(n->pn_fn != NULL && n->pn_head == NULL);
	n->pn_head = h;
	spin_lock(&h->ph_spin);
	list_push_back(&h->ph_notes, &n->pn_link);
	spin_unlock(&h->ph_spin);
}

void
poll_dequeue(struct pollnote *n)
{
	struct pollhead *h = n->pn_head;

	if (h == NULL)
		return;
	spin_lock(&h->ph_spin);
	list_remove(&n->pn_link);
	spin_unlock(&h->ph_spin);
	n->pn_head = NULL;
}

void
poll_notify(struct pollhead *h, uint32_t events)
{
	spin_lock(&h->ph_spin);
	list_foreach_safe(n, &h->ph_notes, struct pollnote, pn_link)
		n->pn_fn(n, events);
	spin_unlock(&h->ph_spin);
}
