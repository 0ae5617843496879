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
	room = lane_capacity(&rx->lane.lane) - RECORD_HEADER - lane_rx_backlog(&rx->lane);
	if (dry || stage == WAIT_AWAKE || room >= worth_a_wake(rx, stage))
		park_answer(p, wait);
}

static COLD void release_room(struct pipe_rx *rx)
{
	lane_rx_publish(&rx->lane);
	answer_writer(rx, false);
}

void pipe_rx_publish(struct pipe_rx *rx)
{
	if (rx->lane.head != rx->lane.published)
		lane_rx_publish(&rx->lane);
	answer_writer(rx, true);
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
		uint32_t armed = REQUEST_ARMED(old) + (uint32_t)armed_step;
		uint32_t fence = REQUEST_FENCE(old) + (uint32_t)fence_step;

		/* 0 means that nobody ever asked. */
		armed += armed == 0 && armed_step;
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
	if (likely(REQUEST_ARMED(load_relaxed(&rx->side.park.mine->requests)) == 0))
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
	if (lane_rx_look_again(&rx->lane) || park_ended(&rx->side.park))
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

/* Whether the writer should be told of what has been received. */
static ALWAYS_INLINE bool worth_telling(const struct pipe_rx *rx)
{
	const struct parking *p = &rx->side.park;

	return rx->lane.head - rx->lane.published >= lane_capacity(&rx->lane.lane) / 8 ||
	       /* relaxed: ordered by the store of the published position, when there is one */
	       load_relaxed(&p->peer->wait) != p->answered;
}

/* A stream that goes on and on without a sleep is better off without fences. */
static void reconsider_fence(struct pipe_rx *rx)
{
	if (unlikely(rx->fencing) && rx->lane.head - rx->slept_at > FENCE_BYTES)
		request(rx, 0, 1);
}

static NOINLINE int tell_slow(struct pipe_rx *rx)
{
	release_room(rx);
	reconsider_fence(rx);
	return 0;
}

static ALWAYS_INLINE void clear_conversing(void)
{
	if (pipe_conversing)
		pipe_conversing = false;
}

/* Messages have been received: say so, to the next owner each time, to the writer now and then. */
static ALWAYS_INLINE void settle(struct pipe_rx *rx)
{
	lane_rx_settle(&rx->lane);
	clear_conversing();
	if (unlikely(worth_telling(rx)))
		tell_slow(rx);
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

/* The lane is empty: wait for a message. 0: there is one. */
static NOINLINE int await(struct weir_end *end, uint32_t flags, int64_t deadline)
{
	struct pipe_rx *rx = end->rx;
	struct park_for what = {
		.look = something_is_there,
		.lie_down = lie_down,
		.arg = end,
		.turn = &rx->side.turn,
	};
	uint32_t sleeps;
	int result;

	/* The rest of a record may lie in the next line: have it on its way while we wait. */
	__builtin_prefetch(lane_rx_next_line(&rx->lane));
	if (rx->lane.head != rx->lane.published)
		pipe_rx_publish(rx);
	if (backlog_dry(&rx->backlog, &rx->lane, pipe_conversing) && something_is_there(end))
		return 0;
	rearm(end);
	sleeps = rx->sleeps;
	result = park_wait(&rx->side.park, &what, flags, deadline);
	if (rx->sleeps != sleeps)
		backlog_restart(&rx->backlog, &rx->lane);
	/*
	 * It may have come in the last moment, and what was sent before a close is still
	 * received.
	 */
	return something_is_there(end) ? 0 : result;
}

/* Whether the next record can be one: its size, or -EBADMSG. */
static ALWAYS_INLINE int64_t message_size(struct weir_end *end, uint64_t header)
{
	struct pipe_rx *rx = end->rx;

	if (likely(lane_header_valid(&rx->lane.lane, header)))
		return (uint32_t)header;
	return pipe_poison(end, &rx->side.park);
}

static int recv_one(struct weir_end *end, void *buffer, size_t room, uint32_t flags,
		    int64_t deadline, size_t *ret_size)
{
	struct pipe_rx *rx = end->rx;
	uint64_t header = lane_rx_look(&rx->lane);
	int64_t size;

	if (unlikely(header == 0)) {
		int result = await(end, flags, deadline);

		if (result < 0)
			return result;
		/*
		 * If it has gone again, no honest hand has taken it: to the check below, 0 is
		 * invalid.
		 */
		header = lane_rx_look(&rx->lane);
	}
	size = message_size(end, header);
	if (unlikely(size < 0))
		return (int)size;
	if (ret_size)
		*ret_size = (size_t)size;
	if (unlikely((size_t)size > room))
		return -EMSGSIZE;
	copy_out(buffer, lane_rx_message(&rx->lane), (size_t)size);
	lane_rx_step(&rx->lane, (uint64_t)size);
	return 0;
}

static NOINLINE int recv_slow(struct weir_end *end, void *buffer, size_t size, uint32_t flags,
			      int64_t deadline, size_t *ret_size)
{
	bool locked;
	int result;

	if (!end || (!buffer && size > 0) || (flags & ~RECV_FLAGS))
		return -EINVAL;
	result = pipe_enter_rx(end, flags, deadline, &locked);
	if (result < 0)
		return result;
	result = recv_one(end, buffer, size, flags, deadline, ret_size);
	if (result == 0)
		settle(end->rx);
	turn_give(&end->rx->side.turn, locked);
	return result;
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
	if (unlikely(!rx || !rx->side.bound))
		return recv_slow(end, buffer, size, flags, deadline, ret_size);
	got = lane_rx_get_fast(&rx->lane, buffer, size);
	if (unlikely(got < 0))
		return recv_slow(end, buffer, size, flags, deadline, ret_size);
	if (ret_size)
		*ret_size = (size_t)got;
	clear_conversing();
	if (unlikely(worth_telling(rx)))
		return tell_slow(rx);
	return 0;
}

static ALWAYS_INLINE size_t room_of(const struct weir_msg *m)
{
	return m->data ? m->room : 0;
}

/* After the first message: what is there, as long as it fits. How many in all. */
static int recv_rest(struct pipe_rx *rx, struct weir_msg *messages, int count)
{
	const uint8_t *ring = rx->lane.lane.ring;
	uint64_t mask = rx->lane.lane.mask, head = rx->lane.head;
	int i;

	for (i = 1; i < count; i++) {
		struct weir_msg *m = &messages[i];
		const uint8_t *at = ring + (head & mask);
		/* order: COMMIT acquire, from lane_tx_release(). */
		uint64_t header = load_acquire((const uint64_t *)(const void *)at);
		uint64_t size = (uint32_t)header;

		if (!lane_header_valid(&rx->lane.lane, header) || size > room_of(m))
			break;
		copy_out(m->data, at + RECORD_HEADER, size);
		m->size = size;
		head += lane_record_size(size);
	}
	rx->lane.head = head;
	return i;
}

int weir_pipe_recv_batch(struct weir_end *end, struct weir_msg *messages, size_t count,
			 uint32_t flags, int64_t deadline)
{
	bool locked;
	int result;

	if (unlikely(!end || !messages || count == 0 || count > INT32_MAX || (flags & ~RECV_FLAGS)))
		return -EINVAL;
	result = pipe_enter_rx(end, flags, deadline, &locked);
	if (unlikely(result < 0))
		return result;
	result = recv_one(end, messages[0].data, room_of(&messages[0]), flags, deadline,
			  &messages[0].size);
	if (likely(result == 0)) {
		result = recv_rest(end->rx, messages, (int)count);
		settle(end->rx);
	}
	turn_give(&end->rx->side.turn, locked);
	return result;
}
