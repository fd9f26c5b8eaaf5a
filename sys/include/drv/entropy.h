/* SPDX-License-Identifier: BSD-2-Clause */
/* drv/entropy - random bytes from devices, mixed with what the machine has. */
#pragma once
#include <machine/types.h>

void	entropy_add(const void *bytes, size_t len);	/* any context */
