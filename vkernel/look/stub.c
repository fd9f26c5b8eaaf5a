/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stub - vkernel stub ID unix:PATH: GDB's remote protocol for a kernel that runs, whose threads are the
 * kernel's.
 *
 * One debugger at a time; it finds the kernel stopped, and when it goes the kernel goes on.  Host threads
 * are what really runs: of kernel threads those on a CPU can be stepped and have their registers changed,
 * the others are shown where they wait.  Breakpoints are GDB's own, instructions written over; they stop
 * everything.
 *
 * While the kernel runs, signals are passed to it as they come, for they are how hostkit works; only SIGTRAP,
 * SIGINT and a ^C from the debugger stop it.
 *
 * The protocol is that of GDB's manual, appendix E.
 */
#include "look.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../launch/launch.h"

#define ERROR_STATUS	125
#define PACKET_MAX	16384u
#define LOOK_MS		10		/* how often a debugger's ^C is looked for while the kernel runs */

struct stub {
	struct target	s_t;
	int		s_fd;			/* the debugger */
	bool		s_noack;
	uint64_t	s_thread;		/* of Hg */
	uint64_t	s_stopped;		/* who is said to have stopped */
	char		s_in[PACKET_MAX + 1];
	size_t		s_have;			/* bytes read and not yet looked at */
	char		s_raw[PACKET_MAX];
	char		*s_out;			/* an answer grows here */
	size_t		s_len, s_room;
};

/* ------------------------------------------------------------- packets -- */

static void
say(struct stub *s, const char *fmt, ...)
{
	va_list ap;
	int n;

	for (;;) {
		va_start(ap, fmt);
		n = vsnprintf(s->s_out + s->s_len, s->s_room - s->s_len, fmt, ap);
		va_end(ap);
		if (n < 0 || s->s_len + (size_t)n < s->s_room)
			break;
		s->s_room = s->s_room * 2 + (size_t)n;
		s->s_out = realloc(s->s_out, s->s_room);
		if (s->s_out == NULL)
			abort();
	}
	s->s_len += n > 0 ? (size_t)n : 0;
}

static void
say_hex(struct stub *s, const void *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		say(s, "%02x", ((const uint8_t *)bytes)[i]);
}

static bool
send_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t w = send(fd, p, n, MSG_NOSIGNAL);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return false;
		p += w;
		n -= (size_t)w;
	}
	return true;
}

/* The answer, with what the protocol needs escaped. */
static bool
answer(struct stub *s)
{
	char *text = malloc(2 * s->s_len + 8);
	size_t n = 0;
	uint8_t sum = 0;
	bool good;

	if (text == NULL)
		abort();
	text[n++] = '$';
	for (size_t i = 0; i < s->s_len; i++) {
		char c = s->s_out[i];

		if (c == '$' || c == '#' || c == '}' || c == '*') {
			text[n++] = '}';
			c ^= 0x20;
		}
		text[n++] = c;
	}
	for (size_t i = 1; i < n; i++)
		sum = (uint8_t)(sum + (uint8_t)text[i]);
	n += (size_t)sprintf(text + n, "#%02x", sum);
	good = send_all(s->s_fd, text, n);
	free(text);
	s->s_len = 0;
	return good;
}

/* One more byte from the debugger; -1: it has gone. */
static int
next_byte(struct stub *s)
{
	int c;

	if (s->s_have == 0) {
		ssize_t n;

		do
			n = recv(s->s_fd, s->s_raw, sizeof s->s_raw, 0);
		while (n < 0 && errno == EINTR);
		if (n <= 0)
			return -1;
		s->s_have = (size_t)n;
	}
	c = (uint8_t)s->s_raw[0];
	memmove(s->s_raw, s->s_raw + 1, --s->s_have);
	return c;
}

/* A packet into s_in.  False: the debugger has gone. */
static bool
packet(struct stub *s)
{
	for (;;) {
		size_t n = 0;
		uint8_t sum = 0;
		char digits[3] = "";
		int c;

		while ((c = next_byte(s)) != '$')
			if (c < 0)
				return false;
		while ((c = next_byte(s)) != '#' && c >= 0) {
			sum = (uint8_t)(sum + c);
			if (n < PACKET_MAX)
				s->s_in[n++] = (char)c;
		}
		for (int i = 0; i < 2 && c >= 0; i++)
			digits[i] = (char)(c = next_byte(s));
		if (c < 0)
			return false;
		s->s_in[n] = '\0';
		if (s->s_noack)
			return true;
		if (!send_all(s->s_fd, strtoul(digits, NULL, 16) == sum ? "+" : "-", 1))
			return false;
		if (strtoul(digits, NULL, 16) == sum)
			return true;
	}
}

/* ------------------------------------------------------------- threads -- */

