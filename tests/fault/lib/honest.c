/* SPDX-License-Identifier: MIT */
/* An honest process that shares a pipe with one that is not. */
#include "fault/lib/scribble.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CAPACITY	4096
#define LARGEST		(CAPACITY - 2 * RECORD_HEADER)
/* Larger than the ring. */
#define LARGE		(2 * CAPACITY)
#define LATE_NS		INT64_C(1000000000)
#define BATCH		4

/* What a call has used is of its own size, so that a sanitizer sees a byte too many. */
struct use {
	struct honest *honest;
	struct weir_end *end;
	int64_t nap_ns;
	int64_t deadline;
	int64_t began;
	uint64_t limit;		/* of weir_pipe_limit() */
	int64_t starved;	/* when these calls began: what a busy machine takes is no delay */
};

__attribute__((format(printf, 2, 3))) static void wrong(struct honest *h, const char *format, ...)
{
	va_list args;

	if (h->wrong[0])
		return;
	va_start(args, format);
	vsnprintf(h->wrong, sizeof(h->wrong), format, args);
	va_end(args);
}

void honest_open(struct honest *h)
{
	struct weir_pipe_options options = { .size = sizeof(options), .capacity = CAPACITY };

	if (weir_pipe(h->ends, &options) < 0)
		ck_abort_msg("no pipe");
}

void honest_close(struct honest *h)
{
	weir_pipe_close(h->ends[0]);
	weir_pipe_close(h->ends[1]);
	h->ends[0] = h->ends[1] = NULL;
}

/* The deadline for the next call. */
static int64_t begin(struct use *u, bool naps)
{
	u->began = test_now();
	u->deadline = naps ? u->began + u->nap_ns : 0;
	return u->deadline;
}

static bool expected(int result)
{
	static const int errors[] = {
		EAGAIN, ETIMEDOUT, EPIPE, ESHUTDOWN, EBUSY, EMSGSIZE, EBADMSG, EOWNERDEAD, EPROTO
	};

	for (size_t i = 0; i < ARRAY_LENGTH(errors); i++)
		if (result == -errors[i])
			return true;
	return result >= 0;
}

static int end(struct use *u, const char *call, int result)
{
	int64_t now = test_now(), due = u->deadline > u->began ? u->deadline : u->began;

	u->honest->calls++;
	if (now - due > u->honest->worst_ns)
		u->honest->worst_ns = now - due;
	if (now - due > LATE_NS && now - due > LATE_NS + child_starved(getpid()) - u->starved)
		wrong(u->honest, "%s took %lld ms", call, (long long)(now - due) / 1000000);
	if (!expected(result))
		wrong(u->honest, "%s: %d, %s", call, result, weir_strerror(result));
	return result;
}

static void call_send(struct use *u, size_t size, uint32_t flags, bool naps)
{
	uint8_t *data = calloc(1, size ? size : 1);

	end(u, "send", weir_pipe_send(u->end, data, size, flags, begin(u, naps)));
	free(data);
}

static void call_send_batch(struct use *u, bool naps)
{
	struct weir_msg messages[BATCH];
	uint8_t *data = calloc(BATCH, 200);
	int result;

	for (size_t i = 0; i < BATCH; i++)
		messages[i] = (struct weir_msg){ data + i * 200, 200, 0 };
	result = weir_pipe_send_batch(u->end, messages, BATCH, WEIR_NOSPIN, begin(u, naps));
	if (end(u, "send_batch", result) > BATCH)
		wrong(u->honest, "send_batch of %d: %d", BATCH, result);
	free(data);
}

static void call_recv(struct use *u, size_t room, uint32_t flags, bool naps)
{
	uint8_t *buffer = malloc(room);
	size_t size = SIZE_MAX;
	int result = weir_pipe_recv(u->end, buffer, room, flags, begin(u, naps), &size);

	end(u, "recv", result);
	if (result == 0 && size > room)
		wrong(u->honest, "recv into %zu: %zu bytes", room, size);
	if (result == -EMSGSIZE && ((size <= room && size <= u->limit) || size > UINT32_MAX))
		wrong(u->honest, "recv into %zu: too large with %zu", room, size);
	free(buffer);
}

/* Where the peer says that one comes next, nothing of it has come. */
static void call_recv_handle(struct use *u, bool naps)
{
	struct weir_end *handle;
	int result = weir_pipe_recv_handle(u->end, WEIR_KIND_PIPE_END, WEIR_NOSPIN, begin(u, naps),
					   &handle);

	if (end(u, "recv_handle", result) == 0)
		wrong(u->honest, "recv_handle: out of nothing");
}

