/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_codec - any bytes at all, as gzip, raw deflate and cpio.
 *
 * The entry is the one that libFuzzer and AFL call:
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -Isys -idirafter sys/include \
 *       tests/unit/sys/core/codec/fuzz_codec.c
 * test_codec.c calls it with mutated archives, so that it is never stale.
 */
#include "../../../../../sys/core/codec/cpio.c"
#include "../../../../../sys/core/codec/crc32.c"
#include "../../../../../sys/core/codec/inflate.c"

#include <stdio.h>
#include <stdlib.h>

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

_Noreturn void
rt_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	abort();
}

struct fuzz {
	struct cpio	cpio;
	struct cpio_entry entry;
	uint64_t	bytes, left;
	bool		open;
	uint8_t		sum;		/* reads every byte: the sanitizer looks on */
};

static bool
fuzz_begin(void *arg, const struct cpio_entry *e)
{
	struct fuzz *f = arg;

	ASSERT(!f->open);
	ASSERT(strlen(e->name) < CPIO_NAME_MAX);
	f->open = true;
	f->left = e->size;
	return true;
}

static bool
fuzz_data(void *arg, const uint8_t *p, size_t n)
{
	struct fuzz *f = arg;

	ASSERT(f->open && n <= f->left);
	for (size_t i = 0; i < n; i++)
		f->sum ^= p[i];
	f->left -= n;
	return true;
}

static bool
fuzz_end(void *arg)
{
	struct fuzz *f = arg;

	ASSERT(f->open && f->left == 0);
	f->open = false;
	return true;
}

static const struct cpio_sink fuzz_sink = { fuzz_begin, fuzz_data, fuzz_end };

/* At most 16 MiB: a small input may stand for very much. */
static bool
fuzz_out(void *arg, const uint8_t *p, size_t n)
{
	struct fuzz *f = arg;

	f->bytes += n;
	return f->bytes < 16u << 20 && cpio_feed(&f->cpio, p, n) == CPIO_OK;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct inflate s;
	static struct fuzz f;
	size_t used;

	memset(&f, 0, sizeof f);
	cpio_begin(&f.cpio, &fuzz_sink, &f);
	(void)inflate_gzip(&s, data, len, &used, fuzz_out, &f);
	ASSERT(used <= len);
	memset(&f, 0, sizeof f);
	cpio_begin(&f.cpio, &fuzz_sink, &f);
	(void)inflate_raw(&s, data, len, &used, fuzz_out, &f);
	ASSERT(used <= len);
	memset(&f, 0, sizeof f);
	cpio_begin(&f.cpio, &fuzz_sink, &f);
	(void)cpio_feed(&f.cpio, data, len);
	(void)cpio_finish(&f.cpio);
	ASSERT(f.cpio.offset <= len);
	return 0;
}
