/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options - the command line of vkernel.
 *
 * Everything that can be wrong with a request is found here, before a machine
 * exists, and said in one line: what, why, and where it helps a hint.  The
 * rest of the launcher may trust struct options.
 *
 * Deliberately absent: options of later versions.  An unknown option is an
 * error, never ignored.
 */
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <abi/vkboot.h>
#include <gen/version.h>
#include <hk/hk.h>

#define RAM_DEFAULT	(64ull << 20)
#define RAM_MIN		(8ull << 20)
#define RAM_MAX		(1ull << 40)
#define NAME_MAX_BYTES	64

enum {
	OPT_INIT = 256,
	OPT_HOST_CPUS,
	OPT_TIMEOUT,
	OPT_STATUS_FD,
	OPT_STRACE,
	OPT_ENOSYS,
	OPT_SPIN,
	OPT_PATCH,
	OPT_DETERMINISTIC,
	OPT_SEED,
	OPT_VERSION,
	OPT_SHARE,
	OPT_ON_PANIC,
	OPT_TRACE,
	OPT_STUB,
};

static const struct option long_options[] = {
	{ "memory", required_argument, NULL, 'm' },
	{ "cpus", required_argument, NULL, 'c' },
	{ "name", required_argument, NULL, 'n' },
	{ "root", required_argument, NULL, 'r' },
	{ "share", required_argument, NULL, OPT_SHARE },
	{ "init", required_argument, NULL, OPT_INIT },
	{ "env", required_argument, NULL, 'e' },
	{ "workdir", required_argument, NULL, 'w' },
	{ "user", required_argument, NULL, 'u' },
	{ "append", required_argument, NULL, 'a' },
	{ "host-cpus", required_argument, NULL, OPT_HOST_CPUS },
	{ "spin", no_argument, NULL, OPT_SPIN },
	{ "patch", required_argument, NULL, OPT_PATCH },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "status-fd", required_argument, NULL, OPT_STATUS_FD },
	{ "strace", no_argument, NULL, OPT_STRACE },
	{ "enosys", required_argument, NULL, OPT_ENOSYS },
	{ "gdb", optional_argument, NULL, 'g' },
	{ "gdb-stub", required_argument, NULL, OPT_STUB },
	{ "on-panic", required_argument, NULL, OPT_ON_PANIC },
	{ "trace", required_argument, NULL, OPT_TRACE },
	{ "deterministic", no_argument, NULL, OPT_DETERMINISTIC },
	{ "seed", required_argument, NULL, OPT_SEED },
	{ "quiet", no_argument, NULL, 'q' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

static const char help_text[] =
    "Usage: vkernel [OPTION]... [-- COMMAND [ARG]...]\n"
    "       vkernel ps|doctor [--json]\n"
    "       vkernel gdb [ID|CORE] [GDB-ARGUMENT]...\n"
    "       vkernel dump [ID] -o FILE\n"
    "       vkernel trace [ID] [--for=SECONDS] [--last] [--hz=N] [-o FILE[.pftrace|.folded]]...\n"
    "Run a Damselfly kernel as a process, and COMMAND in it; without one, a shell.\n"
    "doctor says whether this host runs one, and what each thing that it lacks costs;\n"
    "ps lists those that run; gdb, dump and trace look into one: by name or process number.\n"
    "\n"
    "  -m, --memory=SIZE      RAM of the machine, such as 256M (64M; for a directory as the root\n"
    "                         a quarter of the host's, at most 2G)\n"
    "  -c, --cpus=N           processors, 1 to 256 (1)\n"
    "  -n, --name=NAME        host name of the guest (damselfly)\n"
    "  -r, --root=FILE        initial root: a cpio archive (newc), or one packed by gzip\n"
    "  -r, --root=DIR         a directory of the host as the root; what is written stays in an\n"
    "                         overlay.  DIR,ro: nothing can be written\n"
    "      --share=HOST:DIR   a directory of the host, to be seen on DIR; HOST:DIR,ro: read only\n"
    "                         (repeatable)\n"
    "      --init=PATH        run PATH as process 1 instead of the kernel's own\n"
    "  -e, --env=KEY=VALUE    add to COMMAND's environment (repeatable)\n"
    "  -w, --workdir=DIR      start COMMAND in DIR (/)\n"
    "  -u, --user=NAME        run COMMAND as NAME of the root's passwd, or as UID[:GID[:GROUP,...]]\n"
    "                         (root; for a directory as the root, who calls)\n"
    "  -a, --append=ARGS      arguments for the kernel (repeatable)\n"
    "      --host-cpus=LIST   host processors to use, such as 0-3,6\n"
    "      --spin             wait by spinning: only with two idle host processors for each CPU\n"
    "      --patch=on|off     programs' system calls, where they are often made, become jumps (on)\n"
    "      --timeout=TIME     give up after TIME, such as 500ms, 20s or 5m\n"
    "      --status-fd=FD     write how it ended to FD, as one line of JSON\n"
    "      --strace           show the guest's system calls on standard error\n"
    "      --enosys=HOW       missing system calls: log, quiet or panic (log)\n"
    "  -g, --gdb              in GDB, before the kernel's first instruction; its input is empty then\n"
    "      --gdb=wait         begin when a debugger has come\n"
    "      --gdb-stub=WHERE   serve GDB's remote protocol at unix:PATH, with the kernel's threads\n"
    "      --on-panic=HOW     when the kernel panics: exit, stop until somebody looks, gdb (here), or\n"
    "                         dump[:FILE], a core (exit)\n"
    "      --trace=FILE       write its events to FILE, for Perfetto if that ends in .pftrace, or\n"
    "                         samples for flame graphs, if in .folded; may be repeated\n"
    "      --deterministic    one host thread runs all processors in an order drawn from a seed\n"
    "      --seed=N           the seed of --deterministic (0)\n"
    "  -q, --quiet            no greeting\n"
    "  -v, --verbose          kernel messages on standard error\n"
    "  -h, --help             this text\n"
    "      --version          the version\n"
    "\n"
    "Exit status: COMMAND's own; 120 kernel panic, 121 hang, 124 timeout, 125 vkernel\n"
    "could not run, 126 COMMAND not executable, 127 not found, 128+N ended by signal N.\n"
    "\n"
    "  vkernel -- sh -c 'echo hello'\n"
    "  vkernel -m 256M -r tools.cpio.gz --timeout=20s -- /bin/check all\n";

void
say_error(const char *hint, const char *fmt, ...)
{
	va_list ap;

	fputs("vkernel: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	if (hint != NULL)
		fprintf(stderr, "hint: %s\n", hint);
}

/*
 * A decimal number and a unit from `units`: names with their factors, ended by
 * a NULL name; the empty name is what a bare number means.
 */
struct unit {
	const char	*name;
	uint64_t	factor;
};

static bool
parse_quantity(const char *text, const struct unit *units, uint64_t *out)
{
	char *end;
	unsigned long long v;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno != 0)
		return false;
	for (; units->name != NULL; units++)
		if (strcmp(end, units->name) == 0)
			return !__builtin_mul_overflow(v, units->factor, out);
	return false;
}

static bool
set_memory(struct options *o, const char *text)
{
	static const struct unit units[] = {
		{ "", 1 }, { "K", 1ull << 10 }, { "k", 1ull << 10 }, { "M", 1ull << 20 }, { "m", 1ull << 20 },
		{ "G", 1ull << 30 }, { "g", 1ull << 30 }, { "T", 1ull << 40 }, { NULL, 0 },
	};
	uint64_t bytes;

	if (!parse_quantity(text, units, &bytes)) {
		say_error("sizes look like 64M or 2G", "--memory=%s: not a size", text);
		return false;
	}
	if (bytes < RAM_MIN || bytes > RAM_MAX) {
		say_error("between 8M and 1T", "--memory=%s: %s", text,
		    bytes < RAM_MIN ? "too little memory" : "more than a machine can have");
		return false;
	}
	o->o_ram_bytes = (bytes + HK_BLOCK - 1) & ~(uint64_t)(HK_BLOCK - 1);
	return true;
}

static bool
set_timeout(struct options *o, const char *text)
{
	static const struct unit units[] = {
		{ "", 1000000000 }, { "ns", 1 }, { "us", 1000 }, { "ms", 1000000 }, { "s", 1000000000 },
		{ "m", 60000000000 }, { "h", 3600000000000 }, { NULL, 0 },
	};

	if (parse_quantity(text, units, &o->o_timeout_ns) && o->o_timeout_ns > 0 &&
	    o->o_timeout_ns < (uint64_t)INT64_MAX)
		return true;
	say_error("times look like 500ms, 20s or 5m", "--timeout=%s: not a time", text);
	return false;
}

#define CPUS_MAX	256u

static bool
set_cpus(struct options *o, const char *text)
{
	static const struct unit units[] = { { "", 1 }, { NULL, 0 } };
	uint64_t n;

	if (!parse_quantity(text, units, &n) || n == 0) {
		say_error(NULL, "--cpus=%s: not a number of processors", text);
		return false;
	}
	if (n > CPUS_MAX) {
		say_error(NULL, "--cpus=%s: more than %u processors", text, CPUS_MAX);
		return false;
	}
	o->o_ncpu = (uint32_t)n;
	return true;
}

static bool
set_seed(struct options *o, const char *text)
{
	static const struct unit units[] = { { "", 1 }, { NULL, 0 } };

	if (parse_quantity(text, units, &o->o_seed))
		return true;
	say_error(NULL, "--seed=%s: not a number", text);
	return false;
}

static bool
set_status_fd(struct options *o, const char *text)
{
	static const struct unit units[] = { { "", 1 }, { NULL, 0 } };
	uint64_t fd;
	int mode;

	if (!parse_quantity(text, units, &fd) || fd > INT32_MAX) {
		say_error(NULL, "--status-fd=%s: not a file descriptor", text);
		return false;
	}
	mode = fcntl((int)fd, F_GETFL);
	if (mode < 0 || (mode & O_ACCMODE) == O_RDONLY) {
		say_error("open it in the shell, as in 3>status.json", "--status-fd=%s: %s", text,
		    mode < 0 ? strerror(errno) : "not open for writing");
		return false;
	}
	if (fd > STDERR_FILENO)
		(void)fcntl((int)fd, F_SETFD, FD_CLOEXEC);	/* no stub may inherit it */
	o->o_status_fd = (int)fd;
	return true;
}

static bool
set_enosys(struct options *o, const char *text)
{
	static const char *const names[] = {
		[VKB_ENOSYS_LOG] = "log", [VKB_ENOSYS_QUIET] = "quiet", [VKB_ENOSYS_PANIC] = "panic",
	};

	for (uint32_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strcmp(text, names[i]) == 0) {
			o->o_enosys = i;
			return true;
		}
	say_error("one of log, quiet, panic", "--enosys=%s: unknown", text);
	return false;
}

static bool
set_on_panic(struct options *o, const char *text)
{
	static const char *const names[] = {
		[PANIC_EXIT] = "exit", [PANIC_STOP] = "stop", [PANIC_GDB] = "gdb", [PANIC_DUMP] = "dump",
	};

	for (uint32_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		size_t n = strlen(names[i]);

		if (strcmp(text, names[i]) == 0 || (i == PANIC_DUMP && strncmp(text, "dump:", 5) == 0 &&
		    text[5] != '\0')) {
			o->o_on_panic = i;
			o->o_dump_file = text[n] == ':' ? text + n + 1 : NULL;
			return true;
		}
	}
	say_error("one of exit, stop, gdb, dump, dump:FILE", "--on-panic=%s: unknown", text);
	return false;
}

static bool
set_gdb(struct options *o, const char *text)
{
	if (text != NULL && strcmp(text, "wait") != 0) {
		say_error("--gdb or --gdb=wait", "--gdb=%s: unknown", text);
		return false;
	}
	o->o_gdb = text == NULL ? GDB_HERE : GDB_WAIT;
	return true;
}

static bool
set_name(struct options *o, const char *text)
{
	size_t len = strlen(text);

	if (len == 0 || len > NAME_MAX_BYTES ||
	    strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") != len) {
		say_error("letters, digits, '.', '-', '_', at most 64", "--name=%s: not a host name", text);
		return false;
	}
	o->o_name = text;
	o->o_named = true;
	return true;
}

/* A later setting of the same variable replaces the earlier one. */
static bool
set_env(struct options *o, const char *text)
{
	const char *eq = strchr(text, '=');

	if (eq == NULL || eq == text) {
		say_error("write KEY=VALUE", "--env=%s: not a variable", text);
		return false;
	}
	for (uint32_t i = 0; i < o->o_envc; i++)
		if (strncmp(o->o_env[i], text, (size_t)(eq - text) + 1) == 0) {
			o->o_env[i] = text;
			return true;
		}
	if (o->o_envc == ENV_MAX) {
		say_error(NULL, "--env=%s: more than %d variables", text, ENV_MAX);
		return false;
	}
	o->o_env[o->o_envc++] = text;
	return true;
}

static bool
set_append(struct options *o, const char *text)
{
	size_t have = strlen(o->o_append);

	if (have + strlen(text) + 2 > sizeof o->o_append) {
		say_error(NULL, "--append: more than %d bytes of kernel arguments", APPEND_MAX - 1);
		return false;
	}
	snprintf(o->o_append + have, sizeof o->o_append - have, "%s%s", have == 0 ? "" : " ", text);
	return true;
}

/* A path for the guest.  Only its form can be judged here. */
static bool
set_path(const char **where, const char *option, const char *text)
{
	if (text[0] != '/') {
		say_error("it names a file in the guest", "%s=%s: not an absolute path", option, text);
		return false;
	}
	*where = text;
	return true;
}

static bool
add_tree(struct options *o, char *host, const char *guest, char mode)
{
	if (o->o_trees == VKB_TREES_MAX) {
		say_error(NULL, "%s: more than %d directories", host, VKB_TREES_MAX);
		free(host);
		return false;
	}
	o->o_tree[o->o_trees++] = (struct tree){ .t_host = host, .t_guest = guest, .t_mode = mode };
	return true;
}

/* A copy of the text without ",ro" and the like at its end, which say the mode; `usual` without any. */
static char *
split_mode(const char *text, char usual, char *mode)
{
	static const struct { const char *end; char mode; } modes[] = {
		{ ",ro", 'r' }, { ",rw", 'w' }, { ",overlay", 'o' },
	};
	char *copy = strdup(text), *comma = copy == NULL ? NULL : strrchr(copy, ',');

	if (copy == NULL)
		say_error(NULL, "out of memory");
	*mode = usual;
	for (size_t i = 0; comma != NULL && i < sizeof modes / sizeof modes[0]; i++)
		if (strcmp(comma, modes[i].end) == 0) {
			*mode = modes[i].mode;
			*comma = '\0';
			break;
		}
	return copy;
}

/* HOST:DIR[,ro]; DIR is absolute, so the colon before its slash is the one. */
static bool
set_share(struct options *o, const char *text)
{
	char mode, *host = split_mode(text, 'w', &mode), *colon;

	if (host == NULL)
		return false;
	for (colon = strchr(host, ':'); colon != NULL && colon[1] != '/'; colon = strchr(colon + 1, ':'))
		;
	if (colon == NULL || colon == host || strspn(colon + 1, "/") == strlen(colon + 1) || mode == 'o') {
		say_error("write HOST:DIR or HOST:DIR,ro, DIR an absolute path in the guest",
		    "--share=%s: not two directories", text);
		free(host);
		return false;
	}
	*colon = '\0';
	return add_tree(o, host, colon + 1, mode);
}

/* Where nothing can be made, what the kernel mounts its own things on must be there. */
static bool
can_be_root(const char *dir)
{
	static const char *const needed[] = { "dev", "proc" };
	char path[4096];
	struct stat st;

	for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
		if (snprintf(path, sizeof path, "%s/%s", dir, needed[i]) >= (int)sizeof path ||
		    stat(path, &st) < 0 || !S_ISDIR(st.st_mode)) {
			say_error("make it, empty", "--root=%s,ro: has no directory %s", dir, needed[i]);
			return false;
		}
	}
	return true;
}

