/* SPDX-License-Identifier: MIT */
#include "fault/lib/lock-strike.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "fault/lib/scene.h"
#include "fault/lib/way.h"
#include "lock-tools.h"

#define NOTICES_MAX	400000
/* Of the passes through a loop: so many from the beginning, and one of so many others. */
#define LOOP_FIRST	4
#define LOOP_ONE_OF	40
#define LONGEST		60000
/* What must happen happens within this time, on a machine that is busy. */
#define IN_TIME		(3000 * MS)
/* So long nobody may have what a stopped one has. */
#define STEAL_NS	(12 * MS)

enum first {
	NOBODY,
	VICTIM,
	PARENT,		/* gives it back when the victim sleeps for it, or is dead */
	DEAD
};

struct lworld;

struct lock_act {
	const char *name;
	int (*run)(struct lworld *w);
	enum first first;
	bool new;		/* the victim has had no party before */
	bool closes_with;	/* which is as dying with it, at whatever instruction */
	bool recursive;
};

/* What all of them write. */
struct lledger {
	uint32_t told;		/* how many were told */
	uint32_t had;		/* how many had it */
	uint32_t victim_told;
	uint32_t acted;
	uint32_t go;
	int64_t last;		/* when the last of them had it */
	struct guarded guarded;
};

struct lworld {
	const struct lock_act *act;
	uint32_t sleepers;
	struct weir_lock *lock;
	struct lledger *ledger;
	struct stepper victim;
	struct child children[LOCK_SLEEPERS_MAX];
	bool parent_has;
	bool named;		/* the word named the victim when it died, or was stopped */
	bool tells;		/* and that, or what it was about to tell, is to be told */
	int64_t died;
};

static struct {
	uint64_t scenes;
	uint64_t instructions;
	uint64_t points;
	uint64_t passed;
	uint64_t named;
	uint64_t asleep;
	size_t notices;
	int64_t notice_ns[NOTICES_MAX];
} *totals;

/*
 * The acts
 */

static int take(struct lworld *w)
{
	return weir_lock_acquire(w->lock, WEIR_NOSPIN, WEIR_FOREVER);
}

static int take_awake(struct lworld *w)
{
	return weir_lock_acquire(w->lock, 0, soon());
}

static int try_it(struct lworld *w)
{
	int result = weir_lock_acquire(w->lock, 0, 0);

	return result == -EAGAIN ? 0 : result;
}

static int give_up(struct lworld *w)
{
	int result = weir_lock_acquire(w->lock, WEIR_NOSPIN, test_now() + 100 * US);

	return result == -ETIMEDOUT ? 0 : result;
}

static int give(struct lworld *w)
{
	return weir_lock_release(w->lock);
}

static int go_round(struct lworld *w)
{
	int result = weir_lock_acquire(w->lock, WEIR_NOSPIN, soon());

	if (result < 0)
		return result;
	guarded_add(&w->ledger->guarded, 7);
	return weir_lock_release(w->lock) < 0 ? -EILSEQ : result;
}

static int go_deep(struct lworld *w)
{
	for (int i = 0; i < 2; i++)
		if (weir_lock_acquire(w->lock, 0, 0) != 0)
			return -EILSEQ;
	for (int i = 0; i < 3; i++)
		if (weir_lock_release(w->lock) != 0)
			return -EILSEQ;
	return 0;
}

static int mend(struct lworld *w)
{
	shared_mend_all(&w->lock->shared);
	return 0;
}

static int close_it(struct lworld *w)
{
	weir_lock_close(w->lock);
	return 0;
}

static int leave(struct lworld *w)
{
	(void)w;
	shared_leave_all();
	return 0;
}

