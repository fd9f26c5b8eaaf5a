/* SPDX-License-Identifier: BSD-2-Clause */
/* procfs - /proc, and /sys. */
#pragma once
#include <machine/types.h>

/* kmain, after vfs_init and the archive: registers it and mounts it on /proc */
int	procfs_init(void);
int	sysfs_init(void);		/* the same for /sys */
/* Who knows the sockets: calls line() for each line of /proc/net/unix below the first. */
typedef void (*procfs_unix_fn)(void (*line)(void *arg, const char *text), void *arg);
void	procfs_set_net_unix(procfs_unix_fn fn);

void	procfs_load(uint64_t load[3]);	/* of 1, 5 and 15 minutes, times 65536 */

struct file;
struct proc;
/* fp is a process's folder: the process, held.  EBADF; ESRCH: it is gone. */
int	procfs_process(struct file *fp, struct proc **out);
bool	procfs_may_look(struct proc *p);	/* the current process at p's memory, as ptrace would allow */
