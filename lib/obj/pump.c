/* SPDX-License-Identifier: MIT */
/* Pumps: making and closing them, and what is the same for each run. */
#include "obj/pump.h"

#include <stdlib.h>

#include "base/atomic.h"
#include "base/crc32c.h"
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
	return (o->flags & WEIR_PUMP_RAW) || crc32c_there() ? 0 : -ENOSYS;
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

/*
 * Plain system calls are faster than an io_uring here, but for one case, see doc/design/pump.md:
 * that is taken only where it is asked for.
 */
static void choose_engine(struct weir_pump *p)
{
	if (choice_wanted(p->options.engine) != WEIR_ENGINE_URING)
		return;
	p->engine_error = pump_open_uring(&p->io);
	if (p->engine_error == 0 && p->direction == WEIR_PUMP_OUT)
		p->register_error = pump_register(p);
}

static int prepare(struct weir_pump *p, int fd)
{
	void *here;
	int result = pump_open(&p->io, fd, p->direction);

	if (result == 0)
		result = check_sync(p);
	if (result == 0)
		result = choose_sizes(p);
	if (result == 0)
		result = sys_map_wiped(sizeof(*p->here), &here);
	if (result < 0)
		return result;
	p->here = here;
	*p->here = 1;
	p->out.number = p->options.number;
	p->out.most = 1;
	choose_engine(p);
	pump_begin(p);
	return 0;
}

static int make(struct weir_pump **ret_pump, struct weir_end *end, struct weir_queue *queue, int fd,
		uint32_t direction, const struct weir_pump_options *options)
{
	static const struct weir_pump_options none = { .size = sizeof(none) };
	struct weir_pump *p;
	int result;

	if (!ret_pump || !(end || queue) ||
	    (direction != WEIR_PUMP_OUT && direction != WEIR_PUMP_IN))
		return -EINVAL;
	result = check_options(options ? options : &none);
	if (result == 0 && end)
		result = check_end(end, direction);
	if (result < 0)
		return result;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->options = options ? *options : none;
	p->direction = direction;
	p->end = end;
	p->queue = queue;
	result = prepare(p, fd);
	if (result < 0) {
		free(p);
		return result;
	}
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

	if (!*p->here)
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

static int move_out(struct weir_pump *p, uint64_t count, uint32_t flags, int64_t deadline)
{
	struct stream_signals signals = { .held = false };
	int result, synced = 0;

	/* Those of a socket are kept away by each call. */
	if (p->io.kind == PUMP_FILE || p->io.kind == PUMP_PIPE)
		stream_quiet(&signals);
	result = pump_out(p, count, flags, deadline);
	if ((p->options.flags & WEIR_PUMP_SYNC) && p->out.unsynced > 0)
		synced = pump_sync(p);
	stream_loud(&signals, result == -EPIPE || result == -EFBIG);
	return synced < 0 ? synced : result;
}

static int move(struct weir_pump *p, uint64_t count, uint32_t flags, int64_t deadline)
{
	int result = pump_find_position(&p->io);

	p->moved = 0;
	if (result < 0)
		return result;
	if (p->direction == WEIR_PUMP_OUT)
		result = move_out(p, count, flags, deadline);
	else
		result = pump_in(p, count, flags, deadline);
	/* For others who have the file; if that fails the next call tries again. */
	pump_come_back(&p->io);
	return result;
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
		.engine = pump->io.uring ? WEIR_ENGINE_URING : WEIR_ENGINE_EPOLL,
		.engine_error = pump->engine_error,
		.registered = pump->io.uring && pump->io.transfer.memory,
		.register_error = pump->register_error,
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
	if (*pump->here) {
		pump_return(pump);
		pump_in_free(pump);
		if (pump->io.uring)
			transfer_close(&pump->io.transfer);
	} else if (pump->io.uring) {
		/* A child: another thread of its parent may have been changing all the rest. */
		transfer_abandon(&pump->io.transfer);
	}
	sys_unmap(pump->here, sizeof(*pump->here));
	free(pump);
}
