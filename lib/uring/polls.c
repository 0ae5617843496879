/* SPDX-License-Identifier: MIT */
#include "uring/polls.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "base/atomic.h"
#include "base/cc.h"
#include "base/clock.h"
#include "sys/net.h"
#include "uring/engine.h"
#include "uring/ring.h"
#include "wait/spin.h"
#include "wait/turn.h"
#include "weir/base.h"

/*
 * What a ring holds counts as locked memory of the user, 48 KiB and 8 KiB. Where there is no room
 * for a completion the poll ends and begins anew, which takes longer and loses nothing.
 */
#define ENTRIES		64
#define COMPLETIONS	1024
#define FEW_ENTRIES	16
#define FEW_COMPLETIONS	64
#define FIRST_ROOM	64
/* Of entering in a row, for want of something. */
#define FAILURES_MAX	16
/* Of what is ours. */
#define NOBODY		UINT64_MAX

enum poll_state {
	POLL_FREE,
	POLL_NEW,	/* to be submitted */
	POLL_LIVE,	/* in the ring */
	POLL_ELSEWHERE	/* the ring has not taken it: in the epoll */
};

struct poll {
	enum poll_state state;
	int fd;
	uint32_t generation;	/* of the place: completions of who had it before are not ours */
	uint64_t key;
};

struct polls {
	struct ring ring;
	int epoll;
	bool fresh;		/* nothing was submitted yet */
	bool broken;		/* it does not take the epoll */
	bool homeless;		/* without a ring: the epoll has not taken all yet */
	bool given_up;		/* the ring is not used any more */
	uintptr_t thread;	/* that has waited last */
	struct spin spin;
	uint32_t failures;	/* of entering, one after the other */
	uint64_t calls;		/* of rings that are closed */
	uint64_t sleeps;
	struct turn lock;	/* of the rest */
	struct poll *polls;
	uint32_t count;
	uint32_t room;
	uint32_t *to_do;	/* places to be submitted: room for all */
	uint32_t to_do_count;
	uint64_t *to_cancel;	/* what those that are gone were called in the ring */
	uint32_t to_cancel_count;
	uint32_t to_cancel_room;
};

static _Thread_local char this_thread;

static bool lock(struct polls *p)
{
	bool locked;

	turn_take(&p->lock, 0, WEIR_FOREVER, &locked);
	return locked;
}

static void unlock(struct polls *p, bool locked)
{
	turn_give(&p->lock, locked);
}

/*
 * Of one thread, or none: for a ring of any thread the kernel interrupts the one that has submitted
 * the poll, wherever it sleeps, and epoll_wait(2) returns -EINTR then, without any signal.
 */
static int open_ring(struct ring *r)
{
	int result = ring_open(r, ENTRIES, COMPLETIONS, RING_ONE_THREAD);

	if (result == -ENOMEM)
		result = ring_open(r, FEW_ENTRIES, FEW_COMPLETIONS, RING_ONE_THREAD);
	if (result == 0 && r->thread == 0) {
		ring_close(r);
		result = -EOPNOTSUPP;
	}
	return result;
}

int polls_open(int epoll, struct polls **ret_polls)
{
	struct polls *p = calloc(1, sizeof(*p));
	int result;

	if (!p)
		return -ENOMEM;
	result = open_ring(&p->ring);
	if (result < 0) {
		free(p);
		return result;
	}
	p->epoll = epoll;
	p->fresh = true;
	spin_init(&p->spin);
	p->thread = (uintptr_t)&this_thread;
	*ret_polls = p;
	return 0;
}

static void free_polls(struct polls *p)
{
	free(p->polls);
	free(p->to_do);
	free(p->to_cancel);
	free(p);
}

void polls_close(struct polls *p)
{
	ring_close(&p->ring);
	free_polls(p);
}

void polls_abandon(struct polls *p)
{
	ring_abandon(&p->ring);
	free_polls(p);
}

uint64_t polls_calls(struct polls *p)
{
	bool locked = lock(p);
	/* relaxed: who waits is counting, without the lock */
	uint64_t calls = p->calls + load_relaxed(&p->ring.calls);

	unlock(p, locked);
	return calls;
}

uint64_t polls_sleeps(const struct polls *p)
{
	return load_relaxed(&p->sleeps);	/* relaxed: to be reported */
}

/*
 * What is to be watched. The callers have the lock, or are the only ones.
 */

static uint64_t name_of(const struct polls *p, uint32_t place)
{
	return (uint64_t)p->polls[place].generation << 32 | place;
}

static int grow(struct polls *p)
{
	uint32_t room = p->room ? 2 * p->room : FIRST_ROOM;
	struct poll *polls;
	uint32_t *to_do = realloc(p->to_do, room * sizeof(*to_do));

	if (!to_do)
		return -ENOMEM;
	p->to_do = to_do;
	polls = realloc(p->polls, room * sizeof(*polls));
	if (!polls)
		return -ENOMEM;
	for (uint32_t i = p->room; i < room; i++)
		polls[i] = (struct poll){ .state = POLL_FREE };
	p->polls = polls;
	p->room = room;
	return 0;
}

