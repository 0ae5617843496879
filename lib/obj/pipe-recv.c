/* SPDX-License-Identifier: MIT */
/* Receiving from a pipe. */
#include "obj/pipe.h"

#include <errno.h>

#include "sys/sys.h"

#define RECV_FLAGS (WEIR_INTR | WEIR_NOSPIN)
/* Fewer bytes than this between two sleeps: a conversation, or a trickle. */
#define FENCE_BYTES 4096
#define REQUEST_TRIES 16

/*
 * How much must be free before a shallow sleeper among the writers is woken: a wake per message
 * is dear.
 */
static uint64_t worth_a_wake(const struct pipe_rx *rx, uint32_t stage)
{
	uint64_t part = stage == WAIT_SHALLOW ? lane_capacity(&rx->lane.lane) / 4 : 0;
	/* relaxed: the writer stored it before the announcement that we have read */
	uint64_t need = load_relaxed(&rx->side.park.peer->need);

	return need > part ? need : part;
}

/*
 * The writer waits: tell it what is free, and wake it when that is enough, or when we have run
 * dry.
 */
static void answer_writer(struct pipe_rx *rx, bool dry)
{
	struct parking *p = &rx->side.park;
	/* order: ROOM, after the position that was published; before the need and the tail. */
	uint32_t wait = load_seq(&p->peer->wait);
	uint32_t stage = wait & WAIT_STAGE_MASK;
	uint64_t room;

	if (wait == p->answered)
		return;
	room = lane_capacity(&rx->lane.lane) - RECORD_HEADER - lane_rx_unfreed(&rx->lane);
	if (dry || stage == WAIT_AWAKE || room >= worth_a_wake(rx, stage))
		park_answer(p, wait);
}

static COLD void release_room(struct pipe_rx *rx, uint64_t done)
{
	lane_rx_publish_at(&rx->lane, done);
	answer_writer(rx, rx->dry_at == rx->lane.head);
}

/* The same when the lane is dry; @always: the writer may wait for what was said already. */
static void publish(struct weir_end *end, bool always)
{
	struct pipe_rx *rx = end->rx;
	bool locked = pipe_ledger_take(rx);
	uint64_t done = pipe_rx_done(rx);

	rx->dry_at = rx->lane.head;
	if (done != rx->lane.published)
		lane_rx_publish_at(&rx->lane, done);
	else if (!always)
		goto out;
	answer_writer(rx, true);
out:
	pipe_ledger_give(rx, locked);
}

void pipe_rx_publish(struct weir_end *end)
{
	publish(end, true);
}

/*
 * Ask the writer for something. Only the owner does, but for the first arming, which any process
 * may that has the end; more than a few failures are not by an honest hand, and then nothing is
 * owed.
 */
static void request(struct pipe_rx *rx, uint64_t armed_step, uint64_t fence_step)
{
	uint64_t *word = &rx->side.park.mine->requests;
	/* relaxed: the exchange finds out whether it still holds */
	uint64_t old = load_relaxed(word);

	for (int i = 0; i < REQUEST_TRIES; i++) {
		uint32_t exported = REQUEST_ARMED(old) & REQUEST_EXPORTED;
		uint32_t armed = (REQUEST_ARMED(old) + (uint32_t)armed_step) & ~REQUEST_EXPORTED;
		uint32_t fence = REQUEST_FENCE(old) + (uint32_t)fence_step;

		/* 0 means that nobody ever asked. */
		armed += armed == 0 && armed_step;
		armed |= exported;
		/*
		 * order: SLEEP, before the last look; the writer stores the header before it
		 * reads this
		 */
		if (cas_seq(word, &old, REQUESTS(armed, fence))) {
			rx->fencing ^= fence_step & 1;
			break;
		}
	}
}