static bool
set_root(struct options *o, const char *text)
{
	char mode, *host = split_mode(text, 'o', &mode);
	struct stat st;

	if (host == NULL)
		return false;
	if (stat(host, &st) < 0 || !S_ISDIR(st.st_mode)) {	/* a file: archive_open() judges it */
		free(host);
		o->o_root = text;
		return true;
	}
	if (mode == 'w') {
		say_error("--share what is to be changed", "--root=%s: the root is changed in an overlay only", text);
		free(host);
		return false;
	}
	o->o_root_dir = true;
	return (mode == 'o' || can_be_root(host)) && add_tree(o, host, "/", mode);
}

/* RAM for programs of a whole system: a quarter of the host's, at most 2 GiB. */
static uint64_t
ram_for_system(void)
{
	uint64_t quarter = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) / 4;

	if (quarter > 2ull << 30)
		return 2ull << 30;
	return quarter < RAM_DEFAULT ? RAM_DEFAULT : quarter & ~(uint64_t)(HK_BLOCK - 1);
}

/*
 * With a directory as the root the command is the caller's own, in its files: the same ids and umask.
 * The kernel keeps the first groups, as many as it can.
 */
static bool
become_caller(struct options *o)
{
	static char who[1024];
	int n = getgroups(0, NULL), len;
	gid_t *groups = n < 0 ? NULL : calloc((size_t)n + 1, sizeof *groups);
	mode_t mask = umask(0);

	umask(mask);
	o->o_umask = mask;
	if (groups == NULL || (n = getgroups(n, groups)) < 0) {
		say_error("say who with --user", "groups: %s", strerror(errno));
		free(groups);
		return false;
	}
	len = snprintf(who, sizeof who, "%u:%u:", (unsigned)getuid(), (unsigned)getgid());
	for (int i = 0; i < n && (size_t)len < sizeof who - 16; i++)
		len += snprintf(who + len, sizeof who - (size_t)len, "%s%u", i == 0 ? "" : ",",
		    (unsigned)groups[i]);
	free(groups);
	o->o_user = who;
	return true;
}

