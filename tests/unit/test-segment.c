/* SPDX-License-Identifier: MIT */
#include "pipe-tools.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mem/segment.h"
#include "ring/lane.h"

#define CAPACITY	(UINT64_C(64) << 10)

static const uint64_t capacities[] = { 4096, 8192, CAPACITY, UINT64_C(1) << 20, UINT64_C(4) << 20 };

static struct segment make(uint32_t lanes, uint64_t capacity)
{
	struct segment s;

	ck_assert_int_eq(segment_create(&s, lanes, capacity), 0);
	return s;
}

/*
 * Contents
 */

START_TEST(header_says_what_the_segment_is)
{
	for (uint32_t lanes = 1; lanes <= SEGMENT_LANES_MAX; lanes++) {
		struct segment s = make(lanes, CAPACITY);
		const struct weir_segment_header *h = s.front;
		const struct weir_object_entry *o = &h->objects[0];
		struct stat file;

		ck_assert_int_eq(fstat(s.fd, &file), 0);
		ck_assert_uint_eq(h->magic, WEIR_SEGMENT_MAGIC);
		ck_assert_uint_eq(h->layout_major, WEIR_LAYOUT_MAJOR);
		ck_assert_uint_eq(h->page_size, (uint32_t)sysconf(_SC_PAGESIZE));
		ck_assert_uint_eq(h->features_compatible | h->features_incompatible, 0);
		ck_assert_uint_eq(h->size, (uint64_t)file.st_size);
		ck_assert_uint_eq(h->object_count, 1);
		ck_assert_uint_eq(h->reserved, 0);
		ck_assert_uint_eq(o->kind, WEIR_OBJECT_PIPE);
		ck_assert_uint_eq(o->lanes, lanes);
		ck_assert_uint_eq(o->control_offset, WEIR_CONTROL_OFFSET);
		ck_assert_uint_eq(o->ring_capacity, CAPACITY);
		ck_assert_uint_eq(o->ring_offset % h->page_size, 0);
		ck_assert_uint_ge(o->ring_offset,
				  WEIR_CONTROL_OFFSET + lanes * sizeof(struct weir_lane_control));
		ck_assert_uint_eq(h->size, o->ring_offset + lanes * CAPACITY);
		for (int i = 1; i < WEIR_OBJECTS_MAX; i++)
			ck_assert_uint_eq(h->objects[i].kind, WEIR_OBJECT_NONE);
		segment_destroy(&s);
	}
}
END_TEST

START_TEST(magic_reads_as_text)
{
	uint64_t magic = WEIR_SEGMENT_MAGIC;

	ck_assert(memcmp(&magic, "wirment1", sizeof(magic)) == 0);
}
END_TEST

START_TEST(all_behind_the_header_is_zero)
{
	struct segment s = make(2, CAPACITY);
	const uint8_t *front = s.front;

	for (size_t i = sizeof(struct weir_segment_header); i < s.front_size; i++)
		ck_assert_uint_eq(front[i], 0);
	for (int lane = 0; lane < 2; lane++)
		for (uint64_t i = 0; i < 2 * CAPACITY; i++)
			ck_assert_uint_eq(s.rings[lane][i], 0);
	segment_destroy(&s);
}
END_TEST

START_TEST(header_in_the_file_is_the_one_in_memory)
{
	struct segment s = make(1, CAPACITY);
	struct weir_segment_header h;

	ck_assert_int_eq(pread(s.fd, &h, sizeof(h), 0), sizeof(h));
	ck_assert(memcmp(&h, s.front, sizeof(h)) == 0);
	segment_destroy(&s);
}
END_TEST

START_TEST(lane_controls_lie_in_the_front_one_behind_the_other)
{
	struct segment s = make(2, CAPACITY);
	uint8_t *front = s.front;

	ck_assert_ptr_eq((uint8_t *)segment_lane(&s, 0), front + WEIR_CONTROL_OFFSET);
	ck_assert_ptr_eq((uint8_t *)segment_lane(&s, 1),
			 front + WEIR_CONTROL_OFFSET + sizeof(struct weir_lane_control));
	ck_assert((uint8_t *)(segment_lane(&s, 1) + 1) <= front + s.front_size);
	segment_destroy(&s);
}
END_TEST

/*
 * Mappings
 */

static void check_mirror(uint8_t *ring, uint64_t capacity)
{
	for (uint64_t i = 0; i < capacity; i += capacity / 64) {
		ring[i] = (uint8_t)(i / 64 + 1);
		ck_assert_uint_eq(ring[i + capacity], (uint8_t)(i / 64 + 1));
		ring[i + capacity + 1] = 0x77;
		ck_assert_uint_eq(ring[i + 1], 0x77);
	}
	/* One write over the end is one piece before and one behind. */
	memcpy(ring + capacity - 3, "abcdef", 6);
	ck_assert(memcmp(ring, "def", 3) == 0);
	ck_assert(memcmp(ring + 2 * capacity - 3, "abc", 3) == 0);
}