/* Arm the exported descriptor anew, for it may still be readable for what we have received. */
static void rearm(struct weir_end *end)
{
	struct pipe_rx *rx = end->rx;
	int level = end->core->levels[end->rx_lane];
	bool was_set;

	/* relaxed: whoever asks for the first time sets the level itself */
	if (likely(!(load_relaxed(&rx->side.park.mine->requests) & REQUEST_EXPORTED)))
		return;
	was_set = sys_event_clear(level);
	/*
	 * It may have been readable for the line as well, which is to be looked at now, not at
	 * leisure: who watches for edges gets one for a message and the hang-up behind it.
	 */
	rx->side.park.line_pace = (struct pacer){ 0 };
	if (!was_set && rx->armed_at == rx->lane.head)
		return;
	request(rx, 1, 0);
	rx->armed_at = rx->lane.head;
	if (pipe_rx_ready(rx) || park_ended(&rx->side.park))
		sys_event_set(level);
}

/*
 * A reader that sleeps for every few messages asks the writer for fences, and then needs no short
 * first slice; one that gets many between two sleeps would only slow it down.
 */
static void choose_fence(struct pipe_rx *rx)
{
	bool often = rx->lane.head - rx->slept_at <= FENCE_BYTES;

	if (often != rx->fencing)
		request(rx, 0, 1);
}

/* Whether the writer may miss an announcement made now. */
static bool unfenced(const struct pipe_rx *rx)
{
	const struct parking *p = &rx->side.park;
	/* relaxed: only we write it, but for the first arming */
	uint32_t fence = REQUEST_FENCE(load_relaxed(&p->mine->requests));

	/* order: FENCE acquire, from pipe_tx_obey(). */
	return !(fence & 1) || load_acquire(&p->peer->fence_ack) != fence;
}

bool pipe_rx_arm(struct weir_end *end)
{
	struct pipe_rx *rx = end->rx;

	choose_fence(rx);
	rx->slept_at = rx->lane.head;
	request(rx, 1, 0);
	return !unfenced(rx);
}

/* A stream that goes on and on without a sleep is better off without fences. */
static void reconsider_fence(struct pipe_rx *rx)
{
	if (unlikely(rx->fencing) && rx->lane.head - rx->slept_at > FENCE_BYTES)
		request(rx, 0, 1);
}

static NOINLINE int tell_slow(struct pipe_rx *rx)
{
	release_room(rx, rx->lane.head);
	reconsider_fence(rx);
	return 0;
}

void pipe_rx_changed(struct weir_end *end)
{
	struct pipe_rx *rx = end->rx;
	bool ready = rx->side.bound && rx->large.mode == LARGE_NONE;
	bool plain = ready && rx->ledger.count == 0 && end->limit >= COPY_SMALL_MAX;
	uint64_t most = lane_message_max(&rx->lane.lane);

	/* relaxed: who has the turn and does not see it plain goes the slow way, which asks */
	store_relaxed(&rx->ease, plain ? RX_PLAIN : RX_HARD);
	/* Room for one is taken for granted then. */
	ready = ready && rx->ledger.room > 0;
	rx->take_below = !ready ? 0 : (end->limit < most ? end->limit : most) + 1;
}

/* Messages have been received: say so, to the next owner each time, to the writer now and then. */
void pipe_rx_settle(struct weir_end *end)
{
	struct pipe_rx *rx = end->rx;
	bool locked = pipe_ledger_take(rx);

	conversing_clear();
	pipe_rx_settle_at(rx, pipe_rx_done(rx));
	pipe_rx_changed(end);
	pipe_ledger_give(rx, locked);
	reconsider_fence(rx);
}

NOINLINE int pipe_rx_tell(struct pipe_rx *rx, uint64_t done)
{
	release_room(rx, done);
	return 0;
}

void pipe_rx_step(struct pipe_rx *rx, uint64_t size)
{
	bool locked = pipe_ledger_take(rx);

	lane_rx_step(&rx->lane, size);
	pipe_ledger_give(rx, locked);
}

int pipe_rx_done_with(struct weir_end *end, int result)
{
	bool locked;

	if (likely(result >= 0)) {
		pipe_rx_settle(end);
	} else {
		/* Half a message may have come, or gone. */
		locked = pipe_ledger_take(end->rx);
		pipe_rx_changed(end);
		pipe_ledger_give(end->rx, locked);
	}
	return result;
}

enum piece_view pipe_rx_view(const struct pipe_rx *rx)
{
	const struct large *large = &rx->large;

	return piece_look(&rx->lane, large->mode != LARGE_NONE, large->mode == LARGE_DROPPED);
}

