# SPDX-License-Identifier: BSD-2-Clause
launch += vkernel/launch/archive.c vkernel/launch/debugged.c vkernel/launch/doctor.c vkernel/launch/layout.c vkernel/launch/main.c vkernel/launch/options.c
