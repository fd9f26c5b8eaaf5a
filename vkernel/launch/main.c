/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vkernel - run a kernel as a process.
 *
 * The launcher is the firmware of a virtual machine: it makes the machine
 * (hostkit), puts kernel data, arguments and root archive into its RAM, starts
 * CPU 0 at the image's entry, and serves host events until the kernel says
 * how it ended.  It knows nothing of what the kernel does.
 *
 * The exit status is the kernel's word; only what never became a running
 * kernel, and --timeout, are statuses of the launcher's own.
 *
 * Threads: the main thread serves, CPU 0 has a host thread, and with
 * --timeout a third one sleeps until the deadline.
 */
#include "launch.h"
#include "../look/look.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <abi/vkboot.h>
#include <gen/version.h>
#include <hk/hk.h>

struct look_label look_label = { .ll_bytes = sizeof look_label };	/* who looks at us reads this */
static atomic_bool timed_out;

/* ------------------------------------------------------------ --timeout -- */

static void *
wait_for_deadline(void *arg)
{
	const uint64_t *abs_ns = arg;
	struct timespec ts = {
		.tv_sec = (time_t)(*abs_ns / 1000000000),
		.tv_nsec = (long)(*abs_ns % 1000000000),
	};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) != 0)
		continue;
	atomic_store(&timed_out, true);
	hk_exit(VK_EXIT_TIMEOUT);
}

/* All signals stay blocked in the new thread: they are hostkit's. */
static bool
start_deadline(uint64_t timeout_ns)
{
	static uint64_t abs_ns;
	sigset_t all, old;
	pthread_attr_t attr;
	pthread_t t;
	int error;

	abs_ns = hk_clock_mono() + timeout_ns;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, 64u << 10);
	error = pthread_create(&t, &attr, wait_for_deadline, &abs_ns);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (error != 0)
		say_error(NULL, "--timeout: %s", strerror(error));
	return error == 0;
}

/* ---------------------------------------------------------- --status-fd -- */

static const char *
outcome_name(int status, uint32_t told)
{
	static const char *const names[] = {
		[VKB_OUT_EXIT] = "exit",
		[VKB_OUT_SIGNAL] = "signal",
		[VKB_OUT_PANIC] = "panic",
		[VKB_OUT_HANG] = "hang",
	};

	if (atomic_load(&timed_out) && status == VK_EXIT_TIMEOUT)
		return "timeout";
	if (told < sizeof names / sizeof names[0] && names[told] != NULL)
		return names[told];
	/* The kernel could not say: the machine below it ended it. */
	return status == VK_EXIT_PANIC ? "panic" : status == VK_EXIT_HANG ? "hang" : "error";
}

static void
report(int fd, int status, uint32_t told)
{
	const char *outcome = outcome_name(status, told);
	char signal_field[32] = "", line[128];
	int n;

	if (fd < 0)
		return;
	if (told == VKB_OUT_SIGNAL && strcmp(outcome, "signal") == 0)
		snprintf(signal_field, sizeof signal_field, ",\"signal\":%d", status - 128);
	n = snprintf(line, sizeof line, "{\"v\":1,\"outcome\":\"%s\",\"status\":%d%s}\n",
	    outcome, status, signal_field);
	/* One write: a reader sees all of the line or none.  Nobody is left to tell if it fails. */
	if (write(fd, line, (size_t)n) != n)
		say_error(NULL, "--status-fd: not written");
}

/* ----------------------------------------------------------------- main -- */

/* From now on tools find us; ll_ram last. */
static void
show_label(const struct options *o)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	look_label.ll_began = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	look_label.ll_cpus = o->o_ncpu;
	look_label.ll_ram_bytes = o->o_ram_bytes;
	snprintf(look_label.ll_name, sizeof look_label.ll_name, "%s", o->o_named ? o->o_name : "");
	atomic_signal_fence(memory_order_release);
	look_label.ll_ram = VK_RAM_BASE;
}

/* For a person, not for a script. */
static void
greet(const struct options *o)
{
	if ((o->o_boot_flags & VKB_INTERACTIVE) == 0 || (o->o_boot_flags & VKB_QUIET) != 0 || !isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "vkernel %s (build %s), %u processor, %llu MB. Ctrl-] leaves.\n", VERSION, BUILD,
	    o->o_ncpu, (unsigned long long)(o->o_ram_bytes >> 20));
}

