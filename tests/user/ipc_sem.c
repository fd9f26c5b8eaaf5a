/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ipc_sem - semaphore sets: all or nothing, waiting and its order, undo, removal, limits, permissions.
 * needs: root
 */
#include <sys/ipc.h>
#include <sys/sem.h>
#include "t.h"

#define KEY	0x5eed3
union semun { int val; struct semid_ds *buf; unsigned short *array; struct seminfo *info; };

static int
op3(int id, struct sembuf a, struct sembuf b, struct sembuf c, int n)
{
	struct sembuf v[3] = { a, b, c };

	return semop(id, v, (size_t)n);
}
#define OP(n, o, f)	((struct sembuf){ (n), (o), (f) })
#define op1(id, a)	op3((id), (a), (a), (a), 1)
#define op2(id, a, b)	op3((id), (a), (b), (b), 2)

static void
values(const char *when, int id, int n)
{
	unsigned short v[8] = { 0 };
	char text[128];
	int len = 0;

	if (semctl(id, 0, GETALL, v) != 0) {
		t_say("%s: %s", when, t_errno(errno));
		return;
	}
	for (int i = 0; i < n; i++)
		len += snprintf(text + len, sizeof text - (size_t)len, " %d", v[i]);
	t_say("%s:%s", when, text);
}

static void
get(void)
{
	struct semid_ds ds;
	int id;

	T(semget(KEY, 3, 0));
	T(semget(KEY, 0, IPC_CREAT | 0600));
	T(semget(KEY, -1, IPC_CREAT | 0600));
	T(semget(KEY, 32001, IPC_CREAT | 0600));
	T_OK(id = semget(KEY, 3, IPC_CREAT | 0640));
	T(semget(KEY, 3, IPC_CREAT | IPC_EXCL));
	T(semget(KEY, 4, 0));
	T(semget(KEY, 0, 0) == id);
	T(semctl(id, 0, IPC_STAT, &ds));
	t_say("nsems %lu mode %o otime %d ctime %d", (unsigned long)ds.sem_nsems, ds.sem_perm.mode,
	    ds.sem_otime != 0,
	    ds.sem_ctime != 0);
	values("new", id, 3);
	T(semctl(id, 0, SETVAL, -1));
	T(semctl(id, 0, SETVAL, 32768));
	T(semctl(id, 3, SETVAL, 1));
	T(semctl(id, -1, GETVAL, 1));
	T(semctl(id, 1, SETVAL, 7));
	T(semctl(id, 1, GETVAL));
	T(semctl(id, 1, GETPID) == getpid());
	T(semctl(id, 2, GETPID));
	T(semctl(id, 0, SETALL, ((unsigned short[]){ 1, 2, 32768 })));
	T(semctl(id, 0, SETALL, ((unsigned short[]){ 1, 2, 3 })));
	T(semctl(id, 0, SETALL, (void *)8));
	T(semctl(id, 0, GETALL, (void *)8));
	T(semctl(id, 0, 77));
	T(semctl(-1, 0, GETVAL));
	values("set", id, 3);
	T(semctl(id, 0, IPC_RMID));
	T(semctl(id, 0, IPC_RMID));
	T(op1(id, OP(0, 1, 0)));
}

static void
operations(void)
{
	int id = semget(IPC_PRIVATE, 3, 0600);
	struct sembuf many[501];
	struct timespec ts = { 0, 20000000 }, bad = { 0, 1000000000 };

	memset(many, 0, sizeof many);
	T(op1(id, OP(0, 5, 0)));
	T(op2(id, OP(0, -2, 0), OP(1, 1, 0)));
	values("moved", id, 3);
	T(op2(id, OP(1, 1, 0), OP(2, -1, IPC_NOWAIT)));
	values("nothing happened", id, 3);
	T(op2(id, OP(0, -3, 0), OP(0, 0, IPC_NOWAIT)));
	T(op2(id, OP(1, 0, IPC_NOWAIT), OP(0, 1, 0)));
	T(op1(id, OP(2, 0, 0)));
	T(op1(id, OP(0, 32767, 0)));
	T(op1(id, OP(0, 1, 0)));
	T(op2(id, OP(2, 30000, 0), OP(2, 30000, 0)));
	values("too large", id, 3);
	T(op1(id, OP(3, 1, 0)));
	T(semop(id, many, 0));
	T(semop(id, many, 501));
	T(semop(id, (void *)8, 1));
	T(semop(-1, many, 1));
	T(semtimedop(id, &OP(1, -5, 0), 1, &ts));
	T(semtimedop(id, &OP(1, -5, 0), 1, &bad));
	T(semtimedop(id, &OP(1, -1, 0), 1, &bad));
	many[499].sem_flg = IPC_NOWAIT;
	many[0].sem_num = many[499].sem_num = 1;
	many[0].sem_op = -2;
	T(semctl(id, 1, SETVAL, 1));
	many[0].sem_flg = IPC_NOWAIT;
	T(semop(id, many, 500));
	T(semctl(id, 0, SETVAL, 0));
	T(semctl(id, 1, SETVAL, 2));
	T(semop(id, many, 500));
	T(semctl(id, 0, IPC_RMID));
}

