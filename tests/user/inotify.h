/* SPDX-License-Identifier: BSD-2-Clause */
/* inotify - what its tests share: to show the events that are there. */
#pragma once
#include "t.h"
#include <sys/inotify.h>
#ifndef IN_MASK_CREATE
#define IN_MASK_CREATE	0x10000000
#endif

__attribute__((unused)) static const char *
in_mask(uint32_t mask)
{
	static const struct t_name names[] = {
#define N(x) { IN_##x, #x }
		N(ACCESS), N(MODIFY), N(ATTRIB), N(CLOSE_WRITE), N(CLOSE_NOWRITE), N(OPEN), N(MOVED_FROM),
		N(MOVED_TO), N(CREATE), N(DELETE), N(DELETE_SELF), N(MOVE_SELF), N(UNMOUNT), N(Q_OVERFLOW),
		N(IGNORED), N(ISDIR),
#undef N
	};
	static char text[300];

	text[0] = '\0';
	for (size_t i = 0; i < T_COUNT(names); i++) {
		if ((mask & (uint32_t)names[i].n_val) == 0)
			continue;
		snprintf(text + strlen(text), sizeof text - strlen(text), " %s", names[i].n_str);
		mask &= ~(uint32_t)names[i].n_val;
	}
	if (mask != 0)
		snprintf(text + strlen(text), sizeof text - strlen(text), " %#x", mask);
	return text;
}

/* All that is in the queue of a descriptor that does not block; of cookies, which of a call's it is. */
__attribute__((unused)) static void
in_show(int fd, const char *what)
{
	static char buf[65536];
	uint32_t seen[16] = { 0 }, nseen = 0, c;
	ssize_t n;

	t_say("%s:", what);
	while ((n = read(fd, buf, sizeof buf)) > 0) {
		for (char *p = buf; p < buf + n;) {
			struct inotify_event *e = (void *)p;

			for (c = 0; c < nseen && seen[c] != e->cookie; c++)
				;
			if (e->cookie != 0 && c == nseen && nseen < T_COUNT(seen))
				seen[nseen++] = e->cookie;
			t_say("  %d%s%s%s cookie %u len %u", e->wd, in_mask(e->mask), e->len > 0 ? " " : "",
			    e->len > 0 ? e->name : "", e->cookie == 0 ? 0 : c + 1, e->len);
			p += sizeof *e + e->len;
		}
	}
	if (n < 0 && errno != EAGAIN)
		t_say("  read: %s", t_errno(errno));
}
