/* SPDX-License-Identifier: MIT */
/*
 * The inside of a builder: bytes in MessagePack, and the arrays and maps that are not ended.
 *
 * MessagePack wants a count in front. Where it is not known, one byte is left for it, which does
 * for 15; at the end, if there are more, what follows is moved by two bytes or by four. So the
 * result is as short as it can be, and moved once for each level that has more than 15 and did not
 * say so.
 */
#ifndef WEIR_OBJ_BUILDER_H
#define WEIR_OBJ_BUILDER_H

#include "weir/builder.h"

/* Bytes that need no allocation: a small message is made and sent without any. */
#define BUILDER_SMALL	512

struct builder_level {
	size_t head;		/* where the first byte is, if the count is open */
	size_t count;		/* of values, so far; in maps keys and values */
	size_t expected;	/* of values; or WEIR_BUILDER_OPEN */
	bool is_map;
};

struct weir_builder {
	int error;		/* that stays */
	unsigned int depth;	/* the innermost of levels; 0: outside of all */
	char *data;		/* small, or allocated */
	size_t size;
	size_t room;
	struct builder_level levels[WEIR_OBJECT_DEPTH + 1];
	char small[BUILDER_SMALL];
};

void builder_init(struct weir_builder *b);
void builder_deinit(struct weir_builder *b);

#endif
