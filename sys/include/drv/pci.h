/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * drv/pci - functions on PCI, and the drivers for them.
 *
 * At boot each function is offered to the drivers of pci_drivers[] in their
 * order; the first that matches gets it, in a thread of its own: devices
 * come up side by side.  The machine waits for all before it goes on, but
 * not for ever.
 */
#pragma once
#include <core/pci/pci.h>
#include <machine/types.h>

struct pcidev {
	struct pci_function pd_fn;		/* const */
	struct pci_bar	pd_bar[PCI_BARS];	/* const */
	const struct pci_cfg *pd_cfg;		/* const: its configuration space */
	char		pd_name[16];		/* const: "pci0:1f.2" */
	void		*pd_driver;		/* const once attached: the driver's, for pr_end */
};

struct pci_driver {
	const char	*pr_name;
	bool		(*pr_match)(const struct pci_function *f);
	/* In the thread, which ends when it returns.  Memory access is on, bus mastering off. */
	void		(*pr_attach)(struct pcidev *pd);
	/* In a thread: the power is about to go off; disks were flushed.  Or NULL. */
	void		(*pr_end)(struct pcidev *pd);
};
extern const struct pci_driver *const pci_drivers[];	/* up to a NULL */

/* What the system starts with is there: nobody waits for pr_attach to return. */
void	pci_attached(struct pcidev *pd);
/* A function that no driver wanted, taken by the caller; NULL: none that matches. */
struct pcidev *pci_take(bool (*match)(const struct pci_function *f));

/* Registers, uncached.  NULL: no such BAR, not so large, or no room.  For ever. */
volatile void *pci_map(struct pcidev *pd, uint32_t bar, uint64_t offset, uint64_t bytes);
void	pci_master(struct pcidev *pd);		/* it may read and write memory, and interrupt by messages */

struct pci_vector {
	void		(*pv_fn)(void *arg);	/* on pv_cpu, in thread context, in a critical section */
	void		*pv_arg;
	uint32_t	pv_cpu;			/* on another one if its vectors are used up */
};
/*
 * As many interrupts as this gives, at most n, at least 1: MSI-X entries 0 and
 * on; or one for everything, for v[0]: MSI, or the pin, which others may
 * share.  A device with none that works is served by the clock, once a millisecond.
 * *msix: which table entries the device is to be told of.
 */
uint32_t pci_interrupts(struct pcidev *pd, const struct pci_vector *v, uint32_t n, bool *msix);

uint32_t drv_cpus(void);		/* how many CPUs there are: 0 and on */
uint32_t drv_cpu(void);			/* which of them this is, and stays in a critical section */
