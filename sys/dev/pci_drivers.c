/* SPDX-License-Identifier: BSD-2-Clause */
/* pci_drivers - which drivers there are for functions on PCI, in the order in which they are asked. */
#include <drv/pci.h>

extern const struct pci_driver nvme_driver, ahci_driver, virtio_pci_driver, e1000_driver, xhci_driver;

const struct pci_driver *const pci_drivers[] = {
	&nvme_driver,
	&ahci_driver,
	&virtio_pci_driver,
	&e1000_driver,
	&xhci_driver,
	NULL
};
