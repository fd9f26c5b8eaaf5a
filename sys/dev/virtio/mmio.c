/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mmio - virtio devices without a bus (virtio 1.2, section 4.2), where the kernel's arguments
 * virtio_mmio.device=SIZE@BASE:LINE say that they are.
 *
 * All registers are of 32 bits.  An interrupt says for what it came and holds its line until it is
 * told that this was seen.  A line may speak by its edges, so it is looked at until it is quiet: what
 * came meanwhile made no new edge.
 *
 * Nobody knows whether there is a device before the words that it begins with were read.  One that is
 * gone reads as all ones, or as zeroes: then it has not those words any more.
 * Not here: a way to keep a device that does not obey from memory; it has none, or there is an IOMMU.
 */
#include <core/rt/rt.h>
#include <drv/mmio.h>
#include <stdatomic.h>

#include "device.h"

#define DEVICES_MAX	64u
#define CONFIG_BYTES	256u		/* at most, of a device's own configuration */
#define LOOKS_MAX	8u		/* at a line that is not quiet */
#define ATTACH_NS	(5 * NSEC_PER_SEC)

struct device {
	struct virtio	d_virtio;
	const struct virtio_driver *d_driver;	/* const */
	struct virtio_mmio_place d_place;	/* const */
	volatile struct virtio_mmio *d_regs;	/* const */
	_Atomic bool	d_attached;		/* [atomic] */
	char		d_name[24];		/* const */
};
static struct device *devices[DEVICES_MAX];	/* [boot] */
static uint32_t device_count;			/* [boot] */
static struct drv_event arrived;

static volatile struct virtio_mmio *
regs_of(struct virtio *v)
{
	return container_of(v, struct device, d_virtio)->d_regs;
}

/* ---- Status and features. ---- */
static uint8_t
status(struct virtio *v)
{
	return (uint8_t)regs_of(v)->status;
}

static void
set_status(struct virtio *v, uint8_t to)
{
	regs_of(v)->status = to;
}

static bool
is_there(struct virtio *v)
{
	return regs_of(v)->magic == VIRTIO_MMIO_MAGIC;
}

static void
memory(struct virtio *v, bool on)
{
	(void)v;
	(void)on;
}

static uint64_t
offered(struct virtio *v)
{
	volatile struct virtio_mmio *r = regs_of(v);
	uint64_t features = 0;

	for (uint32_t i = 0; i < 2; i++) {
		r->device_features_sel = i;
		features |= (uint64_t)r->device_features << 32 * i;
	}
	return features;
}

static void
accept(struct virtio *v, uint64_t features)
{
	volatile struct virtio_mmio *r = regs_of(v);

	for (uint32_t i = 0; i < 2; i++) {
		r->driver_features_sel = i;
		r->driver_features = (uint32_t)(features >> 32 * i);
	}
}

static uint32_t
generation(struct virtio *v)
{
	return regs_of(v)->config_generation;
}

/* ---- Queues. ---- */
static uint16_t
queue_size(struct virtio *v, uint16_t index)
{
	volatile struct virtio_mmio *r = regs_of(v);

	r->queue_sel = index;
	return (uint16_t)rt_min(r->queue_size_max, VRING_SIZE_MAX);
}

static void
set_address(volatile uint32_t half[2], uint64_t pa)
{
	half[0] = (uint32_t)pa;
	half[1] = (uint32_t)(pa >> 32);
}

static bool
set_queue(struct virtio_queue *q)
{
	volatile struct virtio_mmio *r = regs_of(q->q_device);
	struct vring_layout l;

	if (r->queue_ready != 0)
		return false;
	vring_layout(q->q_size, &l);
	r->queue_size = q->q_size;
	set_address(r->queue_desc, q->q_memory.pa);
	set_address(r->queue_driver, q->q_memory.pa + l.vl_avail);
	set_address(r->queue_device, q->q_memory.pa + l.vl_used);
	r->queue_ready = 1;
	return r->queue_ready == 1;
}

static void
notify(struct virtio_queue *q)
{
	regs_of(q->q_device)->queue_notify = q->q_index;
}

/* ---- Interrupts. ---- */
static void
interrupt(void *arg)
{
	struct virtio *v = arg;
	volatile struct virtio_mmio *r = regs_of(v);

	for (uint32_t i = 0; i < LOOKS_MAX; i++) {
		uint32_t isr = r->interrupt_status;

		if (isr == 0 || isr == UINT32_MAX)
			return;
		r->interrupt_ack = isr;
		if ((isr & VIRTIO_ISR_QUEUE) != 0)
			virtio_serve_all(v);
		if ((isr & VIRTIO_ISR_CONFIG) != 0)
			virtio_news(v);
	}
	virtio_serve_later(v);
}

