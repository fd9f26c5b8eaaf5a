/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sysfs - /sys, as far as programs ask it about the machine: its processors,
 * its one memory node, the size of its large pages.
 *
 * A tree of procfs's kind (procfs_int.h): tables, a text made for each
 * reader.  What this kernel does not have (buses, modules, control
 * groups) is an empty directory where programs list one, and nothing
 * elsewhere; nothing here can be written to.
 *
 * All processors are cores of one package, with one thread each: the host may
 * give them any place, and another at any time.
 *
 * Locking: none; a node is constant and so is the number of processors.
 */
#include "procfs_int.h"

#include <abi/errno.h>
#include <abi/statfs.h>
#include <core/rt/rt.h>
#include <sys/file/procfs.h>
#include <sys/lwkt/cpu.h>
#include <sys/vm/page.h>

/* ----------------------------------------------------------- sets of CPUs -- */

void
pb_cpu_list(struct pbuf *b, const uint64_t *cpus, uint32_t n)
{
	const char *comma = "";

	for (uint32_t i = 0, first; i < n; i++) {
		if ((cpus[i / 64] >> i % 64 & 1) == 0)
			continue;
		for (first = i; i + 1 < n && (cpus[(i + 1) / 64] >> (i + 1) % 64 & 1) != 0; i++)
			;
		pb_printf(b, first == i ? "%s%u" : "%s%u-%u", comma, first, i);
		comma = ",";
	}
	pb_printf(b, "\n");
}

/* 32 bits a group, the last CPUs first; as many digits as CPUs need. */
void
pb_cpu_mask(struct pbuf *b, const uint64_t *cpus, uint32_t n)
{
	for (uint32_t groups = (n + 31) / 32, g = groups; g-- > 0;) {
		uint32_t bits = (uint32_t)(cpus[g / 2] >> g % 2 * 32);
		uint32_t digits = g + 1 == groups ? (n - g * 32 + 3) / 4 : 8;

		pb_printf(b, "%0*x%s", (int)digits, bits, g != 0 ? "," : "\n");
	}
}

static int
show_cpus(struct pbuf *b, uint32_t first, uint32_t last, bool as_list)
{
	uint64_t cpus[CPU_MAX / 64] = { 0 };

	for (uint32_t i = first; i < last; i++)
		cpus[i / 64] |= 1ull << i % 64;
	if (as_list)
		pb_cpu_list(b, cpus, cpu_count);
	else
		pb_cpu_mask(b, cpus, cpu_count);
	return 0;
}

static int
list_all(struct pbuf *b, const struct pnode *n)
{
	(void)n;
	return show_cpus(b, 0, cpu_count, true);
}

static int
mask_all(struct pbuf *b, const struct pnode *n)
{
	(void)n;
	return show_cpus(b, 0, cpu_count, false);
}

static int
list_none(struct pbuf *b, const struct pnode *n)
{
	(void)n;
	return show_cpus(b, 0, 0, true);
}

/* The CPU whose directory this is in. */
static uint32_t cpu_of(const struct pnode *n) { return (uint32_t)n->pn_fd; }

static int
list_it(struct pbuf *b, const struct pnode *n)
{
	return show_cpus(b, cpu_of(n), cpu_of(n) + 1, true);
}

static int
mask_it(struct pbuf *b, const struct pnode *n)
{
	return show_cpus(b, cpu_of(n), cpu_of(n) + 1, false);
}

static int
number(struct pbuf *b, uint64_t v)
{
	pb_printf(b, "%llu\n", (unsigned long long)v);
	return 0;
}

static int zero(struct pbuf *b, const struct pnode *n) { (void)n; return number(b, 0); }
static int core_id(struct pbuf *b, const struct pnode *n) { return number(b, cpu_of(n)); }
static int kernel_max(struct pbuf *b, const struct pnode *n) { (void)n; return number(b, CPU_MAX - 1); }

static int
smt_control(struct pbuf *b, const struct pnode *n)
{
	(void)n;
	pb_printf(b, "notsupported\n");
	return 0;
}

#define FILE(name, text)	{ name, PK_FILE, 0444, text, NULL, NULL, NULL }
#define DIR(name, children)	{ name, PK_DIR, 0555, NULL, NULL, NULL, children }
#define DISKS(name, kind)	{ name, kind, 0555, NULL, NULL, NULL, NULL }
#define END			{ NULL, PK_FILE, 0, NULL, NULL, NULL, NULL }

static const struct pentry nothing[] = { END };

static const struct pentry topology_table[] = {
	FILE("core_cpus", mask_it), FILE("core_cpus_list", list_it), FILE("core_id", core_id),
	FILE("core_siblings", mask_all), FILE("core_siblings_list", list_all),
	FILE("die_cpus", mask_all), FILE("die_cpus_list", list_all), FILE("die_id", zero),
	FILE("package_cpus", mask_all), FILE("package_cpus_list", list_all),
	FILE("physical_package_id", zero),
	FILE("thread_siblings", mask_it), FILE("thread_siblings_list", list_it), END
};

