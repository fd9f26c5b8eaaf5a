/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * exec - replace the program of the current process.
 *
 * Three steps.  *Gather*: the arguments come into kernel memory, once, packed
 * as they will lie on the new stack.  *Decide*: the file is opened and its
 * header checked; a `#!` line names another file and puts strings in front;
 * nothing has changed yet, and every error is execve's.  *Commit*: the old
 * program goes, segments are mapped, the stack is written.  What fails now
 * (memory, a header that lied) kills the process with SIGSEGV, as in Linux.
 *
 * Segments map the file's memory object privately, so text is shared and
 * nothing is read that is not touched.
 *
 * Invariants
 *   X1  x_args holds x_argc + x_envc strings with their NULs, in order, of
 *       which the first x_skip bytes have been replaced by x_head.
 *   X2  nothing before the commit changes the process; nothing after it
 *       returns to the old program.
 *   X3  every address that a program header names is checked for overflow and
 *       against the user range before the commit.
 *
 * Absent: core dumps, binfmt_misc.
 */
#include <abi/elf.h>
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/mman.h>
#include <abi/prctl.h>
#include <abi/resource.h>
#include <core/rt/rt.h>
#include <machine/cpu.h>
#include <sys/debug/kprint.h>
#include <sys/file/exec.h>
#include <sys/proc/proc.h>
#include <sys/proc/sigframe.h>
#include <sys/proc/vdso.h>
#include <sys/vfs/notify.h>
#include <sys/vm/kmem.h>
#include <sys/vm/uaccess.h>

#define HEAD_BYTES	256u		/* what decides the kind of a file */
#define INTERP_DEPTH	5u		/* #! lines in a row */
#define STRING_MAX	(32 * PAGE_BYTES)	/* one argument */
#define ARGS_LEAST	(32 * PAGE_BYTES)	/* room for arguments, however small the stack limit */
#define ARGS_MOST	(6ull << 20)
#define ARGS_FIRST	(2 * PAGE_BYTES)
#define ARGS_PIECE	(16 * PAGE_BYTES)	/* copied between two looks at the mailbox */
#define PHDRS_MAX	(65536u / sizeof(struct elf_phdr))
#define MS_NOSUID	2u
#define MS_NOEXEC	8u

#define PIE_BASE	0x555555554000ull
#define RANDOM_PAGES	0x3fffffull	/* how far a base may move: 16 GiB */
#define WARM_TEXT	(256 * PAGE_BYTES)	/* filled in ahead, of a segment that is not written */
#define WARM_DATA	(16 * PAGE_BYTES)	/* the same of one that is: each page is a copy */
#define STACK_FIRST	(128ull << 10)	/* mapped at the start; it grows */

struct image {
	struct vnode	*i_vn;		/* held */
	struct ncp	*i_ncp;		/* held */
	struct elf_ehdr	i_eh;
	struct elf_phdr	*i_ph;		/* i_eh.e_phnum of them */
	uint64_t	i_bias;		/* added to every address in the file */
	uint64_t	i_low, i_high;	/* of PT_LOADs, without bias; i_high: end of the last's memory */
	bool		i_exec_stack;
	bool		i_open;		/* who watches the file was told so */
};

struct exec {
	char		*x_args;	/* packed strings */
	uint64_t	x_bytes, x_size, x_limit;	/* used, allocated, allowed with pointers */
	uint32_t	x_argc, x_envc;	/* in x_args */
	uint64_t	x_skip;		/* X1 */
	char		*x_head;	/* strings that stand for the skipped ones */
	uint64_t	x_head_bytes;
	uint32_t	x_head_count;
	uint32_t	x_skipped;	/* how many strings x_skip covers: 0 or 1 */
	char		*x_path;	/* what was asked for: AT_EXECFN */
	struct image	x_prog, x_interp;
	bool		x_has_interp;
	bool		x_secure;	/* runs with more rights than its caller's */
	uaddr_t		x_random, x_execfn, x_platform, x_vdso;
};

/* ---------------------------------------------------------------- arguments -- */

static int
args_reserve(struct exec *x, uint64_t more)
{
	uint64_t size = x->x_size;
	char *bigger;

	if (more > x->x_limit || x->x_bytes + more > x->x_limit)
		return E2BIG;
	if (x->x_bytes + more <= size)
		return 0;
	while (size < x->x_bytes + more)
		size = size == 0 ? ARGS_FIRST : size * 2;
	bigger = kmalloc(size, KM_WAIT);
	if (bigger == NULL)
		return ENOMEM;
	for (uint64_t at = 0; at < x->x_bytes; at += ARGS_PIECE) {
		memcpy(bigger + at, x->x_args + at, rt_min(x->x_bytes - at, ARGS_PIECE));
		lwkt_poll();
	}
	kfree(x->x_args);
	x->x_args = bigger;
	x->x_size = size;
	return 0;
}

