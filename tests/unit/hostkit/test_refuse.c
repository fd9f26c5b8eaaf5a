/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host refuses the n-th thing it is asked for, for every n: making and
 * taking apart a machine, starting and stopping a CPU, views of RAM.  Each
 * time the result is an error with a reason or success, and nothing is left:
 * no descriptor, no thread, no process, no mapping of the library's files.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "machine.h"

#define CALLS_MAX	4000

static long (*real_call)(long, long, long, long, long, long, long);
static int (*real_thread)(void *(*)(void *), void *, uint64_t *);
static long refuse_at, refuse_with;
static _Atomic long asked;

/*
 * What the host does not refuse, whatever happens, with arguments such as
 * ours: waiting and waking, names of oneself, signal masks, giving back.
 */
static bool
is_refusable(long nr)
{
	switch (nr) {
	case SYS_futex:
	case SYS_getpid:
	case SYS_gettid:
	case SYS_getrandom:
	case SYS_rt_sigprocmask:
	case SYS_close:
	case SYS_munmap:
	case SYS_kill:
	case SYS_tgkill:
	case SYS_wait4:
	case SYS_waitid:
	case SYS_timer_delete:
	case SYS_timer_settime:
	case SYS_write:
	case SYS_read:
	case SYS_epoll_wait:
	case SYS_exit_group:
		return false;
	default:
		return true;
	}
}

static bool
is_turn(void)
{
	return atomic_fetch_add(&asked, 1) + 1 == refuse_at;
}

static long
refusing_call(long nr, long a0, long a1, long a2, long a3, long a4, long a5)
{
	if (is_refusable(nr) && is_turn())
		return refuse_with;
	return real_call(nr, a0, a1, a2, a3, a4, a5);
}

static int
refusing_thread(void *(*entry)(void *), void *arg, uint64_t *handle)
{
	if (is_turn())
		return EAGAIN;
	return real_thread(entry, arg, handle);
}

/* ------------------------------------------------------------- counting -- */

static unsigned int
entries(const char *path)
{
	DIR *d = opendir(path);
	unsigned int n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

/* Lines of a file that contain `what`. */
static unsigned int
lines(const char *path, const char *what)
{
	char line[512];
	unsigned int n = 0;
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	while (fgets(line, sizeof line, f) != NULL)
		n += strstr(line, what) != NULL;
	fclose(f);
	return n;
}

/* Processes whose parent we are; a zombie counts. */
static unsigned int
children(void)
{
	char path[300], text[512], *p;
	DIR *d = opendir("/proc");
	struct dirent *e;
	unsigned int n = 0;
	FILE *f;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] < '0' || e->d_name[0] > '9')
			continue;
		snprintf(path, sizeof path, "/proc/%s/stat", e->d_name);
		f = fopen(path, "r");
		if (f == NULL)
			continue;
		if (fgets(text, sizeof text, f) != NULL && (p = strrchr(text, ')')) != NULL)
			n += atoi(p + 4) == getpid();
		fclose(f);
	}
	closedir(d);
	return n;
}

struct left { unsigned int fds, threads, children, maps; };

static struct left
count(void)
{
	return (struct left){ entries("/proc/self/fd"), entries("/proc/self/task"), children(),
	    lines("/proc/self/maps", "memfd:hk-") };
}

/* A thread that was joined may still be seen for an instant. */
static void
nothing_is_left(const struct left *before, long n)
{
	struct left now = count();

	for (int i = 0; i < 1000 && now.threads != before->threads; i++) {
		usleep(1000);
		now = count();
	}
	if (memcmp(&now, before, sizeof now) != 0)
		fail_msg("call %ld: descriptors %u (%u before), threads %u (%u), children %u (%u), mappings %u (%u)",
		    n, now.fds, before->fds, now.threads, before->threads, now.children, before->children,
		    now.maps, before->maps);
}

/* ---------------------------------------------------------------- the run -- */

GUEST(toucher, "1: movb $1, (%rdi); add $4096, %rdi; dec %ecx; jnz 1b; syscall");

static bool with_guests;	/* whole_life() makes and runs some */
static bool guests_lived;

/* Code and data at their usual places, without a space. */
static uint64_t
tables_make(void)
{
	uint64_t root = ram_pages(1), code = ram_pages(1);

	memcpy(ram_at(code), CODE(toucher));
	pt_map(root, CODE_VA, code, 1, PTE_RO);
	pt_map(root, DATA_VA, ram_pages(DATA_PAGES), DATA_PAGES, PTE_RW | PTE_NX);
	return root;
}

