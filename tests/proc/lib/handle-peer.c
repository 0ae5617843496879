/* SPDX-License-Identifier: MIT */
/*
 * A program on its own, linked with the shared library: it gets an end and uses it.
 *
 *	handle-peer echo		the end that $WEIR_END names
 *	handle-peer echo-from FD	an end that comes over the socket FD
 *	handle-peer pass FROM TO	receives an end over one socket, sends it over the other
 *	handle-peer own			owns both directions and waits to be killed
 *	handle-peer hold FD		receives an end, does not use it, and waits to be killed
 *	handle-peer wait FD		does not even receive it
 *	handle-peer again		execs itself once more with the end, as its owner
 *
 *	handle-peer queue-echo		gets from the queue $WEIR_IN, puts to $WEIR_OUT
 *	handle-peer queue-from FD	the same with two queues that come over the socket FD
 *	handle-peer queue-hold		takes a message and waits to be killed
 *	handle-peer queue-again		takes a message, execs itself, and is given it again
 *
 *	handle-peer lock-use FD		says so, acquires and releases the lock $WEIR_LOCK, exits
 *	handle-peer lock-from FD	the same with a lock that comes over the socket FD
 *	handle-peer lock-hold FD	acquires it, says so, and waits to be killed
 *	handle-peer lock-again FD	acquires it, execs itself, and is told of that
 *	handle-peer lock-gone FD	acquires it, says so, and execs itself to wait
 *
 * An echo adds 1 to each number and ends when the other end is closed. The status is the number of
 * the line where something was not as expected.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir.h>

#define SECONDS INT64_C(1000000000)

#define expect(condition) \
	do { \
		if (!(condition)) \
			_exit(__LINE__ % 200 + 1); \
	} while (0)

static int64_t soon(void)
{
	return weir_after(10 * SECONDS);
}

static struct weir_end *import(void)
{
	struct weir_end *end;

	expect(weir_import(getenv("WEIR_END"), WEIR_KIND_PIPE_END, &end) == 0);
	return end;
}

static struct weir_end *receive(const char *fd)
{
	struct weir_end *end;

	expect(weir_recv_handle(atoi(fd), WEIR_KIND_PIPE_END, 0, soon(), &end) == 0);
	return end;
}

/* A number, or whatever ended it. */
static int receive_number(struct weir_end *end, uint64_t *ret_number)
{
	int64_t deadline = soon();
	int result;

	do {
		result = weir_pipe_recv(end, ret_number, sizeof(*ret_number), 0, deadline, NULL);
		/* Until the other owner is done. */
	} while (result == -EBUSY && weir_after(1) < deadline);
	return result;
}

static int send_number(struct weir_end *end, uint64_t number)
{
	int64_t deadline = soon();
	int result;

	do {
		result = weir_pipe_send(end, &number, sizeof(number), 0, deadline);
	} while (result == -EBUSY && weir_after(1) < deadline);
	return result;
}

static void echo(struct weir_end *end)
{
	uint64_t number;
	int result;

	while ((result = receive_number(end, &number)) == 0)
		expect(send_number(end, number + 1) == 0);
	expect(result == -EPIPE);
	weir_pipe_close(end);
}

static void wait_to_be_killed(void)
{
	for (;;)
		pause();
}

static void pass(const char *from, const char *to)
{
	struct weir_end *end = receive(from);

	expect(weir_send_handle(atoi(to), end, 0, soon()) == 0);
	weir_pipe_close(end);
}

static void own(void)
{
	struct weir_end *end = import();
	uint64_t number;

	expect(receive_number(end, &number) == 0);
	expect(send_number(end, number + 1) == 0);
	wait_to_be_killed();
}

/* The program that it was owned the end, and is no more. */
static void again(char **argv)
{
	char text[WEIR_EXPORT_SIZE];
	struct weir_end *end = import();
	const char *round = getenv("ROUND");
	uint64_t number;

	expect(receive_number(end, &number) == 0);
	expect(send_number(end, number + 1) == 0);
	if (round && strcmp(round, "3") == 0) {
		weir_pipe_close(end);
		return;
	}
	expect(weir_export(end, text, sizeof(text)) > 0);
	expect(setenv("WEIR_END", text, 1) == 0);
	expect(setenv("ROUND", !round ? "1" : strcmp(round, "1") == 0 ? "2" : "3", 1) == 0);
	execv("/proc/self/exe", argv);
	expect(0);
}

static struct weir_queue *import_queue(const char *name)
{
	struct weir_queue *queue;

	expect(weir_import(getenv(name), WEIR_KIND_QUEUE, &queue) == 0);
	return queue;
}

static struct weir_queue *receive_queue(const char *fd)
{
	struct weir_queue *queue;

	expect(weir_recv_handle(atoi(fd), WEIR_KIND_QUEUE, 0, soon(), &queue) == 0);
	return queue;
}

static void put_number(struct weir_queue *queue, uint64_t number)
{
	expect(weir_queue_put(queue, &number, sizeof(number), 0, soon()) == 0);
}

