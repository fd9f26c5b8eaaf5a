/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * procfs - what the kernel knows, as files.
 *
 * The tree is tables; processes, threads and descriptors are the tables'
 * rows repeated.  sysfs.c has a tree of its own, of the same kind.  Nothing
 * is cached: every lookup makes a node, which is three numbers and a table
 * row, and asks again whether it still means something.  A file's text is
 * made when reading begins at its start, as a whole, so what one reader sees
 * is consistent and can be sought in.
 *
 * Invariants
 *   F1  a node holds no process: it names one by pid and p_id, so an open
 *       /proc file keeps nobody from going away, and reading it then fails
 *       with ESRCH, also when another process has the number.
 *   F2  a text, or a piece of one, is at most PBUF_MAX bytes.
 *
 * Locking: a snapshot's own lock; processes as proc.h says.
 */
#include "procfs_int.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/statfs.h>
#include <core/rt/rt.h>
#include <stdatomic.h>
#include <sys/file/procfs.h>
#include <sys/time/time.h>
#include <sys/vm/kmem.h>

#define COOKIE_DYNAMIC	0x10000u	/* pids, tids and descriptors come after the fixed names */

/* ------------------------------------------------------------------ text -- */

static bool
pb_grow(struct pbuf *b, size_t more)
{
	size_t cap = b->pb_cap != 0 ? b->pb_cap : 1024;
	char *text;

	if (b->pb_failed)
		return false;
	while (cap - b->pb_len <= more)
		cap *= 2;
	if (cap == b->pb_cap)
		return true;
	text = cap > PBUF_MAX ? NULL : kmalloc(cap, KM_WAIT);
	if (text == NULL) {
		b->pb_failed = true;
		return false;
	}
	if (b->pb_len != 0)
		memcpy(text, b->pb_text, b->pb_len);
	kfree(b->pb_text);
	b->pb_text = text;
	b->pb_cap = cap;
	return true;
}

void
pb_bytes(struct pbuf *b, const void *data, size_t n)
{
	if (n > PBUF_MAX || !pb_grow(b, n))
		return;
	memcpy(b->pb_text + b->pb_len, data, n);
	b->pb_len += n;
}

void
pb_printf(struct pbuf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (!pb_grow(b, 256))
		return;
	va_start(ap, fmt);
	n = rt_vsnprintf(b->pb_text + b->pb_len, b->pb_cap - b->pb_len, fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n >= b->pb_cap - b->pb_len) {
		if (!pb_grow(b, (size_t)n + 1))
			return;
		va_start(ap, fmt);
		n = rt_vsnprintf(b->pb_text + b->pb_len, b->pb_cap - b->pb_len, fmt, ap);
		va_end(ap);
	}
	b->pb_len += (size_t)n;
}

/* ------------------------------------------------------------ open files -- */

struct snapshot {
	struct lk	s_lk;
	struct pbuf	s_buf;		/* [s_lk] the piece that was read last */
	uint64_t	s_base;		/* [s_lk] where it is in the file */
	bool		s_made;		/* [s_lk] */
	/* const: p_id of the process, and its p_execs, when the file was opened */
	uint64_t	s_id;
	uint32_t	s_execs;	/* const */
};

/* Who opened a file about a program's memory does not get to read that of the next program. */
static bool
snap_same_program(struct snapshot *s, const struct pnode *n)
{
	struct proc *p = n->pn_pid != 0 ? procfs_proc(n) : NULL;
	bool same = n->pn_pid == 0 || (p != NULL && p->p_id == s->s_id && p->p_execs == s->s_execs);

	if (p != NULL)
		proc_drop(p);
	return same;
}

static int
snap_make(struct snapshot *s, const struct pnode *n)
{
	int error;

	s->s_buf.pb_len = 0;
	s->s_buf.pb_failed = false;
	if (n->pn_ent->pe_mode == 0400 && !snap_same_program(s, n)) {
		s->s_buf.pb_from = 0;
		s->s_made = true;
		return 0;
	}
	error = n->pn_ent->pe_text(&s->s_buf, n);
	if (error == 0 && s->s_buf.pb_failed)
		error = ENOMEM;
	if (error != 0)
		s->s_buf.pb_len = 0;
	s->s_made = error == 0;
	return error;
}

