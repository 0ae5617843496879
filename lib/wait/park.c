/* SPDX-License-Identifier: MIT */
#include "wait/park.h"

#include <errno.h>
#include <sched.h>
#include <sys/sysinfo.h>

#include "sys/sys.h"
#include "wait/live.h"
#include "wait/wakes.h"
#include "weir/base.h"

/* Polls between two looks at the clock, which costs about as much as two pauses. */
#define SPIN_TURNS 32
#define GLANCE_TURNS 48
/* A gap in our own time as long as this: somebody else ran on our processor. */
#define SPIN_PREEMPTED_NS (50 * NS_PER_US)
/* One sleep in so many is preceded by a full spin, whatever the success so far. */
#define SPIN_PROBE 64

int64_t park_watches[PARK_WATCHES];

bool park_may_spin(void)
{
	/*
	 * Of the machine, not of the affinity: both sides pinned to one processor each is the
	 * best case.
	 */
	static int processors;
	int policy = sched_getscheduler(0) & ~SCHED_RESET_ON_FORK;

	/* relaxed: whoever finds 0 counts again and gets the same */
	if (load_relaxed(&processors) == 0)
		store_relaxed(&processors, get_nprocs());	/* relaxed: as above */
	/* A real-time task that spins may keep the peer from running at all. */
	return load_relaxed(&processors) > 1 &&	/* relaxed: as above */
	       policy != SCHED_FIFO && policy != SCHED_RR;
}

void park_init(struct parking *p)
{
	p->may_spin = park_may_spin();
	p->spin_ns = PARK_SPIN_NS;
	/* relaxed: written by this side, the owner before us; ordered by OWNER */
	p->number = load_relaxed(&p->mine->wait) >> WAIT_SHIFT;
}

int park_ended(const struct parking *p)
{
	/* relaxed: the bits stand for themselves */
	uint32_t both = load_relaxed(&p->peer->events) | load_relaxed(&p->mine->events);

	if (both & EVENTS_POISONED)
		return -EBADMSG;
	return both & EVENTS_SHUT ? -ESHUTDOWN : 0;
}

static int look_at_line(struct parking *p)
{
	/*
	 * order: CLOSE acquire, from announce_close(): a close counted here shows on the line.
	 * The ends of the object are not for the line to show: unseen, they go on disturbing.
	 */
	p->events_seen = load_acquire(&p->peer->events) & (EVENTS_POISONED - 1);
	p->hung_up = p->hung_up || live_hung_up(p->line);
	return p->hung_up ? -EPIPE : 0;
}

static bool is_watched(const struct parking *p)
{
	/* relaxed: an old answer makes us look, or as late as the pace does */
	uint32_t watch = load_relaxed(&p->watch);

	/* relaxed: as above */
	return watch && clock_now() - load_relaxed(&park_watches[watch - 1]) < PARK_LINE_NS;
}

int park_check(struct parking *p, uint32_t calls)
{
	int result = park_ended(p);

	if (result < 0)
		return result;
	/* relaxed: as in park_disturbed() */
	if (!p->hung_up && load_relaxed(&p->peer->events) == p->events_seen &&
	    (!pacer_due(&p->line_pace, PARK_LINE_NS, calls) || is_watched(p)))
		return 0;
	return look_at_line(p);
}

void park_answer(struct parking *p, uint32_t wait)
{
	uint32_t stage = wait & WAIT_STAGE_MASK;

	p->answered = wait;
	if (stage == WAIT_AWAKE)
		return;
	/* order: BELL release, to shallow(): what we stored before the bell it may sleep on. */
	add_release(&p->mine->bell, 1);
	if (stage == WAIT_SHALLOW)
		wakes_futex(&p->mine->bell);
	else
		wakes_event(p->peer_bell, &p->mine->bell);
}

void park_wake_peer(struct parking *p)
{
	add_release(&p->mine->bell, 1);		/* order: BELL release, to shallow(). */
	sys_futex_wake(&p->mine->bell, INT32_MAX);
	sys_event_set(p->peer_bell);
}

void park_wake_own(struct parking *p)
{
	/*
	 * Our own side sleeps on the peer's bell, which is not ours to raise: a sleeper just
	 * about to lie down misses this, and finds out when its slice ends.
	 */
	sys_futex_wake(&p->peer->bell, INT32_MAX);
	sys_event_set(p->my_bell);
}

/* What can end a wait beside that which is waited for. */
static int disturbance(struct parking *p, const struct park_for *what)
{
	if (turn_closing(what->turn))
		return -ESHUTDOWN;
	return park_disturbed(p) ? park_check(p, PARK_LINE_CALLS) : 0;
}

