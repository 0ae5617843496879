/* SPDX-License-Identifier: MIT */
/*
 * Pipes: making them, what concerns a whole end, and closing.
 *
 * An end holds: the memfd with its mappings, the bells and levels of all lanes (shared with the
 * other end while both are in this process), its end of the line, and an epoll descriptor over its
 * level and the line. The line is a pair of sockets: its hang-up is how the kernel says that every
 * copy of the other end is closed or dead.
 */
#include "obj/pipe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "sys/sys.h"
#include "wait/live.h"

#define PIPE_FLAGS	(WEIR_PIPE_ONEWAY | WEIR_PIPE_LATENCY | WEIR_PIPE_THROUGHPUT)
#define CAPACITY_MAX	(UINT64_C(1) << 40)

/* ---- making ---- */

static int new_eventfd(int *ret_fd)
{
	int fd = sys_eventfd();

	if (fd < 0)
		return fd;
	*ret_fd = sys_move_high(fd);
	return 0;
}

static int open_core_fds(struct pipe_core *core, uint32_t lanes)
{
	int result = 0;

	for (uint32_t i = 0; result == 0 && i < 2 * lanes; i++)
		result = new_eventfd(&core->bells[i]);
	for (uint32_t i = 0; result == 0 && i < lanes; i++)
		result = new_eventfd(&core->levels[i]);
	return result;
}

static void core_release(struct pipe_core *core)
{
	/* order: CORE, the last one out finds what all others did */
	if (add_seq(&core->references, -1U) != 1)
		return;
	for (size_t i = 0; i < ARRAY_LENGTH(core->bells); i++)
		sys_close(core->bells[i]);
	for (size_t i = 0; i < ARRAY_LENGTH(core->levels); i++)
		sys_close(core->levels[i]);
	segment_destroy(&core->segment);
	free(core);
}

static int core_create(uint32_t lanes, uint64_t capacity, struct pipe_core **ret_core)
{
	struct pipe_core *core = calloc(1, sizeof(*core));
	int result;

	if (!core)
		return -ENOMEM;
	core->references = 1;
	memset(core->bells, -1, sizeof(core->bells));
	memset(core->levels, -1, sizeof(core->levels));
	result = segment_create(&core->segment, lanes, capacity);
	if (result == 0)
		result = open_core_fds(core, lanes);
	if (result < 0) {
		core_release(core);
		return result;
	}
	*ret_core = core;
	return 0;
}

static void end_free(struct weir_end *end)
{
	sys_close(end->line);
	sys_close(end->epoll);
	if (end->private)
		sys_unmap(end->private, sizeof(*end->private));
	if (end->core)
		core_release(end->core);
	free(end->taken);
	free(end->store);
	free(end);
}

/* The exported descriptor: readable when the level is signalled and when the line hangs up. */
static int open_epoll(struct weir_end *end)
{
	int result = sys_epoll();

	if (result < 0)
		return result;
	end->epoll = sys_move_high(result);
	result = sys_epoll_add(end->epoll, end->core->levels[end->rx_lane], EPOLLIN);
	if (result == 0)
		/* For its hang-up, which is reported unasked; what it carries is no news. */
		result = sys_epoll_add(end->epoll, end->line, 0);
	return result;
}

/* End @index of a pipe of @core; its line is set by the caller. */
static int end_create(struct pipe_core *core, int index, uint32_t flags, struct weir_end **ret_end)
{
	struct weir_end *end = calloc(1, sizeof(*end));
	bool oneway = flags & WEIR_PIPE_ONEWAY;
	void *private;
	int result;

	if (!end)
		return -ENOMEM;
	end->line = end->epoll = -1;
	result = sys_map_wiped(sizeof(*end->private), &private);
	if (result < 0) {
		end_free(end);
		return result;
	}
	add_relaxed(&core->references, 1);	/* relaxed: the caller holds another one */
	end->core = core;
	end->private = private;
	end->flags = flags;
	end->limit = UINT64_MAX;
	/* Lane 0 goes from ends[1] to ends[0], lane 1 the other way. */
	end->rx_lane = (uint8_t)index;
	end->tx_lane = (uint8_t)(1 - index);
	if (!oneway || index == 0)
		end->rx = &end->private->rx;
	if (!oneway || index == 1)
		end->tx = &end->private->tx;
	*ret_end = end;
	return 0;
}

static int connect_ends(struct weir_end *ends[2])
{
	int fds[2], result = sys_socketpair(fds);

	if (result < 0)
		return result;
	ends[0]->line = sys_move_high(fds[0]);
	ends[1]->line = sys_move_high(fds[1]);
	for (int i = 0; result == 0 && i < 2; i++)
		if (ends[i]->rx)
			result = open_epoll(ends[i]);
	return result;
}

static int create_ends(struct pipe_core *core, uint32_t flags, struct weir_end *ret_ends[2])
{
	struct weir_end *ends[2] = { NULL, NULL };
	int result = end_create(core, 0, flags, &ends[0]);

	if (result == 0)
		result = end_create(core, 1, flags, &ends[1]);
	if (result == 0)
		result = connect_ends(ends);
	if (result < 0) {
		for (int i = 0; i < 2; i++)
			if (ends[i])
				end_free(ends[i]);
		return result;
	}
	ret_ends[0] = ends[0];
	ret_ends[1] = ends[1];
	return 0;
}

static uint64_t round_capacity(uint64_t capacity)
{
	uint64_t rounded = (uint64_t)sysconf(_SC_PAGESIZE);

	if (capacity == 0)
		capacity = WEIR_PIPE_CAPACITY;
	while (rounded < capacity)
		rounded *= 2;
	return rounded;
}

