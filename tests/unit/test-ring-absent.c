/* SPDX-License-Identifier: MIT */
/* What stands for a ring where liburing was not there; this program is built with it. */
#include <errno.h>
#include <string.h>

#include "support.h"
#include "uring/ring.h"
#include "weir/engine.h"

START_TEST(nothing_can_be_opened)
{
	struct ring r;

	ck_assert_int_eq(ring_open(&r, 8, 0, RING_ONE_THREAD), -ENOSYS);
	ck_assert_int_eq(r.fd, -1);
	ck_assert_int_eq(ring_enter(&r, 0, 0), -ENOSYS);
	ck_assert(!ring_has_work(&r));
	ck_assert_uint_eq(ring_operations(&r), 0);
	ring_close(&r);
	ring_abandon(&r);
	ck_assert_int_eq(r.fd, -1);
}
END_TEST

START_TEST(engine_is_epoll_and_says_why)
{
	struct weir_engine_report report = { .size = sizeof(report), .features = 1 };

	ck_assert_int_eq(weir_engine(&report), 0);
	ck_assert_uint_eq(report.engine, WEIR_ENGINE_EPOLL);
	ck_assert_uint_eq(report.features, 0);
	ck_assert_int_eq(report.error, -ENOSYS);
	ck_assert_ptr_nonnull(strstr(report.reason, "this build"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ring-absent");
	TCase *tcase = tcase_create("absent");

	tcase_add_test(tcase, nothing_can_be_opened);
	tcase_add_test(tcase, engine_is_epoll_and_says_why);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
