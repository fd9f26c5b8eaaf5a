/* SPDX-License-Identifier: BSD-2-Clause */
/* prctl(2), arch_prctl(2), capget(2) of the Linux x86-64 ABI. */
#pragma once
#include <stdint.h>

#define PR_SET_PDEATHSIG	1
#define PR_GET_PDEATHSIG	2
#define PR_GET_DUMPABLE		3
#define PR_SET_DUMPABLE		4
#define PR_GET_KEEPCAPS		7
#define PR_SET_KEEPCAPS		8
#define PR_GET_TIMING		13
#define PR_SET_TIMING		14
#define PR_SET_NAME		15
#define PR_GET_NAME		16
#define PR_GET_SECCOMP		21
#define PR_CAPBSET_READ		23
#define PR_CAPBSET_DROP		24
#define PR_GET_TSC		25
#define PR_SET_TSC		26
#define PR_GET_SECUREBITS	27
#define PR_SET_SECUREBITS	28
#define PR_SET_TIMERSLACK	29
#define PR_GET_TIMERSLACK	30
#define PR_SET_CHILD_SUBREAPER	36
#define PR_GET_CHILD_SUBREAPER	37
#define PR_SET_NO_NEW_PRIVS	38
#define PR_GET_NO_NEW_PRIVS	39
#define PR_GET_TID_ADDRESS	40
#define PR_CAP_AMBIENT		47
#define PR_CAP_AMBIENT_IS_SET	1
#define PR_CAP_AMBIENT_RAISE	2
#define PR_CAP_AMBIENT_LOWER	3
#define PR_CAP_AMBIENT_CLEAR_ALL 4
#define PR_TSC_ENABLE		1

/* Each has a bit above it that locks it. */
#define SECBIT_NOROOT		0x01u
#define SECBIT_NO_SETUID_FIXUP	0x04u
#define SECBIT_KEEP_CAPS	0x10u
#define SECBIT_NO_AMBIENT_RAISE	0x40u
#define SECBITS_ALL		0x55u

#define PER_MASK	0xffu
#define PER_LINUX32	8u

#define ARCH_SET_GS	0x1001
#define ARCH_SET_FS	0x1002
#define ARCH_GET_FS	0x1003
#define ARCH_GET_GS	0x1004

#define LINUX_CAPABILITY_V1	0x19980330u
#define LINUX_CAPABILITY_V2	0x20071026u
#define LINUX_CAPABILITY_V3	0x20080522u
struct k_cap_header { uint32_t version; int32_t pid; };
struct k_cap_data { uint32_t effective, permitted, inheritable; };
