/* SPDX-License-Identifier: MIT */
#include "wait/tally.h"

#include <errno.h>

/* The word, and what one party holds. */
struct view {
	struct pair word;
	uint32_t party;
	uint32_t taken;
	uint32_t held;
};

static struct pair *record_of(const struct tally *t, uint32_t party)
{
	return (struct pair *)(void *)&t->parties[party].of_kind[TALLY_RECORD];
}

static bool still(const struct tally *t, const struct view *v)
{
	/* order: TALLY acquire: what was read since belongs to it; no two have the same number */
	return load_seq(&t->shared->word.low) == v->word.low;
}

/* 0; -EBADMSG: that cannot be. */
static int look(const struct tally *t, uint32_t party, struct view *v)
{
	v->party = party;
	do {
		v->word.low = load_seq(&t->shared->word.low);	/* order: TALLY acquire */
		v->word.high = load_seq(&t->shared->word.high);	/* order: TALLY acquire */
		v->taken = TALLY_TAKEN(v->word.high);
		v->held = TALLY_HELD(v->word.high);
		if (TALLY_PARTY(v->word.low) != party)
			/* order: RECORD acquire: written before the word left the party */
			v->held = (uint32_t)load_acquire(&record_of(t, party)->high);
	} while (unlikely(!still(t, v)));
	if (unlikely(v->taken > t->limit || v->held > v->taken ||
		     TALLY_PARTY(v->word.low) >= COMMONS_PARTIES))
		return -EBADMSG;
	return 0;
}

/* Have the record of the last party say what the word does. False: the word has changed. */
static bool write_back(const struct tally *t, const struct view *v)
{
	struct pair *record = record_of(t, TALLY_PARTY(v->word.low));
	struct pair was, now = { TALLY_NUMBER(v->word.low), TALLY_HELD(v->word.high) };

	was.low = load_acquire(&record->low);	/* order: RECORD acquire */
	was.high = load_acquire(&record->high);	/* order: RECORD acquire */
	if (was.low == now.low && was.high == now.high)
		return true;
	/* The word says the same still: so what was read is not newer than that. */
	if (!still(t, v))
		return false;
	/* order: RECORD, before the word is exchanged */
	if (cas_pair(record, &was, now))
		return true;
	/* Somebody else has done it; or come late with what the word said before, of the same. */
	return was.low == now.low && was.high == now.high;
}

/* Make the word say that the party holds @held: false, if it is not any more what it was. */
static bool change(const struct tally *t, struct view *v, uint32_t held, bool told)
{
	struct pair now = {
		.low = ((v->word.low & -TALLY_NUMBER_ONE) + TALLY_NUMBER_ONE) | v->party |
		       (told ? TALLY_DIED : 0),
		.high = TALLY_HIGH(v->taken - v->held + held, held),
	};

	if (TALLY_PARTY(v->word.low) != v->party && !write_back(t, v))
		return false;
	/* order: TALLY: with it all that those did who gave; and with the bell, SLEEP */
	return cas_pair(&t->shared->word, &v->word, now);
}

int tally_take(const struct tally *t, uint32_t party, uint32_t units, uint32_t spare, bool keep)
{
	struct view v;
	bool told;

	do {
		if (unlikely(look(t, party, &v) < 0))
			return -EBADMSG;
		if ((uint64_t)v.taken + units + spare > t->limit)
			return -EAGAIN;
		told = v.word.low & TALLY_DIED;
	} while (unlikely(!change(t, &v, v.held + units, told && keep)));
	return told ? WEIR_OWNER_DIED : 0;
}

int tally_give(const struct tally *t, uint32_t party, uint32_t units)
{
	struct view v;

	do {
		if (unlikely(look(t, party, &v) < 0))
			return -EBADMSG;
		if (v.held < units)
			return -EPERM;
	} while (unlikely(!change(t, &v, v.held - units, v.word.low & TALLY_DIED)));
	return 0;
}

uint32_t tally_settle(const struct tally *t, uint32_t party, uint64_t name, uint32_t telling)
{
	struct view v;

	do {
		if (look(t, party, &v) < 0 || v.held == 0)
			return 0;
		/*
		 * If it holds something at this number, nobody has freed the name before; and if
		 * that is the one meant, it was free neither when the exchange was made.
		 * order: PARTY acquire: after the word
		 */
		if (load_acquire(&t->parties[party].name.low) != name)
			return 0;
	} while (!change(t, &v, 0, v.held >= telling || (v.word.low & TALLY_DIED)));
	return v.held;
}

uint32_t tally_held(const struct tally *t, uint32_t party)
{
	struct view v;

	return look(t, party, &v) < 0 ? 0 : v.held;
}

uint32_t tally_oldest(const struct tally *t, uint32_t top, uint32_t units)
{
	uint64_t oldest = UINT64_MAX;
	uint32_t found = 0;

	for (uint32_t party = 1; party <= top && party < COMMONS_PARTIES; party++) {
		struct view v;
		uint64_t number;

		if (look(t, party, &v) < 0 || v.held < units || v.held == 0)
			continue;
		number = TALLY_NUMBER(v.word.low);
		if (TALLY_PARTY(v.word.low) != party)
			/* relaxed: a guess */
			number = load_relaxed(&record_of(t, party)->low);
		if (number < oldest) {
			oldest = number;
			found = party;
		}
	}
	return found;
}
