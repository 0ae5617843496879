/* SPDX-License-Identifier: MIT */
/*
 * Queues that leave a process and come to one: as text, over sockets and pipes, twice to the same
 * process; and memory that is no queue, or lies about itself, which is refused before it is mapped.
 */
#include "pipe-tools.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "obj/parcel.h"
#include "obj/queue.h"

#define SMALL (UINT64_C(1) << 20)

static struct weir_queue *queue;
static struct resources before;
static char text[WEIR_EXPORT_SIZE];

static void setup(void)
{
	const struct weir_queue_options o = { .size = sizeof(o), .max_bytes = SMALL };

	before = resources_begin();
	ck_assert_int_eq(weir_queue(&queue, &o), 0);
}

static void teardown(void)
{
	weir_queue_close(queue);
	resources_check(&before);
}

static int put(struct weir_queue *q, uint64_t number)
{
	return weir_queue_put(q, &number, sizeof(number), 0, 0);
}

static int64_t get(struct weir_queue *q, int64_t deadline)
{
	uint64_t number;
	int result = weir_queue_get(q, &number, sizeof(number), 0, deadline, NULL);

	return result < 0 ? result : (int64_t)number;
}

static void export(void)
{
	ck_assert_int_eq(weir_export(queue, text, sizeof(text)), (int)strlen(text));
}

static struct weir_queue *import(void)
{
	struct weir_queue *q = NULL;

	ck_assert_int_eq(weir_import(text, WEIR_KIND_QUEUE, &q), 0);
	return q;
}

/*
 * There and back
 */

START_TEST(imported_queue_is_the_same_queue)
{
	struct weir_queue *other;

	ck_assert_int_eq(put(queue, 1), 0);
	export();
	other = import();
	ck_assert_int_eq(put(other, 2), 0);
	ck_assert_int_eq(get(other, 0), 1);
	ck_assert_int_eq(get(queue, 0), 2);
	ck_assert_int_eq(get(other, 0), -EAGAIN);
	weir_queue_close(other);
}
END_TEST

START_TEST(import_keeps_the_options)
{
	const struct weir_queue_options o = {
		.size = sizeof(o),
		.flags = WEIR_QUEUE_DROP | WEIR_QUEUE_LATENCY,
		.max_items = 2,
		.max_taken = 1,
		.max_bytes = SMALL,
	};
	struct weir_queue *limited, *other;
	struct weir_taken taken;

	ck_assert_int_eq(weir_queue(&limited, &o), 0);
	ck_assert_int_gt(weir_export(limited, text, sizeof(text)), 0);
	weir_queue_close(limited);
	other = import();
	for (uint64_t n = 0; n < 4; n++)
		ck_assert_int_eq(put(other, n), 0);
	ck_assert_int_eq(weir_queue_take(other, 0, 0, &taken), 0);
	ck_assert_int_eq(*(const uint64_t *)taken.data, 2);
	ck_assert_int_eq(weir_queue_take(other, 0, 0, &taken), -EDQUOT);
	weir_queue_close(other);
}
END_TEST

START_TEST(exported_copy_keeps_the_messages)
{
	struct weir_queue *other;

	ck_assert_int_eq(put(queue, 7), 0);
	export();
	weir_queue_close(queue);
	other = import();
	ck_assert_int_eq(get(other, 0), 7);
	queue = other;
}
END_TEST

START_TEST(imported_descriptors_are_high_and_closed_on_exec)
{
	struct weir_queue *other;
	struct parcel p;

	export();
	other = import();
	ck_assert_int_eq(parcel_of(other, &p), 0);
	for (uint32_t i = 0; i < p.note.fd_count; i++) {
		ck_assert_int_ge(p.fds[i], 512);
		ck_assert_int_eq(fcntl(p.fds[i], F_GETFD), FD_CLOEXEC);
	}
	weir_queue_close(other);
}
END_TEST

