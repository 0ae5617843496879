/* SPDX-License-Identifier: MIT */
/* What the tests of locks share. Nothing here asserts, so children may use all of it. */
#ifndef WEIR_TESTS_LOCK_TOOLS_H
#define WEIR_TESTS_LOCK_TOOLS_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/atomic.h"
#include "obj/lock.h"
#include "support.h"
#include "sys/sys.h"
#include "wait/live.h"
#include "wait/party.h"
#include "weir.h"

/* Sanitizers make all several times slower: less of the same then. */
#if WEIR_TSAN || defined(__SANITIZE_ADDRESS__)
#define LESS	8
#else
#define LESS	1
#endif

#define US	INT64_C(1000)
#define MS	INT64_C(1000000)

static inline struct weir_lock *lock_new(uint32_t flags)
{
	struct weir_lock_options options = { .size = sizeof(options), .flags = flags };
	struct weir_lock *lock = NULL;

	return weir_lock(&lock, &options) == 0 ? lock : NULL;
}

/* A second handle of the same lock, as another process would have it. */
static inline struct weir_lock *lock_second(const struct weir_lock *lock)
{
	int fds[1] = { fcntl(lock->shared.commons.fd, F_DUPFD_CLOEXEC, 3) };
	struct weir_lock *second = NULL;

	shared_attach(&shared_kind_lock, fds, false, &second);
	sys_close(fds[0]);
	return second;
}

static inline uint64_t lock_word(const struct weir_lock *lock)
{
	return load_acquire(&lock->shared.commons.control->lock.word);
}

static inline uint64_t *lock_party_word(const struct weir_lock *lock, uint32_t party)
{
	return &lock->shared.commons.parties[party].name.low;
}

/* Names that are not free. */
static inline uint32_t lock_parties(const struct weir_lock *lock)
{
	uint32_t count = 0;

	for (uint32_t i = 1; i < COMMONS_PARTIES; i++)
		count += (load_acquire(lock_party_word(lock, i)) & PARTY_STATE) != PARTY_FREE;
	return count;
}

/* What is protected: two numbers that are the same whenever nobody is inside. */
struct guarded {
	uint64_t first;
	uint64_t gap[15];
	uint64_t second;
	uint64_t inside;	/* who is; 0: nobody */
};

/* Plain accesses, to be seen to go wrong; @id is not 0. False: somebody else was inside. */
static inline bool guarded_add(volatile struct guarded *g, uint64_t id)
{
	bool alone = g->inside == 0;
	uint64_t value = g->first;

	g->inside = id;
	g->first = value + 1;
	alone = alone && g->inside == id && g->second == value;
	g->second = value + 1;
	g->inside = 0;
	return alone;
}

/* As one who was told: what the dead one had begun is undone, or done. */
static inline void guarded_repair(volatile struct guarded *g)
{
	g->second = g->first;
	g->inside = 0;
}

static inline void nap(int64_t ns)
{
	nanosleep(&(struct timespec){ .tv_nsec = (long)ns }, NULL);
}

/* Wait until @word is @value; false if it is not until soon(). */
static inline bool await(const uint32_t *word, uint32_t value)
{
	int64_t deadline = soon();

	while (load_acquire(word) != value) {
		if (test_now() > deadline)
			return false;
		nap(50 * US);
	}
	return true;
}

#endif