static int
args_add_user(struct exec *x, uaddr_t from)
{
	size_t len;
	int error;

	for (;;) {
		uint64_t room = rt_min(x->x_size - x->x_bytes, STRING_MAX);

		error = room == 0 ? ENAMETOOLONG : copyinstr(x->x_args + x->x_bytes, from, room, &len);
		if (error == 0) {
			x->x_bytes += len + 1;
			return x->x_bytes > x->x_limit ? E2BIG : 0;
		}
		if (error != ENAMETOOLONG)
			return error;
		if (room == STRING_MAX)
			return E2BIG;
		error = args_reserve(x, x->x_size - x->x_bytes + 1);
		if (error != 0)
			return error;
	}
}

/* A NULL-terminated array of strings; each pointer counts against the limit, too. */
static int
args_gather(struct exec *x, uaddr_t array, uint32_t *count)
{
	uint64_t ptr;
	int error;

	*count = 0;
	while (array != 0) {
		error = copyin(&ptr, array, sizeof(ptr));
		if (error != 0)
			return error;
		if (ptr == 0)
			break;
		if (x->x_limit < sizeof(ptr))
			return E2BIG;
		x->x_limit -= sizeof(ptr);
		error = args_add_user(x, ptr);
		if (error != 0)
			return error;
		array += sizeof(ptr);
		(*count)++;
		lwkt_poll();
	}
	return 0;
}

static int
args_add_kernel(struct exec *x, const char *strings, uint32_t count)
{
	size_t bytes = 0;
	int error;

	for (uint32_t i = 0; i < count; i++)
		bytes += strlen(strings + bytes) + 1;
	error = args_reserve(x, bytes);
	if (error != 0)
		return error;
	memcpy(x->x_args + x->x_bytes, strings, bytes);
	x->x_bytes += bytes;
	return 0;
}

/* -------------------------------------------------------------- opening it -- */

static void
image_close(struct image *im)
{
	if (im->i_open)
		notify_name(im->i_ncp, IN_CLOSE_NOWRITE | IN_EXCL_UNLINK);
	if (im->i_ncp != NULL)
		ncp_drop(im->i_ncp);
	kfree(im->i_ph);
	memset(im, 0, sizeof(*im));
}

static int
image_open(struct image *im, struct ncp *start, const char *path, uint32_t flags)
{
	struct lookup lu;
	int error = name_lookup(start, path, ((flags & AT_SYMLINK_NOFOLLOW) != 0 ? 0 : LOOK_FOLLOW) |
	    ((flags & AT_EMPTY_PATH) != 0 ? LOOK_EMPTY : 0), &lu);

	if (error != 0)
		return error;
	memset(im, 0, sizeof(*im));
	im->i_ncp = lu.lu_ncp;
	ncp_hold(im->i_ncp);
	lookup_done(&lu);
	im->i_vn = im->i_ncp->n_vnode;
	if (im->i_vn->v_type == VLNK)
		error = ELOOP;
	else if (im->i_vn->v_type != VREG || (im->i_vn->v_mount->mp_flags & MS_NOEXEC) != 0)
		error = EACCES;
	else
		error = vn_access(im->i_vn, 1, cred_current());
	if (error == 0 && im->i_vn->v_writers != 0)
		error = ETXTBSY;
	if (error == 0 && im->i_vn->v_obj == NULL)
		error = ENOEXEC;
	im->i_open = error == 0;
	if (error == 0)
		notify_name(im->i_ncp, IN_OPEN | IN_EXCL_UNLINK);
	else
		image_close(im);
	return error;
}

static int
image_read(const struct image *im, void *buf, size_t len, uint64_t off, size_t *done)
{
	int error = vn_read_kernel(im->i_vn, buf, len, off, done);

	if (*done > 0)
		notify_name(im->i_ncp, IN_ACCESS | IN_EXCL_UNLINK);
	return error;
}

