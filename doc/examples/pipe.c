/* SPDX-License-Identifier: MIT */
/*
 * The Pipe program of the documentation of Python's multiprocessing: the child sends
 * [42, None, 'hello'], the parent prints it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir.h>

static void check(const char *what, int result)
{
	if (result < 0) {
		fprintf(stderr, "%s: %s\n", what, weir_strerror(result));
		exit(1);
	}
}

static void f(struct weir_end *conn)
{
	check("send", weir_pipe_sendf(conn, 0, WEIR_FOREVER, "[i, n, s]", 42, "hello"));
	weir_pipe_close(conn);
}

int main(void)
{
	struct weir_end *ends[2];
	struct weir_object *list;
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
	check("recv", weir_pipe_recv_object(ends[0], 0, 0, WEIR_FOREVER, &list));
	weir_object_print(list, stdout, WEIR_OBJECT_PYTHON);
	printf("\n");
	weir_object_free(list);
	weir_pipe_close(ends[0]);
	waitpid(p, NULL, 0);
	return 0;
}
