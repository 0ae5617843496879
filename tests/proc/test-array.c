/* SPDX-License-Identifier: MIT */
/* Arrays and values of several processes: forked ones, and others that were sent them. */
#include "support.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cc.h"
#include "base/clock.h"
#include "weir.h"

#define PROCESSES	4
#define ROUNDS		5000
#define WORDS		16

static struct weir_array *made(uint64_t type, uint64_t count, uint32_t flags,
			       struct weir_lock *lock)
{
	struct weir_array_options o = {
		.size = sizeof(o), .flags = flags, .type = type, .count = count, .lock = lock,
	};
	struct weir_array *a;

	ck_assert_int_eq(weir_array(&a, &o), 0);
	return a;
}

static struct weir_value *made_value(uint64_t type, const void *initial)
{
	struct weir_value_options o = { .size = sizeof(o), .type = type, .initial = initial };
	struct weir_value *v;

	ck_assert_int_eq(weir_value(&v, &o), 0);
	return v;
}

/*
 * Forked children
 */

struct pair_of_them {
	struct weir_value *value;
	struct weir_array *array;
};

static int change_both(void *arg)
{
	struct pair_of_them *both = arg;
	double number = 3.1415927;

	child_check(WEIR_VALUE_SET(both->value, &number, 0, soon()) == 0);
	for (int64_t i = 0; i < 10; i++) {
		int32_t element;

		child_check(WEIR_ARRAY_GET(both->array, i, &element, 0, soon()) == 0);
		element = -element;
		child_check(WEIR_ARRAY_SET(both->array, i, &element, 0, soon()) == 0);
	}
	return 0;
}

START_TEST(a_child_changes_what_its_parent_reads)
{
	double zero = 0, number;
	int32_t numbers[10] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 };
	struct pair_of_them both = {
		made_value(WEIR_TYPE_DOUBLE, &zero), made(WEIR_TYPE_INT32, 10, 0, NULL),
	};
	struct child child;

	ck_assert_int_eq(WEIR_ARRAY_WRITE(both.array, 0, 10, numbers, 0, 0), 0);
	child = child_start(change_both, &both);
	child_join_ok(&child);
	ck_assert_int_eq(WEIR_VALUE_GET(both.value, &number, 0, 0), 0);
	ck_assert_double_eq(number, 3.1415927);
	ck_assert_int_eq(WEIR_ARRAY_READ(both.array, 0, 10, numbers, 0, 0), 0);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(numbers[i], -i);
	weir_value_close(both.value);
	weir_array_close(both.array);
}
END_TEST

/*
 * Counting
 */

static int add_locked(void *arg)
{
	struct weir_value *v = arg;

	for (int i = 0; i < ROUNDS; i++) {
		int64_t number;

		child_check(weir_value_acquire(v, 0, soon()) == 0);
		child_check(WEIR_VALUE_GET(v, &number, 0, soon()) == 0);
		number++;
		child_check(WEIR_VALUE_SET(v, &number, 0, soon()) == 0);
		child_check(weir_value_release(v) == 0);
	}
	return 0;
}

static int add_atomically(void *arg)
{
	int64_t one = 1;

	for (int i = 0; i < ROUNDS; i++)
		child_check(weir_value_add(arg, WEIR_TYPE_INT64, &one, NULL) == 0);
	return 0;
}

static int increase(void *data, uint64_t count, void *arg)
{
	(void)arg;
	*(int64_t *)data += (int64_t)count;
	return 0;
}

static int add_by_edit(void *arg)
{
	for (int i = 0; i < ROUNDS; i++)
		child_check(weir_value_edit(arg, WEIR_TYPE_INT64, increase, NULL, 0, soon()) == 0);
	return 0;
}

static int (*const adders[])(void *arg) = { add_locked, add_atomically, add_by_edit };

START_TEST(additions_add_up)
{
	struct weir_value *v = made_value(WEIR_TYPE_INT64, NULL);
	struct child children[PROCESSES];
	int64_t number;

	for (int i = 0; i < PROCESSES; i++)
		children[i] = child_start(adders[_i], v);
	for (int i = 0; i < PROCESSES; i++)
		child_join_ok(&children[i]);
	ck_assert_int_eq(WEIR_VALUE_LOAD(v, &number), 0);
	ck_assert_int_eq(number, PROCESSES * ROUNDS);
	weir_value_close(v);
}
END_TEST

/*
 * Never torn
 */

struct many {
	struct weir_array *array;
	uint32_t *stop;
};

static int write_equal(void *arg)
{
	struct many *m = arg;
	uint64_t words[WORDS];

	for (uint64_t i = 1; !__atomic_load_n(m->stop, __ATOMIC_ACQUIRE); i++) {
		for (int w = 0; w < WORDS; w++)
			words[w] = i;
		child_check(WEIR_ARRAY_WRITE(m->array, 0, WORDS, words, 0, soon()) == 0);
	}
	return 0;
}

