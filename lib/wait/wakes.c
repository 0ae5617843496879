/* SPDX-License-Identifier: MIT */
#include "wait/wakes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"
#include "sys/sys.h"
#include "wait/bell.h"
#include "weir/base.h"

#define ROOM_FIRST	64U

_Thread_local struct wakes *wakes_now __attribute__((tls_model("initial-exec")));

/* All collectors of this process. Zeroed by fork. */
struct list {
	struct turn turn;
	struct wakes *first;
};

static void *page;		/* struct list */

/* Of locks that are held for moments, and whose owner does not close. */
static bool take(struct turn *t)
{
	bool locked;

	/* What ends a wait early is no reason to go without. */
	while (turn_take(t, 0, WEIR_FOREVER, &locked) < 0)
		cpu_relax();
	return locked;
}

/*
 * Making them
 */

static void make(struct wakes *w, struct wake *k)
{
	w->calls++;
	if (k->kind == WAKE_EVENT) {
		sys_event_set(k->fd);
		k->woken = 1;
	} else {
		k->woken = sys_futex_wake(k->word, k->kind == WAKE_BELL ? 1 : INT32_MAX);
	}
}

/* A bell that somebody else has rung meanwhile need not be. */
static bool prepare(struct wake *k)
{
	if (k->kind == WAKE_BELL && !bell_lift(k->word, &k->rung))
		k->kind = WAKE_NONE;
	k->woken = WAKE_OPEN;
	return k->kind != WAKE_NONE;
}

static void finish(struct wake *k)
{
	if (k->kind != WAKE_BELL)
		return;
	if (k->woken > 0)
		add_relaxed(k->counter, 1);	/* relaxed: a counter */
	else
		bell_lower(k->word, k->rung);
}

/* Those that there is something to do for, moved to the front; how many. */
static uint32_t prepare_all(struct wakes *w)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < w->count; i++)
		if (prepare(&w->all[i]))
			w->all[count++] = w->all[i];
	return count;
}

static void make_and_finish(struct wakes *w, struct wake *k)
{
	if (k->woken == WAKE_OPEN)
		make(w, k);
	finish(k);
	w->made++;
}

static uint32_t make_together(struct wakes *w, const struct wakes_way *way)
{
	uint32_t count = prepare_all(w);

	if (count > 0 && count >= way->from)
		way->make(way->arg, w->all, count);
	for (uint32_t i = 0; i < count; i++)
		make_and_finish(w, &w->all[i]);
	return count;
}

/* A bell that is lifted keeps others from ringing it: each as late as possible. */
static uint32_t make_one_by_one(struct wakes *w)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < w->count; i++)
		if (prepare(&w->all[i])) {
			make_and_finish(w, &w->all[i]);
			count++;
		}
	return count;
}

uint32_t wakes_flush(struct wakes *w, const struct wakes_way *way)
{
	bool locked = take(&w->turn);
	uint32_t count = way && w->count >= way->from ? make_together(w, way) : make_one_by_one(w);

	if (w->count > 0)
		memset(w->index, 0, 2 * (size_t)w->room * sizeof(*w->index));
	w->count = 0;
	turn_give(&w->turn, locked);
	return count;
}

/*
 * Writing them down
 */

static bool is_same(const struct wake *a, const struct wake *b)
{
	return a->kind == b->kind && a->fd == b->fd && a->word == b->word;
}

/* Where @k is in the index, or is to be. */
static uint32_t *find(const struct wakes *w, const struct wake *k)
{
	uint64_t key = (uintptr_t)k->word ^ (uint64_t)(uint32_t)k->fd << 40 ^ k->kind;
	uint32_t mask = 2 * w->room - 1;
	uint32_t i = (uint32_t)(key * UINT64_C(0x9E3779B97F4A7C15) >> 32) & mask;

	while (w->index[i] != 0 && !is_same(&w->all[w->index[i] - 1], k))
		i = (i + 1) & mask;
	return &w->index[i];
}

