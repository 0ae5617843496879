/* SPDX-License-Identifier: MIT */
/*
 * Processes: a function with a name and an exit code, one that is told to end, one that ends with
 * its parent, and a program that is given a queue: this one, once more.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir.h>

static void check(const char *what, int result)
{
	if (result < 0) {
		fprintf(stderr, "%s: %s\n", what, weir_strerror(result));
		exit(1);
	}
}

static int f(void *arg)
{
	printf("%s: child of the main process: %s\n", weir_process_current_name(),
	       weir_process_parent() == getppid() ? "yes" : "no");
	return *(int *)arg;
}

static int wait_for_ever(void *arg)
{
	(void)arg;
	while (1)
		pause();
	return 0;
}

/* What is left of it is told and freed. */
static void tell_end(struct weir_process *p)
{
	int code;

	check("join", weir_process_join(p, 0, WEIR_FOREVER));
	check("exit code", weir_process_exit_code(p, &code));
	if (code < 0)
		printf("%s: ended by %s\n", weir_process_name(p), strsignal(-code));
	else
		printf("%s: ended with %d\n", weir_process_name(p), code);
	check("close", weir_process_close(p));
}

static void functions(void)
{
	struct weir_process_options options = { .size = sizeof(options), .name = "worker" };
	struct weir_process *p;
	int code = 7;

	check("start", weir_process_start(f, &code, NULL, &p));
	tell_end(p);
	check("start", weir_process_start(wait_for_ever, NULL, &options, &p));
	printf("%s: alive: %d\n", weir_process_name(p), weir_process_alive(p));
	check("terminate", weir_process_terminate(p));
	tell_end(p);
}

/* The program that is executed. */
static int program(const char *text)
{
	struct weir_queue *q;

	check("import", weir_import(text, WEIR_KIND_QUEUE, &q));
	check("put", weir_queue_put(q, "hello", 6, 0, WEIR_FOREVER));
	weir_queue_close(q);
	return 0;
}

static void programs(char *self)
{
	char *argv[] = { self, NULL };
	struct weir_process_handle handle = { .variable = "ANSWERS" };
	struct weir_process_options options = { .size = sizeof(options), .name = "program" };
	struct weir_process *p;
	struct weir_queue *q;
	char text[16];
	size_t size;

	check("queue", weir_queue(&q, NULL));
	handle.handle = q;
	options.handles = &handle;
	options.handle_count = 1;
	check("spawn", weir_process_spawn(argv, &options, &p));
	check("get", weir_queue_get(q, text, sizeof(text), 0, WEIR_FOREVER, &size));
	printf("the program says: %s\n", text);
	tell_end(p);
	weir_queue_close(q);
	/* What is wrong with a program is an error of the call. */
	options = (struct weir_process_options){ .size = sizeof(options), .file = "/no/such" };
	printf("spawn: %s\n", weir_strerror(weir_process_spawn(argv, &options, &p)));
}

int main(int argc, char *argv[])
{
	struct weir_process_options options = {
		.size = sizeof(options),
		.flags = WEIR_PROCESS_DAEMON,
	};
	struct weir_process *p;

	(void)argc;
	if (getenv("ANSWERS"))
		return program(getenv("ANSWERS"));
	functions();
	programs(argv[0]);
	/* It is ended at the end of main(), or when this process is killed. */
	check("start", weir_process_start(wait_for_ever, NULL, &options, &p));
	printf("children: %d\n", weir_process_children(NULL, 0));
	return 0;
}
