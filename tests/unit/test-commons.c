/* SPDX-License-Identifier: MIT */
/* Memory that all its users write alike: made, attached, refused for whatever is wrong with it. */
#include "lock-tools.h"

#include <sys/mman.h>
#include <sys/stat.h>

#define KIND	WEIR_OBJECT_LOCK
#define BODY	UINT64_C(10000)

static const struct weir_commons_geometry geometry = {
	.flags = 1, .type = 2, .count = 3, .element_size = 4, .limit = 5,
};

static struct commons commons;
static struct resources before;

static void setup(void)
{
	before = resources_begin();
	ck_assert_int_eq(commons_create(&commons, KIND, &geometry, BODY), 0);
}

static void teardown(void)
{
	commons_destroy(&commons);
	resources_check(&before);
}

static int copy_of(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	ck_assert_int_ge(copy, 0);
	return copy;
}

START_TEST(fresh_one_is_all_zeroes)
{
	struct weir_commons_control zero;
	const uint8_t *state = commons.state;

	memset(&zero, 0, sizeof(zero));
	ck_assert_int_eq(memcmp(commons.control, &zero, sizeof(zero)), 0);
	for (uint32_t i = 0; i < WEIR_COMMONS_STATE_SIZE; i++)
		ck_assert_uint_eq(state[i], 0);
	for (uint64_t i = 0; i < BODY; i++)
		ck_assert_uint_eq(commons.body[i], 0);
	ck_assert_ptr_null(commons_party(&commons, 0));
	ck_assert_ptr_null(commons_party(&commons, COMMONS_PARTIES));
	ck_assert_ptr_null(commons_party(&commons, UINT32_MAX));
	ck_assert_uint_eq(commons_party(&commons, COMMONS_PARTIES - 1)->image, 0);
}
END_TEST

START_TEST(pieces_do_not_overlap)
{
	uint8_t *end = (uint8_t *)(commons.parties + COMMONS_PARTIES);

	ck_assert((uint8_t *)commons.state >= (uint8_t *)(commons.control + 1));
	ck_assert((uint8_t *)commons.parties >=
		  (uint8_t *)commons.state + WEIR_COMMONS_STATE_SIZE);
	ck_assert(commons.body >= end);
	ck_assert_uint_eq((uintptr_t)commons.body % (uint64_t)sysconf(_SC_PAGESIZE), 0);
	/* Up to the last byte. */
	memset(commons.body, 1, BODY);
	memset(commons.parties, 1, COMMONS_PARTIES * sizeof(struct weir_party));
}
END_TEST

START_TEST(table_of_parties_takes_no_memory_until_it_is_used)
{
	struct stat st;

	ck_assert_int_eq(fstat(commons.fd, &st), 0);
	ck_assert_int_le(st.st_blocks * 512, 64 << 10);
	ck_assert_uint_eq((uint64_t)st.st_size, commons.size);
	ck_assert_int_ge(commons.fd, 512);
	ck_assert_int_lt(ftruncate(commons.fd, 0), 0);
}
END_TEST

START_TEST(attached_one_is_the_same_memory)
{
	struct commons other;

	memcpy(commons.body, "weir", 4);
	ck_assert_int_eq(commons_attach(&other, copy_of(commons.fd), KIND), 0);
	ck_assert_int_eq(memcmp(other.body, "weir", 4), 0);
	ck_assert_int_eq(memcmp(&other.geometry, &geometry, sizeof(geometry)), 0);
	ck_assert_uint_eq(other.body_size, BODY);
	ck_assert_uint_eq(other.inode, commons.inode);
	commons_destroy(&other);
	/* Again, and of one that never was. */
	commons_destroy(&other);
}
END_TEST

START_TEST(sizes_out_of_range_are_refused)
{
	struct commons c;

	ck_assert_int_eq(commons_create(&c, KIND, &geometry, COMMONS_BODY_MAX + 1), -EFBIG);
	ck_assert_int_eq(commons_create(&c, KIND, &geometry, UINT64_MAX), -EFBIG);
	ck_assert_int_eq(commons_create(&c, KIND, &geometry, COMMONS_BODY_MAX), -ENOBUFS);
	ck_assert_int_eq(c.fd, -1);
	ck_assert_int_eq(commons_create(&c, KIND, &geometry, 0), 0);
	ck_assert_ptr_null(c.body);
	commons_destroy(&c);
}
END_TEST

/*
 * What is wrong
 */

struct front {
	struct weir_segment_header header;
	uint8_t gap[WEIR_COMMONS_GEOMETRY_OFFSET - sizeof(struct weir_segment_header)];
	struct weir_commons_geometry geometry;
};

static struct front front;

