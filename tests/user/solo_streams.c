/* SPDX-License-Identifier: BSD-2-Clause */
/* Standard streams of a program alone: bytes pass unchanged, two streams stay apart, input ends. */
#include "t.h"

int
main(void)
{
	unsigned char all[256], buf[64];
	ssize_t n, total = 0;

	for (int i = 0; i < 256; i++)
		all[i] = (unsigned char)i;
	while ((n = read(0, buf, sizeof buf)) > 0)
		total += n;
	T(total);
	T(read(0, buf, 1));
	T(write(1, all, 256));
	T(write(2, "to stderr\n", 10));
	for (int i = 0; i < 3000; i++)
		t_say("line %d of many, so that a pipe fills up and has to be waited for", i);
	return 0;
}
