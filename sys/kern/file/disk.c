/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * disk - which disks and slices there are, and opening them.
 *
 * Each disk that a driver attaches gets a thread that reads its tables and
 * makes the device nodes; so one that does not answer keeps nobody else
 * waiting.  Tables are foreign input: what is wrong with them is logged, and
 * the slices that are right are there.
 *
 * Invariants
 *   K1  a block that is open stays in the list, until its disk vanished and one of
 *       the same name comes: a disk's tables are read again only when no slice of
 *       it is open.  Out of the list it ends with its last file.
 *   K2  names and numbers of blocks in the list are different.
 *
 * Locking: d_scan_lk while a disk's tables are read, then disks_lk for the
 * list of blocks.  Bytes are disk_io.c's business.
 */
#include "disk_int.h"

#include <abi/blkdev.h>
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/ioctl.h>
#include <core/disk/gpt.h>
#include <core/disk/label64.h>
#include <core/rt/rt.h>
#include <stdatomic.h>
#include <sys/debug/kprint.h>
#include <sys/file/file.h>
#include <sys/lwkt/thread.h>
#include <sys/proc/cred.h>
#include <sys/time/time.h>
#include <sys/vfs/name.h>
#include <sys/vm/kmem.h>
#include <sys/vm/page.h>

#define SLICES_MAX	256u
#define BOOT_WAIT_NS	(10 * NSEC_PER_SEC)
#define NODE_MODE	0600u
#define SD_MINORS	16u		/* of a disk, itself among them */
#define FEW_DISKS	16u		/* of a kind, which have numbers of their own */

static struct lk disks_lk;
static struct list blocks = LIST_INIT(blocks);	/* [disks_lk] in the order of ids */
static int32_t next_id = DISK_WHOLE + 1;		/* [disks_lk] */
static _Atomic uint32_t looking;			/* [atomic] disks whose first scan has not ended */
static struct waitq looked = WAITQ_INIT(looked);

/* --------------------------------------------------------- the list -- */

static struct block *
by_id(int32_t id)
{
	list_foreach(bk, &blocks, struct block, bk_link)
		if (bk->bk_id == id)
			return bk;
	return NULL;
}

static struct block *
by_rdev(uint64_t rdev)
{
	list_foreach(bk, &blocks, struct block, bk_link)
		if (bk->bk_rdev == rdev)
			return bk;
	return NULL;
}

static struct block *
by_name(const char *name)
{
	list_foreach(bk, &blocks, struct block, bk_link)
		if (strcmp(bk->bk_name, name) == 0)
			return bk;
	return NULL;
}

static struct block *
whole(struct disk *d)
{
	list_foreach(bk, &blocks, struct block, bk_link)
		if (bk->bk_disk == d && bk->bk_of == DISK_WHOLE)
			return bk;
	return NULL;
}

/* Is this what the n-th disk of its kind is called?  "sdc" is 2, "ram2", too. */
static bool
is_nth(const char *name, bool ram, uint32_t n)
{
	char text[16];

	if (ram)
		rt_snprintf(text, sizeof text, "ram%u", n);
	else
		blk_letter(text, "sd", n);
	return strcmp(text, name) == 0;
}

static uint64_t
choose_rdev(const struct block *bk)
{
	const char *name = bk->bk_disk->d_bd->bd_name;
	uint32_t minor = 0;

	for (uint32_t n = 0; n < FEW_DISKS; n++) {
		if (is_nth(name, false, n) && bk->bk_number < SD_MINORS)
			return MKDEV(BLK_MAJOR_SD, n * SD_MINORS + bk->bk_number);
		if (is_nth(name, true, n) && bk->bk_number == 0)
			return MKDEV(BLK_MAJOR_RAM, n);
	}
	while (by_rdev(MKDEV(BLK_MAJOR_EXT, minor)) != NULL)	/* K2 */
		minor++;
	return MKDEV(BLK_MAJOR_EXT, minor);
}