/* A guest that runs twice, its pages dropped in between.  False: something was refused; then it is dead or never was. */
static bool
guest_life(uint64_t root)
{
	const struct hk_range data = { DATA_VA, DATA_PAGES * HK_PAGE };
	static uint8_t fpu[SLOT_SIZE] __attribute__((aligned(64)));
	struct guest g = { .g_root = root };
	bool ok;

	if (hk_space_create(&g.g_space) != HK_OK)
		return false;
	ok = hk_space_root(g.g_space, root) == HK_OK;
	for (int run = 0; ok && run < 2; run++) {
		enum hk_stop stop;

		g.g_frame = (struct hk_frame){ .rip = CODE_VA, .rsp = DATA_VA + 8, .rflags = 0x202,
		    .rdi = DATA_VA, .rcx = DATA_PAGES };
		stop = guest_run(&g);
		CHECK(stop == HK_SYSCALL || stop == HK_DEAD);
		ok = stop == HK_SYSCALL;
		CHECK(!ok || (guest_data(&g)[0] & 0xff) == 1);
		hk_fpu_get(0, g.g_space, fpu);
		hk_fpu_set(0, g.g_space, fpu);
		hk_invalidate(g.g_space, &data, 1, run == 0 ? HK_INVAL_WRPROTECT : HK_INVAL_DROP);
	}
	hk_space_destroy(g.g_space);
	return ok;
}

static void
life_of_cpu(void *arg)
{
	uint64_t root;

	(void)arg;
	if (with_guests) {
		machine_brk = 2 * HK_BLOCK;
		root = tables_make();
		guests_lived = true;
		for (int i = 0; i < 3; i++)
			guests_lived &= guest_life(root);
	}
	hk_exit(0);
}

/* Make, use and take apart one machine.  True: nothing was refused to us. */
static bool
whole_life(uint32_t ncpu)
{
	const struct hk_config cfg = { .ncpu = ncpu, .ram_bytes = RAM_BYTES };
	uint64_t top = (uint64_t)(uintptr_t)machine_stack[0] + sizeof machine_stack[0];
	const uint64_t va = 0x123400000000ull;
	bool ok;

	atomic_store(&machine_mailbox[0], 0);
	if (hk_init(&cfg) != HK_OK) {
		assert_true(strlen(hk_why()) > 10);
		return false;
	}
	ok = hk_ram_reserve(va, 4 * HK_PAGE) == HK_OK;
	ok = ok && hk_ram_map(va + HK_PAGE, HK_BLOCK, HK_PAGE) == HK_OK;
	if (ok) {
		*(uint32_t *)(va + HK_PAGE) = 77;
		assert_int_equal(*(uint32_t *)(hk_ram_base() + HK_BLOCK), 77);
	}
	ok = ok && hk_ram_unmap(va + HK_PAGE, HK_PAGE) == HK_OK;
	hk_ram_prepare(0, 2 * HK_BLOCK);
	hk_ram_release(HK_BLOCK, HK_PAGE);
	assert_int_equal(*(uint32_t *)(hk_ram_base() + HK_BLOCK), 0);
	munmap((void *)va, 4 * HK_PAGE);
	if (hk_cpu_start(0, &machine_mailbox[0], 0, top, life_of_cpu, NULL) == HK_OK)
		assert_int_equal(hk_serve(), 0);
	else
		ok = false;
	hk_fini();
	return ok && (!with_guests || guests_lived);
}

static void
refuse_everything(uint32_t ncpu, long with)
{
	struct left before;
	long n, succeeded = 0;

	assert_true(whole_life(ncpu));		/* libc's own caches are warm after this */
	before = count();
	refuse_with = with;
	real_call = hk_sysops.call;
	real_thread = hk_sysops.thread;
	for (n = 1; n < CALLS_MAX; n++) {
		bool ok;

		refuse_at = n;
		atomic_store(&asked, 0);
		hk_sysops.call = refusing_call;
		hk_sysops.thread = refusing_thread;
		ok = whole_life(ncpu);
		hk_sysops.call = real_call;
		hk_sysops.thread = real_thread;
		nothing_is_left(&before, n);
		if (ok && atomic_load(&asked) < n)
			break;
		succeeded += ok;
	}
	assert_true(n < CALLS_MAX);
	assert_true(n > 20 && succeeded < n / 2);	/* the refusals were felt */
	assert_true(whole_life(ncpu));
}

static void
want_of_memory_leaves_nothing_behind(void **state)
{
	(void)state;
	refuse_everything(1, -ENOMEM);
}

static void
a_forbidden_call_leaves_nothing_behind(void **state)
{
	(void)state;
	refuse_everything(2, -EPERM);
}

static void
a_guest_lives_or_dies_cleanly_whatever_is_refused(void **state)
{
	(void)state;
	with_guests = true;
	refuse_everything(1, -ENOMEM);
	refuse_everything(2, -EPERM);
	with_guests = false;
}

/* ----------------------------------------------------------- what is lacking -- */

static long lacking_nr, lacking_with;

static long
lacking_call(long nr, long a0, long a1, long a2, long a3, long a4, long a5)
{
	if (nr == lacking_nr)
		return lacking_with;
	return real_call(nr, a0, a1, a2, a3, a4, a5);
}

