/* SPDX-License-Identifier: MIT */
/*
 * The only place that names a memory order.
 *
 * Fields in shared memory are plain fixed-width integers, so that the layout is the same bytes for
 * every compiler and language; the order stands on the access. There are no bare fences: the
 * one handshake that needs store before load (announce a sleep, then look again) is two
 * sequentially consistent accesses on each side, which ThreadSanitizer understands.
 *
 * Each use names its partner: a comment "order: NAME" at both ends, the list of names in
 * doc/design/memory-order.md; each relaxed use says "relaxed: why".
 */
#ifndef WEIR_BASE_ATOMIC_H
#define WEIR_BASE_ATOMIC_H

#include <stdint.h>

#define load_relaxed(p)		__atomic_load_n((p), __ATOMIC_RELAXED)
#define load_acquire(p)		__atomic_load_n((p), __ATOMIC_ACQUIRE)
#define load_seq(p)		__atomic_load_n((p), __ATOMIC_SEQ_CST)

#define store_relaxed(p, v)	__atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define store_release(p, v)	__atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define store_seq(p, v)		__atomic_store_n((p), (v), __ATOMIC_SEQ_CST)

#define xchg_acquire(p, v)	__atomic_exchange_n((p), (v), __ATOMIC_ACQUIRE)
#define xchg_release(p, v)	__atomic_exchange_n((p), (v), __ATOMIC_RELEASE)
#define xchg_seq(p, v)		__atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST)
#define or_relaxed(p, v)	__atomic_fetch_or((p), (v), __ATOMIC_RELAXED)
#define or_release(p, v)	__atomic_fetch_or((p), (v), __ATOMIC_RELEASE)
#define or_seq(p, v)		__atomic_fetch_or((p), (v), __ATOMIC_SEQ_CST)
#define and_relaxed(p, v)	__atomic_fetch_and((p), (v), __ATOMIC_RELAXED)
#define and_seq(p, v)		__atomic_fetch_and((p), (v), __ATOMIC_SEQ_CST)
#define xor_seq(p, v)		__atomic_fetch_xor((p), (v), __ATOMIC_SEQ_CST)
#define add_relaxed(p, v)	__atomic_fetch_add((p), (v), __ATOMIC_RELAXED)
#define add_release(p, v)	__atomic_fetch_add((p), (v), __ATOMIC_RELEASE)
#define add_seq(p, v)		__atomic_fetch_add((p), (v), __ATOMIC_SEQ_CST)

/* True if *p was *e and is v now; otherwise *e is what it was. */
#define cas_acquire(p, e, v) \
	__atomic_compare_exchange_n((p), (e), (v), 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)
#define cas_release(p, e, v) \
	__atomic_compare_exchange_n((p), (e), (v), 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED)
#define cas_seq(p, e, v) \
	__atomic_compare_exchange_n((p), (e), (v), 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)

/*
 * Two words that change together. They are read one after the other, and may not belong together
 * then: the exchange finds out.
 */
struct pair {
	uint64_t low;
	uint64_t high;
} __attribute__((aligned(16)));

__extension__ typedef unsigned __int128 pair_bits;

/*
 * True if *p was *e and is v now; otherwise *e is what it was. Sequentially consistent.
 *
 * By the older builtin: for the newer one gcc calls a library, which may use a lock.
 */
static inline __attribute__((always_inline)) int cas_pair(struct pair *p, struct pair *e,
							   struct pair v)
{
	pair_bits was, expected = (pair_bits)e->high << 64 | e->low;

	was = __sync_val_compare_and_swap((pair_bits *)(void *)p, expected,
					  (pair_bits)v.high << 64 | v.low);
	if (__builtin_expect(was == expected, 1))
		return 1;
	e->low = (uint64_t)was;
	e->high = (uint64_t)(was >> 64);
	return 0;
}

#endif
