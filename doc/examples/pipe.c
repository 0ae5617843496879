/* SPDX-License-Identifier: MIT */
/*
 * The Pipe program of the documentation of Python's multiprocessing: the child sends
 * [42, None, 'hello'], the parent prints it.
 *
 * weir carries bytes and knows nothing of types, so the program says what they mean: an item is a
 * tag and a value, a list is an array of items, and its length follows from the message's.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir.h>

#define ITEMS_MAX 16

enum type {
	NONE,
	NUMBER,
	TEXT
};

struct item {
	enum type type;
	int64_t number;
	char text[16];
};

static void check(const char *what, int result)
{
	if (result < 0) {
		fprintf(stderr, "%s: %s\n", what, weir_strerror(result));
		exit(1);
	}
}

static void f(struct weir_end *conn)
{
	struct item list[] = {
		{ .type = NUMBER, .number = 42 },
		{ .type = NONE },
		{ .type = TEXT, .text = "hello" },
	};

	check("send", weir_pipe_send(conn, list, sizeof(list), 0, WEIR_FOREVER));
	weir_pipe_close(conn);
}

static void print(const struct item *item)
{
	switch (item->type) {
	case NONE:
		printf("None");
		break;
	case NUMBER:
		printf("%" PRId64, item->number);
		break;
	case TEXT:
		printf("'%s'", item->text);
		break;
	}
}

int main(void)
{
	struct weir_end *ends[2];
	struct item list[ITEMS_MAX];
	size_t size;
	pid_t p;

	check("pipe", weir_pipe(ends, NULL));
	p = fork();
	if (p == 0) {
		/* The parent's end: as long as it is open here too, it does not look closed. */
		weir_pipe_close(ends[0]);
		f(ends[1]);
		_exit(0);
	}
	weir_pipe_close(ends[1]);
	/* Had fork() failed, all copies of the other end would be closed now, and this say so. */
	check("recv", weir_pipe_recv(ends[0], list, sizeof(list), 0, WEIR_FOREVER, &size));
	for (size_t i = 0; i < size / sizeof(list[0]); i++) {
		printf("%s", i == 0 ? "[" : ", ");
		print(&list[i]);
	}
	printf("]\n");
	weir_pipe_close(ends[0]);
	waitpid(p, NULL, 0);
	return 0;
}
