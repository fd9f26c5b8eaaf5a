/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * procfs_root - /proc itself: the system as a whole, and its settings below
 * /proc/sys.
 *
 * What this kernel does not have (swap, disks, network interfaces) shows as
 * the empty tables that programs expect, never as invented figures.  The load
 * is the share of CPU time used, averaged as usual over 1, 5 and 15 minutes,
 * and worked out when somebody asks: nothing ticks for it.
 *
 * Locking: load_lk for the averages.
 */
#include "procfs_int.h"

#include <abi/errno.h>
#include <abi/utsname.h>
#include <core/rt/rt.h>
#include <drv/intr.h>
#include <machine/boot.h>
#include <machine/cpu.h>
#include <sys/file/procfs.h>
#include <sys/proc/uts.h>
#include <sys/vm/kmem.h>
#include <sys/vm/page.h>

#define TICK_NS		(NSEC_PER_SEC / 100)
#define LOAD_STEP_NS	(5 * NSEC_PER_SEC)
#define LOAD_ONE	2048u		/* fixed point */

static struct lk load_lk;
static bool load_started;		/* [load_lk] */
static uint64_t load[3];		/* [load_lk] times LOAD_ONE */
static nsec_t load_at, load_busy;	/* [load_lk] when they were worked out, CPU time used then */

static nsec_t
uptime(void)
{
	return time_now() - time_boot();
}

static void
cpu_times(uint32_t first, uint32_t last, nsec_t *user, nsec_t *sys, uint64_t *switches)
{
	*user = *sys = 0;
	*switches = 0;
	for (uint32_t i = first; i < last; i++) {
		struct cpu *c = cpu_find(i);

		*user += (nsec_t)figure(&c->c_user_ns);
		*sys += (nsec_t)figure(&c->c_sys_ns);
		*switches += (uint64_t)figure(&c->c_switches);
	}
}

/* Five seconds at a time: what is old fades, what was busy in between comes in. */
static void
load_update(void)
{
	static const uint64_t fade[3] = { 1884, 2014, 2037 };
	nsec_t now = time_now(), user, sys, share;
	uint64_t steps, switches;

	cpu_times(0, cpu_count, &user, &sys, &switches);
	if (!load_started) {
		load_started = true;
		load_at = now;
		load_busy = user + sys;
		return;
	}
	steps = (now - load_at) / LOAD_STEP_NS;
	if (steps == 0)
		return;
	share = (user + sys - rt_min(load_busy, user + sys)) * LOAD_ONE / (steps * LOAD_STEP_NS);
	for (uint64_t s = 0; s < rt_min(steps, 2000); s++) {
		for (int i = 0; i < 3; i++)
			load[i] = (load[i] * fade[i] + share * (LOAD_ONE - fade[i])) / LOAD_ONE;
	}
	load_at += steps * LOAD_STEP_NS;
	load_busy = user + sys;
}

void
procfs_load(uint64_t out[3])
{
	lk_excl(&load_lk);
	load_update();
	for (int i = 0; i < 3; i++)
		out[i] = load[i] * (65536 / LOAD_ONE);
	lk_release(&load_lk);
}

struct tally { uint32_t running, blocked, threads; };

static int
tally_one(struct proc *p, void *arg)
{
	struct tally *t = arg;

	spin_lock(&p->p_sig);
	list_foreach(l, &p->p_lwps, struct lwp, l_link) {
		t->threads++;
		if (l->l_thread == NULL)
			continue;
		if (td_state(l->l_thread) != TD_SLEEPING || l->l_us.waiting || l->l_us.queued)
			t->running++;
		else if ((td_flags(l->l_thread) & TDF_INTERRUPTIBLE) == 0)
			t->blocked++;
	}
	spin_unlock(&p->p_sig);
	return 0;
}

static int
text_loadavg(struct pbuf *b, const struct pnode *n)
{
	struct tally t = { 0, 0, 0 };
	uint64_t l[3];

	(void)n;
	procfs_load(l);
	(void)proc_foreach(tally_one, &t);
	for (int i = 0; i < 3; i++)
		pb_printf(b, "%llu.%02llu ", (unsigned long long)(l[i] >> 16),
		    (unsigned long long)((l[i] & 0xffff) * 100 >> 16));
	pb_printf(b, "%u/%u %d\n", t.running, t.threads, proc_last_pid());
	return 0;
}