static bool something_is_there(void *arg)
{
	const struct pipe_rx *rx = ((const struct weir_end *)arg)->rx;

	return lane_rx_look_again(&rx->lane) != 0;
}

/* About to sleep: whether the writer may miss that. */
static bool lie_down(void *arg)
{
	struct weir_end *end = arg;
	struct pipe_rx *rx = end->rx;

	/*
	 * The peer will wait on the other lane, and asks that one's writer where it runs.
	 * relaxed: another thread may have the turn of that side, and end what we find
	 */
	if (end->tx && load_relaxed(&end->tx->side.bound)) {
		struct parking other = pipe_parking(end, ROLE_WRITER);

		park_here(&other);
	}
	choose_fence(rx);
	rx->slept_at = rx->lane.head;
	rx->sleeps++;
	return unfenced(rx);
}

/* Half a message, and nobody to wait long enough to hear of its sender's death otherwise. */
static bool sender_is_gone(struct pipe_rx *rx)
{
	return pacer_due(&rx->large.pace, PARK_LINE_NS, 0) && park_owner_gone(&rx->side.park);
}

/* Whether a wait has ended that may have been too short to hear of its sender's death. */
static bool ended_early(int result)
{
	return result == -EAGAIN || result == -ETIMEDOUT || result == -EINTR;
}

int pipe_rx_await(struct weir_end *end, bool half, uint32_t flags, int64_t deadline)
{
	struct pipe_rx *rx = end->rx;
	struct park_for what = {
		.look = something_is_there,
		.lie_down = lie_down,
		.arg = end,
		.turn = &rx->side.turn,
		.of_owner = half,
	};
	uint32_t sleeps;
	int result;

	/* The rest of a record may lie in the next line: have it on its way while we wait. */
	__builtin_prefetch(lane_rx_next_line(&rx->lane));
	publish(end, false);
	if (backlog_dry(&rx->backlog, &rx->lane, conversing_now) && something_is_there(end))
		return 0;
	rearm(end);
	sleeps = rx->sleeps;
	result = park_wait(&rx->side.park, &what, flags, deadline);
	if (rx->sleeps != sleeps)
		backlog_restart(&rx->backlog, &rx->lane);
	if (half && (result == -EPIPE || (ended_early(result) && sender_is_gone(rx))))
		result = -EOWNERDEAD;
	/*
	 * It may have come in the last moment, and what was sent before a close is still
	 * received.
	 */
	return something_is_there(end) ? 0 : result;
}

static void skip(struct weir_end *end, uint64_t header)
{
	pipe_rx_step(end->rx, (uint32_t)header);
	pipe_rx_settle(end);
}

/*
 * A record that is no whole message, while none is coming. 0: it has been skipped, or begins one;
 * or an error.
 */
static COLD int odd_record(struct weir_end *end, uint64_t header)
{
	struct pipe_rx *rx = end->rx;
	uint64_t mark = header & RECORD_MARK_MASK;
	bool dropped = rx->large.mode == LARGE_DROPPED;

	if (!lane_header_known(&rx->lane.lane, header))
		return pipe_poison(end, &rx->side.park);
	if (mark == RECORD_MARK || mark == RECORD_FIRST || mark == RECORD_HANDLE) {
		rx->large.mode = LARGE_NONE;
		return 0;
	}
	/* Of a message whose beginning another process has taken: it is told once. */
	rx->large.mode = mark == RECORD_MIDDLE ? LARGE_DROPPED : LARGE_NONE;
	skip(end, header);
	return !dropped && (mark == RECORD_MIDDLE || mark == RECORD_LAST) ? -EOWNERDEAD : 0;
}

/* The head is dry. 0: look again; or an error. */
static COLD int await_next(struct weir_end *end, uint32_t flags, int64_t deadline)
{
	struct pipe_rx *rx = end->rx;
	int result = pipe_rx_await(end, rx->large.mode != LARGE_NONE, flags, deadline);

	if (result != -EOWNERDEAD)
		return result;
	/* Of a message that was of no interest, neither is its end. */
	if (rx->large.mode == LARGE_COMING)
		pipe_rx_forget(end);
	else
		result = 0;
	rx->large.mode = LARGE_NONE;
	return result;
}

