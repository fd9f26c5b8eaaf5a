/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * e1000 - Intel's 82540EM and 82574L with descriptors of the legacy form (PCI/PCI-X
 * Family of Gigabit Ethernet Controllers, Software Developer's Manual; 82574 datasheet).
 *
 * Memory is the caller's, and so are the registers: what belongs into them is
 * returned.  One caller at a time for each ring.
 */
#pragma once
#include <core/pci/dma.h>
#include <stdbool.h>

enum { E1000_VENDOR = 0x8086, E1000_82540EM = 0x100e, E1000_82574L = 0x10d3 };

/* Registers: offsets in BAR 0. */
enum {
	E1000_CTRL = 0x0000, E1000_STATUS = 0x0008, E1000_EERD = 0x0014,
	E1000_FCAL = 0x0028, E1000_FCAH = 0x002c, E1000_FCT = 0x0030, E1000_FCTTV = 0x0170,
	E1000_ICR = 0x00c0, E1000_ITR = 0x00c4, E1000_ICS = 0x00c8, E1000_IMS = 0x00d0,
	E1000_IMC = 0x00d8, E1000_IVAR = 0x00e4,
	E1000_RCTL = 0x0100, E1000_TCTL = 0x0400, E1000_TIPG = 0x0410,
	E1000_RDBAL = 0x2800, E1000_RDBAH = 0x2804, E1000_RDLEN = 0x2808,
	E1000_RDH = 0x2810, E1000_RDT = 0x2818, E1000_RDTR = 0x2820,
	E1000_TDBAL = 0x3800, E1000_TDBAH = 0x3804, E1000_TDLEN = 0x3808,
	E1000_TDH = 0x3810, E1000_TDT = 0x3818, E1000_TXDCTL = 0x3828,
	E1000_MTA = 0x5200, E1000_RAL = 0x5400, E1000_RAH = 0x5404
};
#define E1000_MTA_WORDS		128u
#define E1000_RAH_VALID		0x80000000u

#define E1000_CTRL_LRST		(1u << 3)	/* link reset */
#define E1000_CTRL_ASDE		(1u << 5)	/* the speed is what the PHY finds */
#define E1000_CTRL_SLU		(1u << 6)	/* link up */
#define E1000_CTRL_ILOS		(1u << 7)	/* loss of signal means the contrary */
#define E1000_CTRL_RST		(1u << 26)	/* reset; clears itself */
#define E1000_CTRL_VME		(1u << 30)	/* VLAN tags are taken off */
#define E1000_CTRL_PHY_RST	(1u << 31)

/* Interrupts: ICR, which forgets when it is read, IMS and IMC. */
enum {
	E1000_INT_TXDW = 0x01, E1000_INT_LSC = 0x04, E1000_INT_RXDMT0 = 0x10, E1000_INT_RXO = 0x40,
	E1000_INT_RXT0 = 0x80,
	/* 82574L: the first receive queue, and all that is about no queue, with a message each. */
	E1000_INT_RXQ0 = 1 << 20, E1000_INT_OTHER = 1 << 24,
};
#define E1000_IVAR_FIRST	0x00080808u	/* 82574L: all of them by the first entry of MSI-X */
#define E1000_TXDCTL_COUNT	(1u << 22)	/* 82574L: must be 1 */

/* Receive: on, broadcasts, buffers of 2 KiB, no checksum at a frame's end. */
#define E1000_RCTL_EN		(1u << 1)
#define E1000_RCTL_UPE		(1u << 3)	/* everybody's frames */
#define E1000_RCTL_MPE		(1u << 4)	/* all multicasts */
#define E1000_RCTL_LPE		(1u << 5)	/* longer than 1522 bytes */
#define E1000_RCTL_BAM		(1u << 15)
#define E1000_RCTL_SECRC	(1u << 26)
#define E1000_RCTL_VALUE	(E1000_RCTL_EN | E1000_RCTL_BAM | E1000_RCTL_SECRC)
/* Transmit: on, short frames padded, the manual's thresholds for full duplex. */
#define E1000_TCTL_EN		(1u << 1)
#define E1000_TCTL_PSP		(1u << 3)
#define E1000_TCTL_VALUE	(E1000_TCTL_EN | E1000_TCTL_PSP | 0x0fu << 4 | 0x40u << 12)
#define E1000_TIPG_VALUE	(10u | 8u << 10 | 6u << 20)

