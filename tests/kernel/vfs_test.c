/* SPDX-License-Identifier: BSD-2-Clause */
/* Names, mounts and files in memory, below a filesystem of each test's own. */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/mount.h>
#include <core/rt/rt.h>
#include <stdatomic.h>
#include <sys/debug/ktest.h>
#include <sys/lwkt/thread.h>
#include <sys/time/time.h>
#include <sys/vfs/fs.h>
#include <sys/vfs/name.h>
#include <sys/vm/kmem.h>

/* --------------------------------------------------------------- helpers -- */

/* A tmpfs on /t, held; every test begins and ends with it empty. */
static struct ncp *
begin(const char *options)
{
	struct ncp *on = NULL, *top = NULL;
	int error = name_create(vfs_root(), "t", 1, false, VDIR, 0755, 0, &on);

	if (error == EEXIST)
		error = name_child(vfs_root(), "t", 1, &on);
	if (!KCHECK(error == 0))
		return NULL;
	KCHECK(vfs_mount("tmpfs", "test", on, 0, options) == 0);
	ncp_drop(on);
	KCHECK(name_child(vfs_root(), "t", 1, &top) == 0);
	return top;
}

static void
finish(struct ncp *top)
{
	struct ncp *on;

	KCHECK(vfs_unmount(top, 0) == 0);
	ncp_drop(top);
	KCHECK(name_child(vfs_root(), "t", 1, &on) == 0);
	ncp_drop(on);
	KCHECK(name_remove(vfs_root(), "t", 1, false, true) == 0);
}

static int
make(struct ncp *top, const char *path, enum v_type type)
{
	struct lookup lu;
	int error = name_lookup(top, path, LOOK_PARENT, &lu);

	if (error != 0)
		return error;
	error = name_create(lu.lu_ncp, lu.lu_last, lu.lu_last_len, lu.lu_trailing, type, 0755, 0, NULL);
	lookup_done(&lu);
	return error;
}

static int
make_link(struct ncp *top, const char *path, const char *target)
{
	struct lookup lu;
	int error = name_lookup(top, path, LOOK_PARENT, &lu);

	if (error != 0)
		return error;
	error = name_symlink(lu.lu_ncp, lu.lu_last, lu.lu_last_len, lu.lu_trailing, target);
	lookup_done(&lu);
	return error;
}

static int
drop_name(struct ncp *top, const char *path, bool directory)
{
	struct lookup lu;
	int error = name_lookup(top, path, LOOK_PARENT, &lu);

	if (error != 0)
		return error;
	error = name_remove(lu.lu_ncp, lu.lu_last, lu.lu_last_len, lu.lu_trailing, directory);
	lookup_done(&lu);
	return error;
}

static int
move(struct ncp *top, const char *from, const char *to, uint32_t flags)
{
	struct lookup f, t;
	int error = name_lookup(top, from, LOOK_PARENT, &f);

	if (error != 0)
		return error;
	error = name_lookup(top, to, LOOK_PARENT, &t);
	if (error == 0)
		error = name_rename(&f, &t, flags);
	lookup_done(&f);
	lookup_done(&t);
	return error;
}

static int
look(struct ncp *top, const char *path, uint32_t flags, struct ncp **out)
{
	struct lookup lu;
	int error = name_lookup(top, path, flags, &lu);

	if (out != NULL)
		*out = NULL;
	if (error != 0)
		return error;
	if (out != NULL)
		*out = lu.lu_ncp;
	else
		lookup_done(&lu);
	return error;
}

static int
move_bytes(struct vnode *vn, void *buf, size_t n, uint64_t off, bool reading, size_t *done)
{
	struct uio_seg seg;
	struct uio u;
	int error;

	uio_kernel(&u, &seg, buf, n, off, reading);
	error = reading ? vn_read(vn, &u, 0) : vn_write(vn, &u, 0);
	*done = n - u.u_resid;
	return error;
}

/* Writes `n` bytes of `c` at `off` in pieces; true: all of it. */
static bool
fill(struct vnode *vn, uint64_t off, size_t n, char c)
{
	char buf[256];
	size_t done;

	memset(buf, c, sizeof buf);
	while (n > 0) {
		size_t k = rt_min(n, sizeof buf);

		if (move_bytes(vn, buf, k, off, false, &done) != 0 || done != k)
			return false;
		n -= k;
		off += k;
	}
	return true;
}

