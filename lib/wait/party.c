/* SPDX-License-Identifier: MIT */
#include "wait/party.h"

#include "wait/live.h"

/* The place of PID namespace @space in the list; 0 if there is no room. */
static uint32_t space_index(uint64_t spaces[PARTY_SPACES], uint64_t space)
{
	for (uint32_t i = 1; space != 0 && i < PARTY_SPACES; i++) {
		uint64_t there = 0;

		/* order: SPACE, to is_gone(): before the name that refers to it */
		if (cas_seq(&spaces[i], &there, space) || there == space)
			return i;
	}
	return 0;
}

bool party_claim(struct pair *name, uint64_t spaces[PARTY_SPACES], uint64_t *ret_word)
{
	struct live_name self = live_self();
	struct pair was, mine;

	/* order: PARTY acquire: all was cleaned up */
	was.low = load_acquire(&name->low);
	was.high = load_relaxed(&name->high);	/* relaxed: the exchange finds out */
	if ((was.low & PARTY_STATE) != PARTY_FREE)
		return false;
	mine.low = (was.low & ~(PARTY_GENERATION_ONE - 1)) | PARTY_USED |
		   (uint64_t)space_index(spaces, self.space) << PARTY_SPACE_SHIFT;
	mine.high = self.process;
	*ret_word = mine.low;
	return cas_pair(name, &was, mine);	/* order: PARTY */
}

void party_leave(struct pair *name, uint64_t word)
{
	struct pair was = { .low = word }, leaving;

	was.high = load_relaxed(&name->high);	/* relaxed: the exchange finds out */
	leaving.low = (word & ~PARTY_STATE) | PARTY_LEAVING;
	leaving.high = was.high;
	cas_pair(name, &was, leaving);	/* order: PARTY */
}

bool party_free(struct pair *name, uint64_t word)
{
	struct pair was = { .low = word }, free = { 0, 0 };

	was.high = load_relaxed(&name->high);	/* relaxed: the exchange finds out */
	free.low = (word & ~(PARTY_GENERATION_ONE - 1)) + PARTY_GENERATION_ONE;
	return cas_pair(name, &was, free);	/* order: PARTY: all that was cleaned up */
}

uint64_t party_image(uint64_t word)
{
	/* Only programs that forked from one another have the same. */
	uint64_t image = live_image();

	return image ? image ^ (word >> PARTY_GENERATION_SHIFT) * UINT64_C(0x9e3779b97f4a7c15) : 0;
}

void party_forget_image(const struct pair *name, uint64_t word, uint64_t *image)
{
	/* order: PARTY acquire: that of this name, if it is still that */
	uint64_t there = load_acquire(image);

	/* Somebody else may have been faster, and the name be another's now, who has stored his. */
	if (load_acquire(&name->low) == word)	/* order: PARTY acquire */
		cas_seq(image, &there, 0);	/* order: PARTY: before the name is free */
}

/* Whether it is our process, but a program that this process was before execve(). */
static bool is_of_another_image(const uint64_t *image, uint64_t word, struct live_name name)
{
	/* relaxed: of ours, or stored by a program that has ended; 0 by one who just begins */
	uint64_t there = load_relaxed(image);

	return live_is_self(name) && there != 0 && party_image(word) != 0 &&
	       there != party_image(word);
}

static bool is_gone(struct pair name, const uint64_t *image, const uint64_t *spaces)
{
	struct live_name live = {
		.process = name.high,
		/* relaxed: SPACE; the exchange of the name came after it */
		.space = load_relaxed(&spaces[PARTY_SPACE(name.low)]),
	};

	if (live.process == live_self().process)
		return is_of_another_image(image, name.low, live);
	return live_gone(live);
}

bool party_gone(const struct pair *name, const uint64_t *image,
		const uint64_t spaces[PARTY_SPACES], uint64_t *ret_word)
{
	struct pair was;

	was.low = load_acquire(&name->low);	/* order: PARTY acquire */
	was.high = load_acquire(&name->high);	/* order: PARTY acquire */
	if ((was.low & PARTY_STATE) == PARTY_FREE || !is_gone(was, image, spaces))
		return false;
	*ret_word = was.low;
	/* order: PARTY acquire: the two belonged together */
	return load_acquire(&name->low) == was.low;
}