static int
snap_read(struct file *fp, struct uio *u)
{
	struct snapshot *s = fp->f_data;
	const struct pnode *n = fp->f_vnode->v_data;
	uint64_t at;
	int error = 0;

	if (n->pn_ent->pe_text == NULL)
		return EINVAL;
	lk_excl(&s->s_lk);
	if (!s->s_made || u->u_off == 0 || u->u_off < s->s_base) {
		s->s_base = s->s_buf.pb_from = 0;
		error = snap_make(s, n);
	}
	while (error == 0 && u->u_off - s->s_base >= s->s_buf.pb_len && s->s_buf.pb_from != 0) {
		s->s_base += s->s_buf.pb_len;
		error = snap_make(s, n);
		lwkt_poll();
	}
	at = u->u_off - s->s_base;
	if (error == 0 && at < s->s_buf.pb_len)
		error = uio_move(s->s_buf.pb_text + at, rt_min(s->s_buf.pb_len - at, u->u_resid), u);
	lk_release(&s->s_lk);
	return error;
}

static int
snap_write(struct file *fp, struct uio *u)
{
	const struct pnode *n = fp->f_vnode->v_data;
	char text[256];
	size_t len = u->u_resid, all = len;
	int error;

	if (n->pn_ent->pe_write == NULL || len >= sizeof text)
		return EINVAL;
	error = uio_move(text, len, u);
	if (error != 0)
		return error;
	text[len] = '\0';
	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == ' '))
		text[--len] = '\0';
	error = n->pn_ent->pe_write(n, text, len);
	if (error != 0)
		u->u_resid = all;	/* nothing was written */
	return error;
}

static int
snap_seek(struct file *fp, int64_t off, int whence, uint64_t *result)
{
	int64_t base = whence == SEEK_CUR ? (int64_t)fp->f_off : 0, to;

	if (whence != SEEK_SET && whence != SEEK_CUR)
		return EINVAL;
	if (__builtin_add_overflow(base, off, &to) || to < 0)
		return EINVAL;
	fp->f_off = *result = (uint64_t)to;
	return 0;
}

static void
snap_close(struct file *fp)
{
	struct snapshot *s = fp->f_data;

	kfree(s->s_buf.pb_text);
	kfree(s);
}

static const struct file_ops snap_ops = {
	.fo_read = snap_read, .fo_write = snap_write, .fo_seek = snap_seek, .fo_close = snap_close,
};

/*
 * Opening /proc/PID/fd/N where N is a pipe or a terminal without a name: a
 * second description that passes everything on to the first.
 */
static struct file *
target(struct file *fp)
{
	return fp->f_data;
}

static int alias_read(struct file *fp, struct uio *u) { return file_read(target(fp), u); }
static int alias_write(struct file *fp, struct uio *u) { return file_write(target(fp), u); }
static uint32_t alias_poll(struct file *fp, struct pollnote *note) { return file_poll(target(fp), note); }
static int alias_stat(struct file *fp, struct k_stat *st) { return file_stat(target(fp), st); }
static void alias_close(struct file *fp) { file_drop(target(fp)); }

static int
alias_ioctl(struct file *fp, uint32_t cmd, uaddr_t arg, int64_t *result)
{
	struct file *to = target(fp);

	return to->f_ops->fo_ioctl == NULL ? ENOTTY : to->f_ops->fo_ioctl(to, cmd, arg, result);
}

static const struct file_ops alias_ops = {
	.fo_read = alias_read, .fo_write = alias_write, .fo_poll = alias_poll, .fo_ioctl = alias_ioctl,
	.fo_stat = alias_stat, .fo_close = alias_close,
};

