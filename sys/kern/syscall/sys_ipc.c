/* SPDX-License-Identifier: BSD-2-Clause */
/* sys_ipc - System V IPC: from the registers to sys/ipc/ipc.h. */
#include <abi/errno.h>
#include <abi/time.h>
#include <core/rt/rt.h>
#include <gen/syscalls.h>
#include <sys/ipc/ipc.h>
#include <sys/vm/kmem.h>
#include <sys/vm/uaccess.h>

#include "timespec.h"

#define OPS_ON_STACK	64u

/* --------------------------------------------------------------- memory -- */

int
sys_shmget(struct sysmsg *m, int32_t key, size_t size, uint32_t flags)
{
	int32_t id = 0;
	int error = shm_get(key, size, flags, &id);

	m->sm_result = id;
	return error;
}

int
sys_shmat(struct sysmsg *m, int32_t id, uaddr_t addr, uint32_t flags)
{
	int error = shm_attach(id, &addr, flags);

	m->sm_result = (int64_t)addr;
	return error;
}

int
sys_shmdt(struct sysmsg *m, uaddr_t addr)
{
	(void)m;
	return shm_detach(addr);
}

static int
shm_tell(struct sysmsg *m, int32_t id, int cmd, uaddr_t buf)
{
	struct k_shminfo limits = {
		.shmmax = ipc_limit(IPC_SHMMAX), .shmmin = 1, .shmmni = ipc_limit(IPC_SHMMNI),
		.shmseg = ipc_limit(IPC_SHMMNI), .shmall = ipc_limit(IPC_SHMALL),
	};
	struct k_shm_info used;
	struct k_shmid_ds ds;
	int32_t top = 0;
	int error;

	if (cmd == IPC_INFO || cmd == SHM_INFO) {
		shm_info(&used, &top);
		m->sm_result = top;
		return cmd == IPC_INFO ? copyout(buf, &limits, sizeof limits) :
		    copyout(buf, &used, sizeof used);
	}
	error = shm_stat(&id, cmd, &ds, NULL);
	m->sm_result = cmd == IPC_STAT ? 0 : id;
	return error != 0 ? error : copyout(buf, &ds, sizeof ds);
}

int
sys_shmctl(struct sysmsg *m, int32_t id, int cmd, uaddr_t buf)
{
	struct k_shmid_ds ds;
	int error;

	if (cmd < 0 || id < 0)
		return EINVAL;
	switch (cmd) {
	case IPC_INFO: case SHM_INFO: case IPC_STAT: case SHM_STAT: case SHM_STAT_ANY:
		return shm_tell(m, id, cmd, buf);
	case IPC_SET:
		error = copyin(&ds, buf, sizeof ds);
		return error != 0 ? error : ipc_set(IPC_SHM, id, &ds.shm_perm);
	case IPC_RMID:
		return ipc_remove(IPC_SHM, id);
	case SHM_LOCK: case SHM_UNLOCK:
		return shm_lock(id, cmd == SHM_LOCK);
	default:
		return EINVAL;
	}
}

/* ----------------------------------------------------------- semaphores -- */

int
sys_semget(struct sysmsg *m, int32_t key, int nsems, uint32_t flags)
{
	int32_t id = 0;
	int error = sem_get(key, nsems, flags, &id);

	m->sm_result = id;
	return error;
}

int
sys_semtimedop(struct sysmsg *m, int32_t id, uaddr_t from, uint32_t n, uaddr_t timeout)
{
	struct k_sembuf few[OPS_ON_STACK], *ops = few;
	nsec_t deadline;
	int error = timeout_copyin(timeout, &deadline);

	(void)m;
	if (error != 0)
		return error;
	if (n < 1 || id < 0)
		return EINVAL;
	if (n > SEMOPM)
		return E2BIG;
	if (n > OPS_ON_STACK)
		ops = kmalloc_array(n, sizeof *ops, KM_WAIT);
	if (ops == NULL)
		return ENOMEM;
	error = copyin(ops, from, n * sizeof *ops);
	if (error == 0)
		error = sem_op(id, ops, (uint32_t)n, deadline);
	if (ops != few)
		kfree(ops);
	return error;
}

int
sys_semop(struct sysmsg *m, int32_t id, uaddr_t ops, uint32_t n)
{
	return sys_semtimedop(m, id, ops, n, 0);
}

static int
sem_all(int32_t id, int cmd, uaddr_t user)
{
	uint16_t *v;
	uint32_t n;
	int error = sem_count(id, cmd == SETALL, &n);

	if (error != 0)
		return error;
	v = kmalloc_array(n, sizeof *v, KM_WAIT);
	if (v == NULL)
		return ENOMEM;
	error = cmd == SETALL ? copyin(v, user, n * sizeof *v) : sem_getall(id, v, n);
	if (error == 0)
		error = cmd == SETALL ? sem_setall(id, v, n) : copyout(user, v, n * sizeof *v);
	kfree(v);
	return error;
}

