/* SPDX-License-Identifier: MIT */
#include "obj/shared.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "sys/sys.h"
#include "wait/live.h"
#include "wait/park.h"
#include "wait/party.h"

#define NUDGE_NS	NS_PER_MS
/* How long who ends waits for threads that open or close a handle. */
#define EXIT_NS		(100 * NS_PER_MS)
/* When so many names have been used it is time to look whose they were. */
#define MANY_PARTIES	64U
/* How often others may change a bell before it is armed. */
#define MARK_TIMES	1000

_Thread_local uint32_t shared_thread __attribute__((tls_model("initial-exec")));

/*
 * All handles of this process, to leave them when it ends. A forked child finds the list whole,
 * because each step is one store; and the lock free, because it is wiped.
 */
static struct shared *handles;
static void *list_page;		/* struct turn */

static int lock_list(int64_t deadline, bool *ret_locked)
{
	struct turn *turn = sys_wiped_once(&list_page, sizeof(*turn));

	return turn ? turn_take(turn, 0, deadline, ret_locked) : -ENOMEM;
}

static void unlock_list(bool locked)
{
	turn_give(list_page, locked);
}

static int enlist(struct shared *s)
{
	bool locked;
	int result = lock_list(WEIR_FOREVER, &locked);

	if (result < 0)
		return result;
	s->next = handles;
	store_release(&handles, s);	/* order: HANDLES release: with its `next` */
	unlock_list(locked);
	return 0;
}

static void delist(struct shared *s)
{
	bool locked;

	if (lock_list(WEIR_FOREVER, &locked) < 0)
		return;
	for (struct shared **link = &handles; *link; link = &(*link)->next)
		if (*link == s) {
			store_release(link, s->next);	/* order: HANDLES release */
			break;
		}
	unlock_list(locked);
}

/*
 * Parties
 */

static uint32_t top_of(const struct shared *s)
{
	/* order: PARTY acquire: those below it are to be looked at */
	uint32_t top = load_acquire(&s->commons.control->party_top);

	return top < COMMONS_PARTIES ? top : COMMONS_PARTIES - 1;
}

static void give_up_watch(struct shared *s, uint32_t party)
{
	cas_seq(&s->commons.control->lock.watch, &party, 0);	/* order: WATCH */
}

/* All that it has, then the name. Whether nobody was faster. */
static bool empty(struct shared *s, uint32_t party, uint64_t word, bool died)
{
	struct weir_party *p = commons_party(&s->commons, party);

	lock_abandon(&s->lock, party, word);
	if (s->is->settle)
		s->is->settle(s, party, word, died);
	give_up_watch(s, party);
	party_forget_image(&p->name, word, &p->image);
	return party_free(&p->name, word);
}

static bool has_something(struct shared *s, uint32_t party, uint64_t word)
{
	/* relaxed: only this party could change it */
	if (((load_relaxed(&s->lock.state->word) ^ lock_name(party, word)) & LOCK_HOLDER_MASK) == 0)
		return true;
	return s->is->holds && s->is->holds(s, party);
}

bool shared_mend(struct shared *s, uint32_t party)
{
	struct weir_commons_control *control = s->commons.control;
	struct weir_party *p = commons_party(&s->commons, party);
	uint64_t word;
	bool died;

	if (!p || !party_gone(&p->name, &p->image, control->spaces, &word))
		return false;
	died = (word & PARTY_STATE) == PARTY_USED || has_something(s, party, word);
	if (!empty(s, party, word, died))
		return false;
	add_relaxed(&control->deaths, died);	/* relaxed: a counter */
	return true;
}

int shared_mend_all(struct shared *s)
{
	uint32_t top = top_of(s);
	int count = 0;

	for (uint32_t party = 1; party <= top; party++)
		count += shared_mend(s, party);
	return count;
}

static bool claim(struct shared *s, uint32_t party, uint64_t *ret_word)
{
	struct weir_party *p = commons_party(&s->commons, party);

	return party_claim(&p->name, s->commons.control->spaces, ret_word);
}

static uint32_t claim_used(struct shared *s, uint64_t *ret_word)
{
	uint32_t top = top_of(s);

	for (uint32_t party = 1; party <= top; party++)
		if (claim(s, party, ret_word))
			return party;
	return 0;
}

/* A name that was free; 0: there is none. */
static uint32_t claim_any(struct shared *s, uint64_t *ret_word)
{
	uint32_t *top = &s->commons.control->party_top, was = top_of(s);
	uint32_t party = claim_used(s, ret_word);

	if (party == 0 && was > 0 && was % MANY_PARTIES == 0 && shared_mend_all(s) > 0)
		party = claim_used(s, ret_word);
	/* It only grows, where all are honest. */
	for (uint32_t i = 1; party == 0 && i < COMMONS_PARTIES && was + 1 < COMMONS_PARTIES; i++) {
		/* order: PARTY: those who look at all see it */
		if (cas_seq(top, &was, was + 1))
			was++;
		if (was > 0 && was < COMMONS_PARTIES && claim(s, was, ret_word))
			party = was;
	}
	if (party == 0 && shared_mend_all(s) > 0)
		party = claim_used(s, ret_word);
	return party;
}