#define E1000_RX_BUFFER		2048u
#define E1000_TX_SEGMENT_MAX	16288u		/* bytes that one descriptor may send */
#define E1000_RING_MIN		8u
#define E1000_RING_MAX		4096u

struct e1000_rx_desc {
	uint64_t	addr;
	uint16_t	length, checksum;
	uint8_t		status, errors;
	uint16_t	special;
};

struct e1000_tx_desc {
	uint64_t	addr;
	uint16_t	length;
	uint8_t		cso, command, status, css;
	uint16_t	special;
};
_Static_assert(sizeof(struct e1000_rx_desc) == 16 && sizeof(struct e1000_tx_desc) == 16,
    "Intel's layout");

struct e1000_rx {
	struct e1000_rx_desc *er_desc;
	struct dma_mem	er_buffers;
	uint32_t	er_count;
	uint32_t	er_next;		/* descriptor to look at */
	uint8_t		*er_frame;		/* where frames are put together */
	uint32_t	er_frame_max, er_have;
	bool		er_is_bad;		/* the frame being received is to be dropped */
	uint64_t	er_frames, er_bad;
};

struct e1000_tx_slot {
	void		*cookie;
	uint32_t	last;			/* of the frame that begins here */
};

struct e1000_tx {
	struct e1000_tx_desc *et_desc;
	struct e1000_tx_slot *et_slot;
	uint32_t	et_count;
	uint32_t	et_head;		/* oldest frame not taken back */
	uint32_t	et_tail;		/* next descriptor to fill */
	uint64_t	et_bad;
};

struct e1000_segment {
	uint64_t	pa;
	uint32_t	bytes;			/* 1 to E1000_TX_SEGMENT_MAX */
};

struct e1000_link {
	bool		is_up, is_full_duplex;
	uint32_t	mbit;
};

struct e1000_regs {
	uint32_t	(*read)(void *arg, uint32_t reg);
	void		(*write)(void *arg, uint32_t reg, uint32_t value);
	void		*arg;
};

/*
 * A ring's descriptors: a power of two of them, E1000_RING_MIN to _MAX, 16 bytes each at a multiple
 * of 128; a buffer of E1000_RX_BUFFER for each.  False: memory that is not so.
 */
bool	e1000_rx_init(struct e1000_rx *rx, uint32_t count, struct dma_mem ring,
	    struct dma_mem buffers, uint8_t *frame, uint32_t frame_max);
/* The next whole frame, in the memory given for it, until the next call.  False: none yet. */
bool	e1000_rx_take(struct e1000_rx *rx, uint32_t *bytes);
/* For RDT, after init and take: one descriptor is always ours, as full is not empty. */
static inline uint32_t
e1000_rx_tail(const struct e1000_rx *rx)
{
	return (rx->er_next - 1) & (rx->er_count - 1);
}

bool	e1000_tx_init(struct e1000_tx *tx, uint32_t count, struct dma_mem ring,
	    struct e1000_tx_slot *slots);
/* A frame; et_tail is then for TDT.  False: no room now. */
bool	e1000_tx_put(struct e1000_tx *tx, const struct e1000_segment *seg, uint32_t n,
	    void *cookie);
/* The oldest frame, if it was sent.  False: none. */
bool	e1000_tx_take(struct e1000_tx *tx, void **cookie);

void	e1000_link(uint32_t status, struct e1000_link *link);
/* The station's address: as firmware left it, or from the EEPROM.  False: neither has one. */
bool	e1000_mac(const struct e1000_regs *regs, uint16_t device, uint8_t mac[6]);
