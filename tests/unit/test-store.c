/* SPDX-License-Identifier: MIT */
/* The memory of a queue: where things are, what is mapped, what is given back. */
#include "tape-bed.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static struct resources before;
static struct store store;

static void setup(void)
{
	const struct weir_queue_geometry geometry = BED_GEOMETRY(1000, 2000);

	before = resources_begin();
	ck_assert_int_eq(store_create(&store, &geometry), 0);
}

static void teardown(void)
{
	store_destroy(&store);
	resources_check(&before);
}

static uint64_t blocks(void)
{
	struct stat st;

	ck_assert_int_eq(fstat(store.fd, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

START_TEST(geometry_out_of_range_is_refused)
{
	const struct weir_queue_geometry good = BED_GEOMETRY(2, 1);
	struct weir_queue_geometry g;
	struct store s;

	for (int i = 0; i < 9; i++) {
		g = good;
		switch (i) {
		case 0: g.seats = 1; break;
		case 1: g.seats = QUEUE_SEATS_MAX + 1; break;
		case 2: g.frames = 1; break;
		case 3: g.frames = QUEUE_FRAMES_MAX + 1; break;
		case 4: g.chunks = 0; break;
		case 5: g.chunks = QUEUE_CHUNKS_MAX + 1; break;
		case 6: g.chunk_shift = QUEUE_CHUNK_SHIFT_MIN - 1; break;
		case 7: g.chunk_shift = QUEUE_CHUNK_SHIFT_MAX + 1; break;
		default: g.chunk_shift = 0; break;
		}
		ck_assert_msg(store_create(&s, &g) == -EINVAL, "case %d", i);
	}
	ck_assert_int_eq(store_create(&s, &good), 0);
	store_destroy(&s);
}
END_TEST

START_TEST(spans_follow_each_other_on_pages)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	struct stat st;

	ck_assert_int_eq(fstat(store.fd, &st), 0);
	ck_assert_uint_eq((uint64_t)st.st_size, store.size);
	ck_assert_uint_eq(store.offsets[STORE_SPANS], store.size);
	for (int i = 0; i < STORE_SPANS; i++) {
		ck_assert_uint_eq(store.offsets[i] % page, 0);
		ck_assert_uint_lt(store.offsets[i], store.offsets[i + 1]);
	}
	ck_assert_uint_le(blocks(), 64 << 10);
}
END_TEST

START_TEST(memfd_is_sealed)
{
	ck_assert_int_eq(fcntl(store.fd, F_GET_SEALS) & (F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL),
			 F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
	ck_assert_int_lt(ftruncate(store.fd, 4096), 0);
	ck_assert_int_eq(fcntl(store.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}
END_TEST

START_TEST(first_and_last_of_each_are_reached_and_none_beyond)
{
	const struct weir_queue_geometry *g = &store.geometry;
	uint64_t bytes = (uint64_t)g->chunks << g->chunk_shift;

	ck_assert_ptr_null(store_seat(&store, 0));
	ck_assert_ptr_null(store_seat(&store, g->seats));
	ck_assert_ptr_null(store_frame(&store, g->frames));
	ck_assert_ptr_null(store_slots(&store, g->frames));
	ck_assert_ptr_null(store_chunk(&store, g->chunks));
	ck_assert_ptr_null(store_chunk(&store, UINT32_MAX));
	ck_assert_ptr_null(store_bytes(&store, 0, 0, bytes + 1));
	ck_assert_ptr_null(store_bytes(&store, g->chunks - 1, 1, store.chunk_size));
	store_seat(&store, 1)->frame = 1;
	store_seat(&store, g->seats - 1)->frame = 2;
	store_frame(&store, 0)->prev = 3;
	store_frame(&store, g->frames - 1)->prev = 4;
	store_slots(&store, 0)->body = 5;
	store_slots(&store, g->frames - 1)[QUEUE_SLOTS - 1].body = 6;
	store_chunk(&store, 0)->first = 7;
	store_chunk(&store, g->chunks - 1)->first = 8;
	*store_bytes(&store, 0, 0, 1) = 9;
	*store_bytes(&store, g->chunks - 1, store.chunk_size - 1, 1) = 10;
	ck_assert_uint_eq(store_seat(&store, 1)->frame, 1);
	ck_assert_uint_eq(store_seat(&store, g->seats - 1)->frame, 2);
	ck_assert_uint_eq(store_frame(&store, 0)->prev, 3);
	ck_assert_uint_eq(store_frame(&store, g->frames - 1)->prev, 4);
	ck_assert_uint_eq(store_slots(&store, 0)->body, 5);
	ck_assert_uint_eq(store_slots(&store, g->frames - 1)[QUEUE_SLOTS - 1].body, 6);
	ck_assert_uint_eq(store_chunk(&store, 0)->first, 7);
	ck_assert_uint_eq(store_chunk(&store, g->chunks - 1)->first, 8);
	ck_assert_uint_eq(*store_bytes(&store, 0, 0, 1), 9);
}
END_TEST

START_TEST(reaching_further_keeps_what_is_there)
{
	uint8_t *first = store_bytes(&store, 0, 0, 8);

	memset(first, 0x5a, 8);
	for (uint32_t chunk = 1; chunk < store.geometry.chunks; chunk *= 2) {
		uint8_t *bytes = store_bytes(&store, chunk, 0, store.chunk_size);

		ck_assert_ptr_eq(bytes, first + (size_t)chunk * store.chunk_size);
		*bytes = 1;
		ck_assert_uint_eq(*first, 0x5a);
	}
}
END_TEST

START_TEST(another_mapping_sees_the_same)
{
	struct store other;
	int fd = dup(store.fd);

	ck_assert_int_eq(store_attach(&other, fd), 0);
	ck_assert_mem_eq(&other.geometry, &store.geometry, sizeof(store.geometry));
	ck_assert_uint_eq(other.inode, store.inode);
	store_slots(&store, 999)->state = 4711;
	ck_assert_uint_eq(store_slots(&other, 999)->state, 4711);
	*store_bytes(&other, 1999, 7, 1) = 42;
	ck_assert_uint_eq(*store_bytes(&store, 1999, 7, 1), 42);
	store_destroy(&other);
}
END_TEST

START_TEST(what_is_populated_is_memory_and_what_is_emptied_is_none)
{
	uint64_t empty = blocks();

	ck_assert_int_eq(store_populate_chunks(&store, 10, 100), 0);
	ck_assert_int_eq(store_populate_frame(&store, 5), 0);
	ck_assert_uint_ge(blocks(), empty + 100 * 4096 + 16384);
	memset(store_bytes(&store, 10, 0, 4096), 1, 4096);
	store_slots(&store, 5)->state = 1;
	store_empty_chunks(&store, 10, 100);
	store_empty_frame(&store, 5);
	ck_assert_uint_eq(blocks(), empty);
	ck_assert_uint_eq(*store_bytes(&store, 10, 0, 1), 0);
	ck_assert_uint_eq(store_slots(&store, 5)->state, 0);
}
END_TEST

START_TEST(other_files_are_not_attached)
{
	struct store other;
	int null = open("/dev/null", O_RDWR);

	ck_assert_int_eq(store_attach(&other, null), -EINVAL);
	close(null);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("store");
	TCase *t = tcase_create("store");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, geometry_out_of_range_is_refused);
	tcase_add_test(t, spans_follow_each_other_on_pages);
	tcase_add_test(t, memfd_is_sealed);
	tcase_add_test(t, first_and_last_of_each_are_reached_and_none_beyond);
	tcase_add_test(t, reaching_further_keeps_what_is_there);
	tcase_add_test(t, another_mapping_sees_the_same);
	/* An emulator does not pass that madvise() on. */
	test_add_unless(t, kernel_unavailable(),
			what_is_populated_is_memory_and_what_is_emptied_is_none);
	tcase_add_test(t, other_files_are_not_attached);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return test_main(suite());
}