static nsec_t
idle_of(uint32_t ncpu, nsec_t user, nsec_t sys)
{
	nsec_t all = uptime() * ncpu;

	return all > user + sys ? all - user - sys : 0;
}

static int
text_uptime(struct pbuf *b, const struct pnode *n)
{
	nsec_t user, sys, up = uptime(), idle;
	uint64_t sw;

	(void)n;
	cpu_times(0, cpu_count, &user, &sys, &sw);
	idle = idle_of(cpu_count, user, sys);
	pb_printf(b, "%llu.%02llu %llu.%02llu\n", (unsigned long long)(up / NSEC_PER_SEC),
	    (unsigned long long)(up / TICK_NS % 100), (unsigned long long)(idle / NSEC_PER_SEC),
	    (unsigned long long)(idle / TICK_NS % 100));
	return 0;
}

static void
stat_cpu(struct pbuf *b, const char *name, uint32_t first, uint32_t last)
{
	nsec_t user, sys;
	uint64_t sw;

	cpu_times(first, last, &user, &sys, &sw);
	pb_printf(b, "%s %llu 0 %llu %llu 0 0 0 0 0 0\n", name, (unsigned long long)(user / TICK_NS),
	    (unsigned long long)(sys / TICK_NS), (unsigned long long)(idle_of(last - first, user,
	    sys) / TICK_NS));
}

static int
text_stat(struct pbuf *b, const struct pnode *n)
{
	struct tally t = { 0, 0, 0 };
	nsec_t user, sys;
	uint64_t switches;
	char name[16];

	(void)n;
	stat_cpu(b, "cpu ", 0, cpu_count);
	for (uint32_t i = 0; i < cpu_count; i++) {
		rt_snprintf(name, sizeof name, "cpu%u", i);
		stat_cpu(b, name, i, i + 1);
	}
	(void)proc_foreach(tally_one, &t);
	cpu_times(0, cpu_count, &user, &sys, &switches);
	pb_printf(b, "intr 0\nctxt %llu\nbtime %llu\nprocesses %d\nprocs_running %u\nprocs_blocked %u\n",
	    (unsigned long long)switches, (unsigned long long)((time_wall() - uptime()) / NSEC_PER_SEC),
	    proc_last_pid(),
	    t.running, t.blocked);
	return 0;
}

/* What the spaces of all processes have, in pages. */
struct spaces { uint64_t locked, tables, promised; };

static int
space_add(struct proc *p, void *arg)
{
	struct spaces *all = arg;
	struct vmspace *vs = procfs_space_of(p);
	struct vm_usage u;

	if (vs == NULL)
		return 0;
	vm_usage(vs, &u);
	vmspace_drop(vs);
	all->locked += u.locked;
	all->tables += u.tables;
	all->promised += u.data + u.stack;
	return 0;
}

/*
 * Nothing says how long ago a page was used, so anonymous pages count as active and the others do not.
 * Written pages of the host's files are not counted apart.
 */
static int
text_meminfo(struct pbuf *b, const struct pnode *n)
{
	const uint64_t k = PAGE_BYTES / 1024;
	struct spaces all = { 0, 0, 0 };
	struct page_stats s;

	(void)n;
	(void)proc_foreach_any(space_add, &all);
	page_stats(&s);
	const struct { const char *name; uint64_t pages; } row[] = {
		{ "MemTotal:", s.total }, { "MemFree:", s.free },
		{ "MemAvailable:", s.free + s.cache - s.shmem }, { "Buffers:", 0 }, { "Cached:", s.cache },
		{ "SwapCached:", 0 }, { "Active:", s.anon }, { "Inactive:", s.cache },
		{ "Active(anon):", s.anon }, { "Inactive(anon):", s.shmem }, { "Active(file):", 0 },
		{ "Inactive(file):", s.cache - s.shmem }, { "Unevictable:", all.locked },
		{ "Mlocked:", all.locked }, { "SwapTotal:", 0 }, { "SwapFree:", 0 }, { "Dirty:", 0 },
		{ "Writeback:", 0 }, { "AnonPages:", s.anon }, { "Mapped:", 0 }, { "Shmem:", s.shmem },
		{ "KReclaimable:", 0 }, { "Slab:", s.kernel - rt_min(s.kernel, all.tables) },
		{ "SReclaimable:", 0 }, { "SUnreclaim:", s.kernel - rt_min(s.kernel, all.tables) },
		{ "PageTables:", all.tables }, { "CommitLimit:", s.total },
		{ "Committed_AS:", all.promised + s.shmem },
	};
	for (size_t i = 0; i < countof(row); i++)
		pb_printf(b, "%-15s %8llu kB\n", row[i].name, (unsigned long long)(row[i].pages * k));
	pb_printf(b, "HugePages_Total:       0\nHugePages_Free:        0\nHugePages_Rsvd:        0\n"
	    "HugePages_Surp:        0\nHugepagesize:       2048 kB\nHugetlb:               0 kB\n");
	return 0;
}

