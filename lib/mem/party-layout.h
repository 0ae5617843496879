/* SPDX-License-Identifier: MIT */
/*
 * How those who use an object are named in its memory, so that others can tell whether they have
 * died: generation:56 | space:6 | state:2, from the highest bit on, and the process, as in
 * wait/live.h. The PID namespace is an index in a list of the object's.
 */
#ifndef WEIR_MEM_PARTY_LAYOUT_H
#define WEIR_MEM_PARTY_LAYOUT_H

#include <stdint.h>

#define PARTY_FREE		UINT64_C(0)
#define PARTY_USED		UINT64_C(1)
#define PARTY_LEAVING		UINT64_C(2)	/* as used; its process ends as it should */
#define PARTY_STATE		UINT64_C(3)
#define PARTY_SPACE_SHIFT	2
#define PARTY_SPACES		64U
#define PARTY_SPACE(word)	((uint32_t)((word) >> PARTY_SPACE_SHIFT) & (PARTY_SPACES - 1))
#define PARTY_GENERATION_SHIFT	8
#define PARTY_GENERATION_ONE	(UINT64_C(1) << PARTY_GENERATION_SHIFT)

#endif
