/* SPDX-License-Identifier: MIT */
/*
 * Barriers. One word has the number of the phase, how many have come, and whether it is broken; it
 * is changed by exchanges, so there is no moment in between, and nobody has to wait for one who is
 * stopped on the way.
 *
 * Each one who waits has a place in the body with the phase to which he has come. When the number
 * of the phase is another one, that phase was complete, unless his place says that it broke: who
 * begins anew after a break says so in all places before.
 *
 * Who has waited once is a member, and its death breaks the barrier: whoever finds it breaks the
 * barrier first and then frees the party's name, so one death is never found again later.
 */
#include "obj/barrier.h"

#include <errno.h>

#include "base/clock.h"
#include "obj/vigil.h"
#include "wait/park.h"
#include "wait/spin.h"

#define CALL_FLAGS	(WEIR_INTR | WEIR_NOSPIN)
#define PARTIES_MAX	16384
/* Places: those of one phase are still leaving while those of the next come. */
#define PLACES(parties)	(2 * (uint64_t)(parties) + 64)
/* In a party's `of_kind`: the name of a member. */
#define MEMBER		0
/* The word has changed meanwhile. */
#define LOOK_AGAIN	1
#define LOOKS_MOST	100000

/* One who waits, in the call. */
struct stay {
	struct weir_barrier *barrier;
	struct shared *shared;
	struct weir_barrier_state *state;
	struct weir_barrier_waiter *place;	/* NULL: none yet */
	uint64_t word;		/* of the place, while nothing has become of us */
	uint64_t phase;		/* to which we have come */
	uint64_t seen;		/* of the state: one who has not come yet waits for another */
	uint32_t party;
	uint32_t index;
	uint32_t flags;
	int64_t deadline;
	struct vigil vigil;
};

static struct weir_barrier_state *state_of(const struct shared *s)
{
	return s->commons.state;
}

static struct weir_barrier_waiter *places_of(const struct shared *s)
{
	return (struct weir_barrier_waiter *)(void *)s->commons.body;
}

static uint32_t parties_of(const struct shared *s)
{
	return (uint32_t)s->commons.geometry.count;
}

static uint32_t place_count(const struct shared *s)
{
	return (uint32_t)PLACES(parties_of(s));
}

static uint64_t with_state(uint64_t word, uint64_t state)
{
	return (word & ~WAITER_STATE_MASK) | state;
}

/*
 * The word
 */

static bool is_broken(uint64_t word)
{
	return (word & BARRIER_STAGE_MASK) == BARRIER_BROKEN;
}

/* Of one that is broken, or damaged. */
static int error_of(uint64_t word)
{
	if (!is_broken(word))
		return -EBADMSG;
	return word & BARRIER_DIED ? -EOWNERDEAD : -ECANCELED;
}

/* The same phase, broken; @died: BARRIER_DIED or 0. */
static uint64_t broken(uint64_t word, uint64_t died)
{
	return BARRIER_PHASE(word) << BARRIER_PHASE_SHIFT | BARRIER_BROKEN | died;
}

/* The next phase, to which nobody has come. */
static uint64_t next(uint64_t word)
{
	return (BARRIER_PHASE(word) << BARRIER_PHASE_SHIFT) + BARRIER_PHASE_ONE;
}

/* If it still says @was it says @now after this, and all see that. */
static bool change(struct shared *s, uint64_t *was, uint64_t now)
{
	/* order: PHASE: all that was done before; SLEEP: before the look at the bell */
	if (!cas_seq(&state_of(s)->word, was, now))
		return false;
	shared_ring(s, &state_of(s)->bell, true);
	return true;
}

/* Break phase @phase, unless it is over. */
static void break_phase(struct shared *s, uint64_t phase)
{
	uint64_t was = load_seq(&state_of(s)->word);	/* order: PHASE acquire */

	while (BARRIER_PHASE(was) == phase && !is_broken(was))
		if (change(s, &was, broken(was, 0)))
			return;
}

/*
 * Parties that are gone
 */

