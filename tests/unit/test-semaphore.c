/* SPDX-License-Identifier: MIT */
/* Semaphores of both kinds, in one process: two handles of one are two parties. */
#include "support.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>

#include "obj/semaphore.h"
#include "weir/handle.h"
#include "weir/waitset.h"

static const struct weir_semaphore_options bounded = {
	.size = sizeof(bounded),
	.flags = WEIR_SEMAPHORE_BOUNDED,
};

static struct weir_semaphore *make(uint32_t value, const struct weir_semaphore_options *options)
{
	struct weir_semaphore *s;

	ck_assert_int_eq(weir_semaphore(&s, value, options), 0);
	return s;
}

static struct weir_semaphore *copy(struct weir_semaphore *s)
{
	char text[WEIR_EXPORT_SIZE];
	struct weir_semaphore *other;

	ck_assert_int_gt(weir_export(s, text, sizeof(text)), 0);
	ck_assert_int_eq(weir_import(text, WEIR_KIND_SEMAPHORE, &other), 0);
	return other;
}

static int try(struct weir_semaphore *s)
{
	return weir_semaphore_acquire(s, 0, 0);
}

START_TEST(a_plain_one_counts)
{
	struct weir_semaphore *s = make(2, NULL);

	ck_assert_int_eq(weir_semaphore_value(s), 2);
	ck_assert_int_eq(try(s), 0);
	ck_assert_int_eq(try(s), 0);
	ck_assert_int_eq(try(s), -EAGAIN);
	ck_assert_int_eq(weir_semaphore_release(s, 3), 0);
	ck_assert_int_eq(weir_semaphore_value(s), 3);
	ck_assert_int_eq(weir_semaphore_acquire(s, 0, WEIR_FOREVER), 0);
	ck_assert_int_eq(weir_semaphore_value(s), 2);
	weir_semaphore_close(s);
}
END_TEST

START_TEST(a_plain_one_overflows_at_int32_max)
{
	struct weir_semaphore *s = make(INT32_MAX, NULL);

	ck_assert_int_eq(weir_semaphore_release(s, 1), -EOVERFLOW);
	ck_assert_int_eq(weir_semaphore_release(s, UINT32_MAX), -EOVERFLOW);
	ck_assert_int_eq(weir_semaphore_value(s), INT32_MAX);
	ck_assert_int_eq(try(s), 0);
	ck_assert_int_eq(weir_semaphore_release(s, 2), -EOVERFLOW);
	ck_assert_int_eq(weir_semaphore_release(s, 1), 0);
	weir_semaphore_close(s);
}
END_TEST

START_TEST(a_bounded_one_has_no_more_than_at_the_beginning)
{
	struct weir_semaphore *s = make(2, &bounded);

	ck_assert_int_eq(weir_semaphore_release(s, 1), -EOVERFLOW);
	ck_assert_int_eq(try(s), 0);
	ck_assert_int_eq(weir_semaphore_release(s, 2), -EOVERFLOW);
	ck_assert_int_eq(weir_semaphore_value(s), 1);
	ck_assert_int_eq(try(s), 0);
	ck_assert_int_eq(try(s), -EAGAIN);
	ck_assert_int_eq(weir_semaphore_value(s), 0);
	ck_assert_int_eq(weir_semaphore_release(s, 2), 0);
	ck_assert_int_eq(weir_semaphore_value(s), 2);
	ck_assert_int_eq(weir_semaphore_release(s, 1), -EOVERFLOW);
	weir_semaphore_close(s);
}
END_TEST

START_TEST(of_none_nothing_can_be_acquired)
{
	struct weir_semaphore *s = make(0, &bounded);

	ck_assert_int_eq(try(s), -EAGAIN);
	ck_assert_int_eq(weir_semaphore_release(s, 1), -EOVERFLOW);
	weir_semaphore_close(s);
	s = make(0, NULL);
	ck_assert_int_eq(try(s), -EAGAIN);
	ck_assert_int_eq(weir_semaphore_release(s, 1), 0);
	ck_assert_int_eq(try(s), 0);
	weir_semaphore_close(s);
}
END_TEST

