/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ipc_msg - message queues: types, cutting, copying, waiting on both sides, limits, permissions.
 * needs: root
 */
#include <sys/ipc.h>
#include <sys/msg.h>
#include "t.h"

#ifndef MSG_COPY
#define MSG_COPY 040000
#endif
#define KEY	0x5eed4
struct m { long type; char text[9000]; };

static int
send(int id, long type, const char *text, int flags)
{
	static struct m m;

	m.type = type;
	memcpy(m.text, text, strlen(text));
	return msgsnd(id, &m, strlen(text), flags);
}

static void
receive(int id, size_t room, long type, int flags)
{
	static struct m m;
	ssize_t n;

	memset(&m, 0, sizeof m);
	n = msgrcv(id, &m, room, type, flags);
	if (n < 0)
		t_say("receive %zu %ld %#o: %s", room, type, (unsigned)flags, t_errno(errno));
	else
		t_say("receive %zu %ld %#o: %zd bytes, type %ld, \"%s\"", room, type, (unsigned)flags, n,
		    m.type, m.text);
}

static void
stat_line(const char *when, int id)
{
	struct msqid_ds ds;

	if (msgctl(id, IPC_STAT, &ds) != 0) {
		t_say("%s: %s", when, t_errno(errno));
		return;
	}
	t_say("%s: mode %o n %lu bytes %lu max %lu spid %d rpid %d stime %d rtime %d", when, ds.msg_perm.mode,
	    (unsigned long)ds.msg_qnum, (unsigned long)ds.__msg_cbytes, (unsigned long)ds.msg_qbytes,
	    ds.msg_lspid == getpid(), ds.msg_lrpid == getpid(), ds.msg_stime != 0, ds.msg_rtime != 0);
}

static void
types(void)
{
	int id;

	T(msgget(KEY, 0));
	T_OK(id = msgget(KEY, IPC_CREAT | 0640));
	T(msgget(KEY, IPC_CREAT | IPC_EXCL));
	T(msgget(KEY, 0) == id);
	stat_line("new", id);
	receive(id, 100, 0, IPC_NOWAIT);
	T(send(id, 3, "three", 0));
	T(send(id, 1, "one", 0));
	T(send(id, 2, "two", 0));
	T(send(id, 1, "uno", 0));
	T(send(id, 0, "null", 0));
	T(send(id, -1, "minus", 0));
	stat_line("four", id);
	receive(id, 100, 2, 0);
	receive(id, 100, -2, 0);
	receive(id, 100, 3, MSG_EXCEPT);
	receive(id, 100, 1, IPC_NOWAIT);
	receive(id, 2, 0, 0);
	receive(id, 2, 0, MSG_NOERROR);
	stat_line("none", id);
	T(send(id, 5, "", 0));
	T(send(id, 6, "six", 0));
	T(send(id, LONG_MAX, "large", 0));
	receive(id, 100, 1, MSG_COPY | IPC_NOWAIT);
	receive(id, 100, 0, MSG_COPY | IPC_NOWAIT);
	receive(id, 100, 3, MSG_COPY | IPC_NOWAIT);
	receive(id, 1, 1, MSG_COPY | IPC_NOWAIT);
	receive(id, 1, 1, MSG_COPY | IPC_NOWAIT | MSG_NOERROR);
	receive(id, 100, 0, MSG_COPY);
	receive(id, 100, 0, MSG_COPY | IPC_NOWAIT | MSG_EXCEPT);
	stat_line("copied", id);
	receive(id, 100, LONG_MIN, IPC_NOWAIT);
	receive(id, 100, LONG_MIN + 1, IPC_NOWAIT);
	receive(id, 0, LONG_MIN, IPC_NOWAIT);
	receive(id, 100, 0, IPC_NOWAIT);
	T(send(id, 1, "left", 0));
	T(msgrcv(id, (void *)8, 100, 0, 0));
	T(msgrcv(id, (void *)8, -1ul, 0, 0));
	T(msgsnd(id, (void *)8, 1, 0));
	T(msgsnd(id, &(struct m){ .type = 1 }, 8193, 0));
	T(msgsnd(id, &(struct m){ .type = 1 }, -1ul, 0));
	T(msgsnd(-1, &(struct m){ .type = 1 }, 1, 0));
	T(msgctl(id, 77, NULL));
	T(msgctl(id, IPC_STAT, (void *)8));
	T(msgctl(id, IPC_RMID, NULL));
	T(msgctl(id, IPC_RMID, NULL));
	T(send(id, 1, "gone", 0));
	receive(id, 100, 0, 0);
}

static int report[2];

static void
heard(const char *what, int n)
{
	char text[16];

	for (int i = 0; i < n; i++)
		t_need(read(report[0], text + i, 1) == 1, "read");
	text[n] = '\0';
	t_say("%s: %s", what, text);
}

/* In a child: receives and reports `letter`, or says why not.  It is over or waits when this returns. */
static pid_t
receiver(char letter, int id, size_t room, long type, int flags)
{
	struct m m;
	pid_t pid = fork();

	if (pid != 0) {
		T_UNTIL(t_state(pid) != 'R');
		return pid;
	}
	if (msgrcv(id, &m, room, type, flags) < 0)
		letter = errno == EIDRM ? 'R' : errno == E2BIG ? 'B' : errno == EINTR ? 'I' : '?';
	(void)!write(report[1], &letter, 1);
	_exit(0);
}

