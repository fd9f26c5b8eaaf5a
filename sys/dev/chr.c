/* SPDX-License-Identifier: BSD-2-Clause */
/* chr - the list of character devices that drivers offer: at boot, some in threads of their own. */
#include <core/rt/rt.h>
#include <drv/chr.h>
#include <drv/lock.h>
#include <stdatomic.h>

static struct drv_lock lock;
static struct chrdev *_Atomic chr_list;		/* [lock to change] */

void
chr_attach(struct chrdev *cd)
{
	drv_lock(&lock);
	ASSERT(chr_find(cd->cd_name) == NULL);
	cd->cd_next = atomic_load(&chr_list);
	atomic_store(&chr_list, cd);
	drv_unlock(&lock);
}

struct chrdev *
chr_find(const char *name)
{
	for (struct chrdev *cd = atomic_load(&chr_list); cd != NULL; cd = cd->cd_next)
		if (strcmp(cd->cd_name, name) == 0)
			return cd;
	return NULL;
}
