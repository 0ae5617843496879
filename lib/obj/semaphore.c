/* SPDX-License-Identifier: MIT */
/*
 * Of a plain semaphore there is a number only. The units of a bounded one are a tally's.
 */
#include "obj/semaphore.h"

#include <errno.h>

#define CALL_FLAGS (WEIR_INTR | WEIR_NOSPIN)

/*
 * A plain one
 */

static int value_of(const struct weir_semaphore *s)
{
	/* order: VALUE, SLEEP: after bell_listen() */
	uint64_t value = load_seq(&s->tally.tally.shared->value);

	return value <= INT32_MAX ? (int)value : -EBADMSG;
}

/* 0; -EAGAIN, -EBADMSG. */
static int take_value(struct weir_semaphore *s)
{
	uint64_t *value = &s->tally.tally.shared->value;
	uint64_t was = load_relaxed(value);	/* relaxed: the exchange finds out */

	for (;;) {
		if (unlikely(was > INT32_MAX))
			return -EBADMSG;
		if (was == 0)
			/* order: VALUE, SLEEP: as value_of() */
			was = load_seq(value);
		if (was == 0)
			return -EAGAIN;
		/* order: VALUE: all that those did who released */
		if (likely(cas_seq(value, &was, was - 1)))
			return 0;
	}
}

static int give_value(struct weir_semaphore *s, uint32_t count)
{
	uint64_t *value = &s->tally.tally.shared->value;
	uint64_t was = load_relaxed(value);	/* relaxed: the exchange finds out */

	do {
		if (unlikely(was > INT32_MAX))
			return -EBADMSG;
		if (was + count > INT32_MAX)
			return -EOVERFLOW;
	/* order: VALUE, SLEEP: what we did, and before the look at the bell */
	} while (unlikely(!cas_seq(value, &was, was + count)));
	return 0;
}

/*
 * A bounded one
 */

static uint32_t party_top(const struct weir_semaphore *s)
{
	/* order: PARTY acquire: those below it may have units */
	return load_acquire(&s->tally.shared.commons.control->party_top);
}

/* Those of somebody else, of one only; as weir_semaphore_release(). */
static int give_anothers(struct weir_semaphore *s, uint32_t count)
{
	const struct tally *t = &s->tally.tally;
	uint32_t party;
	int result;

	do {
		if (count > tally_taken(t))
			return -EOVERFLOW;
		party = tally_oldest(t, party_top(s), count);
		if (party == 0)
			return count > tally_taken(t) ? -EOVERFLOW : -EPERM;
		/* What a dead one had is nobody's to release. */
		result = shared_mend(&s->tally.shared, party) ? -EPERM :
			tally_give(t, party, count);
	/* It has released some meanwhile, or died. */
	} while (result == -EPERM);
	return result;
}

static int give_units(struct weir_semaphore *s, uint32_t count)
{
	uint64_t me;
	int result = shared_sit(&s->tally.shared, &me);

	if (unlikely(result < 0))
		return result;
	result = tally_give(&s->tally.tally, LOCK_PARTY(me), count);
	return unlikely(result == -EPERM) ? give_anothers(s, count) : result;
}

/*
 * Both
 */

static int check(const struct weir_commons_geometry *g, uint64_t body_size)
{
	return (g->flags & ~WEIR_SEMAPHORE_BOUNDED) || g->limit > INT32_MAX || body_size != 0 ?
		-EBADMSG : 0;
}

static int opened(struct shared *shared)
{
	struct weir_semaphore *s = (struct weir_semaphore *)shared;

	tally_open(&s->tally, semaphore_is_bounded(s) ?
		   (uint32_t)shared->commons.geometry.limit : 0);
	return 0;
}

/* How many could be taken. */
static int available(const struct weir_semaphore *s)
{
	uint32_t taken, limit = s->tally.tally.limit;

	if (!semaphore_is_bounded(s))
		return value_of(s);
	taken = tally_taken(&s->tally.tally);
	return taken <= limit ? (int)(limit - taken) : -EBADMSG;
}

static void settle(struct shared *shared, uint32_t party, uint64_t word, bool died)
{
	struct weir_semaphore *s = (struct weir_semaphore *)shared;

	(void)died;	/* who closes it with units in hand has not finished with them either */
	if (semaphore_is_bounded(s))
		tally_settle(&s->tally.tally, party, word, 1);
	tally_release_watch(&s->tally, party);
	if (available(s) > 0)
		shared_ring(shared, tally_bell(&s->tally), false);
}

