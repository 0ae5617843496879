/* SPDX-License-Identifier: MIT */
/*
 * Types of values and of elements of arrays, as numbers.
 *
 * A number says what it is, how many bytes it has and at multiples of what it lies. In C11 the
 * compiler finds it: WEIR_TYPE(x) is the type of x, and does not compile if that is no number.
 * Others use the constants; a structure is WEIR_STRUCT(struct point), or WEIR_STRUCT_OF() its size
 * and alignment.
 */
#ifndef WEIR_TYPE_H
#define WEIR_TYPE_H

#include <stdint.h>
#if !defined(__cplusplus)
#include <stdbool.h>
#endif

/* The parts of the number of a type. */

#define WEIR_TYPE_MAKE(code, size, shift) \
	((uint64_t)(size) << 16 | (uint64_t)(shift) << 8 | (uint64_t)(code))
/** WEIR_CODE_* */
#define WEIR_TYPE_CODE(type)		((uint32_t)((type) & 0xff))
/** Bytes. */
#define WEIR_TYPE_SIZE(type)		((uint64_t)(type) >> 16)
/** Bytes, a power of two. */
#define WEIR_TYPE_ALIGNMENT(type)	(UINT64_C(1) << ((type) >> 8 & 63))

#define WEIR_CODE_STRUCT	1
#define WEIR_CODE_BOOL		2
#define WEIR_CODE_CHAR		3
#define WEIR_CODE_INT		4	/**< signed, of whatever size */
#define WEIR_CODE_UINT		5	/**< unsigned, of whatever size */
#define WEIR_CODE_FLOAT		6	/**< of whatever size */

#define WEIR_TYPE_BOOL		WEIR_TYPE_MAKE(WEIR_CODE_BOOL, 1, 0)
#define WEIR_TYPE_CHAR		WEIR_TYPE_MAKE(WEIR_CODE_CHAR, 1, 0)
#define WEIR_TYPE_INT8		WEIR_TYPE_MAKE(WEIR_CODE_INT, 1, 0)
#define WEIR_TYPE_INT16		WEIR_TYPE_MAKE(WEIR_CODE_INT, 2, 1)
#define WEIR_TYPE_INT32		WEIR_TYPE_MAKE(WEIR_CODE_INT, 4, 2)
#define WEIR_TYPE_INT64		WEIR_TYPE_MAKE(WEIR_CODE_INT, 8, 3)
#define WEIR_TYPE_UINT8		WEIR_TYPE_MAKE(WEIR_CODE_UINT, 1, 0)
#define WEIR_TYPE_UINT16	WEIR_TYPE_MAKE(WEIR_CODE_UINT, 2, 1)
#define WEIR_TYPE_UINT32	WEIR_TYPE_MAKE(WEIR_CODE_UINT, 4, 2)
#define WEIR_TYPE_UINT64	WEIR_TYPE_MAKE(WEIR_CODE_UINT, 8, 3)
#define WEIR_TYPE_FLOAT		WEIR_TYPE_MAKE(WEIR_CODE_FLOAT, 4, 2)
#define WEIR_TYPE_DOUBLE	WEIR_TYPE_MAKE(WEIR_CODE_FLOAT, 8, 3)
#define WEIR_TYPE_LONG_DOUBLE	WEIR_TYPE_MAKE(WEIR_CODE_FLOAT, 16, 4)

/**
 * A structure, or any other bytes. @alignment: a power of two, at most 4096, of which @size is a
 * multiple.
 */
#define WEIR_STRUCT_OF(size, alignment) \
	WEIR_TYPE_MAKE(WEIR_CODE_STRUCT, size, __builtin_ctzll(alignment))

#if defined(__cplusplus)
#define WEIR_STRUCT(type)	WEIR_STRUCT_OF(sizeof(type), alignof(type))
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define WEIR_STRUCT(type)	WEIR_STRUCT_OF(sizeof(type), _Alignof(type))
#define WEIR_TYPE(x) \
	_Generic((x), \
		 _Bool: WEIR_TYPE_BOOL, \
		 char: WEIR_TYPE_CHAR, \
		 signed char: WEIR_TYPE_INT8, \
		 short: WEIR_TYPE_INT16, \
		 int: WEIR_TYPE_INT32, \
		 long: WEIR_TYPE_INT64, \
		 long long: WEIR_TYPE_INT64, \
		 unsigned char: WEIR_TYPE_UINT8, \
		 unsigned short: WEIR_TYPE_UINT16, \
		 unsigned int: WEIR_TYPE_UINT32, \
		 unsigned long: WEIR_TYPE_UINT64, \
		 unsigned long long: WEIR_TYPE_UINT64, \
		 float: WEIR_TYPE_FLOAT, \
		 double: WEIR_TYPE_DOUBLE, \
		 long double: WEIR_TYPE_LONG_DOUBLE)
/* The type of what two pointers point to; the compiler warns if it is not the same. */
#define WEIR_TYPE_BOTH(a, b)	(WEIR_TYPE(*(a)) + 0 * sizeof((a) == (b)))
#endif

#endif
