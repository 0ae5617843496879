/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/cc.h"
#include "base/clock.h"
#include "sys/net.h"
#include "sys/stream.h"
#include "sys/sys.h"
#include "sys/task.h"
#include "weir/base.h"

#define MARK	4711	/* an errno that nothing sets */
#define SIZE	((size_t)65536)

static void setup(void)
{
	errno = MARK;
}

static void teardown(void)
{
	sys_fault = NULL;
}

static bool is_cloexec(int fd)
{
	return fcntl(fd, F_GETFD) & FD_CLOEXEC;
}

static bool is_nonblocking(int fd)
{
	return fcntl(fd, F_GETFL) & O_NONBLOCK;
}

/*
 * Interposing
 */

static uint32_t asked[SYS_CALL_COUNT];
static enum sys_call faulty;
static int fault_result, faults_left;

static int fault(enum sys_call call)
{
	asked[call]++;
	if (call != faulty || faults_left == 0)
		return 0;
	faults_left--;
	return fault_result;
}

static void fail_calls(enum sys_call call, int result, int times)
{
	memset(asked, 0, sizeof(asked));
	faulty = call;
	fault_result = result;
	faults_left = times;
	sys_fault = fault;
}

static void make_net_calls(int result[SYS_CALL_COUNT])
{
	struct sockaddr_un none = { .sun_family = AF_UNIX };
	uint64_t id;
	char byte;

	result[SYS_CALL_SOCKET] = net_socket();
	result[SYS_CALL_BIND] = net_bind(-1, &none, sizeof(none));
	result[SYS_CALL_LISTEN] = net_listen(-1, 1);
	result[SYS_CALL_ACCEPT] = net_accept(-1);
	result[SYS_CALL_CONNECT] = net_connect(-1, &none, sizeof(none));
	result[SYS_CALL_SEND] = net_send(-1, "", 1);
	result[SYS_CALL_RECEIVE] = net_receive(-1, &byte, 1);
	result[SYS_CALL_CHMOD] = net_mode(-1, 0600);
	result[SYS_CALL_UNLINK] = net_unlink(-1, "x");
	result[SYS_CALL_TIMER] = net_timer();
	result[SYS_CALL_EPOLL_WAIT] = net_next(-1, &id);
}

static void make_stream_calls(int result[SYS_CALL_COUNT])
{
	char byte;
	struct iovec part = { &byte, 1 };
	struct mmsghdr packet = { 0 };
	struct stream_signals signals;

	result[SYS_CALL_READ_PARTS] = (int)stream_read(-1, &part, 1);
	result[SYS_CALL_WRITE_PARTS] = (int)stream_write(-1, &part, 1);
	result[SYS_CALL_SEND_PACKETS] = stream_send_packets(-1, &packet, 1);
	result[SYS_CALL_SYNC] = stream_sync(-1);
	result[SYS_CALL_SEEK] = (int)stream_position(-1);
	stream_quiet(&signals);
	stream_loud(&signals, true);
	result[SYS_CALL_SIGNAL_MASK] = 0;
}

static void make_task_calls(int result[SYS_CALL_COUNT])
{
	char *const nothing[] = { (char *)"x", NULL };
	int fds[2], code;

	result[SYS_CALL_FORK] = task_fork();
	if (result[SYS_CALL_FORK] == 0)
		_exit(0);
	if (result[SYS_CALL_FORK] > 0)
		task_reap(-1, result[SYS_CALL_FORK]);
	result[SYS_CALL_EXECUTE] = task_execute("/nowhere", nothing, nothing + 1);
	result[SYS_CALL_WAIT] = task_wait(-1, &code);
	result[SYS_CALL_SIGNAL] = task_signal(-1, 0);
	result[SYS_CALL_PIPE] = task_pipe(fds);
	result[SYS_CALL_LINE] = task_arm_line(-1, 0);
}

