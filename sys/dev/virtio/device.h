/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * device - what a driver of a virtio device has to do with.
 *
 * A driver agrees on features, asks for interrupts, makes its queues and starts
 * the device.  From then on serve() is called whenever a queue may have finished
 * requests, and a thread for each device, its keeper, looks after it:
 *
 *   - it serves queues that are too busy for an interrupt handler, or whose
 *     interrupt was lost;
 *   - it hears of changes of the device's configuration;
 *   - it resets a device that asks for it, or holds requests and answers none
 *     of them for VIRTIO_PATIENCE, and starts it again.  What the device had
 *     comes back through lost();
 *   - it gives up a device that vanished, lies or needs this too often: gone().
 *
 * The keeper sleeps while no request is under way.
 */
#pragma once
#include <core/virtio/ring.h>
#include <core/virtio/virtio.h>
#include <drv/dma.h>
#include <drv/lock.h>
#include <drv/thread.h>
#include <machine/types.h>

#define VIRTIO_QUEUES_MAX	16u
#define VIRTIO_PATIENCE		(30 * NSEC_PER_SEC)
#define VIRTIO_RESETS_MAX	4u
#define VIRTIO_LIES_MAX		16u	/* of one queue */

struct virtio;

struct virtio_queue {
	struct virtio	*q_device;	/* const */
	struct drv_lock	q_lock;
	struct vring	q_ring;		/* [q_lock] */
	bool		q_on;		/* [q_lock] the device has it */
	bool		q_patient;	/* const: the device may keep requests for as long as it likes */
	uint16_t	q_index, q_size, q_vector;	/* const */
	struct dma_mem	q_memory, q_tables;	/* const */
	struct vring_slot *q_slots;	/* const */
	volatile uint16_t *q_doorbell;	/* const: the bus's, if it has one for each */
	bool		q_told;		/* [the keeper] of lies */
	uint16_t	q_seen;		/* [the keeper] how far its used ring was... */
	nsec_t		q_since;	/* [the keeper] ...and since when */
};

struct virtio_ops {
	/* Any CPU, in a critical section, perhaps on several at once, or before the device was started. */
	void	(*serve)(struct virtio_queue *q);
	/* The keeper's, in a critical section: the device was reset, and had this. */
	void	(*lost)(struct virtio_queue *q, void *cookie);
	/* The keeper's, likewise: it was started again. */
	void	(*again)(struct virtio *v);
	void	(*gone)(struct virtio *v);
	void	(*changed)(struct virtio *v);		/* the keeper's; may be NULL */
};

/* The way to a device: its registers, which a thread uses alone but for notify(), and its interrupts. */
struct virtio_bus {
	uint8_t	(*status)(struct virtio *v);
	void	(*set_status)(struct virtio *v, uint8_t status);
	uint64_t (*offered)(struct virtio *v);		/* features, of which it is told... */
	void	(*accept)(struct virtio *v, uint64_t features);	/* ...those that are agreed on */
	uint32_t (*generation)(struct virtio *v);	/* changes when its configuration does */
	uint16_t (*queue_size)(struct virtio *v, uint16_t index);	/* 0: there is none */
	bool	(*set_queue)(struct virtio_queue *q);	/* the one whose size was just asked for */
	void	(*notify)(struct virtio_queue *q);
	uint32_t (*interrupts)(struct virtio *v, uint32_t n);	/* as virtio_interrupts() */
	bool	(*is_there)(struct virtio *v);
	void	(*memory)(struct virtio *v, bool on);	/* it may use memory */
	void	(*attached)(struct virtio *v);		/* the boot need not wait for it */
};

struct virtio {
	const char	*v_name;	/* in the log: the driver may give it another one */
	const struct virtio_ops *v_ops;	/* const */
	void		*v_driver;	/* const: the driver's */
	const struct virtio_bus *v_bus;	/* const */
	uint32_t	v_number;	/* const: among those of its type, in the order of their buses */
	uint64_t	v_features;	/* const: agreed on */
	uint32_t	v_queues;	/* const when started */
	struct virtio_queue v_queue[VIRTIO_QUEUES_MAX];

	volatile uint8_t *v_config;	/* const: the device's own */
	uint32_t	v_config_bytes;	/* const */
	uint32_t	v_vectors;	/* const: of its own; 0: the pin, or the clock */

	struct drv_event v_event;	/* wakes the keeper */
	_Atomic bool	v_watched;	/* [atomic] the keeper will look soon */
	_Atomic bool	v_news;		/* [atomic] the configuration changed */
	bool		v_busy;		/* [the keeper] requests were under way when it looked last */
	uint32_t	v_resets;	/* [the keeper] */
	_Atomic bool	v_given_up;	/* [atomic: by the keeper] */
};

struct virtio_driver {
	uint32_t	vd_type;	/* VIRTIO_NET and so on */
	const struct virtio_ops *vd_ops;
	/* In a thread: registers are there, the device is reset. */
	void		(*vd_attach)(struct virtio *v);
};
extern const struct virtio_driver virtio_blk, virtio_net, virtio_rng, virtio_console;

/* ---- Bringing it up, in this order, in a thread.  False: it was said why. ---- */
bool	virtio_agree(struct virtio *v, uint64_t wanted);
/* A field of the device's configuration; 0 where that ends before. */
#define VIRTIO_CONFIG(v, type, field) \
	virtio_config((v), offsetof(type, field), sizeof(((type *)0)->field))
uint64_t virtio_config(struct virtio *v, size_t off, size_t bytes);
/* Interrupts for the first n queues, queue i's on CPU i.  How many of them it can be, at least 1. */
uint32_t virtio_interrupts(struct virtio *v, uint32_t n);
/*
 * The next queue: at most `size` entries.  Where indirect tables were agreed on,
 * each request has one of up to `segments`.
 */
bool	virtio_add_queue(struct virtio *v, uint16_t size, uint32_t segments, bool patient);
bool	virtio_start(struct virtio *v);
/* What the system starts with is there: nobody waits for the driver to return. */
void	virtio_attached(struct virtio *v);
/* It is not used any more, and says why in the log. */
void	virtio_fail(struct virtio *v, const char *why);

/* ---- Queues, with q_lock held.  One that is off has no room and has finished nothing. ---- */
bool	virtio_put(struct virtio_queue *q, const struct vring_segment *seg, uint32_t n, void *cookie);
void	virtio_kick(struct virtio_queue *q);	/* after some virtio_put() */
bool	virtio_take(struct virtio_queue *q, struct vring_done *done);
void	virtio_hush(struct virtio_queue *q);	/* interrupts are not wanted... */
/* ...but for what finishes from now on.  True: something has already. */
bool	virtio_rest(struct virtio_queue *q);
/* Any context: the keeper calls serve(), later than who is waiting for this CPU. */
void	virtio_serve_later(struct virtio *v);

/* ---- For buses. ---- */
/* NULL: nobody's. */
const struct virtio_driver *virtio_driver_of(uint32_t type);
/*
 * Its place among those of its type.  Devices come up side by side, but are met in an order: so a disk's name
 * does not depend on luck.  At boot, one caller.
 */
uint32_t virtio_number(const struct virtio_driver *driver);
void	virtio_init(struct virtio *v, const char *name, const struct virtio_bus *bus,
	    const struct virtio_driver *driver, uint32_t number);
/* In a thread, which ends when it returns: registers are there. */
void	virtio_attach(struct virtio *v, const struct virtio_driver *driver);
/* In a critical section of a thread: its queues may have finished something; its configuration changed. */
void	virtio_serve_all(struct virtio *v);
void	virtio_news(struct virtio *v);
