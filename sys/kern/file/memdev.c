/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memdev - the devices that are no hardware: null, zero, full, random,
 * urandom, kmsg.
 *
 * Random bytes come from the machine, so random and urandom are one; what is
 * written to them is accepted and not needed.  An open kmsg is a copy of the
 * messages at that moment, read record by record; writing adds a message.
 *
 * Locking: none; a description's f_lk is not used, since these have no
 * position.  A kmsg reader's place is guarded by its own lock.
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <core/rt/rt.h>
#include <machine/cpu.h>
#include <stdatomic.h>
#include <sys/debug/kprint.h>
#include <sys/file/file.h>
#include <sys/file/memdev.h>
#include <sys/lwkt/thread.h>
#include <sys/vfs/name.h>
#include <sys/vm/kmem.h>

#define KMSG_LINE_MAX	1000u
#define RANDOM_CHUNK	256u

static int
null_read(struct file *fp, struct uio *u)
{
	(void)fp;
	(void)u;
	return 0;
}

static int
null_write(struct file *fp, struct uio *u)
{
	(void)fp;
	u->u_off += u->u_resid;
	u->u_resid = 0;
	return 0;
}

static int
zero_read(struct file *fp, struct uio *u)
{
	int error = 0;

	(void)fp;
	while (error == 0 && u->u_resid > 0) {
		error = uio_zero(rt_min(u->u_resid, 65536), u);
		lwkt_poll();
	}
	return error;
}

static int
full_write(struct file *fp, struct uio *u)
{
	(void)fp;
	return u->u_resid > 0 ? ENOSPC : 0;
}

static int
random_read(struct file *fp, struct uio *u)
{
	uint8_t buf[RANDOM_CHUNK];
	int error = 0;

	(void)fp;
	while (error == 0 && u->u_resid > 0) {
		size_t n = rt_min(u->u_resid, sizeof buf);

		md_entropy(buf, n);
		error = uio_move(buf, n, u);
		lwkt_poll();
	}
	return error;
}

/* Devices keep no position: any seek ends at 0. */
static int
mem_seek(struct file *fp, int64_t off, int whence, uint64_t *result)
{
	(void)off;
	(void)whence;
	fp->f_off = *result = 0;
	return 0;
}

struct kmsg {
	struct lk	k_lk;
	char		*k_text;	/* const */
	size_t		k_len;		/* const */
	size_t		k_at;		/* [k_lk] */
	uint64_t	k_seq;		/* [k_lk] */
};

static int
kmsg_read_record(struct file *fp, struct uio *u)
{
	struct kmsg *k = fp->f_data;
	char line[KMSG_LINE_MAX + 64];
	const char *text, *end;
	size_t len;
	int n, error;

	lk_excl(&k->k_lk);
	if (k->k_at == k->k_len) {
		lk_release(&k->k_lk);
		return (atomic_load(&fp->f_flags) & O_NONBLOCK) != 0 ? EAGAIN : 0;
	}
	text = k->k_text + k->k_at;
	end = memchr(text, '\n', k->k_len - k->k_at);
	len = end == NULL ? k->k_len - k->k_at : (size_t)(end - text);
	n = rt_snprintf(line, sizeof line, "6,%llu,0,-;%.*s\n", (unsigned long long)k->k_seq,
	    (int)rt_min(len, KMSG_LINE_MAX), text);
	if ((uint64_t)n > u->u_resid) {
		error = EINVAL;
	} else {
		error = uio_move(line, (size_t)n, u);
		k->k_at += len + (end != NULL);
		k->k_seq++;
	}
	lk_release(&k->k_lk);
	return error;
}

static int
kmsg_write(struct file *fp, struct uio *u)
{
	char line[KMSG_LINE_MAX];
	size_t n = rt_min(u->u_resid, sizeof line - 1);
	char *text = line;
	int error;

	(void)fp;
	error = uio_move(line, n, u);
	if (error != 0)
		return error;
	u->u_resid = 0;			/* a longer message is cut */
	line[n] = '\0';
	if (line[0] == '<' && strchr(line, '>') != NULL)
		text = strchr(line, '>') + 1;
	kprintf("%s%s", text, *text != '\0' && text[strlen(text) - 1] == '\n' ? "" : "\n");
	return 0;
}

static void
kmsg_close(struct file *fp)
{
	struct kmsg *k = fp->f_data;

	kfree(k->k_text);
	kfree(k);
}

static const struct file_ops null_ops = { .fo_read = null_read, .fo_write = null_write, .fo_seek = mem_seek };

/* As memory without a file. */
static int
zero_mmap(struct file *fp, struct vmobj **obj, uint64_t *off)
{
	(void)fp;
	(void)off;
	*obj = NULL;
	return 0;
}

static const struct file_ops zero_ops = {
	.fo_read = zero_read, .fo_write = null_write, .fo_seek = mem_seek, .fo_mmap = zero_mmap,
};
static const struct file_ops full_ops = { .fo_read = zero_read, .fo_write = full_write, .fo_seek = mem_seek };
static const struct file_ops random_ops = {
	.fo_read = random_read, .fo_write = null_write, .fo_seek = mem_seek,
};
static const struct file_ops kmsg_ops = {
	.fo_read = kmsg_read_record, .fo_write = kmsg_write, .fo_close = kmsg_close,
};

static int
kmsg_open(struct vnode *vn, struct file *fp)
{
	struct kmsg *k = kmalloc(sizeof *k, KM_ZERO | KM_WAIT);
	size_t size = kmsg_bytes();

	(void)vn;
	if (k == NULL)
		return ENOMEM;
	lk_init(&k->k_lk, LR_kmsg_reader);
	k->k_text = kmalloc(size + 1, KM_WAIT);
	if (k->k_text == NULL) {
		kfree(k);
		return ENOMEM;
	}
	k->k_len = kmsg_read(k->k_text, size);
	fp->f_ops = &kmsg_ops;
	fp->f_data = k;
	return 0;
}

static int null_open(struct vnode *vn, struct file *fp) { (void)vn; fp->f_ops = &null_ops; return 0; }
static int zero_open(struct vnode *vn, struct file *fp) { (void)vn; fp->f_ops = &zero_ops; return 0; }
static int full_open(struct vnode *vn, struct file *fp) { (void)vn; fp->f_ops = &full_ops; return 0; }
static int random_open(struct vnode *vn, struct file *fp) { (void)vn; fp->f_ops = &random_ops; return 0; }

int
memdev_init(void)
{
	static const struct {
		const char *name;
		uint32_t mode, minor;
		int (*open)(struct vnode *, struct file *);
	} dev[] = {
		{ "null", 0666, 3, null_open },
		{ "zero", 0666, 5, zero_open },
		{ "full", 0666, 7, full_open },
		{ "random", 0666, 8, random_open },
		{ "urandom", 0666, 9, random_open },
		{ "kmsg", 0644, 11, kmsg_open },
	};

	for (size_t i = 0; i < countof(dev); i++) {
		int error = devfs_add(dev[i].name, dev[i].mode, MKDEV(1, dev[i].minor), dev[i].open);

		if (error != 0)
			return error;
	}
	return 0;
}
