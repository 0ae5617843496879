/* SPDX-License-Identifier: MIT */
/*
 * PATTERN_WIDE: vector loops, in the widest form that this CPU has.
 *
 * Wide stores are there so that the loads of a following memcpy() are covered by one store each
 * and forward from it. The C library's copy uses vectors of 16, 32 or 64 bytes depending on the
 * CPU; a store that is wider than the load covers it too, so the widest one is always right.
 * The rest of a message is stored in the next narrower vectors, like memcpy() loads it.
 *
 * The bodies are macros and not inline functions, because a function has to be compiled for the
 * wider instructions as a whole (target attribute) to keep its vectors in one register.
 */
#include "bench/pattern.h"

#define VECTOR(bytes) __attribute__((vector_size(bytes), aligned(1), may_alias))

typedef uint64_t v2 VECTOR(16);
typedef uint64_t v4 VECTOR(32);
typedef uint64_t v8 VECTOR(64);

static const uint64_t count_up[8] = { 0, 1, 2, 3, 4, 5, 6, 7 };

#define LANES(type) (sizeof(type) / 8)
#define AT(type, p, i) (*(type *)((p) + (i)*8))
#define AT_CONST(type, p, i) (*(const type *)((p) + (i)*8))
#define COUNT_UP(type) AT_CONST(type, (const unsigned char *)count_up, 0)

/* One vector at word i, the header in its place when it is the first one. */
#define PUT(type)                                      \
	do {                                           \
		type v_ = COUNT_UP(type) + (f + i);    \
		if (i == 0)                            \
			v_[0] = header;                \
		AT(type, p, i) = v_;                   \
		i += LANES(type);                      \
	} while (0)

#define FILL_BODY(big)                                                   \
	do {                                                             \
		uint64_t f = header * PATTERN_MULT;                      \
		size_t i = 0;                                            \
\
		while (i + LANES(big) <= words)                          \
			PUT(big);                                        \
		if (LANES(big) > LANES(v4) && i + LANES(v4) <= words)    \
			PUT(v4);                                         \
		if (LANES(big) > LANES(v2) && i + LANES(v2) <= words)    \
			PUT(v2);                                         \
		if (i < words) {                                         \
			uint64_t v = i ? f + i : header;                 \
			__builtin_memcpy(p + i * 8, &v, 8);              \
		}                                                        \
	} while (0)

#define SUM_BODY(big)                                                          \
	do {                                                                   \
		big a = {}, b = {};                                            \
		uint64_t sum = 0, v;                                           \
		size_t i = 0, k;                                               \
\
		for (; i + 2 * LANES(big) <= words; i += 2 * LANES(big)) {     \
			a += AT_CONST(big, p, i);                              \
			b += AT_CONST(big, p, i + LANES(big));                 \
		}                                                              \
		if (i + LANES(big) <= words) {                                 \
			a += AT_CONST(big, p, i);                              \
			i += LANES(big);                                       \
		}                                                              \
		a += b;                                                        \
		for (k = 0; k < LANES(big); k++)                               \
			sum += a[k];                                           \
		for (; i < words; i++) {                                       \
			__builtin_memcpy(&v, p + i * 8, 8);                    \
			sum += v;                                              \
		}                                                              \
		return sum;                                                    \
	} while (0)

static void fill_16(unsigned char *p, size_t words, uint64_t header)
{
	FILL_BODY(v2);
}

static uint64_t sum_16(const unsigned char *p, size_t words)
{
	SUM_BODY(v2);
}

void (*pattern_fill_words)(unsigned char *p, size_t words, uint64_t header) = fill_16;
uint64_t (*pattern_sum_words)(const unsigned char *p, size_t words) = sum_16;

#if defined(__x86_64__)

__attribute__((target("avx2"))) static void fill_32(unsigned char *p, size_t words, uint64_t header)
{
	FILL_BODY(v4);
}

__attribute__((target("avx2"))) static uint64_t sum_32(const unsigned char *p, size_t words)
{
	SUM_BODY(v4);
}

__attribute__((target("avx512f"))) static void fill_64(unsigned char *p, size_t words,
						       uint64_t header)
{
	FILL_BODY(v8);
}

__attribute__((target("avx512f"))) static uint64_t sum_64(const unsigned char *p, size_t words)
{
	SUM_BODY(v8);
}

unsigned int pattern_wide_bytes(void)
{
	static unsigned int bytes;

	if (bytes)
		return bytes;
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx512f")) {
		pattern_fill_words = fill_64;
		pattern_sum_words = sum_64;
		return bytes = 64;
	}
	if (__builtin_cpu_supports("avx2")) {
		pattern_fill_words = fill_32;
		pattern_sum_words = sum_32;
		return bytes = 32;
	}
	return bytes = 16;
}

#else

unsigned int pattern_wide_bytes(void)
{
	return 16;
}

#endif
