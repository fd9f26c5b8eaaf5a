/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * initramfs - the first root, from a cpio archive in RAM.
 *
 * The archive is outside input, packed or not: the codecs check its form, and
 * here every member goes through the same operations as a program's calls.
 * A member replaces what an earlier one left under its name, except that a
 * directory stays.  Folders that the archive forgot to name are made.  What
 * would land on another filesystem (/dev) is left out: its files come from
 * drivers.
 *
 * Afterwards the archive's memory is given to the allocator.
 *
 * Locking: none of its own; runs once, at boot, before the first process.
 */
#include <abi/errno.h>
#include <core/codec/cpio.h>
#include <core/codec/inflate.h>
#include <core/rt/rt.h>
#include <machine/cpu.h>
#include <machine/mmu.h>
#include <sys/debug/kprint.h>
#include <sys/lwkt/thread.h>
#include <sys/vfs/name.h>
#include <sys/vm/kmem.h>

#define LINK_BUCKETS	64u

/* A file that has more names than one: later members with its numbers are links. */
struct seen {
	struct seen	*next;
	uint32_t	ino, major, minor;
	struct ncp	*ncp;		/* held */
};

struct unpack {
	struct cpio	cpio;
	struct inflate	inflate;
	struct cpio_entry entry;
	struct ncp	*file;		/* held: where data goes */
	uint64_t	at;		/* bytes of it so far */
	struct ncp	*dir;		/* held: the folder of the last member */
	char		dir_path[CPIO_NAME_MAX];	/* its text in the archive */
	size_t		dir_len;
	char		target[PATH_MAX_ + 1];	/* text of a symbolic link */
	char		path[CPIO_NAME_MAX + 1];
	struct seen	*links[LINK_BUCKETS];
	enum cpio_result result;
	int		error;		/* why CPIO_STOPPED */
	uint32_t	members;
};

static bool
stop(struct unpack *u, int error)
{
	u->error = error;
	return error == 0;
}

static struct seen **
link_bucket(struct unpack *u, const struct cpio_entry *e)
{
	return &u->links[(e->ino * 2654435761u >> 16) % LINK_BUCKETS];
}

static struct ncp *
link_find(struct unpack *u, const struct cpio_entry *e)
{
	for (struct seen *s = *link_bucket(u, e); s != NULL; s = s->next) {
		if (s->ino == e->ino && s->major == e->dev_major && s->minor == e->dev_minor)
			return s->ncp;
	}
	return NULL;
}

static int
link_add(struct unpack *u, const struct cpio_entry *e, struct ncp *n)
{
	struct seen **b = link_bucket(u, e), *s = kmalloc(sizeof *s, KM_WAIT);

	if (s == NULL)
		return ENOMEM;
	ncp_hold(n);
	*s = (struct seen){ *b, e->ino, e->dev_major, e->dev_minor, n };
	*b = s;
	return 0;
}

/* A folder that may be missing, component by component. */
static int
make_dirs(const char *path, size_t len, struct ncp **out)
{
	struct ncp *dir = vfs_root(), *sub;
	size_t at = 0;
	int error;

	ncp_hold(dir);
	while (at < len) {
		struct lookup lu;
		char one[NAME_MAX_ + 1];
		size_t n = 0;

		while (at + n < len && path[at + n] != '/')
			n++;
		if (n > NAME_MAX_) {
			ncp_drop(dir);
			return ENAMETOOLONG;
		}
		if (n != 0) {
			memcpy(one, path + at, n);
			one[n] = '\0';
			error = name_lookup(dir, one, LOOK_FOLLOW | LOOK_DIR, &lu);
			if (error == 0) {
				sub = lu.lu_ncp;
			} else if (error == ENOENT) {
				error = name_create(dir, one, n, false, VDIR, 0755, 0, &sub);
			}
			ncp_drop(dir);
			if (error != 0)
				return error;
			dir = sub;
		}
		at += n + 1;
	}
	*out = dir;
	return 0;
}

/* The folder of `path`; most members share the one before. */
static int
find_dir(struct unpack *u, const char *path, size_t len)
{
	int error;

	if (u->dir != NULL && len == u->dir_len && memcmp(path, u->dir_path, len) == 0)
		return 0;
	if (u->dir != NULL)
		ncp_drop(u->dir);
	u->dir = NULL;
	error = make_dirs(path, len, &u->dir);
	if (error == 0) {
		memcpy(u->dir_path, path, len);
		u->dir_len = len;
	}
	return error;
}

