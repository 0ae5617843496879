/* SPDX-License-Identifier: MIT */
/*
 * Parties: those who use an object, by name in a table in its memory. A name is free, or a
 * process's. Whoever finds that a party has died cleans up after it and then frees the name, which
 * has another generation after that: so a word that names a party names the one that it meant.
 */
#ifndef WEIR_WAIT_PARTY_H
#define WEIR_WAIT_PARTY_H

#include <stdbool.h>

#include "base/atomic.h"
#include "mem/party-layout.h"

/* Have @name, if it is free, for this process: what its low word is then. */
bool party_claim(struct pair *name, uint64_t spaces[PARTY_SPACES], uint64_t *ret_word);

/*
 * What @name, of which @word is the low word, has left behind when its process ends is no death:
 * for those who cannot free it because threads of theirs may still be busy.
 */
void party_leave(struct pair *name, uint64_t word);

/* Free what was claimed, and cleaned up after. False: somebody else has done so. */
bool party_free(struct pair *name, uint64_t word);

/*
 * What to store beside the name once it is claimed: which program of our process we are, and as
 * which party, so that two programs, also of one family, never store the same. 0: nobody can tell.
 */
uint64_t party_image(uint64_t word);
/* Forget it, before the name, of which @word is the low word, is freed. */
void party_forget_image(const struct pair *name, uint64_t word, uint64_t *image);

/*
 * Whether @name is somebody's, whose process has certainly ended, and @ret_word its low word. Of
 * this process it is only if this process was another program then: @image is which. Of one that
 * was leaving, too; then @ret_word says so.
 */
bool party_gone(const struct pair *name, const uint64_t *image,
		const uint64_t spaces[PARTY_SPACES], uint64_t *ret_word);

#endif
