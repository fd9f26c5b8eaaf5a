/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pty - a person at a terminal, as a script.
 *
 *   pty COMMAND [ARG]... <SCRIPT
 *
 *   expect TEXT      wait until TEXT has appeared since the last expect
 *   send TEXT        type; \r \n \t \\ and \xNN are understood
 *   wait MS          a person is slow
 *   size ROWS COLS   change the window
 *   raw              say "raw" or "cooked": the terminal's mode now
 *   monitor PATH     QEMU's monitor is there, or will be
 *   qemu COMMAND     one of it
 *   keys TEXT        as send, but on the machine's own keyboard, a US one.  16 presses and releases
 *                    wait in it: at most 12 at once, then an expect
 *
 * Everything that the command shows goes to standard output.  Exit status: the
 * command's, 128+N for a signal; 99, with a line on standard error, when an
 * expected text or QEMU's answer did not come within 600 seconds, when the command ended before
 * it, or when it had not ended after five minutes in all.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS		600000
#define TOTAL_MS	300000
#define SHOWN_MAX	(1u << 20)
#define KEYS_MAX	12

static int master;
static int monitor = -1;
static pid_t child;
static long last_ms;			/* when all must be over */
static char shown[SHOWN_MAX + 1];	/* since the last expect */
static size_t shown_len;

/* Move what the command shows.  False: nothing came in time, or it has ended. */
static bool
pump(int timeout_ms)
{
	struct pollfd p = { .fd = master, .events = POLLIN };
	char buf[4096];
	ssize_t n;

	if (poll(&p, 1, timeout_ms) <= 0)
		return false;
	n = read(master, buf, sizeof buf);
	if (n <= 0)
		return false;		/* EIO: the last user of the terminal is gone */
	(void)!write(STDOUT_FILENO, buf, (size_t)n);
	if (shown_len + (size_t)n > SHOWN_MAX)
		shown_len = 0;
	memcpy(shown + shown_len, buf, (size_t)n);
	shown_len += (size_t)n;
	return true;
}

static long
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void
fail(const char *what)
{
	fprintf(stderr, "pty: %s\n", what);
	kill(child, SIGKILL);
	exit(99);
}

/* The time is for the text, not for the next byte: what keeps drawing must not be waited for without end. */
static void
expect(const char *text)
{
	size_t len = strlen(text);
	long end = now_ms() + WAIT_MS;
	char what[1100];

	if (end > last_ms)
		end = last_ms;
	for (;;) {
		char *at = memmem(shown, shown_len, text, len);
		long left = end - now_ms();

		if (at != NULL) {
			shown_len -= (size_t)(at + len - shown);
			memmove(shown, at + len, shown_len);
			return;
		}
		if (left <= 0 || !pump((int)left)) {
			snprintf(what, sizeof what, "\"%s\" did not appear", text);
			fail(what);
		}
	}
}

/* Until it asks for the next command. */
static void
monitor_wait(void)
{
	static const char prompt[] = "(qemu) ";
	struct pollfd p = { .fd = monitor, .events = POLLIN };
	size_t seen = 0;
	char c;

	while (seen < sizeof prompt - 1) {
		if (poll(&p, 1, WAIT_MS) <= 0 || read(monitor, &c, 1) != 1)
			fail("QEMU's monitor does not answer");
		seen = c == prompt[seen] ? seen + 1 : c == prompt[0];
	}
}

static void
monitor_open(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	long end = now_ms() + WAIT_MS;

	if (strlen(path) >= sizeof sun.sun_path)
		fail("a path that is too long");
	strcpy(sun.sun_path, path);
	monitor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	while (connect(monitor, (struct sockaddr *)&sun, sizeof sun) != 0) {
		if (now_ms() >= end)
			fail("QEMU's monitor is not there");
		usleep(10000);
	}
	monitor_wait();
}

static void
qemu(const char *command)
{
	if (dprintf(monitor, "%s\n", command) < 0)
		fail("QEMU's monitor is gone");
	monitor_wait();
}

