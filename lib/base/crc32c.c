/* SPDX-License-Identifier: MIT */
#include "base/crc32c.h"

#include <isa-l/crc.h>

/* It takes an int. */
#define MOST	((size_t)1 << 30)

bool crc32c_there(void)
{
	return true;
}

uint32_t crc32c(uint32_t crc, const void *data, size_t size)
{
	/* It only reads. */
	unsigned char *at = (unsigned char *)data;

	/* It takes and gives what has not been inverted. */
	crc = ~crc;
	for (; size > MOST; size -= MOST, at += MOST)
		crc = crc32_iscsi(at, (int)MOST, crc);
	return ~crc32_iscsi(at, (int)size, crc);
}
