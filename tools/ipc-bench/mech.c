/* SPDX-License-Identifier: MIT */
#include "mech.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

extern const struct mech mech_weir_pipe;
extern const struct mech mech_weir_pipe_zc;
extern const struct mech mech_weir_queue;
extern const struct mech mech_weir_queue_zc;
extern const struct mech mech_pipe;
extern const struct mech mech_pipe_splice;
extern const struct mech mech_fifo;
extern const struct mech mech_posix_mq;
extern const struct mech mech_sysv_mq;
extern const struct mech mech_unix_stream;
extern const struct mech mech_unix_dgram;
extern const struct mech mech_unix_seqpacket;
extern const struct mech mech_sem_shm;
extern const struct mech mech_ck_ring;
extern const struct mech mech_zeromq;
extern const struct mech mech_nng;
extern const struct mech mech_python_pipe;
extern const struct mech mech_python_queue;
extern const struct mech mech_weir_lock;
extern const struct mech mech_weir_lock_recursive;
extern const struct mech mech_weir_value;
extern const struct mech mech_weir_value_data;
extern const struct mech mech_weir_array;
extern const struct mech mech_pthread_mutex;
extern const struct mech mech_pthread_robust;
extern const struct mech mech_posix_sem;
extern const struct mech mech_futex;
extern const struct mech mech_flock;
extern const struct mech mech_sysv_sem;
extern const struct mech mech_python_lock;
extern const struct mech mech_python_value;
extern const struct mech mech_seqlock;
extern const struct mech mech_atomic;
extern const struct mech mech_memcpy;
extern const struct mech mech_selftest;
extern const struct mech mech_selftest_zc;
extern const struct mech mech_selftest_lock;
extern const struct mech mech_selftest_value;

const struct mech *const mechs[] = {
	&mech_weir_pipe,
	&mech_weir_pipe_zc,
	&mech_weir_queue,
	&mech_weir_queue_zc,
	&mech_pipe,
	&mech_pipe_splice,
	&mech_fifo,
	&mech_posix_mq,
	&mech_sysv_mq,
	&mech_unix_stream,
	&mech_unix_dgram,
	&mech_unix_seqpacket,
	&mech_sem_shm,
	&mech_ck_ring,
	&mech_zeromq,
	&mech_nng,
	&mech_python_pipe,
	&mech_python_queue,
	&mech_weir_lock,
	&mech_weir_lock_recursive,
	&mech_weir_value,
	&mech_weir_value_data,
	&mech_weir_array,
	&mech_pthread_mutex,
	&mech_pthread_robust,
	&mech_posix_sem,
	&mech_futex,
	&mech_flock,
	&mech_sysv_sem,
	&mech_python_lock,
	&mech_python_value,
	&mech_seqlock,
	&mech_atomic,
	&mech_memcpy,
	/* Not for users: HIDDEN of them, at the end. */
	&mech_selftest,
	&mech_selftest_zc,
	&mech_selftest_lock,
	&mech_selftest_value,
};

#define ALL (sizeof(mechs) / sizeof(mechs[0]))

#define HIDDEN 4

const size_t mech_count = ALL - HIDDEN;
const size_t mech_count_all = ALL;

const char *const *mech_names(void)
{
	static const char *names[ALL];

	for (size_t i = 0; i < mech_count; i++)
		names[i] = mechs[i]->name;
	return names;
}

int mech_find(const char *name)
{
	for (size_t i = 0; i < mech_count_all; i++)
		if (strcmp(mechs[i]->name, name) == 0)
			return (int)i;
	return -1;
}

bool mech_sends(const struct mech *mech)
{
	return mech->loops->stream_send != NULL;
}

bool mech_has_value(const struct mech *mech)
{
	for (int op = 0; op < VALUE_OPS; op++)
		if (mech->loops->value[op])
			return true;
	return false;
}

int mech_fail(char why[MECH_WHY], const char *what, int error)
{
	if (error < 0)
		error = -error;
	if (what)
		snprintf(why, MECH_WHY, "%s: %s", what, strerror(error));
	return -error;
}

bool mech_available(const struct mech *mech, char why[MECH_WHY])
{
	return !mech->available || mech->available(why);
}

bool mech_can(const struct mech *mech, const struct setup *setup, char why[MECH_WHY])
{
	if (setup->many && !(mech->capabilities & MECH_MANY)) {
		snprintf(why, MECH_WHY, "one process on each side of an object");
		return false;
	}
	if (setup->batch > 1 && !(mech->capabilities & MECH_BATCH) &&
	    !(setup->objects > 1 && (mech->capabilities & MECH_BYTES))) {
		snprintf(why, MECH_WHY, "no call for several messages");
		return false;
	}
	if (mech->size_max && setup->size > mech->size_max) {
		snprintf(why, MECH_WHY, "carries at most %llu bytes",
			 (unsigned long long)mech->size_max);
		return false;
	}
	return !mech->can || mech->can(setup, why);
}

void mech_blank(struct link *link)
{
	const struct setup *setup = &link->setup;

	for (int side = 0; side < 2; side++)
		link->port[side] = (struct port){
			.in = -1,
			.out = -1,
			.size = setup->size,
			.batch = setup->batch,
			.wait = setup->wait,
			.wake_ns = setup->wake_ns,
		};
}

int mech_make(const struct mech *mech, struct link *link)
{
	mech_blank(link);
	return mech->make(link);
}

int mech_create(const struct mech *mech, struct link *link, char why[MECH_WHY])
{
	mech_blank(link);
	return mech->create(link, why);
}

static void close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void mech_close(const struct mech *mech, struct link *link, int side)
{
	struct port *port = &link->port[side];

	if (mech->close) {
		mech->close(link, side);
		return;
	}
	if (port->out == port->in)	/* a socket: one descriptor for both */
		port->out = -1;
	close_one(&port->in);
	close_one(&port->out);
}

void mech_remove(const struct mech *mech, struct link *link)
{
	if (mech->remove)
		mech->remove(link);
}