static void make_all_calls(int result[SYS_CALL_COUNT])
{
	struct pollfd none = { .fd = -1 };
	uint32_t word = 0;
	struct sys_received received;
	uint64_t number;
	struct stat file;
	char buffer[16];
	void *address;
	int fds[2], self = getpid();

	result[SYS_CALL_MEMFD] = sys_memfd("x");
	result[SYS_CALL_TRUNCATE] = sys_truncate(-1, 0);
	result[SYS_CALL_ALLOCATE] = sys_allocate(-1, 1);
	result[SYS_CALL_SEAL] = sys_seal(-1);
	result[SYS_CALL_MMAP] = sys_reserve(SIZE, &address);
	result[SYS_CALL_MADVISE] = sys_map_wiped(SIZE, &address);
	result[SYS_CALL_EVENTFD] = sys_eventfd();
	result[SYS_CALL_SOCKETPAIR] = sys_socketpair(fds);
	result[SYS_CALL_EPOLL_CREATE] = sys_epoll();
	result[SYS_CALL_EPOLL_ADD] = sys_epoll_add(-1, -1, 0);
	result[SYS_CALL_DUP] = sys_move_high(-1) == -1 ? 0 : -1;
	result[SYS_CALL_FUTEX_WAIT] = sys_futex_wait(&word, 1, 1);
	result[SYS_CALL_FUTEX_WAKE] = sys_futex_wake(&word, 1);
	result[SYS_CALL_POLL] = sys_poll(&none, 1, 0);
	result[SYS_CALL_URING_SETUP] = sys_ask(SYS_CALL_URING_SETUP);
	result[SYS_CALL_URING_ENTER] = sys_uring_enter(-1, 0, 0, 0, NULL, 0);
	result[SYS_CALL_URING_REGISTER] = sys_ask(SYS_CALL_URING_REGISTER);
	sys_event_set(-1);
	result[SYS_CALL_EVENT_WRITE] = 0;
	result[SYS_CALL_EVENT_READ] = sys_event_clear(-1);
	result[SYS_CALL_LOCK] = sys_lock(-1, 0);
	result[SYS_CALL_PIDFD] = sys_pidfd(getpid());
	result[SYS_CALL_OPEN] = sys_read_file("/proc/self/stat", buffer, sizeof(buffer));
	result[SYS_CALL_READ] = result[SYS_CALL_OPEN];
	result[SYS_CALL_STAT] = sys_stat(0, &file);
	result[SYS_CALL_STATFS] = sys_pidfd_number(0, &number);
	result[SYS_CALL_READLINK] = sys_proc_self(&self);
	result[SYS_CALL_PREAD] = sys_pread(-1, buffer, 1, 0);
	result[SYS_CALL_GET_SEALS] = sys_get_seals(-1);
	result[SYS_CALL_GET_FLAGS] = sys_get_fd_flags(-1);
	result[SYS_CALL_NAMESPACE] = sys_pid_namespace(-1, &number);
	result[SYS_CALL_SOCKET_OPTION] = sys_unix_type(-1, &self);
	result[SYS_CALL_SENDMSG] = sys_send_fds(-1, "", 1, NULL, 0);
	result[SYS_CALL_RECVMSG] = sys_recv_fds(-1, buffer, 1, &received);
	make_net_calls(result);
	make_stream_calls(result);
	make_task_calls(result);
}

START_TEST(each_call_can_be_failed_and_leaves_errno_alone)
{
	for (int call = 0; call < SYS_CALL_COUNT; call++) {
		int result[SYS_CALL_COUNT];

		fail_calls(call, -ENOLINK, -1);
		make_all_calls(result);
		ck_assert_msg(asked[call] > 0, "call %d is never asked for", call);
		ck_assert_int_eq(errno, MARK);
		switch (call) {
		case SYS_CALL_DUP:		/* falls back */
		case SYS_CALL_NAMESPACE:
		case SYS_CALL_EVENT_WRITE:	/* has no result */
		case SYS_CALL_SIGNAL_MASK:
		case SYS_CALL_EVENT_READ:	/* says whether */
			break;
		default:
			ck_assert_msg(result[call] == -ENOLINK, "call %d: %d", call, result[call]);
		}
	}
}
END_TEST

