# SPDX-License-Identifier: BSD-2-Clause
kern += sys/kern/init/main.c sys/kern/init/init.c sys/kern/init/user.c
