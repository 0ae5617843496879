/* SPDX-License-Identifier: MIT */
/*
 * Measurements, without a copy on the way: the child writes each block where the parent will read
 * it, and the parent keeps the best ones where they lie until it is done with them.
 *
 * A block that turns out empty is given up; one that turns out shorter than was claimed is sent as
 * it is. What is kept keeps its room in the ring, so the parent keeps no more than it has room for.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir.h>

#define BLOCKS	1000
#define VALUES	100
#define KEPT	3

struct block {
	uint32_t number;
	uint32_t count;
	uint64_t sum;
	uint32_t values[];
};

static void check(const char *what, int result)
{
	if (result < 0) {
		fprintf(stderr, "%s: %s\n", what, weir_strerror(result));
		exit(1);
	}
}

/* Some of them do not come to anything. */
static uint32_t measure(uint32_t number, uint32_t *values)
{
	uint32_t count = number * 7 % (VALUES + 1);

	for (uint32_t i = 0; i < count; i++)
		values[i] = number * (i + 1) % 1000;
	return count;
}

static void send_blocks(struct weir_end *end)
{
	size_t most = sizeof(struct block) + VALUES * sizeof(uint32_t);

	for (uint32_t number = 0; number < BLOCKS; number++) {
		struct block *block;
		void *data;

		check("claim", weir_pipe_claim(end, most, 0, WEIR_FOREVER, &data));
		block = data;
		block->number = number;
		block->count = measure(number, block->values);
		block->sum = 0;
		for (uint32_t i = 0; i < block->count; i++)
			block->sum += block->values[i];
		if (block->count == 0)
			check("abort", weir_pipe_abort(end));
		else
			check("commit", weir_pipe_commit(end, sizeof(*block) + block->count *
							 sizeof(uint32_t), 0));
	}
}

/* Keep @block in place of the least of @best, if it is more; what is to be let go of. */
static const struct block *keep(const struct block **best, const struct block *block)
{
	for (int i = 0; i < KEPT; i++) {
		if (!best[i] || block->sum > best[i]->sum) {
			const struct block *less = best[i];

			best[i] = block;
			if (!less)
				return NULL;
			block = less;
		}
	}
	return block;
}

int main(void)
{
	struct weir_pipe_options options = { .size = sizeof(options), .flags = WEIR_PIPE_ONEWAY,
					     .capacity = 1 << 20 };
	const struct block *best[KEPT] = { NULL };
	struct weir_end *ends[2];
	const void *data;
	int result, received = 0;
	size_t size;

	check("pipe", weir_pipe(ends, &options));
	if (fork() == 0) {
		weir_pipe_close(ends[0]);
		send_blocks(ends[1]);
		_exit(0);
	}
	weir_pipe_close(ends[1]);
	while ((result = weir_pipe_take(ends[0], 0, WEIR_FOREVER, &data, &size)) == 0) {
		const struct block *other = keep(best, data);

		received++;
		/* In any order; the oldest that is kept decides how much room the sender has. */
		if (other)
			check("release", weir_pipe_release(ends[0], other));
	}
	printf("%d blocks, then: %s\n", received, weir_strerror(result));
	for (int i = 0; i < KEPT; i++)
		printf("block %u: %u values, sum %llu\n", best[i]->number, best[i]->count,
		       (unsigned long long)best[i]->sum);
	weir_pipe_close(ends[0]);
	wait(NULL);
	return 0;
}
