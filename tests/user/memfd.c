/* SPDX-License-Identifier: BSD-2-Clause */
/* memfd - files without a name, and what each seal forbids. */
#include "t.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL	8u
#define MFD_EXEC	16u
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x10
#endif
#define F_SEAL_EXEC_	0x20

static char buf[3 * T_PAGE];

static int
make(unsigned flags, off_t size)
{
	int fd = memfd_create("x", flags);

	t_need(fd >= 0 && ftruncate(fd, size) == 0, "memfd");
	return fd;
}

/* 0, or -1 with errno: a mapping that is not kept. */
static int
map(int fd, int prot, int flags)
{
	void *p = mmap(NULL, T_PAGE, prot, flags, fd, 0);

	return p == MAP_FAILED ? -1 : munmap(p, T_PAGE);
}

static void
names(void)
{
	char name[300], path[64];
	struct stat st;
	int fd;

	memset(name, 'n', sizeof name);
	name[250] = 0;
	T_SYS(memfd_create, name, 0);
	name[249] = 0;
	fd = memfd_create(name, MFD_CLOEXEC);
	T(fd >= 0);
	T(fcntl(fd, F_GETFD));
	T(fcntl(fd, F_GETFL));
	close(fd);
	T_SYS(memfd_create, NULL, 0);
	T_SYS(memfd_create, "a", 0x20);
	T_SYS(memfd_create, "a", MFD_EXEC | MFD_NOEXEC_SEAL);
	fd = memfd_create("a/b c", 0);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	memset(name, 0, sizeof name);
	T(readlink(path, name, 299));
	t_say("%s", name);
	T(fstat(fd, &st));
	t_say("mode %o nlink %d size %d", st.st_mode, (int)st.st_nlink, (int)st.st_size);
	T(write(fd, "hello", 5));
	T(lseek(fd, 0, SEEK_SET));
	memset(name, 0, sizeof name);
	T(read(fd, name, 9));
	t_say("%s", name);
	close(fd);
	/* Another description of the same file. */
	fd = memfd_create("", 0);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	T(write(fd, "abc", 3));
	int again = open(path, O_RDONLY);
	T(again >= 0);
	memset(name, 0, sizeof name);
	T(read(again, name, 9));
	t_say("%s", name);
	T(linkat(AT_FDCWD, path, AT_FDCWD, "linked", AT_SYMLINK_FOLLOW));
	T(fcntl(again, F_GET_SEALS));
	T(fcntl(again, F_ADD_SEALS, F_SEAL_SEAL));
	close(again);
	T(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	T(fcntl(fd, F_ADD_SEALS, 0));
	close(fd);
}

static void
not_sealable(void)
{
	int p[2], fd = open("f", O_CREAT | O_RDWR, 0600), ro;

	t_need(pipe(p) == 0 && fd >= 0, "pipe");
	T(fcntl(p[0], F_GET_SEALS));
	T(fcntl(p[1], F_ADD_SEALS, F_SEAL_WRITE));
	T(fcntl(p[0], F_ADD_SEALS, F_SEAL_WRITE));
	close(fd), close(p[0]), close(p[1]);
	fd = make(MFD_ALLOW_SEALING, 0);
	char path[64];
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	ro = open(path, O_RDONLY);
	T(fcntl(ro, F_ADD_SEALS, F_SEAL_WRITE));
	T(fcntl(fd, F_ADD_SEALS, 0x40));
	T(fcntl(fd, F_ADD_SEALS, 0));
	T(fcntl(fd, F_GET_SEALS));
	T(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_GROW));
	T(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
	T(fcntl(fd, F_GET_SEALS));
	close(ro), close(fd);
}

static void
sizes(void)
{
	int fd = make(MFD_ALLOW_SEALING, 2 * T_PAGE);

	T(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
	T(ftruncate(fd, T_PAGE));
	T(ftruncate(fd, 2 * T_PAGE));
	T(ftruncate(fd, 2 * T_PAGE + 100));
	T(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
	T(ftruncate(fd, 3 * T_PAGE));
	T(fallocate(fd, 0, 0, 3 * T_PAGE));
	T(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 3 * T_PAGE));
	T(fallocate(fd, 0, 0, T_PAGE));
	T(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, T_PAGE));
	T(pwrite(fd, buf, 100, 2 * T_PAGE));
	T(pwrite(fd, buf, 101, 2 * T_PAGE));
	T(pwrite(fd, buf, 10, 3 * T_PAGE));
	T(map(fd, PROT_READ | PROT_WRITE, MAP_SHARED));
	close(fd);
}

static void
writes(void)
{
	int fd = make(MFD_ALLOW_SEALING, T_PAGE);
	char *rw = mmap(NULL, T_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), *ro, *priv;

	T(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	T(mprotect(rw, T_PAGE, PROT_READ));
	T(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	priv = mmap(NULL, T_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (t_child("child keeps it mapped") == 0)
		_exit(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == -1 ? errno : 0);
	munmap(rw, T_PAGE);
	T(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	T(fcntl(fd, F_GET_SEALS));
	T(write(fd, buf, 1));
	T(write(fd, buf, 0));
	T(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, T_PAGE));
	T(fallocate(fd, 0, 0, T_PAGE));
	T(ftruncate(fd, 2 * T_PAGE));
	T(ftruncate(fd, T_PAGE));
	T(map(fd, PROT_READ | PROT_WRITE, MAP_SHARED));
	T(map(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE));
	ro = mmap(NULL, T_PAGE, PROT_READ, MAP_SHARED, fd, 0);
	T_OK(ro == MAP_FAILED ? -1 : 0);
	if (ro != MAP_FAILED)
		T(mprotect(ro, T_PAGE, PROT_READ | PROT_WRITE));
	priv[0] = 'p';
	T(priv[0]);
	close(fd);
}

static void
future_writes(void)
{
	int fd = make(MFD_ALLOW_SEALING, T_PAGE);
	char *rw = mmap(NULL, T_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), c = 0;

	T(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
	rw[0] = 'w';
	T(pread(fd, &c, 1, 0));
	T(c);
	T(mprotect(rw, T_PAGE, PROT_READ));
	T(mprotect(rw, T_PAGE, PROT_READ | PROT_WRITE));
	T(write(fd, buf, 1));
	T(map(fd, PROT_READ | PROT_WRITE, MAP_SHARED));
	T(map(fd, PROT_READ, MAP_SHARED));
	T(ftruncate(fd, 0));
	T(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	munmap(rw, T_PAGE);
	T(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	T(fcntl(fd, F_GET_SEALS));
	close(fd);
}

static void
programs(void)
{
	int fd = memfd_create("e", MFD_NOEXEC_SEAL);
	struct stat st;

	T(fcntl(fd, F_GET_SEALS));
	t_need(fstat(fd, &st) == 0, "fstat");
	t_say("mode %o", st.st_mode);
	T(fchmod(fd, 0700));
	T(fchmod(fd, 0600));
	T(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
	close(fd);
	fd = memfd_create("e", MFD_ALLOW_SEALING | MFD_EXEC);
	T(fcntl(fd, F_ADD_SEALS, F_SEAL_EXEC_));
	T(fcntl(fd, F_GET_SEALS));
	T(fchmod(fd, 0600));
	T(fchmod(fd, 0711));
	close(fd);
	/* A program in memory runs. */
	fd = memfd_create("script", 0);
	int self = open("/proc/self/exe", O_RDONLY);
	ssize_t n;
	while ((n = read(self, buf, sizeof buf)) > 0)
		t_need(write(fd, buf, (size_t)n) == n, "copy");
	close(self);
	int ro;
	char path[64];
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	ro = open(path, O_RDONLY | O_CLOEXEC);
	if (t_child("open for writing") == 0) {
		execl(path, "memfd", "again", (char *)NULL);
		_exit(errno == ETXTBSY ? 77 : 78);
	}
	close(fd);
	if (t_child("run") == 0) {
		char *argv[] = { "memfd", "again", NULL }, *envp[] = { NULL };

		syscall(SYS_execveat, ro, "", argv, envp, AT_EMPTY_PATH);
		_exit(errno);
	}
}

int
main(int argc, char **argv)
{
	(void)argv;
	if (argc > 1) {
		t_say("a program without a name");
		return 5;
	}
	names();
	not_sealable();
	sizes();
	writes();
	future_writes();
	programs();
	return 0;
}