static void echo_queue(struct weir_queue *in, struct weir_queue *out)
{
	uint64_t number;
	int result;

	while ((result = weir_queue_get(in, &number, sizeof(number), 0, soon(), NULL)) == 0)
		put_number(out, number + 1);
	expect(result == -EPIPE);
	weir_queue_close(in);
	weir_queue_close(out);
}

static struct weir_taken take_number(struct weir_queue *queue)
{
	struct weir_taken taken;

	expect(weir_queue_take(queue, 0, soon(), &taken) == 0);
	return taken;
}

static void hold_queue(void)
{
	struct weir_queue *out = import_queue("WEIR_OUT");

	take_number(import_queue("WEIR_IN"));
	put_number(out, 1);
	wait_to_be_killed();
}

static void export_queue(const char *name, const struct weir_queue *queue)
{
	char text[WEIR_EXPORT_SIZE];

	expect(weir_export(queue, text, sizeof(text)) > 0);
	expect(setenv(name, text, 1) == 0);
}

/* What the program that it was has taken nobody will release. */
static void queue_again(char **argv)
{
	struct weir_queue *in = import_queue("WEIR_IN"), *out = import_queue("WEIR_OUT");
	struct weir_taken taken = take_number(in);

	if (getenv("ROUND")) {
		expect(taken.times == 1);
		put_number(out, *(const uint64_t *)taken.data);
		expect(weir_queue_release(in, &taken) == 0);
		weir_queue_close(in);
		weir_queue_close(out);
		return;
	}
	export_queue("WEIR_IN", in);
	export_queue("WEIR_OUT", out);
	setenv("ROUND", "1", 1);
	execv("/proc/self/exe", argv);
	expect(0);
}

/* Whether @what is something with queues. */
static bool use_queues(const char *what, char **argv)
{
	struct weir_queue *in;

	if (strcmp(what, "queue-echo") == 0) {
		in = import_queue("WEIR_IN");
		echo_queue(in, import_queue("WEIR_OUT"));
	} else if (strcmp(what, "queue-from") == 0) {
		in = receive_queue(argv[2]);
		echo_queue(in, receive_queue(argv[2]));
	} else if (strcmp(what, "queue-hold") == 0) {
		hold_queue();
	} else if (strcmp(what, "queue-again") == 0) {
		queue_again(argv);
	} else {
		return false;
	}
	return true;
}

static struct weir_lock *import_lock(void)
{
	struct weir_lock *lock;

	expect(weir_import(getenv("WEIR_LOCK"), WEIR_KIND_LOCK, &lock) == 0);
	return lock;
}

static void say(const char *fd)
{
	expect(write(atoi(fd), "", 1) == 1);
}

static void use_lock(struct weir_lock *lock, int expected)
{
	expect(weir_lock_acquire(lock, WEIR_NOSPIN, soon()) == expected);
	expect(weir_lock_is_mine(lock));
	expect(weir_lock_release(lock) == 0);
}

static void have_and_exec(char **argv, const char *fd)
{
	char text[WEIR_EXPORT_SIZE];
	struct weir_lock *lock = import_lock();

	if (getenv("ROUND")) {
		use_lock(lock, WEIR_OWNER_DIED);
		return;
	}
	expect(weir_lock_acquire(lock, 0, 0) == 0);
	expect(weir_export(lock, text, sizeof(text)) > 0);
	expect(setenv("WEIR_LOCK", text, 1) == 0 && setenv("ROUND", "1", 1) == 0);
	if (fd)
		say(fd);
	execv("/proc/self/exe", argv);
	expect(0);
}

/* Whether @what is something with a lock. */
static bool use_locks(const char *what, char **argv)
{
	char wait[] = "wait", *waiter[] = { argv[0], wait, NULL };
	struct weir_lock *lock;

	if (strcmp(what, "lock-use") == 0) {
		say(argv[2]);
		use_lock(import_lock(), 0);
	} else if (strcmp(what, "lock-from") == 0) {
		expect(weir_recv_handle(atoi(argv[2]), WEIR_KIND_LOCK, 0, soon(), &lock) == 0);
		use_lock(lock, 0);
	} else if (strcmp(what, "lock-hold") == 0) {
		expect(weir_lock_acquire(import_lock(), 0, soon()) == 0);
		say(argv[2]);
		wait_to_be_killed();
	} else if (strcmp(what, "lock-again") == 0) {
		have_and_exec(argv, NULL);
	} else if (strcmp(what, "lock-gone") == 0) {
		have_and_exec(waiter, argv[2]);
	} else {
		return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "echo") == 0)
		echo(import());
	else if (strcmp(what, "echo-from") == 0)
		echo(receive(argv[2]));
	else if (strcmp(what, "pass") == 0)
		pass(argv[2], argv[3]);
	else if (strcmp(what, "own") == 0)
		own();
	else if (strcmp(what, "hold") == 0 && receive(argv[2]))
		wait_to_be_killed();
	else if (strcmp(what, "wait") == 0)
		wait_to_be_killed();
	else if (strcmp(what, "again") == 0)
		again(argv);
	else if (!use_queues(what, argv) && !use_locks(what, argv))
		expect(0);
	return 0;
}
