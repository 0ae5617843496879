/* SPDX-License-Identifier: MIT */
#include "obj/lock.h"

#include <errno.h>

#define CALL_FLAGS (WEIR_INTR | WEIR_NOSPIN)

static int check(const struct weir_commons_geometry *g, uint64_t body_size)
{
	return (g->flags & ~WEIR_LOCK_RECURSIVE) || body_size != 0 ? -EBADMSG : 0;
}

const struct shared_kind shared_kind_lock = {
	.kind = WEIR_KIND_LOCK,
	.object = WEIR_OBJECT_LOCK,
	.handle_size = sizeof(struct weir_lock),
	.check = check,
};

int weir_lock(struct weir_lock **ret_lock, const struct weir_lock_options *options)
{
	struct weir_commons_geometry g = { 0 };

	if (!ret_lock)
		return -EINVAL;
	if (options) {
		if (options->size != sizeof(*options) || options->reserved != 0 ||
		    (options->flags & ~WEIR_LOCK_RECURSIVE))
			return -EINVAL;
		g.flags = options->flags;
	}
	return shared_create(&shared_kind_lock, &g, 0, NULL, ret_lock);
}

int weir_lock_acquire(struct weir_lock *lock, uint32_t flags, int64_t deadline)
{
	uint64_t me;
	int result;

	if (unlikely(!lock || (flags & ~CALL_FLAGS)))
		return -EINVAL;
	result = shared_sit(&lock->shared, &me);
	if (unlikely(result < 0))
		return result;
	if (lock_is_recursive(lock))
		return lock_take_again(&lock->shared.lock, me, flags, deadline);
	return lock_take(&lock->shared.lock, me, flags, deadline);
}

int weir_lock_release(struct weir_lock *lock)
{
	uint64_t me;
	int result;

	if (unlikely(!lock))
		return -EINVAL;
	if (!lock_is_recursive(lock))
		return lock_give_any(&lock->shared.lock);
	if (lock_is_free(&lock->shared.lock))
		return -EINVAL;
	result = shared_sit(&lock->shared, &me);
	return result < 0 ? result : lock_give_again(&lock->shared.lock, me);
}

bool weir_lock_is_locked(struct weir_lock *lock)
{
	return lock && !lock_is_free(&lock->shared.lock);
}

bool weir_lock_is_mine(struct weir_lock *lock)
{
	uint64_t me;

	return lock && shared_sit(&lock->shared, &me) == 0 && lock_is_mine(&lock->shared.lock, me);
}

void weir_lock_close(struct weir_lock *lock)
{
	shared_close((struct shared *)lock);
}
