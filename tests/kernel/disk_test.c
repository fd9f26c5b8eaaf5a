/* SPDX-License-Identifier: BSD-2-Clause */
/* Disks: whose turn it is when there is no room, what a disk that vanishes leaves, and files of slices. */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <core/rt/rt.h>
#include <drv/blk.h>
#include <drv/ramdisk.h>
#include <drv/thread.h>
#include <stdatomic.h>
#include <sys/debug/ktest.h>
#include <sys/file/disk.h>
#include <sys/file/file.h>
#include <sys/lwkt/thread.h>
#include <sys/vfs/name.h>
#include <sys/vm/kmem.h>

#include "group.h"

/* ----------------------------------------------------- a disk that is a test -- */

#define BIOS	16u

/* A driver that keeps what it is given, `room` at once, until the test ends it. */
static struct {
	struct blkdev	bd;
	struct drv_lock	lock;
	struct bio	*have[BIOS];	/* [lock] in order */
	uint32_t	n, room;	/* [lock] */
	bool		at_once;	/* [lock] ended inside submit */
} fake;
static struct bio bios[BIOS];
static uint32_t ended[BIOS], nended;

static bool
fake_submit(struct blkdev *bd, struct bio *b)
{
	bool room;

	(void)bd;
	drv_lock(&fake.lock);
	room = fake.at_once || fake.n < fake.room;
	if (room && !fake.at_once)
		fake.have[fake.n++] = b;
	drv_unlock(&fake.lock);
	if (fake.at_once)
		blk_done(b, STORAGE_MEDIUM);
	return room;
}

static const struct blk_ops fake_ops = { fake_submit };

static void
note_end(struct bio *b)
{
	ended[nended++] = (uint32_t)(b - bios);
}

/* It is attached once; nobody can read it then, so it has no slices. */
static void
fake_begin(uint32_t room)
{
	if (fake.bd.bd_ops == NULL) {
		strlcpy(fake.bd.bd_name, "fake", sizeof fake.bd.bd_name);
		fake.bd.bd_ops = &fake_ops;
		fake.bd.bd_blocks = 1000;
		fake.bd.bd_block_bytes = 512;
		fake.bd.bd_bytes_max = 4096;
		fake.bd.bd_segs_max = 1;
		fake.bd.bd_flush = true;
		fake.at_once = true;
		blk_attach(&fake.bd);
		disk_settle();
	}
	fake.at_once = false;
	fake.n = nended = 0;
	fake.room = room;
	atomic_store(&fake.bd.bd_gone, false);
	for (uint32_t i = 0; i < BIOS; i++)
		bios[i] = (struct bio){ .b_op = BIO_WRITE, .b_blocks = 1, .b_lba = i, .b_nseg = 1,
		    .b_seg = { { 4096, 512 } }, .b_done = note_end };
}

/* The k-th that it has ends. */
static void
fake_end(uint32_t k, enum storage_result r)
{
	struct bio *b = fake.have[k];

	fake.n--;
	for (uint32_t i = k; i < fake.n; i++)
		fake.have[i] = fake.have[i + 1];
	crit_enter();
	blk_done(b, r);
	blk_room(&fake.bd);
	crit_exit();
}

KTEST(disk_requests_wait_in_order)
{
	uint32_t order = 0;

	fake_begin(3);
	for (uint32_t i = 0; i < 10; i++)
		blk_submit(&fake.bd, &bios[i]);
	KCHECK(fake.n == 3);
	fake_end(1, STORAGE_OK);
	KCHECK(fake.n == 3 && fake.have[2] == &bios[3]);
	KCHECK(bios[1].b_result == STORAGE_OK);
	while (fake.n > 0) {
		uint32_t last = fake.n - 1;

		KCHECK(fake.have[last] >= &bios[order]);	/* nobody went past another */
		order = (uint32_t)(fake.have[last] - bios);
		fake_end(0, STORAGE_OK);
	}
	KCHECK(nended == 10 && order == 9);
}

/* Room there is, but whoever comes later does not get it. */
KTEST(disk_who_comes_later_waits_behind)
{
	fake_begin(1);
	blk_submit(&fake.bd, &bios[0]);
	blk_submit(&fake.bd, &bios[1]);
	fake.room = 2;
	blk_submit(&fake.bd, &bios[2]);
	KCHECK(fake.n == 2 && fake.have[1] == &bios[1]);
	fake_end(0, STORAGE_OK);
	KCHECK(fake.n == 2 && fake.have[1] == &bios[2]);
	fake_end(0, STORAGE_OK);
	fake_end(0, STORAGE_OK);
	KCHECK(nended == 3 && atomic_load(&fake.bd.bd_nwaiting) == 0);
}

