/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ipc_shm - shared memory segments: keys, attaching, who counts as attached, removal, limits,
 * permissions.  needs: root
 */
#include <sys/ipc.h>
#include <sys/shm.h>
#include "t.h"

#ifndef SHM_STAT_ANY
#define SHM_STAT_ANY 15
#endif
#define KEY	0x5eed1
#define OTHER	0x5eed2

static void
stat_line(const char *when, int id)
{
	struct shmid_ds ds;

	memset(&ds, 0, sizeof ds);
	if (shmctl(id, IPC_STAT, &ds) != 0) {
		t_say("%s: %s", when, t_errno(errno));
		return;
	}
	t_say("%s: key %#x mode %o uid %u/%u size %zu nattch %lu cpid %d lpid %d "
	    "atime %d dtime %d ctime %d", when,
	    (unsigned)ds.shm_perm.__key, ds.shm_perm.mode, ds.shm_perm.uid, ds.shm_perm.cuid, ds.shm_segsz,
	    (unsigned long)ds.shm_nattch, ds.shm_cpid == getpid(), ds.shm_lpid == getpid(), ds.shm_atime != 0,
	    ds.shm_dtime != 0, ds.shm_ctime != 0);
}

static void
get(void)
{
	int id;

	T(shmget(KEY, 100, 0600));
	T_OK(id = shmget(KEY, 10000, IPC_CREAT | 0640));
	T(shmget(KEY, 10000, IPC_CREAT | IPC_EXCL | 0640));
	T(shmget(KEY, 10001, 0));
	T(shmget(KEY, 0, 0) == id);
	T(shmget(KEY, 5000, IPC_CREAT) == id);
	T(shmget(OTHER, 0, IPC_CREAT | 0600));
	T(shmget(IPC_PRIVATE, 0, 0600));
	T(shmget(IPC_PRIVATE, -1ul, 0600));
	stat_line("new", id);
	T(shmctl(id, 99, NULL));
	T(shmctl(id, -1, NULL));
	T(shmctl(-1, IPC_STAT, NULL));
	T(shmctl(id, IPC_STAT, (void *)8));
	T(shmctl(0x7fff0000 | 0x7ff0, IPC_RMID, NULL));
	T(shmctl(id, IPC_RMID, NULL));
	T(shmctl(id, IPC_RMID, NULL));
	T(shmget(KEY, 0, 0));
	T(shmat(id, NULL, 0) == (void *)-1);
}

static void
attach(void)
{
	int id = shmget(IPC_PRIVATE, 3 * T_PAGE - 100, 0600);
	char *p = shmat(id, NULL, 0), *q, *r;

	t_need(p != (void *)-1, "shmat");
	memcpy(p, "hello", 6);
	q = shmat(id, NULL, SHM_RDONLY);
	t_say("second: %s, last byte %d", q, q[3 * T_PAGE - 1]);
	stat_line("two", id);
	T(mprotect(q, T_PAGE, PROT_READ | PROT_WRITE));
	T(mprotect(q, T_PAGE, PROT_READ));
	if (t_child("write to read-only") == 0) {
		*q = 1;
		_exit(0);
	}
	T(shmat(id, p + 1, 0) == (void *)-1);
	T(shmat(id, p, 0) == (void *)-1);
	T(errno);
	T(shmat(id, NULL, SHM_REMAP) == (void *)-1);
	T(errno);
	r = t_pages(8);
	memset(r, 7, 8 * T_PAGE);
	T(shmat(id, r + T_PAGE + 5, SHM_RND) == (void *)-1);
	T(shmat(id, r + T_PAGE + 5, SHM_RND | SHM_REMAP) == r + T_PAGE);
	t_say("%d %s %d %d", r[T_PAGE - 1], r + T_PAGE, r[4 * T_PAGE - 1], r[4 * T_PAGE]);
	stat_line("three", id);
	T(munmap(r + 2 * T_PAGE, T_PAGE));
	T(shmdt(r + 2 * T_PAGE));
	T(shmdt(r + T_PAGE));
	T(shmdt(r + T_PAGE));
	T(r[T_PAGE * 4]);
	stat_line("two again", id);
	T(shmdt(q + 1));
	T(shmdt(q + T_PAGE));
	T(shmdt(q));
	munmap(r, 8 * T_PAGE);
	stat_line("one", id);
	T(munmap(p, 3 * T_PAGE));
	stat_line("none", id);
	T(shmctl(id, IPC_RMID, NULL));
	stat_line("gone", id);
}

