/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/cc.h"
#include "weir.h"
#include "weir/version.h"

/* The list of weir/base.h: these have words of weir's own. */
static const int own[] = {
	0,	    EAGAIN,   ETIMEDOUT, EINTR,	 EPIPE,	     ESHUTDOWN, EBUSY,
	EOWNERDEAD, EMSGSIZE, EBADMSG,	 EPROTO, EOPNOTSUPP, ENOENT,	EINVAL,
	EPERM,	    EUSERS,   EOVERFLOW, ECANCELED,
};

START_TEST(each_own_error_has_a_text_of_its_own)
{
	for (size_t i = 0; i < ARRAY_LENGTH(own); i++) {
		const char *text = weir_strerror(-own[i]);

		ck_assert_ptr_nonnull(text);
		ck_assert_uint_gt(strlen(text), 5);
		ck_assert_str_ne(text, "unknown error");
		for (size_t k = 0; k < i; k++)
			ck_assert_str_ne(text, weir_strerror(-own[k]));
	}
}
END_TEST

START_TEST(own_errors_are_explained_in_other_words_than_the_kernels)
{
	for (size_t i = 0; i < ARRAY_LENGTH(own); i++)
		ck_assert_str_ne(weir_strerror(-own[i]), strerrordesc_np(own[i]));
}
END_TEST

START_TEST(sign_of_an_error_does_not_matter)
{
	for (int error = 0; error < 200; error++)
		ck_assert_str_eq(weir_strerror(error), weir_strerror(-error));
}
END_TEST

START_TEST(other_errors_have_the_text_of_the_c_library)
{
	static const int others[] = { ENOMEM, EMFILE, ENFILE, EFBIG, ENOSPC, ENOSYS };

	for (size_t i = 0; i < ARRAY_LENGTH(others); i++)
		ck_assert_str_eq(weir_strerror(-others[i]), strerrordesc_np(others[i]));
}
END_TEST

START_TEST(number_that_is_no_error_is_unknown)
{
	static const int numbers[] = { 4095, -4095, 100000, -100000, INT_MAX, -INT_MAX, INT_MIN };

	for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++)
		ck_assert_str_eq(weir_strerror(numbers[i]), "unknown error");
}
END_TEST

START_TEST(text_is_constant)
{
	const char *text = weir_strerror(-ENOMEM);
	char copy[100];

	ck_assert_uint_lt(strlen(text), sizeof(copy));
	strcpy(copy, text);
	for (int error = 0; error < 200; error++)
		weir_strerror(error);
	ck_assert_str_eq(text, copy);
	ck_assert_ptr_eq(text, weir_strerror(ENOMEM));
}
END_TEST

START_TEST(explaining_leaves_errno_alone)
{
	errno = 4711;
	for (int error = -200; error < 200; error++)
		weir_strerror(error);
	weir_strerror(INT_MAX);
	weir_version();
	ck_assert_int_eq(errno, 4711);
}
END_TEST

START_TEST(version_is_that_of_the_header)
{
	int numbers = 0;

	ck_assert_str_eq(weir_version(), WEIR_VERSION);
	for (const char *at = weir_version(); *at; at++)
		numbers += *at == '.';
	ck_assert_int_eq(numbers, 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("error");
	TCase *texts = tcase_create("texts");

	tcase_add_test(texts, each_own_error_has_a_text_of_its_own);
	tcase_add_test(texts, own_errors_are_explained_in_other_words_than_the_kernels);
	tcase_add_test(texts, sign_of_an_error_does_not_matter);
	tcase_add_test(texts, other_errors_have_the_text_of_the_c_library);
	tcase_add_test(texts, number_that_is_no_error_is_unknown);
	tcase_add_test(texts, text_is_constant);
	tcase_add_test(texts, explaining_leaves_errno_alone);
	tcase_add_test(texts, version_is_that_of_the_header);
	suite_add_tcase(suite, texts);
	return test_main(suite);
}
