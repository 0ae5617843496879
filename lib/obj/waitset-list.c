/* SPDX-License-Identifier: MIT */
/* Where the sources of a wait set stand: lists, and a heap of those that have a time. */
#include "obj/waitset.h"

void waitset_move(struct source *s, struct source_list *list)
{
	struct source_list *from = s->list;

	if (from) {
		*(s->previous ? &s->previous->next : &from->first) = s->next;
		*(s->next ? &s->next->previous : &from->last) = s->previous;
		from->count--;
	}
	s->list = list;
	if (!list)
		return;
	s->previous = list->last;
	s->next = NULL;
	*(list->last ? &list->last->next : &list->first) = s;
	list->last = s;
	list->count++;
}

/* The sources that have a time, the earliest first: a binary heap. */

static void put_in_heap(struct weir_waitset *set, uint32_t place, struct source *s)
{
	set->heap[place] = s;
	s->heap_place = place + 1;
}

static void move_up(struct weir_waitset *set, uint32_t place)
{
	struct source *s = set->heap[place];

	while (place > 0 && set->heap[(place - 1) / 2]->due > s->due) {
		put_in_heap(set, place, set->heap[(place - 1) / 2]);
		place = (place - 1) / 2;
	}
	put_in_heap(set, place, s);
}

static void move_down(struct weir_waitset *set, uint32_t place)
{
	struct source *s = set->heap[place];
	uint32_t child;

	while ((child = 2 * place + 1) < set->heap_count) {
		if (child + 1 < set->heap_count &&
		    set->heap[child + 1]->due < set->heap[child]->due)
			child++;
		if (set->heap[child]->due >= s->due)
			break;
		put_in_heap(set, place, set->heap[child]);
		place = child;
	}
	put_in_heap(set, place, s);
}

static void leave_heap(struct source *s)
{
	struct weir_waitset *set = s->set;
	uint32_t place = s->heap_place - 1;
	struct source *last = set->heap[--set->heap_count];

	s->heap_place = 0;
	if (last == s)
		return;
	put_in_heap(set, place, last);
	move_up(set, place);
	move_down(set, last->heap_place - 1);
}

void waitset_set_due(struct source *s, int64_t due)
{
	struct weir_waitset *set = s->set;

	if (s->heap_place != 0)
		leave_heap(s);
	s->due = due;
	if (due == WEIR_FOREVER)
		return;
	put_in_heap(set, set->heap_count++, s);
	move_up(set, set->heap_count - 1);
}