static int report[2];

/* A child that does one call and tells its letter when that is over. */
static pid_t
waits(char letter, int id, struct sembuf *ops, size_t n)
{
	pid_t pid = fork();

	if (pid == 0) {
		int r = semop(id, ops, n);

		if (r != 0)
			letter = errno == EIDRM ? 'R' : errno == EINTR ? 'I' : '?';
		(void)!write(report[1], &letter, 1);
		_exit(0);
	}
	return pid;
}

static void
until_waiting(int id, int num, int cmd, int n)
{
	T_UNTIL(semctl(id, num, cmd) == n);
	t_say("waiting on %d: %d for more, %d for zero", num, semctl(id, num, GETNCNT), semctl(id, num,
	    GETZCNT));
}

static void
heard(const char *what, int n)
{
	char text[16];

	for (int i = 0; i < n; i++)
		t_need(read(report[0], text + i, 1) == 1, "read");
	text[n] = '\0';
	/* Who was woken by one change reports in any order. */
	for (int i = 0; i < n; i++)
		for (int j = i + 1; j < n; j++)
			if (text[j] < text[i]) {
				char c = text[i];

				text[i] = text[j];
				text[j] = c;
			}
	t_say("%s: %s", what, text);
}

static void
on_signal(int sig)
{
	(void)sig;
}

static void
waiting(void)
{
	int id = semget(IPC_PRIVATE, 3, 0600);
	struct sembuf two[2] = { OP(0, -1, 0), OP(1, -1, 0) }, zero[1] = { OP(2, 0, 0) };
	pid_t pid;

	t_need(pipe(report) == 0, "pipe");
	semctl(id, 2, SETVAL, 1);
	waits('a', id, &OP(0, -2, 0), 1);
	until_waiting(id, 0, GETNCNT, 1);
	waits('b', id, &OP(0, -1, 0), 1);
	until_waiting(id, 0, GETNCNT, 2);
	waits('c', id, two, 2);
	until_waiting(id, 0, GETNCNT, 3);
	waits('z', id, zero, 1);
	until_waiting(id, 2, GETZCNT, 1);
	T(op1(id, OP(0, 1, 0)));
	heard("one of 0", 1);
	T(op1(id, OP(0, 2, 0)));
	heard("two of 0", 1);
	T(op1(id, OP(0, 1, 0)));
	until_waiting(id, 1, GETNCNT, 1);
	T(semctl(id, 1, SETVAL, 2));
	heard("two of 1", 1);
	values("after", id, 3);
	T(op1(id, OP(2, -1, 0)));
	heard("zero of 2", 1);
	waits('d', id, &OP(0, -1, 0), 1);
	until_waiting(id, 0, GETNCNT, 1);
	t_handle(SIGUSR1, on_signal, SA_RESTART);
	pid = waits('e', id, &OP(0, -9, 0), 1);
	until_waiting(id, 0, GETNCNT, 2);
	kill(pid, SIGUSR1);
	heard("signal", 1);
	until_waiting(id, 0, GETNCNT, 1);
	pid = waits('f', id, &OP(0, -9, 0), 1);
	until_waiting(id, 0, GETNCNT, 2);
	kill(pid, SIGKILL);
	until_waiting(id, 0, GETNCNT, 1);
	T(semctl(id, 0, IPC_RMID));
	heard("removed", 1);
	while (wait(NULL) > 0)
		;
}

/* A change wakes those that wait for zero first, and then goes on in order. */
static void
order(void)
{
	int id = semget(IPC_PRIVATE, 2, 0600);
	struct sembuf zero_then[2] = { OP(0, 0, 0), OP(1, 1, 0) };

	semctl(id, 0, SETVAL, 1);
	waits('a', id, &OP(1, -1, 0), 1);
	until_waiting(id, 1, GETNCNT, 1);
	waits('b', id, zero_then, 2);
	until_waiting(id, 0, GETZCNT, 1);
	waits('c', id, &OP(0, 0, 0), 1);
	until_waiting(id, 0, GETZCNT, 2);
	T(op1(id, OP(0, -1, 0)));
	heard("chain", 3);
	values("chain", id, 2);
	semctl(id, 0, IPC_RMID);
	while (wait(NULL) > 0)
		;
}

