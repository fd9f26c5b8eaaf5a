/* SPDX-License-Identifier: BSD-2-Clause */
/* sysent - one row of the table that is made from sys/kern/syscall/syscalls.tbl. */
#pragma once
#include <sys/proc/sysmsg.h>

enum sysarg_kind { SYSARG_SIGNED, SYSARG_UNSIGNED, SYSARG_HEX, SYSARG_OCTAL, SYSARG_FD, SYSARG_STRING, SYSARG_POINTER };

struct sysent {
	int		(*se_call)(struct sysmsg *m);	/* NULL: no such call */
	const char	*se_name;
	uint8_t		se_nargs;
	enum sysarg_kind se_kind[6];
	const char	*se_arg[6];
};
extern const struct sysent sysent_linux[], sysent_own[];

int	syscall_missing(struct sysmsg *m);	/* ENOSYS, by the policy of --enosys */