uint32_t park_here(struct parking *p)
{
	uint32_t cpu = (uint32_t)sched_getcpu() + 1;

	/* relaxed: a hint for the peer's choice whether to spin */
	if (load_relaxed(&p->mine->cpu) != cpu)
		store_relaxed(&p->mine->cpu, cpu);	/* relaxed: as above */
	return cpu;
}

static bool peer_runs_here(const struct parking *p, uint32_t my_cpu)
{
	/* relaxed: a hint; wrong, it costs a spin that cannot succeed */
	return load_relaxed(&p->peer->cpu) == my_cpu;
}

/*
 * How long to poll this time: as long as it has been worth it lately, now and then the full time.
 */
static int64_t spin_budget(struct parking *p)
{
	return p->number % SPIN_PROBE == 0 ? PARK_SPIN_NS : p->spin_ns;
}

/* What comes within a microsecond is had without a look at anything else. */
static bool glance(struct parking *p, const struct park_for *what)
{
	/* relaxed: our own word, a little old */
	uint32_t cpu = load_relaxed(&p->mine->cpu);

	if (!p->may_spin || (cpu != 0 && peer_runs_here(p, cpu)))
		return false;
	for (int i = 0; i < GLANCE_TURNS; i++) {
		if (what->look(what->arg))
			return true;
		cpu_relax();
	}
	return false;
}

/* 1: it has come; 0: it is time to sleep; or an error. */
static int spin(struct parking *p, const struct park_for *what, int64_t deadline)
{
	int64_t start = clock_now(), now = start, then, budget = spin_budget(p);
	int result;

	do {
		for (int i = 0; i < SPIN_TURNS; i++) {
			if (what->look(what->arg)) {
				p->spin_ns = PARK_SPIN_NS;
				return 1;
			}
			cpu_relax();
		}
		result = disturbance(p, what);
		if (result < 0)
			return result;
		then = now;
		now = clock_now();
		if (now - then > SPIN_PREEMPTED_NS) {
			p->spin_ns = 0;
			return 0;
		}
	} while (now - start < budget && now < deadline);
	p->spin_ns -= p->spin_ns / 4;
	return 0;
}

void park_announce(struct parking *p, uint32_t stage)
{
	/* order: BELL acquire, from park_answer(): an answer to this one rings after this look. */
	p->bell_seen = load_acquire(&p->peer->bell);
	/*
	 * order: SLEEP, ROOM, announced before the last look; the peer stores before it reads
	 * this.
	 */
	xchg_seq(&p->mine->wait, ++p->number << WAIT_SHIFT | stage);
}

void park_stand_down(struct parking *p)
{
	if (p->standing)
		sys_event_set(p->my_bell);
	p->standing = false;
}

bool park_rung(const struct parking *p)
{
	/* order: BELL acquire, from park_answer(). */
	return load_acquire(&p->peer->bell) != p->bell_seen;
}

void park_watch_owner(struct parking *p)
{
	/*
	 * relaxed: a name out of shared memory; the wrong one costs a wake-up or a later one, no
	 * more
	 */
	int32_t pid = (int32_t)(load_relaxed(&p->peer->owner) >> 32);

	p->owner = pid > 0 ? sys_pidfd(pid) : -1;
}

bool park_owner_gone(const struct parking *p)
{
	struct live_name name;

	/* order: OWNER acquire, from put_name() */
	name.process = load_acquire(&p->peer->owner);
	name.space = load_acquire(&p->peer->owner_space);	/* order: OWNER acquire */
	/* relaxed: behind the other two; a name that is just changing is not that of the dead */
	return load_relaxed(&p->peer->owner) == name.process && live_gone(name);
}

/* 1: it has come; 0: the owner lives, or does not matter; -EOWNERDEAD. */
static int look_at_owner(const struct parking *p, const struct park_for *what)
{
	if (!what->of_owner || !park_owner_gone(p))
		return 0;
	/* What it did last is there by now. */
	return what->look(what->arg) ? 1 : -EOWNERDEAD;
}

void park_forget_owner(struct parking *p)
{
	sys_close(p->owner);
	p->owner = -1;
}

/* One slice on the futex. 1: it has come; 0: slept; or an error. */
static int shallow(struct parking *p, const struct park_for *what, int64_t until)
{
	int result;

	if (what->look(what->arg))
		return 1;
	result = disturbance(p, what);
	if (result < 0)
		return result;
	/* Not for what the bell is now: it may have answered us since, for nothing. */
	result = sys_futex_wait(&p->peer->bell, p->bell_seen, until);
	if (what->look(what->arg))
		return 1;
	/* Any other error would come again at once, and again. */
	return result == -ETIMEDOUT ? 0 : result;
}

