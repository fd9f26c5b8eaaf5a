/* SPDX-License-Identifier: BSD-2-Clause */
/* path - how system calls take a path: copied in once, with the directory that a relative one begins in. */
#pragma once
#include <sys/vfs/name.h>

struct file;
struct path_arg {
	char		pa_text[PATH_MAX_];
	struct ncp	*pa_start;	/* NULL: the current directory */
	struct file	*pa_file;	/* held: keeps pa_start; also what an empty path means */
};
int	path_begin(struct path_arg *pa, int dirfd, uaddr_t path);
void	path_end(struct path_arg *pa);
uint32_t without_umask(uint32_t mode);		/* of the current process */
/* Copy in and look up: one path, nothing else wanted. */
int	path_lookup(int dirfd, uaddr_t path, uint32_t look, struct ncp **out);
