/* SPDX-License-Identifier: MIT */
/* An event in one process: states, deadlines, wait sets, wrong use. */
#include "waitset-tools.h"

#include <unistd.h>

#define MS	INT64_C(1000000)

static struct resources before;
static struct weir_event_flag *event;

static void setup(void)
{
	waitset_warm_up();
	ck_assert_int_eq(weir_event(&event, NULL), 0);
	weir_event_close(event);
	before = resources_begin();
	ck_assert_int_eq(weir_event(&event, NULL), 0);
}

static void teardown(void)
{
	weir_event_close(event);
	resources_check(&before);
}

START_TEST(new_event_is_not_set)
{
	ck_assert_int_eq(weir_event_is_set(event), 0);
	ck_assert_int_eq(weir_event_wait(event, 0, 0), -EAGAIN);
	ck_assert_int_eq(weir_event_clear(event), 0);
	ck_assert_int_eq(weir_event_is_set(event), 0);
}
END_TEST

START_TEST(event_made_set_is_set)
{
	struct weir_event_options o = { .size = sizeof(o), .flags = WEIR_EVENT_SET };
	struct weir_event_flag *other;

	ck_assert_int_eq(weir_event(&other, &o), 0);
	ck_assert_int_eq(weir_event_is_set(other), 1);
	ck_assert_int_eq(weir_event_wait(other, 0, 0), 0);
	weir_event_close(other);
}
END_TEST

START_TEST(set_event_stays_set_until_cleared)
{
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(weir_event_set(event), 0);
		ck_assert_int_eq(weir_event_set(event), 0);
		ck_assert_int_eq(weir_event_is_set(event), 1);
		ck_assert_int_eq(weir_event_wait(event, 0, 0), 0);
		ck_assert_int_eq(weir_event_wait(event, 0, WEIR_FOREVER), 0);
		ck_assert_int_eq(weir_event_clear(event), 0);
		ck_assert_int_eq(weir_event_is_set(event), 0);
		ck_assert_int_eq(weir_event_wait(event, 0, 0), -EAGAIN);
	}
}
END_TEST

START_TEST(wait_ends_at_its_deadline)
{
	int64_t start = test_now();

	ck_assert_int_eq(weir_event_wait(event, 0, start + 20 * MS), -ETIMEDOUT);
	ck_assert_int_ge(test_now(), start + 20 * MS);
	ck_assert_int_eq(weir_event_wait(event, WEIR_NOSPIN, 1), -ETIMEDOUT);
	ck_assert_int_eq(weir_event_wait(event, 0, -5), -EAGAIN);
}
END_TEST

START_TEST(wrong_use_is_refused)
{
	struct weir_event_options o = { .size = sizeof(o) };
	struct weir_event_flag *none = NULL;

	ck_assert_int_eq(weir_event(NULL, NULL), -EINVAL);
	o.flags = 2;
	ck_assert_int_eq(weir_event(&none, &o), -EINVAL);
	o = (struct weir_event_options){ .size = sizeof(o) - 1 };
	ck_assert_int_eq(weir_event(&none, &o), -EINVAL);
	o = (struct weir_event_options){ .size = sizeof(o), .reserved = 1 };
	ck_assert_int_eq(weir_event(&none, &o), -EINVAL);
	ck_assert_ptr_null(none);
	ck_assert_int_eq(weir_event_set(NULL), -EINVAL);
	ck_assert_int_eq(weir_event_clear(NULL), -EINVAL);
	ck_assert_int_eq(weir_event_is_set(NULL), -EINVAL);
	ck_assert_int_eq(weir_event_wait(NULL, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_event_wait(event, WEIR_MORE, 0), -EINVAL);
	weir_event_close(NULL);
}
END_TEST

START_TEST(imported_event_is_the_same)
{
	char text[WEIR_EXPORT_SIZE];
	struct weir_event_flag *other;
	struct weir_lock *lock;

	ck_assert_int_gt(weir_export(event, text, sizeof(text)), 0);
	ck_assert_int_eq(weir_import(text, WEIR_KIND_LOCK, &lock), -EINVAL);
	ck_assert_int_eq(weir_import(text, WEIR_KIND_EVENT, &other), 0);
	ck_assert_int_eq(weir_event_set(other), 0);
	ck_assert_int_eq(weir_event_is_set(event), 1);
	weir_event_close(other);
	ck_assert_int_eq(weir_event_is_set(event), 1);
}
END_TEST

/*
 * In wait sets
 */

START_TEST(wait_set_reports_while_it_is_set)
{
	struct weir_waitset *set = waitset_new(engines[_i]);
	struct weir_event found;
	uint64_t source;

	ck_assert_int_eq(weir_waitset_add_event(set, event, &source, &source), 0);
	ck_assert_int_eq(weir_waitset_add_event(set, event, NULL, NULL), -EEXIST);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(events_now(set), -EAGAIN);
		ck_assert_int_eq(wait_one(set, test_now() + 5 * MS, &found), -ETIMEDOUT);
		weir_event_set(event);
		for (int n = 0; n < 3; n++) {
			ck_assert_int_eq(wait_one(set, soon(), &found), WEIR_IN);
			ck_assert_uint_eq(found.source, source);
			ck_assert_ptr_eq(found.cookie, &source);
		}
		weir_event_clear(event);
	}
	ck_assert_int_eq(weir_waitset_remove(set, source), 0);
	weir_event_set(event);
	ck_assert_int_eq(events_now(set), -EAGAIN);
	weir_waitset_close(set);
}
END_TEST

