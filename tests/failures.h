/* SPDX-License-Identifier: MIT */
/*
 * System calls that are made to fail: the first, the second and so on, until the operation needs no
 * more; only that one, or all from there on, or all of a kind.
 *
 *	static void once(void)
 *	{
 *		failures_begin();
 *		result = operation();
 *		failures_end("operation");
 *		check(...);
 *	}
 *
 *	with_each_call(EMFILE, once);
 */
#ifndef WEIR_TESTS_FAILURES_H
#define WEIR_TESTS_FAILURES_H

#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "sys/sys.h"

/* A call that fails is not to be made so often. */
#define ENDLESS	1000
#define FOREVER	UINT32_MAX

static struct plan {
	int error;		/* negative */
	uint32_t first;		/* of the calls, counted from 0 */
	uint32_t last;
	int kind;		/* enum sys_call; -1: whichever */
} plan;

static uint32_t calls_made, calls_failed;
/* What the operation waits for until its deadline, besides signals. */
static int may_last;
static bool kind_is_used[SYS_CALL_COUNT];

static inline int fail_by_plan(enum sys_call call)
{
	uint32_t number;

	kind_is_used[call] = true;
	if (plan.kind >= 0 && (int)call != plan.kind)
		return 0;
	number = calls_made++;
	if (number < plan.first || number > plan.last)
		return 0;
	/* What would never end is ended here. */
	return calls_failed++ < ENDLESS ? plan.error : 0;
}

static inline void failures_begin(void)
{
	calls_made = calls_failed = 0;
	sys_fault = fail_by_plan;
}

/* After a failures_end(): as if it had not been. */
static inline void failures_continue(void)
{
	sys_fault = fail_by_plan;
}

static inline void failures_end(const char *what)
{
	sys_fault = NULL;
	/* Signals without end are not the library's fault. */
	if (calls_failed >= ENDLESS && plan.error != -EINTR && plan.error != -may_last)
		ck_abort_msg("%s: endless: error %d, calls %u to %u of kind %d", what, plan.error,
			     plan.first, plan.last, plan.kind);
}

#define check(condition) \
	do { \
		if (!(condition)) \
			ck_abort_msg("%s (error %d, calls %u to %u of kind %d)", #condition, \
				     plan.error, plan.first, plan.last, plan.kind); \
	} while (0)

/* Play @once with each plan there is for @error, until the failing call is one too many. */
static inline void with_each_call(int error, void (*once)(void))
{
	plan = (struct plan){ .error = -error, .kind = -1 };
	memset(kind_is_used, 0, sizeof(kind_is_used));
	do {
		plan.last = plan.first;
		once();
		plan.first++;
	} while (calls_failed > 0);
	plan.first = 0;
	plan.last = FOREVER;
	do {
		once();
		plan.first++;
	} while (calls_failed > 0);
	plan.first = 0;
	for (plan.kind = 0; plan.kind < SYS_CALL_COUNT; plan.kind++)
		if (kind_is_used[plan.kind])
			once();
}

#endif