/* ------------------------------------------------------------------ #! lines -- */

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Split "#! interpreter argument" in place.  arg NULL: none.  ENOEXEC. */
static int
script_parse(char *head, size_t got, char **interp, char **arg)
{
	char *end = memchr(head, '\n', got), *s = head + 2, *limit = head + got;

	*arg = NULL;
	if (end == NULL) {
		/* Cut off: good enough if at least the interpreter's name is whole. */
		if (got == HEAD_BYTES) {
			while (s < limit && is_blank(*s))
				s++;
			while (s < limit && !is_blank(*s) && *s != '\0')
				s++;
			if (s == limit)
				return ENOEXEC;
			s = head + 2;
			limit--;
		}
		end = limit;
	}
	while (end > s && is_blank(end[-1]))
		end--;
	*end = '\0';
	while (is_blank(*s))
		s++;
	if (*s == '\0')
		return ENOEXEC;
	*interp = s;
	while (*s != '\0' && !is_blank(*s))
		s++;
	if (*s == '\0')
		return 0;
	*s++ = '\0';
	while (is_blank(*s))
		s++;
	if (*s != '\0')
		*arg = s;
	return 0;
}

/* Put interpreter, its argument and the script's own name where argv[0] was (X1). */
static int
script_prepend(struct exec *x, const char *interp, const char *arg, const char *script)
{
	size_t old0 = x->x_head_count != 0 ? strlen(x->x_head) + 1 : 0;
	size_t bytes = strlen(interp) + 1 + (arg != NULL ? strlen(arg) + 1 : 0) + strlen(script) + 1,
	    at = 0;
	size_t rest = x->x_head_bytes - old0;
	char *head = kmalloc(bytes + rest, KM_WAIT);

	if (head == NULL)
		return ENOMEM;
	at += strlcpy(head, interp, bytes) + 1;
	if (arg != NULL)
		at += strlcpy(head + at, arg, bytes - at) + 1;
	at += strlcpy(head + at, script, bytes - at) + 1;
	if (rest != 0)
		memcpy(head + at, x->x_head + old0, rest);
	x->x_head_count = (x->x_head_count != 0 ? x->x_head_count - 1 : 0) + (arg != NULL ? 3 : 2);
	kfree(x->x_head);
	x->x_head = head;
	x->x_head_bytes = bytes + rest;
	if (x->x_skipped == 0 && x->x_argc != 0) {
		x->x_skip = strlen(x->x_args) + 1;
		x->x_skipped = 1;
	}
	return 0;
}

/* ----------------------------------------------------------------- checking -- */

static int
elf_check_header(const struct elf_ehdr *eh, size_t got)
{
	static const uint8_t magic[4] = { 0x7f, 'E', 'L', 'F' };

	if (got < sizeof(*eh) || memcmp(eh->e_ident, magic, 4) != 0)
		return ENOEXEC;
	if (eh->e_type != ET_EXEC && eh->e_type != ET_DYN)
		return ENOEXEC;
	if (eh->e_machine != EM_X86_64 || eh->e_phentsize != sizeof(struct elf_phdr))
		return ENOEXEC;
	if (eh->e_phnum == 0 || eh->e_phnum > PHDRS_MAX)
		return ENOEXEC;
	return 0;
}

/* X3.  What fails here would fail after the commit in Linux; we know before, but must die the same way. */
static bool
segment_is_sane(const struct elf_phdr *ph, uint64_t bias)
{
	uint64_t end, start = ph->p_vaddr + bias;

	if (ph->p_filesz > ph->p_memsz || ph->p_memsz > MD_USER_MAX || start < ph->p_vaddr)
		return false;
	if (ph->p_memsz == 0)
		return start <= MD_USER_MAX;		/* mapped nowhere, but i_high may be here */
	if (rt_add_overflows(start, ph->p_memsz, &end) || end > MD_USER_MAX - PAGE_BYTES ||
	    page_trunc(start) < MD_USER_MIN)
		return false;
	if (((ph->p_vaddr ^ ph->p_offset) & PAGE_MASK) != 0)
		return false;
	return ph->p_offset <= INT64_MAX - ph->p_filesz;
}

static int
elf_read_headers(struct image *im)
{
	size_t bytes = im->i_eh.e_phnum * sizeof(struct elf_phdr), done;

	im->i_ph = kmalloc(bytes, KM_WAIT);
	if (im->i_ph == NULL)
		return ENOMEM;
	if (im->i_eh.e_phoff > INT64_MAX ||
	    image_read(im, im->i_ph, bytes, im->i_eh.e_phoff, &done) != 0 ||
	    done != bytes)
		return ENOEXEC;
	im->i_low = UINT64_MAX;
	for (uint32_t i = 0; i < im->i_eh.e_phnum; i++) {
		const struct elf_phdr *ph = &im->i_ph[i];

		if (ph->p_type == PT_GNU_STACK)
			im->i_exec_stack = (ph->p_flags & PF_X) != 0;
		if (ph->p_type != PT_LOAD)
			continue;
		im->i_low = rt_min(im->i_low, page_trunc(ph->p_vaddr));
		im->i_high = rt_max(im->i_high, ph->p_vaddr + ph->p_memsz);
	}
	return 0;
}

