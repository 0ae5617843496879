/* SPDX-License-Identifier: MIT */
/*
 * Changes of an array: how many there have been, and waiting for the next.
 *
 * Updates are counted by their version, so one counts from the instant from which it is there.
 * Other changes are counted apart, once the array is watched, just after they are made; who makes
 * one has a mark in his party meanwhile, and if he dies there, whoever cleans up counts it. A wake
 * that dies with its sender costs the sleepers SLEEP_NS.
 */
#include "obj/array.h"

#include <errno.h>

#include "base/clock.h"
#include "sys/sys.h"

#define SLEEP_NS	(100 * NS_PER_MS)
/* No store of whoever has not seen the flag yet takes longer to be seen itself. */
#define SETTLED_NS	(100 * NS_PER_US)

void array_watch(struct weir_array *a)
{
	uint32_t nothing = 0;

	if (load_relaxed(&a->state->flags) & ARRAY_WATCHED)	/* relaxed: it stays */
		return;
	/* order: WATCHED, before we look at the array: who changes it later sees this */
	or_seq(&a->state->flags, ARRAY_WATCHED);
	/* Updates look at it without a fence, which would cost all who are never asked. */
	sys_futex_wait(&nothing, 0, clock_now() + SETTLED_NS);
}

uint64_t array_changes(const struct weir_array *a)
{
	/* order: CHANGED, SLEEP: after bell_listen(); and before the version */
	uint64_t counted = load_seq(&a->state->counted);

	return counted + (redo_version(&a->redo) + 1) / 2;
}

static void tell(struct weir_array *a)
{
	shared_ring(&a->shared, &a->state->bell, true);
}

void array_changed_slow(struct weir_array *a)
{
	/*
	 * Adds nothing, but order: CHANGED, SLEEP. Whoever listens either has the bell marked
	 * before this, or loads this, and finds the version that was stored before.
	 */
	add_seq(&a->state->counted, 0);
	tell(a);
}

/* How many changes this process's threads are at. */
static uint64_t *marks_of(struct shared *s, uint32_t party)
{
	return &s->commons.parties[party].of_kind[0];
}

bool array_mark(struct weir_array *a)
{
	uint64_t me;

	if (shared_sit(&a->shared, &me) < 0)
		return false;
	add_seq(marks_of(&a->shared, LOCK_PARTY(me)), 1);	/* order: CHANGED, before it */
	return true;
}

void array_unmark(struct weir_array *a)
{
	uint64_t me;

	if (shared_sit(&a->shared, &me) == 0)
		/* order: CHANGED: it is counted */
		add_seq(marks_of(&a->shared, LOCK_PARTY(me)), -UINT64_C(1));
}

void array_count_change(struct weir_array *a, bool marked)
{
	if (likely(!array_is_watched(a)))
		return;
	add_seq(&a->state->counted, 1);		/* order: CHANGED: the change */
	if (marked)
		array_unmark(a);
	tell(a);
}

void array_settle(struct shared *s, uint32_t party, uint64_t word, bool died)
{
	struct weir_array *a = array_of(s);
	uint64_t *marks = marks_of(s, party), count = load_acquire(marks);	/* order: CHANGED */

	(void)word;
	if (count > 0) {
		/* If we die in between they are counted twice, which is no harm. */
		add_seq(&a->state->counted, count);	/* order: CHANGED */
		/* order: CHANGED. Who does the same at the same time has counted them, too. */
		cas_seq(marks, &count, 0);
	}
	if (died && array_is_watched(a))
		array_changed_slow(a);
}

void array_rouse(struct shared *s)
{
	struct weir_array *a = array_of(s);

	bell_ring_all(&a->state->bell);
}

uint32_t *array_bell(struct shared *s)
{
	return &array_of(s)->state->bell;
}

static bool is_ready(const struct weir_array *a)
{
	/* relaxed: this handle's, of whichever thread */
	return array_changes(a) != load_relaxed(&a->seen);
}

/* Look who has died, by the clock: signals may keep us from sleeping for as long as we would. */
static bool mend_now_and_then(struct weir_array *a)
{
	int64_t now = clock_now();

	/* relaxed: about when, whoever looks */
	if (now - load_relaxed(&a->mended_at) < SLEEP_NS)
		return false;
	store_relaxed(&a->mended_at, now);	/* relaxed: as above */
	return shared_mend_all(&a->shared) > 0;
}

/* Wait sets look once a second at what has been quiet: then at who has died, too. */
uint32_t array_ready(struct shared *s)
{
	struct weir_array *a = array_of(s);

	return is_ready(a) || (mend_now_and_then(a) && is_ready(a)) ? WEIR_IN : 0;
}

static uint64_t see(struct weir_array *a)
{
	uint64_t changes = array_changes(a);

	store_relaxed(&a->seen, changes);	/* relaxed: as above */
	return changes;
}

int weir_array_changes(struct weir_array *array, uint64_t *ret_changes)
{
	if (!array || !ret_changes)
		return -EINVAL;
	array_watch(array);
	*ret_changes = see(array);
	return 0;
}

/* 0: there are others; -EAGAIN: look again; or an error. */
static int sleep_once(struct weir_array *a, uint64_t seen, uint32_t flags, int64_t deadline)
{
	uint32_t *bell = &a->state->bell, listened = bell_listen(bell);
	int slept = 0;

	if (array_changes(a) != seen)
		return 0;
	slept = shared_sleep(&a->shared, bell, listened,
			     clock_cap(deadline, clock_now(), SLEEP_NS));
	bell_heard(bell);
	if (array_changes(a) != seen)
		return 0;
	if (slept == -ESHUTDOWN || (slept == -EINTR && (flags & WEIR_INTR)))
		return slept;
	if (mend_now_and_then(a) && array_changes(a) != seen)
		return 0;
	return clock_now() >= deadline ? -ETIMEDOUT : -EAGAIN;
}

/* As sleep_once(). Counted all along: close lets us leave before it frees what we look at. */
static int wait_asleep(struct weir_array *a, uint64_t seen, uint32_t flags, int64_t deadline,
		       uint64_t *ret_changes)
{
	int result;

	shared_visit(&a->shared);
	do
		result = sleep_once(a, seen, flags, deadline);
	while (result == -EAGAIN);
	if (result == 0)
		*ret_changes = see(a);
	shared_depart(&a->shared);
	return result;
}

int weir_array_wait(struct weir_array *array, uint64_t seen, uint32_t flags, int64_t deadline,
		    uint64_t *ret_changes)
{
	uint64_t changes = 0;
	int result = 0;

	if (!array || (flags & ~ARRAY_CALL_FLAGS))
		return -EINVAL;
	array_watch(array);
	if (array_changes(array) != seen)
		changes = see(array);
	else if (deadline <= 0)
		result = -EAGAIN;
	else
		result = wait_asleep(array, seen, flags, deadline, &changes);
	if (result == 0 && ret_changes)
		*ret_changes = changes;
	return result;
}
