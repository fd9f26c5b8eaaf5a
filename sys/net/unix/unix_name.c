/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unix_name - by which names sockets are found: paths, which are vnodes of
 * type VSOCK, and abstract names, which are bytes.
 *
 * A bound socket stands in one bucket of a table: by its vnode, or by the
 * bytes, type and view of its abstract name.  Each socket also stands in a
 * bucket of all sockets, for /proc/net/unix.
 *
 * Invariants
 *   N1  u_addr is set once, under the bucket's spin and the socket's, and the
 *       socket is in that bucket from then on until it is released.
 *       Connections that share a listener's name are in none.
 *   N2  a socket in a bucket is held by its file, so who finds it there may
 *       hold it.
 *
 * Locking: a bucket's spin, then so_spin.
 */
#include "unix_int.h"

#include <abi/errno.h>
#include <core/rt/rt.h>
#include <machine/cpu.h>
#include <sys/file/procfs.h>
#include <sys/vfs/name.h>
#include <sys/vm/kmem.h>

#define BUCKETS		256u
#define ALL_BUCKETS	64u
#define PATH_AT		offsetof(struct k_sockaddr_un, sun_path)
#define AUTO_MASK	0xfffffu	/* autobind: five hexadecimal digits */

struct bucket {
	struct spin	b_spin;
	struct list	b_list;		/* [b_spin] */
};
static struct bucket names[BUCKETS], all[ALL_BUCKETS];
static _Atomic uint32_t auto_next;

int
unix_validate(const struct sock_addr *a)
{
	return a->sa_len <= PATH_AT || a->sa_len > sizeof(a->u.un) || a->u.family != AF_UNIX ? EINVAL : 0;
}

void
unix_addr_drop(struct unix_addr *a)
{
	if (atomic_fetch_sub(&a->ua_refs, 1) != 1)
		return;
	if (a->ua_vnode != NULL)
		vnode_drop(a->ua_vnode);
	kfree(a);
}

static struct unix_addr *
addr_make(const char *text, uint32_t len, uint32_t type, struct vnode *vn)
{
	struct unix_addr *a = kmalloc(sizeof(*a), KM_ZERO | KM_WAIT);

	if (a == NULL)
		return NULL;
	ASSERT(len <= sizeof(a->ua_un.sun_path));
	atomic_init(&a->ua_refs, 1);
	a->ua_len = (uint32_t)PATH_AT + len;
	a->ua_type = type;
	a->ua_vnode = vn;
	a->ua_un.sun_family = AF_UNIX;
	memcpy(a->ua_un.sun_path, text, len);
	if (vn != NULL)
		vnode_hold(vn);
	return a;
}

static uint32_t
bucket_of_path(const struct vnode *vn)
{
	return (uint32_t)(rt_hash(RT_HASH_SEED, &vn->v_id, sizeof(vn->v_id)) >> 8) % BUCKETS;
}

static uint32_t
bucket_of_name(const char *text, uint32_t len, uint32_t type)
{
	return (uint32_t)(rt_hash(RT_HASH_SEED + type, text, len) >> 8) % BUCKETS;
}

static bool
same_name(const struct unix_addr *a, const char *text, uint32_t len, uint32_t type)
{
	return a->ua_vnode == NULL && a->ua_type == type && a->ua_len == PATH_AT + len &&
	    memcmp(a->ua_un.sun_path, text, len) == 0;
}

/* Who has the name among those of `from`'s type and view. */
static struct unix_sock *
find_name(const struct unix_sock *from, struct bucket *b, const char *text, uint32_t len)
{
	list_foreach(u, &b->b_list, struct unix_sock, u_name)
		if (u->u_view == from->u_view && same_name(u->u_addr, text, len, from->u_so.so_type))
			return u;
	return NULL;
}

/* The bucket's spin is held: the socket gets the name, unless it has one.  N1 */
static int
give_name(struct unix_sock *u, struct unix_addr *a, uint32_t bucket)
{
	int error = 0;

	spin_lock(&u->u_so.so_spin);
	if (u->u_addr != NULL) {
		error = EINVAL;
	} else {
		u->u_addr = a;
		u->u_bucket = bucket + 1;
		list_push_back(&names[bucket].b_list, &u->u_name);
	}
	spin_unlock(&u->u_so.so_spin);
	return error;
}

static int
bind_abstract(struct unix_sock *u, const char *text, uint32_t len)
{
	uint32_t type = u->u_so.so_type, bucket = bucket_of_name(text, len, type);
	struct unix_addr *a;
	int error;

	if (u->u_addr != NULL)
		return EINVAL;
	if ((a = addr_make(text, len, type, NULL)) == NULL)
		return ENOMEM;
	spin_lock(&names[bucket].b_spin);
	if (find_name(u, &names[bucket], text, len) != NULL)
		error = EADDRINUSE;
	else
		error = give_name(u, a, bucket);
	spin_unlock(&names[bucket].b_spin);
	if (error != 0)
		unix_addr_drop(a);
	return error;
}