/* Nobody has freed the name, so what names the party means this one. */
static bool is_still(const struct shared *s, uint32_t party, uint64_t word)
{
	/* order: PARTY acquire: what was read before is not of the next one */
	return load_acquire(&s->commons.parties[party].name.low) == word;
}

/* Whether a thread of it waits in this phase. */
static bool is_inside(const struct shared *s, uint32_t party, uint64_t phase)
{
	const struct weir_barrier_waiter *places = places_of(s);

	for (uint32_t i = 0; i < place_count(s); i++) {
		uint64_t word = load_acquire(&places[i].word);	/* order: PLACE acquire */

		if (WAITER_PARTY(word) == party && WAITER_STATE(word) == WAITER_WAITING &&
		    load_relaxed(&places[i].phase) == phase)	/* relaxed: behind the word */
			return true;
	}
	return false;
}

static void empty_places(struct shared *s, uint32_t party, uint64_t word)
{
	struct weir_barrier_waiter *places = places_of(s);

	for (uint32_t i = 0; i < place_count(s); i++) {
		uint64_t was = load_acquire(&places[i].word);	/* order: PLACE acquire */

		if (WAITER_STATE(was) == WAITER_FREE || WAITER_PARTY(was) != party)
			continue;
		if (!is_still(s, party, word))
			return;
		cas_seq(&places[i].word, &was, with_state(was, WAITER_FREE));	/* order: PLACE */
	}
}

static void settle(struct shared *s, uint32_t party, uint64_t word, bool died)
{
	/* relaxed: its own, or it has died; behind the name */
	bool member = load_relaxed(&s->commons.parties[party].of_kind[MEMBER]) == word;
	uint64_t was = load_seq(&state_of(s)->word);	/* order: PHASE acquire */

	while (!is_broken(was) && ((died && member) || is_inside(s, party, BARRIER_PHASE(was)))) {
		/*
		 * After the look at the word: had it been broken for this death, and were this the
		 * word of one begun anew since, the name would be free.
		 */
		if (!is_still(s, party, word))
			return;
		if (change(s, &was, broken(was, died ? BARRIER_DIED : 0)))
			break;
	}
	empty_places(s, party, word);
	cas_seq(&state_of(s)->watch, &party, 0);	/* order: WATCH */
}

/*
 * Places
 */

static bool claim(struct stay *y, uint32_t index)
{
	struct weir_barrier_waiter *place = &places_of(y->shared)[index];
	uint64_t was = load_relaxed(&place->word);	/* relaxed: the exchange finds out */

	if (WAITER_STATE(was) != WAITER_FREE)
		return false;
	y->word = (was & ~(WAITER_USE_ONE - 1)) + WAITER_USE_ONE;
	y->word |= (uint64_t)y->party << WAITER_PARTY_SHIFT | WAITER_COMING;
	if (!cas_seq(&place->word, &was, y->word))	/* order: PLACE */
		return false;
	y->place = place;
	return true;
}

static bool claim_any(struct stay *y)
{
	uint32_t count = place_count(y->shared);

	/* Each party begins elsewhere, to find a free one soon. */
	for (uint32_t i = 0; i < count; i++)
		if (claim(y, (y->party * 2 + i) % count))
			return true;
	return false;
}

/* Say in our place that we come to phase @phase. It counts if the word agrees, later. */
static int come(struct stay *y, uint64_t phase)
{
	if (!y->place && !claim_any(y) &&
	    (shared_mend_all(y->shared) == 0 || !claim_any(y)))
		return -EUSERS;
	if (WAITER_STATE(y->word) == WAITER_WAITING) {
		if (y->phase == phase)
			return 0;
		/* Another use: what somebody may say of the one before is not of this one. */
		y->word = with_state(y->word + WAITER_USE_ONE, WAITER_COMING);
		store_seq(&y->place->word, y->word);	/* order: PLACE */
	}
	y->phase = phase;
	store_relaxed(&y->place->phase, phase);	/* relaxed: before the word */
	y->word = with_state(y->word, WAITER_WAITING);
	store_seq(&y->place->word, y->word);	/* order: PLACE release, PHASE: before the state */
	return 0;
}

