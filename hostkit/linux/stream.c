/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stream - the process's standard streams, without ever waiting for one
 *
 * Our descriptors 0, 1 and 2 share their open file descriptions with the
 * shell that started us, so O_NONBLOCK must not be set on them: it would
 * outlive us and break our parent.  Each stream therefore has a *way* of
 * asking without waiting, found once from what the stream is:
 *
 *	PLAIN	files, /dev/null, /dev/zero: a call cannot wait for anybody
 *	NOWAIT	pipes: RWF_NOWAIT says so per call
 *	SOCKET	sockets: MSG_DONTWAIT says so per call
 *	OWN	terminals and other devices, pipes of hosts without the above: the
 *		same object opened once more through /proc/self/fd, which makes
 *		a description of our own that may be O_NONBLOCK
 *	POLL	what may not be opened again (a terminal that belongs to
 *		another user): ask poll(), then move at most what poll()
 *		promised.  Only a rival for the same bytes could make this wait.
 *
 * When a stream says HK_AGAIN, it is watched by the epoll set of serve.c, once.
 *
 * Invariants
 *   I1  no flag of a description that we did not open is ever changed.
 *   I2  nothing is read before the caller asked for it and nothing is held
 *       back here: what the caller has not read, our parent can still read.
 *   I3  a stream that is not open keeps its number occupied by a descriptor
 *       that answers EBADF, so that no file of ours becomes "stdin".
 *   I4  st_interest is cleared before the mailbox bit is set, so an interest
 *       that was shown before the bit is always looked at again after it.
 *
 * Locking: st_lock for the epoll interest.  Ways change only from NOWAIT
 * downwards, [atomic: losing a race costs one more refused call].
 * Not here: line discipline, buffers, echo.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <asm/termbits.h>

#include "host.h"

#define IO_MAX		(1u << 20)	/* bytes moved by one call at most */
#define POLL_WRITE_MAX	512u		/* what poll()'s POLLOUT promises everywhere: _POSIX_PIPE_BUF */

enum way { WAY_NONE, WAY_PLAIN, WAY_NOWAIT, WAY_SOCKET, WAY_OWN, WAY_POLL };

struct stream {
	enum hk_stream_kind	st_kind;	/* const after init */
	uint32_t		st_same_as;	/* const after init */
	uint32_t		st_access;	/* const after init: O_ACCMODE of the description */
	uint64_t		st_rdev;	/* const after init: terminals */
	int			st_placeholder;	/* const after init: I3; or -1 */
	_Atomic int		st_way;		/* enum way */
	_Atomic int		st_own;		/* WAY_OWN: our description, or -1 */
	struct hk_lock		st_lock;
	uint32_t		st_interest;	/* [st_lock] EPOLL* bits being watched */
	bool			st_watched;	/* [st_lock] the epoll set knows st_watch_fd */
	int			st_watch_fd;	/* [st_lock] */
	bool			st_saved;	/* main thread, or a signal that ends us */
	struct termios		st_termios;	/* as before raw mode */
};

static struct stream stream[HK_STREAMS];
static _Atomic bool raw_wanted;		/* the caller's wish */
static _Atomic bool raw_on;		/* terminals are to be put back */

/* --------------------------------------------------------------- making -- */

/*
 * A description of our own for the object behind stream `n`.  O_NOCTTY: a
 * terminal must not become ours by being looked at.
 */
