/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * init - process 1 when neither the boot arguments nor the archive has one.
 *
 * It makes one child, which runs the command (or, without one, a login shell
 * on the console), reaps whatever is orphaned, and powers the machine off
 * with the child's status: its exit code, 128+N for signal N, 127 and 126 when
 * it could not be found or started.  The root needs no program of ours.
 *
 * Events from outside (the machine's starter was told to terminate) come as
 * a mailbox bit; a thread of its own turns them into signals, because posting
 * a signal is not work for an interrupt handler.
 */
#include "init_int.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <core/rt/rt.h>
#include <drv/intr.h>
#include <machine/boot.h>
#include <stdatomic.h>
#include <sys/debug/kprint.h>
#include <sys/debug/report.h>
#include <sys/file/exec.h>
#include <sys/file/file.h>
#include <sys/file/tty.h>
#include <sys/init/init.h>
#include <sys/proc/proc.h>
#include <sys/vfs/name.h>
#include <sys/vm/kmem.h>
#include <sys/vm/object.h>

#define ENV_BYTES	(64u << 10)
#define GRACE_NS	(3 * NSEC_PER_SEC)	/* between "please" and "now" */
#define PATH_DEFAULT	"/sbin:/usr/sbin:/bin:/usr/bin:/usr/local/bin"

static struct waitq power_waitq = WAITQ_INIT(power_waitq);
static _Atomic bool power_news;			/* [atomic] */
static _Atomic int32_t command_pid;		/* [atomic] 0 before it exists */

/* -------------------------------------------------------- environment -- */

static const char *
env_get(const struct env *e, const char *name)
{
	const char *s = e->text;
	size_t len = strlen(name);

	for (uint32_t i = 0; i < e->count; i++, s += strlen(s) + 1)
		if (strncmp(s, name, len) == 0 && s[len] == '=')
			return s + len + 1;
	return NULL;
}

static void
env_add(struct env *e, const char *text)
{
	size_t n = strlen(text) + 1;

	if (e->bytes + n > e->size)
		return;
	memcpy(e->text + e->bytes, text, n);
	e->bytes += n;
	e->count++;
}

void
env_default(struct env *e, const char *name, const char *value)
{
	char text[PATH_MAX_ + 32];

	if (env_get(e, name) != NULL)
		return;
	rt_snprintf(text, sizeof text, "%s=%s", name, value);
	env_add(e, text);
}

static int
env_make(struct env *e)
{
	const struct md_boot *b = md_boot();
	const char *s = b->b_env;

	*e = (struct env){ .text = kmalloc(ENV_BYTES, KM_WAIT), .size = ENV_BYTES };
	if (e->text == NULL)
		return ENOMEM;
	for (uint32_t i = 0; i < b->b_envc; i++, s += strlen(s) + 1)
		env_add(e, s);
	env_default(e, "PATH", PATH_DEFAULT);
	env_default(e, "TERM", "linux");
	return 0;
}

/* ------------------------------------------------------------ command -- */

/* As execvp: a name without a slash is looked for along PATH. */
static int
exec_search(const char *name, uint32_t argc, const char *argv, const struct env *e)
{
	const char *dir = env_get(e, "PATH");
	char path[PATH_MAX_];
	int error, best = ENOENT;

	if (strchr(name, '/') != NULL)
		return exec_kernel(name, argc, argv, e->count, e->text);
	for (const char *end; dir != NULL; dir = *end == ':' ? end + 1 : NULL) {
		for (end = dir; *end != '\0' && *end != ':'; end++)
			;
		if ((size_t)rt_snprintf(path, sizeof path, "%.*s/%s", (int)(end - dir), dir, name) >= sizeof path)
			continue;
		error = exec_kernel(path, argc, argv, e->count, e->text);
		if (error == 0)
			return 0;
		if (error == EACCES || (error != ENOENT && error != ENOTDIR && best == ENOENT))
			best = error;
	}
	return best;
}

static void
open_stdio(void)
{
	struct file *fp;

	for (int i = 0; i < 3; i++)
		if (stdio_open(i, &fp) == 0 && fd_set(i, fp, false) != 0)
			kprintf("init: no descriptor for stream %d\n", i);
}

static int
enter_workdir(void)
{
	const char *dir = md_boot()->b_workdir;
	struct fsctx *fc = fsctx_current();
	struct lookup lu;
	struct ncp *old;
	int error;

	if (dir[0] == '\0')
		return 0;
	error = name_lookup(NULL, dir, LOOK_FOLLOW | LOOK_DIR, &lu);
	if (error != 0)
		return error;
	spin_lock(&fc->fc_spin);
	old = fc->fc_cwd;
	fc->fc_cwd = lu.lu_ncp;
	lu.lu_ncp = NULL;
	spin_unlock(&fc->fc_spin);
	ncp_drop(old);
	lookup_done(&lu);
	return 0;
}

static void
complain(const char *what, int error)
{
	char line[PATH_MAX_ + 64];
	int n = rt_snprintf(line, sizeof line, "damselfly: %s: %s\n", what,
	    error == ENOENT ? "not found" : error == EACCES ? "permission denied" :
	    error == ENOEXEC ? "exec format error" : "cannot be run");

	md_emergency(line, rt_min((size_t)n, sizeof line - 1));
}

/* The child, before it is a program. */
static void
command_main(void *arg)
{
	static const char shell_argv[] = "-sh";
	const struct md_boot *b = md_boot();
	bool shell = b->b_argc == 0;
	const char *name = shell ? "/bin/sh" : b->b_argv;
	struct env *e = arg;
	int32_t sid;
	int error;

	if (proc_setsid(&sid) != 0)
		panic("a new process cannot lead a session");
	open_stdio();
	error = b->b_user[0] != '\0' ? user_become(b->b_user, e) : 0;
	if (error != 0) {
		complain(b->b_user, error);
		proc_exit(125 << 8);
	}
	env_default(e, "HOME", "/root");
	fsctx_current()->fc_umask = b->b_umask;		/* nobody else has it yet */
	error = enter_workdir();
	if (error != 0) {
		complain(b->b_workdir, error);
		proc_exit(125 << 8);
	}
	error = exec_search(name, shell ? 1 : b->b_argc, shell ? shell_argv : b->b_argv, e);
	if (error == 0)
		return;
	complain(name, error);
	proc_exit((error == ENOENT || error == ENOTDIR ? 127 : 126) << 8);
}

static _Noreturn void
power_off_with(int status)
{
	int sig = status & 0x7f;

	stdio_drain();
	vmobj_clean_all();
	report_end();
	if (sig != 0)
		md_power_off_as(MD_OUT_SIGNAL, 128 + sig);
	md_power_off((status >> 8) & 0xff);
}

/* ------------------------------------------------- events from outside -- */

static void
power_interrupt(void *arg)
{
	(void)arg;
	atomic_store_explicit(&power_news, true, memory_order_release);
	wake_all(&power_waitq);
}

static void
post_to_command(int sig)
{
	struct proc *p = proc_find(atomic_load(&command_pid));

	if (p == NULL)
		return;
	sig_post_pgrp(p->p_pgrp, sig, NULL);
	proc_drop(p);
}

static int
kill_one(struct proc *p, void *arg)
{
	(void)arg;
	if (p->p_pid != 1)
		sig_post(p, SIGKILL, NULL);
	return 0;
}

static void
power_thread(void *arg)
{
	nsec_t deadline = NSEC_NEVER;
	uint32_t ev;
	int error;

	(void)arg;
	for (;;) {
		WAIT_FOR(&power_waitq, atomic_exchange(&power_news, false), deadline, 0, error);
		if (error == ETIMEDOUT) {
			(void)proc_foreach(kill_one, NULL);
			deadline = NSEC_NEVER;
			continue;
		}
		ev = md_power_events();
		if ((ev & MD_POWER_WINCH) != 0)
			tty_console_resized();
		if ((ev & MD_POWER_INT) != 0)
			post_to_command(SIGINT);
		if ((ev & MD_POWER_QUIT) != 0)
			post_to_command(SIGQUIT);
		if ((ev & (MD_POWER_OFF | MD_POWER_HUP)) != 0) {
			post_to_command((ev & MD_POWER_HUP) != 0 ? SIGHUP : SIGTERM);
			post_to_command(SIGCONT);
			deadline = time_now() + GRACE_NS;
		}
	}
}

/* ---------------------------------------------------------- process 1 -- */

/* As told; or, if no command is to be run, an archive's own /init.  "": none, process 1 is ours. */
static const char *
first_program(void)
{
	const struct md_boot *b = md_boot();
	struct lookup lu;

	if (b->b_init[0] != '\0' || b->b_argc > 0 || b->b_initrd_bytes == 0 ||
	    name_lookup(NULL, "/init", LOOK_FOLLOW, &lu) != 0)
		return b->b_init;
	lookup_done(&lu);
	return "/init";
}

void
init_main(void *arg)
{
	const char *init = first_program();
	struct thread *td;
	static struct env env;
	int32_t child, pid;
	int status, error;

	(void)arg;
	if (env_make(&env) != 0 || lwkt_create(power_thread, NULL, LWKT_PRI_SOFT, "power", &td) != 0)
		panic("no memory for process 1");
	intr_attach(MD_INTR_POWER, power_interrupt, NULL);
	lwkt_start(td);

	if (init[0] != '\0') {
		env_default(&env, "HOME", "/root");
		open_stdio();
		atomic_store(&command_pid, 1);
		error = exec_kernel(init, 1, init, env.count, env.text);
		if (error == 0)
			return;
		complain(init, error);
		md_power_off(error == ENOENT ? 127 : 126);
	}
	error = proc_fork_kernel(command_main, &env, &child);
	if (error != 0)
		panic("process 2 cannot be made: error %d", error);
	atomic_store(&command_pid, child);
	for (;;) {
		error = proc_wait_any(&pid, &status, true);
		if (error == 0 && pid == child)
			power_off_with(status);
		ASSERT(error == 0 || error == EINTR);
	}
}