KTEST(disk_gone_ends_what_waits)
{
	fake_begin(2);
	for (uint32_t i = 0; i < 6; i++)
		blk_submit(&fake.bd, &bios[i]);
	crit_enter();
	blk_gone(&fake.bd);
	crit_exit();
	KCHECK(nended == 4);
	for (uint32_t i = 0; i < nended; i++)
		KCHECK(ended[i] == i + 2 && bios[i + 2].b_result == STORAGE_GONE);
	blk_submit(&fake.bd, &bios[7]);
	KCHECK(nended == 5 && bios[7].b_result == STORAGE_GONE && fake.n == 2);
	fake_end(0, STORAGE_GONE);
	fake_end(0, STORAGE_GONE);
	KCHECK(nended == 7);
}

/* A write, its flush, and what comes after are given on as they came. */
KTEST(disk_flush_keeps_its_place)
{
	fake_begin(1);
	bios[1] = (struct bio){ .b_op = BIO_FLUSH, .b_done = note_end };
	for (uint32_t i = 0; i < 3; i++)
		blk_submit(&fake.bd, &bios[i]);
	for (uint32_t i = 0; i < 3; i++) {
		KCHECK(fake.n == 1 && fake.have[0] == &bios[i]);
		fake_end(0, STORAGE_OK);
	}
	KCHECK(nended == 3);
}

KTEST(disk_of_absurd_shape_is_left_alone)
{
	static struct blkdev absurd[4];
	static const struct { uint64_t blocks; uint32_t block, bytes, segs; } shape[] = {
		{ 0, 512, 4096, 1 }, { 8, 520, 4096, 1 }, { UINT64_MAX / 512, 512, 4096, 1 },
		{ 8, 8192, 8192, 1 },
	};
	struct blkdev *first = blk_first();

	for (uint32_t i = 0; i < countof(absurd); i++) {
		if (absurd[i].bd_ops != NULL)
			continue;
		strlcpy(absurd[i].bd_name, "absurd", sizeof absurd[i].bd_name);
		absurd[i].bd_ops = &fake_ops;
		absurd[i].bd_blocks = shape[i].blocks;
		absurd[i].bd_block_bytes = shape[i].block;
		absurd[i].bd_bytes_max = shape[i].bytes;
		absurd[i].bd_segs_max = shape[i].segs;
		blk_attach(&absurd[i]);
	}
	KCHECK(blk_first() == first);
}

KTEST(disk_names)
{
	static const struct { uint32_t n; const char *name; } want[] = {
		{ 0, "sda" }, { 25, "sdz" }, { 26, "sdaa" }, { 701, "sdzz" }, { 702, "sdaaa" },
	};
	char name[16];

	for (size_t i = 0; i < countof(want); i++) {
		blk_letter(name, "sd", want[i].n);
		KCHECK(strcmp(name, want[i].name) == 0);
	}
}

/* ---------------------------------------------------- many, on all CPUs -- */

#define WRITERS		8u
#define AREA		(64u << 10)

static struct file *shared;

static int
open_disk(const char *path, uint32_t flags, struct file **out)
{
	struct ncp *n;
	int error = name_open(NULL, path, flags, 0, &n);

	if (error != 0)
		return error;
	error = file_open_name(n, flags, out);
	ncp_drop(n);
	return error;
}

static int
at(struct file *fp, bool write, void *buf, size_t len, uint64_t off)
{
	struct uio_seg seg;
	struct uio u;
	int error;

	uio_kernel(&u, &seg, buf, len, off, !write);
	error = write ? file_pwrite(fp, &u) : file_pread(fp, &u);
	return error == 0 && u.u_resid != 0 ? -1 : error;
}

/* Each has every WRITERS-th piece of 100 bytes, which share blocks with those of others. */
static void
writer(void *arg)
{
	uint64_t who = (uint64_t)arg;
	uint8_t buf[100];

	memset(buf, (int)who + 1, sizeof buf);
	for (uint64_t r = 0; r < grp.rounds; r++)
		for (uint64_t i = who; (i + 1) * sizeof buf <= AREA; i += WRITERS)
			KCHECK(at(shared, true, buf, sizeof buf, i * sizeof buf) == 0);
	grp_member_ends();
}

