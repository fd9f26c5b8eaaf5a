/* SPDX-License-Identifier: BSD-2-Clause */
/* wait4(2) and waitid(2) of the Linux x86-64 ABI. */
#pragma once
#define WNOHANG		0x00000001u
#define WUNTRACED	0x00000002u
#define WSTOPPED	WUNTRACED
#define WEXITED		0x00000004u
#define WCONTINUED	0x00000008u
#define WNOWAIT		0x01000000u
#define __WNOTHREAD	0x20000000u
#define __WALL		0x40000000u
#define __WCLONE	0x80000000u

enum { P_ALL, P_PID, P_PGID, P_PIDFD };

#define W_EXITCODE(code, sig)	(((code) & 0xff) << 8 | (sig))
#define W_STOPCODE(sig)		((sig) << 8 | 0x7f)
#define W_CONTINUED		0xffff
