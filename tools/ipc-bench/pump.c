/* SPDX-License-Identifier: MIT */
#include "pump.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker.h"

#define PAUSES		200		/* then yield, where another may need this CPU */
#define COPY_BYTES	(64 << 10)	/* what a pipe holds */
#define DRAIN_BYTES	(256 << 10)

static int target = -1;			/* of this worker: where to, or where from */
static unsigned char *buffer;
static uint64_t moved;			/* messages of the last pass */

static uint64_t piece(const struct worker *w)
{
	return w->port.size < PUMP_PIECE ? PUMP_PIECE / w->port.size : 1;
}

int pump_feed(struct worker *w)
{
	const struct loops *loops = mechs[w->control->task.mechanism]->loops;
	struct pump *p = &w->control->pump;
	uint64_t done = 0, most = PUMP_MOST / w->port.size, sum;
	int r = 0;

	while (r == 0 && worker_goes_on(w, done) && (done == 0 || done + piece(w) <= most)) {
		done += piece(w);
		__atomic_store_n(&p->promised, done, __ATOMIC_RELEASE);
		for (uint64_t i = 0; i < piece(w) && r == 0; i++) {
			sum = pattern_write(&w->shape, w->out, pattern_header(0, w->sent.count));
			r = loops->put(&w->port, w->out);
			w->sent.count++;
			w->sent.sum += sum;
		}
	}
	w->done = done;
	w->end = bench_now();
	__atomic_store_n(&p->finished, 1, __ATOMIC_RELEASE);
	return r;
}

/* How many messages after @done are promised; 0: no more come. */
static uint64_t promised(struct worker *w, uint64_t done)
{
	const struct pump *p = &w->control->pump;
	uint64_t there;
	uint32_t finished;

	for (unsigned int i = 1;; i++) {
		finished = __atomic_load_n(&p->finished, __ATOMIC_ACQUIRE);
		there = __atomic_load_n(&p->promised, __ATOMIC_ACQUIRE);
		if (there > done || finished)
			return there - done;
		if (i % PAUSES == 0)
			worker_yield(w);
		bench_pause();
	}
}

int pump_move(struct worker *w)
{
	const struct pump_way *way = mechs[w->control->task.mechanism]->pump;
	uint64_t done = 0, left, size = w->port.size;
	int64_t n = 0;

	while (n >= 0 && (left = promised(w, done / size) * size - done % size) > 0) {
		n = way->move(w, target, left);
		done += n > 0 ? (uint64_t)n : 0;
	}
	moved = done / size;
	w->end = bench_now();
	/* Those that are received from the socket count. */
	w->done = w->control->task.setup.target == TARGET_FILE ? moved : 0;
	return n < 0 ? (int)n : 0;
}

static void take(struct worker *w, const unsigned char *message)
{
	uint64_t header, sum = pattern_read(&w->shape, message, &header);

	pattern_check_add(w->check, &w->shape, header, sum);
}

int pump_drain(struct worker *w)
{
	uint64_t done = 0, size = w->port.size, there = 0, used;
	ssize_t n;

	while (promised(w, done) > 0) {
		n = read(target, buffer + there, DRAIN_BYTES + size - there);
		if (n == 0 || (n < 0 && errno != EINTR))
			return n == 0 ? -EPIPE : -errno;
		there += n > 0 ? (uint64_t)n : 0;
		for (used = 0; there - used >= size; used += size, done++)
			take(w, buffer + used);
		there -= used;
		memmove(buffer, buffer + used, there);
	}
	w->done = done;
	w->end = bench_now();
	return 0;
}

int pump_check(struct worker *w)
{
	size_t size = moved * w->port.size;
	off_t there = lseek(target, 0, SEEK_END);
	unsigned char *file;

	if (w->control->task.setup.target != TARGET_FILE || size == 0)
		return 0;
	if (there != (off_t)size)
		return -EMSGSIZE;
	file = mmap(NULL, size, PROT_READ, MAP_SHARED, target, 0);
	if (file == MAP_FAILED)
		return -errno;
	for (uint64_t i = 0; i < moved; i++)
		take(w, file + i * w->port.size);
	munmap(file, size);
	if (ftruncate(target, 0) < 0 || lseek(target, 0, SEEK_SET) < 0)
		return -errno;
	return 0;
}

int pump_create(struct control *control, char why[MECH_WHY])
{
	int *socket = control->pump.socket;

	socket[0] = socket[1] = -1;
	if (control->task.setup.target == TARGET_SOCKET) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, socket) < 0)
			return mech_fail(why, "socketpair", errno);
		return 0;
	}
	socket[0] = memfd_create("ipc-bench-pump", MFD_CLOEXEC);
	return socket[0] < 0 ? mech_fail(why, "memfd_create", errno) : 0;
}

int pump_open(struct worker *w, char why[MECH_WHY])
{
	const struct pump_way *way = mechs[w->control->task.mechanism]->pump;
	int mine = (int)w->index - 1;	/* worker 1 moves, worker 2 receives */

	for (int i = 0; i < 2; i++)
		if (i != mine && w->control->pump.socket[i] >= 0)
			close(w->control->pump.socket[i]);
	if (mine < 0)
		return 0;
	target = w->control->pump.socket[mine];
	buffer = mmap(NULL, DRAIN_BYTES + w->port.size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (buffer == MAP_FAILED)
		return mech_fail(why, "memory for messages", errno);
	return mine == 0 && way->open ? way->open(w, target, why) : 0;
}

/* ---- ways of a pipe ---- */

static int64_t copy(struct worker *w, int fd, uint64_t bytes)
{
	ssize_t n = read(w->port.in, buffer, bytes < COPY_BYTES ? bytes : COPY_BYTES), part;
	ssize_t done = 0;

	if (n == 0 || (n < 0 && errno != EINTR))
		return n == 0 ? -EPIPE : -errno;
	while (done < n) {
		part = write(fd, buffer + done, (size_t)(n - done));
		if (part < 0 && errno != EINTR)
			return -errno;
		done += part > 0 ? part : 0;
	}
	return done;
}

static int64_t move_pages(struct worker *w, int fd, uint64_t bytes)
{
	ssize_t n = splice(w->port.in, NULL, fd, NULL, bytes, SPLICE_F_MOVE);

	if (n == 0 || (n < 0 && errno != EINTR))
		return n == 0 ? -EPIPE : -errno;
	return n < 0 ? 0 : n;
}

const struct pump_way pump_copy = { .move = copy };
const struct pump_way pump_splice = { .move = move_pages };
