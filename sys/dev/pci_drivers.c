/* SPDX-License-Identifier: BSD-2-Clause */
/* pci_drivers - which drivers there are for functions on PCI, in the order in which they are asked. */
#include <drv/pci.h>

const struct pci_driver *const pci_drivers[] = {
	NULL
};
