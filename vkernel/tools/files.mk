# SPDX-License-Identifier: BSD-2-Clause
tools += vkernel/tools/mkcpio.c
