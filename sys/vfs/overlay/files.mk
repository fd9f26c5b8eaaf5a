# SPDX-License-Identifier: BSD-2-Clause
kern += sys/vfs/overlay/overlay.c sys/vfs/overlay/overlay_node.c sys/vfs/overlay/overlay_copy.c
kern += sys/vfs/overlay/overlay_dir.c sys/vfs/overlay/overlay_read.c sys/vfs/overlay/overlay_xattr.c
