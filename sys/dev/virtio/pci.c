/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pci - virtio devices on PCI: registers and interrupts (virtio 1.2, section 4.1).
 *
 * Registers are read and written in their own width, those of 64 bits in halves.
 *
 * Interrupts: with MSI-X, vector 0 tells of the configuration and vector 1 + i of
 * queue i; with fewer vectors than that the last one tells of all queues that are left.  If that
 * is vector 0, changes of the configuration go unheard.  Without
 * MSI-X the ISR register says which of the two it is, and reading it takes the pin back.
 *
 * A device that is gone reads as all ones, or as zeroes in some virtual machines: its
 * configuration space tells.
 */
#include <core/rt/rt.h>
#include <drv/pci.h>

#include "device.h"

#define CONFIG_BYTES	256u		/* at most, of a device's own configuration */
#define DEVICES_MAX	256u

struct device {
	struct virtio	d_virtio;
	struct pcidev	*d_pci;			/* const */
	struct virtio_pci d_regions;		/* const, and where they are: */
	volatile struct virtio_pci_common *d_common;
	volatile uint8_t *d_isr;
};

static struct {
	const struct pci_function *fn;
	uint32_t	number;
} met[DEVICES_MAX];				/* [boot] */
static uint32_t met_count;			/* [boot] */

static struct device *
device_of(struct virtio *v)
{
	return container_of(v, struct device, d_virtio);
}

/* ---- Status and features. ---- */
static uint8_t
status(struct virtio *v)
{
	return device_of(v)->d_common->device_status;
}

static void
set_status(struct virtio *v, uint8_t to)
{
	device_of(v)->d_common->device_status = to;
}

static bool
is_there(struct virtio *v)
{
	const struct pcidev *pd = device_of(v)->d_pci;

	return pd->pd_cfg->read(pd->pd_cfg->arg, pd->pd_fn.pf_bdf, 0, 2) == pd->pd_fn.pf_vendor;
}

static void
memory(struct virtio *v, bool on)
{
	struct pcidev *pd = device_of(v)->d_pci;

	if (on)
		pci_master(pd);
	else
		pci_command(pd->pd_cfg, pd->pd_fn.pf_bdf, 0, PCI_COMMAND_MASTER);
}

static uint64_t
offered(struct virtio *v)
{
	volatile struct virtio_pci_common *c = device_of(v)->d_common;
	uint64_t features = 0;

	for (uint32_t i = 0; i < 2; i++) {
		c->device_feature_select = i;
		features |= (uint64_t)c->device_feature << 32 * i;
	}
	return features;
}

static void
accept(struct virtio *v, uint64_t features)
{
	volatile struct virtio_pci_common *c = device_of(v)->d_common;

	for (uint32_t i = 0; i < 2; i++) {
		c->driver_feature_select = i;
		c->driver_feature = (uint32_t)(features >> 32 * i);
	}
}

static uint32_t
generation(struct virtio *v)
{
	return device_of(v)->d_common->config_generation;
}

/* ---- Queues. ---- */
static uint16_t
queue_size(struct virtio *v, uint16_t index)
{
	volatile struct virtio_pci_common *c = device_of(v)->d_common;

	if (index >= c->num_queues)
		return 0;
	c->queue_select = index;
	return c->queue_size;
}

static void
write_halves(volatile uint64_t *reg, uint64_t value)
{
	volatile uint32_t *half = (volatile uint32_t *)reg;

	half[0] = (uint32_t)value;
	half[1] = (uint32_t)(value >> 32);
}

static bool
find_doorbell(struct device *d, struct virtio_queue *q)
{
	const struct virtio_region *r = &d->d_regions.vp_region[VIRTIO_CAP_NOTIFY];
	uint32_t offset;

	if (q->q_doorbell == NULL && virtio_pci_notify(&d->d_regions, d->d_common->queue_notify_off, &offset))
		q->q_doorbell = pci_map(d->d_pci, r->bar, offset, sizeof *q->q_doorbell);
	return q->q_doorbell != NULL;
}

static bool
set_queue(struct virtio_queue *q)
{
	struct device *d = device_of(q->q_device);
	volatile struct virtio_pci_common *c = d->d_common;
	struct vring_layout l;

	if (c->queue_enable != 0 || !find_doorbell(d, q))
		return false;
	vring_layout(q->q_size, &l);
	c->config_msix_vector = d->d_virtio.v_vectors > 1 ? 0 : VIRTIO_NO_VECTOR;
	c->queue_size = q->q_size;
	c->queue_msix_vector = q->q_vector;
	if (c->queue_msix_vector != q->q_vector)
		return false;
	write_halves(&c->queue_desc, q->q_memory.pa);
	write_halves(&c->queue_driver, q->q_memory.pa + l.vl_avail);
	write_halves(&c->queue_device, q->q_memory.pa + l.vl_used);
	c->queue_enable = 1;
	return true;
}

