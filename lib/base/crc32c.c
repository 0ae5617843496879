/* SPDX-License-Identifier: MIT */
#include "base/crc32c.h"

#include <stdbool.h>
#include <string.h>

#include "base/cc.h"

#if defined(__aarch64__)
#include <arm_acle.h>
#include <sys/auxv.h>
#ifndef HWCAP_CRC32
#define HWCAP_CRC32 (1 << 7)
#endif
#endif

/* The remainders of half a byte, for the polynomial 0x1edc6f41 with its bits in reverse. */
static const uint32_t nibbles[16] = {
	0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362,
	0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab,
	0xe330a81a, 0xf36e6f75,
};

uint32_t crc32c_portable(uint32_t crc, const void *data, size_t size)
{
	const uint8_t *at = data;

	crc = ~crc;
	while (size-- > 0) {
		crc ^= *at++;
		crc = crc >> 4 ^ nibbles[crc & 15];
		crc = crc >> 4 ^ nibbles[crc & 15];
	}
	return ~crc;
}

#if defined(__x86_64__)
#define WITH_CRC	__attribute__((target("sse4.2")))
#define STEP_8(crc, v)	((uint32_t)__builtin_ia32_crc32di((crc), (v)))
#define STEP_1(crc, v)	__builtin_ia32_crc32qi((crc), (v))

static bool has_instruction(void)
{
	return __builtin_cpu_supports("sse4.2");
}
#else
#define WITH_CRC	__attribute__((target("+crc")))
#define STEP_8(crc, v)	__crc32cd((crc), (v))
#define STEP_1(crc, v)	__crc32cb((crc), (v))

static bool has_instruction(void)
{
	return getauxval(AT_HWCAP) & HWCAP_CRC32;
}
#endif

/*
 * A processor begins one such instruction in each cycle, but has its result after three. So long
 * messages go in three streams side by side, of LANE bytes each, which are then put together: the
 * remainder of what is followed by LANE zero bytes is a linear function of it. Three lanes are just
 * less than 4 KiB.
 */
#define LANE	((size_t)1360)

/* What a remainder becomes behind LANE zero bytes: the sum of what its half bytes become. */
static const uint32_t shift[8][16] = {
	{
		0x00000000, 0x79113270, 0xf22264e0, 0x8b335690, 0xe1a8bf31, 0x98b98d41,
		0x138adbd1, 0x6a9be9a1, 0xc6bd0893, 0xbfac3ae3, 0x349f6c73, 0x4d8e5e03,
		0x2715b7a2, 0x5e0485d2, 0xd537d342, 0xac26e132,
	},
	{
		0x00000000, 0x889667d7, 0x14c0b95f, 0x9c56de88, 0x298172be, 0xa1171569,
		0x3d41cbe1, 0xb5d7ac36, 0x5302e57c, 0xdb9482ab, 0x47c25c23, 0xcf543bf4,
		0x7a8397c2, 0xf215f015, 0x6e432e9d, 0xe6d5494a,
	},
	{
		0x00000000, 0xa605caf8, 0x49e7e301, 0xefe229f9, 0x93cfc602, 0x35ca0cfa,
		0xda282503, 0x7c2deffb, 0x2273faf5, 0x8476300d, 0x6b9419f4, 0xcd91d30c,
		0xb1bc3cf7, 0x17b9f60f, 0xf85bdff6, 0x5e5e150e,
	},
	{
		0x00000000, 0x44e7f5ea, 0x89cfebd4, 0xcd281e3e, 0x1673a159, 0x529454b3,
		0x9fbc4a8d, 0xdb5bbf67, 0x2ce742b2, 0x6800b758, 0xa528a966, 0xe1cf5c8c,
		0x3a94e3eb, 0x7e731601, 0xb35b083f, 0xf7bcfdd5,
	},
	{
		0x00000000, 0x59ce8564, 0xb39d0ac8, 0xea538fac, 0x62d66361, 0x3b18e605,
		0xd14b69a9, 0x8885eccd, 0xc5acc6c2, 0x9c6243a6, 0x7631cc0a, 0x2fff496e,
		0xa77aa5a3, 0xfeb420c7, 0x14e7af6b, 0x4d292a0f,
	},
	{
		0x00000000, 0x8eb5fb75, 0x1887801b, 0x96327b6e, 0x310f0036, 0xbfbafb43,
		0x2988802d, 0xa73d7b58, 0x621e006c, 0xecabfb19, 0x7a998077, 0xf42c7b02,
		0x5311005a, 0xdda4fb2f, 0x4b968041, 0xc5237b34,
	},
	{
		0x00000000, 0xc43c00d8, 0x8d947741, 0x49a87799, 0x1ec49873, 0xdaf898ab,
		0x9350ef32, 0x576cefea, 0x3d8930e6, 0xf9b5303e, 0xb01d47a7, 0x7421477f,
		0x234da895, 0xe771a84d, 0xaed9dfd4, 0x6ae5df0c,
	},
	{
		0x00000000, 0x7b1261cc, 0xf624c398, 0x8d36a254, 0xe9a5f1c1, 0x92b7900d,
		0x1f813259, 0x64935395, 0xd6a79573, 0xadb5f4bf, 0x208356eb, 0x5b913727,
		0x3f0264b2, 0x4410057e, 0xc926a72a, 0xb234c6e6,
	},
};

static uint32_t shifted(uint32_t crc)
{
	uint32_t result = 0;

	for (int i = 0; i < 8; i++)
		result ^= shift[i][crc >> (4 * i) & 15];
	return result;
}

static uint64_t load_8(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

WITH_CRC static uint32_t by_three(uint32_t crc, const uint8_t *at)
{
	uint32_t b = 0, c = 0;

	for (size_t i = 0; i < LANE; i += 8) {
		crc = STEP_8(crc, load_8(at + i));
		b = STEP_8(b, load_8(at + LANE + i));
		c = STEP_8(c, load_8(at + 2 * LANE + i));
	}
	return shifted(shifted(crc) ^ b) ^ c;
}

WITH_CRC static uint32_t by_instruction(uint32_t crc, const uint8_t *at, size_t size)
{
	crc = ~crc;
	for (; size >= 3 * LANE; size -= 3 * LANE, at += 3 * LANE)
		crc = by_three(crc, at);
	for (; size >= 8; size -= 8, at += 8)
		crc = STEP_8(crc, load_8(at));
	while (size-- > 0)
		crc = STEP_1(crc, *at++);
	return ~crc;
}

uint32_t crc32c(uint32_t crc, const void *data, size_t size)
{
	if (likely(has_instruction()))
		return by_instruction(crc, data, size);
	return crc32c_portable(crc, data, size);
}
