/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * target - find a kernel, stop it, and list its threads.
 *
 * Nothing is left behind by a virtual kernel that could tell of one that is gone: those that run are found
 * among the processes, by the note in their executables.
 *
 * Stopped means that all host threads are (ptrace); the processes that execute guest code go on, and wait for
 * their kernel at their next call.  A CPU's host thread has the kernel's per-CPU area in its GS base, on
 * whichever stack it is.
 *
 * All that is read is foreign input: lists end where they do not go on, or after LIST_MAX.
 */
#include "look.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../launch/launch.h"

#define LIST_MAX	(1u << 20)
#define SAVED		7u		/* words below which a thread's stack goes on: dt_td_sp */

/* ---------------------------------------------------------- processes -- */

static bool
note_in(const uint8_t *text, size_t n, struct look_note *out)
{
	for (size_t at = 0; at + sizeof(Elf64_Nhdr) <= n;) {
		Elf64_Nhdr h;
		size_t name = at + sizeof h, desc;

		memcpy(&h, text + at, sizeof h);
		desc = name + ((h.n_namesz + 3ul) & ~3ul);
		at = desc + ((h.n_descsz + 3ul) & ~3ul);
		if (at > n || at <= name)
			return false;
		if (h.n_type == LOOK_NOTE && h.n_namesz == sizeof LOOK_NAME && memcmp(text + name,
		    LOOK_NAME, sizeof LOOK_NAME) == 0 &&
		    h.n_descsz == sizeof *out) {
			memcpy(out, text + desc, sizeof *out);
			return true;
		}
	}
	return false;
}

/* The note of a process's executable. */
static bool
note_of(pid_t pid, struct look_note *out)
{
	char path[40];
	Elf64_Ehdr e;
	bool found = false;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/exe", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (pread(fd, &e, sizeof e, 0) == sizeof e && memcmp(e.e_ident, ELFMAG, SELFMAG) == 0 &&
	    e.e_ident[EI_CLASS] == ELFCLASS64 && e.e_machine == EM_X86_64 &&
	    e.e_phentsize == sizeof(Elf64_Phdr))
		for (unsigned i = 0; i < e.e_phnum && !found; i++) {
			uint8_t text[4096];
			Elf64_Phdr p;

			if (pread(fd, &p, sizeof p, (off_t)(e.e_phoff + i * sizeof p)) == sizeof p &&
			    p.p_type == PT_NOTE &&
			    p.p_filesz <= sizeof text && pread(fd, text, p.p_filesz,
			    (off_t)p.p_offset) == (ssize_t)p.p_filesz)
				found = note_in(text, p.p_filesz, out);
		}
	close(fd);
	return found;
}

static ssize_t
read_some(pid_t pid, uint64_t addr, void *buf, size_t n)
{
	struct iovec to = { buf, n }, from = { (void *)(uintptr_t)addr, n };

	return process_vm_readv(pid, &to, 1, &from, 1, 0);
}

bool
target_read(const struct target *t, uint64_t addr, void *buf, size_t n)
{
	return read_some(t->t_pid, addr, buf, n) == (ssize_t)n;
}

static bool
label_of(pid_t pid, struct look_label *out)
{
	struct look_note note;

	return note_of(pid, &note) && note.ln_version == LOOK_VERSION &&
	    read_some(pid, note.ln_label, out, sizeof *out) == sizeof *out && out->ll_bytes == sizeof *out &&
	    out->ll_ram != 0;
}

void
look_each(bool (*fn)(pid_t, const struct look_label *, void *), void *arg)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	bool more = d != NULL;

	while (more && (e = readdir(d)) != NULL) {
		struct look_label l;
		pid_t pid = atoi(e->d_name);

		if (pid > 0 && pid != getpid() && label_of(pid, &l))
			more = fn(pid, &l, arg);
	}
	if (d != NULL)
		closedir(d);
}

struct search {
	const char	*id;
	pid_t		found;
	unsigned	hits, all;
	char		seen[200];	/* for the message */
};

static bool
consider(pid_t pid, const struct look_label *l, void *arg)
{
	struct search *s = arg;
	size_t n = strlen(s->seen);

	s->all++;
	snprintf(s->seen + n, sizeof s->seen - n, " %d%s%s", pid, l->ll_name[0] != '\0' ? "=" : "",
	    l->ll_name);
	if (s->id == NULL || (l->ll_name[0] != '\0' && strcmp(s->id, l->ll_name) == 0)) {
		s->found = pid;
		s->hits++;
	}
	return true;
}

