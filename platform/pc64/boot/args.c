/* SPDX-License-Identifier: BSD-2-Clause */
#include <core/rt/rt.h>
#include <core/virtio/virtio.h>

#include "args.h"

#define TEXT_BYTES	16384u
#define WORDS_MAX	512u

/* Texts as md_boot wants them: arguments one after another, the environment likewise, and each other one. */
static char text[TEXT_BYTES], env[TEXT_BYTES], append[4096];
static char *word[WORDS_MAX];

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One word from *p into text at `at`, without its escapes; false: no room. */
static bool
take_word(const char **p, char *out, size_t room)
{
	const char *s = *p;

	while (*s != '\0' && *s != ' ') {
		if (room-- <= 1)
			return false;
		if (s[0] == '\\' && s[1] == '\\')
			s++;		/* GRUB doubles them */
		if (s[0] == '\\' && s[1] == 'x' && hex(s[2]) >= 0 && hex(s[3]) >= 0) {
			*out++ = (char)(hex(s[2]) << 4 | hex(s[3]));
			s += 4;
		} else if (s[0] == '\\' && s[1] == 'e') {
			s += 2;
			room++;
		} else {
			*out++ = *s++;
		}
	}
	*out = '\0';
	*p = s;
	return true;
}

/*
 * Where the words begin that a virtual machine added to the line to tell of its devices: it does
 * not know that those of a command stand there.  None of the command's own is like that: its @ is
 * escaped.
 */
static const char *
added_words(const char *line)
{
	static const char name[] = "virtio_mmio.device=";
	const size_t n = sizeof name - 1;
	const char *from = line + strlen(line), *w = from;
	struct virtio_mmio_place place;

	for (;;) {
		const char *end = w;

		while (w > line && w[-1] != ' ')
			w--;
		if (end > w && ((size_t)(end - w) < n || memcmp(w, name, n) != 0 ||
		    !virtio_mmio_place(w + n, (size_t)(end - w) - n, &place)))
			return from;
		if (end > w)
			from = w;
		if (w == line)
			return from;
		w--;
	}
}

/* All words before `end` into text[]; the count. */
static uint32_t
split(const char *line, const char *end)
{
	size_t used = 0;
	uint32_t n = 0;

	for (;;) {
		while (*line == ' ')
			line++;
		if (line >= end || n == WORDS_MAX || !take_word(&line, text + used, TEXT_BYTES - used))
			return n;
		word[n++] = text + used;
		used += strlen(text + used) + 1;
	}
}

static void
add_env(struct md_boot *b, const char *pair)
{
	static size_t used;
	size_t len = strlen(pair) + 1;

	if (len > TEXT_BYTES - used)
		return;
	memcpy(env + used, pair, len);
	used += len;
	b->b_envc++;
}

static void
add_append(const char *more)
{
	if (append[0] != '\0' && more[0] != '\0')
		strlcat(append, " ", sizeof append);
	strlcat(append, more, sizeof append);
}

/* Arguments of Linux's kernel that are ours, too, and that others give as they would give them to it. */
static bool
is_linux(const char *w)
{
	return strncmp(w, "console=", 8) == 0 || strncmp(w, "virtio_mmio.device=", 19) == 0;
}

/* tty,pipe,file: a letter of each. */
static void
take_stdio(const char *kinds, char out[4])
{
	for (int i = 0; i < 3 && *kinds != '\0'; i++) {
		out[i] = strncmp(kinds, "none", 4) == 0 ? '-' : *kinds;
		while (*kinds != '\0' && *kinds++ != ',')
			continue;
	}
}

static const struct { char letter; const char *name; } longs[] = {
	{ 'n', "name" }, { 'e', "env" }, { 'w', "workdir" }, { 'u', "user" }, { 'a', "append" },
	{ 'q', "quiet" }, { 'v', "verbose" }, { 's', "strace" }, { 'i', "init" }, { 'y', "enosys" },
	{ 'd', "stdio" },
};

/* The letter of an option, its value if it stands in the same word; 0: none such. */
static char
option(const char *w, const char **value)
{
	size_t len;

	*value = NULL;
	if (w[0] != '-' || w[1] == '\0')
		return 0;
	if (w[1] != '-') {
		if (w[2] != '\0')
			*value = w + 2;
		return w[1];
	}
	w += 2;
	for (uint32_t i = 0; i < countof(longs); i++) {
		len = strlen(longs[i].name);
		if (strncmp(w, longs[i].name, len) != 0 || (w[len] != '\0' && w[len] != '='))
			continue;
		if (w[len] == '=')
			*value = w + len + 1;
		return longs[i].letter;
	}
	return 0;
}

static bool
take_flag(char letter, struct md_boot *b)
{
	switch (letter) {
	case 'q':
		b->b_flags |= MD_BOOT_QUIET;
		return true;
	case 'v':
		b->b_flags |= MD_BOOT_VERBOSE;
		return true;
	case 's':
		b->b_flags |= MD_BOOT_STRACE;
		return true;
	default:
		return false;
	}
}

static bool
take_value(char letter, const char *v, struct md_boot *b, char stdio[4], bool *status)
{
	switch (letter) {
	case 'n':
		b->b_name = v;
		return true;
	case 'e':
		add_env(b, v);
		return true;
	case 'w':
		b->b_workdir = v;
		return true;
	case 'u':
		b->b_user = v;
		return true;
	case 'i':
		b->b_init = v;
		return true;
	case 'a':
		add_append(v);
		return true;
	case 'y':
		b->b_enosys = v[0] == 'p' ? MD_ENOSYS_PANIC : v[0] == 'q' ? MD_ENOSYS_QUIET : MD_ENOSYS_LOG;
		return true;
	case 'd':
		take_stdio(v, stdio);
		*status = true;
		return true;
	default:
		return false;
	}
}

const char *
args_parse(const char *line, struct md_boot *b, char stdio[4], bool *status)
{
	const char *odd = NULL, *value, *added = added_words(line);
	uint32_t n = split(line, added), i;

	for (i = 0; i < n && strcmp(word[i], "--") != 0; i++) {
		const char *w = word[i];
		char letter = option(w, &value);

		if (take_flag(letter, b))
			continue;
		if (is_linux(w)) {
			add_append(w);
			continue;
		}
		if (value == NULL && letter != 0 && i + 1 < n)
			value = word[++i];
		if ((value == NULL || !take_value(letter, value, b, stdio, status)) && odd == NULL)
			odd = w;
	}
	add_append(added);
	if (i < n)
		i++;
	b->b_argc = n - i;
	b->b_argv = b->b_argc == 0 ? "" : word[i];
	b->b_env = env;
	b->b_append = append;
	if (b->b_argc == 0)
		b->b_flags |= MD_BOOT_INTERACTIVE;
	return odd;
}
