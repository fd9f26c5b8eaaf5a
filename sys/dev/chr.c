/* SPDX-License-Identifier: BSD-2-Clause */
/* chr - the list of character devices that drivers offer: made at boot, before anybody looks. */
#include <core/rt/rt.h>
#include <drv/chr.h>

static struct chrdev *chr_list;

void
chr_attach(struct chrdev *cd)
{
	ASSERT(chr_find(cd->cd_name) == NULL);
	cd->cd_next = chr_list;
	chr_list = cd;
}

struct chrdev *
chr_find(const char *name)
{
	for (struct chrdev *cd = chr_list; cd != NULL; cd = cd->cd_next)
		if (strcmp(cd->cd_name, name) == 0)
			return cd;
	return NULL;
}
