/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * device - queues of a virtio device, and the thread that looks after it.
 *
 * Each register costs an exit from the virtual machine, so all but the doorbells
 * are for beginnings and for trouble.
 *
 * Invariants
 *   D1  a queue is on exactly while the device may use its memory: it goes off
 *       before the device is reset, and what the device had is taken back after that.
 *   D2  while requests are under way that should be answered soon, v_watched is
 *       set and the keeper looks each TICK; who puts a request and finds it clear wakes
 *       the keeper.  So an idle device costs nothing.
 *
 * Locking: a queue's lock is held for its ring only, never while a driver's
 * functions or those above run.
 */
#include "device.h"

#include <core/rt/rt.h>
#include <machine/clock.h>
#include <stdatomic.h>

#define TICK		NSEC_PER_SEC
#define RESET_NS	(2 * NSEC_PER_SEC)
#define CHANGES_MAX	16u		/* while its configuration is being read */

static const struct virtio_driver *const drivers[] = {
	&virtio_blk, &virtio_net, &virtio_rng, &virtio_console,
};

/* ---- Registers. ---- */

enum virtio_state { ALIVE, WANTS_RESET, VANISHED };

/* Of one that was started. */
static enum virtio_state
state_of(struct virtio *v)
{
	uint8_t status = v->v_bus->status(v);

	if (!v->v_bus->is_there(v))
		return VANISHED;
	return (status & (VIRTIO_NEEDS_RESET | VIRTIO_DRIVER_OK)) == VIRTIO_DRIVER_OK ? ALIVE : WANTS_RESET;
}

static bool
is_reset(void *arg)
{
	struct virtio *v = arg;
	uint8_t status = v->v_bus->status(v);

	return status == 0 || status == UINT8_MAX;
}

/* False: it does not obey, and has lost its access to memory. */
static bool
reset(struct virtio *v)
{
	v->v_bus->set_status(v, 0);
	if (drv_poll(is_reset, v, RESET_NS) && v->v_bus->status(v) == 0)
		return true;
	v->v_bus->memory(v, false);
	return false;
}

static void
add_status(struct virtio *v, uint8_t status)
{
	v->v_bus->set_status(v, v->v_bus->status(v) | status);
}

static bool
set_features(struct virtio *v, uint64_t wanted, uint64_t *accepted)
{
	add_status(v, VIRTIO_ACKNOWLEDGE);
	add_status(v, VIRTIO_DRIVER);
	if (!virtio_negotiate(v->v_bus->offered(v), wanted, 0, accepted))
		return false;
	v->v_bus->accept(v, *accepted);
	add_status(v, VIRTIO_FEATURES_OK);
	return (v->v_bus->status(v) & VIRTIO_FEATURES_OK) != 0;
}

void
virtio_fail(struct virtio *v, const char *why)
{
	drv_log(v->v_name, "not used: %s", why);
	if (reset(v))
		v->v_bus->set_status(v, VIRTIO_FAILED);
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
	uint32_t generation;

	if (off + bytes > v->v_config_bytes)
		return 0;
	for (uint32_t i = 0; i < CHANGES_MAX; i++) {
		generation = v->v_bus->generation(v);
		value = read_config(v, off, bytes);
		if (bytes < 8 || v->v_bus->generation(v) == generation)
			break;
	}
	return value;
}

uint32_t
virtio_interrupts(struct virtio *v, uint32_t n)
{
	ASSERT(n >= 1 && n <= VIRTIO_QUEUES_MAX);
	return v->v_bus->interrupts(v, n);
}

/* ---- Queues. ---- */
bool
virtio_put(struct virtio_queue *q, const struct vring_segment *seg, uint32_t n, void *cookie)
{
	struct virtio *v = q->q_device;

	if (!q->q_on || !vring_put(&q->q_ring, seg, n, cookie))
		return false;
	if (!q->q_patient && !atomic_load(&v->v_watched)) {
		atomic_store(&v->v_watched, true);
		drv_event_set(&v->v_event);		/* D2 */
	}
	return true;
}

void
virtio_kick(struct virtio_queue *q)
{
	if (q->q_on && vring_must_notify(&q->q_ring))
		q->q_device->v_bus->notify(q);
}

/* Whoever lies is looked at. */
bool
virtio_take(struct virtio_queue *q, struct vring_done *done)
{
	uint64_t lies = q->q_ring.vr_bad;
	bool got = q->q_on && vring_take(&q->q_ring, done);

	if (q->q_ring.vr_bad != lies)
		drv_event_set(&q->q_device->v_event);
	return got;
}

void
virtio_hush(struct virtio_queue *q)
{
	if (q->q_on)
		(void)vring_want_interrupt(&q->q_ring, false);
}

bool
virtio_rest(struct virtio_queue *q)
{
	return q->q_on && vring_want_interrupt(&q->q_ring, true);
}