static int
set_attributes(struct ncp *n, const struct cpio_entry *e)
{
	struct vattr va = {
		.va_mask = VA_MODE | VA_UID | VA_GID | VA_MTIME | VA_ATIME,
		.va_mode = e->mode & 07777, .va_uid = e->uid, .va_gid = e->gid,
		.va_mtime = e->mtime * NSEC_PER_SEC, .va_atime = e->mtime * NSEC_PER_SEC,
	};

	return vn_setattr(n->n_vnode, &va);
}

/* Make the member's name.  *out gets it when there are attributes or data to give. */
static int
make_name(struct unpack *u, const char *name, size_t len, struct ncp **out)
{
	const struct cpio_entry *e = &u->entry;
	uint32_t fmt = e->mode & S_IFMT;
	struct ncp *first;
	int error;

	*out = NULL;
	if (fmt == S_IFDIR) {
		error = name_create(u->dir, name, len, true, VDIR, e->mode & 07777, 0, out);
		if (error == EEXIST)
			error = name_child(u->dir, name, len, out);
		return error;
	}
	error = name_remove(u->dir, name, len, false, false);
	if (error != 0 && error != ENOENT)
		return error;
	if (fmt == S_IFREG) {
		first = e->nlink > 1 ? link_find(u, e) : NULL;
		if (first != NULL) {
			error = name_link(u->dir, name, len, false, first);
			return error != 0 ? error : name_child(u->dir, name, len, out);
		}
		error = name_create(u->dir, name, len, false, VREG, e->mode & 07777, 0, out);
		if (error == 0 && e->nlink > 1)
			error = link_add(u, e, *out);
		return error;
	}
	if (fmt == S_IFLNK)
		return 0;		/* when its text is here */
	return name_create(u->dir, name, len, false, fmt == S_IFCHR ? VCHR : fmt == S_IFBLK ? VBLK :
	    fmt == S_IFIFO ? VFIFO : VSOCK, e->mode & 07777, MKDEV(e->rdev_major, e->rdev_minor), out);
}

static bool
known_type(uint32_t mode)
{
	uint32_t fmt = mode & S_IFMT;

	return fmt == S_IFREG || fmt == S_IFDIR || fmt == S_IFLNK || fmt == S_IFCHR || fmt == S_IFBLK ||
	    fmt == S_IFIFO || fmt == S_IFSOCK;
}

/* Splits the member's name; the last component stays in u->path from the returned index on. */
static size_t
split(struct unpack *u, const char *name)
{
	size_t len = strlen(name), base;

	while (len > 0 && name[len - 1] == '/')
		len--;
	while (len >= 2 && name[len - 1] == '.' && name[len - 2] == '/')
		len -= 2;
	memcpy(u->path, name, len);
	u->path[len] = '\0';
	for (base = len; base > 0 && u->path[base - 1] != '/'; base--)
		;
	return base;
}

static bool
member_begin(void *arg, const struct cpio_entry *e)
{
	struct unpack *u = arg;
	size_t base = split(u, e->name), len = strlen(u->path + base);
	int error;

	u->entry = *e;
	u->at = 0;
	u->members++;
	if (!known_type(e->mode) || ((e->mode & S_IFMT) == S_IFLNK && (e->size == 0 ||
	    e->size > PATH_MAX_ - 1)))
		return stop(u, EINVAL);
	error = find_dir(u, u->path, base > 0 ? base - 1 : 0);
	if (error != 0)
		return stop(u, error);
	if (u->dir->n_mount != vfs_root()->n_mount) {
		u->entry.mode = 0;
		return true;
	}
	if (len == 0 || strcmp(u->path + base, ".") == 0) {
		if ((e->mode & S_IFMT) == S_IFDIR)
			return stop(u, set_attributes(u->dir, e));
		return stop(u, EINVAL);
	}
	error = make_name(u, u->path + base, len, &u->file);
	if (error == 0 && u->file != NULL && u->file->n_mount == vfs_root()->n_mount)
		error = set_attributes(u->file, e);
	return stop(u, error);
}

