/* SPDX-License-Identifier: MIT */
#include "fault/lib/queue-storm.h"

#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault/lib/queue-world.h"

#define ACTORS_MAX	16U
#define LIVES_MAX	4000U
#define SEQS_MAX	4096U
#define HELD_MAX	8U
#define BATCH		4U
#define ROUND_NS	INT64_C(1000000000)
#define NAP_NS		INT64_C(20000000)
#define LARGEST		20000U
#define ROOM		(LARGEST + 64)

enum role {
	WRITER,
	READER,
	TAKER,
	ROLES
};

struct life {
	uint32_t tried;
	uint32_t done;
	uint32_t hand;	/* messages that it may be given and has not reported */
};

struct sky {
	uint32_t stop;
	uint32_t drain;
	uint32_t disorder;
	uint64_t puts;
	uint64_t gets;
	uint64_t again;
	struct life lives[LIVES_MAX];
	uint8_t fate[LIVES_MAX][SEQS_MAX];
};

struct head {
	uint32_t life;
	uint32_t seq;
	uint64_t size;
};

static struct sky *sky;
static struct weir_queue *queue;

struct actor {
	enum role role;
	uint32_t life;
	struct child child;
	bool stopped;
	/* in the child */
	uint64_t random;
	uint32_t next[LIVES_MAX];
	struct weir_taken held[HELD_MAX];
	uint32_t held_count;
	uint8_t buffers[BATCH][ROOM] __attribute__((aligned(8)));
};

static struct actor actors[ACTORS_MAX];
static uint32_t lives;
static uint64_t kills, stops, lost_allowed, rounds;

static uint32_t some(struct actor *a, uint32_t below)
{
	a->random ^= a->random << 13;
	a->random ^= a->random >> 7;
	a->random ^= a->random << 17;
	return (uint32_t)(a->random % below);
}

/*
 * Messages
 */

static uint8_t byte_of(const struct head *h)
{
	return (uint8_t)(h->life * 7 + h->seq * 13 + 1);
}

static size_t make(struct actor *a, uint8_t *data, uint32_t seq)
{
	struct head h = { a->life, seq, sizeof(h) + some(a, 200) };

	if (some(a, 50) == 0)
		h.size = sizeof(h) + some(a, LARGEST - sizeof(h));
	memcpy(data, &h, sizeof(h));
	memset(data + sizeof(h), byte_of(&h), h.size - sizeof(h));
	return h.size;
}

/* Whose it is: its fate. */
static uint8_t *check(struct actor *a, const void *data, size_t size, uint32_t times, bool told)
{
	const uint8_t *bytes = data;
	struct head h;
	uint8_t *fate;

	child_check(size >= sizeof(h));
	memcpy(&h, data, sizeof(h));
	child_check(h.life < LIVES_MAX && h.seq < load_acquire(&sky->lives[h.life].tried));
	child_check(h.size == size);
	for (size_t i = sizeof(h); i < size; i++)
		child_check(bytes[i] == byte_of(&h));
	fate = &sky->fate[h.life][h.seq];
	child_check(!(load_acquire(fate) & Q_OUT));
	child_check(!told || times > 0 || !(load_acquire(fate) & Q_HELD));
	if (times == 0 && h.seq < a->next[h.life])
		add_relaxed(&sky->disorder, 1);
	if (times == 0)
		a->next[h.life] = h.seq + 1;
	if (told && times > 0)
		add_relaxed(&sky->again, 1);
	return fate;
}

/*
 * What they do
 */

static int64_t nap(void)
{
	return load_relaxed(&sky->drain) ? 0 : test_now() + NAP_NS;
}

static void write_some(struct actor *a)
{
	struct life *l = &sky->lives[a->life];
	uint32_t seq = l->tried, count = some(a, 4) == 0 ? BATCH : 1;
	struct weir_msg m[BATCH] = { 0 };
	int result;

	if (seq + BATCH > SEQS_MAX)
		_exit(0);
	for (uint32_t i = 0; i < count; i++) {
		m[i].data = a->buffers[i];
		m[i].size = make(a, a->buffers[i], seq + i);
	}
	store_release(&l->tried, seq + count);
	if (count > 1)
		result = weir_queue_put_batch(queue, m, count, 0, nap());
	else
		result = weir_queue_put(queue, m[0].data, m[0].size, 0, nap());
	child_check(result >= 0 || result == -EAGAIN || result == -ETIMEDOUT ||
		    result == -ENOBUFS);
	if (count == 1)
		result = result == 0 ? 1 : 0;
	if (result < 0)
		result = 0;
	store_release(&l->done, seq + (uint32_t)result);
	store_release(&l->tried, seq + (uint32_t)result);
	add_relaxed(&sky->puts, (uint64_t)result);
}

