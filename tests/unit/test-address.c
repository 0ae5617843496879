/* SPDX-License-Identifier: MIT */
#include "obj/address.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include "support.h"

#define HEAD offsetof(struct sockaddr_un, sun_path)

static char *name_of(size_t length)
{
	static char name[8192];

	memset(name, 'n', length);
	name[length] = 0;
	return name;
}

START_TEST(path_is_ended_by_a_zero_that_counts)
{
	struct address a;

	ck_assert_int_eq(address_parse("/run/x", &a), 0);
	ck_assert(!a.abstract);
	ck_assert_int_eq(a.un.sun_family, AF_UNIX);
	ck_assert_uint_eq(a.length, HEAD + 7);
	ck_assert_str_eq(a.un.sun_path, "/run/x");
}
END_TEST

START_TEST(abstract_name_begins_with_a_zero_and_has_none_at_its_end)
{
	struct address a;

	ck_assert_int_eq(address_parse("@abc", &a), 0);
	ck_assert(a.abstract);
	ck_assert_uint_eq(a.length, HEAD + 4);
	ck_assert_mem_eq(a.un.sun_path, "\0abc", 4);
}
END_TEST

START_TEST(at_sign_counts_only_at_the_beginning)
{
	struct address a;

	ck_assert_int_eq(address_parse("./@abc", &a), 0);
	ck_assert(!a.abstract);
	ck_assert_int_eq(address_parse("@@abc", &a), 0);
	ck_assert_mem_eq(a.un.sun_path, "\0@abc", 5);
}
END_TEST

START_TEST(no_name_is_einval)
{
	struct address a, untouched;

	memset(&a, 7, sizeof(a));
	untouched = a;
	ck_assert_int_eq(address_parse(NULL, &a), -EINVAL);
	ck_assert_int_eq(address_parse("", &a), -EINVAL);
	/* The kernel would choose a name of its own. */
	ck_assert_int_eq(address_parse("@", &a), -EINVAL);
	ck_assert_mem_eq(&a, &untouched, sizeof(a));
}
END_TEST

START_TEST(longest_name_fits_and_one_more_is_enametoolong)
{
	struct address a;
	char *name = name_of(ADDRESS_MAX);

	ck_assert_uint_eq(ADDRESS_MAX, 107);
	ck_assert_int_eq(address_parse(name, &a), 0);
	ck_assert_uint_eq(a.length, HEAD + ADDRESS_MAX + 1);
	ck_assert_int_eq(a.un.sun_path[ADDRESS_MAX], 0);
	ck_assert_int_eq(address_parse(name_of(ADDRESS_MAX + 1), &a), -ENAMETOOLONG);
	ck_assert_int_eq(address_parse(name_of(4096), &a), -ENAMETOOLONG);

	name = name_of(ADDRESS_MAX + 1);
	name[0] = '@';
	ck_assert_int_eq(address_parse(name, &a), 0);
	ck_assert_uint_eq(a.length, sizeof(a.un));
	name = name_of(ADDRESS_MAX + 2);
	name[0] = '@';
	ck_assert_int_eq(address_parse(name, &a), -ENAMETOOLONG);
}
END_TEST

START_TEST(bytes_that_are_no_text_are_kept)
{
	struct address a;

	ck_assert_int_eq(address_parse("@\xff\x80\x01\n", &a), 0);
	ck_assert_uint_eq(a.length, HEAD + 5);
	ck_assert_mem_eq(a.un.sun_path, "\0\xff\x80\x01\n", 5);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("address");
	TCase *tcase = tcase_create("address");

	tcase_add_test(tcase, path_is_ended_by_a_zero_that_counts);
	tcase_add_test(tcase, abstract_name_begins_with_a_zero_and_has_none_at_its_end);
	tcase_add_test(tcase, at_sign_counts_only_at_the_beginning);
	tcase_add_test(tcase, no_name_is_einval);
	tcase_add_test(tcase, longest_name_fits_and_one_more_is_enametoolong);
	tcase_add_test(tcase, bytes_that_are_no_text_are_kept);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
