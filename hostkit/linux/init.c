/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * init - make the machine, and take it apart
 *
 * The parts are a list: each has a function that makes it or leaves nothing,
 * and one that takes it away.  Making stops at the first part that fails and
 * takes the ones before it away in reverse, so a failure on any path leaves
 * the process as it was.
 *
 * What this library needs of a host is checked before the first part is made,
 * and each need has a line of text of its own: "not supported" helps nobody.
 *
 * Locking: none; hk_init() and hk_fini() are called with no other thread of
 * the machine alive.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>

#include "host.h"

#ifndef HWCAP2_FSGSBASE
#define HWCAP2_FSGSBASE	(1u << 1)
#endif

#define MAP_COUNT_MIN	4096u	/* below it, invalidating one space could meet the host's limit */
#define MAP_COUNT_USUAL	65530u	/* Linux's own default: assumed when /proc is not there to say */
#define BUDGET_MAX	8192u	/* forgetting everything of one space takes about 10 ms at this size */
#define BUDGET_MIN	64u
#define POOL_LOW	1u
#define POOL_HIGH	64u

struct hk_machine hk_m = { .m_ram_fd = -1, .m_ctl_fd = -1 };
static bool made;		/* main thread */

/* --------------------------------------------------------------- needs -- */

/* The first number in a small file of /proc, or `otherwise`. */
static uint64_t
read_number(const char *path, uint64_t otherwise)
{
	char text[32];
	uint64_t value = 0;
	long fd, got;

	fd = HK_SYS3(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return otherwise;
	got = HK_SYS3(SYS_read, fd, text, sizeof(text));
	HK_SYS1(SYS_close, fd);
	if (got <= 0 || text[0] < '0' || text[0] > '9')
		return otherwise;
	for (long i = 0; i < got && text[i] >= '0' && text[i] <= '9'; i++)
		value = value * 10 + (uint64_t)(text[i] - '0');
	return value;
}

static hk_result
check_host(uint64_t *map_count)
{
	long r;

	/* A filter at address 0 cannot be read; a host that gets as far as trying knows filters. */
	r = HK_SYS3(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL);
	if (r != -EFAULT)
		return hk_fail(HK_UNSUPPORTED, "this host has no seccomp filters (or forbids them)");
	r = HK_SYS2(SYS_memfd_create, "hk-probe", 0);
	if (r < 0)
		return hk_fail(r == -EMFILE || r == -ENFILE || r == -ENOMEM ? HK_NOMEM : HK_UNSUPPORTED,
		    r == -EMFILE || r == -ENFILE ? "no file descriptor is free" : "this host has no memfd_create()");
	HK_SYS1(SYS_close, r);
	*map_count = read_number("/proc/sys/vm/max_map_count", MAP_COUNT_USUAL);
	if (*map_count < MAP_COUNT_MIN)
		return hk_fail(HK_UNSUPPORTED, "vm.max_map_count is %llu on this host: at least %u is needed",
		    (unsigned long long)*map_count, MAP_COUNT_MIN);
	return HK_OK;
}

static hk_result
check_config(const struct hk_config *cfg)
{
	const uint32_t known = HK_F_SPIN | HK_F_NO_HUGE | HK_F_NO_PLACE | HK_F_TRAP_TSC | HK_F_STAY;

	if (made)
		return hk_fail(HK_INVAL, "there is one machine per process and it exists already");
	if (cfg->ncpu < 1 || cfg->ncpu > HK_CPU_MAX)
		return hk_fail(HK_INVAL, "%u CPUs: 1 to %d are possible", cfg->ncpu, HK_CPU_MAX);
	if ((cfg->flags & ~known) != 0)
		return hk_fail(HK_INVAL, "unknown flags %#x", cfg->flags & ~known);
	if (cfg->ram_bytes == 0 || cfg->ram_bytes % HK_BLOCK != 0 || cfg->ram_bytes > 1ull << 46)
		return hk_fail(HK_INVAL, "RAM must be a multiple of %u bytes, and less than 64 TiB", HK_BLOCK);
	if (cfg->ram_base % HK_BLOCK != 0 || cfg->ram_base >= 1ull << 47 ||
	    cfg->ram_bytes > (1ull << 47) - cfg->ram_base)
		return hk_fail(HK_INVAL, "RAM cannot be at %#llx", (unsigned long long)cfg->ram_base);
	if (cfg->pool_high != 0 && cfg->pool_low > cfg->pool_high)
		return hk_fail(HK_INVAL, "the pool's low mark is above its high mark");
	return HK_OK;
}

static void
adopt(const struct hk_config *cfg, uint64_t map_count)
{
	uint64_t cap = map_count / 2;	/* the other half: no invalidation can reach the host's limit */
	uint32_t budget = cfg->map_budget;

	hk_m.m_ncpu = cfg->ncpu;
	hk_m.m_flags = cfg->flags;
	atomic_store_explicit(&hk_m.m_each_fault, false, memory_order_relaxed);
	hk_m.m_pool_low = cfg->pool_low != 0 ? cfg->pool_low : POOL_LOW;
	hk_m.m_pool_high = cfg->pool_high != 0 ? cfg->pool_high : POOL_HIGH;
	if (hk_m.m_pool_high < hk_m.m_pool_low)
		hk_m.m_pool_high = hk_m.m_pool_low;
	cap = cap < BUDGET_MAX ? cap : BUDGET_MAX;
	if (budget == 0 || budget > cap)
		budget = (uint32_t)cap;
	hk_m.m_map_budget = budget < BUDGET_MIN ? BUDGET_MIN : budget;
	hk_m.m_pid = (int32_t)HK_SYS0(SYS_getpid);
}

/* -------------------------------------------------------------- making -- */

static void
undo(unsigned int parts)
{
	static void (*const fini[])(void) = {
		hk_streams_fini, hk_ram_fini, hk_serve_fini, hk_cpus_fini, hk_spaces_fini,
	};

	while (parts > 0)
		fini[--parts]();
}

/*
 * The first stub did not come to life.  Stubs need FSGSBASE; whether it is
 * there is asked only now, because a debugger that interprets this process
 * hides it here while stubs, which run natively, have it.
 */
static hk_result
explain(hk_result r)
{
	if ((getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE) == 0)
		return hk_fail(HK_UNSUPPORTED, "this host does not let programs set FS and GS bases (FSGSBASE)");
	return r;
}

hk_result
hk_init(const struct hk_config *cfg)
{
	uint64_t map_count = 0;
	hk_result r;

	r = check_config(cfg);
	if (r != HK_OK)
		return r;
	r = check_host(&map_count);
	if (r != HK_OK)
		return r;
	adopt(cfg, map_count);
	r = hk_place_init(cfg->host_cpus);
	if (r != HK_OK)
		return r;

	/* Streams first: a closed standard stream must be occupied before any descriptor of ours is made. */
	r = hk_streams_init();
	if (r != HK_OK)
		return r;
	r = hk_ram_init(cfg->ram_base, cfg->ram_bytes);
	if (r != HK_OK) {
		undo(1);
		return r;
	}
	r = hk_serve_init();
	if (r != HK_OK) {
		undo(2);
		return r;
	}
	hk_cpus_init();
	r = hk_spaces_init();
	if (r != HK_OK) {
		undo(4);
		return explain(r);
	}
	made = true;
	return HK_OK;
}

void
hk_fini(void)
{
	ASSERT(made);
	hk_cpus_fini();
	hk_files_fini();
	hk_spaces_fini();
	hk_serve_fini();
	hk_ram_fini();
	hk_streams_fini();
	made = false;
}

/* ------------------------------------------------------- small services -- */

void
hk_entropy(void *buf, size_t len)
{
	uint8_t *p = buf;

	while (len > 0) {
		long got = HK_SYS3(SYS_getrandom, p, len < 256 ? len : 256, 0);

		if (got == -EINTR)
			continue;
		ASSERT(got > 0);	/* with these arguments the host has no reason to refuse */
		p += got;
		len -= (size_t)got;
	}
}

void
hk_stats(struct hk_stats *out)
{
	*out = (struct hk_stats) {
		.spaces_made = atomic_load(&hk_m.n_made),
		.spaces_recycled = atomic_load(&hk_m.n_recycled),
		.spaces_killed = atomic_load(&hk_m.n_killed),
		.maps = atomic_load(&hk_m.n_maps),
		.unmaps = atomic_load(&hk_m.n_unmaps),
		.protects = atomic_load(&hk_m.n_protects),
		.evictions = atomic_load(&hk_m.n_evictions),
	};
	for (uint32_t i = 0; i < hk_m.m_ncpu; i++) {
		struct hk_cpu_rec *c = &hk_m.m_cpu[i];

		out->runs += atomic_load(&c->n_runs);
		out->syscalls += atomic_load(&c->n_syscalls);
		out->faults_served += atomic_load(&c->n_served);
		out->faults_returned += atomic_load(&c->n_returned);
		out->kicks += atomic_load(&c->n_kicks);
	}
}
