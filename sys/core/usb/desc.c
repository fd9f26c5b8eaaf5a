/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * desc - a configuration is a list of pieces, each behind its length and type.
 *
 * A walk ends at the end of the bytes or of the length that the configuration
 * claims, whichever comes first.  Each step is at least 2 bytes, so it ends.
 * Types that are not known are stepped over.
 */
#include <core/rt/rt.h>
#include <core/usb/desc.h>
#include <core/usb/xhci.h>

enum { INTERFACE_BYTES = 9, ENDPOINT_BYTES = 7 };
enum { HID_CLASS = 3, HID_BOOT = 1, HID_KEYBOARD = 1 };
#define ENDPOINT_IN	0x80u
#define ENDPOINT_INTERRUPT	3u

static inline uint16_t le16(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }

static bool
is_desc(const uint8_t *d, size_t n, uint8_t type, uint8_t bytes)
{
	return n >= 2 && d[0] >= bytes && d[1] == type;
}

uint16_t
usb_packet0(const uint8_t *d, size_t n, uint8_t speed)
{
	uint8_t size;

	if (n < 8 || !is_desc(d, n, USB_DEVICE, USB_DEVICE_BYTES))
		return 0;
	size = d[7];
	switch (speed) {
	case XHCI_LOW:
		return size == 8 ? 8 : 0;
	case XHCI_FULL:
		return size == 8 || size == 16 || size == 32 || size == 64 ? size : 0;
	case XHCI_HIGH:
		return size == 64 ? 64 : 0;
	default:
		return size == 9 ? 512 : 0;	/* an exponent (USB 3.2, 9.6.1) */
	}
}

enum usb_result
usb_read_device(const uint8_t *d, size_t n, struct usb_device *ud)
{
	if (n < USB_DEVICE_BYTES || !is_desc(d, n, USB_DEVICE, USB_DEVICE_BYTES) || d[17] == 0)
		return USB_MALFORMED;
	ud->ud_vendor = le16(d + 8);
	ud->ud_product = le16(d + 10);
	ud->ud_class = d[4];
	return USB_OK;
}

uint16_t
usb_config_bytes(const uint8_t *d, size_t n)
{
	uint16_t total;

	if (n < USB_CONFIG_BYTES || !is_desc(d, n, USB_CONFIG, USB_CONFIG_BYTES))
		return 0;
	total = le16(d + 2);
	return total >= d[0] ? total : 0;
}

static bool
is_keyboard(const uint8_t *interface)
{
	return interface[3] == 0 && interface[5] == HID_CLASS && interface[6] == HID_BOOT &&
	    interface[7] == HID_KEYBOARD;
}

/* True: the endpoint that keys come from. */
static bool
read_endpoint(const uint8_t *endpoint, struct usb_keyboard *uk)
{
	uk->uk_endpoint = endpoint[2] & 15;
	uk->uk_packet = le16(endpoint + 4) & 0x7ff;
	uk->uk_interval = endpoint[6];
	return (endpoint[2] & ENDPOINT_IN) != 0 && (endpoint[3] & 3) == ENDPOINT_INTERRUPT &&
	    uk->uk_endpoint != 0 && uk->uk_packet != 0 && uk->uk_packet <= USB_PACKET_MAX;
}

enum usb_result
usb_find_keyboard(const uint8_t *d, size_t n, struct usb_keyboard *uk)
{
	size_t end = rt_min(n, usb_config_bytes(d, n));
	struct usb_keyboard found = { 0 };
	bool inside = false;

	if (end == 0 || d[0] > end || d[5] == 0)
		return USB_MALFORMED;
	found.uk_config = d[5];
	for (size_t at = d[0], bytes; at < end; at += bytes) {
		const uint8_t *p = d + at;

		bytes = p[0];
		if (end - at < 2 || bytes < 2 || bytes > end - at)
			return USB_MALFORMED;
		if (p[1] == USB_INTERFACE) {
			if (bytes < INTERFACE_BYTES)
				return USB_MALFORMED;
			inside = is_keyboard(p);
			found.uk_interface = p[2];
		} else if (p[1] == USB_ENDPOINT) {
			if (bytes < ENDPOINT_BYTES)
				return USB_MALFORMED;
			if (inside && read_endpoint(p, &found)) {
				*uk = found;
				return USB_OK;
			}
		}
	}
	return USB_NOT_KEYBOARD;
}

uint8_t
usb_first_class(const uint8_t *d, size_t n)
{
	size_t end = rt_min(n, usb_config_bytes(d, n));

	for (size_t at = end > 0 ? d[0] : 0; at < end && d[at] >= 2 && d[at] <= end - at; at += d[at])
		if (d[at + 1] == USB_INTERFACE && d[at] >= INTERFACE_BYTES)
			return d[at + 5];
	return USB_PER_INTERFACE;
}
