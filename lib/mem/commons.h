/* SPDX-License-Identifier: MIT */
/*
 * The memory of a lock, a value and their kind, mem/commons-layout.h: a sealed memfd and this
 * process's mapping of all of it.
 *
 * The parties' table is sparse; all else has its memory when it is made.
 */
#ifndef WEIR_MEM_COMMONS_H
#define WEIR_MEM_COMMONS_H

#include "mem/commons-layout.h"

/* Bytes of a body. */
#define COMMONS_BODY_MAX	(UINT64_C(1) << 46)

struct commons {
	int fd;
	uint32_t kind;			/* enum weir_object_kind */
	struct weir_commons_geometry geometry;
	uint64_t size;
	uint64_t body_size;		/* as much as was asked for */
	uint64_t device;		/* which file it is */
	uint64_t inode;
	struct weir_commons_control *control;
	void *state;
	struct weir_party *parties;
	uint8_t *body;			/* NULL: it has none */
};

/*
 * 0; -EFBIG: more than COMMONS_BODY_MAX; -ENOBUFS: the machine, or the control group, has not got
 * so much memory; -ENOMEM, -EMFILE, ...
 */
int commons_create(struct commons *c, uint32_t kind, const struct weir_commons_geometry *geometry,
		   uint64_t body_size);

/*
 * What @fd holds, without mapping it: 0; -EINVAL: it is no memfd sealed as ours are; -EPROTO: of
 * another layout or another kind; -EBADMSG: damaged.
 */
int commons_examine(int fd, uint32_t kind, struct commons *ret_commons);

/* What @fd holds; on success @fd belongs to it. */
int commons_attach(struct commons *c, int fd, uint32_t kind);

/* Undo. Harmless on one whose creation failed. */
void commons_destroy(struct commons *c);

/* A party's entry; NULL: there is none of that number. */
static inline struct weir_party *commons_party(const struct commons *c, uint32_t party)
{
	return party > 0 && party < COMMONS_PARTIES ? &c->parties[party] : NULL;
}

#endif
