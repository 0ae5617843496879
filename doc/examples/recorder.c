/* SPDX-License-Identifier: MIT */
/*
 * A recorder: pumps a queue to a file, is killed at it, and is started again. Nothing is lost; what
 * it had written, and could no longer say so, is in the file twice. Then the file is read back,
 * through a pump in the other direction.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir.h>

#define EVENTS	20000

static void check(const char *what, int64_t result)
{
	if (result < 0) {
		fprintf(stderr, "%s: %s\n", what, weir_strerror((int)result));
		exit(1);
	}
}

/* Until the queue is shut down. The same program whether the file is new or not. */
static void record(struct weir_queue *queue, int file)
{
	struct weir_pump_options options = { .size = sizeof(options) };
	struct weir_pump_scan scan = { .size = sizeof(scan) };
	struct weir_pump *pump;
	int64_t moved;

	/* Where the one before us was killed: half a frame, perhaps. */
	check("scan", weir_pump_scan(file, WEIR_PUMP_CUT, &scan));
	options.number = scan.number;
	check("pump", weir_pump_queue(&pump, queue, file, WEIR_PUMP_OUT, &options));
	do
		moved = weir_pump_run(pump, 0, 0, WEIR_FOREVER);
	while (moved > 0);
	check("run", moved);
	weir_pump_close(pump);
}

static pid_t start_recorder(struct weir_queue *queue, int file)
{
	pid_t recorder = fork();

	check("fork", recorder);
	if (recorder == 0) {
		record(queue, file);
		_exit(0);
	}
	return recorder;
}

/* Whether all events are there, in order, but for those that come again: they have numbers. */
static void read_back(int file)
{
	int event, next = 0, again = 0;
	struct weir_queue *queue;
	struct weir_pump *pump;
	size_t size;
	int64_t moved;

	lseek(file, 0, SEEK_SET);
	check("queue", weir_queue(&queue, NULL));
	check("pump", weir_pump_queue(&pump, queue, file, WEIR_PUMP_IN, NULL));
	do
		moved = weir_pump_run(pump, 0, 0, WEIR_FOREVER);
	while (moved > 0);
	check("run", moved);
	while (weir_queue_get(queue, &event, sizeof(event), 0, 0, &size) == 0) {
		if (event == next)
			next++;
		else if (event < next)
			again++;
	}
	printf("%d of %d events are in the file, in order, %s twice\n", next, EVENTS,
	       again <= 512 ? "none or a few" : "many");
	weir_pump_close(pump);
	weir_queue_close(queue);
}

int main(void)
{
	int file = memfd_create("events", MFD_CLOEXEC), status;
	struct weir_queue *queue;
	pid_t recorder;

	check("file", file);
	check("queue", weir_queue(&queue, NULL));
	recorder = start_recorder(queue, file);
	for (int event = 0; event < EVENTS; event++) {
		check("put", weir_queue_put(queue, &event, sizeof(event), 0, WEIR_FOREVER));
		if (event == EVENTS / 2) {
			kill(recorder, SIGKILL);
			waitpid(recorder, &status, 0);
			recorder = start_recorder(queue, file);
		}
	}
	check("shutdown", weir_queue_shutdown(queue, 0));
	waitpid(recorder, &status, 0);
	printf("the second recorder has ended %s\n", status == 0 ? "well" : "badly");
	read_back(file);
	weir_queue_close(queue);
	close(file);
	return 0;
}