static int sit(struct shared *s)
{
	uint64_t word;
	uint32_t party = claim_any(s, &word);

	if (party == 0)
		return -EUSERS;
	/* relaxed: if we die before, nobody can have been this party in another program */
	store_relaxed(&s->commons.parties[party].image, party_image(word));
	s->private->word = word;
	/* order: SIT release, to shared_sit() */
	store_release(&s->private->me, lock_name(party, word));
	return 0;
}

int shared_sit_slow(struct shared *s, uint64_t *ret_me)
{
	struct shared_private *private = s->private;
	bool locked;
	int result = turn_take(&private->turn, 0, WEIR_FOREVER, &locked);

	if (result < 0)
		return result;
	/* Also if there is one: that may be of the parent's thread that has forked us. */
	shared_thread = sys_thread();
	/* relaxed: under the lock */
	if (load_relaxed(&private->me) == 0)
		result = sit(s);
	if (result == 0)
		/* relaxed: as above */
		*ret_me = load_relaxed(&private->me) | (uint64_t)shared_thread << LOCK_THREAD_SHIFT;
	turn_give(&private->turn, locked);
	return result;
}

static void leave(struct shared *s)
{
	uint64_t me = s->private->me;

	if (me == 0)
		return;
	/* relaxed: no other thread is inside, or it sits down anew */
	store_relaxed(&s->private->me, 0);
	empty(s, LOCK_PARTY(me), s->private->word, false);
}

static void leave_if_empty(struct shared *s)
{
	uint64_t me = load_acquire(&s->private->me);	/* order: SIT acquire */
	uint32_t party = LOCK_PARTY(me);
	uint64_t word = s->private->word;

	if (me == 0 || has_something(s, party, word))
		return;
	/* Who waits in another thread may yet get what it waits for, before all ends. */
	if (turn_needed())
		party_leave(&commons_party(&s->commons, party)->name, word);
	else
		leave(s);
}

void shared_leave_all(void)
{
	bool locked;

	/* Whoever has the list may have called exit() in a handler of a signal. */
	if (lock_list(clock_now() + EXIT_NS, &locked) < 0)
		return;
	/* order: HANDLES acquire */
	for (struct shared *s = load_acquire(&handles); s; s = load_acquire(&s->next))
		leave_if_empty(s);
	unlock_list(locked);
}

/* Who ends with a lock in his hands has died: other threads may still be busy under it. */
__attribute__((destructor)) static void leave_at_exit(void)
{
	shared_leave_all();
}

/*
 * Handles
 */

/* Undo what was done of it, and free it. */
static void dispose(struct shared *s)
{
	if (s->private)
		sys_unmap(s->private, sizeof(*s->private));
	if (s->event >= 0)
		sys_close(s->event);
	if (s->owns_with && s->with)
		shared_close(s->with);
	commons_destroy(&s->commons);
	free(s);
}

static struct shared *new_handle(const struct shared_kind *is)
{
	struct shared *s = calloc(1, is->handle_size);

	if (!s)
		return NULL;
	s->kind = is->kind;
	s->is = is;
	s->event = -1;
	s->commons.fd = -1;
	return s;
}

/* The memory is there: all else. */
static int finish(struct shared *s)
{
	void *private;
	int result = sys_map_wiped(sizeof(*s->private), &private);

	if (result < 0)
		return result;
	s->private = private;
	s->lock = (struct lock){
		.state = &s->commons.control->lock,
		.control = s->commons.control,
		.parties = s->commons.parties,
		.closing = &s->closing,
		.sleepers = &s->private->sleepers,
		.spin_ns = PARK_SPIN_NS,
		.may_spin = park_may_spin(),
	};
	if (s->is->opened)
		result = s->is->opened(s);
	return result < 0 ? result : enlist(s);
}

int shared_create(const struct shared_kind *is, const struct weir_commons_geometry *geometry,
		  uint64_t body_size, struct shared *with, void *ret_handle)
{
	struct weir_commons_geometry g = *geometry;
	struct shared *s = new_handle(is);
	int result;

	if (!s)
		return -ENOMEM;
	if (with)
		g.flags |= COMMONS_WITH_LOCK;
	s->with = with;
	result = commons_create(&s->commons, is->object, &g, body_size);
	if (result == 0 && is->has_event)
		result = sys_have_high(sys_eventfd(), &s->event);
	if (result == 0)
		result = finish(s);
	if (result < 0)
		dispose(s);
	else
		*(struct shared **)ret_handle = s;
	return result;
}

