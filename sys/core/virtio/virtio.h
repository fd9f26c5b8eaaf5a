/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio - numbers and layouts of virtio 1.2 (sections 2 to 5), little-endian, and
 * where a device has its registers.
 */
#pragma once
#include <core/pci/pci.h>

/* Device types (5).  On PCI (4.1.2) a device's number is VIRTIO_PCI_DEVICE and its type... */
enum { VIRTIO_NET = 1, VIRTIO_BLK = 2, VIRTIO_CONSOLE = 3, VIRTIO_RNG = 4 };
enum { VIRTIO_PCI_VENDOR = 0x1af4, VIRTIO_PCI_DEVICE = 0x1040, VIRTIO_PCI_DEVICE_MAX = 0x107f };
/* ...or, where it also speaks the language of before 1.0, one of these. */
enum {
	VIRTIO_PCI_OLD_NET = 0x1000, VIRTIO_PCI_OLD_BLK = 0x1001, VIRTIO_PCI_OLD_CONSOLE = 0x1003,
	VIRTIO_PCI_OLD_RNG = 0x1005
};

/* Device status (2.1). */
enum {
	VIRTIO_ACKNOWLEDGE = 1, VIRTIO_DRIVER = 2, VIRTIO_DRIVER_OK = 4, VIRTIO_FEATURES_OK = 8,
	VIRTIO_NEEDS_RESET = 64, VIRTIO_FAILED = 128
};

/* Features of all devices (6). */
#define VIRTIO_F_INDIRECT_DESC		(1ull << 28)
#define VIRTIO_F_EVENT_IDX		(1ull << 29)
#define VIRTIO_F_VERSION_1		(1ull << 32)
#define VIRTIO_F_ACCESS_PLATFORM	(1ull << 33)
#define VIRTIO_F_RING_PACKED		(1ull << 34)
#define VIRTIO_F_IN_ORDER		(1ull << 35)
#define VIRTIO_F_ORDER_PLATFORM		(1ull << 36)
#define VIRTIO_F_SR_IOV			(1ull << 37)
#define VIRTIO_F_NOTIFICATION_DATA	(1ull << 38)
#define VIRTIO_F_RING_RESET		(1ull << 40)

/*
 * What to accept of the features that a device offers.  False: one that is needed, or
 * VERSION_1, is not offered.
 */
bool	virtio_negotiate(uint64_t offered, uint64_t wanted, uint64_t needed, uint64_t *accepted);

/* ----------------------------------------------------------------- PCI -- */

/* Kinds of register, each found through a capability (4.1.4). */
enum {
	VIRTIO_CAP_COMMON = 1, VIRTIO_CAP_NOTIFY, VIRTIO_CAP_ISR, VIRTIO_CAP_DEVICE, VIRTIO_CAP_PCI,
	VIRTIO_CAP_KINDS
};

struct virtio_pci_cap {
	uint8_t		id, next;
	uint8_t		bytes;
	uint8_t		kind;		/* VIRTIO_CAP_* */
	uint8_t		bar;
	uint8_t		instance;
	uint8_t		pad[2];
	uint32_t	offset, length;	/* within the BAR */
	union {
		/* NOTIFY: a queue's register is at queue_notify_off * this */
		uint32_t	notify_multiplier;
		/* PCI: a window on the BAR in configuration space */
		uint8_t		data[4];
	};
};
_Static_assert(offsetof(struct virtio_pci_cap, notify_multiplier) == 16, "virtio's layout");

#define VIRTIO_COMMON_BYTES	56u	/* that every device has; the last two came with 1.2 */
struct virtio_pci_common {
	uint32_t	device_feature_select, device_feature;
	uint32_t	driver_feature_select, driver_feature;
	uint16_t	config_msix_vector, num_queues;
	uint8_t		device_status, config_generation;
	uint16_t	queue_select, queue_size;
	uint16_t	queue_msix_vector, queue_enable, queue_notify_off;
	uint64_t	queue_desc, queue_driver, queue_device;
	uint16_t	queue_notify_data, queue_reset;
};
_Static_assert(offsetof(struct virtio_pci_common, queue_desc) == 32 &&
    offsetof(struct virtio_pci_common, queue_notify_data) == VIRTIO_COMMON_BYTES,
    "virtio's layout");
enum { VIRTIO_NO_VECTOR = 0xffff };
enum { VIRTIO_ISR_QUEUE = 1, VIRTIO_ISR_CONFIG = 2 };

struct virtio_region {
	uint8_t		bar;
	uint32_t	offset, bytes;	/* bytes 0: there is none */
};

struct virtio_pci {
	struct virtio_region vp_region[VIRTIO_CAP_KINDS];	/* each inside its BAR */
	uint32_t	vp_notify_multiplier;
};

