/* SPDX-License-Identifier: MIT */
/* Sleeping and waking, between two threads that stand for the two sides of a lane. */
#include "pipe-tools.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/sys.h"
#include "wait/live.h"
#include "wait/park.h"

static struct weir_lane_control control;
static struct parking sleeper, waker;
static struct parking another;	/* of the sleeper's side, in a process that does not own it */
static struct turn turn;
static int line[2];		/* the sleeper reads, the waker's side holds the other */
static uint32_t it;		/* what the sleeper waits for */
static struct resources resources;

static void setup(void)
{
	resources = resources_begin();
	resources.anonymous = false;	/* stacks of threads that have ended */
	memset(&control, 0, sizeof(control));
	turn = (struct turn){ 0 };
	it = 0;
	ck_assert_int_eq(pipe(line), 0);
	sleeper = (struct parking){
		.mine = &control.reader,
		.peer = &control.writer,
		.my_bell = sys_eventfd(),
		.peer_bell = sys_eventfd(),
		.line = line[0],
		.owner = -1,
	};
	another = sleeper;
	waker = (struct parking){
		.mine = &control.writer,
		.peer = &control.reader,
		.my_bell = sleeper.peer_bell,
		.peer_bell = sleeper.my_bell,
		.line = line[0],
		.owner = -1,
	};
	park_init(&sleeper);
	park_init(&waker);
}

static void hang_up(void)
{
	close(line[1]);
	line[1] = -1;
}

static void teardown(void)
{
	sys_fault = NULL;
	close(line[0]);
	if (line[1] >= 0)
		close(line[1]);
	close(sleeper.my_bell);
	close(sleeper.peer_bell);
	resources_check(&resources);
}

static bool has_come(void *arg)
{
	return load_acquire((uint32_t *)arg) != 0;
}

/*
 * A thread that waits for it.
 */

struct waiter {
	pthread_t thread;
	uint32_t flags;
	int64_t deadline;
	bool (*lie_down)(void *arg);
	pid_t tid;
	int result;
};

static void *wait_for_it(void *arg)
{
	struct waiter *w = arg;
	struct park_for what = {
		.look = has_come,
		.lie_down = w->lie_down,
		.arg = &it,
		.turn = &turn,
	};

	store_release(&w->tid, (pid_t)syscall(SYS_gettid));
	errno = 4711;
	w->result = park_wait(&sleeper, &what, w->flags, w->deadline);
	if (errno != 4711)
		w->result = -1000;
	return NULL;
}

/* Have it sleep in @stage; false if the moment was missed, and then it is awake again. */
static bool try_asleep(struct waiter *w, uint32_t stage)
{
	int64_t deadline = soon();

	store_release(&it, 0);
	store_release(&w->tid, 0);
	w->deadline = WEIR_FOREVER;
	ck_assert_int_eq(pthread_create(&w->thread, NULL, wait_for_it, w), 0);
	while (load_acquire(&w->tid) == 0)
		ck_assert(test_now() < deadline);
	if (stage == WAIT_DEEP) {
		while ((load_acquire(&control.reader.wait) & WAIT_STAGE_MASK) != WAIT_DEEP)
			ck_assert(test_now() < deadline);
		ck_assert(child_wait_asleep_in(w->tid, SYS_ppoll));
	}
	if (wait_for_sleeper(w->tid, &control.reader.wait) == stage)
		return true;
	store_release(&it, 1);
	park_notify(&waker, true);
	pthread_join(w->thread, NULL);
	return false;
}

static void put_to_sleep(struct waiter *w, uint32_t stage)
{
	for (int i = 0; i < 100; i++)
		if (try_asleep(w, stage))
			return;
	ck_abort_msg("never seen asleep in stage %u", stage);
}

static int join(struct waiter *w)
{
	ck_assert_int_eq(pthread_join(w->thread, NULL), 0);
	ck_assert_uint_eq(control.reader.wait & WAIT_STAGE_MASK, WAIT_AWAKE);
	return w->result;
}

