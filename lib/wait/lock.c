/* SPDX-License-Identifier: MIT */
#include "wait/lock.h"

#include <errno.h>

#include "base/clock.h"
#include "wait/park.h"
#include "wait/party.h"

#define WATCH_NS	(4 * NS_PER_MS)
#define SLEEP_NS	(100 * NS_PER_MS)
/* Who has waited long looks less often: after this part of the time that it was. */
#define WATCH_SHARE	16
/* How long to stay awake at least, and how many pauses looks at the clock are apart. */
#define SPIN_LEAST_NS	(1 * NS_PER_US)
#define SPIN_TURNS	16
/*
 * Each look takes the line from the holder, who wants it back to give the lock back, and to take it
 * again: so looks become rarer, up to this many pauses.
 */
#define SPIN_PAUSES	32
/* A gap in our own time as long as this: somebody else ran on our processor. */
#define SPIN_PREEMPTED_NS (50 * NS_PER_US)

/* One who waits. */
struct waiter {
	struct lock *lock;
	uint64_t me;
	uint32_t flags;
	int64_t deadline;
	int64_t since;		/* when it began to sleep */
	int64_t look_at;	/* when to look around next */
	uint64_t seen;		/* what the word said when we looked last whether he has died */
};

/* WEIR_OWNER_DIED, 0: it is ours; -EAGAIN. */
static int try(struct lock *l, uint64_t me)
{
	uint64_t was = load_seq(&l->state->word);	/* order: SLEEP: after bell_listen() */

	while (LOCK_PARTY(was) == 0)
		/* order: LOCK acquire, from lock_give() */
		if (cas_seq(&l->state->word, &was, me)) {
			/* relaxed: ours */
			store_relaxed(&l->state->depth, 0);
			return was & LOCK_DIED ? WEIR_OWNER_DIED : 0;
		}
	return -EAGAIN;
}

/* Make it free, if it still says @was, and have the next one told. */
static void abandon(struct lock *l, uint64_t was)
{
	/* order: LOCK, SLEEP: as giving it back */
	if (!cas_seq(&l->state->word, &was, LOCK_DIED))
		return;
	add_relaxed(&l->state->deaths, 1);	/* relaxed: a counter */
	/* He may have been woken for it, too. */
	bell_heard(&l->state->bell);
	bell_ring(&l->state->bell);
}

void lock_abandon(struct lock *l, uint32_t party, uint64_t word)
{
	uint64_t was = load_acquire(&l->state->word);	/* order: LOCK acquire */

	if ((was & LOCK_HOLDER_MASK) == lock_name(party, word))
		abandon(l, was);
}

/* Whether there is a party of this number that has not died. */
static bool is_there(const struct lock *l, uint32_t index)
{
	const struct weir_party *party = &l->parties[index];
	uint64_t word;

	/* relaxed: of those that are not there nothing is wanted */
	return index < COMMONS_PARTIES &&
	       (load_relaxed(&party->name.low) & PARTY_STATE) != PARTY_FREE &&
	       !party_gone(&party->name, &party->image, l->control->spaces, &word);
}

/* Whether the holder, as the word says, has died; also one that cannot be. */
static bool has_died(const struct lock *l, uint64_t was)
{
	uint32_t index = LOCK_PARTY(was);
	uint64_t word;

	if (!is_there(l, index))
		return true;
	/* relaxed: it is there; another one of that number is as good as none */
	word = load_relaxed(&l->parties[index].name.low);
	return lock_name(index, word) != (was & LOCK_HOLDER_MASK);
}

/* If the holder has died it is free after this. */
static void look_after(struct lock *l)
{
	uint64_t was = load_acquire(&l->state->word);	/* order: LOCK acquire */

	if (LOCK_PARTY(was) != 0 && has_died(l, was))
		abandon(l, was);
}

/* The same for one who never sleeps: not too often. */
static void look_after_now_and_then(struct lock *l)
{
	int64_t now = clock_now();

	/* relaxed: about when, whoever looks */
	if (now - load_relaxed(&l->looked_at) < WATCH_NS)
		return;
	store_relaxed(&l->looked_at, now);	/* relaxed: as above */
	look_after(l);
}

/*
 * Staying awake
 */

/* Look some times, more and more rarely. As try(). */
static int look(struct lock *l, uint64_t me, int *pauses)
{
	for (int i = 0; i < SPIN_TURNS; i += *pauses) {
		int result = lock_is_free(l) ? try(l, me) : -EAGAIN;

		if (result >= 0)
			return result;
		for (int k = 0; k < *pauses; k++)
			cpu_relax();
		if (*pauses < SPIN_PAUSES)
			*pauses *= 2;
	}
	return -EAGAIN;
}

/* As try(); -EAGAIN: it is time to sleep. */
static int spin(struct waiter *w)
{
	struct lock *l = w->lock;
	/* relaxed: about how long, whoever says so */
	int64_t start = clock_now(), now = start, then, ns = load_relaxed(&l->spin_ns);
	int pauses = 1, result;

	do {
		result = look(l, w->me, &pauses);
		if (result >= 0) {
			store_relaxed(&l->spin_ns, PARK_SPIN_NS);	/* relaxed: as above */
			return result;
		}
		then = now;
		now = clock_now();
		if (now - then > SPIN_PREEMPTED_NS)
			ns = 0;
	} while (now - start < ns && now < w->deadline);
	ns -= ns / 4;
	/* relaxed: as above */
	store_relaxed(&l->spin_ns, ns < SPIN_LEAST_NS ? SPIN_LEAST_NS : (uint32_t)ns);
	return -EAGAIN;
}

