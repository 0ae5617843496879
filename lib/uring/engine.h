/* SPDX-License-Identifier: MIT */
/*
 * What a wait set waits with: io_uring or epoll. Two kinds of things are watched:
 *
 *	bells	eventfds, by edge: each write to one, also of 0, is one event, and nobody reads
 *		it. In the ring they are multishot polls, so that a wake-up is one system call.
 *	others	any descriptor, by level, in an epoll, which the ring watches in its turn. A poll in
 *		flight would keep the file open after its last close, so that a socket's peer would
 *		not hear of it, and only the thread that waits could take it back.
 *
 * One thread at a time waits. The other calls may be made by any thread meanwhile, under a lock of
 * the caller's: those of bells take effect when the waiting thread comes by next, so it has to be
 * told, by engine_kick().
 *
 * The key of a thing comes back with its events. Those of one that is not watched any more may
 * still come, if they were on their way.
 */
#ifndef WEIR_URING_ENGINE_H
#define WEIR_URING_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Keys are the user's, up to this. */
#define ENGINE_KEY_MAX	(UINT64_MAX - 16)

struct engine_event {
	uint64_t key;
	uint32_t events;	/* EPOLL*; of a bell they mean nothing */
};

/* Of a bell. Both, since an eventfd is always writable: then a write of 0 is an edge, too. */
#define ENGINE_BELL_EVENTS (EPOLLIN | EPOLLOUT | EPOLLET)

struct engine;

/* As @wanted, WEIR_ENGINE_*, says if it can be had. 0; -ENOMEM, -EMFILE, ... */
int engine_open(uint32_t wanted, struct engine **ret_engine);
/* Nobody waits. */
void engine_close(struct engine *e);
/* The same in a forked child. */
void engine_abandon(struct engine *e);

/* WEIR_ENGINE_*: the one that is used. It can only change from io_uring to epoll. */
uint32_t engine_kind(const struct engine *e);
/* How many system calls it has made to wait; how often it has slept. */
uint64_t engine_calls(const struct engine *e);
uint64_t engine_sleeps(const struct engine *e);

/*
 * Where it is watched now, a number for engine_unwatch_bell(), not negative; or -EEXIST, -ENOMEM,
 * -ENOSPC (fs.epoll.max_user_watches). There may be an event at once, for nothing.
 */
int engine_watch_bell(struct engine *e, int fd, uint64_t key);
void engine_unwatch_bell(struct engine *e, int place);
/* 0; -EEXIST; -EPERM: cannot be polled; -EBADF, -ELOOP, ... */
int engine_watch(struct engine *e, int fd, uint32_t events, uint64_t key);
int engine_watch_change(struct engine *e, int fd, uint32_t events, uint64_t key);
void engine_unwatch(struct engine *e, int fd);

/*
 * Wait for up to @count events until @deadline; how many, 0 if none came; -EINTR. May return 0
 * early, after engine_kick() and otherwise. @spin: it may stay awake for some microseconds before
 * it sleeps.
 */
int engine_wait(struct engine *e, struct engine_event *ret_events, size_t count, bool spin,
		int64_t deadline);
/*
 * Whether engine_wait() would find something, as far as that can be told without a system call. By
 * the thread that waits.
 */
bool engine_has_work(const struct engine *e);
/* Have the thread that waits, or the next one, return from engine_wait(). Any thread. */
void engine_kick(struct engine *e);

/*
 * A descriptor that is readable when engine_wait() may find something. From then on the engine is
 * the epoll. Nobody waits.
 */
int engine_share(struct engine *e);

#endif
