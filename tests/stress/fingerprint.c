/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fingerprint - all by which a program could tell one run from another.
 *
 * In deterministic mode two runs with one seed print the same.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

extern char **environ;

static void
show(const char *what, uint64_t a, uint64_t b)
{
	printf("%s %llx %llx\n", what, (unsigned long long)a, (unsigned long long)b);
}

static void
show_clocks(void)
{
	struct timespec ts;
	struct tms tms;
	struct rusage ru;
	unsigned int cpu = 99;
	uint64_t first = __rdtsc(), second = __rdtscp(&cpu);

	show("tsc", first, second);
	show(second > first ? "grows" : "stands", cpu < (unsigned int)sysconf(_SC_NPROCESSORS_ONLN), cpu);
	for (clockid_t c = CLOCK_REALTIME; c <= CLOCK_BOOTTIME; c++)
		if (clock_gettime(c, &ts) == 0)
			show("clock", (uint64_t)ts.tv_sec, (uint64_t)ts.tv_nsec);
	show("times", (uint64_t)times(&tms), (uint64_t)(tms.tms_utime + tms.tms_stime));
	getrusage(RUSAGE_SELF, &ru);
	show("rusage", (uint64_t)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec), (uint64_t)(ru.ru_minflt + ru.ru_nvcsw));
}

static void
show_chance(void)
{
	const uint64_t *given = (const uint64_t *)getauxval(AT_RANDOM);
	uint64_t r[2] = { 0, 0 };
	int fd = open("/dev/urandom", O_RDONLY);

	show("at_random", given[0], given[1]);
	show("getrandom", getrandom(r, sizeof r, 0) == sizeof r, r[0]);
	show("urandom", read(fd, r, sizeof r) == sizeof r, r[0]);
	close(fd);
}

static void
show_names(char **argv)
{
	struct utsname u;
	struct sysinfo si;
	pid_t pid = fork();
	int i = 0;

	if (pid == 0)
		_exit(0);
	show("pids", (uint64_t)getpid(), (uint64_t)pid);
	waitpid(pid, NULL, 0);
	uname(&u);
	printf("uname %s %s %s %s\n", u.nodename, u.release, u.version, u.machine);
	sysinfo(&si);
	show("sysinfo", (uint64_t)si.uptime, si.freeram);
	show("ids", getuid(), getgid());
	for (; environ[i] != NULL; i++)
		printf("environment %s\n", environ[i]);
	show("addresses", (uint64_t)&u, (uint64_t)sbrk(0));
	show("addresses", (uint64_t)argv[0], (uint64_t)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	show("addresses", (uint64_t)show_names, (uint64_t)malloc(10));
}

static void
show_files(void)
{
	char path[] = "/tmp/fp.XXXXXX", cwd[256];
	struct stat st;
	int fd = mkstemp(path);

	fstat(fd, &st);
	printf("file %s in %s\n", path, getcwd(cwd, sizeof cwd));
	show("inode", st.st_ino, st.st_dev);
	show("file time", (uint64_t)st.st_mtim.tv_sec, (uint64_t)st.st_mtim.tv_nsec);
	stat("/", &st);
	show("root time", (uint64_t)st.st_ctim.tv_sec, (uint64_t)st.st_ctim.tv_nsec);
	stat("/bin", &st);
	show("bin time", (uint64_t)st.st_ctim.tv_sec, (uint64_t)st.st_ctim.tv_nsec);
	unlink(path);
}

int
main(int argc, char **argv)
{
	(void)argc;
	show_clocks();
	show_chance();
	show_names(argv);
	show_files();
	return 0;
}