#define SEALS	(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static int make_memfd(uint64_t size, int seals)
{
	int fd = memfd_create("hostile", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
	if (size >= sizeof(front))
		ck_assert_int_eq(pwrite(fd, &front, sizeof(front), 0), sizeof(front));
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static void read_front(void)
{
	ck_assert_int_eq(pread(commons.fd, &front, sizeof(front), 0), sizeof(front));
}

/* Who attaches keeps its descriptor then. */
static void expect_refused(int fd, int error)
{
	struct commons c = { .fd = 77 };
	int result = commons_examine(fd, KIND, &c);

	ck_assert_msg(result == error, "%d, not %d", result, error);
	ck_assert_int_eq(c.fd, 77);
	ck_assert_int_eq(commons_attach(&c, fd, KIND), error);
	ck_assert_int_ge(fcntl(fd, F_GETFD), 0);
	close(fd);
}

START_TEST(good_copy_is_accepted)
{
	struct commons c;

	read_front();
	ck_assert_int_eq(commons_attach(&c, make_memfd(commons.size, SEALS), KIND), 0);
	commons_destroy(&c);
}
END_TEST

START_TEST(memory_without_the_seals_is_refused)
{
	const int wrong[] = { 0, F_SEAL_SHRINK, SEALS & ~F_SEAL_SHRINK, SEALS & ~F_SEAL_GROW,
			      SEALS & ~F_SEAL_SEAL, SEALS | F_SEAL_WRITE };

	read_front();
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		expect_refused(make_memfd(commons.size, wrong[i]), -EINVAL);
}
END_TEST

START_TEST(memory_of_another_size_is_refused)
{
	const uint64_t sizes[] = { 4096, sizeof(front), commons.size - 4096, commons.size + 4096 };

	expect_refused(make_memfd(0, SEALS), -EINVAL);
	expect_refused(make_memfd(1, SEALS), -EINVAL);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		read_front();
		expect_refused(make_memfd(sizes[i], SEALS), -EBADMSG);
		/* Also if the header agrees. */
		front.header.size = sizes[i];
		expect_refused(make_memfd(sizes[i], SEALS), -EBADMSG);
	}
}
END_TEST

static void lie(int index)
{
	struct weir_object_entry *o = &front.header.objects[0];

	switch (index) {
	case 0: o->ring_capacity = 0; break;
	case 1: o->ring_capacity += 4096; break;
	case 2: o->ring_capacity = UINT64_MAX; break;
	case 3: o->ring_capacity = COMMONS_BODY_MAX + 1; break;
	case 4: o->ring_capacity = UINT64_MAX - 4096; break;
	case 5: o->control_offset += 4096; break;
	case 6: o->control_offset = 0; break;
	case 7: o->ring_offset += 4096; break;
	case 8: o->ring_offset = UINT64_MAX; break;
	case 9: front.header.size += 4096; break;
	case 10: front.header.magic++; break;
	case 11: front.header.object_count = 0; break;
	case 12: front.header.object_count = 2; break;
	default: ck_abort();
	}
}

START_TEST(header_that_lies_is_refused)
{
	read_front();
	lie(_i);
	expect_refused(make_memfd(commons.size, SEALS), -EBADMSG);
}
END_TEST

START_TEST(other_layouts_and_kinds_are_refused)
{
	for (int i = 0; i < 5; i++) {
		read_front();
		switch (i) {
		case 0: front.header.layout_major++; break;
		case 1: front.header.page_size *= 2; break;
		case 2: front.header.features_incompatible = 1; break;
		case 3: front.header.objects[0].kind = WEIR_OBJECT_PIPE; break;
		default: front.header.objects[0].kind = UINT32_MAX; break;
		}
		expect_refused(make_memfd(commons.size, SEALS), -EPROTO);
	}
}
END_TEST

START_TEST(what_is_no_memory_is_refused)
{
	int fds[2];

	expect_refused(open("/dev/null", O_RDWR | O_CLOEXEC), -EINVAL);
	expect_refused(open("/dev/zero", O_RDWR | O_CLOEXEC), -EINVAL);
	expect_refused(open("/", O_RDONLY | O_CLOEXEC), -EINVAL);
	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	close(fds[1]);
	expect_refused(fds[0], -EINVAL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("commons");
	TCase *tcase = tcase_create("commons");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, fresh_one_is_all_zeroes);
	tcase_add_test(tcase, pieces_do_not_overlap);
	tcase_add_test(tcase, table_of_parties_takes_no_memory_until_it_is_used);
	tcase_add_test(tcase, attached_one_is_the_same_memory);
	tcase_add_test(tcase, sizes_out_of_range_are_refused);
	tcase_add_test(tcase, good_copy_is_accepted);
	tcase_add_test(tcase, memory_without_the_seals_is_refused);
	tcase_add_test(tcase, memory_of_another_size_is_refused);
	tcase_add_loop_test(tcase, header_that_lies_is_refused, 0, 13);
	tcase_add_test(tcase, other_layouts_and_kinds_are_refused);
	tcase_add_test(tcase, what_is_no_memory_is_refused);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
