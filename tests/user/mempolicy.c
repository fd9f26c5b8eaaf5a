/* SPDX-License-Identifier: BSD-2-Clause */
/* set_mempolicy, get_mempolicy and mbind on a machine with one node. */
#include "t.h"
#include <pthread.h>

enum { DEFAULT, PREFERRED, BIND, INTERLEAVE, LOCAL, MANY, WEIGHTED };
#define F_STATIC	0x8000
#define F_RELATIVE	0x4000
#define F_NODE		1
#define F_ADDR		2
#define F_MEMS		4

static long
get(int *mode, unsigned long *mask, unsigned long max, void *addr, unsigned long flags)
{
	return syscall(SYS_get_mempolicy, mode, mask, max, addr, flags);
}

static void
show(const char *what, void *addr, unsigned long flags)
{
	unsigned long mask[2] = { ~0ul, ~0ul };
	int mode = -1;
	long r = get(&mode, mask, 128, addr, flags);

	if (r < 0)
		t_say("%s: %s", what, t_errno(errno));
	else
		t_say("%s: mode %x nodes %lx %lx", what, mode, mask[0], mask[1]);
}

static void
set(const char *what, long mode, unsigned long nodes, unsigned long max)
{
	long r = syscall(SYS_set_mempolicy, mode, max == 0 ? NULL : &nodes, max);

	t_say("set %s: %s", what, r == 0 ? "ok" : t_errno(errno));
	show(what, NULL, 0);
}

static void *
thread(void *arg)
{
	(void)arg;
	show("a thread inherits", NULL, 0);
	set("its own", LOCAL, 0, 0);
	return NULL;
}

static void
of_threads(void)
{
	unsigned long far[64] = { 0 };
	pthread_t t;

	show("at first", NULL, 0);
	set("default", DEFAULT, 0, 0);
	set("default with a node", DEFAULT, 1, 64);
	set("bind", BIND, 1, 64);
	set("bind to none", BIND, 0, 64);
	set("bind to what is not there", BIND, 2, 64);
	set("bind, one of them there", BIND, 3, 64);
	set("interleave", INTERLEAVE, 1, 2);
	show("which is next", NULL, F_NODE);
	set("preferred", PREFERRED, 1, 64);
	show("which is next", NULL, F_NODE);
	set("preferred none", PREFERRED, 0, 0);
	set("local", LOCAL, 0, 0);
	set("local with a node", LOCAL, 1, 64);
	set("static", BIND | F_STATIC, 1, 64);
	set("relative", BIND | F_RELATIVE, 1, 64);
	set("static and relative", BIND | F_STATIC | F_RELATIVE, 1, 64);
	set("local and static", LOCAL | F_STATIC, 0, 0);
	set("many", MANY, 1, 64);
	set("unknown", 9, 1, 64);
	set("negative", -1, 1, 64);
	set("only one bit of it", BIND, 3, 2);
	T_SYS(set_mempolicy, BIND, far, 1 << 20);
	T_SYS(set_mempolicy, BIND, (void *)8, 64);
	far[0] = 1;
	T_SYS(set_mempolicy, BIND, far, 4096);
	far[40] = 1;
	T_SYS(set_mempolicy, BIND, far, 4096);
	t_need(pthread_create(&t, NULL, thread, NULL) == 0, "thread");
	T(pthread_join(t, NULL));
	show("the first one's stays", NULL, 0);
	if (t_child("child") == 0) {
		show("a child's", NULL, 0);
		_exit(0);
	}
}

static void
asking(void)
{
	unsigned long mask[2] = { 5, 5 };
	int mode = 7;

	show("allowed", NULL, F_MEMS);
	show("allowed and more", NULL, F_MEMS | F_NODE);
	show("an address without the flag", &mode, 0);
	show("unknown flag", NULL, 8);
	T(get(NULL, NULL, 0, NULL, 0));
	T(get(&mode, mask, 0, NULL, 0));
	T(get(&mode, mask, 1, NULL, 0));
	t_say("mode %x mask %lx", mode, mask[0]);
	T(get((int *)8, NULL, 0, NULL, 0));
	T(get(&mode, (unsigned long *)8, 64, NULL, F_MEMS));
	T(get(&mode, mask, 1 << 20, NULL, 0));
}

static void
of_ranges(void)
{
	char *a = t_pages(8);
	unsigned long one = 1, two = 2;

	show("no policy", a, F_ADDR);
	T(syscall(SYS_mbind, a + T_PAGE, 2 * T_PAGE, BIND, &one, 64ul, 0));
	show("before", a, F_ADDR);
	show("bound", a + T_PAGE, F_ADDR);
	show("on", a + T_PAGE, F_ADDR | F_NODE);
	show("bound", a + 2 * T_PAGE, F_ADDR);
	show("behind", a + 3 * T_PAGE, F_ADDR);
	T(syscall(SYS_mbind, a, 8 * T_PAGE, PREFERRED, NULL, 0ul, 0));
	show("local now", a + T_PAGE, F_ADDR);
	T(syscall(SYS_mbind, a, 8 * T_PAGE, DEFAULT, NULL, 0ul, 0));
	show("and none again", a + T_PAGE, F_ADDR);
	T(syscall(SYS_mbind, a, 8 * T_PAGE, BIND, &two, 64ul, 0));
	T(syscall(SYS_mbind, a + 1, 8 * T_PAGE, BIND, &one, 64ul, 0));
	T(syscall(SYS_mbind, a, 0, BIND, &one, 64ul, 0));
	T(syscall(SYS_mbind, a, 8 * T_PAGE, BIND, &one, 64ul, 1u << 20));
	T(syscall(SYS_mbind, a, 8 * T_PAGE, BIND, &one, 64ul, 3));
	T(syscall(SYS_mbind, a, -T_PAGE, BIND, &one, 64ul, 0));
	T(munmap(a + 4 * T_PAGE, T_PAGE));
	T(syscall(SYS_mbind, a, 8 * T_PAGE, INTERLEAVE, &one, 64ul, 0));
	show("a hole: none of it", a, F_ADDR);
	show("the hole", a + 4 * T_PAGE, F_ADDR);
	munmap(a, 8 * T_PAGE);
}

int
main(void)
{
	of_threads();
	asking();
	of_ranges();
	return 0;
}