static bool
set_patch(struct options *o, const char *text)
{
	if (strcmp(text, "on") == 0)
		return set_append(o, "patch=on");
	if (strcmp(text, "off") == 0)
		return set_append(o, "patch=off");
	say_error("on or off", "--patch=%s: unknown", text);
	return false;
}

/* One option.  False: told. */
static bool
set_option(struct options *o, int c, const char *arg)
{
	switch (c) {
	case 'm':
		return set_memory(o, arg);
	case 'c':
		return set_cpus(o, arg);
	case 'n':
		return set_name(o, arg);
	case 'r':
		return set_root(o, arg);
	case OPT_SHARE:
		return set_share(o, arg);
	case 'e':
		return set_env(o, arg);
	case 'w':
		return set_path(&o->o_workdir, "--workdir", arg);
	case 'u':
		o->o_user = arg;
		return true;
	case 'a':
		return set_append(o, arg);
	case 'q':
		o->o_boot_flags |= VKB_QUIET;
		return true;
	case 'v':
		o->o_boot_flags |= VKB_VERBOSE;
		return true;
	case OPT_INIT:
		return set_path(&o->o_init, "--init", arg);
	case OPT_HOST_CPUS:
		o->o_host_cpus = arg;
		return true;
	case OPT_SPIN:
		o->o_spin = true;
		return true;
	case OPT_PATCH:
		return set_patch(o, arg);
	case OPT_DETERMINISTIC:
		o->o_boot_flags |= VKB_DETERMINISTIC;
		return true;
	case OPT_SEED:
		return set_seed(o, arg);
	case OPT_TIMEOUT:
		return set_timeout(o, arg);
	case OPT_STATUS_FD:
		return set_status_fd(o, arg);
	case OPT_STRACE:
		o->o_boot_flags |= VKB_STRACE;
		return true;
	case OPT_ENOSYS:
		return set_enosys(o, arg);
	case OPT_ON_PANIC:
		return set_on_panic(o, arg);
	case OPT_STUB:
		o->o_stub = arg;
		return true;
	case OPT_TRACE:
		if (o->o_traces == TRACES_MAX) {
			say_error(NULL, "--trace=%s: more than %d", arg, TRACES_MAX);
			return false;
		}
		o->o_trace[o->o_traces++] = arg;
		return strstr(o->o_append, "ktr=") != NULL || set_append(o, "ktr=65536");
	case 'g':
		return set_gdb(o, arg);
	default:
		return false;	/* getopt_long has told */
	}
}

