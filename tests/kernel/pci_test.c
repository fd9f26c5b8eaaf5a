/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A PC's way to a device and back: memory that it reads and writes, and its
 * interrupt, by each way that there is.
 *
 * The device is QEMU's "edu" (docs/specs/edu).  Where there is none the tests
 * have nothing to say, unless the kernel argument `edu` promises one.
 */
#include <core/rt/rt.h>
#include <drv/dma.h>
#include <drv/pci.h>
#include <drv/thread.h>
#include <machine/clock.h>
#include <stdatomic.h>
#include <sys/debug/bootarg.h>
#include <sys/debug/ktest.h>

enum {
	VENDOR = 0x1234, DEVICE = 0x11e8, BUFFER = 0x40000,
	ALIVE = 0x04, IRQ_STATUS = 0x24, IRQ_RAISE = 0x60, IRQ_ACK = 0x64,
	DMA_FROM = 0x80, DMA_TO = 0x88, DMA_COUNT = 0x90, DMA_COMMAND = 0x98,
	DMA_START = 1, DMA_WRITES = 2, DMA_INTERRUPTS = 4, IRQ_DMA = 0x100,
	STATUS = 0x06, STATUS_CAPS = 0x10,
};
#define REACH		((1u << 28) - 1)
#define REGS_BYTES	4096u
#define BYTES		2048u		/* less than its buffer, by all versions of it */
#define RAISES		50u
#define LIMIT		(10 * NSEC_PER_SEC)

static struct pcidev *edu;		/* NULL: none */
static volatile uint8_t *regs;
static struct drv_event news;
static _Atomic uint32_t came;		/* [atomic] interrupts */
static _Atomic uint32_t causes;		/* [atomic] of all of them */
static _Atomic bool deaf;		/* [atomic] the interrupt is not answered */
static _Atomic uint32_t ignored;	/* [atomic] so often */

static bool
is_edu(const struct pci_function *f)
{
	return f->pf_vendor == VENDOR && f->pf_device == DEVICE;
}

static volatile uint32_t *
reg(uint32_t off)
{
	return (volatile uint32_t *)(regs + off);
}

/* A pin may be shared: nothing, if it was not us. */
static void
interrupt(void *arg)
{
	uint32_t why = *reg(IRQ_STATUS);

	(void)arg;
	if (atomic_load(&deaf)) {
		atomic_fetch_add(&ignored, 1);
		return;
	}
	if (why == 0)
		return;
	*reg(IRQ_ACK) = why;
	atomic_fetch_or(&causes, why);
	atomic_fetch_add(&came, 1);
	drv_event_set(&news);
}

static bool
has_edu(void)
{
	if (edu == NULL && (edu = pci_take(is_edu)) != NULL) {
		drv_event_init(&news);
		regs = pci_map(edu, 0, 0, REGS_BYTES);
		pci_master(edu);
	}
	KCHECK(edu != NULL || !boot_arg("edu", NULL, 0));
	return edu != NULL && KCHECK(regs != NULL);
}

static bool
transfer(uint64_t from, uint64_t to, uint32_t how)
{
	*(volatile uint64_t *)(regs + DMA_FROM) = from;
	*(volatile uint64_t *)(regs + DMA_TO) = to;
	*(volatile uint64_t *)(regs + DMA_COUNT) = BYTES;
	*(volatile uint64_t *)(regs + DMA_COMMAND) = DMA_START | DMA_INTERRUPTS | how;
	return drv_event_wait(&news, md_now() + LIMIT);
}

static void
memory_comes_back(void)
{
	struct dma_mem m;
	uint8_t *p;

	if (!KCHECK(dma_alloc(&m, BYTES, REACH) == 0))
		return;
	p = m.va;
	for (uint32_t i = 0; i < BYTES; i++)
		p[i] = (uint8_t)(i * 7 + i / 256);
	KCHECK(transfer(m.pa, BUFFER, 0));
	memset(p, 0, BYTES);
	KCHECK(transfer(BUFFER, m.pa, DMA_WRITES));
	for (uint32_t i = 0; i < BYTES; i++)
		if (!KCHECK(p[i] == (uint8_t)(i * 7 + i / 256)))
			break;
	dma_free(&m);
}

