/* SPDX-License-Identifier: MIT */
/* What must hold when the victim is dead, or has stood still. */
#include "fault/lib/world.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/atomic.h"

#define NS_PER_MS	INT64_C(1000000)
/* Longer than this is a hang, or a sleep that nobody has ended. */
#define LATE_NS		(1000 * NS_PER_MS)
/* Numbers of the messages that a taker sends. */
#define TAKER		1000000U
#define TAKEN		3U

__attribute__((format(printf, 2, 3))) static void wrong(struct finding *f, const char *format, ...)
{
	va_list args;

	if (f->wrong[0])
		return;
	va_start(args, format);
	vsnprintf(f->wrong, sizeof(f->wrong), format, args);
	va_end(args);
}

/* What is late: all who take part have been starved, we from here on. */
static void begin(struct world *w, pid_t survivor)
{
	w->survivor = survivor;
	w->starved = -child_starved(getpid());
}

static int64_t late(const struct world *w)
{
	int64_t ns = LATE_NS + w->starved + child_starved(getpid());

	if (w->peer.pid)
		ns += child_starved(w->peer.pid);
	return w->survivor ? ns + child_starved(w->survivor) : ns;
}

static bool is_late(const struct world *w, int64_t ns)
{
	return ns > LATE_NS && ns > late(w);
}

static bool too_late(const struct world *w, int64_t since)
{
	return is_late(w, test_now() - since);
}

static void pause_ns(long ns)
{
	nanosleep(&(struct timespec){ .tv_nsec = ns }, NULL);
}

static void drop(struct weir_end **end)
{
	weir_pipe_close(*end);
	*end = NULL;
}

/* Wait for one who has nothing left to wait for. */
static void join(struct world *w, struct child *child, const char *who, struct finding *f)
{
	char note[128];
	int64_t hang = soon();
	int status;

	while (child_state(child->pid) != 'Z' && test_now() < hang)
		pause_ns(20000);
	if (child_state(child->pid) != 'Z') {
		wrong(f, "%s hangs: received %u, reported %u, sent %u", who, w->ledger->received,
		      w->ledger->reported, w->ledger->sent);
		child_kill(child);
		return;
	}
	snprintf(note, sizeof(note), "%.*s", (int)sizeof(note) - 1, child->note);
	w->starved += child_starved(child->pid);
	if (child->pid == w->survivor)
		w->survivor = 0;
	status = child_join(child);
	if (status != 0)
		wrong(f, "%s ended with %#x %s", who, status, note);
}

/*
 * The victim wrote
 */

/* How many of the victim's messages came, if they came as they should. */
static uint32_t count_received(struct world *w, uint32_t from_taker, struct finding *f)
{
	const struct ledger *l = w->ledger;
	uint32_t n = 0;

	if (l->broken)
		wrong(f, "%u messages are not whole", l->broken);
	while (n < l->received && l->numbers[n] == n)
		n++;
	for (uint32_t i = n; i < l->received; i++)
		if (l->numbers[i] != TAKER + (i - n))
			wrong(f, "message %u has number %u, %u were in order", i, l->numbers[i], n);
	if (l->received - n != from_taker)
		wrong(f, "%u of the taker's %u messages came", l->received - n, from_taker);
	return n;
}

static void judge_sent(struct world *w, uint32_t from_taker, struct finding *f)
{
	const struct ledger *l = w->ledger;
	uint32_t total = w->attempted + w->scene->act->count;
	uint32_t n = count_received(w, from_taker, f);

	if (n < l->completed)
		wrong(f, "lost: %u came, %u were completed", n, l->completed);
	if (n > l->attempted)
		wrong(f, "invented: %u came, %u were sent", n, l->attempted);
	if (l->cut > w->scene->act->large)
		wrong(f, "told %u times of half a message, %u of %u came", l->cut, n, total);
	if (w->scene->state->peer == PEER_AWAKE && l->cut != w->half)
		wrong(f, "told %u times of half a message, there was one: %d", l->cut, w->half);
	if (w->scene->act->whole && n != w->completed && n != total)
		wrong(f, "half a batch: %u came, all or none of %u to %u", n, w->completed, total);
	f->moved = n < w->completed ? 0 : n - w->completed;
}

