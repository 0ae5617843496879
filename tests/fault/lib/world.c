/* SPDX-License-Identifier: MIT */
#include "fault/lib/world.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_MS	INT64_C(1000000)
#if defined(SYS_poll)
#define LOOP_CALL	SYS_poll
#else
#define LOOP_CALL	SYS_ppoll
#endif
#define REST_NS		(11 * NS_PER_MS)

bool heir_possible(enum heir heir, const struct scene *scene)
{
	return heir != HEIR_IDLE || (scene->state->peer != PEER_AWAKE && !scene->act->reads);
}

static void pause_ns(long ns)
{
	nanosleep(&(struct timespec){ .tv_nsec = ns }, NULL);
}

static struct weir_end **victim_end(struct world *w)
{
	return &w->ends[scene_victim_end(w->scene)];
}

static struct weir_end **peer_end(struct world *w)
{
	return &w->ends[1 - scene_victim_end(w->scene)];
}

static void drop(struct weir_end **end)
{
	weir_pipe_close(*end);
	*end = NULL;
}

/*
 * Several worlds at once. A child inherits the ends of all; were it to keep their lines, no
 * hang-up would be seen there before it ends.
 */

#define WORLDS_MAX 64

static struct world *worlds[WORLDS_MAX];

static void enter(struct world *old, struct world *new)
{
	for (size_t i = 0; i < WORLDS_MAX; i++)
		if (worlds[i] == old) {
			worlds[i] = new;
			return;
		}
	scene_fail("too many worlds");
}

/* In a child. Nothing is announced. */
static void leave_others(const struct world *w)
{
	for (size_t i = 0; i < WORLDS_MAX; i++)
		for (int e = 0; worlds[i] && worlds[i] != w && e < 2; e++)
			if (worlds[i]->ends[e])
				close(worlds[i]->ends[e]->line);
}

static int run_victim(void *arg)
{
	leave_others(arg);
	return scene_victim(arg);
}

static int run_peer(void *arg)
{
	leave_others(arg);
	return scene_peer(arg);
}

static int run_fencer(void *arg)
{
	leave_others(arg);
	return scene_fencer(arg);
}

static int run_predecessor(void *arg)
{
	leave_others(arg);
	return scene_predecessor(arg);
}

/*
 * Setting up
 */

/* Two laps, up to 16 bytes before the end of the ring: 255 records of 32 bytes and one of 16. */
static void wrap(struct world *w)
{
	uint8_t buffer[24] = { 0 };

	for (int i = 0; i < 256; i++) {
		size_t size = i < 255 ? 24 : 8;

		ck_assert_int_eq(weir_pipe_send(w->ends[1], buffer, size, 0, 0), 0);
		ck_assert_int_eq(weir_pipe_recv(w->ends[0], buffer, 24, 0, 0, &size), 0);
	}
	weir_pipe_handover(w->ends[0]);
	weir_pipe_handover(w->ends[1]);
}

/* We are the peer, and send. */
static int send_as_peer(struct world *w, int64_t deadline)
{
	struct ledger *l = w->ledger;
	uint8_t buffer[SCENE_ROOM];
	int result;

	scene_fill(buffer, l->sent, w->scene->act->size);
	result = weir_pipe_send(w->ends[1], buffer, w->scene->act->size, 0, deadline);
	if (result == 0)
		l->sent++;
	return result;
}

/* What lies in the ring before a reading victim begins. */
static void fill_for_reader(struct world *w)
{
	const struct state *state = w->scene->state;
	uint32_t count = w->scene->act->first_use ? 0 : WARM;

	if (state->orphaned)
		count += WARM + 3;
	if (state->fill == FILL_FULL || w->scene->late) {
		while (send_as_peer(w, 0) == 0)
			;
		return;
	}
	for (count += state->fill; count > 0; count--)
		ck_assert_int_eq(send_as_peer(w, 0), 0);
}

/* The same for a writing one that was no owner before. */
static void fill_for_first_writer(struct world *w)
{
	for (uint32_t i = 0; i < w->scene->state->fill; i++)
		ck_assert_int_eq(scene_send(w, 24, 0, 0), 0);
	weir_pipe_handover(w->ends[1]);
}

static void have_predecessor(struct world *w)
{
	struct child child = child_start(run_predecessor, w);

	/* Kills itself. */
	child_join(&child);
}

/* We are the peer, until a late one comes. */
static bool alone(const struct scene *s)
{
	return s->state->peer == PEER_AWAKE || s->late;
}

