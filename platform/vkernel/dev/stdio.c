/* SPDX-License-Identifier: BSD-2-Clause */
/* stdio - the host process's three standard streams as character devices, each by its own kind. */
#include <abi/errno.h>
#include <core/rt/rt.h>
#include <drv/chr.h>
#include <drv/intr.h>
#include <hk/hk.h>
#include <machine/boot.h>
#include <machine/cpu.h>
#include <machine/mmu.h>
#include <stdatomic.h>

#include "../det/det.h"
#include "hostfile.h"
#include "stdio.h"

/*
 * Ctrl-] leaves.  The host's terminal is raw while the machine has it, so no
 * other key is left to whoever sits there.  For the machine it is a hang-up.
 */
#define KEY_LEAVE	0x1d

static _Atomic uint32_t power;	/* [atomic: set here, taken by md_power_events()] */

uint32_t
stdio_power_events(void)
{
	return atomic_exchange(&power, 0);
}

static int
error_of(hk_result r)
{
	switch (r) {
	case HK_OK:
		return 0;
	case HK_AGAIN:
		return EAGAIN;
	case HK_EOF:
		return EPIPE;
	default:
		return EIO;
	}
}

static int
stdio_read(struct chrdev *cd, void *buf, size_t len, size_t *done)
{
	hk_result r;

	*done = 0;
	r = hk_stream_read(cd->cd_unit, buf, len, done);
	if (r == HK_AGAIN && md_deterministic)
		det_await_input();
	if (r == HK_EOF)
		return 0;		/* nothing done, no error: the end */
	if (r == HK_OK && cd->cd_kind == CHR_TTY) {
		const char *key = memchr(buf, KEY_LEAVE, *done);

		if (key != NULL) {
			*done = (size_t)(key - (const char *)buf);
			atomic_fetch_or(&power, MD_POWER_HUP);
			hk_post(0, MD_INTR_POWER);
			return *done > 0 ? 0 : EAGAIN;
		}
	}
	return error_of(r);
}

static int
stdio_write(struct chrdev *cd, const void *buf, size_t len, size_t *done)
{
	hk_result r;

	*done = 0;
	while ((r = hk_stream_write(cd->cd_unit, buf, len, done)) == HK_AGAIN && md_deterministic)
		det_await_output();
	return error_of(r);
}

static void
stdio_size(struct chrdev *cd, uint16_t *rows, uint16_t *cols)
{
	struct hk_stream_info si;

	hk_stream_info(cd->cd_unit, &si);
	*rows = si.rows;
	*cols = si.cols;
}

static void
stdio_raw(struct chrdev *cd, bool on)
{
	(void)cd;
	hk_stream_raw(on);
}

static const struct chr_ops stdio_ops = { stdio_read, stdio_write, stdio_size, stdio_raw };
static struct chrdev streams[3] = {
	{ .cd_name = "stdin", .cd_ops = &stdio_ops, .cd_unit = 0 },
	{ .cd_name = "stdout", .cd_ops = &stdio_ops, .cd_unit = 1 },
	{ .cd_name = "stderr", .cd_ops = &stdio_ops, .cd_unit = 2 },
};

/* The host does not say which stream has news, so all that wait look again. */
static void
stdio_interrupt(void *arg)
{
	(void)arg;
	for (uint32_t i = 0; i < 3; i++)
		if (streams[i].cd_notify != NULL)
			streams[i].cd_notify(&streams[i]);
}

static enum chr_kind
kind_of(enum hk_stream_kind k)
{
	switch (k) {
	case HK_STREAM_TTY:
		return CHR_TTY;
	case HK_STREAM_PIPE:
		return CHR_PIPE;
	case HK_STREAM_FILE:
		return CHR_FILE;
	case HK_STREAM_NULL:
		return CHR_NULL;
	case HK_STREAM_NONE:
		break;
	}
	return CHR_NONE;
}

void
md_dev_init(void)
{
	struct hk_stream_info si;

	intr_attach(MD_INTR_CHR, stdio_interrupt, NULL);
	for (uint32_t i = 0; i < 3; i++) {
		hk_stream_info(i, &si);
		streams[i].cd_kind = kind_of(si.kind);
		streams[i].cd_same = si.same_as < i ? &streams[si.same_as] : NULL;
		chr_attach(&streams[i]);
	}
	hostfile_init();
}
