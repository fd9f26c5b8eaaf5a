/* SPDX-License-Identifier: BSD-2-Clause */
/* mq_overview(7) of the Linux x86-64 ABI. */
#pragma once
#include <stdint.h>

#define MQ_PRIO_MAX	32768u

struct k_mq_attr {
	int64_t		mq_flags, mq_maxmsg, mq_msgsize, mq_curmsgs;
	int64_t		mq_reserved[4];
};
_Static_assert(sizeof(struct k_mq_attr) == 64, "struct mq_attr is 64 bytes");