START_TEST(no_reader_sees_half_an_update)
{
	struct many m = { made(WEIR_TYPE_UINT64, WORDS, 0, NULL), shared_alloc(sizeof(*m.stop)) };
	struct child writers[2];
	uint64_t words[WORDS];

	for (int i = 0; i < 2; i++)
		writers[i] = child_start(write_equal, &m);
	for (int i = 0; i < 20 * ROUNDS; i++) {
		ck_assert_int_eq(WEIR_ARRAY_READ(m.array, 0, WORDS, words, 0, soon()), 0);
		for (int w = 1; w < WORDS; w++)
			ck_assert_uint_eq(words[w], words[0]);
	}
	__atomic_store_n(m.stop, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < 2; i++)
		child_join_ok(&writers[i]);
	weir_array_close(m.array);
}
END_TEST

/*
 * Over sockets, with the lock
 */

struct line {
	int sockets[2];
	struct weir_lock *lock;
};

static int use_what_comes(void *arg)
{
	struct line *line = arg;
	struct weir_array *a;
	struct weir_value *v;
	int32_t number = 7;
	double real;

	/* As a program that knows nothing but the socket: what comes are other handles. */
	child_check(weir_recv_handle(line->sockets[1], WEIR_KIND_ARRAY, 0, soon(), &a) == 0);
	child_check(weir_array_check(a, WEIR_TYPE_INT32, 100) == 0);
	child_check(weir_array_check(a, WEIR_TYPE_INT64, 100) == -EPROTO);
	child_check(WEIR_ARRAY_SET(a, -1, &number, 0, 0) == -EAGAIN);
	child_check(write(line->sockets[1], "x", 1) == 1);
	child_check(WEIR_ARRAY_SET(a, -1, &number, 0, soon()) == 0);
	child_check(weir_recv_handle(line->sockets[1], WEIR_KIND_VALUE, 0, soon(), &v) == 0);
	child_check(weir_value_check(v, WEIR_TYPE_DOUBLE) == 0);
	child_check(weir_value_type(v) == WEIR_TYPE_DOUBLE);
	child_check(WEIR_VALUE_GET(v, &real, 0, 0) == 0 && real == 0.5);
	child_check(weir_recv_handle(line->sockets[1], WEIR_KIND_VALUE, 0, soon(), &v) == -EPROTO);
	return 0;
}

START_TEST(they_are_sent_with_their_lock)
{
	double half = 0.5;
	struct line line;
	struct weir_array *array;
	struct weir_value *value;
	struct child child;
	int32_t number;
	char byte;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, line.sockets), 0);
	child = child_start(use_what_comes, &line);
	ck_assert_int_eq(weir_lock(&line.lock, NULL), 0);
	array = made(WEIR_TYPE_INT32, 100, 0, line.lock);
	value = made_value(WEIR_TYPE_DOUBLE, &half);
	ck_assert_int_eq(weir_lock_acquire(line.lock, 0, 0), 0);
	ck_assert_int_eq(weir_send_handle(line.sockets[0], array, 0, soon()), 0);
	ck_assert_int_eq(read(line.sockets[0], &byte, 1), 1);
	ck_assert_int_eq(weir_lock_release(line.lock), 0);
	ck_assert_int_eq(weir_send_handle(line.sockets[0], value, 0, soon()), 0);
	ck_assert_int_eq(weir_send_handle(line.sockets[0], array, 0, soon()), 0);
	child_join_ok(&child);
	ck_assert_int_eq(WEIR_ARRAY_GET(array, 99, &number, 0, 0), 0);
	ck_assert_int_eq(number, 7);
	weir_array_close(array);
	weir_value_close(value);
	weir_lock_close(line.lock);
	close(line.sockets[0]);
	close(line.sockets[1]);
}
END_TEST

/*
 * Deaths
 */

static int die_with_the_lock(void *arg)
{
	void *elements;

	child_check(weir_array_begin(arg, 0, 0, 4, 0, soon(), &elements) == 0);
	memset(elements, 0xee, 4);
	raise(SIGKILL);
	return 1;
}

START_TEST(whoever_comes_after_a_death_is_told)
{
	struct weir_lock *lock = NULL;
	struct weir_array *a;
	uint8_t byte = 1, bytes[4];

	/* Its own lock, or another one. */
	if (_i)
		ck_assert_int_eq(weir_lock(&lock, NULL), 0);
	a = made(WEIR_TYPE_UINT8, 4, 0, lock);
	for (int round = 0; round < 3; round++) {
		struct child child = child_start(die_with_the_lock, a);

		child_join(&child);
		ck_assert_int_eq(WEIR_ARRAY_READ(a, 0, 4, bytes, 0, 0), 0);
		ck_assert_mem_eq(bytes, round ? "\1\0\0\0" : "\0\0\0\0", 4);
		switch (round) {
		case 0:
			ck_assert_int_eq(WEIR_ARRAY_SET(a, 0, &byte, 0, soon()), WEIR_OWNER_DIED);
			break;
		case 1:
			ck_assert_int_eq(weir_array_acquire(a, 0, soon()), WEIR_OWNER_DIED);
			ck_assert_int_eq(weir_array_release(a), 0);
			break;
		default:
			ck_assert_int_eq(weir_array_acquire(a, WEIR_NOSPIN, soon()),
					 WEIR_OWNER_DIED);
			ck_assert_int_eq(weir_array_release(a), 0);
		}
		ck_assert_int_eq(WEIR_ARRAY_SET(a, 0, &byte, 0, 0), 0);
	}
	weir_array_close(a);
	weir_lock_close(lock);
}
END_TEST

