/* SPDX-License-Identifier: MIT */
/*
 * The third mutex of Drepper's "Futexes Are Tricky", which is what programs have that make their
 * own: free, taken, taken with sleepers; no spinning, nobody knows the owner.
 */
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lock-act.h"
#include "lock.h"

enum state {
	FREE,
	TAKEN,
	CONTENDED,
};

static inline int port_acquire(struct port *port)
{
	uint32_t *word = port->sink, state = FREE;

	if (__builtin_expect(__atomic_compare_exchange_n(word, &state, TAKEN, false,
							 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED),
			     1))
		return 0;
	if (state != CONTENDED)
		state = __atomic_exchange_n(word, CONTENDED, __ATOMIC_ACQUIRE);
	while (state != FREE) {
		if (syscall(SYS_futex, word, FUTEX_WAIT, CONTENDED, NULL, NULL, 0) < 0 &&
		    errno != EAGAIN && errno != EINTR)
			return -errno;
		state = __atomic_exchange_n(word, CONTENDED, __ATOMIC_ACQUIRE);
	}
	return 0;
}

static inline int port_release(struct port *port)
{
	uint32_t *word = port->sink;

	if (__builtin_expect(__atomic_fetch_sub(word, 1, __ATOMIC_RELEASE) == TAKEN, 1))
		return 0;
	__atomic_store_n(word, FREE, __ATOMIC_RELEASE);
	return syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0) < 0 ? -errno : 0;
}

static int futex_act(struct worker *w)
{
	return lock_act(w, port_acquire, port_release);
}

static int futex_run(struct worker *w)
{
	return acts(w, futex_act);
}

static const struct loops futex_loops = { .lock = futex_run };

static int futex_create(struct link *link, char why[MECH_WHY])
{
	return lock_create(link, sizeof(uint32_t), why);
}

const struct mech mech_futex = {
	.name = "futex",
	.summary = "a mutex made of futex(2) by hand: three states, no spinning, no owner",
	.can = lock_can,
	.create = futex_create,
	.close = lock_leave,
	.remove = lock_remove,
	.loops = &futex_loops,
};
