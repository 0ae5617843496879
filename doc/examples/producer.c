/* SPDX-License-Identifier: MIT */
/*
 * A program that is given the sending end of a pipe: its name is in the environment. Its partner is
 * consumer.c, which starts it; any other program could, and any could be started instead.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <weir.h>

int main(void)
{
	const char *text = getenv("READINGS_TO");
	struct weir_end *end;
	int result;

	if (!text) {
		printf("producer: READINGS_TO is not set, consumer sets it\n");
		return 0;
	}
	/* Whatever stands there: what is not an end is refused, and nothing is touched. */
	result = weir_import(text, WEIR_KIND_PIPE_END, &end);
	if (result < 0) {
		fprintf(stderr, "producer: READINGS_TO: %s\n", weir_strerror(result));
		return 1;
	}
	for (int64_t reading = 1; result == 0 && reading <= 1000; reading++)
		result = weir_pipe_send(end, &reading, sizeof(reading), 0, WEIR_FOREVER);
	/* Had the consumer gone meanwhile, we would know. */
	if (result < 0)
		fprintf(stderr, "producer: %s\n", weir_strerror(result));
	weir_pipe_close(end);
	return result < 0;
}
