/* SPDX-License-Identifier: MIT */
#include "fault/lib/storm.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/cc.h"
#include "weir.h"

#define NS_PER_MS	INT64_C(1000000)
#define LANES		3
#define EACH		3		/* senders, and receivers, of a lane */
#define WORKERS		(LANES * 2 * EACH)
#define SENDERS_MAX	400000
#define CAPACITY	16384
#define MESSAGE_MAX	3000
/* Now and then one larger than the ring, which comes in pieces. */
#define LARGE_MAX	50000
#define BATCH		6
/* Without killing and stopping, each lane gets on within this time. */
#define STALL_NS	(1500 * NS_PER_MS)
#define CALM_EVERY_NS	(1000 * NS_PER_MS)

/* One that sends, or has done so. */
struct sender {
	uint32_t attempted;
	uint32_t completed;
	uint32_t next;		/* number that must come next, as the receivers note it */
};

struct lane_state {
	uint64_t received;
	uint64_t missing;	/* gaps */
	uint64_t cut;		/* told of half a message */
};

struct shared {
	struct lane_state lanes[LANES];
	struct sender senders[SENDERS_MAX];
	uint32_t wanted[WORKERS];	/* messages that a receiver may have taken and not noted */
	uint32_t senders_stop;
	uint32_t receivers_stop;
	char wrong[256];
};

struct worker {
	struct child child;
	bool is_stopped;
	int64_t resume_at;
};

static struct shared *shared;
static struct weir_end *ends[LANES][2];	/* [0] receives, [1] sends; two lanes share a pipe */
static struct worker workers[WORKERS];
static uint32_t sender_count;

struct totals {
	uint64_t kills;
	uint64_t stops;
	uint64_t swallowed_most;	/* messages that may have gone down with receivers */
	int64_t longest_ns;		/* without a message on a lane, in a calm */
};

static struct totals totals;

static int lane_of(int worker)
{
	return worker / (2 * EACH);
}

static bool sends(int worker)
{
	return worker % (2 * EACH) < EACH;
}

/*
 * Both kinds of worker. Random numbers of their own: all are forked from the same state.
 */

struct job {
	int worker;
	uint32_t id;		/* of a sender */
	uint64_t seed;
};

static uint64_t below(struct job *job, uint64_t limit)
{
	job->seed ^= job->seed << 13;
	job->seed ^= job->seed >> 7;
	job->seed ^= job->seed << 17;
	return job->seed % limit;
}

static void pause_us(uint64_t us)
{
	if (us > 0)
		usleep((useconds_t)us);
}

__attribute__((format(printf, 1, 2))) static _Noreturn void give_up(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(shared->wrong, sizeof(shared->wrong), format, args);
	va_end(args);
	_exit(1);
}

static void say(uint32_t *word, uint32_t value)
{
	store_release(word, value);
}

/*
 * Messages: whose, which, how long, and bytes that follow from these
 */

struct head {
	uint32_t id;
	uint32_t number;
	uint32_t size;
	uint32_t check;
};

static uint8_t byte_of(const struct head *h, size_t at)
{
	return (uint8_t)(h->id * 7 + h->number * 13 + at);
}

static void make_of(struct job *job, uint32_t number, uint64_t most, struct weir_msg *m)
{
	struct head head = {
		.id = job->id,
		.number = number,
		.size = sizeof(head) + (uint32_t)below(job, most - sizeof(head)),
	};
	uint8_t *bytes = m->data;

	head.check = head.id ^ head.number ^ head.size ^ 0x5eed;
	memcpy(bytes, &head, sizeof(head));
	for (size_t i = sizeof(head); i < head.size; i++)
		bytes[i] = byte_of(&head, i);
	m->size = head.size;
}

static void make(struct job *job, uint32_t number, struct weir_msg *m)
{
	uint64_t kind = below(job, 16);

	make_of(job, number, kind == 0 ? MESSAGE_MAX : kind < 4 ? 700 : 80, m);
}

