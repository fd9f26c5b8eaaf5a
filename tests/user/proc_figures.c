/* SPDX-License-Identifier: BSD-2-Clause */
/* What /proc counts for a process, and what may be set there; /sys about the machine. */
#include "t.h"
#include <sched.h>
#include <sys/statfs.h>

static char text[1 << 16];

static const char *
slurp(const char *path)
{
	int fd = open(path, O_RDONLY);
	ssize_t n, have = 0;

	if (fd < 0)
		return t_errno(errno);
	while ((n = read(fd, text + have, sizeof text - 1 - (size_t)have)) > 0)
		have += n;
	close(fd);
	text[have] = '\0';
	if (have > 0 && strchr(text, '\n') == text + have - 1)
		text[have - 1] = '\0';
	return text;
}

static long
figure(const char *path, const char *name)
{
	const char *at = strstr(slurp(path), name);

	return at == NULL ? -1 : atol(at + strlen(name));
}

static long
put(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY);
	long r = fd < 0 ? -1 : write(fd, value, strlen(value));
	int e = errno;

	if (fd >= 0)
		close(fd);
	errno = e;
	return r;
}

/* ------------------------------------------------------------------- io -- */

/* Looking is reading, too. */
static void
io(void)
{
	int fd = open("f", O_CREAT | O_RDWR, 0600);
	char buf[1000] = "";
	long r, w;

	r = figure("/proc/self/io", "rchar: "), w = figure("/proc/self/io", "wchar: ");
	t_need(write(fd, buf, 1000) == 1000 && pwrite(fd, buf, 500, 0) == 500, "write");
	w = figure("/proc/self/io", "wchar: ") - w;
	t_say("written %ld", w);
	r = figure("/proc/self/io", "syscw: ");
	for (int i = 0; i < 7; i++)
		t_need(write(fd, buf, 10) == 10, "write");
	t_say("writes %ld", figure("/proc/self/io", "syscw: ") - r);
	w = figure("/proc/self/io", "wchar: ");
	t_need(write(9999, buf, 10) < 0, "bad");
	t_say("failed %ld", figure("/proc/self/io", "wchar: ") - w);
	if (t_child("child") == 0) {
		t_need(write(fd, buf, 700) == 700, "write");
		_exit(0);
	}
	t_say("a child that was waited for %d", figure("/proc/self/io", "wchar: ") - w >= 700);
	r = figure("/proc/self/io", "rchar: ");
	t_need(pread(fd, buf, 1000, 0) == 1000 && pread(fd, buf, 1000, 1000) == 70 + 700, "read");
	t_say("read %d", figure("/proc/self/io", "rchar: ") - r >= 1770);
	close(fd);
}

/* -------------------------------------------------------- out of memory -- */

static void
oom(void)
{
	long was = atol(slurp("/proc/self/oom_score_adj"));

	T(put("/proc/self/oom_score_adj", "500"));
	t_say("%s", slurp("/proc/self/oom_score_adj"));
	t_say("old scale %s", slurp("/proc/self/oom_adj"));
	t_say("score at least 900: %d", atol(slurp("/proc/self/oom_score")) >= 900);
	if (t_child("child") == 0) {
		t_say("inherited %s", slurp("/proc/self/oom_score_adj"));
		T(put("/proc/self/oom_score_adj", "1000\n"));
		t_say("old scale %s", slurp("/proc/self/oom_adj"));
		_exit(0);
	}
	t_say("%s", slurp("/proc/self/oom_score_adj"));
	T(put("/proc/self/oom_score_adj", "1001"));
	T(put("/proc/self/oom_score_adj", "-1001"));
	T(put("/proc/self/oom_score_adj", "x"));
	T(put("/proc/self/oom_score_adj", ""));
	T(put("/proc/self/oom_score", "1"));
	T(put("/proc/self/oom_score_adj", was == 500 ? "501" : "499"));
}

/* --------------------------------------------------------------- status -- */

