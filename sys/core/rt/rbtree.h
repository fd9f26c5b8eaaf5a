/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rbtree - intrusive ordered tree.  The caller descends and compares; the
 * tree links, unlinks and balances:
 *
 *	struct rb_node **link = &t->rb_root, *parent = NULL;
 *	while (*link != NULL) { parent = *link; link = less ? &parent->rb_left : &parent->rb_right; }
 *	rb_insert(t, node, parent, link);
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct rb_node {
	struct rb_node	*rb_left, *rb_right, *rb_parent;
	uint8_t		rb_red;
};
struct rb_tree {
	struct rb_node	*rb_root;
};
void	rb_insert(struct rb_tree *t, struct rb_node *n, struct rb_node *parent, struct rb_node **link);
void	rb_remove(struct rb_tree *t, struct rb_node *n);
struct rb_node *rb_first(const struct rb_tree *t);
struct rb_node *rb_last(const struct rb_tree *t);
struct rb_node *rb_next(const struct rb_node *n);
struct rb_node *rb_prev(const struct rb_node *n);
#define rb_entry(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))
