/* SPDX-License-Identifier: MIT */
/* Reader/writer locks in one process: two handles of one are two parties. */
#include "support.h"

#include <errno.h>

#include "obj/rwlock.h"
#include "weir/handle.h"

static struct weir_rwlock *a, *b;

static struct weir_rwlock *copy(struct weir_rwlock *lock)
{
	char text[WEIR_EXPORT_SIZE];
	struct weir_rwlock *other;

	ck_assert_int_gt(weir_export(lock, text, sizeof(text)), 0);
	ck_assert_int_eq(weir_import(text, WEIR_KIND_RWLOCK, &other), 0);
	return other;
}

static void setup(void)
{
	ck_assert_int_eq(weir_rwlock(&a), 0);
	b = copy(a);
}

static void teardown(void)
{
	weir_rwlock_close(a);
	weir_rwlock_close(b);
}

static int try_read(struct weir_rwlock *lock)
{
	return weir_rwlock_read(lock, 0, 0);
}

static int try_write(struct weir_rwlock *lock)
{
	return weir_rwlock_write(lock, 0, 0);
}

START_TEST(any_number_read)
{
	ck_assert_int_eq(weir_rwlock_readers(a), 0);
	ck_assert_int_eq(try_read(a), 0);
	ck_assert_int_eq(try_read(b), 0);
	ck_assert_int_eq(try_read(a), 0);
	ck_assert_int_eq(weir_rwlock_readers(b), 3);
	ck_assert_int_eq(try_write(b), -EAGAIN);
	ck_assert_int_eq(weir_rwlock_release(a), 0);
	ck_assert_int_eq(weir_rwlock_release(a), 0);
	ck_assert_int_eq(weir_rwlock_release(a), -EPERM);
	ck_assert_int_eq(weir_rwlock_readers(b), 1);
	ck_assert_int_eq(weir_rwlock_release(b), 0);
	ck_assert_int_eq(try_write(b), 0);
}
END_TEST

START_TEST(one_writes)
{
	ck_assert_int_eq(try_write(a), 0);
	ck_assert_int_eq(weir_rwlock_readers(a), -EBUSY);
	ck_assert_int_eq(try_write(b), -EAGAIN);
	ck_assert_int_eq(try_read(b), -EAGAIN);
	ck_assert_int_eq(try_write(a), -EAGAIN);
	ck_assert_int_eq(try_read(a), -EAGAIN);
	ck_assert_int_eq(weir_rwlock_release(b), -EPERM);
	ck_assert_int_eq(weir_rwlock_release(a), 0);
	ck_assert_int_eq(weir_rwlock_release(a), -EPERM);
	ck_assert_int_eq(try_write(b), 0);
	ck_assert_int_eq(weir_rwlock_release(b), 0);
}
END_TEST

START_TEST(from_writing_to_reading)
{
	ck_assert_int_eq(weir_rwlock_downgrade(a), -EPERM);
	ck_assert_int_eq(try_read(a), 0);
	ck_assert_int_eq(weir_rwlock_downgrade(a), -EPERM);
	ck_assert_int_eq(weir_rwlock_release(a), 0);
	ck_assert_int_eq(try_write(a), 0);
	ck_assert_int_eq(weir_rwlock_downgrade(b), -EPERM);
	ck_assert_int_eq(weir_rwlock_downgrade(a), 0);
	ck_assert_int_eq(weir_rwlock_readers(a), 1);
	ck_assert_int_eq(try_read(b), 0);
	ck_assert_int_eq(try_write(b), -EAGAIN);
	ck_assert_int_eq(weir_rwlock_release(a), 0);
	ck_assert_int_eq(weir_rwlock_release(b), 0);
	ck_assert_int_eq(weir_rwlock_readers(a), 0);
}
END_TEST