static bool holds(struct shared *shared, uint32_t party)
{
	struct weir_semaphore *s = (struct weir_semaphore *)shared;

	return semaphore_is_bounded(s) && tally_held(&s->tally.tally, party) > 0;
}

static void rouse(struct shared *shared)
{
	bell_ring_all(tally_bell((struct tally_object *)shared));
}

static uint32_t ready(struct shared *shared)
{
	struct weir_semaphore *s = (struct weir_semaphore *)shared;

	if (available(s) == 0 && semaphore_is_bounded(s))
		tally_look_after_now_and_then(&s->tally);
	return available(s) != 0 ? WEIR_IN : 0;
}

static uint32_t *bell(struct shared *shared)
{
	return tally_bell((struct tally_object *)shared);
}

const struct shared_kind shared_kind_semaphore = {
	.kind = WEIR_KIND_SEMAPHORE,
	.object = WEIR_OBJECT_SEMAPHORE,
	.handle_size = sizeof(struct weir_semaphore),
	.has_event = true,
	.check = check,
	.opened = opened,
	.settle = settle,
	.holds = holds,
	.rouse = rouse,
	.ready = ready,
	.bell = bell,
};

int weir_semaphore(struct weir_semaphore **ret_semaphore, uint32_t value,
		   const struct weir_semaphore_options *options)
{
	struct weir_commons_geometry g = { .limit = value };
	int result;

	if (!ret_semaphore || value > INT32_MAX)
		return -EINVAL;
	if (options) {
		if (options->size != sizeof(*options) || options->reserved != 0 ||
		    (options->flags & ~WEIR_SEMAPHORE_BOUNDED))
			return -EINVAL;
		g.flags = options->flags;
	}
	result = shared_create(&shared_kind_semaphore, &g, 0, NULL, ret_semaphore);
	if (result == 0 && !g.flags)
		/* order: VALUE: nobody else has it yet */
		store_seq(&(*ret_semaphore)->tally.tally.shared->value, value);
	return result;
}

static int try(struct tally_waiter *w)
{
	struct weir_semaphore *s = (struct weir_semaphore *)w->object;

	if (!semaphore_is_bounded(s))
		return take_value(s);
	return tally_take(&s->tally.tally, LOCK_PARTY(w->me), 1, 0, false);
}

/* The next one, if there is more, or if what we were woken for is his. */
static void leave(struct tally_waiter *w, int result)
{
	if ((w->rung || result < 0) && available((struct weir_semaphore *)w->object) > 0)
		shared_ring(&w->object->shared, tally_bell(w->object), false);
}

int weir_semaphore_acquire(struct weir_semaphore *s, uint32_t flags, int64_t deadline)
{
	struct tally_waiter w = {
		.try = try,
		.leave = leave,
		.flags = flags,
		.deadline = deadline,
	};
	int result;

	if (unlikely(!s || (flags & ~CALL_FLAGS)))
		return -EINVAL;
	w.object = &s->tally;
	/* Who takes of a plain one is nobody's business, but for who waits. */
	if (semaphore_is_bounded(s)) {
		result = shared_sit(&s->tally.shared, &w.me);
		if (unlikely(result < 0))
			return result;
	}
	result = try(&w);
	if (likely(result != -EAGAIN) || (deadline <= 0 && !semaphore_is_bounded(s)))
		return result;
	if (!semaphore_is_bounded(s)) {
		result = shared_sit(&s->tally.shared, &w.me);
		if (result < 0)
			return result;
	}
	return tally_wait(&w);
}

int weir_semaphore_release(struct weir_semaphore *s, uint32_t count)
{
	int result;

	if (unlikely(!s || count == 0))
		return -EINVAL;
	result = semaphore_is_bounded(s) ? give_units(s, count) : give_value(s, count);
	if (likely(result == 0))
		shared_ring(&s->tally.shared, tally_bell(&s->tally), false);
	return result;
}

int weir_semaphore_value(struct weir_semaphore *s)
{
	return s ? available(s) : -EINVAL;
}

void weir_semaphore_close(struct weir_semaphore *s)
{
	shared_close((struct shared *)s);
}
