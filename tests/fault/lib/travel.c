/* SPDX-License-Identifier: MIT */
#include "fault/lib/travel.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pipe-tools.h"
#include "sys/sys.h"

#define MESSAGES	3

static struct weir_end *ends[2];
static struct weir_end *over[2];	/* a pipe that ends travel over */
static int sockets[2];
static char text[WEIR_EXPORT_SIZE];

/*
 * The victims: ends[1] leaves or comes.
 */

static void forget_ends(void)
{
	pipe_close_both(ends);
}

static int send_over_a_pipe(void *arg)
{
	(void)arg;
	stepper_mark_begin();
	child_check(weir_pipe_send_handle(over[1], ends[1], 0, 0) == 0);
	stepper_mark_end();
	return 0;
}

static int receive_over_a_pipe(void *arg)
{
	struct weir_end *end;

	(void)arg;
	forget_ends();
	stepper_mark_begin();
	child_check(weir_pipe_recv_handle(over[0], WEIR_KIND_PIPE_END, 0, 0, &end) == 0);
	stepper_mark_end();
	return 0;
}

static int export(void *arg)
{
	char mine[WEIR_EXPORT_SIZE];

	(void)arg;
	stepper_mark_begin();
	child_check(weir_export(ends[1], mine, sizeof(mine)) > 0);
	stepper_mark_end();
	return 0;
}

static int unexport(void *arg)
{
	(void)arg;
	stepper_mark_begin();
	child_check(weir_unexport(text) == 0);
	stepper_mark_end();
	return 0;
}

/* As a program would that has nothing else. */
static int import(void *arg)
{
	struct weir_end *end;

	(void)arg;
	forget_ends();
	stepper_mark_begin();
	child_check(weir_import(text, WEIR_KIND_PIPE_END, &end) == 0);
	stepper_mark_end();
	return 0;
}

static int import_again(void *arg)
{
	struct weir_end *end;

	(void)arg;
	stepper_mark_begin();
	child_check(weir_import(text, WEIR_KIND_PIPE_END, &end) == 0);
	stepper_mark_end();
	return 0;
}

static int send_away(void *arg)
{
	(void)arg;
	stepper_mark_begin();
	child_check(weir_send_handle(sockets[0], ends[1], 0, 0) == 0);
	stepper_mark_end();
	return 0;
}

static int receive(void *arg)
{
	struct weir_end *end;

	(void)arg;
	forget_ends();
	stepper_mark_begin();
	child_check(weir_recv_handle(sockets[1], WEIR_KIND_PIPE_END, 0, 0, &end) == 0);
	stepper_mark_end();
	return 0;
}

/* What it was received with is owned, too, so that the name and the lock are left behind. */
static int receive_and_own(void *arg)
{
	struct weir_end *end;

	(void)arg;
	forget_ends();
	child_check(weir_recv_handle(sockets[1], WEIR_KIND_PIPE_END, 0, 0, &end) == 0);
	stepper_mark_begin();
	child_check(send_number(end, 77, 0) == 0);
	weir_pipe_close(end);
	stepper_mark_end();
	return 0;
}

static const struct {
	int (*victim)(void *arg);
	bool exported;		/* the parent has exported ends[1] */
	bool sent;		/* the parent has sent it */
	bool sent_over;		/* over the pipe */
} acts[] = {
	{ export, false, false, false },
	{ unexport, true, false, false },
	{ import, true, false, false },
	{ import_again, true, false, false },
	{ send_away, false, false, false },
	{ receive, false, true, false },
	{ receive_and_own, false, true, false },
	{ send_over_a_pipe, false, false, false },
	{ receive_over_a_pipe, false, false, true },
};

size_t travel_count(void)
{
	return ARRAY_LENGTH(acts);
}

/*
 * Before and after
 */

