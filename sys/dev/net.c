/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * net - the list of network interfaces that drivers offer.
 *
 * Drivers attach side by side and perhaps after boot: whoever adds one holds the
 * lock, and whoever looks finds an interface whole, or not yet.
 */
#include <core/rt/rt.h>
#include <drv/lock.h>
#include <drv/net.h>
#include <stdatomic.h>

static struct drv_lock lock;
static struct netdev *_Atomic list;	/* [lock to change] the newest first */
static uint32_t count;			/* [lock] */

void
net_attach(struct netdev *nd)
{
	drv_lock(&lock);
	(void)rt_snprintf(nd->nd_name, sizeof nd->nd_name, "eth%u", count++);
	nd->nd_next = atomic_load(&list);
	atomic_store(&list, nd);
	drv_unlock(&lock);
}

struct netdev *
net_find(const char *name)
{
	struct netdev *nd = atomic_load(&list);

	while (nd != NULL && strcmp(nd->nd_name, name == NULL ? "eth0" : name) != 0)
		nd = nd->nd_next;
	return nd;
}
