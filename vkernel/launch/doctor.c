/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doctor - vkernel doctor: does this host run a machine, and how well?
 *
 * One question is settled by doing it: a machine is made and taken apart, and
 * if that fails, hostkit says why.  All others are about cost: for each thing
 * that a host may lack, what one loses without it and how to get it.  Nothing
 * here changes the host.
 *
 * A finding is "ok", "slow" (it works, and something costs more), "limit" (it
 * works up to a size) or "missing" (it does not work).
 */
#include "launch.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <abi/vkboot.h>
#include <hk/hk.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

enum state { OK, SLOW, LIMIT, MISSING };

static bool json;
static bool first = true;

/* Text is ours or hostkit's: neither quotes nor controls in it. */
static void
finding(enum state state, const char *name, const char *value, const char *advice)
{
	static const char *const names[] = { "ok", "slow", "limit", "missing" };

	if (json)
		printf("%s{\"name\":\"%s\",\"state\":\"%s\",\"value\":\"%s\",\"advice\":\"%s\"}",
		    first ? "" : ",", name, names[state], value, advice);
	else
		printf("%-7s  %-18s  %s\n%s%s%s", names[state], name, value,
		    *advice != '\0' ? "         " : "", advice, *advice != '\0' ? "\n" : "");
	first = false;
}

/* The number after `key` in a small file; without a key the first.  UINT64_MAX: not there, or a word. */
static uint64_t
number_in(const char *path, const char *key)
{
	char text[4096];
	const char *p = text;
	FILE *f = fopen(path, "re");
	size_t n;

	if (f == NULL)
		return UINT64_MAX;
	n = fread(text, 1, sizeof text - 1, f);
	fclose(f);
	text[n] = '\0';
	if (key != NULL && (p = strstr(text, key)) != NULL)
		p += strlen(key);
	if (p == NULL)
		return UINT64_MAX;
	p += strspn(p, " \t");
	return *p >= '0' && *p <= '9' ? strtoull(p, NULL, 10) : UINT64_MAX;
}

static void
see_processors(void)
{
	char value[96];
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 0;

	snprintf(value, sizeof value, "%d", n);
	if (n == 0)
		finding(OK, "processors", "more than 1024", "");
	else
		finding(n > 1 ? OK : LIMIT, "processors", value,
		    n > 1 ? "" : "-c N works with any N, and is not faster than -c 1");
}

static void
see_memory(void)
{
	const uint64_t kib = number_in("/proc/meminfo", "MemAvailable:");
	const uint64_t group = number_in("/sys/fs/cgroup/memory.max", NULL);
	uint64_t bytes = kib == UINT64_MAX ? UINT64_MAX : kib << 10;
	char value[96];

	bytes = group < bytes ? group : bytes;
	if (bytes == UINT64_MAX) {
		finding(OK, "memory", "not known", "");
		return;
	}
	snprintf(value, sizeof value, "%llu MiB can be had", (unsigned long long)(bytes >> 20));
	finding(bytes < 128u << 20 ? LIMIT : OK, "memory", value,
	    bytes < 128u << 20 ? "a machine of the default size may be ended by the host; see -m" : "");
}

static void
see_limit(const char *name, int resource, uint64_t wanted, const char *advice)
{
	struct rlimit rl;
	char value[64];

	if (getrlimit(resource, &rl) < 0 || rl.rlim_cur == RLIM_INFINITY) {
		finding(OK, name, "no limit", "");
		return;
	}
	snprintf(value, sizeof value, "%llu", (unsigned long long)rl.rlim_cur);
	finding(rl.rlim_cur < wanted ? LIMIT : OK, name, value, rl.rlim_cur < wanted ? advice : "");
}

static void
see_mappings(void)
{
	const uint64_t n = number_in("/proc/sys/vm/max_map_count", NULL);
	char value[64];

	if (n == UINT64_MAX) {
		finding(OK, "mappings", "not known, the usual 65530 is assumed", "");
		return;
	}
	snprintf(value, sizeof value, "%llu for a process", (unsigned long long)n);
	finding(n < 16384 ? SLOW : OK, "mappings", value,
	    n < 16384 ? "guests with scattered memory fault more often; sysctl vm.max_map_count=65530" : "");
}

