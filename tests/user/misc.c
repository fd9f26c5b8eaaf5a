/* SPDX-License-Identifier: BSD-2-Clause */
/* Small calls - uname, sysinfo, sched, getrandom, prctl, arch_prctl and friends. */
#include "t.h"
#include <sched.h>
#include <sys/personality.h>
#include <sys/random.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#define ARCH_SET_GS	0x1001
#define ARCH_SET_FS	0x1002
#define ARCH_GET_FS	0x1003
#define ARCH_GET_GS	0x1004

static void
names(void)
{
	struct utsname u;

	T(uname(&u));
	t_say("machine %s, release has a dot %d, node is set %d", u.machine, strchr(u.release, '.') != NULL,
	    u.nodename[0] != '\0');
	T(sethostname("a", 65));
	T(sethostname("a", -1));
	T_SYS(sethostname, 8, 4);
}

static void
system_info(void)
{
	struct sysinfo si;
	unsigned cpu = 99, node = 99;
	unsigned long mask[16];

	T(sysinfo(&si));
	t_say("total %d free %d procs %d unit %u", si.totalram > 0, si.freeram <= si.totalram, si.procs > 0, si.mem_unit);
	T_SYS(getcpu, &cpu, &node, NULL);
	t_say("cpu in range %d node %u", cpu < 1024, node);
	T_SYS(getcpu, NULL, NULL, NULL);
	memset(mask, 0, sizeof mask);
	T(syscall(SYS_sched_getaffinity, 0, sizeof mask, mask) > 0);
	t_say("some CPU is mine: %d", (mask[0] | mask[1]) != 0);
	T_SYS(sched_getaffinity, 0, 1, mask);
	T_SYS(sched_getaffinity, INT_MAX, sizeof mask, mask);
	T_SYS(sched_setaffinity, 0, sizeof mask, mask);
	memset(mask, 0, sizeof mask);
	T_SYS(sched_setaffinity, 0, sizeof mask, mask);
	T(sysconf(_SC_NPROCESSORS_ONLN) >= 1);
}

static void
scheduler(void)
{
	struct { int prio; } p = { 0 };
	struct timespec ts = { 9, 9 };

	T_SYS(sched_yield, 0);
	T_SYS(sched_getscheduler, 0);
	T_SYS(sched_getparam, 0, &p);
	T(p.prio);
	p.prio = 5;
	T_SYS(sched_setscheduler, 0, SCHED_OTHER, &p);
	p.prio = 0;
	T_SYS(sched_setscheduler, 0, SCHED_OTHER, &p);
	T_SYS(sched_setscheduler, 0, 99, &p);
	T_SYS(sched_setscheduler, INT_MAX, SCHED_OTHER, &p);
	T_SYS(sched_get_priority_max, SCHED_FIFO);
	T_SYS(sched_get_priority_min, SCHED_FIFO);
	T_SYS(sched_get_priority_max, SCHED_OTHER);
	T_SYS(sched_get_priority_max, 99);
	T_SYS(sched_rr_get_interval, 0, &ts);
	T_SYS(sched_getscheduler, -1);
}

static void
random_bytes(void)
{
	unsigned char a[64] = { 0 }, b[64] = { 0 };

	T(getrandom(a, 64, 0));
	T(getrandom(b, 64, GRND_NONBLOCK));
	t_say("different %d", memcmp(a, b, 64) != 0);
	T(getrandom(a, 10, 0x100));
	T(getrandom(a, 0, 0));
	T(getrandom(NULL, 0, 0));
}

static void
process_control(void)
{
	char name[20] = "";

	T(prctl(PR_SET_NAME, "a name that is too long", 0, 0, 0));
	T(prctl(PR_GET_NAME, name, 0, 0, 0));
	t_say("\"%s\"", name);
	if (t_child("name is inherited") == 0) {
		prctl(PR_GET_NAME, name, 0, 0, 0);
		t_say("\"%s\"", name);
		_exit(0);
	}
	T(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
	T(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
	T(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
	T(prctl(PR_SET_DUMPABLE, 7, 0, 0, 0));
	T(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
	T(prctl(PR_GET_KEEPCAPS, 0, 0, 0, 0));
	T(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	T(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
	T(prctl(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0));
	T(prctl(12345, 0, 0, 0, 0));
	int sub = -1;
	T(prctl(PR_GET_CHILD_SUBREAPER, &sub, 0, 0, 0));
	T(sub);
	T(personality(0xffffffff));
	T(syscall(SYS_set_tid_address, &sub) == getpid());
	T(syscall(SYS_gettid) == getpid());
}

static void
segments(void)
{
	unsigned long fs = 0, gs = 0, old;
	static unsigned long there[2] = { 0x1234, 0x5678 };
	unsigned long v = 0;

	T_SYS(arch_prctl, ARCH_GET_FS, &old);
	T(old != 0);
	T_SYS(arch_prctl, ARCH_GET_GS, &gs);
	T(gs);
	T_SYS(arch_prctl, ARCH_SET_GS, there);
	__asm__ volatile("mov %%gs:8, %0" : "=r"(v));
	T(v);
	T_SYS(sched_yield, 0);
	__asm__ volatile("mov %%gs:0, %0" : "=r"(v));
	T(v);
	if (t_child("inherited") == 0) {
		__asm__ volatile("mov %%gs:8, %0" : "=r"(v));
		T(v);
		_exit(0);
	}
	T_SYS(arch_prctl, ARCH_GET_GS, &gs);
	T(gs == (unsigned long)there);
	T_SYS(arch_prctl, ARCH_SET_GS, 0x8000000000000000);
	T_SYS(arch_prctl, ARCH_SET_GS, 0xffffffff81000000);
	T_SYS(arch_prctl, ARCH_SET_FS, 0x8000000000000000);
	T_SYS(arch_prctl, ARCH_GET_FS, 8);
	T_SYS(arch_prctl, 0x99, 0);
	T_SYS(arch_prctl, ARCH_GET_FS, &fs);
	T(fs == old);
}

static void
no_such_call(void)
{
	errno = 0;
	T(syscall(1000));
	T(syscall(-1));
	T(syscall(0x7fffffff));
	T(syscall(180));
}

int
main(void)
{
	names();
	system_info();
	scheduler();
	random_bytes();
	process_control();
	segments();
	no_such_call();
	return 0;
}
