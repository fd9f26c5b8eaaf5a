/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostfile_int - what the files of trees share
 *
 *   hostfile.c         nodes, and descriptors as a cache of them
 *   hostfile_answer.c  what each request asks of the host
 *   hostfile_ask.c     who waits for the host: the CPU that asks, or a helper
 *
 * Functions return 0 or -errno unless they say otherwise.
 */
#pragma once
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "host.h"

#define NAME_BYTES	256u

enum { CAN_READ = HK_FQ_READ, CAN_WRITE = HK_FQ_WRITE };	/* neither: O_PATH */

struct tree {
	uint64_t	t_dev;		/* const */
	bool		t_ro;		/* const */
};

/* An open descriptor.  All [files_lock] but what says otherwise. */
struct hfd {
	int		f_fd;		/* const */
	uint32_t	f_can;		/* const */
	uint32_t	f_users;
	struct node	*f_node;	/* NULL: out of the cache */
	struct hfd	*f_prev, *f_next;	/* most recently used first */
	struct hk_lock	f_pos_lock;
	uint64_t	f_pos;		/* [f_pos_lock] where the host stands in a directory */
};

/* All [files_lock] but what is const. */
struct node {
	uint64_t	n_id;		/* const */
	struct tree	*n_tree;	/* const */
	uint64_t	n_dev, n_ino;	/* const */
	int64_t		n_birth;	/* const; 0: the host does not say */
	uint32_t	n_type;		/* const: S_IFMT */
	bool		n_pinned;	/* I4 of hostfile.c */
	struct node	*n_parent;	/* NULL: root */
	char		*n_name;	/* "": never had one */
	uint64_t	n_lookups;
	uint32_t	n_children;
	struct hfd	*n_fd;
	struct node	*n_hash;	/* next in its bucket */
};

static inline int64_t
ns_of(struct statx_timestamp t)
{
	return t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline int64_t
birth_of(const struct statx *st)
{
	return (st->stx_mask & STATX_BTIME) != 0 ? ns_of(st->stx_btime) : 0;
}

static inline uint64_t
dev_of(const struct statx *st)
{
	return makedev(st->stx_dev_major, st->stx_dev_minor);
}

/* Calls of the host.  open: makes room for a descriptor if there is none left; the descriptor. */
long	hk_fd_open(int dir, const char *name, uint64_t flags, uint32_t mode);
long	hk_fd_stat(int fd, const char *name, struct statx *st);	/* name "": of fd itself */
void	hk_fd_path(char path[32], int fd);
void	hk_fd_close(int fd);					/* -1: nothing */

/* The node's descriptor, good for `need`, in use until hk_fd_release(). */
long	hk_fd_hold(struct node *n, uint32_t need, struct hfd **out);
/* The same for its attributes only: or its directory's, and its name in that.  name "": its own. */
long	hk_fd_near(struct node *n, char name[NAME_BYTES], struct hfd **out);
void	hk_fd_release(struct hfd *f);
/* The node's descriptor from now on, held; fd is ours now, whatever comes back.  NULL: no memory. */
struct hfd *hk_fd_keep(struct node *n, int fd, uint32_t can);

struct node *hk_node_of(uint64_t id);				/* NULL: none */
bool	hk_node_is(const struct node *n, const struct statx *st);
/* The node of what was just seen in `dir`, one lookup more.  name "": it has none.  NULL: no memory. */
struct node *hk_node_seen(struct node *dir, const char *name, const struct statx *st);
void	hk_node_forget(struct node *n, uint64_t lookups);
void	hk_node_moved(struct node *n, struct node *dir, const char *name);	/* by us: it is there now */
void	hk_node_linked(struct node *n, struct node *dir, const char *name);	/* its first name, if it had none */
void	hk_node_pin(struct node *n);				/* it has none: I4 */
/* Around our own changes of names.  gone: the victim, with its descriptor if there is one, has none left. */
void	hk_move_begin(void);
void	hk_move_end(struct node *victim, const struct hfd *f, bool gone);

/* hostfile_answer.c: -EAGAIN: with `wait` it would have worked. */
long	hk_files_answer(struct hk_freq *q, bool wait);

/* hostfile_ask.c */
void	hk_files_stop_helpers(void);
