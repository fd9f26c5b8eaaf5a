/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sysent - the table that says what each system call is.
 *
 * Made from sys/kern/syscall/syscalls.tbl by scripts/gen/mksyscalls.awk, which
 * says what the words mean.  Unused numbers have se_call NULL.
 */
#pragma once
#include <stdint.h>
#include <sys/syscall/sysmsg.h>

#define SYSARGS_MAX	6

/* How --strace shows an argument, and a result. */
enum sysarg { SYSARG_SIGNED, SYSARG_UNSIGNED, SYSARG_HEX, SYSARG_OCTAL, SYSARG_FD, SYSARG_POINTER, SYSARG_STRING };
enum sysret { SYSRET_INT, SYSRET_SSIZE, SYSRET_LONG, SYSRET_ADDR, SYSRET_NORETURN };

enum {
	SYSENT_SLEEP = 1u << 0,		/* may block */
	SYSENT_FRAME = 1u << 1,		/* needs the caller's registers: cannot come from elsewhere */
};

/* All const. */
struct sysent {
	int		(*se_call)(struct sysmsg *);	/* unpacks sm_arg; 0 or an error number */
	const char	*se_name;
	uint8_t		se_nargs;
	uint8_t		se_ret;				/* enum sysret */
	uint16_t	se_flags;			/* SYSENT_* */
	uint8_t		se_kind[SYSARGS_MAX];		/* enum sysarg */
	const char	*se_argname[SYSARGS_MAX];
};

extern const struct sysent sysent_linux[];	/* SYS_LINUX_MAX entries */
extern const struct sysent sysent_own[];	/* SYS_OWN_MAX entries, from SYS_OWN_BASE */