/* The host's terminal type, because the console is the host's; -e replaces it.  The kernel adds the rest. */
static char term[64];

static void
default_environment(struct options *o)
{
	const char *host_term = getenv("TERM");

	if (host_term != NULL && strlen(host_term) < sizeof term - sizeof "TERM=")
		snprintf(term, sizeof term, "TERM=%s", host_term);
	else
		snprintf(term, sizeof term, "TERM=linux");
	set_env(o, term);
}

/* A run that is to repeat elsewhere knows nothing of the host's terminal, unless it was told by -e. */
static void
fixed_environment(struct options *o)
{
	static char fixed[] = "TERM=linux";

	if (o->o_env[0] == term)
		o->o_env[0] = fixed;
}

enum options_result
options_parse(int argc, char **argv, struct options *o)
{
	static char tool[] = "vkernel";
	int c;

	*o = (struct options){
		.o_ncpu = 1,
		.o_status_fd = -1,
		.o_name = "damselfly",
		.o_workdir = "/",
		.o_umask = 022,
	};
	default_environment(o);
	argv[0] = tool;		/* getopt_long names the tool in its messages */

	while ((c = getopt_long(argc, argv, "+m:c:n:r:e:w:u:a:qvhg", long_options, NULL)) != -1) {
		if (c == 'h') {
			fputs(help_text, stdout);
			return OPTIONS_DONE;
		}
		if (c == OPT_VERSION) {
			printf("vkernel (Damselfly) %s, build %s\n", VERSION, BUILD);
			return OPTIONS_DONE;
		}
		if (!set_option(o, c, optarg)) {
			if (c == '?')
				fputs("hint: vkernel --help\n", stderr);
			return OPTIONS_BAD;
		}
	}
	if (optind < argc && strcmp(argv[optind - 1], "--") != 0) {
		say_error("the command comes after --, as in vkernel -- sh",
		    "%s: not an option", argv[optind]);
		return OPTIONS_BAD;
	}
	o->o_argv = argv + optind;
	o->o_argc = (uint32_t)(argc - optind);
	if (o->o_argc > 0 && o->o_argv[0][0] == '\0') {
		say_error(NULL, "the command is empty");
		return OPTIONS_BAD;
	}
	if (o->o_ram_bytes == 0)
		o->o_ram_bytes = o->o_root_dir ? ram_for_system() : RAM_DEFAULT;
	if (o->o_user == NULL && o->o_root_dir && !become_caller(o))
		return OPTIONS_BAD;
	if (o->o_user == NULL)
		o->o_user = "";
	if ((o->o_boot_flags & VKB_DETERMINISTIC) != 0)
		fixed_environment(o);
	if (o->o_argc == 0 && o->o_init == NULL)
		o->o_boot_flags |= VKB_INTERACTIVE;
	return OPTIONS_RUN;
}
