/* SPDX-License-Identifier: BSD-2-Clause */
/* The vDSO: found as a C library finds it; its clocks and the system calls' are one clock. */
#include "t.h"
#include <elf.h>
#include <pthread.h>
#include <sys/auxv.h>

#define ROUNDS	100000
#define NSEC	1000000000ll

struct image {
	uintptr_t	base;
	const Elf64_Sym	*sym;
	const char	*str;
	const uint16_t	*versym;
	const Elf64_Verdef *verdef;
	uint32_t	nsym;
};
static struct image vdso;
static int (*v_gettime)(clockid_t, struct timespec *);
static int (*v_getres)(clockid_t, struct timespec *);
static int (*v_timeofday)(struct timeval *, void *);
static time_t (*v_time)(time_t *);
static long (*v_getcpu)(unsigned *, unsigned *, void *);

static const Elf64_Phdr *
segment(uint32_t type)
{
	const Elf64_Ehdr *eh = (const void *)vdso.base;
	const Elf64_Phdr *ph = (const void *)(vdso.base + eh->e_phoff);

	for (int i = 0; i < eh->e_phnum; i++)
		if (ph[i].p_type == type)
			return &ph[i];
	return NULL;
}

static bool
open_image(void)
{
	const Elf64_Phdr *load, *dynamic;
	uintptr_t bias;

	vdso.base = getauxval(AT_SYSINFO_EHDR);
	if (vdso.base == 0 || memcmp((void *)vdso.base, ELFMAG, SELFMAG) != 0)
		return false;
	load = segment(PT_LOAD);
	dynamic = segment(PT_DYNAMIC);
	if (load == NULL || dynamic == NULL)
		return false;
	bias = vdso.base + load->p_offset - load->p_vaddr;
	for (const Elf64_Dyn *d = (const void *)(vdso.base + dynamic->p_offset); d->d_tag != DT_NULL; d++) {
		void *p = (void *)(bias + d->d_un.d_ptr);

		switch (d->d_tag) {
		case DT_STRTAB: vdso.str = p; break;
		case DT_SYMTAB: vdso.sym = p; break;
		case DT_VERSYM: vdso.versym = p; break;
		case DT_VERDEF: vdso.verdef = p; break;
		case DT_HASH: vdso.nsym = ((uint32_t *)p)[1]; break;
		}
	}
	return vdso.str != NULL && vdso.sym != NULL && vdso.versym != NULL && vdso.verdef != NULL;
}

static bool
version_is(uint16_t version, const char *name)
{
	const Elf64_Verdef *d = vdso.verdef;

	for (;; d = (const void *)((const char *)d + d->vd_next)) {
		const Elf64_Verdaux *aux = (const void *)((const char *)d + d->vd_aux);

		if (d->vd_ndx == (version & 0x7fff))
			return strcmp(vdso.str + aux->vda_name, name) == 0;
		if (d->vd_next == 0)
			return false;
	}
}

static void *
find(const char *name)
{
	for (uint32_t i = 0; i < vdso.nsym; i++)
		if (vdso.sym[i].st_shndx != SHN_UNDEF && strcmp(vdso.str + vdso.sym[i].st_name, name) == 0)
			return version_is(vdso.versym[i], "LINUX_2.6") ? (void *)(vdso.base + vdso.sym[i].st_value) : NULL;
	return NULL;
}

static long long
ns(const struct timespec *ts)
{
	return ts->tv_sec * NSEC + ts->tv_nsec;
}

static long long
by_call(clockid_t clock)
{
	struct timespec ts;

	return syscall(SYS_clock_gettime, clock, &ts) == 0 ? ns(&ts) : -1;
}

static long long
by_vdso(clockid_t clock)
{
	struct timespec ts;

	return v_gettime(clock, &ts) == 0 ? ns(&ts) : -1;
}

/* The clock never goes back, whoever is asked; how often it did. */
static long
goes_back(clockid_t clock)
{
	long long last = by_call(clock);
	long bad = 0;

	for (int i = 0; i < ROUNDS; i++) {
		long long t = i % 16 == 0 ? by_call(clock) : by_vdso(clock);

		bad += t < last;
		last = t;
	}
	return bad;
}

/* What one thread was told, the others are not told less afterwards. */
static _Atomic long long latest;

