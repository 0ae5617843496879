/* SPDX-License-Identifier: MIT */
/*
 * A process killed, or stopped, in the middle of a call, while a wait set is armed for what the
 * call brings, or arms meanwhile: the set, which sleeps until it is told where that was promised,
 * and looks every 4 ms where it was not, finds all that there is to be found. Before some of the
 * instructions.
 */
#include "source-tools.h"

#include "base/cc.h"

/*
 * Of the instructions, one in so many. Between the signal and that it is taken back are few: of a
 * put more are tried.
 */
#define STRIDE	61
#define FINE	9
/* Far more than any of them takes. */
#define STEPS_MAX	60000
#define RUN_ON	300
#define LOOKS_MAX	1000
/* Of those who clean up, after they have looked through a frame. */
#define LAST		500

static struct weir_queue *queue;
static struct waiter waiter;

static void make(uint64_t max_items, uint32_t flags, uint32_t events)
{
	const struct weir_queue_options o = {
		.size = sizeof(o),
		.flags = flags,
		.max_items = max_items,
	};

	ck_assert_int_eq(weir_queue(&queue, &o), 0);
	ck_assert_int_eq(waiter_open(&waiter, queue, events), 0);
	while (waiter_nap(&waiter) == 1)
		;
}

static void setup(void)
{
	make(0, 0, WEIR_IN);
}

static void setup_room(void)
{
	make(1, 0, WEIR_OUT);
}

static void setup_drop(void)
{
	make(1, WEIR_QUEUE_DROP, WEIR_IN);
}

static void teardown(void)
{
	waiter_close(&waiter);
	weir_queue_close(queue);
}

static int put(void)
{
	return weir_queue_put(queue, "x", 1, 0, 0);
}

static int get(void)
{
	char byte;

	return weir_queue_get(queue, &byte, 1, 0, 0, NULL);
}

/* All that is there, also what the dead have. */
static void drain(void)
{
	queue_mend_all(queue);
	while (get() == 0)
		;
	waiter_edge(&waiter, 0);
}

/* The set, asleep as it is: whether it wakes up and finds something. */
static bool finds(uint64_t at)
{
	for (int i = 0; i < LOOKS_MAX; i++) {
		int ready;

		if (!waiter_edge(&waiter, waiter.armed == 1 ? WAITER_LOOK_MS : 0) &&
		    waiter.armed == 0)
			return false;
		ready = waiter_look(&waiter);
		ck_assert_msg(ready >= 0, "%d at %d", ready, (int)at);
		if (ready > 0)
			return true;
	}
	ck_abort_msg("looks for ever, at %d", (int)at);
	return false;
}

/* If it sleeps for good, there is nothing, and nobody who has died has anything. */
static void expect_nothing_is_missed(uint64_t at)
{
	if (finds(at))
		return;
	queue_mend_all(queue);
	if (waiter.events == WEIR_IN)
		ck_assert_msg(get() == -EAGAIN, "a message is missed, at %d", (int)at);
	else
		ck_assert_msg(put() == -EAGAIN, "room is missed, at %d", (int)at);
}

/* The next is seen whatever has happened. */
static void expect_next_is_seen(uint64_t at)
{
	drain();
	if (waiter.events == WEIR_OUT) {
		ck_assert_int_eq(put(), 0);
		waiter_edge(&waiter, 0);
	}
	ck_assert_int_eq(waiter_look(&waiter), 0);
	ck_assert_int_eq(waiter.armed, 0);
	ck_assert_int_eq(waiter.events == WEIR_IN ? put() : get(), 0);
	ck_assert_msg(waiter_edge(&waiter, 0), "the next has no edge, at %d", (int)at);
	ck_assert_int_gt(waiter_look(&waiter), 0);
	drain();
}

/*
 * What is stepped; with a seat, and all that the first call needs
 */

static int put_once(void *arg)
{
	(void)arg;
	child_check(put() == 0);
	child_check(get() == 0);
	stepper_mark_begin();
	child_check(put() == 0);
	stepper_mark_end();
	return 0;
}

static int get_once(void *arg)
{
	(void)arg;
	child_check(put() == 0);
	child_check(get() == 0);
	stepper_mark_begin();
	get();
	stepper_mark_end();
	return 0;
}

