/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sys_path - system calls that name files by paths: opening, making,
 * removing, the working directory.
 *
 * A path is copied in once; nothing of it is read from user memory again.
 * The older calls are the *at calls from the current directory.
 */
#include "path.h"

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <core/rt/rt.h>
#include <gen/syscalls.h>
#include <stdatomic.h>
#include <sys/file/file.h>
#include <sys/proc/proc.h>
#include <sys/vm/kmem.h>

#define OPEN_FLAGS \
	(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC | O_DSYNC | \
	 O_ASYNC | O_DIRECT | O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | O_PATH | \
	 O_TMPFILE)

/* The descriptor matters for a relative path, or if it is to be the root. */
static int
begin_at(struct path_arg *pa, int dirfd, uaddr_t path, bool in_root)
{
	int error;

	pa->pa_start = NULL;
	pa->pa_file = NULL;
	error = copyinstr(pa->pa_text, path, sizeof pa->pa_text, NULL);
	if (error != 0 || (pa->pa_text[0] == '/' && !in_root) || dirfd == AT_FDCWD)
		return error;
	error = fd_get(dirfd, &pa->pa_file);
	if (error != 0)
		return error;
	pa->pa_start = pa->pa_file->f_ncp;
	/* A pipe is no place to begin; with an empty path the caller uses the file itself. */
	if (pa->pa_start == NULL && pa->pa_text[0] != '\0') {
		path_end(pa);
		return ENOTDIR;
	}
	return 0;
}

int
path_begin(struct path_arg *pa, int dirfd, uaddr_t path)
{
	return begin_at(pa, dirfd, path, false);
}

void
path_end(struct path_arg *pa)
{
	if (pa->pa_file != NULL)
		file_drop(pa->pa_file);
	pa->pa_file = NULL;
}

int
path_lookup(int dirfd, uaddr_t path, uint32_t look, struct ncp **out)
{
	struct path_arg pa;
	struct lookup lu;
	int error;

	error = path_begin(&pa, dirfd, path);
	if (error != 0)
		return error;
	if (pa.pa_text[0] == '\0' && pa.pa_file != NULL && pa.pa_start == NULL)
		error = (look & LOOK_EMPTY) != 0 ? EINVAL : ENOENT;
	else
		error = name_lookup(pa.pa_start, pa.pa_text, look, &lu);
	path_end(&pa);
	if (error == 0)
		*out = lu.lu_ncp;
	return error;
}

/* The directory and the last component of a path that is to be made or removed. */
static int
path_parent(int dirfd, uaddr_t path, struct lookup *lu)
{
	struct path_arg pa;
	int error;

	lu->lu_ncp = NULL;
	error = path_begin(&pa, dirfd, path);
	if (error != 0)
		return error;
	error = pa.pa_text[0] == '\0' ? ENOENT : name_lookup(pa.pa_start, pa.pa_text, LOOK_PARENT, lu);
	path_end(&pa);
	return error;
}

static int
open_common(struct sysmsg *m, int dirfd, uaddr_t path, uint32_t flags, uint32_t mode, uint32_t look)
{
	struct path_arg pa;
	struct ncp *n;
	struct file *fp;
	int error, fd;

	error = begin_at(&pa, dirfd, path, (look & LOOK_IN_ROOT) != 0);
	if (error != 0)
		return error;
	error = pa.pa_text[0] == '\0' ? ENOENT :
	    name_open_in(pa.pa_start, pa.pa_text, &flags, mode, look, &n);
	path_end(&pa);
	if (error != 0)
		return error;
	error = file_open_name(n, flags, &fp);
	ncp_drop(n);
	if (error != 0)
		return error;
	error = fd_install(fp, (flags & O_CLOEXEC) != 0, 0, &fd);	/* takes fp in any case */
	if (error == 0)
		m->sm_result = fd;
	return error;
}

int
sys_open(struct sysmsg *m, uaddr_t path, uint32_t flags, uint32_t mode)
{
	return open_common(m, AT_FDCWD, path, flags & OPEN_FLAGS, mode, 0);
}

int
sys_openat(struct sysmsg *m, int dirfd, uaddr_t path, uint32_t flags, uint32_t mode)
{
	return open_common(m, dirfd, path, flags & OPEN_FLAGS, mode, 0);
}

int
sys_creat(struct sysmsg *m, uaddr_t path, uint32_t mode)
{
	return open_common(m, AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode, 0);
}

#define TMPFILE_BIT	(O_TMPFILE & ~O_DIRECTORY)

