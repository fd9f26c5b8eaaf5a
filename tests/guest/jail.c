/* SPDX-License-Identifier: BSD-2-Clause */
/* jail ROOT HOSTNAME COMMAND [ARG]... - run a command in a jail of its own. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SYS_JAIL	4096

int
main(int argc, char **argv)
{
	uint64_t args[3] = { 0 };

	if (argc < 4) {
		fprintf(stderr, "usage: jail ROOT HOSTNAME COMMAND [ARG]...\n");
		return 125;
	}
	args[1] = (uint64_t)(uintptr_t)argv[1];
	args[2] = (uint64_t)(uintptr_t)argv[2];
	if (syscall(SYS_JAIL, args, sizeof args) != 0) {
		fprintf(stderr, "jail: %s: %s\n", argv[1], strerror(errno));
		return 125;
	}
	execvp(argv[3], argv + 3);
	fprintf(stderr, "jail: %s: %s\n", argv[3], strerror(errno));
	return errno == ENOENT ? 127 : 126;
}
