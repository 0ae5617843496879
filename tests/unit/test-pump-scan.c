/* SPDX-License-Identifier: MIT */
/* Scanning a file of frames: cut at each byte, wrong in each byte, and what is cut off. */
#include "pump-tools.h"

#define COUNT	4

static uint8_t file[4096];
static size_t ends_at[COUNT + 1];

static void make_file(void)
{
	size_t at = 0;

	for (uint64_t i = 0; i < COUNT; i++) {
		struct pump_frame f;
		size_t size = i == 2 ? 0 : 20 + 9 * i;

		message_fill(file + at + sizeof(f), size, i);
		pump_frame_make(&f, file + at + sizeof(f), (uint32_t)size, 70 + i, 1000 + 8 * i);
		memcpy(file + at, &f, sizeof(f));
		at += sizeof(f) + size;
		ends_at[i + 1] = at;
	}
}

static int file_of(size_t size)
{
	int fd = pump_file();

	ck_assert_int_eq(write(fd, file, size), (ssize_t)size);
	ck_assert_int_eq(lseek(fd, 3, SEEK_SET), 3);
	return fd;
}

/* How many frames end at @at or before. */
static uint64_t frames_up_to(size_t at)
{
	uint64_t n = 0;

	while (n < COUNT && ends_at[n + 1] <= at)
		n++;
	return n;
}

static void check_scan(const struct weir_pump_scan *s, uint64_t frames, size_t size)
{
	ck_assert_uint_eq(s->frames, frames);
	ck_assert_uint_eq(s->end, ends_at[frames]);
	ck_assert_uint_eq(s->rest, size - ends_at[frames]);
	ck_assert_uint_eq(s->payload, s->end - frames * sizeof(struct pump_frame));
	ck_assert_uint_eq(s->number, frames ? 70 + frames : 0);
	ck_assert_uint_eq(s->origin, frames ? 1000 + 8 * (frames - 1) : 0);
}

START_TEST(file_cut_anywhere_tells_its_last_whole_frame)
{
	make_file();
	for (size_t cut = 0; cut <= ends_at[COUNT]; cut++) {
		int fd = file_of(cut);
		uint64_t frames = frames_up_to(cut);
		struct weir_pump_scan s = pump_scan(fd, 0);

		check_scan(&s, frames, cut);
		ck_assert_int_eq(s.error, cut == ends_at[frames] ? 0 : -ENODATA);
		/* Nothing has changed. */
		ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 3);
		ck_assert_uint_eq(pump_file_size(fd), cut);
		s = pump_scan(fd, WEIR_PUMP_CUT);
		check_scan(&s, frames, cut);
		ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), (off_t)ends_at[frames]);
		ck_assert_uint_eq(pump_file_size(fd), ends_at[frames]);
		ck_assert_int_eq(pump_scan(fd, 0).error, 0);
		close(fd);
	}
}
END_TEST

START_TEST(each_wrong_byte_is_found_and_cut_off_only_if_asked_for)
{
	make_file();
	for (size_t at = 0; at < ends_at[COUNT]; at++) {
		uint64_t frames = frames_up_to(at);
		struct weir_pump_scan s;
		int fd;

		file[at] ^= (uint8_t)(1 + test_random_below(255));
		fd = file_of(ends_at[COUNT]);
		s = pump_scan(fd, WEIR_PUMP_CUT);
		check_scan(&s, frames, ends_at[COUNT]);
		ck_assert_int_eq(s.error, -EBADMSG);
		ck_assert_uint_eq(pump_file_size(fd), ends_at[COUNT]);
		ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 3);
		s = pump_scan(fd, WEIR_PUMP_CUT_DAMAGED);
		check_scan(&s, frames, ends_at[COUNT]);
		ck_assert_uint_eq(pump_file_size(fd), ends_at[frames]);
		ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), (off_t)ends_at[frames]);
		close(fd);
		make_file();
	}
}
END_TEST

START_TEST(zeros_behind_the_last_frame_are_damage)
{
	int fd;

	make_file();
	for (size_t zeros = 1; zeros < 100; zeros++) {
		fd = file_of(ends_at[COUNT]);
		ck_assert_int_eq(ftruncate(fd, (off_t)(ends_at[COUNT] + zeros)), 0);
		ck_assert_int_eq(pump_scan(fd, 0).error, -EBADMSG);
		ck_assert_uint_eq(pump_scan(fd, 0).rest, zeros);
		close(fd);
	}
}
END_TEST

START_TEST(message_larger_than_the_window_is_scanned)
{
	static uint8_t large[1 << 20];
	int fd = pump_file();
	struct pump_frame f;

	message_fill(large, sizeof(large), 5);
	pump_frame_make(&f, large, sizeof(large), 0, 0);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(write(fd, &f, sizeof(f)), (ssize_t)sizeof(f));
		ck_assert_int_eq(write(fd, large, sizeof(large)), (ssize_t)sizeof(large));
	}
	ck_assert_uint_eq(pump_scan(fd, 0).frames, 3);
	ck_assert_int_eq(pump_scan(fd, 0).error, 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)pump_file_size(fd) - 1), 0);
	ck_assert_uint_eq(pump_scan(fd, 0).frames, 2);
	ck_assert_int_eq(pump_scan(fd, 0).error, -ENODATA);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pump-scan");
	TCase *tcase = tcase_create("scan");

	tcase_add_test(tcase, file_cut_anywhere_tells_its_last_whole_frame);
	tcase_add_test(tcase, each_wrong_byte_is_found_and_cut_off_only_if_asked_for);
	tcase_add_test(tcase, zeros_behind_the_last_frame_are_damage);
	tcase_add_test(tcase, message_larger_than_the_window_is_scanned);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
