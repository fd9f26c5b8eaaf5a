/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * archive - the initial root: the one inside this program, or a file.
 *
 * Only the first bytes are looked at, so that a wrong file gets a clear
 * message.  The kernel unpacks the archive and trusts none of it.
 */
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* vkernel/image/root.S */
extern const char root_archive[], root_archive_end[];

static bool
has_magic(const unsigned char *p, uint64_t bytes)
{
	if (bytes >= 6 && (memcmp(p, "070701", 6) == 0 || memcmp(p, "070702", 6) == 0))
		return true;
	return bytes >= 18 && p[0] == 0x1f && p[1] == 0x8b && p[2] == 8;
}

/* Descriptor to mapping.  NULL: no error or the reason. */
static const char *
map_file(int fd, struct archive *out)
{
	struct stat st;
	void *p;

	if (fstat(fd, &st) < 0)
		return strerror(errno);
	if (S_ISDIR(st.st_mode))
		return "a directory";
	if (!S_ISREG(st.st_mode))
		return "not a regular file";
	if (st.st_size == 0)
		return "empty";
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return strerror(errno);
	out->a_data = p;
	out->a_bytes = (uint64_t)st.st_size;
	return has_magic(p, out->a_bytes) ? NULL : "not a cpio archive (newc), nor one packed by gzip";
}

bool
archive_open(const char *path, bool dir, struct archive *out)
{
	const char *why;
	int fd;

	*out = (struct archive){ NULL, 0 };
	if (dir)
		return true;
	if (path == NULL) {
		out->a_data = root_archive;
		out->a_bytes = (uint64_t)(root_archive_end - root_archive);
		return true;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		say_error(NULL, "%s: %s", path, strerror(errno));
		return false;
	}
	/* The descriptor may be a standard one that was closed: it must not stay. */
	why = map_file(fd, out);
	close(fd);
	if (why != NULL) {
		say_error("make one with: find . | cpio -o -H newc >FILE", "%s: %s", path, why);
		return false;
	}
	return true;
}

void
archive_close(const struct archive *a)
{
	/* Our own pages come back from the file if ever read again; the machine has its copy. */
	if (a->a_data == root_archive)
		(void)madvise((void *)(uintptr_t)root_archive, a->a_bytes, MADV_DONTNEED);
	else if (a->a_bytes != 0)
		(void)munmap((void *)(uintptr_t)a->a_data, a->a_bytes);
}
