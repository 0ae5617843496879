/* SPDX-License-Identifier: MIT */
/* Objects between processes: one line at each end, larger than the ring, and what is none. */
#include "pipe-tools.h"

#include <errno.h>

#include "object-model.h"

#define CAPACITY	(UINT64_C(16) << 10)
#define LARGE		(((size_t)1 << 20) / LESS)
#define STREAM		(4000 / LESS)

static struct weir_end *ends[2];

static void setup(void)
{
	ck_assert_int_eq(pipe_make(ends, 0, CAPACITY), 0);
}

static void teardown(void)
{
	pipe_close_both(ends);
}

/*
 * One line at each end
 */

static int send_list(void *arg)
{
	(void)arg;
	weir_pipe_close(ends[0]);
	child_check(weir_pipe_sendf(ends[1], 0, soon(), "[i n s]", 42, "hello") == 0);
	return 0;
}

START_TEST(list_of_the_child_is_printed_by_the_parent)
{
	struct child child = child_start(send_list, NULL);
	struct weir_object *list;
	char text[40];

	ck_assert_int_eq(weir_pipe_recv_object(ends[0], 0, 0, soon(), &list), 0);
	child_join_ok(&child);
	ck_assert_int_eq(weir_object_text(list, text, sizeof(text), WEIR_OBJECT_PYTHON, NULL), 0);
	ck_assert_str_eq(text, "[42, None, 'hello']");
	weir_object_free(list);
}
END_TEST

/* These are the bytes by MessagePack's specification, so that anybody can read them. */
START_TEST(message_is_messagepack_and_nothing_else)
{
	int16_t number = 0;
	char bytes[64];
	size_t size;

	ck_assert_int_eq(weir_pipe_sendf(ends[1], 0, 0, "[i n s]", 42, "hello"), 0);
	ck_assert_int_eq(weir_pipe_recv(ends[0], bytes, sizeof(bytes), 0, 0, &size), 0);
	ck_assert_uint_eq(size, 9);
	ck_assert_mem_eq(bytes, "\x93\x2a\xc0\xa5hello", 9);
	ck_assert_int_eq(weir_pipe_sendf(ends[1], 0, 0, "{compact: ?, schema: i}", 1, 0), 0);
	ck_assert_int_eq(weir_pipe_recv(ends[0], bytes, sizeof(bytes), 0, 0, &size), 0);
	ck_assert_uint_eq(size, 18);
	ck_assert_mem_eq(bytes, "\x82\xa7" "compact\xc3\xa6schema\x00", 18);
	/* And the other way round. */
	ck_assert_int_eq(weir_pipe_send(ends[1], "\xdc\x00\x01\xd3\xff\xff\xff\xff\xff\xff\xff\xfb",
					12, 0, 0), 0);
	ck_assert_int_eq(weir_pipe_recvf(ends[0], 0, 0, NULL, "[h]", &number), 0);
	ck_assert_int_eq(number, -5);
}
END_TEST

START_TEST(object_is_received_and_taken_apart_in_one_call)
{
	struct weir_object *object = NULL;
	const char *text = NULL;
	char copy[8] = "";
	int number = 0;

	ck_assert_int_eq(weir_pipe_sendf(ends[1], 0, 0, "{n: i, t: s}", 7, "seven"), 0);
	ck_assert_int_eq(weir_pipe_recvf(ends[0], 0, 0, &object, "{t: s, n: i}", &text, &number),
			 0);
	ck_assert_int_eq(number, 7);
	ck_assert_str_eq(text, "seven");
	weir_object_free(object);
	/* Without an object to hold them, texts are copied. */
	ck_assert_int_eq(weir_pipe_sendf(ends[1], 0, 0, "[i s]", 8, "eight"), 0);
	ck_assert_int_eq(weir_pipe_recvf(ends[0], 0, 0, NULL, "[i c]", &number, copy, sizeof(copy)),
			 0);
	ck_assert_int_eq(number, 8);
	ck_assert_str_eq(copy, "eight");
}
END_TEST

