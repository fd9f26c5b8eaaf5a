/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ipc - System V shared memory, semaphores and message queues.
 *
 * Keys and identifiers belong to an IPC view, which hangs on the view of the
 * caller's credential: another view has other objects under the same keys.
 * Everything here acts in the view of the current process and speaks kernel
 * memory; the system call layer copies.
 */
#pragma once
#include <abi/ipc.h>
#include <machine/types.h>

void	ipc_init(void);				/* kmain, after proc_init */

/* The limits that /proc/sys/kernel shows and root may set; ERANGE or EINVAL: not such a value. */
enum ipc_limit {
	IPC_SHMMAX, IPC_SHMALL, IPC_SHMMNI, IPC_MSGMAX, IPC_MSGMNB, IPC_MSGMNI,
	/* ... and /proc/sys/fs/mqueue: queues; messages of one, bytes of one of these; if nobody says */
	IPC_MQ_QUEUES, IPC_MQ_MAX, IPC_MQ_SIZE, IPC_MQ_DEFAULT_MAX, IPC_MQ_DEFAULT_SIZE,
	IPC_LIMITS
};
uint64_t ipc_limit(enum ipc_limit which);
int	ipc_set_limit(enum ipc_limit which, uint64_t value);

/* Kernel memory for objects, zeroed; ENOMEM when all views together have their share already. */
int	ipc_alloc(uint64_t bytes, void **out);
void	ipc_free(uint64_t bytes, void *p);

/* One thing that another layer has per view: made when first asked for, ended with a jail's first process. */
struct ipc_own {
	int	(*make)(void **out);
	void	(*end)(void *own);
};
void	ipc_own_set(const struct ipc_own *o);	/* at boot, once */
int	ipc_own_get(void **out);		/* the current process's view's */

enum ipc_kind { IPC_SHM, IPC_SEM, IPC_MSG, IPC_KINDS };
int	ipc_remove(enum ipc_kind kind, int32_t id);
int	ipc_set(enum ipc_kind kind, int32_t id, const struct k_ipc_perm *perm);	/* owner, group, mode */

/*
 * *_stat: `cmd` is IPC_STAT, or for the index of an object *_STAT, *_STAT_ANY: then *id becomes
 * its identifier.
 */
int	shm_get(int32_t key, uint64_t size, uint32_t flags, int32_t *id);
int	shm_attach(int32_t id, uaddr_t *addr, uint32_t flags);
int	shm_detach(uaddr_t addr);
/* resident: pages, may be NULL */
int	shm_stat(int32_t *id, int cmd, struct k_shmid_ds *out, uint64_t *resident);
int	shm_lock(int32_t id, bool on);
void	shm_info(struct k_shm_info *out, int32_t *highest);	/* highest index in use, 0 if none */
struct vmobj;
bool	shm_name(const struct vmobj *o, int32_t *key, int32_t *id);	/* false: no segment */

#define SEMMSL		32000u		/* semaphores of one set */
#define SEMMNS		1024000000u
#define SEMOPM		500u		/* operations of one call */
#define SEMMNI		32000u
#define SEMVMX		32767
int	sem_get(int32_t key, int nsems, uint32_t flags, int32_t *id);
int	sem_op(int32_t id, const struct k_sembuf *ops, uint32_t n, nsec_t deadline);	/* may sleep */
int	sem_stat(int32_t *id, int cmd, struct k_semid_ds *out);
int	sem_getone(int32_t id, int num, int cmd, int *value);	/* GETVAL, GETPID, GETNCNT, GETZCNT */
int	sem_setval(int32_t id, int num, int value);
/* GETALL, SETALL: n as sem_count() said. */
int	sem_getall(int32_t id, uint16_t *v, uint32_t n);
int	sem_setall(int32_t id, const uint16_t *v, uint32_t n);
/* how many there are, if one may read or change them */
int	sem_count(int32_t id, bool change, uint32_t *n);
void	sem_info(struct k_seminfo *out, bool used, int32_t *highest);

int	msg_get(int32_t key, uint32_t flags, int32_t *id);
struct msg;
int	msg_alloc(uint64_t bytes, struct msg **out);		/* to be sent or freed */
void	*msg_text(struct msg *m, int64_t **type, uint64_t *bytes);	/* each may be NULL */
void	msg_free(struct msg *m);
int	msg_send(int32_t id, struct msg *m, uint32_t flags);	/* may sleep; takes m over if 0; msg_receive may sleep, too */
int	msg_receive(int32_t id, uint64_t room, int64_t type, uint32_t flags, struct msg **out);
int	msg_stat(int32_t *id, int cmd, struct k_msqid_ds *out);
int	msg_set(int32_t id, const struct k_ipc_perm *perm, uint64_t qbytes);
void	msg_info(struct k_msginfo *out, bool used, int32_t *highest);