START_TEST(each_ring_is_mapped_twice_in_a_row)
{
	for (size_t c = 0; c < ARRAY_LENGTH(capacities); c++) {
		struct segment s = make(2, capacities[c]);

		check_mirror(s.rings[0], capacities[c]);
		check_mirror(s.rings[1], capacities[c]);
		segment_destroy(&s);
	}
}
END_TEST

START_TEST(rings_do_not_overlap)
{
	struct segment s = make(2, CAPACITY);

	memset(s.rings[0], 0x11, CAPACITY);
	memset(s.rings[1], 0x22, CAPACITY);
	for (uint64_t i = 0; i < CAPACITY; i++)
		ck_assert(s.rings[0][i] == 0x11 && s.rings[1][i] == 0x22);
	ck_assert_uint_eq(((struct weir_segment_header *)s.front)->magic, WEIR_SEGMENT_MAGIC);
	ck_assert_uint_eq(segment_lane(&s, 1)->reader.owner, 0);
	segment_destroy(&s);
}
END_TEST

/* The mapping that begins at @address, by its flags in smaps; false if there is none such. */
static bool read_flags(const void *address, char *flags, size_t size)
{
	FILE *file = fopen("/proc/self/smaps", "r");
	bool here = false, found = false;
	char line[512];
	unsigned long from, to;

	ck_assert_ptr_nonnull(file);
	while (!found && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			here = from <= (uintptr_t)address && (uintptr_t)address < to;
		else if (here && strncmp(line, "VmFlags:", 8) == 0) {
			snprintf(flags, size, "%s", line + 8);
			found = true;
		}
	}
	fclose(file);
	return found;
}

START_TEST(no_mapping_goes_into_a_core_dump)
{
	struct segment s = make(2, CAPACITY);
	const void *parts[] = {
		s.front, s.rings[0], s.rings[0] + CAPACITY, s.rings[1], s.rings[1] + CAPACITY,
	};
	char flags[512];

	for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
		ck_assert(read_flags(parts[i], flags, sizeof(flags)));
		ck_assert_msg(strstr(flags, " dd") != NULL, "part %zu: %s", i, flags);
	}
	segment_destroy(&s);
}
END_TEST

START_TEST(memory_is_there_before_it_is_touched)
{
	struct segment s = make(2, UINT64_C(4) << 20);
	struct stat file;

	ck_assert_int_eq(fstat(s.fd, &file), 0);
	ck_assert_int_ge(file.st_blocks * 512, file.st_size);
	segment_destroy(&s);
}
END_TEST

/*
 * Seals
 */

START_TEST(size_is_sealed)
{
	struct segment s = make(1, CAPACITY);
	off_t size = (off_t)(s.front_size + CAPACITY);

	ck_assert_int_eq(ftruncate(s.fd, size - 1), -1);
	ck_assert_int_eq(errno, EPERM);
	ck_assert_int_eq(ftruncate(s.fd, 0), -1);
	ck_assert_int_eq(errno, EPERM);
	ck_assert_int_eq(ftruncate(s.fd, size + 4096), -1);
	ck_assert_int_eq(errno, EPERM);
	ck_assert_int_eq(fallocate(s.fd, 0, size, 4096), -1);
	ck_assert_int_eq(errno, EPERM);
	ck_assert_int_eq(pwrite(s.fd, "x", 1, size), -1);
	ck_assert_int_eq(errno, EPERM);
	segment_destroy(&s);
}
END_TEST

