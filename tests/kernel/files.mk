# SPDX-License-Identifier: BSD-2-Clause
kerntest += tests/kernel/lwkt_test.c tests/kernel/ipi_test.c tests/kernel/smp_test.c tests/kernel/port_test.c tests/kernel/ktr_test.c tests/kernel/vm_phys.c tests/kernel/vm_map.c tests/kernel/vm_race.c
kerntest += tests/kernel/group.c tests/kernel/vm_smp.c tests/kernel/stuck_test.c
kerntest += tests/kernel/vfs_test.c tests/kernel/vfs_race.c tests/kernel/range_test.c tests/kernel/proc_test.c
kerntest += tests/kernel/disk_test.c tests/kernel/file_test.c tests/kernel/notify_test.c tests/kernel/bench.c tests/kernel/planted.c
pc64test += tests/kernel/pci_test.c tests/kernel/keyboard_test.c tests/kernel/net_test.c tests/kernel/virtio_test.c
