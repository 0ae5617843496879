/* SPDX-License-Identifier: MIT */
/*
 * A tally of units, of which a reader takes one, and a writer all. Readers leave one, so that who
 * has all is a writer.
 */
#include "obj/rwlock.h"

#include <errno.h>

#include "base/clock.h"

#define CALL_FLAGS	(WEIR_INTR | WEIR_NOSPIN)
#define UNITS		((uint32_t)INT32_MAX)

static int check(const struct weir_commons_geometry *g, uint64_t body_size)
{
	return g->flags != 0 || body_size != 0 ? -EBADMSG : 0;
}

static int opened(struct shared *shared)
{
	tally_open((struct tally_object *)shared, UNITS);
	return 0;
}

/* All look, because who is next at the gate may be any of them. */
static void ring(struct tally_object *o)
{
	shared_ring(&o->shared, tally_bell(o), true);
}

static void settle(struct shared *shared, uint32_t party, uint64_t word, bool died)
{
	struct tally_object *o = (struct tally_object *)shared;

	(void)died;	/* who closes it while it writes has not finished either */
	tally_settle(&o->tally, party, word, UNITS);
	gate_settle(&o->tally.shared->gate, party);
	tally_release_watch(o, party);
	ring(o);
}

static bool holds(struct shared *shared, uint32_t party)
{
	return tally_held(&((struct tally_object *)shared)->tally, party) > 0;
}

static void rouse(struct shared *shared)
{
	bell_ring_all(tally_bell((struct tally_object *)shared));
}

const struct shared_kind shared_kind_rwlock = {
	.kind = WEIR_KIND_RWLOCK,
	.object = WEIR_OBJECT_RWLOCK,
	.handle_size = sizeof(struct weir_rwlock),
	.check = check,
	.opened = opened,
	.settle = settle,
	.holds = holds,
	.rouse = rouse,
};

int weir_rwlock(struct weir_rwlock **ret_lock)
{
	const struct weir_commons_geometry g = { 0 };

	return ret_lock ? shared_create(&shared_kind_rwlock, &g, 0, NULL, ret_lock) : -EINVAL;
}

/*
 * Acquiring
 */

static struct gate_visit visit(const struct tally_waiter *w, bool writes)
{
	return (struct gate_visit){
		.gate = &w->object->tally.shared->gate,
		.watch = &w->object->gate_watch,
		.mine = gate_name(LOCK_PARTY(w->me), (uint32_t)(w->me >> LOCK_THREAD_SHIFT),
				  writes),
	};
}

static int try_read(struct tally_waiter *w)
{
	const struct tally *t = &w->object->tally;
	const struct gate_visit v = visit(w, false);

	/* Who reads already would wait for a writer who waits for him. */
	if (unlikely(!gate_open(&v)) && tally_held(t, LOCK_PARTY(w->me)) == 0)
		return -EAGAIN;
	return tally_take(t, LOCK_PARTY(w->me), 1, 1, true);
}

static int try_write(struct tally_waiter *w)
{
	const struct gate_visit v = visit(w, true);

	if (unlikely(!gate_open(&v)))
		return -EAGAIN;
	return tally_take(&w->object->tally, LOCK_PARTY(w->me), UNITS, 0, false);
}

/* Who does not wait may not be waited for. */
static void ask_to_read(struct tally_waiter *w)
{
	const struct gate_visit v = visit(w, false);

	gate_ask(&v, w->deadline > 0 && tally_taken(&w->object->tally) == UNITS, clock_now());
}

static void ask_to_write(struct tally_waiter *w)
{
	const struct gate_visit v = visit(w, true);

	gate_ask(&v, w->deadline > 0 && tally_taken(&w->object->tally) != UNITS, clock_now());
}

static void leave(const struct tally_waiter *w, bool writes)
{
	const struct gate_visit v = visit(w, writes);

	if (gate_leave(&v))
		ring(w->object);
}

static void leave_reading(struct tally_waiter *w, int result)
{
	(void)result;
	leave(w, false);
}

static void leave_writing(struct tally_waiter *w, int result)
{
	(void)result;
	leave(w, true);
}

static int acquire(struct weir_rwlock *lock, bool writes, uint32_t flags, int64_t deadline)
{
	struct tally_waiter w = {
		.try = writes ? try_write : try_read,
		.ask = writes ? ask_to_write : ask_to_read,
		.leave = writes ? leave_writing : leave_reading,
		.flags = flags,
		.deadline = deadline,
	};
	int result;

	if (unlikely(!lock || (flags & ~CALL_FLAGS)))
		return -EINVAL;
	w.object = &lock->tally;
	result = shared_sit(&lock->tally.shared, &w.me);
	if (unlikely(result < 0))
		return result;
	result = w.try(&w);
	return likely(result != -EAGAIN) ? result : tally_wait(&w);
}

int weir_rwlock_read(struct weir_rwlock *lock, uint32_t flags, int64_t deadline)
{
	return acquire(lock, false, flags, deadline);
}

int weir_rwlock_write(struct weir_rwlock *lock, uint32_t flags, int64_t deadline)
{
	return acquire(lock, true, flags, deadline);
}

/*
 * Releasing
 */

static int give(struct weir_rwlock *lock, uint32_t party, uint32_t units)
{
	struct tally_object *o = &lock->tally;
	int result = tally_give(&o->tally, party, units);

	/* One of several who read: nobody waits for that. */
	if (result == 0 && (units > 1 || tally_taken(&o->tally) == 0))
		ring(o);
	return result;
}

int weir_rwlock_release(struct weir_rwlock *lock)
{
	uint64_t me;
	int result;

	if (unlikely(!lock))
		return -EINVAL;
	result = shared_sit(&lock->tally.shared, &me);
	if (unlikely(result < 0))
		return result;
	return give(lock, LOCK_PARTY(me),
		    tally_held(&lock->tally.tally, LOCK_PARTY(me)) == UNITS ? UNITS : 1);
}

int weir_rwlock_downgrade(struct weir_rwlock *lock)
{
	uint64_t me;
	int result;

	if (unlikely(!lock))
		return -EINVAL;
	result = shared_sit(&lock->tally.shared, &me);
	if (unlikely(result < 0))
		return result;
	if (tally_held(&lock->tally.tally, LOCK_PARTY(me)) != UNITS)
		return -EPERM;
	return give(lock, LOCK_PARTY(me), UNITS - 1);
}

int weir_rwlock_readers(struct weir_rwlock *lock)
{
	uint32_t taken;

	if (!lock)
		return -EINVAL;
	taken = tally_taken(&lock->tally.tally);
	return taken >= UNITS ? -EBUSY : (int)taken;
}

void weir_rwlock_close(struct weir_rwlock *lock)
{
	shared_close((struct shared *)lock);
}
