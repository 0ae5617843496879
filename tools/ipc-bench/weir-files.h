/* SPDX-License-Identifier: MIT */
#ifndef IPC_BENCH_WEIR_FILES_H
#define IPC_BENCH_WEIR_FILES_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Memory behind the descriptors of this process that are memory files, each file once: all of it,
 * or what has pages by now. The library tells no size, but all that is shared is in such files.
 */
uint64_t weir_files(bool all);

#endif
