/* SPDX-License-Identifier: BSD-2-Clause */
/* Unpacking what gzip packed, reading archives in pieces of any size, and corrupt ones of every kind. */
#include "fuzz_codec.c"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define BYTES_MAX	(1u << 20)

static uint32_t seed = 1;

static uint32_t
rnd(void)
{
	seed = seed * 1664525u + 1013904223u;
	return seed >> 8;
}

/* ---------------------------------------------------------------- inflate -- */

struct sink {
	uint8_t	*data;
	size_t	len, max;
};

static bool
keep(void *arg, const uint8_t *p, size_t n)
{
	struct sink *s = arg;

	if (n > s->max - s->len)
		return false;
	memcpy(s->data + s->len, p, n);
	s->len += n;
	return true;
}

/* The bytes as gzip itself packs them; NULL: there is no gzip. */
static uint8_t *
pack(const uint8_t *data, size_t len, const char *how, size_t *packed)
{
	const char *dir = getenv("TMPDIR");
	char in[256], cmd[320];
	uint8_t *out = malloc(2 * len + 4096);
	FILE *p;
	int fd;

	snprintf(in, sizeof in, "%s/test_codec.XXXXXX", dir != NULL ? dir : P_tmpdir);
	fd = mkstemp(in);
	assert_true(fd >= 0);
	assert_true(write(fd, data, len) == (ssize_t)len);
	close(fd);
	snprintf(cmd, sizeof cmd, "gzip -n %s <%s", how, in);
	p = popen(cmd, "r");
	assert_non_null(p);
	*packed = fread(out, 1, 2 * len + 4096, p);
	assert_int_equal(pclose(p), 0);
	unlink(in);
	return out;
}

static struct inflate state;

static void
round_trip(const uint8_t *data, size_t len, const char *how)
{
	size_t packed, used;
	uint8_t *gz = pack(data, len, how, &packed);
	struct sink s = { malloc(len + 1), 0, len + 1 };

	assert_int_equal(inflate_gzip(&state, gz, packed, &used, keep, &s), INFLATE_OK);
	assert_int_equal(used, packed);
	assert_int_equal(s.len, len);
	assert_memory_equal(s.data, data, len);
	free(s.data);
	free(gz);
}

static void
what_gzip_packs_is_unpacked(void **unused)
{
	static const char *const levels[] = { "-1", "-6", "-9" };
	uint8_t *data = malloc(BYTES_MAX);
	size_t len[] = { 0, 1, 2, 100, 32767, 32768, 32769, 65536, 65537, 300000, BYTES_MAX };

	(void)unused;
	for (int kind = 0; kind < 4; kind++) {
		for (size_t i = 0; i < BYTES_MAX; i++) {
			if (kind == 0)
				data[i] = 0;
			else if (kind == 1)
				data[i] = (uint8_t)rnd();
			else if (kind == 2)
				data[i] = (uint8_t)("abracadabra "[rnd() % 12]);
			else
				data[i] = i >= 32768 && rnd() % 64 != 0 ? data[i - 32768] : (uint8_t)rnd();
		}
		for (size_t k = 0; k < sizeof len / sizeof len[0]; k++) {
			for (int l = 0; l < 3; l++)
				round_trip(data, len[k], levels[l]);
		}
	}
	free(data);
}

static void
several_members_are_one_stream(void **unused)
{
	const uint8_t text[] = "first and second";
	size_t n1, n2, used;
	uint8_t *a = pack(text, 5, "-9", &n1), *b = pack(text + 5, 11, "-1", &n2), *both = calloc(1,
	    n1 + n2 + 7);
	uint8_t out[64];
	struct sink s = { out, 0, sizeof out };

	(void)unused;
	memcpy(both, a, n1);
	memcpy(both + n1, b, n2);
	assert_int_equal(inflate_gzip(&state, both, n1 + n2 + 7, &used, keep, &s), INFLATE_OK);
	assert_int_equal(s.len, 16);
	assert_memory_equal(out, text, 16);
	/* What follows and is neither a member nor padding is an error. */
	both[n1 + n2] = 'x';
	s.len = 0;
	assert_int_equal(inflate_gzip(&state, both, n1 + n2 + 7, &used, keep, &s), INFLATE_BAD_HEADER);
	free(a);
	free(b);
	free(both);
}