/*
 * Memory
 */

START_TEST(memfd_is_sealable_and_not_executable)
{
	int fd = sys_memfd("test"), seals = fcntl(fd, F_GET_SEALS);
	char path[64], target[64] = { 0 };
	struct stat file;

	ck_assert_int_ge(fd, 0);
	ck_assert(is_cloexec(fd));
	ck_assert_int_ge(seals, 0);
	ck_assert_int_eq(seals & F_SEAL_SEAL, 0);
	ck_assert_int_eq(fstat(fd, &file), 0);
	/* Kernels that know MFD_NOEXEC_SEAL also forbid that it becomes so. */
	if (seals != 0)
		ck_assert_uint_eq(file.st_mode & 0111, 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ck_assert_int_gt(readlink(path, target, sizeof(target) - 1), 0);
	ck_assert_ptr_nonnull(strstr(target, "memfd:test"));
	close(fd);
}
END_TEST

START_TEST(memfd_falls_back_where_a_flag_is_unknown)
{
	int fd;

	fail_calls(SYS_CALL_MEMFD, -EINVAL, 1);
	fd = sys_memfd("test");
	ck_assert_int_ge(fd, 0);
	ck_assert_uint_eq(asked[SYS_CALL_MEMFD], 2);
	ck_assert_int_eq(fcntl(fd, F_GET_SEALS), 0);
	close(fd);
	/* Any other error is one. */
	fail_calls(SYS_CALL_MEMFD, -EMFILE, 1);
	ck_assert_int_eq(sys_memfd("test"), -EMFILE);
	ck_assert_uint_eq(asked[SYS_CALL_MEMFD], 1);
}
END_TEST

START_TEST(size_beyond_the_limit_is_efbig_and_no_signal)
{
	int fd = sys_memfd("test");
	struct rlimit old, low;

	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
	low = (struct rlimit){ .rlim_cur = SIZE, .rlim_max = old.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &low), 0);
	ck_assert_int_eq(sys_truncate(fd, SIZE + 1), -EFBIG);
	ck_assert_int_eq(sys_truncate(fd, UINT64_C(1) << 40), -EFBIG);
	ck_assert_int_eq(sys_truncate(fd, SIZE), 0);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
	ck_assert_int_eq(sys_truncate(fd, SIZE + 1), 0);
	ck_assert_int_eq(errno, MARK);
	close(fd);
}
END_TEST

START_TEST(allocation_that_a_signal_interrupts_is_repeated)
{
	int fd = sys_memfd("test");
	struct stat file;

	ck_assert_int_eq(sys_truncate(fd, SIZE), 0);
	fail_calls(SYS_CALL_ALLOCATE, -EINTR, 3);
	ck_assert_int_eq(sys_allocate(fd, SIZE), 0);
	ck_assert_uint_eq(asked[SYS_CALL_ALLOCATE], 4);
	ck_assert_int_eq(fstat(fd, &file), 0);
	ck_assert_int_eq(file.st_blocks * 512, (int64_t)SIZE);
	close(fd);
}
END_TEST

START_TEST(mapping_at_an_address_replaces_what_was_reserved)
{
	int fd = sys_memfd("test");
	void *reserved;

	ck_assert_int_eq(sys_truncate(fd, SIZE), 0);
	ck_assert_int_eq(sys_reserve(2 * SIZE, &reserved), 0);
	ck_assert_int_eq(sys_map_at(reserved, SIZE, fd, 0, true), 0);
	ck_assert_int_eq(sys_map_at((uint8_t *)reserved + SIZE, SIZE, fd, 0, false), 0);
	strcpy(reserved, "seen twice");
	ck_assert_str_eq((char *)reserved + SIZE, "seen twice");
	sys_unmap(reserved, 2 * SIZE);
	ck_assert_int_eq(sys_map_at(reserved, SIZE, -1, 0, false), -EBADF);
	ck_assert_int_eq(errno, MARK);
	close(fd);
}
END_TEST

