/* SPDX-License-Identifier: BSD-2-Clause */
/* ps - vkernel ps [--json]: the virtual kernels that run here and may be looked at. */
#include "look.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "../launch/launch.h"

struct listing { bool json; unsigned n; };

static bool
show(pid_t pid, const struct look_label *l, void *arg)
{
	struct listing *p = arg;
	struct timespec now;
	unsigned long long s, mib = l->ll_ram_bytes >> 20;

	clock_gettime(CLOCK_REALTIME, &now);
	s = (unsigned long long)now.tv_sec - l->ll_began / 1000000000;
	if (p->json)
		printf("{\"v\":1,\"pid\":%d,\"name\":\"%s\",\"cpus\":%u,"
		    "\"memory\":%llu,\"seconds\":%llu}\n", pid, l->ll_name,
		    l->ll_cpus, (unsigned long long)l->ll_ram_bytes, s);
	else if (p->n == 0)
		printf("%7s %-16s %4s %8s %8s\n", "PID", "NAME", "CPUS", "MEMORY", "TIME");
	if (!p->json)
		printf("%7d %-16s %4u %7lluM %02llu:%02llu:%02llu\n", pid,
		    l->ll_name[0] != '\0' ? l->ll_name : "-", l->ll_cpus, mib,
		    s / 3600, s / 60 % 60, s % 60);
	p->n++;
	return true;
}

int
ps_main(int argc, char **argv)
{
	struct listing p = { .json = argc == 2 && strcmp(argv[1], "--json") == 0 };

	if (argc > 2 || (argc == 2 && !p.json)) {
		say_error("vkernel ps [--json]", "ps: not like that");
		return 125;
	}
	look_each(show, &p);
	return 0;
}