static const uint32_t stages[] = { WAIT_SHALLOW, WAIT_DEEP };

/*
 * Waiting and not waiting
 */

static int wait_until(int64_t deadline)
{
	struct park_for what = { .look = has_come, .arg = &it, .turn = &turn };

	return park_wait(&sleeper, &what, 0, deadline);
}

START_TEST(no_time_is_eagain)
{
	ck_assert_int_eq(wait_until(0), -EAGAIN);
	ck_assert_int_eq(wait_until(-1), -EAGAIN);
	ck_assert_int_eq(wait_until(INT64_MIN), -EAGAIN);
	/* And nobody was told of a wait. */
	ck_assert_uint_eq(control.reader.wait, 0);
}
END_TEST

START_TEST(deadline_passes_not_early_and_not_much_late)
{
	static const int64_t after[] = { 0, 50 * US, 1 * MS, 25 * MS };
	int64_t late[5];

	ck_assert_int_eq(wait_until(1), -ETIMEDOUT);
	for (size_t k = 0; k < ARRAY_LENGTH(after); k++) {
		for (size_t i = 0; i < ARRAY_LENGTH(late); i++) {
			int64_t deadline = test_now() + after[k];

			ck_assert_int_eq(wait_until(deadline), -ETIMEDOUT);
			late[i] = test_now() - deadline;
			ck_assert_int_ge(late[i], 0);
			ck_assert_int_lt(late[i], 2000 * MS);
		}
		ck_assert_int_lt(median(late, ARRAY_LENGTH(late)), 50 * MS);
	}
}
END_TEST

START_TEST(what_is_there_is_not_waited_for)
{
	it = 1;
	sleeper.may_spin = true;
	ck_assert_int_eq(wait_until(WEIR_FOREVER), 0);
	sleeper.may_spin = false;
	ck_assert_int_eq(wait_until(WEIR_FOREVER), 0);
}
END_TEST

START_TEST(each_wait_has_a_number_of_its_own)
{
	uint32_t before = control.reader.wait;

	for (int i = 0; i < 10; i++) {
		sleeper.spin_ns = 0;
		ck_assert_int_eq(wait_until(test_now() + 100 * US), -ETIMEDOUT);
		ck_assert_uint_eq(control.reader.wait & WAIT_STAGE_MASK, WAIT_AWAKE);
		ck_assert_uint_gt(control.reader.wait, before);
		before = control.reader.wait;
	}
	/* The next owner of the side goes on counting. */
	park_init(&sleeper);
	ck_assert_uint_eq(sleeper.number, before >> WAIT_SHIFT);
}
END_TEST

/*
 * Waking
 */

START_TEST(notify_wakes_in_both_stages)
{
	for (size_t s = 0; s < ARRAY_LENGTH(stages); s++) {
		int64_t times[5];

		for (size_t i = 0; i < ARRAY_LENGTH(times); i++) {
			struct waiter w = { 0 };
			int64_t start;

			put_to_sleep(&w, stages[s]);
			start = test_now();
			store_seq(&it, 1);
			park_notify(&waker, true);
			ck_assert_int_eq(join(&w), 0);
			times[i] = test_now() - start;
		}
		ck_assert_int_lt(median(times, ARRAY_LENGTH(times)), 50 * MS);
	}
}
END_TEST

START_TEST(needless_bell_does_not_end_a_wait)
{
	for (size_t s = 0; s < ARRAY_LENGTH(stages); s++) {
		struct waiter w = { 0 };

		put_to_sleep(&w, stages[s]);
		for (int i = 0; i < 20; i++)
			park_wake_peer(&waker);
		ck_assert(wait_for_sleeper(w.tid, &control.reader.wait) != WAIT_AWAKE);
		store_seq(&it, 1);
		park_wake_peer(&waker);
		ck_assert_int_eq(join(&w), 0);
	}
}
END_TEST

