/* SPDX-License-Identifier: BSD-2-Clause */
/* test_symtab - names and lines are found at, between and outside the entries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/debug/symtab.h>

#include "../../../../../sys/kern/debug/symtab.c"

static const struct symtab_func funcs[] = { { 0x10, 1 }, { 0x40, 7 }, { 0x41, 13 } };
static const struct symtab_line lines[] = { { 0x10, 0, 3 }, { 0x18, 0, 4 }, { 0x40, 1, 99 } };
static const uint32_t files[] = { 19, 23 };
static const char strings[] = "\0first\0other\0third\0a.c\0b.c";

const struct symtab_image symtab_image = {
	.si_start = 0x1000, .si_end = 0x1100,
	.si_func = funcs, .si_line = lines, .si_file = files, .si_str = strings,
	.si_nfunc = 3, .si_nline = 3, .si_nfile = 2,
};

static void
says(uint64_t pc, const char *func, uint64_t off, const char *file, uint32_t line)
{
	struct symtab_pos p;

	assert_true(symtab_lookup(pc, &p));
	assert_string_equal(p.sp_func, func);
	assert_int_equal(p.sp_off, off);
	assert_string_equal(p.sp_file, file);
	assert_int_equal(p.sp_line, line);
}

static void
an_address_belongs_to_the_entry_at_or_below_it(void **state)
{
	(void)state;
	says(0x1010, "first", 0, "a.c", 3);
	says(0x1017, "first", 7, "a.c", 3);
	says(0x1018, "first", 8, "a.c", 4);
	says(0x103f, "first", 0x2f, "a.c", 4);
	says(0x1040, "other", 0, "b.c", 99);
	says(0x1041, "third", 0, "b.c", 99);
	says(0x10ff, "third", 0xbe, "b.c", 99);
}

static void
code_before_the_first_entry_has_no_name(void **state)
{
	(void)state;
	says(0x1000, "?", 0, "?", 0);
	says(0x100f, "?", 0xf, "?", 0);
}

static void
an_address_outside_the_code_is_refused(void **state)
{
	struct symtab_pos p;

	(void)state;
	assert_false(symtab_lookup(0, &p));
	assert_false(symtab_lookup(0xfff, &p));
	assert_false(symtab_lookup(0x1100, &p));
	assert_false(symtab_lookup(UINT64_MAX, &p));
}

static void
an_empty_table_knows_nothing(void **state)
{
	struct symtab_image none = symtab_image;
	struct symtab_pos p;

	(void)state;
	none.si_nfunc = none.si_nline = 0;
	assert_true(symtab_find(&none, 0x1020, &p));
	assert_string_equal(p.sp_func, "?");
	assert_int_equal(p.sp_line, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_belongs_to_the_entry_at_or_below_it),
		cmocka_unit_test(code_before_the_first_entry_has_no_name),
		cmocka_unit_test(an_address_outside_the_code_is_refused),
		cmocka_unit_test(an_empty_table_knows_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