START_TEST(a_deadline_passes)
{
	for (int i = 0; i < 2; i++) {
		struct weir_semaphore *s = make(0, i ? &bounded : NULL);
		int64_t until = test_now() + 10000000;

		ck_assert_int_eq(weir_semaphore_acquire(s, 0, until), -ETIMEDOUT);
		ck_assert_int_ge(test_now(), until);
		until = test_now() + 10000000;
		ck_assert_int_eq(weir_semaphore_acquire(s, WEIR_NOSPIN, until), -ETIMEDOUT);
		ck_assert_int_ge(test_now(), until);
		weir_semaphore_close(s);
	}
}
END_TEST

static void ignore(int number)
{
	(void)number;
}

START_TEST(a_signal_ends_a_wait_that_asked_for_it)
{
	struct weir_semaphore *s = make(0, NULL);
	struct sigaction action = { .sa_handler = ignore, .sa_flags = SA_RESTART };
	struct itimerval often = { { 0, 5000 }, { 0, 5000 } }, never = { { 0, 0 }, { 0, 0 } };

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	ck_assert_int_eq(weir_semaphore_acquire(s, WEIR_INTR, soon()), -EINTR);
	ck_assert_int_eq(weir_semaphore_acquire(s, 0, test_now() + 30000000), -ETIMEDOUT);
	setitimer(ITIMER_REAL, &never, NULL);
	weir_semaphore_close(s);
}
END_TEST