START_TEST(wait_set_can_be_silent_about_it)
{
	struct weir_waitset *set = waitset_new(engines[_i]);
	uint64_t source;

	ck_assert_int_eq(weir_waitset_add_event(set, event, NULL, &source), 0);
	weir_event_set(event);
	ck_assert_int_eq(events_now(set), WEIR_IN);
	ck_assert_int_eq(weir_waitset_change(set, source, 0), 0);
	ck_assert_int_eq(events_now(set), -EAGAIN);
	ck_assert_int_eq(weir_waitset_change(set, source, WEIR_OUT), -EINVAL);
	ck_assert_int_eq(weir_waitset_change(set, source, WEIR_IN), 0);
	ck_assert_int_eq(events_soon(set), WEIR_IN);
	weir_waitset_close(set);
}
END_TEST

START_TEST(closed_event_leaves_its_sets)
{
	struct weir_waitset *set = waitset_new(engines[_i]);
	struct weir_event_flag *other;
	uint64_t source;

	ck_assert_int_eq(weir_event(&other, NULL), 0);
	ck_assert_int_eq(weir_waitset_add_event(set, other, NULL, &source), 0);
	weir_event_set(other);
	weir_event_close(other);
	ck_assert_int_eq(events_now(set), -EAGAIN);
	ck_assert_int_eq(weir_waitset_change(set, source, 0), -ENOENT);
	ck_assert_int_eq(weir_waitset_add_event(set, NULL, NULL, NULL), -EINVAL);
	ck_assert_int_eq(weir_waitset_add_event(NULL, event, NULL, NULL), -EINVAL);
	weir_waitset_close(set);
}
END_TEST

static int set_it(void *arg)
{
	child_check(weir_event_set(arg) == 0);
	return 0;
}

/* One that sleeps until the parent's event is set, in a set of its own. */
static int await(void *arg)
{
	struct weir_waitset *set = waitset_new(engines[*(int *)arg]);

	child_check(set && weir_waitset_add_event(set, event, NULL, NULL) == 0);
	child_check(events_soon(set) == WEIR_IN);
	weir_waitset_close(set);
	return 0;
}

START_TEST(one_set_wakes_the_sets_of_all_processes)
{
	struct weir_waitset *set = waitset_new(engines[_i]);
	struct child waiter, setter;

	ck_assert_int_eq(weir_waitset_add_event(set, event, NULL, NULL), 0);
	for (int i = 0; i < 5; i++) {
		waiter = child_start(await, &_i);
		ck_assert(child_wait_asleep(waiter.pid));
		setter = child_start(set_it, event);
		ck_assert_int_eq(events_soon(set), WEIR_IN);
		child_join_ok(&waiter);
		child_join_ok(&setter);
		weir_event_clear(event);
		ck_assert_int_eq(events_now(set), -EAGAIN);
	}
	weir_waitset_close(set);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("event");
	TCase *tc = tcase_create("event");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, new_event_is_not_set);
	tcase_add_test(tc, event_made_set_is_set);
	tcase_add_test(tc, set_event_stays_set_until_cleared);
	tcase_add_test(tc, wait_ends_at_its_deadline);
	tcase_add_test(tc, wrong_use_is_refused);
	tcase_add_test(tc, imported_event_is_the_same);
	tcase_add_loop_test(tc, wait_set_reports_while_it_is_set, 0, ENGINES);
	tcase_add_loop_test(tc, wait_set_can_be_silent_about_it, 0, ENGINES);
	tcase_add_loop_test(tc, closed_event_leaves_its_sets, 0, ENGINES);
	tcase_add_loop_test(tc, one_set_wakes_the_sets_of_all_processes, 0, ENGINES);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return test_main(suite());
}
