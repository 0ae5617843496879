/* SPDX-License-Identifier: MIT */
/*
 * Reader/writer locks among processes: what readers see is whole, no kind waits for ever for the
 * other, a death of a writer is told and one of a reader is not, and one who is next and dies, or
 * stands still, holds nobody off.
 */
#include "support.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "obj/rwlock.h"
#include "weir.h"

#define MS		INT64_C(1000000)
#define IN_TIME		(2000 * MS)

static struct weir_rwlock *lock;

static struct said {
	uint64_t first;
	uint64_t second;
	uint32_t ready;
	uint32_t over;
	uint32_t passes;
} *said;

static void setup(void)
{
	said = shared_alloc(sizeof(*said));
	ck_assert_int_eq(weir_rwlock(&lock), 0);
}

static void teardown(void)
{
	weir_rwlock_close(lock);
}

static bool is_over(void)
{
	return __atomic_load_n(&said->over, __ATOMIC_SEQ_CST);
}

#define ROUNDS	2000

static int write_some(void *arg)
{
	uint32_t flags = *(const uint32_t *)arg;

	for (int i = 0; i < ROUNDS; i++) {
		child_check(weir_rwlock_write(lock, flags, soon()) == 0);
		said->first++;
		said->second++;
		if (i % 8 == 0) {
			child_check(weir_rwlock_downgrade(lock) == 0);
			child_check(said->first == said->second);
		}
		child_check(weir_rwlock_release(lock) == 0);
	}
	return 0;
}

static int read_some(void *arg)
{
	uint32_t flags = *(const uint32_t *)arg;

	for (int i = 0; i < ROUNDS; i++) {
		child_check(weir_rwlock_read(lock, flags, soon()) == 0);
		child_check(said->first == said->second);
		if (i % 8 == 0) {
			child_check(weir_rwlock_read(lock, flags, soon()) == 0);
			child_check(weir_rwlock_release(lock) == 0);
		}
		child_check(said->first == said->second);
		child_check(weir_rwlock_release(lock) == 0);
	}
	return 0;
}

/* Awake and asleep. */
START_TEST(what_is_read_is_whole_and_what_is_written_adds_up)
{
	uint32_t flags = _i ? WEIR_NOSPIN : 0;
	struct child children[4];

	for (int i = 0; i < 4; i++)
		children[i] = child_start(i < 2 ? write_some : read_some, &flags);
	for (int i = 0; i < 4; i++)
		child_join_ok(&children[i]);
	ck_assert_uint_eq(said->first, 2 * ROUNDS);
	ck_assert_uint_eq(said->second, 2 * ROUNDS);
	ck_assert_int_eq(weir_rwlock_readers(lock), 0);
}
END_TEST

/* So that one of two always reads: each lets go when the other has begun. */
static int read_in_turns(void *arg)
{
	uint32_t mine = *(const uint32_t *)arg, seen;

	while (!is_over()) {
		child_check(weir_rwlock_read(lock, 0, soon()) == 0);
		seen = __atomic_add_fetch(&said->passes, 1, __ATOMIC_SEQ_CST);
		__atomic_or_fetch(&said->ready, mine, __ATOMIC_SEQ_CST);
		/* Not for ever: who waits to write keeps the other one from beginning. */
		for (int64_t until = test_now() + 5 * MS; test_now() < until;)
			if (__atomic_load_n(&said->passes, __ATOMIC_SEQ_CST) != seen)
				break;
		child_check(weir_rwlock_release(lock) == 0);
	}
	return 0;
}

START_TEST(readers_without_a_gap_do_not_keep_a_writer_waiting)
{
	uint32_t names[] = { 1, 2 };
	struct child a = child_start(read_in_turns, &names[0]);
	struct child b = child_start(read_in_turns, &names[1]);

	while (__atomic_load_n(&said->ready, __ATOMIC_SEQ_CST) != 3)
		sched_yield();
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(weir_rwlock_write(lock, 0, test_now() + IN_TIME), 0);
		ck_assert_int_eq(weir_rwlock_release(lock), 0);
	}
	__atomic_store_n(&said->over, 1, __ATOMIC_SEQ_CST);
	child_join_ok(&a);
	child_join_ok(&b);
}
END_TEST

static int write_all_the_time(void *arg)
{
	(void)arg;
	while (!is_over()) {
		child_check(weir_rwlock_write(lock, 0, soon()) == 0);
		__atomic_add_fetch(&said->passes, 1, __ATOMIC_SEQ_CST);
		child_check(weir_rwlock_release(lock) == 0);
	}
	return 0;
}

