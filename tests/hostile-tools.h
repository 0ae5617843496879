/* SPDX-License-Identifier: MIT */
/*
 * For the tests of clients that do not keep to the rules: a listener, and what holds after each
 * case. All guests have left nothing behind, and an honest client is served.
 */
#ifndef WEIR_TESTS_HOSTILE_TOOLS_H
#define WEIR_TESTS_HOSTILE_TOOLS_H

#include "listener-tools.h"

static struct weir_listener *listener;
static const char *name;
static struct resources before;

static inline void start(const struct weir_listen_options *options)
{
	name = abstract_name();
	ck_assert_int_eq(weir_listen(&listener, name, options), 0);
	before = resources_begin();
}

static inline void setup(void)
{
	start(NULL);
}

/* With as much time for a hand-shake as is left to a test that is not about it. */
static inline void setup_patient(void)
{
	struct weir_listen_options options = { .size = sizeof(options),
					       .patience = 60000 * MS };

	start(&options);
}

#define PATIENCE (100 * MS)

static inline void setup_impatient(void)
{
	struct weir_listen_options options = { .size = sizeof(options), .patience = PATIENCE };

	start(&options);
}

static inline int ask(void *arg)
{
	(void)arg;
	return client_asks(name, 41, soon()) == 0 ? 0 : 1;
}

/* An honest client is served, whoever else is there. */
static inline void check_serves(void)
{
	struct child child;
	struct weir_end *end;

	/* Whether it is quick enough for an impatient listener is not what this is about. */
	listener->patience = 60000 * MS;
	child = child_start(ask, NULL);
	ck_assert_int_eq(weir_accept(listener, 0, soon(), &end, NULL), 0);
	ck_assert_int_eq(answer_one(end, soon()), 0);
	child_join_ok(&child);
	weir_pipe_close(end);
}

static inline void step(void)
{
	struct weir_end *end;

	ck_assert_int_eq(accept_now(listener, &end), -EAGAIN);
}

/* All guests have left nothing, and it works. */
static inline void teardown(void)
{
	ck_assert_uint_eq(guests_in(listener, GUEST_FREE), listener->guests_max);
	resources_check(&before);
	check_serves();
	resources_check(&before);
	weir_listener_close(listener);
}

static inline int hostile(void)
{
	int fd = raw_connect(name);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static inline void check_dropped(int fd)
{
	step();
	ck_assert(raw_closed(fd));
	close(fd);
}

static inline TCase *add_case(Suite *suite, const char *title, void (*fixture)(void))
{
	TCase *tcase = tcase_create(title);

	tcase_add_checked_fixture(tcase, fixture, teardown);
	suite_add_tcase(suite, tcase);
	return tcase;
}

#endif
