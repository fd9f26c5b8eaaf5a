/* SPDX-License-Identifier: BSD-2-Clause */
/* boot - what the launcher left, for the other files of this platform. */
#pragma once

struct vkboot;
const struct vkboot *boot_page(void);
