/* SPDX-License-Identifier: BSD-2-Clause */
/* POSIX message queues - names, order, waiting, notification, limits.  needs: root */
#include "t.h"
#include <mqueue.h>
#include <pthread.h>

static const char *const names[] = { "/t-one", "/t-two", "/t-big", "/t-user" };

static void
show_attr(mqd_t q)
{
	struct mq_attr a;

	t_need(mq_getattr(q, &a) == 0, "mq_getattr");
	t_say("flags %#lx max %ld size %ld now %ld", a.mq_flags, a.mq_maxmsg, a.mq_msgsize, a.mq_curmsgs);
}

static mqd_t
make(const char *name, int flags, long max, long size)
{
	struct mq_attr a = { .mq_maxmsg = max, .mq_msgsize = size };

	return mq_open(name, flags | O_CREAT, 0600, &a);
}

static void
naming(void)
{
	char name[300] = "/";
	mqd_t q;

	T(mq_open("/t-none", O_RDONLY));
	T(mq_open("", O_RDONLY));
	T(mq_open("/", O_RDONLY | O_CREAT, 0600, NULL));
	T(mq_open("/a/b", O_RDONLY | O_CREAT, 0600, NULL));
	T(mq_open("/.", O_RDONLY | O_CREAT, 0600, NULL));
	T(mq_open("/..", O_RDONLY));
	memset(name + 1, 'n', 256);
	T(mq_open(name, O_RDONLY | O_CREAT, 0600, NULL));
	name[256] = 0;
	T_OK(q = mq_open(name, O_RDONLY | O_CREAT, 0600, NULL));
	show_attr(q);
	T(mq_close(q));
	T(mq_unlink(name));
	T(mq_unlink(name));
	T(mq_unlink("/"));
	T(mq_unlink("/.."));
	T_SYS(mq_open, 8, O_RDONLY, 0, NULL);
	T_SYS(mq_open, "t-one", O_RDONLY | O_CREAT, 0600, 8);
	T_SYS(mq_unlink, 8);
	T_SYS(mq_unlink, "/t-one");
	T(make("/t-one", O_RDWR, 0, 10));
	T(make("/t-one", O_RDWR, 10, 0));
	T(make("/t-one", O_RDWR, -1, 10));
	T(make("/t-one", O_RDWR, 65537, 10));
	T(make("/t-one", O_RDWR, 1, (16 << 20) + 1));
	T(make("/t-one", O_RDWR, LONG_MAX, LONG_MAX));
	T_OK(q = make("/t-one", O_RDWR | O_EXCL, 3, 10));
	show_attr(q);
	T(make("/t-one", O_RDWR | O_EXCL, 3, 10));
	T_OK(close(make("/t-one", O_RDWR, 0, 0)));
	T(mq_open("/t-one", O_ACCMODE));
	T(fcntl(q, F_GETFD));
	T(fcntl(q, F_GETFL) & O_ACCMODE);
	mq_close(q);
}

static void
sending(void)
{
	struct mq_attr set = { .mq_flags = O_NONBLOCK }, old;
	char buf[20];
	unsigned prio;
	mqd_t q = mq_open("/t-one", O_RDWR), r = mq_open("/t-one", O_RDONLY), w = mq_open("/t-one", O_WRONLY);
	struct pollfd pf = { .fd = q, .events = POLLIN | POLLOUT };

	T(mq_setattr(q, &set, &old));
	t_say("old flags %#lx", old.mq_flags);
	show_attr(q);
	show_attr(r);
	set.mq_flags = O_APPEND;
	T(mq_setattr(q, &set, NULL));
	T(poll(&pf, 1, 0));
	t_say("revents %#x", (unsigned)pf.revents);
	T(mq_receive(q, buf, 10, &prio));
	T(mq_receive(q, buf, 9, &prio));
	T(mq_receive(w, buf, 10, &prio));
	T(mq_send(r, "x", 1, 0));
	T(mq_send(q, "x", 11, 0));
	T(mq_send(q, "x", 1, 32768));
	T(mq_send(q, (char *)8, 5, 0));
	T(mq_send(0, "x", 1, 0));
	T(mq_send(999, "x", 1, 0));
	T(mq_receive(0, buf, 10, NULL));
	T(mq_send(q, "low", 3, 1));
	T(poll(&pf, 1, 0));
	t_say("revents %#x", (unsigned)pf.revents);
	T(mq_send(q, "high", 4, 32767));
	T(mq_send(q, "", 0, 1));
	T(mq_send(q, "more", 4, 1));
	T(poll(&pf, 1, 0));
	t_say("revents %#x", (unsigned)pf.revents);
	show_attr(r);
	for (int i = 0; i < 4; i++) {
		prio = 77;
		memset(buf, 0, sizeof buf);
		T(mq_receive(q, buf, sizeof buf, &prio));
		t_say("%s %u", buf, prio);
	}
	T(mq_send(q, "lost", 4, 0));
	T(mq_receive(q, (char *)8, 10, NULL));
	show_attr(q);
	T(read(q, buf, 4));
	T(write(q, buf, 4));
	T_OK(lseek(q, 0, SEEK_END));
	mq_close(q), mq_close(r), mq_close(w);
}