static bool begins_something(uint64_t header)
{
	uint64_t mark = header & RECORD_MARK_MASK;

	return mark == RECORD_FIRST || mark == RECORD_HANDLE;
}

int pipe_rx_next(struct weir_end *end, uint32_t flags, int64_t deadline, uint64_t *ret_header)
{
	struct pipe_rx *rx = end->rx;
	int result = 0;

	while (result == 0) {
		uint64_t header = lane_rx_look(&rx->lane);

		*ret_header = header;
		if (likely(header != 0 && (rx->large.mode == LARGE_COMING ||
					   lane_header_valid(&rx->lane.lane, header)))) {
			if (unlikely(rx->large.mode == LARGE_DROPPED))
				rx->large.mode = LARGE_NONE;
			return 0;
		}
		if (header == 0)
			result = await_next(end, flags, deadline);
		else if (rx->large.mode == LARGE_NONE && begins_something(header) &&
			 lane_header_known(&rx->lane.lane, header))
			return 0;
		else
			result = odd_record(end, header);
	}
	return result;
}

/* What is beyond the end's limit is skipped. */
static COLD int refuse(struct weir_end *end, uint64_t header)
{
	skip(end, header);
	return -EMSGSIZE;
}

/* The whole message at the head, whose header is @header, into @to. */
static ALWAYS_INLINE int copy_message(struct weir_end *end, uint64_t header, struct parts *to)
{
	struct pipe_rx *rx = end->rx;

	if (likely(to->at->iov_len - to->offset >= (uint32_t)header))
		copy_out((uint8_t *)to->at->iov_base + to->offset, lane_rx_message(&rx->lane),
			 (uint32_t)header);
	else
		parts_scatter(to, lane_rx_message(&rx->lane), (uint32_t)header);
	/* relaxed: see pipe_rx_changed() */
	if (likely(load_relaxed(&rx->ease) == RX_PLAIN))
		lane_rx_step(&rx->lane, (uint32_t)header);
	else
		pipe_rx_step(rx, (uint32_t)header);
	return 0;
}

static int recv_one(struct weir_end *end, struct parts *to, uint64_t room, uint32_t flags,
		    int64_t deadline, size_t *ret_size)
{
	struct pipe_rx *rx = end->rx;
	uint64_t header;
	int result;

	do {
		result = pipe_rx_next(end, flags, deadline, &header);
		if (unlikely(result < 0))
			return result;
		if (likely(!pipe_rx_in_pieces(rx, header)))
			break;
		if (pipe_rx_is_handle(rx, header))
			return -EPROTO;
		result = pipe_rx_large(end, header, to, room, flags, deadline, ret_size);
		if (result <= 0)
			return result;
	} while (true);
	if (ret_size)
		*ret_size = (uint32_t)header;
	if (unlikely((uint32_t)header > end->limit))
		return refuse(end, header);
	if (unlikely((uint32_t)header > room))
		return -EMSGSIZE;
	return copy_message(end, header, to);
}

static int recv_parts(struct weir_end *end, struct parts to, uint64_t room, uint32_t flags,
		      int64_t deadline, size_t *ret_size)
{
	bool locked;
	int result = pipe_enter_rx(end, flags, deadline, &locked);

	if (result < 0)
		return result;
	result = pipe_rx_done_with(end, recv_one(end, &to, room, flags, deadline, ret_size));
	turn_give(&end->rx->side.turn, locked);
	return result;
}

static NOINLINE int recv_slow(struct weir_end *end, void *buffer, size_t size, uint32_t flags,
			      int64_t deadline, size_t *ret_size)
{
	struct iovec all = { .iov_base = buffer, .iov_len = size };

	if (!end || (!buffer && size > 0) || (flags & ~RECV_FLAGS))
		return -EINVAL;
	return recv_parts(end, (struct parts){ .at = &all }, size, flags, deadline, ret_size);
}