static void
processes(void)
{
	int id = shmget(KEY, T_PAGE, IPC_CREAT | 0600), up[2], down[2], st;
	volatile int *p = shmat(id, NULL, 0);
	char c;
	pid_t pid;

	t_need(pipe(up) == 0 && pipe(down) == 0, "pipe");
	*p = 1;
	pid = fork();
	if (pid == 0) {
		*p = 2;
		(void)!write(up[1], "x", 1);
		(void)!read(down[0], &c, 1);
		shmdt((void *)p);
		(void)!write(up[1], "x", 1);
		(void)!read(down[0], &c, 1);
		p = shmat(id, NULL, 0);
		*p = *p == 3 ? 4 : 0;
		_exit(0);
	}
	(void)!read(up[0], &c, 1);
	t_say("child wrote %d", *p);
	stat_line("forked", id);
	(void)!write(down[1], "x", 1);
	(void)!read(up[0], &c, 1);
	stat_line("child detached", id);
	T(shmctl(id, IPC_RMID, NULL));
	stat_line("removed", id);
	T(shmget(KEY, 0, 0));
	*p = 3;
	(void)!write(down[1], "x", 1);
	waitpid(pid, &st, 0);
	t_status("child", st);
	t_say("child came back by id and wrote %d", *p);
	stat_line("child gone", id);
	T(shmctl(id, IPC_RMID, NULL));
	T(shmdt((void *)p));
	stat_line("last detached", id);
	if (t_child("exec detaches") == 0) {
		id = shmget(IPC_PRIVATE, T_PAGE, 0600);
		p = shmat(id, NULL, 0);
		if (vfork() == 0) {
			execl("/proc/self/exe", "ipc_shm", "nothing", NULL);
			_exit(1);
		}
		wait(&st);
		stat_line("exec", id);
		shmctl(id, IPC_RMID, NULL);
		_exit(0);
	}
}

static void
rights(void)
{
	int id = shmget(KEY, T_PAGE, IPC_CREAT | 0640);
	struct shmid_ds ds;

	shmctl(id, IPC_STAT, &ds);
	if (t_child("another user") == 0) {
		T(setgid(1234));
		T(setuid(1234));
		T(shmget(KEY, 0, 0) == id);
		T(shmget(KEY, 0, 0400));
		T(shmat(id, NULL, SHM_RDONLY) == (void *)-1);
		T(errno);
		T(shmctl(id, IPC_STAT, &ds));
		T(shmctl(id, IPC_SET, &ds));
		T(shmctl(id, IPC_RMID, NULL));
		T(shmctl(id, SHM_LOCK, NULL));
		_exit(0);
	}
	ds.shm_perm.gid = 1234;
	ds.shm_perm.mode = 0444;
	T(shmctl(id, IPC_SET, &ds));
	stat_line("set", id);
	if (t_child("group reads") == 0) {
		T(setgid(1234));
		T(setuid(1234));
		T(shmat(id, NULL, SHM_RDONLY) == (void *)-1);
		T(shmat(id, NULL, 0) == (void *)-1);
		T(errno);
		T(shmat(id, NULL, SHM_RDONLY | SHM_EXEC) == (void *)-1);
		_exit(0);
	}
	ds.shm_perm.uid = -1;
	T(shmctl(id, IPC_SET, &ds));
	T(shmctl(id, IPC_SET, (void *)8));
	T(shmctl(id, SHM_LOCK, NULL));
	stat_line("locked", id);
	T(shmctl(id, SHM_UNLOCK, NULL));
	stat_line("unlocked", id);
	T(shmctl(id, IPC_RMID, NULL));
}

static void
info(void)
{
	struct shminfo limits;
	struct shm_info used;
	struct shmid_ds ds;
	int id = shmget(KEY, 5 * T_PAGE, IPC_CREAT | 0600), top, found = 0;
	char line[512];
	FILE *f;

	T(shmctl(0, IPC_INFO, (void *)&limits) >= 0);
	t_say("max %lu min %lu mni %lu seg %lu all %lu", limits.shmmax, limits.shmmin, limits.shmmni,
	    limits.shmseg,
	    limits.shmall);
	top = shmctl(0, SHM_INFO, (void *)&used);
	t_say("used %d tot %d", used.used_ids >= 1, used.shm_tot >= 5);
	for (int i = 0; i <= top; i++)
		found += shmctl(i, SHM_STAT, &ds) == id && shmctl(i, SHM_STAT_ANY, &ds) == id &&
		    ds.shm_segsz == 5 * T_PAGE;
	t_say("found by index: %d", found);
	f = fopen("/proc/sysvipc/shm", "r");
	t_need(f != NULL, "sysvipc");
	while (fgets(line, sizeof line, f) != NULL) {
		int key, lid;
		unsigned mode;
		unsigned long size;

		if (strstr(line, "key") != NULL)
			t_say("%s", line);
		else if (sscanf(line, "%d %d %o %lu", &key, &lid, &mode, &size) == 4 && lid == id)
			t_say("key %#x mode %o size %lu line %zu", (unsigned)key, mode, size, strlen(line));
	}
	fclose(f);
	shmctl(id, IPC_RMID, NULL);
	t_cat("/proc/sys/kernel/shmmax");
	t_cat("/proc/sys/kernel/shmall");
	t_cat("/proc/sys/kernel/shmmni");
	T(shmget(IPC_PRIVATE, 1ul << 62, 0600));
}

static void
maps(void)
{
	int id = shmget(KEY, 2 * T_PAGE, IPC_CREAT | 0600);
	char *p = shmat(id, NULL, 0), line[512];
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned long a, b, ino;
	char prot[8], name[64];

	while (fgets(line, sizeof line, f) != NULL)
		if (sscanf(line, "%lx-%lx %7s %*x %*x:%*x %lu %63s", &a, &b, prot, &ino, name) == 5 &&
		    (char *)a == p)
			t_say("%lu %s %d %s%s", b - a, prot, (int)ino == id, name, strstr(line,
			    " (deleted)") ? " (deleted)" : "");
	fclose(f);
	shmctl(id, IPC_RMID, NULL);
}

int
main(int argc, char **argv)
{
	(void)argv;
	if (argc > 1)
		return 0;
	get();
	attach();
	processes();
	rights();
	info();
	maps();
	return 0;
}
