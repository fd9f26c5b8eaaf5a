/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mkcpio - make a cpio archive ("newc") from a list, with owners and modes
 * that the caller need not have.
 *
 *   mkcpio LIST >ARCHIVE
 *
 *   dir   PATH MODE UID GID
 *   file  PATH MODE UID GID HOSTFILE
 *   slink PATH TARGET
 *   nod   PATH MODE UID GID b|c MAJOR MINOR
 *
 * Fields are separated by blanks and hold none.  Modes are octal permission
 * bits.  Empty lines and lines that begin with # are skipped.  Times are all
 * zero, so that the same input gives the same archive.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIELD_MAX	8
#define MEMBER_MAX	0xffffffffull

static const char *list_name;
static unsigned line_no;
static uint32_t last_ino;

static _Noreturn void
fail(const char *what, const char *why)
{
	fprintf(stderr, "mkcpio: %s:%u: %s: %s\n", list_name, line_no, what, why);
	exit(1);
}

/* Bytes, then zeroes up to a multiple of 4, as the format wants. */
static void
put(const void *data, size_t len)
{
	static const char zero[4];

	if (fwrite(data, 1, len, stdout) != len || fwrite(zero, 1, -len & 3, stdout) != (-len & 3))
		fail("output", strerror(errno));
}

static void
put_member(const char *path, uint32_t mode, uint32_t uid, uint32_t gid, uint32_t major, uint32_t minor,
    const void *data, size_t len)
{
	char head[512];
	int n;

	while (*path == '/')
		path++;
	n = snprintf(head, sizeof head, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s",
	    ++last_ino, mode, uid, gid, S_ISDIR(mode) ? 2u : 1u, 0u, (uint32_t)len, 0u, 0u, major, minor,
	    (uint32_t)strlen(path) + 1, 0u, path);
	if (n < 0 || (size_t)n >= sizeof head)
		fail(path, "path too long");
	put(head, (size_t)n + 1);
	put(data, len);
}

static uint32_t
number(const char *text, int base)
{
	char *end;
	unsigned long v = strtoul(text, &end, base);

	if (*text == '\0' || *end != '\0' || v > UINT32_MAX)
		fail(text, "not a number");
	return (uint32_t)v;
}

static void
put_file(char *const *f)
{
	int fd = open(f[5], O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *data = NULL;

	if (fd < 0 || fstat(fd, &st) < 0)
		fail(f[5], strerror(errno));
	if ((uint64_t)st.st_size > MEMBER_MAX)
		fail(f[5], "too big for this format");
	if (st.st_size > 0) {
		data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (data == MAP_FAILED)
			fail(f[5], strerror(errno));
	}
	put_member(f[1], S_IFREG | number(f[2], 8), number(f[3], 10), number(f[4], 10), 0, 0,
	    data, (size_t)st.st_size);
	if (data != NULL)
		munmap(data, (size_t)st.st_size);
	close(fd);
}

static void
put_line(char *const *f, int n)
{
	if (n == 5 && strcmp(f[0], "dir") == 0)
		put_member(f[1], S_IFDIR | number(f[2], 8), number(f[3], 10), number(f[4], 10), 0, 0, "", 0);
	else if (n == 6 && strcmp(f[0], "file") == 0)
		put_file(f);
	else if (n == 3 && strcmp(f[0], "slink") == 0)
		put_member(f[1], S_IFLNK | 0777, 0, 0, 0, 0, f[2], strlen(f[2]));
	else if (n == 8 && strcmp(f[0], "nod") == 0)
		put_member(f[1], (*f[5] == 'b' ? S_IFBLK : S_IFCHR) | number(f[2], 8), number(f[3], 10),
		    number(f[4], 10), number(f[6], 10), number(f[7], 10), "", 0);
	else
		fail(f[0], "not a line of this format");
}

int
main(int argc, char **argv)
{
	char line[4096], *f[FIELD_MAX], *save;
	FILE *in;

	if (argc != 2) {
		fprintf(stderr, "usage: mkcpio LIST >ARCHIVE\n");
		return 2;
	}
	list_name = argv[1];
	in = fopen(list_name, "r");
	if (in == NULL)
		fail("open", strerror(errno));
	while (fgets(line, sizeof line, in) != NULL) {
		int n = 0;

		line_no++;
		for (char *t = strtok_r(line, " \t\n", &save); t != NULL;
		    t = strtok_r(NULL, " \t\n", &save)) {
			if (n == FIELD_MAX)
				fail(t, "too many fields");
			f[n++] = t;
		}
		if (n > 0 && f[0][0] != '#')
			put_line(f, n);
	}
	last_ino = UINT32_MAX;	/* the end mark's number wraps to 0 */
	put_member("TRAILER!!!", 0, 0, 0, 0, 0, "", 0);
	if (fclose(in) != 0 || fflush(stdout) != 0)
		fail("output", strerror(errno));
	return 0;
}
