/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of process 1 share. */
#pragma once
#include <machine/types.h>

/* An environment in the making. */
struct env {
	char		*text;		/* count strings, one after another */
	size_t		bytes, size;
	uint32_t	count;
};
void	env_default(struct env *e, const char *name, const char *value);	/* unless it is there; without room: not */

/* The current process, about to exec, becomes "NAME", "UID" or "UID:GID" of the root's files.  ENOENT: no such name. */
int	user_become(const char *who, struct env *e);
