/* SPDX-License-Identifier: MIT */
/* Adding sources to a wait set: each kind's call. */
#include <errno.h>
#include <stdlib.h>

#include "obj/array.h"
#include "obj/waitset.h"
#include "sys/sys.h"

#define BOTH	(WEIR_IN | WEIR_OUT)

static struct source *new_source(struct weir_waitset *set, enum source_kind kind, uint32_t events,
				 void *cookie)
{
	struct source *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->kind = kind;
	s->set = set;
	s->events = events;
	s->cookie = cookie;
	s->fd = -1;
	s->bells[WHICH_IN] = s->bells[WHICH_OUT] = SOURCE_NO_BELL;
	s->due = WEIR_FOREVER;
	return s;
}

int weir_waitset_add_pipe(struct weir_waitset *set, struct weir_end *end, uint32_t events,
			  void *cookie, uint64_t *ret_source)
{
	int result = waitset_check(set);
	struct source *s;

	if (result == 0 && (!end || (events & ~BOTH)))
		result = -EINVAL;
	if (result < 0)
		return result;
	s = new_source(set, SOURCE_PIPE, events, cookie);
	if (!s)
		return -ENOMEM;
	s->object.end = end;
	return source_add(s, ret_source);
}

int weir_waitset_add_queue(struct weir_waitset *set, struct weir_queue *queue, uint32_t events,
			   void *cookie, uint64_t *ret_source)
{
	int result = waitset_check(set);
	struct source *s;

	if (result == 0 && (!queue || (events & ~BOTH)))
		result = -EINVAL;
	if (result < 0)
		return result;
	s = new_source(set, SOURCE_QUEUE, events, cookie);
	if (!s)
		return -ENOMEM;
	s->object.queue = queue;
	return source_add(s, ret_source);
}

/* Of any kind that says when it is ready. */
static int add_shared(struct weir_waitset *set, struct shared *shared, void *cookie,
		      uint64_t *ret_source)
{
	int result = waitset_check(set);
	struct source *s;

	if (result == 0 && !shared)
		result = -EINVAL;
	if (result < 0)
		return result;
	s = new_source(set, SOURCE_SHARED, WEIR_IN, cookie);
	if (!s)
		return -ENOMEM;
	s->object.shared = shared;
	return source_add(s, ret_source);
}

int weir_waitset_add_event(struct weir_waitset *set, struct weir_event_flag *event, void *cookie,
			   uint64_t *ret_source)
{
	return add_shared(set, (struct shared *)event, cookie, ret_source);
}

int weir_waitset_add_array(struct weir_waitset *set, struct weir_array *array, void *cookie,
			   uint64_t *ret_source)
{
	if (set && array)
		array_watch(array);
	return add_shared(set, (struct shared *)array, cookie, ret_source);
}

int weir_waitset_add_value(struct weir_waitset *set, struct weir_value *value, void *cookie,
			   uint64_t *ret_source)
{
	return weir_waitset_add_array(set, value ? &value->array : NULL, cookie, ret_source);
}

int weir_waitset_add_semaphore(struct weir_waitset *set, struct weir_semaphore *semaphore,
			       void *cookie, uint64_t *ret_source)
{
	return add_shared(set, (struct shared *)semaphore, cookie, ret_source);
}

int weir_waitset_add_listener(struct weir_waitset *set, struct weir_listener *listener,
			      void *cookie, uint64_t *ret_source)
{
	int result = waitset_check(set);
	struct source *s;

	if (result == 0 && !listener)
		result = -EINVAL;
	if (result < 0)
		return result;
	s = new_source(set, SOURCE_LISTENER, WEIR_IN, cookie);
	if (!s)
		return -ENOMEM;
	s->object.listener = listener;
	return source_add(s, ret_source);
}

int weir_waitset_add_process(struct weir_waitset *set, int32_t pid, void *cookie,
			     uint64_t *ret_source)
{
	int result = waitset_check(set), fd;
	struct source *s;

	if (result == 0 && pid <= 0)
		result = -EINVAL;
	if (result < 0)
		return result;
	fd = sys_pidfd(pid);
	if (fd < 0)
		return fd;
	fd = sys_move_high(fd);
	s = new_source(set, SOURCE_PROCESS, WEIR_IN, cookie);
	if (s)
		s->fd = fd;
	result = s ? source_add(s, ret_source) : -ENOMEM;
	if (result < 0)
		sys_close(fd);
	return result;
}

int weir_waitset_add_fd(struct weir_waitset *set, int fd, uint32_t events, void *cookie,
			uint64_t *ret_source)
{
	int result = waitset_check(set);
	struct source *s;

	if (result == 0 && (fd < 0 || (events & ~BOTH)))
		result = -EINVAL;
	if (result < 0)
		return result;
	s = new_source(set, SOURCE_FD, events, cookie);
	if (!s)
		return -ENOMEM;
	s->fd = fd;
	return source_add(s, ret_source);
}

int weir_waitset_add_timer(struct weir_waitset *set, int64_t first, int64_t period, void *cookie,
			   uint64_t *ret_source)
{
	int result = waitset_check(set);
	struct source *s;

	if (result == 0 && (first < 0 || period < 0))
		result = -EINVAL;
	if (result < 0)
		return result;
	s = new_source(set, SOURCE_TIMER, WEIR_IN, cookie);
	if (!s)
		return -ENOMEM;
	s->due = first;
	s->period = period;
	return source_add(s, ret_source);
}