START_TEST(mapping_that_cannot_be_dumped_less_is_a_mapping)
{
	int fd = sys_memfd("test");
	void *reserved;

	ck_assert_int_eq(sys_truncate(fd, SIZE), 0);
	ck_assert_int_eq(sys_reserve(SIZE, &reserved), 0);
	fail_calls(SYS_CALL_MADVISE, -EINVAL, 1);
	ck_assert_int_eq(sys_map_at(reserved, SIZE, fd, 0, false), 0);
	strcpy(reserved, "there");
	sys_unmap(reserved, SIZE);
	close(fd);
}
END_TEST

static int sees_zeroes(void *arg)
{
	const uint8_t *bytes = arg;

	for (size_t i = 0; i < SIZE; i++)
		child_check(bytes[i] == 0);
	memset(arg, 0x22, SIZE);
	return 0;
}

START_TEST(wiped_memory_is_zero_in_a_child)
{
	void *wiped;
	struct child child;

	ck_assert_int_eq(sys_map_wiped(SIZE, &wiped), 0);
	ck_assert_int_eq(((uint8_t *)wiped)[SIZE - 1], 0);
	memset(wiped, 0x11, SIZE);
	child = child_start(sees_zeroes, wiped);
	child_join_ok(&child);
	ck_assert_int_eq(((uint8_t *)wiped)[0], 0x11);
	ck_assert_int_eq(((uint8_t *)wiped)[SIZE - 1], 0x11);
	sys_unmap(wiped, SIZE);
}
END_TEST

START_TEST(memory_that_cannot_be_wiped_is_none)
{
	struct resources before = resources_begin();
	void *wiped = &wiped;

	fail_calls(SYS_CALL_MADVISE, -EINVAL, 1);
	ck_assert_int_eq(sys_map_wiped(SIZE, &wiped), -EINVAL);
	ck_assert_ptr_eq(wiped, &wiped);
	sys_fault = NULL;
	resources_check(&before);
}
END_TEST

/*
 * Descriptors
 */

START_TEST(descriptors_are_closed_on_exec_and_do_not_block)
{
	int event = sys_eventfd(), epoll = sys_epoll(), self = sys_pidfd(getpid()), fds[2];

	ck_assert_int_eq(sys_socketpair(fds), 0);
	ck_assert(is_cloexec(event) && is_nonblocking(event));
	ck_assert(is_cloexec(epoll));
	ck_assert(is_cloexec(self));
	ck_assert(is_cloexec(fds[0]) && is_nonblocking(fds[0]));
	ck_assert(is_cloexec(fds[1]) && is_nonblocking(fds[1]));
	ck_assert_int_eq(errno, MARK);
	sys_close(event);
	sys_close(epoll);
	sys_close(self);
	sys_close(fds[0]);
	sys_close(fds[1]);
}
END_TEST

START_TEST(descriptor_moves_out_of_the_way)
{
	struct resources before = resources_begin();
	int low = sys_eventfd(), high = sys_move_high(low);

	ck_assert_int_lt(low, 512);
	ck_assert_int_ge(high, 512);
	ck_assert(is_cloexec(high));
	ck_assert_int_eq(fcntl(low, F_GETFD), -1);
	errno = MARK;
	sys_close(high);
	sys_close(high);	/* a number that is none does no harm */
	sys_close(-1);
	ck_assert_int_eq(errno, MARK);
	resources_check(&before);
}
END_TEST