void
virtio_serve_later(struct virtio *v)
{
	drv_event_set(&v->v_event);
}

/* ---- Beginning. ---- */

/*
 * What all drivers want, and what some devices insist on: that they are told addresses as
 * the platform has them for any device, and that memory is ordered as for any.
 */
#define WANTED	(VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX | \
	VIRTIO_F_ACCESS_PLATFORM | VIRTIO_F_ORDER_PLATFORM)

bool
virtio_agree(struct virtio *v, uint64_t wanted)
{
	if (set_features(v, wanted | WANTED, &v->v_features))
		return true;
	virtio_fail(v, "no features of virtio 1.0");
	return false;
}

/* The largest power of two that is at most both. */
static uint16_t
size_of(uint32_t offered, uint32_t wanted)
{
	uint32_t size = 1;

	while (size * 2 <= rt_min(offered, wanted))
		size *= 2;
	return (uint16_t)size;
}

static bool
alloc_queue(struct virtio_queue *q, uint32_t segments)
{
	size_t tables = (size_t)q->q_size * segments * sizeof(struct vring_desc);
	struct vring_layout l;

	vring_layout(q->q_size, &l);
	q->q_slots = drv_alloc(q->q_size * sizeof *q->q_slots);
	return q->q_slots != NULL && dma_alloc(&q->q_memory, l.vl_bytes, UINT64_MAX) == 0 &&
	    (segments == 0 || dma_alloc(&q->q_tables, tables, UINT64_MAX) == 0);
}

bool
virtio_add_queue(struct virtio *v, uint16_t size, uint32_t segments, bool patient)
{
	uint16_t index = (uint16_t)v->v_queues, offered = v->v_bus->queue_size(v, index);
	struct virtio_queue *q = &v->v_queue[index];

	ASSERT(index < VIRTIO_QUEUES_MAX);
	if (offered == 0) {
		virtio_fail(v, "a queue is missing");
		return false;
	}
	q->q_size = size_of(offered, size);
	q->q_patient = patient;
	/* The last one is for all that have none of their own. */
	q->q_vector = VIRTIO_NO_VECTOR;
	if (v->v_vectors > 0)
		q->q_vector = (uint16_t)rt_min(index + 1u, v->v_vectors - 1u);
	if (!alloc_queue(q, (v->v_features & VIRTIO_F_INDIRECT_DESC) != 0 ? segments : 0)) {
		virtio_fail(v, "no memory");
		return false;
	}
	v->v_queues++;
	return true;
}

/* Features are agreed on, and the device gets its queues. */
static bool
run(struct virtio *v)
{
	for (uint32_t i = 0; i < v->v_queues; i++) {
		struct virtio_queue *q = &v->v_queue[i];
		const struct vring_setup setup = {
			.size = q->q_size, .ring = q->q_memory, .slots = q->q_slots, .indirect = q->q_tables,
			.event_idx = (v->v_features & VIRTIO_F_EVENT_IDX) != 0,
		};

		if (!vring_init(&q->q_ring, &setup) || v->v_bus->queue_size(v, q->q_index) < q->q_size ||
		    !v->v_bus->set_queue(q))
			return false;
	}
	v->v_bus->memory(v, true);
	add_status(v, VIRTIO_DRIVER_OK);
	if (state_of(v) != ALIVE)
		return false;
	for (uint32_t i = 0; i < v->v_queues; i++) {
		struct virtio_queue *q = &v->v_queue[i];

		drv_lock(&q->q_lock);
		q->q_on = true;
		q->q_since = md_now();
		drv_unlock(&q->q_lock);
	}
	return true;
}

/* ---- The keeper. ---- */

/* D1 */
static void
stop(struct virtio *v)
{
	for (uint32_t i = 0; i < v->v_queues; i++) {
		drv_lock(&v->v_queue[i].q_lock);
		v->v_queue[i].q_on = false;
		drv_unlock(&v->v_queue[i].q_lock);
	}
}

/* What a device had that was reset is the driver's again. */
static void
take_back(struct virtio_queue *q)
{
	void *cookie;
	bool got;

	do {
		drv_enter();
		drv_lock(&q->q_lock);
		got = vring_forget(&q->q_ring, &cookie);
		drv_unlock(&q->q_lock);
		if (got)
			q->q_device->v_ops->lost(q, cookie);
		drv_leave();
	} while (got);
}

static void
restart(struct virtio *v, const char *why, bool for_good)
{
	uint64_t features = v->v_features;

	stop(v);
	v->v_given_up = for_good || v->v_resets++ == VIRTIO_RESETS_MAX;
	if (!reset(v))
		v->v_given_up = true;
	for (uint32_t i = 0; i < v->v_queues; i++)
		take_back(&v->v_queue[i]);
	if (!v->v_given_up)
		v->v_given_up = !set_features(v, features, &v->v_features) ||
		    v->v_features != features || !run(v);
	drv_log(v->v_name, "%s: %s", why, v->v_given_up ? "not used any more" : "reset");
	drv_enter();
	(v->v_given_up ? v->v_ops->gone : v->v_ops->again)(v);
	drv_leave();
}

