/* SPDX-License-Identifier: MIT */
/* Pumps: making and closing them, and what is the same for each run. */
#include "obj/pump.h"

#include "base/atomic.h"
#include "obj/pipe.h"
#include "sys/sys.h"
#include "uring/choice.h"

#define OPTION_FLAGS	(WEIR_PUMP_RAW | WEIR_PUMP_SYNC)

/* Bytes that are read at a time where nothing else says how many are a message. */
#define CHUNK		(UINT64_C(64) << 10)

static int check_options(const struct weir_pump_options *o)
{
	if (o->size != sizeof(*o) || (o->flags & ~OPTION_FLAGS) || !choice_valid(o->engine) ||
	    o->max_size > UINT32_MAX)
		return -EINVAL;
	return 0;
}

/* Syncing is for what has a medium. */
static int check_sync(const struct weir_pump *p)
{
	bool wanted = (p->options.flags & WEIR_PUMP_SYNC) || p->options.sync_bytes > 0;

	return wanted && (!p->io.regular || p->direction != WEIR_PUMP_OUT) ? -EINVAL : 0;
}

static int check_end(const struct weir_end *end, uint32_t direction)
{
	if (direction == WEIR_PUMP_OUT)
		return end->rx ? 0 : -EOPNOTSUPP;
	return end->tx ? 0 : -EOPNOTSUPP;
}

/* Sizes that the options leave open. */
static int choose_sizes(struct weir_pump *p)
{
	uint64_t most = pump_claim_max(p), usual = most / 4 < CHUNK ? most / 4 : CHUNK;

	if (p->options.chunk == 0)
		p->options.chunk = usual;
	if (p->options.max_size == 0)
		p->options.max_size = UINT32_MAX;
	return p->options.chunk <= most ? 0 : -EINVAL;
}

static int make(struct weir_pump **ret_pump, struct weir_end *end, struct weir_queue *queue, int fd,
		uint32_t direction, const struct weir_pump_options *options)
{
	static const struct weir_pump_options none = { .size = sizeof(none) };
	struct weir_pump *p;
	void *memory;
	int result;

	if (!ret_pump || !(end || queue) ||
	    (direction != WEIR_PUMP_OUT && direction != WEIR_PUMP_IN))
		return -EINVAL;
	result = check_options(options ? options : &none);
	if (result == 0 && end)
		result = check_end(end, direction);
	if (result == 0)
		result = sys_map_wiped(sizeof(*p), &memory);
	if (result < 0)
		return result;
	p = memory;
	p->options = options ? *options : none;
	p->direction = direction;
	p->end = end;
	p->queue = queue;
	p->out.number = p->options.number;
	p->out.most = 1;
	result = pump_open(&p->io, fd, direction);
	if (result == 0)
		result = check_sync(p);
	if (result == 0)
		result = choose_sizes(p);
	if (result < 0) {
		sys_unmap(p, sizeof(*p));
		return result;
	}
	pump_begin(p);
	p->here = true;
	*ret_pump = p;
	return 0;
}

int weir_pump_pipe(struct weir_pump **ret_pump, struct weir_end *end, int fd, uint32_t direction,
		   const struct weir_pump_options *options)
{
	return make(ret_pump, end, NULL, fd, direction, options);
}

int weir_pump_queue(struct weir_pump **ret_pump, struct weir_queue *queue, int fd,
		    uint32_t direction, const struct weir_pump_options *options)
{
	return make(ret_pump, NULL, queue, fd, direction, options);
}

/* One thread at a time, and not in a child: 0 or -EBUSY. */
static int enter(struct weir_pump *p)
{
	uint32_t nobody = 0;

	if (!p->here)
		return -EBUSY;
	/* order: PUMP acquire, from leave(): what the thread before us did. */
	return cas_acquire(&p->busy, &nobody, 1) ? 0 : -EBUSY;
}

static void leave(struct weir_pump *p)
{
	store_release(&p->busy, 0);	/* order: PUMP release, to enter() */
}

int pump_sync(struct weir_pump *p)
{
	/* Also after an error: the kernel has told it once, and takes all for written then. */
	p->out.unsynced = 0;
	p->syncs++;
	return stream_sync(p->io.fd);
}

/* Whether it is found again by the next run, as it is then; otherwise it is kept for that. */
static bool comes_again(int error)
{
	switch (error) {
	case -EAGAIN:
	case -ETIMEDOUT:
	case -EINTR:
	case -ENOSPC:
	case -EDQUOT:
	case -EFBIG:
		return true;
	default:
		return error >= 0;
	}
}

static int move(struct weir_pump *p, uint64_t count, uint32_t flags, int64_t deadline)
{
	struct stream_signals signals = { .held = false };
	int result, synced = 0;

	p->moved = 0;
	/* Those of a socket are kept away by each call. */
	if (p->direction == WEIR_PUMP_IN)
		return pump_in(p, count, flags, deadline);
	if (p->io.kind == PUMP_FILE || p->io.kind == PUMP_PIPE)
		stream_quiet(&signals);
	result = pump_out(p, count, flags, deadline);
	if ((p->options.flags & WEIR_PUMP_SYNC) && p->out.unsynced > 0)
		synced = pump_sync(p);
	stream_loud(&signals, result == -EPIPE || result == -EFBIG);
	return synced < 0 ? synced : result;
}

int64_t weir_pump_run(struct weir_pump *pump, uint64_t count, uint32_t flags, int64_t deadline)
{
	int64_t result;

	if (!pump || count > INT64_MAX || (flags & ~PUMP_CALL_FLAGS))
		return -EINVAL;
	result = enter(pump);
	if (result < 0)
		return result;
	if (pump->error < 0) {
		result = pump->error;
		pump->error = 0;
	} else {
		result = move(pump, count, flags, deadline);
		if (pump->moved > 0) {
			if (!comes_again((int)result))
				pump->error = (int)result;
			result = (int64_t)pump->moved;
		}
	}
	leave(pump);
	return result;
}

int weir_pump_stat(struct weir_pump *pump, struct weir_pump_stat *ret_stat)
{
	struct weir_pump_stat *s = ret_stat;
	int result;

	if (!pump || !s || s->size != sizeof(*s))
		return -EINVAL;
	result = enter(pump);
	if (result < 0)
		return result;
	*s = (struct weir_pump_stat){
		.size = sizeof(*s),
		.engine = WEIR_ENGINE_EPOLL,
		.messages = pump->messages,
		.payload = pump->payload,
		.bytes = pump->bytes,
		.number = pump->out.number - (pump->out.count - pump->out.first),
		.held = pump->direction == WEIR_PUMP_OUT ? pump->out.count - pump->out.first
							 : pump->in.end - pump->in.begin,
		.partial = pump->out.partial,
		.calls = pump->io.calls,
		.syncs = pump->syncs,
	};
	leave(pump);
	return 0;
}

void weir_pump_close(struct weir_pump *pump)
{
	if (!pump)
		return;
	/* A child has nothing of it, and the memory is zero. */
	if (pump->here) {
		pump_return(pump);
		pump_in_free(pump);
	}
	sys_unmap(pump, sizeof(*pump));
}