static int
text_vmstat(struct pbuf *b, const struct pnode *n)
{
	struct spaces all = { 0, 0, 0 };
	struct page_stats s;
	uint64_t faults = 0;

	(void)n;
	(void)proc_foreach_any(space_add, &all);
	page_stats(&s);
	for (uint32_t i = 0; i < cpu_count; i++)
		faults += (uint64_t)figure(&cpu_find(i)->c_faults);
	const struct { const char *name; uint64_t value; } row[] = {
		{ "nr_free_pages", s.free }, { "nr_mlock", all.locked }, { "nr_anon_pages", s.anon },
		{ "nr_file_pages", s.cache }, { "nr_shmem", s.shmem }, { "nr_page_table_pages", all.tables },
		{ "pgpgin", 0 }, { "pgpgout", 0 }, { "pswpin", 0 }, { "pswpout", 0 }, { "pgfault", faults },
		{ "pgmajfault", 0 }, { "oom_kill", proc_oom_kills() },
	};
	for (size_t i = 0; i < countof(row); i++)
		pb_printf(b, "%s %llu\n", row[i].name, (unsigned long long)row[i].value);
	return 0;
}

/* Linux's table, of our sizes; what cannot be tuned is 0. */
static int
text_slabinfo(struct pbuf *b, const struct pnode *n)
{
	uint64_t used;
	size_t size;

	(void)n;
	pb_printf(b, "slabinfo - version: 2.1\n# name            <active_objs> <num_objs> <objsize> "
	    "<objperslab> <pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : slabdata "
	    "<active_slabs> <num_slabs> <sharedavail>\n");
	for (uint32_t k = 0; kmem_stats(k, &size, &used); k++)
		pb_printf(b, "kmalloc-%-9zu %6llu %6llu %6zu %4zu 1 : tunables 0 0 0 : slabdata 0 0 0\n",
		    size, (unsigned long long)used, (unsigned long long)used, size,
		    (size_t)PAGE_BYTES / size);
	return 0;
}

static int
text_cpuinfo(struct pbuf *b, const struct pnode *n)
{
	(void)n;
	for (uint32_t i = 0; i < cpu_count; i++)
		pb_printf(b,
		    "processor\t: %u\nmodel name\t: Damselfly CPU\nphysical id\t: 0\n"
		    "siblings\t: %u\ncore id\t\t: %u\n"
		    "cpu cores\t: %u\n\n", i, cpu_count, i, cpu_count);
	return 0;
}

static int
text_version(struct pbuf *b, const struct pnode *n)
{
	struct k_utsname u;

	(void)n;
	uts_get(&u);
	pb_printf(b, "%s version %s %s\n", u.sysname, u.release, u.version);
	return 0;
}

static void
one_filesystem(const struct fs_ops *fs, void *arg)
{
	pb_printf(arg, "%s\t%s\n", (fs->fs_flags & FS_NODEV) != 0 ? "nodev" : "", fs->fs_name);
}

static int
text_filesystems(struct pbuf *b, const struct pnode *n)
{
	(void)n;
	fs_foreach(one_filesystem, b);
	return 0;
}

/* The words after the program's own options: what the kernel was started with. */
static int
text_cmdline(struct pbuf *b, const struct pnode *n)
{
	(void)n;
	pb_printf(b, "%s\n", md_boot()->b_append != NULL ? md_boot()->b_append : "");
	return 0;
}

static int text_none(struct pbuf *b, const struct pnode *n) { (void)b; (void)n; return 0; }

static int
text_devices(struct pbuf *b, const struct pnode *n)
{
	(void)n;
	pb_printf(b,
	    "Character devices:\n  1 mem\n  4 tty\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n136 pts\n\n"
	    "Block devices:\n  1 ramdisk\n  8 sd\n259 blkext\n");
	return 0;
}

