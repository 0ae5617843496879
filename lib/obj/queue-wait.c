/* SPDX-License-Identifier: MIT */
/*
 * Sleeping in a call on a queue, and who of the sleepers keeps watch.
 *
 * A wake-up can die with the one who was to send it, or with the one who got it. So two of the
 * sleepers hold the watch: they sleep 4 ms at a time, and look then for themselves, and at those
 * who are inside a call or hold something: have they died? When nobody has been inside and nothing
 * was held for a second, the watch ends: all sleep without looking, and whoever begins a call wakes
 * them before he touches anything.
 */
#include "obj/queue.h"

#include "base/clock.h"
#include "sys/sys.h"
#include "wait/park.h"
#include "wait/wakes.h"

#define SPIN_TURNS	32
/* A gap in our own time as long as this: somebody else ran on our processor. */
#define SPIN_PREEMPTED_NS (50 * NS_PER_US)
#define WATCH_NS	(4 * NS_PER_MS)
/* Who sleeps without the watch sees, after this, whether it has become free. */
#define SLEEP_NS	(100 * NS_PER_MS)
/* How long nothing must have happened before the watch ends. */
#define QUIET_NS	(1 * NS_PER_S)
/* And before memory that was needed once is given back. */
#define TRIM_NS		(100 * NS_PER_MS)
/* What was stored before is seen by everybody after this. */
#define SETTLE_NS	(100 * NS_PER_US)

struct sleeper {
	struct queue_seat *seat;
	const struct queue_want *want;
	uint32_t *bell;
	uint32_t flags;
	int64_t deadline;
	int64_t quiet_since;
	int watch;		/* which one it holds, or -1 */
	bool rang;		/* it was woken */
	bool looked;		/* it has looked around once */
};

void queue_ring_slow(struct queue_seat *s, enum queue_side side)
{
	uint32_t *bell = queue_bell(queue_control(s), side);

	/* order: SLEEP, ROOM: as in bell_stirs() */
	if (load_seq(bell) & BELL_MARKS)
		queue_bring(s, side);
	if (bell_state(bell) == BELL_RUNG)
		/* relaxed: a counter of our own */
		store_relaxed(&s->shared->saved, load_relaxed(&s->shared->saved) + 1);
	else
		wakes_ring(bell, &queue_control(s)->wakes);
}

void queue_rouse(struct weir_queue *q)
{
	struct weir_queue_control *control = q->store.control;
	uint64_t was;

	bell_ring_all(&control->reader_bell);
	bell_ring_all(&control->writer_bell);
	/* Last: should we die before, it is still to be done. */
	was = load_relaxed(&control->notice);	/* relaxed: the exchange finds out */
	/* order: DEEP, to slice(): after the bells */
	while ((was & NOTICE_DEEP) && !cas_seq(&control->notice, &was, was & ~NOTICE_DEEP))
		;
}

bool queue_look(struct queue_seat *s, const struct queue_want *want)
{
	struct queue_found f;

	if (want->side == QUEUE_WRITER)
		return queue_has_room(s, want);
	/* Left behind on the way, it has left out what was given back in front of it. */
	return queue_find(s, &f) != 0 ||
	       (unlikely(s->tape.again_seen != s->tape.again_now) && queue_find(s, &f) != 0);
}

static bool look(const struct sleeper *z)
{
	return queue_look(z->seat, z->want);
}

/* Whether there is more than the one that this sleeper has found. */
static bool has_more(const struct sleeper *z)
{
	const struct queue_seat *s = z->seat;
	const struct cursor *c = &s->tape.get;
	uint64_t state;

	if (z->want->side == QUEUE_WRITER || s->tape.again_seen != s->tape.again_now || !c->end ||
	    c->end - c->slot < 2)
		return true;
	state = load_seq(&c->slot[1].state);	/* order: SLEEP: after bell_heard() */
	/* If that one is taken already, those behind it may not be. */
	return tape_distance(c, state) >= 0;
}

/* What ends a wait beside that: 0, or an error. */
static int disturbance(struct queue_seat *s)
{
	/* relaxed: stands for itself */
	if (load_relaxed(&s->queue->closing))
		return -ESHUTDOWN;
	/* relaxed: as in queue_sit() */
	if (load_relaxed(&queue_control(s)->notice) != s->notice_seen)
		return queue_notice(s, true);
	return 0;
}

/*
 * Spinning
 */

