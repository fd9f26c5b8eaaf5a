/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * entropy - random bytes, from all that differs from boot to boot.
 *
 * The pool is a key.  What comes in is hashed with it into the next pool.  For
 * who asks, the pool and what is new at that moment (the processor's own
 * random numbers, clocks, when interrupts came) are hashed twice, apart: into a key
 * for this answer alone and into the next pool, from which neither that key nor
 * an earlier pool can be computed.  The answer is a hash of each block's number.
 *
 * Locking: [busy], with interrupts off: any context.
 */
#include <core/codec/blake2s.h>
#include <core/rt/rt.h>
#include <drv/entropy.h>
#include <machine/clock.h>

#include "pc.h"

enum { FOR_POOL, FOR_ANSWER };		/* what is hashed begins with it */

static _Atomic uint32_t busy;			/* [atomic] a lock */
static uint8_t pool[BLAKE2S_BYTES];		/* [busy] */

static bool
pool_lock(void)
{
	bool intr = intr_save();

	while (atomic_exchange(&busy, 1) != 0)
		__builtin_ia32_pause();
	return intr;
}

static void
pool_unlock(bool intr)
{
	atomic_store(&busy, 0);
	intr_restore(intr);
}

/* `out` may be the key. */
static void
keyed(const uint8_t key[BLAKE2S_BYTES], uint64_t what, const void *bytes, size_t len,
    uint8_t out[BLAKE2S_BYTES])
{
	struct blake2s b;

	blake2s_init(&b, BLAKE2S_BYTES, key, BLAKE2S_BYTES);
	blake2s_update(&b, &what, sizeof what);
	blake2s_update(&b, bytes, len);
	blake2s_final(&b, out);
}

void
entropy_add(const void *bytes, size_t len)
{
	uint8_t digest[BLAKE2S_BYTES];
	struct blake2s b;
	bool intr;

	blake2s_init(&b, sizeof digest, NULL, 0);
	blake2s_update(&b, bytes, len);
	blake2s_final(&b, digest);
	intr = pool_lock();
	keyed(pool, FOR_POOL, digest, sizeof digest, pool);
	pool_unlock(intr);
}

/* 0: the processor has none, or none now. */
static uint64_t
hardware_word(void)
{
	uint64_t w = 0;
	uint8_t ok = 0;

	for (uint32_t i = 0; i < 16 && ok == 0 && pc_feat.f_rdseed; i++)
		__asm__ volatile("rdseed %0\n\tsetc %1" : "=r"(w), "=q"(ok) : : "cc");
	for (uint32_t i = 0; i < 16 && ok == 0 && pc_feat.f_rdrand; i++)
		__asm__ volatile("rdrand %0\n\tsetc %1" : "=r"(w), "=q"(ok) : : "cc");
	return ok != 0 ? w : 0;
}

static void
answer_key(uint8_t key[BLAKE2S_BYTES])
{
	uint64_t now[8] = {
		rdtsc(), md_wall(), atomic_load(&pc_self()->pc_jitter), kcpu_id(),
		hardware_word(), hardware_word(), hardware_word(), hardware_word(),
	};
	bool intr = pool_lock();

	keyed(pool, FOR_ANSWER, now, sizeof now, key);
	keyed(pool, FOR_POOL, now, sizeof now, pool);
	pool_unlock(intr);
}

void
md_entropy(void *buf, size_t len)
{
	uint8_t key[BLAKE2S_BYTES], block[BLAKE2S_BYTES], *to = buf;

	answer_key(key);
	for (uint64_t n = 0; len > 0; n++) {
		size_t part = rt_min(len, sizeof block);

		keyed(key, n, NULL, 0, block);
		memcpy(to, block, part);
		to += part;
		len -= part;
	}
}
