/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of procfs share. */
#pragma once
#include <sys/file/file.h>
#include <sys/file/procfs.h>
#include <sys/proc/proc.h>
#include <sys/vfs/name.h>

/*
 * Text that grows; once memory or the bound is hit it stays as it is and pb_failed says so.  pb_from: a text
 * that may be long is made in pieces, and each says where the next one begins; 0: the start, or no more.
 */
struct pbuf {
	char	*pb_text;
	size_t	pb_len, pb_cap;
	bool	pb_failed;
	uint64_t pb_from;
};
#define PBUF_MAX	(1u << 20)
void	pb_printf(struct pbuf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void	pb_bytes(struct pbuf *b, const void *data, size_t n);

struct pentry;
/* A node: an entry of a table, for a process, a thread of it, one of its descriptors; a CPU, a disk. */
struct pnode {
	const struct pentry *pn_ent;	/* const */
	int32_t		pn_pid;		/* const; 0: none */
	uint64_t	pn_id;		/* const: that process's p_id */
	int32_t		pn_tid;		/* const; 0: the whole process */
	int		pn_fd;		/* const: descriptor, CPU, disk or slice; -1: none */
	uaddr_t		pn_start, pn_end;	/* const: a mapping; 0: none */
};

enum pkind { PK_DIR, PK_ROOT, PK_PID, PK_TASKS, PK_FDS, PK_FDINFOS, PK_MAPS, PK_CPUS, PK_DISKS, PK_DISK,
	PK_DISK_NAMES, PK_DISK_NUMBERS, PK_FILE, PK_MEM,
	PK_LINK, PK_FDLINK, PK_FDINFO };

struct pentry {
	const char	*pe_name;
	enum pkind	pe_kind;
	uint32_t	pe_mode;
	int		(*pe_text)(struct pbuf *b, const struct pnode *n);	/* FILE; LINK: its text */
	/* LINK: where it leads, without the text */
	int		(*pe_jump)(const struct pnode *n, struct ncp **out);
	int		(*pe_write)(const struct pnode *n, const char *text, size_t len);	/* FILE */
	/* directories: the fixed part, ends with a NULL name; or NULL */
	const struct pentry *pe_children;
};
extern const struct pentry procfs_root_table[], procfs_pid_table[], procfs_net_table[], sysfs_cpu_table[];
/* A filesystem whose tree begins with `root`. */
int	ptree_mount(struct mount *mp, const struct pentry *root);
int	ptree_statfs(struct statfs_info *out, uint64_t magic);

/* procfs_ipc.c */
extern const struct pentry procfs_sysvipc_table[], procfs_mqueue_table[];
int	procfs_ipc_limit(struct pbuf *b, const struct pnode *n);	/* the one of the entry's name */
int	procfs_sem_limits(struct pbuf *b, const struct pnode *n);
int	procfs_set_ipc_limit(const struct pnode *n, const char *text, size_t len);
/* procfs_limits.c */
extern const struct pentry procfs_fs_table[];
int	procfs_limit_in(const char *text, size_t len, uint64_t *out);	/* EPERM, EINVAL */
void	procfs_root_init(void);
/* sysfs.c: sets of CPUs 0 to n - 1, as text and a line feed */
void	pb_cpu_list(struct pbuf *b, const uint64_t *cpus, uint32_t n);
void	pb_cpu_mask(struct pbuf *b, const uint64_t *cpus, uint32_t n);
/* sysfs_disk.c: what directories of disks are made of, and the names in them.  `of`: the disk of a PK_DISK */
#define PTREE_NAME_BYTES	32u
extern const struct pentry sysfs_disk_dir, sysfs_slice_dir, sysfs_disk_link;
int32_t	sysfs_disk_next(enum pkind kind, int32_t of, int32_t from);
int32_t	sysfs_disk_find(enum pkind kind, int32_t of, const char *name, size_t len);
bool	sysfs_disk_name(enum pkind kind, int32_t id, char name[PTREE_NAME_BYTES]);
int	procfs_partitions(struct pbuf *b, const struct pnode *n);
/* procfs_maps.c */
int	procfs_maps(struct pbuf *b, const struct pnode *n);
int	procfs_smaps(struct pbuf *b, const struct pnode *n);
int	procfs_smaps_rollup(struct pbuf *b, const struct pnode *n);
void	procfs_sampled(struct proc *p);		/* proc_set_sampled()'s */
/* /proc/PID/map_files: the first mapping of something at or after `from`; EACCES, ENOENT: there is none. */
int	procfs_map_next(const struct pnode *dir, uaddr_t from, struct pnode *out);
int	procfs_map_named(const struct pnode *dir, const char *name, size_t len, struct pnode *out);
#define MAP_NAME_MAX	36u
extern const struct pentry procfs_map_link;
/* procfs_pid.c */
struct proc *procfs_proc(const struct pnode *n);	/* held; NULL: gone */
/* The process, held, if the reader may know its secrets; ESRCH, EACCES. */
int	procfs_look_at(const struct pnode *n, struct proc **out);
struct vmspace *procfs_space_of(struct proc *p);	/* held; NULL: it has none any more */
int	procfs_text_name(struct pbuf *b, struct ncp *n);	/* as seen from the reader's root */
int	procfs_jump_fd(const struct pnode *n, struct ncp **out);
int	procfs_text_fd(struct pbuf *b, const struct pnode *n);
int	procfs_stat_fd(const struct pnode *n, struct k_stat *st);
int	procfs_text_fdinfo(struct pbuf *b, const struct pnode *n);
int	procfs_mem_open(const struct pnode *n, struct file *fp);
/* A number below a name that has only digits; -1: it is none. */
int32_t	procfs_number(const char *name, size_t len);
void	procfs_mounts(struct pbuf *b, const struct pnode *n, bool info);