START_TEST(descriptor_stays_where_there_is_no_room)
{
	struct rlimit old, low;
	int fd = sys_eventfd();

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = (struct rlimit){ .rlim_cur = 256, .rlim_max = old.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
	ck_assert_int_eq(sys_move_high(fd), fd);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	ck_assert(is_cloexec(fd));
	sys_close(fd);
}
END_TEST

START_TEST(event_is_set_until_cleared)
{
	int fd = sys_eventfd();

	ck_assert(!sys_event_clear(fd));
	sys_event_set(fd);
	sys_event_set(fd);
	ck_assert(sys_event_clear(fd));
	ck_assert(!sys_event_clear(fd));
	ck_assert_int_eq(errno, MARK);
	sys_close(fd);
}
END_TEST

START_TEST(event_at_the_brim_neither_blocks_nor_is_lost)
{
	uint64_t brim = UINT64_MAX - 1;
	int fd = sys_eventfd();

	ck_assert_int_eq(write(fd, &brim, sizeof(brim)), sizeof(brim));
	sys_event_set(fd);
	ck_assert(sys_event_clear(fd));
	ck_assert(!sys_event_clear(fd));
	ck_assert_int_eq(errno, MARK);
	sys_close(fd);
}
END_TEST

START_TEST(event_at_the_brim_wakes_who_waits_for_its_edge)
{
	struct epoll_event event;
	uint64_t brim = UINT64_MAX - 1;
	int fd = sys_eventfd(), epoll = sys_epoll();

	ck_assert_int_eq(sys_epoll_add(epoll, fd, EPOLLIN | EPOLLET), 0);
	ck_assert_int_eq(write(fd, &brim, sizeof(brim)), sizeof(brim));
	ck_assert_int_eq(epoll_wait(epoll, &event, 1, 0), 1);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(epoll_wait(epoll, &event, 1, 0), 0);
		sys_event_set(fd);
		ck_assert_int_eq(epoll_wait(epoll, &event, 1, 0), 1);
	}
	sys_close(epoll);
	sys_close(fd);
}
END_TEST

START_TEST(epoll_shows_what_was_added)
{
	int epoll = sys_epoll(), fd = sys_eventfd();
	struct epoll_event event;

	ck_assert_int_eq(sys_epoll_add(epoll, fd, EPOLLIN), 0);
	ck_assert_int_eq(sys_epoll_add(epoll, fd, EPOLLIN), -EEXIST);
	ck_assert_int_eq(epoll_wait(epoll, &event, 1, 0), 0);
	sys_event_set(fd);
	ck_assert_int_eq(epoll_wait(epoll, &event, 1, 0), 1);
	ck_assert_int_eq(epoll_wait(epoll, &event, 1, 0), 1);
	sys_close(fd);
	sys_close(epoll);
}
END_TEST

START_TEST(file_is_read_up_to_the_size)
{
	char text[64];

	ck_assert_int_eq(sys_read_file("/proc/self/comm", text, 3), 3);
	ck_assert_int_gt(sys_read_file("/proc/self/comm", text, sizeof(text)), 3);
	ck_assert_int_eq(sys_read_file("/proc/self/nothing", text, sizeof(text)), -ENOENT);
	ck_assert_int_eq(sys_read_file("/proc", text, sizeof(text)), -EISDIR);
	ck_assert_int_eq(errno, MARK);
}
END_TEST

/*
 * Waiting
 */

START_TEST(futex_that_is_not_as_expected_returns_at_once)
{
	uint32_t word = 1;

	ck_assert_int_eq(sys_futex_wait(&word, 0, WEIR_FOREVER), 0);
	ck_assert_int_eq(sys_futex_wake(&word, 1), 0);
	ck_assert_int_eq(errno, MARK);
}
END_TEST

START_TEST(futex_ends_at_its_deadline)
{
	uint32_t word = 0;
	int64_t deadline = test_now() + 5 * NS_PER_MS;

	ck_assert_int_eq(sys_futex_wait(&word, 0, 1), -ETIMEDOUT);
	ck_assert_int_eq(sys_futex_wait(&word, 0, test_now()), -ETIMEDOUT);
	ck_assert_int_eq(sys_futex_wait(&word, 0, deadline), -ETIMEDOUT);
	ck_assert_int_ge(test_now(), deadline);
	ck_assert_int_eq(errno, MARK);
}
END_TEST

