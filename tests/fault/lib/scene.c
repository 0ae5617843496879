/* SPDX-License-Identifier: MIT */
/* The processes of a scene, and what they say to each other. */
#include "fault/lib/scene.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

char scene_where[320];

void scene_fail(const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	ck_abort_msg("%s: %s", scene_where, text);
	_exit(1);
}

/*
 * Messages: number, size, and bytes that follow from both
 */

struct head {
	uint32_t number;
	uint32_t size;
};

static uint8_t byte_of(uint32_t number, size_t at)
{
	return (uint8_t)(number * 31 + at * 7 + (at >> 8) + 1);
}

void scene_fill(void *buffer, uint32_t number, uint32_t size)
{
	struct head head = { number, size };
	uint8_t *bytes = buffer;

	memcpy(bytes, &head, sizeof(head));
	for (size_t i = sizeof(head); i < size; i++)
		bytes[i] = byte_of(number, i);
}

static uint32_t number_of(const void *buffer)
{
	struct head head;

	memcpy(&head, buffer, sizeof(head));
	return head.number;
}

bool scene_whole(const void *buffer, size_t size)
{
	const uint8_t *bytes = buffer;
	struct head head;

	if (size < sizeof(head))
		return false;
	memcpy(&head, buffer, sizeof(head));
	if (head.size != size)
		return false;
	for (size_t i = sizeof(head); i < size; i++)
		if (bytes[i] != byte_of(head.number, i))
			return false;
	return true;
}

void scene_log(struct ledger *ledger, const void *buffer, size_t size)
{
	uint32_t n = ledger->received;

	if (!scene_whole(buffer, size))
		ledger->broken++;
	if (n < LOG_MAX) {
		ledger->numbers[n] = size >= sizeof(struct head) ? number_of(buffer) : UINT32_MAX;
		ledger->times[n] = test_now();
	}
	store_release(&ledger->received, n + 1);
}

int scene_send(struct world *w, uint32_t size, uint32_t flags, int64_t deadline)
{
	struct ledger *l = w->ledger;
	uint8_t buffer[SCENE_ROOM];
	int result;

	scene_fill(buffer, l->attempted, size);
	say(&l->attempted, l->attempted + 1);
	result = weir_pipe_send(w->ends[1], buffer, size, flags, deadline);
	if (result < 0)
		say(&l->attempted, l->attempted - 1);
	else if (!(flags & WEIR_MORE))
		say(&l->completed, l->attempted);
	return result;
}

int scene_drain(struct world *w, uint32_t most, int64_t deadline)
{
	uint8_t buffer[SCENE_ROOM];
	int result = 0;
	size_t size;

	for (uint32_t i = 0; i < most; i++) {
		result = weir_pipe_recv(w->ends[0], buffer, sizeof(buffer), WEIR_NOSPIN, deadline,
					&size);
		if (result == -EOWNERDEAD) {
			w->ledger->cut++;
			continue;
		}
		if (result < 0)
			break;
		scene_log(w->ledger, buffer, size);
	}
	return result == -EOWNERDEAD ? 0 : result;
}

/*
 * The victim
 */

static uint64_t record_size(uint32_t size)
{
	return lane_record_size(size);
}

/* So that what is left is just what the act needs. */
static void send_until_almost_full(struct world *w)
{
	const struct act *act = w->scene->act;
	uint64_t record = record_size(act->size);
	uint64_t left = SCENE_USABLE - act->count * record;
	uint32_t first = act->size + (uint32_t)(left % record);

	child_check(scene_send(w, first, 0, 0) == 0);
	for (left -= record_size(first); left > 0; left -= record)
		child_check(scene_send(w, act->size, 0, 0) == 0);
}

static void send_until_full(struct world *w)
{
	while (scene_send(w, w->scene->act->size, 0, 0) == 0)
		;
}

static void prepare_sender(struct world *w)
{
	const struct state *state = w->scene->state;
	const struct act *act = w->scene->act;

	if (act->first_use)
		return;
	if (state->fill == FILL_ALMOST) {
		send_until_almost_full(w);
	} else if (state->fill == FILL_FULL) {
		send_until_full(w);
	} else {
		uint32_t count = (state->laps ? LAPS : WARM) + state->fill;

		for (uint32_t i = 0; i < count; i++)
			child_check(scene_send(w, 24, 0, soon()) == 0);
	}
	if (state->pending)
		for (uint32_t i = 0; i < 2; i++)
			child_check(scene_send(w, 24, WEIR_MORE, 0) == 0);
}

static void receive_one(struct world *w)
{
	struct ledger *l = w->ledger;
	struct weir_msg *m = &w->messages[0];

	child_check(weir_pipe_recv(w->ends[0], m->data, m->room, WEIR_NOSPIN, soon(), &m->size) ==
		    0);
	child_check(scene_whole(m->data, m->size));
	child_check(number_of(m->data) == l->reported);
	l->reported++;
}

/* Who sleeps for the first time asks for fences. */
static void sleep_once(struct world *w)
{
	struct weir_msg *m = &w->messages[0];
	int result = weir_pipe_recv(w->ends[0], m->data, m->room, WEIR_NOSPIN, test_now() + 50000,
				    &m->size);

	child_check(result == -ETIMEDOUT);
	say(&w->ledger->slept, 1);
}

static void prepare_receiver(struct world *w)
{
	if (w->scene->act->first_use)
		return;
	if (w->scene->state->fenced)
		sleep_once(w);
	for (uint32_t i = 0; i < WARM; i++)
		receive_one(w);
}

