/* SPDX-License-Identifier: MIT */
/* Pipes in an event loop that knows nothing of them: libuv's, which watches them by epoll. */
#include "pipe-tools.h"

#if WITH_LIBUV

#include <errno.h>
#include <signal.h>
#include <unistd.h>
#include <uv.h>

#define CAPACITY	4096
#define PIPES		3
#define STREAM		(3000 / LESS)
#define ROUND_TRIPS	(1000 / LESS)
#define PATIENCE_MS	20000

struct source {
	struct weir_end *ends[2];
	struct child child;
	uv_poll_t handle;
	uint64_t received;
	uint64_t wakes;
	int for_nothing;	/* wake-ups in a row */
	int ended;		/* by what, 0: not yet */
	bool wrong;
	void (*then)(struct source *s);	/* after a drain that found something */
};

static uv_loop_t loop;
static uv_timer_t patience, tick;
static struct source sources[PIPES];
static uint64_t ticks;

static void end_source(struct source *s, int result)
{
	s->ended = result;
	uv_poll_stop(&s->handle);
	uv_close((uv_handle_t *)&s->handle, NULL);
}

static void on_readable(uv_poll_t *handle, int status, int events)
{
	struct source *s = handle->data;
	uint64_t before = s->received;
	int64_t got;

	s->wakes++;
	s->wrong = s->wrong || status != 0 || events != UV_READABLE;
	while ((got = recv_number(s->ends[0], 0)) >= 0) {
		s->wrong = s->wrong || got != (int64_t)s->received;
		s->received++;
	}
	s->for_nothing = s->received == before && got == -EAGAIN ? s->for_nothing + 1 : 0;
	s->wrong = s->wrong || s->for_nothing > 1;
	if (got != -EAGAIN)
		end_source(s, (int)got);
	else if (s->then && s->received != before)
		s->then(s);
}

static void on_patience_over(uv_timer_t *timer)
{
	(void)timer;
	uv_stop(&loop);
}

static void on_tick(uv_timer_t *timer)
{
	(void)timer;
	ticks++;
}

static void open_source(struct source *s, int (*child)(void *arg))
{
	*s = (struct source){ .ended = 0 };
	ck_assert_int_eq(pipe_make(s->ends, 0, CAPACITY), 0);
	s->child = child_start(child, s);
	weir_pipe_close(s->ends[1]);
	ck_assert_int_eq(uv_poll_init(&loop, &s->handle, weir_pipe_fd(s->ends[0])), 0);
	s->handle.data = s;
	ck_assert_int_eq(uv_poll_start(&s->handle, UV_READABLE, on_readable), 0);
}

static void setup(void)
{
	ck_assert_int_eq(uv_loop_init(&loop), 0);
	uv_timer_init(&loop, &patience);
	uv_timer_start(&patience, on_patience_over, PATIENCE_MS, 0);
	uv_unref((uv_handle_t *)&patience);
}

static void close_any(uv_handle_t *handle, void *arg)
{
	(void)arg;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

static void teardown(void)
{
	uv_walk(&loop, close_any, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(uv_loop_close(&loop), 0);
}

static void close_source(struct source *s)
{
	child_join(&s->child);
	weir_pipe_close(s->ends[0]);
}

static int stream(void *arg)
{
	struct source *s = arg;

	weir_pipe_close(s->ends[0]);
	for (uint64_t i = 0; i < STREAM; i++) {
		child_check(send_number(s->ends[1], i, soon()) == 0);
		if (test_random_below(16) == 0)
			usleep((useconds_t)test_random_below(60));
	}
	/* Its end is closed by its death, right behind the last message. */
	raise(SIGKILL);
	return 0;
}

START_TEST(streams_of_several_processes_arrive_beside_a_timer)
{
	for (int i = 0; i < PIPES; i++)
		open_source(&sources[i], stream);
	uv_timer_init(&loop, &tick);
	uv_timer_start(&tick, on_tick, 0, 1);
	uv_unref((uv_handle_t *)&tick);
	uv_run(&loop, UV_RUN_DEFAULT);
	for (int i = 0; i < PIPES; i++) {
		ck_assert_int_eq(sources[i].ended, -EPIPE);
		ck_assert_uint_eq(sources[i].received, STREAM);
		ck_assert(!sources[i].wrong);
		close_source(&sources[i]);
	}
	ck_assert_uint_gt(ticks, 0);
}
END_TEST

static int answer(void *arg)
{
	struct source *s = arg;
	int64_t number;

	weir_pipe_close(s->ends[0]);
	while ((number = recv_number(s->ends[1], soon())) >= 0)
		child_check(send_number(s->ends[1], (uint64_t)number, soon()) == 0);
	child_check(number == -ESHUTDOWN);
	return 0;
}

static void ask_again(struct source *s)
{
	if (s->received < ROUND_TRIPS)
		s->wrong = s->wrong || send_number(s->ends[0], s->received, 0) != 0;
	else
		weir_pipe_shutdown(s->ends[0]);
}

START_TEST(questions_asked_in_the_callback_are_answered)
{
	struct source *s = &sources[0];

	open_source(s, answer);
	s->then = ask_again;
	ck_assert_int_eq(send_number(s->ends[0], 0, 0), 0);
	uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(s->ended, -ESHUTDOWN);
	ck_assert_uint_eq(s->received, ROUND_TRIPS);
	ck_assert(!s->wrong);
	close_source(s);
}
END_TEST

static int be_silent(void *arg)
{
	struct source *s = arg;

	weir_pipe_close(s->ends[0]);
	for (;;)
		pause();
	return 0;
}

START_TEST(dry_pipe_does_not_keep_the_loop_busy)
{
	struct source *s = &sources[0];

	open_source(s, be_silent);
	ticks = 0;
	uv_timer_init(&loop, &tick);
	uv_timer_start(&tick, on_tick, 1, 1);
	while (ticks < 20)
		uv_run(&loop, UV_RUN_ONCE);
	/* The first one, which asking for the descriptor gives. */
	ck_assert_uint_le(s->wakes, 1);
	ck_assert(!s->wrong);
	child_kill(&s->child);
	uv_close((uv_handle_t *)&tick, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(s->ended, -EPIPE);
	weir_pipe_close(s->ends[0]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pipe-libuv");
	TCase *tcase = tcase_create("pipe-libuv");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, streams_of_several_processes_arrive_beside_a_timer);
	tcase_add_test(tcase, questions_asked_in_the_callback_are_answered);
	tcase_add_test(tcase, dry_pipe_does_not_keep_the_loop_busy);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}

#else

int main(void)
{
	test_skip_all("built without libuv");
}

#endif
