/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * drv/chr - a byte stream device, as a driver offers it.
 *
 * The driver fills a struct chrdev and calls chr_attach().  Operations never
 * block: EAGAIN means that cd_notify will be called (in thread context, on
 * the CPU that takes the device's interrupt) when it is worth trying again.
 */
#pragma once
#include <machine/types.h>

enum chr_kind { CHR_NONE, CHR_TTY, CHR_PIPE, CHR_FILE, CHR_NULL };

struct chrdev;
struct chr_ops {
	int	(*read)(struct chrdev *cd, void *buf, size_t len, size_t *done);	/* 0 with *done 0: end */
	int	(*write)(struct chrdev *cd, const void *buf, size_t len, size_t *done);	/* EPIPE: reader gone */
	void	(*size)(struct chrdev *cd, uint16_t *rows, uint16_t *cols);		/* TTY */
	void	(*raw)(struct chrdev *cd, bool on);					/* TTY: no outside processing */
};
struct chrdev {
	const char		*cd_name;	/* const: "stdin", "stdout", "stderr", "hvc0" and on */
	const struct chr_ops	*cd_ops;	/* const */
	enum chr_kind		cd_kind;	/* const */
	struct chrdev		*cd_same;	/* const: an earlier device that is the same open file outside, or NULL */
	uint32_t		cd_unit;	/* const, driver's */
	void			(*cd_notify)(struct chrdev *cd);	/* set once by the user above before first EAGAIN */
	void			*cd_up;		/* const after cd_notify: the user's */
	struct chrdev		*cd_next;	/* const once attached: those before it */
};

void	chr_attach(struct chrdev *cd);			/* a driver's thread; cd stays for ever */
struct chrdev *chr_find(const char *name);		/* NULL: none */
