/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * socket - messages, names, options and control messages of any bytes.
 *
 * The first piece is a list of calls: which, and six numbers, small ones of
 * which stand for places in the program's memory.  The socket takes and gives anything:
 * what is behind it is not tried here.
 */
#include "fake.h"

#include "../../sys/kern/syscall/iov.c"
#include "../../sys/kern/syscall/sys_socket.c"
#include "../../sys/kern/syscall/timespec.c"
#include "../../sys/net/socket.c"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define FILES	4

static struct file files[FILES];	/* 0 is the socket */
static struct socket a_socket;
static struct cred cred;

struct cred *cred_current(void) { return &cred; }
bool cred_capable(const struct cred *c, uint32_t cap) { (void)c; return cap != CAP_SETGID; }
void file_hold(struct file *fp) { (void)fp; fake_holds++; }
void file_drop(struct file *fp) { (void)fp; fake_holds--; }
int fd_room(void) { return 0; }
int fd_close(int fd) { (void)fd; fake_holds--; return 0; }
void proc_drop(struct proc *p) { (void)p; fake_holds--; }
nsec_t time_now(void) { return 1000; }
nsec_t time_wall(void) { return 2000; }
void pollhead_init(struct pollhead *p) { (void)p; }
void asynchead_init(struct asynchead *a) { (void)a; }
int async_set_owner_nr(struct file *fp, int32_t nr) { (void)fp; return nr < 0 ? ESRCH : 0; }
int32_t async_owner_nr(struct file *fp) { (void)fp; return 0; }
uint64_t serial_next(struct serial *s) { (void)s; return 1; }
void spin_lock(struct spin *s) { (void)s; }
void spin_unlock(struct spin *s) { (void)s; }

struct proc *
proc_find(int32_t pid)
{
	fake_holds += pid == 7;
	return pid == 7 ? &fake_proc : NULL;
}

int
fd_get(int fd, struct file **out)
{
	if (fd < 0 || fd >= FILES)
		return EBADF;
	*out = &files[fd];
	fake_holds++;
	return 0;
}

/* Takes the hold over; what is installed is closed when the call is over. */
static uint32_t installed;
int
fd_install(struct file *fp, bool cloexec, int min, int *fd)
{
	(void)cloexec;
	if (installed == 5) {
		file_drop(fp);
		return EMFILE;
	}
	*fd = min + (int)installed++;
	return 0;
}

int
file_create(const struct file_ops *ops, uint32_t flags, void *data, struct file **out)
{
	(void)ops;
	(void)flags;
	(void)data;
	(void)out;
	return ENFILE;
}

void
scm_files_drop(struct scm_files *f)
{
	for (uint32_t i = 0; f != NULL && i < f->sf_count; i++)
		file_drop(f->sf_file[i]);
	kfree(f);
}

/* ------------------------------------------------------------ the family -- */

static struct scm_files *kept;		/* sent, and received again */

static int
some_name(struct socket *so, const struct sock_addr *a)
{
	(void)so;
	ASSERT(a->sa_len <= SOCKADDR_MAX);
	fake_read(&a->u, a->sa_len);
	return 0;
}

static int
some_connect(struct socket *so, const struct sock_addr *a, bool nonblock)
{
	(void)nonblock;
	return some_name(so, a);
}

static int
some_tell(struct socket *so, bool peer, struct sock_addr *a)
{
	(void)so;
	memset(a, 0, sizeof *a);
	a->sa_len = peer ? sizeof a->u : 2;
	return 0;
}

/* All segments are the user's, and add up. */
static void
check(const struct sock_msg *m)
{
	uint64_t sum = 0;

	ASSERT(m->sm_uio->u_nseg <= UIO_SEG_MAX && m->sm_name.sa_len <= SOCKADDR_MAX);
	for (uint32_t i = 0; i < m->sm_uio->u_nseg; i++) {
		ASSERT(range_possible(m->sm_uio->u_seg[i].base, m->sm_uio->u_seg[i].len));
		sum += m->sm_uio->u_seg[i].len;
	}
	ASSERT(sum == m->sm_uio->u_resid && sum <= IO_MAX);
}

