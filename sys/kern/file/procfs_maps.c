/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * procfs_maps - /proc/PID/maps and its kin: what a process has mapped, by
 * name and by weight.
 *
 * A map entry holds the name that its file was opened by, so the text follows
 * the file through renames and says " (deleted)" once it is gone; the entry's
 * object says what has no such name: System V segments, the vDSO, memory
 * shared without a file.  Device and inode are those of the file as its
 * mount shows it, also where an overlay took the contents from elsewhere.
 *
 * A space may have more regions than memory to tell of them, so the text is
 * made in pieces, each from an address on: what changes between two reads may
 * show in the second.  The space is locked only while the regions of a piece
 * are copied, each with the name and object it holds; text is made
 * afterwards, when waiting harms nobody.  Weights are taken from the page
 * table then, so they are of a moment later.
 */
#include "procfs_int.h"

#include <abi/errno.h>
#include <abi/mman.h>
#include <core/rt/rt.h>
#include <sys/ipc/ipc.h>
#include <sys/proc/cred.h>
#include <sys/proc/sample.h>
#include <sys/proc/vdso.h>
#include <sys/vm/kmem.h>

#define REGIONS_MAX	64u		/* in a piece */
#define NAME_COLUMN	73u

typedef unsigned long long ull;

struct maps {
	struct vmspace	*vs;		/* held; NULL: it has none any more */
	struct vm_region *r;		/* REGIONS_MAX; each with its name and object held */
	uint32_t	n;
	uaddr_t		next;		/* where the next piece begins; 0: there is none */
	uaddr_t		stack, brk;
	/* Of the region before, for most have the same. */
	struct ncp	*name;		/* NULL: nothing known */
	struct pbuf	path;
	uint64_t	dev, ino;
};

static bool
keep_region(const struct vm_region *r, void *arg)
{
	struct maps *m = arg;

	if (m->n == REGIONS_MAX) {
		m->next = r->start;
		return false;
	}
	if (r->obj != NULL)
		vmobj_hold(r->obj);		/* maps_put() drops them */
	if (r->name != NULL)
		ncp_hold(r->name);
	m->r[m->n++] = *r;
	return true;
}

static int
maps_of(struct proc *p, uaddr_t from, struct maps *m)
{
	memset(m, 0, sizeof *m);
	token_get(&p->p_tok);
	m->stack = p->p_stack_start;
	token_release(&p->p_tok);
	m->vs = procfs_space_of(p);
	if (m->vs == NULL)
		return 0;
	m->r = kmalloc_array(REGIONS_MAX, sizeof *m->r, KM_WAIT);
	if (m->r == NULL)
		return ENOMEM;
	vm_foreach(m->vs, from, keep_region, m);
	vm_brk(m->vs, &m->brk);
	return 0;
}

static int
maps_get(const struct pnode *n, uaddr_t from, struct maps *m)
{
	struct proc *p;
	int error = procfs_look_at(n, &p);

	if (error != 0) {
		memset(m, 0, sizeof *m);
		return error;
	}
	error = maps_of(p, from, m);
	proc_drop(p);
	return error;
}

static void
maps_put(struct maps *m)
{
	for (uint32_t i = 0; i < m->n; i++) {
		if (m->r[i].obj != NULL)
			vmobj_drop(m->r[i].obj);
		if (m->r[i].name != NULL)
			ncp_drop(m->r[i].name);
	}
	kfree(m->r);
	kfree(m->path.pb_text);
	if (m->vs != NULL)
		vmspace_drop(m->vs);
}

/* A line feed in a name would be a line of its own. */
static void
pb_name(struct pbuf *b, const char *s)
{
	for (; *s != '\0'; s++) {
		if (*s == '\n')
			pb_printf(b, "\\012");
		else
			pb_bytes(b, s, 1);
	}
}

/* Path, device and inode of a named region, into m. */
static void
find_name(struct maps *m, struct ncp *name)
{
	struct vattr va;

	if (m->name == name)
		return;
	m->name = name;
	m->path.pb_len = 0;
	m->path.pb_failed = false;
	if (procfs_text_name(&m->path, name) != 0)
		m->path.pb_len = 0;
	pb_bytes(&m->path, "", 1);
	m->dev = name->n_vnode->v_mount->mp_dev;
	m->ino = vn_getattr(name->n_vnode, &va) == 0 ? va.va_ino : 0;
}

