/* SPDX-License-Identifier: MIT */
/* What the tests of pumps share. Nothing here asserts, so children may use all of it. */
#ifndef WEIR_TESTS_PUMP_TOOLS_H
#define WEIR_TESTS_PUMP_TOOLS_H

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "obj/pump-frame.h"
#include "pipe-tools.h"

static inline struct weir_pump_stat pump_stat(struct weir_pump *pump)
{
	struct weir_pump_stat s = { .size = sizeof(s) };

	if (weir_pump_stat(pump, &s) < 0)
		memset(&s, 0xff, sizeof(s));
	return s;
}

static inline struct weir_pump_scan pump_scan(int fd, uint32_t flags)
{
	struct weir_pump_scan s = { .size = sizeof(s) };

	if (weir_pump_scan(fd, flags, &s) < 0)
		memset(&s, 0xff, sizeof(s));
	return s;
}

static inline int pump_file(void)
{
	return memfd_create("pumped", MFD_CLOEXEC);
}

static inline uint64_t pump_file_size(int fd)
{
	struct stat file;

	return fstat(fd, &file) == 0 ? (uint64_t)file.st_size : UINT64_MAX;
}

/*
 * Read the frame at *@offset of @fd into @buffer: its header in @f; false if there is none that is
 * whole.
 */
static inline bool pump_read_frame(int fd, uint64_t *offset, struct pump_frame *f, uint8_t *buffer,
				   size_t room)
{
	if (pread(fd, f, sizeof(*f), (off_t)*offset) != (ssize_t)sizeof(*f) ||
	    !pump_frame_valid(f) || f->size > room)
		return false;
	if (pread(fd, buffer, f->size, (off_t)(*offset + sizeof(*f))) != (ssize_t)f->size ||
	    !pump_frame_has(f, buffer))
		return false;
	*offset += sizeof(*f) + f->size;
	return true;
}

#endif