static struct kthread *
thread_of(struct stub *s, uint64_t id)
{
	for (size_t i = 0; i < s->s_t.t_nthreads; i++)
		if (s->s_t.t_threads[i].k_id == id)
			return &s->s_t.t_threads[i];
	return NULL;
}

/* The host thread of a kernel thread that is on a CPU; 0. */
static pid_t
task_of(struct stub *s, const struct kthread *k)
{
	if (k == NULL || k->k_cpu < 0)
		return 0;
	for (size_t i = 0; i < s->s_t.t_ntasks; i++) {
		struct user_regs_struct r;

		if (task_regs(s->s_t.t_tasks[i], &r) && r.gs_base == k->k_regs.gs_base &&
		    r.rsp == k->k_regs.rsp)
			return s->s_t.t_tasks[i];
	}
	return 0;
}

/* Who is shown first: the kernel thread on `task`, or on any CPU. */
static uint64_t
shown_for(struct stub *s, pid_t task)
{
	uint64_t any = 0;

	for (size_t i = 0; i < s->s_t.t_nthreads; i++) {
		const struct kthread *k = &s->s_t.t_threads[i];

		if (k->k_cpu >= 0 && task != 0 && task_of(s, k) == task)
			return k->k_id;
		if (any == 0 || (k->k_cpu == 0 && any != 0))
			any = k->k_cpu >= 0 || any == 0 ? k->k_id : any;
	}
	return any;
}

/* The order of GDB's amd64: 16 registers, rip; then flags and segments, of 4 bytes. */
static unsigned long long *const *
wide(struct user_regs_struct *r, unsigned long long *table[17])
{
	unsigned long long *order[17] = { &r->rax, &r->rbx, &r->rcx, &r->rdx, &r->rsi, &r->rdi, &r->rbp,
	    &r->rsp, &r->r8,
	    &r->r9, &r->r10, &r->r11, &r->r12, &r->r13, &r->r14, &r->r15, &r->rip };

	memcpy(table, order, sizeof order);
	return (unsigned long long *const *)table;
}

static void
show_regs(struct stub *s)
{
	struct kthread *k = thread_of(s, s->s_thread);
	unsigned long long *table[17];

	if (k == NULL) {
		say(s, "E01");
		return;
	}
	wide(&k->k_regs, table);
	for (int i = 0; i < 17; i++)
		say_hex(s, table[i], 8);
	say_hex(s, &k->k_regs.eflags, 4);
	say_hex(s, &k->k_regs.cs, 4);
	say_hex(s, &k->k_regs.ss, 4);
	say_hex(s, &k->k_regs.ds, 4);
	say_hex(s, &k->k_regs.es, 4);
	say_hex(s, &k->k_regs.fs, 4);
	say_hex(s, &k->k_regs.gs, 4);
}

static size_t
from_hex(const char *text, void *bytes, size_t most)
{
	size_t n = 0;
	unsigned v;

	while (n < most && isxdigit((unsigned char)text[0]) && isxdigit((unsigned char)text[1]) &&
	    sscanf(text, "%2x", &v) == 1) {
		((uint8_t *)bytes)[n++] = (uint8_t)v;
		text += 2;
	}
	return n;
}

static bool
put_regs(struct kthread *k, pid_t task)
{
	struct iovec { void *base; size_t len; } v = { &k->k_regs, sizeof k->k_regs };

	return task != 0 && ptrace(PTRACE_SETREGSET, task, 1 /* NT_PRSTATUS */, &v) == 0;
}

static void
set_regs(struct stub *s, const char *text)
{
	struct kthread *k = thread_of(s, s->s_thread);
	unsigned long long *table[17];
	uint64_t values[17];
	uint32_t flags;
	pid_t task = task_of(s, k);

	if (task == 0 || from_hex(text, values, sizeof values) != sizeof values ||
	    from_hex(text + 2 * sizeof values, &flags, sizeof flags) != sizeof flags) {
		say(s, "E01");
		return;
	}
	wide(&k->k_regs, table);
	for (int i = 0; i < 17; i++)
		*table[i] = values[i];
	k->k_regs.eflags = flags;
	say(s, put_regs(k, task) ? "OK" : "E01");
}

/* ------------------------------------------------------------- running -- */

static void
stopped(struct stub *s, int sig, pid_t task)
{
	if (!target_list(&s->s_t)) {
		say(s, "X09");
		return;
	}
	s->s_stopped = s->s_thread = shown_for(s, task);
	say(s, "T%02xthread:%llx;", sig, (unsigned long long)s->s_stopped);
}

