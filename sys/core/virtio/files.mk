# SPDX-License-Identifier: BSD-2-Clause
pc64 += sys/core/virtio/ring.c
pc64 += sys/core/virtio/virtio.c
