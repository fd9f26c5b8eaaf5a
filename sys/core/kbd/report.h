/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report - a USB keyboard's reports in, key events out.
 *
 * The boot protocol: HID 1.11, appendices B.1 and C.  Its output report is one
 * byte of KEY_LED_* (key.h).
 */
#pragma once
#include <core/kbd/key.h>
#include <stddef.h>

#define REPORT_BYTES	8u		/* of the boot protocol; what follows is ignored */
#define REPORT_KEYS	6u		/* of them: the keys that are down */
#define REPORT_EVENTS	(2 * (8 + REPORT_KEYS))		/* all keys change */

struct report {
	struct key_set	rp_down;
};

void	report_init(struct report *r);
/* What changed since the last report.  False: too short, nothing is written. */
bool	report_input(struct report *r, const uint8_t *data, size_t len,
	    struct key_event ev[REPORT_EVENTS], size_t *nev);