/* 1: it has come; 0: it is time to sleep; or an error. */
static int spin(struct sleeper *z)
{
	struct queue_seat *s = z->seat;
	int64_t start = clock_now(), now = start, then;
	int result;

	do {
		for (int i = 0; i < SPIN_TURNS; i++) {
			if (look(z)) {
				s->spin_ns = PARK_SPIN_NS;
				return 1;
			}
			cpu_relax();
		}
		result = disturbance(s);
		if (result < 0)
			return result;
		then = now;
		now = clock_now();
		if (now - then > SPIN_PREEMPTED_NS) {
			s->spin_ns = 0;
			return 0;
		}
	} while (now - start < s->spin_ns && now < z->deadline);
	s->spin_ns -= s->spin_ns / 4;
	if (s->spin_ns < NS_PER_US)
		s->spin_ns = NS_PER_US;
	return 0;
}

/*
 * The watch
 */

static void take_watch(struct sleeper *z)
{
	struct weir_queue_control *control = queue_control(z->seat);

	for (int i = 0; i < QUEUE_WATCHES && z->watch < 0; i++) {
		uint32_t nobody = 0;

		if (cas_seq(&control->watch[i], &nobody, z->seat->name))	/* order: WATCH */
			z->watch = i;
	}
}

/* Somebody else is to have it, if there is nobody and anybody sleeps. */
static void lay_down_watch(struct sleeper *z)
{
	struct weir_queue_control *control = queue_control(z->seat);
	uint32_t mine = z->seat->name;

	if (z->watch < 0)
		return;
	cas_seq(&control->watch[z->watch], &mine, 0);	/* order: WATCH */
	z->watch = -1;
	for (int i = 0; i < QUEUE_WATCHES; i++)
		if (load_seq(&control->watch[i]) != 0)	/* order: WATCH */
			return;
	bell_ring(&control->reader_bell);
	bell_ring(&control->writer_bell);
}

/* Whether those who hold it are still there. */
static void watch_the_watch(struct sleeper *z)
{
	struct weir_queue *q = z->seat->queue;

	for (int i = 0; i < QUEUE_WATCHES; i++) {
		uint32_t name = load_seq(&q->store.control->watch[i]);	/* order: WATCH */

		if (name != 0 && name != z->seat->name)
			queue_mend(q, name);
	}
}

/* Whether anybody but us is inside a call, or holds something. */
static bool is_busy(struct weir_queue *q, uint32_t name)
{
	struct weir_seat *seat = store_seat(&q->store, name);

	/* relaxed: INSIDE, LEDGER: looked at again before anything depends on it */
	if (!seat || (load_relaxed(&seat->name.low) & PARTY_STATE) != PARTY_USED)
		return false;	/* what stands there is of one who was cleaned up after */
	return load_relaxed(&seat->inside) == SEAT_INSIDE ||	/* relaxed: as above */
	       load_relaxed(&seat->leases) ||			/* relaxed: as above */
	       load_relaxed(&seat->row);			/* relaxed: as above */
}

/* Look at all: clean up after those that are gone. Whether anybody is busy. */
static bool look_around(struct queue_seat *s, bool all)
{
	struct weir_queue *q = s->queue;
	uint32_t top = store_seat_top(&q->store);
	bool busy = false;

	for (uint32_t name = 1; name <= top; name++) {
		bool this_one = name != s->name && is_busy(q, name);

		if ((this_one || all) && name != s->name && queue_mend(q, name))
			this_one = true;
		busy |= this_one;
	}
	return busy;
}

void queue_look_around(struct queue_seat *s)
{
	int64_t now = clock_now();

	if (now - s->looked_at < WATCH_NS)
		return;
	s->looked_at = now;
	look_around(s, false);
}

static void help_hungry(struct sleeper *z)
{
	struct queue_seat *s = z->seat;

	/* relaxed: as in queue_sit() */
	if ((load_relaxed(&queue_control(s)->notice) & NOTICE_HUNGRY) && chunk_sweep(&s->tape))
		queue_ring(s, QUEUE_WRITER);
}

static void watch(struct sleeper *z)
{
	int64_t now = clock_now();

	z->seat->looked_at = now;
	watch_the_watch(z);
	if (look_around(z->seat, false))
		z->quiet_since = now;
	if (z->watch < 0)
		return;
	help_hungry(z);
	if (now - z->quiet_since >= TRIM_NS) {
		frame_trim(&z->seat->tape);
		chunk_trim(&z->seat->tape);
	}
	/* The other one may hold the other bell. */
	bell_heard(&queue_control(z->seat)->reader_bell);
	bell_heard(&queue_control(z->seat)->writer_bell);
}

/*
 * Whether we can sleep without looking: nobody is inside, and whoever comes will find DEEP. After
 * bell_listen(): who clears it has changed the bell before.
 */
static bool can_sleep_deep(struct sleeper *z)
{
	uint64_t *notice = &queue_control(z->seat)->notice;
	uint32_t nothing = 0;

	z->seat->notice_seen = UINT64_MAX;
	sys_futex_wait(&nothing, 0, clock_now() + SETTLE_NS);
	/* order: DEEP: still so after having looked */
	return !look_around(z->seat, false) && !look(z) && (load_seq(notice) & NOTICE_DEEP);
}