static bool readable(struct world *w, int timeout)
{
	struct pollfd p = { .fd = weir_pipe_fd(w->ends[0]), .events = POLLIN };

	return poll(&p, 1, timeout) == 1;
}

/* A new owner that sends nothing: what the victim has left is noticed now at the latest. */
static void take_over_silently(struct world *w, struct finding *f)
{
	int result = weir_pipe_flush(w->ends[1]);
	int64_t since = test_now();

	if (result < 0)
		wrong(f, "the taker's flush: %s", weir_strerror(result));
	if (w->peer.pid == 0 && w->scene->state->armed && world_unread(w) && !readable(w, 1000))
		wrong(f, "the descriptor is not readable after the take-over");
	while (w->peer.pid && world_unread(w) && !too_late(w, since))
		pause_ns(20000);
	if (w->peer.pid && world_unread(w))
		wrong(f, "taken over, and the peer sleeps on before a message");
}

/* Go on where the victim has stopped. */
static void take_over_writing(struct world *w, struct finding *f)
{
	uint8_t buffer[24];
	int64_t since;
	int result;

	take_over_silently(w, f);
	for (uint32_t i = 0; i < TAKEN; i++) {
		scene_fill(buffer, TAKER + i, sizeof(buffer));
		since = test_now();
		result = weir_pipe_send(w->ends[1], buffer, sizeof(buffer), 0, soon());
		if (result < 0)
			wrong(f, "the taker's send: %s", weir_strerror(result));
		if (too_late(w, since))
			wrong(f, "the taker's send came too late");
	}
}

/* Dry, it is readable once at most; with a message, it is. */
static void judge_descriptor(struct world *w, struct finding *f)
{
	int result = scene_drain(w, UINT32_MAX, 0);

	if (result != -EAGAIN)
		wrong(f, "draining: %s", weir_strerror(result));
	if (readable(w, 0))
		scene_drain(w, UINT32_MAX, 0);
	if (readable(w, 0))
		wrong(f, "the descriptor stays readable for nothing");
}

static void judge_awake_reader(struct world *w, enum heir heir, struct finding *f)
{
	bool with_fd = w->scene->state->armed;
	int64_t since;
	int result;

	if (with_fd && !readable(w, 1000))
		wrong(f, "the descriptor is not readable");
	if (with_fd && heir == HEIR_TAKES)
		judge_descriptor(w, f);
	drop(&w->ends[1]);
	since = test_now();
	result = scene_drain(w, UINT32_MAX, soon());
	if (result != -EPIPE)
		wrong(f, "receiving the last: %s", weir_strerror(result));
	if (too_late(w, since))
		wrong(f, "receiving the last took too long");
	if (with_fd && !readable(w, 1000))
		wrong(f, "the descriptor is not readable at the end");
}

/*
 * What was completed has come; and what was not, but can be seen, if the peer watches the victim:
 * it does from when it lies down, not in an event loop.
 */
static bool knows_all(const struct world *w)
{
	bool watches = !w->scene->act->first_use && w->scene->state->peer != PEER_LOOPS;

	return load_acquire(&w->ledger->received) >= w->ledger->completed &&
	       (!watches || !world_visible(w));
}

/* The peer sleeps or polls in a process of its own. */
static void judge_sleeping_reader(struct world *w, enum heir heir, int64_t died, struct finding *f)
{
	const struct ledger *l = w->ledger;
	int64_t since = test_now();

	if (heir == HEIR_IDLE) {
		while (!knows_all(w) && !too_late(w, since))
			pause_ns(20000);
		if (!knows_all(w))
			wrong(f, "late: %u came, %u were completed, more to be seen: %d",
			      l->received, l->completed, world_visible(w));
	}
	/* Until then there is a copy that keeps the end open, and others are judged before. */
	if (heir != HEIR_NONE)
		died = test_now();
	drop(&w->ends[1]);
	join(w, &w->peer, "the peer", f);
	if (l->result != -EPIPE)
		wrong(f, "the peer's last recv: %s", weir_strerror(l->result));
	f->notice_ns = l->ended - died;
	if (is_late(w, f->notice_ns))
		wrong(f, "the peer noticed only after %lld us", (long long)f->notice_ns / 1000);
}