/* Whether there was one. */
static bool read_some(struct actor *a)
{
	struct life *l = &sky->lives[a->life];
	struct weir_msg m[BATCH] = { 0 };
	uint32_t count = 1 + some(a, BATCH);
	int result;

	for (uint32_t i = 0; i < count; i++) {
		m[i].data = a->buffers[i];
		m[i].room = ROOM;
	}
	store_release(&l->hand, count);
	result = weir_queue_get_batch(queue, m, count, 0, nap());
	child_check(result > 0 || result == -EAGAIN || result == -ETIMEDOUT);
	for (int i = 0; i < result; i++) {
		or_release(check(a, m[i].data, m[i].size, 0, false), Q_OUT);
		store_release(&l->hand, count - 1 - (uint32_t)i);
	}
	store_release(&l->hand, 0);
	if (result > 0)
		add_relaxed(&sky->gets, (uint64_t)result);
	return result > 0;
}

static uint8_t *fate_of(const struct weir_taken *t)
{
	struct head h;

	memcpy(&h, t->data, sizeof(h));
	return &sky->fate[h.life][h.seq];
}

static void let_go(struct actor *a, uint32_t which)
{
	struct weir_taken t = a->held[which];
	uint8_t *fate = fate_of(&t);

	a->held[which] = a->held[--a->held_count];
	if (some(a, 8) == 0 && !load_relaxed(&sky->drain)) {
		child_check(weir_queue_return(queue, &t) == 0);
		return;
	}
	or_release(fate, Q_ENDING);
	child_check(weir_queue_release(queue, &t) == 0);
	or_release(fate, Q_OUT);
	add_relaxed(&sky->gets, 1);
}

static bool take_some(struct actor *a)
{
	struct weir_taken *t = &a->held[a->held_count];
	int result = weir_queue_take(queue, 0, nap(), t);

	child_check(result == 0 || result == -EAGAIN || result == -ETIMEDOUT);
	if (result == 0) {
		or_release(check(a, t->data, t->size, t->times, true), Q_HELD);
		a->held_count++;
	}
	while (a->held_count > 0 &&
	       (a->held_count == HELD_MAX || result != 0 || some(a, 3) == 0))
		let_go(a, some(a, a->held_count));
	return result == 0;
}

static int live(void *arg)
{
	struct actor *a = arg;
	bool more = true;

	while (!load_acquire(&sky->stop) || (a->role != WRITER && more)) {
		if (a->role == WRITER)
			write_some(a);
		else
			more = a->role == READER ? read_some(a) : take_some(a);
	}
	while (a->held_count > 0)
		let_go(a, 0);
	return 0;
}

/*
 * The weather
 */

static void begin_life(struct actor *a)
{
	a->life = lives++;
	a->random = (test_random() << 16 | a->life) + 1;
	a->stopped = false;
	a->child = child_start(live, a);
}

static void go_on(struct actor *a)
{
	if (a->stopped)
		kill(a->child.pid, SIGCONT);
	a->stopped = false;
}

/* Kill it; or it has written all that it may, or found something wrong. */
static void end_life(struct actor *a)
{
	char note[200];
	int status;

	kill(a->child.pid, SIGKILL);
	snprintf(note, sizeof(note), "%s", a->child.note);
	status = child_join(&a->child);
	if (WIFEXITED(status) ? WEXITSTATUS(status) != 0 : WTERMSIG(status) != SIGKILL)
		ck_abort_msg("life %u (%u): status %#x %s", a->life, a->role, status, note);
	kills++;
}

static void strike(struct actor *a)
{
	if (test_random_below(3) != 0) {
		end_life(a);
		begin_life(a);
	} else if (a->stopped) {
		go_on(a);
	} else {
		kill(a->child.pid, SIGSTOP);
		a->stopped = true;
		stops++;
	}
}

static void blow(uint32_t count, int64_t until)
{
	while (test_now() < until && lives + count < LIVES_MAX) {
		strike(&actors[test_random_below(count)]);
		if (test_random_below(2))
			usleep((useconds_t)test_random_below(1000));
	}
}

