/* SPDX-License-Identifier: MIT */
/*
 * Each system call of a semaphore or a reader/writer lock made to fail: the first, the second and
 * so on; only that one, or all from there on, or all of a kind. It is a documented error then, or
 * goes without; nothing leaks, nobody is taken for dead who is not, and all units are there.
 */
#include "failures.h"
#include "support.h"

#include "obj/rwlock.h"
#include "obj/semaphore.h"
#include "weir.h"

#define US	INT64_C(1000)
#define UNITS	2

static const int errors[] = { EMFILE, ENOMEM, EPERM, EINTR, EAGAIN, EINVAL };

static struct weir_semaphore *plain, *bounded;
static struct weir_rwlock *lock;
static char text[WEIR_EXPORT_SIZE];

/* Making one, or getting it from elsewhere. */
static bool explained(int result)
{
	return result == plan.error || result == -ENOBUFS || result == -ENOMEM ||
	       result == -EINVAL || result == -EBADF || result == -EPROTO || result == -EBADMSG;
}

/* What an honest call may say at worst, by what the header says. */
static bool in_vain(int result, uint32_t flags)
{
	return result == -ETIMEDOUT || result == -ENOMEM ||
	       (result == -EINTR && plan.error == -EINTR && (flags & WEIR_INTR));
}

static int make_all(void)
{
	const struct weir_semaphore_options of_things = {
		.size = sizeof(of_things),
		.flags = WEIR_SEMAPHORE_BOUNDED,
	};
	int result;

	plain = bounded = NULL;
	lock = NULL;
	result = weir_semaphore(&plain, UNITS, NULL);
	if (result == 0)
		result = weir_semaphore(&bounded, UNITS, &of_things);
	if (result == 0)
		result = weir_rwlock(&lock);
	return result;
}

static void close_all(void)
{
	weir_semaphore_close(plain);
	weir_semaphore_close(bounded);
	weir_rwlock_close(lock);
}

static void open_all(void)
{
	check(make_all() == 0);
}

static void use_semaphore(struct weir_semaphore *s)
{
	check(weir_semaphore_value(s) == UNITS);
	for (int i = 0; i < UNITS; i++)
		check(weir_semaphore_acquire(s, 0, 0) == 0);
	check(weir_semaphore_acquire(s, 0, 0) == -EAGAIN);
	check(weir_semaphore_release(s, UNITS) == 0);
	check(weir_semaphore_value(s) == UNITS);
}

/* All units are there, no more, and nobody is told of a death. */
static void use_all(void)
{
	use_semaphore(plain);
	use_semaphore(bounded);
	check(weir_semaphore_release(bounded, 1) == -EOVERFLOW);
	check(weir_rwlock_readers(lock) == 0);
	check(weir_rwlock_write(lock, 0, 0) == 0);
	check(weir_rwlock_readers(lock) == -EBUSY);
	check(weir_rwlock_downgrade(lock) == 0);
	check(weir_rwlock_read(lock, 0, 0) == 0);
	check(weir_rwlock_readers(lock) == 2);
	check(weir_rwlock_release(lock) == 0);
	check(weir_rwlock_release(lock) == 0);
	check(weir_rwlock_release(lock) == -EPERM);
}

static void create_once(void)
{
	int result;

	failures_begin();
	result = make_all();
	failures_end("create");
	check(result == 0 || explained(result));
	if (result == 0)
		use_all();
	close_all();
}

/* With all in hand; others get it. */
static void close_once(void)
{
	struct weir_semaphore *other;
	struct weir_rwlock *other_lock;

	open_all();
	check(weir_export(bounded, text, sizeof(text)) > 0);
	check(weir_import(text, WEIR_KIND_SEMAPHORE, &other) == 0);
	check(weir_export(lock, text, sizeof(text)) > 0);
	check(weir_import(text, WEIR_KIND_RWLOCK, &other_lock) == 0);
	check(weir_semaphore_acquire(bounded, 0, 0) == 0);
	check(weir_rwlock_write(lock, 0, 0) == 0);
	failures_begin();
	weir_semaphore_close(bounded);
	weir_rwlock_close(lock);
	weir_semaphore_close(plain);
	failures_end("close");
	check(weir_semaphore_value(other) == UNITS);
	check(weir_semaphore_acquire(other, 0, 0) == WEIR_OWNER_DIED);
	check(weir_semaphore_release(other, 1) == 0);
	check(weir_rwlock_write(other_lock, 0, 0) == WEIR_OWNER_DIED);
	check(weir_rwlock_release(other_lock) == 0);
	check(weir_semaphore(&plain, UNITS, NULL) == 0);
	bounded = other;
	lock = other_lock;
	use_all();
	close_all();
}