static const struct lock_act acts[] = {
	{ .name = "take a free one", .run = take },
	{ .name = "sit, and take", .run = take, .new = true },
	{ .name = "sleep for it", .run = take, .first = PARENT },
	{ .name = "sit, and sleep for it", .run = take, .first = PARENT, .new = true },
	{ .name = "stay awake for it", .run = take_awake, .first = PARENT },
	{ .name = "try one that is taken", .run = try_it, .first = PARENT },
	{ .name = "time out", .run = give_up, .first = PARENT },
	{ .name = "take a dead one's", .run = take, .first = DEAD },
	{ .name = "try a dead one's", .run = try_it, .first = DEAD },
	{ .name = "give it back", .run = give, .first = VICTIM },
	{ .name = "go round", .run = go_round },
	{ .name = "go round after a dead one", .run = go_round, .first = DEAD },
	{ .name = "go deep and come back", .run = go_deep, .first = VICTIM, .recursive = true },
	{ .name = "mend", .run = mend, .first = DEAD },
	{ .name = "close with it", .run = close_it, .first = VICTIM, .closes_with = true },
	{ .name = "close without it", .run = close_it, .first = PARENT },
	{ .name = "leave", .run = leave },
};

const size_t lock_act_count = sizeof(acts) / sizeof(acts[0]);

/*
 * Those who take part
 */

static bool took(struct lworld *w, int result)
{
	struct lledger *l = w->ledger;

	if (result < 0)
		return false;
	if (result == WEIR_OWNER_DIED) {
		add_relaxed(&l->told, 1);
		guarded_repair(&l->guarded);
	}
	add_relaxed(&l->had, 1);
	l->last = test_now();
	return guarded_add(&l->guarded, (uint64_t)getpid());
}

static int sleeper(void *arg)
{
	struct lworld *w = arg;

	/* How long it takes to walk past all instructions is the machine's affair. */
	int result = weir_lock_acquire(w->lock, WEIR_NOSPIN, WEIR_FOREVER);

	child_check(result >= 0);
	child_check(took(w, result));
	child_check(weir_lock_release(w->lock) == 0);
	return 0;
}

static int have_and_wait(void *arg)
{
	struct lworld *w = arg;

	child_check(weir_lock_acquire(w->lock, 0, 0) == 0);
	w->ledger->guarded.first++;
	w->ledger->guarded.inside = 3;
	store_release(&w->ledger->acted, 1);
	for (;;)
		pause();
	return 0;
}

static int victim(void *arg)
{
	struct lworld *w = arg;
	int result;

	if (w->act->first == VICTIM)
		child_check(weir_lock_acquire(w->lock, 0, 0) == 0);
	else if (!w->act->new)
		weir_lock_is_mine(w->lock);
	stepper_mark_begin();
	result = w->act->run(w);
	stepper_mark_end();
	child_check(result >= 0);
	w->ledger->victim_told = result == WEIR_OWNER_DIED;
	if (w->act->run != close_it && weir_lock_is_mine(w->lock)) {
		if (result == WEIR_OWNER_DIED)
			guarded_repair(&w->ledger->guarded);
		child_check(guarded_add(&w->ledger->guarded, 9));
		child_check(weir_lock_release(w->lock) == 0);
	}
	store_release(&w->ledger->acted, 2);
	for (;;)
		pause();
	return 0;
}

/* The holder dies before the victim begins; nobody has seen it yet. */
static void let_holder_die(struct lworld *w)
{
	struct child child = child_start(have_and_wait, w);

	if (!await(&w->ledger->acted, 1))
		scene_fail("the first holder does not have it");
	child_kill(&child);
	w->ledger->acted = 0;
}

