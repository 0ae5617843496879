/* SPDX-License-Identifier: MIT */
/*
 * Conditions. Each one who waits has a place in the body: a word that says what has become of him,
 * a ticket that says when he came, and a bell of his own.
 *
 * Coming and notifying are done by whoever has the lock, so that a notification finds exactly those
 * who wait. But nothing here relies on it: all changes of a word are exchanges which name the use
 * of the place that they mean. Nobody waits for anybody, so one who is stopped on the way holds up
 * nobody.
 *
 * Who dies may have been about to notify. So when a party has died all who wait are told, and what
 * a dead one was notified of is passed on; one death is told once, to those who wait when it is
 * found, or to the next.
 */
#include "obj/condition.h"

#include <errno.h>

#include "base/clock.h"
#include "obj/vigil.h"
#include "wait/park.h"
#include "wait/spin.h"

#define CALL_FLAGS	(WEIR_INTR | WEIR_NOSPIN)
#define WAITERS_DEFAULT	1000
#define WAITERS_MAX	65535

/* One who waits, in the call. */
struct stay {
	struct shared *shared;
	struct weir_condition_waiter *place;
	uint64_t word;		/* of the place, while nothing has become of him */
	uint32_t flags;
	int64_t deadline;
	struct vigil vigil;
};

static struct weir_condition_state *state_of(const struct shared *s)
{
	return s->commons.state;
}

static struct weir_condition_waiter *places_of(const struct shared *s)
{
	return (struct weir_condition_waiter *)(void *)s->commons.body;
}

static uint32_t place_count(const struct shared *s)
{
	return (uint32_t)s->commons.geometry.count;
}

/* Places from here on were never used. */
static uint32_t top_of(const struct shared *s)
{
	uint32_t top = load_seq(&state_of(s)->top);	/* order: PLACE: after the look for one */

	return top < place_count(s) ? top : place_count(s);
}

static uint64_t with_state(uint64_t word, uint64_t state)
{
	return (word & ~WAITER_STATE_MASK) | state;
}

/*
 * Notifying
 */

/* Let @place, which says @word, know. Whether it still did. */
static bool tell(struct weir_condition_waiter *place, uint64_t word, uint64_t state)
{
	/* order: PLACE, SLEEP: before the look at the bell */
	if (!cas_seq(&place->word, &word, with_state(word, state)))
		return false;
	bell_ring(&place->bell);
	return true;
}

/* Those who wait and have a ticket up to @limit: how many. */
static uint32_t count_waiting(const struct shared *s, uint64_t limit, uint64_t *ret_oldest,
			      uint64_t *ret_newest)
{
	const struct weir_condition_waiter *places = places_of(s);
	uint32_t count = 0, top = top_of(s);

	*ret_oldest = UINT64_MAX;
	*ret_newest = 0;
	for (uint32_t i = 0; i < top; i++) {
		uint64_t ticket;

		/* order: PLACE acquire: the ticket is its own */
		if (WAITER_STATE(load_acquire(&places[i].word)) != WAITER_WAITING)
			continue;
		ticket = load_relaxed(&places[i].ticket);	/* relaxed: behind the word */
		if (ticket > limit)
			continue;
		*ret_oldest = ticket < *ret_oldest ? ticket : *ret_oldest;
		*ret_newest = ticket > *ret_newest ? ticket : *ret_newest;
		count++;
	}
	return count;
}

