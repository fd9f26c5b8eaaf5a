/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Trees of the host's files: what requests answer, that no name leads outside,
 * that files which others replaced are lost and not mistaken, and that the
 * host may refuse the n-th call, for every n: then a request fails and no
 * descriptor is left.  What the host is slow to answer is not waited for.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "machine.h"

#define CALLS_MAX	2000

static char top[64];			/* a new directory of each test's */
static uint64_t buf_pa;
static long (*real_call)(long, long, long, long, long, long, long);
static long next_refusal, refuse_at, refuse_with;	/* refuse_at 0: nothing is */
static _Atomic long asked;

/* What requests ask of the host; the main thread, which asks for other things, is left in peace. */
static bool
is_refusable(long nr)
{
	static const long calls[] = {
		SYS_openat2, SYS_openat, SYS_statx, SYS_preadv2, SYS_pwritev2, SYS_fsync, SYS_lseek,
		SYS_getdents64, SYS_fstatfs, SYS_unlinkat, SYS_renameat2, SYS_linkat, SYS_ftruncate,
		SYS_fchownat, SYS_fchmodat, SYS_prlimit64, SYS_fallocate, SYS_getxattr, SYS_setxattr,
		SYS_listxattr, SYS_removexattr,
	};

	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
		if (calls[i] == nr)
			return true;
	return false;
}

static long
refusing_call(long nr, long a0, long a1, long a2, long a3, long a4, long a5)
{
	if (is_refusable(nr) && refuse_at != 0 && atomic_fetch_add(&asked, 1) + 1 == refuse_at)
		return refuse_with;
	return real_call(nr, a0, a1, a2, a3, a4, a5);
}

static const char *
path(const char *name)
{
	static char text[4][128];
	static unsigned int turn;
	char *p = text[turn++ % 4];

	snprintf(p, sizeof text[0], "%s/%s", top, name);
	return p;
}

