/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sysfs_disk - disks and slices in /sys: /sys/block/DISK, in it its slices,
 * and links to all of them in /sys/class/block by name and in /sys/dev/block
 * by number.
 *
 * Locking: none; a node names a disk or slice by its number, and each look at
 * it asks what that is.
 */
#include "procfs_int.h"

#include <abi/errno.h>
#include <core/rt/rt.h>
#include <sys/file/disk.h>

static uint32_t major_of(uint64_t rdev) { return rdev >> 8 & 0xfff; }
static uint32_t minor_of(uint64_t rdev) { return (uint32_t)((rdev & 0xff) | (rdev >> 12 & ~0xffull)); }

static int
number(struct pbuf *b, const struct pnode *n, uint64_t (*of)(const struct disk_info *))
{
	struct disk_info di;

	if (!disk_info(n->pn_fd, &di))
		return ENODEV;
	pb_printf(b, "%llu\n", (unsigned long long)of(&di));
	return 0;
}

static uint64_t sectors_of(const struct disk_info *di) { return di->di_bytes / 512; }
static uint64_t start_of(const struct disk_info *di) { return di->di_start / 512; }
static uint64_t read_only_of(const struct disk_info *di) { return di->di_read_only; }
static uint64_t number_of(const struct disk_info *di) { return di->di_number; }
static uint64_t block_of(const struct disk_info *di) { return di->di_block_bytes; }
static uint64_t zero_of(const struct disk_info *di) { (void)di; return 0; }

static int text_size(struct pbuf *b, const struct pnode *n) { return number(b, n, sectors_of); }
static int text_start(struct pbuf *b, const struct pnode *n) { return number(b, n, start_of); }
static int text_ro(struct pbuf *b, const struct pnode *n) { return number(b, n, read_only_of); }
static int text_partition(struct pbuf *b, const struct pnode *n) { return number(b, n, number_of); }
static int text_block(struct pbuf *b, const struct pnode *n) { return number(b, n, block_of); }
static int text_zero(struct pbuf *b, const struct pnode *n) { return number(b, n, zero_of); }

static int
text_dev(struct pbuf *b, const struct pnode *n)
{
	struct disk_info di;

	if (!disk_info(n->pn_fd, &di))
		return ENODEV;
	pb_printf(b, "%u:%u\n", major_of(di.di_rdev), minor_of(di.di_rdev));
	return 0;
}

static int
text_uevent(struct pbuf *b, const struct pnode *n)
{
	struct disk_info di;

	if (!disk_info(n->pn_fd, &di))
		return ENODEV;
	pb_printf(b, "MAJOR=%u\nMINOR=%u\nDEVNAME=%s\nDEVTYPE=%s\n", major_of(di.di_rdev),
	    minor_of(di.di_rdev), di.di_name, di.di_number == 0 ? "disk" : "partition");
	if (di.di_number != 0)
		pb_printf(b, "PARTN=%u\n", di.di_number);
	return 0;
}

static int
text_model(struct pbuf *b, const struct pnode *n)
{
	struct disk_info di;

	if (!disk_info(n->pn_fd, &di))
		return ENODEV;
	pb_printf(b, "%s\n", di.di_model);
	return 0;
}

/* From /sys/class/block and from /sys/dev/block alike. */
static int
text_link(struct pbuf *b, const struct pnode *n)
{
	struct disk_info di;

	if (!disk_info(n->pn_fd, &di))
		return ENOENT;
	pb_printf(b, "../../block/%s%s%s", di.di_disk, di.di_number == 0 ? "" : "/",
	    di.di_number == 0 ? "" : di.di_name);
	return 0;
}

#define FILE(name, text)	{ name, PK_FILE, 0444, text, NULL, NULL, NULL }
#define DIR(name, children)	{ name, PK_DIR, 0555, NULL, NULL, NULL, children }
#define END			{ NULL, PK_FILE, 0, NULL, NULL, NULL, NULL }

static const struct pentry nothing[] = { END };

static const struct pentry queue_table[] = {
	FILE("hw_sector_size", text_block), FILE("logical_block_size", text_block),
	FILE("minimum_io_size", text_block), FILE("optimal_io_size", text_zero),
	FILE("physical_block_size", text_block), FILE("rotational", text_zero), END
};
static const struct pentry device_table[] = { FILE("model", text_model), END };

static const struct pentry disk_table[] = {
	FILE("alignment_offset", text_zero), FILE("dev", text_dev), DIR("device", device_table),
	DIR("holders", nothing), DIR("queue", queue_table), FILE("removable", text_zero), FILE("ro", text_ro),
	FILE("size", text_size), DIR("slaves", nothing), FILE("uevent", text_uevent), END
};
static const struct pentry slice_table[] = {
	FILE("alignment_offset", text_zero), FILE("dev", text_dev), DIR("holders", nothing),
	FILE("partition", text_partition), FILE("ro", text_ro), FILE("size", text_size),
	FILE("start", text_start), FILE("uevent", text_uevent), END
};

const struct pentry sysfs_disk_dir = { "", PK_DISK, 0555, NULL, NULL, NULL, disk_table };
const struct pentry sysfs_slice_dir = { "", PK_DIR, 0555, NULL, NULL, NULL, slice_table };
const struct pentry sysfs_disk_link = { "", PK_LINK, 0777, text_link, NULL, NULL, NULL };

/* ---------------------------------------------------------------- names -- */

int32_t
sysfs_disk_next(enum pkind kind, int32_t of, int32_t from)
{
	return disk_next(kind == PK_DISKS ? DISK_WHOLE : kind == PK_DISK ? of : DISK_ANY, from);
}

bool
sysfs_disk_name(enum pkind kind, int32_t id, char name[PTREE_NAME_BYTES])
{
	struct disk_info di;

	if (!disk_info(id, &di))
		return false;
	if (kind == PK_DISK_NUMBERS)
		rt_snprintf(name, PTREE_NAME_BYTES, "%u:%u", major_of(di.di_rdev), minor_of(di.di_rdev));
	else
		strlcpy(name, di.di_name, PTREE_NAME_BYTES);
	return true;
}

int32_t
sysfs_disk_find(enum pkind kind, int32_t of, const char *name, size_t len)
{
	char text[PTREE_NAME_BYTES];

	for (int32_t id = 0; (id = sysfs_disk_next(kind, of, id)) >= 0; id++)
		if (sysfs_disk_name(kind, id, text) && strlen(text) == len && memcmp(text, name, len) == 0)
			return id;
	return -1;
}

/* --------------------------------------------------------------- /proc -- */

int
procfs_partitions(struct pbuf *b, const struct pnode *n)
{
	struct disk_info di;

	(void)n;
	pb_printf(b, "major minor  #blocks  name\n\n");
	for (int32_t id = 0; (id = disk_next(DISK_ANY, id)) >= 0; id++)
		if (disk_info(id, &di))
			pb_printf(b, "%4u  %7u %10llu %s\n", major_of(di.di_rdev), minor_of(di.di_rdev),
			    (unsigned long long)di.di_bytes >> 10, di.di_name);
	return 0;
}