static int take_and_return(void *arg)
{
	struct weir_taken taken;

	(void)arg;
	child_check(put() == 0);
	child_check(get() == 0);
	stepper_mark_begin();
	if (weir_queue_take(queue, 0, 0, &taken) == 0)
		child_check(weir_queue_return(queue, &taken) == 0);
	stepper_mark_end();
	return 0;
}

static int take_and_release(void *arg)
{
	struct weir_taken taken;

	(void)arg;
	child_check(put() == 0);
	child_check(get() == 0);
	stepper_mark_begin();
	if (weir_queue_take(queue, 0, 0, &taken) == 0)
		child_check(weir_queue_release(queue, &taken) == 0);
	stepper_mark_end();
	return 0;
}

static int shut_down(void *arg)
{
	(void)arg;
	child_check(put() == 0);
	child_check(get() == 0);
	stepper_mark_begin();
	child_check(weir_queue_shutdown(queue, 0) == 0);
	stepper_mark_end();
	return 0;
}

static int poison(void *arg)
{
	struct queue_seat *s;

	(void)arg;
	child_check(put() == 0);
	child_check(get() == 0);
	stepper_mark_begin();
	child_check(queue_sit(queue, &s) == 0);
	queue_poison(queue);
	queue_rise(s);
	stepper_mark_end();
	return 0;
}

static uint32_t *dead;	/* shared: the seat of one who has died */

static int mend(void *arg)
{
	(void)arg;
	child_check(put() == 0);
	child_check(get() == 0);
	stepper_mark_begin();
	queue_mend(queue, *dead);
	stepper_mark_end();
	return 0;
}

static int take_and_die(void *arg)
{
	struct weir_taken taken;
	struct queue_seat *s;

	(void)arg;
	child_check(weir_queue_take(queue, 0, 0, &taken) == 0);
	child_check(queue_sit(queue, &s) == 0);
	*dead = s->name;
	/* Only the lease: a frame less to look through. */
	store_relaxed(&s->shared->taking, 0);
	queue_rise(s);
	return 0;
}

typedef int stepped_fn(void *arg);

struct scene {
	stepped_fn *fn;
	bool item;		/* there is a message before; for room there is always one */
	bool death;		/* and somebody has taken it, and died */
	bool fine;
};

static const struct scene scenes[] = {
	{ .fn = put_once, .fine = true },
	{ .fn = get_once, .item = true },
	{ .fn = take_and_return, .item = true },
};
#define SCENES ((int)(sizeof(scenes) / sizeof(scenes[0])))

static const struct scene mending = { .fn = mend, .item = true, .death = true };

static const struct scene room_scenes[] = {
	{ .fn = get_once, .item = true },
	{ .fn = take_and_release, .item = true },
};
#define ROOM_SCENES ((int)(sizeof(room_scenes) / sizeof(room_scenes[0])))

static const struct scene ends[] = {
	{ .fn = shut_down },
	{ .fn = poison },
};
#define ENDS ((int)(sizeof(ends) / sizeof(ends[0])))

static void start(struct stepper *stepper, const struct scene *scene)
{
	*stepper = stepper_start(scene->fn, NULL);
	ck_assert(stepper_run_to_begin(stepper));
	drain();
	if (scene->item)
		ck_assert_int_eq(put(), 0);
	if (scene->death) {
		struct child child = child_start(take_and_die, NULL);

		child_join_ok(&child);
	}
	waiter_edge(&waiter, 0);
}

static uint64_t stride(const struct scene *scene)
{
	return scene->fine ? FINE : STRIDE;
}

/* Arm: false if it is ready already. */
static bool falls_asleep(void)
{
	int ready = waiter_look(&waiter);

	ck_assert_int_ge(ready, 0);
	return ready == 0;
}

/*
 * Killed
 */

/* Armed before: nobody is inside, so it sleeps until it is told. */
static void kill_one_in(const struct scene *scene, uint64_t n, bool *more)
{
	struct stepper stepper;
	bool asleep;

	ck_assert_uint_lt(n, STEPS_MAX);
	start(&stepper, scene);
	asleep = falls_asleep();
	if (asleep && !scene->death)
		ck_assert_int_eq(waiter.armed, 0);
	*more = stepper_steps(&stepper, n) != STEP_END;
	stepper_kill(&stepper);
	if (asleep)
		expect_nothing_is_missed(n);
}

