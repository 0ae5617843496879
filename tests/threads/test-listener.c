/* SPDX-License-Identifier: MIT */
/* Threads that share a listener: taking turns, being shut down, and being closed under. */
#include "listener-tools.h"

#include <pthread.h>

#define ACCEPTORS 3
#define CLIENTS 3
#define ROUNDS (24 / LESS)

static struct weir_listener *listener;
static const char *name;
static uint32_t served;

static pthread_t start(void *(*fn)(void *arg), void *arg)
{
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, fn, arg), 0);
	return thread;
}

static intptr_t join(pthread_t thread)
{
	void *result;

	ck_assert_int_eq(pthread_join(thread, &result), 0);
	return (intptr_t)result;
}

static void *accept_until_shut(void *arg)
{
	struct weir_end *end;
	int result;

	(void)arg;
	while ((result = weir_accept(listener, 0, soon(), &end, NULL)) == 0) {
		if (answer_one(end, soon()) == 0)
			add_relaxed(&served, 1);
		weir_pipe_close(end);
	}
	return (void *)(intptr_t)result;
}

static void *ask(void *arg)
{
	intptr_t failures = 0;

	(void)arg;
	for (uint64_t i = 0; i < ROUNDS; i++)
		failures += client_asks(name, i, soon()) != 0;
	return (void *)failures;
}

START_TEST(threads_share_the_clients_and_are_shut_down)
{
	pthread_t acceptors[ACCEPTORS], clients[CLIENTS];
	struct resources before;

	name = abstract_name();
	before = resources_begin();
	before.anonymous = false;	/* stacks of threads that have ended */
	ck_assert_int_eq(weir_listen(&listener, name, NULL), 0);
	for (int i = 0; i < ACCEPTORS; i++)
		acceptors[i] = start(accept_until_shut, NULL);
	for (int i = 0; i < CLIENTS; i++)
		clients[i] = start(ask, NULL);
	for (int i = 0; i < CLIENTS; i++)
		ck_assert_int_eq(join(clients[i]), 0);
	ck_assert_int_eq(weir_listener_shutdown(listener), 0);
	for (int i = 0; i < ACCEPTORS; i++)
		ck_assert_int_eq(join(acceptors[i]), -ESHUTDOWN);
	ck_assert_uint_eq(load_relaxed(&served), CLIENTS * ROUNDS);
	weir_listener_close(listener);
	resources_check(&before);
}
END_TEST

struct acceptor {
	pid_t tid;
	int64_t deadline;
};

static void *accept_and_say_who(void *arg)
{
	struct acceptor *a = arg;
	struct weir_end *end;

	store_release(&a->tid, gettid());
	return (void *)(intptr_t)weir_accept(listener, 0, a->deadline, &end, NULL);
}

/* A thread that waits for a client, in the kernel. */
static pthread_t start_waiting(struct acceptor *a)
{
	pthread_t thread = start(accept_and_say_who, a);

	while (load_acquire(&a->tid) == 0)
		sched_yield();
	ck_assert(child_wait_asleep(a->tid));
	return thread;
}

START_TEST(shutdown_wakes_who_waits)
{
	struct acceptor a = { .deadline = WEIR_FOREVER };
	pthread_t thread;

	ck_assert_int_eq(weir_listen(&listener, abstract_name(), NULL), 0);
	thread = start_waiting(&a);
	ck_assert_int_eq(weir_listener_shutdown(listener), 0);
	ck_assert_int_eq(join(thread), -ESHUTDOWN);
	weir_listener_close(listener);
}
END_TEST

START_TEST(close_waits_for_those_who_are_inside)
{
	struct acceptor a[2] = { { .deadline = WEIR_FOREVER }, { .deadline = WEIR_FOREVER } };
	struct resources before = resources_begin();
	pthread_t threads[2];

	before.anonymous = false;	/* stacks of threads that have ended */
	ck_assert_int_eq(weir_listen(&listener, abstract_name(), NULL), 0);
	/* One waits for a client, the other for its turn. */
	threads[0] = start_waiting(&a[0]);
	threads[1] = start_waiting(&a[1]);
	weir_listener_close(listener);
	ck_assert_int_eq(join(threads[0]), -ESHUTDOWN);
	ck_assert_int_eq(join(threads[1]), -ESHUTDOWN);
	resources_check(&before);
}
END_TEST

START_TEST(turn_is_waited_for_until_the_deadline)
{
	struct acceptor a = { .deadline = WEIR_FOREVER };
	int64_t began = test_now();
	struct weir_end *end;
	pthread_t thread;

	ck_assert_int_eq(weir_listen(&listener, abstract_name(), NULL), 0);
	thread = start_waiting(&a);
	ck_assert_int_eq(weir_accept(listener, 0, 0, &end, NULL), -EAGAIN);
	ck_assert_int_eq(weir_accept(listener, 0, weir_after(10 * MS), &end, NULL), -ETIMEDOUT);
	ck_assert_int_ge(test_now() - began, 10 * MS);
	/* The descriptor takes no turn. */
	ck_assert_int_ge(weir_listener_fd(listener), 0);
	ck_assert_int_eq(weir_listener_shutdown(listener), 0);
	ck_assert_int_eq(join(thread), -ESHUTDOWN);
	weir_listener_close(listener);
}
END_TEST

static void *listen_and_close(void *arg)
{
	intptr_t others = 0;

	for (int i = 0; i < 100 / LESS; i++) {
		struct weir_listener *l;
		int result = weir_listen(&l, arg, NULL);

		if (result == 0)
			weir_listener_close(l);
		else
			others += result != -EADDRINUSE;
	}
	return (void *)others;
}

/* The locks of two descriptors of one process exclude each other, too. */
START_TEST(threads_that_listen_at_one_path_exclude_each_other)
{
	struct folder folder = folder_make();
	const char *path = path_in(&folder, "s");
	pthread_t threads[2] = { start(listen_and_close, (void *)path),
				 start(listen_and_close, (void *)path) };

	ck_assert_int_eq(join(threads[0]), 0);
	ck_assert_int_eq(join(threads[1]), 0);
	ck_assert_int_eq(folder_count(&folder), 0);
	folder_remove(&folder);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("listener");
	TCase *tcase = tcase_create("listener");

	/*
	 * Pipes are made and freed by several threads here, at the same addresses. ThreadSanitizer
	 * does not see the system calls that do it, and takes the next pipe for the last one.
	 */
	test_add_unless(tcase, WEIR_TSAN ? "ThreadSanitizer does not see mappings" : NULL,
			threads_share_the_clients_and_are_shut_down);
	tcase_add_test(tcase, shutdown_wakes_who_waits);
	tcase_add_test(tcase, close_waits_for_those_who_are_inside);
	tcase_add_test(tcase, turn_is_waited_for_until_the_deadline);
	tcase_add_test(tcase, threads_that_listen_at_one_path_exclude_each_other);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
