/* SPDX-License-Identifier: MIT */
/*
 * Records of several fields, some of which may be missing: made one by one, sent as one message,
 * and read in the two ways there are, by a format and value by value. What does not match says
 * where.
 */
#include <inttypes.h>
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

/* A list whose length shows at its end. */
static void send_records(struct weir_end *end)
{
	static const struct {
		const char *name;
		int score;
	} records[] = { { "Computers", 1 }, { "History", 5 }, { "Hindi", 9 }, { NULL, 0 } };
	struct weir_builder *builder;

	check("builder", weir_builder_new(&builder));
	weir_builder_array(builder, WEIR_BUILDER_OPEN);
	for (size_t i = 0; records[i].name; i++)
		weir_builder_pack(builder, "{name: s, score: i}", records[i].name,
				  records[i].score);
	weir_builder_pack(builder, "{name: s, score: i, tags: [s, s]}", "English", 3, "new",
			  "short");
	weir_builder_pack(builder, "{name: s, score: s}", "Latin", "none");
	weir_builder_end(builder);
	/* Whatever went wrong on the way is told here. */
	check("send", weir_builder_send(builder, end, 0, WEIR_FOREVER));
	weir_builder_free(builder);
}

static void print_tags(const struct weir_object *tags)
{
	for (size_t i = 0; i < weir_object_count(tags); i++) {
		const char *tag;

		if (weir_object_get_string(weir_object_at(tags, i), &tag, NULL) == 0)
			printf(" #%s", tag);
	}
}

static void print_record(const struct weir_object *record)
{
	static const char format[] = "{name: s, score: i | tags: o}";
	const struct weir_object *tags = NULL;
	const char *name;
	int score, result = weir_object_unpack(record, format, &name, &score, &tags);
	size_t position;

	if (result < 0 && weir_object_match(record, format, &position) == result) {
		weir_object_print(record, stdout, 0);
		printf("\n  is not  %s\n%*s^ %s\n", format, 10 + (int)position, "",
		       weir_strerror(result));
		return;
	}
	printf("%s: %d", name, score);
	print_tags(tags);
	printf("\n");
}

int main(void)
{
	struct weir_end *ends[2];
	struct weir_object *records;
	pid_t sender;

	check("pipe", weir_pipe(ends, NULL));
	sender = fork();
	if (sender == 0) {
		weir_pipe_close(ends[0]);
		send_records(ends[1]);
		_exit(0);
	}
	weir_pipe_close(ends[1]);
	check("recv", weir_pipe_recv_object(ends[0], 0, 0, WEIR_FOREVER, &records));
	for (size_t i = 0; i < weir_object_count(records); i++)
		print_record(weir_object_at(records, i));
	weir_object_free(records);
	weir_pipe_close(ends[0]);
	waitpid(sender, NULL, 0);
	return 0;
}