struct label {
	const char	*text;
	uint64_t	dev, ino;
	char		buf[32];
};

static void
label_of(struct maps *m, const struct vm_region *r, struct label *l)
{
	int32_t key, id;

	l->text = "";
	l->dev = l->ino = 0;
	if (r->name != NULL) {
		find_name(m, r->name);
		l->text = m->path.pb_failed ? "" : m->path.pb_text;
		l->dev = m->dev;
		l->ino = m->ino;
	} else if (r->obj != NULL && r->obj == vdso_object()) {
		l->text = r->off == 0 ? "[vvar]" : "[vdso]";
	} else if (r->obj != NULL && shm_name(r->obj, &key, &id)) {
		rt_snprintf(l->buf, sizeof l->buf, "/SYSV%08x (deleted)", (uint32_t)key);
		l->text = l->buf;
		l->dev = 1;
		l->ino = (uint32_t)id;
	} else if (r->obj != NULL) {
		l->text = "/dev/zero (deleted)";	/* shared, without a file */
		l->dev = 1;
		l->ino = r->obj->o_id;
	} else if (r->start <= m->stack && m->stack < r->end) {
		l->text = "[stack]";
	} else if (m->brk != 0 && r->end == page_round(m->brk)) {
		l->text = "[heap]";
	}
}

static void
map_line(struct pbuf *b, struct maps *m, const struct vm_region *r)
{
	struct label l;
	size_t len, before = b->pb_len;

	label_of(m, r, &l);
	pb_printf(b, "%08llx-%08llx %c%c%c%c %08llx %02x:%02x %llu", (ull)r->start, (ull)r->end,
	    (r->prot & PROT_READ) != 0 ? 'r' : '-', (r->prot & PROT_WRITE) != 0 ? 'w' : '-',
	    (r->prot & PROT_EXEC) != 0 ? 'x' : '-', (r->flags & MAP_TYPE) == MAP_PRIVATE ? 'p' : 's',
	    (ull)r->off, (unsigned)(l.dev >> 8 & 0xfff), (unsigned)(l.dev & 0xff), (ull)l.ino);
	len = b->pb_len - before;
	if (l.text[0] != '\0') {
		pb_printf(b, "%*s", (int)(len < NAME_COLUMN ? NAME_COLUMN - len : 1), "");
		pb_name(b, l.text);
	} else {
		pb_bytes(b, " ", 1);
	}
	pb_bytes(b, "\n", 1);
}

int
procfs_maps(struct pbuf *b, const struct pnode *n)
{
	struct maps m;
	int error = maps_get(n, b->pb_from, &m);

	for (uint32_t i = 0; error == 0 && i < m.n; i++)
		map_line(b, &m, &m.r[i]);
	b->pb_from = m.next;
	maps_put(&m);
	return error;
}

void
procfs_sampled(struct proc *p)
{
	struct label l;
	struct maps m;
	uaddr_t from = 0;

	do {
		int error = maps_of(p, from, &m);

		for (uint32_t i = 0; error == 0 && i < m.n; i++) {
			if ((m.r[i].prot & PROT_EXEC) == 0)
				continue;
			label_of(&m, &m.r[i], &l);
			sample_map(m.r[i].start, m.r[i].end, m.r[i].off, l.text);
		}
		from = m.next;
		maps_put(&m);
	} while (from != 0);
}

/* -------------------------------------------------------------- map_files -- */

struct pick {
	uaddr_t		from;
	struct vm_region r;		/* its name and object held */
	bool		found;
};

static bool
pick_region(const struct vm_region *r, void *arg)
{
	struct pick *p = arg;

	if (r->start < p->from || r->obj == NULL || r->obj == vdso_object())
		return true;
	p->r = *r;
	p->found = true;
	vmobj_hold(r->obj);
	if (r->name != NULL)
		ncp_hold(r->name);
	return false;
}

static int
pick_get(const struct pnode *n, uaddr_t from, struct pick *p)
{
	struct vmspace *vs;
	struct proc *proc;
	int error = procfs_look_at(n, &proc);

	*p = (struct pick){ .from = from };
	if (error != 0)
		return error;
	vs = procfs_space_of(proc);
	proc_drop(proc);
	if (vs == NULL)
		return ENOENT;
	vm_foreach(vs, from, pick_region, p);
	vmspace_drop(vs);
	return p->found ? 0 : ENOENT;
}