START_TEST(a_deadline_passes)
{
	int64_t until;

	ck_assert_int_eq(try_read(a), 0);
	until = test_now() + 10000000;
	ck_assert_int_eq(weir_rwlock_write(b, 0, until), -ETIMEDOUT);
	ck_assert_int_ge(test_now(), until);
	/* Who has given up holds nobody off. */
	ck_assert_int_eq(try_read(b), 0);
	ck_assert_int_eq(weir_rwlock_release(b), 0);
	ck_assert_int_eq(weir_rwlock_release(a), 0);
	ck_assert_int_eq(try_write(a), 0);
	until = test_now() + 10000000;
	ck_assert_int_eq(weir_rwlock_read(b, WEIR_NOSPIN, until), -ETIMEDOUT);
	ck_assert_int_ge(test_now(), until);
	ck_assert_int_eq(weir_rwlock_release(a), 0);
	ck_assert_int_eq(try_write(a), 0);
}
END_TEST

START_TEST(wrong_arguments_are_einval)
{
	ck_assert_int_eq(weir_rwlock(NULL), -EINVAL);
	ck_assert_int_eq(weir_rwlock_read(NULL, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_rwlock_write(NULL, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_rwlock_read(a, WEIR_MORE, 0), -EINVAL);
	ck_assert_int_eq(weir_rwlock_write(a, UINT32_MAX, 0), -EINVAL);
	ck_assert_int_eq(weir_rwlock_release(NULL), -EINVAL);
	ck_assert_int_eq(weir_rwlock_downgrade(NULL), -EINVAL);
	ck_assert_int_eq(weir_rwlock_readers(NULL), -EINVAL);
	weir_rwlock_close(NULL);
}
END_TEST

START_TEST(closed_while_it_writes_all_are_told_until_one_writes)
{
	struct weir_rwlock *c = copy(a);

	ck_assert_int_eq(try_write(c), 0);
	weir_rwlock_close(c);
	ck_assert_int_eq(try_read(a), WEIR_OWNER_DIED);
	ck_assert_int_eq(try_read(b), WEIR_OWNER_DIED);
	ck_assert_int_eq(weir_rwlock_release(a), 0);
	ck_assert_int_eq(weir_rwlock_release(b), 0);
	ck_assert_int_eq(try_write(a), WEIR_OWNER_DIED);
	ck_assert_int_eq(weir_rwlock_release(a), 0);
	ck_assert_int_eq(try_read(b), 0);
	ck_assert_int_eq(weir_rwlock_release(b), 0);
	ck_assert_int_eq(try_write(b), 0);
}
END_TEST

START_TEST(closed_while_it_reads_nobody_is_told)
{
	struct weir_rwlock *c = copy(a);

	ck_assert_int_eq(try_read(c), 0);
	ck_assert_int_eq(try_read(c), 0);
	ck_assert_int_eq(try_write(a), -EAGAIN);
	weir_rwlock_close(c);
	ck_assert_int_eq(try_write(a), 0);
}
END_TEST

static struct gate_visit next(struct weir_rwlock *lock, bool writes)
{
	static struct gate_watch watch;
	uint64_t me;

	ck_assert_int_eq(shared_sit(&lock->tally.shared, &me), 0);
	return (struct gate_visit){
		.gate = &lock->tally.tally.shared->gate,
		.watch = &watch,
		/* Another thread. */
		.mine = gate_name(LOCK_PARTY(me), 12345, writes),
	};
}

START_TEST(who_reads_already_need_not_wait_for_a_writer)
{
	struct gate_visit writer;

	ck_assert_int_eq(try_read(a), 0);
	writer = next(b, true);
	gate_ask(&writer, true, test_now());
	ck_assert_int_eq(try_read(b), -EAGAIN);
	ck_assert_int_eq(try_read(a), 0);
	ck_assert_int_eq(weir_rwlock_release(a), 0);
	ck_assert_int_eq(weir_rwlock_release(a), 0);
	/* Free, but for who is next. */
	ck_assert_int_eq(try_read(a), -EAGAIN);
	ck_assert_int_eq(try_write(a), -EAGAIN);
	ck_assert(gate_leave(&writer));
	ck_assert_int_eq(try_read(a), 0);
}
END_TEST

START_TEST(a_reader_that_waits_is_next_after_a_writer)
{
	struct gate_visit reader;

	ck_assert_int_eq(try_write(a), 0);
	reader = next(b, false);
	gate_ask(&reader, true, test_now());
	ck_assert_int_eq(weir_rwlock_release(a), 0);
	ck_assert_int_eq(try_write(a), -EAGAIN);
	ck_assert_int_eq(try_read(a), 0);
	ck_assert(gate_leave(&reader));
}
END_TEST

START_TEST(one_who_is_next_and_stands_still_loses_its_turn)
{
	int64_t start = test_now();
	struct gate_visit writer = next(b, true);

	gate_ask(&writer, true, test_now());
	ck_assert_int_eq(weir_rwlock_read(a, 0, soon()), 0);
	ck_assert_int_ge(test_now() - start, GATE_STALE_NS);
	ck_assert_int_eq(weir_rwlock_release(a), 0);
	/* Also for those who never wait. */
	gate_ask(&writer, true, test_now());
	start = test_now();
	while (try_write(a) != 0)
		ck_assert_int_lt(test_now(), start + GATE_STALE_NS * 100);
	ck_assert_int_ge(test_now() - start, GATE_STALE_NS);
}
END_TEST

START_TEST(damage_is_ebadmsg)
{
	a->tally.tally.shared->word.high = UINT64_MAX;
	ck_assert_int_eq(try_read(a), -EBADMSG);
	ck_assert_int_eq(try_write(a), -EBADMSG);
	ck_assert_int_eq(weir_rwlock_write(a, 0, soon()), -EBADMSG);
	ck_assert_int_eq(weir_rwlock_release(a), -EBADMSG);
	/* A gate of nobody's is none for long. */
	a->tally.tally.shared->word.high = 0;
	a->tally.tally.shared->gate = UINT64_MAX;
	ck_assert_int_eq(weir_rwlock_write(a, 0, soon()), 0);
	a->tally.tally.shared->gate = GATE_WRITER | 77;
	ck_assert_int_eq(weir_rwlock_release(a), 0);
	ck_assert_int_eq(weir_rwlock_read(b, 0, soon()), 0);
}
END_TEST

START_TEST(geometry_that_nobody_makes_is_refused)
{
	const struct weir_commons_geometry wrong = { .flags = 1 }, right = { 0 };

	ck_assert_int_eq(shared_kind_rwlock.check(&wrong, 0), -EBADMSG);
	ck_assert_int_eq(shared_kind_rwlock.check(&right, 1), -EBADMSG);
	ck_assert_int_eq(shared_kind_rwlock.check(&right, 0), 0);
}
END_TEST

START_TEST(closed_nothing_is_left)
{
	struct resources before;
	struct weir_rwlock *c;

	ck_assert_int_eq(try_read(a), 0);
	before = resources_begin();
	ck_assert_int_eq(weir_rwlock(&c), 0);
	ck_assert_int_eq(try_write(c), 0);
	weir_rwlock_close(copy(c));
	weir_rwlock_close(c);
	resources_check(&before);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("rwlock");
	TCase *tcase = tcase_create("rwlock");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, any_number_read);
	tcase_add_test(tcase, one_writes);
	tcase_add_test(tcase, from_writing_to_reading);
	tcase_add_test(tcase, a_deadline_passes);
	tcase_add_test(tcase, wrong_arguments_are_einval);
	tcase_add_test(tcase, closed_while_it_writes_all_are_told_until_one_writes);
	tcase_add_test(tcase, closed_while_it_reads_nobody_is_told);
	tcase_add_test(tcase, who_reads_already_need_not_wait_for_a_writer);
	tcase_add_test(tcase, a_reader_that_waits_is_next_after_a_writer);
	tcase_add_test(tcase, one_who_is_next_and_stands_still_loses_its_turn);
	tcase_add_test(tcase, damage_is_ebadmsg);
	tcase_add_test(tcase, geometry_that_nobody_makes_is_refused);
	tcase_add_test(tcase, closed_nothing_is_left);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
