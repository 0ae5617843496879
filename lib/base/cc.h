/* SPDX-License-Identifier: MIT */
/*
 * The compiler and the machine: what the code assumes of them, and names for what C has no word
 * for.
 */
#ifndef WEIR_BASE_CC_H
#define WEIR_BASE_CC_H

#include <stddef.h>
#include <stdint.h>

#if !defined(__x86_64__) && !defined(__aarch64__)
#error "weir is for x86-64 and arm64"
#endif
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__ || __SIZEOF_POINTER__ != 8
#error "weir is for 64-bit little-endian machines"
#endif

#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)
#define NOINLINE	__attribute__((noinline))
#define COLD		__attribute__((noinline, cold))
#define UNUSED		__attribute__((unused))
#define ALWAYS_INLINE	inline __attribute__((always_inline))

/*
 * What two writers must not share. Two lines of 64 bytes, because the processors' spatial
 * prefetcher fetches lines in pairs.
 */
#define CACHE_APART	128

#define ARRAY_LENGTH(a)	(sizeof(a) / sizeof((a)[0]))

#if defined(__SANITIZE_THREAD__)
#define WEIR_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WEIR_TSAN 1
#endif
#endif
#ifndef WEIR_TSAN
#define WEIR_TSAN 0
#endif

/*
 * One turn of a polling loop: lets the other hardware thread run and ends the speculation of the
 * load.
 */
static ALWAYS_INLINE void cpu_relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#else
	__asm__ volatile("yield" ::: "memory");
#endif
}

static inline size_t align_up(size_t n, size_t to)
{
	return (n + to - 1) & ~(to - 1);
}

/*
 * Have the line at @address here, to be written to. On x86-64 the compiler would ask for it to be
 * read, unless it may count on a processor that knows the other; all take it for nothing at worst.
 */
static ALWAYS_INLINE void prefetch_to_write(const void *address)
{
#if defined(__x86_64__)
	__asm__ volatile("prefetchw %0" : : "m"(*(const char *)address));
#else
	__builtin_prefetch(address, 1);
#endif
}

#endif
