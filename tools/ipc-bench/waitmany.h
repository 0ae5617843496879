/* SPDX-License-Identifier: MIT */
/*
 * The workload waitmany: one process waits for many objects, of which some are active.
 *
 * Worker 0 sends one message to each of the active ones, chosen at random each time, and waits
 * until worker 1, who waits for all of them at once, has received these messages. Or all objects
 * are active: then it sends to one after the other and waits for nobody. Each object has a number
 * of its own as a producer, so that what comes is checked object by object.
 */
#ifndef IPC_BENCH_WAITMANY_H
#define IPC_BENCH_WAITMANY_H

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "bench/pattern.h"
#include "worker.h"

/* Messages that wait for one flush at the most: what they lie in is memory of the worker. */
#define WAITMANY_SLOTS 256

/* The loops of workers 0 and 1. Return 0 or a negative errno. */
int waitmany_send(struct worker *w);
int waitmany_recv(struct worker *w);

/* Messages that the worker needs memory for. */
uint32_t waitmany_slots(const struct task *task);

/* Account for a message. */
static inline void waitmany_take(struct worker *w, const void *message)
{
	uint64_t header, sum = pattern_read(&w->shape, message, &header);

	if (__builtin_expect(header == WORKER_END, 0)) {
		w->ended = true;
		return;
	}
	pattern_check_add(w->check, &w->shape, header, sum);
	w->done++;
}

/* What came of a stream of bytes: messages, of which the last may be there in part; what it lacks
 * is behind it at @bytes, and read first. */
int waitmany_bytes(struct worker *w, const struct port *port, unsigned char *bytes, size_t count);

#endif