static void note(struct job *job, const struct weir_msg *m)
{
	const uint8_t *bytes = m->data;
	struct lane_state *lane = &shared->lanes[lane_of(job->worker)];
	struct sender *s;
	struct head h;

	memcpy(&h, bytes, sizeof(h));
	if (m->size < sizeof(h) || h.check != (h.id ^ h.number ^ h.size ^ 0x5eed) ||
	    h.size != m->size || h.id >= SENDERS_MAX)
		give_up("a message is no message: id %u number %u size %u, %zu bytes", h.id,
			h.number, h.size, m->size);
	for (size_t i = sizeof(h); i < m->size; i++)
		if (bytes[i] != byte_of(&h, i))
			give_up("message %u of %u is torn at %zu", h.number, h.id, i);
	s = &shared->senders[h.id];
	if (h.number < s->next)
		give_up("message %u of %u comes twice or too late: %u is next", h.number, h.id,
			s->next);
	if (h.number > s->next)
		add_relaxed(&lane->missing, h.number - s->next);
	say(&s->next, h.number + 1);
	add_relaxed(&lane->received, 1);
}

/*
 * Sending
 */

struct sending {
	struct job *job;
	struct weir_end *end;
	struct sender *mine;
	struct weir_msg messages[BATCH];
};

/* Another is the owner, or there is no room for long: not sent. False if it was something else. */
static bool is_harmless(int result)
{
	return result == -EBUSY || result == -ETIMEDOUT || result == -EAGAIN;
}

static int64_t a_while(void)
{
	return test_now() + 200 * NS_PER_MS;
}

static void send_batch(struct sending *s, uint32_t count)
{
	uint32_t first = s->mine->completed;
	int result;

	for (uint32_t i = 0; i < count; i++)
		make(s->job, first + i, &s->messages[i]);
	say(&s->mine->attempted, first + count);
	result = count > 1 ? weir_pipe_send_batch(s->end, s->messages, count, 0, a_while())
			   : weir_pipe_send(s->end, s->messages[0].data, s->messages[0].size, 0,
					    a_while());
	if (count == 1 && result == 0)
		result = 1;
	if (result < 0 && !is_harmless(result))
		give_up("send: %s", weir_strerror(result));
	say(&s->mine->completed, first + (result > 0 ? (uint32_t)result : 0));
	say(&s->mine->attempted, s->mine->completed);
	if (result == -EBUSY)
		pause_us(100 + below(s->job, 400));
}

static void send_with_more(struct sending *s, uint32_t count)
{
	uint32_t first = s->mine->completed, accepted = 0;
	int result = 0;

	say(&s->mine->attempted, first + count);
	while (accepted < count && result == 0) {
		make(s->job, first + accepted, &s->messages[0]);
		result = weir_pipe_send(s->end, s->messages[0].data, s->messages[0].size, WEIR_MORE,
					a_while());
		accepted += result == 0;
	}
	if (result < 0 && !is_harmless(result))
		give_up("send with more: %s", weir_strerror(result));
	if (accepted > 0 && weir_pipe_flush(s->end) < 0)
		give_up("flush");
	say(&s->mine->completed, first + accepted);
	say(&s->mine->attempted, first + accepted);
}

/* What is known of the one message that has just been tried. */
static void say_sent(struct sending *s, const char *call, int result)
{
	if (result < 0 && !is_harmless(result))
		give_up("%s: %s", call, weir_strerror(result));
	say(&s->mine->completed, s->mine->completed + (result == 0));
	say(&s->mine->attempted, s->mine->completed);
	if (result == -EBUSY)
		pause_us(100 + below(s->job, 400));
}

static void send_large(struct sending *s)
{
	make_of(s->job, s->mine->completed, LARGE_MAX, &s->messages[0]);
	say(&s->mine->attempted, s->mine->completed + 1);
	say_sent(s, "large send", weir_pipe_send(s->end, s->messages[0].data, s->messages[0].size,
						 0, a_while()));
}

/* In place; now and then it is given up first. */
static void send_in_place(struct sending *s)
{
	struct weir_msg *m = &s->messages[0];
	void *data;
	int result;

	make(s->job, s->mine->completed, m);
	result = weir_pipe_claim(s->end, m->size + below(s->job, 100), 0, a_while(), &data);
	if (result == 0 && below(s->job, 8) == 0) {
		memset(data, 0xff, m->size);
		if (weir_pipe_abort(s->end) < 0)
			give_up("abort");
		result = weir_pipe_claim(s->end, m->size, 0, a_while(), &data);
	}
	if (result == 0) {
		memcpy(data, m->data, m->size);
		say(&s->mine->attempted, s->mine->completed + 1);
		result = weir_pipe_commit(s->end, m->size, 0);
	}
	say_sent(s, "claim and commit", result);
}

