/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * part - show and make the tables that divide a disk, on an image of it.
 *
 *   part [-b BLOCK] show IMAGE
 *   part [-b BLOCK] gpt IMAGE SIZE[:NAME[:TYPE]]...
 *   part [-b BLOCK] label IMAGE SLICE SIZE[:TYPE]...
 *
 * BLOCK is 512 or up to 4096.  SIZE is a number with K, M, G or T behind it, or
 * - for what is left.  TYPE of a GPT's slice is efi, linux, label64, hammer2 or
 * a GUID; that of a label's partition swap, ufs, hammer, hammer2, other or a
 * number.  SLICE is as `show` prints it, s1 and so on, or disk for a label on
 * the whole disk.  What was in a table before is gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../sys/core/codec/crc32.c"
#include "../../sys/core/disk/slice.c"
#include "../../sys/core/disk/gpt.c"
#include "../../sys/core/disk/label64.c"

#define SLICES_MAX	(GPT_ENTRIES_MAX * 2)
#define PART_ALIGN	(1u << 20)

static const char *image_name;
static struct dsk disk;
static struct dsk_work work;
static struct slice slices[SLICES_MAX];
static struct slice_list list = { .l_at = slices, .l_max = SLICES_MAX };
static struct dsk_info info;

static const struct { const char *name, *guid; } gpt_types[] = {
	{ "efi", "c12a7328-f81f-11d2-ba4b-00a0c93ec93b" },
	{ "linux", "0fc63daf-8483-4772-8e79-3d69d8477de4" },
	{ "label64", "3d48ce54-1d16-11dc-8696-01301bb8a9f5" },
	{ "hammer2", "5cbb9ad1-862d-11dc-a94d-01301bb8a9f5" },
};
static const struct { const char *name; uint8_t fstype; } label_types[] = {
	{ "swap", 1 }, { "ufs", 7 }, { "other", 10 }, { "hammer", 22 }, { "hammer2", 23 },
};
#define N(a)	(sizeof(a) / sizeof *(a))

static _Noreturn void
fail(const char *what, const char *why)
{
	fprintf(stderr, "part: %s: %s\n", what, why);
	exit(1);
}

_Noreturn void
rt_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	abort();
}

static bool
image_read(void *arg, uint64_t lba, uint32_t nblocks, void *buf)
{
	size_t n = (size_t)nblocks * disk.d_block_bytes;

	return pread(*(const int *)arg, buf, n, (off_t)(lba * disk.d_block_bytes)) == (ssize_t)n;
}

static bool
image_write(void *arg, uint64_t lba, uint32_t nblocks, const void *buf)
{
	size_t n = (size_t)nblocks * disk.d_block_bytes;

	return pwrite(*(const int *)arg, buf, n, (off_t)(lba * disk.d_block_bytes)) == (ssize_t)n;
}

/* The order in which a GUID's bytes are printed. */
static const uint8_t guid_order[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };

static void
guid_print(const struct dsk_guid *g)
{
	for (int i = 0; i < 16; i++)
		printf("%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
		    g->g_bytes[guid_order[i]]);
}

static struct dsk_guid
guid_parse(const char *text)
{
	struct dsk_guid g;
	const char *p = text;
	unsigned byte;

	for (int i = 0; i < 16; i++, p += 2) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			p += *p == '-';
		if (strspn(p, "0123456789abcdefABCDEF") < 2 || sscanf(p, "%2x", &byte) != 1)
			fail(text, "not a GUID");
		g.g_bytes[guid_order[i]] = (uint8_t)byte;
	}
	if (*p != '\0')
		fail(text, "not a GUID");
	return g;
}

/* RFC 9562, version 4. */
static struct dsk_guid
guid_new(void)
{
	struct dsk_guid g;

	if (getrandom(&g, sizeof g, 0) != sizeof g)
		fail("random bytes", strerror(errno));
	g.g_bytes[7] = (g.g_bytes[7] & 0x0f) | 0x40;
	g.g_bytes[8] = (g.g_bytes[8] & 0x3f) | 0x80;
	return g;
}

static struct dsk_guid
gpt_type(const char *text)
{
	for (size_t i = 0; i < N(gpt_types); i++) {
		if (strcmp(text, gpt_types[i].name) == 0)
			return guid_parse(gpt_types[i].guid);
	}
	return guid_parse(text);
}

