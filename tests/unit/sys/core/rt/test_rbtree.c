/* SPDX-License-Identifier: BSD-2-Clause */
/* test_rbtree - order, balance and links, against a plain array. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <core/rt/rbtree.h>
#include <core/rt/rt.h>

#include "../../../../../sys/core/rt/rbtree.c"

#define KEYS	512

struct item {
	struct rb_node	node;
	unsigned int	key;
	bool		in;
};
static struct item item[KEYS];

_Noreturn void
rt_fail(const char *file, int line, const char *what)
{
	print_error("%s:%d: %s\n", file, line, what);
	abort();
}

static unsigned int key_of(const struct rb_node *n) { return rb_entry(n, struct item, node)->key; }

static void
insert(struct rb_tree *t, struct item *it)
{
	struct rb_node **link = &t->rb_root, *parent = NULL;

	while (*link != NULL) {
		parent = *link;
		link = it->key < key_of(parent) ? &parent->rb_left : &parent->rb_right;
	}
	rb_insert(t, &it->node, parent, link);
	it->in = true;
}

/* I2, I3 and the links; returns the black height. */
static int
check_node(const struct rb_node *n, const struct rb_node *parent, unsigned int lo, unsigned int hi)
{
	int left, right;

	if (n == NULL)
		return 1;
	assert_ptr_equal(n->rb_parent, parent);
	assert_in_range(key_of(n), lo, hi);
	if (n->rb_red) {
		assert_false(is_red(n->rb_left));
		assert_false(is_red(n->rb_right));
	}
	left = check_node(n->rb_left, n, lo, key_of(n));
	right = check_node(n->rb_right, n, key_of(n), hi);
	assert_int_equal(left, right);
	return left + !n->rb_red;
}

static void
check(const struct rb_tree *t)
{
	struct rb_node *n = rb_first(t);
	struct rb_node *before = NULL;

	assert_false(is_red(t->rb_root));
	(void)check_node(t->rb_root, NULL, 0, KEYS);
	for (unsigned int k = 0; k < KEYS; k++) {
		if (!item[k].in)
			continue;
		assert_ptr_equal(n, &item[k].node);
		assert_ptr_equal(rb_prev(n), before);
		before = n;
		n = rb_next(n);
	}
	assert_null(n);
	assert_ptr_equal(rb_last(t), before);
}

static void
start(void)
{
	for (unsigned int k = 0; k < KEYS; k++)
		item[k] = (struct item){ .key = k };
}

static void
an_empty_tree_has_no_ends(void **state)
{
	struct rb_tree t = { NULL };

	(void)state;
	assert_null(rb_first(&t));
	assert_null(rb_last(&t));
}

static void
random_insertions_and_removals_keep_order_and_balance(void **state)
{
	struct rb_tree t = { NULL };

	(void)state;
	start();
	srand(1);
	for (int i = 0; i < 20000; i++) {
		struct item *it = &item[rand() % (i % 4000 < 2000 ? KEYS : 20)];

		if (it->in) {
			rb_remove(&t, &it->node);
			it->in = false;
		} else {
			insert(&t, it);
		}
		if (i % 8 == 0)
			check(&t);
	}
	check(&t);
}

static void
ascending_descending_and_emptied_from_both_ends(void **state)
{
	struct rb_tree t = { NULL };

	(void)state;
	start();
	for (unsigned int k = 0; k < KEYS / 2; k++) {
		insert(&t, &item[k]);
		insert(&t, &item[KEYS - 1 - k]);
		check(&t);
	}
	for (struct rb_node *n; (n = t.rb_root) != NULL;) {
		n = rb_entry(n, struct item, node)->key % 2 == 0 ? rb_first(&t) : rb_last(&t);
		rb_entry(n, struct item, node)->in = false;
		rb_remove(&t, n);
		check(&t);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_tree_has_no_ends),
		cmocka_unit_test(random_insertions_and_removals_keep_order_and_balance),
		cmocka_unit_test(ascending_descending_and_emptied_from_both_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
