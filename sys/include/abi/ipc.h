/* SPDX-License-Identifier: BSD-2-Clause */
/* System V IPC of the Linux x86-64 ABI: shmctl(2), semctl(2), msgctl(2) and their kin. */
#pragma once
#include <stdint.h>

#define IPC_PRIVATE	0
#define IPC_CREAT	01000u
#define IPC_EXCL	02000u
#define IPC_NOWAIT	04000u
#define IPC_RMID	0
#define IPC_SET		1
#define IPC_STAT	2
#define IPC_INFO	3

struct k_ipc_perm {
	int32_t		key;
	uint32_t	uid, gid, cuid, cgid, mode;
	uint16_t	seq, pad[3];
	uint64_t	unused[2];
};
_Static_assert(sizeof(struct k_ipc_perm) == 48, "Linux's size");

#define SHM_LOCK	11
#define SHM_UNLOCK	12
#define SHM_STAT	13
#define SHM_INFO	14
#define SHM_STAT_ANY	15
#define SHM_HUGETLB	04000u
#define SHM_RDONLY	010000u
#define SHM_RND		020000u
#define SHM_REMAP	040000u
#define SHM_EXEC	0100000u
#define SHM_DEST	01000u		/* in the mode: goes with the last that shows it */
#define SHM_LOCKED	02000u
struct k_shmid_ds {
	struct k_ipc_perm shm_perm;
	uint64_t	shm_segsz;
	int64_t		shm_atime, shm_dtime, shm_ctime;
	int32_t		shm_cpid, shm_lpid;
	uint64_t	shm_nattch, unused[2];
};
_Static_assert(sizeof(struct k_shmid_ds) == 112, "Linux's size");
struct k_shminfo { uint64_t shmmax, shmmin, shmmni, shmseg, shmall, unused[4]; };
struct k_shm_info { int32_t used_ids, pad; uint64_t shm_tot, shm_rss, shm_swp, swap_attempts,
    swap_successes; };

#define GETPID		11
#define GETVAL		12
#define GETALL		13
#define GETNCNT		14
#define GETZCNT		15
#define SETVAL		16
#define SETALL		17
#define SEM_STAT	18
#define SEM_INFO	19
#define SEM_STAT_ANY	20
#define SEM_UNDO	0x1000
struct k_sembuf { uint16_t sem_num; int16_t sem_op, sem_flg; };
struct k_semid_ds {
	struct k_ipc_perm sem_perm;
	int64_t		sem_otime;
	uint64_t	unused1;
	int64_t		sem_ctime;
	uint64_t	unused2, sem_nsems, unused3, unused4;
};
_Static_assert(sizeof(struct k_semid_ds) == 104, "Linux's size");
struct k_seminfo { int32_t semmap, semmni, semmns, semmnu, semmsl, semopm, semume, semusz, semvmx, semaem; };

#define MSG_STAT	11
#define MSG_INFO	12
#define MSG_STAT_ANY	13
#define MSG_NOERROR	010000u
#define MSG_EXCEPT	020000u
#define MSG_COPY	040000u
struct k_msqid_ds {
	struct k_ipc_perm msg_perm;
	int64_t		msg_stime, msg_rtime, msg_ctime;
	uint64_t	msg_cbytes, msg_qnum, msg_qbytes;
	int32_t		msg_lspid, msg_lrpid;
	uint64_t	unused[2];
};
_Static_assert(sizeof(struct k_msqid_ds) == 120, "Linux's size");
struct k_msginfo { int32_t msgpool, msgmap, msgmax, msgmnb, msgmni, msgssz, msgtql; uint16_t msgseg, pad; };