/* Whether a memfd can be collapsed into huge pages is known only by trying. */
static void
see_huge_pages(void)
{
	int fd = memfd_create("doctor", MFD_CLOEXEC), error = -1;
	char *at = MAP_FAILED;

	if (fd >= 0 && ftruncate(fd, HK_BLOCK) == 0)
		at = mmap(NULL, 2 * (size_t)HK_BLOCK, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at != MAP_FAILED) {
		char *block = (char *)(((uintptr_t)at + HK_BLOCK - 1) & ~(uintptr_t)(HK_BLOCK - 1));

		block = mmap(block, HK_BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
		if (block != MAP_FAILED) {
			*(volatile char *)block = 1;
			error = madvise(block, HK_BLOCK, MADV_COLLAPSE);
		}
		munmap(at, 2 * (size_t)HK_BLOCK);
	}
	if (fd >= 0)
		close(fd);
	finding(error == 0 ? OK : SLOW, "huge pages", error == 0 ? "yes" : "no",
	    error == 0 ? "" : "a guest's first touch of a page costs several times more; Linux 6.1 and "
	    "/sys/kernel/mm/transparent_hugepage/shmem_enabled other than deny");
}

/* A host that lets a thread choose its slice tells it when asked. */
static void
see_slices(void)
{
	uint64_t attr[6] = { 0 };	/* struct sched_attr as first published; the slice is the fourth */
	bool has = syscall(SYS_sched_getattr, 0, attr, sizeof attr, 0) == 0 && attr[3] != 0;

	finding(has ? OK : SLOW, "slices", has ? "can be chosen" : "cannot be chosen",
	    has ? "" : "calls that use several threads cost up to a tenth more; Linux 6.12");
}

static void
see_debugging(void)
{
	const uint64_t scope = number_in("/proc/sys/kernel/yama/ptrace_scope", NULL);
	bool open = scope == UINT64_MAX || scope == 0 || geteuid() == 0;

	finding(open ? OK : LIMIT, "debugger",
	    open ? "can attach" : "can only start vkernel, not attach to it",
	    open ? "" : "gdb --args vkernel ..., or sysctl kernel.yama.ptrace_scope=0");
}

static bool
see_machine(void)
{
	const struct hk_config least = {
		.ncpu = 1, .ram_bytes = 4 * (uint64_t)HK_BLOCK, .ram_base = VK_RAM_BASE,
	};
	hk_result r = hk_init(&least);

	if (r != HK_OK) {
		finding(MISSING, "machine", hk_why(), init_hint(r) != NULL ? init_hint(r) : "");
		return false;
	}
	hk_fini();
	finding(OK, "machine", "made and taken apart", "");
	return true;
}

int
doctor(int argc, char **argv)
{
	struct utsname u;
	bool runs;

	json = argc == 2 && strcmp(argv[1], "--json") == 0;
	if (argc > 1 && !json) {
		say_error("vkernel doctor [--json]", "doctor: %s: not an option", argv[1]);
		return VK_EXIT_ERROR;
	}
	if (uname(&u) != 0)
		u.release[0] = '\0';
	if (json)
		printf("{\"v\":1,\"host\":\"Linux %s\",\"findings\":[", u.release);
	else
		printf("Linux %s\n", u.release);
	runs = see_machine();
	see_processors();
	see_memory();
	see_limit("processes", RLIMIT_NPROC, 256, "each process of a guest is one of the host: ulimit -u");
	see_limit("descriptors", RLIMIT_NOFILE, 64, "some for the machine, one for each stream: ulimit -n");
	see_mappings();
	see_huge_pages();
	see_slices();
	see_debugging();
	if (json)
		printf("],\"runs\":%s}\n", runs ? "true" : "false");
	else
		printf("vkernel %s here. It needs no /dev/kvm, no /dev/net/tun and no privileges.\n",
		    runs ? "runs" : "does not run");
	return fflush(stdout) == 0 && runs ? 0 : VK_EXIT_ERROR;
}