static int
open_alias(const struct pnode *n, struct file *fp)
{
	struct proc *p = procfs_proc(n);
	struct k_stat st;
	struct file *to;
	int error;

	if (p == NULL)
		return ENOENT;
	error = fd_get_of(p, n->pn_fd, &to);
	proc_drop(p);
	if (error != 0)
		return ENOENT;
	/* An alias of an alias would be a chain without end. */
	if (to->f_ops == &alias_ops) {
		struct file *first = target(to);

		file_hold(first);
		file_drop(to);
		to = first;
	}
	if ((file_can_read(fp) && !file_can_read(to)) || (file_can_write(fp) && !file_can_write(to)))
		error = EACCES;
	else if (file_stat(to, &st) == 0 && (st.st_mode & S_IFMT) == S_IFSOCK)
		error = ENXIO;		/* nor may anything but a descriptor or a message hold a socket's file */
	if (error != 0) {
		file_drop(to);
		return error;
	}
	fp->f_ops = &alias_ops;
	fp->f_data = to;
	return 0;
}

/* ---------------------------------------------------------------- vnodes -- */

static const struct vnode_ops procfs_ops;

static enum v_type
type_of(const struct pentry *e)
{
	switch (e->pe_kind) {
	case PK_FILE:
	case PK_MEM:
	case PK_FDINFO:
		return VREG;
	case PK_LINK:
	case PK_FDLINK:
		return VLNK;
	default:
		return VDIR;
	}
}

static uint64_t
ino_of(const struct pnode *n)
{
	uint64_t place = (uint64_t)n->pn_ent / sizeof(uint64_t), row = place & 0x3ff;
	uint64_t who = (uint32_t)(n->pn_tid != 0 ? n->pn_tid : n->pn_pid);
	uint64_t thread = n->pn_tid != 0 ? 1u << 30 : 0;

	if (n->pn_ent->pe_name[0] == '\0' && n->pn_pid == 0 && n->pn_fd < 0)
		return 1;		/* the root */
	if (n->pn_start != 0)
		return who << 32 | 1u << 29 | (n->pn_start >> PAGE_SHIFT & 0x1fffffff);
	if (n->pn_pid == 0)
		return 1ull << 31 | (uint64_t)(n->pn_fd + 1) << 20 | (place & 0xfffff);
	return who << 32 | thread | (uint64_t)(n->pn_fd + 1) << 11 | row | 0x400;
}

static int
node_create(struct mount *mp, const struct pnode *like, enum v_type type, struct vnode **out)
{
	struct pnode *n = kmalloc(sizeof *n, KM_WAIT);
	int error;

	if (n == NULL)
		return ENOMEM;
	*n = *like;
	error = vnode_create(mp, type, &procfs_ops, n, out);
	if (error == 0)
		lk_init(&(*out)->v_lk, LR_ptree_vnode);
	else
		kfree(n);
	return error;
}

static const struct pentry pid_dir = { "", PK_PID, 0555, NULL, NULL, NULL, procfs_pid_table };
static const struct pentry cpu_dir = { "", PK_DIR, 0555, NULL, NULL, NULL, sysfs_cpu_table };
static const struct pentry fd_link = { "", PK_FDLINK, 0700, procfs_text_fd, procfs_jump_fd, NULL, NULL };
static const struct pentry fd_info = { "", PK_FDINFO, 0400, procfs_text_fdinfo, NULL, NULL, NULL };
static const struct pentry root_dir = { "", PK_ROOT, 0555, NULL, NULL, NULL, procfs_root_table };

/* Folders of whole processes. */
static bool
is_process(const struct pnode *n)
{
	return n->pn_ent == &pid_dir && n->pn_tid == 0;
}

static bool
has_thread(const struct pnode *n, int32_t tid)
{
	struct proc *p = procfs_proc(n);
	bool found = false;

	if (p == NULL)
		return false;
	spin_lock(&p->p_sig);
	list_foreach(l, &p->p_lwps, struct lwp, l_link)
		found = found || l->l_tid == tid;
	spin_unlock(&p->p_sig);
	found = found || tid == p->p_pid;
	proc_drop(p);
	return found;
}

/* The next number in use from `from` on, in a directory of numbers; -1: none. */
struct seek { int32_t from, best; };

