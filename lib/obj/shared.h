/* SPDX-License-Identifier: MIT */
/*
 * What all handles on commons have in common: locks, semaphores, values and their kind. Their
 * structs begin with this one.
 *
 * A process that makes its first call on a handle sits down: it gets a party, a name in the
 * object's table, by which others know who holds something, and whether he has died. It has it
 * until the handle is closed, or the process ends by exit(3): then it leaves. A forked child finds
 * the handle as it is and itself without a party, and gets its own.
 */
#ifndef WEIR_OBJ_SHARED_H
#define WEIR_OBJ_SHARED_H

#include "mem/commons.h"
#include "obj/watched.h"
#include "wait/bell.h"
#include "wait/lock.h"
#include "wait/turn.h"
#include "weir/handle.h"

struct shared;

/* What is different for each kind of them. NULL: there is nothing to do. */
struct shared_kind {
	uint32_t kind;			/* WEIR_KIND_* */
	uint32_t object;		/* enum weir_object_kind, in memory */
	size_t handle_size;
	bool has_event;			/* wait sets may wait for it */
	/* Whether one that came from elsewhere could have been made here: 0, -EBADMSG. */
	int (*check)(const struct weir_commons_geometry *g, uint64_t body_size);
	/* The handle is made or attached, all of `struct shared` is there: 0, or an error. */
	int (*opened)(struct shared *s);
	/*
	 * Give back all that party @party has, whose name is @word: it has died, or it leaves. Any
	 * number may do this at a time, and die on the way, before the name is free. The lock of
	 * the control is given back already.
	 */
	void (*settle)(struct shared *s, uint32_t party, uint64_t word, bool died);
	/* Whether the party has something. */
	bool (*holds)(struct shared *s, uint32_t party);
	/* Wake all who sleep on other bells than the lock's: the handle is being closed. */
	void (*rouse)(struct shared *s);
	/* What of its events, WEIR_IN, hold now, for wait sets; and the bell that is armed then. */
	uint32_t (*ready)(struct shared *s);
	uint32_t *(*bell)(struct shared *s);
};

/* What fork wipes. */
struct shared_private {
	uint64_t me;		/* as a lock's word, without the thread; 0: we have no party */
	uint64_t word;		/* of the party's name */
	uint32_t sleepers;	/* threads that wait in a call */
	struct turn turn;	/* who sits down */
};

struct shared {
	uint32_t kind;		/* WEIR_KIND_*; first in every object */
	uint32_t closing;
	const struct shared_kind *is;
	struct commons commons;
	struct shared_private *private;
	struct lock lock;	/* the control's */
	struct shared *with;	/* the lock that was given with it, or NULL */
	bool owns_with;
	int event;		/* eventfd for wait sets, or -1 */
	struct watched watched;
	struct shared *next;	/* of all that this process has */
};

/* In a geometry's flags: another lock belongs to it. */
#define COMMONS_WITH_LOCK (UINT32_C(1) << 31)

extern const struct shared_kind shared_kind_lock;
extern const struct shared_kind shared_kind_event;
extern const struct shared_kind shared_kind_condition;
extern const struct shared_kind shared_kind_barrier;

/* The number of this thread; 0: not asked for yet. */
extern _Thread_local uint32_t shared_thread __attribute__((tls_model("initial-exec")));

/*
 * A new one; @with, or NULL: a lock that belongs to it, and stays the caller's. 0, or as
 * commons_create(), and -ENOMEM, -EMFILE, ...
 */
int shared_create(const struct shared_kind *is, const struct weir_commons_geometry *geometry,
		  uint64_t body_size, struct shared *with, void *ret_handle);

/* How many descriptors one has, with a lock that belongs to it, or without. */
uint32_t shared_fd_count(const struct shared_kind *is, bool with_lock);
/* Those of a handle, which stay its own. */
void shared_fds(const struct shared *s, int *ret_fds);
/* Whether descriptors are those of one: 0, or as commons_examine(); -EINVAL. */
int shared_check(const struct shared_kind *is, const int *fds, bool with_lock);
/* A handle for them; those that are used up are -1 then, also after an error. */
int shared_attach(const struct shared_kind *is, int *fds, bool with_lock, void *ret_handle);

/* Close: sleepers in other threads leave with -ESHUTDOWN first. */
void shared_close(struct shared *s);

/* Leave all objects in which we hold nothing: the process ends as it should. */
void shared_leave_all(void);

/* Get a party for this process: 0; -EUSERS: all have others, -ENOMEM; -ESHUTDOWN. */
int shared_sit_slow(struct shared *s, uint64_t *ret_me);

/* Who we are, process and thread, as a lock's word; errors as above. */
static ALWAYS_INLINE int shared_sit(struct shared *s, uint64_t *ret_me)
{
	/* order: SIT acquire: the party is ours */
	uint64_t me = load_acquire(&s->private->me);

	if (unlikely(me == 0 || shared_thread == 0))
		return shared_sit_slow(s, ret_me);
	*ret_me = me | (uint64_t)shared_thread << LOCK_THREAD_SHIFT;
	return 0;
}

/* Clean up after @party if its process has ended; whether it had, and nobody was faster. */
bool shared_mend(struct shared *s, uint32_t party);
/* After all that have: how many. */
int shared_mend_all(struct shared *s);

/*
 * Be inside a call that may sleep: who closes the handle waits for us to depart, which is our last
 * touch of it.
 */
static inline void shared_visit(struct shared *s)
{
	add_seq(&s->private->sleepers, 1);	/* order: CLOSING, before we look whether it is */
}

static inline void shared_depart(struct shared *s)
{
	add_seq(&s->private->sleepers, -1U);	/* order: CLOSING, to whoever closes */
}

/*
 * Sleep on @bell, of which bell_listen() said @listened, until @until: 0, -ETIMEDOUT, -EINTR;
 * -ESHUTDOWN: the handle is being closed. Look again after this whatever it says, after
 * bell_heard().
 */
int shared_sleep(struct shared *s, uint32_t *bell, uint32_t listened, int64_t until);

/* After something was stored that @bell is about: wake one, or all; signal wait sets. */
void shared_ring(struct shared *s, uint32_t *bell, bool all);

/*
 * For wait sets: which of @events hold now. If none, and @arm, whoever brings one writes to the
 * eventfd; and SOURCE_SELDOM is returned, otherwise 0.
 */
int shared_look(struct shared *s, uint32_t events, bool arm, uint32_t *ret_ready);

/* Have the lock of the control: WEIR_OWNER_DIED, 0, or as lock_take() and shared_sit(). */
static inline int shared_lock(struct shared *s, uint32_t flags, int64_t deadline)
{
	uint64_t me;
	int result = shared_sit(s, &me);

	return result < 0 ? result : lock_take(&s->lock, me, flags, deadline);
}

static inline void shared_unlock(struct shared *s)
{
	lock_give(&s->lock);
}

#endif
