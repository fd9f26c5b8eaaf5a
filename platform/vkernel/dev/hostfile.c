/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostfile - trees of the host's files as file-request devices.
 *
 * drv/fs.h and hk.h describe one request; here it is only passed on.  The
 * launcher has opened the trees and left in the boot page, for each, its root
 * node and a text: 'r' or 'w' and the place to mount it.
 */
#include <abi/vkboot.h>
#include <core/rt/rt.h>
#include <drv/fs.h>
#include <drv/intr.h>
#include <hk/hk.h>
#include <machine/cpu.h>

#include "../boot/boot.h"
#include "../det/det.h"
#include "hostfile.h"

#define SAME(a, b) \
	_Static_assert(offsetof(struct fs_req, a) == offsetof(struct hk_freq, b), "one request")
SAME(fr_op, q_op);
SAME(fr_error, q_error);
SAME(fr_flags, q_flags);
SAME(fr_mask, q_mask);
SAME(fr_node, q_node);
SAME(fr_dir2, q_dir2);
SAME(fr_moved, q_moved);
SAME(fr_victim, q_victim);
SAME(fr_found, q_found);
SAME(fr_name, q_name);
SAME(fr_name2, q_name2);
SAME(fr_off, q_off);
SAME(fr_count, q_done);
SAME(fr_nseg, q_nseg);
SAME(fr_seg, q_seg);
SAME(fr_attr, q_attr);
SAME(fr_attr.fa_ino, q_attr.ino);
SAME(fr_attr.fa_atime, q_attr.atime);
SAME(fr_attr.fa_blksize, q_attr.blksize);
SAME(fr_statfs, q_statfs);
SAME(fr_statfs.fs_namelen, q_statfs.namelen);
_Static_assert(FS_SEGS == HK_FSEGS && sizeof(struct fs_attr) == sizeof(struct hk_fattr), "one request");
_Static_assert((int)FS_LOOKUP == HK_FOP_LOOKUP && (int)FS_READ == HK_FOP_READ &&
    (int)FS_READDIR == HK_FOP_READDIR && (int)FS_LINK == HK_FOP_LINK && (int)FS_STATFS == HK_FOP_STATFS &&
    (int)FS_SEEK == HK_FOP_SEEK && (int)FS_LISTXATTR == HK_FOP_LISTXATTR,
    "operations have the same numbers");
_Static_assert(FSF_READ == HK_FQ_READ && FSF_WRITE == HK_FQ_WRITE && FSF_APPEND == HK_FQ_APPEND &&
    FSF_NOLINK == HK_FQ_NOLINK && FSF_REMOVE == HK_FQ_REMOVE,
    "flags too");
_Static_assert(FSA_MODE == HK_FA_MODE && FSA_SIZE == HK_FA_SIZE && FSA_MTIME == HK_FA_MTIME, "and masks");

static struct fsdev trees[VKB_TREES_MAX];
static char tree_name[VKB_TREES_MAX][16];

/* One host thread runs a deterministic machine: it waits itself, so that the order stays its own. */
static int
hostfile_ask(struct fsdev *fd, struct fs_req *r)
{
	(void)fd;
	return hk_files_ask((struct hk_freq *)(void *)r, md_deterministic) == HK_AGAIN ? FS_LATER : 0;
}

static void
hostfile_interrupt(void *arg)
{
	struct hk_freq *q;

	(void)arg;
	while ((q = hk_files_done()) != NULL) {
		struct fs_req *r = (void *)q;

		r->fr_done(r);
	}
}

static const struct fs_dev_ops hostfile_ops = { hostfile_ask };

void
hostfile_init(void)
{
	const struct vkboot *b = boot_page();
	const char *text = b->b_strings + b->b_tree_off;

	ASSERT(b->b_trees <= VKB_TREES_MAX);
	intr_attach(MD_INTR_FS, hostfile_interrupt, NULL);
	for (uint32_t i = 0; i < b->b_trees; i++, text += strlen(text) + 1) {
		rt_snprintf(tree_name[i], sizeof tree_name[i], "host%u", i);
		trees[i] = (struct fsdev){
			.fd_name = tree_name[i], .fd_ops = &hostfile_ops, .fd_root = b->b_tree_root[i],
			.fd_where = text + 1, .fd_ro = text[0] != 'w', .fd_overlay = text[0] == 'o',
		};
		fsdev_attach(&trees[i]);
	}
}
