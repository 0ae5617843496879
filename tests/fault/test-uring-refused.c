/* SPDX-License-Identifier: MIT */
/*
 * io_uring is refused, from the start or later, by filters such as containers have, and by limits:
 * what uses it must do the same without. One scene is played, and what it has seen is compared.
 */
#include <errno.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cc.h"
#include "refusing.h"
#include "support.h"
#include "sys/sys.h"
#include "weir.h"

#define NO_CALL		(-1L)
#define READERS		4
#define FIRST_ID	50000	/* of users that are not there */
#define NS_PER_MS	INT64_C(1000000)

static const char *unavailable;

/*
 * The scene: a set with a source of each kind, each of which becomes ready once, while the set's
 * owner is awake and while it sleeps.
 */

enum part {
	PART_PIPE,
	PART_QUEUE,
	PART_LISTENER,
	PART_PROCESS,
	PART_FD,
	PART_TIMER,
	PARTS
};

struct scene {
	struct weir_waitset *set;
	struct weir_end *ends[2];
	struct weir_queue *queue;
	struct weir_listener *listener;
	struct child process;
	struct barrier *barrier;
	char name[64];
	int fd;
	uint64_t ids[PARTS];
	char log[2048];		/* what came, in words */
};

static const char *const part_names[] = { "pipe", "queue", "listener", "process", "fd", "timer" };

__attribute__((format(printf, 2, 3))) static void note(struct scene *s, const char *format, ...)
{
	size_t used = strlen(s->log);
	va_list args;

	va_start(args, format);
	vsnprintf(s->log + used, sizeof(s->log) - used, format, args);
	va_end(args);
}

static int wait_for_barrier(void *arg)
{
	struct scene *s = arg;

	return barrier_wait(s->barrier) ? 0 : 1;
}

static void build(struct scene *s, uint32_t engine)
{
	struct weir_waitset_options options = { .size = sizeof(options), .engine = engine };
	void *cookies[PARTS];

	for (int i = 0; i < PARTS; i++)
		cookies[i] = (void *)part_names[i];
	snprintf(s->name, sizeof(s->name), "@weir-test-refused-%d", (int)getpid());
	s->barrier = barrier_create(2);
	child_check(weir_waitset(&s->set, &options) == 0);
	child_check(weir_pipe(s->ends, NULL) == 0);
	child_check(weir_queue(&s->queue, NULL) == 0);
	child_check(weir_listen(&s->listener, s->name, NULL) == 0);
	s->process = child_start(wait_for_barrier, s);
	s->fd = sys_eventfd();
	child_check(weir_waitset_add_pipe(s->set, s->ends[0], WEIR_IN, cookies[PART_PIPE],
					  &s->ids[PART_PIPE]) == 0);
	child_check(weir_waitset_add_queue(s->set, s->queue, WEIR_IN, cookies[PART_QUEUE],
					   &s->ids[PART_QUEUE]) == 0);
	child_check(weir_waitset_add_listener(s->set, s->listener, cookies[PART_LISTENER],
					      &s->ids[PART_LISTENER]) == 0);
	child_check(weir_waitset_add_process(s->set, s->process.pid, cookies[PART_PROCESS],
					     &s->ids[PART_PROCESS]) == 0);
	child_check(weir_waitset_add_fd(s->set, s->fd, WEIR_IN, cookies[PART_FD],
					&s->ids[PART_FD]) == 0);
	child_check(weir_waitset_add_timer(s->set, WEIR_FOREVER, 0, cookies[PART_TIMER],
					   &s->ids[PART_TIMER]) == 0);
}

/* Take what has come, so that the source is not ready any more. */
static void consume(struct scene *s, enum part part)
{
	struct weir_end *end;
	char text[16];
	size_t size;

	switch (part) {
	case PART_PIPE:
		child_check(weir_pipe_recv(s->ends[0], text, sizeof(text), 0, 0, &size) == 0);
		note(s, " %.*s", (int)size, text);
		break;
	case PART_QUEUE:
		child_check(weir_queue_get(s->queue, text, sizeof(text), 0, 0, &size) == 0);
		note(s, " %.*s", (int)size, text);
		break;
	case PART_LISTENER:
		/* Not with the first look, perhaps: a hand-shake is several. */
		if (weir_accept(s->listener, 0, 0, &end, NULL) == 0) {
			note(s, " accepted");
			weir_pipe_close(end);
		}
		break;
	case PART_PROCESS:
		child_check(weir_waitset_remove(s->set, s->ids[PART_PROCESS]) == 0);
		break;
	case PART_FD:
		child_check(sys_event_clear(s->fd));
		break;
	default:
		break;
	}
}