static uint32_t wakes, bells;

static int count_calls(enum sys_call call)
{
	wakes += call == SYS_CALL_FUTEX_WAKE;
	bells += call == SYS_CALL_EVENT_WRITE;
	return 0;
}

START_TEST(nobody_asleep_costs_no_call)
{
	wakes = bells = 0;
	sys_fault = count_calls;
	for (int i = 0; i < 1000; i++)
		park_notify(&waker, i % 2);
	ck_assert_uint_eq(wakes + bells, 0);
}
END_TEST

START_TEST(announcement_is_answered_once_by_the_call_for_its_stage)
{
	wakes = bells = 0;
	sys_fault = count_calls;
	control.reader.wait = 5 << WAIT_SHIFT | WAIT_SHALLOW;
	for (int i = 0; i < 100; i++)
		park_notify(&waker, false);
	ck_assert_uint_eq(wakes, 1);
	ck_assert_uint_eq(bells, 0);
	control.reader.wait = 6 << WAIT_SHIFT | WAIT_DEEP;
	for (int i = 0; i < 100; i++)
		park_notify(&waker, true);
	ck_assert_uint_eq(wakes, 1);
	ck_assert_uint_eq(bells, 1);
	/* That it is awake again is worth no call. */
	control.reader.wait = 6 << WAIT_SHIFT | WAIT_AWAKE;
	park_notify(&waker, false);
	ck_assert_uint_eq(wakes + bells, 2);
}
END_TEST

/*
 * The store that a waiter waits for may become visible after its announcement and look, while the
 * peer, which read the announcement before, does not wake it. Here it shows 30 us late.
 */
static int64_t visible_at;

static bool comes_unannounced(void *arg)
{
	(void)arg;
	if ((control.reader.wait & WAIT_STAGE_MASK) == WAIT_AWAKE)
		return false;
	if (visible_at == 0)
		visible_at = test_now() + 30 * US;
	return test_now() >= visible_at;
}

static bool may_be_missed(void *arg)
{
	(void)arg;
	return true;
}

static int64_t time_of_missed_wake(bool (*lie_down)(void *arg))
{
	struct park_for what = { .look = comes_unannounced, .lie_down = lie_down, .turn = &turn };
	int64_t start = test_now();

	visible_at = 0;
	ck_assert_int_eq(park_wait(&sleeper, &what, WEIR_NOSPIN, WEIR_FOREVER), 0);
	return test_now() - start;
}

START_TEST(missed_wake_is_made_up_for_after_a_short_slice)
{
	int64_t times[9];

	for (size_t i = 0; i < ARRAY_LENGTH(times); i++)
		times[i] = time_of_missed_wake(may_be_missed);
	ck_assert_int_lt(median(times, ARRAY_LENGTH(times)), 10 * MS);
	/* One who relies on fences sleeps on; this shows that the first slice it was. */
	ck_assert_int_ge(time_of_missed_wake(NULL), PARK_SHALLOW_NS / 2);
}
END_TEST

/*
 * A peer that takes over may answer what it finds announced before it has stored anything. The
 * sleeper must notice also where that came at the end of a slice.
 */
static void answer_for_nothing(uint32_t stage, int64_t *ret_took)
{
	struct waiter w = { .lie_down = may_be_missed };
	int64_t start;

	put_to_sleep(&w, stage);
	waker.answered = 0;
	park_notify(&waker, true);
	/* It has looked in vain, and says so. */
	for (int64_t deadline = soon(); load_acquire(&control.reader.wait) == waker.answered;)
		ck_assert(test_now() < deadline);
	start = test_now();
	store_seq(&it, 1);
	park_notify(&waker, true);
	ck_assert_int_eq(join(&w), 0);
	*ret_took = test_now() - start;
}

