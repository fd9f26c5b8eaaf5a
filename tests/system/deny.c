/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * deny - run a command on a host that lacks some system calls.
 *
 *   deny NUMBER[=ERRNO][,...] COMMAND [ARG]...
 *
 * They fail with ERRNO (ENOSYS unless said otherwise) in the command and all
 * that it starts, by a seccomp filter.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define DENIED_MAX	16

int
main(int argc, char **argv)
{
	struct sock_filter code[2 + 2 * DENIED_MAX];
	struct sock_fprog prog = { .filter = code };
	unsigned short n = 0;

	if (argc < 3)
		return 2;
	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (char *t = strtok(argv[1], ","); t != NULL && n < 2 * DENIED_MAX; t = strtok(NULL, ",")) {
		char *eq = strchr(t, '=');
		unsigned nr = (unsigned)atoi(t), error = eq == NULL ? ENOSYS : (unsigned)atoi(eq + 1);

		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1);
		code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error);
	}
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	prog.len = n;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0) {
		perror("deny");
		return 2;
	}
	execvp(argv[2], argv + 2);
	perror(argv[2]);
	return 127;
}