static void open_world(struct lworld *w, const struct lock_act *act, uint32_t sleepers)
{
	*w = (struct lworld){ .act = act, .sleepers = sleepers };
	w->ledger = shared_alloc(sizeof(*w->ledger));
	w->lock = lock_new(act->recursive ? WEIR_LOCK_RECURSIVE : 0);
	if (!w->lock)
		scene_fail("no lock");
	if (act->first == DEAD)
		let_holder_die(w);
	w->parent_has = act->first == PARENT;
	if (w->parent_has && weir_lock_acquire(w->lock, 0, 0) != 0)
		scene_fail("it is not free");
	w->victim = stepper_start(victim, w);
	if (!stepper_run_to_begin(&w->victim))
		scene_fail("the victim ends before it begins: %s", w->victim.child.note);
	/* Of a dead one's they would not sleep. */
	for (uint32_t i = 0; i < sleepers; i++)
		w->children[i] = child_start(sleeper, w);
	for (uint32_t i = 0; i < sleepers; i++)
		if ((act->first == VICTIM || act->first == PARENT) &&
		    !child_wait_asleep_in(w->children[i].pid, SYS_futex))
			scene_fail("a sleeper does not sleep: %s", w->children[i].note);
}

static void give_as_parent(void *arg)
{
	struct lworld *w = arg;

	if (w->parent_has && weir_lock_release(w->lock) != 0)
		scene_fail("what we have cannot be released");
	w->parent_has = false;
}

/* What is the same in each performance. */
static uint64_t image_of(const void *arg)
{
	const struct lworld *w = arg;
	const struct weir_lock_state *state = &w->lock->shared.commons.control->lock;
	uint64_t word = load_acquire(&state->word);

	return (word & (LOCK_PARTY_MASK | LOCK_DIED)) | (uint64_t)state->depth << 16 |
	       (uint64_t)state->watch << 24 | (uint64_t)(state->bell & BELL_STATE) << 40 |
	       (uint64_t)lock_parties(w->lock) << 44;
}

/* Of which party the process is, 0: of none. */
static uint32_t party_of(const struct lworld *w, pid_t pid)
{
	for (uint32_t i = 1; i < 16; i++)
		if (w->lock->shared.commons.parties[i].name.high >> 32 == (uint64_t)pid)
			return i;
	return 0;
}

/*
 * It stands still: whether it has the lock. Of a dead one, for whose lock nobody sleeps, it is to
 * be told until the victim has had it and given it back.
 */
static void look_at_word(struct lworld *w)
{
	uint32_t party = party_of(w, w->victim.child.pid);
	uint64_t word = lock_word(w->lock);

	w->named = party != 0 && LOCK_PARTY(word) == party;
	w->tells = w->named || w->act->closes_with || (w->act->first == DEAD && word != 0);
}

/*
 * Judging
 */

static void join_sleepers(struct lworld *w)
{
	for (uint32_t i = 0; i < w->sleepers; i++) {
		int64_t until = test_now() + IN_TIME;
		char note[200];
		int status;

		while (child_state(w->children[i].pid) != 'Z' && test_now() < until)
			nap(50 * US);
		if (child_state(w->children[i].pid) != 'Z')
			scene_fail("sleeper %u does not wake: word %#" PRIx64 ", bell %#x", i,
				   lock_word(w->lock), w->lock->shared.commons.control->lock.bell);
		snprintf(note, sizeof(note), "%s", w->children[i].note);
		status = child_join(&w->children[i]);
		if (status != 0)
			scene_fail("sleeper %u: status %#x %s", i, status, note);
	}
}

static void check_told(struct lworld *w)
{
	struct lledger *l = w->ledger;
	uint32_t expected = w->tells - l->victim_told;

	if (l->told != expected)
		scene_fail("told %u times, not %u", l->told, expected);
	if (l->had != w->sleepers + 1)
		scene_fail("had by %u", l->had);
	if (l->guarded.first != l->guarded.second || l->guarded.inside != 0)
		scene_fail("what it protects is not whole");
}