static void
what_the_host_lacks_is_named(void **state)
{
	static const struct { long nr, with; hk_result r; const char *text; } lack[] = {
		{ SYS_prctl, -EINVAL, HK_UNSUPPORTED, "seccomp" },
		{ SYS_memfd_create, -ENOSYS, HK_UNSUPPORTED, "memfd" },
		{ SYS_memfd_create, -EMFILE, HK_NOMEM, "descriptor" },
		{ SYS_epoll_create1, -EMFILE, HK_NOMEM, "events" },
		{ SYS_clone, -EAGAIN, HK_NOMEM, "clone" },
	};
	const struct hk_config cfg = { .ncpu = 1, .ram_bytes = RAM_BYTES };

	(void)state;
	real_call = hk_sysops.call;
	for (size_t i = 0; i < sizeof lack / sizeof lack[0]; i++) {
		lacking_nr = lack[i].nr;
		lacking_with = lack[i].with;
		hk_sysops.call = lacking_call;
		assert_int_equal(hk_init(&cfg), lack[i].r);
		hk_sysops.call = real_call;
		assert_non_null(strstr(hk_why(), lack[i].text));
	}
}

/* A small limit on mappings is found out before anything is made. */
static long
few_maps_call(long nr, long a0, long a1, long a2, long a3, long a4, long a5)
{
	if (nr == SYS_openat && a1 != 0 && strcmp((const char *)a1, "/proc/sys/vm/max_map_count") == 0)
		return 12345;
	if (nr == SYS_read && a0 == 12345) {
		memcpy((char *)a1, "4095\n", 5);
		return 5;
	}
	if (nr == SYS_close && a0 == 12345)
		return 0;
	return real_call(nr, a0, a1, a2, a3, a4, a5);
}

static void
a_small_limit_on_mappings_is_refused(void **state)
{
	const struct hk_config cfg = { .ncpu = 1, .ram_bytes = RAM_BYTES };

	(void)state;
	real_call = hk_sysops.call;
	hk_sysops.call = few_maps_call;
	assert_int_equal(hk_init(&cfg), HK_UNSUPPORTED);
	hk_sysops.call = real_call;
	assert_non_null(strstr(hk_why(), "max_map_count is 4095"));
}

/* ------------------------------------------------------------------ RAM -- */

static void
views_that_make_no_sense_are_refused(void **state)
{
	const struct hk_config cfg = { .ncpu = 1, .ram_bytes = RAM_BYTES, .ram_base = 0x300000000000ull };
	const uint64_t va = 0x123400000000ull;

	(void)state;
	assert_int_equal(hk_init(&cfg), HK_OK);
	assert_int_equal(hk_ram_base(), cfg.ram_base);
	assert_int_equal(hk_ram_bytes(), cfg.ram_bytes);
	assert_int_equal(hk_ram_reserve(va + 1, HK_PAGE), HK_INVAL);
	assert_int_equal(hk_ram_reserve(va, 0), HK_INVAL);
	assert_int_equal(hk_ram_reserve(0, HK_PAGE), HK_INVAL);
	assert_int_equal(hk_ram_reserve(1ull << 47, HK_PAGE), HK_INVAL);
	assert_int_equal(hk_ram_reserve(cfg.ram_base + HK_PAGE, HK_PAGE), HK_INVAL);
	assert_int_equal(hk_ram_reserve(va, 2 * HK_PAGE), HK_OK);
	assert_int_equal(hk_ram_reserve(va + HK_PAGE, HK_PAGE), HK_HOST);	/* taken */
	assert_int_equal(hk_ram_map(va, RAM_BYTES, HK_PAGE), HK_INVAL);
	assert_int_equal(hk_ram_map(va, RAM_BYTES - HK_PAGE, 2 * HK_PAGE), HK_INVAL);
	assert_int_equal(hk_ram_map(cfg.ram_base - HK_PAGE, 0, 2 * HK_PAGE), HK_INVAL);
	munmap((void *)va, 2 * HK_PAGE);
	hk_fini();
}

/* What was written to a released page is gone, also where it is not a whole block. */
static void
released_memory_is_zero(void **state)
{
	const struct hk_config cfg = { .ncpu = 1, .ram_bytes = RAM_BYTES };
	uint8_t *ram;

	(void)state;
	assert_int_equal(hk_init(&cfg), HK_OK);
	ram = (uint8_t *)(uintptr_t)hk_ram_base();
	hk_ram_prepare(0, RAM_BYTES);
	memset(ram, 0x5a, 3 * HK_BLOCK);
	hk_ram_release(HK_PAGE, 2 * HK_BLOCK);
	for (uint64_t i = 0; i < 3 * HK_BLOCK; i++)
		assert_int_equal(ram[i], i >= HK_PAGE && i < HK_PAGE + 2 * HK_BLOCK ? 0 : 0x5a);
	hk_fini();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(want_of_memory_leaves_nothing_behind),
		cmocka_unit_test(a_forbidden_call_leaves_nothing_behind),
		cmocka_unit_test(a_guest_lives_or_dies_cleanly_whatever_is_refused),
		cmocka_unit_test(what_the_host_lacks_is_named),
		cmocka_unit_test(a_small_limit_on_mappings_is_refused),
		cmocka_unit_test(views_that_make_no_sense_are_refused),
		cmocka_unit_test(released_memory_is_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