static void
each_truncation_is_noticed(void **unused)
{
	uint8_t data[5000], out[5000];
	size_t n, used;
	uint8_t *gz;

	(void)unused;
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)("some text or other"[rnd() % 18]);
	gz = pack(data, sizeof data, "-9", &n);
	for (size_t cut = 0; cut < n; cut++) {
		struct sink s = { out, 0, sizeof out };
		uint8_t *copy = malloc(cut + 1);	/* so that a read beyond it is seen */

		memcpy(copy, gz, cut);
		assert_int_equal(inflate_gzip(&state, copy, cut, &used, keep, &s), INFLATE_TRUNCATED);
		assert_true(used <= cut);
		free(copy);
	}
	gz[n - 1] ^= 1;
	{
		struct sink s = { out, 0, sizeof out };

		assert_int_equal(inflate_gzip(&state, gz, n, &used, keep, &s), INFLATE_BAD_SUM);
		gz[n - 1] ^= 1;
		gz[n - 8] ^= 1;
		s.len = 0;
		assert_int_equal(inflate_gzip(&state, gz, n, &used, keep, &s), INFLATE_BAD_SUM);
		gz[2] = 7;
		assert_int_equal(inflate_gzip(&state, gz, n, &used, keep, &s), INFLATE_BAD_HEADER);
		s.len = 0;
		s.max = 10;
		gz[2] = 8;
		gz[n - 8] ^= 1;
		assert_int_equal(inflate_gzip(&state, gz, n, &used, keep, &s), INFLATE_STOPPED);
	}
	free(gz);
}

static void
impossible_deflate_is_refused(void **unused)
{
	static const struct { uint8_t bytes[8]; size_t len; enum inflate_result r; } c[] = {
		{ { 0x07 }, 1, INFLATE_BAD_BLOCK },			/* block type 3 */
		/* length and its complement */
		{ { 0x01, 0x01, 0x00, 0x00, 0x00 }, 5, INFLATE_BAD_BLOCK },
		{ { 0x01, 0x00, 0x00, 0xff, 0xff }, 5, INFLATE_OK },	/* an empty stored block */
		{ { 0x03, 0x00 }, 2, INFLATE_OK },			/* an empty fixed block */
		{ { 0x03, 0x02 }, 2, INFLATE_BAD_DISTANCE },		/* a copy from nowhere */
		/* 288 literal codes */
		{ { 0xfd, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00 }, 8, INFLATE_BAD_BLOCK },
		/* no code at all */
		{ { 0x05, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00 }, 8, INFLATE_BAD_CODE },
	};
	uint8_t out[64];
	size_t used;

	(void)unused;
	for (size_t i = 0; i < sizeof c / sizeof c[0]; i++) {
		struct sink s = { out, 0, sizeof out };

		assert_int_equal(inflate_raw(&state, c[i].bytes, c[i].len, &used, keep, &s), c[i].r);
	}
}

static void
the_sum_is_the_usual_one(void **unused)
{
	struct crc32_table t;
	uint8_t data[100];
	uint32_t whole;

	(void)unused;
	crc32_init(&t);
	assert_int_equal(crc32_update(&t, 0, "123456789", 9), 0xcbf43926u);
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)rnd();
	whole = crc32_update(&t, 0, data, sizeof data);
	for (size_t cut = 0; cut <= sizeof data; cut++)
		assert_int_equal(crc32_update(&t, crc32_update(&t, 0, data, cut), data + cut,
		    sizeof data - cut), whole);
}

/* ------------------------------------------------------------------- cpio -- */

struct archive {
	uint8_t	data[8192];
	size_t	len;
};

static void
put(struct archive *a, const char *magic, const char *name, uint32_t mode, const char *data, uint32_t sum)
{
	a->len += (size_t)sprintf((char *)a->data + a->len,
	    "%s%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", magic,
	    7u, mode, 1u, 2u, 1u, 3u, (unsigned)strlen(data), 0u, 0u, 4u, 5u, (unsigned)strlen(name) + 1,
	    sum);
	memcpy(a->data + a->len, name, strlen(name) + 1);
	a->len += strlen(name) + 1;
	while (a->len % 4 != 0)
		a->data[a->len++] = 0;
	memcpy(a->data + a->len, data, strlen(data));
	a->len += strlen(data);
	while (a->len % 4 != 0)
		a->data[a->len++] = 0;
}

struct got {
	char	text[512];
	size_t	data_bytes;
};

static bool
got_begin(void *arg, const struct cpio_entry *e)
{
	struct got *g = arg;

	snprintf(g->text + strlen(g->text), sizeof g->text - strlen(g->text), "%s %o %u:%u %u,%u [",
	    e->name, e->mode,
	    e->uid, e->gid, e->rdev_major, e->rdev_minor);
	return true;
}

static bool
got_data(void *arg, const uint8_t *p, size_t n)
{
	struct got *g = arg;

	strncat(g->text, (const char *)p, n);
	return true;
}

static bool
got_end(void *arg)
{
	strcat(((struct got *)arg)->text, "]\n");
	return true;
}

static const struct cpio_sink got_sink = { got_begin, got_data, got_end };

