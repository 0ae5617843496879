/* SPDX-License-Identifier: MIT */
/*
 * What the ends of a pipe share in a process, and who of the process uses which side.
 *
 * A process has each segment once, whatever way and however often its ends came here: a lock of
 * the kernel on the memfd is dropped when any descriptor of that file is closed, and does not keep
 * one part of a process from what another part has. So the cores are in a list, found by the
 * number of the file; a second descriptor of a file is closed and the locks are taken again; and a
 * core knows which of its sides are in use here.
 *
 * In between another process may find a lock free. It sees a living owner's name then, and leaves.
 *
 * List and counts are under one lock, which lies in memory that a forked child sees zeroed: the
 * child finds it free whatever the parent's threads were doing. It may then find a core that a
 * thread was about to add or remove. Each of these is one store, before which or after which the
 * list is whole; what was made and is not in the list is lost to the child, and no more than that.
 */
#include "obj/pipe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "sys/sys.h"
#include "wait/live.h"
#include "wait/wakes.h"

/* How often and how long to wait for a lock that another process only looks at. */
#define RELOCK_TIMES	50
#define RELOCK_NS	(100 * NS_PER_US)

/* Zeroed by fork. */
struct registry {
	struct turn turn;
	uint32_t process;	/* which process of our line of forks we are; 0: not yet known */
};

static void *page;		/* struct registry */
static struct pipe_core *cores;
/* Grows from parent to child. */
static uint32_t processes;

static int enter(bool *ret_locked)
{
	struct registry *r = sys_wiped_once(&page, sizeof(*r));

	*ret_locked = false;
	if (!r)
		return -ENOMEM;
	/* It cannot be refused, and what ends a wait early is no reason to go without. */
	while (turn_take(&r->turn, 0, WEIR_FOREVER, ret_locked) < 0)
		cpu_relax();
	if (r->process == 0)
		r->process = ++processes;
	return 0;
}

static void leave(bool locked)
{
	struct registry *r = page;

	turn_give(&r->turn, locked);
}

/* Inside. */
static uint32_t this_process(void)
{
	const struct registry *r = page;

	return r->process;
}

/*
 * Locks
 */

static uint64_t lock_offset(uint32_t lane, enum pipe_role role)
{
	return LOCK_OFFSET + 2 * lane + role;
}

static struct weir_side *side_of(const struct pipe_core *core, uint32_t lane, enum pipe_role role)
{
	struct weir_lane_control *control = segment_lane(&core->segment, lane);

	return role == ROLE_WRITER ? &control->writer : &control->reader;
}

/* Whether nobody owns the side, as far as its name says. We have the lock. */
static bool is_free(struct weir_side *side)
{
	struct live_name name;

	/* order: OWNER acquire, from pipe_core_give(): the positions the last owner left. */
	name.process = load_acquire(&side->owner);
	/* order: OWNER acquire, from put_name() */
	name.space = load_acquire(&side->owner_space);
	return name.process == 0 || live_is_self(name) || live_gone(name);
}

static void put_name(struct weir_side *side)
{
	struct live_name self = live_self();

	/*
	 * One after the other, so that who is killed here never leaves a name with somebody else's
	 * namespace.
	 *
	 * relaxed: for those who come when we are gone; the kernel's lock orders the rest
	 */
	store_relaxed(&side->owner, 0);
	/* order: OWNER release, after the 0 */
	store_release(&side->owner_space, self.space);
	/* order: OWNER release, after the namespace */
	store_release(&side->owner, self.process);
}

static int take(struct pipe_core *core, uint32_t lane, enum pipe_role role)
{
	uint32_t *holder = &core->holders[2 * lane + role];
	struct weir_side *side = side_of(core, lane, role);
	int result;

	/* Of ours the kernel's lock knows nothing: it is the process's. */
	if (*holder == this_process())
		return -EBUSY;
	result = sys_lock(core->segment.fd, lock_offset(lane, role));
	if (result < 0)
		return result == -EAGAIN ? -EBUSY : result;
	if (!is_free(side)) {
		sys_unlock(core->segment.fd, lock_offset(lane, role));
		return -EBUSY;
	}
	put_name(side);
	*holder = this_process();
	return 0;
}

int pipe_core_take(struct pipe_core *core, uint32_t lane, enum pipe_role role)
{
	bool locked;
	int result = enter(&locked);

	if (result < 0)
		return result;
	result = take(core, lane, role);
	leave(locked);
	return result;
}

void pipe_core_give(struct pipe_core *core, uint32_t lane, enum pipe_role role)
{
	bool locked;

	if (enter(&locked) < 0)
		return;
	/* order: OWNER release, to is_free(). */
	store_release(&side_of(core, lane, role)->owner, 0);
	sys_unlock(core->segment.fd, lock_offset(lane, role));
	core->holders[2 * lane + role] = 0;
	leave(locked);
}

/* Another process may just look who the owner is. */
static void lock_again(int fd, uint64_t offset)
{
	uint32_t nothing = 0;

	for (int i = 0; i < RELOCK_TIMES && sys_lock(fd, offset) == -EAGAIN; i++)
		sys_futex_wait(&nothing, 0, clock_now() + RELOCK_NS);
}

/* A descriptor of the file was closed, and the locks went with it. */
static void lock_all_again(const struct pipe_core *core)
{
	for (uint32_t i = 0; i < ARRAY_LENGTH(core->holders); i++)
		if (core->holders[i] == this_process())
			lock_again(core->segment.fd, LOCK_OFFSET + i);
}

/*
 * The list
 */