/* A sleeper of now is woken by a release: the bell says so, and nobody has to look. */
static void check_bell(struct lworld *w)
{
	struct weir_lock_state *state = &w->lock->shared.commons.control->lock;
	int64_t until = test_now() + IN_TIME;
	struct child child;

	if (weir_lock_acquire(w->lock, 0, 0) != 0)
		scene_fail("it is not free any more");
	child = child_start(sleeper, w);
	while ((load_acquire(&state->bell) & BELL_STATE) != BELL_ASLEEP && test_now() < until)
		nap(20 * US);
	if ((load_acquire(&state->bell) & BELL_STATE) != BELL_ASLEEP)
		scene_fail("the bell is stuck at %#x", state->bell);
	weir_lock_release(w->lock);
	child_join_ok(&child);
}

static void close_world(struct lworld *w)
{
	struct weir_lock_state *state = &w->lock->shared.commons.control->lock;

	shared_mend_all(&w->lock->shared);
	if (lock_parties(w->lock) != 1)
		scene_fail("%u names are left", lock_parties(w->lock));
	if (state->watch != 0 || lock_word(w->lock) != 0)
		scene_fail("watch %u, word %#" PRIx64, state->watch, lock_word(w->lock));
	weir_lock_close(w->lock);
}

/* The victim is dead. */
static void judge(struct lworld *w)
{
	give_as_parent(w);
	if (w->sleepers == 0 || w->act->first == DEAD || w->act->first == NOBODY) {
		if (!took(w, weir_lock_acquire(w->lock, 0, test_now() + IN_TIME)))
			scene_fail("it cannot be had: word %#" PRIx64, lock_word(w->lock));
		weir_lock_release(w->lock);
		join_sleepers(w);
	} else {
		/* Nobody comes who could help them. */
		join_sleepers(w);
		if (w->named && w->ledger->last > w->died && totals->notices < NOTICES_MAX)
			totals->notice_ns[totals->notices++] = w->ledger->last - w->died;
		if (!took(w, weir_lock_acquire(w->lock, 0, 0)))
			scene_fail("it is not free");
		weir_lock_release(w->lock);
	}
	check_told(w);
	check_bell(w);
	close_world(w);
}

static void kill_there(struct lworld *w)
{
	w->died = test_now();
	stepper_kill(&w->victim);
	totals->named += w->named;
	judge(w);
}

/* Others come and go while it stands there; nobody takes what it has. */
static void stop_there(struct lworld *w, struct trip *trip)
{
	struct child child = trip_stop(trip);
	uint32_t told = w->ledger->told;
	int result;

	give_as_parent(w);
	/* Nobody dies: only what was left behind before it came. */
	w->tells = w->act->first == DEAD || w->act->closes_with;
	if (w->named) {
		result = weir_lock_acquire(w->lock, 0, test_now() + STEAL_NS);
		if (result != -ETIMEDOUT)
			scene_fail("stolen: %d", result);
	} else {
		for (int i = 0; i < 3; i++) {
			result = weir_lock_acquire(w->lock, 0, test_now() + IN_TIME);
			if (result < 0)
				scene_fail("a stopped one is in the way: %d", result);
			told += (uint32_t)result;
			if (result)
				guarded_repair(&w->ledger->guarded);
			weir_lock_release(w->lock);
		}
		w->ledger->told += told - w->ledger->told;
	}
	totals->named += w->named;
	kill(child.pid, SIGCONT);
	if (!await(&w->ledger->acted, 2))
		scene_fail("it does not come to its end: %s", child.note);
	child_kill(&child);
	/* It has given back all that it had. */
	w->named = false;
	judge(w);
}

/*
 * Where
 */

static struct way walk(const struct lock_act *act, uint32_t sleepers)
{
	struct lworld w;
	struct way_record record = { .image = image_of, .asleep = give_as_parent, .arg = &w,
				     .most = LONGEST };
	struct way way;

	open_world(&w, act, sleepers);
	record.memory = &w.lock->shared.commons.control->lock;
	record.size = sizeof(struct weir_lock_state);
	way = way_walk(&w.victim, &record);
	look_at_word(&w);
	w.died = test_now();
	stepper_kill(&w.victim);
	judge(&w);
	return way;
}

