/* SPDX-License-Identifier: BSD-2-Clause */
/* mqueue - what the queues (mqueue.c) and their files (mqueuefs.c) share. */
#pragma once
#include <core/rt/rbtree.h>
#include <sys/file/mqueue.h>
#include <sys/proc/proc.h>

struct ucount;

struct mqueue {
	struct spin	q_spin;
	struct rb_tree	q_msgs;		/* [q_spin] of m_node: the next to be received is the first */
	uint64_t	q_count, q_bytes;	/* [q_spin] sums over q_msgs */
	uint64_t	q_serial;	/* [q_spin] messages that came */
	uint64_t	q_max, q_size;	/* const: messages, and bytes of one */
	struct list	q_senders, q_receivers;	/* [q_spin] of w_link: who came first is first */
	struct pollhead	q_poll;
	struct proc	*q_owner;	/* [q_spin] held: is told of the next message; NULL: nobody is */
	uint32_t	q_owner_execs;	/* [q_spin] its p_execs when it asked for that */
	struct k_sigevent q_event;	/* [q_spin] how */
	struct ucount	*q_user;	/* const: charged q_charge */
	uint64_t	q_charge;	/* const */

	/* Its file. */
	struct list	q_link;		/* [v_lk of the directory] */
	struct vnode	*q_vnode;	/* const; held by the directory while it has the name */
	char		*q_name;	/* const */
	uint64_t	q_ino;		/* const */
	_Atomic uint32_t q_mode, q_uid, q_gid, q_nlink;	/* [atomic] */
	_Atomic uint64_t q_length;	/* [atomic] of the file; means nothing */
	_Atomic nsec_t	q_time, q_mtime;	/* [atomic] last used; made */
};

/* max and size 0: as the limits say. */
int	mqueue_make(uint64_t max, uint64_t size, struct mqueue **out);
void	mqueue_free(struct mqueue *q);
void	mqueue_unnotify(struct mqueue *q, const struct proc *p);	/* if it is p that would be told */
#define MQUEUE_TEXT	80u
size_t	mqueue_text(struct mqueue *q, char buf[MQUEUE_TEXT]);
uint32_t mqueue_ready(struct mqueue *q, struct pollnote *note);