static struct pipe_core *find(uint64_t device, uint64_t inode)
{
	/* order: CORES acquire, from add(), where that thread is not here to be waited for */
	struct pipe_core *core = load_acquire(&cores);

	while (core && (core->segment.device != device || core->segment.inode != inode))
		core = core->next;
	return core;
}

static void add(struct pipe_core *core)
{
	core->next = cores;
	/* order: CORES release, to find() in a child that another thread forks: a whole core */
	store_release(&cores, core);
}

static void remove_core(struct pipe_core *core)
{
	struct pipe_core **at = &cores;

	while (*at && *at != core)
		at = &(*at)->next;
	if (!*at)
		return;
	/* order: CORES release, as above */
	store_release(at, core->next);
}

static void close_fd(int fd)
{
	struct pipe_core *core = NULL;
	struct stat file;

	if (sys_stat(fd, &file) == 0)
		core = find(file.st_dev, file.st_ino);
	sys_close(fd);
	if (core)
		lock_all_again(core);
}

void pipe_core_close_fd(int fd)
{
	bool locked;

	if (fd < 0)
		return;
	if (enter(&locked) < 0) {
		/* Then there is no core either. */
		sys_close(fd);
		return;
	}
	close_fd(fd);
	leave(locked);
}

/*
 * Cores
 */

static struct pipe_core *allocate(void)
{
	struct pipe_core *core = calloc(1, sizeof(*core));

	if (!core)
		return NULL;
	core->references = 1;
	core->segment.fd = -1;
	memset(core->bells, -1, sizeof(core->bells));
	memset(core->levels, -1, sizeof(core->levels));
	return core;
}

static void destroy(struct pipe_core *core)
{
	wakes_settle(core->segment.front, core->segment.front_size);
	for (size_t i = 0; i < ARRAY_LENGTH(core->bells); i++)
		sys_close(core->bells[i]);
	for (size_t i = 0; i < ARRAY_LENGTH(core->levels); i++)
		sys_close(core->levels[i]);
	segment_destroy(&core->segment);
	free(core);
}

static int new_eventfd(int *ret_fd)
{
	int fd = sys_eventfd();

	if (fd < 0)
		return fd;
	*ret_fd = sys_move_high(fd);
	return 0;
}

static int fill_new(struct pipe_core *core, uint32_t lanes, uint64_t capacity)
{
	int result = segment_create(&core->segment, lanes, capacity);

	for (uint32_t i = 0; result == 0 && i < 2 * lanes; i++)
		result = new_eventfd(&core->bells[i]);
	for (uint32_t i = 0; result == 0 && i < lanes; i++)
		result = new_eventfd(&core->levels[i]);
	return result;
}

int pipe_core_create(uint32_t lanes, uint64_t capacity, struct pipe_core **ret_core)
{
	struct pipe_core *core;
	bool locked;
	int result = enter(&locked);

	if (result < 0)
		return result;
	leave(locked);
	core = allocate();
	if (!core)
		return -ENOMEM;
	result = fill_new(core, lanes, capacity);
	if (result < 0) {
		destroy(core);
		return result;
	}
	enter(&locked);
	add(core);
	leave(locked);
	*ret_core = core;
	return 0;
}

static int use(int *fd)
{
	int high = sys_move_high(*fd);

	*fd = -1;
	return high;
}

static int fill_from(struct pipe_core *core, uint32_t lanes, int *memfd, int *events)
{
	int result;

	/* Before anything is mapped: nobody here has a lock on this file yet. */
	*memfd = sys_move_high(*memfd);
	result = segment_attach(&core->segment, *memfd);
	if (result < 0)
		return result;
	*memfd = -1;
	/* It may not be what it was when it was examined. */
	if (core->segment.lanes != lanes)
		return -EBADMSG;
	for (uint32_t i = 0; i < 2 * lanes; i++)
		core->bells[i] = use(&events[i]);
	for (uint32_t i = 0; i < lanes; i++)
		core->levels[i] = use(&events[2 * lanes + i]);
	return 0;
}

static int share(struct pipe_core *core, uint32_t lanes, int *memfd)
{
	if (core->segment.lanes != lanes)
		return -EBADMSG;
	core->references++;
	sys_close(*memfd);
	*memfd = -1;
	lock_all_again(core);
	return 0;
}

static int attach(uint32_t lanes, int *memfd, int *events, struct pipe_core **ret_core)
{
	struct pipe_core *core;
	struct stat file;
	int result = sys_stat(*memfd, &file);

	if (result < 0)
		return result;
	core = find(file.st_dev, file.st_ino);
	if (core) {
		result = share(core, lanes, memfd);
		if (result == 0)
			*ret_core = core;
		return result;
	}
	core = allocate();
	if (!core)
		return -ENOMEM;
	result = fill_from(core, lanes, memfd, events);
	if (result < 0) {
		destroy(core);
		return result;
	}
	add(core);
	*ret_core = core;
	return 0;
}

int pipe_core_attach(uint32_t lanes, int *memfd, int *events, struct pipe_core **ret_core)
{
	bool locked;
	int result = enter(&locked);

	if (result < 0)
		return result;
	result = attach(lanes, memfd, events, ret_core);
	leave(locked);
	return result;
}

void pipe_core_retain(struct pipe_core *core)
{
	bool locked;

	enter(&locked);
	core->references++;
	leave(locked);
}

void pipe_core_release(struct pipe_core *core)
{
	bool locked;

	enter(&locked);
	if (--core->references == 0) {
		remove_core(core);
		/* Not later: somebody may have the same file again by then, and its locks. */
		destroy(core);
	}
	leave(locked);
}