static bool beside_effect(const struct way *way, size_t i)
{
	return way->points[i].changed || (i + 1 < way->count && way->points[i + 1].changed);
}

static bool chosen(const struct way *way, size_t i, uint32_t most)
{
	const struct way_point *p = &way->points[i];

	if (p->nth >= LOOP_FIRST && !p->slept && !p->called && !beside_effect(way, i) &&
	    test_random_below(LOOP_ONE_OF) != 0)
		return false;
	if (most == 0 || i + 1 == way->count)
		return true;
	if (p->slept)
		return true;
	if (beside_effect(way, i))
		return test_random_below(12) < most;
	return test_random_below(way->count) < most;
}

static void strike(const struct lock_act *act, uint32_t sleepers, const struct way *way, size_t i,
		   bool into_sleep, bool stop)
{
	struct lworld w;
	struct trip trip = { .stepper = &w.victim, .point = way->points[i],
			     .into_sleep = into_sleep, .arg = &w };

	snprintf(scene_where, sizeof(scene_where),
		 "lock: %s, %u sleepers, %s %s instruction %zu of %zu (address %llx, pass %u)",
		 act->name, sleepers, stop ? "stopped" : "killed", into_sleep ? "asleep in" : "at",
		 i, way->count - 1, (unsigned long long)way->points[i].at, way->points[i].nth);
	open_world(&w, act, sleepers);
	if (!into_sleep)
		trip.asleep = give_as_parent;
	trip_begin(&trip);
	switch (trip_end(&trip)) {
	case ENDED: scene_fail("the victim has ended: %s", w.victim.child.note); break;
	case PASSED: totals->passed++; break;
	case ARRIVED: totals->asleep += into_sleep; break;
	}
	look_at_word(&w);
	totals->points++;
	if (stop)
		stop_there(&w, &trip);
	else
		kill_there(&w);
}

void lock_strike_act(size_t act, uint32_t most, bool stop)
{
	for (uint32_t sleepers = 0; sleepers <= LOCK_SLEEPERS_MAX; sleepers++) {
		const struct lock_act *a = &acts[act];
		struct resources before = resources_begin();
		struct way way;

		snprintf(scene_where, sizeof(scene_where), "lock: %s, %u sleepers, walking",
			 a->name, sleepers);
		/* One that is free, or a dead one's, nobody sleeps for. */
		if (sleepers > 0 && (a->first == NOBODY || a->first == DEAD))
			break;
		way = walk(a, sleepers);
		for (size_t i = 0; i < way.count; i++) {
			if (!chosen(&way, i, most))
				continue;
			strike(a, sleepers, &way, i, false, stop);
			if (way.points[i].slept && !stop)
				strike(a, sleepers, &way, i, true, stop);
		}
		totals->scenes++;
		totals->instructions += way.count - 1;
		way_free(&way);
		resources_check(&before);
	}
}

/*
 * Totals
 */

void lock_strike_init(void)
{
	totals = shared_alloc(sizeof(*totals));
}

static int by_time(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

void lock_strike_report(void)
{
	printf("# %" PRIu64 " scenes, %" PRIu64 " instructions, struck at %" PRIu64
	       " (%" PRIu64 " too late, %" PRIu64 " asleep), %" PRIu64 " times it had the lock\n",
	       totals->scenes, totals->instructions, totals->points, totals->passed,
	       totals->asleep, totals->named);
	if (totals->notices > 0) {
		qsort(totals->notice_ns, totals->notices, sizeof(totals->notice_ns[0]), by_time);
		printf("# %zu deaths with sleepers, all of whom had it after: median %" PRId64
		       " us, 99 %% %" PRId64 " us, worst %" PRId64 " us\n",
		       totals->notices, totals->notice_ns[totals->notices / 2] / 1000,
		       totals->notice_ns[totals->notices * 99 / 100] / 1000,
		       totals->notice_ns[totals->notices - 1] / 1000);
	}
	fflush(stdout);
}