static int
seek_pid(struct proc *p, void *arg)
{
	struct seek *s = arg;

	if (p->p_pid < s->from)
		return 0;
	s->best = p->p_pid;
	return 1;
}

static bool
has_disks(const struct pnode *n)
{
	enum pkind k = n->pn_ent->pe_kind;

	return k == PK_DISKS || k == PK_DISK || k == PK_DISK_NAMES || k == PK_DISK_NUMBERS;
}

static int32_t
next_number(const struct pnode *n, int32_t from)
{
	struct seek s = { from, -1 };
	struct proc *p;

	if (n->pn_ent->pe_kind == PK_CPUS)
		return (uint32_t)from < cpu_count ? from : -1;
	if (has_disks(n))
		return sysfs_disk_next(n->pn_ent->pe_kind, n->pn_fd, from);
	if (n->pn_ent->pe_kind == PK_ROOT) {
		(void)proc_foreach(seek_pid, &s);
		return s.best;
	}
	p = procfs_proc(n);
	if (p == NULL)
		return -1;
	if (n->pn_ent->pe_kind == PK_TASKS) {
		spin_lock(&p->p_sig);
		list_foreach(l, &p->p_lwps, struct lwp, l_link) {
			if (l->l_tid >= from && (s.best < 0 || l->l_tid < s.best))
				s.best = l->l_tid;
		}
		if (s.best < 0 && p->p_state == P_ZOMBIE && p->p_pid >= from)
			s.best = p->p_pid;
		spin_unlock(&p->p_sig);
	} else if (procfs_may_look(p)) {
		s.best = fd_next_of(p, from);
	}
	proc_drop(p);
	return s.best;
}

/* What a number in this directory would be; false: it has no numbers. */
static bool
number_node(const struct pnode *dir, int32_t v, struct pnode *out)
{
	*out = *dir;
	switch (dir->pn_ent->pe_kind) {
	case PK_ROOT:
		out->pn_ent = &pid_dir;
		out->pn_pid = v;
		return true;
	case PK_TASKS:
		out->pn_ent = &pid_dir;
		out->pn_tid = v;
		return true;
	case PK_CPUS:
		out->pn_ent = &cpu_dir;
		out->pn_fd = v;
		return true;
	case PK_DISKS:
	case PK_DISK:
		out->pn_ent = dir->pn_ent->pe_kind == PK_DISKS ? &sysfs_disk_dir : &sysfs_slice_dir;
		out->pn_fd = v;
		return true;
	case PK_DISK_NAMES:
	case PK_DISK_NUMBERS:
		out->pn_ent = &sysfs_disk_link;
		out->pn_fd = v;
		return true;
	case PK_FDS:
	case PK_FDINFOS:
		out->pn_ent = dir->pn_ent->pe_kind == PK_FDS ? &fd_link : &fd_info;
		out->pn_fd = v;
		return true;
	default:
		return false;
	}
}

/* False: it is gone. */
static bool
number_name(const struct pnode *dir, int32_t v, char name[PTREE_NAME_BYTES])
{
	if (has_disks(dir))
		return sysfs_disk_name(dir->pn_ent->pe_kind, v, name);
	rt_snprintf(name, PTREE_NAME_BYTES, "%s%d", dir->pn_ent->pe_kind == PK_CPUS ? "cpu" : "", v);
	return true;
}

/* The number that has this name; -1: none could. */
static int32_t
number_named(const struct pnode *dir, const char *name, size_t len)
{
	const size_t prefix = dir->pn_ent->pe_kind == PK_CPUS ? 3 : 0;

	if (has_disks(dir))
		return sysfs_disk_find(dir->pn_ent->pe_kind, dir->pn_fd, name, len);
	if (len <= prefix || memcmp(name, "cpu", prefix) != 0)
		return -1;
	return procfs_number(name + prefix, len - prefix);
}