/* Returns how many presses and releases that is. */
static int
press(unsigned char c)
{
	static const char shifted[] = "~!@#$%^&*()_+{}|:\"<>?", plain[] = "`1234567890-=[]\\;',./";
	static const struct { char c; const char *name; } named[] = {
		{ '\r', "ret" }, { '\t', "tab" }, { ' ', "spc" }, { 0x7f, "backspace" },
		{ '`', "grave_accent" }, { '-', "minus" }, { '=', "equal" },
		{ '[', "bracket_left" }, { ']', "bracket_right" }, { '\\', "backslash" },
		{ ';', "semicolon" }, { '\'', "apostrophe" }, { ',', "comma" },
		{ '.', "dot" }, { '/', "slash" },
	};
	const char *with = "", *at = c == 0 ? NULL : strchr(shifted, c), *name;
	char command[64], key[2] = { (char)c };

	if (at != NULL) {
		with = "shift-";
		key[0] = plain[at - shifted];
	} else if (c >= 'A' && c <= 'Z') {
		with = "shift-";
		key[0] = (char)(c - 'A' + 'a');
	} else if (c < 27 && c != '\r' && c != '\t') {
		with = "ctrl-";
		key[0] = (char)(c - 1 + 'a');
	}
	name = key;
	for (size_t i = 0; i < sizeof named / sizeof named[0]; i++)
		if (named[i].c == key[0])
			name = named[i].name;
	snprintf(command, sizeof command, "sendkey %s%s 1", with, name);
	qemu(command);
	return *with != '\0' ? 4 : 2;
}

/* Escapes as they are meant.  Returns the length. */
static size_t
unescape(const char *s, char *out, size_t room)
{
	size_t n = 0;

	for (; *s != '\0' && n < room; s++) {
		if (*s != '\\') {
			out[n++] = *s;
			continue;
		}
		switch (*++s) {
		case 'r': out[n++] = '\r'; break;
		case 'n': out[n++] = '\n'; break;
		case 't': out[n++] = '\t'; break;
		case 'x': out[n++] = (char)strtol((char []){ s[1], s[2], 0 }, NULL, 16); s += 2; break;
		default: out[n++] = *s; break;
		}
	}
	return n;
}

static void
obey(char *line)
{
	struct winsize ws = { 0 };
	struct termios t;
	char out[4096];
	int pressed = 0;
	size_t n;

	line[strcspn(line, "\n")] = '\0';
	if (strncmp(line, "expect ", 7) == 0)
		expect(line + 7);
	else if (strncmp(line, "send ", 5) == 0)
		(void)!write(master, out, unescape(line + 5, out, sizeof out));
	else if (strncmp(line, "keys ", 5) == 0) {
		n = unescape(line + 5, out, sizeof out);
		for (size_t i = 0; i < n; i++)
			pressed += press((unsigned char)out[i]);
		if (pressed > KEYS_MAX)
			fail("keys: too many at once");
	} else if (strncmp(line, "monitor ", 8) == 0)
		monitor_open(line + 8);
	else if (strncmp(line, "qemu ", 5) == 0)
		qemu(line + 5);
	else if (strncmp(line, "wait ", 5) == 0)
		usleep((useconds_t)atoi(line + 5) * 1000);
	else if (sscanf(line, "size %hu %hu", &ws.ws_row, &ws.ws_col) == 2)
		ioctl(master, TIOCSWINSZ, &ws);
	else if (strcmp(line, "raw") == 0) {
		tcgetattr(master, &t);
		printf("%s\n", (t.c_lflag & ICANON) != 0 ? "cooked" : "raw");
		fflush(stdout);
	} else if (line[0] != '\0' && line[0] != '#') {
		fprintf(stderr, "pty: %s: not understood\n", line);
		exit(2);
	}
}

static void
start(char **argv)
{
	struct winsize ws = { .ws_row = 24, .ws_col = 80 };
	int slave;

	master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0) {
		perror("pty");
		exit(2);
	}
	ioctl(master, TIOCSWINSZ, &ws);
	child = fork();
	if (child != 0)
		return;
	setsid();
	slave = open(ptsname(master), O_RDWR);
	dup2(slave, 0);
	dup2(slave, 1);
	dup2(slave, 2);
	if (slave > 2)
		close(slave);
	execvp(argv[0], argv);
	_exit(127);
}

int
main(int argc, char **argv)
{
	char line[1024];
	int status;

	if (argc < 2)
		return 2;
	last_ms = now_ms() + TOTAL_MS;
	start(argv + 1);
	while (fgets(line, sizeof line, stdin) != NULL)
		obey(line);
	while (last_ms - now_ms() > 0 && pump(WAIT_MS))
		continue;
	/* The terminal is closed, or all is quiet; the end of the process may follow a moment later. */
	for (int i = 0; waitpid(child, &status, WNOHANG) == 0; i++) {
		if (i < 200) {
			usleep(10000);
			continue;
		}
		kill(child, SIGKILL);
		fprintf(stderr, "pty: the command did not end\n");
		return 99;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
