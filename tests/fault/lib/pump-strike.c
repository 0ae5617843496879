/* SPDX-License-Identifier: MIT */
#include "fault/lib/pump-strike.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>

#include "fault/lib/scene.h"
#include "fault/lib/way.h"
#include "pump-tools.h"

#define COUNT	9	/* messages before the kill */
#define LATER	3	/* and behind it */
#define CHUNKS	3	/* that the victim's runs are of, so that it takes several times */
#define LONGEST	120000

enum object {
	PIPE,
	QUEUE
};

static const struct pump_act {
	const char *name;
	enum object object;
	uint32_t direction;
	uint32_t engine;
	rlim_t limit;		/* bytes that the file may have for the victim; 0: any number */
} acts[] = {
	{ "pipe to file", PIPE, WEIR_PUMP_OUT, WEIR_ENGINE_EPOLL, 0 },
	{ "queue to file", QUEUE, WEIR_PUMP_OUT, WEIR_ENGINE_EPOLL, 0 },
	{ "pipe to a file that is full", PIPE, WEIR_PUMP_OUT, WEIR_ENGINE_EPOLL, 500 },
	{ "queue to a file that is full", QUEUE, WEIR_PUMP_OUT, WEIR_ENGINE_EPOLL, 500 },
	{ "pipe to file by io_uring", PIPE, WEIR_PUMP_OUT, WEIR_ENGINE_URING, 0 },
	{ "queue to a full file by io_uring", QUEUE, WEIR_PUMP_OUT, WEIR_ENGINE_URING, 500 },
	{ "file to pipe", PIPE, WEIR_PUMP_IN, WEIR_ENGINE_EPOLL, 0 },
	{ "file to queue", QUEUE, WEIR_PUMP_IN, WEIR_ENGINE_EPOLL, 0 },
};

const size_t pump_act_count = sizeof(acts) / sizeof(acts[0]);
/* Those that read allocate a buffer, which takes a sanitizer many instructions. */
const size_t pump_acts_short = sizeof(acts) / sizeof(acts[0]) - 2;

struct pump_world {
	const struct pump_act *act;
	struct weir_end *ends[2];
	struct weir_queue *queue;
	int fd;
	struct stepper victim;
};

static size_t size_of(uint64_t number)
{
	return 8 + number * 37 % 200;
}

static void send_numbers(struct pump_world *w, uint64_t first, uint64_t count)
{
	uint8_t bytes[256];

	for (uint64_t i = first; i < first + count; i++) {
		int result;

		message_fill(bytes, size_of(i), i);
		if (w->act->object == QUEUE)
			result = weir_queue_put(w->queue, bytes, size_of(i), 0, 0);
		else
			result = weir_pipe_send(w->ends[1], bytes, size_of(i), 0, 0);
		if (result < 0)
			scene_fail("sending: %d", result);
	}
}

static void write_frames(int fd)
{
	uint8_t bytes[sizeof(struct pump_frame) + 256];

	for (uint64_t i = 0; i < COUNT; i++) {
		struct pump_frame f;
		uint8_t *message = bytes + sizeof(f);

		message_fill(message, size_of(i), i);
		pump_frame_make(&f, message, (uint32_t)size_of(i), i, i);
		memcpy(bytes, &f, sizeof(f));
		if (write(fd, bytes, sizeof(f) + size_of(i)) < 0)
			scene_fail("write");
	}
	lseek(fd, 0, SEEK_SET);
}

static int make_pump(struct pump_world *w, uint64_t number, struct weir_pump **ret_pump)
{
	struct weir_pump_options options = {
		.size = sizeof(options), .engine = w->act->engine, .number = number,
	};
	int end = w->act->direction == WEIR_PUMP_OUT ? 0 : 1;

	if (w->act->object == QUEUE)
		return weir_pump_queue(ret_pump, w->queue, w->fd, w->act->direction, &options);
	return weir_pump_pipe(ret_pump, w->ends[end], w->fd, w->act->direction, &options);
}