/* K1 */
static void
drop_blocks(struct disk *d, bool itself)
{
	list_foreach_safe(bk, &blocks, struct block, bk_link) {
		if (bk->bk_disk != d || (bk->bk_of == DISK_WHOLE && !itself))
			continue;
		devfs_remove_block(bk->bk_name, bk->bk_rdev);
		list_remove(&bk->bk_link);
		bk->bk_dropped = true;
		if (bk->bk_opens == 0)
			kfree(bk);
	}
}

static bool
any_slice_open(struct disk *d)
{
	list_foreach(bk, &blocks, struct block, bk_link)
		if (bk->bk_disk == d && bk->bk_of != DISK_WHOLE && bk->bk_opens > 0)
			return true;
	return false;
}

/* Takes bk over.  Without a node it can be reached by mknod(2). */
static void
add_block(struct block *bk)
{
	int error;

	bk->bk_id = next_id++;
	bk->bk_rdev = choose_rdev(bk);
	error = devfs_add_block(bk->bk_name, NODE_MODE, bk->bk_rdev);
	if (error == EEXIST)
		kprintf("%s: /dev has something else of that name\n", bk->bk_name);
	else if (error != 0)
		kprintf("%s: error %d\n", bk->bk_name, error);
	list_push_back(&blocks, &bk->bk_link);
}

/* ------------------------------------------------------ names of slices -- */

static void
name_gpt(char *out, const char *disk, uint32_t n)
{
	char last = disk[strlen(disk) - 1];

	rt_snprintf(out, DISK_NAME_BYTES, "%s%s%u", disk, last >= '0' && last <= '9' ? "p" : "", n);
}

/* Numbers of a label's partitions follow all that a GPT may have. */
static void
name_slice(struct block *bk, const struct slice_list *l, const struct slice *s)
{
	const char *disk = bk->bk_disk->d_bd->bd_name;
	uint32_t n = s->sl_index + 1;
	size_t len;

	if (s->sl_kind == SLICE_LABEL64)
		n = s->sl_parent == SLICE_NO_PARENT ? 0 : l->l_at[s->sl_parent].sl_index + 1;
	name_gpt(bk->bk_name, disk, n);
	bk->bk_number = n;
	if (s->sl_kind != SLICE_LABEL64)
		return;
	len = strlen(bk->bk_name);
	bk->bk_name[len] = (char)('a' + s->sl_index);
	bk->bk_name[len + 1] = '\0';
	bk->bk_number = GPT_ENTRIES_MAX + 1 + n * LABEL64_PARTITIONS + s->sl_index;
}

/* --------------------------------------------------------------- tables -- */

/* What reading a disk's tables needs. */
struct scan {
	struct disk	*sc_disk;
	struct page	*sc_page;	/* for one piece of the disk */
	struct dsk_work	sc_work;
	struct slice_list sc_list;
	struct dsk_info	sc_info;
	struct slice	sc_slice[SLICES_MAX];
};

static bool
scan_read(void *arg, uint64_t lba, uint32_t nblocks, void *buf)
{
	struct scan *sc = arg;
	const uint32_t block = sc->sc_disk->d_bd->bd_block_bytes;

	ASSERT(nblocks * block <= PAGE_BYTES);
	if (disk_page(sc->sc_disk, BIO_READ, lba * block, page_va(sc->sc_page), nblocks * block) != 0)
		return false;
	memcpy(buf, page_va(sc->sc_page), nblocks * block);
	lwkt_poll();
	return true;
}

static const char *
state_text(enum table_state s)
{
	static const char *const text[] = {
		[TABLE_OK] = "good", [TABLE_ABSENT] = "absent", [TABLE_UNREADABLE] = "unreadable",
		[TABLE_BAD_FIELDS] = "contradictory", [TABLE_BAD_SUM] = "of a wrong sum",
	};

	return text[s];
}