/* The dynamic linker, if the program names one. */
static int
interp_open(struct exec *x)
{
	const struct image *im = &x->x_prog;
	const struct elf_phdr *ph = NULL;
	char *path;
	size_t done;
	int error;

	for (uint32_t i = 0; i < im->i_eh.e_phnum && ph == NULL; i++)
		if (im->i_ph[i].p_type == PT_INTERP)
			ph = &im->i_ph[i];
	if (ph == NULL)
		return 0;
	if (ph->p_filesz < 2 || ph->p_filesz > PATH_MAX_)
		return ENOEXEC;
	if (ph->p_offset > INT64_MAX)
		return EINVAL;
	path = kmalloc(PATH_MAX_, KM_WAIT);
	if (path == NULL)
		return ENOMEM;
	error = image_read(im, path, ph->p_filesz, ph->p_offset, &done);
	if (error != 0 || done != ph->p_filesz)
		error = EIO;
	else if (path[ph->p_filesz - 1] != '\0')
		error = ENOEXEC;
	else
		error = image_open(&x->x_interp, NULL, path, 0);
	kfree(path);
	if (error != 0)
		return error;
	x->x_has_interp = true;
	error = image_read(&x->x_interp, &x->x_interp.i_eh, sizeof(struct elf_ehdr), 0, &done);
	if (error == 0 && elf_check_header(&x->x_interp.i_eh, done) != 0)
		error = ELIBBAD;
	if (error == 0)
		error = elf_read_headers(&x->x_interp);
	return error;
}

/*
 * From the open file x_prog, follow #! lines to a program that can be loaded.
 * `name`: what a script is told it is.
 */
static int
program_find(struct exec *x, const char *name)
{
	char *head = kmalloc(HEAD_BYTES + 1, KM_WAIT), *script = kstrdup(name, KM_WAIT), *interp, *arg,
	    *next;
	size_t got = 0;
	int error = head != NULL && script != NULL ? 0 : ENOMEM;

	for (uint32_t depth = 0; error == 0; depth++) {
		if (depth > INTERP_DEPTH) {
			error = ELOOP;
			break;
		}
		memset(head, 0, HEAD_BYTES + 1);
		error = image_read(&x->x_prog, head, HEAD_BYTES, 0, &got);
		if (error != 0 || got < 2 || head[0] != '#' || head[1] != '!')
			break;
		error = script_parse(head, got, &interp, &arg);
		if (error == 0)
			error = script_prepend(x, interp, arg, script);
		next = error == 0 ? kstrdup(interp, KM_WAIT) : NULL;
		if (error == 0 && next == NULL)
			error = ENOMEM;
		if (error != 0)
			break;
		kfree(script);
		script = next;
		image_close(&x->x_prog);
		error = image_open(&x->x_prog, NULL, script, 0);
	}
	if (error == 0) {
		memcpy(&x->x_prog.i_eh, head, sizeof(struct elf_ehdr));
		error = elf_check_header(&x->x_prog.i_eh, got);
	}
	if (error == 0)
		error = elf_read_headers(&x->x_prog);
	if (error == 0)
		error = interp_open(x);
	kfree(head);
	kfree(script);
	return error;
}

/* ---------------------------------------------------------------- committing -- */

static uint64_t
random_pages(void)
{
	uint64_t r;

	md_entropy(&r, sizeof(r));
	return (r & RANDOM_PAGES) << PAGE_SHIFT;
}

static uint32_t
segment_prot(const struct elf_phdr *ph)
{
	return ((ph->p_flags & PF_R) != 0 ? PROT_READ : 0) | ((ph->p_flags & PF_W) != 0 ? PROT_WRITE : 0) |
	    ((ph->p_flags & PF_X) != 0 ? PROT_EXEC : 0);
}

/* Map one PT_LOAD: the file's part, zeros to the end of its last page, anonymous memory beyond. */
static int
segment_map(struct vmspace *vs, struct image *im, const struct elf_phdr *ph)
{
	uint64_t start = ph->p_vaddr + im->i_bias, file_end = start + ph->p_filesz,
	    end = page_round(start + ph->p_memsz);
	uaddr_t at = page_trunc(start), anon = ph->p_filesz != 0 ? page_round(file_end) : at;
	uint32_t prot = segment_prot(ph);
	int error = 0;

	if (ph->p_filesz != 0)
		error = vm_mmap_named(vs, &at, page_round(file_end) - at, prot,
		    MAP_PRIVATE | MAP_FIXED | MAP_DENYWRITE, im->i_vn->v_obj,
		    page_trunc(ph->p_offset), PROT_READ | PROT_WRITE | PROT_EXEC, im->i_ncp);
	if (error == 0 && ph->p_filesz != 0 && ph->p_memsz > ph->p_filesz && (prot & PROT_WRITE) != 0 &&
	    (file_end & PAGE_MASK) != 0)
		error = uzero(file_end, PAGE_BYTES - (file_end & PAGE_MASK));
	if (error == 0 && end > anon)
		error = vm_mmap(vs, &anon, end - anon, prot, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS,
		    NULL, 0,
		    PROT_READ | PROT_WRITE | PROT_EXEC);
	return error;
}