/* The ticket of the last of the @count oldest. */
static uint64_t last_of_oldest(const struct shared *s, uint32_t count)
{
	uint64_t low, high, oldest, newest;

	if (count_waiting(s, UINT64_MAX, &low, &high) <= count)
		return UINT64_MAX;
	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (count_waiting(s, middle, &oldest, &newest) >= count)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* Those who wait, up to ticket @limit, @count of them at most: how many. */
static uint32_t tell_those(struct shared *s, uint64_t limit, uint32_t count, uint64_t state)
{
	struct weir_condition_waiter *places = places_of(s);
	uint32_t told = 0, top = top_of(s);

	for (uint32_t i = 0; i < top && told < count; i++) {
		uint64_t word = load_acquire(&places[i].word);	/* order: PLACE acquire */

		if (WAITER_STATE(word) != WAITER_WAITING ||
		    load_relaxed(&places[i].ticket) > limit)	/* relaxed: behind the word */
			continue;
		told += tell(&places[i], word, state);
	}
	return told;
}

/* The @count oldest: how many. */
static uint32_t notify(struct shared *s, uint32_t count)
{
	uint32_t told = 0, more;

	/* Also where somebody damages the memory all the time it ends. */
	if (count > place_count(s))
		count = place_count(s);
	/* Again, if some have given up meanwhile: others wait, and none can come. */
	do {
		more = tell_those(s, last_of_oldest(s, count - told), count - told,
				  WAITER_NOTIFIED);
		told += more;
	} while (more > 0 && told < count);
	return told;
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

static void empty_places(struct shared *s, uint32_t party, uint64_t word)
{
	struct weir_condition_waiter *places = places_of(s);
	uint32_t top = top_of(s);

	for (uint32_t i = 0; i < top; i++) {
		uint64_t was = load_acquire(&places[i].word);	/* order: PLACE acquire */

		if (WAITER_STATE(was) == WAITER_FREE || WAITER_PARTY(was) != party)
			continue;
		if (!is_still(s, party, word))
			return;
		/* Whoever frees it passes it on: if he dies before, all are told of that. */
		/* order: PLACE */
		if (cas_seq(&places[i].word, &was, with_state(was, WAITER_FREE)) &&
		    WAITER_STATE(was) == WAITER_NOTIFIED)
			notify(s, 1);
	}
}

static void tell_of_death(struct shared *s)
{
	uint32_t *untold = &state_of(s)->untold;

	if (tell_those(s, UINT64_MAX, UINT32_MAX, WAITER_DIED) > 0)
		return;
	store_seq(untold, 1);	/* order: UNTOLD: before the second look */
	if (tell_those(s, UINT64_MAX, UINT32_MAX, WAITER_DIED) > 0)
		store_seq(untold, 0);	/* order: UNTOLD */
}

static void settle(struct shared *s, uint32_t party, uint64_t word, bool died)
{
	empty_places(s, party, word);
	if (died && is_still(s, party, word))
		tell_of_death(s);
	cas_seq(&state_of(s)->watch, &party, 0);	/* order: WATCH */
}

/*
 * Places
 */

static void raise_top(struct shared *s, uint32_t to)
{
	uint32_t *top = &state_of(s)->top, was = load_relaxed(top);	/* relaxed: as below */

	/* order: PLACE: before the place is somebody's */
	while (was < to && !cas_seq(top, &was, to))
		;
}

static bool claim(struct shared *s, uint32_t party, uint32_t index, uint64_t *ret_word)
{
	uint64_t *word = &places_of(s)[index].word;
	uint64_t was = load_relaxed(word);	/* relaxed: the exchange finds out */

	if (WAITER_STATE(was) != WAITER_FREE)
		return false;
	raise_top(s, index + 1);
	*ret_word = (was & ~(WAITER_USE_ONE - 1)) + WAITER_USE_ONE;
	*ret_word |= (uint64_t)party << WAITER_PARTY_SHIFT | WAITER_COMING;
	return cas_seq(word, &was, *ret_word);	/* order: PLACE */
}

static struct weir_condition_waiter *claim_any(struct shared *s, uint32_t party,
					       uint64_t *ret_word)
{
	for (uint32_t i = 0; i < place_count(s); i++)
		if (claim(s, party, i, ret_word))
			return &places_of(s)[i];
	return NULL;
}

/* We wait from here on. */
static int come(struct stay *y, uint32_t party)
{
	struct shared *s = y->shared;

	y->place = claim_any(s, party, &y->word);
	if (!y->place && shared_mend_all(s) > 0)
		y->place = claim_any(s, party, &y->word);
	if (!y->place)
		return -EUSERS;
	/* relaxed: before the word */
	store_relaxed(&y->place->ticket, add_seq(&state_of(s)->tickets, 1)); /* order: TICKET */
	/* What the last one there was woken for is not for us. */
	bell_heard(&y->place->bell);
	y->word = with_state(y->word, WAITER_WAITING);
	store_seq(&y->place->word, y->word);	/* order: PLACE, UNTOLD: before the look at it */
	return 0;
}

/* The place is free again, if it is still ours. */
static bool go(struct stay *y, uint64_t word)
{
	/* order: PLACE release: we do not look at it any more */
	return cas_seq(&y->place->word, &word, with_state(word, WAITER_FREE));
}

/*
 * Waiting
 */

/* -EAGAIN: nothing has become of us yet; 0: notified; WEIR_OWNER_DIED. */
static int fate(const struct stay *y)
{
	uint64_t word = load_seq(&y->place->word);	/* order: PLACE acquire, SLEEP */

	if (likely(word == y->word))
		return -EAGAIN;
	/* If the place is not ours any more, our process is ending in another thread. */
	return word == with_state(y->word, WAITER_NOTIFIED) ? 0 : WEIR_OWNER_DIED;
}

static bool has_fate(void *arg)
{
	return fate(arg) != -EAGAIN;
}

/* Do not wait any more, for @reason, unless something has become of us. */
static int give_up(struct stay *y, int reason)
{
	return go(y, y->word) ? reason : fate(y);
}

static int sleep_once(struct stay *y)
{
	uint32_t *bell = &y->place->bell, listened = bell_listen(bell);
	int result;

	if (has_fate(y))
		return fate(y);
	result = shared_sleep(y->shared, bell, listened, vigil_until(&y->vigil, y->deadline));
	bell_heard(bell);
	if (has_fate(y))
		return fate(y);
	if (result == -ESHUTDOWN || (result == -EINTR && (y->flags & WEIR_INTR)))
		return give_up(y, result);
	vigil_look(&y->vigil);
	return clock_now() >= y->deadline ? give_up(y, -ETIMEDOUT) : -EAGAIN;
}

static int wait_asleep(struct stay *y, uint32_t party)
{
	int result;

	vigil_begin(&y->vigil, y->shared, &state_of(y->shared)->watch, party);
	do
		result = sleep_once(y);
	while (result == -EAGAIN);
	vigil_end(&y->vigil);
	return result;
}

/* A death that nobody was told of: it is ours. */
static bool take_untold(struct shared *s)
{
	uint32_t one = 1;

	/* order: UNTOLD: after we have come */
	return load_seq(&state_of(s)->untold) && cas_seq(&state_of(s)->untold, &one, 0);
}

/* We have come, and wait: 0, WEIR_OWNER_DIED; -EAGAIN, -ETIMEDOUT, -EINTR, -ESHUTDOWN. */
static int stay(struct stay *y, uint32_t party)
{
	struct spin spin;
	int result = -EAGAIN;

	spin_init(&spin);
	if (take_untold(y->shared))
		result = give_up(y, WEIR_OWNER_DIED);
	else if (y->deadline <= 0)
		result = give_up(y, -EAGAIN);
	else if (y->shared->lock.may_spin && !(y->flags & WEIR_NOSPIN) &&
		 spin_for(&spin, has_fate, y, y->deadline))
		result = fate(y);
	else
		result = wait_asleep(y, party);
	go(y, with_state(y->word, result == 0 ? WAITER_NOTIFIED : WAITER_DIED));
	return result;
}

/* Whether this thread has the lock: 0, -EPERM, or an error of shared_sit(). */
static int check_lock(struct shared *s, uint64_t *ret_me)
{
	int result = shared_sit(s->with, ret_me);

	if (result == 0 && !lock_is_mine(&s->with->lock, *ret_me))
		result = -EPERM;
	return result;
}

/* The lock is ours. Who closes the handle waits for us, if the lock is its own. */
static int wait_without_lock(struct stay *y, uint64_t me, uint64_t lock_me)
{
	struct shared *s = y->shared;
	struct lock *lock = &s->with->lock;
	bool owns = s->owns_with;
	int result = come(y, LOCK_PARTY(me)), again;
	uint32_t depth;

	if (result < 0) {
		shared_depart(s);
		return result;
	}
	depth = lock_give_all(lock);
	result = stay(y, LOCK_PARTY(me));
	if (!owns)
		shared_depart(s);
	again = lock_take_all(lock, lock_me, depth);
	if (owns)
		shared_depart(s);
	if (again < 0)
		return again;
	return again > 0 && result != -ESHUTDOWN ? again : result;
}

int weir_condition_wait(struct weir_condition *condition, uint32_t flags, int64_t deadline)
{
	struct stay y = { .flags = flags, .deadline = deadline };
	uint64_t me, lock_me;
	int result;

	if (!condition || (flags & ~CALL_FLAGS))
		return -EINVAL;
	y.shared = &condition->shared;
	result = check_lock(y.shared, &lock_me);
	if (result == 0)
		result = shared_sit(y.shared, &me);
	if (result < 0)
		return result;
	shared_visit(y.shared);
	return wait_without_lock(&y, me, lock_me);
}

int weir_condition_wait_for(struct weir_condition *condition, int (*predicate)(void *arg),
			    void *arg, uint32_t flags, int64_t deadline)
{
	uint64_t lock_me;
	int result;

	if (!condition || !predicate || (flags & ~CALL_FLAGS))
		return -EINVAL;
	result = check_lock(&condition->shared, &lock_me);
	if (result < 0)
		return result;
	for (;;) {
		if (predicate(arg))
			return 0;
		/* It has been looked at after what ended the last wait. */
		if (result < 0)
			return result;
		if (deadline <= 0)
			return -EAGAIN;
		result = weir_condition_wait(condition, flags, deadline);
		if (result != 0 && result != -ETIMEDOUT && result != -EINTR)
			return result;
	}
}

int weir_condition_notify(struct weir_condition *condition, uint32_t count)
{
	uint64_t me;
	int result;

	if (!condition)
		return -EINVAL;
	result = check_lock(&condition->shared, &me);
	/* Who notifies is a party: those who wait want to know when he dies. */
	if (result == 0)
		result = shared_sit(&condition->shared, &me);
	return result < 0 ? result : (int)notify(&condition->shared, count);
}

int weir_condition_notify_all(struct weir_condition *condition)
{
	return weir_condition_notify(condition, UINT32_MAX);
}

/*
 * Handles
 */

static int check(const struct weir_commons_geometry *g, uint64_t body_size)
{
	if (g->flags != 0 || g->count == 0 || g->count > WAITERS_MAX)
		return -EBADMSG;
	return body_size == g->count * sizeof(struct weir_condition_waiter) ? 0 : -EBADMSG;
}

static int opened(struct shared *s)
{
	return s->with ? 0 : -EBADMSG;
}

static void rouse(struct shared *s)
{
	struct weir_condition_waiter *places = places_of(s);
	uint32_t top = top_of(s), mine = LOCK_PARTY(s->private->me);

	for (uint32_t i = 0; i < top; i++)
		/* relaxed: LEAVING: again and again, until all have left */
		if (WAITER_PARTY(load_relaxed(&places[i].word)) == mine)
			bell_ring_all(&places[i].bell);
	if (!s->owns_with)
		return;
	/* It is closed, too: nobody waits for it any more. */
	store_seq(&s->with->closing, 1);	/* order: CLOSING */
	bell_ring_all(&s->with->lock.state->bell);
}

const struct shared_kind shared_kind_condition = {
	.kind = WEIR_KIND_CONDITION,
	.object = WEIR_OBJECT_CONDITION,
	.handle_size = sizeof(struct weir_condition),
	.check = check,
	.opened = opened,
	.settle = settle,
	.rouse = rouse,
};

static int create(struct weir_condition **ret_condition, struct weir_lock *lock, uint32_t waiters)
{
	struct weir_commons_geometry g = { .count = waiters ? waiters : WAITERS_DEFAULT };

	return shared_create(&shared_kind_condition, &g,
			     g.count * sizeof(struct weir_condition_waiter), &lock->shared,
			     ret_condition);
}

int weir_condition(struct weir_condition **ret_condition, struct weir_lock *lock,
		   const struct weir_condition_options *options)
{
	const struct weir_lock_options recursive = {
		.size = sizeof(recursive),
		.flags = WEIR_LOCK_RECURSIVE,
	};
	uint32_t waiters = options ? options->max_waiters : 0;
	struct weir_lock *own = NULL;
	int result = 0;

	/* One that is part of another object cannot travel with this one. */
	if (!ret_condition || waiters > WAITERS_MAX ||
	    (lock && lock->shared.kind != WEIR_KIND_LOCK) ||
	    (options && (options->size != sizeof(*options) || options->flags != 0)))
		return -EINVAL;
	if (!lock)
		result = weir_lock(&own, &recursive);
	if (result == 0)
		result = create(ret_condition, lock ? lock : own, waiters);
	if (result < 0)
		weir_lock_close(own);
	else
		(*ret_condition)->shared.owns_with = own != NULL;
	return result;
}

struct weir_lock *weir_condition_lock(struct weir_condition *condition)
{
	return condition ? (struct weir_lock *)condition->shared.with : NULL;
}

int weir_condition_use_lock(struct weir_condition *condition, struct weir_lock *lock)
{
	struct shared *s;

	if (!condition || !lock)
		return -EINVAL;
	s = &condition->shared;
	if (s->with->commons.inode != lock->shared.commons.inode ||
	    s->with->commons.device != lock->shared.commons.device)
		return -EINVAL;
	if (s->with != &lock->shared && s->owns_with)
		shared_close(s->with);
	s->owns_with = s->owns_with && s->with == &lock->shared;
	s->with = &lock->shared;
	return 0;
}

void weir_condition_close(struct weir_condition *condition)
{
	shared_close((struct shared *)condition);
}
