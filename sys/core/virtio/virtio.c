/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio - what is the same for all devices: features, and the way from a PCI
 * function's capabilities, or from the words of a command line, to its registers.
 *
 * A capability says "this kind of register is in that BAR, there".  It is taken only if
 * the whole region is inside a memory BAR and as large as its kind must be, so that the
 * driver maps and reads without further checks.
 */
#include <core/virtio/virtio.h>

#include <core/rt/rt.h>

#define CAP_BYTES	offsetof(struct virtio_pci_cap, notify_multiplier)	/* of most kinds */

bool
virtio_negotiate(uint64_t offered, uint64_t wanted, uint64_t needed, uint64_t *accepted)
{
	needed |= VIRTIO_F_VERSION_1;
	if ((offered & needed) != needed)
		return false;
	*accepted = offered & (wanted | needed);
	return true;
}

uint32_t
virtio_pci_type(const struct pci_function *f)
{
	if (f->pf_vendor != VIRTIO_PCI_VENDOR)
		return 0;
	switch (f->pf_device) {
	case VIRTIO_PCI_OLD_NET: return VIRTIO_NET;
	case VIRTIO_PCI_OLD_BLK: return VIRTIO_BLK;
	case VIRTIO_PCI_OLD_CONSOLE: return VIRTIO_CONSOLE;
	case VIRTIO_PCI_OLD_RNG: return VIRTIO_RNG;
	}
	if (f->pf_device > VIRTIO_PCI_DEVICE && f->pf_device <= VIRTIO_PCI_DEVICE_MAX)
		return f->pf_device - VIRTIO_PCI_DEVICE;
	return 0;
}

/* A region of `kind` is at least this long; 0: no kind whose place we want. */
static uint32_t
least_bytes(uint32_t kind)
{
	switch (kind) {
	case VIRTIO_CAP_COMMON: return VIRTIO_COMMON_BYTES;
	case VIRTIO_CAP_NOTIFY: return 2;
	case VIRTIO_CAP_ISR:
	case VIRTIO_CAP_DEVICE: return 1;
	default: return 0;
	}
}

/* Registers of more than a byte are aligned. */
static bool
is_sound(const struct pci_bar bar[PCI_BARS], uint32_t kind, const struct virtio_region *r)
{
	uint32_t least = least_bytes(kind), align = 4;

	if (kind == VIRTIO_CAP_ISR || kind == VIRTIO_CAP_NOTIFY)
		align = least;
	return least != 0 && r->bytes >= least && r->offset % align == 0 &&
	    pci_bar_holds(bar, r->bar, r->offset, r->bytes);
}

/* A field of the capability at `at`. */
#define FIELD(name) cfg->read(cfg->arg, f->pf_bdf, at + offsetof(struct virtio_pci_cap, name), \
	sizeof(((struct virtio_pci_cap *)0)->name))

static void
read_cap(const struct pci_cfg *cfg, const struct pci_function *f,
    const struct pci_bar bar[PCI_BARS], uint32_t at, struct virtio_pci *vp)
{
	uint32_t bytes = FIELD(bytes), kind = FIELD(kind), least = CAP_BYTES;
	struct virtio_region r;

	if (kind == VIRTIO_CAP_NOTIFY)
		least = sizeof(struct virtio_pci_cap);
	if (bytes < least || at + bytes > 256)
		return;
	r.bar = (uint8_t)FIELD(bar);
	r.offset = FIELD(offset);
	r.bytes = FIELD(length);
	if (!is_sound(bar, kind, &r) || vp->vp_region[kind].bytes != 0)
		return;
	vp->vp_region[kind] = r;
	if (kind == VIRTIO_CAP_NOTIFY)
		vp->vp_notify_multiplier = FIELD(notify_multiplier);
}

bool
virtio_pci_find(const struct pci_cfg *cfg, const struct pci_function *f,
    const struct pci_bar bar[PCI_BARS], struct virtio_pci *vp)
{
	uint32_t at[PCI_CAPS_MAX];
	size_t n = pci_caps(cfg, f, PCI_CAP_VENDOR, at, PCI_CAPS_MAX);
	const struct virtio_region *r = vp->vp_region;

	*vp = (struct virtio_pci){ 0 };
	for (size_t i = 0; i < n; i++)
		read_cap(cfg, f, bar, at[i], vp);
	return r[VIRTIO_CAP_COMMON].bytes != 0 && r[VIRTIO_CAP_NOTIFY].bytes != 0 &&
	    r[VIRTIO_CAP_ISR].bytes != 0;
}

bool
virtio_pci_notify(const struct virtio_pci *vp, uint16_t queue_notify_off, uint32_t *offset)
{
	const struct virtio_region *r = &vp->vp_region[VIRTIO_CAP_NOTIFY];
	uint64_t at = (uint64_t)queue_notify_off * vp->vp_notify_multiplier;

	if (at % 2 != 0 || at + 2 > r->bytes)
		return false;
	*offset = r->offset + (uint32_t)at;
	return true;
}

/* ------------------------------------------------------- memory mapped -- */

struct text {
	const char	*at, *end;
};

static uint32_t
digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return (uint32_t)(c - '0');
	c |= 'a' - 'A';
	return c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a') + 10 : UINT32_MAX;
}

static bool
take(struct text *t, char c)
{
	if (t->at == t->end || *t->at != c)
		return false;
	t->at++;
	return true;
}

/* As C writes it: 0x and 0 begin hexadecimal and octal ones. */
static bool
take_number(struct text *t, uint64_t *out)
{
	uint32_t base = 10;
	const char *first;

	if (t->end - t->at > 1 && t->at[0] == '0')
		base = (t->at[1] | 0x20) == 'x' ? 16 : 8;
	if (base == 16)
		t->at += 2;
	*out = 0;
	for (first = t->at; t->at < t->end && digit_of(*t->at) < base; t->at++)
		if (__builtin_mul_overflow(*out, base, out) || rt_add_overflows(*out, digit_of(*t->at), out))
			return false;
	return t->at > first;
}

/* A number, perhaps of KiB, MiB or GiB. */
static bool
take_bytes(struct text *t, uint64_t *out)
{
	static const char unit[] = "kmg";
	uint64_t shift = 0;

	if (!take_number(t, out))
		return false;
	for (uint32_t i = 0; unit[i] != '\0' && shift == 0; i++)
		if (take(t, unit[i]) || take(t, unit[i] - ('a' - 'A')))
			shift = 10 * (i + 1);
	return !__builtin_mul_overflow(*out, 1ull << shift, out);
}

bool
virtio_mmio_place(const char *text, size_t len, struct virtio_mmio_place *out)
{
	struct text t = { text, text + len };
	struct virtio_mmio_place p;
	uint64_t line, id, end;

	if (!take_bytes(&t, &p.vm_bytes) || !take(&t, '@') || !take_number(&t, &p.vm_pa) || !take(&t, ':') ||
	    !take_number(&t, &line) || (take(&t, ':') && !take_number(&t, &id)) || t.at != t.end)
		return false;
	p.vm_line = (uint32_t)line;
	if (line > UINT32_MAX || p.vm_bytes < VIRTIO_MMIO_BYTES || p.vm_pa % 8 != 0 ||
	    rt_add_overflows(p.vm_pa, p.vm_bytes, &end))
		return false;
	*out = p;
	return true;
}