static void judge_writer(struct world *w, enum heir heir, int64_t died, struct finding *f)
{
	if (heir == HEIR_TAKES) {
		/* A full ring has no room before we, the reader, make some. */
		if (w->peer.pid == 0 && w->scene->state->fill >= FILL_FULL)
			scene_drain(w, UINT32_MAX, 0);
		take_over_writing(w, f);
	}
	if (w->peer.pid)
		judge_sleeping_reader(w, heir, died, f);
	else
		judge_awake_reader(w, heir, f);
	judge_sent(w, heir == HEIR_TAKES ? TAKEN : 0, f);
}

/*
 * The victim read
 */

/* What the taker got continues what the victim had reported, but for what it was just taking. */
static void judge_taken(struct world *w, struct finding *f)
{
	const struct ledger *l = w->ledger;
	uint32_t first = l->received ? l->numbers[0] : l->sent, rest = w->there - l->reported;
	uint32_t most = l->reported + (l->wanted < rest ? l->wanted : rest);

	if (l->broken)
		wrong(f, "%u messages are not whole", l->broken);
	for (uint32_t i = 0; i < l->received; i++)
		if (l->numbers[i] != first + i)
			wrong(f, "%u after %u", l->numbers[i], l->numbers[i - 1]);
	if (first < l->reported)
		wrong(f, "twice: %u, the victim had reported up to %u", first, l->reported);
	if (first > most)
		wrong(f, "lost: first %u, the victim can have taken up to %u", first, most);
	if (l->cut > (w->scene->act->large && first == l->reported + 1))
		wrong(f, "told %u times of half a message, first %u, reported %u", l->cut, first,
		      l->reported);
	if (first + l->received != l->sent)
		wrong(f, "lost at the end: %u from %u, %u sent", l->received, first, l->sent);
	if (w->scene->act->whole && first != l->reported && first != most)
		wrong(f, "half a batch taken: %u, all or none of %u to %u", first, l->reported,
		      most);
	f->moved = first - w->reported;
}

static void send_more(struct world *w, struct finding *f)
{
	uint8_t buffer[SCENE_ROOM];
	struct ledger *l = w->ledger;
	int result;

	scene_fill(buffer, l->sent, w->scene->act->size);
	result = weir_pipe_send(w->ends[1], buffer, w->scene->act->size, 0, soon());
	if (result < 0)
		wrong(f, "sending to the taker: %s", weir_strerror(result));
	else
		l->sent++;
}

/* We take over, and are the one who writes too. */
static void take_from_ourselves(struct world *w, struct finding *f)
{
	bool with_fd = w->scene->state->armed || w->scene->act->arms;
	int result = scene_drain(w, UINT32_MAX, 0);
	int64_t since;

	if (result != -EAGAIN)
		wrong(f, "the taker's recv: %s", weir_strerror(result));
	send_more(w, f);
	if (with_fd) {
		if (!readable(w, 1000))
			wrong(f, "the descriptor is not readable after the take-over");
		judge_descriptor(w, f);
		send_more(w, f);
		if (!readable(w, 1000))
			wrong(f, "the descriptor is not readable again");
	}
	scene_drain(w, UINT32_MAX, 0);
	drop(&w->ends[1]);
	since = test_now();
	result = scene_drain(w, 1, soon());
	if (result != -EPIPE)
		wrong(f, "the taker's last recv: %s", weir_strerror(result));
	if (too_late(w, since))
		wrong(f, "the taker's last recv came too late");
}

