/* SPDX-License-Identifier: BSD-2-Clause */
/* /proc/self - the shape of what programs read there. */
#include "t.h"
#include <dirent.h>

static char text[1 << 16];

static ssize_t
slurp(const char *path)
{
	int fd = open(path, O_RDONLY);
	ssize_t n, have = 0;

	if (fd < 0) {
		t_say("%s: %s", path, t_errno(errno));
		return -1;
	}
	while ((n = read(fd, text + have, sizeof text - 1 - (size_t)have)) > 0)
		have += n;
	close(fd);
	text[have] = '\0';
	return have;
}

static void
status(void)
{
	static const char *const want[] = { "Name:", "State:", "Tgid:", "Pid:", "PPid:", "Uid:", "Gid:", "VmSize:", "VmRSS:",
	    "Threads:", "SigBlk:", "SigIgn:", "SigCgt:" };
	char *p;

	if (slurp("/proc/self/status") < 0)
		return;
	for (size_t i = 0; i < T_COUNT(want); i++)
		t_say("status has %s %d", want[i], strstr(text, want[i]) != NULL);
	p = strstr(text, "Name:");
	t_say("%.*s", p == NULL ? 0 : (int)strcspn(p, "\n"), p);
	p = strstr(text, "State:");
	t_say("%.*s", p == NULL ? 0 : (int)strcspn(p, "\n"), p);
	p = strstr(text, "\nPid:");
	t_say("pid right %d", p != NULL && atoi(p + 5) == getpid());
	p = strstr(text, "\nPPid:");
	t_say("ppid right %d", p != NULL && atoi(p + 6) == getppid());
}

static void
stat_line(void)
{
	int pid = 0, ppid = 0, pgrp = 0, sid = 0, fields = 1;
	char state = 0, *p;

	if (slurp("/proc/self/stat") < 0)
		return;
	p = strrchr(text, ')');
	t_say("command in parentheses %d", p != NULL && strstr(text, "(proc_self)") != NULL);
	pid = atoi(text);
	if (p != NULL && sscanf(p + 2, "%c %d %d %d", &state, &ppid, &pgrp, &sid) == 4)
		t_say("pid %d state %c ppid %d pgrp %d session %d", pid == getpid(), state, ppid == getppid(),
		    pgrp == getpgrp(), sid == getsid(0));
	for (; p != NULL && *p != '\0'; p++)
		fields += *p == ' ';
	t_say("fields %d", fields + 1);
	slurp("/proc/self/statm");
	for (fields = 1, p = text; *p != '\0'; p++)
		fields += *p == ' ';
	t_say("statm fields %d", fields);
}

static void
small_files(void)
{
	char buf[PATH_MAX];
	ssize_t n;

	n = slurp("/proc/self/cmdline");
	t_say("cmdline ends with the name: %d, %s", n > 10 && strcmp(text + n - 10, "proc_self") == 0,
	    n > 0 && text[n - 1] == '\0' ? "NUL-terminated" : "not terminated");
	slurp("/proc/self/comm");
	t_say("comm %.9s", text);
	n = slurp("/proc/self/environ");
	t_say("environ has PATH %d", memmem(text, (size_t)n, "PATH=", 5) != NULL);
	n = readlink("/proc/self/exe", buf, sizeof buf - 1);
	buf[n > 0 ? n : 0] = '\0';
	t_say("exe ends right %d", n > 9 && strcmp(buf + n - 9, "proc_self") == 0);
	n = readlink("/proc/self/cwd", buf, sizeof buf - 1);
	buf[n > 0 ? n : 0] = '\0';
	t_say("cwd ends right %d", n > 9 && strcmp(buf + n - 9, "proc_self") == 0);
	n = readlink("/proc/self/root", buf, sizeof buf - 1);
	t_say("root is / %d", n == 1 && buf[0] == '/');
	n = readlink("/proc/self", buf, sizeof buf - 1);
	buf[n > 0 ? n : 0] = '\0';
	t_say("self is my number %d", atoi(buf) == getpid());
	T(access("/proc/self/mem", F_OK));
	T(access("/proc/self/limits", F_OK));
	T(access("/proc/self/mounts", F_OK));
	T(access("/proc/self/nothing", F_OK));
	T(access("/proc/999999999", F_OK));
	T(mkdir("/proc/new", 0700));
	T(open("/proc/new", O_CREAT | O_RDWR, 0600));
	T(unlink("/proc/self/stat"));
}