static int
text_swaps(struct pbuf *b, const struct pnode *n)
{
	(void)n;
	pb_printf(b, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
	return 0;
}

static int
text_interrupts(struct pbuf *b, const struct pnode *n)
{
	uint32_t line = 0;

	(void)n;
	pb_printf(b, "     ");
	for (uint32_t i = 0; i < cpu_count; i++)
		pb_printf(b, "      CPU%-2u", i);
	pb_printf(b, "\n");
	for (const struct intr_count *ic = intr_counts(); ic != NULL; ic = ic->ic_next) {
		pb_printf(b, "%4u:", line++);
		for (uint32_t i = 0; i < cpu_count; i++)
			pb_printf(b, " %10llu", i == ic->ic_cpu ? (unsigned long long)ic->ic_count : 0);
		pb_printf(b, "  %s\n", ic->ic_name);
	}
	return 0;
}

static int
text_self(struct pbuf *b, const struct pnode *n)
{
	(void)n;
	if (curthread->td_lwp == NULL)
		return ENOENT;
	pb_printf(b, "%d", curproc->p_pid);
	return 0;
}

static int
text_thread_self(struct pbuf *b, const struct pnode *n)
{
	(void)n;
	if (curthread->td_lwp == NULL)
		return ENOENT;
	pb_printf(b, "%d/task/%d", curproc->p_pid, curlwp->l_tid);
	return 0;
}

static int
text_link_mounts(struct pbuf *b, const struct pnode *n)
{
	(void)n;
	pb_printf(b, "self/mounts");
	return 0;
}

static int
text_link_net(struct pbuf *b, const struct pnode *n)
{
	(void)n;
	pb_printf(b, "self/net");
	return 0;
}

/* -------------------------------------------------------------------- net -- */

static int
text_net_dev(struct pbuf *b, const struct pnode *n)
{
	(void)n;
	pb_printf(b, "Inter-|   Receive                                                |  Transmit\n"
	    " face |bytes    packets errs drop fifo frame compressed multicast|"
	    "bytes    packets errs drop fifo colls "
	    "carrier compressed\n");
	return 0;
}

static int
text_net_route(struct pbuf *b, const struct pnode *n)
{
	(void)n;
	pb_printf(b, "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n");
	return 0;
}

static int
text_net_sockets(struct pbuf *b, const struct pnode *n)
{
	(void)n;
	pb_printf(b,
	    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   "
	    "uid  timeout inode\n");
	return 0;
}

static procfs_unix_fn net_unix;		/* const after boot */

void
procfs_set_net_unix(procfs_unix_fn fn)
{
	net_unix = fn;
}

static void
add_line(void *b, const char *text)
{
	pb_printf(b, "%s", text);
}

static int
text_net_unix(struct pbuf *b, const struct pnode *n)
{
	(void)n;
	pb_printf(b, "Num       RefCount Protocol Flags    Type St Inode Path\n");
	if (net_unix != NULL)
		net_unix(add_line, b);
	return 0;
}

const struct pentry procfs_net_table[] = {
	{ "dev", PK_FILE, 0444, text_net_dev, NULL, NULL, NULL },
	{ "raw", PK_FILE, 0444, text_net_sockets, NULL, NULL, NULL },
	{ "route", PK_FILE, 0444, text_net_route, NULL, NULL, NULL },
	{ "tcp", PK_FILE, 0444, text_net_sockets, NULL, NULL, NULL },
	{ "udp", PK_FILE, 0444, text_net_sockets, NULL, NULL, NULL },
	{ "unix", PK_FILE, 0444, text_net_unix, NULL, NULL, NULL },
	{ NULL, PK_FILE, 0, NULL, NULL, NULL, NULL },
};

/* -------------------------------------------------------------------- sys -- */

static int
uts_text(struct pbuf *b, size_t field)
{
	struct k_utsname u;

	uts_get(&u);
	pb_printf(b, "%s\n", (const char *)&u + field);
	return 0;
}

static int
text_ostype(struct pbuf *b, const struct pnode *n)
{
	(void)n;
	return uts_text(b, offsetof(struct k_utsname, sysname));
}
static int
text_host(struct pbuf *b, const struct pnode *n)
{
	(void)n;
	return uts_text(b, offsetof(struct k_utsname, nodename));
}
static int
text_release(struct pbuf *b, const struct pnode *n)
{
	(void)n;
	return uts_text(b, offsetof(struct k_utsname, release));
}
static int
text_uversion(struct pbuf *b, const struct pnode *n)
{
	(void)n;
	return uts_text(b, offsetof(struct k_utsname, version));
}
static int
text_domain(struct pbuf *b, const struct pnode *n)
{
	(void)n;
	return uts_text(b, offsetof(struct k_utsname, domainname));
}

static int
write_host(const struct pnode *n, const char *text, size_t len)
{
	(void)n;
	return cred_capable(vfs_cred(), CAP_SYS_ADMIN) ? uts_set(text, (uint32_t)len, 0) : EPERM;
}

static int
write_domain(const struct pnode *n, const char *text, size_t len)
{
	(void)n;
	return cred_capable(vfs_cred(), CAP_SYS_ADMIN) ? uts_set(text, (uint32_t)len, 1) : EPERM;
}

static int text_pid_max(struct pbuf *b, const struct pnode *n) { (void)n; pb_printf(b, "32768\n"); return 0; }
static int
text_threads_max(struct pbuf *b, const struct pnode *n)
{
	(void)n;
	pb_printf(b, "%u\n", proc_max);
	return 0;
}
static int text_zero(struct pbuf *b, const struct pnode *n) { (void)n; pb_printf(b, "0\n"); return 0; }
static int text_entropy(struct pbuf *b, const struct pnode *n) { (void)n; pb_printf(b, "256\n"); return 0; }
static int
text_overflow(struct pbuf *b, const struct pnode *n)
{
	(void)n;
	pb_printf(b, "65534\n");
	return 0;
}
static int
text_ngroups(struct pbuf *b, const struct pnode *n)
{
	(void)n;
	pb_printf(b, "%d\n", NGROUPS_MAX);
	return 0;
}
static int
text_last_cap(struct pbuf *b, const struct pnode *n)
{
	(void)n;
	pb_printf(b, "%d\n", CAP_LAST);
	return 0;
}

static void
pb_uuid(struct pbuf *b, const uint8_t *u)
{
	for (int i = 0; i < 16; i++) {
		uint8_t v = i == 6 ? (uint8_t)((u[i] & 0x0f) | 0x40) : i == 8 ?
		    (uint8_t)((u[i] & 0x3f) | 0x80) : u[i];

		pb_printf(b, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", v);
	}
	pb_printf(b, "\n");
}

static int
text_uuid(struct pbuf *b, const struct pnode *n)
{
	uint8_t u[16];

	(void)n;
	md_entropy(u, sizeof u);
	pb_uuid(b, u);
	return 0;
}

static uint8_t boot_id[16];		/* const after procfs_root_init */

static int text_boot_id(struct pbuf *b, const struct pnode *n) { (void)n; pb_uuid(b, boot_id); return 0; }

static const struct pentry random_table[] = {
	{ "boot_id", PK_FILE, 0444, text_boot_id, NULL, NULL, NULL },
	{ "entropy_avail", PK_FILE, 0444, text_entropy, NULL, NULL, NULL },
	{ "poolsize", PK_FILE, 0444, text_entropy, NULL, NULL, NULL },
	{ "uuid", PK_FILE, 0444, text_uuid, NULL, NULL, NULL },
	{ NULL, PK_FILE, 0, NULL, NULL, NULL, NULL },
};

static const struct pentry kernel_table[] = {
	{ "cap_last_cap", PK_FILE, 0444, text_last_cap, NULL, NULL, NULL },
	{ "domainname", PK_FILE, 0644, text_domain, NULL, write_domain, NULL },
	{ "hostname", PK_FILE, 0644, text_host, NULL, write_host, NULL },
	{ "msgmax", PK_FILE, 0644, procfs_ipc_limit, NULL, procfs_set_ipc_limit, NULL },
	{ "msgmnb", PK_FILE, 0644, procfs_ipc_limit, NULL, procfs_set_ipc_limit, NULL },
	{ "msgmni", PK_FILE, 0644, procfs_ipc_limit, NULL, procfs_set_ipc_limit, NULL },
	{ "ngroups_max", PK_FILE, 0444, text_ngroups, NULL, NULL, NULL },
	{ "osrelease", PK_FILE, 0444, text_release, NULL, NULL, NULL },
	{ "ostype", PK_FILE, 0444, text_ostype, NULL, NULL, NULL },
	{ "overflowgid", PK_FILE, 0444, text_overflow, NULL, NULL, NULL },
	{ "overflowuid", PK_FILE, 0444, text_overflow, NULL, NULL, NULL },
	{ "pid_max", PK_FILE, 0444, text_pid_max, NULL, NULL, NULL },
	{ "random", PK_DIR, 0555, NULL, NULL, NULL, random_table },
	{ "sem", PK_FILE, 0444, procfs_sem_limits, NULL, NULL, NULL },
	{ "shmall", PK_FILE, 0644, procfs_ipc_limit, NULL, procfs_set_ipc_limit, NULL },
	{ "shmmax", PK_FILE, 0644, procfs_ipc_limit, NULL, procfs_set_ipc_limit, NULL },
	{ "shmmni", PK_FILE, 0644, procfs_ipc_limit, NULL, procfs_set_ipc_limit, NULL },
	{ "threads-max", PK_FILE, 0444, text_threads_max, NULL, NULL, NULL },
	{ "version", PK_FILE, 0444, text_uversion, NULL, NULL, NULL },
	{ NULL, PK_FILE, 0, NULL, NULL, NULL, NULL },
};

static const struct pentry vm_table[] = {
	{ "overcommit_memory", PK_FILE, 0444, text_zero, NULL, NULL, NULL },
	{ "swappiness", PK_FILE, 0444, text_zero, NULL, NULL, NULL },
	{ NULL, PK_FILE, 0, NULL, NULL, NULL, NULL },
};

static const struct pentry sys_table[] = {
	{ "fs", PK_DIR, 0555, NULL, NULL, NULL, procfs_fs_table },
	{ "kernel", PK_DIR, 0555, NULL, NULL, NULL, kernel_table },
	{ "vm", PK_DIR, 0555, NULL, NULL, NULL, vm_table },
	{ NULL, PK_FILE, 0, NULL, NULL, NULL, NULL },
};

const struct pentry procfs_root_table[] = {
	{ "cmdline", PK_FILE, 0444, text_cmdline, NULL, NULL, NULL },
	{ "cpuinfo", PK_FILE, 0444, text_cpuinfo, NULL, NULL, NULL },
	{ "devices", PK_FILE, 0444, text_devices, NULL, NULL, NULL },
	{ "diskstats", PK_FILE, 0444, text_none, NULL, NULL, NULL },
	{ "filesystems", PK_FILE, 0444, text_filesystems, NULL, NULL, NULL },
	{ "interrupts", PK_FILE, 0444, text_interrupts, NULL, NULL, NULL },
	{ "loadavg", PK_FILE, 0444, text_loadavg, NULL, NULL, NULL },
	{ "meminfo", PK_FILE, 0444, text_meminfo, NULL, NULL, NULL },
	{ "mounts", PK_LINK, 0777, text_link_mounts, NULL, NULL, NULL },
	{ "net", PK_LINK, 0777, text_link_net, NULL, NULL, NULL },
	{ "partitions", PK_FILE, 0444, procfs_partitions, NULL, NULL, NULL },
	{ "self", PK_LINK, 0777, text_self, NULL, NULL, NULL },
	{ "slabinfo", PK_FILE, 0400, text_slabinfo, NULL, NULL, NULL },
	{ "stat", PK_FILE, 0444, text_stat, NULL, NULL, NULL },
	{ "swaps", PK_FILE, 0444, text_swaps, NULL, NULL, NULL },
	{ "sys", PK_DIR, 0555, NULL, NULL, NULL, sys_table },
	{ "sysvipc", PK_DIR, 0555, NULL, NULL, NULL, procfs_sysvipc_table },
	{ "thread-self", PK_LINK, 0777, text_thread_self, NULL, NULL, NULL },
	{ "uptime", PK_FILE, 0444, text_uptime, NULL, NULL, NULL },
	{ "version", PK_FILE, 0444, text_version, NULL, NULL, NULL },
	{ "vmstat", PK_FILE, 0444, text_vmstat, NULL, NULL, NULL },
	{ NULL, PK_FILE, 0, NULL, NULL, NULL, NULL },
};

void
procfs_root_init(void)
{
	lk_init(&load_lk, LR_procfs_load);
	md_entropy(boot_id, sizeof boot_id);
}