/* Wait for @part, and for nothing else. */
static void expect(struct scene *s, enum part part)
{
	struct weir_event event;

	child_check(weir_waitset_wait(s->set, &event, 1, 0, soon()) == 1);
	child_check(event.source == s->ids[part]);
	child_check(event.cookie == part_names[part]);
	if (part != PART_LISTENER)
		note(s, "%s: %s%s%s %u", part_names[part], event.events & WEIR_IN ? "in" : "",
		     event.events & WEIR_OUT ? "out" : "", event.events & WEIR_HUP ? "hup" : "",
		     (unsigned int)event.count);
	consume(s, part);
	if (part != PART_LISTENER)
		note(s, "; ");
}

static void expect_nothing(struct scene *s)
{
	struct weir_event event;

	child_check(weir_waitset_wait(s->set, &event, 1, 0, 0) == -EAGAIN);
	child_check(weir_waitset_wait(s->set, &event, 1, 0, weir_after(2 * NS_PER_MS)) ==
		    -ETIMEDOUT);
}

/* In this process, or in a child that has waited until this one sleeps. */
static void trigger(struct scene *s, enum part part)
{
	uint64_t one = 1;

	switch (part) {
	case PART_PIPE:
		child_check(weir_pipe_send(s->ends[1], "sent", 4, 0, 0) == 0);
		break;
	case PART_QUEUE:
		child_check(weir_queue_put(s->queue, "put", 3, 0, 0) == 0);
		break;
	case PART_PROCESS:
		child_check(barrier_wait(s->barrier));
		break;
	case PART_FD:
		child_check(write(s->fd, &one, sizeof(one)) == sizeof(one));
		break;
	case PART_TIMER:
		child_check(weir_waitset_change_timer(s->set, s->ids[PART_TIMER],
						      weir_after(NS_PER_MS), 0) == 0);
		break;
	default:
		break;
	}
}

struct later {
	struct scene *scene;
	enum part part;
};

static int trigger_when_asleep(void *arg)
{
	struct later *later = arg;
	struct weir_end *end;

	child_check(child_wait_asleep(getppid()));
	if (later->part == PART_LISTENER) {
		child_check(weir_connect(later->scene->name, NULL, 0, soon(), &end) == 0);
		weir_pipe_close(end);
		return 0;
	}
	/* Of the pipe's ends, this one sends from now on. */
	trigger(later->scene, later->part);
	return 0;
}

static void play_asleep(struct scene *s, enum part part)
{
	struct later later = { s, part };
	struct child child;
	size_t before = strlen(s->log);

	/* The other process is to be the sender. */
	if (part == PART_PIPE)
		child_check(weir_pipe_handover(s->ends[1]) == 0);
	child = child_start(trigger_when_asleep, &later);
	do
		expect(s, part);
	while (strlen(s->log) == before);
	child_join_ok(&child);
}

static void play(struct scene *s)
{
	static const enum part awake[] = { PART_PIPE, PART_QUEUE, PART_FD, PART_TIMER };
	static const enum part asleep[] = { PART_PIPE, PART_QUEUE, PART_FD, PART_LISTENER,
					    PART_PROCESS };

	expect_nothing(s);
	for (int round = 0; round < 3; round++)
		for (size_t i = 0; i < ARRAY_LENGTH(awake); i++) {
			trigger(s, awake[i]);
			expect(s, awake[i]);
			expect_nothing(s);
		}
	for (size_t i = 0; i < ARRAY_LENGTH(asleep); i++)
		play_asleep(s, asleep[i]);
	child_join_ok(&s->process);
	weir_pipe_close(s->ends[1]);
	s->ends[1] = NULL;
}

static const char expected[] =
	"pipe: in 0 sent; queue: in 0 put; fd: in 0; timer: in 1; "
	"pipe: in 0 sent; queue: in 0 put; fd: in 0; timer: in 1; "
	"pipe: in 0 sent; queue: in 0 put; fd: in 0; timer: in 1; "
	"pipe: in 0 sent; queue: in 0 put; fd: in 0;  accepted"
	"process: in 0; ";

