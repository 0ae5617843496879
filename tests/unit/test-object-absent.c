/* SPDX-License-Identifier: MIT */
/*
 * The library as it is without MessagePack: this program has that file compiled in, whatever the
 * library was built with. Nothing is received, sent or stored, and all can be called.
 */
#include "support.h"

#include <errno.h>

#include "weir.h"

static struct weir_end *ends[2];

static void setup(void)
{
	ck_assert_int_eq(weir_pipe(ends, NULL), 0);
}

static void teardown(void)
{
	weir_pipe_close(ends[0]);
	weir_pipe_close(ends[1]);
}

START_TEST(objects_are_enosys)
{
	struct weir_object *const nothing = (void *)ends, *object = nothing;
	char text[4] = "old";
	int number = 5;

	ck_assert_int_eq(weir_object_decode("\xc0", 1, &object), -ENOSYS);
	ck_assert_int_eq(weir_object_pack(&object, "n"), -ENOSYS);
	ck_assert_int_eq(weir_object_unpack(NULL, "i", &number), -ENOSYS);
	ck_assert_int_eq(weir_object_match(NULL, "i", NULL), -ENOSYS);
	ck_assert_int_eq(weir_object_type(NULL), -ENOSYS);
	ck_assert_int_eq(weir_object_text(NULL, text, sizeof(text), 0, NULL), -ENOSYS);
	ck_assert_int_eq(weir_object_print(NULL, stderr, 0), -ENOSYS);
	ck_assert_ptr_eq(object, nothing);
	ck_assert_str_eq(text, "old");
	ck_assert_int_eq(number, 5);
	ck_assert_uint_eq(weir_object_count(NULL), 0);
	ck_assert_ptr_null(weir_object_at(NULL, 0));
	ck_assert_ptr_null(weir_object_key(NULL, 0));
	ck_assert_ptr_null(weir_object_get(NULL, "a"));
	weir_object_free(NULL);
}
END_TEST

START_TEST(builders_are_enosys)
{
	struct weir_builder *const nothing = (void *)ends, *builder = nothing;

	ck_assert_int_eq(weir_builder_new(&builder), -ENOSYS);
	ck_assert_ptr_eq(builder, nothing);
	ck_assert_int_eq(weir_builder_int(NULL, 1), -ENOSYS);
	ck_assert_int_eq(weir_builder_pack(NULL, "i", 1), -ENOSYS);
	ck_assert_int_eq(weir_builder_end(NULL), -ENOSYS);
	weir_builder_free(NULL);
}
END_TEST

START_TEST(nothing_is_sent_or_received)
{
	struct weir_object *object;
	char byte = 0;
	size_t size;

	ck_assert_int_eq(weir_pipe_sendf(ends[1], 0, 0, "i", 1), -ENOSYS);
	ck_assert_int_eq(weir_pipe_send_object(ends[1], NULL, 0, 0), -ENOSYS);
	ck_assert_int_eq(weir_pipe_recv(ends[0], &byte, 1, 0, 0, &size), -EAGAIN);
	ck_assert_int_eq(weir_pipe_send(ends[1], "\xc0", 1, 0, 0), 0);
	ck_assert_int_eq(weir_pipe_recv_object(ends[0], 0, 0, 0, &object), -ENOSYS);
	ck_assert_int_eq(weir_pipe_recvf(ends[0], 0, 0, NULL, "n"), -ENOSYS);
	ck_assert_int_eq(weir_pipe_recv(ends[0], &byte, 1, 0, 0, &size), 0);
	ck_assert_int_eq(byte, '\xc0');
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("object-absent");
	TCase *tcase = tcase_create("absent");

	tcase_add_checked_fixture(tcase, setup, teardown);
	suite_add_tcase(suite, tcase);
	tcase_add_test(tcase, objects_are_enosys);
	tcase_add_test(tcase, builders_are_enosys);
	tcase_add_test(tcase, nothing_is_sent_or_received);
	return test_main(suite);
}