static void fill(struct world *w)
{
	const struct scene *s = w->scene;

	if (s->act->reads && alone(s) && !s->state->fenced)
		fill_for_reader(w);
	if (s->state->orphaned && alone(s))
		have_predecessor(w);
	else if (!s->act->reads && s->act->first_use)
		fill_for_first_writer(w);
	if (s->late)
		weir_pipe_handover(*peer_end(w));
}

static void start_peer(struct world *w)
{
	w->peer = child_start(run_peer, w);
	drop(peer_end(w));
	/* It needs the peer's help to get that far. */
	if (w->scene->state->orphaned && !w->scene->late)
		have_predecessor(w);
}

/* The peer is us and awake: leave as much in the ring as the state wants. */
static void drain_for_writer(struct world *w)
{
	uint32_t fill = w->scene->state->fill;

	if (fill < w->ledger->completed)
		scene_drain(w, w->ledger->completed - fill, soon());
}

/* A view that stays when our ends are closed. A new descriptor, closed, would drop our locks. */
static void map_memory(struct world *w)
{
	const struct segment *s = &w->ends[0]->core->segment;

	w->memory_size = s->front_size + s->lanes * s->capacity;
	w->memory = mmap(NULL, w->memory_size, PROT_READ, MAP_SHARED, s->fd, 0);
	ck_assert(w->memory != MAP_FAILED);
}

/* To the beginning of its act. */
static void bring_victim(struct world *w)
{
	struct child fencer;

	if (w->scene->state->fenced)
		fencer = child_start(run_fencer, w);
	w->victim = stepper_start(run_victim, w);
	if (!stepper_run_to_begin(&w->victim))
		scene_fail("the victim ends before its act: %s", w->victim.child.note);
	if (w->scene->state->fenced)
		child_join_ok(&fencer);
}

void world_open(struct world *w, const struct scene *scene, struct ledger *ledger, enum heir heir)
{
	struct weir_pipe_options options = { .size = sizeof(options), .capacity = SCENE_CAPACITY };

	memset(ledger, 0, sizeof(*ledger));
	*w = (struct world){ .scene = scene, .ledger = ledger };
	ck_assert_int_eq(weir_pipe(w->ends, &options), 0);
	map_memory(w);
	enter(NULL, w);
	if (scene->state->wrapped)
		wrap(w);
	if (scene->state->armed)
		ck_assert_int_ge(weir_pipe_fd(w->ends[0]), 0);
	fill(w);
	if (!alone(scene))
		start_peer(w);
	bring_victim(w);
	w->attempted = ledger->attempted;
	w->completed = ledger->completed;
	w->reported = ledger->reported;
	if (!scene->act->reads && scene->state->peer == PEER_AWAKE &&
	    scene->state->fill < FILL_FULL)
		drain_for_writer(w);
	if (heir == HEIR_NONE)
		drop(victim_end(w));
	w->opened = test_now();
}

static const struct weir_lane_control *lane_of(const struct world *w)
{
	return (const void *)(w->memory + WEIR_CONTROL_OFFSET);
}

uint64_t world_published(const struct world *w)
{
	return load_relaxed(&lane_of(w)->reader.published);
}

bool world_visible(const struct world *w)
{
	const uint8_t *ring = w->memory + w->memory_size - 2 * SCENE_CAPACITY;
	uint64_t at = load_relaxed(&lane_of(w)->reader.position) % SCENE_CAPACITY;

	return load_relaxed((const uint64_t *)(const void *)(ring + at)) != 0;
}

bool world_half(const struct world *w)
{
	const uint8_t *ring = w->memory + w->memory_size - 2 * SCENE_CAPACITY;
	uint64_t at = load_relaxed(&lane_of(w)->reader.position), header;
	/* It sleeps nowhere else, and we may have received what came after that. */
	bool half = w->scene->act->large && w->woken && w->ledger->received <= w->attempted;

	for (;;) {
		header = load_relaxed((const uint64_t *)(const void *)(ring + at % SCENE_CAPACITY));
		if (header == 0)
			return half;
		if ((header & RECORD_MARK_MASK) == RECORD_FIRST)
			half = true;
		else if ((header & RECORD_MARK_MASK) != RECORD_MIDDLE)
			half = false;
		at += lane_record_size((uint32_t)header);
	}
}

bool world_unread(const struct world *w)
{
	const struct weir_lane_control *lane = lane_of(w);

	return load_relaxed(&lane->reader.position) != load_relaxed(&lane->writer.position);
}

