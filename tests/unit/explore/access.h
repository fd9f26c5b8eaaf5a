/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * access - every access to shared memory becomes a call of the explorer.
 *
 * Included before anything else (cc -include) into the code under test.  It
 * takes the names of C11 and gives them x86's meaning: a load is a load, a
 * store goes to the store buffer, a store that must be sequentially
 * consistent is an exchange, and whatever locks is a full fence.
 */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum x_op { X_SET, X_ADD, X_SUB, X_OR, X_AND };

uint64_t x_load(const volatile void *p, uint32_t size);
void	x_store(volatile void *p, uint32_t size, uint64_t value);
uint64_t x_rmw(volatile void *p, uint32_t size, enum x_op op, uint64_t value);
bool	x_cas(volatile void *p, uint32_t size, uint64_t *want, uint64_t value);
void	x_copy(void *to, const void *from, uint32_t size);

#define x_type(p)	__typeof__(((void)0, *(p)))
#define x_get(p)	((x_type(p))x_load((p), sizeof(*(p))))
#define x_do(p, op, v)	__extension__({						\
	x_type(p) x_was = (x_type(p))x_rmw((p), sizeof(*(p)), (op), (uint64_t)(v));	\
	x_was; })

#undef atomic_load
#undef atomic_load_explicit
#undef atomic_store
#undef atomic_store_explicit
#undef atomic_exchange
#undef atomic_exchange_explicit
#undef atomic_fetch_add
#undef atomic_fetch_add_explicit
#undef atomic_fetch_sub
#undef atomic_fetch_sub_explicit
#undef atomic_fetch_or
#undef atomic_fetch_or_explicit
#undef atomic_fetch_and
#undef atomic_fetch_and_explicit
#undef atomic_compare_exchange_strong
#undef atomic_compare_exchange_weak_explicit

#define atomic_load(p)				x_get(p)
#define atomic_load_explicit(p, order)		x_get(p)
#define atomic_store(p, v)			((void)x_do((p), X_SET, (v)))
#define atomic_store_explicit(p, v, order)	((order) == memory_order_seq_cst ? atomic_store((p), (v)) : \
						    x_store((p), sizeof(*(p)), (uint64_t)(v)))
#define atomic_exchange(p, v)			x_do((p), X_SET, (v))
#define atomic_exchange_explicit(p, v, order)	x_do((p), X_SET, (v))
#define atomic_fetch_add(p, v)			x_do((p), X_ADD, (v))
#define atomic_fetch_add_explicit(p, v, order)	x_do((p), X_ADD, (v))
#define atomic_fetch_sub(p, v)			x_do((p), X_SUB, (v))
#define atomic_fetch_sub_explicit(p, v, order)	x_do((p), X_SUB, (v))
#define atomic_fetch_or(p, v)			x_do((p), X_OR, (v))
#define atomic_fetch_or_explicit(p, v, order)	x_do((p), X_OR, (v))
#define atomic_fetch_and(p, v)			x_do((p), X_AND, (v))
#define atomic_fetch_and_explicit(p, v, order)	x_do((p), X_AND, (v))
#define atomic_compare_exchange_strong(p, want, v) __extension__({			\
	uint64_t x_want = (uint64_t)*(want);						\
	bool x_done = x_cas((p), sizeof(*(p)), &x_want, (uint64_t)(v));			\
	*(want) = (x_type(p))x_want;							\
	x_done; })
#define atomic_compare_exchange_weak_explicit(p, want, v, yes, no) atomic_compare_exchange_strong((p), (want), (v))

#define ring_copy(to, from)	x_copy((to), (from), sizeof(*(to)))
