/* SPDX-License-Identifier: BSD-2-Clause */
/* test_desc - descriptors of a keyboard, whole, cut off and spoiled. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../../../../sys/core/usb/desc.c"

_Noreturn void
rt_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	abort();
}

/* A keyboard with media keys in an interface of their own. */
static const uint8_t device[18] = {
	18, 1, 0x00, 0x02, 0, 0, 0, 8, 0x6d, 0x04, 0x1c, 0xc3, 0x00, 0x49, 1, 2, 0, 1,
};
static const uint8_t config[] = {
	9, 2, 59, 0, 2, 1, 0, 0xa0, 49,
	9, 4, 0, 0, 1, 3, 1, 1, 0,		/* boot keyboard */
	9, 0x21, 0x10, 0x01, 0, 1, 0x22, 65, 0,
	7, 5, 0x81, 3, 8, 0, 10,
	9, 4, 1, 0, 1, 3, 0, 0, 0,		/* media keys */
	9, 0x21, 0x10, 0x01, 0, 1, 0x22, 159, 0,
	7, 5, 0x82, 3, 4, 0, 255,
};
static uint8_t bytes[sizeof(config)];

static void
spoil(size_t at, uint8_t value)
{
	memcpy(bytes, config, sizeof(bytes));
	bytes[at] = value;
}

static enum usb_result
look(struct usb_keyboard *uk)
{
	return usb_find_keyboard(bytes, sizeof(bytes), uk);
}

static void
a_keyboard_is_found(void **state)
{
	struct usb_device ud;
	struct usb_keyboard uk;

	(void)state;
	assert_int_equal(usb_read_device(device, sizeof(device), &ud), USB_OK);
	assert_int_equal(ud.ud_vendor, 0x046d);
	assert_int_equal(ud.ud_product, 0xc31c);
	assert_int_equal(ud.ud_class, USB_PER_INTERFACE);
	assert_int_equal(usb_first_class(config, sizeof(config)), 3);
	assert_int_equal(usb_config_bytes(config, 9), sizeof(config));
	assert_int_equal(usb_find_keyboard(config, sizeof(config), &uk), USB_OK);
	assert_int_equal(uk.uk_config, 1);
	assert_int_equal(uk.uk_interface, 0);
	assert_int_equal(uk.uk_endpoint, 1);
	assert_int_equal(uk.uk_packet, 8);
	assert_int_equal(uk.uk_interval, 10);
}

/* The keyboard may be the second interface; an endpoint of another one is not taken for its own. */
static void
a_keyboard_behind_another_interface_is_found(void **state)
{
	struct usb_keyboard uk;

	(void)state;
	spoil(9 + 7, 2);		/* the first is a mouse */
	bytes[34 + 6] = bytes[34 + 7] = 1;
	assert_int_equal(look(&uk), USB_OK);
	assert_int_equal(uk.uk_interface, 1);
	assert_int_equal(uk.uk_endpoint, 2);
	assert_int_equal(uk.uk_packet, 4);
}

static void
what_is_cut_off_is_never_read(void **state)
{
	struct usb_keyboard uk;
	struct usb_device ud;

	(void)state;
	for (size_t n = 0; n < sizeof(config); n++) {
		uint8_t *exact = malloc(n + 1);
		uint8_t *end = exact + 1;	/* n bytes that end with the allocation */
		bool whole = n >= 34;		/* the keyboard's endpoint is there */

		memcpy(end, config, n);
		assert_int_equal(usb_find_keyboard(end, n, &uk) == USB_OK, whole);
		assert_int_equal(usb_first_class(end, n), n >= 18 ? 3 : USB_PER_INTERFACE);
		memcpy(end, device, n < 18 ? n : 18);
		assert_int_equal(usb_read_device(end, n < 18 ? n : 18, &ud) == USB_OK, n >= 18);
		assert_int_equal(usb_packet0(end, n < 18 ? n : 18, XHCI_LOW), n >= 8 ? 8 : 0);
		free(exact);
	}
}

