/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * passwd - lines of fields that colons separate.
 *
 * A line is cut into fields and judged as a whole: one that has too few of
 * them, or no number where one must be, is nobody's.
 */
#include <core/codec/passwd.h>

#include <core/rt/rt.h>

#define FIELDS	7

struct field {
	const char	*at;
	size_t		len;
};

/* Cuts off the first line; the count of its fields, of which FIELDS at most are stored. */
static size_t
next_line(const char **text, size_t *len, struct field f[FIELDS])
{
	const char *p = *text, *end = p + *len;
	size_t n = 0;

	for (;;) {
		const char *start = p;

		while (p < end && *p != ':' && *p != '\n')
			p++;
		if (n < FIELDS)
			f[n] = (struct field){ start, (size_t)(p - start) };
		n++;
		if (p == end || *p == '\n')
			break;
		p++;
	}
	if (p < end)
		p++;
	*len = (size_t)(end - p);
	*text = p;
	return n;
}

static bool
number(struct field f, uint32_t *out)
{
	uint64_t v = 0;

	if (f.len == 0 || f.len > 10)
		return false;
	for (size_t i = 0; i < f.len; i++) {
		if (f.at[i] < '0' || f.at[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(f.at[i] - '0');
	}
	*out = (uint32_t)v;
	return v < UINT32_MAX;		/* the greatest means "nobody" to system calls */
}

static bool
is(struct field f, const char *name, size_t len)
{
	return f.len == len && memcmp(f.at, name, len) == 0;
}

bool
passwd_find(const char *text, size_t len, const char *name, uint32_t uid, struct passwd *out)
{
	struct field f[FIELDS];

	while (len > 0) {
		size_t n = next_line(&text, &len, f);
		uint32_t u, g;

		if (n < FIELDS || !number(f[2], &u) || !number(f[3], &g) || f[0].len == 0)
			continue;
		if (name != NULL ? !is(f[0], name, strlen(name)) : u != uid)
			continue;
		*out = (struct passwd){ u, g, f[0].at, f[5].at, f[0].len, f[5].len };
		return true;
	}
	return false;
}

/* Cuts off what is before the first comma; false: nothing was left. */
static bool
next_item(struct field *list, struct field *item)
{
	size_t i = 0;

	if (list->at == NULL)
		return false;
	while (i < list->len && list->at[i] != ',')
		i++;
	*item = (struct field){ list->at, i };
	*list = i == list->len ? (struct field){ NULL, 0 } :
	    (struct field){ list->at + i + 1, list->len - i - 1 };
	return true;
}

static bool
is_member(struct field list, const char *name, size_t len)
{
	struct field item;

	while (next_item(&list, &item))
		if (is(item, name, len))
			return true;
	return false;
}

size_t
group_ids(const char *text, size_t len, const char *name, size_t name_len, uint32_t *gids, size_t max)
{
	struct field f[FIELDS];
	size_t found = 0;

	while (len > 0 && found < max)
		if (next_line(&text, &len, f) >= 4 && name_len > 0 && is_member(f[3], name, name_len) &&
		    number(f[2], &gids[found]))
			found++;
	return found;
}

bool
passwd_numbers(const char *text, uint32_t *uid, uint32_t *gid, uint32_t *groups, size_t max,
    size_t *ngroups)
{
	size_t len = strlen(text), found = 0;
	struct field f[FIELDS], item;
	size_t n = next_line(&text, &len, f);
	uint32_t group;

	if (len != 0 || n > 3 || !number(f[0], uid) || (n > 1 && !number(f[1], gid)))
		return false;
	if (n < 3)
		return true;
	for (bool more = f[2].len > 0; more && next_item(&f[2], &item);) {
		if (!number(item, &group))
			return false;
		if (found < max)
			groups[found++] = group;
	}
	*ngroups = found;
	return true;
}
