/* SPDX-License-Identifier: BSD-2-Clause */
/* uts - the names of the system, as uname(2) tells them. */
#pragma once
#include <abi/utsname.h>

#define UTS_RELEASE	"6.1.0-damselfly"	/* Linux's ABI as of this version, then whose it is */
#define UTS_VERSION	"#1 SMP Damselfly"

void	uts_get(struct k_utsname *out);
/* domain: the NIS domain, else the host's name; EINVAL */
int	uts_set(const char *name, uint32_t len, int domain);
