/* SPDX-License-Identifier: MIT */
#include "wait/live.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "base/atomic.h"
#include "sys/sys.h"

/*
 * The fields of /proc/PID/stat behind the name, which may hold anything: the start time is the
 * 20th.
 */
#define START_TIME_FIELD 20

static const char *field(const char *text, int index)
{
	for (int i = 1; text && i < index; i++) {
		text = strchr(text, ' ');
		if (text)
			text++;
	}
	return text;
}

/*
 * Where the lower half of a name comes from: never compared with one of the other kind. 0 says
 * that there is nothing to compare.
 */
#define FROM_KERNEL	(UINT32_C(1) << 31)
#define NUMBER_MASK	(FROM_KERNEL - 1)

/* Since boot, in clock ticks; 0 where /proc does not tell. */
static uint32_t start_time(int32_t pid)
{
	char path[32], text[1024];
	const char *at;
	int32_t self;
	int size;

	/* A /proc of another PID namespace has somebody else under that number. */
	if (sys_proc_self(&self) < 0 || self != getpid())
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	size = sys_read_file(path, text, sizeof(text) - 1);
	if (size <= 0)
		return 0;
	text[size] = '\0';
	at = strrchr(text, ')');
	at = at ? field(at + 2, START_TIME_FIELD) : NULL;
	return at ? (uint32_t)strtoull(at, NULL, 10) & NUMBER_MASK : 0;
}

/* What tells @pid, of which @pidfd is, from others with its number. */
static uint32_t which_one(int32_t pid, int pidfd)
{
	uint64_t number;

	if (pidfd >= 0 && sys_pidfd_number(pidfd, &number) == 0)
		return ((uint32_t)number & NUMBER_MASK) | FROM_KERNEL;
	return start_time(pid);
}

static struct live_name look_at_self(void)
{
	int32_t pid = getpid();
	int pidfd = sys_pidfd(pid);
	struct live_name name = {
		.process = (uint64_t)(uint32_t)pid << 32 | which_one(pid, pidfd),
	};

	if (sys_pid_namespace(pidfd, &name.space) < 0)
		name.space = 0;
	sys_close(pidfd);
	return name;
}

struct live_name live_self(void)
{
	/*
	 * In memory that a forked child finds zeroed: in a PID namespace of its own it may have
	 * the number of its parent.
	 */
	static void *page;
	struct live_name *cached = sys_wiped_once(&page, sizeof(*cached)), self;

	if (cached) {
		/* order: SELF acquire, from the store below in another thread. */
		self.process = load_acquire(&cached->process);
		/* A child that shares our memory is not us either. */
		if ((int32_t)(self.process >> 32) == getpid()) {
			/* relaxed: stored before the other */
			self.space = load_relaxed(&cached->space);
			return self;
		}
	}
	self = look_at_self();
	/* What could not be told now, perhaps for want of descriptors, is asked again. */
	if (cached && self.space != 0 && (uint32_t)self.process != 0) {
		/* relaxed: all threads store the same; the next makes it known */
		store_relaxed(&cached->space, self.space);
		/* order: SELF release, to the load above. */
		store_release(&cached->process, self.process);
	}
	return self;
}

bool live_is_self(struct live_name name)
{
	struct live_name self = live_self();

	/* The number alone could be another namespace's. */
	return name.process == self.process && name.space == self.space &&
	       (name.space != 0 || ((uint32_t)name.process & FROM_KERNEL));
}

static uint64_t rotate(uint64_t word, int bits)
{
	return word << bits | word >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] = rotate(v[2], 32);
}

/*
 * SipHash-2-4 of the empty message. Of the bytes that are the key, the C library takes those that
 * protect the stack: nobody who reads the result is to learn them.
 */
static uint64_t sip_of_nothing(const uint64_t key[2])
{
	uint64_t v[4] = {
		key[0] ^ UINT64_C(0x736f6d6570736575), key[1] ^ UINT64_C(0x646f72616e646f6d),
		key[0] ^ UINT64_C(0x6c7967656e657261), key[1] ^ UINT64_C(0x7465646279746573),
	};

	for (int i = 0; i < 2; i++)
		sip_round(v);
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t live_image(void)
{
	/* 16 random bytes that the kernel gives to each program that it starts. */
	const void *random = (const void *)getauxval(AT_RANDOM);
	uint64_t key[2];

	if (!random)
		return 0;
	memcpy(key, random, sizeof(key));
	return sip_of_nothing(key);
}

static bool has_ended(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return sys_poll(&p, 1, 0) > 0;
}

bool live_gone(struct live_name name)
{
	int32_t pid = (int32_t)(name.process >> 32);
	uint32_t meant = (uint32_t)name.process, now_there;
	bool gone;
	int pidfd;

	/* Shared memory says who: anything may stand there. */
	if (pid <= 0)
		return true;
	if (name.space == 0 || name.space != live_self().space)
		return false;
	pidfd = sys_pidfd(pid);
	if (pidfd < 0)
		return pidfd == -ESRCH;
	/* With the descriptor open, the number means one process: is it the one that was meant? */
	now_there = which_one(pid, pidfd);
	gone = has_ended(pidfd) ||
	       (meant && now_there && ((meant ^ now_there) & FROM_KERNEL) == 0 &&
		meant != now_there);
	sys_close(pidfd);
	return gone;
}

bool live_hung_up(int line)
{
	struct pollfd p = { .fd = line, .events = 0 };

	return sys_poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR | POLLNVAL));
}
