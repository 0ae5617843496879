/* SPDX-License-Identifier: MIT */
/*
 * Messages for the batch calls of weir; included once by each file that makes such calls, which
 * then has an array for each direction. The messages lie in the buffers of the worker.
 */
#ifndef IPC_BENCH_WEIR_BATCHES_H
#define IPC_BENCH_WEIR_BATCHES_H

#include "weir/base.h"
#include "weir/pipe.h"
#include "worker.h"

/* As many as weir-ends.h and weir-queues.h allow. */
#define WEIR_BATCH_MOST 4096

static struct weir_msg out_batch[WEIR_BATCH_MOST];
static struct weir_msg in_batch[WEIR_BATCH_MOST];

static inline void fill_batch(struct weir_msg *batch, unsigned char *messages, size_t stride,
			      const struct port *port)
{
	for (size_t i = 0; i < port->batch; i++)
		batch[i] = (struct weir_msg){
			.data = messages + i * stride,
			.size = port->size,
			.room = port->size,
		};
}

static inline void port_batch(struct worker *w)
{
	fill_batch(out_batch, w->out, w->stride, &w->port);
	fill_batch(in_batch, w->in, w->stride, &w->port);
}

#endif
