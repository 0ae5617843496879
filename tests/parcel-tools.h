/* SPDX-License-Identifier: MIT */
/* A pipe and parcels of its ends; each case leaves nothing open. */
#ifndef WEIR_TESTS_PARCEL_TOOLS_H
#define WEIR_TESTS_PARCEL_TOOLS_H

#include "pipe-tools.h"

#include <fcntl.h>

#include "obj/parcel.h"

#define CAPACITY	4096

static struct weir_end *ends[2];
static struct resources before;

static inline void setup(void)
{
	ck_assert_int_eq(pipe_make(ends, 0, CAPACITY), 0);
	before = resources_begin();
}

static inline void teardown(void)
{
	resources_check(&before);
	pipe_close_both(ends);
}

/* What a receiver would have: descriptors of its own. */
static inline struct parcel copy_of(const struct weir_end *end)
{
	struct parcel p;

	parcel_of_end(end, &p);
	for (uint32_t i = 0; i < p.note.fd_count; i++) {
		p.fds[i] = fcntl(p.fds[i], F_DUPFD_CLOEXEC, 3);
		ck_assert_int_ge(p.fds[i], 0);
	}
	return p;
}

static inline void expect_refused(struct parcel *p, int error)
{
	struct weir_end *nothing = (void *)p, *end = nothing;
	int result = parcel_open_end(p, &end);

	ck_assert_int_eq(result, error);
	ck_assert_ptr_eq(end, nothing);
	for (int i = 0; i < PARCEL_FDS_MAX; i++)
		ck_assert_int_eq(p->fds[i], -1);
}

/* This process owns both sides of both lanes. */
static inline void own_all(void)
{
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(send_number(ends[i], 1, 0), 0);
		ck_assert_int_eq(recv_number(ends[1 - i], 0), 1);
	}
}

#endif