START_TEST(wrong_arguments_are_einval)
{
	struct weir_semaphore_options o = bounded;
	struct weir_semaphore *s = make(1, NULL), *none = NULL;

	ck_assert_int_eq(weir_semaphore(NULL, 1, NULL), -EINVAL);
	ck_assert_int_eq(weir_semaphore(&none, UINT32_C(1) << 31, NULL), -EINVAL);
	o.size--;
	ck_assert_int_eq(weir_semaphore(&none, 1, &o), -EINVAL);
	o = bounded;
	o.flags |= 2;
	ck_assert_int_eq(weir_semaphore(&none, 1, &o), -EINVAL);
	o = bounded;
	o.reserved = 1;
	ck_assert_int_eq(weir_semaphore(&none, 1, &o), -EINVAL);
	ck_assert_ptr_null(none);
	ck_assert_int_eq(weir_semaphore_acquire(NULL, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_semaphore_acquire(s, WEIR_MORE, 0), -EINVAL);
	ck_assert_int_eq(weir_semaphore_release(NULL, 1), -EINVAL);
	ck_assert_int_eq(weir_semaphore_release(s, 0), -EINVAL);
	ck_assert_int_eq(weir_semaphore_value(NULL), -EINVAL);
	weir_semaphore_close(NULL);
	weir_semaphore_close(s);
}
END_TEST

START_TEST(another_may_release)
{
	struct weir_semaphore *a = make(3, &bounded), *b = copy(a);

	ck_assert_int_eq(try(a), 0);
	ck_assert_int_eq(weir_semaphore_release(b, 2), -EOVERFLOW);
	ck_assert_int_eq(weir_semaphore_release(b, 1), 0);
	/* Then it has none any more. */
	ck_assert_int_eq(weir_semaphore_release(a, 1), -EOVERFLOW);
	ck_assert_int_eq(weir_semaphore_value(a), 3);
	weir_semaphore_close(a);
	ck_assert_int_eq(try(b), 0);
	weir_semaphore_close(b);
}
END_TEST

START_TEST(units_of_several_are_not_released_at_once)
{
	struct weir_semaphore *a = make(4, &bounded), *b = copy(a), *c = copy(a);

	ck_assert_int_eq(try(a), 0);
	ck_assert_int_eq(try(b), 0);
	ck_assert_int_eq(weir_semaphore_release(c, 2), -EPERM);
	ck_assert_int_eq(weir_semaphore_release(a, 2), -EPERM);
	ck_assert_int_eq(weir_semaphore_release(c, 3), -EOVERFLOW);
	ck_assert_int_eq(weir_semaphore_value(c), 2);
	ck_assert_int_eq(try(a), 0);
	/* a has as many. */
	ck_assert_int_eq(weir_semaphore_release(c, 2), 0);
	ck_assert_int_eq(weir_semaphore_release(c, 1), 0);
	ck_assert_int_eq(weir_semaphore_value(c), 4);
	weir_semaphore_close(a);
	weir_semaphore_close(b);
	ck_assert_int_eq(try(c), 0);
	weir_semaphore_close(c);
}
END_TEST

START_TEST(closed_its_units_are_given_back)
{
	struct weir_semaphore *a = make(2, &bounded), *b = copy(a);

	ck_assert_int_eq(try(a), 0);
	ck_assert_int_eq(try(a), 0);
	ck_assert_int_eq(try(b), -EAGAIN);
	weir_semaphore_close(a);
	ck_assert_int_eq(weir_semaphore_value(b), 2);
	ck_assert_int_eq(try(b), WEIR_OWNER_DIED);
	ck_assert_int_eq(try(b), 0);
	weir_semaphore_close(b);
}
END_TEST

START_TEST(closed_without_units_nobody_is_told)
{
	struct weir_semaphore *a = make(1, &bounded), *b = copy(a);

	ck_assert_int_eq(try(a), 0);
	ck_assert_int_eq(weir_semaphore_release(a, 1), 0);
	weir_semaphore_close(a);
	ck_assert_int_eq(try(b), 0);
	weir_semaphore_close(b);
	a = make(1, NULL);
	b = copy(a);
	ck_assert_int_eq(try(a), 0);
	weir_semaphore_close(a);
	ck_assert_int_eq(try(b), -EAGAIN);
	weir_semaphore_close(b);
}
END_TEST

START_TEST(an_imported_one_is_of_the_same_kind)
{
	struct weir_semaphore *a = make(5, &bounded), *b = copy(a);
	char text[WEIR_EXPORT_SIZE];
	void *lock;

	ck_assert(semaphore_is_bounded(b));
	ck_assert_int_eq(weir_semaphore_release(b, 1), -EOVERFLOW);
	ck_assert_int_eq(weir_semaphore_value(b), 5);
	ck_assert_int_gt(weir_export(a, text, sizeof(text)), 0);
	ck_assert_int_eq(weir_import(text, WEIR_KIND_LOCK, &lock), -EINVAL);
	ck_assert_int_eq(weir_unexport(text), 0);
	weir_semaphore_close(a);
	weir_semaphore_close(b);
}
END_TEST

START_TEST(damage_is_ebadmsg)
{
	struct weir_semaphore *s = make(5, &bounded);

	s->tally.tally.shared->word.high = UINT64_MAX;
	ck_assert_int_eq(try(s), -EBADMSG);
	ck_assert_int_eq(weir_semaphore_acquire(s, 0, soon()), -EBADMSG);
	ck_assert_int_eq(weir_semaphore_release(s, 1), -EBADMSG);
	ck_assert_int_eq(weir_semaphore_value(s), -EBADMSG);
	weir_semaphore_close(s);
	s = make(5, NULL);
	s->tally.tally.shared->value = UINT64_MAX;
	ck_assert_int_eq(try(s), -EBADMSG);
	ck_assert_int_eq(weir_semaphore_acquire(s, 0, soon()), -EBADMSG);
	ck_assert_int_eq(weir_semaphore_release(s, 1), -EBADMSG);
	ck_assert_int_eq(weir_semaphore_value(s), -EBADMSG);
	weir_semaphore_close(s);
}
END_TEST

START_TEST(geometry_that_nobody_makes_is_refused)
{
	const struct weir_commons_geometry wrong[] = {
		{ .flags = 2 },
		{ .limit = UINT64_C(1) << 31 },
	}, right = { .flags = WEIR_SEMAPHORE_BOUNDED, .limit = INT32_MAX };

	for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++)
		ck_assert_int_eq(shared_kind_semaphore.check(&wrong[i], 0), -EBADMSG);
	ck_assert_int_eq(shared_kind_semaphore.check(&right, 64), -EBADMSG);
	ck_assert_int_eq(shared_kind_semaphore.check(&right, 0), 0);
}
END_TEST