START_TEST(seals_are_sealed)
{
	static const int more[] = { F_SEAL_WRITE, F_SEAL_FUTURE_WRITE, F_SEAL_GROW, F_SEAL_SEAL };
	struct segment s = make(1, CAPACITY);
	int seals = fcntl(s.fd, F_GET_SEALS);

	ck_assert_int_eq(seals & (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL | F_SEAL_WRITE),
			 F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	for (size_t i = 0; i < ARRAY_LENGTH(more); i++) {
		ck_assert_int_eq(fcntl(s.fd, F_ADD_SEALS, more[i]), -1);
		ck_assert_int_eq(errno, EPERM);
	}
	ck_assert_int_eq(fcntl(s.fd, F_GET_SEALS), seals);
	segment_destroy(&s);
}
END_TEST

START_TEST(descriptor_is_high_and_not_inherited_by_exec)
{
	struct segment s = make(1, CAPACITY);

	ck_assert_int_ge(s.fd, 512);
	ck_assert_int_eq(fcntl(s.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	segment_destroy(&s);
}
END_TEST

/*
 * Limits and ends
 */

START_TEST(nothing_is_left_behind)
{
	struct resources before = resources_begin();

	for (size_t c = 0; c < ARRAY_LENGTH(capacities); c++) {
		for (uint32_t lanes = 1; lanes <= 2; lanes++) {
			struct segment s = make(lanes, capacities[c]);

			segment_destroy(&s);
			ck_assert_int_eq(s.fd, -1);
			/* Once more is harmless. */
			segment_destroy(&s);
		}
	}
	resources_check(&before);
}
END_TEST

START_TEST(file_size_limit_is_an_error_and_no_signal)
{
	struct resources before;
	struct rlimit old, low;
	struct segment s;

	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
	before = resources_begin();
	low = (struct rlimit){ .rlim_cur = CAPACITY, .rlim_max = old.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &low), 0);
	errno = 4711;
	ck_assert_int_eq(segment_create(&s, 1, CAPACITY), -EFBIG);
	ck_assert_int_eq(errno, 4711);
	ck_assert_int_eq(s.fd, -1);
	/* What is within the limit is made. */
	ck_assert_int_eq(segment_create(&s, 1, CAPACITY / 2), 0);
	segment_destroy(&s);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
	resources_check(&before);
}
END_TEST

START_TEST(file_size_limit_is_met_to_the_byte)
{
	struct segment s = make(1, 4096);
	uint64_t size = s.front_size + 4096;
	struct rlimit old, low;

	segment_destroy(&s);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
	low = (struct rlimit){ .rlim_cur = size, .rlim_max = old.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &low), 0);
	ck_assert_int_eq(segment_create(&s, 1, 4096), 0);
	segment_destroy(&s);
	low.rlim_cur = size - 1;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &low), 0);
	ck_assert_int_eq(segment_create(&s, 1, 4096), -EFBIG);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
}
END_TEST

/* The seals do not forbid it: what was punched reads as an empty ring. */
START_TEST(punched_ring_is_an_empty_ring)
{
	struct segment s = make(1, CAPACITY);
	struct weir_lane_control *control = segment_lane(&s, 0);
	struct lane lane = { s.rings[0], CAPACITY - 1, &control->writer, &control->reader };
	struct lane_tx tx = { .lane = lane };
	struct lane_rx rx = { .lane = lane };

	ck_assert_int_eq(lane_tx_take_over(&tx), 0);
	ck_assert_int_eq(lane_rx_take_over(&rx), 0);
	for (int i = 0; i < 100; i++)
		lane_tx_put(&tx, "message", 8);
	ck_assert(lane_rx_look(&rx) != 0);
	ck_assert_int_eq(fallocate(s.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				   (off_t)s.front_size, (off_t)CAPACITY),
			 0);
	ck_assert_uint_eq(lane_rx_look(&rx), 0);
	for (uint64_t i = 0; i < 2 * CAPACITY; i++)
		ck_assert_uint_eq(s.rings[0][i], 0);
	/* And can be written again, with no more than what a fresh page takes. */
	memset(s.rings[0], 1, CAPACITY);
	segment_destroy(&s);
}
END_TEST

START_TEST(punched_front_is_zero)
{
	struct segment s = make(2, 4096);

	segment_lane(&s, 1)->reader.position = 4711;
	ck_assert_int_eq(fallocate(s.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
				   (off_t)s.front_size),
			 0);
	ck_assert_uint_eq(segment_lane(&s, 1)->reader.position, 0);
	segment_destroy(&s);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("segment");
	TCase *contents = tcase_create("contents");
	TCase *mappings = tcase_create("mappings");
	TCase *seals = tcase_create("seals");
	TCase *limits = tcase_create("limits");

	tcase_add_test(contents, header_says_what_the_segment_is);
	tcase_add_test(contents, magic_reads_as_text);
	tcase_add_test(contents, all_behind_the_header_is_zero);
	tcase_add_test(contents, header_in_the_file_is_the_one_in_memory);
	tcase_add_test(contents, lane_controls_lie_in_the_front_one_behind_the_other);
	suite_add_tcase(suite, contents);

	tcase_add_test(mappings, each_ring_is_mapped_twice_in_a_row);
	tcase_add_test(mappings, rings_do_not_overlap);
	test_add_unless(mappings, kernel_unavailable(), no_mapping_goes_into_a_core_dump);
	tcase_add_test(mappings, memory_is_there_before_it_is_touched);
	suite_add_tcase(suite, mappings);

	tcase_add_test(seals, size_is_sealed);
	tcase_add_test(seals, seals_are_sealed);
	tcase_add_test(seals, descriptor_is_high_and_not_inherited_by_exec);
	suite_add_tcase(suite, seals);

	tcase_add_test(limits, nothing_is_left_behind);
	tcase_add_test(limits, file_size_limit_is_an_error_and_no_signal);
	tcase_add_test(limits, file_size_limit_is_met_to_the_byte);
	tcase_add_test(limits, punched_ring_is_an_empty_ring);
	tcase_add_test(limits, punched_front_is_zero);
	suite_add_tcase(suite, limits);
	return test_main(suite);
}