/* The first calls of this process, which wait for nothing. */
static void first_calls_once(void)
{
	int result;

	open_all();
	failures_begin();
	check(weir_semaphore_acquire(plain, 0, 0) == 0);
	check(weir_semaphore_release(plain, 1) == 0);
	result = weir_semaphore_acquire(bounded, 0, 0);
	check(result == 0 || result == -ENOMEM);
	if (result == 0)
		check(weir_semaphore_release(bounded, 1) == 0);
	result = weir_rwlock_read(lock, 0, 0);
	check(result == 0 || result == -ENOMEM);
	if (result == 0)
		check(weir_rwlock_release(lock) == 0);
	result = weir_rwlock_write(lock, 0, 0);
	check(result == 0 || result == -ENOMEM);
	if (result == 0)
		check(weir_rwlock_downgrade(lock) == 0 && weir_rwlock_release(lock) == 0);
	failures_end("first calls");
	use_all();
	close_all();
}

static int64_t shortly(void)
{
	return test_now() + 100 * US;
}

/* Another party, alive, has it all, and is not robbed whatever the kernel says. */
static void time_out_once(void)
{
	const uint32_t flags = WEIR_NOSPIN | WEIR_INTR;
	struct weir_semaphore *other;
	struct weir_rwlock *other_lock;

	open_all();
	check(weir_export(bounded, text, sizeof(text)) > 0);
	check(weir_import(text, WEIR_KIND_SEMAPHORE, &other) == 0);
	check(weir_export(lock, text, sizeof(text)) > 0);
	check(weir_import(text, WEIR_KIND_RWLOCK, &other_lock) == 0);
	for (int i = 0; i < UNITS; i++) {
		check(weir_semaphore_acquire(plain, 0, 0) == 0);
		check(weir_semaphore_acquire(other, 0, 0) == 0);
	}
	check(weir_rwlock_write(other_lock, 0, 0) == 0);
	/* Who cannot sleep stays awake. */
	may_last = -plan.error;
	failures_begin();
	check(in_vain(weir_semaphore_acquire(plain, WEIR_NOSPIN, shortly()), 0));
	check(in_vain(weir_semaphore_acquire(bounded, WEIR_NOSPIN, shortly()), 0));
	check(in_vain(weir_semaphore_acquire(bounded, flags, shortly()), flags));
	check(in_vain(weir_rwlock_read(lock, WEIR_NOSPIN, shortly()), 0));
	check(in_vain(weir_rwlock_write(lock, flags, shortly()), flags));
	check(weir_rwlock_downgrade(other_lock) == 0);
	check(in_vain(weir_rwlock_write(lock, WEIR_NOSPIN, shortly()), 0));
	failures_end("time out");
	check(weir_semaphore_value(bounded) == 0);
	check(weir_rwlock_readers(lock) == 1);
	check(weir_rwlock_release(other_lock) == 0);
	check(weir_semaphore_release(other, UNITS) == 0);
	check(weir_semaphore_release(plain, UNITS) == 0);
	check(lock->tally.tally.shared->gate == 0 && lock->tally.tally.shared->watch == 0);
	use_all();
	weir_semaphore_close(other);
	weir_rwlock_close(other_lock);
	close_all();
}

static int have_all_and_die(void *arg)
{
	(void)arg;
	for (int i = 0; i < UNITS; i++)
		child_check(weir_semaphore_acquire(bounded, 0, 0) == 0);
	child_check(weir_rwlock_write(lock, 0, 0) == 0);
	return 0;
}

