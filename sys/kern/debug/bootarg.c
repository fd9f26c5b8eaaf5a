/* SPDX-License-Identifier: BSD-2-Clause */
#include <core/rt/rt.h>
#include <machine/boot.h>
#include <sys/debug/bootarg.h>

bool
boot_arg(const char *name, char *buf, size_t size)
{
	const char *words = md_boot()->b_append, *built_in = boot_args_built_in, *value;
	size_t len;

	if (!rt_word(&words, name, &value, &len) && !rt_word(&built_in, name, &value, &len))
		return false;
	if (buf != NULL)
		strlcpy(buf, value, rt_min(size, len + 1));
	return true;
}