static int
image_map(struct vmspace *vs, struct image *im)
{
	for (uint32_t i = 0; i < im->i_eh.e_phnum; i++) {
		const struct elf_phdr *ph = &im->i_ph[i];
		int error;

		if (ph->p_type != PT_LOAD)
			continue;
		if (!segment_is_sane(ph, im->i_bias))
			return EINVAL;
		if (ph->p_memsz == 0)
			continue;
		error = segment_map(vs, im, ph);
		if (error != 0)
			return error;
	}
	return 0;
}

/* Where the interpreter goes: wherever there is room, found by mapping its whole extent once. */
static int
interp_place(struct vmspace *vs, struct image *im)
{
	uaddr_t at = 0;
	uint64_t len;
	int error;

	if (im->i_eh.e_type == ET_EXEC)
		return 0;
	if (im->i_low > im->i_high || im->i_high - im->i_low > MD_USER_MAX)
		return EINVAL;
	len = page_round(im->i_high - im->i_low);
	error = vm_mmap(vs, &at, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0, PROT_NONE);
	if (error == 0)
		error = vm_munmap(vs, at, len);
	im->i_bias = at - im->i_low;
	return error;
}

/* Address in memory of the program headers: PT_PHDR says so, or a segment holds them. */
static uint64_t
phdr_address(const struct image *im)
{
	for (uint32_t i = 0; i < im->i_eh.e_phnum; i++) {
		const struct elf_phdr *ph = &im->i_ph[i];

		if (ph->p_type == PT_LOAD && im->i_eh.e_phoff >= ph->p_offset &&
		    im->i_eh.e_phoff - ph->p_offset < ph->p_filesz)
			return im->i_eh.e_phoff - ph->p_offset + ph->p_vaddr + im->i_bias;
	}
	return 0;
}

static uint32_t
cpu_features(void)
{
	uint32_t a = 1, b, c = 0, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return d;
}

static uint32_t
auxv_make(const struct exec *x, uint64_t *av)
{
	const struct image *im = &x->x_prog;
	const struct cred *cr = cred_current();
	const uint64_t v[] = {
		x->x_vdso != 0 ? AT_SYSINFO_EHDR : AT_IGNORE, x->x_vdso,
		AT_MINSIGSTKSZ, sigframe_bytes(),
		AT_HWCAP, cpu_features(),
		AT_PAGESZ, PAGE_BYTES,
		AT_CLKTCK, 100,
		AT_PHDR, phdr_address(im),
		AT_PHENT, sizeof(struct elf_phdr),
		AT_PHNUM, im->i_eh.e_phnum,
		AT_BASE, x->x_has_interp ? x->x_interp.i_bias : 0,
		AT_FLAGS, 0,
		AT_ENTRY, im->i_eh.e_entry + im->i_bias,
		AT_UID, cr->cr_uid,
		AT_EUID, cr->cr_euid,
		AT_GID, cr->cr_gid,
		AT_EGID, cr->cr_egid,
		AT_SECURE, x->x_secure,
		AT_RANDOM, x->x_random,
		AT_HWCAP2, 0,
		AT_EXECFN, x->x_execfn,
		AT_PLATFORM, x->x_platform,
		AT_NULL, 0,
	};

	memcpy(av, v, sizeof(v));
	return countof(v);
}
#define AUXV_MAX	64u

/* Walks the strings in the order of the new argv and envp. */
struct cursor {
	const char	*s;		/* the next one */
	uint32_t	head_left;	/* of x_head */
	const char	*rest;		/* what follows it */
};

static const char *
cursor_next(struct cursor *c)
{
	const char *s = c->s;

	c->s += strlen(s) + 1;
	if (c->head_left != 0 && --c->head_left == 0)
		c->s = c->rest;
	return s;
}