static void
notify(struct virtio_queue *q)
{
	*q->q_doorbell = q->q_index;
}

/* ---- Interrupts. ---- */
static void
queue_interrupt(void *arg)
{
	struct virtio_queue *q = arg;
	struct virtio *v = q->q_device;

	for (uint32_t i = q->q_index; i < v->v_queues; i++)
		if (v->v_queue[i].q_vector == q->q_vector)
			v->v_ops->serve(&v->v_queue[i]);
}

/* Vector 0, or the pin. */
static void
interrupt(void *arg)
{
	struct virtio *v = arg;
	uint8_t isr;

	if (v->v_vectors == 1)
		virtio_serve_all(v);
	else if (v->v_vectors > 1)
		virtio_news(v);
	else if ((isr = *device_of(v)->d_isr) != UINT8_MAX) {
		if ((isr & VIRTIO_ISR_QUEUE) != 0)
			virtio_serve_all(v);
		if ((isr & VIRTIO_ISR_CONFIG) != 0)
			virtio_news(v);
	}
}

static uint32_t
interrupts(struct virtio *v, uint32_t n)
{
	struct pci_vector vector[1 + VIRTIO_QUEUES_MAX];
	uint32_t given;
	bool msix;

	vector[0] = (struct pci_vector){ .pv_fn = interrupt, .pv_arg = v };
	for (uint32_t i = 0; i < n; i++)
		vector[1 + i] = (struct pci_vector){ queue_interrupt, &v->v_queue[i], i };
	given = pci_interrupts(device_of(v)->d_pci, vector, 1 + n, &msix);
	v->v_vectors = msix ? given : 0;
	return v->v_vectors > 1 ? v->v_vectors - 1 : 1;
}

/* ---- Attaching. ---- */
static volatile void *
map(struct device *d, uint32_t kind, uint32_t bytes)
{
	const struct virtio_region *r = &d->d_regions.vp_region[kind];

	return pci_map(d->d_pci, r->bar, r->offset, bytes);
}

static bool
find_registers(struct device *d)
{
	struct pcidev *pd = d->d_pci;
	const struct virtio_region *config = &d->d_regions.vp_region[VIRTIO_CAP_DEVICE];

	if (!virtio_pci_find(pd->pd_cfg, &pd->pd_fn, pd->pd_bar, &d->d_regions))
		return false;
	d->d_common = map(d, VIRTIO_CAP_COMMON, VIRTIO_COMMON_BYTES);
	d->d_isr = map(d, VIRTIO_CAP_ISR, 1);
	if (config->bytes != 0) {
		d->d_virtio.v_config_bytes = (uint32_t)rt_min(config->bytes, CONFIG_BYTES);
		d->d_virtio.v_config = map(d, VIRTIO_CAP_DEVICE, d->d_virtio.v_config_bytes);
		if (d->d_virtio.v_config == NULL)
			return false;
	}
	return d->d_common != NULL && d->d_isr != NULL;
}

static bool
virtio_match(const struct pci_function *f)
{
	const struct virtio_driver *driver = virtio_driver_of(virtio_pci_type(f));

	if (driver != NULL && met_count < DEVICES_MAX) {
		met[met_count].fn = f;
		met[met_count++].number = virtio_number(driver);
	}
	return driver != NULL;
}

/* False: it is not there, as there are too many. */
static bool
number_of(const struct pci_function *f, uint32_t *number)
{
	for (uint32_t i = 0; i < met_count; i++) {
		*number = met[i].number;
		if (met[i].fn == f)
			return true;
	}
	return false;
}

static void
attached(struct virtio *v)
{
	pci_attached(device_of(v)->d_pci);
}

static const struct virtio_bus bus = {
	.status = status, .set_status = set_status, .offered = offered, .accept = accept,
	.generation = generation, .queue_size = queue_size, .set_queue = set_queue, .notify = notify,
	.interrupts = interrupts, .is_there = is_there, .memory = memory, .attached = attached,
};

static void
attach(struct pcidev *pd)
{
	const struct virtio_driver *driver = virtio_driver_of(virtio_pci_type(&pd->pd_fn));
	struct device *d = drv_alloc(sizeof *d);
	uint32_t number;

	if (d == NULL) {
		drv_log(pd->pd_name, "no memory");
		return;
	}
	d->d_pci = pd;
	if (!number_of(&pd->pd_fn, &number)) {
		drv_log(pd->pd_name, "too many devices");
		return;
	}
	virtio_init(&d->d_virtio, pd->pd_name, &bus, driver, number);
	if (find_registers(d))
		virtio_attach(&d->d_virtio, driver);
	else
		drv_log(pd->pd_name, "no registers of virtio 1.0");
}

const struct pci_driver virtio_pci_driver = {
	.pr_name = "virtio", .pr_match = virtio_match, .pr_attach = attach,
};
