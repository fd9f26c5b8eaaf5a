/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rbtree - a red-black tree with parent links.
 *
 * Every path from a node down to a leaf crosses the same number of black
 * nodes, and a red node has no red child; so the longest path is at most
 * twice the shortest.  Inserting can put red under red, removing can make
 * one side a black node short; both are repaired on the way up by changing
 * colours, and end after at most two (insert) or three (remove) rotations.
 *
 * Invariants
 *   I1  the root is black; NULL counts as black.
 *   I2  a red node's children are black.
 *   I3  all paths from a node to NULL have the same number of black nodes.
 *
 * Locking: the caller's.  Not here: keys and comparing.
 */
#include "rbtree.h"
#include "rt.h"

static bool
is_red(const struct rb_node *n)
{
	return n != NULL && n->rb_red;
}

/* Put `b` (may be NULL) where `a` hangs. */
static void
replace_child(struct rb_tree *t, struct rb_node *a, struct rb_node *b)
{
	struct rb_node *parent = a->rb_parent;

	if (parent == NULL)
		t->rb_root = b;
	else if (parent->rb_left == a)
		parent->rb_left = b;
	else
		parent->rb_right = b;
	if (b != NULL)
		b->rb_parent = parent;
}

/* The right child of `n` takes its place; n becomes its left child. */
static void
rotate_left(struct rb_tree *t, struct rb_node *n)
{
	struct rb_node *up = n->rb_right;

	ASSERT(up != NULL);
	replace_child(t, n, up);
	n->rb_right = up->rb_left;
	if (n->rb_right != NULL)
		n->rb_right->rb_parent = n;
	up->rb_left = n;
	n->rb_parent = up;
}

static void
rotate_right(struct rb_tree *t, struct rb_node *n)
{
	struct rb_node *up = n->rb_left;

	ASSERT(up != NULL);
	replace_child(t, n, up);
	n->rb_left = up->rb_right;
	if (n->rb_left != NULL)
		n->rb_left->rb_parent = n;
	up->rb_right = n;
	n->rb_parent = up;
}

static void
rotate(struct rb_tree *t, struct rb_node *n, bool left)
{
	if (left)
		rotate_left(t, n);
	else
		rotate_right(t, n);
}

void
rb_insert(struct rb_tree *t, struct rb_node *n, struct rb_node *parent, struct rb_node **link)
{
	ASSERT(*link == NULL);
	n->rb_left = n->rb_right = NULL;
	n->rb_parent = parent;
	n->rb_red = 1;
	*link = n;

	while ((parent = n->rb_parent) != NULL && parent->rb_red) {
		struct rb_node *grand = parent->rb_parent;	/* exists: a red node is not the root */
		bool left = grand->rb_left == parent;
		struct rb_node *uncle = left ? grand->rb_right : grand->rb_left;

		if (is_red(uncle)) {
			parent->rb_red = uncle->rb_red = 0;
			grand->rb_red = 1;
			n = grand;
			continue;
		}
		if (n == (left ? parent->rb_right : parent->rb_left)) {
			rotate(t, parent, left);
			parent = n;
		}
		parent->rb_red = 0;
		grand->rb_red = 1;
		rotate(t, grand, !left);
		break;
	}
	t->rb_root->rb_red = 0;
}

/* The subtree at `n` (may be NULL) below `parent` is one black node short. */
static void
repair_short(struct rb_tree *t, struct rb_node *n, struct rb_node *parent)
{
	while (parent != NULL && !is_red(n)) {
		bool left = parent->rb_left == n;
		struct rb_node *sib = left ? parent->rb_right : parent->rb_left;
		struct rb_node *near, *far;

		if (sib->rb_red) {
			sib->rb_red = 0;
			parent->rb_red = 1;
			rotate(t, parent, left);
			sib = left ? parent->rb_right : parent->rb_left;
		}
		near = left ? sib->rb_left : sib->rb_right;
		far = left ? sib->rb_right : sib->rb_left;
		if (!is_red(near) && !is_red(far)) {
			sib->rb_red = 1;
			n = parent;
			parent = n->rb_parent;
			continue;
		}
		if (!is_red(far)) {
			near->rb_red = 0;
			sib->rb_red = 1;
			rotate(t, sib, !left);
			sib = near;
			far = left ? sib->rb_right : sib->rb_left;
		}
		sib->rb_red = parent->rb_red;
		parent->rb_red = 0;
		far->rb_red = 0;
		rotate(t, parent, left);
		return;
	}
	if (n != NULL)
		n->rb_red = 0;
}

void
rb_remove(struct rb_tree *t, struct rb_node *n)
{
	struct rb_node *child, *parent;
	bool was_red = n->rb_red;

	if (n->rb_left != NULL && n->rb_right != NULL) {
		/* The successor has no left child: it leaves its place and takes n's. */
		struct rb_node *s = n->rb_right;

		while (s->rb_left != NULL)
			s = s->rb_left;
		was_red = s->rb_red;
		child = s->rb_right;
		parent = s->rb_parent == n ? s : s->rb_parent;
		if (s->rb_parent != n) {
			replace_child(t, s, child);
			s->rb_right = n->rb_right;
			s->rb_right->rb_parent = s;
		}
		replace_child(t, n, s);
		s->rb_left = n->rb_left;
		s->rb_left->rb_parent = s;
		s->rb_red = n->rb_red;
	} else {
		child = n->rb_left != NULL ? n->rb_left : n->rb_right;
		parent = n->rb_parent;
		replace_child(t, n, child);
	}
	n->rb_left = n->rb_right = n->rb_parent = NULL;
	if (!was_red)
		repair_short(t, child, parent);
}

struct rb_node *
rb_first(const struct rb_tree *t)
{
	struct rb_node *n = t->rb_root;

	while (n != NULL && n->rb_left != NULL)
		n = n->rb_left;
	return n;
}

struct rb_node *
rb_last(const struct rb_tree *t)
{
	struct rb_node *n = t->rb_root;

	while (n != NULL && n->rb_right != NULL)
		n = n->rb_right;
	return n;
}

struct rb_node *
rb_next(const struct rb_node *n)
{
	const struct rb_node *up;

	if (n->rb_right != NULL) {
		n = n->rb_right;
		while (n->rb_left != NULL)
			n = n->rb_left;
		return (struct rb_node *)n;
	}
	for (up = n->rb_parent; up != NULL && up->rb_right == n; up = up->rb_parent)
		n = up;
	return (struct rb_node *)up;
}

struct rb_node *
rb_prev(const struct rb_node *n)
{
	const struct rb_node *up;

	if (n->rb_left != NULL) {
		n = n->rb_left;
		while (n->rb_right != NULL)
			n = n->rb_right;
		return (struct rb_node *)n;
	}
	for (up = n->rb_parent; up != NULL && up->rb_left == n; up = up->rb_parent)
		n = up;
	return (struct rb_node *)up;
}