static bool
holds(struct vnode *vn, uint64_t off, size_t n, char c)
{
	char buf[256];
	size_t done;

	while (n > 0) {
		size_t k = rt_min(n, sizeof buf);

		if (move_bytes(vn, buf, k, off, true, &done) != 0 || done != k)
			return false;
		for (size_t i = 0; i < k; i++) {
			if (buf[i] != c)
				return false;
		}
		n -= k;
		off += k;
	}
	return true;
}

static uint64_t
size_of(struct vnode *vn)
{
	struct vattr va;

	return vn_getattr(vn, &va) == 0 ? va.va_size : UINT64_MAX;
}

static int
resize(struct vnode *vn, uint64_t size)
{
	struct vattr va = { .va_mask = VA_SIZE, .va_size = size };

	return vn_setattr(vn, &va);
}

static bool
path_is(struct ncp *n, const char *want)
{
	char text[PATH_MAX_];
	bool unreachable;

	return name_path(n, vfs_root(), text, sizeof text, &unreachable) == 0 && !unreachable &&
	    strcmp(text, want) == 0;
}

/* ----------------------------------------------------------------- names -- */

KTEST(vfs_paths_resolve_with_linux_errors)
{
	struct ncp *top = begin("");
	char longname[NAME_MAX_ + 2];

	if (top == NULL)
		return;
	KCHECK(make(top, "d", VDIR) == 0);
	KCHECK(make(top, "d/f", VREG) == 0);
	KCHECK(look(top, "d/f", 0, NULL) == 0);
	KCHECK(look(top, "d//./f", 0, NULL) == 0);
	KCHECK(look(top, "d/../d/f", 0, NULL) == 0);
	KCHECK(look(top, "d/f/", 0, NULL) == ENOTDIR);
	KCHECK(look(top, "d/f/x", 0, NULL) == ENOTDIR);
	KCHECK(look(top, "d/f/..", 0, NULL) == ENOTDIR);
	KCHECK(look(top, "d/none", 0, NULL) == ENOENT);
	KCHECK(look(top, "d/none", 0, NULL) == ENOENT);		/* from the cache this time */
	KCHECK(look(top, "none/f", 0, NULL) == ENOENT);
	KCHECK(look(top, "", 0, NULL) == ENOENT);
	KCHECK(look(top, "", LOOK_EMPTY, NULL) == 0);
	KCHECK(look(top, "d/f", LOOK_DIR, NULL) == ENOTDIR);
	KCHECK(make(top, "d/f", VREG) == EEXIST);
	KCHECK(make(top, "d", VDIR) == EEXIST);
	KCHECK(make(top, "d/.", VDIR) == EEXIST);
	KCHECK(make(top, "d/none/", VREG) == ENOENT);
	KCHECK(make(top, "d/e/", VDIR) == 0);
	memset(longname, 'x', NAME_MAX_ + 1);
	longname[NAME_MAX_ + 1] = '\0';
	KCHECK(look(top, longname, 0, NULL) == ENAMETOOLONG);
	KCHECK(make(top, longname, VREG) == ENAMETOOLONG);
	longname[NAME_MAX_] = '\0';
	KCHECK(make(top, longname, VREG) == 0);
	KCHECK(look(top, longname, 0, NULL) == 0);
	KCHECK(drop_name(top, "d", true) == ENOTEMPTY);
	KCHECK(drop_name(top, "d", false) == EISDIR);
	KCHECK(drop_name(top, "d/f", true) == ENOTDIR);
	KCHECK(drop_name(top, "d/f/", false) == ENOTDIR);
	KCHECK(drop_name(top, "d/.", true) == EINVAL);
	KCHECK(drop_name(top, "d/..", true) == ENOTEMPTY);
	KCHECK(drop_name(top, "d/none", false) == ENOENT);
	finish(top);
}

