/* SPDX-License-Identifier: BSD-2-Clause */
/* Names and mounts from several CPUs at once, below a filesystem of the tests' own. */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/mount.h>
#include <core/rt/rt.h>
#include <stdatomic.h>
#include <sys/debug/ktest.h>
#include <sys/lwkt/thread.h>
#include <sys/vfs/name.h>
#include <sys/vm/kmem.h>

#include "group.h"

static struct ncp *top;			/* const while they run */
static _Atomic uint64_t mounted, looked, shown;

static void
begin(const char *name)
{
	struct ncp *on;

	KCHECK(name_create(vfs_root(), name, strlen(name), false, VDIR, 0755, 0, &on) == 0);
	KCHECK(vfs_mount("tmpfs", "race", on, 0, "") == 0);
	ncp_drop(on);
	KCHECK(name_child(vfs_root(), name, strlen(name), &top) == 0);
	mounted = looked = shown = 0;
}

/* Nobody holds anything of it any more: it can be unmounted, and its place removed. */
static void
finish(const char *name)
{
	KCHECK(vfs_unmount(top, 0) == 0);
	ncp_drop(top);
	KCHECK(name_remove(vfs_root(), name, strlen(name), false, true) == 0);
}

static void
count_mount(struct mount *mp, void *arg)
{
	(void)mp;
	++*(uint32_t *)arg;
}

static uint32_t
mounts(void)
{
	uint32_t n = 0;

	vfs_mount_foreach(count_mount, &n);
	return n;
}

/* ------------------------------------------------------------------ mounts -- */

static int
look(const char *path, struct lookup *lu)
{
	return name_lookup(top, path, 0, lu);
}

/* A filesystem comes and goes at m, sometimes while it is used, its place with it. */
static void
mounter(void *arg)
{
	uint64_t i;

	(void)arg;
	for (i = 0; i < grp.rounds; i++) {
		struct lookup lu;
		int error = name_create(top, "m", 1, false, VDIR, 0755, 0, NULL);

		KCHECK(error == 0 || error == EEXIST);
		if (look("m", &lu) != 0)
			continue;
		error = vfs_mount("tmpfs", "m", lu.lu_ncp, 0, "");
		KCHECK(error == 0 || error == ENOENT);
		lookup_done(&lu);
		if (error != 0)
			continue;
		atomic_fetch_add(&mounted, 1);
		KCHECK(look("m", &lu) == 0);
		KCHECK(name_create(lu.lu_ncp, "x", 1, false, VREG, 0644, 0, NULL) == 0);
		error = EBUSY;
		if (i % 4 != 0)
			error = vfs_unmount(lu.lu_ncp, 0);
		if (error == EBUSY)
			error = vfs_unmount(lu.lu_ncp, MNT_DETACH);
		KCHECK(error == 0);
		lookup_done(&lu);
		if (i % 8 == 0)
			lwkt_yield();
	}
	grp_member_ends();
}

/* Looks into it, and says where that is. */
static void
looker(void *arg)
{
	static char text[4][PATH_MAX_];
	char *mine = text[(uint64_t)arg % 4];

	for (uint64_t i = 0; i < grp.rounds; i++) {
		struct lookup lu;
		bool unreachable;
		int error = look("m/x", &lu);

		KCHECK(error == 0 || error == ENOENT);
		if (error == 0) {
			atomic_fetch_add(&looked, 1);
			KCHECK(name_path(lu.lu_ncp, top, mine, PATH_MAX_, &unreachable) == 0);
			KCHECK(unreachable || strcmp(mine, "/m/x") == 0);
			lookup_done(&lu);
		}
		if (i % 16 == (uint64_t)arg)
			lwkt_yield();
	}
	grp_member_ends();
}

/* Takes the place away when nothing is mounted there. */
static void
remover(void *arg)
{
	(void)arg;
	for (uint64_t i = 0; i < grp.rounds; i++) {
		struct ncp *n;
		int error = name_remove(top, "m", 1, false, true);

		KCHECK(error == 0 || error == ENOENT || error == EBUSY);
		atomic_fetch_add(&shown, mounts());
		if (name_orphan(top->n_vnode, "orphan", &n) == 0)
			ncp_drop(n);
		if (i % 8 == 3)
			lwkt_yield();
	}
	grp_member_ends();
}

