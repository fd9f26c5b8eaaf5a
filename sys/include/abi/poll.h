/* SPDX-License-Identifier: BSD-2-Clause */
/* poll(2), select(2) of the Linux x86-64 ABI. */
#pragma once
#include <stdint.h>

#define POLLIN		0x0001u
#define POLLPRI		0x0002u
#define POLLOUT		0x0004u
#define POLLERR		0x0008u
#define POLLHUP		0x0010u
#define POLLNVAL	0x0020u
#define POLLRDNORM	0x0040u
#define POLLRDBAND	0x0080u
#define POLLWRNORM	0x0100u
#define POLLWRBAND	0x0200u
#define POLLRDHUP	0x2000u

struct k_pollfd {
	int32_t		fd;
	int16_t		events, revents;
};
#define FD_SETSIZE	1024

struct k_epoll_event {
	uint32_t	events;
	uint64_t	data;
} __attribute__((packed));
#define EPOLL_CLOEXEC	02000000u
#define EPOLL_CTL_ADD	1
#define EPOLL_CTL_DEL	2
#define EPOLL_CTL_MOD	3
#define EPOLLEXCLUSIVE	(1u << 28)
#define EPOLLWAKEUP	(1u << 29)
#define EPOLLONESHOT	(1u << 30)
#define EPOLLET		(1u << 31)
#define EFD_SEMAPHORE	1u
