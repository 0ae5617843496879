/* SPDX-License-Identifier: MIT */
/*
 * How soon a death is repaired when all who are left are asleep, or busy: a taker's with a message,
 * a writer's between the commit and the wake, a sleeper's that was woken, those of the watch.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "pipe-tools.h"
#include "queue-tools.h"

#define ROUNDS		5
#define AT_BEST		(10 * MS)
#define AT_WORST	(1000 * MS)
#define GETTERS		3

struct stage {
	uint32_t ready;
	uint32_t got;
	int64_t when;		/* the last one was */
	uint32_t times;
};

static struct weir_queue *queue;
static struct stage *stage;
static int64_t best, worst;

static void setup(void)
{
	queue = queue_new(0, UINT64_C(4) << 20, 0);
	ck_assert_ptr_nonnull(queue);
	stage = shared_alloc(sizeof(*stage));
	best = INT64_MAX;
	worst = 0;
}

static void teardown(void)
{
	weir_queue_close(queue);
}

static void note(int64_t ns)
{
	best = ns < best ? ns : best;
	worst = ns > worst ? ns : worst;
}

static void judge(const char *what)
{
	printf("# %s: repaired after %lld us at best, %lld at worst\n", what,
	       (long long)(best / US), (long long)(worst / US));
	fflush(stdout);
	ck_assert_int_lt(best, AT_BEST);
	ck_assert_int_lt(worst, AT_WORST);
}

static bool wait_for(const uint32_t *word, uint32_t value)
{
	int64_t until = soon();

	while (load_acquire(word) < value) {
		if (test_now() > until)
			return false;
		sched_yield();
	}
	return true;
}

/* Who sleeps for one message. */
static int get_one(void *arg)
{
	struct weir_taken t;

	(void)arg;
	child_check(weir_queue_take(queue, WEIR_NOSPIN, soon(), &t) == 0);
	stage->times = t.times;
	stage->when = test_now();
	add_release(&stage->got, 1);
	child_check(weir_queue_release(queue, &t) == 0);
	return 0;
}

static struct child sleeper(void)
{
	struct child child = child_start(get_one, NULL);

	ck_assert(child_wait_asleep_in(child.pid, SYS_futex));
	return child;
}

static bool is_deep(void)
{
	return load_acquire(&queue->store.control->notice) & NOTICE_DEEP;
}

static void wait_deep(void)
{
	int64_t until = soon();

	while (!is_deep() && test_now() < until)
		usleep(10000);
	ck_assert(is_deep());
}

static int64_t killed(struct child *child)
{
	int64_t died = test_now();

	child_kill(child);
	return died;
}

static void wait_got(uint32_t count, int64_t died)
{
	ck_assert(wait_for(&stage->got, count));
	note(stage->when > died ? stage->when - died : 0);
}

/*
 * A taker
 */

static int take_and_wait(void *arg)
{
	struct weir_taken t;

	(void)arg;
	child_check(weir_queue_put(queue, "a", 1, 0, 0) == 0);
	child_check(weir_queue_take(queue, 0, 0, &t) == 0);
	store_release(&stage->ready, 1);
	pause();
	return 0;
}

static struct child taker(void)
{
	struct child child;

	store_relaxed(&stage->ready, 0);
	child = child_start(take_and_wait, NULL);
	ck_assert(wait_for(&stage->ready, 1));
	return child;
}

static void one_taker_dies(uint32_t round, bool late)
{
	struct child t = taker(), s = sleeper();

	if (late)
		usleep(1300000);
	wait_got(round + 1, killed(&t));
	ck_assert_uint_eq(stage->times, 1);
	child_join_ok(&s);
}

START_TEST(taker_dies_and_a_sleeper_is_given_the_message)
{
	for (uint32_t i = 0; i < ROUNDS; i++)
		one_taker_dies(i, false);
	judge("a taker");
}
END_TEST

START_TEST(taker_dies_after_long_and_a_sleeper_is_given_the_message)
{
	one_taker_dies(0, true);
	judge("a taker, after 1.3 s");
}
END_TEST

/*
 * A writer between the commit and the wake
 */

static int commit_and_die(void *arg)
{
	struct queue_seat *s;
	uint64_t body;
	uint8_t *bytes;

	(void)arg;
	child_check(queue_sit(queue, &s) == 0);
	child_check(chunk_room(&s->tape, &s->purse, 1, &bytes, &body) == 0);
	*bytes = 'w';
	child_check(tape_put(&s->tape, SLOT_FULL, body, false) == 0);
	stage->when = test_now();
	kill(getpid(), SIGKILL);
	return 0;
}

static void one_writer_dies(uint32_t round, bool deep)
{
	struct child s = sleeper(), w;
	int64_t before;

	if (deep)
		wait_deep();
	before = test_now();
	w = child_start(commit_and_die, NULL);
	child_join(&w);
	wait_got(round + 1, before);
	child_join_ok(&s);
	queue_mend_all(queue);
}