static void
write_from_all_cpus(void)
{
	uint8_t *all = kmalloc(AREA, KM_WAIT);
	uint64_t wrong = 0;

	grp_begin(3, 300);
	for (uint64_t i = 0; i < WRITERS; i++)
		grp_start((uint32_t)i, writer, (void *)i);
	grp_wait();
	KCHECK(at(shared, false, all, AREA, 0) == 0);
	for (uint64_t i = 0; i < AREA / 100 * 100; i++)
		wrong += all[i] != i / 100 % WRITERS + 1;
	KCHECK(wrong == 0);
	kfree(all);
}

KTEST(disk_pieces_of_blocks_survive)
{
	char path[40] = "/dev/";
	struct blkdev *bd;

	for (uint32_t turn = 0; turn < 2; turn++) {
		KCHECK(ramdisk_make(turn == 0 ? "1M" : "1M,4096,slow") == 0);
		disk_settle();
		bd = blk_first();
		strlcpy(path + 5, bd->bd_name, sizeof path - 5);
		if (!KCHECK(open_disk(path, O_RDWR, &shared) == 0))
			return;
		write_from_all_cpus();
		file_drop(shared);
	}
}

KTEST(disk_errors_are_of_their_blocks)
{
	char path[40] = "/dev/";
	uint8_t buf[1536];
	struct file *fp;

	KCHECK(ramdisk_make("64K,fail=5") == 0);
	disk_settle();
	strlcpy(path + 5, blk_first()->bd_name, sizeof path - 5);
	if (!KCHECK(open_disk(path, O_RDWR, &fp) == 0))
		return;
	memset(buf, 1, sizeof buf);
	KCHECK(at(fp, true, buf, 512, 4 * 512) == 0);
	KCHECK(at(fp, true, buf, 512, 6 * 512) == 0);
	KCHECK(at(fp, true, buf, 512, 5 * 512) == EIO);
	KCHECK(at(fp, true, buf, 1, 5 * 512 + 7) == EIO);
	KCHECK(at(fp, false, buf, 1, 6 * 512 - 1) == EIO);
	KCHECK(at(fp, false, buf, 512, 6 * 512) == 0 && buf[0] == 1 && buf[511] == 1);
	KCHECK(at(fp, false, buf, 512, 4 * 512) == 0 && buf[0] == 1);
	KCHECK(at(fp, false, buf, 512, 64 << 10) == -1);	/* the end */
	KCHECK(at(fp, true, buf, 512, 64 << 10) == ENOSPC);
	file_drop(fp);
}

/* The old one's file gets errors for ever, the new one is another disk of the same name and number. */
KTEST(disk_comes_back)
{
	char path[40] = "/dev/";
	uint8_t buf[512] = "what was written before";
	struct file *old, *fp;
	int error;

	KCHECK(ramdisk_make("64K,gone=100,back") == 0);
	disk_settle();
	strlcpy(path + 5, blk_first()->bd_name, sizeof path - 5);
	if (!KCHECK(open_disk(path, O_RDWR, &old) == 0))
		return;
	KCHECK(at(old, true, buf, sizeof buf, 512) == 0);
	while (at(old, false, buf, sizeof buf, 0) == 0)
		lwkt_poll();
	while ((error = open_disk(path, O_RDWR, &fp)) == ENXIO || error == ENOENT)
		drv_sleep(1000000);
	if (!KCHECK(error == 0))
		return;
	KCHECK(at(old, false, buf, sizeof buf, 512) == EIO);
	KCHECK(at(old, true, buf, sizeof buf, 512) == EIO);
	KCHECK(at(fp, false, buf, sizeof buf, 512) == 0);
	KCHECK(strcmp((char *)buf, "what was written before") == 0);
	file_drop(old);
	KCHECK(at(fp, true, buf, sizeof buf, 512) == 0);
	file_drop(fp);
}

KTEST(disk_vanishes)
{
	char path[40] = "/dev/";
	uint32_t good = 0, bad = 0;
	uint8_t buf[512];
	struct file *fp, *none;

	KCHECK(ramdisk_make("64K,slow,gone=100") == 0);
	disk_settle();
	strlcpy(path + 5, blk_first()->bd_name, sizeof path - 5);
	if (!KCHECK(open_disk(path, O_RDWR, &fp) == 0))
		return;
	for (uint32_t i = 0; i < 200; i++) {
		int error = at(fp, false, buf, sizeof buf, 512 * (i % 128));

		KCHECK(error == (bad > 0 ? EIO : error) && (error == 0 || error == EIO));
		good += error == 0;
		bad += error != 0;
	}
	KCHECK(good > 0 && bad >= 100);
	KCHECK(open_disk(path, O_RDWR, &none) == ENXIO);
	file_drop(fp);
}
