/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * token - serialises code while it runs; given up while its holder sleeps
 * (DragonFly BSD).  Recursive, released last-in first-out.  Whoever calls a
 * function that may sleep must look again at what the token guards;
 * t_generation tells whether anybody else held it meanwhile.
 */
#pragma once
#include <machine/types.h>
#include <sys/lwkt/wait.h>

/*
 * token_get() of a token that another CPU keeps for long sleeps, and like any
 * sleep gives up what the caller holds: whoever takes a second token looks
 * again at what the first one guards.
 */
struct thread;
struct token {
	struct thread	*_Atomic t_owner;	/* [atomic] NULL: free */
	uint32_t	t_generation;		/* [t_owner] grows each time another thread takes it */
	struct thread	*t_last;		/* [t_owner] */
	_Atomic uint32_t t_waiters;		/* [atomic] asleep, or about to be, until it is free */
	struct waitq	t_waitq;
	const char	*t_name;		/* const */
};
#define TOKEN_INIT(t, name)	{ .t_waitq = WAITQ_INIT((t).t_waitq), .t_name = (name) }
void	token_init(struct token *t, const char *name);
void	token_get(struct token *t);
bool	token_try(struct token *t);
void	token_release(struct token *t);
bool	token_held(const struct token *t);
#define token_assert_held(t)	ASSERT(token_held(t))

/* How often tokens of one name were waited for, most recently started to be counted last.  False: no such index. */
bool	token_contention(uint32_t index, const char **name, uint64_t *times, uint64_t *slept);
