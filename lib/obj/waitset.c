/* SPDX-License-Identifier: MIT */
/* Wait sets: waiting, and what concerns a whole one. waitset.h says how they work. */
#include "obj/waitset.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "sys/net.h"
#include "sys/sys.h"
#include "uring/choice.h"
#include "wait/park.h"

#define WAIT_FLAGS	(WEIR_INTR | WEIR_NOSPIN)
#define AT_ONCE		256
/* A set that is small enough to be looked at as a whole: its pipes and queues, its places. */
#define SMALL_OBJECTS	16
#define SMALL_ROOM	64
/* How many are looked at while there are others that are ready. */
#define PEEK_MOST	16
/* How often a source is looked at in vain before it is armed. */
#define IN_VAIN_MOST	16
/* How long what the kernel knows may wait while there is something else. */
#define ASK_NS		(20 * NS_PER_US)
/* How long after a look that was not certain the next one is. */
#define LOOK_AGAIN_NS	(4 * NS_PER_MS)
#define SELDOM_NS	(1 * NS_PER_S)
/*
 * When nothing has come for so long, all that rest are looked at, in case somebody has died just
 * before he would have signalled; and again after twice that, up to so long. That is also how long
 * it is put off at most.
 */
#define SWEEP_FIRST_NS	(1 * NS_PER_S)
#define SWEEP_LAST_NS	(8 * NS_PER_S)
/* A sweep costs about a microsecond for each; so it costs a thousandth of the time. */
#define SWEEP_EACH_NS	(1 * NS_PER_MS)

bool waitset_lock(struct weir_waitset *set)
{
	bool locked;

	turn_take(&set->private->lock, 0, WEIR_FOREVER, &locked);
	return locked;
}

void waitset_unlock(struct weir_waitset *set, bool locked)
{
	turn_give(&set->private->lock, locked);
}

/*
 * Looking
 */

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* As s->ready says. Who is among the ready keeps his place there. */
static void set_ready(struct weir_waitset *set, struct source *s)
{
	if (!s->ready)
		waitset_move(s, NULL);
	else if (s->list != &set->ready)
		waitset_move(s, &set->ready);
}

static void look(struct weir_waitset *set, struct source *s, int64_t now)
{
	int later;

	if (!source_is_object(s)) {
		waitset_move(s, NULL);
		return;
	}
	later = source_look(s, true);
	s->looked_in = set->waits;
	set_ready(set, s);
	if (s->ready)
		return;
	if (later & SOURCE_SOON)
		s->settled = now + SOURCE_SETTLE_NS;
	s->again = later & SOURCE_SELDOM ? now + SELDOM_NS : WEIR_FOREVER;
	if (later & SOURCE_LATER)
		s->again = now + LOOK_AGAIN_NS;
	waitset_set_due(s, earlier(s->again, now < s->settled ? s->settled : WEIR_FOREVER));
}

static void look_at_all(struct weir_waitset *set, struct source_list *list, int64_t now)
{
	/* Those that come to the list meanwhile are for the next time. */
	for (uint32_t n = list->count; n > 0 && list->first; n--)
		look(set, list->first, now);
}

/* Look without arming; whether it is ready. */
static bool glance(struct weir_waitset *set, struct source *s)
{
	if (!source_is_object(s)) {
		waitset_move(s, NULL);
		return false;
	}
	source_look(s, false);
	s->looked_in = set->waits;
	if (!s->ready)
		return false;
	s->in_vain = 0;
	waitset_move(s, &set->ready);
	return true;
}

/* In a small set all objects are looked at, though some are armed and will be signalled. */
static bool is_small(const struct weir_waitset *set)
{
	return set->objects > 0 && set->objects <= SMALL_OBJECTS && set->room <= SMALL_ROOM;
}

/* One of the objects of a small set. */
static bool peek_at_any(struct weir_waitset *set)
{
	struct source *s = set->sources[set->peeked++ % set->room];

	return s && source_is_object(s) && s->list != &set->ready && glance(set, s);
}

/*
 * One of those that are to be looked at. What was quiet for long is armed, so that the others have
 * their turn sooner.
 */
static bool peek_at_next(struct weir_waitset *set)
{
	struct source *s = set->to_look_at.first;

	if (!s || glance(set, s))
		return s;
	if (++s->in_vain >= IN_VAIN_MOST)
		look(set, s, set->now);
	else if (s->list)
		waitset_move(s, &set->to_look_at);
	return s->ready;
}

