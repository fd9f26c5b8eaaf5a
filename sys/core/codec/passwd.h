/* SPDX-License-Identifier: BSD-2-Clause */
/* passwd - the text of /etc/passwd and /etc/group: who is meant by a name.  Lines that make no sense are skipped. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct passwd {
	uint32_t	pw_uid, pw_gid;
	const char	*pw_name, *pw_home;	/* in the text, not terminated */
	size_t		pw_name_len, pw_home_len;
};

/* The entry of a name; or, when name is NULL, the first one with this uid. */
bool	passwd_find(const char *text, size_t len, const char *name, uint32_t uid, struct passwd *out);
/* The groups that list this name as a member: at most max of them are stored. */
size_t	group_ids(const char *text, size_t len, const char *name, size_t name_len, uint32_t *gids, size_t max);
/*
 * "UID", "UID:GID" or "UID:GID:GROUPS" in decimal, GROUPS separated by commas or empty; what is not there is
 * left alone.  Of GROUPS, at most max are stored.
 */
bool	passwd_numbers(const char *text, uint32_t *uid, uint32_t *gid, uint32_t *groups, size_t max,
	    size_t *ngroups);