static void go(struct stay *y)
{
	uint64_t was;

	if (!y->place)
		return;
	was = load_relaxed(&y->place->word);	/* relaxed: the exchange finds out */
	/* Unless it is not ours any more, since our process ends in another thread. */
	while ((was | WAITER_STATE_MASK) == (y->word | WAITER_STATE_MASK) &&
	       /* order: PLACE release: we do not look at it any more */
	       !cas_seq(&y->place->word, &was, with_state(was, WAITER_FREE)))
		;
}

/* Tell all who have come to @phase that it broke. */
static void tell_all(struct shared *s, uint64_t phase, uint64_t state)
{
	struct weir_barrier_waiter *places = places_of(s);

	for (uint32_t i = 0; i < place_count(s); i++) {
		uint64_t word = load_seq(&places[i].word);	/* order: PLACE acquire, PHASE */

		if (WAITER_STATE(word) == WAITER_WAITING &&
		    load_relaxed(&places[i].phase) == phase)	/* relaxed: behind the word */
			cas_seq(&places[i].word, &word, with_state(word, state)); /* order: PLACE */
	}
}

/*
 * Waiting
 */

/* -EAGAIN: the phase is not over; 0: it was complete; or what became of it. */
static int fate(const struct stay *y)
{
	uint64_t now = load_seq(&y->state->word), mine;	/* order: PHASE acquire, SLEEP */

	if (BARRIER_PHASE(now) == y->phase)
		return is_broken(now) ? error_of(now) : -EAGAIN;
	mine = load_acquire(&y->place->word);	/* order: PLACE acquire, after the phase */
	if (mine == y->word)
		return 0;
	return mine == with_state(y->word, WAITER_DIED) ? -EOWNERDEAD : -ECANCELED;
}

static bool has_fate(void *arg)
{
	return fate(arg) != -EAGAIN;
}

/* The same for one who waits until he can come. */
static bool has_changed(void *arg)
{
	const struct stay *y = arg;

	/* order: PHASE acquire, SLEEP */
	return load_seq(&y->state->word) != y->seen;
}

/* 0: @look says so; -EAGAIN: once more; -ETIMEDOUT, -EINTR, -ESHUTDOWN. */
static int sleep_once(struct stay *y, bool (*look)(void *arg))
{
	uint32_t *bell = &y->state->bell, listened = bell_listen(bell);
	int result;

	if (look(y))
		return 0;
	result = shared_sleep(y->shared, bell, listened, vigil_until(&y->vigil, y->deadline));
	bell_heard(bell);
	if (look(y))
		return 0;
	if (result == -ESHUTDOWN || (result == -EINTR && (y->flags & WEIR_INTR)))
		return result;
	vigil_look(&y->vigil);
	return clock_now() >= y->deadline ? -ETIMEDOUT : -EAGAIN;
}

/* Until @look says so: 0, or what ended it before. */
static int wait_until(struct stay *y, bool (*look)(void *arg))
{
	struct spin spin;
	int result;

	spin_init(&spin);
	if (y->shared->lock.may_spin && !(y->flags & WEIR_NOSPIN) &&
	    spin_for(&spin, look, y, y->deadline))
		return 0;
	vigil_begin(&y->vigil, y->shared, &y->state->watch, y->party);
	do
		result = sleep_once(y, look);
	while (result == -EAGAIN);
	vigil_end(&y->vigil);
	return result;
}

/* We have come; the others are still to. */
static int wait_for_others(struct stay *y)
{
	int reason = wait_until(y, has_fate), result = fate(y);

	while (result == -EAGAIN) {
		uint64_t was = load_seq(&y->state->word);	/* order: PHASE acquire */

		if (BARRIER_PHASE(was) == y->phase && !is_broken(was) &&
		    change(y->shared, &was, broken(was, 0)))
			return reason;
		result = fate(y);
	}
	/* Another thread of ours was quicker to break it. */
	if (result == -ECANCELED && load_seq(&y->shared->closing))	/* order: CLOSING */
		return -ESHUTDOWN;
	return result;
}