/* Which engine it has. */
static uint32_t kind(const struct scene *s)
{
	struct weir_waitset_stat stat = { .size = sizeof(stat) };

	child_check(weir_waitset_stat(s->set, &stat) == 0);
	return stat.engine;
}

static void finish(struct scene *s)
{
	struct weir_event event;

	child_check(weir_waitset_wait(s->set, &event, 1, 0, soon()) == 1);
	child_check(event.source == s->ids[PART_PIPE]);
	child_check(event.events & WEIR_HUP);
	if (strcmp(s->log, expected) != 0)
		child_fail(__FILE__, __LINE__, s->log);
	weir_waitset_close(s->set);
	weir_pipe_close(s->ends[0]);
	weir_queue_close(s->queue);
	weir_listener_close(s->listener);
	sys_close(s->fd);
}

/*
 * The refusals
 */

struct refusal {
	long call;		/* or NO_CALL */
	int error;
	uint32_t wanted;
	uint32_t engine;	/* that there is then */
	int reported;		/* by weir_engine() */
};

static int play_refused(void *arg)
{
	const struct refusal *r = arg;
	struct weir_engine_report report = { .size = sizeof(report) };
	struct scene *s = calloc(1, sizeof(*s));

	child_check(r->call == NO_CALL || refuse(r->call, r->error));
	child_check(weir_engine(&report) == 0);
	child_check(report.error == -r->reported);
	child_check(r->call != SYS_io_uring_setup || report.engine == WEIR_ENGINE_EPOLL);
	build(s, r->wanted);
	play(s);
	child_check(kind(s) == r->engine);
	finish(s);
	free(s);
	return 0;
}

static void play_each(const struct refusal *refusals, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct refusal refusal = refusals[i];
		struct child child = child_start(play_refused, &refusal);

		child_join_ok(&child);
	}
}

START_TEST(nothing_is_refused)
{
	static const struct refusal none[] = {
		{ NO_CALL, 0, WEIR_ENGINE_EPOLL, WEIR_ENGINE_EPOLL, 0 },
		{ NO_CALL, 0, WEIR_ENGINE_URING, WEIR_ENGINE_URING, 0 },
	};

	play_each(none, unavailable ? 1 : 2);
}
END_TEST

START_TEST(refused_from_the_start_it_is_epoll)
{
	static const struct refusal refusals[] = {
		{ SYS_io_uring_setup, EPERM, WEIR_ENGINE_URING, WEIR_ENGINE_EPOLL, EPERM },
		{ SYS_io_uring_setup, ENOSYS, WEIR_ENGINE_URING, WEIR_ENGINE_EPOLL, ENOSYS },
		{ SYS_io_uring_setup, ENOMEM, WEIR_ENGINE_AUTO, WEIR_ENGINE_EPOLL, ENOMEM },
		{ SYS_io_uring_setup, EINVAL, WEIR_ENGINE_URING, WEIR_ENGINE_EPOLL, EOPNOTSUPP },
	};

	play_each(refusals, ARRAY_LENGTH(refusals));
}
END_TEST

/* Some filters know the one call and not the others. */
START_TEST(refused_entry_makes_it_epoll_at_the_first_wait)
{
	static const struct refusal refusals[] = {
		{ SYS_io_uring_enter, EPERM, WEIR_ENGINE_URING, WEIR_ENGINE_EPOLL, 0 },
		{ SYS_io_uring_enter, ENOSYS, WEIR_ENGINE_URING, WEIR_ENGINE_EPOLL, 0 },
		/* What may pass does not here. */
		{ SYS_io_uring_enter, EAGAIN, WEIR_ENGINE_URING, WEIR_ENGINE_EPOLL, 0 },
		{ SYS_io_uring_enter, ENOMEM, WEIR_ENGINE_URING, WEIR_ENGINE_EPOLL, 0 },
		{ SYS_io_uring_enter, EBUSY, WEIR_ENGINE_URING, WEIR_ENGINE_EPOLL, 0 },
	};

	play_each(refusals, ARRAY_LENGTH(refusals));
}
END_TEST

START_TEST(refused_registering_changes_nothing_in_a_wait_set)
{
	static const struct refusal refusal = { SYS_io_uring_register, EPERM, WEIR_ENGINE_URING,
						WEIR_ENGINE_URING, 0 };

	play_each(&refusal, 1);
}
END_TEST