static int run_sender(struct job *job)
{
	static uint8_t bytes[BATCH][LARGE_MAX];
	struct sending s = {
		.job = job,
		.end = ends[lane_of(job->worker)][1],
		.mine = &shared->senders[job->id],
	};

	for (int i = 0; i < BATCH; i++)
		s.messages[i].data = bytes[i];
	while (!load_acquire(&shared->senders_stop)) {
		uint64_t what = below(job, 64);

		if (what == 0)
			send_large(&s);
		else if (what < 8)
			send_in_place(&s);
		else if (what < 40)
			send_batch(&s, 1);
		else if (what < 50)
			send_batch(&s, 2 + (uint32_t)below(job, BATCH - 1));
		else if (what < 58)
			send_with_more(&s, 1 + (uint32_t)below(job, BATCH));
		else if (what < 60)
			weir_pipe_handover(s.end);
		else
			pause_us(what == 63 ? below(job, 30000) : below(job, 200));
	}
	return 0;
}

/*
 * Receiving
 */

struct receiving {
	struct job *job;
	struct weir_end *end;
	uint32_t *wanted;
	struct weir_msg messages[BATCH];
};

/* Not received, or not a message. */
static void look_at_error(struct receiving *r, const char *call, int result)
{
	if (result == -EOWNERDEAD)
		add_relaxed(&shared->lanes[lane_of(r->job->worker)].cut, 1);
	else if (!is_harmless(result))
		give_up("%s: %s", call, weir_strerror(result));
	if (result == -EBUSY)
		pause_us(100 + below(r->job, 400));
}

static int receive(struct receiving *r, uint32_t count, int64_t deadline)
{
	int result;

	say(r->wanted, count);
	if (count > 1) {
		result = weir_pipe_recv_batch(r->end, r->messages, count, 0, deadline);
	} else {
		result = weir_pipe_recv(r->end, r->messages[0].data, LARGE_MAX, 0, deadline,
					&r->messages[0].size);
		result = result == 0 ? 1 : result;
	}
	for (int i = 0; i < result; i++)
		note(r->job, &r->messages[i]);
	say(r->wanted, 0);
	if (result < 0)
		look_at_error(r, "recv", result);
	return result;
}

/*
 * In place. What is not released is received again by the next owner, so it counts only then; but
 * a large one, of which there are no pieces left.
 */
static void take(struct receiving *r, uint32_t count)
{
	struct weir_msg taken[BATCH];
	uint32_t first;
	int result;

	say(r->wanted, 1);
	result = weir_pipe_take_batch(r->end, taken, count, 0, test_now() + 50 * NS_PER_MS);
	say(r->wanted, result > 0 ? (uint32_t)result : 0);
	for (int i = 0; i < result; i++) {
		if (taken[i].size > LARGE_MAX)
			give_up("a message of %zu bytes is taken", taken[i].size);
		memcpy(r->messages[i].data, taken[i].data, taken[i].size);
		r->messages[i].size = taken[i].size;
	}
	first = result > 0 ? (uint32_t)below(r->job, (uint64_t)result) : 0;
	for (uint32_t i = 0; (int)i < result; i++)
		if (weir_pipe_release(r->end, taken[(first + i) % (uint32_t)result].data) < 0)
			give_up("release");
	for (int i = 0; i < result; i++)
		note(r->job, &r->messages[i]);
	say(r->wanted, 0);
	if (result < 0)
		look_at_error(r, "take", result);
}

static void poll_and_receive(struct receiving *r)
{
	uint32_t events;
	int result = weir_pipe_poll(r->end, WEIR_IN, 0, test_now() + 50 * NS_PER_MS, &events);

	if (result < 0 && !is_harmless(result))
		give_up("poll: %s", weir_strerror(result));
	if (result == 0)
		receive(r, 1, 0);
	else if (result == -EBUSY)
		pause_us(100 + below(r->job, 400));
}

