/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tmpfs_xattr - extended attributes: names and values beside a file.
 *
 * A node has a list of them, greatest name first (as Linux lists them); few
 * files have any, and those that do have few.  Who may have which names is decided above.
 *
 * Invariants
 *   X1  the names of one node, each with its NUL, take XATTR_LIST_MAX bytes
 *       at most, so a list of them can always be given.
 *   X2  each attribute counts in tm_pages with the pages it would fill.
 *
 * Locking: v_lk of the node.
 */
#include "tmpfs_int.h"

#include <abi/errno.h>
#include <abi/xattr.h>
#include <core/rt/rt.h>
#include <sys/vm/kmem.h>

struct txattr {
	struct list	x_link;
	size_t		x_name_len, x_size;	/* const */
	char		x_text[];		/* const: the name, NUL, the value */
};

static uint64_t
charge(const struct txattr *x)
{
	return page_round(sizeof(*x) + x->x_name_len + 1 + x->x_size) >> PAGE_SHIFT;
}

static void
txattr_free(struct tnode *t, struct txattr *x)
{
	list_remove(&x->x_link);
	budget_give(&t->t_mount->tm_pages, charge(x));
	kfree(x);
}

/* NULL: not there.  *before: the first with a smaller name, NULL: none. */
static struct txattr *
txattr_find(struct tnode *t, const char *name, struct txattr **before)
{
	*before = NULL;
	list_foreach(x, &t->t_xattrs, struct txattr, x_link) {
		int c = strcmp(x->x_text, name);

		if (c == 0)
			return x;
		if (c < 0) {
			*before = x;
			break;
		}
	}
	return NULL;
}

static int
txattr_make(struct tnode *t, const char *name, const void *value, size_t size, struct txattr **out)
{
	size_t len = strlen(name);
	struct txattr *x = kmalloc(sizeof(*x) + len + 1 + size, KM_WAIT);

	if (x == NULL)
		return ENOMEM;
	list_init(&x->x_link);
	x->x_name_len = len;
	x->x_size = size;
	memcpy(x->x_text, name, len + 1);
	memcpy(x->x_text + len + 1, value, size);
	if (!budget_take(&t->t_mount->tm_pages, charge(x))) {
		kfree(x);
		return ENOSPC;
	}
	*out = x;
	return 0;
}

static size_t
names_bytes(struct tnode *t, bool trusted)
{
	size_t sum = 0;

	list_foreach(x, &t->t_xattrs, struct txattr, x_link)
		if (trusted || strncmp(x->x_text, "trusted.", 8) != 0)
			sum += x->x_name_len + 1;
	return sum;
}

int
txattr_get(struct vnode *vn, const char *name, void *buf, size_t size, size_t *len)
{
	struct txattr *x, *before;
	int error = 0;

	lk_shared(&vn->v_lk);
	x = txattr_find(vn_tnode(vn), name, &before);
	if (x == NULL) {
		error = ENODATA;
	} else if (size != 0 && size < x->x_size) {
		error = ERANGE;
	} else {
		*len = x->x_size;
		if (size != 0)
			memcpy(buf, x->x_text + x->x_name_len + 1, x->x_size);
	}
	lk_release(&vn->v_lk);
	return error;
}

int
txattr_set(struct vnode *vn, const char *name, const void *value, size_t size, uint32_t flags)
{
	struct tnode *t = vn_tnode(vn);
	struct txattr *old, *new = NULL, *before;
	int error = 0;

	lk_excl(&vn->v_lk);
	old = txattr_find(t, name, &before);
	if (old == NULL && (value == NULL || (flags & XATTR_REPLACE) != 0))
		error = ENODATA;
	else if (old != NULL && (flags & XATTR_CREATE) != 0)
		error = EEXIST;
	else if (old == NULL && names_bytes(t, true) + strlen(name) + 1 > XATTR_LIST_MAX)
		error = ENOSPC;				/* X1 */
	else if (value != NULL)
		error = txattr_make(t, name, value, size, &new);
	if (error == 0) {
		if (new != NULL && (old != NULL || before != NULL))
			list_insert_before(old != NULL ? &old->x_link : &before->x_link, &new->x_link);
		else if (new != NULL)
			list_push_back(&t->t_xattrs, &new->x_link);
		if (old != NULL)
			txattr_free(t, old);
		tnode_touch(t, VA_CTIME);
	}
	lk_release(&vn->v_lk);
	return error;
}

int
txattr_list(struct vnode *vn, bool trusted, char *buf, size_t size, size_t *len)
{
	struct tnode *t = vn_tnode(vn);
	int error = 0;

	lk_shared(&vn->v_lk);
	*len = names_bytes(t, trusted);
	if (size != 0 && size < *len)
		error = ERANGE;
	if (error == 0 && size != 0)
		list_foreach(x, &t->t_xattrs, struct txattr, x_link)
			if (trusted || strncmp(x->x_text, "trusted.", 8) != 0) {
				memcpy(buf, x->x_text, x->x_name_len + 1);
				buf += x->x_name_len + 1;
			}
	lk_release(&vn->v_lk);
	return error;
}

/* Nobody has the node any more. */
void
txattr_clear(struct tnode *t)
{
	list_foreach_safe(x, &t->t_xattrs, struct txattr, x_link)
		txattr_free(t, x);
}
