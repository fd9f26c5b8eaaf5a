/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dump - vkernel dump [ID] -o FILE: a core of a kernel that runs, in which each kernel thread is a thread.
 *
 * So plain GDB, eu-stack and the like list them all ("thread apply all bt"), and know nothing of us.  The
 * file is as sparse as the kernel's memory: that is in it once, though it is mapped at several addresses,
 * the kernel's data and each stack; program headers may share bytes.  What can be had from the executable
 * is left out, but for its first page, which has its build id.
 *
 *	ELF header, program headers, notes, the kernel's memory, other memory of the process
 *
 * The kernel is stopped meanwhile, not the processes that execute guests: what these write, their stacks
 * and data, may be from any moment until it is copied.
 */
#include "look.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/procfs.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gen/version.h>

#include "../launch/launch.h"

#define PAGE		4096ul
#define PIECE		(1ul << 20)
#define ERROR_STATUS	125

struct map {
	uint64_t	m_start, m_end, m_off;	/* m_off: in what is mapped */
	uint32_t	m_flags;		/* PF_* */
	enum { M_COPY, M_RAM, M_HEADER, M_LEAVE } m_what;
	uint64_t	m_at;			/* in the core */
};

struct core {
	struct target	*c_t;
	int		c_fd, c_ram;		/* the file; the kernel's memory */
	struct map	*c_map;
	size_t		c_nmap;
	uint8_t		*c_notes;
	size_t		c_nnotes;
	uint64_t	c_ram_at, c_ram_bytes;
};

/* ---------------------------------------------------------------- maps -- */

/* What is worth a place in the core, by a line of /proc/PID/maps.  `exe`: inode of the executable. */
static void
sort_map(struct map *m, const char *perms, const char *path, bool of_exe, bool first)
{
	m->m_flags = (perms[0] == 'r' ? PF_R : 0u) | (perms[1] == 'w' ? PF_W : 0u) |
	    (perms[2] == 'x' ? PF_X : 0u);
	if (perms[0] != 'r' || strncmp(path, "[vvar", 5) == 0 || strcmp(path, "[vsyscall]") == 0)
		m->m_what = M_LEAVE;
	else if (strncmp(path, "/memfd:hk-ram", 13) == 0)
		m->m_what = M_RAM;
	else if (of_exe && perms[1] != 'w')
		m->m_what = first ? M_HEADER : M_LEAVE;
	else
		m->m_what = M_COPY;
}

static bool
read_maps(struct core *c)
{
	char name[48], line[4400];
	struct stat exe;
	FILE *f;

	snprintf(name, sizeof name, "/proc/%d/exe", c->c_t->t_pid);
	if (stat(name, &exe) != 0)
		return false;
	snprintf(name, sizeof name, "/proc/%d/maps", c->c_t->t_pid);
	if ((f = fopen(name, "re")) == NULL)
		return false;
	while (fgets(line, sizeof line, f) != NULL) {
		unsigned long start, end, off, inode;
		struct map *more, m = { 0 };
		char perms[8];
		int path = 0;

		if (sscanf(line, "%lx-%lx %7s %lx %*s %lu %n", &start, &end, perms, &off, &inode, &path) < 5)
			continue;
		line[strcspn(line, "\n")] = '\0';
		m.m_start = start;
		m.m_end = end;
		m.m_off = off;
		sort_map(&m, perms, line + path, inode != 0 && inode == exe.st_ino, off == 0);
		if (m.m_what == M_LEAVE)
			continue;
		more = realloc(c->c_map, (c->c_nmap + 1) * sizeof m);
		if (more == NULL)
			abort();
		c->c_map = more;
		more[c->c_nmap++] = m;
	}
	fclose(f);
	return c->c_nmap > 0;
}

/* The kernel's memory as a file: what its mappings are of. */
static int
open_ram(pid_t pid)
{
	char name[64], text[64];

	for (int fd = 0; fd < 1024; fd++) {
		ssize_t n;

		snprintf(name, sizeof name, "/proc/%d/fd/%d", pid, fd);
		n = readlink(name, text, sizeof text - 1);
		if (n <= 0)
			continue;
		text[n] = '\0';
		if (strncmp(text, "/memfd:hk-ram", 13) == 0)
			return open(name, O_RDONLY | O_CLOEXEC);
	}
	errno = ENOENT;
	return -1;
}

/* --------------------------------------------------------------- notes -- */

static void
add_note(struct core *c, const char *name, uint32_t type, const void *desc, size_t n)
{
	Elf64_Nhdr h = { .n_namesz = (uint32_t)strlen(name) + 1, .n_descsz = (uint32_t)n, .n_type = type };
	size_t names = (h.n_namesz + 3ul) & ~3ul, all = sizeof h + names + ((n + 3) & ~3ul);
	uint8_t *p = realloc(c->c_notes, c->c_nnotes + all);

	if (p == NULL)
		abort();
	c->c_notes = p;
	p += c->c_nnotes;
	memset(p, 0, all);
	memcpy(p, &h, sizeof h);
	memcpy(p + sizeof h, name, h.n_namesz);
	memcpy(p + sizeof h + names, desc, n);
	c->c_nnotes += all;
}

