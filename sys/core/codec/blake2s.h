/* SPDX-License-Identifier: BSD-2-Clause */
/* blake2s - a hash that may have a key (RFC 7693). */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define BLAKE2S_BYTES	32u		/* of the longest digest, and of the longest key */
#define BLAKE2S_BLOCK	64u

struct blake2s {
	uint32_t	bl_h[8];
	uint64_t	bl_bytes;	/* hashed, this block not */
	uint32_t	bl_fill;	/* bytes in bl_block */
	uint32_t	bl_out;		/* const: bytes of the digest */
	uint8_t		bl_block[BLAKE2S_BLOCK];
};

/* A digest of `out` bytes, 1 to 32; a key of 0 to 32. */
void	blake2s_init(struct blake2s *b, size_t out, const void *key, size_t key_len);
void	blake2s_update(struct blake2s *b, const void *data, size_t len);
void	blake2s_final(struct blake2s *b, void *digest);
