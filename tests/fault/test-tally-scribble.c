/* SPDX-License-Identifier: MIT */
/*
 * Somebody who may write the memory of a semaphore or a reader/writer lock writes anything into it,
 * before calls and during them: they return by their deadlines what they may, and nothing crashes.
 */
#include "support.h"

#include <errno.h>

#include "base/atomic.h"
#include "obj/rwlock.h"
#include "obj/semaphore.h"
#include "weir.h"

#define US	INT64_C(1000)
#define MS	INT64_C(1000000)
#define NAP	(30 * US)
/* A busy machine may take long. */
#define PATIENCE_NS (5000 * MS)
#define UNITS	2
/* Of the parties: a few are used. */
#define PARTIES	4U
#define VALUES	11

static struct weir_semaphore *semaphore;	/* this one, or the lock */
static struct weir_rwlock *lock;

enum kind {
	PLAIN,
	BOUNDED,
	LOCK,
	KINDS
};

static struct shared *shared(void)
{
	return semaphore ? &semaphore->tally.shared : &lock->tally.shared;
}

/*
 * What is written
 */

struct area {
	uint64_t *words;
	size_t count;
};

enum {
	TALLY,
	PARTY,
	CONTROL,
	AREAS
};

static struct area area(int which)
{
	const struct commons *c = &shared()->commons;

	switch (which) {
	case TALLY:
		return (struct area){ c->state, sizeof(struct weir_tally) / 8 };
	case PARTY:
		return (struct area){ (uint64_t *)(void *)c->parties,
				      PARTIES * sizeof(struct weir_party) / 8 };
	default:
		/* Up to the lock's end: of the namespaces one is as good as another. */
		return (struct area){ (uint64_t *)(void *)c->control,
				      offsetof(struct weir_commons_control, spaces) / 8 };
	}
}

/* Anything, or what refers to something that is there, or nearly. */
static uint64_t value_of(const uint64_t *word, int which)
{
	const uint64_t was = load_seq(word);

	switch (which) {
	case 0:
		return 0;
	case 1:
		return UINT64_MAX;
	case 2:
		return test_random();
	case 3:
		return load_seq(word + 1);	/* behind each area there is another */
	case 4:
		return was + 1;
	case 5:
		return was - 1;
	case 6:
		return was ^ UINT64_C(1) << test_random_below(64);
	case 7:
		/* A party and who knows what of it; one too many now and then. */
		return (was & -TALLY_NUMBER_ONE) | (test_random() & TALLY_DIED) |
		       test_random_below(PARTIES);
	case 8:
		return (was & -TALLY_NUMBER_ONE) | (COMMONS_PARTIES - 1 + test_random_below(2));
	case 9:
		/* So many held, so many taken. */
		return TALLY_HIGH(test_random_below(UNITS + 2), test_random_below(UNITS + 2));
	default:
		return TALLY_HIGH(INT32_MAX - test_random_below(2),
				  INT32_MAX - 1 + test_random_below(3));
	}
}

/*
 * The honest one
 */

static int64_t begun;

static void begin(void)
{
	begun = test_now();
}

/* The results are errors that the headers name, with others at their end. */
static void expect(int result, const int *errors, const char *what)
{
	ck_assert_msg(test_now() - begun < PATIENCE_NS, "%s is late", what);
	if (result >= 0)
		return;
	while (*errors && *errors != -result)
		errors++;
	ck_assert_msg(*errors, "%s: %d", what, result);
}

