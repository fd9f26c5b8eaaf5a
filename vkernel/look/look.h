/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * look - a kernel in another process: found, stopped, read.
 *
 * All that is needed to find things in it lies in its own image (abi/debug.h), at addresses that a note of
 * its executable names; so a tool of one build looks at a kernel of another, or says that it cannot.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#include <abi/debug.h>

#define LOOK_NAME	"Damselfly"		/* of the note; its type is LOOK_NOTE */
#define LOOK_NOTE	1u
#define LOOK_VERSION	1u

/* The note's contents. */
struct look_note {
	uint64_t	ln_version;
	uint64_t	ln_table;		/* address of the kernel's struct debug_table */
	uint64_t	ln_label;		/* address of the process's struct look_label */
};

/* What a virtual kernel says of itself. */
struct look_label {
	uint64_t	ll_bytes;		/* of this structure */
	uint64_t	ll_ram, ll_ram_bytes;	/* where its memory begins; 0: not yet */
	uint64_t	ll_began;		/* CLOCK_REALTIME, ns */
	uint32_t	ll_cpus;
	char		ll_name[68];		/* -n, or "" */
};

struct kthread {
	uint64_t	k_addr;			/* its struct thread */
	uint64_t	k_id;
	uint32_t	k_state;		/* DEBUG_RUNNING ... */
	int		k_cpu;			/* that runs it; -1 */
	char		k_name[32];
	struct user_regs_struct k_regs;		/* what it saved; of one that runs its host thread's */
};

struct target {
	pid_t		t_pid;
	struct look_label t_label;
	struct debug_table t_table;
	pid_t		*t_tasks;		/* host threads, while it is stopped */
	size_t		t_ntasks;
	struct kthread	*t_threads;		/* while it is stopped */
	size_t		t_nthreads;
};

/* Of all virtual kernels of ours: that of this name, or process number.  False: told on stderr. */
bool	look_find(const char *id, pid_t *out);
/* Calls fn for each; false ends it. */
void	look_each(bool (*fn)(pid_t pid, const struct look_label *l, void *arg), void *arg);

/* Read what it says of itself.  False: it is none, or gone, or not ours: told on stderr. */
bool	target_open(struct target *t, pid_t pid);
/* Stop all its host threads, and find its threads.  False: told on stderr, and it goes on. */
bool	target_stop(struct target *t);
void	target_go(struct target *t);		/* it goes on as if nothing had been */
void	target_close(struct target *t);
/*
 * While it is ours: stop it again, but for the host thread that has stopped, or only one, if that alone
 * ran (else 0); list its threads anew.
 */
void	target_halt(struct target *t, pid_t stopped, pid_t only);
bool	target_list(struct target *t);
/* Bytes of its memory, all or none; writing goes where the process itself may not. */
bool	target_read(const struct target *t, uint64_t addr, void *buf, size_t n);
bool	target_write(const struct target *t, uint64_t addr, const void *buf, size_t n);
/* Its host threads' registers. */
bool	task_regs(pid_t task, struct user_regs_struct *out);

/* Sub-commands: from their own names on; the exit status. */
int	dump_main(int argc, char **argv);
int	gdb_main(int argc, char **argv);
int	ps_main(int argc, char **argv);
int	stub_main(int argc, char **argv);
int	trace_main(int argc, char **argv);
