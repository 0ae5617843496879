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
 * An echo adds 1 to each number and ends when the other end is closed. The status is the number of
 * the line where something was not as expected.
 */
#include <errno.h>
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
	else
		expect(0);
	return 0;
}
