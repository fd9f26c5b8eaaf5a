/* SPDX-License-Identifier: BSD-2-Clause */
/* A place and a umask of one's own: unshare(CLONE_FS), clone without CLONE_FS or CLONE_FILES. */
#include "t.h"
#include <pthread.h>
#include <sched.h>

#define THREAD	(CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)

static char stack[65536] __attribute__((aligned(16)));
static int word;

/* The last part of where one is. */
static const char *
here(void)
{
	static _Thread_local char buf[4096];
	char *slash;

	t_need(syscall(SYS_getcwd, buf, sizeof buf) > 0, "getcwd");
	slash = strrchr(buf, '/');
	return slash + 1;
}

static void
told(const char *what, const char *link)
{
	char buf[4096], *slash;
	ssize_t n = readlink(link, buf, sizeof buf - 1);

	t_need(n > 0, link);
	buf[n] = '\0';
	slash = strrchr(buf, '/');
	t_say("%s is told to be in %s", what, slash + 1);
}

static mode_t
mask(void)
{
	mode_t m = umask(0);

	umask(m);
	return m;
}

static void *
inherits(void *arg)
{
	(void)arg;
	t_say("a thread made by it is in %s, umask %o", here(), mask());
	t_need(chdir("../c") == 0, "chdir");
	return NULL;
}

static void *
apart(void *arg)
{
	pthread_t t;
	char task[64];

	(void)arg;
	T(unshare(CLONE_FS));
	T(chdir("b"));
	umask(077);
	snprintf(task, sizeof task, "/proc/self/task/%d/cwd", (int)syscall(SYS_gettid));
	told("the thread", task);
	told("the process", "/proc/self/cwd");
	t_need(pthread_create(&t, NULL, inherits, NULL) == 0 && pthread_join(t, NULL) == 0, "thread");
	t_say("and took it along to %s", here());
	if (t_child("its child") == 0) {
		t_say("is in %s, umask %o", here(), mask());
		_exit(0);
	}
	T(unshare(CLONE_FS | CLONE_FILES));
	t_say("still in %s", here());
	return NULL;
}

static void
threads(void)
{
	pthread_t t;

	umask(022);
	t_need(pthread_create(&t, NULL, apart, NULL) == 0 && pthread_join(t, NULL) == 0, "thread");
	t_say("the others are in %s, umask %o", here(), mask());
	T(unshare(CLONE_FS));
}

static int
cloned(void *arg)
{
	bool *files = arg;

	t_say("clone: in %s, umask %o", here(), mask());
	t_need(chdir("a") == 0, "chdir");
	umask(0);
	close(*files ? 61 : 60);
	dup2(1, 62);
	return 0;
}

static void
clone_one(const char *what, int flags, bool files)
{
	t_say("-- %s", what);
	t_need(dup2(1, 60) == 60 && dup2(1, 61) == 61, "dup2");
	close(62);
	word = 1;
	t_need(clone(cloned, stack + sizeof stack, THREAD | CLONE_CHILD_CLEARTID | flags, &files, NULL, NULL,
	    &word) > 0, "clone");
	while (__atomic_load_n(&word, __ATOMIC_ACQUIRE) != 0)
		t_sleep_ms(1);
	t_say("then: in %s, umask %o, open %d %d %d", here(), mask(), fcntl(60, F_GETFD), fcntl(61, F_GETFD),
	    fcntl(62, F_GETFD));
	umask(022);
	if ((flags & CLONE_FS) != 0)
		t_need(chdir("..") == 0, "chdir");
}

static void *
leaves_first(void *arg)
{
	(void)arg;
	t_need(unshare(CLONE_FS) == 0 && chdir("b") == 0, "unshare");
	execl("/proc/self/exe", "fs_unshare", "report", (char *)NULL);
	return NULL;
}

/* Processes that share: one chdir moves both, until one has it for itself. */
static int
sharer(void *arg)
{
	(void)arg;
	t_need(chdir("a") == 0, "chdir");
	T(unshare(CLONE_FS));
	t_need(chdir("../b") == 0, "chdir");
	return 0;
}

static void
processes(void)
{
	pthread_t t;
	int status;
	pid_t pid;

	t_say("-- processes");
	pid = clone(sharer, stack + sizeof stack, CLONE_FS | SIGCHLD, NULL);
	t_need(pid > 0 && waitpid(pid, &status, 0) == pid, "clone");
	t_say("moved to %s", here());
	t_need(chdir("..") == 0, "chdir");
	if (t_child("exec from a thread") == 0) {
		t_need(pthread_create(&t, NULL, leaves_first, NULL) == 0, "thread");
		for (;;)
			pause();
	}
}

int
main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "report") == 0) {
		t_say("after exec in %s", here());
		told("the process", "/proc/self/cwd");
		return 0;
	}
	t_need(mkdir("top", 0755) == 0 && chdir("top") == 0, "top");
	t_need(mkdir("a", 0755) == 0 && mkdir("b", 0755) == 0 && mkdir("c", 0755) == 0, "mkdir");
	threads();
	clone_one("nothing of its own", CLONE_FS | CLONE_FILES, false);
	clone_one("its own place", CLONE_FILES, false);
	clone_one("its own descriptors", CLONE_FS, true);
	clone_one("both", 0, true);
	processes();
	return 0;
}