static void
descriptors(void)
{
	char buf[64], path[64];
	int fd = open("/dev/null", O_RDONLY), p[2], n = 0;
	struct stat st, of_pipe;
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;
	ssize_t len;

	if (d == NULL) {
		t_say("fd: %s", t_errno(errno));
		return;
	}
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			n++;
	closedir(d);
	t_say("open descriptors %d", n);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	len = readlink(path, buf, sizeof buf - 1);
	buf[len > 0 ? len : 0] = '\0';
	t_say("link %s", buf);
	t_need(pipe(p) == 0, "pipe");
	snprintf(path, sizeof path, "/proc/self/fd/%d", p[0]);
	len = readlink(path, buf, sizeof buf - 1);
	buf[len > 5 ? 5 : 0] = '\0';
	t_say("link %s", buf);
	/* A descriptor can be opened again by its name. */
	t_file("f", "again", 0600);
	close(fd);
	fd = open("f", O_RDWR);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	t_cat(path);
	T(unlink("f"));
	t_cat(path);
	len = readlink(path, buf, sizeof buf - 1);
	buf[len > 0 ? len : 0] = '\0';
	T(open("/proc/self/fd/900", O_RDONLY));
	snprintf(path, sizeof path, "/proc/self/fd/%d", p[0]);
	T(stat(path, &st));
	T(fstat(p[0], &of_pipe));
	T(S_ISFIFO(st.st_mode) && st.st_mode == of_pipe.st_mode && st.st_ino == of_pipe.st_ino);
	snprintf(path, sizeof path, "/proc/self/fd/%d", p[1]);
	T_OK(open(path, O_WRONLY));
	close(fd), close(p[0]), close(p[1]);
}

static void
maps(void)
{
	char *line, *save = NULL, *a = t_pages(1);
	int lines = 0, bad = 0, stack = 0, exe = 0, mine = 0;
	unsigned long last = 0;

	if (slurp("/proc/self/maps") < 0)
		return;
	for (line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
		unsigned long lo, hi, off, ino;
		unsigned maj, min;
		char perm[5], name[256] = "";

		if (sscanf(line, "%lx-%lx %4s %lx %x:%x %lu %255s", &lo, &hi, perm, &off, &maj, &min, &ino, name) < 7 ||
		    (lo < last) || hi <= lo) {
			bad++;
			continue;
		}
		last = hi > 0xffff800000000000 ? last : hi;
		lines++;
		stack += strcmp(name, "[stack]") == 0;
		exe += strstr(name, "proc_self") != NULL && strcmp(perm, "r-xp") == 0;
		mine += (unsigned long)a >= lo && (unsigned long)a < hi && strcmp(perm, "rw-p") == 0;
	}
	t_say("lines %d bad %d stack %d program text %d my page %d", lines > 3, bad, stack, exe, mine);
}

static void
system_files(void)
{
	static const char *const files[] = { "/proc/meminfo", "/proc/stat", "/proc/uptime", "/proc/loadavg", "/proc/mounts",
	    "/proc/filesystems", "/proc/version", "/proc/cpuinfo", "/proc/sys/kernel/hostname", "/proc/sys/kernel/ostype" };

	for (size_t i = 0; i < T_COUNT(files); i++)
		t_say("%s has something: %d", files[i], slurp(files[i]) > 0);
	slurp("/proc/meminfo");
	t_say("MemTotal %d MemFree %d MemAvailable %d", strstr(text, "MemTotal:") == text, strstr(text, "MemFree:") != NULL,
	    strstr(text, "MemAvailable:") != NULL);
	slurp("/proc/stat");
	t_say("cpu %d cpu0 %d btime %d processes %d", strncmp(text, "cpu ", 4) == 0, strstr(text, "\ncpu0 ") != NULL,
	    strstr(text, "\nbtime ") != NULL, strstr(text, "\nprocesses ") != NULL);
}

/* The state of others. */
static void
others(void)
{
	char path[64];
	pid_t pid = fork();
	char *p = NULL;

	if (pid == 0)
		for (;;)
			pause();
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	T_UNTIL(slurp(path) > 0 && (p = strrchr(text, ')')) != NULL && p[2] == 'S');
	t_say("sleeping child: %c", p != NULL ? p[2] : '?');
	kill(pid, SIGSTOP);
	waitpid(pid, NULL, WUNTRACED);
	slurp(path);
	p = strrchr(text, ')');
	t_say("stopped child: %c", p != NULL ? p[2] : '?');
	kill(pid, SIGKILL);
	siginfo_t si;
	waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT);
	slurp(path);
	p = strrchr(text, ')');
	t_say("dead child: %c", p != NULL ? p[2] : '?');
	snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
	t_say("its cmdline: %zd bytes", slurp(path));
	waitpid(pid, NULL, 0);
	T(access(path, F_OK));
}

int
main(void)
{
	status();
	stat_line();
	small_files();
	descriptors();
	maps();
	system_files();
	others();
	return 0;
}
