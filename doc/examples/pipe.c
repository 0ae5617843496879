/* SPDX-License-Identifier: MIT */
/*
 * The Pipe program of the documentation of Python's multiprocessing: the child sends
 * [42, None, 'hello'], the parent prints it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <weir.h>

static void check(const char *what, int result)
{
	if (result < 0) {
		fprintf(stderr, "%s: %s\n", what, weir_strerror(result));
		exit(1);
	}
}

static struct weir_end *ends[2];

static int f(void *conn)
{
	/* The parent's end: as long as it is open here too, it does not look closed. */
	weir_pipe_close(ends[0]);
	check("send", weir_pipe_sendf(conn, 0, WEIR_FOREVER, "[i, n, s]", 42, "hello"));
	weir_pipe_close(conn);
	return 0;
}

int main(void)
{
	struct weir_object *list;
	struct weir_process *p;

	check("pipe", weir_pipe(ends, NULL));
	check("start", weir_process_start(f, ends[1], NULL, &p));
	weir_pipe_close(ends[1]);
	check("recv", weir_pipe_recv_object(ends[0], 0, 0, WEIR_FOREVER, &list));
	weir_object_print(list, stdout, WEIR_OBJECT_PYTHON);
	printf("\n");
	weir_object_free(list);
	weir_pipe_close(ends[0]);
	check("join", weir_process_join(p, 0, WEIR_FOREVER));
	weir_process_close(p);
	return 0;
}