static int find_place(struct polls *p, uint32_t *ret_place)
{
	uint32_t first = p->count;

	if (p->count == p->room && grow(p) < 0)
		return -ENOMEM;
	/* As long as none is removed that is the first look. */
	for (uint32_t i = 0; i < p->room; i++) {
		*ret_place = (first + i) % p->room;
		if (p->polls[*ret_place].state == POLL_FREE)
			return 0;
	}
	return -ENOMEM;
}

static void submit_later(struct polls *p, uint32_t place)
{
	p->polls[place].state = POLL_NEW;
	p->to_do[p->to_do_count++] = place;
}

static void forget_to_submit(struct polls *p, uint32_t place)
{
	for (uint32_t i = 0; i < p->to_do_count; i++) {
		if (p->to_do[i] == place) {
			p->to_do[i] = p->to_do[--p->to_do_count];
			return;
		}
	}
}

/* If there is no memory to remember it, the poll goes on, and nobody knows its completions. */
static void cancel_later(struct polls *p, uint64_t name)
{
	uint32_t room = p->to_cancel_room ? 2 * p->to_cancel_room : FIRST_ROOM;
	uint64_t *more;

	if (p->to_cancel_count == p->to_cancel_room) {
		more = realloc(p->to_cancel, room * sizeof(*more));
		if (!more)
			return;
		p->to_cancel = more;
		p->to_cancel_room = room;
	}
	p->to_cancel[p->to_cancel_count++] = name;
}

static int watch_elsewhere(struct polls *p, struct poll *poll)
{
	int result = 0;

	if (poll->fd != p->epoll)
		result = net_watch(p->epoll, poll->fd, ENGINE_BELL_EVENTS, poll->key);
	/* Or later, if there is no room just now. */
	poll->state = result < 0 ? POLL_NEW : POLL_ELSEWHERE;
	return result;
}

int polls_watch(struct polls *p, int fd, uint64_t key)
{
	bool locked = lock(p);
	uint32_t place;
	int result = find_place(p, &place);

	if (result == 0) {
		p->polls[place].fd = fd;
		p->polls[place].key = key;
		p->polls[place].generation++;
		p->count++;
		if (!p->given_up)
			submit_later(p, place);
		else
			result = watch_elsewhere(p, &p->polls[place]);
		if (result < 0) {
			p->polls[place].state = POLL_FREE;
			p->count--;
		}
	}
	unlock(p, locked);
	return result < 0 ? result : (int)place;
}

void polls_unwatch(struct polls *p, int place)
{
	bool locked = lock(p);
	struct poll *poll = &p->polls[place];

	if (poll->state == POLL_NEW)
		forget_to_submit(p, (uint32_t)place);
	else if (poll->state == POLL_LIVE)
		cancel_later(p, name_of(p, (uint32_t)place));
	else if (poll->state == POLL_ELSEWHERE)
		net_unwatch(p->epoll, poll->fd);
	poll->state = POLL_FREE;
	p->count--;
	unlock(p, locked);
}

/*
 * The ring stays open, and disturbs nobody: some milliseconds after it is closed the kernel
 * interrupts the thread that it was for, as above.
 */
void polls_give_up(struct polls *p)
{
	bool locked = lock(p);

	p->given_up = true;
	p->to_do_count = p->to_cancel_count = 0;
	p->homeless = false;
	for (uint32_t i = 0; i < p->room; i++)
		if (p->polls[i].state == POLL_NEW || p->polls[i].state == POLL_LIVE)
			p->homeless |= watch_elsewhere(p, &p->polls[i]) < 0;
	unlock(p, locked);
}

bool polls_are_watched(struct polls *p)
{
	if (p->homeless)
		polls_give_up(p);
	return !p->homeless;
}

/* In another ring, all are watched anew. */
static int reopen(struct polls *p)
{
	bool locked = lock(p);
	int result;

	ring_close(&p->ring);
	p->calls += p->ring.calls;
	p->to_do_count = p->to_cancel_count = 0;
	result = open_ring(&p->ring);
	for (uint32_t i = 0; i < p->room; i++)
		if (p->polls[i].state == POLL_NEW || p->polls[i].state == POLL_LIVE)
			submit_later(p, i);
	unlock(p, locked);
	return result;
}

/*
 * Waiting
 */

