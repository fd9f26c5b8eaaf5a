/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * socket - ends of communication, as open files.
 *
 * A struct socket is what every family has in common; a family is a table of
 * operations and embeds it in what it needs itself.  System calls decode into
 * these operations and know no family.
 */
#pragma once
#include <abi/socket.h>
#include <sys/file/async.h>
#include <sys/file/file.h>

struct socket;

struct sock_addr {
	uint32_t	sa_len;		/* 0: none */
	union {
		uint16_t	family;
		struct k_sockaddr_un un;
		uint8_t		bytes[SOCKADDR_MAX];
	} u;
};

/* Files on their way from one process to another; each is held. */
struct scm_files {
	struct scm_files *sf_next;	/* [who drops them] */
	uint32_t	sf_count;
	struct file	*sf_file[];
};
/* With what old has, and room for more.  NULL: no memory. */
struct scm_files *scm_files_make(const struct scm_files *old, uint64_t more);
void	scm_files_drop(struct scm_files *f);	/* NULL is fine; never deeper than one file's end */

/* One message, sent or received. */
struct sock_msg {
	struct uio	*sm_uio;
	uint32_t	sm_flags;	/* in: MSG_* */
	uint32_t	sm_got;		/* out: MSG_TRUNC, MSG_CTRUNC */
	struct sock_addr sm_name;	/* to whom, or from whom */
	struct scm_files *sm_files;	/* NULL: none.  The caller's: what send takes it sets to NULL */
	bool		sm_has_cred;
	struct k_ucred	sm_cred;
};

/* What is left NULL is EOPNOTSUPP. */
struct sock_family {
	uint32_t sf_domain;		/* AF_* */
	int	(*sf_create)(uint32_t type, uint32_t protocol, struct socket **out);
	int	(*sf_pair)(struct socket *a, struct socket *b);
	int	(*sf_bind)(struct socket *so, const struct sock_addr *a);
	int	(*sf_listen)(struct socket *so, uint32_t backlog);
	int	(*sf_connect)(struct socket *so, const struct sock_addr *a, bool nonblock);
	int	(*sf_accept)(struct socket *so, bool nonblock, struct socket **out);
	int	(*sf_name)(struct socket *so, bool peer, struct sock_addr *out);
	/* Bytes that were moved show in the uio, an error after some is returned too. */
	int	(*sf_send)(struct socket *so, struct sock_msg *m);
	int	(*sf_recv)(struct socket *so, struct sock_msg *m, uint64_t *n);
	int	(*sf_shutdown)(struct socket *so, uint32_t how);
	uint32_t (*sf_poll)(struct socket *so, struct pollnote *note);
	int	(*sf_unread)(struct socket *so, uint32_t *bytes);
	uint32_t (*sf_unsent)(struct socket *so);
	int	(*sf_at_mark)(struct socket *so, bool *at);	/* is what is read next urgent, or was it? */
	void	(*sf_flush)(struct socket *so);		/* one descriptor less */
	void	(*sf_close)(struct socket *so);		/* the file is gone, or never was */
};

#define SOCK_BUF_DEFAULT	212992u

struct socket {
	const struct sock_family *so_family;	/* const */
	uint32_t	so_type, so_protocol;	/* const */
	struct spin	so_spin;	/* the family's, and what says [so_spin] */
	struct pollhead	so_poll;
	struct asynchead so_async;
	struct file	*_Atomic so_file;	/* [atomic] not held; NULL: nobody has it open yet */
	_Atomic int	so_error;	/* [atomic] told once, by the next call */
	_Atomic uint32_t so_options;	/* [atomic] 1 << SO_* of those that are on or off */
	_Atomic uint32_t so_sndbuf, so_rcvbuf, so_rcvlowat, so_priority;	/* [atomic] */
	_Atomic nsec_t	so_rcvtimeo, so_sndtimeo;	/* [atomic] NSEC_NEVER: none */
	_Atomic bool	so_listening;	/* [atomic] */
	struct k_linger	so_linger;	/* [so_spin] */
	struct k_ucred	so_peercred;	/* [so_spin] who is at the other end */
	uint64_t	so_id;		/* const: born-here sequence number */
	nsec_t		so_time;	/* const: when it was made */
};
void	sock_init(struct socket *so, const struct sock_family *f, uint32_t type, uint32_t protocol);
static inline bool sock_option(struct socket *so, int opt) { return (so->so_options & 1u << opt) != 0; }
/* What went wrong since the last call, once. */
int	sock_take_error(struct socket *so);
/* How a sleep for a socket ended, as system calls tell it. */
int	sock_wait_error(int error, nsec_t deadline);
nsec_t	sock_deadline(nsec_t timeout);

int	sock_create(uint32_t domain, uint32_t type, uint32_t protocol, struct socket **out);
/* An open file for it; takes it over, also when that fails.  flags: O_NONBLOCK. */
int	sock_open(struct socket *so, uint32_t flags, struct file **out);
struct socket *sock_of(struct file *fp);	/* NULL: it is none */
int	sock_send(struct file *fp, struct sock_msg *m);
int	sock_recv(struct file *fp, struct sock_msg *m, uint64_t *n);
/* val: as much as the option has, copied in; len what the caller gave. */
int	sock_set_option(struct socket *so, int opt, const void *val, uint32_t len);
union sock_optval { int32_t i; struct k_linger linger; struct k_ucred cred; int64_t time[2]; };
int	sock_get_option(struct socket *so, int opt, union sock_optval *val, uint32_t *len);

/* Control messages of sendmsg, from a copy of what the caller gave. */
int	scm_parse(const uint8_t *buf, uint64_t len, struct sock_msg *m);

void	net_init(void);			/* kmain, after procfs */
extern const struct sock_family unix_family;
