/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * blake2s - RFC 7693, sections 2 and 3, with words of 32 bits.
 *
 * The last block is compressed in another way than the others, so a full
 * block waits until there is more, or the end.
 */
#include <core/codec/blake2s.h>
#include <core/rt/rt.h>

#define ROUNDS	10

static const uint32_t iv[8] = {
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};
static const uint8_t sigma[ROUNDS][16] = {
	{ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
	{ 14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3 },
	{ 11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4 },
	{ 7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8 },
	{ 9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13 },
	{ 2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9 },
	{ 12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11 },
	{ 13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10 },
	{ 6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5 },
	{ 10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0 },
};

static inline uint32_t
rotate(uint32_t x, uint32_t n)
{
	return x >> n | x << (32 - n);
}

static inline void
mix(uint32_t v[16], uint32_t a, uint32_t b, uint32_t c, uint32_t d, uint32_t x, uint32_t y)
{
	v[a] += v[b] + x;
	v[d] = rotate(v[d] ^ v[a], 16);
	v[c] += v[d];
	v[b] = rotate(v[b] ^ v[c], 12);
	v[a] += v[b] + y;
	v[d] = rotate(v[d] ^ v[a], 8);
	v[c] += v[d];
	v[b] = rotate(v[b] ^ v[c], 7);
}

static void
compress(struct blake2s *b, bool is_last)
{
	uint32_t v[16], m[16];

	memcpy(m, b->bl_block, sizeof m);
	memcpy(v, b->bl_h, sizeof b->bl_h);
	memcpy(v + 8, iv, sizeof iv);
	v[12] ^= (uint32_t)b->bl_bytes;
	v[13] ^= (uint32_t)(b->bl_bytes >> 32);
	if (is_last)
		v[14] = ~v[14];
	for (uint32_t r = 0; r < ROUNDS; r++) {
		const uint8_t *s = sigma[r];

		for (uint32_t i = 0; i < 4; i++)
			mix(v, i, 4 + i, 8 + i, 12 + i, m[s[2 * i]], m[s[2 * i + 1]]);
		for (uint32_t i = 0; i < 4; i++)
			mix(v, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4, m[s[8 + 2 * i]],
			    m[s[9 + 2 * i]]);
	}
	for (uint32_t i = 0; i < 8; i++)
		b->bl_h[i] ^= v[i] ^ v[i + 8];
}

void
blake2s_init(struct blake2s *b, size_t out, const void *key, size_t key_len)
{
	ASSERT(out >= 1 && out <= BLAKE2S_BYTES && key_len <= BLAKE2S_BYTES);
	*b = (struct blake2s){ .bl_out = (uint32_t)out };
	memcpy(b->bl_h, iv, sizeof iv);
	b->bl_h[0] ^= 0x01010000u ^ (uint32_t)key_len << 8 ^ (uint32_t)out;
	if (key_len > 0) {
		memcpy(b->bl_block, key, key_len);
		b->bl_fill = BLAKE2S_BLOCK;
	}
}

void
blake2s_update(struct blake2s *b, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len > 0) {
		size_t n;

		if (b->bl_fill == BLAKE2S_BLOCK) {
			b->bl_bytes += BLAKE2S_BLOCK;
			compress(b, false);
			b->bl_fill = 0;
		}
		n = rt_min(len, BLAKE2S_BLOCK - b->bl_fill);
		memcpy(b->bl_block + b->bl_fill, p, n);
		b->bl_fill += (uint32_t)n;
		p += n;
		len -= n;
	}
}

void
blake2s_final(struct blake2s *b, void *digest)
{
	memset(b->bl_block + b->bl_fill, 0, BLAKE2S_BLOCK - b->bl_fill);
	b->bl_bytes += b->bl_fill;
	compress(b, true);
	memcpy(digest, b->bl_h, b->bl_out);
}