static void call_recv_batch(struct use *u, bool naps)
{
	struct weir_msg messages[BATCH];
	uint8_t *buffers[BATCH];
	int result;

	for (size_t i = 0; i < BATCH; i++) {
		size_t room = i == 1 ? 40 : 300;

		buffers[i] = malloc(room);
		messages[i] = (struct weir_msg){ buffers[i], SIZE_MAX, room };
	}
	result = weir_pipe_recv_batch(u->end, messages, BATCH, WEIR_NOSPIN, begin(u, naps));
	end(u, "recv_batch", result);
	if (result > BATCH || result == 0)
		wrong(u->honest, "recv_batch of %d: %d", BATCH, result);
	for (int i = 0; i < result && i < BATCH; i++)
		if (messages[i].size > messages[i].room)
			wrong(u->honest, "recv_batch: %zu bytes", messages[i].size);
	for (size_t i = 0; i < BATCH; i++)
		free(buffers[i]);
}

/* What was claimed can be written to, all of it. */
static void call_claim(struct use *u, size_t size, bool commits, bool naps)
{
	void *data;
	int result = weir_pipe_claim(u->end, size, WEIR_NOSPIN, begin(u, naps), &data);

	if (end(u, "claim", result) < 0)
		return;
	memset(data, 0xa5, size);
	begin(u, false);
	if (commits)
		result = weir_pipe_commit(u->end, size / 2, 0);
	else
		result = weir_pipe_abort(u->end);
	if (end(u, commits ? "commit" : "abort", result) != 0)
		wrong(u->honest, "a claim cannot be ended: %d", result);
}

/* What was taken can be read, all of it. */
static void look_at(struct use *u, const struct weir_msg *m)
{
	const volatile uint8_t *bytes = m->data;
	uint8_t sum = 0;

	if (m->size > UINT32_MAX)
		wrong(u->honest, "taken: %zu bytes", m->size);
	for (size_t i = 0; i < m->size; i++)
		sum ^= bytes[i];
	(void)sum;
}

static void call_take(struct use *u, size_t count, bool naps)
{
	struct weir_msg messages[BATCH];
	int result = weir_pipe_take_batch(u->end, messages, count, WEIR_NOSPIN, begin(u, naps));

	end(u, "take_batch", result);
	if (result > (int)count || result == 0)
		wrong(u->honest, "take_batch of %zu: %d", count, result);
	for (int i = 0; i < result; i++)
		look_at(u, &messages[i]);
	/* The oldest last, which frees all of them. */
	for (int i = result - 1; i >= 0; i--)
		if (weir_pipe_release(u->end, messages[i].data) != 0)
			wrong(u->honest, "what was taken cannot be released");
}

static void call_limit(struct use *u, uint64_t size)
{
	begin(u, false);
	end(u, "limit", weir_pipe_limit(u->end, size));
	u->limit = size;
}

static void call_poll(struct use *u, uint32_t events, bool naps)
{
	uint32_t got = 0;
	int result = weir_pipe_poll(u->end, events, WEIR_NOSPIN, begin(u, naps), &got);

	end(u, "poll", result);
	if (result == 0 && got == 0)
		wrong(u->honest, "poll: nothing is ready");
}

static void call_fd(struct use *u)
{
	struct pollfd p = { .events = POLLIN };

	begin(u, false);
	p.fd = weir_pipe_fd(u->end);
	end(u, "fd", p.fd);
	if (p.fd >= 0)
		poll(&p, 1, 0);
}

