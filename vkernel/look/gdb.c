/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gdb - vkernel gdb [ID|CORE] [GDB-ARGUMENT]...: GDB on a kernel that runs, or on its core, with the vk
 * commands.
 *
 * GDB gets the very executable: of a process by /proc, of a core only if it is ours, by build id.  The
 * commands are part of this program; GDB reads them from a descriptor that it inherits, so there is no
 * file to be found or to be left behind.  The first argument is of GDB if it begins with '-'.
 */
#include "look.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../launch/launch.h"

#define ERROR_STATUS	125
#define GDB_OLDEST	12		/* vk/__init__.py says so, too */
#define BUILD_ID_MAX	64

extern const char vk_commands[], vk_commands_end[];

/* ------------------------------------------------------- which program -- */

/* Of an executable, or of a core's copy of its first page.  0: none. */
static size_t
build_id_at(int fd, uint64_t at, uint8_t out[BUILD_ID_MAX])
{
	Elf64_Ehdr e;

	if (pread(fd, &e, sizeof e, (off_t)at) != sizeof e || memcmp(e.e_ident, ELFMAG, SELFMAG) != 0)
		return 0;
	for (unsigned i = 0; i < e.e_phnum; i++) {
		uint8_t text[4096];
		Elf64_Phdr p;
		Elf64_Nhdr h;

		if (pread(fd, &p, sizeof p, (off_t)(at + e.e_phoff + i * sizeof p)) != sizeof p)
			return 0;
		if (p.p_type != PT_NOTE || p.p_filesz > sizeof text ||
		    pread(fd, text, p.p_filesz, (off_t)(at + p.p_offset)) != (ssize_t)p.p_filesz)
			continue;
		for (size_t k = 0, desc; k + sizeof h <= p.p_filesz; k = desc + ((h.n_descsz + 3ul) & ~3ul)) {
			memcpy(&h, text + k, sizeof h);
			desc = k + sizeof h + ((h.n_namesz + 3ul) & ~3ul);
			if (h.n_type == NT_GNU_BUILD_ID && h.n_namesz == 4 && h.n_descsz <= BUILD_ID_MAX &&
			    desc + h.n_descsz <= p.p_filesz && memcmp(text + k + sizeof h, "GNU", 4) == 0) {
				memcpy(out, text + desc, h.n_descsz);
				return h.n_descsz;
			}
		}
	}
	return 0;
}

static size_t
build_id_of(const char *path, bool core, uint8_t out[BUILD_ID_MAX])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	Elf64_Ehdr e;
	size_t n = 0;

	if (fd >= 0 && pread(fd, &e, sizeof e, 0) == sizeof e && memcmp(e.e_ident, ELFMAG, SELFMAG) == 0 &&
	    (e.e_type == ET_CORE) == core) {
		if (!core)
			n = build_id_at(fd, 0, out);
		for (unsigned i = 0; core && n == 0 && i < e.e_phnum; i++) {
			Elf64_Phdr p;

			if (pread(fd, &p, sizeof p, (off_t)(e.e_phoff + i * sizeof p)) == sizeof p &&
			    p.p_type == PT_LOAD)
				n = build_id_at(fd, p.p_offset, out);
		}
	}
	if (fd >= 0)
		close(fd);
	return n;
}

/* False: told on stderr. */
static bool
is_our_core(const char *path)
{
	uint8_t ours[BUILD_ID_MAX], its[BUILD_ID_MAX];
	size_t n = build_id_of("/proc/self/exe", false, ours), k = build_id_of(path, true, its);

	if (k == 0)
		say_error(NULL, "gdb: %s: no core of a virtual kernel", path);
	else if (n != k || memcmp(ours, its, n) != 0)
		say_error("use the vkernel that it is of", "gdb: %s: of another build", path);
	return k != 0 && n == k && memcmp(ours, its, n) == 0;
}

/* --------------------------------------------------------- which debugger -- */

/* The first line of `gdb --version`; "": there is none to be run. */
static void
version_of_gdb(char line[200])
{
	FILE *f = popen("gdb --version 2>/dev/null", "re");

	if (f == NULL || fgets(line, 200, f) == NULL)
		line[0] = '\0';
	/* All of it, lest it dies of a pipe that is closed. */
	for (char rest[200]; f != NULL && fgets(rest, sizeof rest, f) != NULL;)
		continue;
	if (f != NULL)
		(void)pclose(f);
	line[strcspn(line, "\n")] = '\0';
}

/*
 * "GNU gdb (Debian 13.1-3) 13.1": its own number is what stands last.  One that cannot be understood passes.
 * False: told on stderr.
 */
static bool
has_gdb(void)
{
	char line[200];
	const char *last;
	int major;

	version_of_gdb(line);
	if (line[0] == '\0') {
		say_error("install gdb, 12 or later", "gdb: there is none");
		return false;
	}
	last = strrchr(line, ' ');
	if (last != NULL && sscanf(last, " %d", &major) == 1 && major < GDB_OLDEST) {
		say_error("install gdb, 12 or later", "gdb: this one is of version%s", last);
		return false;
	}
	return true;
}

/* ------------------------------------------------------------- the rest -- */

/* The commands as a file that GDB inherits.  -1. */
static int
commands(void)
{
	size_t n = (size_t)(vk_commands_end - vk_commands);
	int fd = memfd_create("vk.py", 0);

	if (fd >= 0 && write(fd, vk_commands, n) != (ssize_t)n) {
		close(fd);
		fd = -1;
	}
	return fd;
}

int
gdb_main(int argc, char **argv)
{
	const char *id = argc > 1 && argv[1][0] != '-' ? argv[1] : NULL;
	static char exe[4096];
	char number[16], load[200], **v;
	bool core = id != NULL && strtol(id, NULL, 10) == 0 && access(id, F_OK) == 0;
	int n = 0, fd, more = id != NULL ? 2 : 1;
	struct target t;
	pid_t pid;

	if (core) {
		if (!is_our_core(id) || readlink("/proc/self/exe", exe, sizeof exe - 1) <= 0)
			return ERROR_STATUS;
	} else {
		if (!look_find(id, &pid) || !target_open(&t, pid))
			return ERROR_STATUS;
		target_close(&t);
		snprintf(exe, sizeof exe, "/proc/%d/exe", pid);
		snprintf(number, sizeof number, "%d", pid);
	}
	if (!has_gdb())
		return ERROR_STATUS;
	if ((fd = commands()) < 0 || (v = calloc((size_t)argc + 20, sizeof *v)) == NULL) {
		say_error(NULL, "gdb: %s", strerror(errno));
		return ERROR_STATUS;
	}
	snprintf(load, sizeof load,
	    "python p = '/proc/self/fd/%d'; exec(open(p).read().split('\\n#==== ')[0], {'PATH': p})",
	    fd);
	char *const ours[] = { "gdb", "-q", "-iex", "set debuginfod enabled off", exe, core ? "-c" : "-p",
	    core ? (char *)id : number, "-ex", load };

	memcpy(v, ours, sizeof ours);
	n = sizeof ours / sizeof ours[0];
	while (more < argc)
		v[n++] = argv[more++];
	execvp("gdb", v);
	say_error(NULL, "gdb: %s", strerror(errno));
	return ERROR_STATUS;
}
