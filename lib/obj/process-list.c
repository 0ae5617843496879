/* SPDX-License-Identifier: MIT */
/* The children of this process; forks, and the end. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "obj/process.h"
#include "sys/sys.h"
#include "wait/turn.h"
#include "weir/base.h"

/* How long to wait for one whose end is known and which cannot be reaped, as it is traced. */
#define TRACED_NS (4 * NS_PER_MS)

static struct list {
	struct turn turn;
	struct weir_process *first;
	uint32_t generation;	/* how many forks lie behind this process */
	uint32_t count;		/* of the children that it has named */
	bool sees_forks;
	bool sees_end;
} list;

/* Of the fork that is under way; the list is locked then. */
static struct list_lock fork_lock;

void process_list_lock(struct list_lock *lock)
{
	task_block_signals(&lock->signals);
	turn_take(&list.turn, 0, WEIR_FOREVER, &lock->locked);
}

void process_list_unlock(const struct list_lock *lock)
{
	turn_give(&list.turn, lock->locked);
	task_set_signals(&lock->signals);
}

static void before_fork(void)
{
	struct list_lock lock;

	process_list_lock(&lock);
	fork_lock = lock;
}

static void after_fork(void)
{
	struct list_lock lock = fork_lock;

	process_list_unlock(&lock);
}

static void close_one(int *fd)
{
	sys_close(*fd);
	*fd = -1;
}

/* What a forked child does not keep: lines and gates would not hang up, the rest is of no use. */
static void forget(struct weir_process *p)
{
	close_one(&p->fd);
	close_one(&p->line);
	close_one(&p->gate[1]);
	/* The child's own ends, if it is the one that is being made. */
	if (p->starting && pthread_equal(p->maker, pthread_self()))
		return;
	close_one(&p->gate[0]);
	close_one(&p->line_end);
}

static void after_fork_in_child(void)
{
	struct list_lock lock = fork_lock;

	for (struct weir_process *p = list.first; p; p = p->next)
		forget(p);
	list.first = NULL;
	list.count = 0;
	list.generation++;
	list.turn = (struct turn){ 0 };
	task_set_signals(&lock.signals);
}

int process_list_begin(void)
{
	struct list_lock lock;
	int result = 0;

	process_list_lock(&lock);
	if (!list.sees_forks)
		list.sees_forks = pthread_atfork(before_fork, after_fork,
						 after_fork_in_child) == 0;
	if (!list.sees_end)
		list.sees_end = atexit(process_end_children) == 0;
	if (!list.sees_forks || !list.sees_end)
		result = -ENOMEM;
	process_list_unlock(&lock);
	return result;
}

void process_list_add(struct weir_process *p)
{
	p->generation = list.generation;
	p->parent = getpid();
	p->next = list.first;
	list.first = p;
}

void process_list_remove(struct weir_process *p)
{
	struct weir_process **link = &list.first;

	while (*link && *link != p)
		link = &(*link)->next;
	if (*link)
		*link = p->next;
}

uint32_t process_list_count(void)
{
	return ++list.count;
}

bool process_is_ours(const struct weir_process *p)
{
	/* The number alone may have been an ancestor's; the other is not changed by clone(2). */
	return p->generation == list.generation && p->parent == getpid();
}

static bool has_ended(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return sys_poll(&p, 1, 0) > 0;
}

int process_look(struct weir_process *p)
{
	int result;

	if (p->ended)
		return 0;
	if (p->fd < 0)
		return -EAGAIN;
	result = task_wait(p->fd, &p->code);
	if (result == 0) {
		p->known = true;
	} else if (result == -ECHILD) {
		/* Somebody has been quicker: the program itself, or the kernel for it. */
		if (!has_ended(p->fd))
			return -EAGAIN;
		p->known = task_last_words(p->fd, &p->code) == 0;
		result = 0;
	}
	p->ended = result == 0;
	return result;
}

/*
 * Join
 */

/* Poll until the end, or @deadline. @shown: the last time it was seen there, and was not enough. */
static int wait_for_end(int pidfd, int64_t deadline, bool *shown)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int result;

	if (*shown) {
		result = sys_poll(NULL, 0, clock_cap(deadline, clock_now(), TRACED_NS));
		*shown = false;
		return result;
	}
	result = sys_poll(&p, 1, deadline);
	*shown = result > 0;
	return result;
}

int weir_process_join(struct weir_process *p, uint32_t flags, int64_t deadline)
{
	struct list_lock lock;
	bool shown = false;
	int result;

	if (!p || (flags & ~WEIR_INTR) || p->pid == getpid())
		return -EINVAL;
	if (!process_is_ours(p))
		return -ECHILD;
	for (;;) {
		process_list_lock(&lock);
		result = process_look(p);
		process_list_unlock(&lock);
		if (result != -EAGAIN || deadline <= 0)
			return result;
		if (deadline != WEIR_FOREVER && clock_now() >= deadline)
			return -ETIMEDOUT;
		result = wait_for_end(p->fd, deadline, &shown);
		if (result < 0 && (result != -EINTR || (flags & WEIR_INTR)))
			return result;
	}
}

int weir_process_children(struct weir_process **processes, size_t count)
{
	struct list_lock lock;
	size_t alive = 0;

	if (count > 0 && !processes)
		return -EINVAL;
	process_list_lock(&lock);
	for (struct weir_process *p = list.first; p; p = p->next) {
		if (p->starting || !process_is_ours(p) || process_look(p) == 0)
			continue;
		if (alive < count)
			processes[alive] = p;
		alive++;
	}
	process_list_unlock(&lock);
	return (int)alive;
}

/*
 * The end
 */

static void tell_daemons(void)
{
	struct list_lock lock;

	process_list_lock(&lock);
	for (struct weir_process *p = list.first; p; p = p->next) {
		if (!(p->flags & WEIR_PROCESS_DAEMON) || p->ended || p->fd < 0 ||
		    !process_is_ours(p))
			continue;
		task_signal(p->fd, p->signal);
		/* One that is stopped would never hear of it. */
		task_signal(p->fd, SIGCONT);
	}
	process_list_unlock(&lock);
}

/* The number of one that has not ended; 0: none is left. */
static int32_t next_to_end(void)
{
	struct list_lock lock;
	int32_t pid = 0;

	process_list_lock(&lock);
	for (struct weir_process *p = list.first; p && pid == 0; p = p->next)
		if (p->fd >= 0 && process_is_ours(p) && process_look(p) == -EAGAIN)
			pid = p->pid;
	process_list_unlock(&lock);
	return pid;
}

void process_end_children(void)
{
	int32_t pid;

	tell_daemons();
	/*
	 * By number, as another thread may close the handle meanwhile. If it is another child's by
	 * then, that is one to wait for, too.
	 */
	while ((pid = next_to_end()) > 0)
		task_await(pid);
}
