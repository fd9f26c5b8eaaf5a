/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pci - configuration space (PCI Local Bus 3.0, chapter 6; PCI Express Base 4.0, chapter 7).
 *
 * Reached through the caller's functions, which give all ones for what is not
 * there.  Nothing that a device says is believed without a check.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PCI_BARS	6u
#define PCI_CAPS_MAX	48u		/* that fit in a function's configuration space */
#define PCI_EXT_CAPS_MAX 960u
#define PCI_BDF(bus, dev, fn) ((uint32_t)(bus) << 8 | (uint32_t)(dev) << 3 | (uint32_t)(fn))

/* `bytes` is 1, 2 or 4, and `off` a multiple of it below 4096. */
struct pci_cfg {
	uint32_t	(*read)(void *arg, uint32_t bdf, uint32_t off, uint32_t bytes);
	void		(*write)(void *arg, uint32_t bdf, uint32_t off, uint32_t bytes,
	    uint32_t value);
	void		*arg;
};

/* The command register. */
enum {
	PCI_COMMAND_IO = 1, PCI_COMMAND_MEM = 2, PCI_COMMAND_MASTER = 4, PCI_COMMAND_NO_INTX = 0x400
};
/* Kinds of capability. */
enum {
	PCI_CAP_POWER = 0x01, PCI_CAP_MSI = 0x05, PCI_CAP_VENDOR = 0x09, PCI_CAP_EXPRESS = 0x10,
	PCI_CAP_MSIX = 0x11
};

struct pci_function {
	uint32_t	pf_bdf;
	uint16_t	pf_vendor, pf_device;
	uint32_t	pf_class;		/* and subclass, interface: 0x010802 is NVMe */
	uint8_t		pf_revision;
	uint8_t		pf_header;		/* 0: a device, 1: a bridge between buses */
	uint8_t		pf_pin;			/* 1 to 4: INTA to INTD; 0: none */
	uint8_t		pf_line;		/* what firmware wrote down; 255: unknown */
	uint8_t		pf_bus, pf_bus_last;	/* of a bridge: first and last behind it */
};

enum pci_bar_kind { PCI_BAR_NONE, PCI_BAR_IO, PCI_BAR_MEM32, PCI_BAR_MEM64 };

struct pci_bar {
	enum pci_bar_kind pb_kind;		/* NONE also for an upper half and what is broken */
	bool		pb_prefetchable;
	uint64_t	pb_address;		/* 0: not assigned */
	uint64_t	pb_bytes;		/* a power of two */
};

/* Free addresses, from which BARs are given some. */
struct pci_window {
	bool		pw_io;
	bool		pw_prefetchable;	/* only for BARs that are; those go elsewhere too */
	uint64_t	pw_base, pw_bytes;	/* end at most 2^64 - 1 */
};

struct pci_message {
	uint64_t	pm_address;
	uint32_t	pm_data;
};

struct pci_msi {
	uint32_t	pi_cap;			/* offset */
	uint32_t	pi_messages;		/* that the device could tell apart: 1 to 32 */
	bool		pi_64, pi_maskable;
};

struct pci_msix {
	uint32_t	px_cap;			/* offset */
	uint32_t	px_entries;		/* 1 to 2048 */
	uint32_t	px_table_bar, px_table_offset;
	uint32_t	px_pending_bar, px_pending_offset;
};
#define PCI_MSIX_ENTRY_WORDS	4u		/* of 32 bits */

/* False: nothing there. */
bool	pci_identify(const struct pci_cfg *cfg, uint32_t bdf, struct pci_function *f);
/* Each function that can be reached from a root bus, once, bridges first.  Their count. */
uint32_t pci_enumerate(const struct pci_cfg *cfg, uint8_t root_bus,
	    void (*visit)(void *arg, const struct pci_function *f), void *arg);
/* Bits of the command register on and off. */
void	pci_command(const struct pci_cfg *cfg, uint32_t bdf, uint16_t on, uint16_t off);

/* Sizes the BARs: the function answers no address meanwhile, so nobody may use it. */
void	pci_bars(const struct pci_cfg *cfg, const struct pci_function *f,
	    struct pci_bar bar[PCI_BARS]);
/* Is all of this inside a memory BAR? */
bool	pci_bar_holds(const struct pci_bar bar[PCI_BARS], uint32_t i, uint64_t offset,
	    uint64_t bytes);
/* Takes addresses that are in use out of the windows: what is left is the larger side. */
void	pci_reserve(struct pci_window *w, size_t windows, const struct pci_bar bar[PCI_BARS]);
/*
 * Addresses for BARs without one, which are set; the windows shrink.  False: one did not fit
 * and is left at 0.
 */
bool	pci_assign(const struct pci_cfg *cfg, const struct pci_function *f,
	    struct pci_bar bar[PCI_BARS], struct pci_window *w, size_t windows);

/* What a bridge lets through: memory, and prefetchable memory.  No bytes: nothing. */
#define PCI_BRIDGE_WINDOWS	2u
void	pci_bridge(const struct pci_cfg *cfg, const struct pci_function *f,
	    struct pci_window w[PCI_BRIDGE_WINDOWS]);
/* One that lets nothing through gets a piece of `from`, for memory of all kinds.  False: too small. */
bool	pci_bridge_open(const struct pci_cfg *cfg, const struct pci_function *f, struct pci_window *from,
	    struct pci_window w[PCI_BRIDGE_WINDOWS]);
/* Memory that is not wholly in one of the windows, or that is another function's, loses its address. */
void	pci_drop_outside(struct pci_bar bar[PCI_BARS], const struct pci_window *w, size_t windows);
void	pci_drop_shared(struct pci_bar bar[PCI_BARS], const struct pci_bar other[PCI_BARS]);

/* Offsets of the capabilities of a kind, at most `max`, in the list's order; their count. */
size_t	pci_caps(const struct pci_cfg *cfg, const struct pci_function *f, uint8_t id, uint32_t *at,
	    size_t max);
size_t	pci_ext_caps(const struct pci_cfg *cfg, uint32_t bdf, uint16_t id, uint32_t *at,
	    size_t max);

/*
 * The write that interrupts a CPU (Intel SDM 3, 11.11).  False: no such vector, or an id that
 * it cannot name.
 */
bool	pci_message(uint32_t apic_id, uint32_t vector, struct pci_message *m);
/* False: there is no sound capability. */
bool	pci_msi(const struct pci_cfg *cfg, const struct pci_function *f, struct pci_msi *msi);
bool	pci_msix(const struct pci_cfg *cfg, const struct pci_function *f,
	    const struct pci_bar bar[PCI_BARS], struct pci_msix *msix);
/* One message for all, switched on; NULL: switched off. */
void	pci_msi_set(const struct pci_cfg *cfg, uint32_t bdf, const struct pci_msi *msi,
	    const struct pci_message *m);
void	pci_msix_enable(const struct pci_cfg *cfg, uint32_t bdf, const struct pci_msix *msix,
	    bool on);
/* What to write into an entry of the table, in this order; NULL: masked. */
void	pci_msix_entry(const struct pci_message *m, uint32_t word[PCI_MSIX_ENTRY_WORDS]);
