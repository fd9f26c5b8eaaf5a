/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * folded - samples as folded stacks: a line for each stack with how often it was met, for flamegraph.pl,
 * inferno and speedscope.  Outermost first: the program or kernel thread, the program's functions, the
 * kernel's, which end with _[k], and those of the machine below it.
 *
 * Equal stacks are counted together as they come; names are looked up at the end, for a program may tell
 * what its addresses mean after it was met the first time.  The same address may have been two things in
 * one program's life: the last one told counts.
 *
 * A program's file is looked for where the kernel's options say that its files are.  One that is not found,
 * or has no symbol there, is shown as [its name].
 */
#include "trace.h"

#include <libgen.h>
#include <limits.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "../launch/launch.h"

#define FRAMES_MAX	256u		/* of one stack that are believed */
#define SHARES_MAX	16u
#define OPTIONS_MAX	65536u

/* A stack, as it was sampled. */
struct stack {
	uint64_t	k_key;		/* of the program, or 0 */
	uint32_t	k_thread, k_kernel, k_user;
	uint64_t	k_count;
	uint64_t	k_pc[];		/* innermost first, the kernel's before the program's */
};

/* What a program said of itself; a file's symbols are read when they are wanted. */
struct program {
	uint64_t	p_key;		/* or THREAD and a thread's number */
	char		p_name[32];
};
#define THREAD		(1ull << 63)
struct map {
	uint64_t	m_key, m_start, m_end, m_off;
	char		*m_name;
};
struct file {
	char		*f_name;
	struct symbols	*f_symbols;	/* NULL: none */
};

/* What a CPU is saying: a stack or a name that is not whole yet. */
struct partial {
	struct stack	*t_stack;	/* room for FRAMES_MAX, and one more */
	uint32_t	t_want, t_have;
	enum { IN_NOTHING, IN_STACK, IN_PROGRAM, IN_MAP, IN_FILE } t_in;
	struct program	t_program;
	struct map	t_map;
	char		t_name[PATH_MAX];
	size_t		t_letters;
};

struct share {
	const char	*s_guest, *s_host;	/* folders */
	size_t		s_guest_n;
};

struct folded {
	struct partial	**cpu;
	uint32_t	ncpu;
	void		*stacks;		/* tsearch(): struct stack */
	struct program	*program;
	struct map	*map;
	struct file	*file;
	size_t		nprograms, nmaps, nfiles;
	char		*options;		/* of the kernel's process */
	char		cwd[32];
	struct share	share[SHARES_MAX];
	uint32_t	nshares;
	char		**line;			/* at the end */
	size_t		nlines;
};

static void *
must(void *p)
{
	if (p == NULL)
		abort();
	return p;
}

/* With room for one more than n; an array grows by doubling. */
static void *
grow(void *array, size_t n, size_t bytes)
{
	return (n & (n - 1)) == 0 ? must(realloc(array, 2 * (n + 1) * bytes)) : array;
}

/* ------------------------------------------------------------- reading -- */

static int
compare(const void *a, const void *b)
{
	const struct stack *x = a, *y = b;

	if (x->k_key != y->k_key)
		return x->k_key < y->k_key ? -1 : 1;
	if (x->k_key == 0 && x->k_thread != y->k_thread)
		return x->k_thread < y->k_thread ? -1 : 1;
	if (x->k_kernel != y->k_kernel)
		return x->k_kernel < y->k_kernel ? -1 : 1;
	if (x->k_user != y->k_user)
		return x->k_user < y->k_user ? -1 : 1;
	return memcmp(x->k_pc, y->k_pc, (x->k_kernel + x->k_user) * sizeof x->k_pc[0]);
}

static void
count_stack(struct folded *f, const struct stack *s)
{
	struct stack **found = must(tsearch(s, &f->stacks, compare));
	size_t bytes = sizeof *s + (s->k_kernel + s->k_user) * sizeof s->k_pc[0];

	if (*found == s) {
		*found = must(malloc(bytes));
		memcpy(*found, s, bytes);
		(*found)->k_count = 0;
	}
	(*found)->k_count++;
}

static struct program *
program_of(const struct folded *f, uint64_t key)
{
	for (size_t i = f->nprograms; i-- > 0;)
		if (f->program[i].p_key == key)
			return &f->program[i];
	return NULL;
}