static void
put(const char *name, const char *text)
{
	int fd = open(path(name), O_WRONLY | O_CREAT | O_TRUNC, 0644);

	CHECK(fd >= 0);
	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

/* Waits for the answer, its error. */
static int
ask(struct hk_freq *q)
{
	struct hk_freq *done;

	if (hk_files_ask(q, false) == HK_AGAIN) {
		while ((done = hk_files_done()) == NULL) {
			atomic_store(&machine_mailbox[0], 0);
			hk_yield();
		}
		CHECK(done == q);
	}
	return q->q_error;
}

static int
ask_name(uint32_t op, uint64_t dir, const char *name, struct hk_freq *q)
{
	*q = (struct hk_freq){ .q_op = op, .q_node = dir, .q_name = name };
	q->q_attr.mode = S_IFREG | 0640;
	q->q_attr.uid = getuid();
	q->q_attr.gid = getgid();
	return ask(q);
}

static int
ask_data(uint32_t op, uint64_t node, uint64_t off, uint64_t len, struct hk_freq *q)
{
	*q = (struct hk_freq){ .q_op = op, .q_node = node, .q_off = off, .q_nseg = 1 };
	q->q_seg[0].pa = buf_pa;
	q->q_seg[0].len = len;
	return ask(q);
}

static uint64_t
root_of(bool ro)
{
	uint64_t root = 0;

	buf_pa = ram_pages(4);
	CHECK_EQ(hk_files_open(top, ro, &root), HK_OK);
	return root;
}

static void
names_and_contents(void)
{
	uint64_t root = root_of(false), file;
	struct hk_freq q;

	CHECK_EQ(ask_name(HK_FOP_LOOKUP, root, "f", &q), ENOENT);
	CHECK_EQ(ask_name(HK_FOP_CREATE, root, "f", &q), 0);
	file = q.q_found;
	CHECK_EQ(q.q_attr.mode, S_IFREG | 0640);
	CHECK_EQ(ask_name(HK_FOP_CREATE, root, "f", &q), EEXIST);
	memcpy(ram_at(buf_pa), "contents", 8);
	CHECK_EQ(ask_data(HK_FOP_WRITE, file, 3, 8, &q), 0);
	CHECK(q.q_done == 8 && q.q_attr.size == 11);
	memset(ram_at(buf_pa), 1, 32);
	CHECK_EQ(ask_data(HK_FOP_READ, file, 0, 32, &q), 0);
	CHECK(q.q_done == 11 && memcmp(ram_at(buf_pa), "\0\0\0contents", 11) == 0);
	q = (struct hk_freq){ .q_op = HK_FOP_FSYNC, .q_node = file };
	CHECK_EQ(ask(&q), 0);
	/* It stays what it is without its name. */
	q = (struct hk_freq){ .q_op = HK_FOP_UNLINK, .q_node = root, .q_name = "f", .q_victim = file };
	CHECK_EQ(ask(&q), 0);
	CHECK_EQ(ask_data(HK_FOP_READ, file, 3, 8, &q), 0);
	CHECK(q.q_done == 8);
	q = (struct hk_freq){ .q_op = HK_FOP_FORGET, .q_node = file, .q_off = 1 };
	CHECK_EQ(ask(&q), 0);
	CHECK_EQ(ask_data(HK_FOP_READ, file, 0, 8, &q), EINVAL);
}

static int
ask_xattr(uint32_t op, uint64_t node, const char *name, uint64_t len, uint32_t flags, struct hk_freq *q)
{
	*q = (struct hk_freq){ .q_op = op, .q_node = node, .q_name = name, .q_flags = flags };
	q->q_nseg = len > 0;
	q->q_seg[0].pa = buf_pa;
	q->q_seg[0].len = len;
	return ask(q);
}

static void
holes_and_attributes(void)
{
	uint64_t root = root_of(false), file;
	struct hk_freq q;
	int error;

	CHECK_EQ(ask_name(HK_FOP_CREATE, root, "f", &q), 0);
	file = q.q_found;
	q = (struct hk_freq){ .q_op = HK_FOP_ALLOCATE, .q_node = file, .q_off = 65536, .q_attr.size = 4096 };
	error = ask(&q);
	CHECK(error == EOPNOTSUPP || (error == 0 && q.q_attr.size == 65536 + 4096));
	CHECK_EQ(ask_data(HK_FOP_WRITE, file, 0, 100, &q), 0);
	q = (struct hk_freq){ .q_op = HK_FOP_SEEK, .q_node = file, .q_off = 10 };
	CHECK(ask(&q) == 0 && q.q_done == 10);
	q = (struct hk_freq){ .q_op = HK_FOP_SEEK, .q_node = file, .q_off = 10, .q_mask = 1 };
	CHECK(ask(&q) == 0 && q.q_done >= 100);
	q = (struct hk_freq){ .q_op = HK_FOP_SEEK, .q_node = file, .q_off = 1 << 30 };
	CHECK_EQ(ask(&q), ENXIO);

	memcpy(ram_at(buf_pa), "value", 5);
	CHECK_EQ(ask_xattr(HK_FOP_SETXATTR, file, NULL, 5, 0, &q), EINVAL);
	error = ask_xattr(HK_FOP_SETXATTR, file, "user.a", 5, 0, &q);
	if (error == EOPNOTSUPP)
		return;
	CHECK_EQ(error, 0);
	CHECK(ask_xattr(HK_FOP_GETXATTR, file, "user.a", 0, 0, &q) == 0 && q.q_done == 5);
	memset(ram_at(buf_pa), 0, 100);
	CHECK(ask_xattr(HK_FOP_GETXATTR, file, "user.a", 100, 0, &q) == 0 && q.q_done == 5);
	CHECK(memcmp(ram_at(buf_pa), "value", 6) == 0);
	CHECK_EQ(ask_xattr(HK_FOP_GETXATTR, file, "user.a", 4, 0, &q), ERANGE);
	CHECK(ask_xattr(HK_FOP_LISTXATTR, file, NULL, 100, 0, &q) == 0 && q.q_done >= 7);
	CHECK_EQ(ask_xattr(HK_FOP_SETXATTR, file, "user.a", 0, HK_FQ_REMOVE, &q), 0);
	CHECK_EQ(ask_xattr(HK_FOP_GETXATTR, file, "user.a", 0, 0, &q), ENODATA);
}

static void
files_without_names(void)
{
	uint64_t root = root_of(false), file;
	struct hk_freq q;
	struct stat st;
	int error = ask_name(HK_FOP_CREATE, root, NULL, &q);

	if (error == EOPNOTSUPP)
		return;
	CHECK(error == 0 && q.q_attr.nlink == 0);
	file = q.q_found;
	CHECK_EQ(ask_data(HK_FOP_WRITE, file, 0, 100, &q), 0);
	q = (struct hk_freq){ .q_op = HK_FOP_GETATTR, .q_node = file };
	CHECK(ask(&q) == 0 && q.q_attr.size == 100 && q.q_attr.nlink == 0);
	q = (struct hk_freq){ .q_op = HK_FOP_LINK, .q_node = root, .q_name = "got", .q_moved = file };
	CHECK(ask(&q) == 0 && q.q_attr.nlink == 1);
	CHECK(stat(path("got"), &st) == 0 && st.st_size == 100);
	CHECK(ask_name(HK_FOP_LOOKUP, root, "got", &q) == 0 && q.q_found == file);
	/* One that shall never have a name; and nothing but a regular file has none. */
	q = (struct hk_freq){ .q_op = HK_FOP_CREATE, .q_node = root, .q_attr.mode = S_IFREG | 0600,
	    .q_flags = HK_FQ_NOLINK };
	CHECK_EQ(ask(&q), 0);
	q = (struct hk_freq){ .q_op = HK_FOP_LINK, .q_node = root, .q_name = "not", .q_moved = q.q_found };
	CHECK_EQ(ask(&q), ENOENT);
	q = (struct hk_freq){ .q_op = HK_FOP_CREATE, .q_node = root, .q_attr.mode = S_IFDIR | 0700 };
	CHECK_EQ(ask(&q), EINVAL);
}

static void
nothing_leads_outside(void)
{
	static const char *const bad[] = { "", ".", "..", "/", "a/b", "/etc", "../x" };
	uint64_t root = root_of(false), link;
	struct hk_freq q;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		CHECK_EQ(ask_name(HK_FOP_LOOKUP, root, bad[i], &q), EINVAL);
	CHECK(symlink("/etc", path("l")) == 0);
	CHECK_EQ(ask_name(HK_FOP_LOOKUP, root, "l", &q), 0);
	link = q.q_found;
	CHECK_EQ(q.q_attr.mode & S_IFMT, S_IFLNK);
	CHECK(ask_name(HK_FOP_LOOKUP, link, "passwd", &q) != 0);
	CHECK_EQ(ask_data(HK_FOP_READ, link, 0, 8, &q), ENXIO);
	CHECK(mkfifo(path("p"), 0600) == 0);
	CHECK_EQ(ask_name(HK_FOP_LOOKUP, root, "p", &q), 0);
	CHECK_EQ(ask_data(HK_FOP_READ, q.q_found, 0, 8, &q), ENXIO);
	CHECK_EQ(ask_data(HK_FOP_READ, 12345, 0, 8, &q), EINVAL);
	CHECK_EQ(ask_data(HK_FOP_READDIR, root, 0, 1ull << 40, &q), EINVAL);
}

static void
what_others_replaced_is_lost(void)
{
	uint64_t root = root_of(false), dir, file;
	struct hk_freq q;

	CHECK(mkdir(path("d"), 0755) == 0);
	put("d/f", "old");
	CHECK_EQ(ask_name(HK_FOP_LOOKUP, root, "d", &q), 0);
	dir = q.q_found;
	CHECK_EQ(ask_name(HK_FOP_LOOKUP, dir, "f", &q), 0);
	file = q.q_found;
	/* Keep the old file, or the new one might get its number. */
	CHECK(rename(path("d/f"), path("d/elsewhere")) == 0);
	put("d/f", "new");
	CHECK_EQ(ask_data(HK_FOP_READ, file, 0, 8, &q), ESTALE);
	CHECK_EQ(ask_name(HK_FOP_LOOKUP, dir, "f", &q), 0);
	CHECK(q.q_found != file);
	/* Found again elsewhere, it is what it was. */
	CHECK_EQ(ask_name(HK_FOP_LOOKUP, dir, "elsewhere", &q), 0);
	CHECK(q.q_found == file);
	CHECK_EQ(ask_data(HK_FOP_READ, file, 0, 8, &q), 0);
	CHECK(memcmp(ram_at(buf_pa), "old", 3) == 0);
}

static void
read_only_means_it(void)
{
	uint64_t root = root_of(true);
	struct hk_freq q;

	put("f", "text");
	CHECK_EQ(ask_name(HK_FOP_CREATE, root, "g", &q), EROFS);
	CHECK_EQ(ask_name(HK_FOP_UNLINK, root, "f", &q), EROFS);
	CHECK_EQ(ask_name(HK_FOP_LOOKUP, root, "f", &q), 0);
	CHECK_EQ(ask_data(HK_FOP_WRITE, q.q_found, 0, 1, &q), EROFS);
	q = (struct hk_freq){ .q_op = HK_FOP_SETATTR, .q_node = root, .q_mask = HK_FA_MODE };
	CHECK_EQ(ask(&q), EROFS);
}

/* Some of everything; what fails, fails, and nothing is left in the way of the next time. */
static void
some_of_everything(void)
{
	uint64_t root = 0, dir, file;
	struct hk_freq q;

	buf_pa = ram_pages(4);
	atomic_store(&asked, 0);
	if (hk_files_open(top, false, &root) != HK_OK)
		return;
	if (ask_name(HK_FOP_LOOKUP, root, "d", &q) != 0)
		return;
	dir = q.q_found;
	if (ask_name(HK_FOP_CREATE, dir, "f", &q) == 0) {
		file = q.q_found;
		(void)ask_data(HK_FOP_WRITE, file, 0, 100, &q);
		(void)ask_data(HK_FOP_READ, file, 0, 4096, &q);
		q = (struct hk_freq){ .q_op = HK_FOP_RENAME, .q_node = dir, .q_name = "f", .q_dir2 = root,
		    .q_name2 = "g", .q_moved = file };
		(void)ask(&q);
		q = (struct hk_freq){ .q_op = HK_FOP_LINK, .q_node = dir, .q_name = "h", .q_moved = file };
		(void)ask(&q);
		q = (struct hk_freq){ .q_op = HK_FOP_SETATTR, .q_node = file,
		    .q_mask = HK_FA_MODE | HK_FA_SIZE };
		(void)ask(&q);
		q = (struct hk_freq){ .q_op = HK_FOP_UNLINK, .q_node = root, .q_name = "g", .q_victim = file };
		(void)ask(&q);
		q = (struct hk_freq){ .q_op = HK_FOP_FSYNC, .q_node = file };
		(void)ask(&q);
		q = (struct hk_freq){ .q_op = HK_FOP_ALLOCATE, .q_node = file, .q_attr.size = 8192 };
		(void)ask(&q);
		q = (struct hk_freq){ .q_op = HK_FOP_SEEK, .q_node = file, .q_mask = 1 };
		(void)ask(&q);
		(void)ask_xattr(HK_FOP_SETXATTR, file, "user.x", 10, 0, &q);
		(void)ask_xattr(HK_FOP_GETXATTR, file, "user.x", 10, 0, &q);
		(void)ask_xattr(HK_FOP_LISTXATTR, file, NULL, 100, 0, &q);
		q = (struct hk_freq){ .q_op = HK_FOP_FORGET, .q_node = file, .q_off = 1 };
		(void)ask(&q);
	}
	if (ask_name(HK_FOP_CREATE, dir, NULL, &q) == 0) {
		q = (struct hk_freq){ .q_op = HK_FOP_FORGET, .q_node = q.q_found, .q_off = 1 };
		(void)ask(&q);
	}
	(void)ask_data(HK_FOP_READDIR, dir, 0, 4096, &q);
	(void)ask_name(HK_FOP_UNLINK, dir, "h", &q);
	(void)ask_name(HK_FOP_UNLINK, dir, "f", &q);
	(void)ask_name(HK_FOP_UNLINK, root, "g", &q);
	q = (struct hk_freq){ .q_op = HK_FOP_STATFS, .q_node = root };
	(void)ask(&q);
}

static unsigned int
descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned int n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

static void
new_top(void)
{
	const char *base = getenv("TMPDIR");

	snprintf(top, sizeof top, "%s/hostfile.XXXXXX", base != NULL ? base : P_tmpdir);
	assert_non_null(mkdtemp(top));
}

static void
in_new_directory(void (*body)(void))
{
	char rm[128];

	new_top();
	machine_run(body);
	snprintf(rm, sizeof rm, "rm -rf '%s'", top);
	assert_int_equal(system(rm), 0);
}

#define CASE(name)					\
	static void					\
	case_##name(void **state)			\
	{						\
		(void)state;				\
		in_new_directory(name);			\
	}
CASE(names_and_contents)
CASE(holes_and_attributes)
CASE(files_without_names)
CASE(nothing_leads_outside)
CASE(what_others_replaced_is_lost)
CASE(read_only_means_it)

static _Atomic bool ended;

static void
refused_body(void)
{
	static const int errors[] = { EIO, EMFILE, EACCES };

	CHECK(mkdir(path("d"), 0755) == 0 || errno == EEXIST);
	refuse_with = -errors[next_refusal % 3];
	refuse_at = next_refusal;
	some_of_everything();
	ended = atomic_load(&asked) < next_refusal;
	refuse_at = 0;
	(void)unlink(path("d/f"));
	(void)unlink(path("d/h"));
	(void)unlink(path("g"));
}

static void
the_host_may_refuse_any_call(void **state)
{
	unsigned int before = descriptors();
	long n;

	(void)state;
	new_top();
	real_call = hk_sysops.call;
	hk_sysops.call = refusing_call;
	ended = false;
	for (n = 1; n < CALLS_MAX && !ended; n++) {
		refuse_at = 0;
		atomic_store(&asked, 0);
		next_refusal = n;
		machine_run(refused_body);
		assert_int_equal(descriptors(), before);
	}
	hk_sysops.call = real_call;
	assert_true(ended && n > 20);
	assert_int_equal(rmdir(path("d")), 0);
	assert_int_equal(rmdir(top), 0);
}

static _Atomic bool slowly;

/* statx takes its time. */
static long
slow_call(long nr, long a0, long a1, long a2, long a3, long a4, long a5)
{
	struct timespec ts = { 0, 3000000 };

	if (nr == SYS_statx && atomic_load(&slowly))
		(void)real_call(SYS_nanosleep, (long)&ts, 0, 0, 0, 0, 0);
	return real_call(nr, a0, a1, a2, a3, a4, a5);
}

/* Whether somebody else answers. */
static bool
handed_over(uint64_t root)
{
	struct hk_freq q = { .q_op = HK_FOP_LOOKUP, .q_node = root, .q_name = "f" }, *done;

	if (hk_files_ask(&q, false) == HK_OK)
		return false;
	while ((done = hk_files_done()) == NULL)
		hk_yield();
	CHECK(done == &q && q.q_error == 0);
	return true;
}

static void
slow_body(void)
{
	uint64_t root = root_of(false);
	unsigned int n;

	put("f", "text");
	atomic_store(&slowly, true);
	CHECK(!handed_over(root));		/* nobody could know */
	CHECK(handed_over(root));
	CHECK(handed_over(root));
	atomic_store(&slowly, false);
	for (n = 0; handed_over(root); n++)
		CHECK(n < 1000000);
	CHECK(n > 10);
}

static void
what_takes_long_is_handed_over(void **state)
{
	(void)state;
	real_call = hk_sysops.call;
	hk_sysops.call = slow_call;
	in_new_directory(slow_body);
	hk_sysops.call = real_call;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(case_names_and_contents),
		cmocka_unit_test(case_holes_and_attributes),
		cmocka_unit_test(case_files_without_names),
		cmocka_unit_test(case_nothing_leads_outside),
		cmocka_unit_test(case_what_others_replaced_is_lost),
		cmocka_unit_test(case_read_only_means_it),
		cmocka_unit_test(the_host_may_refuse_any_call),
		cmocka_unit_test(what_takes_long_is_handed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
