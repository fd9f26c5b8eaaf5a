/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pci - virtio devices on PCI: registers and interrupts (virtio 1.2, section 4.1).
 *
 * Registers are read and written in their own width, those of 64 bits in halves.
 * Each access costs an exit from the virtual machine, so all but the doorbells
 * are for beginnings and for trouble.
 *
 * Interrupts: with MSI-X, vector 0 tells of the configuration and vector 1 + i of
 * queue i; with fewer vectors than that, fewer queues have one.  With a single vector
 * it tells of every queue, and changes of the configuration go unheard.  Without
 * MSI-X the ISR register says which of the two it is, and reading it takes the pin back.
 *
 * A device that is gone reads as all ones, or as zeroes in some virtual machines: its
 * configuration space tells.
 */
#include "device.h"

#include <core/rt/rt.h>
#include <stdatomic.h>

#define RESET_NS	(2 * NSEC_PER_SEC)
#define CONFIG_BYTES	256u		/* at most, of a device's own configuration */
#define CHANGES_MAX	16u		/* while its configuration is being read */

#define DEVICES_MAX	256u

static const struct virtio_driver *const drivers[] = { &virtio_blk, &virtio_net, &virtio_rng };
static struct pci_function met[DEVICES_MAX];	/* [boot] */
static uint32_t met_count;				/* [boot] */

/* ---- Status. ---- */

/* Of one that was started. */
enum virtio_state
virtio_state(struct virtio *v)
{
	const struct pci_cfg *cfg = v->v_pci->pd_cfg;
	uint8_t status = v->v_common->device_status;

	if (cfg->read(cfg->arg, v->v_pci->pd_fn.pf_bdf, 0, 2) != v->v_pci->pd_fn.pf_vendor)
		return VIRTIO_VANISHED;
	return (status & (VIRTIO_NEEDS_RESET | VIRTIO_DRIVER_OK)) == VIRTIO_DRIVER_OK ? VIRTIO_ALIVE :
	    VIRTIO_WANTS_RESET;
}

static bool
is_reset(void *arg)
{
	struct virtio *v = arg;
	uint8_t status = v->v_common->device_status;

	return status == 0 || status == UINT8_MAX;
}

bool
virtio_reset(struct virtio *v)
{
	v->v_common->device_status = 0;
	if (drv_poll(is_reset, v, RESET_NS) && v->v_common->device_status == 0)
		return true;
	pci_command(v->v_pci->pd_cfg, v->v_pci->pd_fn.pf_bdf, 0, PCI_COMMAND_MASTER);
	return false;
}

bool
virtio_ready(struct virtio *v)
{
	pci_master(v->v_pci);
	v->v_common->device_status |= VIRTIO_DRIVER_OK;
	return virtio_state(v) == VIRTIO_ALIVE;
}

void
virtio_fail(struct virtio *v, const char *why)
{
	drv_log(v->v_name, "not used: %s", why);
	if (virtio_reset(v))
		v->v_common->device_status = VIRTIO_FAILED;
}

/* ---- Features and configuration. ---- */
bool
virtio_set_features(struct virtio *v, uint64_t wanted, uint64_t *accepted)
{
	volatile struct virtio_pci_common *c = v->v_common;
	uint64_t offered = 0;

	c->device_status = VIRTIO_ACKNOWLEDGE;
	c->device_status |= VIRTIO_DRIVER;
	for (uint32_t i = 0; i < 2; i++) {
		c->device_feature_select = i;
		offered |= (uint64_t)c->device_feature << 32 * i;
	}
	if (!virtio_negotiate(offered, wanted, 0, accepted))
		return false;
	for (uint32_t i = 0; i < 2; i++) {
		c->driver_feature_select = i;
		c->driver_feature = (uint32_t)(*accepted >> 32 * i);
	}
	c->device_status |= VIRTIO_FEATURES_OK;
	return (c->device_status & VIRTIO_FEATURES_OK) != 0;
}

static uint64_t
read_config(struct virtio *v, size_t off, size_t bytes)
{
	volatile uint8_t *p = v->v_config + off;
	uint64_t low;

	switch (bytes) {
	case 1: return *p;
	case 2: return *(volatile uint16_t *)p;
	case 4: return *(volatile uint32_t *)p;
	}
	ASSERT(bytes == 8);
	low = *(volatile uint32_t *)p;
	return low | (uint64_t)*(volatile uint32_t *)(p + 4) << 32;
}

/* What takes two readings is read again if it changed between them; who never stops gets what there is. */
uint64_t
virtio_config(struct virtio *v, size_t off, size_t bytes)
{
	uint64_t value = 0;
	uint8_t generation;

	if (off + bytes > v->v_config_bytes)
		return 0;
	for (uint32_t i = 0; i < CHANGES_MAX; i++) {
		generation = v->v_common->config_generation;
		value = read_config(v, off, bytes);
		if (bytes < 8 || v->v_common->config_generation == generation)
			break;
	}
	return value;
}

/* ---- Queues. ---- */
uint16_t
virtio_queue_size(struct virtio *v, uint16_t index)
{
	if (index >= v->v_common->num_queues)
		return 0;
	v->v_common->queue_select = index;
	return v->v_common->queue_size;
}

static void
write_halves(volatile uint64_t *reg, uint64_t value)
{
	volatile uint32_t *half = (volatile uint32_t *)reg;

	half[0] = (uint32_t)value;
	half[1] = (uint32_t)(value >> 32);
}

static bool
find_doorbell(struct virtio *v, struct virtio_queue *q)
{
	const struct virtio_region *r = &v->v_regions.vp_region[VIRTIO_CAP_NOTIFY];
	uint32_t offset;

	if (q->q_doorbell == NULL &&
	    virtio_pci_notify(&v->v_regions, v->v_common->queue_notify_off, &offset))
		q->q_doorbell = pci_map(v->v_pci, r->bar, offset, sizeof *q->q_doorbell);
	return q->q_doorbell != NULL;
}