static bool grow(struct wakes *w)
{
	uint32_t room = w->room ? 2 * w->room : ROOM_FIRST;
	struct wake *all;
	uint32_t *index;

	if (room > WAKES_MAX)
		return false;
	index = calloc(2 * (size_t)room, sizeof(*index));
	all = index ? realloc(w->all, room * sizeof(*all)) : NULL;
	if (!all) {
		free(index);
		return false;
	}
	free(w->index);
	w->all = all;
	w->index = index;
	w->room = room;
	for (uint32_t i = 0; i < w->count; i++)
		*find(w, &w->all[i]) = i + 1;
	return true;
}

/* Whether it is written down. */
static bool add(struct wakes *w, const struct wake *k)
{
	bool locked = take(&w->turn), there = true;
	uint32_t *at;

	if (w->count < w->room || grow(w)) {
		at = find(w, k);
		if (*at == 0) {
			w->all[w->count++] = *k;
			*at = w->count;
		}
	} else {
		there = false;
	}
	turn_give(&w->turn, locked);
	return there;
}

static bool put_off(struct wake k)
{
	return wakes_now && add(wakes_now, &k);
}

void wakes_futex(uint32_t *word)
{
	if (!put_off((struct wake){ .kind = WAKE_FUTEX, .word = word, .fd = -1 }))
		sys_futex_wake(word, INT32_MAX);
}

void wakes_event(int fd, uint32_t *word)
{
	if (!put_off((struct wake){ .kind = WAKE_EVENT, .word = word, .fd = fd }))
		sys_event_set(fd);
}

void wakes_ring(uint32_t *bell, uint64_t *counter)
{
	struct wake k = { .kind = WAKE_BELL, .word = bell, .counter = counter, .fd = -1 };

	if (bell_state(bell) != BELL_ASLEEP || put_off(k))
		return;
	if (bell_ring(bell))
		add_relaxed(counter, 1);	/* relaxed: a counter */
}

/*
 * Collectors
 */

/* Whoever frees an object is to find it. */
static int enlist(struct wakes *w)
{
	struct list *l = sys_wiped_once(&page, sizeof(*l));
	bool locked;

	if (!l)
		return -ENOMEM;
	locked = take(&l->turn);
	w->next = l->first;
	l->first = w;
	w->listed = true;
	turn_give(&l->turn, locked);
	return 0;
}

int wakes_begin(struct wakes *w)
{
	int result = likely(w->listed) ? 0 : enlist(w);

	if (likely(result == 0))
		wakes_now = w;
	return result;
}

void wakes_destroy(struct wakes *w)
{
	struct list *l = page;
	bool locked;

	if (w->listed) {
		struct wakes **at = &l->first;

		locked = take(&l->turn);
		while (*at != w)
			at = &(*at)->next;
		*at = w->next;
		turn_give(&l->turn, locked);
	}
	free(w->all);
	free(w->index);
}

static void settle(struct wakes *w, uintptr_t start, size_t size)
{
	bool locked = take(&w->turn);

	for (uint32_t i = 0; i < w->count; i++) {
		struct wake *k = &w->all[i];

		if ((uintptr_t)k->word - start >= size || !prepare(k))
			continue;
		make_and_finish(w, k);
		k->kind = WAKE_NONE;
	}
	turn_give(&w->turn, locked);
}

void wakes_settle(const void *memory, size_t size)
{
	/* order: WIPED acquire, from sys_wiped_once() */
	struct list *l = load_acquire(&page);
	bool locked;

	if (!l || !memory)
		return;
	locked = take(&l->turn);
	for (struct wakes *w = l->first; w; w = w->next)
		settle(w, (uintptr_t)memory, size);
	turn_give(&l->turn, locked);
}

void wakes_counts(struct wakes *w, uint64_t *ret_made, uint64_t *ret_calls)
{
	bool locked = take(&w->turn);

	*ret_made = w->made;
	*ret_calls = w->calls;
	turn_give(&w->turn, locked);
}