static void
nothing(int sig)
{
	(void)sig;
}

static mqd_t shared;

/* When the first thread waits. */
static void *
later(void *what)
{
	char buf[10];

	t_until_asleep(getpid());
	if (what != NULL)
		t_need(mq_send(shared, what, strlen(what), 5) == 0, "mq_send");
	else
		t_need(mq_receive(shared, buf, sizeof buf, NULL) >= 0, "mq_receive");
	return NULL;
}

static void
waiting(void)
{
	struct timespec past = { 1, 0 }, bad = { 0, 1000000000 }, neg = { -1, 0 }, soon;
	char buf[10] = "";
	pthread_t t;
	mqd_t q = shared = mq_open("/t-one", O_RDWR);

	T(mq_timedreceive(q, buf, 10, NULL, &past));
	T(mq_timedreceive(q, buf, 10, NULL, &bad));
	T(mq_timedreceive(999, buf, 10, NULL, &neg));
	T(mq_timedreceive(999, buf, 10, NULL, (void *)8));
	clock_gettime(CLOCK_REALTIME, &soon);
	soon.tv_nsec += 10000000;
	soon.tv_sec += soon.tv_nsec / 1000000000;
	soon.tv_nsec %= 1000000000;
	T(mq_timedreceive(q, buf, 10, NULL, &soon));
	t_handle(SIGALRM, nothing, 0);
	t_alarms(20);
	T(mq_receive(q, buf, 10, NULL));
	t_alarms(0);
	pthread_create(&t, NULL, later, "given");
	T(mq_receive(q, buf, 10, NULL));
	t_say("%s", buf);
	pthread_join(t, NULL);
	for (int i = 0; i < 3; i++)
		T(mq_timedsend(q, "full", 4, 1, &past));
	T(mq_timedsend(q, "full", 4, 1, &past));
	T(mq_timedsend(q, "full", 4, 1, &bad));
	t_alarms(20);
	T(mq_send(q, "full", 4, 1));
	t_alarms(0);
	pthread_create(&t, NULL, later, NULL);
	T(mq_send(q, "urgent", 6, 9));
	pthread_join(t, NULL);
	T(mq_receive(q, buf, 10, NULL));
	t_say("%.6s", buf);
	show_attr(q);
	mq_close(q);
}

static void
told(int sig, siginfo_t *si, void *uc)
{
	(void)uc;
	t_say("signal %d code %d from %s value %d", sig - SIGRTMIN, si->si_code,
	    si->si_pid == getpid() ? "itself" : "another", si->si_value.sival_int);
}

