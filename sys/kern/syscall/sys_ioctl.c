/* SPDX-License-Identifier: BSD-2-Clause */
/* sys_ioctl - requests that any file understands are done here, the rest by its type. */
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/ioctl.h>
#include <gen/syscalls.h>
#include <stdatomic.h>
#include <sys/file/async.h>
#include <sys/file/file.h>
#include <sys/proc/sysmsg.h>
#include <sys/vm/uaccess.h>

static int
ioctl_nonblock(struct file *fp, uaddr_t arg)
{
	int32_t on;
	int error;

	if ((error = copyin(&on, arg, sizeof(on))) != 0)
		return error;
	if (on != 0)
		atomic_fetch_or(&fp->f_flags, O_NONBLOCK);
	else
		atomic_fetch_and(&fp->f_flags, ~O_NONBLOCK);
	return 0;
}

static int
ioctl_async(int fd, struct file *fp, uaddr_t arg)
{
	bool is = (atomic_load(&fp->f_flags) & O_ASYNC) != 0;
	int32_t on;
	int error;

	if ((error = copyin(&on, arg, sizeof(on))) != 0)
		return error;
	return (on != 0) == is ? 0 : async_switch(fp, fd, on != 0);
}

int
sys_ioctl(struct sysmsg *m, int fd, uint32_t cmd, uaddr_t arg)
{
	int64_t result = 0;
	struct file *fp;
	int error;

	if ((error = fd_get(fd, &fp)) != 0)
		return error;
	if ((atomic_load(&fp->f_flags) & O_PATH) != 0)
		error = EBADF;
	else if (cmd == FIOCLEX || cmd == FIONCLEX)
		error = fd_cloexec_set(fd, cmd == FIOCLEX);
	else if (cmd == FIONBIO)
		error = ioctl_nonblock(fp, arg);
	else if (cmd == FIOASYNC)
		error = ioctl_async(fd, fp, arg);
	else if (fp->f_ops->fo_ioctl == NULL)
		error = ENOTTY;
	else
		error = fp->f_ops->fo_ioctl(fp, cmd, arg, &result);
	file_drop(fp);
	m->sm_result = result;
	return error;
}