/* Write `count` pointers to consecutive strings that begin at *str, and a NULL. */
static int
write_pointers(uaddr_t *at, uint32_t count, struct cursor *cur, uaddr_t *str)
{
	uint64_t batch[64];
	uint32_t n = 0;

	for (uint32_t i = 0; i <= count; i++) {
		batch[n++] = i < count ? *str : 0;
		if (i < count)
			*str += strlen(cursor_next(cur)) + 1;
		if (n < countof(batch) && i < count)
			continue;
		if (copyout(*at, batch, n * sizeof(batch[0])) != 0)
			return EFAULT;
		*at += n * sizeof(batch[0]);
		n = 0;
		lwkt_poll();
	}
	return 0;
}

/*
 * The new stack, from its top downwards: a null word, the path, the strings,
 * platform and random bytes; then, 16-byte aligned, argc, argv, envp, auxv.
 */
static int
stack_write(struct exec *x, uaddr_t top, uaddr_t *sp_out)
{
	static const char platform[] = "x86_64";
	struct proc *p = curproc;
	uint32_t argc = x->x_head_count + x->x_argc - x->x_skipped, nav;
	uint64_t rest = x->x_bytes - x->x_skip, word = 0, av[AUXV_MAX];
	const char *tail = x->x_args + x->x_skip;
	struct cursor cur = { x->x_head_count != 0 ? x->x_head : tail, x->x_head_count, tail };
	uaddr_t at = top - sizeof(word), str, sp, args, envs;
	uint8_t seed[16];

	if (copyout(at, &word, sizeof(word)) != 0)
		return EFAULT;
	at -= strlen(x->x_path) + 1;
	x->x_execfn = at;
	if (copyout(at, x->x_path, strlen(x->x_path) + 1) != 0)
		return EFAULT;
	at -= rest;
	if (copyout(at, x->x_args + x->x_skip, rest) != 0)
		return EFAULT;
	at -= x->x_head_bytes;
	if (x->x_head_bytes != 0 && copyout(at, x->x_head, x->x_head_bytes) != 0)
		return EFAULT;
	str = at;
	at -= sizeof(platform);
	x->x_platform = at;
	at = (at - sizeof(seed)) & ~15ull;
	x->x_random = at;
	md_entropy(seed, sizeof(seed));
	if (copyout(x->x_platform, platform, sizeof(platform)) != 0 || copyout(at, seed, sizeof(seed)) != 0)
		return EFAULT;

	nav = auxv_make(x, av);
	sp = (at - (1 + argc + 1 + x->x_envc + 1 + (uint64_t)nav) * sizeof(word)) & ~15ull;
	*sp_out = sp;
	word = argc;
	if (copyout(sp, &word, sizeof(word)) != 0)
		return EFAULT;
	sp += sizeof(word);
	args = str;
	if (write_pointers(&sp, argc, &cur, &str) != 0)
		return EFAULT;
	envs = str;
	if (write_pointers(&sp, x->x_envc, &cur, &str) != 0)
		return EFAULT;
	token_get(&p->p_tok);			/* all at once, for who looks from outside */
	p->p_arg_start = args;
	p->p_arg_end = p->p_env_start = envs;
	p->p_env_end = str;
	p->p_stack_start = *sp_out;
	memcpy(p->p_auxv, av, nav * sizeof(av[0]));
	p->p_auxv_bytes = (uint32_t)(nav * sizeof(av[0]));
	token_release(&p->p_tok);
	return copyout(sp, av, nav * sizeof(av[0]));
}

static int
stack_make(struct exec *x, struct vmspace *vs, uaddr_t *sp)
{
	uint64_t strings = x->x_bytes + x->x_head_bytes + strlen(x->x_path);
	uint64_t pointers = ((uint64_t)x->x_head_count + x->x_argc + x->x_envc + AUXV_MAX + 4) * 8;
	uint64_t len = page_round(strings + pointers + STACK_FIRST);
	uaddr_t top = MD_USER_MAX - PAGE_BYTES - vdso_bytes() - random_pages(), low = top - len;
	uint32_t prot = PROT_READ | PROT_WRITE | (x->x_prog.i_exec_stack ? PROT_EXEC : 0);
	int error = vm_mmap(vs, &low, len, prot,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN | MAP_STACK, NULL, 0,
	    PROT_READ | PROT_WRITE | PROT_EXEC);

	if (error == 0 && vdso_bytes() != 0)
		error = vdso_map(vs, top, &x->x_vdso);
	return error != 0 ? error : stack_write(x, top, sp);
}

