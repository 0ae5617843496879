/* SPDX-License-Identifier: MIT */
/*
 * Each system call and each allocation of an array or a value made to fail: the first, the second
 * and so on; of the calls only that one, or all from there on, or all of a kind. It is an error
 * then, or goes without; nothing leaks, nobody is taken for dead who is not, what is read is whole,
 * and without failures it works.
 */
#include "array-tools.h"
#include "failures.h"
#include "weir.h"

#define US	INT64_C(1000)
/* More than what is copied without an allocation. */
#define MANY	(ARRAY_SPARE_SIZE / sizeof(int64_t) + 1)

/*
 * Allocations
 */

void *__real_calloc(size_t count, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

/* -1: none fails. */
static int until_failure = -1;
static bool has_failed;

static bool allocation_fails(void)
{
	if (until_failure < 0 || until_failure-- > 0)
		return false;
	has_failed = true;
	return true;
}

void *__wrap_calloc(size_t count, size_t size)
{
	return allocation_fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
	return allocation_fails() ? NULL : __real_aligned_alloc(alignment, size);
}

/*
 * An array of numbers that are all equal
 */

static const int errors[] = { EMFILE, ENOMEM, EPERM, EINTR, EAGAIN, EINVAL };

enum variant { OWN, GIVEN, RAW, VALUE, VARIANTS };

static enum variant variant;
static struct weir_lock *lock;		/* of GIVEN */
static char text[WEIR_EXPORT_SIZE];

static bool explained(int result)
{
	return result == plan.error || result == -ENOBUFS || result == -ENOMEM ||
	       result == -EINVAL || result == -EBADF || result == -EPROTO || result == -EBADMSG;
}

/* A value is an array of one; only who makes and closes it sees the difference. */
static int make(struct weir_array **ret)
{
	static const int64_t ones[MANY] = { [0 ... MANY - 1] = 1 };
	struct weir_array_options o = {
		.size = sizeof(o), .type = WEIR_TYPE_INT64, .count = MANY, .initial = ones,
		.flags = variant == RAW ? WEIR_ARRAY_RAW : 0,
		.lock = variant == GIVEN ? lock : NULL,
	};
	struct weir_value_options v = {
		.size = sizeof(v), .type = WEIR_TYPE_INT64, .initial = ones,
	};

	return variant == VALUE ? weir_value((struct weir_value **)ret, &v) : weir_array(ret, &o);
}

static uint64_t count(void)
{
	return variant == VALUE ? 1 : MANY;
}

static int fill_in(struct weir_array *a, int64_t number, int64_t deadline)
{
	int64_t numbers[MANY];

	for (size_t i = 0; i < MANY; i++)
		numbers[i] = number;
	return WEIR_ARRAY_WRITE(a, 0, count(), numbers, WEIR_NOSPIN, deadline);
}

/* The number that all are. */
static int64_t number_in(struct weir_array *a)
{
	int64_t numbers[MANY];

	check(WEIR_ARRAY_READ(a, 0, count(), numbers, 0, 0) == 0);
	for (size_t i = 1; i < count(); i++)
		check(numbers[i] == numbers[0]);
	return numbers[0];
}

static int negate(void *elements, uint64_t n, void *arg)
{
	int64_t *numbers = elements;

	for (uint64_t i = 0; i < n; i++)
		numbers[i] = -numbers[i];
	return *(int *)arg;
}

static void use(struct weir_array *a)
{
	int answer = 0;

	check(fill_in(a, 5, 0) == 0);
	check(number_in(a) == 5);
	if (variant == RAW)
		return;
	check(weir_array_acquire(a, 0, 0) == 0);
	check(weir_array_release(a) == 0);
	check(weir_array_edit(a, 0, 0, count(), negate, &answer, 0, 0) == 0);
	check(number_in(a) == -5);
}

static void open_all(void)
{
	if (variant == GIVEN)
		check(weir_lock(&lock, NULL) == 0);
	check(make(&array) == 0);
}

static void close_all(void)
{
	weir_array_close(array);
	array = NULL;
	if (variant == GIVEN)
		weir_lock_close(lock);
}

/*
 * What is done to it
 */

static void create_once(void)
{
	int result;

	if (variant == GIVEN)
		check(weir_lock(&lock, NULL) == 0);
	failures_begin();
	result = make(&array);
	failures_end("create");
	check(result == 0 || (explained(result) && !array));
	if (result == 0)
		use(array);
	close_all();
}

static void close_once(void)
{
	void *elements;

	open_all();
	use(array);
	/* With an update that was begun, and the lock. */
	if (variant != RAW)
		check(weir_array_begin(array, 0, 0, count(), 0, 0, &elements) == 0);
	failures_begin();
	weir_array_close(array);
	failures_end("close");
	array = NULL;
	/* A lock that was given stays held: it is somebody else's handle. */
	if (variant == GIVEN)
		check(weir_lock_release(lock) == 0);
	close_all();
}

/* The first calls of this process. */
static void update_once(void)
{
	int result;

	open_all();
	failures_begin();
	result = fill_in(array, 2, 0);
	failures_end("write");
	check(result == 0 || explained(result));
	check(number_in(array) == (result == 0 ? 2 : 1));
	use(array);
	close_all();
}

static void edit_once(void)
{
	int answer = 0, result;

	open_all();
	failures_begin();
	result = weir_array_edit(array, 0, 0, count(), negate, &answer, 0, 0);
	failures_end("edit");
	check(result == 0 || explained(result) || (variant == RAW && result == -EOPNOTSUPP));
	check(number_in(array) == (result == 0 ? -1 : 1));
	failures_continue();
	answer = -E2BIG;
	result = weir_array_edit(array, 0, 0, count(), negate, &answer, 0, 0);
	failures_end("edit that is dropped");
	check(result < 0);
	use(array);
	close_all();
}

static void begin_once(void)
{
	void *elements = NULL;
	int result;

	if (variant == RAW)
		return;
	open_all();
	failures_begin();
	result = weir_array_begin(array, 0, 0, count(), 0, 0, &elements);
	if (result == 0) {
		for (uint64_t i = 0; i < count(); i++)
			((int64_t *)elements)[i] = 3;
		result = weir_array_commit(array);
		check(result == 0);
	}
	failures_end("begin and commit");
	check(result == 0 || (explained(result) && !elements));
	check(number_in(array) == (result == 0 ? 3 : 1));
	use(array);
	close_all();
}

static void atomic_once(void)
{
	int64_t two = 2, was = 0, number = 0;

	open_all();
	failures_begin();
	check(weir_array_add(array, WEIR_TYPE_INT64, 0, &two, &was) == 0);
	check(weir_array_load(array, WEIR_TYPE_INT64, 0, &number) == 0);
	check(weir_array_exchange(array, WEIR_TYPE_INT64, 0, &was, &number) == 0);
	failures_end("add, load, exchange");
	check(was == 1 && number == 3);
	check(number_in(array) == 1);
	use(array);
	close_all();
}

/* Somebody alive has the lock, and is not robbed whatever the kernel says. */
static void time_out_once(void)
{
	struct weir_array *other;
	int result;

	if (variant == RAW)
		return;
	open_all();
	check(weir_export(array, text, sizeof(text)) > 0);
	check(weir_import(text, variant == VALUE ? WEIR_KIND_VALUE : WEIR_KIND_ARRAY,
			  &other) == 0);
	check(weir_array_acquire(other, 0, 0) == 0);
	/* Who cannot sleep stays awake. */
	may_last = -plan.error;
	failures_begin();
	result = fill_in(array, 2, test_now() + 100 * US);
	failures_end("time out");
	check(result == -ETIMEDOUT || explained(result));
	check(weir_lock_is_mine(weir_array_lock(other)));
	check(number_in(array) == 1);
	check(weir_array_release(other) == 0);
	use(array);
	weir_array_close(other);
	close_all();
}

/* Waiting for a change that does not come, and one that does. */
static void wait_once(void)
{
	uint64_t changes, seen;
	int result;

	open_all();
	check(weir_array_changes(array, &seen) == 0);
	may_last = -plan.error;
	failures_begin();
	check(weir_array_changes(array, &changes) == 0);
	result = weir_array_wait(array, seen, WEIR_NOSPIN, test_now() + 100 * US, NULL);
	check(changes == seen);
	check(result == -ETIMEDOUT || explained(result));
	/* As if somebody slept. */
	store_release(&array->state->bell, BELL_ASLEEP);
	result = fill_in(array, 2, 0);
	failures_end("wait and wake");
	check(result == 0 || explained(result));
	check(number_in(array) == (result == 0 ? 2 : 1));
	if (result == 0) {
		check(weir_array_wait(array, seen, 0, 0, &changes) == 0);
		check(changes != seen);
		seen = changes;
	}
	use(array);
	check(weir_array_wait(array, seen, 0, 0, &changes) == 0);
	check(changes != seen);
	close_all();
}

static int add_to(struct weir_waitset *set)
{
	return variant == VALUE
		? weir_waitset_add_value(set, (struct weir_value *)array, array, NULL)
		: weir_waitset_add_array(set, array, array, NULL);
}

static void in_a_set_once(void)
{
	struct weir_waitset *set;
	struct weir_event found;
	uint64_t changes;
	int result, wrote = 0;

	open_all();
	check(weir_array_changes(array, &changes) == 0);
	check(weir_waitset(&set, NULL) == 0);
	may_last = -plan.error;
	failures_begin();
	result = add_to(set);
	if (result == 0) {
		weir_waitset_wait(set, &found, 1, WEIR_NOSPIN, 0);
		wrote = fill_in(array, 2, 0);
	}
	failures_end("written in a set");
	check(result == 0 || explained(result));
	check(wrote == 0 || explained(wrote));
	use(array);
	if (result == 0)
		check(weir_waitset_wait(set, &found, 1, 0, soon()) == 1);
	weir_waitset_close(set);
	close_all();
}

static void import_once(void)
{
	uint32_t kind = variant == VALUE ? WEIR_KIND_VALUE : WEIR_KIND_ARRAY;
	struct weir_array *other = NULL;
	int result;

	open_all();
	failures_begin();
	result = weir_export(array, text, sizeof(text));
	failures_end("export");
	check(result >= 0 || explained(result));
	if (result >= 0) {
		failures_begin();
		result = weir_import(text, kind, &other);
		failures_end("import");
		check(result == 0 || (explained(result) && !other));
		if (result < 0)
			check(weir_unexport(text) == 0);
	}
	if (other) {
		use(other);
		if (variant == GIVEN) {
			failures_begin();
			check(weir_array_use_lock(other, lock) == 0);
			failures_end("use lock");
			use(other);
		}
		weir_array_close(other);
	}
	use(array);
	close_all();
}

/*
 * Who died
 */

/* In the midst of an update that counts already, with half of the place written. */
static int die_in_an_update(void *arg)
{
	uint64_t size = count() * sizeof(int64_t);
	struct weir_redo *log = array->redo.log;
	int64_t four = 4;

	(void)arg;
	if (weir_array_acquire(array, 0, 0) != 0)
		return 1;
	for (uint64_t i = 0; i < size; i += sizeof(four))
		memcpy(array->redo.shadow + i, &four, sizeof(four));
	store_release(&log->from, 0);
	store_release(&log->size, size);
	store_release(&log->version, load_acquire(&log->version) + 1);
	memcpy(array->redo.place, &four, sizeof(four));
	return 0;
}

static void let_one_die(void)
{
	struct child child;

	open_all();
	child = child_start(die_in_an_update, NULL);
	child_join_ok(&child);
}

/* Nobody can be told dead without the kernel; once it speaks again it is seen, and told once. */
static void take_from_the_dead_once(void)
{
	int result;

	if (variant == RAW)
		return;
	let_one_die();
	may_last = -plan.error;
	failures_begin();
	check(number_in(array) == 4);
	result = fill_in(array, 2, test_now() + 100 * US);
	check(number_in(array) == (result < 0 ? 4 : 2));
	failures_end("take from the dead");
	check(result == -ETIMEDOUT || result == WEIR_OWNER_DIED || explained(result));
	if (result < 0)
		check(fill_in(array, 2, soon()) == WEIR_OWNER_DIED);
	use(array);
	close_all();
}

static void (*const operations[])(void) = {
	create_once, close_once, update_once, edit_once, begin_once, atomic_once, time_out_once,
	wait_once, in_a_set_once, import_once, take_from_the_dead_once,
};

#define OPERATIONS (sizeof(operations) / sizeof(operations[0]))

/* What a process makes once, and keeps. */
static void warm_up(void)
{
	struct weir_waitset *set;

	open_all();
	check(weir_waitset(&set, NULL) == 0);
	check(add_to(set) == 0);
	weir_waitset_close(set);
	use(array);
	close_all();
}

START_TEST(call_that_fails_is_an_error_at_worst)
{
	struct resources before;

	variant = _i % VARIANTS;
	warm_up();
	before = resources_begin();
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		with_each_call(errors[i], operations[_i / VARIANTS]);
	resources_check(&before);
}
END_TEST

/*
 * Without memory
 */

static void create_without_memory(int at)
{
	int result;

	if (variant == GIVEN)
		check(weir_lock(&lock, NULL) == 0);
	until_failure = at;
	result = make(&array);
	until_failure = -1;
	check(result == (has_failed ? -ENOMEM : 0));
	check(!has_failed || !array);
	if (result == 0)
		use(array);
	close_all();
}

static void import_without_memory(int at)
{
	uint32_t kind = variant == VALUE ? WEIR_KIND_VALUE : WEIR_KIND_ARRAY;
	struct weir_array *other = NULL;
	int result;

	open_all();
	check(weir_export(array, text, sizeof(text)) > 0);
	until_failure = at;
	result = weir_import(text, kind, &other);
	until_failure = -1;
	check(result == (has_failed ? -ENOMEM : 0));
	check(!has_failed || !other);
	if (result < 0)
		check(weir_unexport(text) == 0);
	else
		use(other);
	weir_array_close(other);
	use(array);
	close_all();
}

/* A death that was found, and could not be told, is told later. */
static void edit_without_memory(int at)
{
	int answer = 0, result;

	let_one_die();
	until_failure = at;
	result = weir_array_edit(array, 0, 0, count(), negate, &answer, 0, soon());
	until_failure = -1;
	check(result == (has_failed ? -ENOMEM : WEIR_OWNER_DIED));
	check(number_in(array) == (has_failed ? 4 : -4));
	check(!weir_lock_is_locked(weir_array_lock(array)));
	if (has_failed)
		check(fill_in(array, 2, 0) == WEIR_OWNER_DIED);
	use(array);
	close_all();
}

/* How often it failed. */
static int with_each_allocation(void (*once)(int at))
{
	int n = 0;

	plan = (struct plan){ 0 };
	do {
		has_failed = false;
		once(n);
	} while (has_failed && ++n < 100);
	return n;
}

START_TEST(without_memory_it_is_enomem)
{
	struct resources before;

	variant = _i;
	warm_up();
	before = resources_begin();
	ck_assert_int_eq(with_each_allocation(create_without_memory), 1);
	ck_assert_int_ge(with_each_allocation(import_without_memory), variant == GIVEN ? 2 : 1);
	/* A value's copy is in the handle. */
	if (variant != RAW)
		ck_assert_int_eq(with_each_allocation(edit_without_memory), variant != VALUE);
	resources_check(&before);
}
END_TEST

static int edit_in_child(void *arg)
{
	int answer = 0;

	(void)arg;
	until_failure = 0;
	child_check(weir_array_edit(array, 0, 0, 1, negate, &answer, 0, soon()) == 0);
	return 0;
}

/* A forked child finds the parent's copy in its handle, which is nobody's there. */
START_TEST(child_of_who_is_in_an_update_needs_no_memory)
{
	struct child child;
	void *elements;

	variant = _i;
	open_all();
	ck_assert_int_eq(weir_array_begin(array, 0, 0, 1, 0, 0, &elements), 0);
	*(int64_t *)elements = 7;
	child = child_start(edit_in_child, NULL);
	ck_assert_int_eq(weir_array_commit(array), 0);
	child_join_ok(&child);
	ck_assert_int_eq(*(int64_t *)weir_array_data(array), -7);
	close_all();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("array-syscalls");
	TCase *tcase = tcase_create("syscalls");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, call_that_fails_is_an_error_at_worst, 0,
			    (int)OPERATIONS * VARIANTS);
	tcase_add_loop_test(tcase, without_memory_it_is_enomem, 0, VARIANTS);
	tcase_add_loop_test(tcase, child_of_who_is_in_an_update_needs_no_memory, OWN, RAW);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