static uint32_t
interrupts(struct virtio *v, uint32_t n)
{
	struct device *d = container_of(v, struct device, d_virtio);

	(void)n;
	mmio_interrupt(d->d_name, d->d_place.vm_line, interrupt, v);
	return 1;
}

/* ---- Attaching. ---- */
static void
attached(struct virtio *v)
{
	struct device *d = container_of(v, struct device, d_virtio);

	if (!atomic_exchange(&d->d_attached, true))
		drv_event_set(&arrived);
}

static const struct virtio_bus bus = {
	.status = status, .set_status = set_status, .offered = offered, .accept = accept,
	.generation = generation, .queue_size = queue_size, .set_queue = set_queue, .notify = notify,
	.interrupts = interrupts, .is_there = is_there, .memory = memory, .attached = attached,
};

static void
attach(void *arg)
{
	struct device *d = arg;

	virtio_attach(&d->d_virtio, d->d_driver);
	attached(&d->d_virtio);
}

/* Why it is not for us; NULL: it has a driver, or is a place for a device where none is. */
static const char *
identify(struct device *d)
{
	uint32_t type;

	if (d->d_regs->magic != VIRTIO_MMIO_MAGIC)
		return "no virtio device is there";
	if (d->d_regs->version != VIRTIO_MMIO_VERSION)
		return "a device of before virtio 1.0";
	type = d->d_regs->device_type;
	d->d_driver = virtio_driver_of(type);
	return d->d_driver == NULL && type != 0 ? "no driver for this type of device" : NULL;
}

static bool
is_told_of(const struct virtio_mmio_place *p)
{
	for (uint32_t i = 0; i < device_count; i++) {
		const struct virtio_mmio_place *o = &devices[i]->d_place;

		if (p->vm_pa < o->vm_pa + o->vm_bytes && o->vm_pa < p->vm_pa + p->vm_bytes)
			return true;
	}
	return false;
}

/* Why not; NULL: it comes up. */
static const char *
begin(struct device *d)
{
	const uint64_t config = rt_min(d->d_place.vm_bytes - VIRTIO_MMIO_BYTES, CONFIG_BYTES);
	const char *why;

	d->d_regs = mmio_map(d->d_place.vm_pa, VIRTIO_MMIO_BYTES + config);
	if (d->d_regs == NULL)
		return "no place for registers";
	if ((why = identify(d)) != NULL || d->d_driver == NULL)
		return why;
	virtio_init(&d->d_virtio, d->d_name, &bus, d->d_driver, virtio_number(d->d_driver));
	d->d_virtio.v_config = (volatile uint8_t *)(d->d_regs + 1);
	d->d_virtio.v_config_bytes = (uint32_t)config;
	devices[device_count++] = d;
	if (drv_thread(d->d_name, attach, d) == 0)
		return NULL;
	atomic_store(&d->d_attached, true);
	return "no memory";
}

static const char *
take(const char *text, size_t len)
{
	struct virtio_mmio_place place;
	struct device *d;
	const char *why;

	if (!virtio_mmio_place(text, len, &place))
		return "not understood";
	if (is_told_of(&place))
		return "a device is there already";
	if (device_count == DEVICES_MAX)
		return "too many devices";
	if ((d = drv_alloc(sizeof *d)) == NULL)
		return "no memory";
	d->d_place = place;
	(void)rt_snprintf(d->d_name, sizeof d->d_name, "virtio@%llx", (unsigned long long)place.vm_pa);
	why = begin(d);
	if (why != NULL && !is_told_of(&place))
		drv_free(d);
	return why;
}

static struct device *
still_coming(void)
{
	for (uint32_t i = 0; i < device_count; i++)
		if (!atomic_load(&devices[i]->d_attached))
			return devices[i];
	return NULL;
}

void
virtio_mmio_setup(const char *arguments)
{
	const nsec_t end = md_now() + ATTACH_NS;
	const struct device *d;
	const char *text, *why;
	size_t len;

	drv_event_init(&arrived);
	while (rt_word(&arguments, "virtio_mmio.device", &text, &len))
		if ((why = take(text, len)) != NULL)
			drv_log("virtio_mmio.device", "%.*s: %s", (int)len, text, why);
	while ((d = still_coming()) != NULL && drv_event_wait(&arrived, end))
		continue;
	if (d != NULL)
		drv_log(d->d_name, "it takes long: the system starts without it");
}