START_TEST(sleeper_that_was_answered_for_nothing_is_answered_again)
{
	for (size_t s = 0; s < ARRAY_LENGTH(stages); s++) {
		for (int i = 0; i < 50 / LESS; i++) {
			int64_t took;

			answer_for_nothing(stages[s], &took);
			ck_assert_int_lt(took, 1500 * MS);
		}
	}
}
END_TEST

/*
 * Other ends of a wait
 */

static void check_ends_with(int result, void (*act)(struct waiter *w))
{
	for (size_t s = 0; s < ARRAY_LENGTH(stages); s++) {
		struct waiter w = { .flags = WEIR_INTR };

		put_to_sleep(&w, stages[s]);
		act(&w);
		ck_assert_int_eq(join(&w), result);
		teardown();
		setup();
	}
}

static void shut_by_peer(struct waiter *w)
{
	(void)w;
	or_relaxed(&control.writer.events, EVENTS_SHUT);
	park_wake_peer(&waker);
}

static void shut_by_own_side(struct waiter *w)
{
	(void)w;
	or_relaxed(&control.reader.events, EVENTS_SHUT);
	park_wake_own(&another);
}

static void poison_what_is_shut(struct waiter *w)
{
	or_relaxed(&control.reader.events, EVENTS_POISONED);
	shut_by_peer(w);
}

static void close_line(struct waiter *w)
{
	(void)w;
	hang_up();
}

static void close_line_with_notice(struct waiter *w)
{
	(void)w;
	hang_up();
	add_release(&control.writer.events, 1);
	park_wake_peer(&waker);
}

static void close_turn(struct waiter *w)
{
	(void)w;
	store_seq(&turn.closing, 1);
	park_wake_own(&another);
}

static void interrupt(struct waiter *w)
{
	pthread_kill(w->thread, SIGUSR1);
}

/* Without a bell, which the sleeper may just have missed. */
static int shut_while_falling_asleep(enum sys_call call)
{
	if (call == SYS_CALL_FUTEX_WAIT)
		or_relaxed(&control.writer.events, EVENTS_SHUT);
	return 0;
}

START_TEST(shutdown_missed_in_the_first_stage_is_found_before_the_second)
{
	sys_fault = shut_while_falling_asleep;
	ck_assert_int_eq(wait_until(test_now() + 300 * MS), -ESHUTDOWN);
}
END_TEST

static void on_signal(int number)
{
	(void)number;
}

START_TEST(shutdown_ends_a_wait)
{
	check_ends_with(-ESHUTDOWN, shut_by_peer);
	check_ends_with(-ESHUTDOWN, shut_by_own_side);
}
END_TEST

START_TEST(damage_ends_a_wait_and_goes_before_shutdown)
{
	check_ends_with(-EBADMSG, poison_what_is_shut);
}
END_TEST

START_TEST(hang_up_ends_a_wait)
{
	check_ends_with(-EPIPE, close_line);
	check_ends_with(-EPIPE, close_line_with_notice);
}
END_TEST

START_TEST(closing_the_turn_ends_a_wait)
{
	check_ends_with(-ESHUTDOWN, close_turn);
}
END_TEST

START_TEST(signal_ends_the_wait_of_one_who_wants_it)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGUSR1, &action, NULL);
	check_ends_with(-EINTR, interrupt);
}
END_TEST

START_TEST(signal_does_not_end_the_wait_of_others)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct waiter w = { 0 };

	sigaction(SIGUSR1, &action, NULL);
	for (size_t s = 0; s < ARRAY_LENGTH(stages); s++) {
		put_to_sleep(&w, stages[s]);
		for (int i = 0; i < 50; i++)
			pthread_kill(w.thread, SIGUSR1);
		ck_assert(wait_for_sleeper(w.tid, &control.reader.wait) != WAIT_AWAKE);
		store_seq(&it, 1);
		park_notify(&waker, true);
		ck_assert_int_eq(join(&w), 0);
	}
}
END_TEST

