/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * overlay_read - reading merged directories, without remembering anything.
 *
 * The layers are read one after the other, lower ones first, the upper one
 * last.  A name is shown where it is met first, as what the overlay makes of
 * it.  A lower layer never changes, so a name keeps its place when it is
 * copied up, and one who reads while others change the directory meets each
 * name that stays exactly once.
 *
 * A cookie of the first layer is its filesystem's own, so an unmerged
 * directory is read as it is.  The others have COOKIE_LATER, the layer and
 * 56 bits of the filesystem's.
 *
 * A layer's entries are taken in portions: between them no lock of a layer is
 * held, so that names can be looked up in the others.
 */
#include "overlay_int.h"

#include <abi/errno.h>
#include <core/rt/rt.h>
#include <sys/lwkt/thread.h>
#include <sys/vm/kmem.h>

#define PORTION_BYTES	8192u
#define COOKIE_LATER	(1ull << 63)
#define COOKIE_SHIFT	56u
#define COOKIE_MASK	((1ull << COOKIE_SHIFT) - 1)

struct entry {
	uint64_t	e_ino, e_next;
	enum v_type	e_type;
	uint32_t	e_len;
	char		e_name[];
};
struct portion {
	uint32_t	p_used;
	_Alignas(8) char p_buf[PORTION_BYTES];
};

static bool
collect(void *arg, const char *name, size_t len, uint64_t ino, enum v_type type, uint64_t next)
{
	struct portion *p = arg;
	struct entry *e = (struct entry *)(void *)(p->p_buf + p->p_used);
	size_t bytes = (sizeof *e + len + 7) & ~(size_t)7;

	if (bytes > PORTION_BYTES - p->p_used)
		return false;
	*e = (struct entry){ .e_ino = ino, .e_next = next, .e_type = type, .e_len = (uint32_t)len };
	memcpy(e->e_name, name, len);
	p->p_used += (uint32_t)bytes;
	return true;
}

static inline struct entry *
entry_at(struct portion *p, uint32_t at)
{
	return (struct entry *)(void *)(p->p_buf + at);
}

static inline uint32_t
entry_bytes(const struct entry *e)
{
	return (uint32_t)((sizeof *e + e->e_len + 7) & ~(size_t)7);
}

static bool
layer_has(struct ncp *dir, const struct entry *e)
{
	struct ncp *n;

	if (name_child_below(dir, e->e_name, e->e_len, &n) != 0)
		return false;
	ncp_drop(n);
	return true;
}

/*
 * What the overlay makes of an entry of layer `i`.  ENOENT: it is not shown
 * here.  Only where another layer may have a say is the name looked up.
 */
static int
resolve(struct onode *dir, uint32_t i, struct ncp *layer, struct entry *e)
{
	struct ncp *up = dir->on_upper;
	struct vnode *vn;
	struct vattr va;
	int error;

	if (name_is_dots(e->e_name, e->e_len)) {
		e->e_ino = e->e_len == 1 ? dir->on_ino : overlay_ino(dir->on_mount, layer->n_vnode, e->e_ino);
		return i == 0 ? 0 : ENOENT;
	}
	for (uint32_t j = 0; j < i; j++) {
		if (layer_has(dir->on_lower[j], e))
			return ENOENT;
	}
	if (dir->on_nlower == 1 && i == 0 && e->e_type != VCHR && (up == NULL || !layer_has(up, e))) {
		e->e_ino = overlay_ino(dir->on_mount, layer->n_vnode, e->e_ino);
		return 0;
	}
	error = overlay_lookup(dir->on_vnode, e->e_name, e->e_len, &vn);
	if (error != 0)
		return error;
	error = vn_getattr(vn, &va);
	e->e_ino = va.va_ino;
	e->e_type = vn->v_type;
	vnode_drop(vn);
	return error;
}

/* One layer from `at` on, of the only one what a portion shows.  *more false: the reader has enough. */
static int
read_layer(struct onode *dir, uint32_t i, uint64_t at, struct portion *p, dir_emit_fn emit, void *arg,
    bool *more)
{
	struct ncp *layer = i < dir->on_nlower ? dir->on_lower[i] : dir->on_upper;
	bool only = dir->on_nlower + (dir->on_upper != NULL) == 1, shown = false;
	int error;

	do {
		p->p_used = 0;
		error = vn_readdir(layer->n_vnode, at, collect, p);
		if (error != 0 || p->p_used == 0)
			return error;
		for (uint32_t o = 0; o < p->p_used; o += entry_bytes(entry_at(p, o))) {
			struct entry *e = entry_at(p, o);
			uint64_t next = at = e->e_next;

			if (i > 0 && next > COOKIE_MASK)
				return EOVERFLOW;
			if (i > 0)
				next |= COOKIE_LATER | (uint64_t)i << COOKIE_SHIFT;
			error = resolve(dir, i, layer, e);
			if (error == 0 && !emit(arg, e->e_name, e->e_len, e->e_ino, e->e_type, next)) {
				*more = false;
				return 0;
			}
			if (error != 0 && error != ENOENT)
				return error;
			shown |= error == 0;
			lwkt_poll();
		}
	} while (!only || !shown);
	return 0;
}

int
overlay_readdir(struct vnode *vn, uint64_t cookie, dir_emit_fn emit, void *arg)
{
	struct onode *dir = vn_onode(vn);
	uint32_t layers = dir->on_nlower + (dir->on_upper != NULL), i = 0;
	struct portion *p;
	bool more = true;
	int error = 0;

	if (vn->v_type != VDIR)
		return ENOTDIR;
	p = kmalloc(sizeof *p, KM_WAIT);
	if (p == NULL)
		return ENOMEM;
	if ((cookie & COOKIE_LATER) != 0) {
		i = (uint32_t)(cookie >> COOKIE_SHIFT) & 0x7f;
		cookie &= COOKIE_MASK;
	}
	for (; error == 0 && more && i < layers; i++) {
		error = read_layer(dir, i, cookie, p, emit, arg, &more);
		cookie = 0;
	}
	kfree(p);
	return error;
}

struct first {
	uint64_t	f_next;		/* where to go on */
	bool		f_any, f_found;
};

static bool
stop_at_first(void *arg, const char *name, size_t len, uint64_t ino, enum v_type type, uint64_t next)
{
	struct first *f = arg;

	(void)ino, (void)type;
	f->f_next = next;
	f->f_any = true;
	f->f_found = !name_is_dots(name, len);
	return !f->f_found;
}

int
overlay_is_empty(struct vnode *dir)
{
	struct first f = { .f_any = true };
	int error = 0;

	while (error == 0 && f.f_any && !f.f_found) {
		f.f_any = false;
		error = overlay_readdir(dir, f.f_next, stop_at_first, &f);
	}
	return error != 0 ? error : f.f_found ? ENOTEMPTY : 0;
}

int
overlay_clear(struct ncp *dir)
{
	struct portion *p = kmalloc(sizeof *p, KM_WAIT);
	uint64_t at = 0;
	int error = p == NULL ? ENOMEM : 0;

	while (error == 0) {
		p->p_used = 0;
		error = vn_readdir(dir->n_vnode, at, collect, p);
		if (error != 0 || p->p_used == 0)
			break;
		for (uint32_t o = 0; error == 0 && o < p->p_used; o += entry_bytes(entry_at(p, o))) {
			struct entry *e = entry_at(p, o);

			at = e->e_next;
			if (e->e_type == VCHR)
				error = name_remove(dir, e->e_name, e->e_len, false, false);
			lwkt_poll();
		}
	}
	kfree(p);
	return error;
}