static void
add_program(struct folded *f, const struct program *p)
{
	f->program = grow(f->program, f->nprograms, sizeof f->program[0]);
	f->program[f->nprograms++] = *p;
}

/* Of a thread of the kernel, before it ends. */
static void
learn_thread(struct writer *w, uint32_t thread)
{
	struct folded *f = w->w_own;
	struct program new = { .p_key = THREAD | thread };
	struct target *t = w->w_target;

	if (program_of(f, new.p_key) != NULL)
		return;
	for (int look = 0; look < 2 && new.p_name[0] == '\0' && (look == 0 || target_list(t)); look++)
		for (size_t i = 0; i < t->t_nthreads; i++)
			if ((uint32_t)t->t_threads[i].k_id == thread)
				snprintf(new.p_name, sizeof new.p_name, "%s", t->t_threads[i].k_name);
	if (new.p_name[0] == '\0')
		snprintf(new.p_name, sizeof new.p_name, "thread %u", thread);
	add_program(f, &new);
}

static struct partial *
partial_of(struct folded *f, uint32_t cpu)
{
	if (cpu >= f->ncpu) {
		f->cpu = must(realloc(f->cpu, (cpu + 1) * sizeof f->cpu[0]));
		memset(f->cpu + f->ncpu, 0, (cpu + 1 - f->ncpu) * sizeof f->cpu[0]);
		f->ncpu = cpu + 1;
	}
	if (f->cpu[cpu] == NULL) {
		struct partial *t = must(calloc(1, sizeof *t));

		t->t_stack = must(malloc(sizeof *t->t_stack + (FRAMES_MAX + 1) * sizeof t->t_stack->k_pc[0]));
		f->cpu[cpu] = t;
	}
	return f->cpu[cpu];
}

static void
begin_stack(struct partial *t, const struct ktr_event *e)
{
	uint32_t kernel = (uint32_t)e->ke_b, user = (uint32_t)(e->ke_b >> 32);

	t->t_in = IN_NOTHING;
	if (kernel > FRAMES_MAX || user > FRAMES_MAX - kernel)
		return;
	*t->t_stack = (struct stack){ e->ke_c, e->ke_thread, kernel, user, 0 };
	t->t_want = kernel + user;
	t->t_have = 0;
	t->t_in = IN_STACK;
}

static void
add_frames(struct folded *f, struct partial *t, const struct ktr_event *e)
{
	if (t->t_in != IN_STACK)
		return;
	t->t_stack->k_pc[t->t_have++] = e->ke_b;
	t->t_stack->k_pc[t->t_have++] = e->ke_c;
	if (t->t_have >= t->t_want) {
		count_stack(f, t->t_stack);
		t->t_in = IN_NOTHING;
	}
}

static void
add_letters(struct folded *f, struct partial *t, const struct ktr_event *e)
{
	size_t n = sizeof e->ke_b + sizeof e->ke_c;

	if ((t->t_in != IN_PROGRAM && t->t_in != IN_FILE) || t->t_letters + n >= sizeof t->t_name) {
		t->t_in = IN_NOTHING;
		return;
	}
	memcpy(t->t_name + t->t_letters, &e->ke_b, n);
	t->t_letters += n;
	t->t_name[t->t_letters] = '\0';
	if (strlen(t->t_name) == t->t_letters)
		return;				/* there are more */
	if (t->t_in == IN_PROGRAM) {
		snprintf(t->t_program.p_name, sizeof t->t_program.p_name, "%.*s",
		    (int)sizeof t->t_program.p_name - 1, t->t_name);
		add_program(f, &t->t_program);
	} else {
		t->t_map.m_name = must(strdup(t->t_name));
		f->map = grow(f->map, f->nmaps, sizeof f->map[0]);
		f->map[f->nmaps++] = t->t_map;
	}
	t->t_in = IN_NOTHING;
}

