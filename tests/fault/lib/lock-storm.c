/* SPDX-License-Identifier: MIT */
#include "fault/lib/lock-storm.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "lock-tools.h"

#define ACTORS_MAX	8U
#define LIVES_MAX	3000U
#define ROUND_NS	(1000 * MS)

/* What a life was doing when it ended. */
enum doing {
	ELSEWHERE,
	TAKING,		/* it may have had it, and may have been told */
	HAVING,		/* it had it */
	GIVING		/* it may have had it */
};

struct life {
	uint32_t doing;
	uint32_t ended;		/* says the parent */
	uint32_t pid;
	uint32_t told;
	uint64_t done;
	uint64_t had;
	uint64_t missed;	/* deadlines */
};

struct sky {
	uint32_t stop;
	uint32_t stolen;
	/* Under the lock: who is amid of what, 0: nobody. */
	uint32_t who;
	uint64_t target;	/* what it will have done */
	uint64_t base;		/* what the count was before */
	uint64_t first;
	uint64_t second;
	struct life lives[LIVES_MAX];
};

static volatile struct sky *sky;
static struct weir_lock *lock;

struct actor {
	uint32_t life;
	struct child child;
	bool stopped;
	uint64_t random;
};

static struct actor actors[ACTORS_MAX];
static uint32_t lives;
static struct {
	uint64_t rounds, kills, stops, ends, had, missed, told, deaths, having, unknown;
} totals;

static uint32_t some(struct actor *a, uint32_t below)
{
	a->random ^= a->random << 13;
	a->random ^= a->random >> 7;
	a->random ^= a->random << 17;
	return (uint32_t)(a->random % below);
}

/*
 * Under the lock
 */

static bool is_dead(uint32_t life)
{
	char state;

	if (sky->lives[life].ended)
		return true;
	state = child_state((pid_t)sky->lives[life].pid);
	return state == 0 || state == 'Z' || state == 'X' || sky->lives[life].ended;
}

/* Whoever is amid of something is dead: all of it has happened, or nothing. */
static void repair(void)
{
	uint32_t who = sky->who;

	if (who == 0)
		return;
	child_check(is_dead(who));
	if (sky->second == sky->base + 1)
		sky->lives[who].done = sky->target;
	else
		sky->first = sky->second = sky->base;
	sky->who = 0;
}

static void count_one(struct actor *a)
{
	volatile struct life *l = &sky->lives[a->life];

	child_check(sky->who == 0);
	child_check(sky->first == sky->second);
	sky->target = l->done + 1;
	sky->base = sky->first;
	store_release((uint32_t *)&sky->who, a->life);
	store_release((uint64_t *)&sky->first, sky->base + 1);
	for (uint32_t i = some(a, 40); i > 0; i--)
		cpu_relax();
	child_check(sky->who == a->life && sky->second == sky->base);
	store_release((uint64_t *)&sky->second, sky->base + 1);
	store_release((uint64_t *)&l->done, sky->target);
	store_release((uint32_t *)&sky->who, 0);
}

/*
 * Lives
 */

static int take(struct actor *a, struct weir_lock *l)
{
	uint32_t flags = some(a, 2) ? WEIR_NOSPIN : 0;

	switch (some(a, 8)) {
	case 0: return weir_lock_acquire(l, flags, 0);
	case 1: return weir_lock_acquire(l, flags, test_now() + some(a, 1000) * US);
	case 2: return weir_lock_acquire(l, flags | WEIR_INTR, soon());
	default: return weir_lock_acquire(l, flags, soon());
	}
}

static void end_of_own_accord(struct actor *a, struct weir_lock *l)
{
	if (some(a, 2))
		weir_lock_close(l);
	_exit(0);
}

static void go_round(struct actor *a, struct weir_lock *l)
{
	volatile struct life *life = &sky->lives[a->life];
	int result;

	store_release((uint32_t *)&life->doing, TAKING);
	result = take(a, l);
	if (result < 0) {
		store_release((uint32_t *)&life->doing, ELSEWHERE);
		child_check(result == -EAGAIN || result == -ETIMEDOUT);
		life->missed++;
		return;
	}
	if (result == WEIR_OWNER_DIED) {
		life->told++;
		store_release((uint32_t *)&life->doing, HAVING);
		repair();
	}
	store_release((uint32_t *)&life->doing, HAVING);
	life->had++;
	count_one(a);
	if (some(a, 4000) == 0)
		end_of_own_accord(a, l);
	store_release((uint32_t *)&life->doing, GIVING);
	child_check(weir_lock_release(l) == 0);
	store_release((uint32_t *)&life->doing, ELSEWHERE);
}

static int live(void *arg)
{
	struct actor *a = arg;
	struct weir_lock *l = some(a, 3) ? lock : lock_second(lock);

	child_check(l);
	sky->lives[a->life].pid = (uint32_t)getpid();
	while (!load_acquire((uint32_t *)&sky->stop))
		go_round(a, l);
	return 0;
}

static void begin_life(struct actor *a)
{
	a->life = ++lives;
	a->random = (test_random() << 16 | a->life) + 1;
	a->stopped = false;
	a->child = child_start(live, a);
}