START_TEST(handles_of_one_queue_are_closed_one_by_one)
{
	struct weir_taken first, second;
	struct weir_queue *other;

	for (uint64_t n = 0; n < 3; n++)
		ck_assert_int_eq(put(queue, n), 0);
	export();
	other = import();
	ck_assert_int_eq(weir_queue_take(queue, 0, 0, &first), 0);
	ck_assert_int_eq(weir_queue_take(other, 0, 0, &second), 0);
	/* What one has taken is nothing that the other could release. */
	ck_assert_int_eq(weir_queue_release(queue, &second), -EINVAL);
	weir_queue_close(other);
	/* It is handed over again; that of the other handle is not. */
	ck_assert_int_eq(get(queue, 0), 1);
	ck_assert_int_eq(get(queue, 0), 2);
	ck_assert_int_eq(get(queue, 0), -EAGAIN);
	ck_assert_int_eq(weir_queue_release(queue, &first), 0);
}
END_TEST

START_TEST(queue_goes_over_each_type_of_socket)
{
	static const int types[] = { SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM };
	struct weir_queue *other;
	struct weir_end *end;
	int sockets[2];

	ck_assert_int_eq(socketpair(AF_UNIX, types[_i] | SOCK_CLOEXEC, 0, sockets), 0);
	ck_assert_int_eq(weir_send_handle(sockets[0], queue, 0, 0), 0);
	ck_assert_int_eq(weir_recv_handle(sockets[1], WEIR_KIND_QUEUE, 0, 0, &other), 0);
	ck_assert_int_eq(put(other, 5), 0);
	ck_assert_int_eq(get(queue, 0), 5);
	/* Of another kind. */
	ck_assert_int_eq(weir_send_handle(sockets[0], queue, 0, 0), 0);
	ck_assert_int_eq(weir_recv_handle(sockets[1], WEIR_KIND_PIPE_END, 0, 0, &end), -EPROTO);
	weir_queue_close(other);
	close(sockets[0]);
	close(sockets[1]);
}
END_TEST

START_TEST(queue_goes_over_a_pipe)
{
	struct weir_end *ends[2], *end;
	struct weir_queue *other;

	ck_assert_int_eq(pipe_make(ends, 0, 4096), 0);
	ck_assert_int_eq(weir_pipe_send_handle(ends[0], queue, 0, 0), 0);
	ck_assert_int_eq(weir_pipe_recv_handle(ends[1], WEIR_KIND_PIPE_END, 0, 0, &end), -EPROTO);
	ck_assert_int_eq(weir_pipe_recv_handle(ends[1], WEIR_KIND_QUEUE, 0, 0, &other), 0);
	ck_assert_int_eq(put(other, 5), 0);
	ck_assert_int_eq(get(queue, 0), 5);
	weir_queue_close(other);
	pipe_close_both(ends);
}
END_TEST

START_TEST(text_of_another_kind_is_refused)
{
	struct weir_end *end;
	struct weir_queue *q;

	export();
	ck_assert_int_eq(weir_import(text, WEIR_KIND_PIPE_END, &end), -EINVAL);
	ck_assert_int_eq(weir_import(text, 3, &q), -EINVAL);
	ck_assert_int_eq(weir_import(text, 0, &q), -EINVAL);
	ck_assert_int_eq(weir_unexport(text), 0);
	ck_assert_int_eq(weir_import(text, WEIR_KIND_QUEUE, &q), -EBADF);
}
END_TEST

START_TEST(texts_that_no_queue_has_are_refused)
{
	struct parcel p;
	int fd;

	ck_assert_int_eq(parcel_of(queue, &p), 0);
	fd = fcntl(p.fds[0], F_DUPFD, 600);
	/* index, flags, too many descriptors, somebody else's */
	for (int i = 0; i < 4; i++) {
		struct weir_queue *q;

		snprintf(text, sizeof(text),
			 i == 0 ? "weir1:2:1:0:%d" : i == 1 ? "weir1:2:0:1:%d" :
			 i == 2 ? "weir1:2:0:0:%d,0,1,2,5,6" : "weir1:1:0:0:%d", fd);
		ck_assert_int_eq(weir_import(text, WEIR_KIND_QUEUE, &q), -EINVAL);
		ck_assert_int_eq(weir_unexport(text), -EINVAL);
	}
	close(fd);
}
END_TEST