/* We are the last, as @was says, and do what is to be done before all go on. */
static int act(struct stay *y, uint64_t was)
{
	uint64_t acting = (was + 1) | BARRIER_ACTING;
	int result = come(y, BARRIER_PHASE(was));

	if (result < 0)
		return result;
	if (!change(y->shared, &was, acting))
		return LOOK_AGAIN;
	result = y->barrier->action(y->barrier->arg);
	was = acting;
	/* Somebody may have broken it meanwhile. */
	if (result == 0)
		return change(y->shared, &was, next(acting)) ? 0 : fate(y);
	break_phase(y->shared, y->phase);
	return result < 0 ? result : -ECANCELED;
}

/* The last one: 0; LOOK_AGAIN: he was not; or an error. */
static int complete(struct stay *y, uint64_t was)
{
	y->index = BARRIER_COUNT(was);
	if (y->barrier->action)
		return act(y, was);
	return change(y->shared, &was, next(was)) ? 0 : LOOK_AGAIN;
}

/* One of those before: the same. */
static int join(struct stay *y, uint64_t was)
{
	int result = come(y, BARRIER_PHASE(was));

	if (result < 0)
		return result;
	y->index = BARRIER_COUNT(was);
	if (!cas_seq(&y->state->word, &was, was + 1))	/* order: PHASE */
		return LOOK_AGAIN;
	return wait_for_others(y);
}

/* More have come than it was made for: wait until those before are gone. */
static int queue_up(struct stay *y, uint64_t was)
{
	int result;

	y->seen = was;
	result = wait_until(y, has_changed);
	return result == 0 ? LOOK_AGAIN : result;
}

/* As @was says. The result, or LOOK_AGAIN. */
static int try_to_come(struct stay *y, uint64_t was)
{
	uint64_t stage = was & BARRIER_STAGE_MASK;
	uint32_t parties = parties_of(y->shared), count = BARRIER_COUNT(was);

	if (stage == BARRIER_FILLING && count + 1 == parties)
		return complete(y, was);
	if (stage != BARRIER_ACTING && (stage != BARRIER_FILLING || count >= parties))
		return error_of(was);
	if (y->deadline <= 0)
		return -EAGAIN;
	return stage == BARRIER_FILLING ? join(y, was) : queue_up(y, was);
}

static int wait_inside(struct stay *y)
{
	uint32_t times = 0;
	int result;

	do {
		result = try_to_come(y, load_seq(&y->state->word));	/* order: PHASE acquire */
		/* Somebody damages it all the time. */
		if (++times >= LOOKS_MOST && clock_now() >= y->deadline)
			break;
	} while (result == LOOK_AGAIN);
	go(y);
	if (result == LOOK_AGAIN)
		return y->deadline <= 0 ? -EAGAIN : -ETIMEDOUT;
	return result;
}

static void become_member(struct shared *s, uint32_t party)
{
	uint64_t *member = &s->commons.parties[party].of_kind[MEMBER];

	/* relaxed: our own; looked at by others when we are dead */
	if (load_relaxed(member) != s->private->word)
		store_relaxed(member, s->private->word);	/* relaxed: as above */
}

int weir_barrier_wait(struct weir_barrier *barrier, uint32_t flags, int64_t deadline,
		      uint32_t *ret_index)
{
	struct stay y = { .barrier = barrier, .flags = flags, .deadline = deadline };
	uint64_t me, limit;
	int result;

	if (!barrier || (flags & ~CALL_FLAGS))
		return -EINVAL;
	y.shared = &barrier->shared;
	y.state = state_of(y.shared);
	limit = barrier->shared.commons.geometry.limit;
	if (deadline == WEIR_FOREVER && limit > 0)
		y.deadline = weir_after((int64_t)limit);
	result = shared_sit(y.shared, &me);
	if (result < 0)
		return result;
	y.party = LOCK_PARTY(me);
	become_member(y.shared, y.party);
	shared_visit(y.shared);
	result = wait_inside(&y);
	shared_depart(y.shared);
	if (result == 0 && ret_index)
		*ret_index = y.index;
	return result;
}