/* Whether the set says that there is a unit. */
static bool reported(struct weir_waitset *set, int64_t deadline)
{
	struct weir_event event;
	int result = weir_waitset_wait(set, &event, 1, 0, deadline);

	ck_assert(result == 1 || result == -EAGAIN || result == -ETIMEDOUT);
	if (result == 1) {
		ck_assert_uint_eq(event.events, WEIR_IN);
		ck_assert_ptr_eq(event.cookie, set);
	}
	return result == 1;
}

START_TEST(a_wait_set_says_whether_there_is_a_unit)
{
	struct weir_semaphore *a = make(1, _i ? &bounded : NULL), *b = copy(a);
	struct weir_waitset *set;
	uint64_t source;

	ck_assert_int_eq(weir_waitset(&set, NULL), 0);
	ck_assert_int_eq(weir_waitset_add_semaphore(set, NULL, set, &source), -EINVAL);
	ck_assert_int_eq(weir_waitset_add_semaphore(set, a, set, &source), 0);
	ck_assert_int_eq(weir_waitset_add_semaphore(set, a, set, &source), -EEXIST);
	ck_assert(reported(set, 0));
	ck_assert(reported(set, soon()));
	ck_assert_int_eq(try(b), 0);
	ck_assert(!reported(set, 0));
	ck_assert(!reported(set, test_now() + 5000000));
	ck_assert_int_eq(weir_semaphore_release(b, 1), 0);
	ck_assert(reported(set, soon()));
	weir_waitset_close(set);
	weir_semaphore_close(a);
	weir_semaphore_close(b);
}
END_TEST

START_TEST(closed_nothing_is_left)
{
	struct weir_semaphore *warm = make(1, &bounded), *s;
	struct resources before;

	ck_assert_int_eq(try(warm), 0);
	weir_semaphore_close(warm);
	before = resources_begin();
	s = make(3, &bounded);
	ck_assert_int_eq(try(s), 0);
	weir_semaphore_close(copy(s));
	weir_semaphore_close(s);
	resources_check(&before);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("semaphore");
	TCase *tcase = tcase_create("semaphore");

	tcase_add_test(tcase, a_plain_one_counts);
	tcase_add_test(tcase, a_plain_one_overflows_at_int32_max);
	tcase_add_test(tcase, a_bounded_one_has_no_more_than_at_the_beginning);
	tcase_add_test(tcase, of_none_nothing_can_be_acquired);
	tcase_add_test(tcase, a_deadline_passes);
	tcase_add_test(tcase, a_signal_ends_a_wait_that_asked_for_it);
	tcase_add_test(tcase, wrong_arguments_are_einval);
	tcase_add_test(tcase, another_may_release);
	tcase_add_test(tcase, units_of_several_are_not_released_at_once);
	tcase_add_test(tcase, closed_its_units_are_given_back);
	tcase_add_test(tcase, closed_without_units_nobody_is_told);
	tcase_add_test(tcase, an_imported_one_is_of_the_same_kind);
	tcase_add_test(tcase, damage_is_ebadmsg);
	tcase_add_test(tcase, geometry_that_nobody_makes_is_refused);
	tcase_add_loop_test(tcase, a_wait_set_says_whether_there_is_a_unit, 0, 2);
	tcase_add_test(tcase, closed_nothing_is_left);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