static void
add_sample(struct writer *w, uint32_t cpu, const struct ktr_event *e)
{
	struct folded *f = w->w_own;
	struct partial *t = partial_of(f, cpu);

	switch (e->ke_type) {
	case SAMPLE_TAKEN:
		begin_stack(t, e);
		if (e->ke_c == 0)
			learn_thread(w, e->ke_thread);
		break;
	case SAMPLE_FRAMES:
		add_frames(f, t, e);
		break;
	case SAMPLE_PROGRAM:
		t->t_program.p_key = e->ke_b;
		t->t_in = IN_PROGRAM;
		t->t_letters = 0;
		break;
	case SAMPLE_MAP:
		t->t_map = (struct map){ .m_start = e->ke_b, .m_end = e->ke_c };
		t->t_in = IN_MAP;
		break;
	case SAMPLE_FILE:
		t->t_map.m_key = e->ke_b;
		t->t_map.m_off = e->ke_c;
		t->t_in = t->t_in == IN_MAP ? IN_FILE : IN_NOTHING;
		t->t_letters = 0;
		break;
	case SAMPLE_LETTERS:
		add_letters(f, t, e);
		break;
	default:
		t->t_in = IN_NOTHING;
	}
}

/* --------------------------------------------------------------- files -- */

static void
add_share(struct folded *f, const char *guest, const char *host)
{
	if (f->nshares < SHARES_MAX)
		f->share[f->nshares++] = (struct share){ guest, host, strlen(guest) };
}

/* DIR[,...] or HOST:GUEST[,...]. */
static void
read_option(struct folded *f, char *text, bool is_root)
{
	char *colon;

	text[strcspn(text, ",")] = '\0';
	colon = strchr(text, ':');
	if (is_root) {
		add_share(f, "", text);
	} else if (colon != NULL) {
		*colon = '\0';
		add_share(f, colon + 1, text);
	}
}

/* Which of the host's folders are the kernel's files: --root and --share of its command line. */
static void
read_options(struct folded *f, pid_t pid)
{
	char path[32];
	FILE *cmd;
	size_t n;

	snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
	snprintf(f->cwd, sizeof f->cwd, "/proc/%d/cwd", pid);
	f->options = must(calloc(1, OPTIONS_MAX + 1));
	cmd = fopen(path, "re");
	if (cmd == NULL)
		return;
	n = fread(f->options, 1, OPTIONS_MAX, cmd);
	fclose(cmd);
	for (char *arg = f->options, *next; arg < f->options + n && strcmp(arg, "--") != 0; arg = next) {
		next = arg + strlen(arg) + 1;
		if (strncmp(arg, "--root=", 7) == 0)
			read_option(f, arg + 7, true);
		else if (strncmp(arg, "--share=", 8) == 0)
			read_option(f, arg + 8, false);
	}
}

/* The folder of the host's in which the longest part of the name lies. */
static const struct share *
share_of(const struct folded *f, const char *name)
{
	const struct share *best = NULL;

	for (uint32_t i = 0; i < f->nshares; i++) {
		const struct share *s = &f->share[i];

		if (strncmp(name, s->s_guest, s->s_guest_n) == 0 && name[s->s_guest_n] == '/' &&
		    (best == NULL || s->s_guest_n > best->s_guest_n))
			best = s;
	}
	return best;
}

static const struct symbols *
symbols_of(struct folded *f, const char *name)
{
	const struct share *s = share_of(f, name);
	char path[2 * PATH_MAX];
	struct file *new;

	for (size_t i = 0; i < f->nfiles; i++)
		if (strcmp(f->file[i].f_name, name) == 0)
			return f->file[i].f_symbols;
	f->file = grow(f->file, f->nfiles, sizeof f->file[0]);
	new = &f->file[f->nfiles++];
	*new = (struct file){ .f_name = must(strdup(name)) };
	if (s != NULL) {
		snprintf(path, sizeof path, "%s%s%s%s", s->s_host[0] == '/' ? "" : f->cwd,
		    s->s_host[0] == '/' ? "" : "/", s->s_host, name + s->s_guest_n);
		new->f_symbols = symbols_read(path);
	}
	return new->f_symbols;
}

/* --------------------------------------------------------------- names -- */