const struct pentry sysfs_cpu_table[] = { DIR("topology", topology_table), END };

static const struct pentry smt_table[] = { FILE("active", zero), FILE("control", smt_control), END };

static const struct pentry cpus_table[] = {
	FILE("isolated", list_none), FILE("kernel_max", kernel_max), FILE("offline", list_none),
	FILE("online", list_all), FILE("possible", list_all), FILE("present", list_all),
	DIR("smt", smt_table), END
};

/* -------------------------------------------------------------- one node -- */

static int distance(struct pbuf *b, const struct pnode *n) { (void)n; return number(b, 10); }

static int
node_meminfo(struct pbuf *b, const struct pnode *n)
{
	const uint64_t k = PAGE_BYTES / 1024;
	struct page_stats s;

	(void)n;
	page_stats(&s);
	const struct { const char *name; uint64_t pages; } row[] = {
		{ "MemTotal:", s.total }, { "MemFree:", s.free }, { "MemUsed:", s.total - s.free },
		{ "FilePages:", s.cache }, { "AnonPages:", s.anon }, { "Shmem:", s.shmem },
		{ "Slab:", s.kernel }, { "SUnreclaim:", s.kernel },
	};
	for (size_t i = 0; i < countof(row); i++)
		pb_printf(b, "Node 0 %-15s %8llu kB\n", row[i].name, (unsigned long long)(row[i].pages * k));
	return 0;
}

static const struct pentry node0_table[] = {
	FILE("cpulist", list_all), FILE("cpumap", mask_all), FILE("distance", distance),
	DIR("hugepages", nothing), FILE("meminfo", node_meminfo), END
};

static const struct pentry nodes_table[] = {
	FILE("has_cpu", zero), FILE("has_memory", zero), FILE("has_normal_memory", zero),
	DIR("node0", node0_table), FILE("online", zero), FILE("possible", zero), END
};

/* ---------------------------------------------------------------- kernel -- */

/* Large anonymous mappings get large pages unasked, other memory never does. */
static int
thp_enabled(struct pbuf *b, const struct pnode *n)
{
	(void)n;
	pb_printf(b, "[always] madvise never\n");
	return 0;
}

static int
thp_shmem(struct pbuf *b, const struct pnode *n)
{
	(void)n;
	pb_printf(b, "always within_size advise [never] deny force\n");
	return 0;
}

static int thp_size(struct pbuf *b, const struct pnode *n) { (void)n; return number(b, 2u << 20); }

static const struct pentry thp_table[] = {
	FILE("enabled", thp_enabled), FILE("hpage_pmd_size", thp_size), FILE("shmem_enabled", thp_shmem), END
};

static const struct pentry mm_table[] = {
	DIR("hugepages", nothing), DIR("transparent_hugepage", thp_table), END
};
static const struct pentry kernel_table[] = { DIR("mm", mm_table), END };

/* ------------------------------------------------------------------ root -- */

static const struct pentry class_table[] = {
	DISKS("block", PK_DISK_NAMES), DIR("net", nothing), DIR("thermal", nothing), END
};
static const struct pentry dev_table[] = { DISKS("block", PK_DISK_NUMBERS), DIR("char", nothing), END };
static const struct pentry system_table[] = {
	{ "cpu", PK_CPUS, 0555, NULL, NULL, NULL, cpus_table }, DIR("node", nodes_table), END
};
static const struct pentry devices_table[] = { DIR("system", system_table), DIR("virtual", nothing), END };
static const struct pentry fs_table[] = { DIR("cgroup", nothing), END };

static const struct pentry root_table[] = {
	DISKS("block", PK_DISKS), DIR("bus", nothing), DIR("class", class_table), DIR("dev", dev_table),
	DIR("devices", devices_table), DIR("firmware", nothing), DIR("fs", fs_table),
	DIR("kernel", kernel_table), DIR("module", nothing), DIR("power", nothing), END
};

static int
sysfs_mount(struct mount *mp, const char *source, const char *options)
{
	static const struct pentry root = DIR("", root_table);

	(void)source;
	(void)options;
	return ptree_mount(mp, &root);
}

static int
sysfs_statfs(struct mount *mp, struct statfs_info *out)
{
	(void)mp;
	return ptree_statfs(out, SYSFS_MAGIC);
}

static const struct fs_ops sysfs_fs = {
	.fs_name = "sysfs",
	.fs_flags = FS_NOCACHE | FS_NODEV,
	.fs_mount = sysfs_mount,
	.fs_statfs = sysfs_statfs,
};

/* A root that cannot be written to need not have a place for it. */
int
sysfs_init(void)
{
	int error;

	fs_register(&sysfs_fs);
	error = vfs_mount_boot("sysfs", "sys");
	return error == EROFS ? 0 : error;
}
