# SPDX-License-Identifier: BSD-2-Clause
pc64 += sys/dev/virtio/pci.c sys/dev/virtio/mmio.c sys/dev/virtio/device.c
pc64 += sys/dev/virtio/blk.c sys/dev/virtio/net.c sys/dev/virtio/rng.c sys/dev/virtio/console.c
