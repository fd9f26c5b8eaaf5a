/* SPDX-License-Identifier: BSD-2-Clause */
/* fsdev - the file-request devices that drivers offer: a list made at boot, before anybody looks, in order */
#include <core/rt/rt.h>
#include <drv/fs.h>

static struct fsdev *fs_list;

struct fsdev *
fsdev_first(void)
{
	return fs_list;
}

struct fsdev *
fsdev_find(const char *name)
{
	for (struct fsdev *fd = fs_list; fd != NULL; fd = fd->fd_next)
		if (strcmp(fd->fd_name, name) == 0)
			return fd;
	return NULL;
}

void
fsdev_attach(struct fsdev *fd)
{
	struct fsdev **link = &fs_list;

	ASSERT(fsdev_find(fd->fd_name) == NULL);
	while (*link != NULL)
		link = &(*link)->fd_next;
	*link = fd;
}
