/* SPDX-License-Identifier: MIT */
#include "fault/lib/queue-strike.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "fault/lib/way.h"

#define NOTICES_MAX	400000
/* Of the passes through a loop: so many from the beginning, and one of so many others. */
#define LOOP_FIRST	3
#define LOOP_ONE_OF	40
/* Longer ways are loops that look at all there is. */
#define LONGEST		60000
/* Of the dead: one of so many is waited for, and not looked for. */
#define WAITS_ONE_OF	8

struct totals {
	uint64_t scenes;
	uint64_t instructions;
	uint64_t points;	/* different (scene, instruction) */
	uint64_t strikes;
	uint64_t passed;	/* of these: the instruction was not reached */
	uint64_t strayed;	/* of these: in another state than on the walk */
	size_t notices;
	int64_t notice_ns[NOTICES_MAX];
};

static struct totals *totals;

void qstrike_init(void)
{
	totals = shared_alloc(sizeof(*totals));
}

static void describe(const struct qworld *w, const struct way *way, size_t i, const char *how)
{
	const struct way_point *p = &way->points[i];

	snprintf(scene_where, sizeof(scene_where),
		 "queue: %s, %s, %s at instruction %zu of %zu (address %llx, pass %u)",
		 w->act->name, w->state->name, how, i, way->count - 1,
		 (unsigned long long)p->at, p->nth);
}

static void open_world(struct qworld *w, const struct qact *act, const struct qstate *state)
{
	qworld_open(w, act, state);
	w->victim = stepper_start(qworld_victim, w);
	if (!stepper_run_to_begin(&w->victim))
		scene_fail("the victim ends before it begins: %s", w->victim.child.note);
}

static void asleep(void *arg)
{
	(void)arg;
}

static struct way walk(const struct qact *act, const struct qstate *state)
{
	static uint64_t nothing;
	struct qworld w;
	struct way_record record = { .memory = &nothing, .size = sizeof(nothing),
				     .image = qworld_image, .asleep = asleep, .arg = &w,
				     .most = LONGEST };
	struct way way;

	open_world(&w, act, state);
	way = way_walk(&w.victim, &record);
	qworld_judge_dead(&w, (stepper_kill(&w.victim), false));
	qworld_close(&w);
	return way;
}

/*
 * Where
 */

static bool has_effect(const struct way *way, size_t i)
{
	return (i > 0 && way->points[i].image != way->points[i - 1].image) ||
	       (i + 1 < way->count && way->points[i + 1].image != way->points[i].image);
}

static bool beside_call(const struct way *way, size_t i)
{
	return way->points[i].called || (i + 1 < way->count && way->points[i + 1].called);
}

static bool deep_in_a_loop(const struct way_point *p)
{
	return p->nth >= LOOP_FIRST;
}

static size_t count(const struct way *way, bool (*is)(const struct way *way, size_t i))
{
	size_t n = 0;

	for (size_t i = 0; i < way->count; i++)
		n += is(way, i) && !deep_in_a_loop(&way->points[i]);
	return n;
}

static bool sampled(size_t of, uint32_t most)
{
	return of <= most || test_random_below(of) < most;
}

static bool chosen(const struct way *way, size_t i, uint32_t most, size_t effects, size_t calls)
{
	if (deep_in_a_loop(&way->points[i]) && test_random_below(LOOP_ONE_OF) != 0)
		return false;
	if (most == 0 || i + 1 == way->count)
		return true;
	if (has_effect(way, i) && sampled(effects, most))
		return true;
	if (beside_call(way, i) && sampled(calls, most / 2))
		return true;
	return sampled(way->count, most / 2);
}

/*
 * What
 */

static void kill_there(struct qworld *w, bool waits)
{
	w->died = test_now();
	stepper_kill(&w->victim);
	qworld_judge_dead(w, waits);
	if (w->noticed_ns >= 0 && totals->notices < NOTICES_MAX)
		totals->notice_ns[totals->notices++] = w->noticed_ns;
}

static void stop_there(struct qworld *w, struct trip *trip)
{
	struct child child = trip_stop(trip);

	qworld_judge_meanwhile(w);
	kill(child.pid, SIGCONT);
	child_join_ok(&child);
	if (!w->ledger->acted)
		scene_fail("it did not come to its end");
	qworld_judge_dead(w, false);
}

static void strike(const struct qact *act, const struct qstate *state, const struct way *way,
		   size_t i, bool stop)
{
	struct qworld w;
	struct trip trip = { .stepper = &w.victim, .point = way->points[i], .asleep = asleep };
	enum arrival arrival;

	open_world(&w, act, state);
	describe(&w, way, i, stop ? "stopped" : "killed");
	trip_begin(&trip);
	arrival = trip_end(&trip);
	totals->strikes++;
	if (arrival == ENDED)
		scene_fail("the victim has ended: %s", w.victim.child.note);
	if (arrival == PASSED)
		totals->passed++;
	else if (qworld_image(&w) != way->points[i].image)
		totals->strayed++;
	if (stop)
		stop_there(&w, &trip);
	else
		kill_there(&w, (i + test_seed()) % WAITS_ONE_OF == 0);
	qworld_close(&w);
}

static void play_scene(const struct qact *act, const struct qstate *state,
		       const struct qstrike_plan *plan)
{
	struct resources before;
	struct way way;
	size_t effects, calls;

	snprintf(scene_where, sizeof(scene_where), "queue: %s, %s, walking", act->name,
		 state->name);
	way = walk(act, state);
	effects = count(&way, has_effect);
	calls = count(&way, beside_call);
	before = resources_begin();
	for (size_t i = 0; i < way.count; i++)
		if (chosen(&way, i, plan->most, effects, calls)) {
			strike(act, state, &way, i, plan->stop);
			totals->points++;
		}
	totals->scenes++;
	totals->instructions += way.count - 1;
	resources_check(&before);
	way_free(&way);
}

void qstrike_act(size_t act, const struct qstrike_plan *plan)
{
	uint32_t played = 0;

	for (size_t i = 0; i < qstate_count; i++) {
		size_t state = plan->states ? test_random_below(qstate_count) : i;

		if (plan->states && (qstates[state].slow || qacts[act].slow))
			continue;
		if (plan->of > 0 && (state + act) % plan->of != plan->nth)
			continue;
		play_scene(&qacts[act], &qstates[state], plan);
		if (++played == plan->states)
			break;
	}
}

static int by_time(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

void qstrike_report(void)
{
	struct totals *t = totals;

	printf("# %" PRIu64 " scenes, %" PRIu64 " instructions, %" PRIu64 " points, %" PRIu64
	       " strikes, of these %" PRIu64 " in another state, %" PRIu64
	       " too late; 0 lost, 0 doubled, 0 leaked\n",
	       t->scenes, t->instructions, t->points, t->strikes, t->strayed, t->passed);
	if (t->notices > 0) {
		qsort(t->notice_ns, t->notices, sizeof(t->notice_ns[0]), by_time);
		printf("# %zu deaths noticed asleep, after: median %" PRId64 " us, 99 %% %" PRId64
		       " us, worst %" PRId64 " us\n",
		       t->notices, t->notice_ns[t->notices / 2] / 1000,
		       t->notice_ns[t->notices * 99 / 100] / 1000,
		       t->notice_ns[t->notices - 1] / 1000);
	}
	fflush(stdout);
}