#define call(expression, ...) \
	do { \
		const int errors[] = { EBADMSG, __VA_ARGS__, 0 }; \
\
		begin(); \
		expect((expression), errors, #expression); \
	} while (0)

static void use_semaphore(struct weir_semaphore *s)
{
	call(weir_semaphore_acquire(s, 0, 0), EAGAIN, EUSERS);
	call(weir_semaphore_acquire(s, WEIR_NOSPIN, test_now() + NAP), ETIMEDOUT, EUSERS);
	call(weir_semaphore_acquire(s, WEIR_NOSPIN, test_now() + NAP), ETIMEDOUT, EUSERS);
	call(weir_semaphore_value(s), EBADMSG);
	call(weir_semaphore_release(s, 1), EOVERFLOW, EPERM, EUSERS);
	call(weir_semaphore_release(s, UNITS), EOVERFLOW, EPERM, EUSERS);
	call(weir_semaphore_release(s, INT32_MAX), EOVERFLOW, EPERM, EUSERS);
	call(weir_semaphore_release(s, UINT32_MAX), EOVERFLOW, EPERM, EUSERS);
}

static void use_lock(struct weir_rwlock *l)
{
	call(weir_rwlock_read(l, 0, 0), EAGAIN, EUSERS);
	call(weir_rwlock_read(l, WEIR_NOSPIN, test_now() + NAP), ETIMEDOUT, EUSERS);
	call(weir_rwlock_write(l, WEIR_NOSPIN, test_now() + NAP), ETIMEDOUT, EUSERS);
	call(weir_rwlock_readers(l), EBUSY);
	call(weir_rwlock_release(l), EPERM, EUSERS);
	call(weir_rwlock_release(l), EPERM, EUSERS);
	call(weir_rwlock_write(l, WEIR_NOSPIN, test_now() + NAP), ETIMEDOUT, EUSERS);
	call(weir_rwlock_downgrade(l), EPERM, EUSERS);
	call(weir_rwlock_release(l), EPERM, EUSERS);
}

static void use(void)
{
	if (semaphore)
		use_semaphore(semaphore);
	else
		use_lock(lock);
	begin();
	shared_mend_all(shared());
	expect(0, NULL, "mending");
}

static void close_it(void)
{
	begin();
	weir_semaphore_close(semaphore);
	weir_rwlock_close(lock);
	expect(0, NULL, "closing");
	semaphore = NULL;
	lock = NULL;
}

static void use_another(void)
{
	struct weir_semaphore *first_semaphore = semaphore;
	struct weir_rwlock *first_lock = lock;
	uint32_t kind = semaphore ? WEIR_KIND_SEMAPHORE : WEIR_KIND_RWLOCK;
	char text[WEIR_EXPORT_SIZE];
	void *other;

	ck_assert_int_gt(
		weir_export(semaphore ? (void *)semaphore : (void *)lock, text, sizeof(text)), 0);
	ck_assert_int_eq(weir_import(text, kind, &other), 0);
	semaphore = first_semaphore ? other : NULL;
	lock = first_lock ? other : NULL;
	use();
	close_it();
	semaphore = first_semaphore;
	lock = first_lock;
}

static void open_one(enum kind kind)
{
	const struct weir_semaphore_options options = {
		.size = sizeof(options),
		.flags = kind == BOUNDED ? WEIR_SEMAPHORE_BOUNDED : 0,
	};

	if (kind == LOCK)
		ck_assert_int_eq(weir_rwlock(&lock), 0);
	else
		ck_assert_int_eq(weir_semaphore(&semaphore, UNITS, &options), 0);
}

static int have_and_die(void *arg)
{
	(void)arg;
	if (semaphore)
		weir_semaphore_acquire(semaphore, 0, 0);
	else if (weir_rwlock_read(lock, 0, 0) == -EAGAIN || test_random_below(2))
		weir_rwlock_write(lock, 0, 0);
	return 0;
}

/* Amid its life: several parties, of which one may be dead, and have some. */
static void open_used(enum kind kind)
{
	open_one(kind);
	if (test_random_below(2))
		use();
	if (test_random_below(8) == 0) {
		struct child child = child_start(have_and_die, NULL);

		child_join(&child);
	}
	if (test_random_below(2) == 0)
		have_and_die(NULL);
}

/* What a process makes once, and keeps. */
static struct resources begin_resources(void)
{
	open_one(BOUNDED);
	use_another();
	close_it();
	return resources_begin();
}

START_TEST(damage_before_a_call_ends_it_in_time)
{
	struct resources before = begin_resources();

	for (int which = 0; which < AREAS; which++)
		for (int value = 0; value < VALUES; value++) {
			size_t count;

			open_one((enum kind)_i);
			count = area(which).count;
			close_it();
			for (size_t i = 0; i < count; i++) {
				uint64_t *word;

				open_used((enum kind)_i);
				word = &area(which).words[i];
				store_seq(word, value_of(word, value));
				use();
				use_another();
				close_it();
			}
		}
	resources_check(&before);
}
END_TEST

static int scribble_for_ever(void *arg)
{
	(void)arg;
	for (;;) {
		const struct area a = area((int)test_random_below(AREAS));
		uint64_t *word = &a.words[test_random_below(a.count)];

		store_seq(word, value_of(word, (int)test_random_below(VALUES)));
		/* So that it is quiet now and then for long enough to go far. */
		for (uint64_t n = test_random_below(2000); n > 1000; n--)
			load_seq(word);
	}
	return 0;
}

static int use_for_some_time(void *arg)
{
	(void)arg;
	for (int n = 0; n < 60; n++)
		use();
	for (int n = 0; n < 4; n++)
		use_another();
	return 0;
}

START_TEST(damage_during_a_call_ends_it_in_time)
{
	struct resources before = begin_resources();

	for (int i = 0; i < 8; i++) {
		struct child scribbler, other;

		open_used((enum kind)_i);
		scribbler = child_start(scribble_for_ever, NULL);
		other = child_start(use_for_some_time, NULL);
		use_for_some_time(NULL);
		child_join_ok(&other);
		/* Also in its end. */
		if (i % 2)
			close_it();
		child_kill(&scribbler);
		if (semaphore || lock)
			close_it();
	}
	resources_check(&before);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tally-scribble");
	TCase *tcase = tcase_create("scribble");

	tcase_set_timeout(tcase, 100);
	tcase_add_loop_test(tcase, damage_before_a_call_ends_it_in_time, 0, KINDS);
	tcase_add_loop_test(tcase, damage_during_a_call_ends_it_in_time, 0, KINDS);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
