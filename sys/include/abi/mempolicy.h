/* SPDX-License-Identifier: BSD-2-Clause */
/* set_mempolicy(2), mbind(2) and their kin of the Linux ABI. */
#pragma once

#define MPOL_DEFAULT		0u
#define MPOL_PREFERRED		1u
#define MPOL_BIND		2u
#define MPOL_INTERLEAVE		3u
#define MPOL_LOCAL		4u
#define MPOL_PREFERRED_MANY	5u
#define MPOL_WEIGHTED_INTERLEAVE 6u

#define MPOL_F_STATIC_NODES	(1u << 15)
#define MPOL_F_RELATIVE_NODES	(1u << 14)
#define MPOL_F_NUMA_BALANCING	(1u << 13)
#define MPOL_MODE_FLAGS		(MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES | MPOL_F_NUMA_BALANCING)

#define MPOL_F_NODE		(1u << 0)
#define MPOL_F_ADDR		(1u << 1)
#define MPOL_F_MEMS_ALLOWED	(1u << 2)

#define MPOL_MF_STRICT		(1u << 0)
#define MPOL_MF_MOVE		(1u << 1)
#define MPOL_MF_MOVE_ALL	(1u << 2)