/*
 * Hostile memory
 */

struct front {
	struct weir_segment_header header;
	uint8_t gap[WEIR_QUEUE_GEOMETRY_OFFSET - sizeof(struct weir_segment_header)];
	struct weir_queue_geometry geometry;
};

static struct front front;
static uint64_t good_size;

static void read_front(void)
{
	ck_assert_int_eq(pread(queue->store.fd, &front, sizeof(front), 0), sizeof(front));
	good_size = queue->store.size;
}

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

/* Opened in place of the real one. */
static int open_memfd(int fd, struct weir_queue **ret_queue)
{
	struct parcel p;

	ck_assert_int_eq(parcel_of(queue, &p), 0);
	for (uint32_t i = 0; i < p.note.fd_count; i++)
		p.fds[i] = i == 0 ? fd : fcntl(p.fds[i], F_DUPFD_CLOEXEC, 3);
	return parcel_open(&p, ret_queue);
}

static void expect_refused(int fd, int error)
{
	struct weir_queue *const nothing = (void *)text, *q = nothing;
	int result = open_memfd(fd, &q);

	ck_assert_msg(result == error, "%d, not %d", result, error);
	ck_assert_ptr_eq(q, nothing);
	/* It was closed. */
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
}

START_TEST(good_copy_of_the_front_is_accepted)
{
	struct weir_queue *q;

	read_front();
	ck_assert_int_eq(open_memfd(make_memfd(good_size, SEALS), &q), 0);
	weir_queue_close(q);
}
END_TEST

START_TEST(memory_without_the_seals_is_refused)
{
	static const int wrong[] = {
		0, F_SEAL_SHRINK, SEALS & ~F_SEAL_SHRINK, SEALS & ~F_SEAL_GROW,
		SEALS & ~F_SEAL_SEAL, SEALS | F_SEAL_WRITE,
	};

	read_front();
	for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++)
		expect_refused(make_memfd(good_size, wrong[i]), -EINVAL);
}
END_TEST

START_TEST(memory_of_another_size_is_refused)
{
	uint64_t sizes[] = { 1, 4096, sizeof(front), 0, 0 };

	read_front();
	sizes[3] = good_size - 4096;
	sizes[4] = good_size + 4096;
	for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++)
		expect_refused(make_memfd(sizes[i], SEALS),
			       sizes[i] < sizeof(front.header) ? -EINVAL : -EBADMSG);
	/* Whose header says so, too. */
	for (size_t i = 1; i < ARRAY_LENGTH(sizes); i++) {
		read_front();
		front.header.size = sizes[i];
		expect_refused(make_memfd(sizes[i], SEALS), -EBADMSG);
	}
	expect_refused(make_memfd(0, SEALS), -EINVAL);
}
END_TEST

/* What is changed in a good front. */
static void lie(int index)
{
	struct weir_queue_geometry *g = &front.geometry;
	struct weir_object_entry *o = &front.header.objects[0];

	switch (index) {
	case 0: g->seats = 0; break;
	case 1: g->seats = 1; break;
	case 2: g->seats = QUEUE_SEATS_MAX + 1; break;
	case 3: g->seats = UINT32_MAX; break;
	case 4: g->seats--; g->frames += 1000; break;
	case 5: g->frames = 0; break;
	case 6: g->frames = 1; break;
	case 7: g->frames = QUEUE_FRAMES_MAX + 1; break;
	case 8: g->frames += 4; break;
	case 9: g->frames -= 4; break;
	case 10: g->chunks = 0; break;
	case 11: g->chunks = QUEUE_CHUNKS_MAX; break;
	case 12: g->chunks++; break;
	case 13: g->chunks--; break;
	case 14: g->chunk_shift = QUEUE_CHUNK_SHIFT_MIN - 1; break;
	case 15: g->chunk_shift = QUEUE_CHUNK_SHIFT_MAX + 1; break;
	case 16: g->chunk_shift = 64; break;
	case 17: g->chunk_shift++; break;
	case 18: g->flags = 1U << 31; break;
	case 19: g->flags = WEIR_QUEUE_LATENCY | WEIR_QUEUE_THROUGHPUT; break;
	case 20: g->flags = WEIR_QUEUE_DROP; g->max_items = 0; break;
	case 21: g->max_items = UINT64_MAX; break;
	case 22: g->max_bytes++; break;
	case 23: g->max_taken = 0; break;
	case 24: o->control_offset += 4096; break;
	case 25: o->ring_offset += 4096; break;
	case 26: front.header.size += 4096; break;
	case 27: front.header.object_count = 2; break;
	case 28: front.header.magic++; break;
	default: ck_abort();
	}
}