static void open_all(size_t index)
{
	ck_assert_int_eq(pipe_make(ends, 0, 4096), 0);
	ck_assert_int_eq(pipe_make(over, 0, 4096), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
	for (uint64_t n = 0; n < MESSAGES; n++)
		ck_assert_int_eq(send_number(ends[0], n, 0), 0);
	if (acts[index].exported)
		ck_assert_int_gt(weir_export(ends[1], text, sizeof(text)), 0);
	if (acts[index].sent)
		ck_assert_int_eq(weir_send_handle(sockets[0], ends[1], 0, 0), 0);
	if (acts[index].sent_over) {
		ck_assert_int_eq(weir_pipe_send_handle(over[1], ends[1], 0, 0), 0);
		ck_assert_int_eq(send_number(over[1], 5, 0), 0);
	}
}

static void use_what_came(struct weir_end *end)
{
	ck_assert_int_eq(send_number(end, 7, 0), 0);
	weir_pipe_close(end);
}

/* An end that is on its way is whole, or not there. */
static void take_what_is_on_its_way(void)
{
	struct weir_end *end;
	int result = weir_recv_handle(sockets[1], WEIR_KIND_PIPE_END, 0, 0, &end);

	ck_assert(result == 0 || result == -EAGAIN);
	if (result == 0)
		use_what_came(end);
}

/* Whole, not there, or lost with the one who took it; and what comes behind it is in its place. */
static void take_what_is_in_the_pipe(size_t index)
{
	struct weir_end *end;
	int result = weir_pipe_recv_handle(over[0], WEIR_KIND_PIPE_END, 0, 0, &end);

	if (result == 0)
		use_what_came(end);
	if (acts[index].sent_over) {
		ck_assert(result == 0 || result == -EPROTO || result == -EOWNERDEAD);
		ck_assert_int_eq(recv_number(over[0], 0), 5);
	} else {
		ck_assert(result == 0 || result == -EAGAIN);
	}
	/* Whoever sends next is not taken for the dead one. */
	ck_assert_int_eq(send_number(over[1], 6, 0), 0);
	ck_assert_int_eq(weir_pipe_send_handle(over[1], over[0], 0, 0), 0);
	ck_assert_int_eq(recv_number(over[0], 0), 6);
	ck_assert_int_eq(weir_pipe_recv_handle(over[0], WEIR_KIND_PIPE_END, 0, 0, &end), 0);
	ck_assert_int_eq(recv_number(end, 0), -EBUSY);
	weir_pipe_close(end);
	pipe_close_both(over);
}

/* What the dead one, or an end that came, has sent. */
static void expect_rest(void)
{
	uint32_t events = 0;
	int64_t number;

	/* This looks at the line now, where a receive would do so in 20 ms. */
	ck_assert_int_eq(weir_pipe_poll(ends[0], 0, 0, 0, &events), 0);
	ck_assert_uint_eq(events, WEIR_HUP);
	while ((number = recv_number(ends[0], 0)) >= 0)
		ck_assert(number == 7 || number == 77 || number == 100);
	ck_assert_int_eq(number, -EPIPE);
}

static void judge(size_t index)
{
	take_what_is_on_its_way();
	take_what_is_in_the_pipe(index);
	if (acts[index].exported)
		ck_assert_int_eq(weir_unexport(text), 0);
	/* Nobody has it but us: all messages, in order, and both directions to be had. */
	for (int n = 0; n < MESSAGES; n++)
		ck_assert_int_eq(recv_number(ends[1], 0), n);
	ck_assert_int_eq(recv_number(ends[1], 0), -EAGAIN);
	ck_assert_int_eq(send_number(ends[1], 100, 0), 0);
	weir_pipe_close(ends[1]);
	close(sockets[0]);
	close(sockets[1]);
	expect_rest();
	weir_pipe_close(ends[0]);
}

/*
 * Before a system call: outside of the process nothing changes between two of them, but for what it
 * stores in shared memory.
 */

static uint32_t calls_left;

static int die_before_a_call(enum sys_call call)
{
	(void)call;
	if (calls_left-- == 0)
		raise(SIGKILL);
	return 0;
}

struct strike {
	size_t index;
	uint32_t calls;
};

static int act_and_die(void *arg)
{
	const struct strike *s = arg;

	calls_left = s->calls;
	sys_fault = die_before_a_call;
	return acts[s->index].victim(NULL);
}

static bool play_calls(size_t index, uint32_t calls)
{
	struct resources before = resources_begin();
	struct strike strike = { index, calls };
	struct child child;
	int status;

	open_all(index);
	child = child_start(act_and_die, &strike);
	status = child_join(&child);
	ck_assert_msg(WIFSIGNALED(status) || status == 0, "act %zu, call %u", index, calls);
	judge(index);
	resources_check(&before);
	return WIFSIGNALED(status);
}

void travel_kill_at_calls(size_t index)
{
	uint32_t calls = 0;

	while (play_calls(index, calls))
		calls++;
	ck_assert_uint_gt(calls, 0);
	printf("# act %zu: killed before each of %u system calls\n", index, calls);
}

/*
 * At an instruction
 */

/* Up to @steps instructions; how many there were. */
static uint64_t play(size_t index, uint64_t steps, bool *ret_ended)
{
	struct resources before = resources_begin();
	struct stepper stepper;
	enum step step;
	uint64_t taken;

	open_all(index);
	stepper = stepper_start(acts[index].victim, NULL);
	ck_assert_msg(stepper_run_to_begin(&stepper), "act %zu: %s", index, stepper.child.note);
	step = stepper_steps(&stepper, steps);
	ck_assert_msg(step == STEP_DONE || step == STEP_END, "act %zu: step %d", index, (int)step);
	*ret_ended = step == STEP_END;
	taken = stepper.steps;
	stepper_kill(&stepper);
	judge(index);
	resources_check(&before);
	return taken;
}

void travel_kill(size_t index, uint32_t most)
{
	uint64_t stride = 1, at = 0, points = 0;
	bool ended;

	if (most > 0) {
		stride = play(index, UINT64_MAX, &ended) / most + 1;
		ck_assert(ended);
		at = test_random_below(stride);
	}
	do {
		play(index, at, &ended);
		points++;
		at += stride;
	} while (!ended);
	printf("# act %zu: killed at %lu points\n", index, (unsigned long)points);
}