/* setuid and setgid files.  Sets x_secure. */
static int
take_identity(struct exec *x)
{
	struct proc *p = curproc;
	struct cred *cr;
	struct vattr va;
	int error = vn_getattr(x->x_prog.i_vn, &va);
	bool suid = (va.va_mode & S_ISUID) != 0, sgid = (va.va_mode & (S_ISGID | 010)) == (S_ISGID | 010);
	bool root;

	if (error != 0)
		return error;
	if ((x->x_prog.i_vn->v_mount->mp_flags & MS_NOSUID) != 0 || p->p_no_new_privs ||
	    ptrace_bars_setid())
		suid = sgid = false;
	cr = cred_copy(cred_current());
	if (cr == NULL)
		return ENOMEM;
	if (suid)
		cr->cr_euid = va.va_uid;
	if (sgid)
		cr->cr_egid = va.va_gid;
	cr->cr_suid = cr->cr_fsuid = cr->cr_euid;
	cr->cr_sgid = cr->cr_fsgid = cr->cr_egid;
	root = (cr->cr_securebits & SECBIT_NOROOT) == 0;
	if (root && (cr->cr_euid == 0 || cr->cr_uid == 0))
		cr->cr_cap_perm = cr->cr_cap_bnd | cr->cr_cap_inh;
	else
		cr->cr_cap_perm = cr->cr_cap_amb;
	cr->cr_cap_eff = root && cr->cr_euid == 0 ? cr->cr_cap_perm : cr->cr_cap_amb;
	cr->cr_securebits &= ~SECBIT_KEEP_CAPS;
	x->x_secure = cr->cr_euid != cr->cr_uid || cr->cr_egid != cr->cr_gid;
	token_get(&p->p_tok);
	proc_set_cred(cr);
	if (x->x_secure)
		p->p_pdeathsig = 0;
	token_release(&p->p_tok);
	return 0;
}

static void
exe_hold(struct ncp *exe)
{
	ncp_hold(exe);
	exe->n_vnode->v_execs++;
}

static void
exe_drop(struct ncp *exe)
{
	if (exe == NULL)
		return;
	exe->n_vnode->v_execs--;
	ncp_drop(exe);
}

/* What /proc tells of the program. */
static void
remember(struct exec *x)
{
	struct proc *p = curproc;
	const char *base = strrchr(x->x_path, '/');
	struct ncp *old;

	exe_hold(x->x_prog.i_ncp);
	token_get(&p->p_tok);
	old = p->p_exe;
	p->p_exe = x->x_prog.i_ncp;
	token_release(&p->p_tok);
	proc_set_comm(p, p->p_pid, base != NULL ? base + 1 : x->x_path);
	exe_drop(old);
}

/* The part of segment ph that a program surely touches soon: what the file has of its data, text around its entry. */
static struct vm_want
first_touched(const struct image *im, const struct elf_phdr *ph, uaddr_t entry)
{
	uint64_t start = ph->p_vaddr + im->i_bias, end = start + ph->p_filesz, from = start;
	bool write = (ph->p_flags & PF_W) != 0;

	if (ph->p_filesz == 0 || ph->p_type != PT_LOAD)
		return (struct vm_want){ 0, 0, false };
	if (entry - start < ph->p_filesz)
		from = rt_max(start, page_trunc(entry) - rt_min(page_trunc(entry), WARM_TEXT / 2));
	return (struct vm_want){ from, rt_min(end - from, write ? WARM_DATA : WARM_TEXT), write };
}

/*
 * Fill in what a program touches first, in one batch, so that it does not
 * fault its way into life.
 */
static void
warm_up(const struct exec *x, struct vmspace *vs, uaddr_t entry, uaddr_t sp)
{
	const struct image *im = x->x_has_interp ? &x->x_interp : &x->x_prog;
	struct vm_want want[VM_WANT_MAX] = { { page_trunc(sp) - PAGE_BYTES, 2 * PAGE_BYTES, true } };
	size_t n = 1;

	for (uint32_t i = 0; i < im->i_eh.e_phnum && n < VM_WANT_MAX; i++) {
		want[n] = first_touched(im, &im->i_ph[i], entry);
		n += want[n].len != 0;
	}
	vm_populate_all(vs, want, n);
}

/* After the point of no return. */
static int
load(struct exec *x)
{
	struct vmspace *vs = curproc->p_vmspace;
	struct md_regs *r = &curlwp->l_uf.uf_regs;
	uint64_t bias = 0;
	uaddr_t sp = 0, entry, brk;
	int error;

	if (x->x_prog.i_eh.e_type == ET_DYN) {
		if (x->x_prog.i_low > x->x_prog.i_high)
			return EINVAL;
		bias = PIE_BASE + random_pages() - x->x_prog.i_low;
	}
	x->x_prog.i_bias = bias;
	error = image_map(vs, &x->x_prog);
	if (error != 0)
		return error;
	brk = page_round(x->x_prog.i_high + bias) + (random_pages() >> 9 & ~PAGE_MASK);
	vm_brk_set(vs, rt_min(brk, MD_USER_MAX));
	entry = x->x_prog.i_eh.e_entry + bias;
	if (x->x_has_interp) {
		error = interp_place(vs, &x->x_interp);
		if (error == 0)
			error = image_map(vs, &x->x_interp);
		if (error != 0)
			return error;
		entry = x->x_interp.i_eh.e_entry + x->x_interp.i_bias;
	}
	error = stack_make(x, vs, &sp);
	if (error != 0)
		return error;
	r->rip = entry;
	r->rsp = sp;
	warm_up(x, vs, entry, sp);
	return 0;
}

