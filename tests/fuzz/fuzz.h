/* SPDX-License-Identifier: MIT */
/*
 * What a fuzzed function is: it takes any bytes, and returns unless something is wrong.
 *
 * tests/fuzz/fuzz-NAME.c has one, tests/fuzz/corpus/NAME inputs for it. The default tests replay
 * those; tools/dev fuzz NAME looks for more.
 */
#ifndef WEIR_TESTS_FUZZ_H
#define WEIR_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

void fuzz_one(const uint8_t *data, size_t size);

/* Not assert(), which can be compiled away. */
#define fuzz_check(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

#endif