static bool
number_exists(const struct pnode *dir, int32_t v, struct pnode *child)
{
	if (dir->pn_ent->pe_kind == PK_TASKS)
		return has_thread(dir, v);
	if (dir->pn_ent->pe_kind == PK_ROOT) {
		struct proc *p = proc_find(v);

		if (p == NULL)
			return false;
		child->pn_id = p->p_id;
		proc_drop(p);
		return true;
	}
	return next_number(dir, v) == v;
}

/* A thread's folder has no threads of its own, and the memory is the process's. */
static bool
has_entry(const struct pnode *dir, const struct pentry *e)
{
	return dir->pn_tid == 0 || (e->pe_kind != PK_TASKS && e->pe_kind != PK_MAPS);
}

/* A cookie says where the mapping before ended. */
static int
list_maps(const struct pnode *n, uint64_t cookie, dir_emit_fn emit, void *arg)
{
	uaddr_t from = cookie > 2 ? (cookie - 2) << PAGE_SHIFT : 0;
	char name[MAP_NAME_MAX];
	struct pnode child;
	int error;

	while ((error = procfs_map_next(n, from, &child)) == 0) {
		from = child.pn_end;
		rt_snprintf(name, sizeof name, "%llx-%llx", (unsigned long long)child.pn_start,
		    (unsigned long long)child.pn_end);
		if (!emit(arg, name, strlen(name), ino_of(&child), VLNK, (from >> PAGE_SHIFT) + 2))
			return 0;
		lwkt_poll();
	}
	return error == ENOENT ? 0 : error;
}

static int
procfs_lookup(struct vnode *dir, const char *name, size_t len, struct vnode **out)
{
	const struct pnode *n = dir->v_data;
	const struct pentry *e = n->pn_ent->pe_children;
	struct pnode child;
	int32_t v;

	if (dir->v_type != VDIR)
		return ENOTDIR;
	if (n->pn_pid != 0) {
		struct proc *p = procfs_proc(n);

		if (p == NULL)
			return is_process(n) ? ESRCH : ENOENT;
		proc_drop(p);
	}
	for (; e != NULL && e->pe_name != NULL; e++) {
		if (strlen(e->pe_name) != len || memcmp(e->pe_name, name, len) != 0 || !has_entry(n, e))
			continue;
		child = *n;
		child.pn_ent = e;
		return node_create(dir->v_mount, &child, type_of(e), out);
	}
	if (n->pn_ent->pe_kind == PK_MAPS) {
		int error = procfs_map_named(n, name, len, &child);

		return error != 0 ? error : node_create(dir->v_mount, &child, VLNK, out);
	}
	v = number_named(n, name, len);
	if (v < 0 || !number_node(n, v, &child) || !number_exists(n, v, &child))
		return ENOENT;
	return node_create(dir->v_mount, &child, type_of(child.pn_ent), out);
}

static int
procfs_readdir(struct vnode *dir, uint64_t cookie, dir_emit_fn emit, void *arg)
{
	const struct pnode *n = dir->v_data;
	const struct pentry *table = n->pn_ent->pe_children;
	struct pnode child;
	char name[PTREE_NAME_BYTES];
	int32_t v;

	if (cookie == 0 && !emit(arg, ".", 1, ino_of(n), VDIR, 1))
		return 0;
	if (cookie <= 1 && !emit(arg, "..", 2, 1, VDIR, 2))
		return 0;
	cookie = rt_max(cookie, 2);
	for (uint64_t i = 0; table != NULL && table[i].pe_name != NULL; i++) {
		if (i + 2 < cookie || !has_entry(n, &table[i]))
			continue;
		child = *n;
		child.pn_ent = &table[i];
		if (!emit(arg, table[i].pe_name, strlen(table[i].pe_name), ino_of(&child),
		    type_of(&table[i]), i + 3))
			return 0;
	}
	if (n->pn_ent->pe_kind == PK_MAPS)
		return list_maps(n, cookie, emit, arg);
	if (!number_node(n, 0, &child))
		return 0;
	v = cookie < COOKIE_DYNAMIC ? 0 : (int32_t)rt_min(cookie - COOKIE_DYNAMIC, INT32_MAX);
	while ((v = next_number(n, v)) >= 0) {
		number_node(n, v, &child);
		if (number_name(n, v, name) && !emit(arg, name, strlen(name), ino_of(&child),
		    type_of(child.pn_ent), COOKIE_DYNAMIC + (uint64_t)v + 1))
			return 0;
		v++;
	}
	return 0;
}