START_TEST(writers_without_a_gap_do_not_keep_a_reader_waiting)
{
	struct child a = child_start(write_all_the_time, NULL);
	struct child b = child_start(write_all_the_time, NULL);

	while (__atomic_load_n(&said->passes, __ATOMIC_SEQ_CST) < 10)
		sched_yield();
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(weir_rwlock_read(lock, 0, test_now() + IN_TIME), 0);
		ck_assert_int_eq(weir_rwlock_release(lock), 0);
	}
	__atomic_store_n(&said->over, 1, __ATOMIC_SEQ_CST);
	child_join_ok(&a);
	child_join_ok(&b);
}
END_TEST

static int end_with(void *arg)
{
	int how = *(const int *)arg;

	if (how & 1)
		child_check(weir_rwlock_write(lock, 0, soon()) == 0);
	else
		child_check(weir_rwlock_read(lock, 0, soon()) == 0);
	if (how & 2)
		exit(0);
	raise(SIGKILL);
	return 0;
}

START_TEST(a_writer_that_ends_is_told_and_a_reader_is_not)
{
	struct child child = child_start(end_with, &_i);

	child_join(&child);
	if (_i & 1)
		ck_assert_int_eq(weir_rwlock_read(lock, 0, test_now() + IN_TIME), WEIR_OWNER_DIED);
	else
		ck_assert_int_eq(weir_rwlock_read(lock, 0, test_now() + IN_TIME), 0);
	ck_assert_int_eq(weir_rwlock_release(lock), 0);
	ck_assert_int_eq(weir_rwlock_write(lock, 0, test_now() + IN_TIME),
			 _i & 1 ? WEIR_OWNER_DIED : 0);
	ck_assert_int_eq(weir_rwlock_release(lock), 0);
	ck_assert_int_eq(weir_rwlock_read(lock, 0, 0), 0);
}
END_TEST

static int wait_to_write(void *arg)
{
	(void)arg;
	return weir_rwlock_write(lock, WEIR_NOSPIN, soon()) == 0 ? 0 : 1;
}

static int read_and_release(void *arg)
{
	(void)arg;
	child_check(weir_rwlock_read(lock, 0, test_now() + IN_TIME) == 0);
	child_check(weir_rwlock_release(lock) == 0);
	return 0;
}

static void wait_for_gate(void)
{
	for (int64_t until = soon();
	     __atomic_load_n(&lock->tally.tally.shared->gate, __ATOMIC_SEQ_CST) == 0;)
		ck_assert_int_lt(test_now(), until);
}

/* Killed, or stopped: readers are held off no longer than it takes to find out. */
START_TEST(a_writer_that_waits_and_stands_still_holds_nobody_off)
{
	struct child writer, reader;

	ck_assert_int_eq(weir_rwlock_read(lock, 0, 0), 0);
	writer = child_start(wait_to_write, NULL);
	wait_for_gate();
	if (_i)
		child_stop(&writer);
	else
		child_kill(&writer);
	reader = child_start(read_and_release, NULL);
	child_join_ok(&reader);
	ck_assert_int_eq(weir_rwlock_release(lock), 0);
	if (!_i)
		return;
	/* It may have ended before anybody sees that it goes on. */
	kill(writer.pid, SIGCONT);
	child_join_ok(&writer);
	/* It has ended by _exit() as it wrote. */
	ck_assert_int_eq(weir_rwlock_read(lock, 0, test_now() + IN_TIME), WEIR_OWNER_DIED);
}
END_TEST

static int release_it(void *arg)
{
	(void)arg;
	child_check(weir_rwlock_release(lock) == -EPERM);
	child_check(weir_rwlock_downgrade(lock) == -EPERM);
	return 0;
}

START_TEST(another_process_may_not_release)
{
	struct child child;

	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq((i ? weir_rwlock_write : weir_rwlock_read)(lock, 0, 0), 0);
		child = child_start(release_it, NULL);
		child_join_ok(&child);
		ck_assert_int_eq(weir_rwlock_release(lock), 0);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("rwlock");
	TCase *tcase = tcase_create("rwlock");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, what_is_read_is_whole_and_what_is_written_adds_up, 0, 2);
	tcase_add_test(tcase, readers_without_a_gap_do_not_keep_a_writer_waiting);
	tcase_add_test(tcase, writers_without_a_gap_do_not_keep_a_reader_waiting);
	tcase_add_loop_test(tcase, a_writer_that_ends_is_told_and_a_reader_is_not, 0, 4);
	tcase_add_loop_test(tcase, a_writer_that_waits_and_stands_still_holds_nobody_off, 0, 2);
	tcase_add_test(tcase, another_process_may_not_release);
	tcase_set_timeout(tcase, 120);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
