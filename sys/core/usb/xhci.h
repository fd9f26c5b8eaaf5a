/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xhci - registers and memory layouts of a USB 3 host controller, as numbers.
 *
 * xHCI 1.2: section 5 (registers), 6 (data structures), 7 (extended
 * capabilities).  All memory is little-endian.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Capability registers, from the start of the BAR (5.3). */
enum {
	XHCI_CAPLENGTH = 0x00,		/* 8 bits: where the operational registers begin */
	XHCI_HCIVERSION = 0x02,		/* 16 bits */
	XHCI_HCSPARAMS1 = 0x04,		/* slots 7:0, interrupters 18:8, ports 31:24 */
	XHCI_HCSPARAMS2 = 0x08,		/* scratchpads: high part 25:21, low part 31:27 */
	XHCI_HCCPARAMS1 = 0x10,		/* XHCI_HCC_*; first extended capability 31:16, in dwords */
	XHCI_DBOFF = 0x14,		/* doorbells, 32 bits per slot; 0: the command ring */
	XHCI_RTSOFF = 0x18,		/* runtime registers */
};
#define XHCI_HCC_AC64	(1u << 0)	/* 64-bit addresses */
#define XHCI_HCC_CSZ	(1u << 2)	/* contexts of 64 bytes */

/* Operational registers (5.4). */
enum {
	XHCI_USBCMD = 0x00,
	XHCI_USBSTS = 0x04,
	XHCI_PAGESIZE = 0x08,		/* bit 0: 4 KiB */
	XHCI_CRCR = 0x18,		/* 64 bits: command ring, cycle state in bit 0 */
	XHCI_DCBAAP = 0x30,		/* 64 bits: table of device contexts by slot */
	XHCI_CONFIG = 0x38,		/* slots enabled 7:0 */
	XHCI_PORTSC1 = 0x400,		/* port 1; the next ones XHCI_PORT_BYTES apart */
	XHCI_PORT_BYTES = 0x10,
};
#define XHCI_CMD_RUN	(1u << 0)
#define XHCI_CMD_RESET	(1u << 1)
#define XHCI_CMD_INTE	(1u << 2)
#define XHCI_STS_HALTED	(1u << 0)
#define XHCI_STS_HSE	(1u << 2)	/* it could not reach memory, and stopped */
#define XHCI_STS_EINT	(1u << 3)	/* write 1 to clear */
#define XHCI_STS_CNR	(1u << 11)	/* not ready: touch nothing else */
#define XHCI_STS_HCE	(1u << 12)	/* something inside went wrong: until a reset */

/* Runtime registers of interrupter 0 (5.5). */
enum {
	XHCI_IMAN = 0x20,		/* pending 0 (write 1 to clear), enable 1 */
	XHCI_IMOD = 0x24,
	XHCI_ERSTSZ = 0x28,
	XHCI_ERSTBA = 0x30,		/* 64 bits */
	XHCI_ERDP = 0x38,		/* 64 bits: segment 2:0, XHCI_ERDP_BUSY, address */
};
#define XHCI_ERDP_BUSY	(1u << 3)	/* write 1 to clear */
#define XHCI_IMAN_PENDING (1u << 0)
#define XHCI_IMAN_ENABLE (1u << 1)

/* PORTSC (5.4.8). */
#define XHCI_PORT_CCS	(1u << 0)	/* connected */
#define XHCI_PORT_PED	(1u << 1)	/* enabled; writing 1 disables */
#define XHCI_PORT_PR	(1u << 4)	/* reset; writing 1 starts it */
#define XHCI_PORT_PLS	(15u << 5)	/* link state; 0 is U0, which works */
#define XHCI_PORT_PP	(1u << 9)	/* power */
#define XHCI_PORT_SPEED(v)	((v) >> 10 & 15)
#define XHCI_PORT_PIC	(3u << 14)	/* indicators */
#define XHCI_PORT_CSC	(1u << 17)	/* changes, each cleared by writing 1: connection, */
#define XHCI_PORT_PEC	(1u << 18)	/* disabled by an error, */
#define XHCI_PORT_WRC	(1u << 19)	/* warm reset done, */
#define XHCI_PORT_OCC	(1u << 20)	/* over-current, */
#define XHCI_PORT_PRC	(1u << 21)	/* reset done, */
#define XHCI_PORT_PLC	(1u << 22)	/* link state, */
#define XHCI_PORT_CEC	(1u << 23)	/* link not configured */
#define XHCI_PORT_WAKE	(7u << 25)
#define XHCI_PORT_WPR	(1u << 31)	/* warm reset; writing 1 starts it */
#define XHCI_PORT_CHANGES	(127u << 17)