static int
check_how(const struct k_open_how *how)
{
	const uint64_t both = RESOLVE_BENEATH | RESOLVE_IN_ROOT, all = 2 * RESOLVE_CACHED - 1;

	if ((how->flags & ~(uint64_t)OPEN_FLAGS) != 0 || (how->resolve & ~all) != 0)
		return EINVAL;
	if ((how->resolve & both) == both || (how->mode & ~07777ull) != 0)
		return EINVAL;
	if (how->mode != 0 && (how->flags & (O_CREAT | TMPFILE_BIT)) == 0)
		return EINVAL;
	/* What makes or empties a file is never answered from memory alone. */
	if ((how->resolve & RESOLVE_CACHED) != 0 && (how->flags & (O_CREAT | O_TRUNC | TMPFILE_BIT)) != 0)
		return EAGAIN;
	return 0;
}

static uint32_t
restrictions(uint64_t resolve)
{
	static const uint32_t look[] = { LOOK_NO_XDEV, LOOK_NO_MAGIC, LOOK_NO_LINKS, LOOK_BENEATH,
	    LOOK_IN_ROOT, LOOK_CACHED };
	uint32_t out = 0;

	for (uint32_t i = 0; i < sizeof look / sizeof look[0]; i++)
		out |= (resolve >> i & 1) != 0 ? look[i] : 0;
	return out;
}

/* A longer structure, from a later time, is fine as long as the rest of it is zero. */
static int
copyin_how(struct k_open_how *how, uaddr_t from, size_t size)
{
	uint8_t rest[64];
	int error;

	if (size < sizeof *how)
		return EINVAL;
	if (size > PAGE_BYTES)
		return E2BIG;
	error = copyin(how, from, sizeof *how);
	for (size_t at = sizeof *how; error == 0 && at < size; at += sizeof rest) {
		size_t n = rt_min(sizeof rest, size - at);

		error = copyin(rest, from + at, n);
		for (size_t i = 0; error == 0 && i < n; i++)
			error = rest[i] != 0 ? E2BIG : 0;
	}
	return error;
}

int
sys_openat2(struct sysmsg *m, int dirfd, uaddr_t path, uaddr_t uhow, size_t size)
{
	struct k_open_how how;
	int error = copyin_how(&how, uhow, size);

	if (error == 0)
		error = check_how(&how);
	if (error != 0)
		return error;
	return open_common(m, dirfd, path, (uint32_t)how.flags, (uint32_t)how.mode,
	    restrictions(how.resolve));
}

uint32_t
without_umask(uint32_t mode)
{
	struct fsctx *fc = fsctx_current();

	spin_lock(&fc->fc_spin);
	mode &= ~fc->fc_umask;
	spin_unlock(&fc->fc_spin);
	return mode;
}

int
sys_mkdirat(struct sysmsg *m, int dirfd, uaddr_t path, uint32_t mode)
{
	struct lookup lu;
	int error = path_parent(dirfd, path, &lu);

	(void)m;
	if (error != 0)
		return error;
	error = name_create(lu.lu_ncp, lu.lu_last, lu.lu_last_len, lu.lu_trailing, VDIR,
	    without_umask(mode & 01777), 0,
	    NULL);
	lookup_done(&lu);
	return error;
}

int
sys_mkdir(struct sysmsg *m, uaddr_t path, uint32_t mode)
{
	return sys_mkdirat(m, AT_FDCWD, path, mode);
}

static int
node_type(uint32_t mode, uint64_t dev, enum v_type *type)
{
	switch (mode & S_IFMT) {
	case 0:
	case S_IFREG:	*type = VREG; return 0;
	case S_IFIFO:	*type = VFIFO; return 0;
	case S_IFSOCK:	*type = VSOCK; return 0;
	case S_IFCHR:	*type = VCHR; break;
	case S_IFBLK:	*type = VBLK; break;
	case S_IFDIR:	return EPERM;
	default:	return EINVAL;
	}
	/* 0:0 is no device: an overlay hides things with it. */
	return (*type == VCHR && (uint32_t)dev == 0) || cred_capable(cred_current(), CAP_MKNOD) ? 0 : EPERM;
}

int
sys_mknodat(struct sysmsg *m, int dirfd, uaddr_t path, uint32_t mode, uint64_t dev)
{
	enum v_type type = VREG;
	struct lookup lu;
	int error = path_parent(dirfd, path, &lu);

	(void)m;
	if (error != 0)
		return error;
	error = node_type(mode, dev, &type);
	if (error == 0)
		error = name_create(lu.lu_ncp, lu.lu_last, lu.lu_last_len, lu.lu_trailing, type,
		    without_umask(mode & 07777), type == VCHR || type == VBLK ? (uint32_t)dev : 0, NULL);
	lookup_done(&lu);
	return error;
}

