/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ktest - tests that run inside the kernel, at boot, on every platform.
 *
 *	KTEST(a_token_is_recursive) { ...  KCHECK(token_held(&t)); }
 *
 * The kernel argument `ktest` (or ktest=NAME) runs them in a kernel thread,
 * speaks TAP on the machine's console and powers off: 0 when all passed.
 *
 * KBENCH(name) { ... ktest_figure(...) } measures instead; the argument `kbench`
 * (or kbench=NAME) runs those and nothing else.
 *
 * KPLANT(name) plants a bug, for somebody to find; the kernel argument plant=NAME
 * does so before the first process begins, and all goes on.
 */
#pragma once
#include <machine/types.h>

enum ktest_kind { KTEST_TEST, KTEST_BENCH, KTEST_PLANT };
struct ktest {
	const char	*kt_name;
	void		(*kt_fn)(void);
	enum ktest_kind	kt_kind;
};
#define KTEST(name)	KTEST_AS(name, KTEST_TEST)
#define KBENCH(name)	KTEST_AS(name, KTEST_BENCH)
#define KPLANT(name)	KTEST_AS(name, KTEST_PLANT)
#define KTEST_AS(name, kind)						\
	static void ktest_##name(void);					\
	static const struct ktest ktest_rec_##name = { #name, ktest_##name, kind };	\
	static const struct ktest *const ktest_ptr_##name		\
	    __attribute__((section("ktests"), used)) = &ktest_rec_##name;	\
	static void ktest_##name(void)

/* False: remembered as a failure with file and line; the test goes on. */
#define KCHECK(x)	ktest_check((x), __FILE__, __LINE__, #x)
bool	ktest_check(bool ok, const char *file, int line, const char *what);
/* How much work a stress test should do: `normal`, or `longer` when the argument ktest-long is given. */
uint64_t ktest_rounds(uint64_t normal, uint64_t longer);
/* "BENCH name nanoseconds", per operation. */
void	ktest_figure(const char *name, nsec_t took, uint64_t operations);
/* Run the test `name`, or all for "", and power off; or measurements instead of tests. */
_Noreturn void ktest_run(const char *name, enum ktest_kind kind);
/* False: there is no such bug. */
bool	ktest_plant(const char *name);