/* VIRTIO_NET and so on; 0: no virtio device, or one whose type only its old language could tell. */
uint32_t virtio_pci_type(const struct pci_function *f);
/* The first sound region of each kind.  False: one that every device must have is missing. */
bool	virtio_pci_find(const struct pci_cfg *cfg, const struct pci_function *f,
	    const struct pci_bar bar[PCI_BARS], struct virtio_pci *vp);
/* Where in the region's BAR a queue's notification is written.  False: beyond the region. */
bool	virtio_pci_notify(const struct virtio_pci *vp, uint16_t queue_notify_off, uint32_t *offset);

/* -------------------------------------------------------- memory mapped -- */

#define VIRTIO_MMIO_MAGIC	0x74726976u	/* "virt" */
#define VIRTIO_MMIO_VERSION	2u		/* 1: of before virtio 1.0 */
#define VIRTIO_MMIO_BYTES	0x100u		/* the registers; a device's configuration follows them */
struct virtio_mmio {			/* (4.2.2) */
	uint32_t	magic, version, device_type, vendor;
	uint32_t	device_features, device_features_sel, pad0[2];
	uint32_t	driver_features, driver_features_sel, pad1[2];
	uint32_t	queue_sel, queue_size_max, queue_size, pad2[2];
	uint32_t	queue_ready, pad3[2];
	uint32_t	queue_notify, pad4[3];
	uint32_t	interrupt_status, interrupt_ack, pad5[2];	/* VIRTIO_ISR_* */
	uint32_t	status, pad6[3];
	uint32_t	queue_desc[2], pad7[2];		/* low half, high half */
	uint32_t	queue_driver[2], pad8[2];
	uint32_t	queue_device[2], pad9[21];
	uint32_t	config_generation;
};
_Static_assert(offsetof(struct virtio_mmio, queue_ready) == 0x44 &&
    offsetof(struct virtio_mmio, interrupt_status) == 0x60 &&
    offsetof(struct virtio_mmio, status) == 0x70 && offsetof(struct virtio_mmio, queue_desc) == 0x80 &&
    offsetof(struct virtio_mmio, queue_device) == 0xa0 &&
    offsetof(struct virtio_mmio, config_generation) == 0xfc &&
    sizeof(struct virtio_mmio) == VIRTIO_MMIO_BYTES,
    "virtio's layout");

/* Where a device is, as Linux's argument virtio_mmio.device=SIZE@BASE:LINE[:ID] says. */
struct virtio_mmio_place {
	uint64_t	vm_pa, vm_bytes;	/* at least VIRTIO_MMIO_BYTES, aligned, no wrap */
	uint32_t	vm_line;		/* of its interrupt */
};
bool	virtio_mmio_place(const char *text, size_t len, struct virtio_mmio_place *out);

/* --------------------------------------------------------------- block -- */

#define VIRTIO_BLK_F_SIZE_MAX		(1ull << 1)
#define VIRTIO_BLK_F_SEG_MAX		(1ull << 2)
#define VIRTIO_BLK_F_GEOMETRY		(1ull << 4)
#define VIRTIO_BLK_F_RO			(1ull << 5)
#define VIRTIO_BLK_F_BLK_SIZE		(1ull << 6)
#define VIRTIO_BLK_F_FLUSH		(1ull << 9)
#define VIRTIO_BLK_F_TOPOLOGY		(1ull << 10)
#define VIRTIO_BLK_F_CONFIG_WCE		(1ull << 11)
#define VIRTIO_BLK_F_MQ			(1ull << 12)
#define VIRTIO_BLK_F_DISCARD		(1ull << 13)
#define VIRTIO_BLK_F_WRITE_ZEROES	(1ull << 14)

/* The unit of all sectors here, whatever blk_size says. */
#define VIRTIO_BLK_SECTOR		512u
struct virtio_blk_config {
	uint64_t	capacity;		/* sectors */
	uint32_t	size_max, seg_max;
	uint16_t	cylinders;
	uint8_t		heads, sectors;
	uint32_t	blk_size;
	uint8_t		physical_block_exp, alignment_offset;
	uint16_t	min_io_size;
	uint32_t	opt_io_size;
	uint8_t		writeback, pad0;
	uint16_t	num_queues;
	uint32_t	max_discard_sectors, max_discard_seg, discard_sector_alignment;
	uint32_t	max_write_zeroes_sectors, max_write_zeroes_seg;
	uint8_t		write_zeroes_may_unmap, pad1[3];
};
_Static_assert(offsetof(struct virtio_blk_config, blk_size) == 20 &&
    offsetof(struct virtio_blk_config, num_queues) == 34 &&
    offsetof(struct virtio_blk_config, write_zeroes_may_unmap) == 56, "virtio's layout");

