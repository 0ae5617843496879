/* SPDX-License-Identifier: MIT */
#include "obj/tally-wait.h"

#include <errno.h>

#include "base/clock.h"
#include "wait/park.h"
#include "wait/spin.h"

#define WATCH_NS	(4 * NS_PER_MS)
#define SLEEP_NS	(100 * NS_PER_MS)
/* Who has waited long looks after a sixteenth of that time. */
#define WATCH_SHARE	16

void tally_open(struct tally_object *o, uint32_t limit)
{
	o->tally = (struct tally){
		.shared = o->shared.commons.state,
		.parties = o->shared.commons.parties,
		.limit = limit,
	};
	o->spin_ns = PARK_SPIN_NS;
}

/*
 * Who has died
 */

void tally_look_after(struct tally_object *o)
{
	/* order: PARTY acquire: those below it are to be looked at */
	uint32_t top = load_acquire(&o->shared.commons.control->party_top);
	uint64_t gate;

	for (uint32_t party = 1; party <= top && party < COMMONS_PARTIES; party++)
		if (tally_held(&o->tally, party) > 0)
			shared_mend(&o->shared, party);
	gate = load_seq(&o->tally.shared->gate);	/* order: GATE */
	if (gate != 0)
		shared_mend(&o->shared, GATE_PARTY(gate));
}

void tally_look_after_now_and_then(struct tally_object *o)
{
	int64_t now = clock_now();

	/* relaxed: about when, whoever looks */
	if (now - load_relaxed(&o->looked_at) < WATCH_NS)
		return;
	store_relaxed(&o->looked_at, now);	/* relaxed: as above */
	tally_look_after(o);
}

/*
 * The watch
 */

/* When to look around: soon, if nobody else keeps watch. */
static int64_t next_look(const struct tally_waiter *w)
{
	uint32_t *watch = &w->object->tally.shared->watch;
	uint32_t nobody = 0, mine = LOCK_PARTY(w->me);
	int64_t now = clock_now(), often = (now - w->since) / WATCH_SHARE;

	/* order: WATCH */
	if (!cas_seq(watch, &nobody, mine) && nobody != mine)
		often = SLEEP_NS;
	else if (often < WATCH_NS)
		often = WATCH_NS;
	return now + (often < SLEEP_NS ? often : SLEEP_NS);
}

static void lay_down_watch(struct tally_object *o, uint32_t party)
{
	cas_seq(&o->tally.shared->watch, &party, 0);	/* order: WATCH */
}

/* Whoever keeps watch may have died, too. */
static void watch_the_watch(const struct tally_waiter *w)
{
	struct shared *s = &w->object->shared;
	uint32_t watch = load_seq(&w->object->tally.shared->watch);	/* order: WATCH */
	struct weir_party *p = commons_party(&s->commons, watch);

	if (watch == 0 || watch == LOCK_PARTY(w->me))
		return;
	/* relaxed: a hint */
	if (!p || (load_relaxed(&p->name.low) & PARTY_STATE) == PARTY_FREE)
		lay_down_watch(w->object, watch);
	else
		shared_mend(s, watch);
}

/*
 * Not when a sleep has lasted for as long, but by the clock: signals may come so often that none
 * does.
 */
static void look_around(struct tally_waiter *w)
{
	watch_the_watch(w);
	tally_look_after(w->object);
	w->look_at = INT64_MAX;
}

/* Until when to sleep. */
static int64_t slice(struct tally_waiter *w)
{
	int64_t look_at = next_look(w);

	if (look_at < w->look_at)
		w->look_at = look_at;
	return w->look_at < w->deadline ? w->look_at : w->deadline;
}

void tally_release_watch(struct tally_object *o, uint32_t party)
{
	lay_down_watch(o, party);
	/* It may have been woken, and not have looked. */
	bell_heard(tally_bell(o));
}

/*
 * Staying awake, and sleeping
 */

struct attempt {
	struct tally_waiter *waiter;
	int result;
};

static bool attempt(void *arg)
{
	struct attempt *a = arg;

	a->result = a->waiter->try(a->waiter);
	return a->result != -EAGAIN;
}

static int spin(struct tally_waiter *w)
{
	uint32_t *ns = &w->object->spin_ns;
	struct attempt a = { .waiter = w, .result = -EAGAIN };
	struct spin s = { .ns = load_relaxed(ns) };	/* relaxed: about how long */

	spin_for(&s, attempt, &a, w->deadline);
	store_relaxed(ns, (uint32_t)s.ns);	/* relaxed: as above */
	return a.result;
}

/* As try; -EAGAIN: once more. */
static int sleep_once(struct tally_waiter *w)
{
	uint32_t *bell = tally_bell(w->object);
	uint32_t listened = bell_listen(bell);
	int result, slept;
	int64_t now;

	if (w->ask)
		w->ask(w);
	result = w->try(w);
	if (result != -EAGAIN)
		return result;
	slept = shared_sleep(&w->object->shared, bell, listened, slice(w));
	w->rung |= load_relaxed(bell) != listened;	/* relaxed: a hint */
	/* Also if we were not woken: whoever was may have died. */
	bell_heard(bell);
	result = w->try(w);
	if (result != -EAGAIN)
		return result;
	if (slept == -ESHUTDOWN || (slept == -EINTR && (w->flags & WEIR_INTR)))
		return slept;
	now = clock_now();
	if (now >= w->look_at)
		look_around(w);
	if (now < w->deadline)
		return -EAGAIN;
	result = w->try(w);
	return result == -EAGAIN ? -ETIMEDOUT : result;
}

static int wait_asleep(struct tally_waiter *w)
{
	struct tally_object *o = w->object;
	int result;

	w->since = clock_now();
	look_around(w);
	do
		result = sleep_once(w);
	while (result == -EAGAIN);
	lay_down_watch(o, LOCK_PARTY(w->me));
	w->leave(w, result);
	return result;
}

static int wait_awake_then_asleep(struct tally_waiter *w)
{
	struct shared *s = &w->object->shared;
	int result = -EAGAIN;

	shared_visit(s);
	if (s->lock.may_spin && !(w->flags & WEIR_NOSPIN))
		result = spin(w);
	if (result == -EAGAIN)
		result = wait_asleep(w);
	shared_depart(s);
	return result;
}

int tally_wait(struct tally_waiter *w)
{
	if (w->deadline > 0)
		return wait_awake_then_asleep(w);
	tally_look_after_now_and_then(w->object);
	if (w->ask)
		w->ask(w);
	return w->try(w);
}