static void
report(const struct scan *sc)
{
	const char *name = sc->sc_disk->d_bd->bd_name;
	const struct slice_list *l = &sc->sc_list;
	const struct gpt_info *g = &sc->sc_info.di_gpt;

	if (g->gi_primary != g->gi_backup)
		kprintf("%s: its GPT is %s, the copy of that %s\n", name, state_text(g->gi_primary),
		    state_text(g->gi_backup));
	else if (g->gi_primary != TABLE_OK && g->gi_primary != TABLE_ABSENT)
		kprintf("%s: its GPT and the copy of that are %s\n", name, state_text(g->gi_primary));
	if (g->gi_differ)
		kprintf("%s: the two copies of its GPT do not say the same; the first counts\n", name);
	if (sc->sc_info.di_label > TABLE_ABSENT)
		kprintf("%s: its disk label is %s\n", name, state_text(sc->sc_info.di_label));
	if (sc->sc_info.di_labels_bad > 0)
		kprintf("%s: slices without the disk label that they should have: %u\n", name,
		    sc->sc_info.di_labels_bad);
	if ((l->l_reversed | l->l_outside | l->l_unaligned | l->l_overlap | l->l_lost) != 0)
		kprintf("%s: entries left out: %u reversed, %u outside, %u unaligned, %u overlapping, "
		    "%u too many\n", name, l->l_reversed, l->l_outside, l->l_unaligned, l->l_overlap,
		    l->l_lost);
}

static int
install(struct scan *sc)
{
	struct disk *d = sc->sc_disk;
	int error = 0;

	lk_excl(&disks_lk);
	if (whole(d) == NULL)
		error = ENXIO;
	else if (any_slice_open(d))
		error = EBUSY;
	else
		drop_blocks(d, false);
	for (uint32_t i = 0; error == 0 && i < sc->sc_list.l_n; i++) {
		const struct slice *s = &sc->sc_slice[i];
		struct block *bk = kmalloc(sizeof *bk, KM_ZERO | KM_WAIT);

		if (bk == NULL) {
			error = ENOMEM;
			break;
		}
		bk->bk_disk = d;
		bk->bk_of = whole(d)->bk_id;
		bk->bk_start = s->sl_start;
		bk->bk_bytes = s->sl_bytes;
		name_slice(bk, &sc->sc_list, s);
		add_block(bk);
		kprintf("%s: %llu KiB at %llu%s%s\n", bk->bk_name, (unsigned long long)s->sl_bytes >> 10,
		    (unsigned long long)s->sl_start, s->sl_name[0] != '\0' ? ", " : "", s->sl_name);
	}
	lk_release(&disks_lk);
	return error;
}

/* Reads the tables and makes the slices that they name.  EBUSY: one is open. */
static int
scan(struct disk *d)
{
	struct scan *sc = kmalloc(sizeof *sc, KM_ZERO | KM_WAIT);
	struct dsk dsk = {
		.d_blocks = d->d_bd->bd_blocks, .d_block_bytes = d->d_bd->bd_block_bytes,
		.d_read = scan_read, .d_arg = sc,
	};
	int error = ENOMEM;

	if (sc == NULL)
		return error;
	sc->sc_disk = d;
	sc->sc_list.l_at = sc->sc_slice;
	sc->sc_list.l_max = SLICES_MAX;
	sc->sc_page = page_alloc(PAGE_WAIT);
	if (sc->sc_page != NULL) {
		lk_excl(&d->d_scan_lk);
		dsk_scan(&dsk, &sc->sc_work, &sc->sc_list, &sc->sc_info);
		report(sc);
		error = install(sc);
		lk_release(&d->d_scan_lk);
		page_drop(sc->sc_page);
	}
	kfree(sc);
	return error;
}

/* ----------------------------------------------------------- open files -- */

static struct block *block_of(struct file *fp) { return fp->f_data; }

static bool
is_direct(struct file *fp)
{
	return (atomic_load(&fp->f_flags) & O_DIRECT) != 0;
}

static int
bf_read(struct file *fp, struct uio *u)
{
	if (u->u_off > INT64_MAX || u->u_resid > INT64_MAX - u->u_off)
		return EINVAL;
	return disk_read(block_of(fp), u, is_direct(fp));
}

static int
bf_write(struct file *fp, struct uio *u)
{
	struct block *bk = block_of(fp);
	uint32_t flags = atomic_load(&fp->f_flags);
	int error;

	if (u->u_off > INT64_MAX || u->u_resid > INT64_MAX - u->u_off)
		return EINVAL;
	error = disk_write(bk, u, is_direct(fp));
	if (error == 0 && (flags & (O_DSYNC | O_SYNC)) != 0)
		error = disk_flush(bk->bk_disk);
	return error;
}

