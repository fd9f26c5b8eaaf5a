/* SPDX-License-Identifier: BSD-2-Clause */
/* dev - devices that the platform itself has: serial lines, the console made of them. */
#pragma once
#include <machine/types.h>

/*
 * serial.c: lines by number, 0 to 3, COM1 to COM4.  One that is not there
 * swallows what is written and has nothing to read.
 */
void	serial_setup(uint32_t line);
void	serial_write(uint32_t line, const void *buf, size_t len);
bool	serial_read(uint32_t line, uint8_t *c);		/* false: nothing there */
void	serial_listen(uint32_t line);			/* it interrupts when something comes */

/* stdio.c */
uint32_t stdio_power_events(void);
void	stdio_news(void);				/* in an interrupt: something has come */
