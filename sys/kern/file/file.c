/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * file - open file descriptions.
 *
 * A struct file is what open() makes: a type (its operations), a mode, a
 * position.  Descriptors of any number of processes count references on it.
 * What a type leaves out of its table gets the default here, so that a small
 * type stays small.
 *
 * Invariants
 *   F1  f_ops and f_data change only inside vop_open, before anybody else can
 *       see the file.
 *   F2  A file that can write to a regular vnode counts in v_writers from
 *       before the open succeeds until the last reference is gone.  (Not
 *       memfd_create's: who has made a program there runs it by that file.)
 *   F3  Types with a position (fo_seek) are called under f_lk, so a read or
 *       write moves the position by what it moved.  Types without one may
 *       block for ever in a read and are called without a lock.
 *
 * Locking: f_flags is changed by compare-and-swap; f_lk guards f_off and is
 * taken before any lock below (vnode, pipe).
 * Not here: which number means which file (fdtable.c).
 */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/poll.h>
#include <abi/signal.h>
#include <core/rt/rt.h>
#include <machine/boot.h>
#include <stdatomic.h>
#include <sys/file/async.h>
#include <sys/file/epoll.h>
#include <sys/file/file.h>
#include <sys/file/lockf.h>
#include <sys/lwkt/budget.h>
#include <sys/proc/proc.h>
#include <sys/vfs/notify.h>
#include <sys/vm/kmem.h>

#define POLL_ALWAYS	(POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM)
#define BYTES_PER_FILE	10240u		/* a tenth of memory at 1 KiB a file, as Linux bounds it */
#define FILES_MIN	1024u

/* Files that name a place only: no type, no access.  Every operation is the default. */
static const struct file_ops path_file_ops;
static struct serial file_ids;
static struct budget_cell file_cell[CPU_MAX];
static struct budget files = { .b_cell = file_cell };	/* in existence */

void
file_limit_init(void)
{
	files.b_max = rt_max(FILES_MIN, md_boot()->b_ram_bytes / BYTES_PER_FILE);
}

int
file_create(const struct file_ops *ops, uint32_t flags, void *data, struct file **out)
{
	struct file *fp;

	ASSERT(ops != NULL);
	if (!budget_take(&files, 1))
		return ENFILE;
	fp = kmalloc(sizeof(*fp), KM_ZERO | KM_WAIT);
	if (fp == NULL) {
		budget_give(&files, 1);
		return ENOMEM;
	}
	atomic_init(&fp->f_refs, 1);
	atomic_init(&fp->f_flags, flags);
	fp->f_ops = ops;
	fp->f_data = data;
	fp->f_id = serial_next(&file_ids);
	lk_init(&fp->f_lk, LR_file_pos);
	spin_init(&fp->f_watch_spin, LR_file_watch);
	list_init(&fp->f_watch);
	if (curlwp != NULL)
		fp->f_cred = cred_hold(cred_current());
	*out = fp;
	return 0;
}

void
file_hold(struct file *fp)
{
	ASSERT(atomic_load(&fp->f_refs) > 0);
	atomic_fetch_add(&fp->f_refs, 1);
}

static bool
file_counts_as_writer(const struct file *fp)
{
	return fp->f_vnode != NULL && fp->f_vnode->v_type == VREG && fp->f_vnode->v_mount != vfs_hidden_mount() &&
	    file_can_write(fp);
}

void
file_drop(struct file *fp)
{
	ASSERT(atomic_load(&fp->f_refs) > 0);
	if (atomic_fetch_sub(&fp->f_refs, 1) != 1)
		return;
	if (fp->f_watched)		/* an empty list is not enough: who emptied it may still hold its spin */
		epoll_file_gone(fp);
	async_end(fp);
	lockf_drop_file(fp);
	if (fp->f_ncp != NULL && fp->f_ops != &path_file_ops)
		file_notify(fp, file_can_write(fp) ? IN_CLOSE_WRITE : IN_CLOSE_NOWRITE);
	if (fp->f_ops->fo_close != NULL)
		fp->f_ops->fo_close(fp);
	if (file_counts_as_writer(fp))
		atomic_fetch_sub(&fp->f_vnode->v_writers, 1);
	if (fp->f_vnode != NULL)
		vnode_drop(fp->f_vnode);
	if (fp->f_ncp != NULL)
		ncp_drop(fp->f_ncp);
	if (fp->f_cred != NULL)
		cred_drop(fp->f_cred);
	kfree(fp);
	budget_give(&files, 1);
}

/* F2.  exec counts itself first and looks at the writers then; we do it the other way round. */
static int
file_take_write_access(struct vnode *vn)
{
	atomic_fetch_add(&vn->v_writers, 1);
	if (atomic_load(&vn->v_execs) == 0)
		return 0;
	atomic_fetch_sub(&vn->v_writers, 1);
	return ETXTBSY;
}

static int
file_open_vnode(struct file *fp, struct vnode *vn, uint32_t flags)
{
	struct vattr va = { .va_mask = VA_SIZE };
	int error;

	if (vn->v_type == VREG && (flags & O_TRUNC) != 0 && (error = vn_setattr(vn, &va)) != 0)
		return error;
	error = vn_open(vn, fp);
	/* What procfs shows of somebody's pipe is that one. */
	return error == 0 && vn->v_type == VFIFO && fp->f_ops == &vnode_file_ops ? fifo_open(vn, fp) : error;
}

int
file_open_name(struct ncp *n, uint32_t flags, struct file **out)
{
	struct vnode *vn = n->n_vnode;
	struct file *fp;
	int error;

	ASSERT(vn != NULL);
	if ((flags & O_PATH) != 0)
		flags = (flags & (O_PATH | O_DIRECTORY | O_NOFOLLOW)) | O_ACCMODE;
	error = file_create((flags & O_PATH) != 0 ? &path_file_ops : &vnode_file_ops,
	    flags & ~(O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC), NULL, &fp);
	if (error != 0)
		return error;
	vnode_hold(vn);
	fp->f_vnode = vn;
	if (file_counts_as_writer(fp) && (error = file_take_write_access(vn)) != 0) {
		fp->f_flags = O_RDONLY;		/* not counted: nothing to take back */
		fp->f_ops = &path_file_ops;
		file_drop(fp);
		return error;
	}
	ncp_hold(n);
	fp->f_ncp = n;
	if ((flags & O_PATH) == 0) {
		error = file_open_vnode(fp, vn, flags);
		atomic_fetch_and(&fp->f_flags, ~O_NOCTTY);
		atomic_fetch_or(&fp->f_flags, O_LARGEFILE);
	}
	if (error != 0) {
		fp->f_ops = &path_file_ops;	/* not open: nothing to close */
		file_drop(fp);
		return error;
	}
	if ((flags & O_PATH) == 0)
		file_notify(fp, IN_OPEN);
	if (vn->v_type == VREG && (flags & O_TRUNC) != 0)
		file_notify(fp, IN_MODIFY);
	*out = fp;
	return 0;
}

void
file_notify(struct file *fp, uint32_t event)
{
	uint64_t changes = atomic_load_explicit(&notify_changes, memory_order_acquire);

	if (atomic_load_explicit(&fp->f_quiet, memory_order_relaxed) == changes || fp->f_ncp == NULL)
		return;
	if (!notify_name(fp->f_ncp, event | IN_EXCL_UNLINK))
		atomic_store_explicit(&fp->f_quiet, changes, memory_order_relaxed);
}

/* What /proc/PID/io tells: one call more, and the bytes it has moved. */
static void
count_read(const struct uio *u, size_t before)
{
	if (curlwp == NULL)
		return;
	figure_add(&curlwp->l_ru.ru_syscr, 1);
	figure_add(&curlwp->l_ru.ru_rchar, (int64_t)(before - u->u_resid));
}

static void
count_write(const struct uio *u, size_t before)
{
	if (curlwp == NULL)
		return;
	figure_add(&curlwp->l_ru.ru_syscw, 1);
	figure_add(&curlwp->l_ru.ru_wchar, (int64_t)(before - u->u_resid));
}

int
file_read(struct file *fp, struct uio *u)
{
	size_t before = u->u_resid;
	int error;

	if (!file_can_read(fp))
		return EBADF;
	if (fp->f_ops->fo_read == NULL)
		return EINVAL;
	if (fp->f_ops->fo_seek == NULL) {
		error = fp->f_ops->fo_read(fp, u);
	} else {
		lk_excl(&fp->f_lk);
		u->u_off = fp->f_off;
		error = fp->f_ops->fo_read(fp, u);
		fp->f_off = u->u_off;
		lk_release(&fp->f_lk);
	}
	count_read(u, before);
	return error;
}

int
file_write(struct file *fp, struct uio *u)
{
	size_t before = u->u_resid;
	int error;

	if (!file_can_write(fp))
		return EBADF;
	if (fp->f_ops->fo_write == NULL)
		return EINVAL;
	if (fp->f_ops->fo_seek == NULL) {
		error = fp->f_ops->fo_write(fp, u);
	} else {
		lk_excl(&fp->f_lk);
		u->u_off = fp->f_off;
		error = fp->f_ops->fo_write(fp, u);
		fp->f_off = u->u_off;
		lk_release(&fp->f_lk);
	}
	count_write(u, before);
	return error;
}

int
file_pread(struct file *fp, struct uio *u)
{
	size_t before = u->u_resid;
	int error;

	if (fp->f_ops->fo_seek == NULL)
		return (atomic_load(&fp->f_flags) & O_PATH) != 0 ? EBADF : ESPIPE;
	if (!file_can_read(fp))
		return EBADF;
	if (fp->f_ops->fo_read == NULL)
		return EINVAL;
	error = fp->f_ops->fo_read(fp, u);
	count_read(u, before);
	return error;
}

int
file_pwrite(struct file *fp, struct uio *u)
{
	size_t before = u->u_resid;
	int error;

	if (fp->f_ops->fo_seek == NULL)
		return (atomic_load(&fp->f_flags) & O_PATH) != 0 ? EBADF : ESPIPE;
	if (!file_can_write(fp))
		return EBADF;
	if (fp->f_ops->fo_write == NULL)
		return EINVAL;
	error = fp->f_ops->fo_write(fp, u);
	count_write(u, before);
	return error;
}

int
file_seek(struct file *fp, int64_t off, int whence, uint64_t *result)
{
	int error;

	if ((atomic_load(&fp->f_flags) & O_PATH) != 0)
		return EBADF;
	if (whence < SEEK_SET || whence > SEEK_HOLE)
		return EINVAL;
	if (fp->f_ops->fo_seek == NULL && fp->f_ops->fo_name != NULL)
		return *result = 0;		/* of events: no position, and no complaint */
	if (fp->f_ops->fo_seek == NULL)
		return ESPIPE;
	lk_excl(&fp->f_lk);
	error = fp->f_ops->fo_seek(fp, off, whence, result);
	lk_release(&fp->f_lk);
	return error;
}

int
file_stat(struct file *fp, struct k_stat *st)
{
	struct vattr va;
	int error;

	if (fp->f_ops->fo_stat != NULL)
		return fp->f_ops->fo_stat(fp, st);
	if (fp->f_vnode == NULL)
		return EBADF;
	if ((error = vn_getattr(fp->f_vnode, &va)) != 0)
		return error;
	memset(st, 0, sizeof(*st));
	vattr_to_stat(fp->f_vnode, &va, st);
	return 0;
}

uint32_t
file_poll(struct file *fp, struct pollnote *note)
{
	return fp->f_ops->fo_poll != NULL ? fp->f_ops->fo_poll(fp, note) : POLL_ALWAYS;
}

void
file_signal(int sig)
{
	struct k_siginfo si;

	if (curlwp == NULL)
		return;
	memset(&si, 0, sizeof(si));
	si.si_signo = sig;
	si.si_code = SI_USER;
	si.u.chld.pid = curproc->p_pid;
	si.u.chld.uid = cred_current()->cr_uid;
	sig_post_lwp(curlwp, sig, &si);
}
