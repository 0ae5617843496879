/* SPDX-License-Identifier: MIT */
/* Many pipes or queues of weir: sent to by a weir_batch(), waited for by a weir_waitset(). */
#include "crowd-weir.h"

#include <errno.h>
#include <stdio.h>

#include "waitmany.h"
#include "weir-batches.h"
#include "weir-queues.h"
#include "weir/batch.h"
#include "weir/pipe.h"
#include "weir/queue.h"
#include "weir/waitset.h"
#include "worker.h"

#define EVENTS	256	/* of one wait, as for epoll_wait() */
/* Messages in a row from one object: others that are ready wait meanwhile. */
#define IN_A_ROW 1024

static struct weir_batch *sends;
static struct weir_waitset *set;

uint32_t crowd_weir_engine(const struct worker *w)
{
	static const uint32_t engines[ENGINES] = {
		[ENGINE_EPOLL] = WEIR_ENGINE_EPOLL,
		[ENGINE_URING] = WEIR_ENGINE_URING,
		[ENGINE_AUTO] = WEIR_ENGINE_AUTO,
	};

	return engines[w->control->task.setup.engine];
}

void crowd_weir_ran(struct worker *w, uint32_t engine)
{
	w->control->engine = engine == WEIR_ENGINE_URING ? ENGINE_URING : ENGINE_EPOLL;
}

static int weir_fail(char why[MECH_WHY], const char *what, int r)
{
	snprintf(why, MECH_WHY, "%s: %s", what, weir_strerror(r));
	return r;
}

/* ---- what pipes and queues do alike ---- */

static int out_open(struct worker *w, char why[MECH_WHY])
{
	struct weir_batch_options options = {
		.size = sizeof(options),
		.engine = crowd_weir_engine(w),
	};
	int r = weir_batch(&sends, &options);

	return r < 0 ? weir_fail(why, "weir_batch", r) : 0;
}

static int out_flush(struct worker *w)
{
	int r = weir_batch_flush(sends);

	(void)w;
	return r < 0 ? r : 0;
}

/* Whether there were submissions. */
static void out_over(struct worker *w)
{
	struct weir_batch_stat stat = { .size = sizeof(stat) };

	if (weir_batch_stat(sends, &stat) == 0)
		crowd_weir_ran(w, stat.submissions ? WEIR_ENGINE_URING : WEIR_ENGINE_EPOLL);
}

typedef int add_call(struct port *port, void *cookie);
typedef int recv_call(struct port *port, void *message);
typedef int recv_batch_call(struct port *port);

static int in_open(struct worker *w, add_call *add, char why[MECH_WHY])
{
	struct weir_waitset_options options = {
		.size = sizeof(options),
		.engine = crowd_weir_engine(w),
	};
	struct weir_waitset_stat stat = { .size = sizeof(stat) };
	int r = weir_waitset(&set, &options);

	if (r < 0)
		return weir_fail(why, "weir_waitset", r);
	for (uint32_t i = 0; i < w->control->task.setup.objects; i++) {
		r = add(&w->link[i].port[1], &w->link[i].port[1]);
		if (r < 0)
			return weir_fail(why, "weir_waitset_add", r);
	}
	fill_batch(in_batch, w->in, w->stride, &w->port);
	weir_waitset_stat(set, &stat);
	crowd_weir_ran(w, stat.engine);
	return 0;
}

/* Messages one by one; 0 when there are no more, or others shall have their turn. */
static inline int drain_one(struct worker *w, struct port *port, recv_call *recv)
{
	int r = 0;

	for (unsigned int i = 0; i < IN_A_ROW && r == 0; i++) {
		r = recv(port, w->in);
		if (r == 0)
			waitmany_take(w, w->in);
	}
	return r == -EAGAIN ? 0 : r;
}

static inline int drain_many(struct worker *w, struct port *port, recv_batch_call *recv)
{
	int n = 1;

	for (unsigned int i = 0; i < IN_A_ROW && n > 0; i += (unsigned int)n) {
		n = recv(port);
		for (int k = 0; k < n; k++) {
			if (in_batch[k].size != port->size)
				return -EMSGSIZE;
			waitmany_take(w, in_batch[k].data);
		}
	}
	return n == -EAGAIN || n > 0 ? 0 : n;
}

static inline int in_wait(struct worker *w, recv_call *one, recv_batch_call *many)
{
	struct weir_event events[EVENTS];
	uint32_t flags = w->control->task.setup.wait == WAIT_BLOCK ? WEIR_NOSPIN : 0;
	int n = weir_waitset_wait(set, events, EVENTS, flags, WEIR_FOREVER), r = 0;

	for (int i = 0; i < n && r == 0; i++) {
		struct port *port = events[i].cookie;

		r = port->batch > 1 ? drain_many(w, port, many) : drain_one(w, port, one);
	}
	return n < 0 ? n : r;
}

/* ---- pipes ---- */

static int pipe_send(struct worker *w, uint32_t object, const void *message)
{
	struct port *port = &w->link[object].port[0];

	return weir_batch_send(sends, port->sink, message, port->size, port->flags, WEIR_FOREVER);
}

static int pipe_add(struct port *port, void *cookie)
{
	return weir_waitset_add_pipe(set, port->source, WEIR_IN, cookie, NULL);
}

static inline int pipe_recv(struct port *port, void *message)
{
	size_t size = 0;
	int r = weir_pipe_recv(port->source, message, port->size, 0, 0, &size);

	return r == 0 && size != port->size ? -EMSGSIZE : r;
}

static inline int pipe_recv_batch(struct port *port)
{
	return weir_pipe_recv_batch(port->source, in_batch, port->batch, 0, 0);
}

static int pipe_in_open(struct worker *w, char why[MECH_WHY])
{
	return in_open(w, pipe_add, why);
}

static int pipe_in_wait(struct worker *w)
{
	return in_wait(w, pipe_recv, pipe_recv_batch);
}

/* ---- queues ---- */

static int queue_send(struct worker *w, uint32_t object, const void *message)
{
	struct port *port = &w->link[object].port[0];
	int r;

	do
		r = weir_batch_put(sends, port->sink, message, port->size, port->flags,
				   WEIR_FOREVER);
	while (weir_queues_again(r));
	return r;
}

static int queue_add(struct port *port, void *cookie)
{
	return weir_waitset_add_queue(set, port->source, WEIR_IN, cookie, NULL);
}

static inline int queue_recv(struct port *port, void *message)
{
	size_t size = 0;
	int r = weir_queue_get(port->source, message, port->size, 0, 0, &size);

	return r == 0 && size != port->size ? -EMSGSIZE : r;
}

static inline int queue_recv_batch(struct port *port)
{
	return weir_queue_get_batch(port->source, in_batch, port->batch, 0, 0);
}

static int queue_in_open(struct worker *w, char why[MECH_WHY])
{
	return in_open(w, queue_add, why);
}

static int queue_in_wait(struct worker *w)
{
	return in_wait(w, queue_recv, queue_recv_batch);
}

static const struct crowd_way pipes = {
	.out_open = out_open,
	.out_send = pipe_send,
	.out_flush = out_flush,
	.out_over = out_over,
	.in_open = pipe_in_open,
	.in_wait = pipe_in_wait,
};

static const struct crowd_way queues = {
	.out_open = out_open,
	.out_send = queue_send,
	.out_flush = out_flush,
	.out_over = out_over,
	.in_open = queue_in_open,
	.in_wait = queue_in_wait,
};

const struct crowd crowd_weir_pipes = { { &pipes, &pipes, &pipes } };
const struct crowd crowd_weir_queues = { { &queues, &queues, &queues } };