static int
bf_seek(struct file *fp, int64_t off, int whence, uint64_t *result)
{
	const int64_t size = (int64_t)block_of(fp)->bk_bytes;
	int64_t base = whence == SEEK_CUR ? (int64_t)fp->f_off : whence == SEEK_END ? size : 0, to;

	if (whence > SEEK_END)
		return EINVAL;
	if (__builtin_add_overflow(base, off, &to) || to < 0 || to > size)
		return EINVAL;
	fp->f_off = *result = (uint64_t)to;
	return 0;
}

static int
bf_sync(struct file *fp)
{
	return disk_flush(block_of(fp)->bk_disk);
}

static void
bf_close(struct file *fp)
{
	struct block *bk = block_of(fp);

	lk_excl(&disks_lk);
	ASSERT(bk->bk_opens > 0);
	bk->bk_opens--;
	if (bk->bk_opens == 0 && bk->bk_dropped)
		kfree(bk);			/* K1 */
	lk_release(&disks_lk);
}

static int
reread(struct block *bk)
{
	bool busy;

	if (bk->bk_of != DISK_WHOLE)
		return EINVAL;
	if (!cred_capable(cred_current(), CAP_SYS_ADMIN))
		return EACCES;
	lk_excl(&disks_lk);
	busy = any_slice_open(bk->bk_disk);
	lk_release(&disks_lk);
	return busy ? EBUSY : scan(bk->bk_disk);
}

static int
give32(uaddr_t arg, uint32_t v)
{
	return copyout(arg, &v, sizeof v);
}

static int
give64(uaddr_t arg, uint64_t v)
{
	return copyout(arg, &v, sizeof v);
}

static int
bf_ioctl(struct file *fp, uint32_t cmd, uaddr_t arg, int64_t *result)
{
	struct block *bk = block_of(fp);
	const struct blkdev *bd = bk->bk_disk->d_bd;

	(void)result;
	switch (cmd) {
	case BLKGETSIZE64:	return give64(arg, bk->bk_bytes);
	case BLKGETSIZE:	return give64(arg, bk->bk_bytes / 512);
	case BLKBSZGET:		return give32(arg, PAGE_BYTES);
	case BLKSSZGET:
	case BLKPBSZGET:
	case BLKIOMIN:		return give32(arg, bd->bd_block_bytes);
	case BLKIOOPT:
	case BLKALIGNOFF:	return give32(arg, 0);
	case BLKROGET:		return give32(arg, bd->bd_read_only);
	case BLKFLSBUF:
		return cred_capable(cred_current(), CAP_SYS_ADMIN) ? disk_flush(bk->bk_disk) : EACCES;
	case BLKRRPART:		return reread(bk);
	default:		return ENOTTY;
	}
}

static const struct file_ops block_file_ops = {
	.fo_read = bf_read, .fo_write = bf_write, .fo_seek = bf_seek, .fo_ioctl = bf_ioctl,
	.fo_sync = bf_sync, .fo_close = bf_close,
};

static int
block_open(struct vnode *vn, struct file *fp)
{
	struct block *bk;
	int error = ENXIO;

	lk_excl(&disks_lk);
	bk = by_rdev(vn->v_rdev);
	if (bk != NULL && !atomic_load(&bk->bk_disk->d_bd->bd_gone)) {
		bk->bk_opens++;
		fp->f_ops = &block_file_ops;
		fp->f_data = bk;
		error = 0;
	}
	lk_release(&disks_lk);
	return error;
}

/* ---------------------------------------------------------------- disks -- */