/* With interrupts as the device says that it has them. */
static void
works(struct pcidev *pd, uint32_t cpu)
{
	const struct pci_vector v = { interrupt, NULL, cpu };
	bool msix;

	atomic_store(&came, 0);
	atomic_store(&causes, 0);
	KCHECK(pci_interrupts(pd, &v, 1, &msix) == 1 && !msix);
	*reg(ALIVE) = 0x12345678;
	KCHECK(*reg(ALIVE) == ~0x12345678u);
	for (uint32_t i = 0; i < RAISES; i++) {
		*reg(IRQ_RAISE) = 1u << i % 8;
		if (!KCHECK(drv_event_wait(&news, md_now() + LIMIT)))
			break;
	}
	KCHECK(atomic_load(&came) == RAISES && atomic_load(&causes) == 0xff);
	memory_comes_back();
	KCHECK(atomic_load(&came) == RAISES + 2 && atomic_load(&causes) == (0xff | IRQ_DMA));
}

KTEST(pc_device_interrupts_by_message)
{
	for (uint32_t cpu = 0; has_edu() && cpu < drv_cpus(); cpu++)
		works(edu, cpu);
}

/* The same device, but for what could send messages. */
static uint32_t
poor_read(void *arg, uint32_t bdf, uint32_t off, uint32_t bytes)
{
	uint32_t v = edu->pd_cfg->read(edu->pd_cfg->arg, bdf, off, bytes);

	(void)arg;
	return off == STATUS ? v & ~(uint32_t)STATUS_CAPS : v;
}

static void
poor_write(void *arg, uint32_t bdf, uint32_t off, uint32_t bytes, uint32_t v)
{
	(void)arg;
	edu->pd_cfg->write(edu->pd_cfg->arg, bdf, off, bytes, v);
}

static const struct pci_cfg poor_cfg = { poor_read, poor_write, NULL };

static struct pcidev
poor_edu(void)
{
	struct pcidev pd = *edu;
	struct pci_msi msi;

	if (pci_msi(edu->pd_cfg, &edu->pd_fn, &msi))
		pci_msi_set(edu->pd_cfg, edu->pd_fn.pf_bdf, &msi, NULL);
	pd.pd_cfg = &poor_cfg;
	return pd;
}

KTEST(pc_device_interrupts_by_its_pin)
{
	struct pcidev pd;

	if (!has_edu())
		return;
	pd = poor_edu();
	works(&pd, 0);
	pci_command(edu->pd_cfg, edu->pd_fn.pf_bdf, PCI_COMMAND_NO_INTX, 0);
}

static bool
was_ignored_often(void *arg)
{
	(void)arg;
	return atomic_load(&ignored) > 5000;
}

/* More than one burst of them, and threads go on meanwhile; then all is as before. */
KTEST(pc_device_whose_pin_does_not_stop)
{
	struct pcidev pd;

	if (!has_edu())
		return;
	pd = poor_edu();
	works(&pd, 0);
	atomic_store(&deaf, true);
	*reg(IRQ_RAISE) = 1;
	KCHECK(drv_poll(was_ignored_often, NULL, LIMIT));
	atomic_store(&deaf, false);
	KCHECK(drv_event_wait(&news, md_now() + LIMIT));
	pci_command(edu->pd_cfg, edu->pd_fn.pf_bdf, PCI_COMMAND_NO_INTX, 0);
}

KTEST(pc_device_without_interrupt_is_served_by_the_clock)
{
	struct pcidev pd;

	if (!has_edu())
		return;
	pd = poor_edu();
	pd.pd_fn.pf_pin = 0;
	works(&pd, 0);
}
