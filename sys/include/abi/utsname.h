/* SPDX-License-Identifier: BSD-2-Clause */
/* uname(2) and sysinfo(2) of the Linux x86-64 ABI. */
#pragma once
#include <stdint.h>

#define UTS_LEN	65
struct k_utsname {
	char	sysname[UTS_LEN], nodename[UTS_LEN], release[UTS_LEN], version[UTS_LEN],
	    machine[UTS_LEN], domainname[UTS_LEN];
};

struct k_sysinfo {
	int64_t		uptime;
	uint64_t	loads[3];
	uint64_t	totalram, freeram, sharedram, bufferram, totalswap, freeswap;
	uint16_t	procs, pad, pad2[2];
	uint64_t	totalhigh, freehigh;
	uint32_t	mem_unit, pad3;
};
_Static_assert(sizeof(struct k_sysinfo) == 112, "struct sysinfo is 112 bytes");