/* One slice in ppoll(). 1: it has come; 0: slept; or an error. */
static int deep(struct parking *p, const struct park_for *what, int64_t until)
{
	struct pollfd fds[3] = {
		{ .fd = p->my_bell, .events = POLLIN },
		{ .fd = p->line, .events = 0 },
		{ .fd = p->owner, .events = POLLIN },
	};
	int result;

	if (what->look(what->arg))
		return 1;
	result = disturbance(p, what);
	if (result < 0)
		return result;
	result = sys_poll(fds, ARRAY_LENGTH(fds), until);
	if (result > 0 && fds[0].revents)
		sys_event_clear(p->my_bell);
	if (what->look(what->arg))
		return 1;
	if (result > 0 && fds[1].revents)
		return look_at_line(p);
	if (result > 0 && fds[2].revents) {
		park_forget_owner(p);	/* it stays readable: once is enough */
		return look_at_owner(p, what);
	}
	return result < 0 ? result : 0;
}

/* How a sleep goes that has begun. */
struct sleeper {
	uint32_t stage;
	uint32_t flags;
	int64_t deadline;
	bool unfenced;		/* the peer may miss an announcement just made */
};

/*
 * Sleep until @slice is over or it ends otherwise. Who was answered for nothing announces anew,
 * since the peer answers each announcement once; also at the end of a slice, for the next.
 */
static int sleep_in(struct parking *p, const struct park_for *what, struct sleeper s, int64_t slice)
{
	int64_t now = clock_now();
	int64_t until = clock_cap(s.deadline, now, slice), wake;
	bool announced = true;
	int result = 0;

	while (result == 0 && now < until) {
		wake = announced && s.unfenced ? clock_cap(until, now, PARK_FIRST_NS) : until;
		result = s.stage == WAIT_SHALLOW ? shallow(p, what, wake) : deep(p, what, wake);
		if (result == -EINTR && !(s.flags & WEIR_INTR))
			result = 0;
		now = clock_now();
		announced = result == 0 && park_rung(p);
		if (announced)
			park_announce(p, s.stage);
	}
	if (result == 0 && now >= s.deadline)
		return -ETIMEDOUT;
	return result;
}

static int sleep_deep(struct parking *p, const struct park_for *what, struct sleeper s)
{
	int64_t slice = PARK_DEEP_NS;
	int result;

	s.stage = WAIT_DEEP;
	park_announce(p, s.stage);
	park_watch_owner(p);
	/* It may have ended before it was watched. */
	result = look_at_owner(p, what);
	for (; result == 0; slice = slice < PARK_DEEP_MAX_NS ? slice * 2 : slice)
		result = sleep_in(p, what, s, slice);
	park_forget_owner(p);
	return result;
}

static int sleep_stages(struct parking *p, const struct park_for *what, uint32_t flags,
			int64_t deadline)
{
	struct sleeper s = {
		.stage = WAIT_SHALLOW,
		.flags = flags,
		.deadline = deadline,
		.unfenced = what->lie_down && what->lie_down(what->arg),
	};
	int result;

	park_announce(p, s.stage);
	result = sleep_in(p, what, s, PARK_SHALLOW_NS);
	if (result == 0)
		result = look_at_line(p);
	return result == 0 ? sleep_deep(p, what, s) : result;
}

static int sleep_until_it_has_come(struct parking *p, const struct park_for *what, uint32_t flags,
				   int64_t deadline)
{
	int result = park_check(p, PARK_LINE_CALLS);

	if (result < 0)
		return result;
	result = sleep_stages(p, what, flags, deadline);
	/* relaxed: that we are awake is news for nobody; it saves the peer a needless wake-up */
	store_relaxed(&p->mine->wait, p->number << WAIT_SHIFT | WAIT_AWAKE);
	park_stand_down(p);
	return result;
}

int park_wait(struct parking *p, const struct park_for *what, uint32_t flags, int64_t deadline)
{
	uint32_t cpu;
	int result;

	if (deadline <= 0) {
		result = park_check(p, PARK_LINE_CALLS);
		return result < 0 ? result : -EAGAIN;
	}
	if (!(flags & WEIR_NOSPIN) && glance(p, what))
		return 0;
	cpu = park_here(p);
	if (!(flags & WEIR_NOSPIN) && p->may_spin && !peer_runs_here(p, cpu)) {
		result = spin(p, what, deadline);
		if (result != 0)
			return result < 0 ? result : 0;
	}
	result = sleep_until_it_has_come(p, what, flags, deadline);
	return result < 0 ? result : 0;
}