START_TEST(objects_and_builders_are_sent)
{
	struct weir_builder *b;
	struct weir_object *object, *got;
	int a = 0;

	ck_assert_int_eq(weir_object_pack(&object, "{a: [i i]}", 1, 2), 0);
	ck_assert_int_eq(weir_pipe_send_object(ends[1], object, 0, 0), 0);
	/* Also what is inside another. */
	ck_assert_int_eq(weir_pipe_send_object(ends[1], weir_object_get(object, "a"), 0, 0), 0);
	weir_object_free(object);
	ck_assert_int_eq(weir_builder_new(&b), 0);
	weir_builder_array(b, WEIR_BUILDER_OPEN);
	weir_builder_int(b, 3);
	weir_builder_end(b);
	ck_assert_int_eq(weir_builder_send(b, ends[1], 0, 0), 0);
	weir_builder_free(b);

	ck_assert_int_eq(weir_pipe_recvf(ends[0], 0, 0, &got, "{a: o}", &object), 0);
	ck_assert_uint_eq(weir_object_count(object), 2);
	weir_object_free(got);
	ck_assert_int_eq(weir_pipe_recvf(ends[0], 0, 0, NULL, "[* i]", &a), 0);
	ck_assert_int_eq(a, 2);
	ck_assert_int_eq(weir_pipe_recvf(ends[0], 0, 0, NULL, "[i]", &a), 0);
	ck_assert_int_eq(a, 3);
}
END_TEST

/*
 * Sizes
 */

static int send_large(void *arg)
{
	char *text = malloc(LARGE + 1);

	(void)arg;
	weir_pipe_close(ends[0]);
	memset(text, 'x', LARGE);
	text[LARGE] = '\0';
	child_check(weir_pipe_sendf(ends[1], 0, soon(), "[s y i]", text, text, LARGE, 5) == 0);
	child_check(weir_pipe_sendf(ends[1], 0, soon(), "i", 6) == 0);
	free(text);
	return 0;
}

START_TEST(object_larger_than_the_ring_arrives)
{
	struct child child = child_start(send_large, NULL);
	struct weir_object *object;
	size_t text_size, data_size;
	const char *text;
	const void *data;
	int number = 0;

	ck_assert_int_eq(weir_pipe_recvf(ends[0], 0, soon(), &object, "[S y i]", &text, &text_size,
					 &data, &data_size, &number), 0);
	ck_assert_int_eq(number, 5);
	ck_assert_uint_eq(text_size, LARGE);
	ck_assert_uint_eq(data_size, LARGE);
	ck_assert_uint_eq(strspn(text, "x"), LARGE);
	ck_assert_mem_eq(text, data, LARGE);
	weir_object_free(object);
	ck_assert_int_eq(weir_pipe_recvf(ends[0], 0, soon(), NULL, "i", &number), 0);
	ck_assert_int_eq(number, 6);
	child_join_ok(&child);
}
END_TEST

/* A receiver that never waits gets it all the same, in the end, and nothing in between. */
START_TEST(object_larger_than_the_ring_arrives_bit_by_bit)
{
	struct child child = child_start(send_large, NULL);
	struct weir_object *object;
	uint32_t events;
	size_t size;
	int result;

	do {
		ck_assert_int_eq(weir_pipe_poll(ends[0], WEIR_IN, 0, soon(), &events), 0);
		result = weir_pipe_recv_object(ends[0], 0, 0, 0, &object);
	} while (result == -EAGAIN);
	ck_assert_int_eq(result, 0);
	ck_assert_int_eq(weir_object_get_string(weir_object_at(object, 0), &(const char *){ NULL },
						&size), 0);
	ck_assert_uint_eq(size, LARGE);
	weir_object_free(object);
	ck_assert_int_eq(weir_pipe_recvf(ends[0], 0, soon(), NULL, "i", &result), 0);
	ck_assert_int_eq(result, 6);
	child_join_ok(&child);
}
END_TEST

/* Around the room of the first try, and the largest that is no stream of pieces. */
START_TEST(objects_of_any_size_arrive)
{
	static const size_t sizes[] = { 0, 1, 400, 509, 510, 511, 512, 513, 514, 515, 1000, 4096,
					CAPACITY - 16 - 3 };
	struct weir_object *object;
	char text[CAPACITY];
	const void *data;
	size_t size;

	memset(text, 'y', sizeof(text));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		ck_assert_int_eq(weir_pipe_sendf(ends[1], 0, 0, "y", text, sizes[i]), 0);
		ck_assert_int_eq(weir_pipe_recvf(ends[0], 0, 0, &object, "y", &data, &size), 0);
		ck_assert_uint_eq(size, sizes[i]);
		ck_assert_mem_eq(data, text, size);
		weir_object_free(object);
	}
}
END_TEST