/*
 * What to write back so that nothing changes: settings as they are, 0 for
 * every bit that a 1 clears, disables or starts.
 */
static inline uint32_t
xhci_portsc_keep(uint32_t portsc)
{
	return portsc & (XHCI_PORT_PLS | XHCI_PORT_PP | XHCI_PORT_PIC | XHCI_PORT_WAKE);
}

/* Port speeds where the controller does not redefine them (7.2.2.1.1); above SUPER: faster ones. */
enum { XHCI_FULL = 1, XHCI_LOW = 2, XHCI_HIGH = 3, XHCI_SUPER = 4, XHCI_SPEED_MAX = 7 };

/* Extended capabilities (7): id 7:0, next 15:8 in dwords, 0 at the end. */
enum { XHCI_EXT_LEGACY = 1, XHCI_EXT_PROTOCOL = 2 };
#define XHCI_LEGACY_BIOS	(1u << 16)
#define XHCI_LEGACY_OS		(1u << 24)
#define XHCI_LEGACY_CONTROL	4u		/* from the capability: what the firmware is told of, */
#define XHCI_LEGACY_KEEP	0x1fee1feeu	/* bits of it that are nobody's, */
#define XHCI_LEGACY_CLEAR	0xe0000000u	/* and those that a 1 clears */
#define XHCI_PROTOCOL_MAJOR(dword0)	((dword0) >> 24)	/* 2 or 3 */
#define XHCI_PROTOCOL_FIRST(dword2)	((dword2) & 255)	/* port, from 1 */
#define XHCI_PROTOCOL_COUNT(dword2)	((dword2) >> 8 & 255)

/* A transfer request block (6.4). */
struct xhci_trb {
	uint64_t	t_param;
	uint32_t	t_status;
	uint32_t	t_control;
};
_Static_assert(sizeof(struct xhci_trb) == 16, "xHCI 4.11.1");

/* An entry of the event ring segment table (6.5). */
struct xhci_segment {
	uint64_t	s_pa;
	uint32_t	s_trbs;
	uint32_t	s_zero;
};
_Static_assert(sizeof(struct xhci_segment) == 16, "xHCI 6.5");

/* t_control: bits, types (6.4.6), slot 31:24, endpoint 20:16. */
#define XHCI_TRB_CYCLE	(1u << 0)
#define XHCI_TRB_TOGGLE	(1u << 1)	/* of a link: the cycle state changes here */
#define XHCI_TRB_ISP	(1u << 2)	/* an event when a packet is short */
#define XHCI_TRB_CHAIN	(1u << 4)
#define XHCI_TRB_IOC	(1u << 5)	/* an event when it is done */
#define XHCI_TRB_IDT	(1u << 6)	/* t_param is the data */
#define XHCI_TRB_IN	(1u << 16)	/* of a data or status stage */
#define XHCI_TRB_TYPE(type)	((uint32_t)(type) << 10)
#define XHCI_TRB_STAGE(trt)	((uint32_t)(trt) << 16)	/* of a setup stage: 2 OUT, 3 IN */
#define XHCI_TRB_EP(dci)	((uint32_t)(dci) << 16)
#define XHCI_TRB_SLOT(slot)	((uint32_t)(slot) << 24)
enum {
	XHCI_NORMAL = 1, XHCI_SETUP = 2, XHCI_DATA = 3, XHCI_STATUS = 4, XHCI_LINK = 6,
	XHCI_ENABLE_SLOT = 9, XHCI_DISABLE_SLOT = 10, XHCI_ADDRESS_DEVICE = 11,
	XHCI_CONFIGURE_EP = 12, XHCI_EVALUATE = 13, XHCI_RESET_EP = 14, XHCI_SET_DEQUEUE = 16,
	XHCI_EV_TRANSFER = 32, XHCI_EV_COMMAND = 33, XHCI_EV_PORT = 34,
};
static inline uint32_t xhci_trb_type(const struct xhci_trb *t) { return t->t_control >> 10 & 63; }

/* Completion codes (6.4.5) that somebody here asks for. */
enum {
	XHCI_SUCCESS = 1, XHCI_BABBLE = 3, XHCI_TRANSACTION = 4, XHCI_STALL = 6,
	XHCI_SHORT = 13, XHCI_SPLIT = 36,
};
