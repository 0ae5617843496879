/* SPDX-License-Identifier: MIT */
/*
 * CRC-32C (Castagnoli): the checksum of iSCSI, ext4 and Btrfs, which processors compute. By ISA-L.
 *
 * zlib has only the other polynomial, which no x86 instruction knows, and needs several times as
 * long for a message as writing it takes.
 */
#ifndef WEIR_BASE_CRC32C_H
#define WEIR_BASE_CRC32C_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether the library was built with it. Nothing may depend on what crc32c() says otherwise. */
bool crc32c_there(void);

/* Of what @crc is the checksum of, 0 for nothing, and these bytes behind it. */
uint32_t crc32c(uint32_t crc, const void *data, size_t size);

#endif
