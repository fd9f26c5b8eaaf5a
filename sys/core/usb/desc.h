/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * desc - descriptors of a USB device (USB 2.0, 9.6; HID 1.11, appendix B).
 *
 * All bytes are the device's word and are believed for nothing.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { USB_DEVICE = 1, USB_CONFIG = 2, USB_INTERFACE = 4, USB_ENDPOINT = 5 };
enum { USB_DEVICE_BYTES = 18, USB_CONFIG_BYTES = 9 };
enum { USB_PER_INTERFACE = 0, USB_HUB = 9 };	/* classes */
#define USB_PACKET_MAX	1024u

enum usb_result { USB_OK, USB_MALFORMED, USB_NOT_KEYBOARD };

struct usb_device {
	uint16_t	ud_vendor;
	uint16_t	ud_product;
	uint8_t		ud_class;	/* USB_PER_INTERFACE: see usb_first_class() */
};

/* A boot keyboard's interface, in its setting 0, and its interrupt-IN endpoint. */
struct usb_keyboard {
	uint8_t		uk_config;	/* for SET_CONFIGURATION, not 0 */
	uint8_t		uk_interface;
	uint8_t		uk_endpoint;	/* number, 1 to 15 */
	uint8_t		uk_interval;	/* bInterval as it stands */
	uint16_t	uk_packet;	/* 1 to USB_PACKET_MAX bytes */
};

/*
 * Endpoint 0's packet size, from the first 8 bytes of the device descriptor;
 * speed as in xhci.h.  0: not a device descriptor, or a size that this speed
 * does not have.
 */
uint16_t	usb_packet0(const uint8_t *d, size_t n, uint8_t speed);
enum usb_result	usb_read_device(const uint8_t *d, size_t n, struct usb_device *ud);
/* The length that a configuration claims with all that belongs to it; 0: not a configuration. */
uint16_t	usb_config_bytes(const uint8_t *d, size_t n);
enum usb_result	usb_find_keyboard(const uint8_t *d, size_t n, struct usb_keyboard *uk);
/* The class of a configuration's first interface, for who wants to name it; USB_PER_INTERFACE: none. */
uint8_t		usb_first_class(const uint8_t *d, size_t n);