bool
virtio_set_queue(struct virtio *v, struct virtio_queue *q)
{
	volatile struct virtio_pci_common *c = v->v_common;
	struct vring_layout l;

	if (virtio_queue_size(v, q->q_index) < q->q_size || c->queue_enable != 0 ||
	    !find_doorbell(v, q))
		return false;
	vring_layout(q->q_size, &l);
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

/* ---- Interrupts. ---- */
static void
queue_interrupt(void *arg)
{
	struct virtio_queue *q = arg;

	q->q_device->v_ops->serve(q);
}

static void
serve_all(struct virtio *v)
{
	for (uint32_t i = 0; i < v->v_queues; i++)
		v->v_ops->serve(&v->v_queue[i]);
}

static void
news(struct virtio *v)
{
	atomic_store(&v->v_news, true);
	drv_event_set(&v->v_event);
}

/* Vector 0, or the pin. */
static void
interrupt(void *arg)
{
	struct virtio *v = arg;
	uint8_t isr;

	if (v->v_vectors == 1)
		serve_all(v);
	else if (v->v_vectors > 1)
		news(v);
	else if ((isr = *v->v_isr) != UINT8_MAX) {
		if ((isr & VIRTIO_ISR_QUEUE) != 0)
			serve_all(v);
		if ((isr & VIRTIO_ISR_CONFIG) != 0)
			news(v);
	}
}

uint32_t
virtio_interrupts(struct virtio *v, uint32_t n)
{
	struct pci_vector vector[1 + VIRTIO_QUEUES_MAX];
	uint32_t given;
	bool msix;

	ASSERT(n >= 1 && n <= VIRTIO_QUEUES_MAX);
	vector[0] = (struct pci_vector){ .pv_fn = interrupt, .pv_arg = v };
	for (uint32_t i = 0; i < n; i++)
		vector[1 + i] = (struct pci_vector){ queue_interrupt, &v->v_queue[i], i };
	given = pci_interrupts(v->v_pci, vector, 1 + n, &msix);
	v->v_vectors = msix ? given : 0;
	return v->v_vectors > 1 ? v->v_vectors - 1 : 1;
}

/* ---- Attaching. ---- */
static volatile void *
map(struct virtio *v, uint32_t kind, uint32_t bytes)
{
	const struct virtio_region *r = &v->v_regions.vp_region[kind];

	return pci_map(v->v_pci, r->bar, r->offset, bytes);
}

static bool
find_registers(struct virtio *v)
{
	struct pcidev *pd = v->v_pci;
	const struct virtio_region *config = &v->v_regions.vp_region[VIRTIO_CAP_DEVICE];

	if (!virtio_pci_find(pd->pd_cfg, &pd->pd_fn, pd->pd_bar, &v->v_regions))
		return false;
	v->v_common = map(v, VIRTIO_CAP_COMMON, VIRTIO_COMMON_BYTES);
	v->v_isr = map(v, VIRTIO_CAP_ISR, 1);
	if (config->bytes != 0) {
		v->v_config_bytes = (uint32_t)rt_min(config->bytes, CONFIG_BYTES);
		v->v_config = map(v, VIRTIO_CAP_DEVICE, v->v_config_bytes);
		if (v->v_config == NULL)
			return false;
	}
	return v->v_common != NULL && v->v_isr != NULL;
}

static const struct virtio_driver *
driver_of(const struct pci_function *f)
{
	uint32_t type = virtio_pci_type(f);

	for (size_t i = 0; i < countof(drivers); i++)
		if (drivers[i]->vd_type == type)
			return drivers[i];
	return NULL;
}

/*
 * Devices come up side by side, but are offered in the order of the bus: their places
 * among those of their type are noted then, so that a disk's name does not depend on luck.
 */
static bool
virtio_match(const struct pci_function *f)
{
	bool ok = driver_of(f) != NULL;

	if (ok && met_count < DEVICES_MAX)
		met[met_count++] = *f;
	return ok;
}

/* False: it is not there, as there are too many. */
static bool
number_of(const struct pci_function *f, uint32_t *number)
{
	*number = 0;
	for (uint32_t i = 0; i < met_count; i++) {
		if (met[i].pf_bdf == f->pf_bdf)
			return true;
		*number += driver_of(&met[i]) == driver_of(f);
	}
	return false;
}

static void
virtio_attach(struct pcidev *pd)
{
	const struct virtio_driver *driver = driver_of(&pd->pd_fn);
	struct virtio *v = drv_alloc(sizeof *v);

	if (v == NULL) {
		drv_log(pd->pd_name, "no memory");
		return;
	}
	v->v_pci = pd;
	v->v_name = pd->pd_name;
	v->v_ops = driver->vd_ops;
	for (uint32_t i = 0; i < VIRTIO_QUEUES_MAX; i++) {
		v->v_queue[i].q_device = v;
		v->v_queue[i].q_index = (uint16_t)i;
		drv_lock_init(&v->v_queue[i].q_lock);
	}
	drv_event_init(&v->v_event);
	if (!number_of(&pd->pd_fn, &v->v_number))
		drv_log(v->v_name, "too many devices");
	else if (!find_registers(v))
		drv_log(v->v_name, "no registers of virtio 1.0");
	else if (!virtio_reset(v))
		drv_log(v->v_name, "it cannot be reset");
	else
		driver->vd_attach(v);
}

const struct pci_driver virtio_pci_driver = {
	.pr_name = "virtio", .pr_match = virtio_match, .pr_attach = virtio_attach,
};
