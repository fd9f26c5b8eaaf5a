/* SPDX-License-Identifier: BSD-2-Clause */
/* lockf - advisory locks: fcntl's byte ranges, owned by a descriptor table, and flock's whole files, owned by a file. */
#pragma once
#include <machine/types.h>

struct fdtable;
struct file;

struct k_flock {
	int16_t		l_type, l_whence;
	int32_t		l_pad;
	int64_t		l_start, l_len;
	int32_t		l_pid, l_pad2;
};
#define F_RDLCK		0
#define F_WRLCK		1
#define F_UNLCK		2
#define LOCK_SH		1u
#define LOCK_EX		2u
#define LOCK_NB		4u
#define LOCK_UN		8u
#define LOCK_MAND	32u

int	lockf_fcntl(struct file *fp, int cmd, struct k_flock *l);	/* F_GETLK, F_SETLK, F_SETLKW */
int	lockf_flock(struct file *fp, uint32_t op);
void	lockf_init(void);
void	lockf_drop_table(struct file *fp, const struct fdtable *ft);	/* ft closed a descriptor of fp: POSIX */
void	lockf_drop_file(struct file *fp);				/* last reference of fp: flock, OFD */