/* Why a process may not be looked at; `error` is what ptrace or a read said. */
static void
say_refused(pid_t pid, int error)
{
	char path[40], line[128];
	int tracer = 0, yama = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/status", pid);
	if ((f = fopen(path, "re")) != NULL) {
		while (fgets(line, sizeof line, f) != NULL && sscanf(line, "TracerPid: %d", &tracer) != 1)
			continue;
		fclose(f);
	}
	if ((f = fopen("/proc/sys/kernel/yama/ptrace_scope", "re")) != NULL) {
		if (fscanf(f, "%d", &yama) != 1)
			yama = 0;
		fclose(f);
	}
	if (error == EPERM && tracer != 0)
		say_error(NULL, "%d: process %d debugs it already", pid, tracer);
	else if (error == EPERM && yama == 1)
		say_error("kernel.yama.ptrace_scope is 1: start it with --gdb, or become root", "%d: %s",
		    pid, strerror(error));
	else if (error == EPERM && yama > 1)
		say_error("kernel.yama.ptrace_scope forbids it", "%d: %s", pid, strerror(error));
	else
		say_error(NULL, "%d: %s", pid, strerror(error));
}

/* A virtual kernel that we may not look at, so that its name is not known; 0: there is none. */
static pid_t
one_closed(void)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	pid_t found = 0;

	while (d != NULL && found == 0 && (e = readdir(d)) != NULL) {
		struct look_note note;
		char byte;
		pid_t pid = atoi(e->d_name);

		if (pid > 0 && pid != getpid() && note_of(pid, &note) &&
		    read_some(pid, note.ln_label, &byte, 1) < 0 && errno == EPERM)
			found = pid;
	}
	if (d != NULL)
		closedir(d);
	return found;
}

bool
look_find(const char *id, pid_t *out)
{
	struct search s = { .id = id };
	pid_t closed;
	char *end;
	long pid = id == NULL ? 0 : strtol(id, &end, 10);

	if (pid > 0 && *end == '\0') {
		*out = (pid_t)pid;	/* target_open() will tell whether it is one */
		return true;
	}
	look_each(consider, &s);
	*out = s.found;
	if (s.hits == 1)
		return true;
	if (s.hits == 0 && (closed = one_closed()) != 0)
		say_refused(closed, EPERM);
	else if (s.all == 0)
		say_error(NULL, "no virtual kernel of yours runs");
	else if (s.hits == 0)
		say_error(NULL, "%s: no virtual kernel has that name; there are%s", id, s.seen);
	else
		say_error("say which by its process number", "%s: more than one:%s",
		    id == NULL ? "vkernel" : id, s.seen);
	return false;
}

bool
target_open(struct target *t, pid_t pid)
{
	struct look_note note;

	memset(t, 0, sizeof *t);
	t->t_pid = pid;
	if (kill(pid, 0) != 0 && errno == ESRCH) {
		say_error(NULL, "%d: there is no such process", pid);
		return false;
	}
	errno = 0;
	if (!note_of(pid, &note)) {
		if (errno == EACCES || errno == EPERM)
			say_refused(pid, EPERM);
		else
			say_error(NULL, "%d: is no virtual kernel", pid);
		return false;
	}
	if (note.ln_version != LOOK_VERSION) {
		say_error("use the vkernel that it is", "%d: of another release", pid);
		return false;
	}
	if (!target_read(t, note.ln_label, &t->t_label, sizeof t->t_label) ||
	    !target_read(t, note.ln_table, &t->t_table, sizeof t->t_table)) {
		say_refused(pid, errno);
		return false;
	}
	if (t->t_label.ll_bytes != sizeof t->t_label || t->t_table.dt_magic != DEBUG_MAGIC ||
	    t->t_table.dt_version != DEBUG_VERSION || t->t_table.dt_bytes != sizeof t->t_table) {
		say_error("use the vkernel that it is", "%d: of another release", pid);
		return false;
	}
	if (t->t_label.ll_ram == 0) {
		say_error(NULL, "%d: has not begun yet", pid);
		return false;
	}
	return true;
}

/* ------------------------------------------------------------ stopping -- */

bool
task_regs(pid_t task, struct user_regs_struct *out)
{
	struct iovec v = { out, sizeof *out };

	return ptrace(PTRACE_GETREGSET, task, NT_PRSTATUS, &v) == 0 && v.iov_len == sizeof *out;
}

static bool
is_task(const struct target *t, pid_t task)
{
	for (size_t i = 0; i < t->t_ntasks; i++)
		if (t->t_tasks[i] == task)
			return true;
	return false;
}

/* It came to a breakpoint at the same time as another: it shall come to it again. */
static void
step_back(pid_t task)
{
	struct user_regs_struct r;
	struct iovec v = { &r, sizeof r };

	if (!task_regs(task, &r) || (ptrace(PTRACE_PEEKTEXT, task, r.rip - 1, 0) & 0xff) != 0xcc)
		return;
	r.rip--;
	ptrace(PTRACE_SETREGSET, task, NT_PRSTATUS, &v);
}