/* Fill the submission queue with what there is to do; whether it had room for all. */
static bool prepare(struct polls *p)
{
	bool locked = lock(p), all;
	struct io_uring_sqe *sqe;

	while (p->to_cancel_count > 0 && (sqe = io_uring_get_sqe(&p->ring.raw))) {
		io_uring_prep_poll_remove(sqe, p->to_cancel[--p->to_cancel_count]);
		sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
		sqe->user_data = NOBODY;
	}
	while (p->to_do_count > 0 && (sqe = io_uring_get_sqe(&p->ring.raw))) {
		uint32_t place = p->to_do[--p->to_do_count];

		/* Both, since an eventfd is always writable: then a write of 0 is an edge too. */
		io_uring_prep_poll_multishot(sqe, p->polls[place].fd, POLLIN | POLLOUT);
		sqe->user_data = name_of(p, place);
		p->polls[place].state = POLL_LIVE;
	}
	all = p->to_do_count == 0 && p->to_cancel_count == 0;
	unlock(p, locked);
	return all;
}

/* Whether the completion is an event: it is in @ret then. */
static bool take_completion(struct polls *p, const struct io_uring_cqe *cqe,
			    struct engine_event *ret)
{
	uint32_t place = (uint32_t)cqe->user_data;
	struct poll *poll = place < p->room ? &p->polls[place] : NULL;
	bool again = false;

	if (!poll || poll->state != POLL_LIVE || cqe->user_data != name_of(p, place))
		return false;
	/*
	 * A poll ends when there was no room for its completion, or when the thread that submitted
	 * it has ended. What is missed until it is there again is found by looking.
	 */
	if (cqe->res < 0 && cqe->res != -ECANCELED && poll->fd == p->epoll)
		p->broken = true;
	else if (cqe->res < 0 && cqe->res != -ECANCELED)
		again = watch_elsewhere(p, poll) < 0;
	else
		again = !(cqe->flags & IORING_CQE_F_MORE);
	if (again)
		submit_later(p, place);
	*ret = (struct engine_event){ .key = poll->key };
	return true;
}

static int reap(struct polls *p, struct engine_event *ret, size_t count)
{
	bool locked = lock(p);
	struct io_uring_cqe *cqe;
	unsigned int head, seen = 0;
	int n = 0;

	if (p->ring.fd < 0) {
		unlock(p, locked);
		return 0;
	}
	io_uring_for_each_cqe(&p->ring.raw, head, cqe) {
		if ((size_t)n == count)
			break;
		n += take_completion(p, cqe, &ret[n]);
		seen++;
	}
	io_uring_cq_advance(&p->ring.raw, seen);
	unlock(p, locked);
	return n;
}

/* Made by one thread and used by another, it is made anew; used by a second one, given up. */
static int check_thread(struct polls *p)
{
	uintptr_t thread = (uintptr_t)&this_thread;

	if (p->thread == thread)
		return 0;
	if (!p->fresh)
		return -EEXIST;
	p->thread = thread;
	return reopen(p);
}

/* 0; -EINTR; another error: the ring cannot be used any more. */
static int enter(struct polls *p, bool sleep, int64_t deadline)
{
	int result = ring_enter(&p->ring, sleep, deadline);

	p->fresh = false;
	if (sleep)
		store_relaxed(&p->sleeps, p->sleeps + 1);	/* relaxed: only reported */
	switch (result) {
	case -EAGAIN:	/* what was not submitted stays in the queue for the next time */
	case -EBUSY:
	case -ENOMEM:
		/* It may pass; but as long as it does not nothing is heard. */
		return ++p->failures < FAILURES_MAX ? 0 : result;
	case -ETIMEDOUT:
		p->failures = 0;
		return 0;
	default:
		p->failures = 0;
		return result < 0 ? result : 0;
	}
}

/*
 * A signal for one who is awake is a third of the price of a wake-up: it only says in the ring's
 * memory that there is something to be asked for.
 */
bool polls_have_work(const struct polls *p)
{
	return ring_has_work(&p->ring) || io_uring_cq_ready(&p->ring.raw) > 0;
}

static bool look(void *arg)
{
	return polls_have_work(arg);
}

/* Whether the kernel has to be asked, though we do not want to sleep. */
static bool has_to_enter(const struct polls *p)
{
	return ring_has_work(&p->ring) || io_uring_sq_ready(&p->ring.raw) > 0;
}

int polls_wait(struct polls *p, struct engine_event *ret, size_t count, bool spin,
	       int64_t deadline)
{
	int result = check_thread(p), n;
	bool all;

	if (p->broken)
		result = -EIO;
	if (result < 0)
		return result;
	all = prepare(p);
	n = reap(p, ret, count);
	if (n > 0 || !all)
		deadline = 0;
	if (spin && deadline > 0 && !has_to_enter(p) && spin_for(&p->spin, look, p, deadline))
		deadline = 0;
	if ((n == 0 && deadline > 0) || has_to_enter(p)) {
		result = enter(p, deadline > 0, deadline);
		n += reap(p, ret + n, count - (size_t)n);
	}
	return n > 0 ? n : result;
}
