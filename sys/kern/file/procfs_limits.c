/* SPDX-License-Identifier: BSD-2-Clause */
/* procfs_limits - /proc/sys/fs: limits that an administrator may set. */
#include "procfs_int.h"

#include <abi/errno.h>
#include <core/rt/rt.h>
#include <sys/file/event.h>

int
procfs_limit_in(const char *text, size_t len, uint64_t *out)
{
	uint64_t v = 0;

	if (!cred_capable(vfs_cred(), CAP_SYS_ADMIN))
		return EPERM;
	if (len == 0)
		return EINVAL;
	for (size_t i = 0; i < len; i++)
		if (text[i] < '0' || text[i] > '9' || __builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(text[i] - '0'), &v))
			return EINVAL;
	*out = v;
	return 0;
}

/* ----------------------------------------------------------------- inotify -- */

/* The one that the entry is named after. */
static enum inotify_limit
inotify_limit_of(const struct pnode *n)
{
	const char *name = n->pn_ent->pe_name;

	return strcmp(name, "max_queued_events") == 0 ? INOTIFY_EVENTS :
	    strcmp(name, "max_user_instances") == 0 ? INOTIFY_INSTANCES : INOTIFY_WATCHES;
}

static int
inotify_text(struct pbuf *b, const struct pnode *n)
{
	pb_printf(b, "%llu\n", (unsigned long long)inotify_limit(inotify_limit_of(n)));
	return 0;
}

static int
inotify_write(const struct pnode *n, const char *text, size_t len)
{
	uint64_t v;
	int error = procfs_limit_in(text, len, &v);

	return error != 0 ? error : inotify_set_limit(inotify_limit_of(n), v);
}

static const struct pentry inotify_table[] = {
	{ "max_queued_events", PK_FILE, 0644, inotify_text, NULL, inotify_write, NULL },
	{ "max_user_instances", PK_FILE, 0644, inotify_text, NULL, inotify_write, NULL },
	{ "max_user_watches", PK_FILE, 0644, inotify_text, NULL, inotify_write, NULL },
	{ NULL, PK_FILE, 0, NULL, NULL, NULL, NULL },
};

const struct pentry procfs_fs_table[] = {
	{ "inotify", PK_DIR, 0555, NULL, NULL, NULL, inotify_table },
	{ "mqueue", PK_DIR, 0555, NULL, NULL, NULL, procfs_mqueue_table },
	{ NULL, PK_FILE, 0, NULL, NULL, NULL, NULL },
};