static enum cpio_result
read_in_pieces(const struct archive *a, size_t piece, struct got *g)
{
	static struct cpio c;
	enum cpio_result r = CPIO_OK;

	memset(g, 0, sizeof *g);
	cpio_begin(&c, &got_sink, g);
	for (size_t at = 0; at < a->len && r == CPIO_OK; at += piece)
		r = cpio_feed(&c, a->data + at, piece < a->len - at ? piece : a->len - at);
	return r != CPIO_OK ? r : cpio_finish(&c);
}

static void
make_archive(struct archive *a)
{
	memset(a, 0, sizeof *a);
	put(a, "070701", "dir", 040755, "", 0);
	put(a, "070701", "dir/file", 0100644, "hello", 0);
	put(a, "070702", "sum", 0100600, "abc", 'a' + 'b' + 'c');
	put(a, "070701", "TRAILER!!!", 0, "", 0);
}

static void
an_archive_reads_the_same_in_any_pieces(void **unused)
{
	static const char want[] = "dir 40755 1:2 4,5 []\ndir/file 100644 1:2 4,5 [hello]\n"
	    "sum 100600 1:2 4,5 [abc]\n";
	struct archive a;
	struct got g;

	(void)unused;
	make_archive(&a);
	for (size_t piece = 1; piece <= a.len; piece++) {
		assert_int_equal(read_in_pieces(&a, piece, &g), CPIO_OK);
		assert_string_equal(g.text, want);
	}
	/* Padding and a second archive may follow the first. */
	a.len += 512 - a.len % 512;
	put(&a, "070701", "more", 0100644, "", 0);
	put(&a, "070701", "TRAILER!!!", 0, "", 0);
	assert_int_equal(read_in_pieces(&a, 100, &g), CPIO_OK);
	assert_non_null(strstr(g.text, "more 100644"));
}

static void
corrupt_archives_are_refused(void **unused)
{
	struct archive a, whole;
	struct got g;

	(void)unused;
	make_archive(&whole);
	for (size_t cut = 0; cut < whole.len; cut++) {
		a = whole;
		a.len = cut;
		if (read_in_pieces(&a, 50, &g) == CPIO_OK)
			assert_true(cut >= whole.len - 4);	/* only padding is missing */
	}
	a = whole;
	a.data[5] = '7';
	assert_int_equal(read_in_pieces(&a, 50, &g), CPIO_BAD_MAGIC);
	a = whole;
	a.data[6 + 8 * 6] = 'g';
	assert_int_equal(read_in_pieces(&a, 50, &g), CPIO_BAD_NUMBER);
	a = whole;
	memcpy(a.data + 6 + 8 * 11, "00000000", 8);
	assert_int_equal(read_in_pieces(&a, 50, &g), CPIO_BAD_NAME);
	memcpy(a.data + 6 + 8 * 11, "FFFFFFFF", 8);
	assert_int_equal(read_in_pieces(&a, 50, &g), CPIO_BAD_NAME);
	memcpy(a.data + 6 + 8 * 11, "00000005", 8);
	assert_int_equal(read_in_pieces(&a, 50, &g), CPIO_BAD_NAME);	/* the NUL is elsewhere */
	memset(&a, 0, sizeof a);
	put(&a, "070702", "sum", 0100600, "abc", 1);
	assert_int_equal(read_in_pieces(&a, 50, &g), CPIO_BAD_SUM);
}

/* ------------------------------------------------------------------- fuzz -- */

static void
mutants_do_no_harm(void **unused)
{
	struct archive a;
	uint8_t text[3000];
	size_t n;
	uint8_t *gz;

	(void)unused;
	make_archive(&a);
	memset(text, 'x', sizeof text);
	memcpy(text, a.data, a.len < sizeof text ? a.len : sizeof text);
	gz = pack(text, sizeof text, "-9", &n);
	for (int round = 0; round < 20000; round++) {
		const uint8_t *from = round % 3 == 0 ? a.data : round % 3 == 1 ? gz : gz + 10;
		size_t len = round % 3 == 0 ? a.len : round % 3 == 1 ? n : n - 10;
		uint8_t *copy;

		len -= rnd() % 4 == 0 ? rnd() % len : 0;
		copy = malloc(len + 1);
		memcpy(copy, from, len);
		for (uint32_t k = rnd() % 4; k > 0 && len > 0; k--)
			copy[rnd() % len] = rnd() % 2 ? (uint8_t)rnd() :
			    (uint8_t)(copy[rnd() % len] ^ 1u << rnd() % 8);
		LLVMFuzzerTestOneInput(copy, len);
		free(copy);
	}
	free(gz);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_gzip_packs_is_unpacked),
		cmocka_unit_test(several_members_are_one_stream),
		cmocka_unit_test(each_truncation_is_noticed),
		cmocka_unit_test(impossible_deflate_is_refused),
		cmocka_unit_test(the_sum_is_the_usual_one),
		cmocka_unit_test(an_archive_reads_the_same_in_any_pieces),
		cmocka_unit_test(corrupt_archives_are_refused),
		cmocka_unit_test(mutants_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