static void
undo(void)
{
	int id = semget(IPC_PRIVATE, 3, 0600), pfd[2], st;
	char c;

	t_need(pipe(pfd) == 0, "pipe");
	semctl(id, 0, SETALL, ((unsigned short[]){ 5, 5, 5 }));
	if (t_child("undo") == 0) {
		T(op3(id, OP(0, -3, SEM_UNDO), OP(1, 4, SEM_UNDO), OP(2, -1, 0), 3));
		T(op1(id, OP(0, 1, SEM_UNDO)));
		values("inside", id, 3);
		_exit(0);
	}
	values("undone", id, 3);
	T(semctl(id, 0, GETPID) == getpid());
	if (t_child("set clears it") == 0) {
		T(op2(id, OP(0, -3, SEM_UNDO), OP(1, -1, SEM_UNDO)));
		T(semctl(id, 0, SETVAL, 2));
		_exit(0);
	}
	values("one undone", id, 3);
	if (t_child("fork begins anew, kill undoes") == 0) {
		T(op1(id, OP(1, -2, SEM_UNDO)));
		if (t_child("child") == 0)
			_exit(0);
		values("child ended", id, 3);
		kill(getpid(), SIGKILL);
	}
	values("killed", id, 3);
	if (t_child("never below zero") == 0) {
		T(op1(id, OP(0, 3, SEM_UNDO)));
		T(op1(id, OP(0, -5, 0)));
		_exit(0);
	}
	values("at zero", id, 3);
	if (t_child("range") == 0) {
		T(semctl(id, 0, SETVAL, 32767));
		T(op1(id, OP(0, -32767, SEM_UNDO)));
		T(op1(id, OP(0, 32767, 0)));
		T(op1(id, OP(0, -1, SEM_UNDO)));
		_exit(0);
	}
	values("range", id, 3);
	if (t_child("exec keeps it") == 0) {
		T(op1(id, OP(1, -2, SEM_UNDO)));
		execl("/proc/self/exe", "ipc_sem", "show", (char[]){ (char)('0' + id % 10), 0 }, NULL);
		_exit(1);
	}
	values("after exec", id, 3);
	/* Its end wakes who waits. */
	semctl(id, 0, SETVAL, 1);
	if (fork() == 0) {
		op1(id, OP(0, -1, SEM_UNDO));
		(void)!write(pfd[1], "x", 1);
		t_sleep_ms(5);
		_exit(0);
	}
	(void)!read(pfd[0], &c, 1);
	T(op1(id, OP(0, -1, 0)));
	wait(&st);
	values("taken over", id, 3);
	if (t_child("set gone") == 0) {
		T(op1(id, OP(1, 1, SEM_UNDO)));
		T(semctl(id, 0, IPC_RMID));
		id = semget(IPC_PRIVATE, 1, 0600);
		T(op1(id, OP(0, 1, SEM_UNDO)));
		T(semctl(id, 0, IPC_RMID));
		_exit(0);
	}
}

static void
rights(void)
{
	int id = semget(KEY, 2, IPC_CREAT | 0604);
	struct semid_ds ds;
	struct seminfo info;
	char line[256];
	FILE *f;

	semctl(id, 0, IPC_STAT, &ds);
	if (t_child("another user") == 0) {
		T(setgid(1234));
		T(setuid(1234));
		T(semctl(id, 0, GETVAL));
		T(op1(id, OP(0, 0, IPC_NOWAIT)));
		T(op1(id, OP(0, 1, IPC_NOWAIT)));
		T(semctl(id, 0, SETVAL, 1));
		T(semctl(id, 0, SETALL, ((unsigned short[]){ 1, 2 })));
		T(semctl(id, 0, IPC_SET, &ds));
		T(semctl(id, 0, IPC_RMID));
		T(semget(KEY, 2, 0666));
		_exit(0);
	}
	ds.sem_perm.uid = 1234;
	T(semctl(id, 0, IPC_SET, &ds));
	T(semctl(id, 0, IPC_STAT, &ds));
	t_say("uid %u cuid %u mode %o", ds.sem_perm.uid, ds.sem_perm.cuid, ds.sem_perm.mode);
	T(semctl(0, 0, IPC_INFO, &info) >= 0);
	t_say("mni %d mns %d msl %d opm %d vmx %d aem %d usz %d ume %d mnu %d map %d", info.semmni,
	    info.semmns, info.semmsl,
	    info.semopm, info.semvmx, info.semaem, info.semusz, info.semume, info.semmnu, info.semmap);
	T(semctl(0, 0, SEM_INFO, &info) >= 0);
	t_say("used %d %d", info.semusz >= 1, info.semaem >= 2);
	t_cat("/proc/sys/kernel/sem");
	f = fopen("/proc/sysvipc/sem", "r");
	t_need(f != NULL, "sysvipc");
	while (fgets(line, sizeof line, f) != NULL) {
		int key, lid, n;
		unsigned mode;

		if (strstr(line, "key") != NULL)
			t_say("%s", line);
		else if (sscanf(line, "%d %d %o %d", &key, &lid, &mode, &n) == 4 && lid == id)
			t_say("key %#x mode %o nsems %d line %zu", (unsigned)key, mode, n, strlen(line));
	}
	fclose(f);
	T(semctl(id, 0, IPC_RMID));
}

int
main(int argc, char **argv)
{
	(void)argv;
	if (argc > 1)
		return 0;
	get();
	operations();
	waiting();
	order();
	undo();
	rights();
	return 0;
}