static pid_t
sender(char letter, int id, size_t size)
{
	static struct m m = { .type = 1 };
	pid_t pid = fork();

	if (pid != 0) {
		T_UNTIL(t_state(pid) != 'R');
		return pid;
	}
	if (msgsnd(id, &m, size, 0) < 0)
		letter = errno == EIDRM ? 'R' : errno == EINTR ? 'I' : '?';
	(void)!write(report[1], &letter, 1);
	_exit(0);
}

static void
on_signal(int sig)
{
	(void)sig;
}

static void
waiting(void)
{
	int id = msgget(IPC_PRIVATE, 0600);
	static struct m m = { .type = 9 };
	struct msqid_ds ds;
	pid_t pid;

	t_need(pipe(report) == 0, "pipe");
	t_handle(SIGUSR1, on_signal, SA_RESTART);
	receiver('a', id, 100, 1, 0);
	receiver('b', id, 100, 0, 0);
	receiver('c', id, 2, -5, 0);
	T(send(id, 2, "two", 0));
	heard("any", 1);
	T(send(id, 1, "one", 0));
	heard("first", 1);
	T(send(id, 4, "four", 0));
	heard("too small", 1);
	stat_line("kept", id);
	receive(id, 100, 0, IPC_NOWAIT);
	pid = receiver('d', id, 100, 0, 0);
	kill(pid, SIGUSR1);
	heard("signal", 1);
	T(msgsnd(id, &m, 8192, 0));
	T(msgsnd(id, &m, 8192, IPC_NOWAIT));
	T(msgsnd(id, &m, 1, IPC_NOWAIT));
	stat_line("full", id);
	pid = sender('s', id, 100);
	T(msgrcv(id, &m, 9000, 0, 0));
	heard("sent", 1);
	sender('t', id, 8192);
	T(msgrcv(id, &m, 9000, 0, 0));
	heard("sent", 1);
	stat_line("two", id);
	msgctl(id, IPC_STAT, &ds);
	ds.msg_qbytes = 100;
	T(msgctl(id, IPC_SET, &ds));
	sender('u', id, 50);
	ds.msg_qbytes = 16384;
	T(msgctl(id, IPC_SET, &ds));
	heard("more room", 1);
	while (msgrcv(id, &m, 9000, 0, IPC_NOWAIT) >= 0)
		;
	receiver('e', id, 100, 0, 0);
	T(msgctl(id, IPC_RMID, NULL));
	heard("removed", 1);
	id = msgget(IPC_PRIVATE, 0600);
	msgsnd(id, &m, 8192, 0);
	msgsnd(id, &m, 8192, 0);
	sender('v', id, 10);
	T(msgctl(id, IPC_RMID, NULL));
	heard("removed", 1);
	while (wait(NULL) > 0)
		;
}

static void
rights(void)
{
	int id = msgget(KEY, IPC_CREAT | 0604), top, found = 0;
	struct msqid_ds ds;
	struct msginfo info;
	char line[256];
	FILE *f;

	msgctl(id, IPC_STAT, &ds);
	if (t_child("another user") == 0) {
		T(setgid(1234));
		T(setuid(1234));
		T(send(id, 1, "x", 0));
		receive(id, 100, 0, IPC_NOWAIT);
		T(msgctl(id, IPC_SET, &ds));
		T(msgctl(id, IPC_RMID, NULL));
		T(msgget(KEY, 0666));
		id = msgget(IPC_PRIVATE, 0600);
		msgctl(id, IPC_STAT, &ds);
		ds.msg_qbytes = 16385;
		T(msgctl(id, IPC_SET, &ds));
		ds.msg_qbytes = 10;
		T(msgctl(id, IPC_SET, &ds));
		T(msgctl(id, IPC_RMID, NULL));
		_exit(0);
	}
	T(msgctl(0, IPC_INFO, (void *)&info) >= 0);
	t_say("pool %d map %d max %d mnb %d mni %d ssz %d tql %d seg %d", info.msgpool, info.msgmap,
	    info.msgmax, info.msgmnb,
	    info.msgmni, info.msgssz, info.msgtql, info.msgseg);
	T(send(id, 1, "xyz", 0));
	top = msgctl(0, MSG_INFO, (void *)&info);
	t_say("used %d %d %d", info.msgpool >= 1, info.msgmap >= 1, info.msgtql >= 3);
	for (int i = 0; i <= top; i++)
		found += msgctl(i, MSG_STAT, &ds) == id;
	t_say("found by index: %d", found);
	f = fopen("/proc/sysvipc/msg", "r");
	t_need(f != NULL, "sysvipc");
	while (fgets(line, sizeof line, f) != NULL) {
		int key, lid;
		unsigned mode, bytes, n;

		if (strstr(line, "key") != NULL)
			t_say("%s", line);
		else if (sscanf(line, "%d %d %o %u %u", &key, &lid, &mode, &bytes, &n) == 5 && lid == id)
			t_say("key %#x mode %o bytes %u n %u line %zu", (unsigned)key, mode, bytes, n,
			    strlen(line));
	}
	fclose(f);
	T(msgctl(id, IPC_RMID, NULL));
	t_cat("/proc/sys/kernel/msgmax");
	t_cat("/proc/sys/kernel/msgmnb");
	t_cat("/proc/sys/kernel/msgmni");
}

int
main(void)
{
	types();
	waiting();
	rights();
	return 0;
}