static int
some_send(struct socket *so, struct sock_msg *m)
{
	(void)some_name(so, &m->sm_name);
	check(m);
	if (m->sm_uio->u_resid > 100)
		return EMSGSIZE;
	m->sm_uio->u_resid = 0;
	if (m->sm_files != NULL && kept == NULL) {
		ASSERT(m->sm_files->sf_count <= SCM_MAX_FD);
		kept = m->sm_files;
		m->sm_files = NULL;
	}
	return 0;
}

static int
some_recv(struct socket *so, struct sock_msg *m, uint64_t *n)
{
	check(m);
	*n = rt_min(m->sm_uio->u_resid, 3);
	m->sm_uio->u_resid -= *n;
	(void)some_tell(so, (m->sm_flags & MSG_PEEK) != 0, &m->sm_name);
	m->sm_has_cred = (m->sm_flags & MSG_DONTWAIT) == 0;
	m->sm_cred = (struct k_ucred){ 1, 2, 3 };
	m->sm_files = kept;
	kept = NULL;
	return 0;
}

static int some_shutdown(struct socket *so, uint32_t how) { (void)so; ASSERT(how <= SHUT_RDWR); return 0; }
static int some_listen(struct socket *so, uint32_t backlog) { (void)so; ASSERT(backlog <= SOMAXCONN);
    return 0; }

const struct sock_family unix_family = {
	.sf_domain = AF_UNIX, .sf_bind = some_name, .sf_listen = some_listen, .sf_connect = some_connect,
	    .sf_name = some_tell,
	.sf_send = some_send, .sf_recv = some_recv, .sf_shutdown = some_shutdown,
};

static void
call(uint8_t which, const uint64_t *a)
{
	struct sysmsg m = { .sm_result = 0 };
	int fd = (int)a[0], i = (int)a[2];
	uint32_t n = (uint32_t)a[2];

	installed = 0;
	switch (which % 15) {
	case 0: (void)sys_bind(&m, fd, a[1], i); break;
	case 1: (void)sys_connect(&m, fd, a[1], i); break;
	case 2: (void)sys_listen(&m, fd, i); break;
	case 3: (void)sys_getsockname(&m, fd, a[1], a[2]); break;
	case 4: (void)sys_getpeername(&m, fd, a[1], a[2]); break;
	case 5: (void)sys_shutdown(&m, fd, i); break;
	case 6: (void)sys_setsockopt(&m, fd, (int)a[1] & 1, i & 127, a[3], (int)a[4]); break;
	case 7: (void)sys_getsockopt(&m, fd, (int)a[1] & 1, i & 127, a[3], a[4]); break;
	case 8: (void)sys_sendto(&m, fd, a[1], a[2], (uint32_t)a[3], a[4], (int)a[5]); break;
	case 9: (void)sys_recvfrom(&m, fd, a[1], a[2], (uint32_t)a[3], a[4], a[5]); break;
	case 10: (void)sys_sendmsg(&m, fd, a[1], n); break;
	case 11: (void)sys_recvmsg(&m, fd, a[1], n); break;
	case 12: (void)sys_sendmmsg(&m, fd, a[1], n & 15, (uint32_t)a[3]); break;
	case 13: (void)sys_recvmmsg(&m, fd, a[1], n & 15, (uint32_t)a[3], a[4]); break;
	default: (void)sys_sendmsg(&m, fd, a[1], n); break;
	}
	fake_holds -= installed;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	size_t n;
	const uint8_t *calls = fake_piece(&data, &len, &n);

	fake_begin(data, len);
	fake_proc.p_pid = 7;
	sock_init(&a_socket, &unix_family, SOCK_STREAM, 0);
	for (int i = 0; i < FILES; i++)
		files[i] = (struct file){ .f_flags = O_RDWR, .f_data = &a_socket, .f_ops = i == 0 ?
		    &sock_file_ops : NULL };
	for (; n >= 13; calls += 13, n -= 13) {
		uint64_t a[6];

		/* Two bytes each: a descriptor or a place in the program's memory. */
		for (int i = 0; i < 6; i++) {
			a[i] = calls[1 + 2 * i] | (uint64_t)calls[2 + 2 * i] << 8;
			if (i > 0 && (a[i] & 1) == 0)
				a[i] += USER_BASE;
		}
		call(calls[0], a);
	}
	scm_files_drop(kept);
	kept = NULL;
	fake_done();
	return 0;
}
