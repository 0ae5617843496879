/* SPDX-License-Identifier: MIT */
/*
 * Polls in a ring: eventfds, and an epoll, each watched by a multishot poll, so that a wait is one
 * system call, whatever came.
 *
 * One thread waits, always the same; that one submits. The others leave in `to_do` what they want
 * watched, or not any more, and have it woken.
 */
#ifndef WEIR_URING_POLLS_H
#define WEIR_URING_POLLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct polls;
struct engine_event;

/*
 * @epoll	where those go that the ring does not take
 * 0; -ENOSYS, -EPERM, ... as ring_open().
 */
int polls_open(int epoll, struct polls **ret_polls);
void polls_close(struct polls *p);
/* The same in a forked child. */
void polls_abandon(struct polls *p);

/* Watch @fd: its place, or -ENOMEM. There is an event at once, for nothing. Any thread. */
int polls_watch(struct polls *p, int fd, uint64_t key);
void polls_unwatch(struct polls *p, int place);

/*
 * Wait until @deadline for events, first awake for as long as that was worth it lately if @spin;
 * how many, 0 for none; -EINTR; any other error: it cannot be used any more.
 */
int polls_wait(struct polls *p, struct engine_event *ret, size_t count, bool spin,
	       int64_t deadline);

/* Whether polls_wait() would find something. Costs nothing. By the thread that waits. */
bool polls_have_work(const struct polls *p);

/* Hand all to the epoll. By the thread that waits. */
void polls_give_up(struct polls *p);
/* Then: try again with those that it has not taken; whether all are watched now. */
bool polls_are_watched(struct polls *p);

/* System calls made; how often it has slept. */
uint64_t polls_calls(struct polls *p);
uint64_t polls_sleeps(const struct polls *p);

#endif