KTEST(vfs_symbolic_links_are_followed_and_bounded)
{
	struct ncp *top = begin(""), *a = NULL, *b = NULL;

	if (top == NULL)
		return;
	KCHECK(make(top, "d", VDIR) == 0);
	KCHECK(make(top, "d/f", VREG) == 0);
	KCHECK(make_link(top, "l", "d") == 0);
	KCHECK(make_link(top, "abs", "/t/d/f") == 0);
	KCHECK(make_link(top, "d/up", "../d/f") == 0);
	KCHECK(make_link(top, "loop", "loop") == 0);
	KCHECK(make_link(top, "dangling", "nowhere") == 0);
	KCHECK(make_link(top, "slash", "d/") == 0);
	KCHECK(look(top, "d/f", 0, &a) == 0);
	KCHECK(look(top, "l/f", 0, &b) == 0 && a == b);
	ncp_drop(b);
	KCHECK(look(top, "abs", LOOK_FOLLOW, &b) == 0 && a == b);
	ncp_drop(b);
	KCHECK(look(top, "l/up", LOOK_FOLLOW, &b) == 0 && a == b);
	ncp_drop(b);
	ncp_drop(a);
	KCHECK(look(top, "abs", 0, &b) == 0 && b->n_vnode->v_type == VLNK);
	ncp_drop(b);
	KCHECK(look(top, "l/", 0, &b) == 0 && b->n_vnode->v_type == VDIR);
	ncp_drop(b);
	KCHECK(look(top, "slash", LOOK_FOLLOW, NULL) == 0);
	KCHECK(look(top, "abs/", 0, NULL) == ENOTDIR);
	KCHECK(look(top, "loop", LOOK_FOLLOW, NULL) == ELOOP);
	KCHECK(look(top, "loop", 0, NULL) == 0);
	KCHECK(look(top, "dangling", LOOK_FOLLOW, NULL) == ENOENT);
	/* Forty in a row are followed, one more is not. */
	for (int i = 0; i <= SYMLINKS_MAX; i++) {
		char name[16], to[16];

		rt_snprintf(name, sizeof name, "c%d", i);
		rt_snprintf(to, sizeof to, i == 0 ? "d" : "c%d", i - 1);
		KCHECK(make_link(top, name, to) == 0);
	}
	KCHECK(look(top, "c39", LOOK_FOLLOW, NULL) == 0);
	KCHECK(look(top, "c40", LOOK_FOLLOW, NULL) == ELOOP);
	finish(top);
}

KTEST(vfs_open_obeys_its_flags)
{
	struct ncp *top = begin(""), *n = NULL;

	if (top == NULL)
		return;
	KCHECK(make(top, "d", VDIR) == 0);
	KCHECK(make_link(top, "l", "target") == 0);
	KCHECK(name_open(top, "target", O_RDONLY, 0, &n) == ENOENT);
	KCHECK(name_open(top, "l", O_RDONLY | O_NOFOLLOW, 0, &n) == ELOOP);
	KCHECK(name_open(top, "l", O_CREAT | O_EXCL | O_WRONLY, 0600, &n) == EEXIST);
	KCHECK(name_open(top, "l", O_CREAT | O_WRONLY, 0600, &n) == 0);
	ncp_drop(n);
	KCHECK(look(top, "target", 0, NULL) == 0);
	KCHECK(name_open(top, "target", O_CREAT | O_EXCL | O_WRONLY, 0600, &n) == EEXIST);
	KCHECK(name_open(top, "target", O_DIRECTORY, 0, &n) == ENOTDIR);
	KCHECK(name_open(top, "target/", O_RDONLY, 0, &n) == ENOTDIR);
	KCHECK(name_open(top, "d", O_WRONLY, 0, &n) == EISDIR);
	KCHECK(name_open(top, "d", O_CREAT | O_RDONLY, 0600, &n) == EISDIR);
	KCHECK(name_open(top, "new/", O_CREAT | O_WRONLY, 0600, &n) == EISDIR);
	KCHECK(name_open(top, "d", O_CREAT | O_DIRECTORY, 0600, &n) == EINVAL);
	KCHECK(name_open(top, "l", O_PATH | O_NOFOLLOW, 0, &n) == 0 && n->n_vnode->v_type == VLNK);
	ncp_drop(n);
	KCHECK(name_open(top, "d", O_TMPFILE | O_RDONLY, 0600, &n) == EINVAL);
	KCHECK(name_open(top, "d", O_TMPFILE | O_RDWR, 0600, &n) == 0);
	KCHECK(fill(n->n_vnode, 0, 5000, 'x') && holds(n->n_vnode, 0, 5000, 'x'));
	KCHECK(name_link(top, "named", 5, false, n) == 0);
	ncp_drop(n);
	KCHECK(look(top, "named", 0, &n) == 0 && size_of(n->n_vnode) == 5000);
	ncp_drop(n);
	finish(top);
}

