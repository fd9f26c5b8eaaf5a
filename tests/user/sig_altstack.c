/* SPDX-License-Identifier: BSD-2-Clause */
/* sigaltstack - where handlers run, what is refused, and life after the stack is gone. */
#include "t.h"
#include <setjmp.h>

static char alt[1 << 17] __attribute__((aligned(64)));
static volatile int on_alt, nested_on_alt, flags_inside;
static sigjmp_buf back;

static bool
inside(const void *p)
{
	return (const char *)p >= alt && (const char *)p < alt + sizeof alt;
}

static void
nested(int sig)
{
	char here;

	(void)sig;
	nested_on_alt = inside(&here);
}

static void
on_signal(int sig)
{
	stack_t ss;
	char here;

	(void)sig;
	on_alt = inside(&here);
	T(sigaltstack(NULL, &ss));
	flags_inside = ss.ss_flags;
	ss.ss_size = 1 << 16;
	ss.ss_flags = 0;
	t_say("change while on it: %s", sigaltstack(&ss, NULL) < 0 ? t_errno(errno) : "allowed");
	raise(SIGUSR2);
}

static void
errors(void)
{
	stack_t ss = { .ss_sp = alt, .ss_size = 1000 };

	T(sigaltstack(&ss, NULL));
	ss.ss_size = sizeof alt;
	ss.ss_flags = 77;
	T(sigaltstack(&ss, NULL));
	ss.ss_flags = 0;
	T(sigaltstack(&ss, NULL));
	memset(&ss, 0, sizeof ss);
	T(sigaltstack(NULL, &ss));
	t_say("sp right %d size %zu flags %d", ss.ss_sp == alt, ss.ss_size, ss.ss_flags);
	ss.ss_flags = SS_DISABLE;
	T(sigaltstack(&ss, NULL));
	T(sigaltstack(NULL, &ss));
	t_say("sp %s size %zu flags %d", ss.ss_sp == NULL ? "NULL" : "set", ss.ss_size, ss.ss_flags);
}

static void
handlers(void)
{
	stack_t ss = { .ss_sp = alt, .ss_size = sizeof alt };

	T(sigaltstack(&ss, NULL));
	t_handle(SIGUSR1, on_signal, SA_ONSTACK);
	t_handle(SIGUSR2, nested, SA_ONSTACK);
	raise(SIGUSR1);
	t_say("on it %d, nested on it %d, flags inside %d", on_alt, nested_on_alt, flags_inside);
	T(sigaltstack(NULL, &ss));
	t_say("flags after %d", ss.ss_flags);
	t_handle(SIGUSR2, nested, 0);
	raise(SIGUSR2);
	t_say("without SA_ONSTACK: on it %d", nested_on_alt);
	ss.ss_sp = alt;
	ss.ss_size = sizeof alt;
	ss.ss_flags = (int)(1u << 31);
	T(sigaltstack(&ss, NULL));
	t_handle(SIGUSR1, on_signal, SA_ONSTACK);
	raise(SIGUSR1);
	t_say("SS_AUTODISARM: flags inside %d", flags_inside);
	T(sigaltstack(NULL, &ss));
	t_say("restored: flags %#x size %zu", (unsigned)ss.ss_flags, ss.ss_size);
}

static void
overflowed(int sig)
{
	(void)sig;
	siglongjmp(back, 1);
}

static int
recurse(volatile char *above)
{
	volatile char room[4096];

	room[0] = *above;
	if (room[0] == 'z')
		return 0;
	return recurse(room) + room[4095];
}

/* The use it was made for: the ordinary stack is full. */
static void
stack_overflow(void)
{
	struct rlimit rl = { 1 << 20, 8 << 20 };
	stack_t ss = { .ss_sp = alt, .ss_size = sizeof alt };
	char start = 0;

	if (t_child("overflow caught on the other stack") == 0) {
		setrlimit(RLIMIT_STACK, &rl);
		sigaltstack(&ss, NULL);
		t_handle(SIGSEGV, overflowed, SA_ONSTACK);
		if (sigsetjmp(back, 1) == 0)
			recurse(&start);
		if (sigsetjmp(back, 1) == 0)
			recurse(&start);
		_exit(5);
	}
	if (t_child("overflow without one") == 0) {
		setrlimit(RLIMIT_STACK, &rl);
		ss.ss_flags = SS_DISABLE;
		sigaltstack(&ss, NULL);
		t_handle(SIGSEGV, overflowed, SA_ONSTACK);
		if (sigsetjmp(back, 1) == 0)
			recurse(&start);
		_exit(5);
	}
}

int
main(void)
{
	errors();
	handlers();
	stack_overflow();
	return 0;
}