/* What stands for a file without a name: see jump_nameless(). */
static bool
is_alias(const struct vnode *vn)
{
	const struct pnode *n = vn->v_data;

	return n->pn_ent == &fd_link && vn->v_type != VLNK;
}

static int
alias_getattr(const struct pnode *n, struct vattr *va)
{
	struct k_stat st;
	int error = procfs_stat_fd(n, &st);

	if (error != 0)
		return error;
	va->va_mode = st.st_mode & 07777;
	va->va_nlink = (uint32_t)st.st_nlink;
	va->va_ino = st.st_ino;
	va->va_uid = st.st_uid;
	va->va_gid = st.st_gid;
	va->va_rdev = st.st_rdev;
	va->va_size = (uint64_t)st.st_size;
	va->va_blksize = (uint32_t)st.st_blksize;
	return 0;
}

static int
procfs_getattr(struct vnode *vn, struct vattr *va)
{
	const struct pnode *n = vn->v_data;
	struct proc *p;

	va->va_atime = va->va_mtime = va->va_ctime = time_wall();
	if (is_alias(vn))
		return alias_getattr(n, va);
	va->va_mode = n->pn_ent->pe_mode;
	va->va_nlink = vn->v_type == VDIR ? 2 : 1;
	va->va_ino = ino_of(n);
	va->va_blksize = 1024;
	if (vn->v_type == VLNK)
		va->va_size = n->pn_ent->pe_kind == PK_FDLINK ? 64 : 0;
	if (n->pn_pid == 0)
		return 0;
	p = procfs_proc(n);
	if (p == NULL)
		return ESRCH;
	token_get(&p->p_tok);
	if (p->p_dumpable || n->pn_ent->pe_mode == 0555) {
		va->va_uid = p->p_cred->cr_euid;
		va->va_gid = p->p_cred->cr_egid;
	}
	token_release(&p->p_tok);
	proc_drop(p);
	return 0;
}

static int
procfs_readlink(struct vnode *vn, char *buf, size_t size, size_t *len)
{
	const struct pnode *n = vn->v_data;
	struct pbuf b = { 0 };
	int error = n->pn_ent->pe_text(&b, n);

	if (error == 0 && b.pb_failed)
		error = ENOMEM;
	if (error == 0) {
		*len = rt_min(size, b.pb_len);
		memcpy(buf, b.pb_text, *len);
	}
	kfree(b.pb_text);
	return error;
}

/* Descriptors without a name become a node of their own, whose open is the alias. */
static int
jump_nameless(struct vnode *vn, struct ncp **out)
{
	const struct pnode *n = vn->v_data;
	struct pbuf b = { 0 };
	struct k_stat st;
	struct vnode *to;
	int error = procfs_stat_fd(n, &st);

	if (error == 0)
		error = procfs_text_fd(&b, n);
	if (error == 0)
		pb_bytes(&b, "", 1);
	if (error == 0 && b.pb_failed)
		error = ENOMEM;
	if (error == 0)
		error = node_create(vn->v_mount, n, (st.st_mode & S_IFMT) == S_IFIFO ? VFIFO :
		    (st.st_mode & S_IFMT) == S_IFSOCK ? VSOCK : VCHR, &to);
	if (error == 0) {
		error = name_orphan(to, b.pb_text, out);
		vnode_drop(to);
	}
	kfree(b.pb_text);
	return error;
}