KTEST(vfs_a_removed_name_keeps_its_file_while_held)
{
	struct ncp *top = begin(""), *old = NULL, *new = NULL, *dir = NULL;

	if (top == NULL)
		return;
	KCHECK(make(top, "f", VREG) == 0);
	KCHECK(look(top, "f", 0, &old) == 0);
	KCHECK(fill(old->n_vnode, 0, 10, 'o'));
	KCHECK(drop_name(top, "f", false) == 0);
	KCHECK(ncp_is_deleted(old));
	KCHECK(look(top, "f", 0, NULL) == ENOENT);
	KCHECK(make(top, "f", VREG) == 0);
	KCHECK(look(top, "f", 0, &new) == 0 && new != old && new->n_vnode != old->n_vnode);
	KCHECK(holds(old->n_vnode, 0, 10, 'o') && size_of(new->n_vnode) == 0);
	ncp_drop(new);
	ncp_drop(old);
	KCHECK(make(top, "d", VDIR) == 0);
	KCHECK(look(top, "d", 0, &dir) == 0);
	KCHECK(drop_name(top, "d", true) == 0);
	KCHECK(make(dir, "x", VREG) == ENOENT);
	KCHECK(look(dir, "x", 0, NULL) == ENOENT);
	KCHECK(look(dir, "..", 0, &new) == 0 && new == top);
	ncp_drop(new);
	ncp_drop(dir);
	finish(top);
}

KTEST(vfs_rename_knows_ancestors_and_kinds)
{
	struct ncp *top = begin(""), *n = NULL, *m = NULL;
	struct vattr va;

	if (top == NULL)
		return;
	KCHECK(make(top, "a", VDIR) == 0 && make(top, "a/b", VDIR) == 0 && make(top, "a/b/c", VDIR) == 0);
	KCHECK(make(top, "f", VREG) == 0 && make(top, "g", VREG) == 0 && make(top, "e", VDIR) == 0);
	KCHECK(move(top, "a", "a/b/x", 0) == EINVAL);
	KCHECK(move(top, "a", "a/b", 0) == EINVAL);
	KCHECK(move(top, "a/b/c", "a/b", 0) == ENOTEMPTY);
	KCHECK(move(top, "a/b/c", "a", 0) == ENOTEMPTY);
	KCHECK(move(top, "e", "a", 0) == ENOTEMPTY);
	KCHECK(move(top, "e", "f", 0) == ENOTDIR);
	KCHECK(move(top, "f", "e", 0) == EISDIR);
	KCHECK(move(top, "f", "h/", 0) == ENOTDIR);
	KCHECK(move(top, "f/", "h", 0) == ENOTDIR);
	KCHECK(move(top, "none", "h", 0) == ENOENT);
	KCHECK(move(top, "f", "g", RENAME_NOREPLACE) == EEXIST);
	KCHECK(move(top, "f", "none", RENAME_EXCHANGE) == ENOENT);
	KCHECK(move(top, "f", ".", 0) == EBUSY);
	KCHECK(move(top, "f", "f", 0) == 0 && look(top, "f", 0, NULL) == 0);
	KCHECK(move(top, "f", "g", 0) == 0 && look(top, "f", 0, NULL) == ENOENT);
	/* A held directory goes along, with what is below it. */
	KCHECK(look(top, "a/b/c", 0, &n) == 0 && path_is(n, "/t/a/b/c"));
	KCHECK(move(top, "a/b", "e/a-name-that-is-longer-than-what-fits-inside-the-structure", 0) == 0);
	KCHECK(path_is(n, "/t/e/a-name-that-is-longer-than-what-fits-inside-the-structure/c"));
	KCHECK(move(top, "e/a-name-that-is-longer-than-what-fits-inside-the-structure", "z", 0) == 0);
	KCHECK(path_is(n, "/t/z/c"));
	KCHECK(look(n, "../..", 0, &m) == 0 && m == top);
	ncp_drop(m);
	ncp_drop(n);
	KCHECK(move(top, "z", "e", 0) == 0);
	KCHECK(look(top, "e/c", 0, NULL) == 0);
	KCHECK(move(top, "e", "g", RENAME_EXCHANGE) == 0);
	KCHECK(look(top, "g/c", 0, NULL) == 0);
	KCHECK(look(top, "e", LOOK_DIR, NULL) == ENOTDIR);
	KCHECK(vn_getattr(top->n_vnode, &va) == 0 && va.va_nlink == 4);		/* a and g are below */
	KCHECK(look(top, "g", 0, &n) == 0 && vn_getattr(n->n_vnode, &va) == 0 && va.va_nlink == 3);
	ncp_drop(n);
	finish(top);
}

