/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * drv/net - network interfaces: Ethernet frames without their checksum, out and in.
 */
#pragma once
#include <machine/types.h>

#define NET_FRAME_MAX	1514u		/* header and an MTU of 1500 */

struct netdev;
struct net_ops {
	/* The frame is copied.  Any CPU, in a critical section.  False: no room now, or no link. */
	bool	(*send)(struct netdev *nd, const void *frame, size_t len);
};
struct netdev {
	char		nd_name[16];	/* const: net_attach() makes "eth0" and on */
	const struct net_ops *nd_ops;	/* const */
	void		*nd_driver;	/* const: the driver's */
	uint8_t		nd_mac[6];	/* const */
	_Atomic bool	nd_link;	/* [atomic: by the driver] */
	_Atomic uint64_t nd_in, nd_out, nd_bad;	/* [atomic: by the driver] frames */
	/*
	 * [atomic] the user's, NULL: nobody listens.  In thread context, in a critical
	 * section; the frame is lent.
	 */
	void		(*_Atomic nd_input)(struct netdev *nd, const void *frame, size_t len);
	void		*nd_up;		/* const after nd_input: the user's */
	struct netdev	*nd_next;	/* const once attached: those before it */
};
void	net_attach(struct netdev *nd);		/* a driver's thread; nd stays for ever */
struct netdev *net_find(const char *name);	/* NULL: none; name NULL: the first */
