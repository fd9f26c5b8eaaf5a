/* SPDX-License-Identifier: BSD-2-Clause */
#include <core/rt/rt.h>
#include <machine/boot.h>
#include <sys/debug/bootarg.h>

bool
boot_arg(const char *name, char *buf, size_t size)
{
	size_t len = strlen(name);

	for (const char *s = md_boot()->b_append; *s != '\0';) {
		const char *end = s;

		while (*end != '\0' && *end != ' ')
			end++;
		if (strncmp(s, name, len) == 0 && (s[len] == '=' || s + len == end)) {
			const char *value = s[len] == '=' ? s + len + 1 : end;

			if (buf != NULL)
				strlcpy(buf, value, rt_min(size, (size_t)(end - value) + 1));
			return true;
		}
		s = *end == ' ' ? end + 1 : end;
	}
	return false;
}