START_TEST(what_comes_with_the_end_has_come)
{
	for (size_t s = 0; s < ARRAY_LENGTH(stages); s++) {
		struct waiter w = { 0 };

		put_to_sleep(&w, stages[s]);
		store_seq(&it, 1);
		shut_by_peer(&w);
		ck_assert_int_eq(join(&w), 0);
		teardown();
		setup();
	}
}
END_TEST

static int be_owner(void *arg)
{
	store_release((uint64_t *)arg, live_self());
	for (;;)
		pause();
	return 0;
}

static struct child start_owner(uint64_t *owner)
{
	struct child child = child_start(be_owner, owner);
	int64_t deadline = soon();

	while (load_acquire(owner) == 0)
		ck_assert(test_now() < deadline);
	control.writer.owner = *owner;
	return child;
}

/* It stores, and dies before it wakes; others hold the line. */
START_TEST(death_of_the_peers_owner_wakes_a_deep_sleeper)
{
	uint64_t *owner = shared_alloc(sizeof(*owner));
	struct child child = start_owner(owner);
	struct waiter w = { 0 };

	put_to_sleep(&w, WAIT_DEEP);
	store_seq(&it, 1);
	child_kill(&child);
	ck_assert_int_eq(join(&w), 0);
}
END_TEST

START_TEST(death_of_the_peers_owner_alone_ends_no_wait)
{
	uint64_t *owner = shared_alloc(sizeof(*owner));
	struct child child = start_owner(owner);
	struct waiter w = { 0 };

	put_to_sleep(&w, WAIT_DEEP);
	child_kill(&child);
	ck_assert(child_wait_asleep_in(w.tid, SYS_ppoll));
	store_seq(&it, 1);
	park_notify(&waker, true);
	ck_assert_int_eq(join(&w), 0);
}
END_TEST

START_TEST(owners_that_are_none_are_not_watched)
{
	static const uint64_t owners[] = { 0, 1, UINT64_MAX, UINT64_C(0x7fffffff) << 32 };

	for (size_t i = 0; i < ARRAY_LENGTH(owners); i++) {
		control.writer.owner = owners[i];
		ck_assert_int_eq(wait_until(test_now() + 25 * MS), -ETIMEDOUT);
		ck_assert_int_eq(sleeper.owner, -1);
	}
}
END_TEST

/*
 * Looking without waiting
 */

START_TEST(check_finds_nothing_where_nothing_is)
{
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(park_check(&sleeper, PARK_LINE_CALLS), 0);
	ck_assert(!park_disturbed(&sleeper));
	ck_assert(!park_ended(&sleeper));
}
END_TEST

START_TEST(close_that_was_counted_is_found_at_once)
{
	ck_assert_int_eq(park_check(&sleeper, PARK_LINE_CALLS), 0);
	hang_up();
	add_release(&control.writer.events, 1);
	ck_assert(park_disturbed(&sleeper));
	ck_assert_int_eq(park_check(&sleeper, PARK_LINE_CALLS), -EPIPE);
	ck_assert_int_eq(park_check(&sleeper, PARK_LINE_CALLS), -EPIPE);
}
END_TEST

START_TEST(close_of_a_copy_is_no_hang_up)
{
	add_release(&control.writer.events, 1);
	ck_assert(park_disturbed(&sleeper));
	ck_assert_int_eq(park_check(&sleeper, PARK_LINE_CALLS), 0);
	ck_assert(!park_disturbed(&sleeper));
}
END_TEST

START_TEST(hang_up_without_notice_is_found_after_a_while)
{
	int64_t start, deadline = soon();

	ck_assert_int_eq(park_check(&sleeper, PARK_LINE_CALLS), 0);
	hang_up();
	start = test_now();
	while (park_check(&sleeper, PARK_LINE_CALLS) == 0)
		ck_assert(test_now() < deadline);
	ck_assert_int_lt(test_now() - start, 2000 * MS);
	/* One who calls rarely is always told. */
	sleeper.hung_up = false;
	sleeper.line_pace.due = 0;
	sleeper.line_pace.skip = 0;
	ck_assert_int_eq(park_check(&sleeper, PARK_LINE_CALLS), -EPIPE);
}
END_TEST

