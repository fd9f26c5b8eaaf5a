/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * exec - programs and scripts of any bytes, with arguments of any.
 *
 * Pieces: the program, the file that it may name as its interpreter, and the
 * memory with argv and envp.  Whatever they are, execve ends with an error or
 * a process whose mappings, break and stack lie where a program's memory can be (X3).
 */
#include "fake.h"

#include "../../sys/core/rt/fmt.c"
#include "../../sys/kern/file/exec.c"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct data { const uint8_t *at; size_t len; };

static struct data files[2];
static struct vnode vnodes[2];
static struct ncp names[2];
static struct mount mounted;
static struct cred cred;
static struct vmobj *const some_object = (struct vmobj *)0x1000;
static struct vmspace *const space = (struct vmspace *)0x2000;
static bool committed;


struct cred *cred_current(void) { return &cred; }
struct cred *cred_copy(const struct cred *c) { struct cred *n = kmalloc(sizeof *n, 0);
    if (n != NULL) *n = *c; return n; }
void proc_set_cred(struct cred *c) { kfree(c); }
void lookup_done(struct lookup *lu) { (void)lu; fake_holds--; }
void ncp_hold(struct ncp *n) { (void)n; fake_holds++; }
void ncp_drop(struct ncp *n) { (void)n; fake_holds--; }
void vnode_hold(struct vnode *vn) { (void)vn; }
void vnode_drop(struct vnode *vn) { (void)vn; }
void proc_add_hooks(struct proc_hooks *h) { (void)h; }
bool ptrace_bars_setid(void) { return false; }
void ptrace_exec_done(void) { }
void sig_force(struct lwp *l, int sig, const struct k_siginfo *info) { (void)l; (void)sig; (void)info; }
size_t sigframe_bytes(void) { return 3000; }
uint64_t vdso_bytes(void) { return 2 * PAGE_BYTES; }
struct ncp *vfs_root(void) { return &names[0]; }
int vn_access(struct vnode *vn, uint32_t want, const struct cred *cr) { (void)vn; (void)want; (void)cr;
    return 0; }
void token_get(struct token *t) { (void)t; }
void token_release(struct token *t) { (void)t; }
void kprintf(const char *fmt, ...) { (void)fmt; }
bool notify_name(struct ncp *n, uint32_t event) { (void)n; (void)event; return false; }
void proc_set_comm(struct proc *p, int32_t tid, const char *name) { (void)p; (void)tid; fake_read(name, 1); }
int proc_exec_commit(void) { committed = true; return 0; }

int
name_lookup(struct ncp *start, const char *path, uint32_t flags, struct lookup *lu)
{
	size_t n = strlen(path);

	(void)start;
	(void)flags;
	if (n == 0 || path[0] == 'n')
		return ENOENT;
	lu->lu_ncp = &names[path[n - 1] == 'i'];
	fake_holds++;
	return 0;
}

int
name_path(struct ncp *n, struct ncp *root, char *buf, size_t size, bool *unreachable)
{
	(void)n;
	(void)root;
	*unreachable = false;
	return strlcpy(buf, "/some/path", size) < size ? 0 : ENAMETOOLONG;
}

int
vn_getattr(struct vnode *vn, struct vattr *va)
{
	(void)vn;
	memset(va, 0, sizeof *va);
	va->va_mode = 0755;
	return 0;
}

int
vn_read_kernel(struct vnode *vn, void *buf, size_t len, uint64_t off, size_t *done)
{
	const struct data *f = &files[vn - vnodes];

	ASSERT(off <= INT64_MAX && len <= 1u << 20);
	*done = off >= f->len ? 0 : rt_min(len, f->len - off);
	memcpy(buf, f->at + (*done > 0 ? off : 0), *done);
	return 0;
}

void
md_entropy(void *buf, size_t len)
{
	memset(buf, 0x5a, len);
}

static bool
is_users(uaddr_t at, uint64_t len)
{
	return at >= MD_USER_MIN && at <= MD_USER_MAX && len <= MD_USER_MAX - at;
}

/* After the commit the new program's memory is where it should be, all of it. */
static bool
writable(uaddr_t at, size_t len)
{
	return committed && is_users(at, len);
}

int
uzero(uaddr_t dst, size_t len)
{
	ASSERT(committed && len < PAGE_BYTES && is_users(dst, len));
	return 0;
}

int
vm_mmap_named(struct vmspace *vs, uaddr_t *addr, uint64_t len, uint32_t prot, uint32_t flags,
    struct vmobj *obj,
    uint64_t off, uint32_t max_prot, struct ncp *name)
{
	ASSERT(committed && vs == space && (prot & ~max_prot) == 0);
	ASSERT((*addr & PAGE_MASK) == 0 && (off & PAGE_MASK) == 0 && off <= INT64_MAX);
	(void)obj;
	(void)name;
	if ((flags & MAP_FIXED) != 0)
		ASSERT(len > 0 && is_users(*addr, len));		/* X3 */
	else
		*addr = 0x7f0000000000;
	fake_chance = fake_chance * 1664525u + 1013904223u;
	if (len == 0 || len > MD_USER_MAX)
		return EINVAL;
	return fake_chance >> 27 == 0 || !is_users(*addr, len) ? ENOMEM : 0;
}

int
vm_munmap(struct vmspace *vs, uaddr_t addr, uint64_t len)
{
	(void)vs;
	ASSERT(is_users(addr, len));
	return 0;
}

int
vdso_map(struct vmspace *vs, uaddr_t at, uaddr_t *ehdr)
{
	(void)vs;
	*ehdr = at;
	return 0;
}

void
vm_brk_set(struct vmspace *vs, uaddr_t start)
{
	(void)vs;
	ASSERT(start <= MD_USER_MAX);
}

void
vm_populate_all(struct vmspace *vs, const struct vm_want *w, size_t n)
{
	(void)vs;
	for (size_t i = 0; i < n; i++)
		ASSERT(w[i].addr <= MD_USER_MAX && w[i].len <= MD_USER_MAX);
}

static void
finish(void)
{
	exe_exit(&fake_proc);
	fake_done();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	size_t n;

	for (int i = 0; i < 2; i++) {
		files[i].at = fake_piece(&data, &len, &n);
		files[i].len = n;
		vnodes[i] = (struct vnode){ .v_type = VREG, .v_mount = &mounted, .v_obj = some_object };
		names[i].n_vnode = &vnodes[i];
	}
	fake_begin(data, len);
	fake_writable = writable;
	fake_proc.p_rlimit[RLIMIT_STACK][0] = 8u << 20;
	fake_proc.p_vmspace = space;
	committed = false;
	(void)exec_user(NULL, AT_FDCWD, "/program", USER_BASE, USER_BASE + 64, 0);
	finish();
	return 0;
}