static uint8_t
label_type(const char *text)
{
	char *end;
	unsigned long v;

	for (size_t i = 0; i < N(label_types); i++) {
		if (strcmp(text, label_types[i].name) == 0)
			return label_types[i].fstype;
	}
	v = strtoul(text, &end, 0);
	if (*text == '\0' || *end != '\0' || v > UINT8_MAX)
		fail(text, "not a type");
	return (uint8_t)v;
}

static uint64_t
size_parse(const char *text, uint64_t left)
{
	static const char unit[] = "KMGT";
	char *end;
	const char *u;
	uint64_t v;

	if (strcmp(text, "-") == 0)
		return left;
	errno = 0;
	v = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || errno != 0)
		fail(text, "not a size");
	if (*end == '\0')
		return v;
	u = strchr(unit, *end);
	if (u == NULL || end[1] != '\0' || v > UINT64_MAX >> 10 * (u - unit + 1))
		fail(text, "not a size");
	return v << 10 * (u - unit + 1);
}

/* Slices one behind the other in [lo, hi).  Each text is cut behind its size; *rest follows. */
static void
place(char **text, uint32_t n, uint64_t lo, uint64_t hi, struct slice *s, char **rest)
{
	for (uint32_t i = 0; i < n; i++) {
		lo = (lo + PART_ALIGN - 1) & ~(uint64_t)(PART_ALIGN - 1);
		rest[i] = text[i];
		(void)strsep(&rest[i], ":");
		s[i] = (struct slice){ .sl_start = lo, .sl_index = i, .sl_id = guid_new() };
		if (lo >= hi)
			fail(text[i], "no room is left");
		s[i].sl_bytes = size_parse(text[i], (hi - lo) & ~(uint64_t)(DSK_BUF_BYTES - 1));
		if (s[i].sl_bytes > hi - lo)
			fail(text[i], "does not fit");
		lo += s[i].sl_bytes;
	}
}

static void
done(enum dsk_result r)
{
	static const char *const why[] = {
		[DSK_NO_ROOM] = "too small for a table",
		[DSK_BAD_SLICE] = "a size is no multiple of what is needed, or 0",
		[DSK_BAD_NAME] = "a name is too long or not UTF-8",
		[DSK_IO] = "input or output error",
	};

	if (r != DSK_OK)
		fail(image_name, why[r]);
}

static void
make_gpt(char **text, uint32_t n)
{
	struct slice s[GPT_WRITE_ENTRIES];
	char *rest[GPT_WRITE_ENTRIES];
	struct dsk_guid id = guid_new();
	uint64_t lo, hi;

	if (n > GPT_WRITE_ENTRIES)
		fail(image_name, "too many slices");
	if (!gpt_area(&disk, &lo, &hi))
		done(DSK_NO_ROOM);
	place(text, n, lo, hi, s, rest);
	for (uint32_t i = 0; i < n; i++) {
		const char *name = strsep(&rest[i], ":");

		if (name != NULL && snprintf(s[i].sl_name, sizeof s[i].sl_name, "%s", name) >=
		    (int)sizeof s[i].sl_name)
			done(DSK_BAD_NAME);
		s[i].sl_type = gpt_type(rest[i] == NULL ? "linux" : rest[i]);
	}
	done(gpt_write(&disk, &work, &id, s, n));
}

static void
make_label(const char *where, char **text, uint32_t n)
{
	struct slice s[LABEL64_PARTITIONS];
	char *rest[LABEL64_PARTITIONS], name[16];
	struct dsk_guid id = guid_new();
	uint64_t start = 0, bytes = 0, lo, hi;

	if (n > LABEL64_PARTITIONS)
		fail(image_name, "too many partitions");
	dsk_scan(&disk, &work, &list, &info);
	if (strcmp(where, "disk") == 0 && info.di_gpt.gi_primary != TABLE_OK &&
	    info.di_gpt.gi_backup != TABLE_OK)
		bytes = dsk_bytes(&disk);
	for (uint32_t i = 0; i < list.l_n; i++) {
		snprintf(name, sizeof name, "s%u", slices[i].sl_index + 1);
		if (slices[i].sl_kind == SLICE_GPT && strcmp(where, name) == 0 &&
		    memcmp(&slices[i].sl_type, &label64_type, sizeof label64_type) == 0) {
			start = slices[i].sl_start;
			bytes = slices[i].sl_bytes;
		}
	}
	if (bytes == 0)
		fail(where, "no such place for a label");
	if (!label64_area(start, bytes, &lo, &hi))
		done(DSK_NO_ROOM);
	place(text, n, lo, hi, s, rest);
	for (uint32_t i = 0; i < n; i++)
		s[i].sl_fstype = label_type(rest[i] == NULL ? "other" : rest[i]);
	done(label64_write(&disk, &work, start, bytes, &id, s, n));
}