static void
pick_put(struct pick *p)
{
	vmobj_drop(p->r.obj);
	if (p->r.name != NULL)
		ncp_drop(p->r.name);
}

int
procfs_map_next(const struct pnode *dir, uaddr_t from, struct pnode *out)
{
	struct pick p;
	int error = pick_get(dir, from, &p);

	if (error != 0)
		return error;
	*out = *dir;
	out->pn_ent = &procfs_map_link;
	out->pn_start = p.r.start;
	out->pn_end = p.r.end;
	pick_put(&p);
	return 0;
}

/* Hexadecimal digits as they are printed: none in front that is not needed.  Returns what follows. */
static const char *
hex_of(const char *s, const char *end, uaddr_t *out)
{
	const char *begin = s;

	for (*out = 0; s < end && s - begin < 16; s++) {
		char c = *s;

		if (c >= '0' && c <= '9')
			*out = *out << 4 | (uaddr_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			*out = *out << 4 | (uaddr_t)(c - 'a' + 10);
		else
			break;
	}
	return s == begin || (*begin == '0' && s - begin > 1) ? NULL : s;
}

int
procfs_map_named(const struct pnode *dir, const char *name, size_t len, struct pnode *out)
{
	const char *s, *over = name + len;
	uaddr_t start, end;
	int error;

	if ((s = hex_of(name, over, &start)) == NULL || s == over || *s != '-' ||
	    (s = hex_of(s + 1, over, &end)) != over)
		return ENOENT;
	error = procfs_map_next(dir, start, out);
	return error == 0 && (out->pn_start != start || out->pn_end != end) ? ENOENT : error;
}

static int
text_map(struct pbuf *b, const struct pnode *n)
{
	struct maps m = { 0 };
	struct label l;
	struct pick p;
	int error = pick_get(n, n->pn_start, &p);

	if (error != 0)
		return error;
	label_of(&m, &p.r, &l);
	pb_printf(b, "%s", l.text);
	kfree(m.path.pb_text);
	pick_put(&p);
	return 0;
}

/* Leads past all permissions of folders on the way, so it is not for everybody. */
static int
jump_map(const struct pnode *n, struct ncp **out)
{
	struct pick p;
	int error = pick_get(n, n->pn_start, &p);

	if (error != 0)
		return error;
	if (!cred_capable(cred_current(), CAP_SYS_ADMIN))
		error = EPERM;
	else if ((*out = p.r.name) == NULL)
		error = ENOENT;		/* memory that nothing in the tree stands for */
	else
		ncp_hold(*out);
	pick_put(&p);
	return error;
}

const struct pentry procfs_map_link = { "", PK_FDLINK, 0600, text_map, jump_map, NULL, NULL };

/* -------------------------------------------------------------- weights -- */

struct weight {
	struct vm_weight w;
	uint64_t	pss_file, pss_shmem;	/* as w.pss_4096ths */
	uint64_t	locked_4096ths;
};

static void
weigh(const struct maps *m, const struct vm_region *r, struct weight *all)
{
	struct vm_weight one = { 0 };
	uint64_t not_anon;

	vm_weigh(m->vs, r->start, r->end, &one);
	not_anon = one.pss_4096ths - one.pss_anon_4096ths;
	/* What is cached from elsewhere is a file's; other objects are nothing but memory. */
	*(r->obj != NULL && vmobj_is_cache(r->obj) ? &all->pss_file : &all->pss_shmem) += not_anon;
	if (r->locked)
		all->locked_4096ths += one.pss_4096ths;
	all->w.rss += one.rss;
	all->w.pss_4096ths += one.pss_4096ths;
	all->w.pss_dirty_4096ths += one.pss_dirty_4096ths;
	all->w.pss_anon_4096ths += one.pss_anon_4096ths;
	for (int i = 0; i < 4; i++)
		all->w.kind[i / 2][i % 2] += one.kind[i / 2][i % 2];
	all->w.referenced += one.referenced;
	all->w.anonymous += one.anonymous;
	all->w.huge += one.huge;
}

static void
kib(struct pbuf *b, const char *name, uint64_t bytes)
{
	pb_printf(b, "%-16s%8llu kB\n", name, (ull)(bytes >> 10));
}

static void
weight_lines(struct pbuf *b, const struct weight *all, bool rollup)
{
	const struct vm_weight *w = &all->w;

	kib(b, "Rss:", w->rss);
	kib(b, "Pss:", w->pss_4096ths >> 12);
	kib(b, "Pss_Dirty:", w->pss_dirty_4096ths >> 12);
	if (rollup) {
		kib(b, "Pss_Anon:", w->pss_anon_4096ths >> 12);
		kib(b, "Pss_File:", all->pss_file >> 12);
		kib(b, "Pss_Shmem:", all->pss_shmem >> 12);
	}
	kib(b, "Shared_Clean:", w->kind[1][0]);
	kib(b, "Shared_Dirty:", w->kind[1][1]);
	kib(b, "Private_Clean:", w->kind[0][0]);
	kib(b, "Private_Dirty:", w->kind[0][1]);
	kib(b, "Referenced:", w->referenced);
	kib(b, "Anonymous:", w->anonymous);
	kib(b, "KSM:", 0);
	kib(b, "LazyFree:", 0);
	kib(b, "AnonHugePages:", w->huge);
	kib(b, "ShmemPmdMapped:", 0);
	kib(b, "FilePmdMapped:", 0);
	kib(b, "Shared_Hugetlb:", 0);
	kib(b, "Private_Hugetlb:", 0);
	kib(b, "Swap:", 0);
	kib(b, "SwapPss:", 0);
	kib(b, "Locked:", all->locked_4096ths >> 12);
}

static void
flag_line(struct pbuf *b, const struct vm_region *r)
{
	const bool shared = (r->flags & MAP_TYPE) != MAP_PRIVATE;
	const struct { bool is; char name[4]; } flag[] = {
		{ (r->prot & PROT_READ) != 0, "rd " }, { (r->prot & PROT_WRITE) != 0, "wr " },
		{ (r->prot & PROT_EXEC) != 0, "ex " }, { shared, "sh " },
		{ (r->max_prot & PROT_READ) != 0, "mr " }, { (r->max_prot & PROT_WRITE) != 0, "mw " },
		{ (r->max_prot & PROT_EXEC) != 0, "me " }, { shared, "ms " },
		{ (r->flags & MAP_GROWSDOWN) != 0, "gd " }, { r->locked, "lo " },
		{ r->dontfork, "dc " }, { (r->flags & MAP_NORESERVE) != 0, "nr " },
		{ !shared && (r->prot & PROT_WRITE) != 0, "ac " }, { r->wipeonfork, "wf " },
		{ r->nohuge, "nh " },
	};

	pb_printf(b, "VmFlags: ");
	for (size_t i = 0; i < countof(flag); i++)
		if (flag[i].is)
			pb_bytes(b, flag[i].name, 3);
	pb_bytes(b, "\n", 1);
}

int
procfs_smaps(struct pbuf *b, const struct pnode *n)
{
	struct maps m;
	int error = maps_get(n, b->pb_from, &m);

	for (uint32_t i = 0; error == 0 && i < m.n; i++) {
		struct weight w = { 0 };

		weigh(&m, &m.r[i], &w);
		map_line(b, &m, &m.r[i]);
		kib(b, "Size:", m.r[i].end - m.r[i].start);
		kib(b, "KernelPageSize:", PAGE_BYTES);
		kib(b, "MMUPageSize:", PAGE_BYTES);
		weight_lines(b, &w, false);
		pb_printf(b, "THPeligible:    %8d\n", m.r[i].obj == NULL && !m.r[i].nohuge);
		flag_line(b, &m.r[i]);
	}
	b->pb_from = m.next;
	maps_put(&m);
	return error;
}

int
procfs_smaps_rollup(struct pbuf *b, const struct pnode *n)
{
	struct weight w = { 0 };
	uaddr_t from = 0, start = 0, end = 0;
	struct maps m;
	int error;

	do {
		error = maps_get(n, from, &m);
		for (uint32_t i = 0; error == 0 && i < m.n; i++)
			weigh(&m, &m.r[i], &w);
		if (m.n > 0) {
			start = start == 0 ? m.r[0].start : start;
			end = m.r[m.n - 1].end;
		}
		from = m.next;
		maps_put(&m);
	} while (error == 0 && from != 0);
	if (error == 0 && end != 0) {
		pb_printf(b, "%08llx-%08llx ---p 00000000 00:00 0%*s[rollup]\n", (ull)start, (ull)end, 26,
		    "");
		weight_lines(b, &w, true);
	}
	return error;
}
