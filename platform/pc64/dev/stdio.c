/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stdio - the three standard streams.
 *
 * For a person all three are one terminal, the console.  Run as a command,
 * the machine has input and output on COM1 and errors on COM2, each of its own
 * kind.  A line has no end of file: input that is no terminal is framed, DLE E
 * is its end and a DLE comes twice.
 */
#include <abi/errno.h>
#include <core/rt/rt.h>
#include <drv/chr.h>
#include <drv/intr.h>
#include <drv/mmio.h>
#include <machine/boot.h>
#include <machine/cpu.h>

#include "../boot/boot.h"
#include "../cpu/pc.h"
#include "dev.h"
#include "vector.h"

#define RING_BYTES	65536u
#define DLE		16
enum { COM2_IRQ = 3, COM1_IRQ = 4 };

/*
 * Filled with interrupts off, emptied by readers, which the kernel lets in one at a time.  Its lock is also that of
 * what the lines interrupt for.
 */
static struct {
	_Atomic uint32_t busy;		/* [atomic] a lock: of who fills it */
	_Atomic uint32_t head, tail;	/* [atomic] written, read: so many bytes in all */
	uint8_t		byte[RING_BYTES];
} ring;
static bool dle, ended;			/* [the reader] */
static _Atomic bool leave;		/* [atomic] asked for by keys, taken by md_power_events() */

static bool
ring_lock(void)
{
	bool intr = intr_save();

	while (atomic_exchange(&ring.busy, 1) != 0)
		__builtin_ia32_pause();
	return intr;
}

static void
ring_unlock(bool intr)
{
	atomic_store(&ring.busy, 0);
	intr_restore(intr);
}

static bool
ring_has_room(void)
{
	return atomic_load(&ring.head) - atomic_load(&ring.tail) < RING_BYTES;
}

static void
ring_put(uint8_t c)
{
	uint32_t head = atomic_load(&ring.head);

	ring.byte[head % RING_BYTES] = c;
	atomic_store(&ring.head, head + 1);
}

/* What waits in the line, as far as there is room. */
static void
take_line(void)
{
	bool intr = ring_lock();
	uint8_t c;

	while (ring_has_room() && serial_read(0, &c))
		ring_put(c);
	ring_unlock(intr);
}

void
stdio_type(const void *bytes, size_t len)
{
	const uint8_t *s = bytes;
	bool intr = ring_lock();

	for (size_t i = 0; i < len && ring_has_room(); i++)
		ring_put(s[i]);
	ring_unlock(intr);
	md_kick(0, MD_INTR_CHR);
}

void
dev_interrupt(uint32_t vector)
{
	const uint32_t line = vector == VEC_IRQ + COM2_IRQ;
	bool intr;

	if (vector == VEC_IRQ + COM1_IRQ)
		take_line();
	intr = ring_lock();
	serial_wait_room(line, false);
	ring_unlock(intr);
	atomic_fetch_or(&pc_self()->pc_area->mailbox, MD_INTR_CHR);
}

void
stdio_leave(void)
{
	atomic_store(&leave, true);
	md_kick(0, MD_INTR_POWER);
}

/* False: this byte is none of the program's. */
static bool
unframe(uint8_t c)
{
	bool quoted = dle;

	dle = !quoted && c == DLE;
	if (quoted && c == 'E')
		ended = true;
	return !dle && !ended;
}

static int
stdio_read(struct chrdev *cd, void *buf, size_t len, size_t *done)
{
	uint32_t tail = atomic_load(&ring.tail);
	uint8_t *to = buf;

	*done = 0;
	if (cd->cd_kind == CHR_NULL || cd->cd_kind == CHR_NONE || ended)
		return 0;
	while (*done < len && tail != atomic_load(&ring.head) && !ended) {
		uint8_t c = ring.byte[tail++ % RING_BYTES];

		if (cd->cd_kind == CHR_TTY || unframe(c))
			to[(*done)++] = c;
	}
	atomic_store(&ring.tail, tail);
	/* What came while the ring was full still waits in the line. */
	take_line();
	return *done > 0 || ended ? 0 : EAGAIN;
}

static int
stdio_write(struct chrdev *cd, const void *buf, size_t len, size_t *done)
{
	const uint32_t line = cd->cd_unit == 2;
	bool intr;

	*done = len;
	if (cd->cd_kind == CHR_TTY)
		console_write(buf, len);
	else if (cd->cd_kind != CHR_NULL && cd->cd_kind != CHR_NONE)
		*done = serial_send(line, buf, len);
	if (*done == len)
		return 0;
	intr = ring_lock();
	serial_wait_room(line, true);
	ring_unlock(intr);
	return *done > 0 ? 0 : EAGAIN;
}

static void
stdio_size(struct chrdev *cd, uint16_t *rows, uint16_t *cols)
{
	(void)cd;
	if (boot_status || !console_size(rows, cols)) {
		*rows = 24;
		*cols = 80;
	}
}

static void
stdio_raw(struct chrdev *cd, bool on)
{
	(void)cd;
	(void)on;
}

static const struct chr_ops stdio_ops = { stdio_read, stdio_write, stdio_size, stdio_raw };
static struct chrdev streams[3] = {
	{ .cd_name = "stdin", .cd_ops = &stdio_ops, .cd_unit = 0 },
	{ .cd_name = "stdout", .cd_ops = &stdio_ops, .cd_unit = 1 },
	{ .cd_name = "stderr", .cd_ops = &stdio_ops, .cd_unit = 2 },
};

static void
stdio_interrupt(void *arg)
{
	(void)arg;
	console_flush();
	for (uint32_t i = 0; i < 3; i++)
		if (streams[i].cd_notify != NULL)
			streams[i].cd_notify(&streams[i]);
}

static enum chr_kind
kind_of(char letter)
{
	switch (letter) {
	case 't':
		return CHR_TTY;
	case 'p':
		return CHR_PIPE;
	case 'f':
		return CHR_FILE;
	case 'n':
		return CHR_NULL;
	default:
		return CHR_NONE;
	}
}

uint32_t
stdio_power_events(void)
{
	return atomic_exchange(&leave, false) ? MD_POWER_OFF : 0;
}

void
md_dev_init(void)
{
	struct chrdev *terminal = NULL;

	clock_busy(pc_self());		/* a machine that never idles is watched, too */
	intr_attach(MD_INTR_CHR, stdio_interrupt, NULL);
	for (uint32_t i = 0; i < 3; i++) {
		streams[i].cd_kind = kind_of(boot_stdio[i]);
		if (streams[i].cd_kind == CHR_TTY && terminal != NULL)
			streams[i].cd_same = terminal;
		if (streams[i].cd_kind == CHR_TTY && terminal == NULL)
			terminal = &streams[i];
		chr_attach(&streams[i]);
	}
	(void)boot_isa_route(COM1_IRQ);
	(void)boot_isa_route(COM2_IRQ);
	vector_setup();
	i8042_setup();
	serial_listen(0);
	virtio_mmio_setup(md_boot()->b_append);
	pci_setup();
	serial_write(3, "ready\n", 6);
}
