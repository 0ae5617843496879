/* SPDX-License-Identifier: MIT */
/* The sources of wait sets: how each kind is begun and looked at, changing and removing. */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "obj/listener.h"
#include "obj/pipe.h"
#include "obj/queue.h"
#include "obj/shared.h"
#include "obj/waitset.h"
#include "sys/sys.h"

#define FIRST_ROOM	16
#define GENERATION_MASK	UINT32_C(0x3fffffff)
#define BOTH		(WEIR_IN | WEIR_OUT)

/*
 * Objects and sets know of each other. What ties them is under one lock of the process, which is
 * taken before a set's. In memory that fork wipes: the objects of a child are in no set.
 */
struct ties {
	struct turn turn;
	uint32_t process;	/* a number that parents and children do not share; 0: not yet */
};

static void *page;		/* struct ties */
static uint32_t processes;	/* grows from parent to child */

static int lock_ties(bool *ret_locked)
{
	struct ties *ties = sys_wiped_once(&page, sizeof(*ties));

	*ret_locked = false;
	if (!ties)
		return -ENOMEM;
	turn_take(&ties->turn, 0, WEIR_FOREVER, ret_locked);
	if (ties->process == 0)
		ties->process = ++processes;
	return 0;
}

static void unlock_ties(bool locked)
{
	struct ties *ties = page;

	turn_give(&ties->turn, locked);
}

/* The list that is right in this process. The ties are locked. */
static struct source **sources_of(struct watched *w)
{
	const struct ties *ties = page;

	if (w->process != ties->process)
		*w = (struct watched){ .process = ties->process };
	return &w->first;
}

static struct watched *watched_of(struct source *s)
{
	switch (s->kind) {
	case SOURCE_PIPE:
		return &s->object.end->watched;
	case SOURCE_QUEUE:
		return &s->object.queue->watched;
	case SOURCE_SHARED:
		return &s->object.shared->watched;
	case SOURCE_LISTENER:
		return &s->object.listener->watched;
	default:
		return NULL;
	}
}

static void untie(struct source *s)
{
	struct watched *w = watched_of(s);
	struct source **link;

	if (!w)
		return;
	for (link = sources_of(w); *link; link = &(*link)->next_of_object)
		if (*link == s) {
			*link = s->next_of_object;
			return;
		}
}

static bool is_tied(struct watched *w, const struct weir_waitset *set)
{
	for (const struct source *s = *sources_of(w); s; s = s->next_of_object)
		if (s->set == set)
			return true;
	return false;
}

/*
 * Places
 */

struct source *waitset_find(struct weir_waitset *set, uint64_t id)
{
	uint32_t place = (uint32_t)id;
	struct source *s = place < set->room ? set->sources[place] : NULL;

	return s && s->id == id ? s : NULL;
}

static int grow(struct weir_waitset *set)
{
	uint32_t room = set->room ? 2 * set->room : FIRST_ROOM;
	struct source **sources, **heap;

	heap = realloc(set->heap, room * sizeof(*heap));
	if (!heap)
		return -ENOMEM;
	set->heap = heap;
	sources = realloc(set->sources, room * sizeof(*sources));
	if (!sources)
		return -ENOMEM;
	for (uint32_t i = set->room; i < room; i++)
		sources[i] = NULL;
	set->sources = sources;
	set->room = room;
	return 0;
}

static int find_place(struct weir_waitset *set, struct source *s)
{
	uint32_t place = set->count;

	if (set->count == set->room && grow(set) < 0)
		return -ENOMEM;
	while (set->sources[place % set->room])
		place++;
	s->place = place % set->room;
	set->sources[s->place] = s;
	set->generations = (set->generations + 1) & GENERATION_MASK;
	set->generations += set->generations == 0;
	s->id = (uint64_t)set->generations << 32 | s->place;
	set->count++;
	set->objects += source_is_object(s);
	return 0;
}

/*
 * What the engine watches of a source
 */

static int bell_fd(const struct source *s, unsigned int which)
{
	uint32_t event = which == WHICH_IN ? WEIR_IN : WEIR_OUT;

	if (s->kind == SOURCE_PIPE)
		return pipe_source_bell(s->object.end, event);
	if (s->kind == SOURCE_SHARED)
		return s->object.shared->event;
	return queue_source_fd(s->object.queue, which == WHICH_IN ? QUEUE_READER : QUEUE_WRITER);
}

static void unwatch_bell(struct source *s, unsigned int which)
{
	if (s->bells[which] != SOURCE_NO_BELL)
		engine_unwatch_bell(s->set->engine, s->bells[which]);
	s->bells[which] = SOURCE_NO_BELL;
}

static int watch_bell(struct source *s, unsigned int which)
{
	int place = engine_watch_bell(s->set->engine, bell_fd(s, which), source_key(s, which));

	if (place >= 0)
		s->bells[which] = place;
	return place < 0 ? place : 0;
}

