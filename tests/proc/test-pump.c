/* SPDX-License-Identifier: MIT */
/*
 * Pumps between processes: a bridge from a pipe over a socket into a queue, each of its parts a
 * process of its own; and a reader of the socket that goes away.
 */
#include "pump-tools.h"

#include <stdlib.h>

#define COUNT	(UINT64_C(20000) / LESS)
#define MOST	70000

struct bridge {
	struct weir_end *ends[2];
	struct weir_queue *queue;
	int sockets[2];
	uint32_t flags;		/* of the pumps */
	uint64_t later;		/* message after which the reader of the socket is gone */
};

static struct resources before;

static size_t size_of(uint64_t number)
{
	return number % 500 == 77 ? MOST : 8 + number * 7919 % 3000;
}

static int pump_all(struct weir_pump *pump)
{
	int64_t result;

	do
		result = weir_pump_run(pump, 0, 0, soon());
	while (result > 0);
	weir_pump_close(pump);
	return (int)result;
}

static int send_messages(void *arg)
{
	struct bridge *b = arg;
	uint8_t *bytes = malloc(MOST);

	weir_pipe_close(b->ends[0]);
	for (uint64_t i = 0; i < COUNT; i++) {
		message_fill(bytes, size_of(i), i);
		child_check(weir_pipe_send(b->ends[1], bytes, size_of(i), 0, soon()) == 0);
	}
	free(bytes);
	return 0;
}

static int pump_out(void *arg)
{
	struct weir_pump_options options = { .size = sizeof(options) };
	struct bridge *b = arg;
	struct weir_pump *pump;

	options.flags = b->flags;
	weir_pipe_close(b->ends[1]);
	close(b->sockets[0]);
	child_check(weir_pump_pipe(&pump, b->ends[0], b->sockets[1], WEIR_PUMP_OUT, &options) == 0);
	child_check(pump_all(pump) == 0);
	return 0;
}

static int pump_in(void *arg)
{
	struct weir_pump_options options = { .size = sizeof(options) };
	struct bridge *b = arg;
	struct weir_pump *pump;

	options.flags = b->flags;
	weir_pipe_close(b->ends[0]);
	weir_pipe_close(b->ends[1]);
	close(b->sockets[1]);
	child_check(weir_pump_queue(&pump, b->queue, b->sockets[0], WEIR_PUMP_IN, &options) == 0);
	child_check(pump_all(pump) == 0);
	child_check(weir_queue_shutdown(b->queue, 0) == 0);
	return 0;
}

static void bridge_open(struct bridge *b, int type)
{
	struct weir_queue_options options = { .size = sizeof(options), .max_items = 100 };

	before = resources_begin();
	*b = (struct bridge){ .flags = type == SOCK_SEQPACKET ? WEIR_PUMP_RAW : 0 };
	ck_assert_int_eq(weir_pipe(b->ends, NULL), 0);
	ck_assert_int_eq(weir_queue(&b->queue, &options), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, b->sockets), 0);
}

static void bridge_close(struct bridge *b)
{
	weir_queue_close(b->queue);
	resources_check(&before);
}

START_TEST(messages_cross_a_bridge_of_four_processes)
{
	uint8_t *bytes = malloc(MOST);
	struct child children[3];
	struct bridge b;

	bridge_open(&b, _i ? SOCK_SEQPACKET : SOCK_STREAM);
	children[0] = child_start(send_messages, &b);
	children[1] = child_start(pump_out, &b);
	children[2] = child_start(pump_in, &b);
	pipe_close_both(b.ends);
	close(b.sockets[0]);
	close(b.sockets[1]);
	for (uint64_t i = 0; i < COUNT; i++) {
		size_t size;

		ck_assert_int_eq(weir_queue_get(b.queue, bytes, MOST, 0, soon(), &size), 0);
		ck_assert_uint_eq(size, size_of(i));
		ck_assert(message_is(bytes, size, i));
	}
	ck_assert_int_eq(weir_queue_get(b.queue, bytes, MOST, 0, soon(), NULL), -EPIPE);
	for (int i = 0; i < 3; i++)
		child_join_ok(&children[i]);
	free(bytes);
	bridge_close(&b);
}
END_TEST

/* Reads some frames and ends. */
static int read_some(void *arg)
{
	struct bridge *b = arg;
	struct weir_pump *pump;

	weir_pipe_close(b->ends[0]);
	weir_pipe_close(b->ends[1]);
	close(b->sockets[1]);
	child_check(weir_pump_queue(&pump, b->queue, b->sockets[0], WEIR_PUMP_IN, NULL) == 0);
	child_check(weir_pump_run(pump, b->later, 0, soon()) == (int64_t)b->later);
	return 0;
}

/*
 * What was in the socket is lost with its reader, as bytes in a socket are; what had not been
 * written yet is still there.
 */
START_TEST(reader_that_goes_leaves_the_rest_in_the_pipe)
{
	uint64_t number, sent = 0, next;
	struct child child;
	struct weir_pump *pump;
	struct bridge b;
	int64_t result;

	bridge_open(&b, SOCK_STREAM);
	b.later = 50;
	sent = fill_with_numbers(b.ends[1], 0);
	child = child_start(read_some, &b);
	close(b.sockets[0]);
	ck_assert_int_eq(weir_pump_pipe(&pump, b.ends[0], b.sockets[1], WEIR_PUMP_OUT, NULL), 0);
	do {
		result = weir_pump_run(pump, 0, 0, weir_after(NS_PER_MS));
		sent += fill_with_numbers(b.ends[1], sent);
	} while (result > 0 || result == -ETIMEDOUT || result == -EAGAIN);
	ck_assert(result == -EPIPE || result == -ECONNRESET);
	child_join_ok(&child);
	next = pump_stat(pump).messages;
	ck_assert_uint_ge(next, 50);
	weir_pump_close(pump);
	while ((int64_t)(number = (uint64_t)recv_number(b.ends[0], 0)) >= 0)
		ck_assert_uint_eq(number, next++);
	ck_assert_uint_eq(next, sent);
	pipe_close_both(b.ends);
	close(b.sockets[1]);
	bridge_close(&b);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pump");
	TCase *tcase = tcase_create("pump");

	tcase_add_loop_test(tcase, messages_cross_a_bridge_of_four_processes, 0, 2);
	tcase_add_test(tcase, reader_that_goes_leaves_the_rest_in_the_pipe);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