static int sleep_on_word(void *arg)
{
	uint32_t *word = arg;

	child_check(sys_futex_wait(word, 0, soon()) == 0);
	return 0;
}

START_TEST(futex_wakes_across_processes)
{
	uint32_t *word = shared_alloc(sizeof(*word));
	struct child children[3];

	for (int i = 0; i < 3; i++)
		children[i] = child_start(sleep_on_word, word);
	for (int i = 0; i < 3; i++)
		ck_assert(child_wait_asleep_in(children[i].pid, SYS_futex));
	ck_assert_int_eq(sys_futex_wake(word, 1), 1);
	ck_assert_int_eq(sys_futex_wake(word, INT32_MAX), 2);
	for (int i = 0; i < 3; i++)
		child_join_ok(&children[i]);
}
END_TEST

START_TEST(poll_ends_at_its_deadline)
{
	struct pollfd p = { .fd = sys_eventfd(), .events = POLLIN };
	int64_t deadline = test_now() + 5 * NS_PER_MS;

	ck_assert_int_eq(sys_poll(&p, 1, 0), 0);
	ck_assert_int_eq(sys_poll(&p, 1, -1), 0);
	ck_assert_int_eq(sys_poll(&p, 1, 1), 0);
	ck_assert_int_eq(sys_poll(&p, 1, deadline), 0);
	ck_assert_int_ge(test_now(), deadline);
	sys_event_set(p.fd);
	ck_assert_int_eq(sys_poll(&p, 1, 0), 1);
	ck_assert_int_eq(sys_poll(&p, 1, WEIR_FOREVER), 1);
	ck_assert_int_eq(errno, MARK);
	sys_close(p.fd);
}
END_TEST

static void on_signal(int number)
{
	(void)number;
}

static int is_interrupted(void *arg)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct pollfd none = { .fd = -1 };
	uint32_t word = 0, *stage = arg;

	child_check(sigaction(SIGUSR1, &action, NULL) == 0);
	store_release(stage, 1);
	child_check(sys_futex_wait(&word, 0, soon()) == -EINTR);
	store_release(stage, 2);
	child_check(sys_poll(&none, 1, soon()) == -EINTR);
	return 0;
}

static void wait_for_stage(const uint32_t *word, uint32_t stage)
{
	int64_t deadline = soon();

	while (load_acquire(word) < stage)
		ck_assert(test_now() < deadline);
}

START_TEST(signal_interrupts_both_ways_of_waiting)
{
	uint32_t *stage = shared_alloc(sizeof(*stage));
	struct child child = child_start(is_interrupted, stage);

	wait_for_stage(stage, 1);
	ck_assert(child_wait_asleep_in(child.pid, SYS_futex));
	kill(child.pid, SIGUSR1);
	wait_for_stage(stage, 2);
	ck_assert(child_wait_asleep_in(child.pid, SYS_ppoll));
	kill(child.pid, SIGUSR1);
	child_join_ok(&child);
}
END_TEST

/*
 * Locks and processes
 */

static int cannot_lock(void *arg)
{
	int fd = *(int *)arg;

	child_check(sys_lock(fd, UINT64_C(1) << 60) == -EAGAIN);
	/* Another byte is another lock, and unlocking what is not ours is nothing. */
	child_check(sys_lock(fd, (UINT64_C(1) << 60) + 1) == 0);
	sys_unlock(fd, UINT64_C(1) << 60);
	child_check(sys_lock(fd, UINT64_C(1) << 60) == -EAGAIN);
	return 0;
}

static int can_lock(void *arg)
{
	int fd = *(int *)arg;

	child_check(sys_lock(fd, UINT64_C(1) << 60) == 0);
	child_check(sys_lock(fd, UINT64_C(1) << 60) == 0);
	return 0;
}

