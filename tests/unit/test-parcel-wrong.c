/* SPDX-License-Identifier: MIT */
/* Parcels that are refused: each thing that can be wrong. Nothing stays open, nothing is read. */
#include "parcel-tools.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "sys/sys.h"

/*
 * Wrong notes
 */

START_TEST(note_that_is_not_known_is_refused)
{
	struct parcel good = copy_of(ends[1]);
	struct parcel_note notes[10];
	size_t n = ARRAY_LENGTH(notes);

	for (size_t i = 0; i < n; i++)
		notes[i] = good.note;
	notes[0].magic++;
	notes[1].version++;
	notes[2].layout++;
	notes[3].kind = 0;
	notes[4].kind = 2;
	notes[5].flags = UINT32_MAX;
	notes[6].flags = WEIR_PIPE_ONEWAY;	/* then there would be fewer descriptors */
	notes[7].index = 2;
	notes[8].reserved = 1;
	notes[9].fd_count = 7;
	parcel_close(&good);
	for (size_t i = 0; i < n; i++) {
		struct parcel p = copy_of(ends[1]);

		p.note = notes[i];
		expect_refused(&p, -EPROTO);
	}
}
END_TEST

/*
 * Wrong descriptors
 */

static int memfd_with(int seals, off_t size)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, size), 0);
	if (seals)
		ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

#define OURS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static int plain_file(void)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	return fd >= 0 ? fd : open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
}

static int one_of_a_pipe(int which)
{
	int fds[2];

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	close(fds[1 - which]);
	return fds[which];
}

static int unix_socket(int type)
{
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds), 0);
	close(fds[1]);
	return fds[0];
}

