/* SPDX-License-Identifier: BSD-2-Clause */
/* socket(2) and its relatives, unix(7) of the Linux x86-64 ABI. */
#pragma once
#include <stdint.h>

#define AF_UNSPEC	0u
#define AF_UNIX		1u
#define AF_MAX		46u

#define SOCK_STREAM	1u
#define SOCK_DGRAM	2u
#define SOCK_RAW	3u
#define SOCK_SEQPACKET	5u
#define SOCK_MAX	11u
#define SOCK_TYPE_MASK	0xfu
#define SOCK_NONBLOCK	04000u
#define SOCK_CLOEXEC	02000000u

#define MSG_OOB		0x1u
#define MSG_PEEK	0x2u
#define MSG_CTRUNC	0x8u
#define MSG_TRUNC	0x20u
#define MSG_DONTWAIT	0x40u
#define MSG_WAITALL	0x100u
#define MSG_NOSIGNAL	0x4000u
#define MSG_WAITFORONE	0x10000u
#define MSG_CMSG_CLOEXEC 0x40000000u
#define MSG_CMSG_COMPAT	0x80000000u

#define SHUT_RDWR	2u
#define SOMAXCONN	4096u

#define SOL_SOCKET	1
#define SO_DEBUG	1
#define SO_REUSEADDR	2
#define SO_TYPE		3
#define SO_ERROR	4
#define SO_DONTROUTE	5
#define SO_BROADCAST	6
#define SO_SNDBUF	7
#define SO_RCVBUF	8
#define SO_KEEPALIVE	9
#define SO_OOBINLINE	10
#define SO_PRIORITY	12
#define SO_LINGER	13
#define SO_REUSEPORT	15
#define SO_PASSCRED	16
#define SO_PEERCRED	17
#define SO_RCVLOWAT	18
#define SO_SNDLOWAT	19
#define SO_RCVTIMEO	20
#define SO_SNDTIMEO	21
#define SO_ACCEPTCONN	30
#define SO_SNDBUFFORCE	32
#define SO_RCVBUFFORCE	33
#define SO_PROTOCOL	38
#define SO_DOMAIN	39

#define SCM_RIGHTS	1
#define SCM_CREDENTIALS	2
#define SCM_MAX_FD	253u

#define SIOCOUTQ	0x5411u
#define FIOSETOWN	0x8901u
#define SIOCSPGRP	0x8902u
#define FIOGETOWN	0x8903u
#define SIOCGPGRP	0x8904u
#define SIOCATMARK	0x8905u

#define SOCKADDR_MAX	128u
#define UNIX_PATH_MAX	108u
struct k_sockaddr_un {
	uint16_t	sun_family;
	char		sun_path[UNIX_PATH_MAX];
};
struct k_ucred { int32_t pid; uint32_t uid, gid; };
struct k_linger { int32_t l_onoff, l_linger; };
struct k_msghdr {
	uint64_t	msg_name;
	int32_t		msg_namelen, pad1;
	uint64_t	msg_iov, msg_iovlen;
	uint64_t	msg_control, msg_controllen;
	uint32_t	msg_flags, pad2;
};
struct k_mmsghdr {
	struct k_msghdr	msg_hdr;
	uint32_t	msg_len, pad;
};
struct k_cmsghdr {
	uint64_t	cmsg_len;	/* with this header, without padding */
	int32_t		cmsg_level, cmsg_type;
};
