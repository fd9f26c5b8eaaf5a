/* SPDX-License-Identifier: BSD-2-Clause */
/* word - arguments in a line. */
#include <core/rt/rt.h>

bool
rt_word(const char **words, const char *name, const char **value, size_t *len)
{
	size_t n = strlen(name);

	for (const char *s = *words, *end; *s != '\0'; s = *end == ' ' ? end + 1 : end) {
		for (end = s; *end != '\0' && *end != ' '; end++)
			continue;
		if (strncmp(s, name, n) != 0 || (s[n] != '=' && s + n != end))
			continue;
		*value = s[n] == '=' ? s + n + 1 : end;
		*len = (size_t)(end - *value);
		*words = end;
		return true;
	}
	return false;
}
