/* SPDX-License-Identifier: BSD-2-Clause */
/* dev - devices that the platform itself has: serial lines, the console made of them. */
#pragma once
#include <machine/types.h>

/*
 * serial.c: lines by number, 0 to 3, COM1 to COM4.  One that is not there
 * swallows what is written and has nothing to read.
 */
void	serial_setup(uint32_t line);
void	serial_write(uint32_t line, const void *buf, size_t len);	/* all, or it is lost */
size_t	serial_send(uint32_t line, const void *buf, size_t len);	/* as much as goes out now */
bool	serial_read(uint32_t line, uint8_t *c);		/* false: nothing there */
/* It interrupts when something comes; when there is room.  One caller at a time. */
void	serial_listen(uint32_t line);
void	serial_wait_room(uint32_t line, bool on);

/* console.c: the first line and the screen, which are one terminal. */
struct bi_fb;
void	console_setup(const struct bi_fb *fb);		/* at boot; without a framebuffer the line alone */
void	console_write(const void *buf, size_t len);
void	console_emergency(const char *text, size_t len);
void	console_flush(void);			/* in thread context, in a critical section */
void	console_also(const char *text, size_t len);	/* on the terminal of console=NAME, if there is one */
bool	console_size(uint16_t *rows, uint16_t *cols);	/* false: only whoever has the line could tell */
bool	console_app_keys(void);

/* i8042.c */
void	i8042_setup(void);

/* mmio.c */
#define MMIO_END	0xfec00000ull	/* from here to 4 GiB: interrupt controllers, the firmware */

/* pci.c */
void	pci_setup(void);				/* waits for drivers */
void	pci_end(void);					/* tells them of the end */

/* stdio.c */
uint32_t stdio_power_events(void);
void	stdio_leave(void);				/* somebody wants the machine to stop */
void	stdio_type(const void *bytes, size_t len);	/* as if it were typed */