static void
show(void)
{
	static const char *const state[] = {
		[TABLE_OK] = "good", [TABLE_ABSENT] = "absent", [TABLE_UNREADABLE] = "unreadable",
		[TABLE_BAD_FIELDS] = "contradictory", [TABLE_BAD_SUM] = "damaged",
	};
	const struct gpt_info *g = &info.di_gpt;
	char name[32];

	dsk_scan(&disk, &work, &list, &info);
	printf("primary GPT %s, backup %s%s, protective MBR %s, label of the disk %s\n",
	    state[g->gi_primary], state[g->gi_backup], g->gi_differ ? " but different" : "",
	    g->gi_mbr ? "good" : "absent", state[info.di_label]);
	for (uint32_t i = 0; i < list.l_n; i++) {
		const struct slice *s = &slices[i];

		if (s->sl_kind == SLICE_GPT)
			snprintf(name, sizeof name, "s%u", s->sl_index + 1);
		else if (s->sl_parent == SLICE_NO_PARENT)
			snprintf(name, sizeof name, "%c", 'a' + (int)s->sl_index);
		else
			snprintf(name, sizeof name, "s%u%c", slices[s->sl_parent].sl_index + 1,
			    'a' + (int)s->sl_index);
		printf("%-6s %14llu %14llu %3u ", name, (unsigned long long)s->sl_start,
		    (unsigned long long)s->sl_bytes, s->sl_fstype);
		guid_print(&s->sl_type);
		printf(" ");
		guid_print(&s->sl_id);
		printf("%s%s\n", s->sl_name[0] != '\0' ? " " : "", s->sl_name);
	}
	if (list.l_reversed + list.l_outside + list.l_unaligned + list.l_overlap + list.l_lost > 0)
		printf("left out: %u reversed, %u outside, %u unaligned, %u overlapping, %u lost\n",
		    list.l_reversed, list.l_outside, list.l_unaligned, list.l_overlap, list.l_lost);
	if (info.di_labels_bad > 0)
		printf("slices without a good label: %u\n", info.di_labels_bad);
}

static void
image_open(int *fd, bool change, unsigned long block)
{
	struct stat st;

	if (block < 512 || block > DSK_BUF_BYTES || (block & (block - 1)) != 0)
		fail("-b", "not the size of a block");
	*fd = open(image_name, (change ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	if (*fd < 0 || fstat(*fd, &st) < 0)
		fail(image_name, strerror(errno));
	disk = (struct dsk){
		.d_blocks = (uint64_t)st.st_size / block, .d_block_bytes = (uint32_t)block,
		.d_read = image_read, .d_write = image_write, .d_arg = fd,
	};
}

int
main(int argc, char **argv)
{
	unsigned long block = 512;
	int opt, fd = -1;

	while ((opt = getopt(argc, argv, "+b:")) == 'b')
		block = strtoul(optarg, NULL, 10);
	argv += optind;
	argc -= optind;
	if (opt != -1 || argc < 2)
		goto usage;
	image_name = argv[1];
	if (strcmp(argv[0], "show") == 0 && argc == 2) {
		image_open(&fd, false, block);
		show();
	} else if (strcmp(argv[0], "gpt") == 0 && argc >= 3) {
		image_open(&fd, true, block);
		make_gpt(argv + 2, (uint32_t)argc - 2);
	} else if (strcmp(argv[0], "label") == 0 && argc >= 4) {
		image_open(&fd, true, block);
		make_label(argv[2], argv + 3, (uint32_t)argc - 3);
	} else {
		goto usage;
	}
	if (close(fd) != 0 || fflush(stdout) != 0)
		fail(image_name, strerror(errno));
	return 0;

usage:
	fprintf(stderr, "usage: part [-b BLOCK] show IMAGE\n"
	    "       part [-b BLOCK] gpt IMAGE SIZE[:NAME[:TYPE]]...\n"
	    "       part [-b BLOCK] label IMAGE SLICE SIZE[:TYPE]...\n");
	return 2;
}