static int
sem_tell(struct sysmsg *m, int32_t id, int cmd, uaddr_t buf)
{
	struct k_seminfo info;
	struct k_semid_ds ds;
	int32_t top = 0;
	int error;

	if (cmd == IPC_INFO || cmd == SEM_INFO) {
		sem_info(&info, cmd == SEM_INFO, &top);
		m->sm_result = top;
		return copyout(buf, &info, sizeof info);
	}
	error = sem_stat(&id, cmd, &ds);
	m->sm_result = cmd == IPC_STAT ? 0 : id;
	return error != 0 ? error : copyout(buf, &ds, sizeof ds);
}

int
sys_semctl(struct sysmsg *m, int32_t id, int num, int cmd, uaddr_t arg)
{
	struct k_semid_ds ds;
	int error, value = 0;

	if (id < 0)
		return EINVAL;
	switch (cmd) {
	case IPC_INFO: case SEM_INFO: case IPC_STAT: case SEM_STAT: case SEM_STAT_ANY:
		return sem_tell(m, id, cmd, arg);
	case GETALL: case SETALL:
		return sem_all(id, cmd, arg);
	case GETVAL: case GETPID: case GETNCNT: case GETZCNT:
		error = sem_getone(id, num, cmd, &value);
		m->sm_result = value;
		return error;
	case SETVAL:
		return sem_setval(id, num, (int)arg);
	case IPC_SET:
		error = copyin(&ds, arg, sizeof ds);
		return error != 0 ? error : ipc_set(IPC_SEM, id, &ds.sem_perm);
	case IPC_RMID:
		return ipc_remove(IPC_SEM, id);
	default:
		return EINVAL;
	}
}

/* ------------------------------------------------------------- messages -- */

int
sys_msgget(struct sysmsg *m, int32_t key, uint32_t flags)
{
	int32_t id = 0;
	int error = msg_get(key, flags, &id);

	m->sm_result = id;
	return error;
}

int
sys_msgsnd(struct sysmsg *m, int32_t id, uaddr_t from, size_t size, uint32_t flags)
{
	int64_t kind, *type;
	struct msg *msg;
	void *text;
	int error = copyin(&kind, from, sizeof kind);

	(void)m;
	if (error != 0)
		return error;
	if (size > ipc_limit(IPC_MSGMAX) || id < 0 || kind < 1)
		return EINVAL;
	error = msg_alloc(size, &msg);
	if (error != 0)
		return error;
	text = msg_text(msg, &type, NULL);
	*type = kind;
	error = copyin(text, from + sizeof kind, size);
	if (error == 0)
		error = msg_send(id, msg, flags);
	if (error != 0)
		msg_free(msg);
	return error;
}

int
sys_msgrcv(struct sysmsg *m, int32_t id, uaddr_t to, size_t size, int64_t type, uint32_t flags)
{
	int64_t *kind;
	uint64_t bytes;
	struct msg *msg;
	void *text;
	int error;

	if (id < 0 || (int64_t)size < 0)
		return EINVAL;
	error = msg_receive(id, size, type, flags, &msg);
	if (error != 0)
		return error;
	text = msg_text(msg, &kind, &bytes);
	bytes = rt_min(bytes, size);		/* MSG_NOERROR */
	if (copyout(to, kind, sizeof *kind) != 0 || copyout(to + sizeof *kind, text, bytes) != 0)
		error = EFAULT;
	m->sm_result = (int64_t)bytes;
	msg_free(msg);
	return error;
}

int
sys_msgctl(struct sysmsg *m, int32_t id, int cmd, uaddr_t buf)
{
	struct k_msginfo info;
	struct k_msqid_ds ds;
	int32_t top = 0;
	int error;

	if (id < 0 || cmd < 0)
		return EINVAL;
	switch (cmd) {
	case IPC_INFO: case MSG_INFO:
		msg_info(&info, cmd == MSG_INFO, &top);
		m->sm_result = top;
		return copyout(buf, &info, sizeof info);
	case IPC_STAT: case MSG_STAT: case MSG_STAT_ANY:
		error = msg_stat(&id, cmd, &ds);
		m->sm_result = cmd == IPC_STAT ? 0 : id;
		return error != 0 ? error : copyout(buf, &ds, sizeof ds);
	case IPC_SET:
		error = copyin(&ds, buf, sizeof ds);
		return error != 0 ? error : msg_set(id, &ds.msg_perm, ds.msg_qbytes);
	case IPC_RMID:
		return ipc_remove(IPC_MSG, id);
	default:
		return EINVAL;
	}
}