uint32_t shared_fd_count(const struct shared_kind *is, bool with_lock)
{
	return 1 + is->has_event + with_lock;
}

void shared_fds(const struct shared *s, int *ret_fds)
{
	*ret_fds++ = s->commons.fd;
	if (s->is->has_event)
		*ret_fds++ = s->event;
	if (s->with)
		*ret_fds = s->with->commons.fd;
}

/* What was examined, or attached. */
static int check_commons(const struct shared_kind *is, const struct commons *c, bool with_lock)
{
	struct weir_commons_geometry g = c->geometry;

	if (!(g.flags & COMMONS_WITH_LOCK) != !with_lock)
		return -EBADMSG;
	g.flags &= ~COMMONS_WITH_LOCK;
	return is->check(&g, c->body_size);
}

int shared_check(const struct shared_kind *is, const int *fds, bool with_lock)
{
	struct commons c;
	int result = commons_examine(fds[0], is->object, &c);

	if (result == 0)
		result = check_commons(is, &c, with_lock);
	if (result == 0 && is->has_event)
		result = sys_check_event(fds[1]);
	if (result == 0 && with_lock)
		result = commons_examine(fds[1 + is->has_event], WEIR_OBJECT_LOCK, &c);
	return result;
}

static int attach_with(struct shared *s, int *fd)
{
	s->owns_with = true;
	return shared_attach(&shared_kind_lock, fd, false, &s->with);
}

int shared_attach(const struct shared_kind *is, int *fds, bool with_lock, void *ret_handle)
{
	struct shared *s = new_handle(is);
	int result;

	if (!s)
		return -ENOMEM;
	result = commons_attach(&s->commons, fds[0], is->object);
	if (result == 0) {
		fds[0] = -1;
		/* It may not be what it was when it was examined. */
		result = check_commons(is, &s->commons, with_lock);
	}
	if (result == 0 && is->has_event) {
		s->event = sys_move_high(fds[1]);
		fds[1] = -1;
	}
	if (result == 0 && with_lock)
		result = attach_with(s, &fds[1 + is->has_event]);
	if (result == 0)
		result = finish(s);
	if (result < 0)
		dispose(s);
	else
		*(struct shared **)ret_handle = s;
	return result;
}

static void turn_out_sleepers(struct shared *s)
{
	uint32_t nothing = 0;

	store_seq(&s->closing, 1);	/* order: CLOSING, before the sleepers are counted */
	while (load_seq(&s->private->sleepers) != 0) {	/* order: CLOSING */
		bell_ring_all(&s->lock.state->bell);
		if (s->is->rouse)
			s->is->rouse(s);
		sys_futex_wait(&nothing, 0, clock_now() + NUDGE_NS);
	}
}

void shared_close(struct shared *s)
{
	if (!s)
		return;
	watched_end(&s->watched);
	turn_out_sleepers(s);
	delist(s);
	leave(s);
	dispose(s);
}

/*
 * Sleeping and waking
 */

int shared_sleep(struct shared *s, uint32_t *bell, uint32_t listened, int64_t until)
{
	int result = -ESHUTDOWN;

	shared_visit(s);
	if (!load_seq(&s->closing))	/* order: CLOSING, after we are counted */
		result = bell_sleep(bell, listened, until);
	if (load_seq(&s->closing))	/* order: CLOSING */
		result = -ESHUTDOWN;
	shared_depart(s);
	return result;
}

/* Clear the mark, then signal: who dies in between is found by the sets' own looks. */
static void signal_sets(struct shared *s, uint32_t *bell)
{
	uint32_t was = load_relaxed(bell);	/* relaxed: the exchange finds out */

	while (was & BELL_ARMED)
		if (bell_mark(bell, &was, BELL_ARMED, false)) {
			sys_event_edge(s->event);
			return;
		}
}

void shared_ring(struct shared *s, uint32_t *bell, bool all)
{
	if (likely(!bell_stirs(bell)))
		return;
	signal_sets(s, bell);
	if (all)
		bell_ring_all(bell);
	else
		bell_ring(bell);
}

int shared_look(struct shared *s, uint32_t events, bool arm, uint32_t *ret_ready)
{
	uint32_t *bell = s->is->bell(s), was;

	*ret_ready = s->is->ready(s) & events;
	if (*ret_ready || !arm)
		return 0;
	was = load_relaxed(bell);	/* relaxed: the exchange finds out */
	for (int i = 0; i < MARK_TIMES && !bell_mark(bell, &was, BELL_ARMED, true); i++)
		;
	/* order: SLEEP: after the mark, before whoever brings something looks for it */
	*ret_ready = s->is->ready(s) & events;
	return *ret_ready ? 0 : SOURCE_SELDOM;
}
