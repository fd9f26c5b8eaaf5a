/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * deny - run a command on a host that lacks some system calls.
 *
 *   deny NUMBER[/FIRST|:FIRST][=ERRNO][,...] COMMAND [ARG]...
 *
 * They fail with ERRNO (ENOSYS unless said otherwise) in the command and all
 * that it starts, by a seccomp filter; after a slash unless their first argument
 * is FIRST, after a colon only if it is.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define DENIED_MAX	16

static struct sock_filter code[2 + 5 * DENIED_MAX];
static unsigned short n;

static void
put(unsigned op, unsigned k, unsigned char then, unsigned char otherwise)
{
	code[n++] = (struct sock_filter){ (unsigned short)op, then, otherwise, k };
}

static void
deny(const char *item)
{
	const char *eq = strchr(item, '='), *first = strpbrk(item, "/:");
	bool only;

	put(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)atoi(item), 0, first == NULL ? 1 : 4);
	if (first != NULL) {
		only = *first == ':';
		put(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args), 0, 0);
		put(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)atoi(first + 1), only, !only);
		put(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
	}
	put(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (eq == NULL ? ENOSYS : (unsigned)atoi(eq + 1)), 0, 0);
}

int
main(int argc, char **argv)
{
	struct sock_fprog prog = { .filter = code };
	int items = 0;

	if (argc < 3)
		return 2;
	put(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
	for (char *t = strtok(argv[1], ","); t != NULL && items < DENIED_MAX; t = strtok(NULL, ","), items++)
		deny(t);
	put(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
	prog.len = n;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0) {
		perror("deny");
		return 2;
	}
	execvp(argv[2], argv + 2);
	perror(argv[2]);
	return 127;
}