static void
add_thread(struct core *c, const struct kthread *k)
{
	struct elf_prstatus s = { .pr_pid = (pid_t)k->k_id };

	_Static_assert(sizeof s.pr_reg == sizeof k->k_regs, "the same registers");
	memcpy(&s.pr_reg, &k->k_regs, sizeof s.pr_reg);
	add_note(c, "CORE", NT_PRSTATUS, &s, sizeof s);
}

static bool
is_thread(const struct target *t, uint64_t id)
{
	for (size_t i = 0; i < t->t_nthreads; i++)
		if (t->t_threads[i].k_id == id)
			return true;
	return false;
}

/* Whom GDB shows first: who panics, or what CPU 0 runs. */
static size_t
first_thread(const struct target *t)
{
	uint32_t who = 0;
	int cpu = 0;

	if (target_read(t, t->t_table.dt_panicking, &who, sizeof who) && who != 0)
		cpu = (int)who - 1;
	for (size_t i = 0; i < t->t_nthreads; i++)
		if (t->t_threads[i].k_cpu == cpu)
			return i;
	return 0;
}

static void
add_auxv(struct core *c)
{
	char name[40];
	uint8_t text[2048];
	ssize_t n;
	int fd;

	snprintf(name, sizeof name, "/proc/%d/auxv", c->c_t->t_pid);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof text);
	if (fd >= 0)
		close(fd);
	if (n > 0)
		add_note(c, "CORE", NT_AUXV, text, (size_t)n);
}

static void
make_notes(struct core *c)
{
	const struct target *t = c->c_t;
	size_t first = first_thread(t);
	struct elf_prpsinfo p = { .pr_pid = t->t_pid, .pr_sname = 'R', .pr_fname = "vkernel" };

	snprintf(p.pr_psargs, sizeof p.pr_psargs, "vkernel %s%s", VERSION,
	    t->t_label.ll_name[0] != '\0' ? " -n " : "");
	strncat(p.pr_psargs, t->t_label.ll_name, sizeof p.pr_psargs - strlen(p.pr_psargs) - 1);
	add_thread(c, &t->t_threads[first]);
	add_note(c, "CORE", NT_PRPSINFO, &p, sizeof p);
	add_auxv(c);
	for (size_t i = 0; i < t->t_nthreads; i++)
		if (i != first)
			add_thread(c, &t->t_threads[i]);
	/* Host threads come last: GDB's library for threads looks for them by number. */
	for (size_t i = 0; i < t->t_ntasks; i++) {
		struct kthread k = { .k_id = (uint64_t)t->t_tasks[i] };

		if (!is_thread(t, k.k_id) && task_regs(t->t_tasks[i], &k.k_regs))
			add_thread(c, &k);
	}
}

/* ------------------------------------------------------------- writing -- */

static bool
put(struct core *c, const void *buf, size_t n, uint64_t at)
{
	const char *p = buf;

	while (n > 0) {
		ssize_t w = pwrite(c->c_fd, p, n, (off_t)at);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return false;
		p += w;
		n -= (size_t)w;
		at += (uint64_t)w;
	}
	return true;
}

static bool
is_zero(const uint8_t *p)
{
	return p[0] == 0 && memcmp(p, p + 1, PAGE - 1) == 0;
}

/* Pages, but those that are zero: they are holes. */
static bool
put_pages(struct core *c, const uint8_t *buf, size_t n, uint64_t at)
{
	for (size_t i = 0; i < n; i += PAGE)
		if (!is_zero(buf + i) && !put(c, buf + i, PAGE, at + i))
			return false;
	return true;
}

static bool
copy_ram(struct core *c, uint8_t *buf)
{
	off_t at = 0, end;

	for (; (at = lseek(c->c_ram, at, SEEK_DATA)) >= 0; at = end) {
		end = lseek(c->c_ram, at, SEEK_HOLE);
		for (off_t k = at; k < end;) {
			ssize_t n = pread(c->c_ram, buf, end - k < (off_t)PIECE ? (size_t)(end - k) : PIECE,
			    k);

			if (n <= 0 || n % (ssize_t)PAGE != 0 || !put_pages(c, buf, (size_t)n,
			    c->c_ram_at + (uint64_t)k))
				return false;
			k += n;
		}
	}
	return errno == ENXIO;			/* no more data */
}

