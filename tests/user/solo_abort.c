/* SPDX-License-Identifier: BSD-2-Clause */
/* The status of the whole command when its program ends like this. */
#include "t.h"

int
main(void)
{
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
	t_say("before");
	abort();
}