/* A request: the header, data that is read or written, one byte of status. */
enum {
	VIRTIO_BLK_IN = 0, VIRTIO_BLK_OUT = 1, VIRTIO_BLK_FLUSH = 4, VIRTIO_BLK_GET_ID = 8,
	VIRTIO_BLK_DISCARD = 11, VIRTIO_BLK_WRITE_ZEROES = 13
};
enum { VIRTIO_BLK_OK = 0, VIRTIO_BLK_IOERR = 1, VIRTIO_BLK_UNSUPP = 2 };
#define VIRTIO_BLK_ID_BYTES	20u
struct virtio_blk_header {
	uint32_t	type, reserved;
	uint64_t	sector;
};

/* The data of DISCARD and WRITE_ZEROES: an array of these. */
enum { VIRTIO_BLK_UNMAP = 1 };
struct virtio_blk_range {
	uint64_t	sector;
	uint32_t	num_sectors, flags;
};
_Static_assert(sizeof(struct virtio_blk_header) == 16 && sizeof(struct virtio_blk_range) == 16,
    "virtio's layout");

/* ----------------------------------------------------------------- net -- */

#define VIRTIO_NET_F_CSUM		(1ull << 0)
#define VIRTIO_NET_F_GUEST_CSUM		(1ull << 1)
#define VIRTIO_NET_F_MTU		(1ull << 3)
#define VIRTIO_NET_F_MAC		(1ull << 5)
#define VIRTIO_NET_F_GUEST_TSO4		(1ull << 7)
#define VIRTIO_NET_F_GUEST_TSO6		(1ull << 8)
#define VIRTIO_NET_F_HOST_TSO4		(1ull << 11)
#define VIRTIO_NET_F_HOST_TSO6		(1ull << 12)
#define VIRTIO_NET_F_MRG_RXBUF		(1ull << 15)
#define VIRTIO_NET_F_STATUS		(1ull << 16)
#define VIRTIO_NET_F_CTRL_VQ		(1ull << 17)
#define VIRTIO_NET_F_CTRL_RX		(1ull << 18)
#define VIRTIO_NET_F_MQ			(1ull << 22)

enum { VIRTIO_NET_LINK_UP = 1, VIRTIO_NET_ANNOUNCE = 2 };
struct virtio_net_config {
	uint8_t		mac[6];
	uint16_t	status;
	uint16_t	max_virtqueue_pairs;
	uint16_t	mtu;
};

/* Before each frame.  With MRG_RXBUF a received one goes on in num_buffers - 1 more buffers. */
enum { VIRTIO_NET_NEEDS_CSUM = 1, VIRTIO_NET_DATA_VALID = 2 };
enum {
	VIRTIO_NET_GSO_NONE = 0, VIRTIO_NET_GSO_TCPV4 = 1, VIRTIO_NET_GSO_UDP = 3,
	VIRTIO_NET_GSO_TCPV6 = 4, VIRTIO_NET_GSO_ECN = 0x80
};
struct virtio_net_header {
	uint8_t		flags, gso_type;
	uint16_t	hdr_len, gso_size, csum_start, csum_offset, num_buffers;
};
_Static_assert(sizeof(struct virtio_net_config) == 12 && sizeof(struct virtio_net_header) == 12,
    "virtio's layout");

/* ------------------------------------------------------------- console -- */

#define VIRTIO_CONSOLE_F_SIZE		(1ull << 0)
#define VIRTIO_CONSOLE_F_MULTIPORT	(1ull << 1)
#define VIRTIO_CONSOLE_F_EMERG_WRITE	(1ull << 2)

struct virtio_console_config {
	uint16_t	cols, rows;
	uint32_t	max_nr_ports, emerg_wr;
};

enum {
	VIRTIO_CONSOLE_DEVICE_READY, VIRTIO_CONSOLE_DEVICE_ADD, VIRTIO_CONSOLE_DEVICE_REMOVE,
	VIRTIO_CONSOLE_PORT_READY, VIRTIO_CONSOLE_CONSOLE_PORT, VIRTIO_CONSOLE_RESIZE,
	VIRTIO_CONSOLE_PORT_OPEN, VIRTIO_CONSOLE_PORT_NAME
};
struct virtio_console_control {
	uint32_t	id;
	uint16_t	event, value;
};
struct virtio_console_size {		/* follows RESIZE */
	uint16_t	cols, rows;
};
_Static_assert(sizeof(struct virtio_console_config) == 12 &&
    sizeof(struct virtio_console_control) == 8,
    "virtio's layout");
/* The entropy device (5.4) has one queue of buffers to fill and nothing else. */
