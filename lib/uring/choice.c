/* SPDX-License-Identifier: MIT */
#include "uring/choice.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cc.h"
#include "uring/ring.h"
#include "weir/engine.h"

#define VARIABLE "WEIR_ENGINE"

static const char *const names[] = {
	[WEIR_ENGINE_AUTO] = "auto",
	[WEIR_ENGINE_EPOLL] = "epoll",
	[WEIR_ENGINE_URING] = "uring",
};

bool choice_valid(uint32_t option)
{
	return option < ARRAY_LENGTH(names);
}

uint32_t choice_wanted(uint32_t option)
{
	/* Not in a program that runs with rights which its user has not. */
	const char *said = option == WEIR_ENGINE_AUTO ? secure_getenv(VARIABLE) : NULL;

	for (uint32_t i = 0; said && i < ARRAY_LENGTH(names); i++)
		if (strcmp(said, names[i]) == 0)
			return i;
	return option;
}

const char *weir_engine_name(uint32_t engine)
{
	return choice_valid(engine) ? names[engine] : NULL;
}

static const char *why_not(int error)
{
	switch (error) {
	case -ENOSYS:
		return "epoll: there is no io_uring in this kernel or in this build";
	case -EPERM:
	case -EACCES:
		return "epoll: io_uring is forbidden here, by seccomp or kernel.io_uring_disabled";
	case -EOPNOTSUPP:
	case -EINVAL:
		return "epoll: this kernel's io_uring is too old";
	case -ENOMEM:
		return "epoll: not enough memory for an io_uring, or RLIMIT_MEMLOCK is low";
	case -EMFILE:
	case -ENFILE:
		return "epoll: there is no descriptor left for an io_uring";
	default:
		return "epoll: io_uring cannot be had";
	}
}

static const char *why(const struct weir_engine_report *r)
{
	if (r->error < 0)
		return why_not(r->error);
	if (r->wanted == WEIR_ENGINE_EPOLL)
		return "epoll: " VARIABLE " says so";
	if (r->engine == WEIR_ENGINE_EPOLL)
		return "epoll: this kernel's io_uring, before Linux 6.1, interrupts other calls";
	if (r->wanted == WEIR_ENGINE_URING)
		return "uring: " VARIABLE " says so, and it can be had";
	return "uring: it can be had";
}

int weir_engine(struct weir_engine_report *ret_report)
{
	struct weir_engine_report *r = ret_report;

	if (!r || r->size != sizeof(*r))
		return -EINVAL;
	r->wanted = choice_wanted(WEIR_ENGINE_AUTO);
	r->error = ring_features(&r->features);
	r->engine = WEIR_ENGINE_URING;
	if (r->wanted == WEIR_ENGINE_EPOLL || !(r->features & WEIR_URING_DEFER_TASKRUN))
		r->engine = WEIR_ENGINE_EPOLL;
	r->reason = why(r);
	return 0;
}
