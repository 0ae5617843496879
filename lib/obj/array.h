/* SPDX-License-Identifier: MIT */
/*
 * Values and arrays. A value is an array of one element with a name of its own.
 *
 * Its lock is that of its own commons, recursive, or another object's that was given with it; so
 * whose lock it is says which of the two handles. The elements lie in the body, the shadow for
 * updates behind them.
 */
#ifndef WEIR_OBJ_ARRAY_H
#define WEIR_OBJ_ARRAY_H

#include <stddef.h>

#include "mem/array-layout.h"
#include "obj/lock.h"
#include "obj/shared.h"
#include "ring/redo.h"
#include "weir/array.h"
#include "weir/value.h"

/* Flags of the geometry. None: a lock was given with it. */
#define ARRAY_OWN_LOCK	WEIR_LOCK_RECURSIVE
#define ARRAY_RAW	(UINT32_C(1) << 1)

#define ARRAY_CALL_FLAGS	(WEIR_INTR | WEIR_NOSPIN)
#define ARRAY_BYTES_MAX		(UINT64_C(1) << 45)

/* What is copied without an allocation. */
#define ARRAY_SPARE_SIZE	256

/* An update that was begun, in this process's memory. */
struct array_draft {
	uint64_t from;		/* bytes */
	uint64_t size;
	uint8_t *bytes;		/* in the same allocation, or in the handle */
	bool nested;		/* the lock was ours before */
};

struct weir_array {
	struct shared shared;
	struct shared *holder;		/* whose lock it is; NULL: raw */
	struct weir_array_state *state;
	struct redo redo;
	uint64_t type;
	uint64_t count;
	uint64_t element_size;
	bool is_atomic;			/* an element can be operated on at once */
	uint64_t seen;			/* changes, by this handle */
	int64_t mended_at;		/* when a thread looked who has died */
	/* Under the lock. */
	struct array_draft *draft;
	uint64_t drafter;		/* as in a lock's word; 0: nobody */
	/* A small one. */
	struct array_draft spare;
	uint64_t spare_taker;		/* who has it, also after his lock was released; 0 */
	_Alignas(max_align_t) uint8_t spare_bytes[ARRAY_SPARE_SIZE];
};

/* The handle that begins with @s. */
static inline struct weir_array *array_of(struct shared *s)
{
	return (void *)s;
}

struct weir_value {
	struct weir_array array;
};

extern const struct shared_kind shared_kind_array;
extern const struct shared_kind shared_kind_value;

/* As weir_array(), of either kind. */
int array_create(const struct shared_kind *is, const struct weir_array_options *options,
		 void *ret_handle);

/*
 * Have the lock, if we have not, and nothing pending: WEIR_OWNER_DIED, 0, or an error of the lock;
 * -EBADMSG. Not of a raw one.
 */
static ALWAYS_INLINE int array_enter(struct weir_array *a, uint32_t flags, int64_t deadline,
				     bool *ret_nested);
static ALWAYS_INLINE void array_leave(struct weir_array *a, bool nested);

/* Nothing has been left behind by anybody. */
static ALWAYS_INLINE bool array_is_clear(const struct weir_array *a)
{
	/* relaxed: both are stored under the lock */
	return !((load_relaxed(&a->state->redo.version) & 1) |
		 (load_relaxed(&a->state->flags) & ARRAY_UNTOLD));
}

/* The lock is ours, and @result is what that said: have all in its place. As array_enter(). */
int array_clear_up(struct weir_array *a, int result);

/* Whether the lock is ours, and who we are. */
static ALWAYS_INLINE bool array_is_mine(const struct weir_array *a, uint64_t *ret_me)
{
	return shared_sit(a->holder, ret_me) == 0 && lock_is_mine(&a->holder->lock, *ret_me);
}

/* Free a draft, or have the spare one be nobody's. */
void array_drop_draft(struct weir_array *a, struct array_draft *d);

/* The next one who acquires the lock is told that an owner has died. */
void array_tell_next(struct weir_array *a);

/* To be called after an update, or with @marked after another change that array_mark() began. */
void array_changed_slow(struct weir_array *a);
void array_count_change(struct weir_array *a, bool marked);

static ALWAYS_INLINE bool array_is_watched(const struct weir_array *a)
{
	/* order: WATCHED, after the change was stored */
	return load_seq(&a->state->flags) & ARRAY_WATCHED;
}

/* After an update. */
static ALWAYS_INLINE void array_changed(struct weir_array *a)
{
	if (unlikely(array_is_watched(a)))
		array_changed_slow(a);
}

/*
 * Say, where others look if we die, that we are about to change something: whether that could be
 * said.
 */
bool array_mark(struct weir_array *a);
/* And that we have not. */
void array_unmark(struct weir_array *a);

/* From now on changes are counted. */
void array_watch(struct weir_array *a);
uint64_t array_changes(const struct weir_array *a);

/* Of a kind of objects: see shared.h. */
void array_settle(struct shared *s, uint32_t party, uint64_t word, bool died);
void array_rouse(struct shared *s);
uint32_t array_ready(struct shared *s);
uint32_t *array_bell(struct shared *s);

/* The same for @me, who is this thread. */
static ALWAYS_INLINE void array_leave_as(struct weir_array *a, uint64_t me, bool nested)
{
	/* A plain one may have been released by another. */
	if (!nested && lock_is_mine(&a->holder->lock, me))
		lock_give(&a->holder->lock);
}

static ALWAYS_INLINE int array_enter_as(struct weir_array *a, uint64_t me, uint32_t flags,
					int64_t deadline, bool *ret_nested)
{
	struct lock *lock = &a->holder->lock;
	int result = 0;

	*ret_nested = lock_is_mine(lock, me);
	if (!*ret_nested)
		result = lock_take(lock, me, flags, deadline);
	if (unlikely(result >= 0 && !array_is_clear(a))) {
		result = array_clear_up(a, result);
		if (result < 0)
			array_leave_as(a, me, *ret_nested);
	}
	return result;
}

static ALWAYS_INLINE void array_leave(struct weir_array *a, bool nested)
{
	uint64_t me;

	if (!nested && shared_sit(a->holder, &me) == 0)
		array_leave_as(a, me, nested);
}

static ALWAYS_INLINE int array_enter(struct weir_array *a, uint32_t flags, int64_t deadline,
				     bool *ret_nested)
{
	uint64_t me;
	int result = shared_sit(a->holder, &me);

	if (unlikely(result < 0))
		return result;
	return array_enter_as(a, me, flags, deadline, ret_nested);
}

/* Where elements are, in bytes: 0; -ERANGE, -EPROTO. */
static ALWAYS_INLINE int array_locate(const struct weir_array *a, uint64_t type, int64_t first,
				      uint64_t count, uint64_t *ret_from)
{
	uint64_t at = (uint64_t)first;

	if (unlikely(type != a->type && type != 0))
		return -EPROTO;
	if (first < 0)
		at += a->count;
	if (unlikely(at > a->count || count > a->count - at))
		return -ERANGE;
	*ret_from = at * a->element_size;
	return 0;
}

#endif