int weir_pipe_recvv(struct weir_end *end, const struct iovec *parts, size_t count, uint32_t flags,
		    int64_t deadline, size_t *ret_size)
{
	static const struct iovec none;
	uint64_t room;
	int result;

	if (!end || (flags & ~RECV_FLAGS))
		return -EINVAL;
	result = parts_size(parts, count, &room);
	if (result < 0)
		return result;
	return recv_parts(end, (struct parts){ .at = count ? parts : &none }, room, flags, deadline,
			  ret_size);
}

int weir_pipe_recv(struct weir_end *end, void *buffer, size_t size, uint32_t flags,
		   int64_t deadline, size_t *ret_size)
{
	struct pipe_rx *rx;
	int64_t got;

	/* What is left of the way through here calls nothing, so that no register needs saving. */
	if (unlikely(!end || !buffer || (flags & ~RECV_FLAGS) || turn_needed()))
		return recv_slow(end, buffer, size, flags, deadline, ret_size);
	rx = end->rx;
	if (unlikely(!rx || rx->ease != RX_PLAIN))
		return recv_slow(end, buffer, size, flags, deadline, ret_size);
	got = lane_rx_get_fast(&rx->lane, buffer, size);
	if (unlikely(got < 0))
		return recv_slow(end, buffer, size, flags, deadline, ret_size);
	if (ret_size)
		*ret_size = (size_t)got;
	conversing_clear();
	if (unlikely(pipe_rx_worth_telling(rx, rx->lane.head)))
		return tell_slow(rx);
	return 0;
}

static ALWAYS_INLINE size_t room_of(const struct weir_msg *m)
{
	return m->data ? m->room : 0;
}

/* After the first message: what is there, as long as it fits. How many in all. */
static int recv_rest(struct weir_end *end, struct weir_msg *messages, int count)
{
	struct pipe_rx *rx = end->rx;
	uint64_t limit = end->limit;
	const uint8_t *ring = rx->lane.lane.ring;
	uint64_t mask = rx->lane.lane.mask, head = rx->lane.head, usual = rx->lane.usual;
	int i;

	for (i = 1; i < count; i++) {
		struct weir_msg *m = &messages[i];
		const uint8_t *at = ring + (head & mask);
		/* order: COMMIT acquire, from lane_tx_release(). */
		uint64_t header = load_acquire((const uint64_t *)(const void *)at);
		uint64_t size = (uint32_t)header;

		if (!lane_header_valid(&rx->lane.lane, header) || size > room_of(m) ||
		    size > limit)
			break;
		copy_out(m->data, at + RECORD_HEADER, size);
		m->size = size;
		head = lane_behind(head, size, &usual);
	}
	rx->lane.head = head;
	return i;
}

int weir_pipe_recv_batch(struct weir_end *end, struct weir_msg *messages, size_t count,
			 uint32_t flags, int64_t deadline)
{
	struct iovec first;
	struct parts to = { .at = &first };
	bool locked;
	int result;

	if (unlikely(!end || !messages || count == 0 || count > INT32_MAX || (flags & ~RECV_FLAGS)))
		return -EINVAL;
	result = pipe_enter_rx(end, flags, deadline, &locked);
	if (unlikely(result < 0))
		return result;
	first = (struct iovec){ .iov_base = messages[0].data, .iov_len = room_of(&messages[0]) };
	result = recv_one(end, &to, first.iov_len, flags, deadline, &messages[0].size);
	/* relaxed: see pipe_rx_changed() */
	if (likely(result == 0))
		result = load_relaxed(&end->rx->ease) == RX_PLAIN ?
				 recv_rest(end, messages, (int)count) : 1;
	result = pipe_rx_done_with(end, result);
	turn_give(&end->rx->side.turn, locked);
	return result;
}

int weir_pipe_limit(struct weir_end *end, uint64_t size)
{
	bool locked, booked;
	int result;

	if (!end)
		return -EINVAL;
	if (!end->rx)
		return -EOPNOTSUPP;
	result = turn_take(&end->rx->side.turn, 0, WEIR_FOREVER, &locked);
	if (result < 0)
		return result;
	booked = pipe_ledger_take(end->rx);
	end->limit = size;
	pipe_rx_changed(end);
	pipe_ledger_give(end->rx, booked);
	turn_give(&end->rx->side.turn, locked);
	return 0;
}