START_TEST(geometry_that_lies_is_refused)
{
	read_front();
	lie(_i);
	expect_refused(make_memfd(good_size, SEALS), -EBADMSG);
}
END_TEST

START_TEST(other_layouts_and_kinds_are_refused)
{
	for (int i = 0; i < 4; i++) {
		read_front();
		switch (i) {
		case 0: front.header.layout_major++; break;
		case 1: front.header.page_size *= 2; break;
		case 2: front.header.features_incompatible = 1; break;
		case 3: front.header.objects[0].kind = WEIR_OBJECT_PIPE; break;
		}
		expect_refused(make_memfd(good_size, SEALS), -EPROTO);
	}
}
END_TEST

START_TEST(memory_of_a_pipe_is_no_queue)
{
	struct weir_end *ends[2];

	ck_assert_int_eq(pipe_make(ends, 0, 4096), 0);
	expect_refused(fcntl(ends[0]->core->segment.fd, F_DUPFD_CLOEXEC, 3), -EPROTO);
	pipe_close_both(ends);
}
END_TEST

START_TEST(read_only_memory_is_refused)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", queue->store.fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	expect_refused(fd, -EINVAL);
}
END_TEST

START_TEST(what_is_no_memory_at_all_is_refused)
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

/* The front is good, all behind it is zero: there is no tape. */
START_TEST(queue_without_a_tape_is_an_error_and_not_endless)
{
	struct weir_queue_stat st = { .size = sizeof(st) };
	struct weir_taken taken;
	struct weir_queue *q;
	int results[4];

	read_front();
	ck_assert_int_eq(open_memfd(make_memfd(good_size, SEALS), &q), 0);
	results[0] = put(q, 1);
	results[1] = (int)get(q, test_now() + 20 * MS);
	results[2] = weir_queue_take(q, 0, test_now() + 20 * MS, &taken);
	results[3] = weir_queue_stat(q, &st);
	/* Zeroes can be taken for the end of a tape. */
	for (int i = 0; i < 3; i++)
		ck_assert_msg(results[i] == -EBADMSG || results[i] == -EPIPE, "%d: %d", i,
			      results[i]);
	ck_assert(results[3] == 0 || results[3] == -EBADMSG);
	weir_queue_close(q);
}
END_TEST

/*
 * Counting from outside
 */

static int open_read_only(void)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", weir_queue_memory(queue));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	return fd;
}

/* All of the file, to be compared. */
static uint64_t sum_of_memory(void)
{
	static uint8_t bytes[1 << 16];
	uint64_t sum = 0;
	ssize_t size;

	for (off_t at = 0; (size = pread(queue->store.fd, bytes, sizeof(bytes), at)) > 0;
	     at += size)
		for (ssize_t i = 0; i < size; i++)
			sum = sum * 31 + bytes[i];
	return sum;
}

