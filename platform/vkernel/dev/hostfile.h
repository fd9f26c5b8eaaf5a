/* SPDX-License-Identifier: BSD-2-Clause */
/* hostfile - trees of the host's files, for the other files of this platform. */
#pragma once

void	hostfile_init(void);		/* attaches a device for each tree */