START_TEST(writer_dies_before_the_wake_and_a_sleeper_finds_the_message)
{
	for (uint32_t i = 0; i < ROUNDS; i++)
		one_writer_dies(i, false);
	judge("a writer that had not woken");
}
END_TEST

START_TEST(writer_dies_before_the_wake_of_a_deep_sleeper)
{
	one_writer_dies(0, true);
	judge("a writer that had not woken, deep");
}
END_TEST

/*
 * Sleepers
 */

/* One is woken, and dies before it looks. */
static void wake_the_dead(void)
{
	uint32_t *bell = &queue->store.control->reader_bell, was = load_acquire(bell);

	ck_assert_uint_eq(was & BELL_STATE, BELL_ASLEEP);
	ck_assert(cas_seq(bell, &was, ((was & ~BELL_STATE) + BELL_ONE) | BELL_RUNG));
}

static void one_woken_dies(uint32_t round, bool deep)
{
	struct child a = sleeper(), b = sleeper();
	int64_t before;

	if (deep)
		wait_deep();
	child_kill(&a);
	wake_the_dead();
	before = test_now();
	ck_assert_int_eq(weir_queue_put(queue, "a", 1, 0, 0), 0);
	wait_got(round + 1, before);
	child_join_ok(&b);
	/* The next round begins with a watch that nobody dead holds. */
	queue_mend_all(queue);
}

START_TEST(woken_sleeper_dies_and_another_is_given_the_message)
{
	for (uint32_t i = 0; i < ROUNDS; i++)
		one_woken_dies(i, false);
	judge("a sleeper that was woken");
}
END_TEST

START_TEST(woken_deep_sleeper_dies_and_another_is_given_the_message)
{
	one_woken_dies(0, true);
	judge("a sleeper that was woken, deep");
}
END_TEST

START_TEST(both_who_watch_die_and_a_third_takes_over)
{
	struct child t = taker(), a = sleeper(), b = sleeper(), c = sleeper();

	child_kill(&a);
	child_kill(&b);
	best = 0;
	wait_got(1, killed(&t));
	child_join_ok(&c);
	judge("a taker, when nobody watches");
}
END_TEST

/*
 * What the dead leave does not disturb
 */

static int die_inside(void *arg)
{
	struct queue_seat *s;

	(void)arg;
	child_check(queue_sit(queue, &s) == 0);
	kill(getpid(), SIGKILL);
	return 0;
}

START_TEST(seat_of_one_who_died_inside_keeps_nobody_from_sleeping_deep)
{
	struct child dead = child_start(die_inside, NULL), s;

	child_join(&dead);
	s = sleeper();
	wait_deep();
	ck_assert_int_eq(weir_queue_put(queue, "a", 1, 0, 0), 0);
	child_join_ok(&s);
}
END_TEST

/*
 * Those who are never asleep for long
 */

static int put_now_and_then(void *arg)
{
	(void)arg;
	for (;;) {
		child_check(weir_queue_put(queue, "s", 1, 0, 0) == 0);
		usleep(1000);
	}
	return 0;
}

static void check_is_given_back(uint32_t flags, int64_t wait)
{
	struct child t = taker();
	int64_t died = killed(&t), until = soon();
	uint32_t times = 0;

	while (times == 0 && test_now() < until) {
		struct weir_taken taken;

		if (weir_queue_take(queue, flags, wait ? test_now() + wait : 0, &taken) != 0)
			continue;
		times = taken.times;
		ck_assert_int_eq(weir_queue_release(queue, &taken), 0);
	}
	note(test_now() - died);
	ck_assert_uint_eq(times, 1);
}

START_TEST(taker_dies_while_others_are_woken_all_the_time)
{
	struct child writer = child_start(put_now_and_then, NULL);

	for (uint32_t i = 0; i < ROUNDS; i++)
		check_is_given_back(WEIR_NOSPIN, 1000 * MS);
	child_kill(&writer);
	judge("a taker, in a stream");
}
END_TEST

START_TEST(getter_that_only_polls_is_given_it_too)
{
	struct child t = taker();
	int64_t died = killed(&t), until = soon();
	char byte = 0;

	while (weir_queue_get(queue, &byte, 1, 0, 0, NULL) != 0 && test_now() < until)
		;
	note(test_now() - died);
	ck_assert_int_eq(byte, 'a');
	best = 0;
	judge("a taker, by one who polls");
}
END_TEST

/*
 * Who is who
 */

START_TEST(number_of_a_process_that_is_used_again_is_not_the_dead_one)
{
	struct child t = taker(), other = child_start(put_now_and_then, NULL);
	struct weir_seat *seat = store_seat(&queue->store, 1);
	uint64_t name;

	child_kill(&t);
	/* As if the kernel had given the dead one's number to another. */
	name = (uint64_t)(uint32_t)other.pid << 32 | (uint32_t)seat->name.high;
	store_release(&seat->name.high, name);
	ck_assert_int_eq(queue_mend_all(queue), 1);
	child_kill(&other);
}
END_TEST

