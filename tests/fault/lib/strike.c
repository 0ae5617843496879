/* SPDX-License-Identifier: MIT */
#include "fault/lib/strike.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fault/lib/way.h"
#include "fault/lib/world.h"

/* Worlds side by side: waiting is what takes most of the time. */
#define BATCH		24
#define TRIES		3
#define NOTICES_MAX	200000
/* Points inside a copy: one of so many. */
#define ONE_INSIDE	500

struct totals {
	uint64_t scenes;
	uint64_t instructions;
	uint64_t points;	/* different (scene, instruction, awake or asleep) */
	uint64_t strikes;
	uint64_t strayed;	/* of these: the instruction was reached in another state */
	uint64_t passed;	/* of these: it was not reached, the act had ended */
	size_t notices;
	int64_t notice_ns[NOTICES_MAX];
};

static struct totals *totals;
void strike_init(void)
{
	totals = shared_alloc(sizeof(*totals));
}

/*
 * Where to strike
 */

struct target {
	size_t index;
	bool into_sleep;
};

struct targets {
	struct target *list;
	size_t count;
};

/* Of @count, whether to take the next one so that about @most are taken. */
static bool sampled(size_t count, uint32_t most)
{
	return count <= most || test_random_below(count) < most;
}

/* What comes next, or came just before, is a store that others can see. */
static bool beside_store(const struct way *way, size_t i)
{
	return way->points[i].changed || (i + 1 < way->count && way->points[i + 1].changed);
}

static bool beside_call(const struct way *way, size_t i)
{
	return way->points[i].called || (i + 1 < way->count && way->points[i + 1].called);
}

/*
 * In the middle of an instruction that repeats itself, for each byte of a copy: all the same, and
 * each takes as many stops to get to as it lies bytes along.
 */
static bool inside_copy(const struct way *way, size_t i)
{
	const struct way_point *p = &way->points[i];

	return i > 0 && i + 1 < way->count && p[-1].at == p->at && p[1].at == p->at;
}

static size_t count_points(const struct way *way, bool (*is)(const struct way *way, size_t i))
{
	size_t count = 0;

	for (size_t i = 0; i < way->count; i++)
		count += is(way, i) && !inside_copy(way, i);
	return count;
}

static struct targets choose(const struct way *way, const struct strike_plan *plan)
{
	struct targets t = { .list = calloc(2 * way->count, sizeof(struct target)) };
	uint32_t most = plan->most ? plan->most : UINT32_MAX;
	size_t stores = count_points(way, beside_store), calls = count_points(way, beside_call);

	for (size_t i = 0; i < way->count; i++) {
		bool take = inside_copy(way, i)	   ? test_random_below(ONE_INSIDE) == 0
			    : beside_store(way, i) ? sampled(stores, most)
			    : beside_call(way, i)
				    ? sampled(calls, most)
				    : i + 1 == way->count || sampled(way->count, most);

		if (take)
			t.list[t.count++] = (struct target){ i, false };
		if (way->points[i].slept)
			t.list[t.count++] = (struct target){ i, true };
	}
	return t;
}

/*
 * Performances up to the blow
 */

struct player {
	struct world world;
	struct trip trip;
	struct ledger *ledger;
	enum arrival arrival;
	bool true_way;		/* it is where it was on the walk */
	int64_t died;
	struct child stopped;
	bool was_free;
};

static struct player *players;

/* What is played. */
struct piece {
	const struct scene *scene;
	const struct strike_plan *plan;
	struct way way;
	struct targets targets;
};

static void open_player(struct player *p, const struct piece *piece, const struct target *target,
			enum heir heir)
{
	world_open(&p->world, piece->scene, p->ledger, heir);
	p->trip = (struct trip){
		.stepper = &p->world.victim,
		.point = piece->way.points[target->index],
		.into_sleep = target->into_sleep,
		.asleep = world_wake,
		.arg = &p->world,
	};
}

