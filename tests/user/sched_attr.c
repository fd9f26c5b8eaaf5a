/* SPDX-License-Identifier: BSD-2-Clause */
/* sched_setattr and sched_getattr; ioprio_set and ioprio_get. */
#include "t.h"
#include <sched.h>

struct attr {
	uint32_t	size, policy;
	uint64_t	flags;
	int32_t		nice;
	uint32_t	priority;
	uint64_t	runtime, deadline, period;
	uint32_t	util_min, util_max;
	char		more[72];
};

static void
show(const char *what, unsigned size)
{
	struct attr a;
	long r;

	memset(&a, 0xff, sizeof a);
	r = syscall(SYS_sched_getattr, 0, &a, size, 0);
	if (r < 0)
		t_say("%s: %s", what, t_errno(errno));
	else
		t_say("%s: size %u policy %u flags %llx nice %d priority %u deadline %llu behind it %x",
		    what, a.size, a.policy, (unsigned long long)a.flags, a.nice, a.priority,
		    (unsigned long long)a.deadline, (uint8_t)a.more[0]);
}

static void
set(const char *what, struct attr a)
{
	long r = syscall(SYS_sched_setattr, 0, &a, 0);

	t_say("set %s: %s, size %u", what, r == 0 ? "ok" : t_errno(errno), a.size);
	show(what, 56);
}

static void
attributes(void)
{
	struct attr a = { .size = 48 };

	setpriority(PRIO_PROCESS, 0, 10);
	show("the first form", 48);
	show("the second", 56);
	show("larger", 100);
	show("too small", 47);
	show("too large", 5000);
	T_SYS(sched_getattr, 0, NULL, 48, 0);
	T_SYS(sched_getattr, 0, &a, 48, 1);
	T_SYS(sched_getattr, -1, &a, 48, 0);
	T_SYS(sched_getattr, 99999999, &a, 48, 0);
	T_SYS(sched_getattr, 0, (void *)8, 48, 0);
	set("nice 12", (struct attr){ .size = 48, .nice = 12 });
	set("batch", (struct attr){ .size = 48, .policy = SCHED_BATCH, .nice = 13 });
	set("no size", (struct attr){ .policy = SCHED_OTHER, .nice = 14 });
	set("beyond", (struct attr){ .size = 48, .nice = 100 });
	set("keep the parameters", (struct attr){ .size = 48, .policy = SCHED_BATCH, .flags = 0x10 });
	set("keep the policy", (struct attr){ .size = 48, .flags = 0x08, .nice = 19 });
	set("reset on fork", (struct attr){ .size = 48, .flags = 1, .nice = 19 });
	if (t_child("child") == 0) {
		show("child", 48);
		_exit(0);
	}
	set("idle", (struct attr){ .size = 48, .policy = SCHED_IDLE, .nice = 19 });
	set("other", (struct attr){ .size = 56, .nice = 19 });
	set("larger", (struct attr){ .size = 100, .nice = 19 });
	set("larger, with something", (struct attr){ .size = 100, .nice = 19, .more = { 1 } });
	set("small", (struct attr){ .size = 20, .nice = 19 });
	set("huge", (struct attr){ .size = 5000, .nice = 19 });
	set("unknown flag", (struct attr){ .size = 48, .flags = 0x1000, .nice = 19 });
	set("unknown policy", (struct attr){ .size = 48, .policy = 99, .nice = 19 });
	set("negative policy", (struct attr){ .size = 48, .policy = ~0u, .nice = 19 });
	set("a priority", (struct attr){ .size = 48, .priority = 1, .nice = 19 });
	set("real time, no priority", (struct attr){ .size = 48, .policy = SCHED_FIFO, .nice = 19 });
	set("clamp without room", (struct attr){ .size = 48, .flags = 0x20, .nice = 19 });
	T_SYS(sched_setattr, 0, NULL, 0);
	T_SYS(sched_setattr, 0, &a, 1);
	T_SYS(sched_setattr, 0, (void *)8, 0);
	T_SYS(sched_setattr, -1, &a, 0);
	T_SYS(sched_setattr, 99999999, &a, 0);
}

#define PRIO(class, level)	((class) << 13 | (level))

static void
io(void)
{
	T_SYS(ioprio_get, 1, 0);
	T_SYS(ioprio_get, 0, 0);
	T_SYS(ioprio_get, 4, 0);
	T_SYS(ioprio_get, 1, 99999999);
	T_SYS(ioprio_get, 1, -1);
	T_SYS(ioprio_set, 1, 0, PRIO(2, 3));
	T_SYS(ioprio_get, 1, 0);
	if (t_child("child") == 0) {
		T_SYS(ioprio_get, 1, 0);
		T_SYS(ioprio_set, 1, 0, PRIO(3, 0));
		T_SYS(ioprio_get, 1, 0);
		_exit(0);
	}
	T_SYS(ioprio_get, 1, 0);
	T_SYS(ioprio_set, 1, 0, PRIO(3, 7));
	T_SYS(ioprio_get, 1, 0);
	T_SYS(ioprio_set, 1, 0, PRIO(2, 8));
	T_SYS(ioprio_get, 1, 0);
	T_SYS(ioprio_set, 1, 0, PRIO(0, 1));
	T_SYS(ioprio_set, 1, 0, PRIO(4, 0));
	T_SYS(ioprio_set, 1, 0, PRIO(5, 0));
	T_SYS(ioprio_set, 0, 0, PRIO(2, 0));
	T_SYS(ioprio_set, 1, 99999999, PRIO(2, 0));
	T_SYS(ioprio_set, 1, 0, PRIO(0, 0));
	T_SYS(ioprio_get, 1, 0);
	setpgid(0, 0);
	T_SYS(ioprio_get, 2, 0);
	T_SYS(ioprio_set, 2, 0, PRIO(2, 6));
	T_SYS(ioprio_get, 1, 0);
	T_SYS(ioprio_get, 2, 0);
	T_SYS(ioprio_get, 2, 99999999);
}

int
main(void)
{
	attributes();
	io();
	return 0;
}