static int
procfs_jump(struct vnode *vn, struct ncp **out)
{
	const struct pnode *n = vn->v_data;
	struct lookup lu;
	char text[PATH_MAX_], *from = text;
	size_t len;
	int error;

	if (n->pn_ent->pe_jump != NULL) {
		error = n->pn_ent->pe_jump(n, out);
		return error == EOPNOTSUPP ? jump_nameless(vn, out) : error;
	}
	/* /proc/self and its like: plain text, seen from the root of the tree, to which all its ".." lead. */
	error = procfs_readlink(vn, text, sizeof text - 1, &len);
	if (error != 0)
		return error;
	text[len] = '\0';
	while (strncmp(from, "../", 3) == 0)
		from += 3;
	error = name_lookup(vn->v_mount->mp_ncp, from, LOOK_FOLLOW, &lu);
	if (error == 0)
		*out = lu.lu_ncp;
	return error;
}

static int
procfs_open(struct vnode *vn, struct file *fp)
{
	const struct pnode *n = vn->v_data;
	struct proc *p = NULL;
	struct snapshot *s;

	if (is_alias(vn))
		return vn->v_type == VSOCK ? ENXIO : open_alias(n, fp);
	if (vn->v_type != VREG)
		return 0;
	if (n->pn_ent->pe_kind == PK_MEM)
		return procfs_mem_open(n, fp);
	s = kmalloc(sizeof *s, KM_ZERO | KM_WAIT);
	if (s == NULL)
		return ENOMEM;
	lk_init(&s->s_lk, LR_procfs_text);
	if (n->pn_pid != 0 && (p = procfs_proc(n)) != NULL) {
		s->s_id = p->p_id;
		s->s_execs = p->p_execs;
		proc_drop(p);
	}
	fp->f_ops = &snap_ops;
	fp->f_data = s;
	return 0;
}

static int
procfs_setattr(struct vnode *vn, const struct vattr *va)
{
	(void)vn;
	return (va->va_mask & ~VA_SIZE) != 0 ? EPERM : 0;	/* truncation before a write is fine */
}

static void
procfs_inactive(struct vnode *vn)
{
	kfree(vn->v_data);
}

static const struct vnode_ops procfs_ops = {
	.vop_lookup = procfs_lookup,
	.vop_readdir = procfs_readdir,
	.vop_readlink = procfs_readlink,
	.vop_jump = procfs_jump,
	.vop_getattr = procfs_getattr,
	.vop_setattr = procfs_setattr,
	.vop_open = procfs_open,
	.vop_inactive = procfs_inactive,
};

int
procfs_process(struct file *fp, struct proc **out)
{
	const struct vnode *vn = fp->f_vnode;

	if (vn == NULL || vn->v_ops != &procfs_ops || !is_process(vn->v_data) || (fp->f_flags & O_PATH) != 0)
		return EBADF;
	*out = procfs_proc(vn->v_data);
	return *out == NULL ? ESRCH : 0;
}

int
ptree_mount(struct mount *mp, const struct pentry *root)
{
	const struct pnode n = { .pn_ent = root, .pn_fd = -1 };

	lk_init(&mp->mp_rename_lk, LR_ptree_rename);
	return node_create(mp, &n, VDIR, &mp->mp_root);
}

int
ptree_statfs(struct statfs_info *out, uint64_t magic)
{
	*out = (struct statfs_info){ .type = magic, .bsize = PAGE_BYTES, .namelen = 255 };
	return 0;
}

static int
procfs_mount(struct mount *mp, const char *source, const char *options)
{
	(void)source;
	(void)options;
	return ptree_mount(mp, &root_dir);
}

static int
procfs_statfs(struct mount *mp, struct statfs_info *out)
{
	(void)mp;
	return ptree_statfs(out, PROC_SUPER_MAGIC);
}

static const struct fs_ops procfs_fs = {
	.fs_name = "proc",
	.fs_flags = FS_NOCACHE | FS_NODEV,
	.fs_mount = procfs_mount,
	.fs_statfs = procfs_statfs,
};

static void
count_exec(struct proc *p)
{
	p->p_execs++;
}

static struct proc_hooks hooks = { .ph_exec = count_exec };

int
procfs_init(void)
{
	proc_add_hooks(&hooks);
	proc_set_sampled(procfs_sampled);
	procfs_root_init();
	fs_register(&procfs_fs);
	return vfs_mount_boot("proc", "proc");
}
