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
#include <sys/epoll.h>
#include <unistd.h>

#include "sys/sys.h"
#include "wait/live.h"

#define PIPE_FLAGS	(WEIR_PIPE_ONEWAY | WEIR_PIPE_LATENCY | WEIR_PIPE_THROUGHPUT)

/* ---- making ---- */

void pipe_end_free(struct weir_end *end)
{
	sys_close(end->line);
	sys_close(end->epoll);
	if (end->private) {
		free(end->private->rx.ledger.taken);
		sys_unmap(end->private, sizeof(*end->private));
	}
	if (end->core)
		pipe_core_release(end->core);
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

static int create_private(struct weir_end *end)
{
	void *private;
	int result = sys_map_wiped(sizeof(*end->private), &private);

	if (result == 0)
		end->private = private;
	return result;
}

static void set_directions(struct weir_end *end, uint32_t index)
{
	bool oneway = end->flags & WEIR_PIPE_ONEWAY;

	/* Lane 0 goes from ends[1] to ends[0], lane 1 the other way. */
	end->rx_lane = (uint8_t)index;
	end->tx_lane = (uint8_t)(1 - index);
	if (!oneway || index == 0)
		end->rx = &end->private->rx;
	if (!oneway || index == 1)
		end->tx = &end->private->tx;
}

int pipe_end_open(struct pipe_core *core, uint32_t index, uint32_t flags, int line,
		  struct weir_end **ret_end)
{
	struct weir_end *end = calloc(1, sizeof(*end));
	int result;

	if (!end) {
		sys_close(line);
		return -ENOMEM;
	}
	end->kind = WEIR_KIND_PIPE_END;
	end->line = sys_move_high(line);
	end->epoll = -1;
	end->flags = flags;
	end->limit = UINT64_MAX;
	pipe_core_retain(core);
	end->core = core;
	result = create_private(end);
	if (result == 0) {
		set_directions(end, index);
		result = end->rx ? open_epoll(end) : 0;
	}
	if (result < 0) {
		pipe_end_free(end);
		return result;
	}
	*ret_end = end;
	return 0;
}

static int create_ends(struct pipe_core *core, uint32_t flags, struct weir_end *ret_ends[2])
{
	struct weir_end *first, *second;
	int lines[2], result = sys_socketpair(lines);

	if (result < 0)
		return result;
	result = pipe_end_open(core, 0, flags, lines[0], &first);
	if (result < 0) {
		sys_close(lines[1]);
		return result;
	}
	result = pipe_end_open(core, 1, flags, lines[1], &second);
	if (result < 0) {
		pipe_end_free(first);
		return result;
	}
	ret_ends[0] = first;
	ret_ends[1] = second;
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

bool pipe_flags_valid(uint32_t flags)
{
	uint32_t both = WEIR_PIPE_LATENCY | WEIR_PIPE_THROUGHPUT;

	return !(flags & ~PIPE_FLAGS) && (flags & both) != both;
}

int pipe_check_options(const struct weir_pipe_options *o)
{
	if (o->size != sizeof(*o) || !pipe_flags_valid(o->flags) || o->reserved != 0 ||
	    o->capacity > SEGMENT_CAPACITY_MAX)
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
	result = pipe_check_options(options);
	if (result < 0)
		return result;
	result = pipe_core_create(options->flags & WEIR_PIPE_ONEWAY ? 1 : 2,
				  round_capacity(options->capacity), &core);
	if (result < 0)
		return result;
	result = create_ends(core, options->flags, ret_ends);
	pipe_core_release(core);
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
	while (!(REQUEST_ARMED(requests) & REQUEST_EXPORTED)) {
		uint32_t armed = (REQUEST_ARMED(requests) + 1) | REQUEST_EXPORTED;

		/* order: SLEEP, before the slice that lets a send in flight become visible */
		if (!cas_seq(&mine->requests, &requests,
			     REQUESTS(armed, REQUEST_FENCE(requests))))
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
	watched_end(&end->watched);
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
	pipe_end_free(end);
}