static void loop_and_receive(struct receiving *r)
{
	struct pollfd p = { .fd = weir_pipe_fd(r->end), .events = POLLIN };

	/* Whoever has taken over receives first, and waits then. */
	while (receive(r, 1, 0) > 0)
		;
	poll(&p, 1, 50);
}

static int run_receiver(struct job *job)
{
	static uint8_t bytes[BATCH][LARGE_MAX];
	struct receiving r = {
		.job = job,
		.end = ends[lane_of(job->worker)][0],
		.wanted = &shared->wanted[job->worker],
	};

	for (int i = 0; i < BATCH; i++)
		r.messages[i] = (struct weir_msg){ bytes[i], 0, LARGE_MAX };
	while (!load_acquire(&shared->receivers_stop)) {
		uint64_t what = below(job, 64);

		if (what < 10)
			take(&r, 1 + (uint32_t)below(job, BATCH));
		else if (what < 40)
			receive(&r, 1, test_now() + 50 * NS_PER_MS);
		else if (what < 50)
			receive(&r, 1 + (uint32_t)below(job, BATCH), test_now() + 50 * NS_PER_MS);
		else if (what < 55)
			poll_and_receive(&r);
		else if (what < 60)
			loop_and_receive(&r);
		else if (what < 62)
			weir_pipe_handover(r.end);
		else
			pause_us(what == 63 ? below(job, 20000) : below(job, 200));
	}
	return 0;
}

static int run_worker(void *arg)
{
	struct job *job = arg;

	return sends(job->worker) ? run_sender(job) : run_receiver(job);
}

/*
 * The storm
 */

static void start_worker(int worker)
{
	struct job job = {
		.worker = worker,
		.id = sends(worker) ? sender_count++ : 0,
		.seed = test_random() | 1,
	};

	if (sender_count >= SENDERS_MAX)
		ck_abort_msg("too many senders");
	workers[worker] = (struct worker){ .child = child_start(run_worker, &job) };
}

static void check_wrong(void)
{
	if (shared->wrong[0])
		ck_abort_msg("%s", shared->wrong);
}

/* Wait for one that is killed, or is to end by itself. */
static void end_worker(int worker, int signal)
{
	int status;

	if (signal)
		kill(workers[worker].child.pid, signal);
	status = child_join(&workers[worker].child);
	check_wrong();
	if (status != signal)
		ck_abort_msg("worker %d ended with %#x", worker, status);
	/* What it has taken may be gone with it. */
	if (!sends(worker))
		totals.swallowed_most += shared->wanted[worker];
	shared->wanted[worker] = 0;
}

static void stop_worker(int worker)
{
	struct worker *w = &workers[worker];

	if (w->is_stopped)
		return;
	kill(w->child.pid, SIGSTOP);
	w->is_stopped = true;
	w->resume_at = test_now() + (int64_t)test_random_below(
					    (uint64_t)(test_random_below(16) ? 3 : 40) * NS_PER_MS);
	totals.stops++;
}

static void continue_workers(int64_t until)
{
	for (int i = 0; i < WORKERS; i++)
		if (workers[i].is_stopped && workers[i].resume_at <= until) {
			kill(workers[i].child.pid, SIGCONT);
			workers[i].is_stopped = false;
		}
}

static void strike(void)
{
	int worker = (int)test_random_below(WORKERS);

	if (test_random_below(2) == 0) {
		stop_worker(worker);
	} else {
		end_worker(worker, SIGKILL);
		start_worker(worker);
		totals.kills++;
	}
}

/* How long the one of the lane's workers that had it worst has waited for a processor. */
static int64_t starved(int lane)
{
	int64_t most = 0;

	for (int i = 0; i < WORKERS; i++) {
		int64_t ns = lane_of(i) == lane ? child_starved(workers[i].child.pid) : 0;

		most = ns > most ? ns : most;
	}
	return most;
}

