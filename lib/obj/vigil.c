/* SPDX-License-Identifier: MIT */
#include "obj/vigil.h"

#include "base/clock.h"

#define WATCH_NS	(4 * NS_PER_MS)
#define SLEEP_NS	(100 * NS_PER_MS)
#define SWEEP_NS	(1 * NS_PER_S)
/* How often is often: the part of the time waited, and of the time that a look takes. */
#define PART_OF_WAIT	16
#define PART_OF_COST	32

/* Whether we have it, also if we did not have it before. */
static bool take_watch(struct vigil *v)
{
	uint32_t nobody = 0;

	/* order: WATCH */
	v->holds = cas_seq(v->watch, &nobody, v->party) || nobody == v->party;
	return v->holds;
}

static int64_t pause_of(struct vigil *v, int64_t now)
{
	int64_t pause = (now - v->began) / PART_OF_WAIT;

	if (!take_watch(v))
		return SLEEP_NS;
	if (pause < WATCH_NS)
		pause = WATCH_NS;
	if (pause > SLEEP_NS)
		pause = SLEEP_NS;
	return pause > v->cost * PART_OF_COST ? pause : v->cost * PART_OF_COST;
}

void vigil_begin(struct vigil *v, struct shared *s, uint32_t *watch, uint32_t party)
{
	int64_t now = clock_now();

	*v = (struct vigil){
		.shared = s,
		.watch = watch,
		.party = party,
		.began = now,
		.swept_at = now,
	};
	v->look_at = now + pause_of(v, now);
}

int64_t vigil_until(struct vigil *v, int64_t deadline)
{
	return deadline < v->look_at ? deadline : v->look_at;
}

static void sweep(struct vigil *v, int64_t now)
{
	shared_mend_all(v->shared);
	v->swept_at = clock_now();
	v->cost = v->swept_at - now;
}

/* Whoever has it may have died, or left and not laid it down. */
static void watch_the_watch(struct vigil *v)
{
	uint32_t watch = load_seq(v->watch);	/* order: WATCH */
	const struct weir_party *p = commons_party(&v->shared->commons, watch);

	if (watch == 0 || shared_mend(v->shared, watch))
		return;
	/* relaxed: a hint */
	if (!p || (load_relaxed(&p->name.low) & PARTY_STATE) == PARTY_FREE)
		cas_seq(v->watch, &watch, 0);	/* order: WATCH */
}

void vigil_look(struct vigil *v)
{
	int64_t now = clock_now();

	if (now < v->look_at)
		return;
	if (v->holds || now - v->swept_at >= SWEEP_NS)
		sweep(v, now);
	else
		watch_the_watch(v);
	now = clock_now();
	v->look_at = now + pause_of(v, now);
}

void vigil_end(struct vigil *v)
{
	uint32_t mine = v->party;

	if (v->holds)
		cas_seq(v->watch, &mine, 0);	/* order: WATCH */
}