int weir_barrier_abort(struct weir_barrier *barrier)
{
	uint64_t was;

	if (!barrier)
		return -EINVAL;
	was = load_seq(&state_of(&barrier->shared)->word);	/* order: PHASE acquire */
	while (!is_broken(was))
		if (change(&barrier->shared, &was, broken(was, 0)))
			break;
	return 0;
}

int weir_barrier_reset(struct weir_barrier *barrier)
{
	struct shared *s;
	uint64_t was, phase;

	if (!barrier)
		return -EINVAL;
	s = &barrier->shared;
	/* What has died until now is done with: none of it is found again later. */
	shared_mend_all(s);
	was = load_seq(&state_of(s)->word);	/* order: PHASE acquire */
	phase = BARRIER_PHASE(was);
	if ((was & (BARRIER_STAGE_MASK | BARRIER_COUNT_MASK)) == BARRIER_FILLING)
		return 0;
	break_phase(s, phase);
	was = load_seq(&state_of(s)->word);	/* order: PHASE acquire: whoever comes sees it */
	if (BARRIER_PHASE(was) != phase)
		return 0;
	tell_all(s, phase, was & BARRIER_DIED ? WAITER_DIED : WAITER_CANCELED);
	change(s, &was, next(was));
	return 0;
}

int weir_barrier_broken(struct weir_barrier *barrier)
{
	/* order: PHASE acquire */
	return barrier ? is_broken(load_seq(&state_of(&barrier->shared)->word)) : -EINVAL;
}

int weir_barrier_waiting(struct weir_barrier *barrier)
{
	/* order: PHASE acquire */
	return barrier ? (int)BARRIER_COUNT(load_seq(&state_of(&barrier->shared)->word)) : -EINVAL;
}

int weir_barrier_parties(struct weir_barrier *barrier)
{
	return barrier ? (int)parties_of(&barrier->shared) : -EINVAL;
}

/*
 * Handles
 */

static int check(const struct weir_commons_geometry *g, uint64_t body_size)
{
	if (g->flags != 0 || g->count == 0 || g->count > PARTIES_MAX || g->limit > INT64_MAX)
		return -EBADMSG;
	return body_size == PLACES(g->count) * sizeof(struct weir_barrier_waiter) ? 0 : -EBADMSG;
}

static void rouse(struct shared *s)
{
	bell_ring_all(&state_of(s)->bell);
}

const struct shared_kind shared_kind_barrier = {
	.kind = WEIR_KIND_BARRIER,
	.object = WEIR_OBJECT_BARRIER,
	.handle_size = sizeof(struct weir_barrier),
	.check = check,
	.settle = settle,
	.rouse = rouse,
};

int weir_barrier(struct weir_barrier **ret_barrier, uint32_t parties,
		 const struct weir_barrier_options *options)
{
	struct weir_commons_geometry g = { .count = parties };
	int result;

	if (!ret_barrier || parties == 0 || parties > PARTIES_MAX)
		return -EINVAL;
	if (options && (options->size != sizeof(*options) || options->flags != 0 ||
			options->reserved != 0 || options->timeout < 0))
		return -EINVAL;
	g.limit = options ? (uint64_t)options->timeout : 0;
	result = shared_create(&shared_kind_barrier, &g,
			       PLACES(parties) * sizeof(struct weir_barrier_waiter), NULL,
			       ret_barrier);
	if (result == 0 && options)
		weir_barrier_set_action(*ret_barrier, options->action, options->arg);
	return result;
}

int weir_barrier_set_action(struct weir_barrier *barrier, int (*action)(void *arg), void *arg)
{
	if (!barrier)
		return -EINVAL;
	barrier->action = action;
	barrier->arg = arg;
	return 0;
}

void weir_barrier_close(struct weir_barrier *barrier)
{
	shared_close((struct shared *)barrier);
}
