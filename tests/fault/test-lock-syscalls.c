/* SPDX-License-Identifier: MIT */
/*
 * Each system call of a lock made to fail: the first, the second and so on; only that one, or all
 * from there on, or all of a kind. It is an error then, or goes without; nothing leaks, nobody is
 * taken for dead who is not, and without failures it works.
 */
#include "failures.h"
#include "lock-tools.h"

static const int errors[] = { EMFILE, ENOMEM, EPERM, EINTR, EAGAIN, EINVAL };

static struct weir_lock *lock;
static char text[WEIR_EXPORT_SIZE];

static void use(void)
{
	check(weir_lock_acquire(lock, 0, 0) == 0);
	check(weir_lock_release(lock) == 0);
}

static bool explained(int result)
{
	return result == plan.error || result == -ENOBUFS || result == -ENOMEM ||
	       result == -EINVAL || result == -EBADF;
}

static void create_once(void)
{
	int result;

	failures_begin();
	result = weir_lock(&lock, NULL);
	failures_end("create");
	if (result < 0) {
		check(explained(result));
		return;
	}
	use();
	weir_lock_close(lock);
}

static void close_once(void)
{
	check(weir_lock(&lock, NULL) == 0);
	use();
	failures_begin();
	weir_lock_close(lock);
	failures_end("close");
}

static void sit_once(void)
{
	int result;

	check(weir_lock(&lock, NULL) == 0);
	failures_begin();
	result = weir_lock_acquire(lock, 0, 0);
	failures_end("acquire");
	check(result == 0 || explained(result));
	if (result == 0)
		check(weir_lock_release(lock) == 0);
	use();
	weir_lock_close(lock);
}

/* Somebody alive has it, and is not robbed whatever the kernel says. */
static void time_out_once(void)
{
	struct weir_lock *other;
	int result;

	check(weir_lock(&lock, NULL) == 0);
	other = lock_second(lock);
	check(weir_lock_acquire(other, 0, 0) == 0);
	/* Who cannot sleep stays awake. */
	may_last = -plan.error;
	failures_begin();
	result = weir_lock_acquire(lock, WEIR_NOSPIN, test_now() + 200 * US);
	failures_end("time out");
	check(result == -ETIMEDOUT || explained(result));
	check(weir_lock_is_mine(other));
	check(weir_lock_release(other) == 0);
	use();
	weir_lock_close(other);
	weir_lock_close(lock);
}

static int have_and_die(void *arg)
{
	(void)arg;
	return weir_lock_acquire(lock, 0, 0) == 0 ? 0 : 1;
}

/* Nobody can be told dead without the kernel; once it speaks again it is seen. */
static void take_from_the_dead_once(void)
{
	struct child child;
	int result;

	check(weir_lock(&lock, NULL) == 0);
	child = child_start(have_and_die, NULL);
	child_join_ok(&child);
	may_last = -plan.error;
	failures_begin();
	result = weir_lock_acquire(lock, WEIR_NOSPIN, test_now() + 200 * US);
	failures_end("take from the dead");
	check(result == -ETIMEDOUT || result == WEIR_OWNER_DIED || explained(result));
	if (result < 0)
		check(weir_lock_acquire(lock, 0, soon()) == WEIR_OWNER_DIED);
	check(weir_lock_release(lock) == 0);
	use();
	weir_lock_close(lock);
}

static void wake_once(void)
{
	check(weir_lock(&lock, NULL) == 0);
	check(weir_lock_acquire(lock, 0, 0) == 0);
	/* As if somebody slept. */
	store_release(&lock->shared.commons.control->lock.bell, BELL_ASLEEP);
	failures_begin();
	check(weir_lock_release(lock) == 0);
	failures_end("release");
	use();
	weir_lock_close(lock);
}

static void import_once(void)
{
	struct weir_lock *other;
	int result;

	check(weir_lock(&lock, NULL) == 0);
	failures_begin();
	result = weir_export(lock, text, sizeof(text));
	failures_end("export");
	if (result >= 0) {
		failures_begin();
		result = weir_import(text, WEIR_KIND_LOCK, &other);
		failures_end("import");
		if (result == 0)
			weir_lock_close(other);
		else
			check(weir_unexport(text) == 0);
	}
	check(result >= 0 || explained(result) || result == -EPROTO || result == -EBADMSG);
	use();
	weir_lock_close(lock);
}

static void (*const operations[])(void) = {
	create_once, close_once, sit_once, time_out_once, take_from_the_dead_once, wake_once,
	import_once,
};

#define OPERATIONS (sizeof(operations) / sizeof(operations[0]))

START_TEST(call_that_fails_is_an_error_at_worst)
{
	struct resources before = resources_begin();

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		with_each_call(errors[i], operations[_i]);
	resources_check(&before);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lock-syscalls");
	TCase *tcase = tcase_create("syscalls");

	tcase_add_loop_test(tcase, call_that_fails_is_an_error_at_worst, 0, (int)OPERATIONS);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