/* As @events says; -1 to @fd again if it is not watched. */
static int watch_bells(struct source *s, uint32_t events)
{
	static const uint32_t event_of[] = { [WHICH_IN] = WEIR_IN, [WHICH_OUT] = WEIR_OUT };
	int result = 0;

	for (unsigned int which = WHICH_IN; which <= WHICH_OUT && result == 0; which++)
		if ((events & event_of[which]) && s->bells[which] == SOURCE_NO_BELL)
			result = watch_bell(s, which);
	for (unsigned int which = WHICH_IN; which <= WHICH_OUT; which++)
		if (!((result == 0 ? events : s->events) & event_of[which]))
			unwatch_bell(s, which);
	return result;
}

static uint32_t epoll_events(uint32_t events)
{
	return (events & WEIR_IN ? EPOLLIN | EPOLLRDHUP : 0) | (events & WEIR_OUT ? EPOLLOUT : 0);
}

static int watch_fd(struct source *s, int fd, uint32_t events)
{
	int result = engine_watch(s->set->engine, fd, events, source_key(s, WHICH_FD));

	if (result == 0) {
		s->fd = fd;
		s->watched = true;
	}
	return result;
}

static int begin_object(const struct source *s, uint32_t events)
{
	if (s->kind == SOURCE_PIPE)
		return pipe_source_begin(s->object.end, events);
	/* Whoever changes it always looks whether it is armed. */
	if (s->kind == SOURCE_SHARED)
		return 0;
	return queue_source_begin(s->object.queue, events);
}

int source_look(struct source *s, bool arm)
{
	int result;

	if (s->kind == SOURCE_PIPE)
		return pipe_source_look(s->object.end, s->events, s->hung_up, arm, &s->ready);
	s->ready = 0;
	/* Nothing is wanted of it for now. */
	if (s->events == 0)
		return 0;
	if (s->kind == SOURCE_SHARED)
		return shared_look(s->object.shared, s->events, arm, &s->ready);
	result = arm ? queue_source_arm(s->object.queue, s->events, &s->ready)
		     : queue_source_look(s->object.queue, s->events, &s->ready);
	/* A call would say so at once. */
	if (result < 0 && result != -ESHUTDOWN)
		s->ready = s->events;
	return result == 1 ? SOURCE_LATER : 0;
}

/* Have it watched. */
static int start(struct source *s)
{
	int result;

	switch (s->kind) {
	case SOURCE_PIPE:
	case SOURCE_QUEUE:
	case SOURCE_SHARED:
		result = begin_object(s, s->events);
		if (result == 0)
			result = watch_bells(s, s->events);
		if (result == 0 && s->kind == SOURCE_PIPE)
			result = watch_fd(s, s->object.end->line, 0);
		if (result == 0 && s->kind == SOURCE_PIPE)
			pipe_source_watch(s->object.end, s->set->watch);
		return result;
	case SOURCE_LISTENER:
		result = weir_listener_fd(s->object.listener);
		return result < 0 ? result : watch_fd(s, result, EPOLLIN);
	case SOURCE_PROCESS:
		return watch_fd(s, s->fd, EPOLLIN);
	case SOURCE_FD:
		return watch_fd(s, s->fd, epoll_events(s->events));
	default:
		return 0;
	}
}

static void stop(struct source *s)
{
	s->events = 0;
	if (s->kind == SOURCE_PIPE)
		pipe_source_watch(s->object.end, 0);
	unwatch_bell(s, WHICH_IN);
	unwatch_bell(s, WHICH_OUT);
	/* If it is not ours it is that of another source. */
	if (s->watched)
		engine_unwatch(s->set->engine, s->fd);
	s->watched = false;
}

static void dispose(struct source *s)
{
	if (s->kind == SOURCE_PROCESS)
		sys_close(s->fd);
	free(s);
}

void source_free(struct source *s)
{
	struct weir_waitset *set = s->set;

	waitset_move(s, NULL);
	waitset_set_due(s, WEIR_FOREVER);
	set->sources[s->place] = NULL;
	set->count--;
	set->objects -= source_is_object(s);
	dispose(s);
}

/*
 * Adding
 */

/* The set is locked, and the ties. */
static int enter(struct source *s)
{
	struct weir_waitset *set = s->set;
	struct watched *w = watched_of(s);
	int64_t due = s->due;
	int result;

	if (w && is_tied(w, set))
		return -EEXIST;
	result = find_place(set, s);
	if (result < 0)
		return result;
	result = start(s);
	if (result < 0) {
		stop(s);
		set->sources[s->place] = NULL;
		set->count--;
		set->objects -= source_is_object(s);
		return result;
	}
	if (w) {
		s->next_of_object = *sources_of(w);
		w->first = s;
	}
	s->settled = clock_now() + SOURCE_SETTLE_NS;
	waitset_move(s, &set->to_look_at);
	s->due = WEIR_FOREVER;
	waitset_set_due(s, due);
	if (source_is_object(s) && set->sweep_at == WEIR_FOREVER) {
		set->swept_at = s->settled;
		set->sweep_at = s->settled + NS_PER_S;
	}
	waitset_disturb(set);
	return 0;
}

