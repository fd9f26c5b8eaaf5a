# SPDX-License-Identifier: BSD-2-Clause
unit += tests/unit/sys/core/virtio/test_ring.c
unit += tests/unit/sys/core/virtio/test_virtio.c