static int put_some_and_die(void *arg)
{
	struct weir_taken t;

	(void)arg;
	for (int i = 0; i < 3000; i++)
		child_check(weir_queue_put(queue, "ab", 2, 0, 0) == 0);
	child_check(weir_queue_take(queue, 0, 0, &t) == 0);
	kill(getpid(), SIGKILL);
	return 0;
}

START_TEST(all_die_and_one_who_comes_later_finds_all_messages)
{
	struct child dead[GETTERS];
	struct weir_queue *later;
	uint32_t count = 0, again = 0;
	struct weir_taken t;

	for (int i = 0; i < GETTERS; i++)
		dead[i] = child_start(put_some_and_die, NULL);
	for (int i = 0; i < GETTERS; i++)
		child_join(&dead[i]);
	later = queue_second(queue);
	ck_assert_ptr_nonnull(later);
	ck_assert_int_eq(queue_mend_all(later), GETTERS);
	while (weir_queue_take(later, 0, 0, &t) == 0) {
		again += t.times;
		count++;
		ck_assert_int_eq(weir_queue_release(later, &t), 0);
	}
	ck_assert_uint_eq(count, 3000 * GETTERS);
	ck_assert_uint_eq(again, GETTERS);
	weir_queue_close(later);
}
END_TEST

/*
 * Threads
 */

static void *take_claim_and_end(void *taken)
{
	void *data;

	if (weir_queue_take(queue, 0, 0, taken) != 0 ||
	    weir_queue_claim(queue, 10, 0, 0, &data) != 0)
		return NULL;
	return taken;
}

START_TEST(thread_that_ends_leaves_its_message_to_its_process_and_its_seat_to_the_next)
{
	struct weir_queue_stat stat = { .size = sizeof(stat) };
	struct weir_taken taken[2];
	pthread_t thread;
	void *result;

	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(weir_queue_put(queue, "a", 1, 0, 0), 0);
		ck_assert_int_eq(pthread_create(&thread, NULL, take_claim_and_end, &taken[i]), 0);
		ck_assert_int_eq(pthread_join(thread, &result), 0);
		ck_assert_ptr_nonnull(result);
	}
	ck_assert_int_eq(weir_queue_stat(queue, &stat), 0);
	ck_assert_uint_eq(stat.users, 2);
	ck_assert_uint_eq(stat.taken, 2);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(weir_queue_release(queue, &taken[i]), 0);
}
END_TEST

static void *get_and_say(void *byte)
{
	if (weir_queue_get(queue, byte, 1, WEIR_NOSPIN, soon(), NULL) != 0)
		return NULL;
	store_release(&stage->got, 1);
	pthread_testcancel();
	return byte;
}

START_TEST(thread_that_is_cancelled_inside_a_get_has_its_message_first)
{
	pthread_t thread;
	char byte = 0;
	void *result;

	ck_assert_int_eq(pthread_create(&thread, NULL, get_and_say, &byte), 0);
	ck_assert_int_eq(pthread_cancel(thread), 0);
	ck_assert_int_eq(weir_queue_put(queue, "a", 1, 0, 0), 0);
	ck_assert_int_eq(pthread_join(thread, &result), 0);
	ck_assert_ptr_eq(result, PTHREAD_CANCELED);
	ck_assert_uint_eq(stage->got, 1);
	ck_assert_int_eq(byte, 'a');
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("queue-death");
	TCase *tcase = tcase_create("death");

	if (kernel_unavailable())
		test_skip_all(kernel_unavailable());
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, taker_dies_and_a_sleeper_is_given_the_message);
	tcase_add_test(tcase, taker_dies_after_long_and_a_sleeper_is_given_the_message);
	tcase_add_test(tcase, writer_dies_before_the_wake_and_a_sleeper_finds_the_message);
	tcase_add_test(tcase, writer_dies_before_the_wake_of_a_deep_sleeper);
	tcase_add_test(tcase, woken_sleeper_dies_and_another_is_given_the_message);
	tcase_add_test(tcase, woken_deep_sleeper_dies_and_another_is_given_the_message);
	tcase_add_test(tcase, both_who_watch_die_and_a_third_takes_over);
	tcase_add_test(tcase, seat_of_one_who_died_inside_keeps_nobody_from_sleeping_deep);
	tcase_add_test(tcase, taker_dies_while_others_are_woken_all_the_time);
	tcase_add_test(tcase, getter_that_only_polls_is_given_it_too);
	tcase_add_test(tcase, number_of_a_process_that_is_used_again_is_not_the_dead_one);
	tcase_add_test(tcase, all_die_and_one_who_comes_later_finds_all_messages);
	tcase_add_test(
		tcase,
		thread_that_ends_leaves_its_message_to_its_process_and_its_seat_to_the_next);
	tcase_add_test(tcase, thread_that_is_cancelled_inside_a_get_has_its_message_first);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