static bool
debugger_speaks(struct stub *s)
{
	struct pollfd p = { .fd = s->s_fd, .events = POLLIN };

	if (s->s_have == 0 && poll(&p, 1, 0) <= 0)
		return false;
	/* ^C, or it has gone: both stop the kernel, and packet() tells which. */
	if (s->s_have == 0) {
		ssize_t n = recv(s->s_fd, s->s_raw, sizeof s->s_raw, 0);

		s->s_have = n > 0 ? (size_t)n : 0;
	}
	if (s->s_have > 0 && s->s_raw[0] == 3)
		memmove(s->s_raw, s->s_raw + 1, --s->s_have);
	return true;
}

/* Run all but `only`, if that is not 0: then it alone, one instruction. */
static void
resume(struct stub *s, pid_t only)
{
	for (size_t i = 0; i < s->s_t.t_ntasks; i++)
		if (only == 0 || s->s_t.t_tasks[i] == only)
			ptrace(only != 0 ? PTRACE_SINGLESTEP : PTRACE_CONT, s->s_t.t_tasks[i], 0, 0);
}

/* Until something happens that a debugger wants to know; then all are stopped, and s_out has the answer. */
static void
run(struct stub *s, pid_t only)
{
	pid_t who = 0;
	int sig = 0, status;

	resume(s, only);
	while (sig == 0) {
		pid_t task = waitpid(-1, &status, __WALL | WNOHANG);

		if (task == 0) {
			if (debugger_speaks(s))
				sig = SIGINT;
			else
				poll(NULL, 0, LOOK_MS);
			continue;
		}
		if (task < 0 || (task == s->s_t.t_pid && (WIFEXITED(status) || WIFSIGNALED(status)))) {
			say(s, task < 0 || WIFEXITED(status) ? "W%02x" : "X%02x",
			    task < 0 ? 0 : WIFEXITED(status) ?
			    (unsigned)WEXITSTATUS(status) : (unsigned)WTERMSIG(status));
			return;
		}
		if (!WIFSTOPPED(status))
			continue;			/* a host thread has ended */
		if (WSTOPSIG(status) == SIGTRAP && status >> 16 == 0) {
			sig = SIGTRAP;
			who = task;
		} else if (status >> 16 != 0) {
			ptrace(PTRACE_CONT, task, 0, 0);	/* a stop of ptrace's own */
		} else {
			ptrace(only == task ? PTRACE_SINGLESTEP : PTRACE_CONT, task, 0, WSTOPSIG(status));
		}
	}
	target_halt(&s->s_t, who, only);
	stopped(s, sig, who);
}

/* -------------------------------------------------------------- queries -- */

static void
list_threads(struct stub *s, uint64_t off, uint64_t len)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	if (f == NULL)
		abort();
	fprintf(f, "<?xml version=\"1.0\"?><threads>");
	for (size_t i = 0; i < s->s_t.t_nthreads; i++) {
		const struct kthread *k = &s->s_t.t_threads[i];
		char name[2 * sizeof k->k_name];
		size_t at = 0;

		for (const char *p = k->k_name; *p != '\0'; p++)
			name[at++] = isalnum((unsigned char)*p) || strchr("-_./: ", *p) != NULL ? *p : '?';
		name[at] = '\0';
		fprintf(f, "<thread id=\"%llx\" name=\"%s\"", (unsigned long long)k->k_id, name);
		if (k->k_cpu >= 0)
			fprintf(f, " core=\"%d\"", k->k_cpu);
		fprintf(f, "/>");
	}
	fprintf(f, "</threads>");
	fclose(f);
	if (off >= n) {
		say(s, "l");
	} else {
		len = len < n - off ? len : n - off;
		say(s, "%c%.*s", off + len < n ? 'm' : 'l', (int)len, text + off);
	}
	free(text);
}

static void
query(struct stub *s, const char *q)
{
	unsigned long long off, len;

	if (strncmp(q, "qSupported", 10) == 0)
		say(s, "PacketSize=%x;qXfer:threads:read+;QStartNoAckMode+", PACKET_MAX);
	else if (sscanf(q, "qXfer:threads:read::%llx,%llx", &off, &len) == 2)
		list_threads(s, off, len);
	else if (strcmp(q, "QStartNoAckMode") == 0) {
		say(s, "OK");
		s->s_noack = true;
	} else if (strcmp(q, "qC") == 0)
		say(s, "QC%llx", (unsigned long long)s->s_stopped);
	else if (strcmp(q, "qAttached") == 0)
		say(s, "1");
	else if (strcmp(q, "qfThreadInfo") == 0)
		for (size_t i = 0; i < s->s_t.t_nthreads; i++)
			say(s, "%c%llx", i == 0 ? 'm' : ',', (unsigned long long)s->s_t.t_threads[i].k_id);
	else if (strcmp(q, "qsThreadInfo") == 0)
		say(s, "l");
}