/* How it ended: killed by us, or of its own accord. */
static void end_life(struct actor *a)
{
	char note[200];
	int status;

	kill(a->child.pid, SIGKILL);
	snprintf(note, sizeof(note), "%s", a->child.note);
	status = child_join(&a->child);
	sky->lives[a->life].ended = 1;
	if (WIFEXITED(status) ? WEXITSTATUS(status) != 0 : WTERMSIG(status) != SIGKILL)
		ck_abort_msg("life %u: status %#x %s", a->life, status, note);
	if (WIFEXITED(status))
		totals.ends++;
	else
		totals.kills++;
}

static void go_on(struct actor *a)
{
	if (a->stopped)
		kill(a->child.pid, SIGCONT);
	a->stopped = false;
}

static void strike(struct actor *a)
{
	if (test_random_below(3) != 0) {
		end_life(a);
		begin_life(a);
	} else if (a->stopped) {
		go_on(a);
	} else {
		kill(a->child.pid, SIGSTOP);
		a->stopped = true;
		totals.stops++;
	}
}

static void blow(uint32_t count, int64_t until)
{
	while (test_now() < until && lives + count < LIVES_MAX) {
		strike(&actors[test_random_below(count)]);
		if (test_random_below(3))
			nap((int64_t)test_random_below(1500 * US));
	}
}

/*
 * Afterwards
 */

static void stop_all(uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		go_on(&actors[i]);
	store_release((uint32_t *)&sky->stop, 1);
	for (uint32_t i = 0; i < count; i++) {
		char note[200];
		int status = (snprintf(note, sizeof(note), "%s", actors[i].child.note),
			      child_join(&actors[i].child));

		sky->lives[actors[i].life].ended = 1;
		/* Of its own accord, too. */
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			ck_abort_msg("life %u: status %#x %s", actors[i].life, status, note);
	}
}

static void judge(void)
{
	uint64_t deaths, done = 0, told, having = 0, unknown = 0;
	int result = weir_lock_acquire(lock, 0, test_now() + 2000 * MS);

	if (result < 0)
		ck_abort_msg("it cannot be had: %d, word %#" PRIx64, result, lock_word(lock));
	told = (uint64_t)result;
	if (result)
		repair();
	ck_assert_uint_eq(sky->who, 0);
	for (uint32_t i = 1; i <= lives; i++) {
		volatile struct life *l = &sky->lives[i];

		done += l->done;
		told += l->told;
		totals.had += l->had;
		totals.missed += l->missed;
		having += l->doing == HAVING;
		unknown += l->doing == TAKING || l->doing == GIVING;
	}
	ck_assert_uint_eq(sky->first, sky->second);
	ck_assert_uint_eq(sky->first, done);
	deaths = lock->shared.commons.control->lock.deaths;
	/* Each death is told of; to somebody who died before he could say so, perhaps. */
	if (told + unknown < having || told > having + unknown)
		ck_abort_msg("told %" PRIu64 " times, %" PRIu64 " had it, %" PRIu64 " may have had",
			     told, having, unknown);
	if (told > deaths + unknown || deaths > told + unknown)
		ck_abort_msg("told %" PRIu64 " times, %" PRIu64 " deaths", told, deaths);
	totals.told += told;
	totals.deaths += deaths;
	totals.having += having;
	totals.unknown += unknown;
	ck_assert_int_eq(weir_lock_release(lock), 0);
	shared_mend_all(&lock->shared);
	ck_assert_uint_eq(lock_parties(lock), 1);
}

static void one_round(int64_t duration_ns)
{
	uint32_t count = 2 + (uint32_t)test_random_below(ACTORS_MAX - 1);

	memset((void *)(uintptr_t)sky, 0, sizeof(*sky));
	lives = 0;
	lock = lock_new(test_random_below(2) ? WEIR_LOCK_RECURSIVE : 0);
	ck_assert_ptr_nonnull(lock);
	for (uint32_t i = 0; i < count; i++)
		begin_life(&actors[i]);
	blow(count, test_now() + duration_ns);
	stop_all(count);
	judge();
	weir_lock_close(lock);
	totals.rounds++;
}

void lock_storm(int64_t duration_ns)
{
	int64_t until = test_now() + duration_ns;
	struct resources before;

	sky = shared_alloc(sizeof(*sky));
	before = resources_begin();
	while (test_now() < until)
		one_round(duration_ns < ROUND_NS ? duration_ns : ROUND_NS);
	resources_check(&before);
	printf("# %" PRIu64 " rounds, %" PRIu64 " kills, %" PRIu64 " stops, %" PRIu64
	       " ended with it, had %" PRIu64 " times, %" PRIu64 " deadlines; %" PRIu64
	       " deaths, told %" PRIu64 " times (%" PRIu64 " had it, %" PRIu64
	       " may have); 0 stolen, 0 lost counts\n",
	       totals.rounds, totals.kills, totals.stops, totals.ends, totals.had, totals.missed,
	       totals.deaths, totals.told, totals.having, totals.unknown);
	fflush(stdout);
}
