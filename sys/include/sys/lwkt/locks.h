/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * locks - the one list of locks, in the order in which they are taken.
 *
 * Whoever holds a lock takes only such as stand further down.  MANY marks
 * kinds of which a thread may hold several, in an order that the kind's own
 * comment gives.  Those before `LR_spins` are kept over sleep (struct lk); the others
 * are spins.  Tokens are not here: they are given up instead of waited for,
 * so no order of them can deadlock; but none is taken under a spin.
 *
 * The witness (kernel argument `witness`) checks each lock that is taken
 * against this list and panics with both names.
 */
#pragma once

#define MANY	1
#define LOCKS(L)							\
	L(none, MANY)		/* a lock that nobody ranked: the witness refuses it */	\
	L(test, MANY)	/* kernel tests' own */			\
	L(stream, MANY)		/* file/stdio: one direction of a standard stream: reading, then writing */	\
	L(file_pos, 0)		/* struct file: f_off */		\
	L(epoll_nest, 0)	/* which epoll sets are members of others */	\
	L(epoll, MANY)		/* an epoll set's members: before those of a set that is a member */	\
	L(timerfd_list, 0)	/* file/timerfd: those that follow the wall clock */	\
	L(timerfd, 0)		/* a timer's setting */			\
	L(kmsg_reader, 0)	/* file/memdev: /dev/kmsg's place */	\
	L(procfs_text, 0)	/* a procfs file's text */		\
	L(procfs_load, 0)	/* procfs: load averages */		\
	L(mount, 0)		/* the mount table */			\
	L(overlay3_rename, 0)	/* as the next six, of an overlay that has an overlay2 as a layer */	\
	L(overlay3_vnode, MANY)							\
	L(overlay3_copy, 0)							\
	L(overlay2_rename, 0)	/* as the next three, of an overlay that has an overlay as a layer */	\
	L(overlay2_vnode, MANY)							\
	L(overlay2_copy, 0)							\
	L(overlay_rename, 0)	/* as `rename`, of an overlay */	\
	L(overlay_vnode, MANY)	/* as `vnode`, of an overlay: it uses other filesystems' names */	\
	L(overlay_copy, 0)	/* an overlay's file: copying it up */	\
	L(ptree_rename, 0)	/* as the next two of other filesystems, of procfs and sysfs: what they show is others' */ \
	L(ptree_vnode, MANY)							\
	L(disk, MANY)		/* file/disk: a disk's tables; then the list of slices */	\
	L(rename, 0)		/* a mount: renames between its directories */	\
	L(vnode, MANY)		/* v_lk: parents before children, else by address */	\
	L(pipe, 0)								\
	L(futex_pi, 0)		/* locks that name their owner, by key: over looking at the word */	\
	L(unix_read, 0)		/* who takes messages off a socket */	\
	L(unix_rights, 0)	/* sockets on their way in messages */	\
	L(vmspace, MANY)	/* vs_lk: a parent's before its child's in fork */	\
	L(ipc, 0)		/* io_lk: an object of System V IPC */	\
	L(ipc_ids, 0)		/* a table of them */			\
	L(spins, 0)		/* from here on: spins */		\
	L(async, 0)		/* file/async: the files of an object that signals */	\
	L(async_owner, 0)	/* a file's owner */			\
	L(proc_tree, 0)		/* who is whose child, hashes of pids */	\
	L(proc_sig, 0)		/* p_sig */				\
	L(futex_owners, 0)	/* who owns and who waits for such locks */	\
	L(futex, MANY)		/* hash buckets, by address */		\
	L(eventfd, 0)							\
	L(mqueue, 0)		/* a POSIX message queue */	\
	L(timerfd_ticks, 0)						\
	L(unix_table, 0)	/* a bucket of socket names, or of all sockets */	\
	L(socket, MANY)		/* so_spin: by address */		\
	L(unix_drop, 0)		/* who is dropping files */		\
	L(lockf_waits, 0)						\
	L(session, 0)		/* s_spin */				\
	L(fsctx, 0)		/* a process's place in the tree */	\
	L(notify, 0)		/* a bucket of the table of watches */	\
	L(inotify, 0)		/* an instance: its watches, its queue */	\
	L(file_watch, 0)	/* a file's list of epoll members */	\
	L(poll_head, MANY)	/* a watched file's before its epoll set's */	\
	L(epoll_ready, 0)							\
	L(ncache_bucket, MANY)	/* by address */		\
	L(name, MANY)		/* n_spin: a parent's before its child's */	\
	L(overlay_nodes, 0)	/* an overlay's table of nodes */	\
	L(range, 0)		/* a file's ranges, the queue */	\
	L(tmpfs, 0)								\
	L(devfs, 0)								\
	L(hostfs, 0)		/* a mount's nodes */			\
	L(hostfs_node, 0)	/* a node's attributes */		\
	L(object_list, 0)							\
	L(pagetable, MANY)	/* vs_pt: a parent's before its child's in fork */	\
	L(ucount, 0)		/* what users have */		\
	L(view, 0)		/* a view's names of the system */	\
	L(told, 0)		/* the page of times that programs read */	\
	L(drv, MANY)		/* drivers' own */			\
	L(kstack, 0)								\
	L(phys, 0)		/* free memory */			\
	L(port, 0)		/* a message port's queues */		\
	L(lk_inside, 0)		/* the word of a struct lk itself */	\
	L(waitq, 0)								\
	L(threads, 0)		/* the list of all threads */		\
	L(kmsg, 0)		/* the kernel's own log: anybody may write to it */

enum lock_rank {
#define L(name, many) LR_##name,
	LOCKS(L)
#undef L
	LR_COUNT
};
