/* SPDX-License-Identifier: BSD-2-Clause */
/* cpio - read archives of the "newc" formats (070701, and 070702 with sums), fed in pieces of any size. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cpio_result {
	CPIO_OK,
	CPIO_BAD_MAGIC,		/* a header does not begin as it must */
	CPIO_BAD_NUMBER,	/* a field is not hexadecimal */
	CPIO_BAD_NAME,		/* empty, too long, or without its NUL */
	CPIO_BAD_SUM,		/* 070702: the bytes do not add up */
	CPIO_TRUNCATED,		/* no TRAILER!!! */
	CPIO_STOPPED,		/* the consumer said stop */
};

#define CPIO_HEADER_BYTES	110u
#define CPIO_NAME_MAX		4096u	/* with NUL */

struct cpio_entry {
	uint32_t	ino, mode, uid, gid, nlink, mtime, size, dev_major, dev_minor, rdev_major,
	    rdev_minor, sum;
	const char	*name;
};

/* Each returns false to stop.  data comes `size` bytes in all, in pieces, between begin and end. */
struct cpio_sink {
	bool	(*begin)(void *arg, const struct cpio_entry *e);
	bool	(*data)(void *arg, const uint8_t *p, size_t n);
	bool	(*end)(void *arg);
};

struct cpio {
	const struct cpio_sink *sink;
	void		*arg;
	uint32_t	state;
	uint32_t	have;		/* bytes of header or name so far */
	uint32_t	name_size;
	uint32_t	left;		/* data or padding still to come */
	uint32_t	sum;
	bool		with_sum;
	uint64_t	offset;		/* bytes eaten */
	uint64_t	entry_offset;	/* where the current header began */
	struct cpio_entry entry;
	char		header[CPIO_HEADER_BYTES];
	char		name[CPIO_NAME_MAX];
};

void	cpio_begin(struct cpio *c, const struct cpio_sink *sink, void *arg);
enum cpio_result cpio_feed(struct cpio *c, const void *data, size_t len);
enum cpio_result cpio_finish(struct cpio *c);
const char *cpio_strerror(enum cpio_result r);