/* Armed while it is in there, which goes on for a little, or stays, before it is killed. */
static void kill_one_who_is_in(const struct scene *scene, uint64_t n, bool *more)
{
	struct stepper stepper;

	ck_assert_uint_lt(n, STEPS_MAX);
	start(&stepper, scene);
	*more = stepper_steps(&stepper, n) != STEP_END;
	if (falls_asleep()) {
		if (*more)
			stepper_steps(&stepper, n % 2 ? test_random_below(RUN_ON) : 0);
		stepper_kill(&stepper);
		expect_nothing_is_missed(n);
	} else {
		stepper_kill(&stepper);
	}
}

/* Armed again as soon as it has been told of what is not there yet. */
static void kill_one_who_has_told(const struct scene *scene, uint64_t n, bool *more)
{
	struct stepper stepper;
	bool asleep;

	ck_assert_uint_lt(n, STEPS_MAX);
	start(&stepper, scene);
	asleep = falls_asleep();
	*more = stepper_steps(&stepper, n) != STEP_END;
	if (asleep && waiter_edge(&waiter, 0))
		asleep = falls_asleep();
	if (asleep && *more)
		stepper_steps(&stepper, test_random_below(RUN_ON));
	stepper_kill(&stepper);
	if (asleep)
		expect_nothing_is_missed(n);
}

typedef void kill_fn(const struct scene *scene, uint64_t n, bool *more);

static void kill_everywhere(kill_fn *fn, const struct scene *scene)
{
	bool more = true;

	for (uint64_t n = test_random_below(stride(scene)); more; n += stride(scene)) {
		fn(scene, n, &more);
		expect_next_is_seen(n);
	}
}

/* Of the many instructions that look through a frame any will do; the last are what matters. */
static void kill_here_and_there(kill_fn *fn, const struct scene *scene)
{
	struct stepper stepper;
	uint64_t total;
	bool more;

	dead = shared_alloc(sizeof(*dead));
	start(&stepper, scene);
	ck_assert_int_eq(stepper_steps(&stepper, STEPS_MAX), STEP_END);
	total = stepper.steps;
	stepper_kill(&stepper);
	expect_next_is_seen(total);
	for (int i = 0; i < 4; i++) {
		uint64_t n = i < 1 ? test_random_below(total) : total - test_random_below(LAST);

		fn(scene, n, &more);
		expect_next_is_seen(n);
	}
}

START_TEST(message_is_not_missed_if_who_is_in_there_is_killed)
{
	kill_everywhere(kill_one_in, &scenes[_i]);
}
END_TEST

START_TEST(message_is_not_missed_by_one_who_arms_meanwhile)
{
	kill_everywhere(kill_one_who_is_in, &scenes[_i]);
}
END_TEST

START_TEST(message_is_not_missed_by_one_who_looks_too_early)
{
	kill_everywhere(kill_one_who_has_told, &scenes[_i]);
}
END_TEST

START_TEST(message_that_is_given_back_is_not_missed_if_who_does_it_is_killed)
{
	kill_here_and_there(_i ? kill_one_who_is_in : kill_one_in, &mending);
}
END_TEST

START_TEST(room_is_not_missed_if_who_is_in_there_is_killed)
{
	kill_everywhere(kill_one_in, &room_scenes[_i]);
}
END_TEST

START_TEST(room_is_not_missed_by_one_who_arms_meanwhile)
{
	kill_everywhere(kill_one_who_is_in, &room_scenes[_i]);
}
END_TEST

static void kill_at_the_end(kill_fn *fn, const struct scene *scene)
{
	bool more = true;

	for (uint64_t n = test_random_below(stride(scene)); more; n += stride(scene)) {
		fn(scene, n, &more);
		teardown();
		setup();
	}
}

START_TEST(end_is_not_missed)
{
	kill_at_the_end(kill_one_in, &ends[_i]);
	kill_at_the_end(kill_one_who_is_in, &ends[_i]);
}
END_TEST

/*
 * Stopped
 */

