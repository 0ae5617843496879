/* SPDX-License-Identifier: MIT */
/* Many descriptors through one io_uring, with nothing of the library. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "crowd.h"
#include "waitmany.h"
#include "worker.h"

#if WEIR_URING
#include <liburing.h>

#define IN_MAX (UINT64_C(1) << 30)	/* bytes for what is received */

static struct {
	struct io_uring ring;
	unsigned char *in;	/* a batch of each object */
	size_t in_bytes;	/* of one */
	unsigned int pending;
	struct {
		uint32_t object;
		const unsigned char *message;
	} out[WAITMANY_SLOTS];
} state;

static int make_ring(unsigned int entries, char why[MECH_WHY])
{
	struct io_uring_params fast = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
	};
	struct io_uring_params plain = { 0 };
	int r = io_uring_queue_init_params(entries, &state.ring, &fast);

	if (r == -EINVAL)	/* before Linux 6.1 */
		r = io_uring_queue_init_params(entries, &state.ring, &plain);
	return r < 0 ? mech_fail(why, "io_uring", r) : 0;
}

static struct io_uring_sqe *next_sqe(void)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&state.ring);

	while (!sqe) {
		io_uring_submit(&state.ring);
		sqe = io_uring_get_sqe(&state.ring);
	}
	return sqe;
}

static int enter(unsigned int wait)
{
	int r;

	do
		r = io_uring_submit_and_wait(&state.ring, wait);
	while (r == -EINTR);
	return r < 0 ? r : 0;
}

/* ---- sending: one submission of all writes ---- */

static int out_open(struct worker *w, char why[MECH_WHY])
{
	(void)w;
	return make_ring(WAITMANY_SLOTS, why);
}

static int out_send(struct worker *w, uint32_t object, const void *message)
{
	struct io_uring_sqe *sqe = next_sqe();
	unsigned int i = state.pending++;

	state.out[i].object = object;
	state.out[i].message = message;
	io_uring_prep_write(sqe, w->link[object].port[0].out, message, (unsigned int)w->port.size,
			    (uint64_t)-1);
	sqe->user_data = i;
	return 0;
}

/* A stream of bytes may take a part of a message only. */
static int write_rest(struct worker *w, unsigned int i, size_t done)
{
	int fd = w->link[state.out[i].object].port[0].out;
	ssize_t n;

	while (done < w->port.size) {
		n = write(fd, state.out[i].message + done, w->port.size - done);
		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static int out_flush(struct worker *w)
{
	struct io_uring_cqe *cqe;
	unsigned int head, reaped;
	int r = 0;

	while (state.pending && r == 0) {
		r = enter(state.pending);
		reaped = 0;
		io_uring_for_each_cqe(&state.ring, head, cqe)
		{
			reaped++;
			if (r == 0 && cqe->res < 0)
				r = cqe->res;
			else if (r == 0 && (size_t)cqe->res != w->port.size)
				r = write_rest(w, (unsigned int)cqe->user_data, (size_t)cqe->res);
		}
		io_uring_cq_advance(&state.ring, reaped);
		state.pending -= reaped;
	}
	return r;
}

/* ---- receiving: a read in flight for each object ---- */

static void read_next(struct worker *w, uint32_t object)
{
	struct io_uring_sqe *sqe = next_sqe();

	io_uring_prep_read(sqe, w->link[object].port[1].in, state.in + object * state.in_bytes,
			   (unsigned int)(w->port.size * w->port.batch), (uint64_t)-1);
	sqe->user_data = object;
}

static int in_open(struct worker *w, char why[MECH_WHY])
{
	uint32_t objects = w->control->task.setup.objects;
	int r;

	state.in_bytes = w->stride * w->port.batch;
	if (state.in_bytes * objects > IN_MAX) {
		snprintf(why, MECH_WHY, "a read in flight for each object would take %zu MiB",
			 state.in_bytes * objects >> 20);
		return -E2BIG;
	}
	state.in = mmap(NULL, state.in_bytes * objects, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (state.in == MAP_FAILED)
		return mech_fail(why, "memory for messages", errno);
	r = make_ring(objects, why);
	for (uint32_t i = 0; i < objects && r == 0; i++)
		read_next(w, i);
	return r;
}

static int take(struct worker *w, const struct io_uring_cqe *cqe)
{
	uint32_t object = (uint32_t)cqe->user_data;
	const struct mech *mech = mechs[w->control->task.mechanism];
	int r = 0;

	if (cqe->res == 0)
		return -EPIPE;
	if (cqe->res < 0 && cqe->res != -EINTR && cqe->res != -EAGAIN)
		return cqe->res;
	if (cqe->res > 0 && !(mech->capabilities & MECH_BYTES) && (size_t)cqe->res != w->port.size)
		return -EMSGSIZE;
	if (cqe->res > 0)
		r = waitmany_bytes(w, &w->link[object].port[1], state.in + object * state.in_bytes,
				   (size_t)cqe->res);
	read_next(w, object);
	return r;
}

static int in_wait(struct worker *w)
{
	struct io_uring_cqe *cqe;
	unsigned int head, reaped = 0;
	int r = enter(1);

	if (r < 0)
		return r;
	io_uring_for_each_cqe(&state.ring, head, cqe)
	{
		reaped++;
		if (r == 0)
			r = take(w, cqe);
	}
	io_uring_cq_advance(&state.ring, reaped);
	return r;
}
#else
static int none(char why[MECH_WHY])
{
	snprintf(why, MECH_WHY, "built without liburing");
	return -ENOSYS;
}

static int out_open(struct worker *w, char why[MECH_WHY])
{
	(void)w;
	return none(why);
}

static int out_send(struct worker *w, uint32_t object, const void *message)
{
	(void)w;
	(void)object;
	(void)message;
	return -ENOSYS;
}

static int out_flush(struct worker *w)
{
	(void)w;
	return -ENOSYS;
}

static int in_open(struct worker *w, char why[MECH_WHY])
{
	(void)w;
	return none(why);
}

static int in_wait(struct worker *w)
{
	(void)w;
	return -ENOSYS;
}
#endif

const struct crowd_way crowd_uring = {
	.out_open = out_open,
	.out_send = out_send,
	.out_flush = out_flush,
	.in_open = in_open,
	.in_wait = in_wait,
};
