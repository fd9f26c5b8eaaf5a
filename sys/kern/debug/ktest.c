/* SPDX-License-Identifier: BSD-2-Clause */
/* ktest - runs the tests that are linked into this image.  See the header. */
#include <abi/errno.h>
#include <core/rt/rt.h>
#include <drv/chr.h>
#include <machine/clock.h>
#include <machine/cpu.h>
#include <sys/debug/bootarg.h>
#include <sys/debug/ktest.h>
#include <sys/debug/report.h>
#include <sys/lwkt/wait.h>

extern const struct ktest *const __ktests_start[], *const __ktests_end[];

static uint32_t failures;		/* of the running test: tests run one after another in one thread */

/* To the machine's standard output where it has one, else to its console. */
static void
put(const char *text, size_t len)
{
	struct chrdev *out = chr_find("stdout");
	size_t done;
	int error;

	if (out == NULL) {
		md_emergency(text, len);
		return;
	}
	while (len > 0) {
		error = out->cd_ops->write(out, text, len, &done);
		if (error != 0 && error != EAGAIN)
			return;
		text += done;
		len -= done;
		if (error == EAGAIN)
			(void)sleep_until(md_now() + 1000000, 0);
	}
}

static void
say(const char *fmt, ...)
{
	char line[256];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = rt_vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	put(line, rt_min((size_t)n, sizeof line - 1));
}

bool
ktest_check(bool ok, const char *file, int line, const char *what)
{
	if (!ok) {
		failures++;
		if (failures <= 10)
			say("# %s:%d: not true: %s\n", file, line, what);
	}
	return ok;
}

uint64_t
ktest_rounds(uint64_t normal, uint64_t longer)
{
	return boot_arg("ktest-long", NULL, 0) ? longer : normal;
}

void
ktest_figure(const char *name, nsec_t took, uint64_t operations)
{
	uint64_t tenths = took * 10 / operations;

	say("BENCH %s %llu.%llu\n", name, (unsigned long long)tenths / 10, (unsigned long long)tenths % 10);
}

void
ktest_run(const char *name, enum ktest_kind kind)
{
	uint32_t n = 0, bad = 0;

	for (const struct ktest *const *t = __ktests_start; t < __ktests_end; t++) {
		if ((*t)->kt_kind != kind || (name[0] != '\0' && strcmp(name, (*t)->kt_name) != 0))
			continue;
		failures = 0;
		(*t)->kt_fn();
		n++;
		bad += failures != 0;
		say("%s %u - %s\n", failures == 0 ? "ok" : "not ok", n, (*t)->kt_name);
	}
	say("1..%u\n", n);
	report_end();
	md_power_off(bad == 0 && n > 0 ? 0 : 1);
}

bool
ktest_plant(const char *name)
{
	for (const struct ktest *const *t = __ktests_start; t < __ktests_end; t++)
		if ((*t)->kt_kind == KTEST_PLANT && strcmp(name, (*t)->kt_name) == 0) {
			(*t)->kt_fn();
			return true;
		}
	return false;
}