static void
notification(void)
{
	struct sigevent ev = {
		.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN, .sigev_value.sival_int = 42,
	};
	mqd_t q = mq_open("/t-one", O_RDWR | O_NONBLOCK), other = mq_open("/t-one", O_RDONLY);
	char buf[10];
	pthread_t t;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	while (mq_receive(q, buf, 10, NULL) >= 0)
		;
	t_handle_info(SIGRTMIN, told, 0);
	T(mq_notify(q, NULL));
	T(mq_notify(q, &ev));
	T(mq_notify(q, &ev));
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (t_child("another process") == 0) {
		T(mq_notify(q, &ev));
		T(mq_notify(q, NULL));
		T(mq_send(q, "x", 1, 0));
		_exit(0);
	}
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	T(mq_send(q, "x", 1, 0));
	T(mq_notify(q, &ev));
	T(mq_send(q, "not empty", 9, 0));
	T(mq_receive(q, buf, 10, NULL));
	T(mq_receive(q, buf, 10, NULL));
	T(mq_receive(q, buf, 10, NULL));
	T(mq_send(q, "x", 1, 0));
	T(mq_receive(q, buf, 10, NULL));
	T(mq_notify(q, &ev));
	T(mq_close(other));
	T(mq_send(q, "x", 1, 0));
	T(mq_receive(q, buf, 10, NULL));
	/* A receiver that waits comes first. */
	shared = mq_open("/t-one", O_RDWR);
	pthread_create(&t, NULL, later, "x");
	T(mq_notify(q, &ev));
	T(mq_receive(shared, buf, 10, NULL));
	pthread_join(t, NULL);
	T(mq_send(q, "y", 1, 0));
	T(mq_receive(q, buf, 10, NULL));
	mq_close(shared);
	ev.sigev_notify = SIGEV_NONE;
	T(mq_notify(q, &ev));
	T(mq_send(q, "y", 1, 0));
	T(mq_notify(q, &ev));
	T(mq_notify(q, NULL));
	ev.sigev_notify = SIGEV_SIGNAL;
	ev.sigev_signo = 65;
	T_SYS(mq_notify, q, &ev);
	ev.sigev_signo = -1;
	T_SYS(mq_notify, q, &ev);
	ev.sigev_notify = 4;
	T_SYS(mq_notify, q, &ev);
	T_SYS(mq_notify, q, 8);
	T_SYS(mq_notify, 0, NULL);
	T_SYS(mq_notify, 999, NULL);
	ev.sigev_notify = SIGEV_THREAD;
	ev.sigev_value.sival_ptr = buf;
	T_SYS(mq_notify, q, &ev);
	ev.sigev_signo = 0;
	ev.sigev_value.sival_ptr = t_pages(1);
	T_SYS(mq_notify, q, &ev);
	mq_close(q);
}

static void
limits(void)
{
	struct rlimit rl;
	mqd_t q;

	T(getrlimit(RLIMIT_MSGQUEUE, &rl));
	t_say("%ld %ld", (long)rl.rlim_cur, (long)rl.rlim_max);
	if (t_child("a user") == 0) {
		t_need(setuid(54321) == 0, "setuid");
		rl.rlim_cur = 2 * (10 * (100 + 48) + 10 * 48) + 10;
		t_need(setrlimit(RLIMIT_MSGQUEUE, &rl) == 0, "setrlimit");
		T(mq_open("/t-one", O_RDONLY));
		T(mq_unlink("/t-one"));
		T(make("/t-big", O_RDWR, 11, 10));
		T(make("/t-big", O_RDWR, 10, 8193));
		T(make("/t-big", O_RDWR, 10, 8192));
		T_OK(q = make("/t-two", O_RDWR, 10, 100));
		T_OK(make("/t-user", O_RDWR, 10, 100));
		T(make("/t-big", O_RDWR, 1, 1));
		T(mq_unlink("/t-two"));
		T(make("/t-big", O_RDWR, 10, 100));
		T(mq_close(q));
		T_OK(make("/t-big", O_RDWR, 10, 100));
		_exit(0);
	}
	T_OK(q = mq_open("/t-user", O_RDWR));
	T(mq_send(q, "x", 1, 0));
	mq_close(q);
	T(mq_unlink("/t-user"));
	T(mq_unlink("/t-big"));
	T_OK(q = make("/t-big", O_RDWR, 10, 8192));
	for (int i = 0; i < 10; i++)
		t_need(mq_send(q, "x", 1, (unsigned)i * 7 % 10) == 0, "mq_send");
	show_attr(q);
	mq_close(q);
	T(mq_unlink("/t-big"));
}

int
main(void)
{
	for (size_t i = 0; i < T_COUNT(names); i++)
		mq_unlink(names[i]);
	naming();
	sending();
	waiting();
	notification();
	limits();
	T(mq_unlink("/t-one"));
	return 0;
}
