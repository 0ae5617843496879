/* SPDX-License-Identifier: MIT */
#include "wait/gate.h"

static bool is_mine(const struct gate_visit *v, uint64_t word)
{
	return (word & ~GATE_BEAT_MASK) == v->mine;
}

bool gate_open(const struct gate_visit *v)
{
	uint64_t word = load_seq(v->gate);	/* order: GATE, SLEEP: after bell_listen() */

	return word == 0 || is_mine(v, word) || !((word | v->mine) & GATE_WRITER);
}

/* The beat says when: so that a second visit is not taken for the first one, which is over. */
static uint64_t word_at(const struct gate_visit *v, int64_t now)
{
	uint64_t beat = (uint64_t)now >> GATE_BEAT_NS_SHIFT << GATE_BEAT_SHIFT;

	return v->mine | (beat & GATE_BEAT_MASK);
}

/* Whether it has been the same for long. */
static bool is_stale(struct gate_watch *w, uint64_t word, int64_t now)
{
	/* relaxed: about since when; of two threads that look one may begin anew */
	if (load_relaxed(&w->seen) == word)
		return now - load_relaxed(&w->since) >= GATE_STALE_NS;	/* relaxed: as above */
	store_relaxed(&w->since, now);	/* relaxed: as above */
	store_relaxed(&w->seen, word);	/* relaxed: as above */
	return false;
}

void gate_ask(const struct gate_visit *v, bool may, int64_t now)
{
	uint64_t word = load_seq(v->gate);	/* order: GATE */

	if (word == 0) {
		if (may)
			cas_seq(v->gate, &word, word_at(v, now));	/* order: GATE */
	} else if (is_mine(v, word)) {
		cas_seq(v->gate, &word, word_at(v, now));	/* order: GATE */
	} else if (is_stale(v->watch, word, now)) {
		cas_seq(v->gate, &word, may ? word_at(v, now) : 0);	/* order: GATE */
	}
}

bool gate_leave(const struct gate_visit *v)
{
	uint64_t word = load_seq(v->gate);	/* order: GATE */

	while (is_mine(v, word))
		/* order: GATE, SLEEP: before the bell is looked at */
		if (cas_seq(v->gate, &word, 0))
			return true;
	return false;
}

bool gate_settle(uint64_t *gate, uint32_t party)
{
	uint64_t word = load_seq(gate);		/* order: GATE */

	while (word != 0 && GATE_PARTY(word) == party)
		/* order: GATE, SLEEP: before the bell is looked at */
		if (cas_seq(gate, &word, 0))
			return true;
	return false;
}
