/* SPDX-License-Identifier: MIT */
/*
 * Events: a word that counts how often it was set and cleared, odd while it is set, and a bell. Who
 * waits has seen the word when he came: when it has changed it has been set since.
 */
#include "obj/event.h"

#include <errno.h>

#include "base/clock.h"
#include "wait/park.h"
#include "wait/spin.h"

#define CALL_FLAGS	(WEIR_INTR | WEIR_NOSPIN)
/*
 * Who sleeps looks for himself now and then: whoever was to wake him may have died. First after
 * this, then after twice that, up to a second.
 */
#define SLEEP_FIRST_NS	(50 * NS_PER_MS)
#define SLEEP_LAST_NS	(1 * NS_PER_S)

/* What a call waits for. */
struct wish {
	struct weir_event_state *state;
	uint64_t changes;	/* when it came */
	int64_t pause;		/* until it looks for itself */
};

static struct weir_event_state *state_of(struct shared *s)
{
	return s->commons.state;
}

static bool is_set(const struct weir_event_state *state)
{
	/* order: EVENT acquire: what was done before it was set; SLEEP: after bell_listen() */
	return load_seq(&state->changes) & 1;
}

static bool has_come(void *arg)
{
	const struct wish *w = arg;
	/* order: EVENT acquire, SLEEP: as above */
	uint64_t changes = load_seq(&w->state->changes);

	return (changes & 1) || changes != w->changes;
}

static int check(const struct weir_commons_geometry *g, uint64_t body_size)
{
	return g->flags != 0 || body_size != 0 ? -EBADMSG : 0;
}

static void rouse(struct shared *s)
{
	bell_ring_all(&state_of(s)->bell);
}

static uint32_t ready(struct shared *s)
{
	return is_set(state_of(s)) ? WEIR_IN : 0;
}

static uint32_t *bell(struct shared *s)
{
	return &state_of(s)->bell;
}

const struct shared_kind shared_kind_event = {
	.kind = WEIR_KIND_EVENT,
	.object = WEIR_OBJECT_EVENT,
	.handle_size = sizeof(struct weir_event_flag),
	.has_event = true,
	.check = check,
	.rouse = rouse,
	.ready = ready,
	.bell = bell,
};

int weir_event(struct weir_event_flag **ret_event, const struct weir_event_options *options)
{
	struct weir_commons_geometry g = { 0 };
	uint32_t flags = options ? options->flags : 0;
	int result;

	if (!ret_event || (flags & ~WEIR_EVENT_SET) ||
	    (options && (options->size != sizeof(*options) || options->reserved != 0)))
		return -EINVAL;
	result = shared_create(&shared_kind_event, &g, 0, NULL, ret_event);
	if (result == 0 && (flags & WEIR_EVENT_SET))
		state_of(&(*ret_event)->shared)->changes = 1;
	return result;
}

int weir_event_set(struct weir_event_flag *event)
{
	struct weir_event_state *state;
	uint64_t was;

	if (!event)
		return -EINVAL;
	state = state_of(&event->shared);
	was = load_relaxed(&state->changes);	/* relaxed: the exchange finds out */
	/* Also if it is set: what was done before is seen by those who see it set. */
	/* order: EVENT release, SLEEP: before the look at the bell */
	while (!cas_seq(&state->changes, &was, was | 1))
		;
	/* Also if it was set: whoever did may have died before he woke anybody. */
	shared_ring(&event->shared, &state->bell, true);
	return 0;
}

int weir_event_clear(struct weir_event_flag *event)
{
	struct weir_event_state *state;
	uint64_t was;

	if (!event)
		return -EINVAL;
	state = state_of(&event->shared);
	was = load_relaxed(&state->changes);	/* relaxed: the exchange finds out */
	while (was & 1)
		/* order: EVENT: what comes after it is not seen as before it */
		if (cas_seq(&state->changes, &was, was + 1))
			break;
	return 0;
}

int weir_event_is_set(struct weir_event_flag *event)
{
	return event ? is_set(state_of(&event->shared)) : -EINVAL;
}

/* 0; -EAGAIN: once more; or an error. */
static int sleep_once(struct shared *s, struct wish *w, uint32_t flags, int64_t deadline)
{
	uint32_t listened = bell_listen(&w->state->bell);
	int result;

	if (has_come(w))
		return 0;
	result = shared_sleep(s, &w->state->bell, listened,
			      clock_cap(deadline, clock_now(), w->pause));
	bell_heard(&w->state->bell);
	if (has_come(w))
		return 0;
	if (result == -ESHUTDOWN || (result == -EINTR && (flags & WEIR_INTR)))
		return result;
	if (result == -ETIMEDOUT && w->pause < SLEEP_LAST_NS)
		w->pause = 2 * w->pause < SLEEP_LAST_NS ? 2 * w->pause : SLEEP_LAST_NS;
	return clock_now() >= deadline ? -ETIMEDOUT : -EAGAIN;
}

static int wait_asleep(struct shared *s, struct wish *w, uint32_t flags, int64_t deadline)
{
	int result;

	w->pause = SLEEP_FIRST_NS;
	do
		result = sleep_once(s, w, flags, deadline);
	while (result == -EAGAIN);
	return result;
}

int weir_event_wait(struct weir_event_flag *event, uint32_t flags, int64_t deadline)
{
	struct spin spin;
	struct wish w;
	int result;

	if (!event || (flags & ~CALL_FLAGS))
		return -EINVAL;
	w.state = state_of(&event->shared);
	w.changes = load_seq(&w.state->changes);	/* order: EVENT acquire */
	if (w.changes & 1)
		return 0;
	if (deadline <= 0)
		return -EAGAIN;
	shared_visit(&event->shared);
	spin_init(&spin);
	if (event->shared.lock.may_spin && !(flags & WEIR_NOSPIN) &&
	    spin_for(&spin, has_come, &w, deadline))
		result = 0;
	else
		result = wait_asleep(&event->shared, &w, flags, deadline);
	shared_depart(&event->shared);
	return result;
}

void weir_event_close(struct weir_event_flag *event)
{
	shared_close((struct shared *)event);
}