/* A reader of both sizes of buffers, and a writer of both ways through the library. */
static void use_end(struct use *u)
{
	call_send(u, 24, 0, false);
	call_send(u, 24, WEIR_NOSPIN, true);
	call_recv(u, 64, 0, false);
	call_recv_handle(u, false);
	call_send(u, 1000, WEIR_NOSPIN, false);
	call_recv(u, LARGEST, WEIR_NOSPIN, true);
	call_send(u, 0, WEIR_MORE, false);
	call_send_batch(u, true);
	begin(u, false);
	end(u, "flush", weir_pipe_flush(u->end));
	call_poll(u, WEIR_IN | WEIR_OUT, true);
	call_recv_batch(u, true);
	call_poll(u, 0, false);
	call_recv(u, LARGEST, 0, false);
	call_recv_handle(u, true);
	call_send(u, LARGEST, WEIR_NOSPIN, true);
	call_fd(u);
	call_send(u, LARGE, WEIR_NOSPIN, true);
	for (int i = 0; i < 4; i++)
		call_recv(u, LARGE, 0, false);
	for (int i = 0; i < 8; i++)
		call_recv(u, 300, 0, false);
	call_claim(u, 100, true, false);
	call_take(u, BATCH, true);
	call_claim(u, LARGEST, false, false);
	call_claim(u, LARGEST, true, true);
	call_take(u, 1, false);
	call_take(u, BATCH, false);
	call_limit(u, 200);
	call_recv(u, 300, 0, false);
	call_take(u, 1, false);
	call_limit(u, UINT64_MAX);
	begin(u, false);
	end(u, "handover", weir_pipe_handover(u->end));
	call_recv_batch(u, false);
	call_send(u, 24, 0, false);
}

bool honest_call_all(struct honest *h, int64_t nap_ns)
{
	for (int i = 0; i < 2; i++) {
		struct use u = {
			.honest = h,
			.end = h->ends[i],
			.nap_ns = nap_ns,
			.limit = UINT64_MAX,
			.starved = child_starved(getpid()),
		};

		use_end(&u);
	}
	return !h->wrong[0];
}

struct errand {
	struct honest *honest;
	int64_t nap_ns;
};

static int call_and_die(void *arg)
{
	struct errand *errand = arg;
	struct honest *h = errand->honest;

	if (!honest_call_all(h, errand->nap_ns))
		child_fail(__FILE__, __LINE__, h->wrong);
	raise(SIGKILL);
	return 0;
}

bool honest_call_all_in_child(struct honest *h, int64_t nap_ns)
{
	struct errand errand = { h, nap_ns };
	struct child child = child_start(call_and_die, &errand);
	char note[sizeof(h->wrong)];
	int64_t hang = soon();
	int status;

	while (child_state(child.pid) != 'Z' && test_now() < hang)
		usleep(50);
	kill(child.pid, SIGKILL);
	snprintf(note, sizeof(note), "%.*s", (int)sizeof(note) - 1, child.note);
	if (test_now() >= hang)
		wrong(h, "a child hangs");
	status = child_join(&child);
	if (status != SIGKILL)
		wrong(h, "a child ended with %#x %.100s", status, note);
	return !h->wrong[0];
}

/*
 * At full speed
 */

#define NAP_NS		INT64_C(200000)
#define ROUNDS		6
/* Pages. What the allocator and a sanitizer keep is not what the peer has made grow. */
#define GROWTH_MAX	(SANITIZED ? 16384 : 64)

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

static long resident_pages(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	long pages = 0;

	if (!file || fscanf(file, "%*d %ld", &pages) != 1)
		ck_abort_msg("/proc/self/statm");
	fclose(file);
	return pages;
}

/* One pipe with a scribbler on it, for some rounds of calls. */
static void live_once(enum scribble kind, struct honest *h)
{
	struct scribbler scribbler = { .kind = kind, .seed = test_random() };
	struct child child;

	honest_open(h);
	memcpy(scribbler.ends, h->ends, sizeof(scribbler.ends));
	child = child_start(scribble_forever, &scribbler);
	for (int i = 0; i < ROUNDS; i++) {
		bool fine = i == ROUNDS / 2 ? honest_call_all_in_child(h, NAP_NS)
					    : honest_call_all(h, NAP_NS);

		if (!fine)
			ck_abort_msg("%s: %s", scribble_name(kind), h->wrong);
	}
	child_kill(&child);
	honest_close(h);
}

void honest_live(enum scribble kind, int64_t duration_ns)
{
	int64_t until = test_now() + duration_ns;
	struct resources before;
	struct honest h = { 0 };
	long pages;

	for (int i = 0; i < 20; i++)
		live_once(kind, &h);
	before = resources_begin();
	pages = resident_pages();
	while (test_now() < until)
		live_once(kind, &h);
	pages = resident_pages() - pages;
	ck_assert_msg(pages < GROWTH_MAX, "%s: grown by %ld pages", scribble_name(kind), pages);
	resources_check(&before);
	printf("# %s: %" PRIu64 " calls, at worst %" PRId64 " us past the deadline, %ld pages\n",
	       scribble_name(kind), h.calls, h.worst_ns / 1000, pages);
	fflush(stdout);
}