/* We take over from the victim; the peer sends what it has left. */
static void take_from_peer(struct world *w, struct finding *f)
{
	const struct ledger *l = w->ledger;
	int64_t before = test_now();
	int result;

	do {
		result = scene_drain(w, 1, soon());
	} while (result == 0);
	if (result != -EPIPE)
		wrong(f, "the taker's recv: %s; %u received, %u sent", weir_strerror(result),
		      l->received, l->sent);
	join(w, &w->peer, "the peer", f);
	for (uint32_t i = 0; i < l->received && i < LOG_MAX; i++) {
		if (is_late(w, l->times[i] - before))
			wrong(f, "message %u came after %lld us", l->numbers[i],
			      (long long)(l->times[i] - before) / 1000);
		before = l->times[i];
	}
}

static void judge_awake_writer(struct world *w, struct finding *f)
{
	uint8_t buffer[SCENE_ROOM];
	int64_t deadline = soon(), since = test_now();
	int result = 0;

	scene_fill(buffer, 0, w->scene->act->size);
	while (result == 0 && test_now() < deadline)
		result = weir_pipe_send(w->ends[1], buffer, w->scene->act->size, 0, deadline);
	if (result != -EPIPE)
		wrong(f, "sending to nobody: %s", weir_strerror(result));
	if (too_late(w, since))
		wrong(f, "sending to nobody took too long");
}

static void judge_sleeping_writer(struct world *w, int64_t died, struct finding *f)
{
	const struct ledger *l = w->ledger;

	join(w, &w->peer, "the peer", f);
	if (l->result != -EPIPE)
		wrong(f, "the peer's last send: %s", weir_strerror(l->result));
	f->notice_ns = l->ended - died;
	if (is_late(w, f->notice_ns))
		wrong(f, "the peer noticed only after %lld us", (long long)f->notice_ns / 1000);
}

static void judge_reader(struct world *w, enum heir heir, int64_t died, struct finding *f)
{
	/* What the taker gets is noted from here on. */
	w->ledger->received = 0;
	w->there = w->peer.pid ? UINT32_MAX : w->ledger->sent;
	if (heir == HEIR_NONE && w->peer.pid)
		judge_sleeping_writer(w, died, f);
	else if (heir == HEIR_NONE)
		judge_awake_writer(w, f);
	else if (w->peer.pid)
		take_from_peer(w, f);
	else
		take_from_ourselves(w, f);
	if (heir == HEIR_TAKES)
		judge_taken(w, f);
}

struct finding world_judge(struct world *w, enum heir heir, int64_t died)
{
	struct finding f = { .notice_ns = -1 };

	begin(w, 0);
	if (w->scene->act->reads)
		judge_reader(w, heir, died, &f);
	else
		judge_writer(w, heir, died, &f);
	return f;
}

/*
 * It stands still
 */

/* The victim's end, as another process that has it finds it. */
static const char *probe(struct world *w, bool *ret_free)
{
	uint32_t events;
	int result;

	if (w->scene->act->reads)
		result = weir_pipe_poll(w->ends[0], WEIR_IN, 0, 0, &events);
	else
		result = weir_pipe_flush(w->ends[1]);
	*ret_free = result != -EBUSY;
	weir_pipe_handover(w->ends[scene_victim_end(w->scene)]);
	if (result < 0 && result != -EBUSY && result != -EAGAIN)
		return weir_strerror(result);
	return NULL;
}

static const char *how_peer_ended(const struct world *w)
{
	static char text[192];

	snprintf(text, sizeof(text), "the peer's call has ended: %s; %u received, %u sent %.80s",
		 w->ledger->result < 0 ? weir_strerror(w->ledger->result) : "it is through",
		 w->ledger->received, w->ledger->sent, w->peer.note);
	return text;
}

const char *world_look(struct world *w, bool *ret_free)
{
	uint32_t events = 0;
	int result = -EAGAIN;

	if (w->peer.pid) {
		if (child_state(w->peer.pid) == 'Z')
			return how_peer_ended(w);
	} else if (w->scene->act->reads) {
		result = weir_pipe_poll(w->ends[1], WEIR_OUT, 0, 0, &events);
	} else {
		result = weir_pipe_poll(w->ends[0], WEIR_IN, 0, 0, &events);
	}
	if (result < 0 && result != -EAGAIN)
		return weir_strerror(result);
	if (events & WEIR_HUP)
		return "a hang-up is seen";
	return probe(w, ret_free);
}