static void make_messages(struct world *w)
{
	static uint8_t bytes[LOG_MAX / 8][SCENE_ROOM];
	static struct weir_msg messages[LOG_MAX / 8];

	for (uint32_t i = 0; i < LOG_MAX / 8; i++) {
		messages[i] = (struct weir_msg){ bytes[i], w->scene->act->size, sizeof(bytes[i]) };
		if (!w->scene->act->reads)
			scene_fill(bytes[i], w->ledger->attempted + i, w->scene->act->size);
	}
	w->messages = messages;
}

/* When it has survived: receive all there is, or say that there will be no more. */
static void go_on(struct world *w)
{
	int result = 0;

	say(&w->ledger->done, 1);
	while (!load_acquire(&w->ledger->go))
		usleep(50);
	if (w->closed || w->ledger->refused)
		return;
	if (w->scene->act->reads && !w->scene->act->gives_up) {
		while (result == 0) {
			struct weir_msg *m = &w->messages[0];

			result = weir_pipe_recv(w->ends[0], m->data, m->room, 0, soon(), &m->size);
			if (result == 0) {
				child_check(scene_whole(m->data, m->size));
				child_check(number_of(m->data) == w->ledger->reported);
				w->ledger->reported++;
			}
		}
		child_check(result == -EPIPE);
	}
	weir_pipe_close(w->ends[scene_victim_end(w->scene)]);
}

int scene_victim(void *arg)
{
	struct world *w = arg;

	weir_pipe_close(w->ends[1 - scene_victim_end(w->scene)]);
	make_messages(w);
	if (w->scene->act->reads)
		prepare_receiver(w);
	else
		prepare_sender(w);
	make_messages(w);
	stepper_mark_begin();
	w->scene->act->run(w);
	stepper_mark_end();
	if (w->last)
		child_check(scene_whole(w->last->data, w->last->size));
	go_on(w);
	return 0;
}

/*
 * The others. They wait without end: how long it takes until it is the victim's turn is the
 * machine's affair, and who should have been woken and was not is killed by the judge.
 */

static int receive_all(struct world *w)
{
	uint32_t events;
	int result;

	do {
		result = 0;
		if (w->scene->state->peer == PEER_POLLS)
			result = weir_pipe_poll(w->ends[0], WEIR_IN, WEIR_NOSPIN, FOREVER, &events);
		if (result == 0)
			result = scene_drain(w, 1, FOREVER);
	} while (result == 0);
	return result;
}

/* An event loop. */
static int receive_all_in_loop(struct world *w)
{
	struct pollfd p = { .fd = weir_pipe_fd(w->ends[0]), .events = POLLIN };
	int result;

	do {
		child_check(poll(&p, 1, -1) == 1);
		result = scene_drain(w, UINT32_MAX, 0);
	} while (result == -EAGAIN);
	return result;
}

static int send_all(struct world *w)
{
	struct ledger *l = w->ledger;
	uint32_t size = w->scene->act->size, events;
	uint32_t total = l->sent + (size > SCENE_USABLE / 2 ? 4 : SCENE_USABLE / 32 + 80);
	uint8_t buffer[SCENE_ROOM];
	int result = 0;

	while (result == 0 && l->sent < total) {
		if (w->scene->state->peer == PEER_POLLS)
			result =
				weir_pipe_poll(w->ends[1], WEIR_OUT, WEIR_NOSPIN, FOREVER, &events);
		if (result < 0)
			break;
		scene_fill(buffer, l->sent, size);
		result = weir_pipe_send(w->ends[1], buffer, size, WEIR_NOSPIN, FOREVER);
		if (result == 0)
			l->sent++;
	}
	return result;
}

int scene_peer(void *arg)
{
	struct world *w = arg;
	int result;

	weir_pipe_close(w->ends[scene_victim_end(w->scene)]);
	if (w->scene->act->reads)
		result = send_all(w);
	else
		result = w->scene->state->peer == PEER_LOOPS ? receive_all_in_loop(w)
							     : receive_all(w);
	w->ledger->result = result;
	w->ledger->ended = test_now();
	child_check(result == 0 || result == -EPIPE);
	return 0;
}

int scene_fencer(void *arg)
{
	struct world *w = arg;
	struct ledger *l = w->ledger;
	uint8_t buffer[SCENE_ROOM];

	while (!load_acquire(&l->slept))
		usleep(50);
	for (uint32_t i = 0; i < WARM; i++) {
		scene_fill(buffer, l->sent, w->scene->act->size);
		child_check(weir_pipe_send(w->ends[1], buffer, w->scene->act->size, 0, 0) == 0);
		l->sent++;
	}
	weir_pipe_handover(w->ends[1]);
	return 0;
}

int scene_predecessor(void *arg)
{
	struct world *w = arg;

	if (w->scene->act->reads) {
		make_messages(w);
		prepare_receiver(w);
		for (int i = 0; i < 3; i++)
			receive_one(w);
	} else {
		/* Many, so that its position lags behind; then some that nobody may ever see. */
		for (uint32_t i = 0; i < 12; i++)
			child_check(scene_send(w, 24, 0, 0) == 0);
		for (uint32_t i = 0; i < 3; i++)
			child_check(scene_send(w, 40, WEIR_MORE, 0) == 0);
		w->ledger->attempted = w->ledger->completed;
	}
	raise(SIGKILL);
	return 0;
}
