/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * abi/ktr - the kernel's rings of events, as tools read them in its memory.
 *
 * Each CPU has a ring.  kr_next counts the events ever put and is stored after the event, so all before it
 * are complete.  Who reads a kernel that runs copies what it wants, then reads kr_next again: of what it
 * copied, events before kr_next + 1 - size may be others meanwhile, or halves of them.
 */
#pragma once
#include <stdint.h>

#define KTR_VERSION	1

struct ktr_event {
	uint64_t	ke_stamp;	/* of a counter that all CPUs share; KTR_IDLE gives ns */
	uint32_t	ke_type;	/* enum ktr_type */
	uint32_t	ke_thread;	/* low bits of the number of the thread that ran */
	uint64_t	ke_b, ke_c;
};

struct ktr_ring {
	uint64_t	kr_next;	/* [cpu] */
	uint32_t	kr_mask;	/* const: size - 1, a power of two less 1 */
	uint32_t	kr_cpu;		/* const */
	struct ktr_event *kr_event;	/* const: number n is at n & kr_mask */
};

/*
 * X(NAME, "text", B, C): what ke_b and ke_c are.
 *
 *   a address   f function   c CPU   t thread   p process   d number   s enum td_state   n nanoseconds
 *   x letters, the first lowest   i CPU in the upper half, number in the pair's ring in the lower   - nothing
 */
#define KTR_TYPES(X) \
	X(SWITCH, "switch", 't', 's')		/* to whom; what the thread became that ran */ \
	X(READY, "ready", 't', '-')		/* it may run on this CPU from now on */ \
	X(WAKE, "wake", 't', 'c')		/* a thread of another CPU will be told */ \
	X(MIGRATE, "migrate", 't', 'c')		/* it leaves for that CPU */ \
	X(IDLE, "idle", 'n', '-')		/* this CPU rests; the time since the machine began */ \
	X(IPI_SEND, "ipi send", 'f', 'i')	/* to that CPU */ \
	X(IPI_RUN, "ipi run", 'f', 'i')		/* from that CPU */ \
	X(MSG_SEND, "msg send", 'a', 'a')	/* the message, the port where it waits now */ \
	X(MSG_TAKE, "msg take", 'a', 'a') \
	X(MSG_REPLY, "msg reply", 'a', 'd')	/* the message, its error */ \
	X(TOKEN_WAIT, "token wait", 'a', '-') \
	X(TOKEN_GOT, "token got", 'a', '-')	/* after a wait */ \
	X(THREAD, "thread", 't', 'x')		/* a new one, and the first letters of its name */ \
	X(NAME, "name", 't', 'x')		/* more letters */ \
	X(END, "end", 't', '-')			/* it will not run again */ \
	X(MARK, "mark", 'd', 'd')		/* of tests */

/*
 * Samples, in rings of their own: what a CPU was doing.  A sample is one TAKEN and as many FRAMES as it
 * needs: addresses, innermost first, the kernel's before the program's; the first is where it was, the others
 * where calls return to.  Addresses of a program mean what the last MAP with its key says: a MAP and a
 * FILE for each piece of code, and LETTERS, the file's name.
 */
enum ktr_sample {
	SAMPLE_NONE,
	SAMPLE_TAKEN,		/* b: frames of the kernel; upper half: of the program; c: its key, or 0 */
	SAMPLE_FRAMES,		/* b, c: addresses; an odd one's neighbour is 0 */
	SAMPLE_PROGRAM,		/* b: key, c: process; and LETTERS: its name */
	SAMPLE_MAP,		/* b: start, c: end */
	SAMPLE_FILE,		/* b: key, c: where in the file the last MAP begins */
	SAMPLE_LETTERS,		/* b, c: 16 letters of a name, NUL after the last unless it ends here */
};

enum ktr_type {
	KTR_NONE,
#define KTR_ENUM(name, text, b, c) KTR_##name,
	KTR_TYPES(KTR_ENUM)
#undef KTR_ENUM
	KTR_TYPE_COUNT,
};