static bool
member_data(void *arg, const uint8_t *p, size_t n)
{
	struct unpack *u = arg;
	uint32_t fmt = u->entry.mode & S_IFMT;
	struct uio_seg seg;
	struct uio io;
	int error = 0;

	if (fmt == S_IFLNK) {
		memcpy(u->target + u->at, p, n);
	} else if (fmt == S_IFREG && u->file != NULL) {
		uio_kernel(&io, &seg, (void *)(uintptr_t)p, n, u->at, false);
		error = vn_write(u->file->n_vnode, &io, 0);
	}
	u->at += n;
	return stop(u, error);
}

static bool
member_end(void *arg)
{
	struct unpack *u = arg;
	const char *base = strrchr(u->path, '/');
	int error = 0;

	base = base == NULL ? u->path : base + 1;
	if ((u->entry.mode & S_IFMT) == S_IFLNK) {
		u->target[u->at] = '\0';
		error = name_symlink(u->dir, base, strlen(base), false, u->target);
		if (error == 0)
			error = name_child(u->dir, base, strlen(base), &u->file);
	}
	/* Again: writing changed the time, and may have cost a set-id bit. */
	if (error == 0 && u->file != NULL && u->file->n_mount == vfs_root()->n_mount)
		error = set_attributes(u->file, &u->entry);
	if (u->file != NULL)
		ncp_drop(u->file);
	u->file = NULL;
	return stop(u, error);
}

static const struct cpio_sink sink = { member_begin, member_data, member_end };

static bool
feed(void *arg, const uint8_t *p, size_t n)
{
	struct unpack *u = arg;

	u->result = cpio_feed(&u->cpio, p, n);
	lwkt_poll();
	return u->result == CPIO_OK;
}

static int
report(struct unpack *u, const char *why, uint64_t offset)
{
	char text[256], *c;
	int n;

	n = rt_snprintf(text, sizeof text,
	    "damselfly: root archive: %s at byte %llu, member %u \"%.100s\"\n", why,
	    (unsigned long long)offset, u->members, u->cpio.name);
	for (c = text; *c != '\0'; c++) {
		if ((uint8_t)*c < ' ' && *c != '\n')
			*c = '?';
	}
	kprintf("%s", text);
	md_emergency(text, rt_min((uint64_t)n, sizeof text - 1));
	return u->error != 0 && u->error != EEXIST ? u->error : EINVAL;
}

static int
unpack(struct unpack *u, const uint8_t *data, uint64_t bytes)
{
	enum inflate_result r = INFLATE_OK;
	size_t used = bytes;

	cpio_begin(&u->cpio, &sink, u);
	if (bytes >= 2 && data[0] == 0x1f && data[1] == 0x8b)
		r = inflate_gzip(&u->inflate, data, bytes, &used, feed, u);
	else
		feed(u, data, bytes);
	if (r != INFLATE_OK && r != INFLATE_STOPPED)
		return report(u, inflate_strerror(r), used);
	if (u->result == CPIO_OK)
		u->result = cpio_finish(&u->cpio);
	if (u->result == CPIO_OK)
		return 0;
	if (u->result != CPIO_STOPPED)
		return report(u, cpio_strerror(u->result), u->cpio.offset);
	return report(u, u->error == ENOSPC || u->error == ENOMEM ? "too large for the memory" :
	    "a member that cannot be made", u->cpio.entry_offset);
}

int
initramfs_unpack(paddr_t pa, uint64_t bytes)
{
	struct unpack *u = kmalloc(sizeof *u, KM_ZERO | KM_WAIT);
	int error;

	if (u == NULL)
		return ENOMEM;
	error = unpack(u, md_p2v(pa), bytes);
	if (u->file != NULL)
		ncp_drop(u->file);
	if (u->dir != NULL)
		ncp_drop(u->dir);
	for (uint32_t i = 0; i < LINK_BUCKETS; i++) {
		for (struct seen *s = u->links[i], *next; s != NULL; s = next) {
			next = s->next;
			ncp_drop(s->ncp);
			kfree(s);
		}
	}
	kfree(u);
	if (error == 0)
		vm_phys_free_range(pa, bytes);
	return error;
}
