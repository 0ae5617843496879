/* SPDX-License-Identifier: MIT */
/*
 * The Queue program of the documentation of Python's multiprocessing: the child puts
 * [42, None, 'hello'], the parent gets and prints it.
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

static int f(void *q)
{
	struct weir_builder *list;
	const void *data;
	size_t size;

	check("builder", weir_builder_new(&list));
	check("pack", weir_builder_pack(list, "[i, n, s]", 42, "hello"));
	check("data", weir_builder_data(list, &data, &size));
	check("put", weir_queue_put(q, data, size, 0, WEIR_FOREVER));
	weir_builder_free(list);
	return 0;
}

int main(void)
{
	struct weir_queue *q;
	struct weir_process *p;
	struct weir_taken message;
	struct weir_object *list;

	check("queue", weir_queue(&q, NULL));
	check("start", weir_process_start(f, q, NULL, &p));
	/* In place: what is decoded is copied once, not twice. */
	check("take", weir_queue_take(q, 0, WEIR_FOREVER, &message));
	check("decode", weir_object_decode(message.data, message.size, &list));
	check("release", weir_queue_release(q, &message));
	weir_object_print(list, stdout, WEIR_OBJECT_PYTHON);
	printf("\n");
	weir_object_free(list);
	check("join", weir_process_join(p, 0, WEIR_FOREVER));
	weir_process_close(p);
	weir_queue_close(q);
	return 0;
}