/* A peer that has slept too long on the futex is in ppoll() by now: again. */
static void open_ready_player(struct player *p, const struct piece *piece,
			      const struct target *target, enum heir heir)
{
	for (int i = 0; i < 20; i++) {
		open_player(p, piece, target, heir);
		if (world_ready(&p->world))
			return;
		world_close(&p->world);
	}
	scene_fail("the peer does not sleep where it should");
}

static void arrive(struct player *p, const struct piece *piece, const struct target *target)
{
	p->arrival = trip_end(&p->trip);
	/* The end of the way is no place to arrive at. */
	if (p->arrival == PASSED && target->index == piece->way.count - 1)
		p->arrival = ARRIVED;
	p->true_way = p->arrival == ARRIVED &&
		      world_image(&p->world) == piece->way.points[target->index].image;
}

/*
 * Whether to try again: something took longer than on the walk, so it took another way. One that
 * sleeps depends on the time as a matter of course.
 */
static bool try_again(const struct player *p, int tries)
{
	return !p->true_way && tries < TRIES && !p->world.scene->act->woken;
}

static void play(struct player *p, const struct piece *piece, const struct target *target,
		 enum heir heir)
{
	for (int tries = 0;; tries++) {
		open_ready_player(p, piece, target, heir);
		trip_begin(&p->trip);
		arrive(p, piece, target);
		if (!try_again(p, tries))
			return;
		world_close(&p->world);
	}
}

/* Side by side. */
static void play_all(const struct piece *piece, const struct target *targets, size_t count,
		     enum heir heir)
{
	for (size_t i = 0; i < count; i++)
		open_player(&players[i], piece, &targets[i], heir);
	for (size_t i = 0; i < count; i++)
		if (!world_ready(&players[i].world))
			scene_fail("the peer does not sleep where it should");
	for (size_t i = 0; i < count; i++)
		trip_begin(&players[i].trip);
	for (size_t i = 0; i < count; i++)
		arrive(&players[i], piece, &targets[i]);
	for (size_t i = 0; i < count; i++)
		if (try_again(&players[i], 0)) {
			world_close(&players[i].world);
			play(&players[i], piece, &targets[i], heir);
		}
}

static void describe(const struct piece *piece, const struct target *target, const char *what)
{
	const struct way_point *point = &piece->way.points[target->index];

	snprintf(scene_where, sizeof(scene_where),
		 "%s, %s, instruction %zu of %zu%s (address %llx, pass %u)",
		 scene_name(piece->scene), what, target->index, piece->way.count - 1,
		 target->into_sleep ? ", asleep" : "", (unsigned long long)point->at, point->nth);
}

static struct way walk(const struct scene *scene)
{
	struct player *p = &players[0];
	struct piece none = { .scene = scene, .way = { 1, &(struct way_point){ 0 } } };
	struct way_record record = { .image = world_image, .asleep = world_wake, .arg = &p->world };
	struct way way;

	open_ready_player(p, &none, &(struct target){ 0 }, HEIR_TAKES);
	record.memory = p->world.memory;
	record.size = p->world.memory_size;
	/* Stepping takes longer than a shallow sleep. Pieces need somebody at the other end. */
	if (p->world.peer.pid && !scene->act->large)
		child_stop(&p->world.peer);
	way = way_walk(&p->world.victim, &record);
	world_close(&p->world);
	return way;
}

static void count(const struct player *p)
{
	totals->strikes++;
	if (p->arrival != ARRIVED)
		totals->passed++;
	else if (!p->true_way)
		totals->strayed++;
}

/*
 * Killing
 */

static void kill_victim(struct player *p)
{
	p->died = test_now();
	stepper_kill(&p->world.victim);
	p->world.half = !p->world.scene->act->reads && p->world.peer.pid == 0 &&
			world_half(&p->world);
}

static void note(const struct finding *f)
{
	if (f->notice_ns >= 0 && totals->notices < NOTICES_MAX)
		totals->notice_ns[totals->notices++] = f->notice_ns;
}