static void
say_user(struct folded *f, FILE *out, uint64_t key, uint64_t pc)
{
	const struct map *m = NULL;
	const struct symbols *y;
	const char *name = NULL;
	uint64_t offset;
	char *copy;

	for (size_t i = f->nmaps; i-- > 0 && m == NULL;)
		if (f->map[i].m_key == key && pc >= f->map[i].m_start && pc < f->map[i].m_end)
			m = &f->map[i];
	if (m == NULL || m->m_name[0] == '\0') {
		fprintf(out, ";[%s]", m == NULL ? "unknown" : "anonymous");
		return;
	}
	y = m->m_name[0] == '/' ? symbols_of(f, m->m_name) : NULL;
	if (y != NULL)
		name = symbols_find(y, symbols_address(y, pc - m->m_start + m->m_off), &offset);
	if (name != NULL) {
		fprintf(out, ";%s", name);
		return;
	}
	copy = must(strdup(m->m_name));
	if (copy[0] == '[')
		fprintf(out, ";%s", copy);
	else
		fprintf(out, ";[%s]", basename(copy));
	free(copy);
}

static void
say_kernel(const struct writer *w, FILE *out, uint64_t pc)
{
	uint64_t offset;
	const char *name = symbols_find(w->w_symbols, pc, &offset);

	fprintf(out, ";%s_[k]", name != NULL ? name : "[host]");
}

static void
say_who(const struct writer *w, FILE *out, const struct stack *k)
{
	const struct program *p = program_of(w->w_own, k->k_key != 0 ? k->k_key : THREAD | k->k_thread);

	fprintf(out, "%s", p != NULL ? p->p_name : "process");
}

/* Where a caller goes on may be the next function already: the call is before it. */
static void
add_line(const struct writer *w, const struct stack *k)
{
	struct folded *f = w->w_own;
	char **line;
	size_t n;
	FILE *out;

	f->line = grow(f->line, f->nlines, sizeof f->line[0]);
	line = &f->line[f->nlines++];
	out = must(open_memstream(line, &n));
	say_who(w, out, k);
	for (uint32_t i = k->k_user; i-- > 0;)
		say_user(f, out, k->k_key, k->k_pc[k->k_kernel + i] - (i > 0));
	for (uint32_t i = k->k_kernel; i-- > 0;)
		say_kernel(w, out, k->k_pc[i] - (i > 0));
	if (fclose(out) != 0)
		abort();
	/* The count travels behind the text: lines of one text are added up when they are sorted. */
	*line = must(realloc(*line, n + 1 + sizeof k->k_count));
	memcpy(*line + n + 1, &k->k_count, sizeof k->k_count);
}

static const struct writer *walking;	/* twalk() hands nothing on */

static void
visit(const void *node, VISIT which, int depth)
{
	(void)depth;
	if (which == postorder || which == leaf)
		add_line(walking, *(struct stack *const *)node);
}

static int
compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static uint64_t
count_of(const char *line)
{
	uint64_t count;

	memcpy(&count, line + strlen(line) + 1, sizeof count);
	return count;
}

static void
write_lines(struct writer *w)
{
	struct folded *f = w->w_own;
	uint64_t count = 0;

	qsort(f->line, f->nlines, sizeof f->line[0], compare_lines);
	for (size_t i = 0; i < f->nlines; i++) {
		count += count_of(f->line[i]);
		if (i + 1 < f->nlines && strcmp(f->line[i], f->line[i + 1]) == 0)
			continue;
		fprintf(w->w_file, "%s %llu\n", f->line[i], (unsigned long long)count);
		count = 0;
	}
}

/* --------------------------------------------------------------- whole -- */

static void
begin(struct writer *w)
{
	w->w_own = must(calloc(1, sizeof(struct folded)));
	read_options(w->w_own, w->w_target->t_pid);
}

static void
end(struct writer *w)
{
	struct folded *f = w->w_own;

	walking = w;
	twalk(f->stacks, visit);
	write_lines(w);
	tdestroy(f->stacks, free);
	for (size_t i = 0; i < f->nlines; i++)
		free(f->line[i]);
	for (size_t i = 0; i < f->nmaps; i++)
		free(f->map[i].m_name);
	for (size_t i = 0; i < f->nfiles; i++) {
		free(f->file[i].f_name);
		symbols_free(f->file[i].f_symbols);
	}
	for (uint32_t i = 0; i < f->ncpu; i++) {
		if (f->cpu[i] != NULL)
			free(f->cpu[i]->t_stack);
		free(f->cpu[i]);
	}
	free(f->line);
	free(f->map);
	free(f->program);
	free(f->file);
	free(f->cpu);
	free(f->options);
	free(f);
}

void
folded_writer(struct writer *w)
{
	w->w_begin = begin;
	w->w_sample = add_sample;
	w->w_end = end;
}