/* Requests under way that nobody answers, since when; 0: none. */
static nsec_t
look_at_queue(struct virtio_queue *q, nsec_t now, bool *liar)
{
	uint64_t lies;
	uint16_t used;
	bool idle;

	drv_lock(&q->q_lock);
	lies = q->q_ring.vr_bad;
	used = q->q_ring.vr_used_idx;
	idle = q->q_patient || !q->q_on || vring_is_idle(&q->q_ring);
	drv_unlock(&q->q_lock);
	*liar |= lies > VIRTIO_LIES_MAX;
	if (lies > 0 && !q->q_told)
		drv_log(q->q_device->v_name, "queue %u: what the device says is wrong", q->q_index);
	q->q_told = lies > 0;
	if (idle || used != q->q_seen || !q->q_device->v_busy) {
		q->q_seen = used;
		q->q_since = now;
	}
	return idle ? 0 : q->q_since;
}

/* True: requests are under way, so look again soon. */
static bool
look(struct virtio *v, bool news)
{
	nsec_t now = md_now(), oldest = 0;
	enum virtio_state state = ALIVE;
	bool liar = false;

	for (uint32_t i = 0; i < v->v_queues; i++) {
		nsec_t since = look_at_queue(&v->v_queue[i], now, &liar);

		if (since != 0 && (oldest == 0 || since < oldest))
			oldest = since;
	}
	if (news || (oldest != 0 && now - oldest >= TICK))
		state = state_of(v);
	if (state == VANISHED)
		restart(v, "it is gone", true);
	else if (liar)
		restart(v, "it lies too much", true);
	else if (state == WANTS_RESET)
		restart(v, "it needs a reset", false);
	else if (oldest != 0 && now - oldest >= VIRTIO_PATIENCE)
		restart(v, "it does not answer", false);
	else if (news && v->v_ops->changed != NULL)
		v->v_ops->changed(v);
	return oldest != 0;
}

static void
serve_each(struct virtio *v)
{
	for (uint32_t i = 0; i < v->v_queues; i++) {
		drv_enter();
		v->v_ops->serve(&v->v_queue[i]);
		drv_leave();
	}
}

static void
keeper(void *arg)
{
	struct virtio *v = arg;

	while (!v->v_given_up) {
		(void)drv_event_wait(&v->v_event, v->v_busy ? md_now() + TICK : NSEC_NEVER);
		atomic_store(&v->v_watched, false);
		serve_each(v);
		v->v_busy = look(v, atomic_exchange(&v->v_news, false));
		if (v->v_busy)
			atomic_store(&v->v_watched, true);	/* D2 */
	}
}

bool
virtio_start(struct virtio *v)
{
	if (!run(v)) {
		virtio_fail(v, "it does not start");
		return false;
	}
	if (drv_thread(v->v_name, keeper, v) != 0) {
		stop(v);
		virtio_fail(v, "no memory");
		return false;
	}
	return true;
}

/* ---- Buses. ---- */

void
virtio_serve_all(struct virtio *v)
{
	for (uint32_t i = 0; i < v->v_queues; i++)
		v->v_ops->serve(&v->v_queue[i]);
}

void
virtio_news(struct virtio *v)
{
	atomic_store(&v->v_news, true);
	drv_event_set(&v->v_event);
}

void
virtio_attached(struct virtio *v)
{
	v->v_bus->attached(v);
}

const struct virtio_driver *
virtio_driver_of(uint32_t type)
{
	for (size_t i = 0; i < countof(drivers); i++)
		if (drivers[i]->vd_type == type)
			return drivers[i];
	return NULL;
}

uint32_t
virtio_number(const struct virtio_driver *driver)
{
	static uint32_t met[countof(drivers)];	/* [boot] */
	size_t i = 0;

	while (drivers[i] != driver)
		i++;
	return met[i]++;
}

void
virtio_init(struct virtio *v, const char *name, const struct virtio_bus *bus,
    const struct virtio_driver *driver, uint32_t number)
{
	v->v_name = name;
	v->v_bus = bus;
	v->v_ops = driver->vd_ops;
	v->v_number = number;
	for (uint32_t i = 0; i < VIRTIO_QUEUES_MAX; i++) {
		v->v_queue[i].q_device = v;
		v->v_queue[i].q_index = (uint16_t)i;
	}
	drv_event_init(&v->v_event);
}

void
virtio_attach(struct virtio *v, const struct virtio_driver *driver)
{
	if (reset(v))
		driver->vd_attach(v);
	else
		drv_log(v->v_name, "it cannot be reset");
}
