/* SPDX-License-Identifier: BSD-2-Clause */
/* mapped FILE MEGABYTES - write a file through a shared mapping, and look at it. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	size_t n = (argc < 3 ? 1 : strtoul(argv[2], NULL, 10)) << 20;
	uint64_t *p;
	int fd;

	fd = argc < 3 ? -1 : open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0644);
	if (fd < 0 || ftruncate(fd, (off_t)n) != 0)
		return 1;
	p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return 2;
	for (size_t i = 0; i < n / 8; i++)
		p[i] = i * 0x9e3779b97f4a7c15ull;
	for (size_t i = 0; i < n / 8; i++)
		if (p[i] != i * 0x9e3779b97f4a7c15ull)
			return 3;
	return 0;
}