static int
open_own(uint32_t n)
{
	char path[] = "/proc/self/fd/0";

	path[sizeof(path) - 2] = (char)('0' + n);
	return (int)HK_SYS3(SYS_openat, AT_FDCWD, path,
	    stream[n].st_access | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/* Leave a way that turned out not to work for the next one that may. */
static void
demote(uint32_t n)
{
	struct stream *st = &stream[n];
	int fd = open_own(n), none = -1;

	if (fd < 0) {
		atomic_store(&st->st_way, WAY_POLL);
		return;
	}
	if (atomic_compare_exchange_strong(&st->st_own, &none, fd))
		atomic_store(&st->st_way, WAY_OWN);
	else
		HK_SYS1(SYS_close, fd);
}

static bool
is_terminal(uint32_t n)
{
	struct termios t;

	return HK_SYS3(SYS_ioctl, n, TCGETS, &t) == 0;
}

/* Decide kind and way from what the host says the descriptor is. */
static void
classify(uint32_t n, const struct stat *sb)
{
	struct stream *st = &stream[n];
	int way = WAY_PLAIN;

	st->st_kind = HK_STREAM_FILE;
	if (S_ISFIFO(sb->st_mode)) {
		st->st_kind = HK_STREAM_PIPE;
		way = WAY_NOWAIT;
	} else if (S_ISSOCK(sb->st_mode)) {
		st->st_kind = HK_STREAM_PIPE;
		way = WAY_SOCKET;
	} else if (S_ISCHR(sb->st_mode)) {
		st->st_rdev = sb->st_rdev;
		if (sb->st_rdev == makedev(1, 3))
			st->st_kind = HK_STREAM_NULL;
		else if (is_terminal(n))
			st->st_kind = HK_STREAM_TTY;
		else
			st->st_kind = HK_STREAM_PIPE;
		if (major(sb->st_rdev) != 1)		/* the memory devices never wait */
			way = WAY_NOWAIT;
	}
	atomic_store(&st->st_way, way);
	if (way == WAY_NOWAIT && st->st_kind == HK_STREAM_TTY)
		demote(n);
}

/* Do streams a and b share one open file description?  kcmp() may be forbidden; then compare what can be seen. */
static bool
same_file(uint32_t a, uint32_t b, const struct stat *sa, const struct stat *sb)
{
	long pid = HK_SYS0(SYS_getpid);
	long r = HK_SYS5(SYS_kcmp, pid, pid, KCMP_FILE, a, b);

	if (r >= 0)
		return r == 0;
	return sa->st_dev == sb->st_dev && sa->st_ino == sb->st_ino && sa->st_rdev == sb->st_rdev &&
	    HK_SYS2(SYS_fcntl, a, F_GETFL) == HK_SYS2(SYS_fcntl, b, F_GETFL);
}

/* I3.  O_PATH needs no right on "/", and every read or write of it says EBADF. */
static int
occupy(uint32_t n)
{
	long fd = HK_SYS3(SYS_openat, AT_FDCWD, "/", O_PATH);

	if (fd < 0 || fd == (long)n)
		return (int)fd;
	/* A lower number was free: it is occupied first, because streams are visited in order. */
	ASSERT(fd > (long)n);
	HK_SYS1(SYS_close, fd);
	return -EBADF;
}

hk_result
hk_streams_init(void)
{
	struct stat sb[HK_STREAMS];

	for (uint32_t n = 0; n < HK_STREAMS; n++) {
		struct stream *st = &stream[n];
		long flags = HK_SYS2(SYS_fcntl, n, F_GETFL);

		memset(st, 0, sizeof(*st));
		memset(&sb[n], 0, sizeof(sb[n]));
		st->st_same_as = n;
		st->st_placeholder = -1;
		st->st_watch_fd = -1;
		atomic_init(&st->st_own, -1);
		if (flags < 0 || (flags & O_PATH) != 0 || HK_SYS2(SYS_fstat, n, &sb[n]) < 0) {
			st->st_kind = HK_STREAM_NONE;
			if (flags >= 0)
				continue;
			st->st_placeholder = occupy(n);
			if (st->st_placeholder >= 0)
				continue;
			hk_streams_fini();
			return hk_fail_host("cannot occupy a closed standard stream", st->st_placeholder);
		}
		st->st_access = (uint32_t)flags & O_ACCMODE;
		classify(n, &sb[n]);
		for (uint32_t b = 0; b < n; b++)
			if (stream[b].st_kind != HK_STREAM_NONE && same_file(b, n, &sb[b], &sb[n])) {
				st->st_same_as = b;
				break;
			}
	}
	return HK_OK;
}

void
hk_streams_fini(void)
{
	hk_stream_raw(false);
	for (uint32_t n = 0; n < HK_STREAMS; n++) {
		struct stream *st = &stream[n];
		int own = atomic_exchange(&st->st_own, -1);

		if (own >= 0)
			HK_SYS1(SYS_close, own);
		if (st->st_placeholder >= 0)
			HK_SYS1(SYS_close, st->st_placeholder);
		memset(st, 0, sizeof(*st));
		st->st_placeholder = -1;
		atomic_init(&st->st_own, -1);
	}
}

void
hk_stream_info(uint32_t n, struct hk_stream_info *out)
{
	struct winsize w;

	memset(out, 0, sizeof(*out));
	out->same_as = n;
	if (n >= HK_STREAMS)
		return;
	out->kind = stream[n].st_kind;
	out->same_as = stream[n].st_same_as;
	if (out->kind == HK_STREAM_TTY && HK_SYS3(SYS_ioctl, n, TIOCGWINSZ, &w) == 0) {
		out->rows = w.ws_row;
		out->cols = w.ws_col;
	}
}

/* -------------------------------------------------------------- waiting -- */

/*
 * Have `bits` of stream `n` watched, once.  Regular files and the memory
 * devices never come here.  A stream that epoll refuses is looked at again by
 * a caller that is told so at once: better a busy caller than a lost wake-up.
 */
static void
watch(uint32_t n, int fd, uint32_t bits)
{
	struct stream *st = &stream[n];
	struct epoll_event ev = { .data = { .u32 = n } };
	long error;

	hk_lock(&st->st_lock);
	st->st_interest |= bits;
	ev.events = st->st_interest | EPOLLONESHOT;
	if (st->st_watched && st->st_watch_fd != fd) {		/* the way has changed */
		HK_SYS3(SYS_epoll_ctl, hk_serve_epfd(), EPOLL_CTL_DEL, st->st_watch_fd);
		st->st_watched = false;
	}
	error = HK_SYS4(SYS_epoll_ctl, hk_serve_epfd(), st->st_watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD,
	    fd, &ev);
	if (error == 0) {
		st->st_watched = true;
		st->st_watch_fd = fd;
	}
	hk_unlock(&st->st_lock);
	if (error != 0)
		hk_post(0, HK_BIT_STREAM);
}

/* The serving thread saw readiness. */
void
hk_stream_ready(uint32_t n)
{
	ASSERT(n < HK_STREAMS);
	hk_lock(&stream[n].st_lock);
	stream[n].st_interest = 0;	/* I4 */
	hk_unlock(&stream[n].st_lock);
	hk_post(0, HK_BIT_STREAM);
}

/* --------------------------------------------------------------- moving -- */

/* Is it sure that a plain call moves something, or ends, at once? */
static bool
polled(uint32_t n, short events)
{
	struct pollfd p = { .fd = (int)n, .events = events };
	struct timespec zero = { 0, 0 };

	return HK_SYS3(SYS_ppoll, &p, 1, &zero) == 1;
}

static long
read_by(uint32_t n, int way, void *buf, size_t len)
{
	struct iovec iov = { buf, len };

	switch (way) {
	case WAY_NOWAIT:
		return HK_SYS6(SYS_preadv2, n, &iov, 1, -1, -1, RWF_NOWAIT);
	case WAY_SOCKET:
		return HK_SYS4(SYS_recvfrom, n, buf, len, MSG_DONTWAIT);
	case WAY_OWN:
		return HK_SYS3(SYS_read, atomic_load(&stream[n].st_own), buf, len);
	case WAY_POLL:
		if (!polled(n, POLLIN))
			return -EAGAIN;
		break;
	}
	return HK_SYS3(SYS_read, n, buf, len);
}

static long
write_by(uint32_t n, int way, const void *buf, size_t len)
{
	struct iovec iov = { (void *)(uintptr_t)buf, len };

	switch (way) {
	case WAY_NOWAIT:
		return HK_SYS6(SYS_pwritev2, n, &iov, 1, -1, -1, RWF_NOWAIT);
	case WAY_SOCKET:
		return HK_SYS4(SYS_sendto, n, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	case WAY_OWN:
		return HK_SYS3(SYS_write, atomic_load(&stream[n].st_own), buf, len);
	case WAY_POLL:
		if (!polled(n, POLLOUT))
			return -EAGAIN;
		len = len < POLL_WRITE_MAX ? len : POLL_WRITE_MAX;
		break;
	}
	return HK_SYS3(SYS_write, n, buf, len);
}

/* What the host's answer means to the caller. */
static hk_result
verdict(uint32_t n, long got, int way, uint32_t bits)
{
	switch (got) {
	case -EAGAIN:
		watch(n, way == WAY_OWN ? atomic_load(&stream[n].st_own) : (int)n, bits);
		return HK_AGAIN;
	case -EPIPE:
	case -ECONNRESET:
		return HK_EOF;
	case -EIO:			/* a terminal that hung up, or is no longer ours to read */
		return stream[n].st_kind == HK_STREAM_TTY ? HK_EOF : hk_fail_host("standard stream", got);
	case -EBADF:			/* not open for this direction */
		return HK_INVAL;
	default:
		return hk_fail_host("standard stream", got);
	}
}

hk_result
hk_stream_read(uint32_t n, void *buf, size_t len, size_t *done)
{
	long got;
	int way;

	*done = 0;
	if (n >= HK_STREAMS || stream[n].st_kind == HK_STREAM_NONE)
		return HK_INVAL;
	if (len == 0)
		return HK_OK;
	len = len < IO_MAX ? len : IO_MAX;
	for (;;) {
		way = atomic_load(&stream[n].st_way);
		got = read_by(n, way, buf, len);
		if (got == -EINTR)
			continue;
		if (way == WAY_NOWAIT && (got == -EOPNOTSUPP || got == -ENOSYS || got == -EINVAL)) {
			demote(n);
			continue;
		}
		break;
	}
	if (got < 0)
		return verdict(n, got, way, EPOLLIN);
	*done = (size_t)got;
	return got == 0 ? HK_EOF : HK_OK;
}

hk_result
hk_stream_write(uint32_t n, const void *buf, size_t len, size_t *done)
{
	long got;
	int way;

	*done = 0;
	if (n >= HK_STREAMS || stream[n].st_kind == HK_STREAM_NONE)
		return HK_INVAL;
	if (len == 0)
		return HK_OK;
	len = len < IO_MAX ? len : IO_MAX;
	for (;;) {
		way = atomic_load(&stream[n].st_way);
		got = write_by(n, way, buf, len);
		if (got == -EINTR)
			continue;
		if (way == WAY_NOWAIT && (got == -EOPNOTSUPP || got == -ENOSYS || got == -EINVAL)) {
			demote(n);
			continue;
		}
		break;
	}
	if (got < 0)
		return verdict(n, got, way, EPOLLOUT);
	*done = (size_t)got;
	return HK_OK;
}

/* ------------------------------------------------------------- raw mode -- */

static void
make_raw(struct termios *t)
{
	t->c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
	t->c_oflag &= ~(tcflag_t)OPOST;
	t->c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
	t->c_cflag = (t->c_cflag & ~(tcflag_t)(CSIZE | PARENB)) | CS8;
	t->c_cc[VMIN] = 1;
	t->c_cc[VTIME] = 0;
}

/* Is `n` the first stream of its terminal?  One terminal is saved and put back once. */
static bool
leads(uint32_t n)
{
	if (stream[n].st_kind != HK_STREAM_TTY)
		return false;
	for (uint32_t b = 0; b < n; b++)
		if (stream[b].st_kind == HK_STREAM_TTY && stream[b].st_rdev == stream[n].st_rdev)
			return false;
	return true;
}

void
hk_stream_raw(bool on)
{
	atomic_store(&raw_wanted, on);
	if (on) {
		hk_catch_fatal(true);
		hk_stream_uncook();
	} else {
		hk_stream_cook();
	}
}

/* Raw mode belongs to the foreground: from the background it would break the terminal under somebody's hands. */
static bool
is_foreground(uint32_t n)
{
	int group = 0;

	return HK_SYS3(SYS_ioctl, n, TIOCGPGRP, &group) < 0 || group == HK_SYS1(SYS_getpgid, 0);
}

/* When we are stopped or not in front this comes again with SIGCONT. */
void
hk_stream_uncook(void)
{
	if (!atomic_load(&raw_wanted))
		return;
	for (uint32_t n = 0; n < HK_STREAMS; n++) {
		struct stream *st = &stream[n];
		struct termios t;

		if (!leads(n) || !is_foreground(n))
			continue;
		if (!st->st_saved && HK_SYS3(SYS_ioctl, n, TCGETS, &st->st_termios) < 0)
			continue;
		st->st_saved = true;
		t = st->st_termios;
		make_raw(&t);
		HK_SYS3(SYS_ioctl, n, TCSETS, &t);
	}
	atomic_store(&raw_on, true);
}

/*
 * Put the terminals back.  Async-signal-safe, and works from the background:
 * every thread of ours blocks SIGTTOU or is in a handler that does.
 */
void
hk_stream_cook(void)
{
	if (!atomic_exchange(&raw_on, false))
		return;
	for (uint32_t n = 0; n < HK_STREAMS; n++)
		if (stream[n].st_saved)
			HK_SYS3(SYS_ioctl, n, TCSETS, &stream[n].st_termios);
}

/*
 * A raw terminal needs its own carriage returns.  Bounded: a stderr that takes
 * nothing is given up.
 */
void
hk_emergency(const char *text, size_t len)
{
	bool cr = atomic_load(&raw_on) && stream[2].st_kind == HK_STREAM_TTY;

	while (len > 0) {
		const char *nl = cr ? memchr(text, '\n', len) : NULL;
		size_t part = nl != NULL ? (size_t)(nl - text) : len;
		long got = part;

		if (part > 0)
			got = HK_SYS3(SYS_write, 2, text, part);
		if (got < 0 && got != -EINTR)
			return;
		if (got == -EINTR)
			continue;
		text += got;
		len -= (size_t)got;
		if (nl != NULL && text == nl) {
			HK_SYS3(SYS_write, 2, "\r\n", 2);
			text++;
			len--;
		}
	}
}
