# SPDX-License-Identifier: BSD-2-Clause
kern += sys/vdso/image.S