int source_add(struct source *s, uint64_t *ret_source)
{
	struct weir_waitset *set = s->set;
	bool ties, locked;
	int result = lock_ties(&ties);

	if (result == 0) {
		locked = waitset_lock(set);
		result = enter(s);
		if (result == 0 && ret_source)
			*ret_source = s->id;
		waitset_unlock(set, locked);
		unlock_ties(ties);
	}
	if (result < 0)
		free(s);
	return result;
}

int waitset_check(const struct weir_waitset *set)
{
	if (!set)
		return -EINVAL;
	return set->private->ours ? 0 : -EBUSY;
}

/*
 * Changing and removing
 */

static int change_object(struct source *s, uint32_t events)
{
	int result = begin_object(s, events);

	if (result == 0)
		result = watch_bells(s, events);
	if (result < 0)
		return result;
	s->events = events;
	s->settled = clock_now() + SOURCE_SETTLE_NS;
	waitset_move(s, &s->set->to_look_at);
	return 0;
}

static int change_fd(struct source *s, uint32_t events)
{
	int result = engine_watch_change(s->set->engine, s->fd, epoll_events(events),
					 source_key(s, WHICH_FD));

	if (result < 0)
		return result;
	s->events = events;
	/* It comes again, if it still holds. */
	waitset_move(s, NULL);
	return 0;
}

static int change(struct source *s, uint32_t events)
{
	if (!s)
		return -ENOENT;
	switch (s->kind) {
	case SOURCE_SHARED:
		if (events & ~WEIR_IN)
			return -EINVAL;
		return change_object(s, events);
	case SOURCE_QUEUE:
	case SOURCE_PIPE:
		return change_object(s, events);
	case SOURCE_LISTENER:
		return events & ~WEIR_IN ? -EINVAL : change_fd(s, events);
	case SOURCE_FD:
		return change_fd(s, events);
	default:
		return -EINVAL;
	}
}

int weir_waitset_change(struct weir_waitset *set, uint64_t source, uint32_t events)
{
	int result = waitset_check(set);
	bool locked;

	if (result == 0 && (events & ~BOTH))
		result = -EINVAL;
	if (result < 0)
		return result;
	locked = waitset_lock(set);
	result = change(waitset_find(set, source), events);
	if (result == 0)
		waitset_disturb(set);
	waitset_unlock(set, locked);
	return result;
}

int weir_waitset_change_timer(struct weir_waitset *set, uint64_t source, int64_t first,
			      int64_t period)
{
	int result = waitset_check(set);
	struct source *s;
	bool locked;

	if (result == 0 && (first < 0 || period < 0))
		result = -EINVAL;
	if (result < 0)
		return result;
	locked = waitset_lock(set);
	s = waitset_find(set, source);
	if (!s) {
		result = -ENOENT;
	} else if (s->kind != SOURCE_TIMER) {
		result = -EINVAL;
	} else {
		s->period = period;
		s->count = 0;
		waitset_move(s, NULL);
		waitset_set_due(s, first);
		waitset_disturb(set);
	}
	waitset_unlock(set, locked);
	return result;
}

int weir_waitset_remove(struct weir_waitset *set, uint64_t source)
{
	int result = waitset_check(set);
	bool ties, locked;
	struct source *s;

	if (result == 0)
		result = lock_ties(&ties);
	if (result < 0)
		return result;
	locked = waitset_lock(set);
	s = waitset_find(set, source);
	if (s) {
		untie(s);
		stop(s);
		source_free(s);
	}
	waitset_unlock(set, locked);
	unlock_ties(ties);
	return s ? 0 : -ENOENT;
}

void watched_end(struct watched *w)
{
	struct weir_waitset *set;
	struct source *s;
	bool ties, locked;

	if (!w->first || lock_ties(&ties) < 0)
		return;
	while ((s = *sources_of(w))) {
		set = s->set;
		locked = waitset_lock(set);
		untie(s);
		stop(s);
		source_free(s);
		waitset_unlock(set, locked);
	}
	unlock_ties(ties);
}

void waitset_empty(struct weir_waitset *set)
{
	bool ties = false, tied = set->private->ours && lock_ties(&ties) == 0;

	for (uint32_t i = 0; i < set->room; i++) {
		struct source *s = set->sources[i];

		if (!s)
			continue;
		/* In a forked child the objects may be gone, and the lists half changed. */
		if (tied) {
			untie(s);
			stop(s);
		}
		dispose(s);
	}
	if (tied)
		unlock_ties(ties);
}