/*
 * Afterwards
 */

static void drain_rest(struct qworld *w)
{
	struct actor *a = &actors[0];
	struct weir_taken t;

	(void)w;
	while (weir_queue_take(queue, 0, 0, &t) == 0) {
		struct head h;

		memcpy(&h, t.data, sizeof(h));
		if (h.life >= LIVES_MAX || h.seq >= sky->lives[h.life].tried || h.size != t.size)
			ck_abort_msg("a message that nobody put");
		if (sky->fate[h.life][h.seq] & Q_OUT)
			ck_abort_msg("message %u of %u comes twice", h.seq, h.life);
		if ((sky->fate[h.life][h.seq] & Q_HELD) && t.times == 0)
			ck_abort_msg("message %u of %u does not say that it comes again", h.seq,
				     h.life);
		sky->fate[h.life][h.seq] |= Q_OUT;
		a->held_count = 0;
		if (weir_queue_release(queue, &t) != 0)
			ck_abort_msg("what was taken cannot be released");
	}
}

static void judge(void)
{
	uint64_t may = 0, lost = 0;

	for (uint32_t i = 0; i < lives; i++) {
		struct life *l = &sky->lives[i];

		may += l->hand;
		for (uint32_t k = 0; k < l->done; k++) {
			uint8_t fate = sky->fate[i][k];

			may += (fate & (Q_ENDING | Q_OUT)) == Q_ENDING;
			lost += !(fate & Q_OUT);
		}
	}
	if (lost > may)
		ck_abort_msg("%" PRIu64 " messages are lost, and may be %" PRIu64, lost, may);
	/* What a dead getter had comes to somebody who is further on. */
	if (sky->disorder > 2 * BATCH * kills)
		ck_abort_msg("%u messages out of order", sky->disorder);
	lost_allowed += lost;
}

static void clear_sky(void)
{
	for (uint32_t i = 0; i < lives; i++)
		memset(sky->fate[i], 0, SEQS_MAX);
	memset(sky, 0, offsetof(struct sky, fate));
	lives = 0;
}

static uint64_t blocks_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? (uint64_t)st.st_blocks * 512 : UINT64_MAX;
}

static void one_round(int64_t duration_ns)
{
	struct weir_queue_options options = {
		.size = sizeof(options),
		.max_items = test_random_below(2) ? 1 + test_random_below(300) : 0,
		.max_bytes = UINT64_C(4) << 20,
	};
	uint32_t count = 1 + (uint32_t)test_random_below(ACTORS_MAX);
	struct qworld w = { 0 };

	clear_sky();
	ck_assert_int_eq(weir_queue(&queue, &options), 0);
	for (uint32_t i = 0; i < count; i++) {
		memset(&actors[i], 0, sizeof(actors[i]));
		actors[i].role = i % ROLES;
		begin_life(&actors[i]);
	}
	blow(count, test_now() + duration_ns);
	for (uint32_t i = 0; i < count; i++)
		go_on(&actors[i]);
	store_release(&sky->drain, 1);
	store_release(&sky->stop, 1);
	for (uint32_t i = 0; i < count; i++)
		child_join_ok(&actors[i].child);
	w.queue = queue;
	queue_mend_all(queue);
	drain_rest(&w);
	judge();
	qworld_look_for_leaks(&w);
	/* What is kept for use is bounded by what it may ever be. */
	ck_assert_uint_lt(blocks_of(queue->store.fd), UINT64_C(16) << 20);
	weir_queue_close(queue);
	rounds++;
}

void qstorm(int64_t duration_ns)
{
	struct resources before;
	int64_t until = test_now() + duration_ns;
	uint64_t puts = 0, gets = 0, again = 0;

	sky = shared_alloc(sizeof(*sky));
	before = resources_begin();
	while (test_now() < until) {
		one_round(duration_ns < ROUND_NS ? duration_ns : ROUND_NS);
		puts += sky->puts;
		gets += sky->gets;
		again += sky->again;
	}
	resources_check(&before);
	printf("# %" PRIu64 " rounds, %" PRIu64 " kills, %" PRIu64 " stops, %" PRIu64
	       " puts, %" PRIu64 " gets, %" PRIu64 " given again and flagged; 0 lost, %" PRIu64
	       " gone with their getters, 0 doubled, 0 leaked\n",
	       rounds, kills, stops, puts, gets, again, lost_allowed);
	fflush(stdout);
}
