/* SPDX-License-Identifier: MIT */
/*
 * Wakes that are put off, to be made together.
 *
 * While a thread collects, what it would wake is written down instead, once for each sleeper's
 * word or descriptor; wakes_flush() makes up for it. Only wakes: the message is there, and all that
 * says so. So a wake that is put off is as one whose sender has died before making it, and what is
 * done about that holds here, too: a sleeper on a pipe finds out when its slice ends, or by the end
 * of the sender; one on a queue by the watch.
 *
 * What is written down names memory and descriptors of objects, which any thread may close: who
 * frees them calls wakes_settle() first. Hence the lock in each collector, and a list of all.
 *
 * Collectors lie in memory that a forked child sees zeroed: what the parent has put off the parent
 * makes.
 */
#ifndef WEIR_WAIT_WAKES_H
#define WEIR_WAIT_WAKES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cc.h"
#include "wait/turn.h"

enum wake_kind {
	WAKE_NONE,		/* there is nothing to do, any more */
	WAKE_FUTEX,		/* all who sleep on a word */
	WAKE_BELL,		/* one who sleeps on a bell, that was lifted for it */
	WAKE_EVENT		/* an eventfd gets one */
};

#define WAKE_OPEN	(-1)	/* it is not made yet */

struct wake {
	uint32_t *word;		/* futex, bell; of an event: some word of its object */
	uint64_t *counter;	/* of a bell's wakes that have woken somebody */
	int fd;			/* of an event; otherwise -1 */
	uint32_t kind;
	uint32_t rung;		/* what a bell says since it was lifted */
	int32_t woken;		/* how many, where that matters; or WAKE_OPEN */
};

/* Zeroed: empty. In memory that is wiped by fork, because of the lock. */
struct wakes {
	struct turn turn;
	struct wakes *next;	/* of all that are listed */
	bool listed;
	uint32_t count;
	uint32_t room;		/* of all[]; a power of two */
	struct wake *all;
	uint32_t *index;	/* hashed, of twice as many: a number in all[], plus 1 */
	uint64_t made;		/* wakes, ever */
	uint64_t calls;		/* system calls for those that were made one by one */
};

/* More in a collector are made at once. */
#define WAKES_MAX	(UINT32_C(1) << 16)

/* A way to make several: sets `woken` in those that it has made, the rest is made one by one. */
struct wakes_way {
	void (*make)(void *arg, struct wake *wakes, uint32_t count);
	void *arg;
	uint32_t from;		/* as many at least go this way */
};

/* Where this thread puts its wakes off to, or NULL. */
extern _Thread_local struct wakes *wakes_now __attribute__((tls_model("initial-exec")));

/* Wake all who sleep on @word: now, or with the flush. */
void wakes_futex(uint32_t *word);
/* Signal eventfd @fd, of the object that @word belongs to. */
void wakes_event(int fd, uint32_t *word);
/* Ring, and count in @counter if somebody was woken. */
void wakes_ring(uint32_t *bell, uint64_t *counter);

/*
 * Begin to collect in @w, which no other thread does meanwhile; end it. In between this thread
 * does not sleep. 0, or -ENOMEM.
 */
int wakes_begin(struct wakes *w);
static inline void wakes_end(void)
{
	wakes_now = NULL;
}

/* Make what was put off: how many wakes. @way: or NULL, one by one. Any thread. */
uint32_t wakes_flush(struct wakes *w, const struct wakes_way *way);
/* Make those whose word is in @memory, wherever they were put off to: it goes. */
void wakes_settle(const void *memory, size_t size);
/* How many were made, and system calls for those that were made one by one. */
void wakes_counts(struct wakes *w, uint64_t *ret_made, uint64_t *ret_calls);
/* After the last flush. */
void wakes_destroy(struct wakes *w);

#endif