/* Nobody can be told dead without the kernel; once it speaks again it is seen. */
static void take_from_the_dead_once(void)
{
	struct child child;
	int of_semaphore, of_lock;

	open_all();
	child = child_start(have_all_and_die, NULL);
	child_join_ok(&child);
	may_last = -plan.error;
	failures_begin();
	of_semaphore = weir_semaphore_acquire(bounded, WEIR_NOSPIN, shortly());
	of_lock = weir_rwlock_write(lock, WEIR_NOSPIN, shortly());
	failures_end("take from the dead");
	check(of_semaphore == WEIR_OWNER_DIED || in_vain(of_semaphore, 0));
	check(of_lock == WEIR_OWNER_DIED || in_vain(of_lock, 0));
	if (of_semaphore < 0)
		check(weir_semaphore_acquire(bounded, 0, soon()) == WEIR_OWNER_DIED);
	if (of_lock < 0)
		check(weir_rwlock_write(lock, 0, soon()) == WEIR_OWNER_DIED);
	check(weir_semaphore_release(bounded, 1) == 0);
	check(weir_rwlock_release(lock) == 0);
	use_all();
	close_all();
}

/* As if somebody slept. */
static void mark_asleep(struct tally_object *o)
{
	store_release(tally_bell(o), BELL_ASLEEP);
}

static void wake_once(void)
{
	open_all();
	check(weir_semaphore_acquire(plain, 0, 0) == 0);
	check(weir_semaphore_acquire(bounded, 0, 0) == 0);
	check(weir_rwlock_write(lock, 0, 0) == 0);
	mark_asleep(&plain->tally);
	mark_asleep(&bounded->tally);
	mark_asleep(&lock->tally);
	failures_begin();
	check(weir_semaphore_release(plain, 1) == 0);
	check(weir_semaphore_release(bounded, 1) == 0);
	check(weir_rwlock_downgrade(lock) == 0);
	mark_asleep(&lock->tally);
	check(weir_rwlock_release(lock) == 0);
	failures_end("release");
	use_all();
	close_all();
}

static void in_a_set_once(void)
{
	struct weir_waitset *set;
	struct weir_event found;
	int result;

	open_all();
	for (int i = 0; i < UNITS; i++)
		check(weir_semaphore_acquire(bounded, 0, 0) == 0);
	check(weir_waitset(&set, NULL) == 0);
	may_last = -plan.error;
	failures_begin();
	result = weir_waitset_add_semaphore(set, bounded, NULL, NULL);
	if (result == 0)
		weir_waitset_wait(set, &found, 1, WEIR_NOSPIN, 0);
	check(weir_semaphore_release(bounded, 2) == 0);
	failures_end("release in a set");
	check(result == 0 || explained(result));
	if (result == 0)
		check(weir_waitset_wait(set, &found, 1, 0, soon()) == 1);
	weir_waitset_close(set);
	use_all();
	close_all();
}

static int import(const void *handle, uint32_t kind, void *ret_handle)
{
	int result = weir_export(handle, text, sizeof(text));

	if (result < 0)
		return result;
	result = weir_import(text, kind, ret_handle);
	failures_end("import");
	if (result < 0)
		check(weir_unexport(text) == 0);
	failures_continue();
	return result;
}

static void import_once(void)
{
	struct weir_semaphore *other_plain = NULL, *other_bounded = NULL;
	struct weir_rwlock *other_lock = NULL;
	int result;

	open_all();
	failures_begin();
	result = import(plain, WEIR_KIND_SEMAPHORE, &other_plain);
	check(result >= 0 || explained(result));
	result = import(bounded, WEIR_KIND_SEMAPHORE, &other_bounded);
	check(result >= 0 || explained(result));
	result = import(lock, WEIR_KIND_RWLOCK, &other_lock);
	check(result >= 0 || explained(result));
	failures_end("export");
	weir_semaphore_close(other_plain);
	weir_semaphore_close(other_bounded);
	weir_rwlock_close(other_lock);
	use_all();
	close_all();
}

static void (*const operations[])(void) = {
	create_once, close_once, first_calls_once, time_out_once, take_from_the_dead_once,
	wake_once, in_a_set_once, import_once,
};

#define OPERATIONS (sizeof(operations) / sizeof(operations[0]))

START_TEST(call_that_fails_is_an_error_at_worst)
{
	struct weir_waitset *set;
	struct resources before;

	/* What a process makes once, and keeps. */
	open_all();
	check(weir_waitset(&set, NULL) == 0);
	check(weir_waitset_add_semaphore(set, bounded, NULL, NULL) == 0);
	weir_waitset_close(set);
	use_all();
	close_all();
	before = resources_begin();
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		with_each_call(errors[i], operations[_i]);
	resources_check(&before);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tally-syscalls");
	TCase *tcase = tcase_create("syscalls");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, call_that_fails_is_an_error_at_worst, 0, (int)OPERATIONS);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