static int send_stream(void *arg)
{
	struct model m = { test_seed() };
	struct weir_builder *b;

	(void)arg;
	weir_pipe_close(ends[0]);
	child_check(weir_builder_new(&b) == 0);
	for (int i = 0; i < STREAM; i++) {
		weir_builder_reset(b);
		model_build(&m, b, 0);
		child_check(weir_builder_send(b, ends[1], i % 2 ? WEIR_MORE : 0, soon()) == 0);
	}
	weir_builder_free(b);
	weir_pipe_close(ends[1]);
	return 0;
}

START_TEST(random_objects_arrive_in_order)
{
	struct child child = child_start(send_stream, NULL);
	struct model m = { test_seed() };
	struct weir_object *object;

	weir_pipe_close(ends[1]);
	ends[1] = NULL;
	for (int i = 0; i < STREAM; i++) {
		ck_assert_int_eq(weir_pipe_recv_object(ends[0], 0, 0, soon(), &object), 0);
		ck_assert_msg(model_is(&m, object, 0), "object %d", i);
		weir_object_free(object);
	}
	ck_assert_int_eq(weir_pipe_recv_object(ends[0], 0, 0, soon(), &object), -EPIPE);
	child_join_ok(&child);
}
END_TEST

/*
 * What cannot be received
 */

START_TEST(message_that_is_no_object_is_eproto_and_gone)
{
	struct weir_object *const nothing = (void *)ends, *object = nothing;
	char zeros[600] = "";
	int number = 0;

	ck_assert_int_eq(weir_pipe_send(ends[1], "\xc1", 1, 0, 0), 0);
	ck_assert_int_eq(weir_pipe_send(ends[1], "", 0, 0, 0), 0);
	ck_assert_int_eq(weir_pipe_send(ends[1], zeros, sizeof(zeros), 0, 0), 0);
	ck_assert_int_eq(weir_pipe_send(ends[1], "\xdd\x10\x00\x00\x00", 5, 0, 0), 0);
	ck_assert_int_eq(weir_pipe_sendf(ends[1], 0, 0, "i", 5), 0);
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(weir_pipe_recv_object(ends[0], 0, 0, 0, &object), -EPROTO);
		ck_assert_ptr_eq(object, nothing);
	}
	ck_assert_int_eq(weir_pipe_recvf(ends[0], 0, 0, NULL, "i", &number), 0);
	ck_assert_int_eq(number, 5);
}
END_TEST

