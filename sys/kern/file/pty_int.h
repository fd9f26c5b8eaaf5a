/* SPDX-License-Identifier: BSD-2-Clause */
/* pty_int - what pty.c and devpts.c share. */
#pragma once
#include "tty_int.h"

#include <sys/time/time.h>

#define PTY_MAX		64u
#define PTY_MAJOR	136u

struct pty {
	struct tty	*p_tty;		/* const: the terminal; it frees us when it goes */
	uint32_t	p_index;	/* const: N of /dev/pts/N */
	_Atomic bool	p_master_open;	/* [pty table's token to change; the hang-up under t_tok comes after] */
	_Atomic bool	p_locked;	/* [atomic] the terminal cannot be opened yet */
	_Atomic bool	p_opened;	/* [t_tok to change] the terminal was open at some time */
	bool		p_packet;	/* [t_tok] TIOCPKT */
	bool		p_local_flow;	/* [t_tok] what the master was told about Ctrl-S and Ctrl-Q */
	uint32_t	p_status;	/* [t_tok] TIOCPKT_* that the master has not read */
	struct waitq	p_rwait, p_wwait;	/* master's readers and writers */
	struct pollhead	p_poll;		/* master's */
	struct asynchead p_async;	/* master's */
	size_t		p_told;		/* [t_tok] bytes of output that it tells no more of */
	_Atomic uint32_t p_uid, p_gid, p_mode;	/* [atomic: each by itself] of the node in /dev/pts */
	nsec_t		p_time;		/* const: when it was made */
};

struct pty *pty_find(uint32_t index);			/* its p_tty held; NULL: none whose master is open */
int	devpts_init(void);				/* mounts it on /dev/pts */
int	pty_init(void);
