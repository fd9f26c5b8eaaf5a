/* SPDX-License-Identifier: BSD-2-Clause */
/* exec - replace the current process's program.  argv/envp as kernel strings for the built-in init. */
#pragma once
#include <machine/types.h>

/*
 * n strings each, NUL-terminated, one after another.  On success the current
 * lwp's frame starts the program.  Errors as execve(2); the old program is
 * intact unless the failure came after the point of no return, which kills
 * the process with SIGKILL as Linux does.
 */
int	exec_kernel(const char *path, uint32_t argc, const char *argv, uint32_t envc, const char *envp);
void	exec_init(void);	/* kmain, after proc_init: what a process knows of its program */

struct ncp;
/*
 * The same with arguments in user memory.  start: where a relative path begins
 * (NULL: cwd); dirfd is only for the name that a script's interpreter is told.
 * flags AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW.
 */
int	exec_user(struct ncp *start, int dirfd, const char *path, uaddr_t argv, uaddr_t envp, uint32_t flags);