static bool peek(struct weir_waitset *set)
{
	return is_small(set) ? peek_at_any(set) : peek_at_next(set);
}

/* At all of them once. Whether one is ready. */
static bool peek_at_all(struct weir_waitset *set)
{
	for (uint32_t n = is_small(set) ? set->room : set->to_look_at.count; n > 0; n--)
		peek(set);
	return set->ready.count > 0;
}

static bool peek_or_signal(void *arg)
{
	struct weir_waitset *set = arg;

	return peek(set) || engine_has_work(set->engine);
}

static bool may_spin(const struct weir_waitset *set, uint32_t flags)
{
	return set->may_spin && !(flags & WEIR_NOSPIN);
}

/*
 * Who sends to one that is not armed makes no system call, and neither do we. So those that were
 * reported lately, or all of a small set, are looked at for a while before they are armed. Whether
 * something has come.
 */
static bool wait_awake(struct weir_waitset *set, uint32_t flags, int64_t deadline)
{
	if (set->ready.count > 0) {
		/* They may stay so, and do not keep the others from being found. */
		for (uint32_t n = 0; n < PEEK_MOST && n < set->to_look_at.count; n++)
			peek_at_next(set);
		return true;
	}
	if (deadline <= 0 && set->outer < 0) {
		peek_at_all(set);
		return true;
	}
	if (deadline <= 0 || !may_spin(set, flags) ||
	    (set->to_look_at.count == 0 && !is_small(set)))
		return false;
	if (peek_at_all(set))
		return true;
	set->spun = true;
	if (!spin_for(&set->spin, peek_or_signal, set, deadline))
		return false;
	/* Where one is there may be more. */
	peek_at_all(set);
	return true;
}

/* What the kernel says of a descriptor, in EPOLL* or POLL*, which are the same. */
static uint32_t events_of(const struct source *s, uint32_t said)
{
	uint32_t events = (said & EPOLLIN ? WEIR_IN : 0) | (said & EPOLLOUT ? WEIR_OUT : 0);

	return (events & s->events) | (said & (EPOLLHUP | EPOLLERR) ? WEIR_HUP : 0);
}

/* What the engine says of a source. */
static void take_signal(struct weir_waitset *set, const struct engine_event *event)
{
	struct source *s = waitset_find(set, event->key >> 2);
	bool hung_up = event->events & (EPOLLHUP | EPOLLERR);

	set->signals++;
	if (!s)
		return;
	if (source_is_object(s)) {
		s->hung_up |= (event->key & 3) == WHICH_FD && hung_up;
		if (s->list == &set->ready)
			return;
		/* Armed again only if we are to sleep: who signals may be about to bring it. */
		s->in_vain = 0;
		glance(set, s);
		set->in_vain += !s->ready;
		if (!s->ready)
			waitset_move(s, &set->to_look_at);
		return;
	}
	s->ready = events_of(s, event->events);
	s->looked_in = set->waits;
	set_ready(set, s);
}

/* How often a timer has come due by now; it is set to the next time. */
static void expire(struct weir_waitset *set, struct source *s, int64_t now)
{
	int64_t times = s->period > 0 ? (now - s->due) / s->period + 1 : 1, next;

	s->count += (uint64_t)times;
	s->ready = WEIR_IN;
	s->looked_in = set->waits;
	if (s->period == 0 || __builtin_mul_overflow(times, s->period, &next) ||
	    __builtin_add_overflow(next, s->due, &next))
		next = WEIR_FOREVER;
	waitset_set_due(s, next);
	set_ready(set, s);
}

/* It is armed, and that is seen by now. */
static void look_again(struct weir_waitset *set, struct source *s, int64_t now)
{
	if (now >= s->again)
		look(set, s, now);
	else if (!glance(set, s))
		waitset_set_due(s, s->again);
}

static void take_due(struct weir_waitset *set, int64_t now)
{
	while (set->heap_count > 0 && set->heap[0]->due <= now) {
		struct source *s = set->heap[0];

		if (s->kind == SOURCE_TIMER) {
			expire(set, s, now);
			continue;
		}
		waitset_set_due(s, WEIR_FOREVER);
		if (!s->list)
			look_again(set, s, now);
	}
}