static int
bind_any(struct unix_sock *u)
{
	char text[7];
	int error;

	if (u->u_addr != NULL)
		return 0;
	text[0] = '\0';
	for (uint32_t i = 0; i <= AUTO_MASK; i++) {
		rt_snprintf(text + 1, sizeof(text) - 1, "%05x", atomic_fetch_add(&auto_next, 1) & AUTO_MASK);
		error = bind_abstract(u, text, 6);
		if (error != EADDRINUSE)
			return error == EINVAL ? 0 : error;	/* has one meanwhile */
		lwkt_poll();
	}
	return ENOSPC;
}

int
unix_autobind(struct unix_sock *u)
{
	return sock_option(&u->u_so, SO_PASSCRED) ? bind_any(u) : 0;
}

static uint32_t
socket_mode(void)
{
	struct fsctx *fc = fsctx_current();
	uint32_t mode;

	spin_lock(&fc->fc_spin);
	mode = 0777 & ~fc->fc_umask;
	spin_unlock(&fc->fc_spin);
	return mode;
}

static int
bind_path(struct unix_sock *u, const char *path)
{
	struct unix_addr *a = NULL;
	struct lookup lu;
	struct ncp *n;
	uint32_t bucket;
	int error;

	if ((error = name_lookup(NULL, path, LOOK_PARENT, &lu)) != 0)
		return error;
	error = name_create(lu.lu_ncp, lu.lu_last, lu.lu_last_len, lu.lu_trailing, VSOCK, socket_mode(), 0,
	    &n);
	if (error == 0) {
		a = addr_make(path, (uint32_t)strlen(path), u->u_so.so_type, n->n_vnode);
		bucket = bucket_of_path(n->n_vnode);
		spin_lock(&names[bucket].b_spin);
		error = a == NULL ? ENOMEM : give_name(u, a, bucket);
		spin_unlock(&names[bucket].b_spin);
		ncp_drop(n);
		if (error != 0)
			(void)name_remove(lu.lu_ncp, lu.lu_last, lu.lu_last_len, false, false);
		if (error != 0 && a != NULL)
			unix_addr_drop(a);
	}
	lookup_done(&lu);
	return error == EEXIST ? EADDRINUSE : error;
}

/* The path of an address, which need not end in NUL. */
static void
path_of(const struct sock_addr *a, char path[UNIX_PATH_MAX + 1])
{
	uint32_t len = a->sa_len - (uint32_t)PATH_AT;

	memcpy(path, a->u.un.sun_path, len);
	path[len] = '\0';
}

int
unix_bind(struct socket *so, const struct sock_addr *a)
{
	char path[UNIX_PATH_MAX + 1];
	int error;

	if (a->sa_len == PATH_AT && a->u.family == AF_UNIX)
		return bind_any(usock(so));
	if ((error = unix_validate(a)) != 0)
		return error;
	if (a->u.un.sun_path[0] == '\0')
		return bind_abstract(usock(so), a->u.un.sun_path, a->sa_len - (uint32_t)PATH_AT);
	path_of(a, path);
	return bind_path(usock(so), path);
}

static int
find_path(const char *path, uint32_t type, struct unix_sock **out)
{
	struct bucket *b;
	struct lookup lu;
	struct vnode *vn;
	int error;

	if ((error = name_lookup(NULL, path, LOOK_FOLLOW, &lu)) != 0)
		return error;
	vn = lu.lu_ncp->n_vnode;
	error = name_access(lu.lu_ncp, 2, cred_current());
	if (error == 0)
		error = ECONNREFUSED;
	if (error == ECONNREFUSED && vn->v_type == VSOCK) {
		b = &names[bucket_of_path(vn)];
		spin_lock(&b->b_spin);
		list_foreach(u, &b->b_list, struct unix_sock, u_name) {
			if (((struct unix_addr *)u->u_addr)->ua_vnode != vn)
				continue;
			error = u->u_so.so_type == type ? 0 : EPROTOTYPE;
			if (error == 0)
				unix_hold(*out = u);
			break;
		}
		spin_unlock(&b->b_spin);
	}
	lookup_done(&lu);
	return error;
}

int
unix_find(struct unix_sock *u, const struct sock_addr *a, struct unix_sock **out)
{
	uint32_t len = a->sa_len - (uint32_t)PATH_AT, type = u->u_so.so_type;
	char path[UNIX_PATH_MAX + 1];
	struct bucket *b;

	if (a->u.un.sun_path[0] != '\0') {
		path_of(a, path);
		return find_path(path, type, out);
	}
	b = &names[bucket_of_name(a->u.un.sun_path, len, type)];
	spin_lock(&b->b_spin);
	if ((*out = find_name(u, b, a->u.un.sun_path, len)) != NULL)
		unix_hold(*out);
	spin_unlock(&b->b_spin);
	return *out != NULL ? 0 : ECONNREFUSED;
}