static void
memory(struct stub *s, const char *p)
{
	unsigned long long addr, len;
	uint8_t buf[PACKET_MAX / 2];
	const char *colon = strchr(p, ':');
	size_t n;

	if (sscanf(p + 1, "%llx,%llx", &addr, &len) != 2 || len > sizeof buf || (*p == 'M' &&
	    colon == NULL)) {
		say(s, "E01");
	} else if (*p == 'm') {
		if (target_read(&s->s_t, addr, buf, len))
			say_hex(s, buf, len);
		else
			say(s, "E14");
	} else {
		n = from_hex(colon + 1, buf, sizeof buf);
		say(s, n == len && target_write(&s->s_t, addr, buf, n) ? "OK" : "E14");
	}
}

/* "vCont;s:ID;c" and the like: who is stepped, if anybody. */
static void
go(struct stub *s, const char *p)
{
	const char *step = *p == 's' ? p : strstr(p, ";s");
	unsigned long long id = s->s_thread;
	pid_t only = 0;

	if (step != NULL) {
		if (strncmp(step, ";s:", 3) == 0)
			(void)sscanf(step + 3, "%llx", &id);
		only = task_of(s, thread_of(s, id));
		if (only == 0) {
			say(s, "E01");		/* it does not run */
			return;
		}
	}
	run(s, only);
}

/* False: the debugger goes, or has gone. */
static bool
serve(struct stub *s)
{
	const char *p = s->s_in;
	bool stay = true;

	switch (*p) {
	case '?':
		say(s, "T05thread:%llx;", (unsigned long long)s->s_stopped);
		break;
	case 'q': case 'Q':
		query(s, p);
		break;
	case 'H':
		if (p[1] == 'g' && strcmp(p + 2, "-1") != 0 && strtoull(p + 2, NULL, 16) != 0)
			s->s_thread = strtoull(p + 2, NULL, 16);
		say(s, thread_of(s, s->s_thread) != NULL ? "OK" : "E01");
		break;
	case 'T':
		say(s, thread_of(s, strtoull(p + 1, NULL, 16)) != NULL ? "OK" : "E01");
		break;
	case 'g':
		show_regs(s);
		break;
	case 'G':
		set_regs(s, p + 1);
		break;
	case 'm': case 'M':
		memory(s, p);
		break;
	case 'c': case 's':
		go(s, p);
		break;
	case 'v':
		if (strcmp(p, "vCont?") == 0)
			say(s, "vCont;c;C;s;S");
		else if (strncmp(p, "vCont", 5) == 0)
			go(s, p);
		break;
	case 'D': case 'k':
		say(s, "OK");
		stay = false;
		break;
	}
	return answer(s) && stay;
}

static int
listen_at(const char *where)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd;

	if (strncmp(where, "unix:", 5) != 0 || strlen(where + 5) >= sizeof un.sun_path) {
		say_error("unix:PATH", "stub: %s: not like that", where);
		return -1;
	}
	strcpy(un.sun_path, where + 5);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&un, sizeof un) != 0 || listen(fd, 1) != 0) {
		say_error(NULL, "stub: %s: %s", where, strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

static const char *place;		/* of the socket */

static void
leave(int signo)
{
	(void)signo;
	unlink(place);
	_exit(0);
}

/* -1: the kernel has ended. */
static int
next_debugger(int l, pid_t pid)
{
	struct pollfd p[2] = { { l, POLLIN, 0 }, { pidfd_open(pid, 0), POLLIN, 0 } };
	int fd = -1;

	while (p[1].fd >= 0 && poll(p, 2, -1) < 0 && errno == EINTR)
		continue;
	if (p[1].revents == 0)
		fd = accept4(l, NULL, NULL, SOCK_CLOEXEC);
	if (p[1].fd >= 0)
		close(p[1].fd);
	return fd;
}

int
stub_main(int argc, char **argv)
{
	static struct stub s;
	pid_t pid;
	int l;

	if (argc != 3) {
		say_error("vkernel stub ID unix:PATH", "stub: not like that");
		return ERROR_STATUS;
	}
	place = argv[2] + 5;
	signal(SIGTERM, leave);
	if (!look_find(argv[1], &pid) || !target_open(&s.s_t, pid) || (l = listen_at(argv[2])) < 0)
		return ERROR_STATUS;
	s.s_room = 256;
	s.s_out = malloc(s.s_room);
	while (s.s_out != NULL && (s.s_fd = next_debugger(l, pid)) >= 0) {
		s.s_noack = false;
		s.s_have = s.s_len = 0;
		if (target_stop(&s.s_t)) {
			s.s_stopped = s.s_thread = shown_for(&s, 0);
			while (packet(&s) && serve(&s))
				continue;
			target_go(&s.s_t);
		}
		close(s.s_fd);
	}
	unlink(place);
	return 0;
}