static void judge_dead(struct player *p, enum heir heir, uint32_t *moved)
{
	struct finding f = world_judge(&p->world, heir, p->died);

	world_close(&p->world);
	count(p);
	if (f.wrong[0])
		scene_fail("%s", f.wrong);
	if (heir == HEIR_NONE)
		note(&f);
	if (!p->true_way)
		return;
	if (heir != HEIR_NONE || !p->world.scene->act->reads) {
		if (f.moved < *moved)
			scene_fail("%u messages moved, and %u an instruction before", f.moved,
				   *moved);
		*moved = f.moved;
	}
}

static void kill_batch(const struct piece *piece, const struct target *targets, size_t count,
		       enum heir heir, uint32_t *moved)
{
	static const char *const names[] = { "no heir", "an heir that takes over",
					     "an heir that does nothing" };
	/* A shallow sleep is over too soon to wait for others. */
	bool hurry = piece->scene->state->peer == PEER_SHALLOW;

	describe(piece, targets, names[heir]);
	if (!hurry)
		play_all(piece, targets, count, heir);
	for (size_t i = 0; i < count; i++) {
		if (hurry)
			play(&players[i], piece, &targets[i], heir);
		kill_victim(&players[i]);
	}
	for (size_t i = 0; i < count; i++) {
		describe(piece, &targets[i], names[heir]);
		judge_dead(&players[i], heir, moved);
	}
}

/*
 * Stopping
 */

static bool look_at(struct player *p)
{
	bool is_free;
	const char *wrong = world_look(&p->world, &is_free);

	if (wrong)
		scene_fail("while it stands still: %s", wrong);
	return is_free;
}

static void stop_victim(struct player *p, const struct piece *piece)
{
	const struct act *act = piece->scene->act;

	p->stopped = trip_stop(&p->trip);
	p->was_free = look_at(p);
	if (p->was_free && !act->first_use && !act->gives_up)
		scene_fail("while it stands still: another process could take its end");
}

static void look_again_at(struct player *p)
{
	bool is_free = look_at(p);

	if (is_free != p->was_free)
		scene_fail("while it stands still: its end became %s", is_free ? "free" : "taken");
}

static void judge_stopped(struct player *p, bool contended)
{
	struct finding f;

	if (contended) {
		f = world_judge_contest(&p->world, &p->stopped);
	} else {
		look_again_at(p);
		f = world_judge_survivor(&p->world, &p->stopped);
	}
	world_close(&p->world);
	count(p);
	if (f.wrong[0])
		scene_fail("%s", f.wrong);
}

/* Everything that the victim may or may not have noticed yet. */
static void do_peers_part(struct world *w)
{
	world_peer_comes(w);
	world_ready(w);
	if (w->scene->act->contends)
		world_contend(w);
	if (w->scene->act->woken && !w->woken)
		world_wake_anyway(w);
}

static void stop_batch(const struct piece *piece, const struct target *targets, size_t count)
{
	int64_t hold_ns = piece->plan->hold_ns;
	struct timespec hold = { hold_ns / 1000000000, hold_ns % 1000000000 };
	bool hurry = piece->scene->state->peer == PEER_SHALLOW;

	describe(piece, targets, "stopped");
	if (!hurry)
		play_all(piece, targets, count, HEIR_IDLE);
	for (size_t i = 0; i < count; i++) {
		describe(piece, &targets[i], "stopped");
		if (hurry)
			play(&players[i], piece, &targets[i], HEIR_IDLE);
		stop_victim(&players[i], piece);
	}
	nanosleep(&hold, NULL);
	for (size_t i = 0; piece->plan->meanwhile && !hurry && i < count; i++)
		world_peer_comes(&players[i].world);
	for (size_t i = 0; i < count; i++) {
		describe(piece, &targets[i], "stopped");
		if (piece->plan->meanwhile)
			do_peers_part(&players[i].world);
		judge_stopped(&players[i], piece->plan->meanwhile && piece->scene->act->contends);
	}
}

