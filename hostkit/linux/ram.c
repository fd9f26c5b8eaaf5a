/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ram - the machine's memory: one sealed memfd and its views
 *
 * A physical address is an offset in the memfd.  The whole of it is mapped
 * once, at m_ram_base; hk_ram_map() makes further views at fixed addresses.
 * The host allocates a page when it is first touched and takes it back when a
 * hole is punched, so that an idle machine costs what it uses.
 *
 * The memfd is sealed against growing and shrinking before anybody else can
 * see it: a truncated file would turn an access, ours or a guest's, into
 * SIGBUS.
 *
 * Huge pages: the host is asked to collapse a block after one byte of it was
 * touched.  That needs no privilege and no setting, works on a sealed memfd,
 * and makes later mappings of the block some fifty times cheaper; when the
 * host cannot, small pages mean the same and only cost more.  It can take
 * milliseconds, so it is the main thread that asks, and hk_ram_prepare() only
 * leaves a note: whoever prepares a block before it is needed finds it done.
 *
 * Invariants
 *   I1  [m_ram_base, + m_ram_bytes) is mapped from hk_init() to hk_fini() and
 *       no other view lies inside it.
 *   I2  a range that was reserved is never without a mapping: unmapping puts
 *       an inaccessible one in the same step, so nothing of the host can move
 *       into a guard page.
 *
 * Locking: none.  The caller does not map and unmap one range at a time from
 * two threads.  The notes are atomic; collapse_off and collapse_after are the
 * main thread's.
 * Not here: who owns which page.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/memfd.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "host.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL	0x0008u
#endif
#ifndef MFD_EXEC
#define MFD_EXEC	0x0010u
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif
#ifndef F_SEAL_SEAL
#define F_ADD_SEALS	1033
#define F_SEAL_SEAL	0x0001
#define F_SEAL_SHRINK	0x0002
#define F_SEAL_GROW	0x0004
#endif

#define ADDR_MAX	(1ull << 47)	/* first address that no process can map */

static bool collapse_off;		/* this host has no such advice */

/* Blocks to prepare: number + 1, or 0.  When all are taken the hint is lost. */
#define NOTES	8
static _Atomic uint64_t notes[NOTES];

/*
 * A collapse takes 0.1 ms, or, when it has to wait until every host CPU has
 * looked up from its work, a tick or two: more than the faults it saves.  It
 * then is left alone for some multiple of what it took.
 */
#define COLLAPSE_DEAR_NS	1000000ull
#define COLLAPSE_REST		40
static uint64_t collapse_after;

/*
 * A memfd of `len` bytes.  `may_exec` is for one that will be executed with
 * execveat(); a mapping may be executable either way.  Hosts older than the
 * distinction refuse the flag with EINVAL and need none.
 */
int
hk_memfd(const char *name, uint64_t len, bool may_exec)
{
	unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	long fd, error;

	fd = HK_SYS2(SYS_memfd_create, name, flags | (may_exec ? MFD_EXEC : MFD_NOEXEC_SEAL));
	if (fd == -EINVAL)
		fd = HK_SYS2(SYS_memfd_create, name, flags);
	if (fd < 0)
		return (int)fd;
	error = HK_SYS2(SYS_ftruncate, fd, len);
	if (error < 0) {
		HK_SYS1(SYS_close, fd);
		return (int)error;
	}
	return (int)fd;
}