/* For as long as it is stopped, and when it goes on. */
START_TEST(message_of_a_slow_one_is_not_missed)
{
	const struct scene *scene = &scenes[0];
	bool more = true;

	for (uint64_t n = test_random_below(FINE); more; n += FINE) {
		struct stepper stepper;
		struct child child;
		bool asleep;

		ck_assert_uint_lt(n, STEPS_MAX);
		start(&stepper, scene);
		if (n % 2)
			ck_assert(falls_asleep());
		more = stepper_steps(&stepper, n) != STEP_END;
		asleep = n % 2 ? !waiter_edge(&waiter, 0) || falls_asleep() : falls_asleep();
		if (weir_queue_size(queue) > 0 && asleep) {
			ck_assert_msg(finds(n), "of one who is stopped, at %d", (int)n);
			asleep = false;
		}
		child = stepper_release(&stepper);
		child_join_ok(&child);
		/* Told, and not only because it looks now and then. */
		if (asleep)
			ck_assert_msg(waiter_edge(&waiter, 0) && !falls_asleep(),
				      "of one who goes on, at %d", (int)n);
		expect_next_is_seen(n);
	}
}
END_TEST

/* Who has begun to signal does not keep others from it. */
START_TEST(message_of_another_is_not_missed)
{
	const struct scene *scene = &scenes[0];
	bool more = true;

	for (uint64_t n = test_random_below(FINE); more; n += FINE) {
		struct stepper stepper;

		ck_assert_uint_lt(n, STEPS_MAX);
		start(&stepper, scene);
		ck_assert(falls_asleep());
		more = stepper_steps(&stepper, n) != STEP_END;
		ck_assert_int_eq(put(), 0);
		if (n % 2)
			stepper_kill(&stepper);
		ck_assert_msg(finds(n), "at %d", (int)n);
		if (n % 2 == 0)
			stepper_kill(&stepper);
		expect_next_is_seen(n);
	}
}
END_TEST

/*
 * Between two steps of the one who arms
 */

struct armer {
	int result;
	uint32_t ready;
};

static struct armer *armer;	/* shared */

static int arm_once(void *arg)
{
	struct queue_seat *s;
	uint32_t ready = 0;

	(void)arg;
	child_check(put() == 0);
	child_check(get() == 0);
	child_check(queue_sit(queue, &s) == 0);
	/* It has just looked after the dead. */
	s->looked_at = soon();
	queue_rise(s);
	stepper_mark_begin();
	armer->result = queue_source_arm(queue, WEIR_IN, &ready);
	armer->ready = ready;
	stepper_mark_end();
	return 0;
}

static void start_armer(struct stepper *stepper)
{
	const struct scene scene = { .fn = arm_once };

	armer = shared_alloc(sizeof(*armer));
	start(stepper, &scene);
}

/* It arms; if it sleeps until it is told then, and is not, there is nothing. */
static void finish_armer(struct stepper *stepper, uint64_t at)
{
	struct child child = stepper_release(stepper);

	child_join_ok(&child);
	if (!waiter_edge(&waiter, 0) && armer->result == 0 && armer->ready == 0) {
		queue_mend_all(queue);
		ck_assert_msg(get() == -EAGAIN, "missed while it arms, at %d", (int)at);
	}
	expect_next_is_seen(at);
}

/* A message is put, and a little later somebody takes it, and is killed or not. */
START_TEST(message_that_passes_by_is_not_missed)
{
	const struct scene scene = { .fn = get_once };
	bool more = true;

	for (uint64_t n = test_random_below(FINE); more; n += FINE) {
		struct stepper stepper, getter;

		ck_assert_uint_lt(n, STEPS_MAX);
		start(&getter, &scene);
		start_armer(&stepper);
		more = stepper_steps(&stepper, n) != STEP_END;
		ck_assert_int_eq(put(), 0);
		if (more)
			stepper_steps(&stepper, test_random_below(RUN_ON / 2));
		stepper_steps(&getter, test_random_below(RUN_ON));
		stepper_kill(&getter);
		finish_armer(&stepper, n);
	}
}
END_TEST