static void sweep_later(struct weir_waitset *set, int64_t now, int64_t after)
{
	int64_t least = set->objects * SWEEP_EACH_NS;

	set->sweep_after = after > least ? after : least;
	set->sweep_at = set->objects > 0 ? now + set->sweep_after : WEIR_FOREVER;
}

/* Something has come. Where something always comes there is a sweep now and then all the same. */
static void put_sweep_off(struct weir_waitset *set, int64_t now)
{
	int64_t least = set->objects * SWEEP_EACH_NS;
	int64_t last = set->swept_at + (least > SWEEP_LAST_NS ? least : SWEEP_LAST_NS);

	sweep_later(set, now, SWEEP_FIRST_NS);
	if (set->objects > 0 && set->sweep_at > last)
		set->sweep_at = last;
}

static void sweep(struct weir_waitset *set, int64_t now)
{
	int64_t twice = 2 * set->sweep_after;

	if (now < set->sweep_at)
		return;
	set->swept_at = now;
	for (uint32_t i = 0; i < set->room; i++) {
		struct source *s = set->sources[i];

		/* Of a pipe nothing else can be found than that it is ready. */
		if (s && s->kind == SOURCE_PIPE && !s->list)
			glance(set, s);
		else if (s && source_is_object(s) && !s->list)
			look(set, s, now);
	}
	sweep_later(set, now, twice < SWEEP_LAST_NS ? twice : SWEEP_LAST_NS);
}

/*
 * Reporting
 */

static uint32_t poll_again(const struct source *s)
{
	struct pollfd p = {
		.fd = s->fd,
		.events = (s->events & WEIR_IN ? POLLIN : 0) | (s->events & WEIR_OUT ? POLLOUT : 0),
	};

	return sys_poll(&p, 1, 0) > 0 ? events_of(s, (uint32_t)p.revents) : 0;
}

/*
 * Found ready by a wait before this one: it may have changed. Whether it still is. What is by level
 * is not left to come again: of many, the same ones might never be among those that come.
 */
static bool still_ready(struct weir_waitset *set, struct source *s, int64_t now)
{
	if (s->looked_in == set->waits || s->kind == SOURCE_TIMER)
		return true;
	if (source_is_object(s)) {
		look(set, s, now);
	} else {
		s->ready = poll_again(s);
		set_ready(set, s);
	}
	return s->ready != 0;
}

static size_t report(struct weir_waitset *set, struct weir_event *events, size_t count, int64_t now)
{
	size_t n = 0;

	while (n < count && set->ready.first) {
		struct source *s = set->ready.first;

		/* Then it is not among them any more. */
		if (!still_ready(set, s, now))
			continue;
		events[n++] = (struct weir_event){
			.source = s->id,
			.cookie = s->cookie,
			.events = s->ready,
			.count = s->count,
		};
		s->count = 0;
		waitset_move(s, source_is_object(s) ? &set->reported : NULL);
	}
	set->reports += n;
	return n;
}

/*
 * Waiting
 */

/* Until when there is nothing to be done unless something comes. */
static int64_t next_time(const struct weir_waitset *set)
{
	return earlier(set->sweep_at, set->heap_count > 0 ? set->heap[0]->due : WEIR_FOREVER);
}

/* In the engine, without the lock. How many signals, or -EINTR. */
static int ask_engine(struct weir_waitset *set, uint32_t flags, int64_t deadline,
		      bool *locked)
{
	bool spin = may_spin(set, flags) && !set->spun;
	struct engine_event events[AT_ONCE];
	int64_t now;
	int n;

	set->sleeping = deadline > 0;
	waitset_unlock(set, *locked);
	n = engine_wait(set->engine, events, AT_ONCE, spin, deadline);
	*locked = waitset_lock(set);
	set->sleeping = false;
	now = clock_now();
	if (set->watch > 0)
		/* relaxed: a time stands for itself */
		store_relaxed(&park_watches[set->watch - 1], now);
	for (int i = 0; i < n; i++)
		take_signal(set, &events[i]);
	if (n > 0)
		put_sweep_off(set, now);
	return n;
}

/*
 * Those that are ready do not keep the others from being found, but a system call for each wait
 * would be more than the waits cost.
 */
