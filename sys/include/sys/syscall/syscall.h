/* SPDX-License-Identifier: BSD-2-Clause */
/* syscall - the layer that turns numbers into calls. */
#pragma once
void	syscall_init(void);		/* kmain: tells proc where system calls go */