/* ---------------------------------------------------------------- readdir -- */

struct listing {
	uint64_t	next;
	uint32_t	n, limit;
	uint8_t		seen[512];
};

static bool
list_one(void *arg, const char *name, size_t len, uint64_t ino, enum v_type type, uint64_t next)
{
	struct listing *l = arg;
	uint32_t v = 0;

	(void)ino;
	(void)type;
	if (l->limit == 0)
		return false;
	l->limit--;
	l->next = next;
	if (name[0] == '.')
		return true;
	for (size_t i = 1; i < len; i++)
		v = v * 10 + (uint32_t)(name[i] - '0');
	if (v < countof(l->seen))
		l->seen[v]++;
	l->n++;
	return true;
}

KTEST(vfs_readdir_survives_changes)
{
	struct ncp *top = begin("");
	static struct listing l;
	char name[16];
	bool once = true;

	if (top == NULL)
		return;
	for (uint32_t i = 0; i < 300; i++) {
		rt_snprintf(name, sizeof name, "f%u", i);
		KCHECK(make(top, name, VREG) == 0);
	}
	memset(&l, 0, sizeof l);
	/* Seven at a time; behind the cursor every name goes, new ones come. */
	for (uint32_t i = 0; i < 300; i++) {
		l.limit = 7;
		KCHECK(vn_readdir(top->n_vnode, l.next, list_one, &l) == 0);
		if (l.limit == 7)
			break;
		for (uint32_t v = 0; v < 300; v++) {
			if (l.seen[v] == 1) {
				rt_snprintf(name, sizeof name, "f%u", v);
				KCHECK(drop_name(top, name, false) == 0);
				l.seen[v] = 2;
			} else if (l.seen[v] > 2) {
				once = false;
			}
		}
		if (i < 10) {
			rt_snprintf(name, sizeof name, "g%u", 400 + i);
			KCHECK(make(top, name, VREG) == 0);
		}
	}
	for (uint32_t v = 0; v < 300; v++)
		once = once && l.seen[v] == 2;
	KCHECK(once);
	finish(top);
}

/* ------------------------------------------------------------------ files -- */

KTEST(vfs_file_contents_and_holes)
{
	struct ncp *top = begin(""), *n = NULL;
	struct vattr va;
	struct vnode *vn;
	uint64_t at;

	if (top == NULL)
		return;
	KCHECK(name_open(top, "f", O_CREAT | O_RDWR, 0600, &n) == 0);
	vn = n->n_vnode;
	KCHECK(fill(vn, 100, 5000, 'a') && size_of(vn) == 5100);
	KCHECK(holds(vn, 0, 100, 0) && holds(vn, 100, 5000, 'a'));
	KCHECK(fill(vn, 1 << 20, 10, 'b'));
	KCHECK(holds(vn, 5100, 1000, 0) && holds(vn, 1 << 20, 10, 'b'));
	KCHECK(vn_getattr(vn, &va) == 0 && va.va_blocks512 == 3 * 8);
	KCHECK(vn_seek(vn, 0, false, &at) == 0 && at == 8192);
	KCHECK(vn_seek(vn, 8192, true, &at) == 0 && at == 1 << 20);
	KCHECK(vn_seek(vn, (1 << 20) + 10, true, &at) == ENXIO);
	/* What a shorter length cut off reads zero when the file grows again. */
	KCHECK(resize(vn, 200) == 0 && resize(vn, 4096) == 0);
	KCHECK(holds(vn, 100, 100, 'a') && holds(vn, 200, 3896, 0));
	KCHECK(fill(vn, 0, 5 * 4096, 'c'));
	KCHECK(vn_allocate(vn, 3, 4000, 8292) == 0);
	KCHECK(holds(vn, 0, 4000, 'c') && holds(vn, 4000, 8292, 0) && holds(vn, 12292, 100, 'c'));
	KCHECK(vn_getattr(vn, &va) == 0 && va.va_blocks512 == 3 * 8 && va.va_size == 5 * 4096);
	KCHECK(resize(vn, UINT64_MAX) == EFBIG);
	ncp_drop(n);
	finish(top);
}

