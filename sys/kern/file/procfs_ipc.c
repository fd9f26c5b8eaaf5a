/* SPDX-License-Identifier: BSD-2-Clause */
/* procfs_ipc - /proc/sysvipc, /proc/sys/fs/mqueue, limits in /proc/sys/kernel: of the reader's view. */
#include "procfs_int.h"

#include <abi/errno.h>
#include <core/rt/rt.h>
#include <sys/ipc/ipc.h>

typedef unsigned long long ull;

static int
text_shm(struct pbuf *b, const struct pnode *n)
{
	struct k_shm_info all;
	struct k_shmid_ds s;
	uint64_t resident;
	int32_t top;

	(void)n;
	shm_info(&all, &top);
	pb_printf(b,
	    "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid"
	    "      atime      dtime      ctime                   rss                  swap\n");
	for (int32_t i = 0; i <= top; i++) {
		int32_t id = i;

		if (shm_stat(&id, SHM_STAT_ANY, &s, &resident) != 0)
			continue;
		pb_printf(b,
		    "%10d %10d  %4o %21llu %5u %5u  %5llu %5u %5u %5u %5u %10llu %10llu %10llu %21llu %21u\n",
		    s.shm_perm.key, id, s.shm_perm.mode, (ull)s.shm_segsz, (unsigned)s.shm_cpid,
		    (unsigned)s.shm_lpid,
		    (ull)s.shm_nattch, s.shm_perm.uid, s.shm_perm.gid, s.shm_perm.cuid, s.shm_perm.cgid,
		    (ull)s.shm_atime, (ull)s.shm_dtime, (ull)s.shm_ctime, (ull)(resident * PAGE_BYTES), 0);
	}
	return 0;
}

static int
text_sem(struct pbuf *b, const struct pnode *n)
{
	struct k_seminfo all;
	struct k_semid_ds s;
	int32_t top;

	(void)n;
	sem_info(&all, true, &top);
	pb_printf(b,
	    "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n");
	for (int32_t i = 0; i <= top; i++) {
		int32_t id = i;

		if (sem_stat(&id, SEM_STAT_ANY, &s) != 0)
			continue;
		pb_printf(b, "%10d %10d  %4o %10llu %5u %5u %5u %5u %10llu %10llu\n", s.sem_perm.key, id,
		    s.sem_perm.mode,
		    (ull)s.sem_nsems, s.sem_perm.uid, s.sem_perm.gid, s.sem_perm.cuid, s.sem_perm.cgid,
		    (ull)s.sem_otime, (ull)s.sem_ctime);
	}
	return 0;
}

static int
text_msg(struct pbuf *b, const struct pnode *n)
{
	struct k_msginfo all;
	struct k_msqid_ds s;
	int32_t top;

	(void)n;
	msg_info(&all, true, &top);
	pb_printf(b, "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid"
	    "      stime      rtime      ctime\n");
	for (int32_t i = 0; i <= top; i++) {
		int32_t id = i;

		if (msg_stat(&id, MSG_STAT_ANY, &s) != 0)
			continue;
		pb_printf(b,
		    "%10d %10d  %4o  %10llu %10llu %5u %5u %5u %5u %5u %5u %10llu %10llu %10llu\n",
		    s.msg_perm.key,
		    id, s.msg_perm.mode, (ull)s.msg_cbytes, (ull)s.msg_qnum, (unsigned)s.msg_lspid,
		    (unsigned)s.msg_lrpid, s.msg_perm.uid, s.msg_perm.gid, s.msg_perm.cuid, s.msg_perm.cgid,
		    (ull)s.msg_stime, (ull)s.msg_rtime, (ull)s.msg_ctime);
	}
	return 0;
}

const struct pentry procfs_sysvipc_table[] = {
	{ "msg", PK_FILE, 0444, text_msg, NULL, NULL, NULL },
	{ "sem", PK_FILE, 0444, text_sem, NULL, NULL, NULL },
	{ "shm", PK_FILE, 0444, text_shm, NULL, NULL, NULL },
	{ NULL, PK_FILE, 0, NULL, NULL, NULL, NULL },
};

/* -------------------------------------------------------------- limits -- */

/* The one that the entry is named after. */
static enum ipc_limit
limit_of(const struct pnode *n)
{
	static const char *const name[IPC_LIMITS] = {
		[IPC_SHMMAX] = "shmmax", [IPC_SHMALL] = "shmall", [IPC_SHMMNI] = "shmmni",
		[IPC_MSGMAX] = "msgmax", [IPC_MSGMNB] = "msgmnb", [IPC_MSGMNI] = "msgmni",
		[IPC_MQ_QUEUES] = "queues_max", [IPC_MQ_MAX] = "msg_max", [IPC_MQ_SIZE] = "msgsize_max",
		[IPC_MQ_DEFAULT_MAX] = "msg_default", [IPC_MQ_DEFAULT_SIZE] = "msgsize_default",
	};
	int i = 0;

	while (strcmp(name[i], n->pn_ent->pe_name) != 0) {
		i++;
		ASSERT(i < IPC_LIMITS);
	}
	return (enum ipc_limit)i;
}

int
procfs_ipc_limit(struct pbuf *b, const struct pnode *n)
{
	pb_printf(b, "%llu\n", (ull)ipc_limit(limit_of(n)));
	return 0;
}

int
procfs_sem_limits(struct pbuf *b, const struct pnode *n)
{
	(void)n;
	pb_printf(b, "%u\t%u\t%u\t%u\n", SEMMSL, SEMMNS, SEMOPM, SEMMNI);
	return 0;
}

int
procfs_set_ipc_limit(const struct pnode *n, const char *text, size_t len)
{
	uint64_t v;
	int error = procfs_limit_in(text, len, &v);

	return error != 0 ? error : ipc_set_limit(limit_of(n), v);
}

const struct pentry procfs_mqueue_table[] = {
	{ "msg_default", PK_FILE, 0644, procfs_ipc_limit, NULL, procfs_set_ipc_limit, NULL },
	{ "msg_max", PK_FILE, 0644, procfs_ipc_limit, NULL, procfs_set_ipc_limit, NULL },
	{ "msgsize_default", PK_FILE, 0644, procfs_ipc_limit, NULL, procfs_set_ipc_limit, NULL },
	{ "msgsize_max", PK_FILE, 0644, procfs_ipc_limit, NULL, procfs_set_ipc_limit, NULL },
	{ "queues_max", PK_FILE, 0644, procfs_ipc_limit, NULL, procfs_set_ipc_limit, NULL },
	{ NULL, PK_FILE, 0, NULL, NULL, NULL, NULL },
};
