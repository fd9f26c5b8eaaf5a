/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * list - doubly linked, circular, intrusive, with the head as a member of
 * the ring.  An element that is on no list points to itself, so removing
 * twice is harmless and "is it queued?" has an answer.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *l_next, *l_prev;
};
#define LIST_INIT(name)		{ &(name), &(name) }

static inline void list_init(struct list *l) { l->l_next = l->l_prev = l; }
static inline bool list_empty(const struct list *l) { return l->l_next == l; }

static inline void
list_insert_between(struct list *e, struct list *before, struct list *after)
{
	e->l_prev = before;
	e->l_next = after;
	before->l_next = e;
	after->l_prev = e;
}
static inline void list_push_front(struct list *head, struct list *e) { list_insert_between(e, head, head->l_next); }
static inline void list_push_back(struct list *head, struct list *e) { list_insert_between(e, head->l_prev, head); }
static inline void list_insert_before(struct list *pos, struct list *e) { list_insert_between(e, pos->l_prev, pos); }

static inline void
list_remove(struct list *e)
{
	e->l_prev->l_next = e->l_next;
	e->l_next->l_prev = e->l_prev;
	list_init(e);
}
/* Move everything from `from` to the end of `to`. */
static inline void
list_splice(struct list *to, struct list *from)
{
	if (list_empty(from))
		return;
	from->l_next->l_prev = to->l_prev;
	to->l_prev->l_next = from->l_next;
	from->l_prev->l_next = to;
	to->l_prev = from->l_prev;
	list_init(from);
}

#define list_entry(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))
#define list_first(head, type, member) (list_empty(head) ? (type *)0 : list_entry((head)->l_next, type, member))
#define list_last(head, type, member) (list_empty(head) ? (type *)0 : list_entry((head)->l_prev, type, member))
#define list_next(head, e, type, member) ((e)->member.l_next == (head) ? (type *)0 : list_entry((e)->member.l_next, type, member))
#define list_prev(head, e, type, member) \
	((e)->member.l_prev == (head) ? (type *)0 : list_entry((e)->member.l_prev, type, member))
#define list_foreach(var, head, type, member) \
	for (type *var = list_first(head, type, member); var != NULL; var = list_next(head, var, type, member))
/* As above, and `var` may be removed (and freed) in the body. */
#define list_foreach_safe(var, head, type, member) \
	for (type *var = list_first(head, type, member), *var##_n = NULL; \
	    var != NULL && ((var##_n = list_next(head, var, type, member)), true); var = var##_n)