static void
pieces_without_length_end_the_walk(void **state)
{
	struct usb_keyboard uk;

	(void)state;
	for (uint8_t len = 0; len < 2; len++) {
		spoil(9, len);
		assert_int_equal(look(&uk), USB_MALFORMED);
		spoil(18, len);
		assert_int_equal(look(&uk), USB_MALFORMED);
	}
	spoil(18, 255);			/* beyond the end */
	assert_int_equal(look(&uk), USB_MALFORMED);
	spoil(9, 8);			/* an interface that is too short for one */
	assert_int_equal(look(&uk), USB_MALFORMED);
	spoil(27, 6);			/* and an endpoint */
	assert_int_equal(look(&uk), USB_MALFORMED);
	spoil(0, 255);
	assert_int_equal(look(&uk), USB_MALFORMED);
	spoil(0, 0);
	assert_int_equal(look(&uk), USB_MALFORMED);
	spoil(2, 8);			/* shorter than itself */
	assert_int_equal(look(&uk), USB_MALFORMED);
	spoil(5, 0);			/* the value that means "not configured" */
	assert_int_equal(look(&uk), USB_MALFORMED);
}

static void
the_claimed_length_bounds_the_walk(void **state)
{
	struct usb_keyboard uk;

	(void)state;
	spoil(2, 27);			/* the endpoint is outside */
	assert_int_equal(look(&uk), USB_NOT_KEYBOARD);
	spoil(3, 0xff);			/* the bytes that are there do */
	assert_int_equal(look(&uk), USB_OK);
}

static void
other_things_are_not_keyboards(void **state)
{
	static const struct { uint8_t at, value; } other[] = {
		{ 9 + 3, 1 },		/* an alternate setting */
		{ 9 + 5, 8 }, { 9 + 6, 0 }, { 9 + 7, 2 }, { 9 + 1, 0x0b },
		{ 27 + 1, 0x25 }, { 27 + 2, 0x01 }, { 27 + 2, 0x80 }, { 27 + 3, 2 },
		{ 27 + 4, 0 }, { 27 + 5, 7 },
	};
	struct usb_keyboard uk;

	(void)state;
	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
		spoil(other[i].at, other[i].value);
		assert_int_equal(look(&uk), USB_NOT_KEYBOARD);
	}
	spoil(1, USB_DEVICE);
	assert_int_equal(look(&uk), USB_MALFORMED);
}

static void
packet_sizes_are_those_of_the_speed(void **state)
{
	uint8_t d[18];

	(void)state;
	memcpy(d, device, sizeof(d));
	for (uint32_t size = 0; size < 256; size++) {
		bool full = size == 8 || size == 16 || size == 32 || size == 64;

		d[7] = (uint8_t)size;
		assert_int_equal(usb_packet0(d, 8, XHCI_LOW), size == 8 ? 8 : 0);
		assert_int_equal(usb_packet0(d, 8, XHCI_FULL), full ? size : 0);
		assert_int_equal(usb_packet0(d, 8, XHCI_HIGH), size == 64 ? 64 : 0);
		assert_int_equal(usb_packet0(d, 8, XHCI_SUPER), size == 9 ? 512 : 0);
	}
	d[7] = 8;
	d[1] = USB_CONFIG;
	assert_int_equal(usb_packet0(d, 8, XHCI_LOW), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_keyboard_is_found),
		cmocka_unit_test(a_keyboard_behind_another_interface_is_found),
		cmocka_unit_test(what_is_cut_off_is_never_read),
		cmocka_unit_test(pieces_without_length_end_the_walk),
		cmocka_unit_test(the_claimed_length_bounds_the_walk),
		cmocka_unit_test(other_things_are_not_keyboards),
		cmocka_unit_test(packet_sizes_are_those_of_the_speed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