/* Help it to the end of its act as the peer. */
static void accompany(struct world *w, struct child *victim, struct finding *f)
{
	int64_t since = test_now();
	bool is_peer = w->peer.pid == 0;

	if (is_peer && w->scene->act->woken && !w->woken)
		world_wake_anyway(w);
	while (!load_acquire(&w->ledger->done) && child_state(victim->pid) != 'Z' &&
	       !too_late(w, since)) {
		if (is_peer && !w->scene->act->reads && !w->scene->late)
			scene_drain(w, UINT32_MAX, 0);
		pause_ns(20000);
	}
	if (!w->ledger->done && child_state(victim->pid) != 'Z')
		wrong(f, "the victim hangs after it was continued");
}

/*
 * The peer knows of what the victim has done, though nobody closes anything: has received what was
 * completed, or has sent more than @sent if there is more room than at @published.
 */
static void check_peer_knows(struct world *w, uint32_t sent, uint64_t published, struct finding *f)
{
	const struct ledger *l = w->ledger;
	bool room = world_published(w) - published >= lane_record_size(w->scene->act->size);
	int64_t since = test_now();
	bool knows = false;

	while (!knows && child_state(w->peer.pid) != 'Z' && !too_late(w, since)) {
		pause_ns(20000);
		knows = w->scene->act->reads ? !room || load_acquire(&l->sent) > sent
					     : load_acquire(&l->received) >= l->completed;
	}
	if (!knows && child_state(w->peer.pid) != 'Z')
		wrong(f, "the peer sleeps on: %u received of %u, %u sent, room for more: %d",
		      l->received, l->completed, l->sent, room);
}

struct finding world_judge_survivor(struct world *w, struct child *victim)
{
	struct finding f = { .notice_ns = -1 };
	const struct ledger *l = w->ledger;
	uint64_t published = world_published(w);
	uint32_t sent = load_acquire(&w->ledger->sent);

	begin(w, victim->pid);
	kill(victim->pid, SIGCONT);
	accompany(w, victim, &f);
	if (w->peer.pid)
		check_peer_knows(w, sent, published, &f);
	if (!w->scene->act->reads)
		drop(&w->ends[1]);
	else if (!w->scene->act->gives_up)
		drop(&w->ends[0]);
	if (w->peer.pid == 0 && w->scene->act->reads && !w->scene->act->gives_up)
		drop(&w->ends[1]);
	say(&w->ledger->go, 1);
	join(w, victim, "the victim", &f);
	if (!w->scene->act->reads) {
		judge_writer(w, HEIR_NONE, test_now(), &f);
		if (l->received != l->attempted)
			wrong(&f, "%u came, %u were sent", l->received, l->attempted);
	} else if (w->scene->act->gives_up) {
		judge_reader(w, HEIR_TAKES, test_now(), &f);
	} else {
		if (w->peer.pid)
			join(w, &w->peer, "the peer", &f);
		if (l->reported != l->sent)
			wrong(&f, "%u came, %u were sent", l->reported, l->sent);
	}
	return f;
}

struct finding world_judge_contest(struct world *w, struct child *victim)
{
	struct finding f = { .notice_ns = -1 };
	const struct ledger *l = w->ledger;
	bool reads = w->scene->act->reads;
	uint32_t expected;

	begin(w, victim->pid);
	kill(victim->pid, SIGCONT);
	accompany(w, victim, &f);
	if (w->taken != (l->refused != 0))
		wrong(&f, w->taken ? "both have become the owner" : "neither has");
	if (!reads || !w->taken)
		drop(&w->ends[1]);
	say(&w->ledger->go, 1);
	join(w, victim, "the victim", &f);
	if (!reads || w->taken)
		scene_drain(w, UINT32_MAX, 0);
	expected = !reads ? w->completed + 1 : w->taken ? l->sent - w->reported - 1 : 0;
	if (l->received != expected)
		wrong(&f, "%u came, %u should have", l->received, expected);
	return f;
}
