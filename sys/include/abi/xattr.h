/* SPDX-License-Identifier: BSD-2-Clause */
/* Extended attributes of the Linux ABI. */
#pragma once
#define XATTR_CREATE	1u
#define XATTR_REPLACE	2u
#define XATTR_NAME_MAX	255u
#define XATTR_SIZE_MAX	65536u
#define XATTR_LIST_MAX	65536u