static int victim(void *arg)
{
	struct pump_world *w = arg;
	struct rlimit limit = { w->act->limit, w->act->limit };
	struct weir_pump *pump;
	int64_t result = 0;

	if (w->act->limit)
		setrlimit(RLIMIT_FSIZE, &limit);
	child_check(make_pump(w, 0, &pump) == 0);
	stepper_mark_begin();
	for (int i = 0; i < CHUNKS && result >= 0; i++)
		result = weir_pump_run(pump, COUNT / CHUNKS + 1, 0, 0);
	weir_pump_close(pump);
	stepper_mark_end();
	return 0;
}

static void open_world(struct pump_world *w, const struct pump_act *act)
{
	*w = (struct pump_world){ .act = act, .fd = pump_file() };
	if (weir_pipe(w->ends, NULL) < 0 || weir_queue(&w->queue, NULL) < 0)
		scene_fail("out of something");
	if (act->direction == WEIR_PUMP_OUT)
		send_numbers(w, 0, COUNT);
	else
		write_frames(w->fd);
	w->victim = stepper_start(victim, w);
	if (!stepper_run_to_begin(&w->victim))
		scene_fail("the victim ends before it begins: %s", w->victim.child.note);
}

static void close_world(struct pump_world *w)
{
	pipe_close_both(w->ends);
	weir_queue_close(w->queue);
	close(w->fd);
}

/* The message that a frame or the object has, which is to be @number or, at the seam, less. */
static uint64_t number_of(const uint8_t *bytes, size_t size)
{
	for (uint64_t i = 0; i < COUNT + LATER; i++)
		if (size == size_of(i) && message_is(bytes, size, i))
			return i;
	scene_fail("a message of %zu bytes that nobody has sent", size);
}

/* Frames of the victim, then of the heir, who may begin with some that are there. */
static void judge_file(struct pump_world *w, uint64_t seam)
{
	uint64_t offset = 0, frame = 0, next = 0, origins[COUNT + LATER] = { 0 };
	struct pump_frame f;
	uint8_t bytes[256];

	while (pump_read_frame(w->fd, &offset, &f, bytes, sizeof(bytes))) {
		uint64_t number = number_of(bytes, f.size);

		if (f.number != frame)
			scene_fail("frame %" PRIu64 " has number %" PRIu64, frame, f.number);
		if (number < next && frame == seam)
			next = number;
		if (number != next)
			scene_fail("frame %" PRIu64 " has message %" PRIu64 " and not %" PRIu64
				   ", the seam is at %" PRIu64, frame, number, next, seam);
		if (origins[number] != 0 && origins[number] != f.origin + 1)
			scene_fail("message %" PRIu64 " has two origins", number);
		origins[number] = f.origin + 1;
		for (uint64_t i = 0; i < number; i++)
			if (origins[i] >= f.origin + 1)
				scene_fail("messages have the same origin");
		next++;
		frame++;
	}
	if (next != COUNT + LATER || offset != pump_file_size(w->fd))
		scene_fail("the file ends behind message %" PRIu64, next);
}

/* Whether each message is in the file. */
static bool is_complete(struct pump_world *w)
{
	uint64_t offset = 0, seen = 0;
	struct pump_frame f;
	uint8_t bytes[256];

	while (pump_read_frame(w->fd, &offset, &f, bytes, sizeof(bytes)))
		seen |= UINT64_C(1) << number_of(bytes, f.size);
	return seen == (UINT64_C(1) << (COUNT + LATER)) - 1;
}

