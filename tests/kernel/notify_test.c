/* SPDX-License-Identifier: BSD-2-Clause */
/* Watches and message queues: what they leave behind, and what they cost who has nothing to do with them. */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <core/rt/rt.h>
#include <sys/debug/ktest.h>
#include <sys/file/event.h>
#include <sys/file/mqueue.h>
#include <sys/vfs/notify.h>
#include <sys/vm/kmem.h>

#define FILES	64u

static struct ncp *
make(struct ncp *dir, const char *name, enum v_type type)
{
	struct ncp *n = NULL;

	KCHECK(name_create(dir, name, strlen(name), false, type, 0700, 0, &n) == 0);
	return n;
}

static void
drop(struct ncp *dir, struct ncp *n, const char *name, bool directory)
{
	ncp_drop(n);
	KCHECK(name_remove(dir, name, strlen(name), false, directory) == 0);
}

KTEST(notify_a_vnode_is_marked_exactly_while_somebody_watches)
{
	struct ncp *n = make(vfs_root(), "watched", VREG);
	struct vnode *vn = n->n_vnode;
	uint32_t refs = vn->v_refs;
	struct file *a = NULL, *b = NULL;
	int32_t wd = 0;

	KCHECK(inotify_create(0, &a) == 0 && inotify_create(0, &b) == 0);
	KCHECK(!vnode_watched(vn));
	KCHECK(inotify_watch(a, vn, IN_OPEN, &wd) == 0 && wd == 1 && vnode_watched(vn));
	KCHECK(inotify_watch(b, vn, IN_OPEN, &wd) == 0 && wd == 1);
	KCHECK(inotify_unwatch(a, 1) == 0 && inotify_unwatch(a, 1) == EINVAL && vnode_watched(vn));
	KCHECK(inotify_watch(a, vn, IN_OPEN, &wd) == 0 && wd == 2);
	file_drop(b);
	KCHECK(vnode_watched(vn));
	file_drop(a);
	KCHECK(!vnode_watched(vn) && vn->v_refs == refs);
	drop(vfs_root(), n, "watched", false);
}

/* A file that nobody watches knows it, until somebody might. */
KTEST(notify_a_quiet_file_asks_again_only_after_a_change)
{
	struct ncp *d = make(vfs_root(), "watched", VDIR), *n = make(vfs_root(), "quiet", VREG);
	struct lookup from = { .lu_ncp = vfs_root(), .lu_last = "quiet", .lu_last_len = 5 };
	struct lookup to = { .lu_ncp = d, .lu_last = "x", .lu_last_len = 1 };
	struct file *in = NULL, *fp = NULL;
	uint64_t before;
	int32_t wd = 0;

	KCHECK(inotify_create(0, &in) == 0 && inotify_watch(in, d->n_vnode, IN_MODIFY, &wd) == 0);
	KCHECK(file_open_name(n, O_RDWR, &fp) == 0);
	before = notify_changes;
	file_notify(fp, IN_MODIFY);
	KCHECK(fp->f_quiet == before && notify_changes == before);
	KCHECK(name_rename(&from, &to, 0) == 0 && notify_changes > before);
	before = notify_changes;
	file_notify(fp, IN_MODIFY);
	KCHECK(fp->f_quiet != before);			/* it is watched now */
	KCHECK(file_poll(in, NULL) != 0);
	file_drop(fp);
	file_drop(in);
	drop(d, n, "x", false);
	drop(vfs_root(), d, "watched", true);
}

/* Instances with watches and events that nobody read, and queues with messages that nobody took, leave nothing. */
KTEST(notify_what_is_closed_leaves_no_memory)
{
	const struct k_mq_attr attr = { .mq_maxmsg = 10, .mq_msgsize = 10000 };
	uint64_t before = 0;

	for (uint32_t round = 0; round < 3; round++) {
		struct ncp *d = make(vfs_root(), "watched", VDIR), *n;
		struct file *in = NULL, *q = NULL;
		struct mqmsg *m;
		int32_t wd = 0;

		KCHECK(inotify_create(0, &in) == 0 && inotify_watch(in, d->n_vnode, IN_ALL_EVENTS, &wd) == 0);
		for (uint32_t i = 0; i < FILES; i++) {
			n = make(d, "x", VREG);
			KCHECK(inotify_watch(in, n->n_vnode, IN_ALL_EVENTS, &wd) == 0);
			drop(d, n, "x", false);
		}
		file_drop(in);
		KCHECK(mqueue_open("test", O_RDWR | O_CREAT, 0600, &attr, &q) == 0);
		for (uint32_t i = 0; i < 10; i++)
			KCHECK(mqmsg_make(10000, i, &m) == 0 && mqueue_send(mqueue_of(q), m, false, 0) == 0);
		KCHECK(mqueue_unlink("test") == 0);
		file_drop(q);
		drop(vfs_root(), d, "watched", true);
		ncp_trim(UINT32_MAX);
		if (round == 1)
			before = kmem_bytes();
	}
	KCHECK(kmem_bytes() <= before);
}