static int
replace(struct exec *x)
{
	int error = proc_exec_commit();

	if (error != 0)
		return error;
	error = take_identity(x);
	remember(x);
	if (error == 0)
		error = load(x);
	if (error == 0) {
		ptrace_exec_done();
		return 0;
	}
	kprintf("exec: %s: could not be loaded: error %d\n", x->x_path, error);
	curlwp->l_uf.uf_regs.rip = 0;
	sig_force(curlwp, SIGSEGV, NULL);		/* the process dies on its way to user mode */
	return 0;
}

static void
exec_free(struct exec *x)
{
	image_close(&x->x_prog);
	image_close(&x->x_interp);
	kfree(x->x_args);
	kfree(x->x_head);
	kfree(x->x_path);
	kfree(x);
}

static struct exec *
exec_alloc(const char *path)
{
	struct exec *x = kmalloc(sizeof(*x), KM_ZERO | KM_WAIT);
	uint64_t stack = curproc->p_rlimit[RLIMIT_STACK][0];

	if (x == NULL)
		return NULL;
	x->x_path = kstrdup(path, KM_WAIT);
	x->x_limit = rt_max(rt_min(stack / 4, ARGS_MOST), ARGS_LEAST);
	if (x->x_path == NULL || args_reserve(x, ARGS_FIRST) != 0) {
		exec_free(x);
		return NULL;
	}
	return x;
}

int
exec_user(struct ncp *start, int dirfd, const char *path, uaddr_t argv, uaddr_t envp, uint32_t flags)
{
	struct exec *x;
	char *name = NULL;
	int error;

	/* What a script's interpreter is told to open when the file was named by a descriptor. */
	if (dirfd != AT_FDCWD && path[0] != '/') {
		size_t size = strlen(path) + 32;

		name = kmalloc(size, KM_WAIT);
		if (name == NULL)
			return ENOMEM;
		rt_snprintf(name, size, path[0] != '\0' ? "/dev/fd/%d/%s" : "/dev/fd/%d", dirfd, path);
	}
	x = exec_alloc(name != NULL ? name : path);
	if (x == NULL) {
		kfree(name);
		return ENOMEM;
	}
	error = image_open(&x->x_prog, start, path, flags);
	if (error == 0)
		error = args_gather(x, argv, &x->x_argc);
	if (error == 0 && x->x_argc == 0) {
		error = args_add_kernel(x, "", 1);	/* a program always has a name, if an empty one */
		x->x_argc = 1;
	}
	if (error == 0)
		error = args_gather(x, envp, &x->x_envc);
	if (error == 0)
		error = program_find(x, x->x_path);
	if (error == 0)
		error = replace(x);
	exec_free(x);
	kfree(name);
	return error;
}

int
exec_kernel(const char *path, uint32_t argc, const char *argv, uint32_t envc, const char *envp)
{
	struct exec *x = exec_alloc(path);
	int error;

	if (x == NULL)
		return ENOMEM;
	x->x_argc = argc;
	x->x_envc = envc;
	error = args_add_kernel(x, argv, argc);
	if (error == 0)
		error = args_add_kernel(x, envp, envc);
	if (error == 0)
		error = image_open(&x->x_prog, NULL, path, 0);
	if (error == 0)
		error = program_find(x, path);
	if (error == 0)
		error = replace(x);
	exec_free(x);
	return error;
}

/* ------------------------------------------------------------ life of p_exe -- */

static int
exe_fork(struct proc *parent, struct proc *child, uint64_t flags)
{
	(void)flags;
	if (parent == NULL || parent->p_exe == NULL)
		return 0;
	child->p_exe = parent->p_exe;
	exe_hold(child->p_exe);
	return 0;
}

static void
exe_exit(struct proc *p)
{
	struct ncp *exe = p->p_exe;

	token_get(&p->p_tok);
	p->p_exe = NULL;
	token_release(&p->p_tok);
	exe_drop(exe);
}

void
exec_init(void)
{
	static struct proc_hooks hooks = { .ph_fork = exe_fork, .ph_exit = exe_exit };

	proc_add_hooks(&hooks);
}