/* Other than a message that is none, it stays: an error of its own. */
START_TEST(handle_among_objects_is_enomsg_and_stays)
{
	struct weir_end *others[2], *got;
	struct weir_object *object;
	int number = 0;

	ck_assert_int_eq(pipe_make(others, 0, CAPACITY), 0);
	ck_assert_int_eq(weir_pipe_send_handle(ends[1], others[0], 0, 0), 0);
	ck_assert_int_eq(weir_pipe_sendf(ends[1], 0, 0, "i", 5), 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(weir_pipe_recv_object(ends[0], 0, 0, 0, &object), -ENOMSG);
	ck_assert_int_eq(weir_pipe_recvf(ends[0], 0, 0, NULL, "i", &number), -ENOMSG);
	ck_assert_int_eq(weir_pipe_recv_handle(ends[0], WEIR_KIND_PIPE_END, 0, 0, &got), 0);
	weir_pipe_close(got);
	ck_assert_int_eq(weir_pipe_recvf(ends[0], 0, 0, NULL, "i", &number), 0);
	ck_assert_int_eq(number, 5);
	pipe_close_both(others);
}
END_TEST

START_TEST(object_that_does_not_match_is_gone)
{
	struct weir_object *const nothing = (void *)ends, *object = nothing;
	const char *text = NULL;
	int number = 77;

	ck_assert_int_eq(weir_pipe_sendf(ends[1], 0, 0, "[i s]", 5, "a"), 0);
	ck_assert_int_eq(weir_pipe_sendf(ends[1], 0, 0, "[q]", INT64_MAX), 0);
	ck_assert_int_eq(weir_pipe_sendf(ends[1], 0, 0, "{}"), 0);
	ck_assert_int_eq(weir_pipe_sendf(ends[1], 0, 0, "i", 6), 0);
	ck_assert_int_eq(weir_pipe_recvf(ends[0], 0, 0, &object, "[i i]", &number, &number),
			 -EPROTO);
	ck_assert_int_eq(weir_pipe_recvf(ends[0], 0, 0, &object, "[i]", &number), -ERANGE);
	ck_assert_int_eq(weir_pipe_recvf(ends[0], 0, 0, &object, "{a: s}", &text), -ENOENT);
	ck_assert_ptr_eq(object, nothing);
	ck_assert_int_eq(number, 77);
	ck_assert_int_eq(weir_pipe_recvf(ends[0], 0, 0, NULL, "i", &number), 0);
	ck_assert_int_eq(number, 6);
}
END_TEST

START_TEST(mistake_of_the_caller_receives_nothing)
{
	struct weir_object *object;
	const char *text = "old";
	int number = 0;

	ck_assert_int_eq(weir_pipe_sendf(ends[1], 0, 0, "s", "text"), 0);
	ck_assert_int_eq(weir_pipe_recvf(ends[0], 0, 0, &object, "[s", &text), -EINVAL);
	ck_assert_int_eq(weir_pipe_recvf(ends[0], 0, 0, &object, NULL), -EINVAL);
	/* Nothing would hold the string. */
	ck_assert_int_eq(weir_pipe_recvf(ends[0], 0, 0, NULL, "s", &text), -EINVAL);
	ck_assert_int_eq(weir_pipe_recvf(ends[0], 0, 0, NULL, "[i | {a: o}]", &number, &text),
			 -EINVAL);
	ck_assert_int_eq(weir_pipe_recv_object(ends[0], 0, 0, 0, NULL), -EINVAL);
	ck_assert_int_eq(weir_pipe_recv_object(NULL, 0, 0, 0, &object), -EINVAL);
	ck_assert_int_eq(weir_pipe_recv_object(ends[0], 0, WEIR_MORE, 0, &object), -EINVAL);
	ck_assert_int_eq(weir_pipe_recvf(ends[0], 0, 0, &object, "s", &text), 0);
	ck_assert_str_eq(text, "text");
	weir_object_free(object);
}
END_TEST

START_TEST(what_cannot_be_packed_sends_nothing)
{
	struct weir_object *object;

	ck_assert_int_eq(weir_pipe_sendf(ends[1], 0, 0, "[i", 1), -EINVAL);
	ck_assert_int_eq(weir_pipe_sendf(ends[1], 0, 0, "i i", 1, 2), -EINVAL);
	ck_assert_int_eq(weir_pipe_sendf(ends[1], 0, 0, ""), -EINVAL);
	ck_assert_int_eq(weir_pipe_sendf(ends[1], 0, 0, NULL), -EINVAL);
	ck_assert_int_eq(weir_pipe_sendf(ends[1], 0, 0, "s", "\xff"), -EILSEQ);
	ck_assert_int_eq(weir_pipe_sendf(NULL, 0, 0, "i", 1), -EINVAL);
	ck_assert_int_eq(weir_pipe_sendf(ends[1], 1U << 31, 0, "i", 1), -EINVAL);
	ck_assert_int_eq(weir_pipe_send_object(ends[1], NULL, 0, 0), -ENOENT);
	ck_assert_int_eq(weir_pipe_recv_object(ends[0], 0, 0, 0, &object), -EAGAIN);
	ck_assert_int_eq(weir_pipe_recv_object(ends[0], 0, 0, test_now() + MS, &object),
			 -ETIMEDOUT);
}
END_TEST

START_TEST(object_beyond_the_limit_of_a_call_stays)
{
	struct weir_object *object;
	char text[1000] = "";
	const void *data;
	size_t size;

	for (size_t bytes = 300; bytes <= 900; bytes += 600) {
		ck_assert_int_eq(weir_pipe_sendf(ends[1], 0, 0, "y", text, bytes), 0);
		ck_assert_int_eq(weir_pipe_recv_object(ends[0], bytes + 2, 0, 0, &object),
				 -EMSGSIZE);
		ck_assert_int_eq(weir_pipe_recv(ends[0], NULL, 0, 0, 0, &size), -EMSGSIZE);
		ck_assert_uint_eq(size, bytes + 3);
		ck_assert_int_eq(weir_pipe_recv_object(ends[0], size, 0, 0, &object), 0);
		ck_assert_int_eq(weir_object_get_binary(object, &data, &size), 0);
		ck_assert_uint_eq(size, bytes);
		weir_object_free(object);
	}
}
END_TEST

START_TEST(object_beyond_the_limit_of_the_end_is_skipped)
{
	char text[1000] = "";
	int number = 0;

	ck_assert_int_eq(weir_pipe_limit(ends[0], 700), 0);
	ck_assert_int_eq(weir_pipe_sendf(ends[1], 0, 0, "y", text, (size_t)900), 0);
	ck_assert_int_eq(weir_pipe_sendf(ends[1], 0, 0, "i", 5), 0);
	ck_assert_int_eq(weir_pipe_recvf(ends[0], 0, 0, NULL, "i", &number), -EMSGSIZE);
	ck_assert_int_eq(weir_pipe_recvf(ends[0], 0, 0, NULL, "i", &number), 0);
	ck_assert_int_eq(number, 5);
	ck_assert_int_eq(weir_pipe_limit(ends[0], 100), 0);
	ck_assert_int_eq(weir_pipe_sendf(ends[1], 0, 0, "y", text, (size_t)101), 0);
	ck_assert_int_eq(weir_pipe_sendf(ends[1], 0, 0, "i", 6), 0);
	ck_assert_int_eq(weir_pipe_recvf(ends[0], 0, 0, NULL, "i", &number), -EMSGSIZE);
	ck_assert_int_eq(weir_pipe_recvf(ends[0], 0, 0, NULL, "i", &number), 0);
	ck_assert_int_eq(number, 6);
}
END_TEST

START_TEST(errors_of_the_pipe_are_passed_on)
{
	struct weir_end *oneway[2];
	struct weir_object *object;

	ck_assert_int_eq(pipe_make(oneway, WEIR_PIPE_ONEWAY, 0), 0);
	ck_assert_int_eq(weir_pipe_sendf(oneway[0], 0, 0, "i", 1), -EOPNOTSUPP);
	ck_assert_int_eq(weir_pipe_recv_object(oneway[1], 0, 0, 0, &object), -EOPNOTSUPP);
	ck_assert_int_eq(weir_pipe_sendf(oneway[1], 0, 0, "i", 1), 0);
	ck_assert_int_eq(weir_pipe_shutdown(oneway[0]), 0);
	ck_assert_int_eq(weir_pipe_sendf(oneway[1], 0, 0, "i", 1), -ESHUTDOWN);
	ck_assert_int_eq(weir_pipe_recvf(oneway[0], 0, 0, NULL, "*"), 0);
	ck_assert_int_eq(weir_pipe_recv_object(oneway[0], 0, 0, 0, &object), -ESHUTDOWN);
	pipe_close_both(oneway);
}
END_TEST

static TCase *add(Suite *suite, const char *name)
{
	TCase *tcase = tcase_create(name);

	tcase_add_checked_fixture(tcase, setup, teardown);
	suite_add_tcase(suite, tcase);
	return tcase;
}

int main(void)
{
	Suite *suite = suite_create("object");
	TCase *lines = add(suite, "lines");
	TCase *sizes = add(suite, "sizes");
	TCase *errors = add(suite, "errors");

	tcase_add_test(lines, list_of_the_child_is_printed_by_the_parent);
	tcase_add_test(lines, message_is_messagepack_and_nothing_else);
	tcase_add_test(lines, object_is_received_and_taken_apart_in_one_call);
	tcase_add_test(lines, objects_and_builders_are_sent);

	tcase_add_test(sizes, object_larger_than_the_ring_arrives);
	tcase_add_test(sizes, object_larger_than_the_ring_arrives_bit_by_bit);
	tcase_add_test(sizes, objects_of_any_size_arrive);
	tcase_add_test(sizes, random_objects_arrive_in_order);

	tcase_add_test(errors, message_that_is_no_object_is_eproto_and_gone);
	tcase_add_test(errors, handle_among_objects_is_enomsg_and_stays);
	tcase_add_test(errors, object_that_does_not_match_is_gone);
	tcase_add_test(errors, mistake_of_the_caller_receives_nothing);
	tcase_add_test(errors, what_cannot_be_packed_sends_nothing);
	tcase_add_test(errors, object_beyond_the_limit_of_a_call_stays);
	tcase_add_test(errors, object_beyond_the_limit_of_the_end_is_skipped);
	tcase_add_test(errors, errors_of_the_pipe_are_passed_on);
	return test_main(suite);
}