/* Map `len` bytes of `fd` at a multiple of HK_BLOCK that the host chooses. */
static long
map_anywhere(int fd, uint64_t len)
{
	uint64_t span = len + HK_BLOCK, at, base;
	long got;

	got = HK_SYS5(SYS_mmap, 0, span, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
	if (got < 0)
		return got;
	at = (uint64_t)got;
	base = (at + HK_BLOCK - 1) & ~(uint64_t)(HK_BLOCK - 1);
	got = HK_SYS5(SYS_mmap, base, len, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_FIXED | MAP_NORESERVE, fd);
	if (got < 0) {
		HK_SYS2(SYS_munmap, at, span);
		return got;
	}
	/* The slack is only address space: keeping it, should the host refuse, harms nobody. */
	if (base > at)
		HK_SYS2(SYS_munmap, at, base - at);
	if (at + span > base + len)
		HK_SYS2(SYS_munmap, base + len, at + span - base - len);
	return (long)base;
}

static long
map_at(int fd, uint64_t base, uint64_t len)
{
	long got;

	got = HK_SYS5(SYS_mmap, base, len, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_FIXED_NOREPLACE | MAP_NORESERVE, fd);
	if (got >= 0 && (uint64_t)got != base) {
		/* A host that does not know NOREPLACE takes the address as a wish. */
		HK_SYS2(SYS_munmap, got, len);
		return -EEXIST;
	}
	return got;
}

/* hk_init() only.  On failure nothing is left. */
hk_result
hk_ram_init(uint64_t base, uint64_t bytes)
{
	long got;
	int fd;

	ASSERT(bytes % HK_BLOCK == 0 && base % HK_BLOCK == 0);
	fd = hk_memfd("hk-ram", bytes, false);
	if (fd < 0)
		return hk_fail_host("cannot create the RAM memfd", fd);
	got = HK_SYS3(SYS_fcntl, fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	if (got < 0) {
		HK_SYS1(SYS_close, fd);
		return hk_fail_host("cannot seal the RAM memfd", got);
	}
	got = base == 0 ? map_anywhere(fd, bytes) : map_at(fd, base, bytes);
	if (got < 0) {
		HK_SYS1(SYS_close, fd);
		return hk_fail_host("cannot map RAM", got);
	}
	hk_m.m_ram_fd = fd;
	hk_m.m_ram_base = (uint64_t)got;
	hk_m.m_ram_bytes = bytes;
	return HK_OK;
}

void
hk_ram_fini(void)
{
	for (uint32_t i = 0; i < NOTES; i++)
		atomic_store(&notes[i], 0);
	HK_SYS2(SYS_munmap, hk_m.m_ram_base, hk_m.m_ram_bytes);
	HK_SYS1(SYS_close, hk_m.m_ram_fd);
	hk_m.m_ram_base = 0;
	hk_m.m_ram_bytes = 0;
	hk_m.m_ram_fd = -1;
}

uint64_t
hk_ram_base(void)
{
	return hk_m.m_ram_base;
}

uint64_t
hk_ram_bytes(void)
{
	return hk_m.m_ram_bytes;
}

/* May the caller have a view of its own here?  I1 */
static bool
is_view(uint64_t va, uint64_t len)
{
	uint64_t base = hk_ram_base();

	if (((va | len) & (HK_PAGE - 1)) != 0 || len == 0 || va == 0)
		return false;
	if (va >= ADDR_MAX || len > ADDR_MAX - va)
		return false;
	return va + len <= base || va >= base + hk_m.m_ram_bytes;
}

static bool
is_ram(uint64_t pa, uint64_t len)
{
	return ((pa | len) & (HK_PAGE - 1)) == 0 && len <= hk_m.m_ram_bytes &&
	    pa <= hk_m.m_ram_bytes - len;
}

hk_result
hk_ram_reserve(uint64_t va, size_t len)
{
	long got;

	if (!is_view(va, len))
		return HK_INVAL;
	got = HK_SYS5(SYS_mmap, va, len, PROT_NONE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1);
	if (got >= 0 && (uint64_t)got != va) {
		HK_SYS2(SYS_munmap, got, len);
		got = -EEXIST;
	}
	return got < 0 ? hk_fail_host("cannot reserve an address range", got) : HK_OK;
}

hk_result
hk_ram_map(uint64_t va, uint64_t pa, size_t len)
{
	long got;

	if (!is_view(va, len) || !is_ram(pa, len))
		return HK_INVAL;
	got = HK_SYS6(SYS_mmap, va, len, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_FIXED | MAP_NORESERVE, hk_m.m_ram_fd, pa);
	return got < 0 ? hk_fail_host("cannot map a view of RAM", got) : HK_OK;
}

hk_result
hk_ram_unmap(uint64_t va, size_t len)
{
	long got;

	if (!is_view(va, len))
		return HK_INVAL;
	got = HK_SYS5(SYS_mmap, va, len, PROT_NONE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1);	/* I2 */
	return got < 0 ? hk_fail_host("cannot unmap a view of RAM", got) : HK_OK;
}

static void
leave_note(uint64_t block)
{
	for (uint32_t i = 0; i < NOTES; i++) {
		uint64_t none = 0;

		if (atomic_compare_exchange_strong(&notes[i], &none, block + 1))
			return;
	}
}

void
hk_ram_prepare(uint64_t pa, size_t len)
{
	uint64_t end;

	if ((hk_m.m_flags & HK_F_NO_HUGE) != 0 || !is_ram(pa, len))
		return;
	end = (pa + len) / HK_BLOCK;
	for (uint64_t block = (pa + HK_BLOCK - 1) / HK_BLOCK; block < end; block++)
		leave_note(block);
	hk_serve_poke();
}

static void
collapse(uint8_t *block)
{
	uint64_t began = hk_clock_mono(), took;
	long error;

	if (collapse_off || began < collapse_after)
		return;
	/* An empty block cannot be collapsed.  Adding nothing is a touch that loses no store. */
	__atomic_fetch_or(block, 0, __ATOMIC_RELAXED);
	error = HK_SYS3(SYS_madvise, block, HK_BLOCK, MADV_COLLAPSE);
	/* EINVAL: no such advice on this host.  Anything else may be different next time. */
	if (error == -EINVAL)
		collapse_off = true;
	took = hk_clock_mono() - began;
	if (took > COLLAPSE_DEAR_NS)
		collapse_after = began + took * COLLAPSE_REST;
}

/* Main thread: what the notes ask for. */
void
hk_ram_work(void)
{
	for (uint32_t i = 0; i < NOTES; i++) {
		uint64_t block = atomic_exchange(&notes[i], 0);

		if (block != 0)
			collapse((uint8_t *)hk_m.m_ram_base + (block - 1) * HK_BLOCK);
	}
}

void
hk_ram_release(uint64_t pa, size_t len)
{
	if (len == 0 || !is_ram(pa, len))
		return;
	if (HK_SYS4(SYS_fallocate, hk_m.m_ram_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	    pa, len) < 0)
		memset((uint8_t *)hk_m.m_ram_base + pa, 0, len);
}
