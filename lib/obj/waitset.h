/* SPDX-License-Identifier: MIT */
/*
 * The inside of a wait set: sources, and where each of them stands.
 *
 *	resting		armed: something will signal it, or the kernel says so
 *	to look at	it was reported, added or signalled: has it something, and if not, arm it
 *	ready		it had something when it was looked at
 *
 * A wait looks at all that are to be looked at, reports up to as many ready ones as it was asked
 * for, and sleeps if there are none. Those that it has reported are looked at by the next wait.
 *
 * What is by level in the kernel, descriptors and the like, needs no arming: it is reported as the
 * kernel says it, each time.
 */
#ifndef WEIR_OBJ_WAITSET_H
#define WEIR_OBJ_WAITSET_H

#include <stdbool.h>

#include "obj/watched.h"
#include "uring/engine.h"
#include "wait/spin.h"
#include "wait/turn.h"
#include "weir/waitset.h"

struct shared;

enum source_kind {
	SOURCE_PIPE,
	SOURCE_QUEUE,
	SOURCE_SHARED,		/* an event, and all else that says in its kind when it is ready */
	SOURCE_LISTENER,
	SOURCE_PROCESS,
	SOURCE_FD,
	SOURCE_TIMER
};

/* Which of a source's keys: the engine's events come by them. */
#define WHICH_IN	0U
#define WHICH_OUT	1U
#define WHICH_FD	2U

#define SOURCE_NO_BELL	(-1)

struct source {
	enum source_kind kind;
	struct weir_waitset *set;
	struct source_list *list;	/* of the set; NULL: it rests */
	struct source *previous;
	struct source *next;
	struct source *next_of_object;
	uint64_t id;
	uint32_t place;			/* in set->sources */
	uint32_t events;		/* wanted */
	uint32_t ready;			/* when it was looked at last */
	uint64_t looked_in;		/* which wait that was */
	uint32_t in_vain;		/* looks since there was something */
	void *cookie;
	union {
		struct weir_end *end;
		struct weir_queue *queue;
		struct shared *shared;
		struct weir_listener *listener;
	} object;
	int fd;				/* what the kernel says something of; -1: none */
	bool watched;			/* it is in the engine's epoll, for us */
	int bells[2];			/* places in the engine, by WHICH_; SOURCE_NO_BELL */
	bool hung_up;			/* of a pipe: its line says so */
	int64_t settled;		/* who used it before we armed it knows that from here on */
	int64_t again;			/* when to look, and arm, again; WEIR_FOREVER */
	int64_t due;			/* a timer's time, or when to look again; WEIR_FOREVER */
	uint32_t heap_place;		/* in set->heap, plus 1; 0: not there */
	int64_t period;
	uint64_t count;
};

struct source_list {
	struct source *first;
	struct source *last;
	uint32_t count;
};

/* What fork wipes. */
struct waitset_private {
	struct turn waiting;	/* who waits */
	struct turn lock;	/* of everything below; held for moments */
	bool ours;		/* this is the process that made it */
};

struct weir_waitset {
	struct waitset_private *private;
	struct engine *engine;
	bool sleeping;			/* somebody is in the engine */
	uint32_t watch;			/* its number for parkings, plus 1; 0: none was free */
	bool may_spin;
	bool spun;			/* in this round: that is enough */
	struct spin spin;
	struct source **sources;	/* by place; NULL: free */
	uint32_t generations;		/* of ids */
	uint32_t count;
	uint32_t room;
	uint32_t objects;		/* pipes, queues and what is shared */
	struct source **heap;		/* those that have a time; room for all */
	uint32_t heap_count;
	struct source_list to_look_at;
	struct source_list reported;	/* to be looked at by the next wait */
	struct source_list ready;
	uint32_t peeked;		/* the next place of a small set to look at */
	int64_t now;			/* when this round began */
	int64_t ask_at;			/* when to ask the engine though there is something */
	int64_t swept_at;		/* when all were looked at last, or there was nothing to */
	int64_t sweep_at;		/* when to look at all again */
	int64_t sweep_after;
	/* The exported descriptor, and what it watches besides the engine's; or -1. */
	int outer;
	int outer_timer;
	int outer_bell;
	uint64_t waits;
	uint64_t reports;
	uint64_t signals;
	uint64_t in_vain;
};

/* waitset.c. All but the first are for whoever has the lock. */
bool waitset_lock(struct weir_waitset *set);
void waitset_unlock(struct weir_waitset *set, bool locked);
/* A sleeping wait is to look at what has changed. */
void waitset_disturb(struct weir_waitset *set);

/* waitset-list.c. The caller has the lock. */
/* To the end of a list of its set, or of none; from whichever it is in. */
void waitset_move(struct source *s, struct source_list *list);
/* When its time comes; WEIR_FOREVER: never. */
void waitset_set_due(struct source *s, int64_t due);

/* waitset-source.c. The caller has the lock, unless it says otherwise. */
/* Look, and arm if there is nothing and @arm: 0, or SOURCE_*. */
int source_look(struct source *s, bool arm);
void source_free(struct source *s);
/* Forget all sources. */
void waitset_empty(struct weir_waitset *set);
struct source *waitset_find(struct weir_waitset *set, uint64_t id);
/* For those who do not have it: 0; -EINVAL; -EBUSY: the set is another process's. */
int waitset_check(const struct weir_waitset *set);
/* Have it in its set. Takes it, also when it fails; but not its descriptor. */
int source_add(struct source *s, uint64_t *ret_source);

static inline bool source_is_object(const struct source *s)
{
	return s->kind == SOURCE_PIPE || s->kind == SOURCE_QUEUE || s->kind == SOURCE_SHARED;
}

/* Ids are of a place and a generation; keys have two bits more. */
static inline uint64_t source_key(const struct source *s, unsigned int which)
{
	return s->id << 2 | which;
}

#endif
