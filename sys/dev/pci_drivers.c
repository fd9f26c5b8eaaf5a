/* SPDX-License-Identifier: BSD-2-Clause */
/* pci_drivers - which drivers there are for functions on PCI, in the order in which they are asked. */
#include <drv/pci.h>

#include "disk/disk.h"

const struct pci_driver *const pci_drivers[] = {
	&nvme_driver,
	&ahci_driver,
	NULL
};