/*
 * Sleeping
 */

/* When to look around: often, if nobody else does. */
static int64_t next_look(struct waiter *w)
{
	struct lock *l = w->lock;
	uint32_t nobody = 0, mine = LOCK_PARTY(w->me);
	int64_t now = clock_now(), often = (now - w->since) / WATCH_SHARE;

	/* order: WATCH */
	if (!cas_seq(&l->state->watch, &nobody, mine) && nobody != mine)
		often = SLEEP_NS;
	else if (often < WATCH_NS)
		often = WATCH_NS;
	return now + (often < SLEEP_NS ? often : SLEEP_NS);
}

/* Whoever keeps watch may have died, too. */
static void watch_the_watch(struct waiter *w)
{
	uint32_t watch = load_seq(&w->lock->state->watch);	/* order: WATCH */

	if (watch != 0 && watch != LOCK_PARTY(w->me) && !is_there(w->lock, watch))
		cas_seq(&w->lock->state->watch, &watch, 0);	/* order: WATCH */
}

static void lay_down_watch(struct waiter *w)
{
	uint32_t mine = LOCK_PARTY(w->me);

	cas_seq(&w->lock->state->watch, &mine, 0);	/* order: WATCH */
}

/*
 * Not when a sleep has lasted for as long, but by the clock: signals may come so often that none
 * does.
 */
static void look_around(struct waiter *w)
{
	/* The same one has had it all that time? */
	uint64_t word = load_relaxed(&w->lock->state->word);	/* relaxed: a hint */

	watch_the_watch(w);
	if (word == w->seen)
		look_after(w->lock);
	w->seen = word;
	w->look_at = INT64_MAX;
}

static int64_t slice(struct waiter *w)
{
	int64_t look_at = next_look(w);

	if (look_at < w->look_at)
		w->look_at = look_at;
	return w->look_at < w->deadline ? w->look_at : w->deadline;
}

/* As try(); -EAGAIN: once more. */
static int sleep_once(struct waiter *w)
{
	struct lock *l = w->lock;
	uint32_t listened = bell_listen(&l->state->bell);
	int result = try(l, w->me), slept;
	int64_t now;

	if (result >= 0)
		return result;
	if (load_seq(l->closing))	/* order: CLOSING, after we are counted */
		return -ESHUTDOWN;
	slept = bell_sleep(&l->state->bell, listened, slice(w));
	/* Also if we were not woken: whoever was may have died. */
	bell_heard(&l->state->bell);
	result = try(l, w->me);
	if (result >= 0)
		return result;
	if (slept == -EINTR && (w->flags & WEIR_INTR))
		return -EINTR;
	now = clock_now();
	if (now >= w->look_at)
		look_around(w);
	if (now >= w->deadline) {
		result = try(l, w->me);
		return result >= 0 ? result : -ETIMEDOUT;
	}
	return -EAGAIN;
}

static int wait_asleep(struct waiter *w)
{
	struct lock *l = w->lock;
	int result;

	w->since = clock_now();
	/* The same one has had it while we were awake. */
	look_around(w);
	do
		result = sleep_once(w);
	while (result == -EAGAIN);
	lay_down_watch(w);
	/* What we were woken for is the next one's. */
	if (result < 0 && lock_is_free(l))
		bell_ring(&l->state->bell);
	return result;
}

static int wait_awake_then_asleep(struct waiter *w)
{
	struct lock *l = w->lock;
	int result = -EAGAIN;

	add_seq(l->sleepers, 1);	/* order: CLOSING, before we look whether it is */
	if (l->may_spin && !(w->flags & WEIR_NOSPIN))
		result = spin(w);
	if (result < 0)
		result = wait_asleep(w);
	add_seq(l->sleepers, -1U);	/* order: CLOSING, to whoever closes: our last touch */
	return result;
}

int lock_take_slow(struct lock *l, uint64_t me, uint32_t flags, int64_t deadline)
{
	struct waiter w = {
		.lock = l,
		.me = me,
		.flags = flags,
		.deadline = deadline,
		.seen = load_relaxed(&l->state->word),	/* relaxed: a hint */
	};
	int result = try(l, me);

	if (result >= 0)
		return result;
	if (deadline <= 0) {
		look_after_now_and_then(l);
		return try(l, me);
	}
	return wait_awake_then_asleep(&w);
}

int lock_take_again(struct lock *l, uint64_t me, uint32_t flags, int64_t deadline)
{
	uint32_t depth;

	if (!lock_is_mine(l, me))
		return lock_take(l, me, flags, deadline);
	depth = load_relaxed(&l->state->depth);		/* relaxed: ours */
	if (depth == UINT32_MAX)
		return -EOVERFLOW;
	store_relaxed(&l->state->depth, depth + 1);	/* relaxed: ours */
	return 0;
}

int lock_give_any(struct lock *l)
{
	uint64_t was = load_relaxed(&l->state->word);	/* relaxed: the exchange finds out */

	do
		if (LOCK_PARTY(was) == 0)
			return -EINVAL;
	/* order: LOCK, SLEEP: as lock_give() */
	while (!cas_seq(&l->state->word, &was, 0));
	bell_ring(&l->state->bell);
	return 0;
}

int lock_give_again(struct lock *l, uint64_t me)
{
	uint32_t depth;

	if (!lock_is_mine(l, me))
		return -EPERM;
	depth = load_relaxed(&l->state->depth);		/* relaxed: ours */
	if (depth > 0)
		store_relaxed(&l->state->depth, depth - 1);	/* relaxed: ours */
	else
		lock_give(l);
	return 0;
}