int
sys_mknod(struct sysmsg *m, uaddr_t path, uint32_t mode, uint64_t dev)
{
	return sys_mknodat(m, AT_FDCWD, path, mode, dev);
}

static int
remove_at(int dirfd, uaddr_t path, bool directory)
{
	struct lookup lu;
	int error = path_parent(dirfd, path, &lu);

	if (error != 0)
		return error;
	error = name_remove(lu.lu_ncp, lu.lu_last, lu.lu_last_len, lu.lu_trailing, directory);
	lookup_done(&lu);
	return error;
}

int
sys_unlinkat(struct sysmsg *m, int dirfd, uaddr_t path, uint32_t flags)
{
	(void)m;
	if ((flags & ~AT_REMOVEDIR) != 0)
		return EINVAL;
	return remove_at(dirfd, path, (flags & AT_REMOVEDIR) != 0);
}

int
sys_unlink(struct sysmsg *m, uaddr_t path)
{
	(void)m;
	return remove_at(AT_FDCWD, path, false);
}

int
sys_rmdir(struct sysmsg *m, uaddr_t path)
{
	(void)m;
	return remove_at(AT_FDCWD, path, true);
}

int
sys_renameat2(struct sysmsg *m, int olddirfd, uaddr_t from, int newdirfd, uaddr_t to, uint32_t flags)
{
	struct lookup f, t;
	int error;

	(void)m;
	error = path_parent(olddirfd, from, &f);
	if (error != 0)
		return error;
	error = path_parent(newdirfd, to, &t);
	if (error == 0)
		error = name_rename(&f, &t, flags);
	lookup_done(&f);
	lookup_done(&t);
	return error;
}

int
sys_renameat(struct sysmsg *m, int olddirfd, uaddr_t from, int newdirfd, uaddr_t to)
{
	return sys_renameat2(m, olddirfd, from, newdirfd, to, 0);
}

int
sys_rename(struct sysmsg *m, uaddr_t from, uaddr_t to)
{
	return sys_renameat2(m, AT_FDCWD, from, AT_FDCWD, to, 0);
}

/* Who got a descriptor from another must not make a name of what he could not have opened. */
static bool
may_link_fd(int fd)
{
	struct file *fp;
	bool own;

	if (cred_capable(cred_current(), CAP_DAC_READ_SEARCH))
		return true;
	if (fd_get(fd, &fp) != 0)
		return false;
	own = fp->f_cred == cred_current();
	file_drop(fp);
	return own;
}

int
sys_linkat(struct sysmsg *m, int olddirfd, uaddr_t from, int newdirfd, uaddr_t to, uint32_t flags)
{
	uint32_t look = (flags & AT_SYMLINK_FOLLOW) != 0 ? LOOK_FOLLOW : 0;
	struct lookup lu;
	struct ncp *n;
	int error;

	(void)m;
	if ((flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) != 0)
		return EINVAL;
	if ((flags & AT_EMPTY_PATH) != 0 && may_link_fd(olddirfd))
		look |= LOOK_EMPTY;
	error = path_lookup(olddirfd, from, look, &n);
	if (error != 0)
		return error;
	error = path_parent(newdirfd, to, &lu);
	if (error == 0)
		error = name_link(lu.lu_ncp, lu.lu_last, lu.lu_last_len, lu.lu_trailing, n);
	lookup_done(&lu);
	ncp_drop(n);
	return error;
}