/* Left alone, every lane gets on, as far as the machine does. */
static void be_calm(void)
{
	int64_t since = test_now(), before_ns[LANES];
	uint64_t before[LANES];
	bool all;

	continue_workers(INT64_MAX);
	for (int i = 0; i < LANES; i++) {
		before[i] = load_relaxed(&shared->lanes[i].received);
		before_ns[i] = starved(i);
	}
	do {
		pause_us(1000);
		all = true;
		for (int i = 0; i < LANES; i++) {
			bool moved = load_relaxed(&shared->lanes[i].received) != before[i];

			all = all && moved;
			if (!moved && test_now() - since > STALL_NS + starved(i) - before_ns[i])
				ck_abort_msg("lane %d stands still", i);
		}
	} while (!all);
	check_wrong();
	if (test_now() - since > totals.longest_ns)
		totals.longest_ns = test_now() - since;
}

static void rage(int64_t duration_ns)
{
	int64_t now = test_now(), until = now + duration_ns, calm = now + CALM_EVERY_NS;

	while (now < until) {
		strike();
		pause_us(test_random_below(600));
		now = test_now();
		continue_workers(now);
		if (now >= calm) {
			be_calm();
			calm = test_now() + CALM_EVERY_NS;
		}
	}
	be_calm();
}

static void make_pipes(void)
{
	struct weir_pipe_options options = { .size = sizeof(options), .capacity = CAPACITY };
	struct weir_end *pipe[2];

	ck_assert_int_eq(weir_pipe(pipe, &options), 0);
	ends[0][0] = ends[1][1] = pipe[0];
	ends[0][1] = ends[1][0] = pipe[1];
	options.flags = WEIR_PIPE_ONEWAY;
	ck_assert_int_eq(weir_pipe(ends[2], &options), 0);
}

static void close_pipes(void)
{
	weir_pipe_close(ends[0][0]);
	weir_pipe_close(ends[0][1]);
	weir_pipe_close(ends[2][0]);
	weir_pipe_close(ends[2][1]);
}

static void end_workers(bool senders)
{
	say(senders ? &shared->senders_stop : &shared->receivers_stop, 1);
	for (int i = 0; i < WORKERS; i++)
		if (sends(i) == senders)
			end_worker(i, 0);
}

/* We are the last to take over. */
static void drain(int lane)
{
	static uint8_t bytes[LARGE_MAX];
	struct job job = { .worker = lane * 2 * EACH };
	struct weir_msg m = { bytes, 0, LARGE_MAX };
	int result;

	do {
		result = weir_pipe_recv(ends[lane][0], bytes, sizeof(bytes), 0, 0, &m.size);
		if (result == 0)
			note(&job, &m);
	} while (result == 0 || result == -EOWNERDEAD);
	ck_assert_int_eq(result, -EAGAIN);
}

/* Each message that was sent came, but for those that a receiver has taken with it. */
static void settle_accounts(void)
{
	uint64_t received = 0, missing = 0, cut = 0;

	for (uint32_t i = 0; i < sender_count; i++) {
		const struct sender *s = &shared->senders[i];

		if (s->next > s->attempted)
			ck_abort_msg("sender %u: %u came, %u were sent", i, s->next, s->attempted);
		if (s->next < s->completed)
			missing += s->completed - s->next;
	}
	for (int i = 0; i < LANES; i++) {
		received += shared->lanes[i].received;
		missing += shared->lanes[i].missing;
		cut += shared->lanes[i].cut;
	}
	printf("# %" PRIu64 " messages, %" PRIu64 " kills, %" PRIu64 " stops; %" PRIu64
	       " of at most %" PRIu64 " messages went down with receivers, %" PRIu64
	       " halves were told of; longest calm %" PRId64 " us\n",
	       received, totals.kills, totals.stops, missing, totals.swallowed_most, cut,
	       totals.longest_ns / 1000);
	fflush(stdout);
	if (missing > totals.swallowed_most)
		ck_abort_msg("%" PRIu64 " messages lost, %" PRIu64 " at most have been swallowed",
			     missing, totals.swallowed_most);
}

void storm(int64_t duration_ns)
{
	struct resources before;

	shared = shared_alloc(sizeof(*shared));
	before = resources_begin();
	make_pipes();
	for (int i = 0; i < WORKERS; i++)
		start_worker(i);
	rage(duration_ns);
	end_workers(true);
	end_workers(false);
	for (int i = 0; i < LANES; i++)
		drain(i);
	settle_accounts();
	close_pipes();
	resources_check(&before);
}