START_TEST(counters_from_outside_are_those_from_inside)
{
	const int count = 3000;	/* more than a segment, of which one is done */
	struct weir_queue_stat inside = { .size = sizeof(inside) };
	struct weir_queue_stat outside = { .size = sizeof(outside) };
	int fd = open_read_only();
	uint64_t sum;

	for (int i = 0; i < count; i++)
		ck_assert_int_eq(put(queue, (uint64_t)i), 0);
	for (int i = 0; i < count / 2; i++)
		ck_assert_int_eq(get(queue, 0), i);
	sum = sum_of_memory();
	ck_assert_int_eq(weir_queue_stat_fd(fd, &outside), 0);
	/* It changes nothing, and is no user. */
	ck_assert_uint_eq(sum_of_memory(), sum);
	ck_assert_int_eq(weir_queue_stat_fd(weir_queue_memory(queue), &outside), 0);
	ck_assert_uint_eq(sum_of_memory(), sum);
	ck_assert_int_eq(weir_queue_stat(queue, &inside), 0);
	ck_assert_int_eq(memcmp(&inside, &outside, sizeof(inside)), 0);
	ck_assert_uint_eq(outside.puts, (uint64_t)count);
	ck_assert_uint_eq(outside.items, (uint64_t)count / 2);
	ck_assert_uint_eq(outside.users, 1);
	/* The descriptor is still the caller's. */
	ck_assert_int_eq(close(fd), 0);
	ck_assert_int_eq(get(queue, 0), count / 2);
}
END_TEST

START_TEST(counting_what_is_no_queue_is_refused)
{
	struct weir_queue_stat st = { .size = sizeof(st) };
	struct weir_end *ends[2];
	int fd;

	ck_assert_int_eq(weir_queue_stat_fd(-1, &st), -EBADF);
	ck_assert_int_eq(weir_queue_stat_fd(queue->store.fd, NULL), -EINVAL);
	st.size = 1;
	ck_assert_int_eq(weir_queue_stat_fd(queue->store.fd, &st), -EINVAL);
	st.size = sizeof(st);
	fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	ck_assert_int_eq(weir_queue_stat_fd(fd, &st), -EINVAL);
	close(fd);
	ck_assert_int_eq(pipe_make(ends, 0, 4096), 0);
	ck_assert_int_eq(weir_queue_stat_fd(ends[0]->core->segment.fd, &st), -EPROTO);
	pipe_close_both(ends);
	read_front();
	front.geometry.flags = UINT32_MAX;
	fd = make_memfd(good_size, SEALS);
	ck_assert_int_eq(weir_queue_stat_fd(fd, &st), -EBADMSG);
	close(fd);
	ck_assert_uint_eq(st.puts, 0);
	ck_assert_int_eq(weir_queue_memory(NULL), -EINVAL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("queue-handle");
	TCase *travel = tcase_create("travel"), *hostile = tcase_create("hostile");

	tcase_add_checked_fixture(travel, setup, teardown);
	tcase_add_test(travel, imported_queue_is_the_same_queue);
	tcase_add_test(travel, import_keeps_the_options);
	tcase_add_test(travel, exported_copy_keeps_the_messages);
	tcase_add_test(travel, imported_descriptors_are_high_and_closed_on_exec);
	tcase_add_test(travel, handles_of_one_queue_are_closed_one_by_one);
	tcase_add_loop_test(travel, queue_goes_over_each_type_of_socket, 0, 3);
	tcase_add_test(travel, queue_goes_over_a_pipe);
	tcase_add_test(travel, text_of_another_kind_is_refused);
	tcase_add_test(travel, texts_that_no_queue_has_are_refused);
	suite_add_tcase(suite, travel);

	tcase_add_checked_fixture(hostile, setup, teardown);
	tcase_add_test(hostile, good_copy_of_the_front_is_accepted);
	tcase_add_test(hostile, memory_without_the_seals_is_refused);
	tcase_add_test(hostile, memory_of_another_size_is_refused);
	tcase_add_loop_test(hostile, geometry_that_lies_is_refused, 0, 29);
	tcase_add_test(hostile, other_layouts_and_kinds_are_refused);
	tcase_add_test(hostile, memory_of_a_pipe_is_no_queue);
	tcase_add_test(hostile, read_only_memory_is_refused);
	tcase_add_test(hostile, what_is_no_memory_at_all_is_refused);
	tcase_add_test(hostile, queue_without_a_tape_is_an_error_and_not_endless);
	suite_add_tcase(suite, hostile);
	tcase_add_test(hostile, counters_from_outside_are_those_from_inside);
	tcase_add_test(hostile, counting_what_is_no_queue_is_refused);
	return test_main(suite);
}