KTEST(vfs_tmpfs_has_a_limit_and_gives_back)
{
	struct ncp *top = begin("size=64k,nr_inodes=5"), *n = NULL;
	struct statfs_info si;
	char buf[64] = "";
	size_t done;

	if (top == NULL)
		return;
	KCHECK(name_open(top, "f", O_CREAT | O_RDWR, 0600, &n) == 0);
	KCHECK(fill(n->n_vnode, 0, 65536, 'x'));
	KCHECK(move_bytes(n->n_vnode, buf, sizeof buf, 65536, false, &done) == ENOSPC && done == 0);
	KCHECK(size_of(n->n_vnode) == 65536);
	KCHECK(vn_allocate(n->n_vnode, 0, 0, 70000) == ENOSPC);
	KCHECK(resize(n->n_vnode, 4096) == 0);
	KCHECK(fill(n->n_vnode, 65536, 100, 'y'));
	KCHECK(top->n_mount->mp_ops->fs_statfs(top->n_mount, &si) == 0 && si.blocks == 16 && si.bfree == 14);
	KCHECK(drop_name(top, "f", false) == 0);
	ncp_drop(n);
	KCHECK(top->n_mount->mp_ops->fs_statfs(top->n_mount, &si) == 0 && si.bfree == 16);
	for (int i = 0; i < 4; i++) {
		rt_snprintf(buf, sizeof buf, "i%d", i);
		KCHECK(make(top, buf, VREG) == 0);
	}
	KCHECK(make(top, "one-too-many", VREG) == ENOSPC);
	KCHECK(make_link(top, "one-too-many", "x") == ENOSPC);
	finish(top);
}

/* ----------------------------------------------------------------- mounts -- */

KTEST(vfs_mounts_cover_and_uncover)
{
	struct ncp *top = begin(""), *d, *in, *n = NULL;

	if (top == NULL)
		return;
	KCHECK(make(top, "d", VDIR) == 0 && make(top, "d/hidden", VREG) == 0);
	KCHECK(look(top, "d", 0, &d) == 0);
	KCHECK(vfs_mount("none-such", "x", d, 0, "") == ENODEV);
	KCHECK(vfs_mount("tmpfs", "x", d, 0, "size=nonsense") == EINVAL);
	KCHECK(vfs_mount("tmpfs", "x", d, MS_RDONLY, "") == 0);
	KCHECK(vfs_mount("tmpfs", "x", d, 0, "") == EBUSY);
	KCHECK(look(top, "d/hidden", 0, NULL) == ENOENT);
	KCHECK(make(top, "d/f", VREG) == EROFS);
	KCHECK(look(top, "d", 0, &in) == 0 && in != d);
	KCHECK(path_is(in, "/t/d"));
	KCHECK(vfs_remount(in, 0) == 0 && make(top, "d/f", VREG) == 0);
	KCHECK(look(in, "../d/f", 0, &n) == 0 && path_is(n, "/t/d/f"));
	KCHECK(drop_name(top, "d", true) == EBUSY);
	KCHECK(move(top, "d", "e", 0) == EBUSY);
	KCHECK(move(top, "d/f", "f", 0) == EXDEV);
	KCHECK(vfs_unmount(in, 0) == EBUSY);		/* n is held */
	KCHECK(vfs_unmount(top, 0) == EBUSY);		/* something is mounted inside */
	KCHECK(vfs_unmount(in, MNT_DETACH) == 0);
	KCHECK(look(top, "d/hidden", 0, NULL) == 0);
	KCHECK(fill(n->n_vnode, 0, 100, 'x') && holds(n->n_vnode, 0, 100, 'x'));
	KCHECK(vfs_unmount(in, 0) == EINVAL);
	ncp_drop(n);
	ncp_drop(in);
	ncp_drop(d);
	finish(top);
}

KTEST(vfs_names_of_procfs_and_sysfs_stay)
{
	struct ncp *top = begin(""), *d, *in;

	if (top == NULL)
		return;
	KCHECK(make(top, "d", VDIR) == 0 && look(top, "d", 0, &d) == 0);
	KCHECK(vfs_mount("proc", "x", d, 0, "") == 0 && look(top, "d", 0, &in) == 0);
	KCHECK(move(top, "d/version", "d/meminfo", 0) == EPERM);
	KCHECK(move(top, "d/version", "d/sys/kernel/hostname", 0) == EPERM);
	KCHECK(vfs_unmount(in, MNT_DETACH) == 0);
	ncp_drop(in);
	KCHECK(vfs_mount("sysfs", "x", d, 0, "") == 0 && look(top, "d", 0, &in) == 0);
	KCHECK(move(top, "d/kernel", "d/devices/system", 0) == EPERM);
	KCHECK(vfs_unmount(in, MNT_DETACH) == 0);
	ncp_drop(in);
	ncp_drop(d);
	finish(top);
}