/* Between two opens: who has a ring keeps it, who comes later does without. */
static int play_setup_gone(void *arg)
{
	struct scene *first = calloc(1, sizeof(*first)), *second = calloc(1, sizeof(*second));

	(void)arg;
	build(first, WEIR_ENGINE_URING);
	child_check(refuse(SYS_io_uring_setup, EPERM));
	play(first);
	child_check(kind(first) == WEIR_ENGINE_URING);
	finish(first);
	build(second, WEIR_ENGINE_URING);
	play(second);
	child_check(kind(second) == WEIR_ENGINE_EPOLL);
	finish(second);
	free(first);
	free(second);
	return 0;
}

START_TEST(refused_later_only_new_sets_are_epoll)
{
	struct child child = child_start(play_setup_gone, NULL);

	child_join_ok(&child);
}
END_TEST

/* In the middle of its life, with all its sources in it. */
static int play_enter_gone(void *arg)
{
	const int *error = arg;
	struct scene *s = calloc(1, sizeof(*s));

	build(s, WEIR_ENGINE_URING);
	expect_nothing(s);
	trigger(s, PART_PIPE);
	expect(s, PART_PIPE);
	expect_nothing(s);
	child_check(kind(s) == WEIR_ENGINE_URING);
	s->log[0] = 0;
	child_check(refuse(SYS_io_uring_enter, *error));
	play(s);
	child_check(kind(s) == WEIR_ENGINE_EPOLL);
	finish(s);
	free(s);
	return 0;
}

START_TEST(refused_entry_in_the_middle_loses_no_source)
{
	static const int errors[] = { EPERM, ENOSYS, EAGAIN };

	for (size_t i = 0; i < ARRAY_LENGTH(errors); i++) {
		int error = errors[i];
		struct child child = child_start(play_enter_gone, &error);

		child_join_ok(&child);
	}
}
END_TEST

/* As an ordinary user who may lock so many bytes. */
static int play_with_little_memory(void *arg)
{
	const rlim_t *size = arg;
	struct rlimit limit = { *size, *size };
	uid_t id = FIRST_ID + (uid_t)getpid() % 10000;
	struct scene *s = calloc(1, sizeof(*s));

	child_check(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
	/* Where there is no such user the scene is played all the same. */
	if (geteuid() == 0 && setgroups(0, NULL) == 0 && setresgid(id, id, id) == 0)
		child_check(setresuid(id, id, id) == 0);
	build(s, WEIR_ENGINE_URING);
	play(s);
	/* Enough for a small ring, on all kernels; none at all is enough on some. */
	if (*size > 0 && !unavailable)
		child_check(kind(s) == WEIR_ENGINE_URING);
	finish(s);
	free(s);
	return 0;
}

START_TEST(little_memory_that_may_be_locked_is_enough)
{
	static const rlim_t sizes[] = { 0, 16384, 65536 };

	for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
		rlim_t size = sizes[i];
		struct child child = child_start(play_with_little_memory, &size);

		child_join_ok(&child);
	}
}
END_TEST

/*
 * Batches and pumps
 */

struct reader {
	struct weir_end *end;
	struct child child;
};

static int receive_one(void *arg)
{
	const struct reader *r = arg;
	char text[8];

	child_check(weir_pipe_recv(r->end, text, sizeof(text), WEIR_NOSPIN, soon(), NULL) == 0);
	child_check(strcmp(text, "batch") == 0);
	return 0;
}

static int play_batch(void *arg)
{
	const struct refusal *r = arg;
	struct weir_batch_options options = { .size = sizeof(options), .engine = r->wanted };
	struct weir_end *ends[READERS][2];
	struct reader readers[READERS];
	struct weir_batch *batch;

	child_check(weir_batch(&batch, &options) == 0);
	for (int i = 0; i < READERS; i++) {
		child_check(weir_pipe(ends[i], NULL) == 0);
		readers[i].end = ends[i][0];
		readers[i].child = child_start(receive_one, &readers[i]);
	}
	child_check(r->call == NO_CALL || refuse(r->call, r->error));
	for (int i = 0; i < READERS; i++)
		child_check(child_wait_asleep(readers[i].child.pid));
	for (int i = 0; i < READERS; i++)
		child_check(weir_batch_send(batch, ends[i][1], "batch", 6, 0, soon()) == 0);
	/* Some may have got up by themselves, to see whether somebody is dead. */
	child_check(weir_batch_flush(batch) <= READERS);
	for (int i = 0; i < READERS; i++) {
		child_join_ok(&readers[i].child);
		weir_pipe_close(ends[i][0]);
		weir_pipe_close(ends[i][1]);
	}
	weir_batch_close(batch);
	return 0;
}

