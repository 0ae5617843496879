/* SPDX-License-Identifier: MIT */
/*
 * Each system call of an event, a condition or a barrier made to fail: the first, the second and so
 * on; only that one, or all from there on, or all of a kind. It is an error then, or goes without;
 * nothing leaks, nobody is taken for dead who is not, and without failures it works.
 */
#include "failures.h"
#include "support.h"
#include "weir.h"

#define US	INT64_C(1000)

static const int errors[] = { EMFILE, ENOMEM, EPERM, EINTR, EAGAIN, EINVAL };

static struct weir_event_flag *event;
static struct weir_condition *condition;
static struct weir_barrier *barrier;
static char text[WEIR_EXPORT_SIZE];

static bool explained(int result)
{
	return result == plan.error || result == -ENOBUFS || result == -ENOMEM ||
	       result == -EINVAL || result == -EBADF || result == -EPROTO || result == -EBADMSG;
}

static struct weir_lock *lock(void)
{
	return weir_condition_lock(condition);
}

static void open_all(void)
{
	check(weir_event(&event, NULL) == 0);
	check(weir_condition(&condition, NULL, NULL) == 0);
	check(weir_barrier(&barrier, 1, NULL) == 0);
}

static void use_all(void)
{
	check(weir_event_set(event) == 0);
	check(weir_event_wait(event, 0, 0) == 0);
	check(weir_lock_acquire(lock(), 0, 0) == 0);
	check(weir_condition_wait(condition, 0, 0) == -EAGAIN);
	check(weir_condition_notify_all(condition) == 0);
	check(weir_lock_release(lock()) == 0);
	weir_barrier_reset(barrier);
	check(weir_barrier_wait(barrier, 0, 0, NULL) == 0);
}

static void close_all(void)
{
	weir_event_close(event);
	weir_condition_close(condition);
	weir_barrier_close(barrier);
}

static void create_once(void)
{
	int result;

	failures_begin();
	event = NULL;
	condition = NULL;
	barrier = NULL;
	result = weir_event(&event, NULL);
	if (result == 0)
		result = weir_condition(&condition, NULL, NULL);
	if (result == 0)
		result = weir_barrier(&barrier, 1, NULL);
	failures_end("create");
	check(result == 0 || explained(result));
	if (result == 0)
		use_all();
	close_all();
}

static void close_once(void)
{
	open_all();
	use_all();
	failures_begin();
	close_all();
	failures_end("close");
}

/* The first calls of this process, and sleeping; who cannot sleep stays awake. */
static void time_out_once(void)
{
	int result;

	open_all();
	weir_barrier_close(barrier);
	check(weir_barrier(&barrier, 2, NULL) == 0);
	may_last = -plan.error;
	failures_begin();
	check(weir_event_wait(event, WEIR_NOSPIN, test_now() + 100 * US) == -ETIMEDOUT);
	result = weir_barrier_wait(barrier, WEIR_NOSPIN, test_now() + 100 * US, NULL);
	check(result == -ETIMEDOUT || explained(result));
	result = weir_lock_acquire(lock(), 0, 0);
	check(result == 0 || explained(result));
	if (result == 0) {
		result = weir_condition_wait(condition, WEIR_NOSPIN, test_now() + 100 * US);
		check(result == -ETIMEDOUT || explained(result));
		check(weir_lock_is_mine(lock()));
		check(weir_lock_release(lock()) == 0);
	}
	failures_end("time out");
	weir_barrier_close(barrier);
	check(weir_barrier(&barrier, 1, NULL) == 0);
	use_all();
	close_all();
}

static void in_a_set_once(void)
{
	struct weir_waitset *set;
	struct weir_event found;
	int result;

	open_all();
	check(weir_waitset(&set, NULL) == 0);
	may_last = -plan.error;
	failures_begin();
	result = weir_waitset_add_event(set, event, NULL, NULL);
	if (result == 0) {
		weir_waitset_wait(set, &found, 1, WEIR_NOSPIN, 0);
		check(weir_event_set(event) == 0);
	}
	failures_end("set in a set");
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
	failures_begin();
	return result;
}

static void import_once(void)
{
	struct weir_event_flag *other_event = NULL;
	struct weir_condition *other_condition = NULL;
	int result;

	open_all();
	failures_begin();
	result = import(event, WEIR_KIND_EVENT, &other_event);
	check(result >= 0 || explained(result));
	result = import(condition, WEIR_KIND_CONDITION, &other_condition);
	check(result >= 0 || explained(result));
	failures_end("export");
	weir_event_close(other_event);
	weir_condition_close(other_condition);
	use_all();
	close_all();
}

static void (*const operations[])(void) = {
	create_once, close_once, time_out_once, in_a_set_once, import_once,
};

#define OPERATIONS (sizeof(operations) / sizeof(operations[0]))

START_TEST(call_that_fails_is_an_error_at_worst)
{
	struct weir_waitset *set;
	struct resources before;

	/* What a process makes once, and keeps. */
	open_all();
	check(weir_waitset(&set, NULL) == 0);
	check(weir_waitset_add_event(set, event, NULL, NULL) == 0);
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
	Suite *suite = suite_create("meet-syscalls");
	TCase *tcase = tcase_create("syscalls");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, call_that_fails_is_an_error_at_worst, 0, (int)OPERATIONS);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