int
sys_link(struct sysmsg *m, uaddr_t from, uaddr_t to)
{
	return sys_linkat(m, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int
sys_symlinkat(struct sysmsg *m, uaddr_t utarget, int dirfd, uaddr_t path)
{
	char target[PATH_MAX_];
	struct lookup lu;
	int error;

	(void)m;
	error = copyinstr(target, utarget, sizeof target, NULL);
	if (error != 0)
		return error;
	if (target[0] == '\0')
		return ENOENT;
	error = path_parent(dirfd, path, &lu);
	if (error != 0)
		return error;
	error = name_symlink(lu.lu_ncp, lu.lu_last, lu.lu_last_len, lu.lu_trailing, target);
	lookup_done(&lu);
	return error;
}

int
sys_symlink(struct sysmsg *m, uaddr_t target, uaddr_t path)
{
	return sys_symlinkat(m, target, AT_FDCWD, path);
}

int
sys_readlinkat(struct sysmsg *m, int dirfd, uaddr_t path, uaddr_t buf, size_t size)
{
	struct path_arg pa;
	struct lookup lu;
	char text[PATH_MAX_];
	size_t len;
	int error;

	if ((int64_t)size <= 0 || (int)size <= 0)
		return EINVAL;
	error = path_begin(&pa, dirfd, path);
	if (error != 0)
		return error;
	if (pa.pa_text[0] == '\0' && pa.pa_start == NULL)
		error = ENOENT;
	else
		error = name_lookup(pa.pa_start, pa.pa_text, LOOK_EMPTY, &lu);
	path_end(&pa);
	if (error != 0)
		return error;
	error = vn_readlink(lu.lu_ncp->n_vnode, text, rt_min(size, sizeof text), &len);
	/* An empty path means a link opened with O_PATH and nothing else. */
	if (error == EINVAL && pa.pa_text[0] == '\0')
		error = ENOENT;
	lookup_done(&lu);
	if (error == 0)
		error = copyout(buf, text, len);
	if (error == 0)
		m->sm_result = (int64_t)len;
	return error;
}

int
sys_readlink(struct sysmsg *m, uaddr_t path, uaddr_t buf, size_t size)
{
	return sys_readlinkat(m, AT_FDCWD, path, buf, size);
}

/* The name becomes cwd or root; takes over the reference. */
static int
set_place(struct ncp *n, bool root)
{
	struct fsctx *fc = fsctx_current();
	struct ncp *old;

	spin_lock(&fc->fc_spin);
	old = root ? fc->fc_root : fc->fc_cwd;
	if (root)
		fc->fc_root = n;
	else
		fc->fc_cwd = n;
	spin_unlock(&fc->fc_spin);
	ncp_drop(old);
	return 0;
}

static int
change_dir(struct ncp *n, bool root)
{
	int error = n->n_vnode->v_type != VDIR ? ENOTDIR : vn_access(n->n_vnode, 1, cred_current());

	if (error == 0 && root && !cred_capable(cred_current(), CAP_SYS_CHROOT))
		error = EPERM;
	if (error == 0)
		return set_place(n, root);
	ncp_drop(n);
	return error;
}

int
sys_chdir(struct sysmsg *m, uaddr_t path)
{
	struct ncp *n;
	int error = path_lookup(AT_FDCWD, path, LOOK_FOLLOW | LOOK_DIR, &n);

	(void)m;
	return error != 0 ? error : change_dir(n, false);
}

int
sys_chroot(struct sysmsg *m, uaddr_t path)
{
	struct ncp *n;
	int error = path_lookup(AT_FDCWD, path, LOOK_FOLLOW | LOOK_DIR, &n);

	(void)m;
	return error != 0 ? error : change_dir(n, true);
}

int
sys_fchdir(struct sysmsg *m, int fd)
{
	struct file *fp;
	struct ncp *n;
	int error = fd_get(fd, &fp);

	(void)m;
	if (error != 0)
		return error;
	n = fp->f_ncp;
	if (n == NULL) {
		file_drop(fp);
		return ENOTDIR;
	}
	ncp_hold(n);
	file_drop(fp);
	return change_dir(n, false);
}

int
sys_getcwd(struct sysmsg *m, uaddr_t buf, size_t size)
{
	static const char prefix[] = "(unreachable)";
	const size_t plen = sizeof prefix - 1;
	struct ncp *cwd, *root;
	bool unreachable = false;
	char *text;
	size_t len;
	int error;

	text = kmalloc(plen + PATH_MAX_, KM_WAIT);
	if (text == NULL)
		return ENOMEM;
	fsctx_get(fsctx_current(), &cwd, &root);
	error = ncp_is_deleted(cwd) ? ENOENT : name_path(cwd, root, text + plen, PATH_MAX_, &unreachable);
	ncp_drop(cwd);
	ncp_drop(root);
	if (error == 0) {
		char *from = unreachable ? text : text + plen;

		if (unreachable)
			memcpy(text, prefix, plen);
		len = strlen(from) + 1;
		if (len > size)
			error = ERANGE;
		else
			error = copyout(buf, from, len);
		m->sm_result = (int64_t)len;
	}
	kfree(text);
	return error;
}

int
sys_umask(struct sysmsg *m, uint32_t mode)
{
	struct fsctx *fc = fsctx_current();

	spin_lock(&fc->fc_spin);
	m->sm_result = fc->fc_umask;
	fc->fc_umask = mode & 0777;
	spin_unlock(&fc->fc_spin);
	return 0;
}