static void judge_out(struct pump_world *w)
{
	struct weir_pump_scan scan = pump_scan(w->fd, WEIR_PUMP_CUT);
	int64_t deadline = soon(), result;
	struct weir_pump *pump;

	if (scan.size != sizeof(scan) || scan.error == -EBADMSG)
		scene_fail("the scan: %d", scan.error);
	send_numbers(w, COUNT, LATER);
	result = make_pump(w, scan.number, &pump);
	if (result < 0)
		scene_fail("a new pump: %d", (int)result);
	/* What a dead one had taken is found when his death is. */
	do {
		result = weir_pump_run(pump, 0, 0, weir_after(2 * MS));
		if (result < 0 && result != -ETIMEDOUT && result != -EBUSY)
			scene_fail("pumping on: %d", (int)result);
		if (test_now() > deadline)
			scene_fail("not all comes");
	} while (result > 0 || !is_complete(w));
	weir_pump_close(pump);
	judge_file(w, scan.frames);
}

/* What is in the object is a beginning of what the file has, and the object is fine. */
static void judge_in(struct pump_world *w)
{
	uint8_t bytes[256];
	uint64_t next = 0;
	bool later = false;

	for (;;) {
		size_t size;
		uint64_t number;
		int result = w->act->object == QUEUE
			? weir_queue_get(w->queue, bytes, sizeof(bytes), 0, 0, &size)
			: weir_pipe_recv(w->ends[0], bytes, sizeof(bytes), 0, 0, &size);

		if (result == -EAGAIN && !later) {
			send_numbers(w, COUNT, LATER);
			later = true;
			next = COUNT;
			continue;
		}
		if (result < 0)
			break;
		number = number_of(bytes, size);
		if (number != next++)
			scene_fail("message %" PRIu64 " where %" PRIu64 " was to come", number,
				   next - 1);
	}
	if (next != COUNT + LATER)
		scene_fail("message %" PRIu64 " does not come", next);
}

static void asleep(void *arg)
{
	(void)arg;
}

static uint64_t no_image(const void *arg)
{
	(void)arg;
	return 0;
}

static void judge(struct pump_world *w)
{
	if (w->act->direction == WEIR_PUMP_OUT)
		judge_out(w);
	else
		judge_in(w);
}

static struct way walk(const struct pump_act *act)
{
	static uint64_t nothing;
	struct way_record record = {
		.memory = &nothing, .size = sizeof(nothing), .image = no_image, .asleep = asleep,
		.most = LONGEST,
	};
	struct pump_world w;
	struct way way;

	open_world(&w, act);
	way = way_walk(&w.victim, &record);
	stepper_kill(&w.victim);
	judge(&w);
	close_world(&w);
	return way;
}

static void strike(const struct pump_act *act, const struct way *way, size_t i)
{
	struct pump_world w;
	struct trip trip = { .stepper = &w.victim, .point = way->points[i], .asleep = asleep };

	open_world(&w, act);
	snprintf(scene_where, sizeof(scene_where),
		 "pump: %s, killed at instruction %zu of %zu (address %llx, pass %u)", act->name, i,
		 way->count - 1, (unsigned long long)way->points[i].at, way->points[i].nth);
	trip_begin(&trip);
	if (trip_end(&trip) == ENDED)
		scene_fail("the victim has ended: %s", w.victim.child.note);
	stepper_kill(&w.victim);
	judge(&w);
	close_world(&w);
}

static bool beside_call(const struct way *way, size_t i)
{
	return way->points[i].called || (i + 1 < way->count && way->points[i + 1].called);
}

void pump_strike(size_t act, uint32_t most)
{
	struct resources before = resources_begin();
	uint64_t strikes = 0;
	struct way way;

	snprintf(scene_where, sizeof(scene_where), "pump: %s, walking", acts[act].name);
	way = walk(&acts[act]);
	for (size_t i = 0; i < way.count; i++)
		if (most == 0 || beside_call(&way, i) || test_random_below(way.count) < most) {
			strike(&acts[act], &way, i);
			strikes++;
		}
	printf("# %s: %zu instructions, killed at %" PRIu64 "\n", acts[act].name, way.count - 1,
	       strikes);
	fflush(stdout);
	way_free(&way);
	resources_check(&before);
}