KTEST(vfs_a_bind_mount_shows_the_same_files)
{
	struct ncp *top = begin(""), *d = NULL, *m = NULL, *in = NULL, *n = NULL;

	if (top == NULL)
		return;
	KCHECK(make(top, "d", VDIR) == 0 && make(top, "d/sub", VDIR) == 0 && make(top, "d/f", VREG) == 0);
	KCHECK(make(top, "m", VDIR) == 0 && look(top, "d", 0, &d) == 0 && look(top, "m", 0, &m) == 0);
	KCHECK(vfs_bind(d, m, 0) == 0);
	KCHECK(look(top, "m/f", 0, &n) == 0 && path_is(n, "/t/m/f"));
	ncp_drop(n);
	/* Whatever changes on one side is seen on the other, names that were not there included. */
	KCHECK(look(top, "m/new", 0, NULL) == ENOENT && look(top, "d/new", 0, NULL) == ENOENT);
	KCHECK(make(top, "m/new", VREG) == 0 && look(top, "d/new", 0, NULL) == 0);
	KCHECK(drop_name(top, "d/new", false) == 0 && look(top, "m/new", 0, NULL) == ENOENT);
	KCHECK(move(top, "m/f", "m/sub/g", 0) == 0 && look(top, "d/sub/g", 0, NULL) == 0);
	KCHECK(move(top, "m/sub/g", "d/g", 0) == EXDEV);
	KCHECK(look(top, "m/sub", 0, &n) == 0 && look(n, "..", 0, &in) == 0 && path_is(in, "/t/m"));
	KCHECK(vfs_unmount(in, 0) == EBUSY);
	ncp_drop(n);
	KCHECK(vfs_remount(in, MS_RDONLY) == 0);
	KCHECK(make(top, "m/no", VREG) == EROFS && drop_name(top, "m/sub/g", false) == EROFS);
	KCHECK(make(top, "d/yes", VREG) == 0);
	KCHECK(make(top, "e", VDIR) == 0 && look(top, "e", 0, &n) == 0 && vfs_move(in, n) == 0);
	KCHECK(look(top, "e/yes", 0, NULL) == 0 && look(top, "m/yes", 0, NULL) == ENOENT);
	ncp_drop(n);
	KCHECK(vfs_unmount(top, 0) == EBUSY);
	KCHECK(vfs_unmount(in, 0) == 0);
	ncp_drop(in);
	ncp_drop(d);
	ncp_drop(m);
	finish(top);
}

/* ------------------------------------------------------ bounds and leaks -- */

KTEST(vfs_the_cache_of_names_has_a_bound)
{
	struct ncp *top = begin("");
	struct ncache_stats st;
	char name[32];

	if (top == NULL)
		return;
	ncache_stats(&st);
	for (uint64_t i = 0; i < st.bound + 5000; i++) {
		rt_snprintf(name, sizeof name, "no%llu", (unsigned long long)i);
		if (look(top, name, 0, NULL) != ENOENT) {
			KCHECK(!"a name that nobody made");
			break;
		}
	}
	ncache_stats(&st);
	KCHECK(st.names <= st.bound + 64);
	ncp_trim(UINT32_MAX);
	ncache_stats(&st);
	KCHECK(st.names < 2000);
	finish(top);
}

static void
churn(struct ncp *top)
{
	struct ncp *n = NULL;

	KCHECK(make(top, "a", VDIR) == 0 && make(top, "a/b", VDIR) == 0);
	KCHECK(name_open(top, "a/b/file", O_CREAT | O_RDWR, 0600, &n) == 0);
	KCHECK(fill(n->n_vnode, 0, 100000, 'z'));
	KCHECK(move(top, "a/b/file", "a/other", 0) == 0);
	KCHECK(make_link(top, "a/link", "other") == 0);
	ncp_drop(n);
	KCHECK(look(top, "a/none", 0, NULL) == ENOENT);
	KCHECK(drop_name(top, "a/b", true) == 0);
}