static void
line(const char *name)
{
	const char *at = strstr(slurp("/proc/self/status"), name);

	t_say("%.*s", at == NULL ? 0 : (int)strcspn(at, "\n"), at);
}

static void
status(void)
{
	char *a = t_pages(512);
	cpu_set_t one;
	long size, rss;

	umask(027);
	line("Umask:");
	umask(0);
	line("Umask:");
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	T(sched_setaffinity(0, sizeof one, &one));
	line("Cpus_allowed_list:");
	line("Mems_allowed_list:");
	memset(a, 1, 512 * T_PAGE);
	size = figure("/proc/self/status", "VmSize:");
	rss = figure("/proc/self/status", "VmRSS:");
	t_say("rss %d peaks %d %d", rss >= 2048, figure("/proc/self/status", "VmPeak:") >= size,
	    figure("/proc/self/status", "VmHWM:") >= rss);
	munmap(a, 512 * T_PAGE);
	t_say("less now %d %d", figure("/proc/self/status", "VmSize:") <= size - 2048,
	    figure("/proc/self/status", "VmRSS:") <= rss - 2000);
	t_say("peak stays %d", figure("/proc/self/status", "VmPeak:") >= size);
	t_say("page tables %d", figure("/proc/self/status", "VmPTE:") > 0);
	t_say("uid map %s", slurp("/proc/self/uid_map"));
	t_say("net %s", slurp("/proc/self/net/unix") == text ? "there" : "not there");
	T(readlink("/proc/net", text, sizeof text));
}

/* ------------------------------------------------------------- machine -- */

static int
listed(const char *list)
{
	int n = 0;

	for (const char *p = list; *p != '\0'; p += *p == ',') {
		char *end;
		long a = strtol(p, &end, 10), b = *end == '-' ? strtol(end + 1, &end, 10) : a;

		n += (int)(b - a + 1);
		p = end;
	}
	return n;
}

static void
machine(void)
{
	static const char *const dirs[] = { "/sys/fs/cgroup", "/sys/class", "/sys/class/net", "/sys/block",
	    "/sys/bus", "/sys/dev/block", "/sys/devices/system/node/node0", "/sys/kernel/mm/hugepages" };
	long total = figure("/proc/meminfo", "MemTotal:");
	int n = listed(slurp("/sys/devices/system/cpu/online"));
	struct statfs fs;
	char path[128];

	t_say("processors %d, possible %d, on node 0 %d", n > 0,
	    listed(slurp("/sys/devices/system/cpu/possible")) >= n,
	    listed(slurp("/sys/devices/system/node/node0/cpulist")) == n);
	t_say("kernel_max %d", atol(slurp("/sys/devices/system/cpu/kernel_max")) >= n - 1);
	t_say("nodes %s", slurp("/sys/devices/system/node/online"));
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/core_siblings_list", i);
		t_need(listed(slurp(path)) > 0, path);
	}
	snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d", n + 1000);
	T(access(path, F_OK));
	T(access("/sys/devices/system/cpu/cpu01", F_OK));
	for (size_t i = 0; i < T_COUNT(dirs); i++)
		t_say("%s %d", dirs[i], access(dirs[i], R_OK | X_OK));
	T(statfs("/sys", &fs) == 0 && fs.f_type == 0x62656572);
	t_say("huge pages %d", strchr(slurp("/sys/kernel/mm/transparent_hugepage/enabled"), '[') != NULL);
	t_say("of %s", slurp("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size"));
	t_say("memory %d free %d available %d anonymous %d tables %d promised %d", total > 0,
	    figure("/proc/meminfo", "MemFree:") <= total, figure("/proc/meminfo", "MemAvailable:") <= total,
	    figure("/proc/meminfo", "AnonPages:") > 0, figure("/proc/meminfo", "PageTables:") > 0,
	    figure("/proc/meminfo", "Committed_AS:") > 0);
	t_say("faults %d", figure("/proc/vmstat", "pgfault ") > 0);
}

int
main(void)
{
	io();
	oom();
	status();
	machine();
	return 0;
}