/*
 * All of it
 */

/* Each in turn; if it is about each instruction, all of them beside an effect. */
static bool has_heir(const struct piece *piece, const struct target *target, enum heir heir)
{
	uint64_t heirs = heir_possible(HEIR_IDLE, piece->scene) ? 3 : 2;
	const struct way *way = &piece->way;

	if (heir >= heirs)
		return false;
	if (!piece->plan->most &&
	    (beside_store(way, target->index) || beside_call(way, target->index)))
		return true;
	return (target->index + test_seed()) % heirs == heir;
}

static void play_with(const struct piece *piece, enum heir heir)
{
	struct target batch[BATCH];
	uint32_t moved = 0;
	size_t count = 0;

	for (size_t i = 0; i < piece->targets.count; i++) {
		if (piece->plan->hold_ns || has_heir(piece, &piece->targets.list[i], heir))
			batch[count++] = piece->targets.list[i];
		if (count < BATCH && i + 1 < piece->targets.count)
			continue;
		if (piece->plan->hold_ns)
			stop_batch(piece, batch, count);
		else
			kill_batch(piece, batch, count, heir, &moved);
		count = 0;
	}
}

/* Once, so that what is done only the first time in a process is behind us when it is walked. */
static void rehearse(const struct scene *scene)
{
	struct world *w = &players[0].world;
	struct piece none = { .scene = scene, .way = { 1, &(struct way_point){ 0 } } };
	struct finding f;

	open_ready_player(&players[0], &none, &(struct target){ 0 }, HEIR_TAKES);
	stepper_kill(&w->victim);
	f = world_judge(w, HEIR_TAKES, test_now());
	world_close(w);
	if (f.wrong[0])
		scene_fail("%s", f.wrong);
}

static void play_piece(const struct piece *piece)
{
	if (piece->plan->hold_ns)
		play_with(piece, HEIR_IDLE);
	else
		for (enum heir heir = 0; heir < HEIR_COUNT; heir++)
			play_with(piece, heir);
}

void strike_scene(size_t index, const struct strike_plan *plan)
{
	struct scene scene = scene_at(index);
	struct piece piece = { .scene = &scene, .plan = plan };
	struct resources before;

	if (plan->meanwhile && !scene_has_part(&scene))
		return;
	scene.late = plan->meanwhile && scene.state->peer != PEER_AWAKE;
	players = calloc(BATCH, sizeof(*players));
	for (size_t i = 0; i < BATCH; i++)
		players[i].ledger = shared_alloc(sizeof(struct ledger));
	snprintf(scene_where, sizeof(scene_where), "%s, walking", scene_name(&scene));
	before = resources_begin();
	rehearse(piece.scene);
	piece.way = walk(piece.scene);
	piece.targets = choose(&piece.way, plan);
	play_piece(&piece);
	totals->scenes++;
	totals->instructions += piece.way.count - 1;
	totals->points += piece.targets.count;
	free(piece.targets.list);
	way_free(&piece.way);
	resources_check(&before);
	free(players);
}

static int by_time(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

void strike_report(void)
{
	struct totals *t = totals;

	printf("# %" PRIu64 " scenes, %" PRIu64 " instructions, %" PRIu64 " points, %" PRIu64
	       " strikes, of these %" PRIu64 " in another state, %" PRIu64 " too late\n",
	       t->scenes, t->instructions, t->points, t->strikes, t->strayed, t->passed);
	if (t->notices > 0) {
		qsort(t->notice_ns, t->notices, sizeof(t->notice_ns[0]), by_time);
		printf("# deaths noticed after: median %" PRId64 " us, 99 %% %" PRId64
		       " us, worst %" PRId64 " us\n",
		       t->notice_ns[t->notices / 2] / 1000,
		       t->notice_ns[t->notices * 99 / 100] / 1000,
		       t->notice_ns[t->notices - 1] / 1000);
	}
	fflush(stdout);
}