static bool is_time_to_ask(struct weir_waitset *set, int64_t now)
{
	if (set->ready.count > 0 && now < set->ask_at && !engine_has_work(set->engine))
		return false;
	set->ask_at = now + ASK_NS;
	return true;
}

/* One round: how many are reported; 0: once more; or an error. */
static int go_round(struct weir_waitset *set, struct weir_event *events, size_t count,
		    uint32_t flags, int64_t deadline, bool *locked)
{
	int64_t now = clock_now(), until;
	size_t n;
	int result = 0;
	bool asks;

	set->spun = false;
	set->now = now;
	if (!wait_awake(set, flags, earlier(deadline, next_time(set))))
		look_at_all(set, &set->to_look_at, now);
	take_due(set, now);
	sweep(set, now);
	until = earlier(deadline, next_time(set));
	if (set->ready.count > 0 || set->to_look_at.count > 0)
		until = 0;
	asks = until > 0 || is_time_to_ask(set, now);
	if (asks)
		result = ask_engine(set, flags, until, locked);
	if (turn_closing(&set->private->waiting))
		return -ESHUTDOWN;
	n = report(set, events, count, now);
	if (n > 0)
		return (int)n;
	if (result == -EINTR && (flags & WEIR_INTR))
		return -EINTR;
	/* What was ready is not any more, so the others are asked for. */
	if (!asks)
		return 0;
	if (deadline <= 0)
		return -EAGAIN;
	return clock_now() >= deadline ? -ETIMEDOUT : 0;
}

/* Whoever polls the exported descriptor is told when to come again. */
static void set_outer(struct weir_waitset *set, int result)
{
	if (set->outer < 0)
		return;
	net_timer_set(set->outer_timer, next_time(set));
	/*
	 * What was reported may still be ready: the next wait will know. And what is to be looked
	 * at is not armed.
	 */
	if (result > 0 || set->to_look_at.count > 0 || set->ready.count > 0)
		sys_event_set(set->outer_bell);
	else
		sys_event_clear(set->outer_bell);
}

static int wait_locked(struct weir_waitset *set, struct weir_event *events, size_t count,
		       uint32_t flags, int64_t deadline)
{
	bool locked = waitset_lock(set);
	int result;

	set->waits++;
	while (set->reported.first)
		waitset_move(set->reported.first, &set->to_look_at);
	do {
		result = go_round(set, events, count, flags, deadline, &locked);
	} while (result == 0);
	/* What has come due with the deadline, or came in the last moment, is not late. */
	if (result == -ETIMEDOUT)
		result = go_round(set, events, count, flags, 0, &locked);
	if (deadline > 0 && (result == 0 || result == -EAGAIN))
		result = -ETIMEDOUT;
	set_outer(set, result);
	waitset_unlock(set, locked);
	return result;
}

int weir_waitset_wait(struct weir_waitset *set, struct weir_event *events, size_t count,
		      uint32_t flags, int64_t deadline)
{
	bool locked;
	int result;

	if (!set || !events || count == 0 || count > INT32_MAX || (flags & ~WAIT_FLAGS))
		return -EINVAL;
	if (!set->private->ours)
		return -EBUSY;
	result = turn_take(&set->private->waiting, flags, deadline, &locked);
	if (result < 0)
		return result;
	result = wait_locked(set, events, count, flags, deadline);
	turn_give(&set->private->waiting, locked);
	return result;
}

void waitset_disturb(struct weir_waitset *set)
{
	if (set->sleeping)
		engine_kick(set->engine);
	if (set->outer >= 0)
		sys_event_set(set->outer_bell);
}

/*
 * The exported descriptor
 */

static void close_outer(struct weir_waitset *set)
{
	sys_close(set->outer);
	sys_close(set->outer_timer);
	sys_close(set->outer_bell);
	set->outer = set->outer_timer = set->outer_bell = -1;
}

static int open_outer(struct weir_waitset *set)
{
	int result = sys_have_high(sys_epoll(), &set->outer);

	if (result == 0)
		result = sys_have_high(net_timer(), &set->outer_timer);
	if (result == 0)
		result = sys_have_high(sys_eventfd(), &set->outer_bell);
	if (result == 0)
		result = sys_epoll_add(set->outer, set->outer_timer, EPOLLIN);
	if (result == 0)
		result = sys_epoll_add(set->outer, set->outer_bell, EPOLLIN);
	if (result == 0)
		result = sys_epoll_add(set->outer, engine_share(set->engine), EPOLLIN);
	if (result < 0)
		close_outer(set);
	else
		/* The first wait will see what there is. */
		sys_event_set(set->outer_bell);
	return result;
}

