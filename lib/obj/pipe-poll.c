/* SPDX-License-Identifier: MIT */
/*
 * Waiting for an end to become ready, without consuming anything.
 *
 * A poll may wait for both lanes at once, which no single futex can: it announces itself as a deep
 * sleeper on each lane and sleeps in ppoll() on their bells and the line.
 */
#include "obj/pipe.h"

#include <errno.h>

#include "sys/sys.h"
#include "wait/live.h"

#define POLL_FLAGS	(WEIR_INTR | WEIR_NOSPIN)
#define POLL_EVENTS	(WEIR_IN | WEIR_OUT | WEIR_HUP)
#define SPIN_TURNS	32

struct poll {
	struct weir_end *end;
	uint32_t wanted;
	struct pipe_rx *rx;	/* that we have the turn of, or NULL */
	struct pipe_tx *tx;
};

/* What ended besides: events to report with an error of a side. */
static uint32_t ended(int error, uint32_t event)
{
	if (error == 0)
		return 0;
	return error == -EPIPE ? event | WEIR_HUP : event;
}

static uint32_t look_in(struct poll *p)
{
	uint32_t events = 0;

	if (!p->rx)
		return 0;
	if (pipe_rx_ready(p->rx))
		events = WEIR_IN;
	return events | ended(park_check(&p->rx->side.park, PARK_LINE_CALLS), WEIR_IN);
}

static uint32_t look_out(struct poll *p)
{
	uint32_t events = 0;

	if (!p->tx)
		return 0;
	if (lane_tx_refresh(&p->tx->lane) < 0 || lane_tx_fits(&p->tx->lane, PIPE_POLL_ROOM))
		events = WEIR_OUT;
	return events | ended(park_check(&p->tx->side.park, PARK_LINE_CALLS), WEIR_OUT);
}

static uint32_t look(struct poll *p)
{
	return (look_in(p) | look_out(p)) & (p->wanted | WEIR_HUP);
}

static void announce_all(struct poll *p, uint32_t stage)
{
	if (p->rx)
		park_announce(&p->rx->side.park, stage);
	if (p->tx) {
		/* The reader counts the room from here. */
		lane_tx_mark(&p->tx->lane);
		/*
		 * relaxed: read by a reader that has seen the announcement, which is stored after
		 * it
		 */
		store_relaxed(&p->tx->side.park.mine->need, lane_record_size(PIPE_POLL_ROOM));
		park_announce(&p->tx->side.park, stage);
	}
}

static void set_hung_up(struct poll *p)
{
	if (p->rx)
		p->rx->side.park.hung_up = true;
	if (p->tx)
		p->tx->side.park.hung_up = true;
}

/* One sleep, until @until at most. 0 or an error. */
static int sleep_once(struct poll *p, int64_t until)
{
	struct parking *park = p->rx ? &p->rx->side.park : &p->tx->side.park;
	struct pollfd fds[4] = {
		{ .fd = p->rx ? p->rx->side.park.my_bell : -1, .events = POLLIN },
		{ .fd = p->tx ? p->tx->side.park.my_bell : -1, .events = POLLIN },
		{ .fd = p->end->line, .events = 0 },
		{ .fd = park->owner, .events = POLLIN },
	};
	int result = sys_poll(fds, ARRAY_LENGTH(fds), until);

	for (int i = 0; result > 0 && i < 2; i++)
		if (fds[i].revents)
			sys_event_clear(fds[i].fd);
	if (result > 0 && fds[2].revents)
		set_hung_up(p);
	if (result > 0 && fds[3].revents)
		park_forget_owner(park);
	return result < 0 ? result : 0;
}

static bool closing(const struct poll *p)
{
	return (p->rx && turn_closing(&p->rx->side.turn)) ||
	       (p->tx && turn_closing(&p->tx->side.turn));
}

/* 1: something holds; 0: not yet; or an error. */
static int ready(struct poll *p, uint32_t *ret_events)
{
	const struct parking *park = p->rx ? &p->rx->side.park : &p->tx->side.park;

	*ret_events = look(p);
	if (*ret_events)
		return 1;
	/* Who asks for the hang-up alone has no event that would show the end of the pipe. */
	return p->wanted & (WEIR_IN | WEIR_OUT) ? 0 : park_ended(park);
}

/* Half a message, the rest of which cannot come any more: a receive would say so. */
static bool half_is_lost(const struct poll *p)
{
	return (p->wanted & WEIR_IN) && pipe_rx_view(p->rx) == PIECE_HALF &&
	       park_owner_gone(&p->rx->side.park) && pipe_rx_view(p->rx) == PIECE_HALF;
}

static int spin(struct poll *p, int64_t deadline, uint32_t *ret_events)
{
	int64_t until = clock_cap(deadline, clock_now(), PARK_SPIN_NS);

	do {
		for (int i = 0; i < SPIN_TURNS; i++) {
			int result = ready(p, ret_events);

			if (result != 0)
				return result;
			cpu_relax();
		}
	} while (clock_now() < until);
	return 0;
}