/* What cannot be read is left zero: a mapping beyond the end of its file, say. */
static bool
copy_map(struct core *c, const struct map *m, uint8_t *buf)
{
	uint64_t n = m->m_what == M_HEADER ? PAGE : m->m_end - m->m_start;

	for (uint64_t k = 0; k < n; k += PIECE) {
		size_t part = n - k < PIECE ? (size_t)(n - k) : PIECE;

		if (target_read(c->c_t, m->m_start + k, buf, part) && !put_pages(c, buf, part, m->m_at + k))
			return false;
	}
	return true;
}

static uint64_t
pages_up(uint64_t n)
{
	return (n + PAGE - 1) & ~(PAGE - 1);
}

static bool
put_headers(struct core *c)
{
	Elf64_Ehdr e = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		    .e_type = ET_CORE,
		.e_machine = EM_X86_64, .e_version = EV_CURRENT, .e_phoff = sizeof e, .e_ehsize = sizeof e,
		.e_phentsize = sizeof(Elf64_Phdr), .e_phnum = (uint16_t)(c->c_nmap + 1),
	};
	uint64_t heads = sizeof e + (c->c_nmap + 1) * sizeof(Elf64_Phdr), at;
	Elf64_Phdr *p = calloc(c->c_nmap + 1, sizeof *p);
	bool good;

	if (p == NULL)
		abort();
	p[0] = (Elf64_Phdr){ .p_type = PT_NOTE, .p_offset = heads, .p_filesz = c->c_nnotes, .p_align = 4 };
	c->c_ram_at = pages_up(heads + c->c_nnotes);
	at = c->c_ram_at + pages_up(c->c_ram_bytes);
	for (size_t i = 0; i < c->c_nmap; i++) {
		struct map *m = &c->c_map[i];
		uint64_t bytes = m->m_end - m->m_start;

		p[i + 1] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_flags = m->m_flags, .p_vaddr = m->m_start,
		    .p_memsz = bytes,
		    .p_filesz = m->m_what == M_HEADER ? PAGE : bytes, .p_align = PAGE };
		m->m_at = m->m_what == M_RAM ? c->c_ram_at + m->m_off : at;
		p[i + 1].p_offset = m->m_at;
		if (m->m_what != M_RAM)
			at += p[i + 1].p_filesz;
	}
	good = ftruncate(c->c_fd, (off_t)at) == 0 && put(c, &e, sizeof e, 0) &&
	    put(c, p, (c->c_nmap + 1) * sizeof *p, sizeof e) && put(c, c->c_notes, c->c_nnotes, heads);
	free(p);
	return good;
}

static bool
write_core(struct core *c)
{
	uint8_t *buf = malloc(PIECE);
	bool good = buf != NULL && put_headers(c) && copy_ram(c, buf);

	for (size_t i = 0; good && i < c->c_nmap; i++)
		if (c->c_map[i].m_what != M_RAM)
			good = copy_map(c, &c->c_map[i], buf);
	free(buf);
	return good;
}

static bool
dump(struct target *t, const char *file)
{
	struct core c = { .c_t = t, .c_fd = -1, .c_ram = open_ram(t->t_pid) };
	struct stat st;
	bool good = false;

	if (c.c_ram < 0 || fstat(c.c_ram, &st) != 0 || !read_maps(&c))
		say_error(NULL, "dump: %d: %s", t->t_pid, strerror(errno));
	else if (c.c_nmap >= PN_XNUM - 1)
		say_error(NULL, "dump: %d: %zu mappings are too many for a core", t->t_pid, c.c_nmap);
	else if ((c.c_fd = open(file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) < 0)
		say_error(NULL, "dump: %s: %s", file, strerror(errno));
	else {
		c.c_ram_bytes = (uint64_t)st.st_size;
		make_notes(&c);
		good = write_core(&c);
		if (!good) {
			say_error(NULL, "dump: %s: %s", file, strerror(errno));
			unlink(file);
		}
	}
	if (c.c_fd >= 0 && close(c.c_fd) != 0 && good) {
		say_error(NULL, "dump: %s: %s", file, strerror(errno));
		good = false;
	}
	if (c.c_ram >= 0)
		close(c.c_ram);
	free(c.c_map);
	free(c.c_notes);
	return good;
}

int
dump_main(int argc, char **argv)
{
	static const struct option options[] = { { "output", required_argument, NULL, 'o' }, { NULL, 0,
	    NULL, 0 } };
	const char *file = NULL, *id = NULL;
	struct target t;
	bool good;
	pid_t pid;
	int o;

	while ((o = getopt_long(argc, argv, "o:", options, NULL)) == 'o')
		file = optarg;
	if (o == -1 && optind < argc)
		id = argv[optind++];
	if (o != -1 || optind != argc || file == NULL) {
		say_error("vkernel dump [ID] -o FILE", "dump: not like that");
		return ERROR_STATUS;
	}
	if (!look_find(id, &pid) || !target_open(&t, pid))
		return ERROR_STATUS;
	good = target_stop(&t) && dump(&t, file);
	target_close(&t);
	return good ? 0 : ERROR_STATUS;
}
