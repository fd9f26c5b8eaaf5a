# SPDX-License-Identifier: BSD-2-Clause
kern += sys/net/socket.c sys/kern/syscall/sys_socket.c
kern += sys/net/unix/unix.c sys/net/unix/unix_name.c sys/net/unix/unix_msg.c sys/net/unix/unix_rights.c