/* Until a task of ours has stopped because we ask; signals that come first are its own.  False: it ended. */
static bool
halt_task(pid_t task)
{
	int status;

	if (ptrace(PTRACE_INTERRUPT, task, 0, 0) != 0)
		return false;
	for (;;) {
		pid_t who = waitpid(task, &status, __WALL);

		if (who < 0 && errno == EINTR)
			continue;
		if (who < 0 || !WIFSTOPPED(status))
			return false;
		if (status >> 16 == PTRACE_EVENT_STOP)
			return true;
		if (status >> 16 == 0 && WSTOPSIG(status) == SIGTRAP)
			step_back(task);
		ptrace(PTRACE_CONT, task, 0, status >> 16 != 0 ||
		    WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status));
	}
}

/* False with errno: not ours. */
static bool
stop_task(pid_t task)
{
	if (ptrace(PTRACE_SEIZE, task, 0, PTRACE_O_TRACECLONE) != 0)
		return false;
	(void)halt_task(task);
	return true;
}

/* Those not yet ours, and how many; -1 with errno. */
static int
stop_more(struct target *t)
{
	char path[40];
	struct dirent *e;
	int n = 0;
	DIR *d;

	snprintf(path, sizeof path, "/proc/%d/task", t->t_pid);
	if ((d = opendir(path)) == NULL)
		return -1;
	while (n >= 0 && (e = readdir(d)) != NULL) {
		pid_t task = atoi(e->d_name), *more;

		if (task <= 0 || is_task(t, task))
			continue;
		/* One that was made by a thread of ours is ours already, and stops by itself. */
		if (!stop_task(task) && (errno != EPERM || t->t_ntasks == 0 || !halt_task(task))) {
			if (errno != ESRCH)
				n = -1;
			continue;		/* it has ended */
		}
		more = realloc(t->t_tasks, (t->t_ntasks + 1) * sizeof *more);
		if (more == NULL)
			abort();
		t->t_tasks = more;
		more[t->t_ntasks++] = task;
		n++;
	}
	closedir(d);
	return n;
}

void
target_go(struct target *t)
{
	for (size_t i = 0; i < t->t_ntasks; i++)
		ptrace(PTRACE_DETACH, t->t_tasks[i], 0, 0);
	free(t->t_tasks);
	free(t->t_threads);
	t->t_tasks = NULL;
	t->t_threads = NULL;
	t->t_ntasks = t->t_nthreads = 0;
}

void
target_close(struct target *t)
{
	target_go(t);
}

/* ------------------------------------------------------------- threads -- */

static uint64_t
word_at(const uint8_t *bytes, uint32_t offset)
{
	uint64_t v;

	memcpy(&v, bytes + offset, sizeof v);
	return v;
}

/* What a thread that is off saved; false: that is not on its stack. */
static bool
saved_regs(const struct target *t, uint64_t sp, uint64_t stack, struct user_regs_struct *out)
{
	uint64_t w[SAVED];

	if (stack == 0 || sp < stack || sp + sizeof w > stack + t->t_table.dt_stack_bytes || !target_read(t,
	    sp, w, sizeof w))
		return false;
	*out = (struct user_regs_struct){
		.rbp = w[0], .r15 = w[1], .r14 = w[2], .r13 = w[3], .r12 = w[4], .rbx = w[5], .rip = w[6],
		.rsp = sp + sizeof w, .cs = 0x33, .ss = 0x2b, .eflags = 0x202,
	};
	return true;
}

/* The CPUs: what each runs, and its host thread's registers. */
struct cpu_now {
	uint64_t	addr, thread;
	bool		known;			/* regs are */
	bool		here;			/* on the stack of a thread */
	struct user_regs_struct regs;
};

static struct cpu_now *
cpus_now(const struct target *t, uint32_t *count)
{
	struct cpu_now *c;
	uint32_t n;

	if (!target_read(t, t->t_table.dt_cpu_count, &n, sizeof n) || n == 0 || n > 4096)
		return NULL;
	c = calloc(n, sizeof *c);
	for (uint32_t i = 0; c != NULL && i < n; i++)
		if (!target_read(t, t->t_table.dt_cpus + 8ul * i, &c[i].addr, 8) ||
		    !target_read(t, c[i].addr + t->t_table.dt_c_thread, &c[i].thread, 8))
			c[i].thread = 0;
	for (size_t k = 0; c != NULL && k < t->t_ntasks; k++) {
		struct user_regs_struct r;

		if (!task_regs(t->t_tasks[k], &r))
			continue;
		for (uint32_t i = 0; i < n; i++)
			if (c[i].addr == r.gs_base) {
				c[i].regs = r;
				c[i].known = true;
			}
	}
	*count = n;
	return c;
}

