/* SPDX-License-Identifier: BSD-2-Clause */
/* Holes: made, moved and looked for, in a file that is mapped and written through the mapping meanwhile. */
#include "t.h"

#define PAGES	8
#define BYTES	(PAGES * T_PAGE)

static int fd;
static char *map;

/* Each page of 'a', 'b', ..., the last byte stored by the mapping. */
static void
fresh(void)
{
	char page[T_PAGE];

	t_need(ftruncate(fd, 0) == 0, "ftruncate");
	for (int i = 0; i < PAGES; i++) {
		memset(page, 'a' + i, sizeof page);
		t_need(pwrite(fd, page, sizeof page, i * T_PAGE) == T_PAGE, "pwrite");
		map[(i + 1) * T_PAGE - 1] = (char)('A' + i);
	}
}

static char
shown(char c)
{
	return c == 0 ? '.' : c;
}

/* The first, second and last byte of each page, as read and as mapped. */
static void
show(const char *what)
{
	char text[2][3 * PAGES + 1] = { "", "" }, page[T_PAGE];
	struct stat st;
	long n;

	t_need(fstat(fd, &st) == 0, "fstat");
	for (int i = 0; i < PAGES; i++) {
		const char *p = map + i * T_PAGE;
		int at = (int)strlen(text[0]);

		if (i * T_PAGE >= st.st_size)
			break;
		n = pread(fd, page, sizeof page, i * T_PAGE);
		t_need(n > 0, "pread");
		memset(page + n, 0, (size_t)(T_PAGE - n));
		snprintf(text[0] + at, 4, "%c%c%c", shown(page[0]), shown(page[1]), shown(page[T_PAGE - 1]));
		snprintf(text[1] + at, 4, "%c%c%c", shown(p[0]), shown(p[1]), shown(p[T_PAGE - 1]));
	}
	t_say("%s: size %d, %s, mapped %s", what, (int)st.st_size, text[0],
	    strcmp(text[0], text[1]) == 0 ? "the same" : text[1]);
}

static void
changes(void)
{
	static const struct { int mode; long off, len; } c[] = {
		{ 3, T_PAGE, 2 * T_PAGE }, { 3, 1, T_PAGE }, { 3, T_PAGE + 1, 10 },
		{ 3, 7 * T_PAGE - 1, 5 * T_PAGE },
		{ 16, T_PAGE + 1, T_PAGE }, { 17, 0, T_PAGE }, { 16, 7 * T_PAGE, 3 * T_PAGE },
		{ 8, T_PAGE, T_PAGE }, { 8, 1, T_PAGE }, { 8, 6 * T_PAGE, 2 * T_PAGE },
		{ 32, T_PAGE, T_PAGE }, { 32, 9 * T_PAGE, T_PAGE }, { 2, 0, T_PAGE }, { 64, 0, T_PAGE },
		{ 1, 0, 9 * T_PAGE }, { 0, 0, 9 * T_PAGE + 1 }, { 0, 1L << 62, 1L << 62 }, { 4, 0, T_PAGE },
	};
	char text[64];
	int r;

	for (size_t i = 0; i < sizeof c / sizeof c[0]; i++) {
		fresh();
		snprintf(text, sizeof text, "mode %d off %ld len %ld", c[i].mode, c[i].off, c[i].len);
		r = fallocate(fd, c[i].mode, c[i].off, c[i].len);
		t_say("%s: %s", text, r == 0 ? "done" : t_errno(errno));
		show(text);
	}
}

static void
looked_for(void)
{
	t_need(ftruncate(fd, 0) == 0 && ftruncate(fd, BYTES) == 0, "ftruncate");
	T(lseek(fd, 0, SEEK_DATA));
	T(lseek(fd, 0, SEEK_HOLE));
	map[3 * T_PAGE] = 'x';
	T(lseek(fd, 0, SEEK_DATA));
	T(lseek(fd, 3 * T_PAGE + 5, SEEK_DATA));
	T(lseek(fd, 3 * T_PAGE, SEEK_HOLE));
	T(lseek(fd, 4 * T_PAGE, SEEK_DATA));
	T(pwrite(fd, "y", 1, 6 * T_PAGE));
	T(lseek(fd, 4 * T_PAGE, SEEK_DATA));
	T(lseek(fd, BYTES, SEEK_HOLE));
	T(lseek(fd, BYTES - 1, SEEK_HOLE));
	T(fallocate(fd, 3, 3 * T_PAGE, T_PAGE));
	T(lseek(fd, 0, SEEK_DATA));
}

int
main(void)
{
	fd = open("sparse", O_CREAT | O_RDWR, 0600);
	t_need(fd >= 0, "open");
	map = mmap(NULL, 2 * BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	t_need(map != MAP_FAILED, "mmap");
	changes();
	looked_for();
	return 0;
}
