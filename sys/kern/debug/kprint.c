/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kprint - kernel messages.
 *
 * A line is formatted on the stack and then appended to a ring of bytes in
 * one step, so lines of several CPUs do not mix.  The ring is plain memory: a
 * debugger or a core shows it without help.
 */
#include <core/rt/rt.h>
#include <machine/boot.h>
#include <machine/clock.h>
#include <machine/cpu.h>
#include <stdatomic.h>
#include <sys/debug/kprint.h>
#include <sys/lwkt/cpu.h>
#include <sys/lwkt/spin.h>
#include <sys/time/time.h>

#define LINE_BYTES	512

static struct spin kmsg_spin = SPIN_INIT(kmsg);
static char kmsg[KMSG_BYTES];		/* [kmsg_spin] */
static uint64_t kmsg_end;		/* [kmsg_spin] bytes ever written */
static uint64_t kmsg_start;		/* [kmsg_spin] those before it were cleared */
static bool at_line_start = true;	/* [kmsg_spin] */
_Atomic bool kprint_to_console;		/* [atomic] set with -v and by panic */
static _Atomic uint32_t apart;		/* [atomic] 0, or CPU + 1: it may hold kmsg_spin, or wait for it */

static void
append(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		kmsg[kmsg_end++ % KMSG_BYTES] = s[i];
	if (kmsg_end - kmsg_start > KMSG_BYTES)
		kmsg_start = kmsg_end - KMSG_BYTES;
}

void
kvprintf(const char *fmt, va_list ap)
{
	char stamp[32], line[LINE_BYTES];
	nsec_t now = md_now() - time_boot();
	int ns, n;

	n = rt_vsnprintf(line, sizeof line, fmt, ap);
	if (n >= (int)sizeof line) {
		n = (int)sizeof line - 1;
		line[n - 1] = '\n';
	}
	if (n == 0)
		return;
	if (atomic_load_explicit(&apart, memory_order_relaxed) == mycpuid + 1) {
		md_emergency(line, (size_t)n);
		return;
	}
	ns = rt_snprintf(stamp, sizeof stamp, "[%5llu.%06llu] ", (unsigned long long)(now / NSEC_PER_SEC),
	    (unsigned long long)(now % NSEC_PER_SEC / 1000));

	spin_lock(&kmsg_spin);
	if (at_line_start)
		append(stamp, (size_t)ns);
	append(line, (size_t)n);
	at_line_start = line[n - 1] == '\n';
	spin_unlock(&kmsg_spin);
	if (atomic_load_explicit(&kprint_to_console, memory_order_relaxed))
		md_emergency(line, (size_t)n);
}

void
kprint_apart(bool on)
{
	atomic_store_explicit(&apart, on ? mycpuid + 1 : 0, memory_order_relaxed);
}

void
kprintf(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	kvprintf(fmt, ap);
	va_end(ap);
}

size_t
kmsg_read(char *buf, size_t len)
{
	uint64_t from;
	size_t n;

	spin_lock(&kmsg_spin);
	n = (size_t)rt_min(len, kmsg_end - kmsg_start);
	from = kmsg_end - n;
	for (size_t i = 0; i < n; i++)
		buf[i] = kmsg[(from + i) % KMSG_BYTES];
	spin_unlock(&kmsg_spin);
	return n;
}

size_t
kmsg_bytes(void)
{
	return (size_t)(kmsg_end - kmsg_start);
}

void
kmsg_clear(void)
{
	spin_lock(&kmsg_spin);
	kmsg_start = kmsg_end;
	spin_unlock(&kmsg_spin);
}