/* As queue_empty_seat() does, up to where the cleaner dies: nobody is told. */
static void clean_up_silently(uint32_t name)
{
	struct store *store = &queue->store;
	struct weir_seat *seat = store_seat(store, name);
	struct pair was = { load_relaxed(&seat->name.low), load_relaxed(&seat->name.high) };
	struct pair free = { (was.low & ~(PARTY_GENERATION_ONE - 1)) + PARTY_GENERATION_ONE, 0 };

	for (uint32_t i = 0; i < store_frame_top(store); i++)
		tape_requeue_frame(store, i, name, was.low);
	add_seq(&store->control->notice, NOTICE_REQUEUED);
	ck_assert(cas_pair(&seat->name, &was, free));
}

START_TEST(message_that_is_given_back_is_not_missed_if_nobody_tells)
{
	bool more = true;

	dead = shared_alloc(sizeof(*dead));
	for (uint64_t n = test_random_below(FINE); more; n += FINE) {
		struct stepper stepper;
		struct child child;

		ck_assert_uint_lt(n, STEPS_MAX);
		start_armer(&stepper);
		ck_assert_int_eq(put(), 0);
		child = child_start(take_and_die, NULL);
		child_join_ok(&child);
		waiter_edge(&waiter, 0);
		more = stepper_steps(&stepper, n) != STEP_END;
		if (load_relaxed(&store_seat(&queue->store, *dead)->leases) > 0 && more)
			clean_up_silently(*dead);
		finish_armer(&stepper, n);
	}
}
END_TEST

/* One who drops the oldest says that it makes room, and then that it brings a message. */
START_TEST(message_that_takes_the_place_of_another_is_not_missed)
{
	const struct scene scene = { .fn = put_once, .item = true };
	bool more = true;

	for (uint64_t n = test_random_below(STRIDE); more; n += STRIDE) {
		struct stepper stepper;

		ck_assert_uint_lt(n, STEPS_MAX);
		start(&stepper, &scene);
		more = stepper_steps(&stepper, n) != STEP_END;
		/* What it is about to drop may be gone. */
		while (get() == 0)
			;
		if (falls_asleep()) {
			if (more)
				stepper_steps(&stepper, test_random_below(RUN_ON));
			stepper_kill(&stepper);
			expect_nothing_is_missed(n);
		} else {
			stepper_kill(&stepper);
		}
		expect_next_is_seen(n);
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("queue-source");
	TCase *in = tcase_create("messages"), *out = tcase_create("room");
	TCase *drop = tcase_create("drop");

	tcase_add_checked_fixture(in, setup, teardown);
	tcase_add_loop_test(in, message_is_not_missed_if_who_is_in_there_is_killed, 0, SCENES);
	tcase_add_loop_test(in, message_is_not_missed_by_one_who_arms_meanwhile, 0, SCENES);
	tcase_add_loop_test(in, message_is_not_missed_by_one_who_looks_too_early, 0, SCENES);
	tcase_add_loop_test(
		in, message_that_is_given_back_is_not_missed_if_who_does_it_is_killed, 0, 2);
	tcase_add_loop_test(in, end_is_not_missed, 0, ENDS);
	tcase_add_test(in, message_of_a_slow_one_is_not_missed);
	tcase_add_test(in, message_of_another_is_not_missed);
	tcase_add_test(in, message_that_passes_by_is_not_missed);
	tcase_add_test(in, message_that_is_given_back_is_not_missed_if_nobody_tells);
	suite_add_tcase(s, in);
	tcase_add_checked_fixture(out, setup_room, teardown);
	tcase_add_loop_test(out, room_is_not_missed_if_who_is_in_there_is_killed, 0, ROOM_SCENES);
	tcase_add_loop_test(out, room_is_not_missed_by_one_who_arms_meanwhile, 0, ROOM_SCENES);
	suite_add_tcase(s, out);
	tcase_add_checked_fixture(drop, setup_drop, teardown);
	tcase_add_test(drop, message_that_takes_the_place_of_another_is_not_missed);
	suite_add_tcase(s, drop);
	return s;
}

int main(void)
{
	const char *unavailable = stepper_unavailable();

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	unavailable = "a sanitizer makes ten times as many instructions";
#endif
	if (unavailable)
		test_skip_all(unavailable);
	return test_main(suite());
}