static int
disk_make(struct blkdev *bd, struct disk **out)
{
	struct disk *d = kmalloc(sizeof *d, KM_ZERO | KM_WAIT);
	struct block *bk = kmalloc(sizeof *bk, KM_ZERO | KM_WAIT), *old;

	if (d == NULL || bk == NULL) {
		kfree(d);
		kfree(bk);
		return ENOMEM;
	}
	d->d_bd = bd;
	range_lock_init(&d->d_range);
	lk_init(&d->d_scan_lk, LR_disk);
	for (uint32_t i = 0; i < DISK_WAITQS; i++)
		waitq_init(&d->d_waitq[i]);
	bk->bk_disk = d;
	bk->bk_of = DISK_WHOLE;
	bk->bk_bytes = bd->bd_blocks * bd->bd_block_bytes;
	strlcpy(bk->bk_name, bd->bd_name, sizeof bk->bk_name);
	lk_excl(&disks_lk);
	old = by_name(bk->bk_name);
	if (old != NULL) {
		ASSERT(atomic_load(&old->bk_disk->d_bd->bd_gone));
		drop_blocks(old->bk_disk, true);
	}
	add_block(bk);
	lk_release(&disks_lk);
	*out = d;
	return 0;
}

static void
look_at(void *arg)
{
	struct blkdev *bd = arg;
	struct disk *d;
	int error;

	kprintf("%s: %s%s%llu blocks of %u bytes%s\n", bd->bd_name, bd->bd_model,
	    bd->bd_model[0] != '\0' ? ", " : "", (unsigned long long)bd->bd_blocks, bd->bd_block_bytes,
	    bd->bd_read_only ? ", read-only" : "");
	error = disk_make(bd, &d);
	if (error == 0)
		error = scan(d);
	if (error != 0)
		kprintf("%s: its tables cannot be read: error %d\n", bd->bd_name, error);
	if (atomic_fetch_sub(&looking, 1) == 1)
		wake_all(&looked);
}

static void
attached(struct blkdev *bd)
{
	struct thread *td;

	atomic_fetch_add(&looking, 1);
	if (lwkt_create(look_at, bd, LWKT_PRI_KERN, "disk", &td) == 0) {
		lwkt_start(td);
		return;
	}
	kprintf("%s: no memory to look at it\n", bd->bd_name);
	atomic_fetch_sub(&looking, 1);
}

/* Which disks come or go while this goes on does not matter. */
void
disk_sync(void)
{
	struct block *bk;
	struct disk *d;

	for (int32_t id = 0; (id = disk_next(DISK_WHOLE, id)) >= 0; id++) {
		lk_excl(&disks_lk);
		bk = by_id(id);
		d = bk != NULL ? bk->bk_disk : NULL;
		lk_release(&disks_lk);
		if (d != NULL)
			(void)disk_flush(d);	/* sync(2) tells of no error */
	}
}

void
disk_settle(void)
{
	int error;

	WAIT_FOR(&looked, atomic_load(&looking) == 0, time_now() + BOOT_WAIT_NS, 0, error);
	if (error != 0)
		kprintf("disk: some do not answer; the others go on\n");
}

void
disk_init(void)
{
	lk_init(&disks_lk, LR_disk);
	devfs_set_block(block_open);
	blk_listen(attached);
	disk_settle();
}

/* ------------------------------------------------------- for those who ask -- */

bool
disk_info(int32_t id, struct disk_info *out)
{
	const struct blkdev *bd;
	struct block *bk;

	lk_excl(&disks_lk);
	bk = by_id(id);
	if (bk != NULL) {
		bd = bk->bk_disk->d_bd;
		memset(out, 0, sizeof *out);
		strlcpy(out->di_name, bk->bk_name, sizeof out->di_name);
		strlcpy(out->di_disk, bd->bd_name, sizeof out->di_disk);
		strlcpy(out->di_model, bd->bd_model, sizeof out->di_model);
		strlcpy(out->di_serial, bd->bd_serial, sizeof out->di_serial);
		out->di_rdev = bk->bk_rdev;
		out->di_start = bk->bk_start;
		out->di_bytes = bk->bk_bytes;
		out->di_block_bytes = bd->bd_block_bytes;
		out->di_number = bk->bk_number;
		out->di_read_only = bd->bd_read_only;
	}
	lk_release(&disks_lk);
	return bk != NULL;
}

int32_t
disk_next(int32_t of, int32_t from)
{
	int32_t id = -1;

	lk_excl(&disks_lk);
	list_foreach(bk, &blocks, struct block, bk_link) {
		if (bk->bk_id >= from && (of == DISK_ANY || bk->bk_of == of)) {
			id = bk->bk_id;
			break;
		}
	}
	lk_release(&disks_lk);
	return id;
}