void
unix_tell_name(struct unix_sock *u, struct sock_addr *out)
{
	const struct unix_addr *a = u->u_addr;

	out->sa_len = 0;
	if (a == NULL)
		return;
	/* A path is told with its NUL, which may be one more than fits into the struct. */
	out->sa_len = a->ua_len + (a->ua_vnode != NULL);
	memset(&out->u, 0, sizeof(out->u));
	memcpy(&out->u, &a->ua_un, a->ua_len);
}

int
unix_name(struct socket *so, bool peer, struct sock_addr *out)
{
	struct unix_sock *u = usock(so), *of = peer ? unix_peer_hold(u) : u;

	if (of == NULL)
		return ENOTCONN;
	unix_tell_name(of, out);
	if (out->sa_len == 0) {
		out->sa_len = sizeof(out->u.family);
		out->u.family = AF_UNIX;
	}
	if (peer)
		unix_drop(of);
	return 0;
}

void
unix_enlist(struct unix_sock *u)
{
	struct bucket *b = &all[u->u_so.so_id % ALL_BUCKETS];

	spin_lock(&b->b_spin);
	list_push_back(&b->b_list, &u->u_all);
	spin_unlock(&b->b_spin);
}

void
unix_unname(struct unix_sock *u)
{
	struct bucket *b = &all[u->u_so.so_id % ALL_BUCKETS];

	spin_lock(&b->b_spin);
	list_remove(&u->u_all);
	spin_unlock(&b->b_spin);
	if (u->u_bucket == 0)
		return;
	b = &names[u->u_bucket - 1];
	spin_lock(&b->b_spin);
	list_remove(&u->u_name);
	spin_unlock(&b->b_spin);
}

/* -------------------------------------------------------- /proc/net/unix -- */

/* The socket of a bucket with the least number above `after`, held; NULL: none. */
static struct unix_sock *
next_of(struct bucket *b, uint64_t after)
{
	struct unix_sock *least = NULL;

	spin_lock(&b->b_spin);
	list_foreach(u, &b->b_list, struct unix_sock, u_all)
		if (u->u_so.so_id > after && (least == NULL || u->u_so.so_id < least->u_so.so_id))
			least = u;
	if (least != NULL)
		unix_hold(least);
	spin_unlock(&b->b_spin);
	return least;
}

static void
tell_one(struct unix_sock *u, void (*line)(void *arg, const char *text), void *arg)
{
	static const uint32_t state[] = { [UNIX_CLOSE] = 1, [UNIX_CONNECTED] = 3, [UNIX_LISTEN] = 1 };
	uint32_t st = state[u->u_state], len = 0;
	char text[96 + SOCKADDR_MAX];
	struct sock_addr a;
	size_t n;

	unix_tell_name(u, &a);
	if (a.sa_len > PATH_AT)
		len = a.sa_len - (uint32_t)PATH_AT;
	if (u->u_so.so_file == NULL)
		st = u->u_state == UNIX_CONNECTED ? 2 : 4;
	n = (size_t)rt_snprintf(text, sizeof(text), "%016x: %08X %08X %08X %04X %02X %5llu%s", 0,
	    atomic_load(&u->u_refs), 0, u->u_state == UNIX_LISTEN ? 0x10000u : 0, u->u_so.so_type, st,
	    (unsigned long long)u->u_so.so_id, len > 0 ? " " : "");
	for (uint32_t i = 0; i < len && (a.u.un.sun_path[0] == '\0' || i < len - 1); i++)
		text[n++] = a.u.bytes[PATH_AT + i] != '\0' ? (char)a.u.bytes[PATH_AT + i] : '@';
	text[n++] = '\n';
	text[n] = '\0';
	line(arg, text);
}

static void
tell_all(void (*line)(void *arg, const char *text), void *arg)
{
	for (uint32_t i = 0; i < ALL_BUCKETS; i++) {
		uint64_t after = 0;
		struct unix_sock *u;

		while ((u = next_of(&all[i], after)) != NULL) {
			after = u->u_so.so_id;
			if (!view_is_jail(view_current()) || u->u_view == view_current())
				tell_one(u, line, arg);
			unix_drop(u);
			lwkt_poll();
		}
	}
}

void
unix_name_init(void)
{
	for (uint32_t i = 0; i < BUCKETS; i++) {
		spin_init(&names[i].b_spin, LR_unix_table);
		list_init(&names[i].b_list);
	}
	for (uint32_t i = 0; i < ALL_BUCKETS; i++) {
		spin_init(&all[i].b_spin, LR_unix_table);
		list_init(&all[i].b_list);
	}
	procfs_set_net_unix(tell_all);
}