static uint32_t stage_of(const struct world *w, bool victim)
{
	const struct weir_lane_control *lane = lane_of(w);
	const struct weir_side *side = victim == w->scene->act->reads ? &lane->reader
								      : &lane->writer;

	return load_relaxed(&side->wait) & WAIT_STAGE_MASK;
}

/* Where the peer sleeps, WAIT_AWAKE if it does not or has something to do. */
static uint32_t stage_of_peer(const struct world *w)
{
	bool busy = !w->scene->act->reads && !w->scene->late &&
		    load_acquire(&w->ledger->received) < w->completed;

	if (busy || child_state(w->peer.pid) != 'S')
		return WAIT_AWAKE;
	if (w->scene->state->peer == PEER_LOOPS)
		return child_wait_asleep_in(w->peer.pid, LOOP_CALL) ? WAIT_ELSEWHERE : WAIT_AWAKE;
	return stage_of(w, false);
}

bool world_ready(struct world *w)
{
	static const uint32_t stages[] = {
		[PEER_SHALLOW] = WAIT_SHALLOW,
		[PEER_DEEP] = WAIT_DEEP,
		[PEER_POLLS] = WAIT_DEEP,
		[PEER_LOOPS] = WAIT_ELSEWHERE,
	};
	uint32_t wanted = stages[w->scene->state->peer], stage;
	int64_t hang = soon();

	while (w->scene->state->rested && test_now() < w->opened + REST_NS)
		pause_ns(100000);
	if (w->peer.pid == 0)
		return true;
	for (;;) {
		stage = stage_of_peer(w);
		if (stage == wanted)
			return true;
		if (stage == WAIT_DEEP && wanted == WAIT_SHALLOW)
			return false;
		if (test_now() > hang)
			scene_fail("the peer does not fall asleep");
		pause_ns(20000);
	}
}

static uint64_t mixed(uint64_t hash, const void *memory, size_t size)
{
	const uint64_t *words = memory;

	for (size_t i = 0; i < size / sizeof(*words); i++)
		hash = (hash ^ words[i]) * UINT64_C(0x100000001b3);
	return hash;
}

uint64_t world_image(const void *arg)
{
	const struct world *w = arg;
	const struct weir_lane_control *lane = lane_of(w);
	const uint8_t *ring = w->memory + w->memory_size - 2 * SCENE_CAPACITY;
	uint64_t hash = mixed(1, w->ledger, offsetof(struct ledger, received));

	/* What a peer that runs by itself has done by now is not the same each time. */
	if (w->peer.pid == 0 || !w->scene->act->reads) {
		hash = mixed(hash, ring, SCENE_CAPACITY);
		hash = mixed(hash, &lane->writer.position, sizeof(uint64_t));
	}
	if (w->peer.pid == 0 || w->scene->act->reads) {
		hash = mixed(hash, &lane->reader.position, sizeof(uint64_t));
		hash = mixed(hash, &lane->reader.published, sizeof(uint64_t));
	}
	return hash;
}

void world_wake_anyway(struct world *w)
{
	w->woken = true;
	if (w->scene->act->reads)
		send_as_peer(w, 0);
	else
		scene_drain(w, UINT32_MAX, 0);
}

void world_wake(void *arg)
{
	struct world *w = arg;
	uint32_t woken = w->scene->act->woken;

	if (w->woken || woken == WAIT_AWAKE)
		return;
	/* Later is too late, and better than never. */
	if (woken == WAIT_ELSEWHERE || stage_of(w, true) >= woken)
		world_wake_anyway(w);
}

void world_contend(struct world *w)
{
	uint8_t buffer[SCENE_ROOM];
	size_t size;
	int result;

	scene_fill(buffer, w->ledger->attempted, 24);
	if (w->scene->act->reads)
		result = weir_pipe_recv(w->ends[0], buffer, sizeof(buffer), 0, 0, &size);
	else
		result = weir_pipe_send(w->ends[1], buffer, 24, 0, 0);
	if (result != 0 && result != -EBUSY)
		scene_fail("contending: %s", weir_strerror(result));
	w->taken = result == 0;
}

void world_peer_comes(struct world *w)
{
	if (w->scene->state->peer != PEER_AWAKE && w->peer.pid == 0)
		start_peer(w);
}

void world_close(struct world *w)
{
	enter(w, NULL);
	drop(&w->ends[0]);
	drop(&w->ends[1]);
	munmap(w->memory, w->memory_size);
	if (w->victim.child.pid)
		stepper_kill(&w->victim);
	if (w->peer.pid)
		child_kill(&w->peer);
}