static int play_pump(void *arg)
{
	const struct refusal *r = arg;
	struct weir_pump_options options = {
		.size = sizeof(options),
		.engine = r->wanted,
		.flags = WEIR_PUMP_RAW,
	};
	struct weir_pump *pump;
	struct weir_end *ends[2];
	char text[16] = "";
	int file = sys_memfd("refused");

	child_check(weir_pipe(ends, NULL) == 0);
	/* Before it is made, or after. */
	if (r->reported)
		child_check(refuse(r->call, r->error));
	child_check(weir_pump_pipe(&pump, ends[0], file, WEIR_PUMP_OUT, &options) == 0);
	if (!r->reported && r->call != NO_CALL)
		child_check(refuse(r->call, r->error));
	child_check(weir_pipe_send(ends[1], "one ", 4, 0, 0) == 0);
	child_check(weir_pump_run(pump, 1, 0, soon()) == 1);
	child_check(weir_pipe_send(ends[1], "two ", 4, 0, 0) == 0);
	child_check(weir_pipe_send(ends[1], "three", 5, 0, 0) == 0);
	child_check(weir_pump_run(pump, 2, 0, soon()) == 2);
	child_check(sys_pread(file, text, sizeof(text), 0) == 13);
	child_check(strcmp(text, "one two three") == 0);
	weir_pump_close(pump);
	weir_pipe_close(ends[0]);
	weir_pipe_close(ends[1]);
	sys_close(file);
	return 0;
}

START_TEST(batches_and_pumps_do_the_same)
{
	static const struct refusal refusals[] = {
		{ NO_CALL, 0, WEIR_ENGINE_EPOLL, 0, 0 },
		{ NO_CALL, 0, WEIR_ENGINE_URING, 0, 0 },
		{ SYS_io_uring_setup, EPERM, WEIR_ENGINE_URING, 0, 1 },
		{ SYS_io_uring_setup, ENOSYS, WEIR_ENGINE_URING, 0, 1 },
		{ SYS_io_uring_enter, EPERM, WEIR_ENGINE_URING, 0, 1 },
		{ SYS_io_uring_enter, EPERM, WEIR_ENGINE_URING, 0, 0 },
		{ SYS_io_uring_enter, EAGAIN, WEIR_ENGINE_URING, 0, 0 },
		{ SYS_io_uring_register, EPERM, WEIR_ENGINE_URING, 0, 1 },
	};
	static int (*const plays[])(void *arg) = { play_batch, play_pump };

	for (size_t i = 0; i < ARRAY_LENGTH(refusals); i++) {
		for (size_t j = 0; j < ARRAY_LENGTH(plays); j++) {
			struct refusal refusal = refusals[i];
			struct child child = child_start(plays[j], &refusal);

			child_join_ok(&child);
		}
	}
}
END_TEST

static const char *why_no_ring(void)
{
	struct weir_engine_report report = { .size = sizeof(report) };

	return weir_engine(&report) == 0 && report.error == 0 ? NULL : report.reason;
}

int main(void)
{
	Suite *suite = suite_create("uring-refused");
	TCase *refused = tcase_create("refused");
	const char *no_filter = refusing_unavailable(), *neither;

	/* Each scene says which engine it wants. */
	unsetenv("WEIR_ENGINE");
	unavailable = why_no_ring();
	neither = no_filter ? no_filter : unavailable;
	tcase_add_test(refused, nothing_is_refused);
	test_add_unless(refused, neither, refused_from_the_start_it_is_epoll);
	test_add_unless(refused, neither, refused_entry_makes_it_epoll_at_the_first_wait);
	test_add_unless(refused, neither, refused_registering_changes_nothing_in_a_wait_set);
	test_add_unless(refused, neither, refused_later_only_new_sets_are_epoll);
	test_add_unless(refused, neither, refused_entry_in_the_middle_loses_no_source);
	tcase_add_test(refused, little_memory_that_may_be_locked_is_enough);
	test_add_unless(refused, no_filter, batches_and_pumps_do_the_same);
	suite_add_tcase(suite, refused);
	return test_main(suite);
}
