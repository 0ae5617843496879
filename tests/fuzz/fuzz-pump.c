/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a file of frames. Scanned, and pumped into a pipe and a queue: all three find the
 * same frames, end for the same reason, and what came through is written as the same frames again.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "weir.h"

static struct weir_end *ends[2];
static struct weir_queue *queue;

static void open_once(void)
{
	if (queue)
		return;
	fuzz_check(weir_queue(&queue, NULL) == 0);
	fuzz_check(weir_pipe(ends, NULL) == 0);
}

static int64_t run(struct weir_pump *pump, uint64_t *moved)
{
	int64_t result;

	while ((result = weir_pump_run(pump, 0, 0, 0)) > 0)
		*moved += (uint64_t)result;
	return result;
}

/* Out of the object again, into a file: it begins as the first one does, but for its numbers. */
static void write_again(struct weir_pump *pump, int fd, const struct weir_pump_scan *first)
{
	struct weir_pump_scan s = { .size = sizeof(s) };
	uint64_t moved = 0;

	fuzz_check(run(pump, &moved) == -EAGAIN);
	fuzz_check(moved == first->frames);
	fuzz_check(weir_pump_scan(fd, 0, &s) == 0);
	fuzz_check(s.frames == first->frames && s.end == first->end && s.error == 0);
	fuzz_check(s.payload == first->payload);
	weir_pump_close(pump);
}

static void through(int fd, const struct weir_pump_scan *s, int of_queue)
{
	struct weir_pump_stat stat = { .size = sizeof(stat) };
	int again = memfd_create("again", MFD_CLOEXEC);
	struct weir_pump *in, *out;
	uint64_t moved = 0;

	fuzz_check(again >= 0 && lseek(fd, 0, SEEK_SET) == 0);
	if (of_queue) {
		fuzz_check(weir_pump_queue(&in, queue, fd, WEIR_PUMP_IN, NULL) == 0);
		fuzz_check(weir_pump_queue(&out, queue, again, WEIR_PUMP_OUT, NULL) == 0);
	} else {
		fuzz_check(weir_pump_pipe(&in, ends[1], fd, WEIR_PUMP_IN, NULL) == 0);
		fuzz_check(weir_pump_pipe(&out, ends[0], again, WEIR_PUMP_OUT, NULL) == 0);
	}
	fuzz_check(run(in, &moved) == s->error);
	fuzz_check(moved == s->frames);
	fuzz_check(weir_pump_stat(in, &stat) == 0);
	fuzz_check(stat.bytes == s->end && stat.payload == s->payload);
	weir_pump_close(in);
	write_again(out, again, s);
	close(again);
}

void fuzz_one(const uint8_t *data, size_t size)
{
	struct weir_pump_scan s = { .size = sizeof(s) };
	int fd = memfd_create("frames", MFD_CLOEXEC);

	open_once();
	/* So that all fits into the ring. */
	if (size > 65536)
		size = 65536;
	fuzz_check(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	fuzz_check(weir_pump_scan(fd, 0, &s) == 0);
	fuzz_check(s.end + s.rest == size);
	fuzz_check(s.error == 0 || s.error == -ENODATA || s.error == -EBADMSG);
	through(fd, &s, 0);
	through(fd, &s, 1);
	close(fd);
}