/* What a host that refuses most often lacks. */
const char *
init_hint(hk_result r)
{
	switch (r) {
	case HK_NOMEM:
		return "the host is short of memory, processes or descriptors; see ulimit -a";
	case HK_UNSUPPORTED:
		return "vkernel needs seccomp filters, memfd_create and the FSGSBASE instructions";
	case HK_INVAL:
		return "see --host-cpus and --memory";
	default:
		return NULL;
	}
}

/* The kernel's outcome goes to *told; a machine that never ran leaves it alone. */
static int
run(struct options *o, uint32_t *told)
{
	struct archive root;
	struct layout plan;
	struct vkboot *boot;
	bool det = (o->o_boot_flags & VKB_DETERMINISTIC) != 0;
	hk_result r;
	int status;

	debugger_prepare(o);
	if (!archive_open(o->o_root, o->o_root_dir, &root) || !layout_plan(o, &root, &plan))
		return VK_EXIT_ERROR;

	r = hk_init(&(struct hk_config){
		.ncpu = det ? 1 : o->o_ncpu,
		.flags = (o->o_spin ? HK_F_SPIN : 0) | (det ? HK_F_TRAP_TSC : 0) |
		    (o->o_on_panic != PANIC_EXIT ? HK_F_STAY : 0),
		.ram_bytes = o->o_ram_bytes,
		.ram_base = VK_RAM_BASE,
		.host_cpus = o->o_host_cpus,
	});
	if (r != HK_OK) {
		say_error(init_hint(r), "cannot start: %s", hk_why());
		return VK_EXIT_ERROR;
	}
	for (uint32_t i = 0; i < o->o_trees; i++) {
		struct tree *t = &o->o_tree[i];

		if (hk_files_open(t->t_host, t->t_mode != 'w', &t->t_node) != HK_OK) {
			say_error(NULL, "%s: %s", t->t_guest, hk_why());
			return VK_EXIT_ERROR;
		}
	}
	boot = layout_fill(o, &root, &plan);
	if (boot == NULL)
		return VK_EXIT_ERROR;
	archive_close(&root);
	show_label(o);
	greet(o);
	if (o->o_timeout_ns != 0 && !start_deadline(o->o_timeout_ns))
		return VK_EXIT_ERROR;
	debugger_begin(o);
	r = hk_cpu_start(0, det ? vk_image.vi_outside : vk_image.vi_mailbox, (uint64_t)vk_image.vi_gsbase,
	    (uint64_t)vk_image.vi_stack_top, vk_image.vi_entry, boot);
	if (r != HK_OK) {
		say_error(init_hint(r), "processor 0: %s", hk_why());
		return VK_EXIT_ERROR;
	}
	status = hk_serve();
	*told = boot->b_outcome;
	if (*told == VKB_OUT_PANIC || *told == VKB_OUT_HANG || (*told == VKB_OUT_UNKNOWN &&
	    status == VK_EXIT_PANIC))
		debugger_panic(o);
	debugger_end();
	return status;
}

int
main(int argc, char **argv)
{
	static const struct { const char *name; int (*main)(int, char **); } others[] = {
		{ "doctor", doctor }, { "dump", dump_main }, { "gdb", gdb_main }, { "ps", ps_main },
		{ "stub", stub_main }, { "trace", trace_main },
	};
	static struct options o;
	uint32_t told = VKB_OUT_UNKNOWN;
	int status = VK_EXIT_ERROR;

	for (size_t i = 0; argc > 1 && i < sizeof others / sizeof others[0]; i++)
		if (strcmp(argv[1], others[i].name) == 0)
			return others[i].main(argc - 1, argv + 1);
	switch (options_parse(argc, argv, &o)) {
	case OPTIONS_DONE:
		return fflush(stdout) == 0 ? 0 : VK_EXIT_ERROR;
	case OPTIONS_RUN:
		status = run(&o, &told);
		break;
	case OPTIONS_BAD:
		break;
	}
	report(o.o_status_fd, status, told);
	_exit(status);	/* CPU 0's thread may still run: no exit handlers under it */
}