/* Nothing has happened for long: let all sleep without looking. */
static bool go_deep(struct sleeper *z)
{
	if (look_around(z->seat, true) || look(z))
		return false;
	/* order: DEEP, before the look around; and see queue_sit() */
	or_seq(&queue_control(z->seat)->notice, NOTICE_DEEP);
	if (can_sleep_deep(z))
		return true;
	queue_rouse(z->seat->queue);
	return false;
}

/*
 * Sleeping
 */

/* Until when to sleep. */
static int64_t slice(struct sleeper *z, int64_t now)
{
	/* order: DEEP: after bell_listen() */
	bool deep = load_seq(&queue_control(z->seat)->notice) & NOTICE_DEEP;

	if (deep) {
		deep = can_sleep_deep(z);
	} else if (z->watch >= 0 && now - z->quiet_since >= QUIET_NS) {
		deep = go_deep(z);
		if (!deep)
			z->quiet_since = clock_now();
	}
	if (deep)
		return z->deadline;
	if (z->watch >= 0)
		return clock_cap(z->deadline, now, WATCH_NS);
	return clock_cap(z->deadline, now, z->looked ? SLEEP_NS : 2 * WATCH_NS);
}

/* 1: it has come; 0: once more; or an error. */
static int sleep_once(struct sleeper *z)
{
	uint32_t listened, before;
	int64_t until, now;
	int result;

	take_watch(z);
	listened = bell_listen(z->bell);
	if (look(z))
		return 1;
	result = disturbance(z->seat);
	if (result < 0)
		return result;
	until = slice(z, clock_now());
	/* What a disturbance has told may be what we wait for. */
	if (look(z))
		return 1;
	result = bell_sleep(z->bell, listened, until);
	before = load_relaxed(z->bell);	/* relaxed: a hint */
	z->rang |= before != listened;
	bell_heard(z->bell);
	if (before != listened)
		z->quiet_since = clock_now();
	if (look(z))
		return 1;
	if (result == -EINTR && (z->flags & WEIR_INTR))
		return -EINTR;
	now = clock_now();
	if (now >= z->deadline)
		return -ETIMEDOUT;
	if (before != listened)
		return 0;
	/* Also without holding the watch: those who do may have died, or stand still. */
	z->looked = true;
	watch(z);
	return 0;
}

static void set_hungry(struct sleeper *z, bool hungry)
{
	uint64_t *notice = &queue_control(z->seat)->notice;

	if (z->want->side != QUEUE_WRITER || z->want->items)
		return;
	/* relaxed: stands for itself. Whoever else is hungry says so again. */
	if (hungry)
		or_relaxed(notice, NOTICE_HUNGRY);
	else
		and_relaxed(notice, ~NOTICE_HUNGRY);	/* relaxed: as above */
}

static int sleep_until_it_has_come(struct sleeper *z)
{
	struct queue_seat *s = z->seat;
	int result = 0;

	/* Woken all the time, nobody would come to look. */
	queue_look_around(s);
	store_relaxed(&s->shared->inside, SEAT_ASLEEP);	/* relaxed: INSIDE: we hold nothing */
	while (result == 0) {
		set_hungry(z, true);
		result = sleep_once(z);
	}
	set_hungry(z, false);
	store_relaxed(&s->shared->inside, SEAT_INSIDE);	/* relaxed: INSIDE */
	/* relaxed: set before we lay down, or it will be found that we are inside */
	if (load_relaxed(&queue_control(s)->notice) & NOTICE_DEEP)
		queue_rouse(s->queue);
	lay_down_watch(z);
	backlog_restart_at(&s->backlog, tape_position(&s->tape.get) * 64);
	return result;
}

int queue_wait(struct queue_seat *s, const struct queue_want *want, uint32_t flags,
	       int64_t deadline)
{
	struct sleeper z = {
		.seat = s,
		.want = want,
		.bell = queue_bell(queue_control(s), want->side),
		.flags = flags,
		.deadline = deadline,
		.quiet_since = clock_now(),
		.watch = -1,
	};
	int result = 0;

	if (deadline <= 0) {
		queue_found_nothing(s, want);
		return -EAGAIN;
	}
	if (s->may_spin && !(flags & WEIR_NOSPIN))
		result = spin(&z);
	if (result == 0)
		result = sleep_until_it_has_come(&z);
	/* The next one, if there is more: whoever brought it has found us on the way. */
	if (z.rang && result >= 0 && has_more(&z))
		queue_ring(s, want->side);
	if (unlikely(s->polled)) {
		if (result < 0)
			queue_found_nothing(s, want);
		else if (s->polled & (1U << !want->side))
			queue_bring(s, !want->side);
	}
	return result < 0 ? result : 0;
}
