/* SPDX-License-Identifier: MIT */
#include "fault/lib/lock-scribble.h"

#include <inttypes.h>
#include <stdio.h>

#include "fault/lib/scene.h"
#include "lock-tools.h"

#define LATE_NS		(1000 * MS)
#define NAP_NS		(100 * US)
#define VALUES		12
/* Of the parties: a few are used. */
#define PARTIES		6U
#define AREAS		3

static int64_t worst_ns;
static uint64_t calls, locks;

struct area {
	const char *name;
	uint64_t *words;
	size_t count;
};

static void find_areas(struct weir_lock *l, struct area areas[AREAS])
{
	struct commons *c = &l->shared.commons;

	areas[0] = (struct area){ "control", (uint64_t *)(void *)c->control,
				  sizeof(*c->control) / 8 };
	areas[1] = (struct area){ "party", (uint64_t *)(void *)c->parties,
				  PARTIES * sizeof(struct weir_party) / 8 };
	/* What decides most. */
	areas[2] = (struct area){ "lock", (uint64_t *)(void *)&c->control->lock, 4 };
}

/* Anything that refers to something that is there, or nearly. */
static uint64_t value_of(const uint64_t *word, int which)
{
	const uint64_t party = test_random_below(PARTIES), me = live_self().process;
	const uint64_t values[VALUES] = {
		0, UINT64_MAX, test_random(), word[1], *word + 1, *word - 1, me,
		*word ^ (UINT64_C(1) << test_random_below(64)),
		party | test_random_below(4) << LOCK_GENERATION_SHIFT |
			test_random() << LOCK_THREAD_SHIFT,
		(test_random() & ~UINT64_C(0xff)) | PARTY_USED,
		test_random_below(2 * COMMONS_PARTIES),
		test_random_below(2 * COMMONS_PARTIES) << 32 | test_random_below(16),
	};

	return values[which];
}

/*
 * The honest one
 */

static int64_t begin_ns, begin_starved;

static void begin_call(void)
{
	begin_ns = test_now();
	begin_starved = child_starved(getpid());
	calls++;
}

static void end_call(int64_t nap, const char *what)
{
	int64_t took = test_now() - begin_ns - nap;

	if (took > LATE_NS)
		took -= child_starved(getpid()) - begin_starved;
	if (took > worst_ns)
		worst_ns = took;
	if (took > LATE_NS)
		scene_fail("%s ends %" PRId64 " ms late", what, took / 1000000);
}

#define call(nap, expression) \
	({ begin_call(); last = (expression); end_call(nap, #expression); last; })

static void call_all(struct weir_lock *l)
{
	int last;

	for (uint32_t flags = 0; flags <= WEIR_NOSPIN; flags += WEIR_NOSPIN) {
		call(0, weir_lock_acquire(l, flags, 0));
		call(0, weir_lock_release(l));
		call(NAP_NS, weir_lock_acquire(l, flags, test_now() + NAP_NS));
		call(NAP_NS, weir_lock_acquire(l, flags, test_now() + NAP_NS));
		call(0, weir_lock_is_mine(l));
		call(0, weir_lock_release(l));
		call(0, weir_lock_is_locked(l));
	}
	call(0, shared_mend_all(&l->shared));
}

static void open_and_close_another(struct weir_lock *l)
{
	struct weir_lock *other;

	begin_call();
	other = lock_second(l);
	end_call(0, "another handle");
	if (!other)
		scene_fail("no second handle");
	call_all(other);
	begin_call();
	weir_lock_close(other);
	end_call(0, "weir_lock_close()");
}

static int have_and_die(void *arg)
{
	struct weir_lock *l = arg;

	weir_lock_acquire(l, 0, 0);
	return 0;
}

/* Amid its life: parties alive and dead, and one of them has it. */
static struct weir_lock *open_used(uint32_t kind)
{
	struct weir_lock *l = lock_new(kind & 1 ? WEIR_LOCK_RECURSIVE : 0);
	struct child child;

	if (!l)
		scene_fail("no lock");
	if (kind & 2)
		call_all(l);
	if (kind & 4) {
		child = child_start(have_and_die, l);
		child_join(&child);
	}
	if (kind & 8)
		weir_lock_acquire(l, 0, test_now() + 5 * MS);
	locks++;
	return l;
}

/*
 * Word by word
 */

static void try_word(int area, size_t index, int which)
{
	struct weir_lock *l = open_used((uint32_t)test_random_below(16));
	struct area areas[AREAS];
	uint64_t value;

	find_areas(l, areas);
	value = value_of(&areas[area].words[index], which);
	snprintf(scene_where, sizeof(scene_where), "lock: word %zu of %s = %#" PRIx64, index,
		 areas[area].name, value);
	areas[area].words[index] = value;
	call_all(l);
	open_and_close_another(l);
	begin_call();
	weir_lock_close(l);
	end_call(0, "weir_lock_close()");
}

static void report(const char *what)
{
	printf("# %s: %" PRIu64 " locks, %" PRIu64 " calls, the latest %" PRId64
	       " us behind its deadline\n",
	       what, locks, calls, worst_ns / 1000);
	fflush(stdout);
}

void lock_scribble_words(void)
{
	struct weir_lock *l = lock_new(0);
	struct area areas[AREAS];

	ck_assert_ptr_nonnull(l);
	find_areas(l, areas);
	weir_lock_close(l);
	for (int area = 0; area < AREAS; area++)
		for (size_t i = 0; i < areas[area].count; i++) {
			/* Of the namespaces one is as good as another. */
			if (area == 0 && i > 36 && test_random_below(16) != 0)
				continue;
			for (int which = 0; which < VALUES; which++)
				if (test_random_below(LESS) == 0)
					try_word(area, i, which);
		}
	report("word by word");
}

/*
 * At full speed
 */

static int scribble(void *arg)
{
	struct weir_lock *l = arg;
	struct area areas[AREAS];

	find_areas(l, areas);
	for (;;) {
		struct area *a = &areas[test_random_below(AREAS)];
		uint64_t *word = &a->words[test_random_below(a->count - 1)];

		if (test_random_below(4) == 0)
			store_relaxed(&l->shared.commons.control->party_top,
				      (uint32_t)test_random_below(5));
		store_relaxed(word, value_of(word, (int)test_random_below(VALUES)));
		/* Sometimes it is quiet for long enough to go far. */
		if (test_random_below(64) == 0)
			nap((int64_t)test_random_below(200 * US));
	}
	return 0;
}

static int call_for_some_time(void *arg)
{
	struct weir_lock *l = arg;

	for (int i = 0; i < 8; i++) {
		call_all(l);
		open_and_close_another(l);
	}
	return 0;
}

void lock_scribble_live(int64_t duration_ns)
{
	int64_t until = test_now() + duration_ns;
	struct resources before = resources_begin();

	snprintf(scene_where, sizeof(scene_where), "lock: scribbled on at full speed");
	while (test_now() < until) {
		struct weir_lock *l = open_used((uint32_t)test_random_below(16));
		struct child scribbler = child_start(scribble, l);
		struct child other = child_start(call_for_some_time, l);

		call_for_some_time(l);
		child_join_ok(&other);
		child_kill(&scribbler);
		begin_call();
		weir_lock_close(l);
		end_call(0, "weir_lock_close()");
		test_random();
	}
	resources_check(&before);
	report("at full speed");
}