START_TEST(ends_of_both_sides_are_found)
{
	control.writer.events = EVENTS_SHUT;
	ck_assert_int_eq(park_check(&sleeper, 0), -ESHUTDOWN);
	ck_assert_int_eq(park_check(&waker, 0), -ESHUTDOWN);
	ck_assert(park_ended(&sleeper) && park_disturbed(&sleeper) && park_disturbed(&waker));
	ck_assert_int_eq(wait_until(0), -ESHUTDOWN);
	ck_assert_int_eq(wait_until(WEIR_FOREVER), -ESHUTDOWN);
	control.reader.events = EVENTS_POISONED;
	ck_assert_int_eq(park_check(&sleeper, 0), -EBADMSG);
	ck_assert_int_eq(park_check(&waker, 0), -EBADMSG);
	ck_assert_int_eq(wait_until(WEIR_FOREVER), -EBADMSG);
}
END_TEST

static TCase *add(Suite *suite, const char *name)
{
	TCase *tcase = tcase_create(name);

	tcase_add_checked_fixture(tcase, setup, teardown);
	suite_add_tcase(suite, tcase);
	return tcase;
}

static void add_ends(Suite *suite)
{
	TCase *ends = add(suite, "ends");

	tcase_add_test(ends, shutdown_ends_a_wait);
	tcase_add_test(ends, shutdown_missed_in_the_first_stage_is_found_before_the_second);
	tcase_add_test(ends, damage_ends_a_wait_and_goes_before_shutdown);
	tcase_add_test(ends, hang_up_ends_a_wait);
	tcase_add_test(ends, closing_the_turn_ends_a_wait);
	tcase_add_test(ends, signal_ends_the_wait_of_one_who_wants_it);
	tcase_add_test(ends, signal_does_not_end_the_wait_of_others);
	tcase_add_test(ends, what_comes_with_the_end_has_come);
	tcase_add_test(ends, death_of_the_peers_owner_wakes_a_deep_sleeper);
	tcase_add_test(ends, death_of_the_peers_owner_alone_ends_no_wait);
	tcase_add_test(ends, owners_that_are_none_are_not_watched);
}

int main(void)
{
	Suite *suite = suite_create("park");
	TCase *waiting = add(suite, "waiting");
	TCase *waking = add(suite, "waking");
	TCase *looking;

	tcase_add_test(waiting, no_time_is_eagain);
	tcase_add_test(waiting, deadline_passes_not_early_and_not_much_late);
	tcase_add_test(waiting, what_is_there_is_not_waited_for);
	tcase_add_test(waiting, each_wait_has_a_number_of_its_own);

	tcase_add_test(waking, notify_wakes_in_both_stages);
	tcase_add_test(waking, needless_bell_does_not_end_a_wait);
	tcase_add_test(waking, sleeper_that_was_answered_for_nothing_is_answered_again);
	tcase_add_test(waking, nobody_asleep_costs_no_call);
	tcase_add_test(waking, announcement_is_answered_once_by_the_call_for_its_stage);
	tcase_add_test(waking, missed_wake_is_made_up_for_after_a_short_slice);

	add_ends(suite);

	looking = add(suite, "looking");
	tcase_add_test(looking, check_finds_nothing_where_nothing_is);
	tcase_add_test(looking, close_that_was_counted_is_found_at_once);
	tcase_add_test(looking, close_of_a_copy_is_no_hang_up);
	tcase_add_test(looking, hang_up_without_notice_is_found_after_a_while);
	tcase_add_test(looking, ends_of_both_sides_are_found);
	return test_main(suite);
}
