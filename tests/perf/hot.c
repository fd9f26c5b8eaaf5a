/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hot - which code of a machine ran, and how often.
 *
 * A plugin of QEMU's translator:
 *
 *   -plugin hot.so,out=FILE[,leaf=ADDR+LEN]...[,mark=ADDR]
 *
 * At the end FILE has a line for each block of code that ran: its address in
 * hexadecimal, how often it ran, the instructions in it, and those of leaf
 * functions that it called, as memcpy.  A leaf is so many bytes of
 * code, both numbers in hexadecimal; what it costs is its caller's doing, so it is charged there,
 * and has no line.  Programs' code, that is the lower half of addresses, has one line
 * in all, with address 0.  A block that a fault leaves early counts whole.
 * Before them, "mark" and the instructions that ran until ADDR was reached.
 *
 * QEMU's interface is declared here, as far as it is used: Debian ships no
 * header of it.  For a machine with one processor.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct qemu_plugin_tb;
typedef uint64_t qemu_plugin_id_t;
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
    void (*cb)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, void (*cb)(unsigned int vcpu, void *arg),
    enum qemu_plugin_cb_flags flags, void *arg);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, void (*cb)(qemu_plugin_id_t, void *), void *arg);
int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv);

extern int qemu_plugin_version;
int qemu_plugin_version = 1;

#define BLOCKS_MAX	(1u << 20)		/* a power of two */
#define LEAVES_MAX	16u

struct block {
	uint64_t	addr;			/* 0: the programs' block, or a free one */
	uint64_t	times;
	uint64_t	insns;
	uint64_t	lent;			/* instructions of leaves called here */
};

/* What is translated: the same address may be in several, of different lengths. */
struct piece {
	struct block	*block;
	uint64_t	insns;
	bool		is_leaf;
	bool		is_mark;
};

static struct block *blocks;			/* a hash table by address, with [0] for programs */
static struct block *last;			/* that ran, not of a leaf */
static const char *out;
static struct { uint64_t addr, len; } leaves[LEAVES_MAX];
static uint32_t nleaves;
static uint64_t mark;
static uint64_t all, all_at_mark;		/* instructions */

static struct block *
block_of(uint64_t addr)
{
	uint64_t i = addr * 0x9E3779B97F4A7C15u >> 44;

	if (addr >> 63 == 0)
		return &blocks[0];
	for (uint32_t tries = 0; tries < BLOCKS_MAX; tries++, i++) {
		struct block *b = &blocks[i % BLOCKS_MAX];

		if (b == &blocks[0] || (b->addr != 0 && b->addr != addr))
			continue;
		b->addr = addr;
		return b;
	}
	fprintf(stderr, "hot: more than %u blocks\n", BLOCKS_MAX);
	exit(1);
}

static bool
is_leaf(uint64_t addr)
{
	for (uint32_t i = 0; i < nleaves; i++)
		if (addr - leaves[i].addr < leaves[i].len)
			return true;
	return false;
}

static void
ran(unsigned int vcpu, void *arg)
{
	const struct piece *p = arg;

	(void)vcpu;
	if (p->is_mark && all_at_mark == 0)
		all_at_mark = all;
	all += p->insns;
	if (p->is_leaf) {
		last->lent += p->insns;
		return;
	}
	last = p->block;
	last->times++;
	last->insns += p->insns;
}

static void
translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	struct piece *p = malloc(sizeof *p);
	uint64_t addr = qemu_plugin_tb_vaddr(tb);

	(void)id;
	if (p == NULL)
		abort();
	p->block = block_of(addr);
	p->insns = qemu_plugin_tb_n_insns(tb);
	p->is_leaf = is_leaf(addr);
	p->is_mark = addr == mark;
	qemu_plugin_register_vcpu_tb_exec_cb(tb, ran, QEMU_PLUGIN_CB_NO_REGS, p);
}

static void
write_all(qemu_plugin_id_t id, void *arg)
{
	FILE *f = fopen(out, "w");

	(void)id;
	(void)arg;
	if (f == NULL) {
		perror(out);
		return;
	}
	if (mark != 0)
		fprintf(f, "mark %" PRIu64 "\n", all_at_mark);
	for (uint32_t i = 0; i < BLOCKS_MAX; i++)
		if (blocks[i].times != 0)
			fprintf(f, "%016" PRIx64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", blocks[i].addr,
			    blocks[i].times, blocks[i].insns, blocks[i].lent);
	fclose(f);
}

int
qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++) {
		char *end;

		if (strncmp(argv[i], "out=", 4) == 0)
			out = argv[i] + 4;
		if (strncmp(argv[i], "mark=", 5) == 0)
			mark = strtoull(argv[i] + 5, NULL, 16);
		if (strncmp(argv[i], "leaf=", 5) != 0 || nleaves == LEAVES_MAX)
			continue;
		leaves[nleaves].addr = strtoull(argv[i] + 5, &end, 16);
		leaves[nleaves++].len = strtoull(end + (*end == '+'), NULL, 16);
	}
	last = blocks = calloc(BLOCKS_MAX, sizeof blocks[0]);
	if (out == NULL || blocks == NULL)
		return 1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, write_all, NULL);
	return 0;
}