KTEST(vfs_unmounting_leaves_nothing_behind)
{
	uint64_t before = 0;

	for (int i = 0; i < 6; i++) {
		struct ncp *top = begin("");

		if (top == NULL)
			return;
		churn(top);
		finish(top);
		ncp_trim(UINT32_MAX);
		ncp_trim(UINT32_MAX);
		if (i == 2)
			before = kmem_bytes();
	}
	KCHECK(kmem_bytes() <= before);
}

/* Threads that make, look up, move and remove the same few names: whatever they get, nothing breaks. */
struct racers {
	struct ncp	*top;
	struct waitq	q;
	_Atomic uint32_t done;
	_Atomic uint32_t odd;		/* errors that cannot be */
};

static void
race(void *arg)
{
	static _Atomic uint32_t seeds;
	struct racers *r = arg;
	uint32_t x = atomic_fetch_add(&seeds, 1) * 7919 + 1;
	uint64_t rounds = ktest_rounds(3000, 100000);

	for (uint64_t i = 0; i < rounds; i++) {
		char a[16], b[16];
		int error;

		x = x * 1664525u + 1013904223u;
		rt_snprintf(a, sizeof a, "d%u/n%u", x >> 30, x >> 27 & 7);
		rt_snprintf(b, sizeof b, "d%u/n%u", x >> 20 & 3, x >> 10 & 7);
		switch (x >> 24 & 3) {
		case 0:
			error = make(r->top, a, VREG);
			error = error == EEXIST ? 0 : error;
			break;
		case 1:
			error = drop_name(r->top, a, false);
			error = error == ENOENT ? 0 : error;
			break;
		case 2:
			error = move(r->top, a, b, x & 1024 ? 0 : RENAME_EXCHANGE);
			error = error == ENOENT ? 0 : error;
			break;
		default:
			error = look(r->top, b, 0, NULL);
			error = error == ENOENT ? 0 : error;
			break;
		}
		if (error != 0)
			atomic_fetch_add(&r->odd, 1);
		if ((x & 0xf0) == 0)
			lwkt_yield();
	}
	atomic_fetch_add(&r->done, 1);
	wake_all(&r->q);
}

KTEST(vfs_names_survive_a_race)
{
	static struct racers r;
	struct thread *td;
	int error;

	memset(&r, 0, sizeof r);
	waitq_init(&r.q);
	r.top = begin("");
	if (r.top == NULL)
		return;
	KCHECK(make(r.top, "d0", VDIR) == 0 && make(r.top, "d1", VDIR) == 0);
	KCHECK(make(r.top, "d2", VDIR) == 0 && make(r.top, "d3", VDIR) == 0);
	for (int i = 0; i < 4; i++) {
		if (KCHECK(lwkt_create(race, &r, LWKT_PRI_KERN, "race", &td) == 0))
			lwkt_start(td);
	}
	WAIT_FOR(&r.q, r.done == 4, time_now() + 60 * NSEC_PER_SEC, 0, error);
	KCHECK(error == 0);
	KCHECK(r.odd == 0);
	finish(r.top);
}

/* ---------------------------------------------------------------- overlay -- */

/* What is written over a root at boot stays above it. */
KTEST(an_overlay_at_boot_keeps_what_is_below)
{
	struct ncp *t = begin("");
	struct lookup lu;
	struct vattr va;

	KCHECK(make(t, "low", VDIR) == 0);
	KCHECK(make(t, "low/a", VREG) == 0);
	KCHECK(make(t, "root", VDIR) == 0);
	KCHECK(overlay_mount_boot("/t/low", "/t/root") == 0);
	KCHECK(make(t, "root/b", VREG) == 0);
	KCHECK(drop_name(t, "root/a", false) == 0);
	KCHECK(name_lookup(t, "root/a", 0, &lu) == ENOENT);
	KCHECK(name_lookup(t, "low/b", 0, &lu) == ENOENT);
	KCHECK(name_lookup(t, "low/a", 0, &lu) == 0);
	lookup_done(&lu);
	KCHECK(name_lookup(t, "root/b", 0, &lu) == 0);
	KCHECK(vn_getattr(lu.lu_ncp->n_vnode, &va) == 0 && va.va_nlink == 1);
	lookup_done(&lu);
	/* The overlay, and its own layer below it. */
	for (int i = 0; i < 2; i++) {
		KCHECK(name_lookup(t, "root", 0, &lu) == 0);
		KCHECK(vfs_unmount(lu.lu_ncp, 0) == 0);
		lookup_done(&lu);
	}
	KCHECK(overlay_mount_boot("/t/missing", "/t/root") == ENOENT);
	finish(t);
}
