/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * token - serialises code while it runs; given up while its holder sleeps
 * (DragonFly BSD).  Recursive, released last-in first-out.  Whoever calls a
 * function that may sleep must look again at what the token guards;
 * t_generation tells whether anybody else held it meanwhile.
 */
#pragma once
#include <machine/types.h>

struct thread;
struct token {
	struct thread	*_Atomic t_owner;	/* [atomic] NULL: free */
	uint32_t	t_generation;		/* [t_owner] grows each time another thread takes it */
	struct thread	*t_last;		/* [t_owner] */
	const char	*t_name;		/* const */
};
#define TOKEN_INIT(name)	{ .t_name = (name) }
void	token_init(struct token *t, const char *name);
void	token_get(struct token *t);
bool	token_try(struct token *t);
void	token_release(struct token *t);
bool	token_held(const struct token *t);
#define token_assert_held(t)	ASSERT(token_held(t))
