/* SPDX-License-Identifier: BSD-2-Clause */
/* who is who in /etc/passwd and /etc/group */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <core/codec/passwd.c>

static const char people[] =
    "root:x:0:0:root:/root:/bin/sh\n"
    "# a line of another kind\n"
    "short:x:1:1\n"
    "ann:x:1000:100:Ann,,,:/home/ann:/bin/bash\n"
    "bad:x:12a:1:::\n"
    "big:x:4294967295:1:::\n"
    "ann2:x:1000:7::/home/two:\n"
    "last:x:9:9:::";
static const char groups[] =
    "root:x:0:\nwheel:x:10:root,ann\nusers:x:100:bob,annabel,xann\nbroken:x:ann:ann\nend:x:11:ann";

static void
names_and_numbers_are_found(void **state)
{
	struct passwd pw;

	(void)state;
	assert_true(passwd_find(people, sizeof people - 1, "ann", 0, &pw));
	assert_int_equal(pw.pw_uid, 1000);
	assert_int_equal(pw.pw_gid, 100);
	assert_int_equal(pw.pw_home_len, 9);
	assert_memory_equal(pw.pw_home, "/home/ann", 9);
	assert_true(passwd_find(people, sizeof people - 1, NULL, 1000, &pw));
	assert_int_equal(pw.pw_name_len, 3);		/* the first of two */
	assert_true(passwd_find(people, sizeof people - 1, "last", 0, &pw));
	assert_int_equal(pw.pw_home_len, 0);
}

static void
what_makes_no_sense_is_nobody(void **state)
{
	static const char *const nobody[] = { "", "an", "annx", "short", "bad", "big", "# a line of another kind", "x" };
	struct passwd pw;

	(void)state;
	for (size_t i = 0; i < sizeof nobody / sizeof nobody[0]; i++)
		assert_false(passwd_find(people, sizeof people - 1, nobody[i], 0, &pw));
	assert_false(passwd_find(people, sizeof people - 1, NULL, 5, &pw));
	for (size_t n = 0; n < sizeof people; n++) {	/* cut anywhere: found or not, nothing beyond is read */
		char *copy = malloc(n + 1);

		memcpy(copy, people, n);
		passwd_find(copy, n, "last", 0, &pw);
		free(copy);
	}
}

static void
members_of_groups_are_counted(void **state)
{
	uint32_t gids[2] = { 0 };

	(void)state;
	assert_int_equal(group_ids(groups, sizeof groups - 1, "ann", 3, gids, 2), 2);
	assert_int_equal(gids[0], 10);
	assert_int_equal(gids[1], 11);
	assert_int_equal(group_ids(groups, sizeof groups - 1, "ann", 3, gids, 1), 1);
	assert_int_equal(group_ids(groups, sizeof groups - 1, "", 0, gids, 2), 0);
	assert_int_equal(group_ids("", 0, "ann", 3, gids, 2), 0);
}

static void
numbers_stand_for_themselves(void **state)
{
	static const char *const bad[] = { "", ":", "1:", ":1", "a", "1:b", "-1",
	    "1:2:a", "1:2:3,", "1:2:,3", "1:2:3:4", "4294967295", "99999999999", "1\n2" };
	uint32_t uid = 5, gid = 6, g[2];
	size_t n = 7;

	(void)state;
	assert_true(passwd_numbers("12", &uid, &gid, g, 2, &n));
	assert_int_equal(uid, 12);
	assert_int_equal(gid, 6);
	assert_true(passwd_numbers("0:4294967294", &uid, &gid, g, 2, &n));
	assert_int_equal(gid, 4294967294u);
	assert_int_equal(n, 7);
	assert_true(passwd_numbers("1:2:", &uid, &gid, g, 2, &n));
	assert_int_equal(n, 0);
	assert_true(passwd_numbers("1:2:3,4,5", &uid, &gid, g, 2, &n));
	assert_int_equal(n, 2);
	assert_int_equal(g[1], 4);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(passwd_numbers(bad[i], &uid, &gid, g, 2, &n));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_numbers_are_found),
		cmocka_unit_test(what_makes_no_sense_is_nobody),
		cmocka_unit_test(members_of_groups_are_counted),
		cmocka_unit_test(numbers_stand_for_themselves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
