/* SPDX-License-Identifier: MIT */
/*
 * Inside a pump.
 *
 *	pump.c		making, closing, what a run is
 *	pump-object.c	the pipe or the queue at its one side
 *	pump-out.c	from there to a descriptor
 *	pump-in.c	from a descriptor to there
 *	pump-fd.c	the descriptor
 *	pump-frame.c	frames
 *	pump-scan.c	files of them
 */
#ifndef WEIR_OBJ_PUMP_H
#define WEIR_OBJ_PUMP_H

#include <errno.h>
#include <stdbool.h>
#include <sys/uio.h>

#include "obj/pump-frame.h"
#include "sys/stream.h"
#include "uring/transfer.h"
#include "weir/pump.h"

/* As many parts as one call can write: a frame and its message each. */
#define PUMP_PARTS	1024U
#define PUMP_BATCH	(PUMP_PARTS / 2)

#define PUMP_CALL_FLAGS	(WEIR_INTR | WEIR_NOSPIN)

/* What kind of descriptor it is: that decides by which calls, and how one waits. */
enum pump_kind {
	PUMP_FILE,	/* or a device: reads and writes are over at once, or wait as they like */
	PUMP_PIPE,
	PUMP_STREAM,	/* a socket */
	PUMP_PACKET	/* a socket that keeps messages apart */
};

struct pump_fd {
	int fd;
	enum pump_kind kind;
	bool regular;
	bool datagrams;		/* packets without an end: an empty one is one */
	bool no_nowait;		/* a pipe that cannot be written without waiting */
	uint64_t calls;
	bool uring;		/* by it, or by plain calls */
	bool placed;		/* a file that has a position, which counts */
	int64_t position;	/* where that should be, by the io_uring; -1: unknown */
	bool astray;		/* it is not there */
	struct transfer transfer;
};

/* A message on its way out. */
struct pump_message {
	const uint8_t *data;
	size_t size;
};

/* Messages taken and not yet written, oldest first: those of [first, count). */
struct pump_out {
	uint32_t first;
	uint32_t count;
	uint32_t most;		/* to be taken at once */
	uint64_t partial;	/* bytes of the first one's frame that are written */
	uint64_t number;	/* of the next frame */
	uint64_t unsynced;	/* bytes written since the last sync */
	struct pump_frame frames[PUMP_BATCH];
	struct pump_message messages[PUMP_BATCH];
	/* What the object calls them. */
	union {
		struct weir_msg of_pipe[PUMP_BATCH];
		struct weir_taken of_queue[PUMP_BATCH];
	};
	struct iovec parts[PUMP_PARTS];
	struct mmsghdr packets[PUMP_BATCH];
};

/* What was read and is not put yet: [begin, end) of bytes. */
struct pump_in {
	uint8_t *bytes;
	size_t room;
	size_t begin;
	size_t end;
	size_t checked;		/* the frames before are right */
	bool kept;		/* raw: it is a message */
};

struct weir_pump {
	/* 1 in the process that made it, 0 in its children: what is taken is not theirs. */
	uint32_t *here;
	uint32_t busy;		/* a thread is inside */
	uint32_t direction;
	struct weir_pump_options options;
	struct weir_end *end;	/* one of the two */
	struct weir_queue *queue;
	struct pump_fd io;
	int engine_error;	/* why there is no io_uring, if it was wanted */
	int register_error;	/* or why the object's memory is not registered with it */
	int error;		/* to be returned by the next run */
	uint64_t moved;		/* in this run */
	uint64_t messages;
	uint64_t payload;
	uint64_t bytes;
	uint64_t syncs;
	struct pump_in in;
	struct pump_out out;
};

static inline bool pump_is_raw(const struct weir_pump *p)
{
	return p->options.flags & WEIR_PUMP_RAW;
}

/* The deadline is past: what a call that waits for nothing any more returns, or 0. */
int pump_late(int64_t deadline);

/* One message has been moved, of @size bytes, @bytes of the descriptor. */
static inline void pump_count(struct weir_pump *p, uint64_t size, uint64_t bytes)
{
	p->moved++;
	p->messages++;
	p->payload += size;
	p->bytes += bytes;
}

/* pump.c */
int pump_sync(struct weir_pump *p);

/* pump-object.c */
/* Before the first message. */
void pump_begin(struct weir_pump *p);
/* Take up to @most messages into out: how many; 0: there will be none; or an error. */
int pump_take(struct weir_pump *p, uint32_t most, uint32_t flags, int64_t deadline);
/* The oldest @count of out are written. */
void pump_release(struct weir_pump *p, uint32_t count);
/* All of out are not to be written: they are to be handed over again. */
void pump_return(struct weir_pump *p);

/* Put the @count @messages, or the first of them: how many; or an error. */
int pump_put(struct weir_pump *p, const struct weir_msg *messages, size_t count, uint32_t flags,
	     int64_t deadline);
/* A message in place: 0 or an error; -EMSGSIZE: put it in another way. */
int pump_claim(struct weir_pump *p, size_t size, uint32_t flags, int64_t deadline,
	       void **ret_data);
int pump_commit(struct weir_pump *p, size_t size, uint32_t flags, int64_t deadline);
void pump_abort(struct weir_pump *p);
/* The most bytes of a message that one can claim. */
uint64_t pump_claim_max(const struct weir_pump *p);

/* Have the memory of the object registered, if it has some that can be: 0 or an error. */
int pump_register(struct weir_pump *p);

/* pump-fd.c */
/* Find out what @fd is, and whether it can be written, or read: 0 or an error. */
int pump_open(struct pump_fd *io, int fd, uint32_t direction);
/* Use an io_uring from now on: 0 or an error. */
int pump_open_uring(struct pump_fd *io);
/* A run begins: others may have moved the file's position since the last one. 0 or an error. */
int pump_find_position(struct pump_fd *io);
/* Set the file's position to where the io_uring should have: 0 or an error. */
int pump_come_back(struct pump_fd *io);
/* Write a part of these, at least a byte: how many; -EAGAIN: wait first; or an error. */
int64_t pump_write(struct pump_fd *io, struct iovec *parts, size_t count);
/* Read what is there, at least a byte: how many; 0: the end; -EAGAIN: wait first; or an error. */
int64_t pump_read(struct pump_fd *io, struct iovec *parts, size_t count);
/* Send some of these packets, at least one: how many; or as above. */
int pump_send(struct pump_fd *io, struct mmsghdr *packets, size_t count);
/* Wait until there may be room, or something to read, or an end: 0, -EAGAIN, -ETIMEDOUT, -EINTR. */
int pump_wait(struct pump_fd *io, uint32_t direction, uint32_t flags, int64_t deadline);

/* 1: @count are moved; 0: there will be no more; or an error. */
int pump_out(struct weir_pump *p, uint64_t count, uint32_t flags, int64_t deadline);
int pump_in(struct weir_pump *p, uint64_t count, uint32_t flags, int64_t deadline);
void pump_in_free(struct weir_pump *p);

#endif