/* One descriptor of each sort that there is; -1 behind the last. */
static int of_sort(int sort)
{
	switch (sort) {
	case 0: return open("/dev/null", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	case 1: return open("/dev/zero", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	case 2: return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
	case 3: return plain_file();
	case 4: return one_of_a_pipe(0);
	case 5: return one_of_a_pipe(1);
	case 6: return memfd_with(0, 16384);
	case 7: return eventfd(1, EFD_CLOEXEC);		/* it would block */
	case 8: return timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	case 9: return epoll_create1(EPOLL_CLOEXEC);
	case 10: return inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	case 11: return unix_socket(SOCK_STREAM | SOCK_NONBLOCK);
	case 12: return unix_socket(SOCK_DGRAM | SOCK_NONBLOCK);
	case 13: return unix_socket(SOCK_SEQPACKET);	/* it would block */
	case 14: return socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	case 15: return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	case 16: return unix_socket(SOCK_SEQPACKET | SOCK_NONBLOCK);
	default: return -1;
	}
}

/* What it is right for. */
static bool fits(int sort, uint32_t place)
{
	if (place >= 1 && place <= 6)
		return sort == 15;
	return place == 7 && sort == 16;
}

START_TEST(descriptor_of_another_sort_is_refused_in_each_place)
{
	for (uint32_t place = 0; place < 8; place++) {
		for (int sort = 0; sort < 17; sort++) {
			int wrong = of_sort(sort);
			struct parcel p;

			if (wrong < 0 || fits(sort, place)) {
				close(wrong);
				continue;
			}
			p = copy_of(ends[1]);
			close(p.fds[place]);
			p.fds[place] = wrong;
			expect_refused(&p, -EINVAL);
		}
	}
}
END_TEST

START_TEST(closed_descriptor_is_refused_in_each_place)
{
	for (uint32_t place = 0; place < 8; place++) {
		struct parcel p = copy_of(ends[1]);

		close(p.fds[place]);
		expect_refused(&p, -EINVAL);
	}
}
END_TEST

START_TEST(looking_at_a_descriptor_takes_nothing_out_of_it)
{
	int fds[2], event = eventfd(5, EFD_CLOEXEC | EFD_NONBLOCK);
	uint64_t count = 0;
	char bytes[8];

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	ck_assert_int_eq(write(fds[1], "12345678", 8), 8);
	ck_assert_int_eq(sys_check_event(fds[0]), -EINVAL);
	ck_assert_int_eq(sys_check_event(fds[1]), -EINVAL);
	ck_assert_int_eq(read(fds[0], bytes, 8), 8);
	ck_assert(memcmp(bytes, "12345678", 8) == 0);
	ck_assert_int_eq(sys_check_event(event), 0);
	ck_assert_int_eq(read(event, &count, 8), 8);
	ck_assert_uint_eq(count, 5);
	/* Empty or full. */
	ck_assert_int_eq(sys_check_event(event), 0);
	ck_assert_int_eq(read(event, &count, 8), -1);
	count = UINT64_MAX - 1;
	ck_assert_int_eq(write(event, &count, 8), 8);
	ck_assert_int_eq(sys_check_event(event), 0);
	close(event);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

/*
 * Wrong segments
 */

/* A memfd with @h at its beginning, with @size bytes and sealed. */
static int segment_with(const struct weir_segment_header *h, uint64_t size, int seals)
{
	int fd = memfd_with(0, (off_t)size);

	if (size >= sizeof(*h))
		ck_assert_int_eq(pwrite(fd, h, sizeof(*h), 0), sizeof(*h));
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static void expect_segment(const struct weir_segment_header *h, uint64_t size, int seals, int error)
{
	struct parcel p = copy_of(ends[1]);

	close(p.fds[0]);
	p.fds[0] = segment_with(h, size, seals);
	if (error) {
		expect_refused(&p, error);
	} else {
		struct weir_end *end;

		ck_assert_int_eq(parcel_open_end(&p, &end), 0);
		weir_pipe_close(end);
	}
}

START_TEST(segment_with_a_wrong_header_is_refused)
{
	struct weir_segment_header good, h;
	uint64_t size;

	memcpy(&good, ends[1]->core->segment.front, sizeof(good));
	size = good.size;
	/* The test can make one that is right. */
	expect_segment(&good, size, OURS, 0);
#define WITH(change, error) \
	do { \
		h = good; \
		change; \
		expect_segment(&h, size, OURS, error); \
	} while (0)
	WITH(memset(&h, 0, sizeof(h)), -EBADMSG);	/* a hole was punched */
	WITH(h.magic++, -EBADMSG);
	WITH(h.layout_major++, -EPROTO);
	WITH(h.layout_major--, -EPROTO);
	WITH(h.page_size *= 4, -EPROTO);
	WITH(h.features_compatible = UINT64_MAX, 0);
	WITH(h.features_incompatible = 1, -EPROTO);
	WITH(h.size++, -EBADMSG);
	WITH(h.object_count = 0, -EBADMSG);
	WITH(h.object_count = 2, -EBADMSG);
	WITH(h.objects[0].kind = WEIR_OBJECT_NONE, -EPROTO);
	WITH(h.objects[0].lanes = 0, -EBADMSG);
	WITH(h.objects[0].lanes = 3, -EBADMSG);
	WITH(h.objects[0].lanes = UINT32_MAX, -EBADMSG);
	WITH(h.objects[0].control_offset += 4096, -EBADMSG);
	WITH(h.objects[0].ring_offset += 4096, -EBADMSG);
	WITH(h.objects[0].ring_offset = UINT64_MAX, -EBADMSG);
	WITH(h.objects[0].ring_capacity = 0, -EBADMSG);
	WITH(h.objects[0].ring_capacity = 2048, -EBADMSG);
	WITH(h.objects[0].ring_capacity = 12288, -EBADMSG);
	WITH(h.objects[0].ring_capacity *= 2, -EBADMSG);
	WITH(h.objects[0].ring_capacity = UINT64_C(1) << 63, -EBADMSG);
	/* As a whole it is right, and not what the note says. */
	h = good;
	h.objects[0].lanes = 1;
	h.size -= CAPACITY;
	expect_segment(&h, h.size, OURS, -EBADMSG);
}
END_TEST

START_TEST(segment_of_another_size_or_without_seals_is_refused)
{
	struct weir_segment_header good;
	uint64_t size;

	memcpy(&good, ends[1]->core->segment.front, sizeof(good));
	size = good.size;
	expect_segment(&good, size - 1, OURS, -EBADMSG);
	expect_segment(&good, size + 4096, OURS, -EBADMSG);
	expect_segment(&good, 4096, OURS, -EBADMSG);
	expect_segment(&good, 100, OURS, -EINVAL);
	expect_segment(&good, 0, OURS, -EINVAL);
	expect_segment(&good, size, F_SEAL_SHRINK | F_SEAL_GROW, -EINVAL);
	expect_segment(&good, size, F_SEAL_SHRINK | F_SEAL_SEAL, -EINVAL);
	expect_segment(&good, size, F_SEAL_GROW | F_SEAL_SEAL, -EINVAL);
	/* It could not be written. */
	expect_segment(&good, size, OURS | F_SEAL_WRITE, -EINVAL);
	expect_segment(&good, size, OURS | F_SEAL_FUTURE_WRITE, -EINVAL);
}
END_TEST

/* A peer may write the header that a second copy of the end is checked against. */
START_TEST(geometry_of_a_known_segment_is_not_read_again)
{
	struct weir_segment_header *h = ends[1]->core->segment.front, good = *h;
	struct parcel p = copy_of(ends[1]);

	h->objects[0].lanes = 1;
	h->size -= CAPACITY;
	expect_refused(&p, -EBADMSG);
	*h = good;
	h->objects[0].ring_capacity *= 2;
	p = copy_of(ends[1]);
	expect_refused(&p, -EBADMSG);
	*h = good;
	own_all();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("parcel-wrong");
	TCase *wrong = tcase_create("wrong");

	tcase_add_checked_fixture(wrong, setup, teardown);
	tcase_add_test(wrong, note_that_is_not_known_is_refused);
	tcase_add_test(wrong, descriptor_of_another_sort_is_refused_in_each_place);
	tcase_add_test(wrong, closed_descriptor_is_refused_in_each_place);
	tcase_add_test(wrong, looking_at_a_descriptor_takes_nothing_out_of_it);
	tcase_add_test(wrong, segment_with_a_wrong_header_is_refused);
	tcase_add_test(wrong, segment_of_another_size_or_without_seals_is_refused);
	tcase_add_test(wrong, geometry_of_a_known_segment_is_not_read_again);
	suite_add_tcase(suite, wrong);

	return test_main(suite);
}