static int check_options(const struct weir_pipe_options *o)
{
	uint32_t both = WEIR_PIPE_LATENCY | WEIR_PIPE_THROUGHPUT;

	if (o->size != sizeof(*o) || (o->flags & ~PIPE_FLAGS) || (o->flags & both) == both ||
	    o->reserved != 0 || o->capacity > CAPACITY_MAX)
		return -EINVAL;
	return 0;
}

int weir_pipe(struct weir_end *ret_ends[2], const struct weir_pipe_options *options)
{
	static const struct weir_pipe_options defaults = { .size = sizeof(defaults) };
	struct pipe_core *core;
	int result;

	if (!ret_ends)
		return -EINVAL;
	if (!options)
		options = &defaults;
	result = check_options(options);
	if (result < 0)
		return result;
	result = core_create(options->flags & WEIR_PIPE_ONEWAY ? 1 : 2,
			     round_capacity(options->capacity), &core);
	if (result < 0)
		return result;
	result = create_ends(core, options->flags, ret_ends);
	core_release(core);
	return result;
}

/* ---- what concerns a whole end ---- */

/* The turn that is closed last: who visits it keeps the end from being freed. */
static struct turn *last_turn(const struct weir_end *end)
{
	return end->rx ? &end->rx->side.turn : &end->tx->side.turn;
}

static int hand_over_tx(struct weir_end *end)
{
	struct pipe_tx *tx = end->tx;
	bool locked;
	int result;

	/* relaxed: it is ours or it is not */
	if (load_relaxed(&tx->claimant) == pipe_thread())
		return -EBUSY;
	if (turn_take(&tx->side.turn, 0, WEIR_FOREVER, &locked) < 0)
		return 0;
	result = tx->claimed ? -EBUSY : 0;
	if (result == 0)
		pipe_release_tx(end);
	turn_give(&tx->side.turn, locked);
	return result;
}

static int hand_over_rx(struct weir_end *end)
{
	struct pipe_rx *rx = end->rx;
	bool locked;
	int result;

	if (turn_take(&rx->side.turn, 0, WEIR_FOREVER, &locked) < 0)
		return 0;
	result = pipe_taken_any(rx) || rx->large.mode == LARGE_COMING ? -EBUSY : 0;
	if (result == 0)
		pipe_release_rx(end);
	turn_give(&rx->side.turn, locked);
	return result;
}

int weir_pipe_handover(struct weir_end *end)
{
	int sending = 0, receiving = 0;

	if (!end)
		return -EINVAL;
	turn_visit(last_turn(end));
	if (end->tx)
		sending = hand_over_tx(end);
	if (end->rx)
		receiving = hand_over_rx(end);
	turn_leave(last_turn(end));
	return sending < 0 ? sending : receiving;
}

static void shut_side(const struct weir_end *end, enum pipe_role role)
{
	struct parking p = pipe_parking(end, role);

	or_relaxed(&p.mine->events, EVENTS_SHUT);	/* relaxed: the bit stands for itself */
	park_wake_peer(&p);
	park_wake_own(&p);
}

int weir_pipe_shutdown(struct weir_end *end)
{
	if (!end)
		return -EINVAL;
	turn_visit(last_turn(end));
	if (end->tx)
		shut_side(end, ROLE_WRITER);
	if (end->rx)
		shut_side(end, ROLE_READER);
	pipe_signal_levels(end);
	turn_leave(last_turn(end));
	return 0;
}

int weir_pipe_fd(struct weir_end *end)
{
	struct weir_side *mine;
	uint32_t nothing = 0;
	uint64_t requests;
	int fd;

	if (!end)
		return -EINVAL;
	if (!end->rx)
		return -EOPNOTSUPP;
	turn_visit(last_turn(end));
	mine = pipe_parking(end, ROLE_READER).mine;
	/* relaxed: the exchange below finds out whether it still holds */
	requests = load_relaxed(&mine->requests);
	while (REQUEST_ARMED(requests) == 0) {
		/* order: SLEEP, before the slice that lets a send in flight become visible */
		if (!cas_seq(&mine->requests, &requests, REQUESTS(1, REQUEST_FENCE(requests))))
			continue;
		sys_futex_wait(&nothing, 0, clock_now() + PARK_FIRST_NS);
		/* Perhaps for nothing; the next receive will see. */
		sys_event_set(end->core->levels[end->rx_lane]);
		break;
	}
	fd = end->epoll;
	turn_leave(last_turn(end));
	return fd;
}

/* ---- closing ---- */

static void nudge_tx(void *arg)
{
	struct parking p = pipe_parking(arg, ROLE_WRITER);

	park_wake_own(&p);
}

static void nudge_rx(void *arg)
{
	struct parking p = pipe_parking(arg, ROLE_READER);

	park_wake_own(&p);
}

/* Make the peer look at our line, which is closed by now. */
static void announce_close(const struct weir_end *end, enum pipe_role role)
{
	struct parking p = pipe_parking(end, role);

	/* order: CLOSE release, to look_at_line(): the line is closed. */
	add_release(&p.mine->events, 1);
	park_wake_peer(&p);
}

void weir_pipe_close(struct weir_end *end)
{
	if (!end)
		return;
	if (end->tx) {
		/* relaxed: it is ours or it is not */
		if (load_relaxed(&end->tx->claimant) == pipe_thread())
			weir_pipe_abort(end);
		turn_close(&end->tx->side.turn, nudge_tx, end);
		pipe_release_tx(end);
	}
	if (end->rx) {
		turn_close(&end->rx->side.turn, nudge_rx, end);
		pipe_release_rx(end);
	}
	sys_close(end->line);
	end->line = -1;
	if (end->tx)
		announce_close(end, ROLE_WRITER);
	if (end->rx)
		announce_close(end, ROLE_READER);
	end_free(end);
}