int weir_waitset_fd(struct weir_waitset *set)
{
	bool turn, locked;
	int result;

	if (!set)
		return -EINVAL;
	if (!set->private->ours || turn_take(&set->private->waiting, 0, 0, &turn) < 0)
		return -EBUSY;
	locked = waitset_lock(set);
	result = set->outer < 0 ? open_outer(set) : 0;
	if (result == 0)
		result = set->outer;
	waitset_unlock(set, locked);
	turn_give(&set->private->waiting, turn);
	return result;
}

/*
 * Making, counting, closing
 */

/* Numbers that are taken, a bit each. */
static uint64_t numbers;

static void take_number(struct weir_waitset *set)
{
	uint64_t taken = load_relaxed(&numbers);	/* relaxed: whoever is first has it */

	while (set->watch == 0 && taken != UINT64_MAX) {
		uint32_t number = (uint32_t)__builtin_ctzll(~taken);
		uint64_t bit = UINT64_C(1) << number;

		taken = or_relaxed(&numbers, bit);	/* relaxed: as above */
		if (!(taken & bit))
			set->watch = number + 1;
	}
}

static void give_number(struct weir_waitset *set)
{
	if (set->watch > 0)
		/* relaxed: as above */
		and_relaxed(&numbers, ~(UINT64_C(1) << (set->watch - 1)));
}

_Static_assert(PARK_WATCHES == 64, "a bit for each");

static int open_set(struct weir_waitset *set, uint32_t engine)
{
	void *private;
	int result = sys_map_wiped(sizeof(*set->private), &private);

	if (result < 0)
		return result;
	set->private = private;
	set->private->ours = true;
	return engine_open(engine, &set->engine);
}

static void free_set(struct weir_waitset *set)
{
	give_number(set);
	close_outer(set);
	if (set->private)
		sys_unmap(set->private, sizeof(*set->private));
	free(set->sources);
	free(set->heap);
	free(set);
}

int weir_waitset(struct weir_waitset **ret_set, const struct weir_waitset_options *options)
{
	uint32_t engine = options ? options->engine : WEIR_ENGINE_AUTO;
	struct weir_waitset *set;
	int result;

	if (!ret_set || (options && (options->size != sizeof(*options) || options->flags != 0)) ||
	    !choice_valid(engine))
		return -EINVAL;
	set = calloc(1, sizeof(*set));
	if (!set)
		return -ENOMEM;
	set->outer = set->outer_timer = set->outer_bell = -1;
	set->sweep_at = WEIR_FOREVER;
	take_number(set);
	set->sweep_after = SWEEP_FIRST_NS;
	set->may_spin = park_may_spin();
	spin_init(&set->spin);
	result = open_set(set, engine);
	if (result < 0) {
		free_set(set);
		return result;
	}
	*ret_set = set;
	return 0;
}

int weir_waitset_stat(struct weir_waitset *set, struct weir_waitset_stat *ret_stat)
{
	bool locked;

	if (!set || !ret_stat || ret_stat->size != sizeof(*ret_stat))
		return -EINVAL;
	if (!set->private->ours)
		return -EBUSY;
	locked = waitset_lock(set);
	*ret_stat = (struct weir_waitset_stat){
		.size = sizeof(*ret_stat),
		.engine = engine_kind(set->engine),
		.sources = set->count,
		.waits = set->waits,
		.events = set->reports,
		.calls = engine_calls(set->engine),
		.sleeps = engine_sleeps(set->engine),
		.signals = set->signals,
		.in_vain = set->in_vain,
	};
	waitset_unlock(set, locked);
	return 0;
}

static void nudge(void *arg)
{
	struct weir_waitset *set = arg;

	engine_kick(set->engine);
}

void weir_waitset_close(struct weir_waitset *set)
{
	if (!set)
		return;
	if (set->private->ours)
		turn_close(&set->private->waiting, nudge, set);
	waitset_empty(set);
	if (set->private->ours)
		engine_close(set->engine);
	else
		engine_abandon(set->engine);
	free_set(set);
}