static void *
against_others(void *arg)
{
	long bad = 0;

	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		long long before = latest, t = i % 64 == 0 ? by_call(CLOCK_MONOTONIC) : by_vdso(CLOCK_MONOTONIC);

		bad += t < before;
		while (before < t && !__atomic_compare_exchange_n((long long *)&latest, &before, t, 0,
		    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			;
	}
	return (void *)bad;
}

/* A sleep, to an instant or for a length, is not over before it is. */
static long
short_sleeps(void)
{
	long bad = 0;

	for (int i = 0; i < 50; i++) {
		long long t = by_vdso(CLOCK_MONOTONIC) + (i % 5) * 30000;
		struct timespec to = { t / NSEC, t % NSEC }, length = { 0, 20000 };

		syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &to, NULL);
		bad += by_vdso(CLOCK_MONOTONIC) < t;
		t = by_vdso(CLOCK_MONOTONIC);
		syscall(SYS_nanosleep, &length, NULL);
		bad += by_vdso(CLOCK_MONOTONIC) < t + 20000;
	}
	return bad;
}

/* Who writes to the page of times, or wants to. */
static void
page_of_times(void)
{
	char line[512], *name;
	unsigned long start = 0, end;
	FILE *f = fopen("/proc/self/maps", "r");
	bool image = false, times = false;

	while (f != NULL && fgets(line, sizeof line, f) != NULL) {
		name = strchr(line, '[');
		if (name == NULL || sscanf(line, "%lx-%lx", &start, &end) != 2)
			continue;
		if (strcmp(name, "[vdso]\n") == 0)
			image = start == vdso.base && strstr(line, " r-xp ") != NULL;
		if (strcmp(name, "[vvar]\n") == 0) {
			times = strstr(line, " r--p ") != NULL;
			T(mprotect((void *)start, T_PAGE, PROT_READ | PROT_WRITE));
		}
	}
	if (f != NULL)
		fclose(f);
	T(image);
	T(times);
}

static void
errors(void)
{
	struct timespec ts;
	struct timeval tv;
	struct timezone tz = { 7, 7 };
	unsigned cpu = 99999, node = 99999;
	time_t t;

	T(v_gettime(99, &ts));
	T(v_gettime(-1, &ts));
	T(v_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts));
	T(v_gettime(CLOCK_THREAD_CPUTIME_ID, &ts));
	T(v_gettime(CLOCK_BOOTTIME, &ts));
	T(v_gettime(CLOCK_REALTIME_COARSE, &ts));
	T(v_getres(CLOCK_MONOTONIC, &ts));
	T(ts.tv_nsec);
	T(v_getres(CLOCK_MONOTONIC, NULL));
	T(v_getres(77, &ts));
	T(v_timeofday(&tv, NULL));
	T(v_timeofday(NULL, &tz));
	T(tz.tz_minuteswest);
	T(v_getcpu(&cpu, &node, NULL));
	T(cpu < 1024);
	T(node);
	T(v_getcpu(NULL, NULL, NULL));
	T(v_time(&t) == t);
	T(t - by_call(CLOCK_REALTIME) / NSEC <= 0);
}

int
main(void)
{
	pthread_t th[3];
	void *bad;
	long sum = 0;

	T(open_image());
	v_gettime = find("__vdso_clock_gettime");
	v_getres = find("__vdso_clock_getres");
	v_timeofday = find("__vdso_gettimeofday");
	v_time = find("__vdso_time");
	v_getcpu = find("__vdso_getcpu");
	T(v_gettime != NULL && v_getres != NULL && v_timeofday != NULL && v_time != NULL && v_getcpu != NULL);
	if (v_gettime == NULL || v_getres == NULL || v_timeofday == NULL || v_time == NULL || v_getcpu == NULL)
		return 1;
	errors();
	page_of_times();
	T(goes_back(CLOCK_MONOTONIC));
	T(goes_back(CLOCK_REALTIME));
	for (size_t i = 0; i < T_COUNT(th); i++)
		pthread_create(&th[i], NULL, against_others, NULL);
	for (size_t i = 0; i < T_COUNT(th); i++) {
		pthread_join(th[i], &bad);
		sum += (long)bad;
	}
	T(sum);
	T(short_sleeps());
	if (fork() == 0) {
		T(by_vdso(CLOCK_MONOTONIC) >= latest);
		_exit(0);
	}
	wait(NULL);
	return 0;
}