/*
 * Waiting for changes
 */

struct waiting {
	struct weir_array *array;
	uint64_t seen;
};

static int wait_for_change(void *arg)
{
	struct waiting *w = arg;
	uint64_t now;
	int32_t number;

	child_check(weir_array_wait(w->array, w->seen, 0, soon(), &now) == 0);
	child_check(now != w->seen);
	child_check(WEIR_ARRAY_LOAD(w->array, 2, &number) == 0);
	return number == 5 ? 0 : 1;
}

static void change_it(struct weir_array *a, int how)
{
	int32_t five = 5;

	switch (how) {
	case 0:
		ck_assert_int_eq(WEIR_ARRAY_SET(a, 2, &five, 0, 0), 0);
		break;
	case 1:
		ck_assert_int_eq(WEIR_ARRAY_STORE(a, 2, &five), 0);
		break;
	default:
		ck_assert_int_eq(weir_array_add(a, 0, 2, &five, NULL), 0);
	}
}

START_TEST(sleepers_wake_when_it_changes)
{
	struct waiting w = { .array = NULL };
	struct child children[3];
	int64_t since;

	w.array = made(WEIR_TYPE_INT32, 3, _i == 1 ? WEIR_ARRAY_RAW : 0, NULL);
	ck_assert_int_eq(weir_array_changes(w.array, &w.seen), 0);
	for (int i = 0; i < 3; i++)
		children[i] = child_start(wait_for_change, &w);
	for (int i = 0; i < 3; i++)
		ck_assert(child_wait_asleep_in(children[i].pid, SYS_futex));
	since = test_now();
	change_it(w.array, _i);
	for (int i = 0; i < 3; i++)
		child_join_ok(&children[i]);
	ck_assert_int_lt(test_now() - since, 20 * NS_PER_S);
	weir_array_close(w.array);
}
END_TEST

static int wait_in_set(void *arg)
{
	struct waiting *w = arg;
	struct weir_waitset *set;
	struct weir_event event;

	child_check(weir_waitset(&set, NULL) == 0);
	child_check(weir_waitset_add_array(set, w->array, NULL, NULL) == 0);
	child_check(weir_waitset_wait(set, &event, 1, 0, soon()) == 1);
	weir_waitset_close(set);
	return event.events == WEIR_IN ? 0 : 1;
}

START_TEST(sets_of_sleepers_are_told_when_it_changes)
{
	struct waiting w = { .array = made(WEIR_TYPE_INT32, 3, 0, NULL) };
	struct child children[2];

	ck_assert_int_eq(weir_array_changes(w.array, &w.seen), 0);
	for (int i = 0; i < 2; i++)
		children[i] = child_start(wait_in_set, &w);
	for (int i = 0; i < 2; i++)
		ck_assert(child_wait_asleep(children[i].pid));
	change_it(w.array, _i);
	for (int i = 0; i < 2; i++)
		child_join_ok(&children[i]);
	weir_array_close(w.array);
}
END_TEST

/*
 * Closing
 */

static int keep_a_while(void *arg)
{
	uint8_t byte = 3;

	child_check(WEIR_ARRAY_SET(arg, 0, &byte, 0, soon()) == 0);
	weir_array_close(arg);
	return 0;
}

START_TEST(a_child_that_closes_takes_nothing_along)
{
	struct weir_array *a = made(WEIR_TYPE_UINT8, 4, 0, NULL);
	uint8_t byte;

	for (int i = 0; i < 3; i++) {
		struct child child = child_start(keep_a_while, a);

		child_join_ok(&child);
		ck_assert_int_eq(WEIR_ARRAY_GET(a, 0, &byte, 0, 0), 0);
		ck_assert_uint_eq(byte, 3);
		ck_assert_int_eq(WEIR_ARRAY_SET(a, 0, &byte, 0, 0), 0);
	}
	weir_array_close(a);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("array");
	TCase *tcase = tcase_create("array");

	tcase_add_test(tcase, a_child_changes_what_its_parent_reads);
	tcase_add_loop_test(tcase, additions_add_up, 0, (int)ARRAY_LENGTH(adders));
	tcase_add_test(tcase, no_reader_sees_half_an_update);
	tcase_add_test(tcase, they_are_sent_with_their_lock);
	tcase_add_loop_test(tcase, whoever_comes_after_a_death_is_told, 0, 2);
	tcase_add_loop_test(tcase, sleepers_wake_when_it_changes, 0, 3);
	tcase_add_loop_test(tcase, sets_of_sleepers_are_told_when_it_changes, 0, 3);
	tcase_add_test(tcase, a_child_that_closes_takes_nothing_along);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