KTEST(mounts_come_and_go_under_lookups_and_removals)
{
	uint32_t before = mounts();

	begin("race1");
	grp_begin(300, 20000);
	grp_start(0, mounter, NULL);
	grp_start(1, looker, (void *)1);
	grp_start(2, looker, (void *)2);
	grp_start(3, remover, NULL);
	grp_wait();
	KCHECK(mounted > 0);
	(void)name_remove(top, "m", 1, false, true);
	finish("race1");
	KCHECK(mounts() == before);
}

/* ----------------------------------------------------------------- renames -- */

#define NAMES	4u

/* Directories a to d move into each other, into the top, and change places. */
static void
renamer(void *arg)
{
	uint64_t seed = (uint64_t)arg * 77 + 1;
	struct ncp *dir[NAMES + 1];

	for (uint32_t i = 0; i < NAMES; i++) {
		struct lookup lu;

		/* Found before anybody moves: see below. */
		KCHECK(look((char[]){ (char)('a' + i), 0 }, &lu) == 0);
		dir[i] = lu.lu_ncp;
	}
	dir[NAMES] = top;
	atomic_fetch_add(&shown, 1);
	while (atomic_load(&shown) < 3)
		lwkt_yield();
	for (uint64_t i = 0; i < grp.rounds; i++) {
		struct lookup from = { .lu_last_len = 1 }, to = { .lu_last_len = 1 };
		int error;

		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		from.lu_ncp = dir[(seed >> 33) % (NAMES + 1)];
		to.lu_ncp = dir[(seed >> 40) % (NAMES + 1)];
		from.lu_last[0] = (char)('a' + (seed >> 47) % NAMES);
		to.lu_last[0] = (seed >> 52) % 2 == 0 ? from.lu_last[0] : (char)('a' + (seed >> 54) % NAMES);
		error = name_rename(&from, &to, (seed >> 58) % 3 == 0 ? RENAME_EXCHANGE : 0);
		KCHECK(error == 0 || error == ENOENT || error == EINVAL || error == ENOTEMPTY);
	}
	for (uint32_t i = 0; i < NAMES; i++)
		ncp_drop(dir[i]);
	grp_member_ends();
}

/* Where a directory is, is always a place below the top. */
static void
path_teller(void *arg)
{
	static char text[PATH_MAX_];
	struct lookup lu;

	(void)arg;
	KCHECK(look("a", &lu) == 0);
	atomic_fetch_add(&shown, 1);
	while (atomic_load(&shown) < 3)
		lwkt_yield();
	for (uint64_t i = 0; i < grp.rounds; i++) {
		bool unreachable;

		KCHECK(name_path(lu.lu_ncp, top, text, sizeof text, &unreachable) == 0);
		KCHECK(ncp_is_deleted(lu.lu_ncp) || (!unreachable && text[0] == '/' && strlen(text) <= 2 * NAMES));
		lwkt_poll();
	}
	lookup_done(&lu);
	grp_member_ends();
}

static uint32_t
remove_all(struct ncp *dir)
{
	uint32_t n = 0;

	for (char c = 'a'; c < 'a' + (char)NAMES; c++) {
		struct ncp *sub;

		if (name_child(dir, &c, 1, &sub) != 0)
			continue;
		n += 1 + remove_all(sub);
		ncp_drop(sub);
		KCHECK(name_remove(dir, &c, 1, false, true) == 0);
	}
	return n;
}

KTEST(directories_moved_by_several_cpus_stay_a_tree)
{
	begin("race2");
	for (uint32_t i = 0; i < NAMES; i++)
		KCHECK(name_create(top, (char[]){ (char)('a' + i) }, 1, false, VDIR, 0755, 0, NULL) == 0);
	grp_begin(1000, 100000);
	grp_start(1, renamer, (void *)1);
	grp_start(2, renamer, (void *)2);
	grp_start(3, path_teller, NULL);
	grp_wait();
	/* Moving onto an empty one removes that: some may be gone, none is lost. */
	KCHECK(remove_all(top) <= NAMES);
	finish("race2");
}