START_TEST(lock_is_of_a_process_and_not_inherited)
{
	int fd = sys_memfd("test");
	struct child child;

	ck_assert_int_eq(sys_lock(fd, UINT64_C(1) << 60), 0);
	child = child_start(cannot_lock, &fd);
	child_join_ok(&child);
	sys_unlock(fd, UINT64_C(1) << 60);
	child = child_start(can_lock, &fd);
	child_join_ok(&child);
	/* Its end has freed it. */
	ck_assert_int_eq(sys_lock(fd, UINT64_C(1) << 60), 0);
	ck_assert_int_eq(errno, MARK);
	sys_close(fd);
}
END_TEST

START_TEST(pidfd_is_of_a_process_that_is_there)
{
	int fd = sys_pidfd(getpid());

	ck_assert_int_ge(fd, 0);
	sys_close(fd);
	ck_assert_int_eq(sys_pidfd(INT32_MAX), -ESRCH);
	ck_assert_int_eq(sys_pidfd(-1), -EINVAL);
	ck_assert_int_eq(errno, MARK);
}
END_TEST

static TCase *add(Suite *suite, const char *name)
{
	TCase *tcase = tcase_create(name);

	tcase_add_checked_fixture(tcase, setup, teardown);
	suite_add_tcase(suite, tcase);
	return tcase;
}

static void add_memory_and_descriptors(Suite *suite)
{
	TCase *memory = add(suite, "memory");
	TCase *descriptors = add(suite, "descriptors");

	tcase_add_test(memory, memfd_is_sealable_and_not_executable);
	tcase_add_test(memory, memfd_falls_back_where_a_flag_is_unknown);
	tcase_add_test(memory, size_beyond_the_limit_is_efbig_and_no_signal);
	tcase_add_test(memory, allocation_that_a_signal_interrupts_is_repeated);
	tcase_add_test(memory, mapping_at_an_address_replaces_what_was_reserved);
	tcase_add_test(memory, mapping_that_cannot_be_dumped_less_is_a_mapping);
	test_add_unless(memory, kernel_unavailable(), wiped_memory_is_zero_in_a_child);
	tcase_add_test(memory, memory_that_cannot_be_wiped_is_none);

	tcase_add_test(descriptors, descriptors_are_closed_on_exec_and_do_not_block);
	tcase_add_test(descriptors, descriptor_moves_out_of_the_way);
	tcase_add_test(descriptors, descriptor_stays_where_there_is_no_room);
	tcase_add_test(descriptors, event_is_set_until_cleared);
	tcase_add_test(descriptors, event_at_the_brim_neither_blocks_nor_is_lost);
	tcase_add_test(descriptors, event_at_the_brim_wakes_who_waits_for_its_edge);
	tcase_add_test(descriptors, epoll_shows_what_was_added);
	tcase_add_test(descriptors, file_is_read_up_to_the_size);
}

int main(void)
{
	Suite *suite = suite_create("sys");
	TCase *interposing = add(suite, "interposing");
	TCase *waiting, *processes;

	tcase_add_test(interposing, each_call_can_be_failed_and_leaves_errno_alone);
	add_memory_and_descriptors(suite);

	waiting = add(suite, "waiting");
	tcase_add_test(waiting, futex_that_is_not_as_expected_returns_at_once);
	tcase_add_test(waiting, futex_ends_at_its_deadline);
	tcase_add_test(waiting, futex_wakes_across_processes);
	tcase_add_test(waiting, poll_ends_at_its_deadline);
	tcase_add_test(waiting, signal_interrupts_both_ways_of_waiting);

	processes = add(suite, "processes");
	tcase_add_test(processes, lock_is_of_a_process_and_not_inherited);
	tcase_add_test(processes, pidfd_is_of_a_process_that_is_there);
	return test_main(suite);
}
