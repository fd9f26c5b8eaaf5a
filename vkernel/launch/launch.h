/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * launch - what the files of the vkernel command share.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <abi/vkboot.h>

#include <hk/hk.h>

#define ENV_MAX		256		/* -e, with our own defaults */
#define APPEND_MAX	4096		/* bytes of all -a together */
#define TRACES_MAX	4
#define BOOT_TEXT_MAX	(256u << 10)	/* arguments, environment and names together */

enum panic_action { PANIC_EXIT, PANIC_STOP, PANIC_GDB, PANIC_DUMP };
enum gdb_action { GDB_NONE, GDB_HERE, GDB_WAIT };

/* A directory of the host for the guest to see. */
struct tree {
	char		*t_host;
	const char	*t_guest;	/* where; "/": the root */
	char		t_mode;		/* as in struct vkboot */
	uint64_t	t_node;		/* once it is open */
};

struct options {
	uint64_t	o_ram_bytes;
	uint64_t	o_timeout_ns;	/* 0: none */
	uint32_t	o_ncpu;
	uint32_t	o_boot_flags;	/* VKB_* */
	uint32_t	o_enosys;	/* enum vkb_enosys */
	uint32_t	o_umask;	/* CMD's */
	int		o_status_fd;	/* -1: none */
	uint64_t	o_seed;		/* VKB_DETERMINISTIC */
	bool		o_spin;
	enum panic_action o_on_panic;
	enum gdb_action	o_gdb;
	const char	*o_dump_file;	/* of PANIC_DUMP; NULL: named after the process */
	const char	*o_trace[TRACES_MAX];	/* files for its events */
	uint32_t	o_traces;
	const char	*o_stub;	/* unix:PATH of GDB's remote protocol; NULL: none */
	const char	*o_name, *o_root, *o_init, *o_workdir, *o_user, *o_host_cpus;
	char		o_append[APPEND_MAX];
	const char	*o_env[ENV_MAX];
	uint32_t	o_envc;
	char		**o_argv;	/* CMD; o_argc 0: none */
	uint32_t	o_argc;
	struct tree	o_tree[VKB_TREES_MAX];
	uint32_t	o_trees;
	bool		o_named;	/* o_name was said */
	bool		o_root_dir;	/* one of them is the root: there is no archive */
};

/* A file or piece of memory that will be the initial root. */
struct archive {
	const void	*a_data;
	uint64_t	a_bytes;
};

enum options_result {
	OPTIONS_RUN,
	OPTIONS_DONE,		/* --help, --version: leave with 0 */
	OPTIONS_BAD,		/* told on stderr: leave with VK_EXIT_ERROR */
};

/* Fills *o, whatever it returns. */
enum options_result options_parse(int argc, char **argv, struct options *o);

/* The sub-command of that name, from its own name on.  Its exit status. */
int	doctor(int argc, char **argv);

/*
 * debugged.c: who looks at this very process.  Before the machine exists; before its first processor runs;
 * when the kernel has panicked; before the process ends.
 */
void	debugger_prepare(const struct options *o);
void	debugger_begin(const struct options *o);
void	debugger_panic(const struct options *o);
void	debugger_end(void);

/* What a host that refuses hk_init() or hk_cpu_start() so most often lacks; NULL: nobody knows. */
const char *init_hint(hk_result r);

/* "vkernel: thing: reason" and, when not NULL, "hint: ..." on stderr. */
void	say_error(const char *hint, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Find and check the initial root; none if `dir`.  False: told on stderr. */
bool	archive_open(const char *path, bool dir, struct archive *out);
/* It has been copied: give its memory back. */
void	archive_close(const struct archive *a);

/*
 * Where things go in RAM: page 0 unused, kernel data, boot page run, archive.
 * plan: pure arithmetic, before the machine exists; false: told on stderr.
 */
struct layout {
	uint64_t	l_kdata_pa, l_kdata_bytes;
	uint64_t	l_boot_pa, l_boot_bytes;	/* bytes really used */
	uint64_t	l_initrd_pa;
	uint64_t	l_kernel_end_pa;
};
bool	layout_plan(const struct options *o, const struct archive *a, struct layout *out);

/* Fill RAM as planned and map the kernel's data onto it.  Returns the boot page, or NULL: told on stderr. */
struct vkboot *layout_fill(const struct options *o, const struct archive *a, const struct layout *l);