static bool
on_stack(uint64_t sp, uint64_t stack, uint32_t bytes)
{
	return stack != 0 && sp >= stack && sp < stack + bytes;
}

static bool
read_thread(const struct target *t, uint64_t addr, struct cpu_now *cpu, uint32_t ncpu, struct kthread *k,
    uint64_t *next)
{
	const struct debug_table *dt = &t->t_table;
	uint64_t stack, sp;
	uint8_t bytes[4096];
	uint32_t need = 0, ends[] = { dt->dt_td_link + 16, dt->dt_td_id + 8,
	    dt->dt_td_name + dt->dt_name_bytes,
	    dt->dt_td_state + 4, dt->dt_td_cpu + 8, dt->dt_td_sp + 8, dt->dt_td_stack + 8 };

	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
		need = ends[i] > need ? ends[i] : need;
	if (need > sizeof bytes || dt->dt_name_bytes >= sizeof k->k_name || !target_read(t, addr, bytes,
	    need))
		return false;
	*next = word_at(bytes, dt->dt_td_link);
	*k = (struct kthread){ .k_addr = addr, .k_id = word_at(bytes, dt->dt_td_id), .k_cpu = -1 };
	memcpy(k->k_name, bytes + dt->dt_td_name, dt->dt_name_bytes);
	memcpy(&k->k_state, bytes + dt->dt_td_state, 4);
	stack = word_at(bytes, dt->dt_td_stack);
	sp = word_at(bytes, dt->dt_td_sp);
	(void)saved_regs(t, sp, stack, &k->k_regs);
	for (uint32_t i = 0; i < ncpu; i++)
		if (cpu[i].known && on_stack(cpu[i].regs.rsp, stack, dt->dt_stack_bytes)) {
			k->k_cpu = (int)i;
			k->k_regs = cpu[i].regs;
			cpu[i].here = true;
		}
	return true;
}

/*
 * A CPU that is on no kernel stack has called the host, for the thread that it runs.  One in the middle of a
 * switch is still on the stack that it leaves, and that thread is what it runs.
 */
static void
place_others(struct target *t, const struct cpu_now *cpu, uint32_t ncpu)
{
	for (uint32_t i = 0; i < ncpu; i++)
		for (size_t k = 0; k < t->t_nthreads && cpu[i].known && !cpu[i].here; k++)
			if (t->t_threads[k].k_addr == cpu[i].thread) {
				t->t_threads[k].k_cpu = (int)i;
				t->t_threads[k].k_regs = cpu[i].regs;
			}
}

bool
target_list(struct target *t)
{
	uint64_t head = t->t_table.dt_threads, at, next;
	uint32_t ncpu;
	struct cpu_now *cpu = cpus_now(t, &ncpu);
	size_t room = 0;
	bool good = cpu != NULL && target_read(t, head, &at, sizeof at);

	t->t_nthreads = 0;
	for (; good && at != head && t->t_nthreads < LIST_MAX; at = next) {
		if (t->t_nthreads == room) {
			room = room * 2 + 64;
			t->t_threads = realloc(t->t_threads, room * sizeof *t->t_threads);
			if (t->t_threads == NULL)
				abort();
		}
		if (!read_thread(t, at - t->t_table.dt_td_link, cpu, ncpu, &t->t_threads[t->t_nthreads],
		    &next)) {
			if (t->t_ntasks > 0)		/* else it changes while we look */
				say_error(NULL, "%d: the list of threads ends in nothing, after %zu",
				    t->t_pid, t->t_nthreads);
			break;
		}
		t->t_nthreads++;
	}
	if (good)
		place_others(t, cpu, ncpu);
	free(cpu);
	return good && t->t_nthreads > 0;
}

bool
target_write(const struct target *t, uint64_t addr, const void *buf, size_t n)
{
	char path[40];
	ssize_t done;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/mem", t->t_pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return false;
	done = pwrite(fd, buf, n, (off_t)addr);
	close(fd);
	return done == (ssize_t)n;
}

void
target_halt(struct target *t, pid_t stopped, pid_t only)
{
	for (size_t i = 0; i < t->t_ntasks; i++)
		if (t->t_tasks[i] != stopped && (only == 0 || t->t_tasks[i] == only) &&
		    !halt_task(t->t_tasks[i]))
			t->t_tasks[i--] = t->t_tasks[--t->t_ntasks];	/* it has ended */
	while (stop_more(t) > 0)
		continue;
}

bool
target_stop(struct target *t)
{
	int n;

	while ((n = stop_more(t)) > 0)
		continue;
	if (n < 0) {
		int error = errno;

		target_go(t);
		say_refused(t->t_pid, error);
		return false;
	}
	if (!target_list(t)) {
		target_go(t);
		say_error(NULL, "%d: its threads cannot be found", t->t_pid);
		return false;
	}
	return true;
}