static bool answered(const struct poll *p)
{
	return (p->rx && park_rung(&p->rx->side.park)) || (p->tx && park_rung(&p->tx->side.park));
}

/*
 * Who was answered for nothing announces anew, since a peer answers an announcement once; and the
 * first slice after each is short, because the writer may have missed it, as in park.c.
 */
static int sleep_until_ready(struct poll *p, uint32_t flags, int64_t deadline, uint32_t *ret_events)
{
	int64_t slice = PARK_FIRST_NS;
	int result, slept = 0;

	announce_all(p, WAIT_DEEP);
	for (;;) {
		int64_t now = clock_now();

		result = ready(p, ret_events);
		if (result != 0)
			return result;
		if (half_is_lost(p)) {
			*ret_events = WEIR_IN;
			return 1;
		}
		if (closing(p))
			return -ESHUTDOWN;
		if (slept < 0 && (slept != -EINTR || (flags & WEIR_INTR)))
			return slept;
		if (now >= deadline)
			return -ETIMEDOUT;
		slept = sleep_once(p, clock_cap(deadline, now, slice));
		if (answered(p)) {
			announce_all(p, WAIT_DEEP);
			slice = PARK_FIRST_NS;
		} else {
			slice = slice < PARK_DEEP_NS ? PARK_DEEP_NS : PARK_DEEP_MAX_NS;
		}
	}
}

static int poll_side(struct poll *p, uint32_t flags, int64_t deadline, uint32_t *ret_events)
{
	struct parking *park = p->rx ? &p->rx->side.park : &p->tx->side.park;
	int result = ready(p, ret_events);

	if (result != 0)
		return result;
	/* Who asks only now and then wants to know of the hang-up now. */
	if (live_hung_up(p->end->line))
		set_hung_up(p);
	result = ready(p, ret_events);
	if (result != 0)
		return result;
	if (deadline <= 0)
		return -EAGAIN;
	if (!(flags & WEIR_NOSPIN) && park->may_spin)
		result = spin(p, deadline, ret_events);
	if (result != 0)
		return result;
	park_watch_owner(park);
	result = sleep_until_ready(p, flags, deadline, ret_events);
	park_forget_owner(park);
	announce_all(p, WAIT_AWAKE);
	if (p->tx)
		park_stand_down(&p->tx->side.park);
	return result;
}

static int poll_end(struct poll *p, uint32_t flags, int64_t deadline, uint32_t *ret_events)
{
	int result = poll_side(p, flags, deadline, ret_events);

	return result > 0 ? 0 : result;
}

/*
 * A process that only polls does not become the owner. Whether it is one it asks when it has the
 * turn: another thread may just have become it.
 */
static int poll_with_tx(struct poll *p, uint32_t flags, int64_t deadline, uint32_t *ret_events)
{
	struct pipe_tx *tx = p->end->tx;
	bool locked, owned;
	int result;

	if (!(p->wanted & WEIR_OUT) && p->rx)
		return poll_end(p, flags, deadline, ret_events);
	/* relaxed: it is ours or it is not */
	if (load_relaxed(&tx->claimant) == pipe_thread())
		return -EBUSY;
	result = turn_take(&tx->side.turn, flags, deadline, &locked);
	if (result < 0)
		return result;
	owned = tx->side.bound;
	if (tx->claimed)
		result = -EBUSY;
	else
		result = owned ? 0 : pipe_bind_tx(p->end);
	if (result == 0) {
		p->tx = tx;
		result = poll_end(p, flags, deadline, ret_events);
		if (!owned)
			pipe_release_tx(p->end);
	}
	turn_give(&tx->side.turn, locked);
	return result;
}

static int poll_with_rx(struct poll *p, uint32_t flags, int64_t deadline, uint32_t *ret_events)
{
	struct pipe_rx *rx = p->end->rx;
	bool locked, owned;
	int result;

	if (!(p->wanted & WEIR_IN) && p->end->tx)
		return poll_with_tx(p, flags, deadline, ret_events);
	result = turn_take(&rx->side.turn, flags, deadline, &locked);
	if (result < 0)
		return result;
	owned = rx->side.bound;
	result = owned ? 0 : pipe_bind_rx(p->end);
	if (result == 0) {
		p->rx = rx;
		/* relaxed: another thread may release what is taken */
		if (rx->lane.head != load_relaxed(&rx->lane.published))
			pipe_rx_publish(p->end);
		result = poll_with_tx(p, flags, deadline, ret_events);
		if (!owned)
			pipe_release_rx(p->end);
	}
	turn_give(&rx->side.turn, locked);
	return result;
}

int weir_pipe_poll(struct weir_end *end, uint32_t events, uint32_t flags, int64_t deadline,
		   uint32_t *ret_events)
{
	struct poll p = { .end = end, .wanted = events };

	if (!end || !ret_events || (events & ~POLL_EVENTS) || (flags & ~POLL_FLAGS))
		return -EINVAL;
	if (((events & WEIR_IN) && !end->rx) || ((events & WEIR_OUT) && !end->tx))
		return -EOPNOTSUPP;
	return poll_with_rx(&p, flags, deadline, ret_events);
}
