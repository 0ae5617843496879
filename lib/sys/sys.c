/* SPDX-License-Identifier: MIT */
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/cc.h"
#include "base/clock.h"
#include "sys/raw.h"
#include "weir/base.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif
#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif
#ifndef SYS_io_uring_enter
#define SYS_io_uring_enter 426
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef PIDFD_GET_PID_NAMESPACE
#define PIDFD_GET_PID_NAMESPACE _IO(0xff, 5)
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
/* Of the file system that process descriptors are in, from Linux 6.9 on. */
#define PIDFS_MAGIC 0x50494446

/*
 * Programs expect the descriptors that they open to be small numbers, and close those they don't
 * know.
 */
#define HIGH_FD 512
/* Never in the place of a standard stream that was closed. */
#define LOW_FD 3
#define ALLOCATE_STEP (UINT64_C(2) << 20)

int sys_memfd(const char *name)
{
	unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd;

	/* The flag is new in Linux 6.3 and, with vm.memfd_noexec=2, required. */
	fd = raw(SYS_CALL_MEMFD, SYS_memfd_create, (long)name, flags | MFD_NOEXEC_SEAL, 0, 0, 0, 0);
	if (fd == -EINVAL)
		fd = raw(SYS_CALL_MEMFD, SYS_memfd_create, (long)name, flags, 0, 0, 0, 0);
	return fd;
}

int sys_truncate(int fd, uint64_t size)
{
	struct rlimit limit;

	/* Beyond the limit the kernel would not only refuse, but send SIGXFSZ. */
	if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
	    size > limit.rlim_cur)
		return -EFBIG;
	return raw(SYS_CALL_TRUNCATE, SYS_ftruncate, fd, (long)size, 0, 0, 0, 0);
}

int sys_allocate(int fd, uint64_t size)
{
	uint64_t at = 0;
	int result = 0;

	/*
	 * In steps: a signal ends an allocation of a memfd and undoes it, though not on the latest
	 * kernels; with a timer that is quicker than the whole there would be no end.
	 */
	while (at < size && (result == 0 || result == -EINTR)) {
		uint64_t left = size - at, step = left < ALLOCATE_STEP ? left : ALLOCATE_STEP;

		result = raw(SYS_CALL_ALLOCATE, SYS_fallocate, fd, 0, (long)at, (long)step, 0, 0);
		if (result == 0)
			at += step;
	}
	return result;
}

int sys_punch(int fd, uint64_t offset, uint64_t size)
{
	return raw(SYS_CALL_ALLOCATE, SYS_fallocate, fd,
		   FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (long)offset, (long)size, 0, 0);
}

int sys_seal(int fd)
{
	return raw(SYS_CALL_SEAL, SYS_fcntl, fd, F_ADD_SEALS,
		   F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL, 0, 0, 0);
}

int sys_get_seals(int fd)
{
	return raw(SYS_CALL_GET_SEALS, SYS_fcntl, fd, F_GET_SEALS, 0, 0, 0, 0);
}

int sys_stat(int fd, struct stat *ret_stat)
{
	return raw(SYS_CALL_STAT, SYS_fstat, fd, (long)ret_stat, 0, 0, 0, 0);
}

int sys_pread(int fd, void *buffer, size_t size, uint64_t offset)
{
	return raw(SYS_CALL_PREAD, SYS_pread64, fd, (long)buffer, (long)size, (long)offset, 0, 0);
}

/*
 * That memory unmapped by one thread is mapped anew by another is ordered by the kernel, which
 * ThreadSanitizer does not see in a system call made without the C library.
 */
#if WEIR_TSAN
void __tsan_acquire(void *address);
void __tsan_release(void *address);
static char maps;
#define MAPS_ACQUIRE() __tsan_acquire(&maps)
#define MAPS_RELEASE() __tsan_release(&maps)
#else
#define MAPS_ACQUIRE() ((void)0)
#define MAPS_RELEASE() ((void)0)
#endif

static int map(void *at, size_t size, int protection, int flags, int fd, uint64_t offset,
	       void **ret_address)
{
	long result = raw(SYS_CALL_MMAP, SYS_mmap, (long)at, (long)size, protection, flags, fd,
			  (long)offset);

	if (result < 0 && result > -4096)
		return result;
	MAPS_ACQUIRE();
	*ret_address = (void *)result;
	return 0;
}

int sys_reserve(size_t size, void **ret_address)
{
	return map(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0,
		   ret_address);
}

static int map_at(void *address, size_t size, int fd, uint64_t offset, int flags)
{
	void *mapped;
	int result = map(address, size, PROT_READ | PROT_WRITE, MAP_FIXED | flags, fd, offset,
			 &mapped);

	/* A core dump without the messages is smaller, and says less to those who read it. */
	if (result == 0)
		raw(SYS_CALL_MADVISE, SYS_madvise, (long)mapped, (long)size, MADV_DONTDUMP, 0, 0,
		    0);
	return result;
}

int sys_map_at(void *address, size_t size, int fd, uint64_t offset, bool populate)
{
	return map_at(address, size, fd, offset, MAP_SHARED | (populate ? MAP_POPULATE : 0));
}

int sys_map_copy_at(void *address, size_t size, int fd, uint64_t offset)
{
	return map_at(address, size, fd, offset, MAP_PRIVATE | MAP_NORESERVE);
}

int sys_map_wiped(size_t size, void **ret_address)
{
	void *address;
	int result = map(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0,
			 &address);

	if (result < 0)
		return result;
	result = raw(SYS_CALL_MADVISE, SYS_madvise, (long)address, (long)size, MADV_WIPEONFORK, 0,
		     0, 0);
	if (result < 0) {
		sys_unmap(address, size);
		return result;
	}
	*ret_address = address;
	return 0;
}

void *sys_wiped_once(void **slot, size_t size)
{
	/* order: WIPED acquire, from the exchange below in another thread. */
	void *there = load_acquire(slot), *made, *nothing = NULL;

	if (there || sys_map_wiped(size, &made) < 0)
		return there;
	/* order: WIPED, the one who is first */
	if (cas_seq(slot, &nothing, made))
		return made;
	sys_unmap(made, size);
	return nothing;
}

void sys_unmap(void *address, size_t size)
{
	int saved = errno;

	MAPS_RELEASE();
	munmap(address, size);
	errno = saved;
}

int sys_populate(void *address, size_t size)
{
	int result = raw(SYS_CALL_MADVISE, SYS_madvise, (long)address, (long)size,
			 MADV_POPULATE_WRITE, 0, 0, 0);

	return result == -EINVAL ? 0 : result;
}

int sys_eventfd(void)
{
	return raw(SYS_CALL_EVENTFD, SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK, 0, 0, 0, 0);
}

int sys_tokens(void)
{
	return raw(SYS_CALL_EVENTFD, SYS_eventfd2, 1, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE,
		   0, 0, 0, 0);
}

int sys_token_add(int fd)
{
	uint64_t one = 1;
	int result = raw(SYS_CALL_EVENT_WRITE, SYS_write, fd, (long)&one, sizeof(one), 0, 0, 0);

	return result < 0 ? result : 0;
}

int sys_socketpair(int ret_fds[2])
{
	return raw(SYS_CALL_SOCKETPAIR, SYS_socketpair, AF_UNIX,
		   SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, (long)ret_fds, 0, 0);
}

int sys_epoll(void)
{
	return raw(SYS_CALL_EPOLL_CREATE, SYS_epoll_create1, EPOLL_CLOEXEC, 0, 0, 0, 0, 0);
}

int sys_epoll_add(int epoll, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events };

	return raw(SYS_CALL_EPOLL_ADD, SYS_epoll_ctl, epoll, EPOLL_CTL_ADD, fd, (long)&event, 0, 0);
}

int sys_epoll_wait(int epoll, struct epoll_event *events, int count, int64_t deadline)
{
	int64_t left = deadline <= 0 ? 0 : deadline - clock_now(), ms;
	struct timespec timeout = { left / NS_PER_S, left % NS_PER_S };
	int result;

	if (deadline == WEIR_FOREVER)
		return raw(SYS_CALL_EPOLL_WAIT, SYS_epoll_pwait, epoll, (long)events, count, -1, 0,
			   0);
	if (left <= 0)
		return raw(SYS_CALL_EPOLL_WAIT, SYS_epoll_pwait, epoll, (long)events, count, 0, 0,
			   0);
	result = raw(SYS_CALL_EPOLL_WAIT, SYS_epoll_pwait2, epoll, (long)events, count,
		     (long)&timeout, 0, 0);
	if (result != -ENOSYS)
		return result;
	/* Before Linux 5.11, and not early. */
	ms = (left + NS_PER_MS - 1) / NS_PER_MS;
	return raw(SYS_CALL_EPOLL_WAIT, SYS_epoll_pwait, epoll, (long)events, count,
		   ms > INT32_MAX ? INT32_MAX : ms, 0, 0);
}

int sys_move_high(int fd)
{
	int high = raw(SYS_CALL_DUP, SYS_fcntl, fd, F_DUPFD_CLOEXEC, HIGH_FD, 0, 0, 0);

	if (high < 0)
		return fd;
	sys_close(fd);
	return high;
}

int sys_have_high(int fd, int *ret_fd)
{
	if (fd < 0)
		return fd;
	*ret_fd = sys_move_high(fd);
	return 0;
}

int sys_dup(int fd)
{
	int high = raw(SYS_CALL_DUP, SYS_fcntl, fd, F_DUPFD_CLOEXEC, HIGH_FD, 0, 0, 0);

	if (high >= 0)
		return high;
	return raw(SYS_CALL_DUP, SYS_fcntl, fd, F_DUPFD_CLOEXEC, LOW_FD, 0, 0, 0);
}

int sys_dup_inheritable(int fd)
{
	int high = raw(SYS_CALL_DUP, SYS_fcntl, fd, F_DUPFD, HIGH_FD, 0, 0, 0);

	if (high >= 0)
		return high;
	return raw(SYS_CALL_DUP, SYS_fcntl, fd, F_DUPFD, LOW_FD, 0, 0, 0);
}

int sys_get_fd_flags(int fd)
{
	return raw(SYS_CALL_GET_FLAGS, SYS_fcntl, fd, F_GETFD, 0, 0, 0, 0);
}

int sys_get_file_flags(int fd)
{
	return raw(SYS_CALL_GET_FLAGS, SYS_fcntl, fd, F_GETFL, 0, 0, 0, 0);
}

void sys_close(int fd)
{
	int saved = errno;

	/*
	 * Not close(3), which is a cancellation point. Linux frees the number whatever it
	 * returns.
	 */
	if (fd >= 0)
		syscall(SYS_close, fd);
	errno = saved;
}

static struct timespec to_timespec(int64_t ns)
{
	return (struct timespec){ .tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S };
}

int sys_futex_wait(const uint32_t *word, uint32_t expected, int64_t deadline)
{
	struct timespec until = to_timespec(deadline);
	int result;

	/* The BITSET form, because its time-out is a point in time. */
	result = raw(SYS_CALL_FUTEX_WAIT, SYS_futex, (long)word, FUTEX_WAIT_BITSET, expected,
		     deadline == WEIR_FOREVER ? 0 : (long)&until, 0, (long)FUTEX_BITSET_MATCH_ANY);
	return result == -EAGAIN ? 0 : result;
}

int sys_futex_wake(const uint32_t *word, int count)
{
	return raw(SYS_CALL_FUTEX_WAKE, SYS_futex, (long)word, FUTEX_WAKE, count, 0, 0, 0);
}

int sys_poll(struct pollfd *fds, size_t count, int64_t deadline)
{
	struct timespec wait = { 0, 0 };

	if (deadline != WEIR_FOREVER && deadline > 0) {
		int64_t left = deadline - clock_now();

		wait = to_timespec(left > 0 ? left : 0);
	}
	return raw(SYS_CALL_POLL, SYS_ppoll, (long)fds, (long)count,
		   deadline == WEIR_FOREVER ? 0 : (long)&wait, 0, 0, 0);
}

int sys_uring_enter(int fd, uint32_t submit, uint32_t wait, uint32_t flags, const void *arg,
		    size_t size)
{
	return raw(SYS_CALL_URING_ENTER, SYS_io_uring_enter, fd, submit, wait, flags, (long)arg,
		   (long)size);
}

void sys_event_set(int fd)
{
	uint64_t one = 1;

	/*
	 * Nobody adds up to 2^64 but on purpose. Being full it is signalled to those who look, but
	 * who waits for it to be signalled, by edge, hears of nothing until somebody has written.
	 */
	if (raw(SYS_CALL_EVENT_WRITE, SYS_write, fd, (long)&one, sizeof(one), 0, 0, 0) == -EAGAIN &&
	    sys_event_clear(fd))
		raw(SYS_CALL_EVENT_WRITE, SYS_write, fd, (long)&one, sizeof(one), 0, 0, 0);
}

int sys_event_edge(int fd)
{
	/* The kernel adds it, and tells those who wait, as for any other number. */
	uint64_t nothing = 0;
	int result = raw(SYS_CALL_EVENT_WRITE, SYS_write, fd, (long)&nothing, sizeof(nothing), 0,
			 0, 0);

	return result < 0 ? result : 0;
}

bool sys_event_clear(int fd)
{
	uint64_t count;

	return raw(SYS_CALL_EVENT_READ, SYS_read, fd, (long)&count, sizeof(count), 0, 0, 0) > 0;
}

int sys_check_event(int fd)
{
	uint64_t nothing = 0;
	struct stat file;
	int result = sys_stat(fd, &file);

	if (result < 0)
		return result;
	/* Event descriptors and their like have no type; from no other file anything is read. */
	if ((file.st_mode & S_IFMT) != 0)
		return -EINVAL;
	result = sys_get_file_flags(fd);
	if (result < 0)
		return result;
	if (!(result & O_NONBLOCK))
		return -EINVAL;
	/* Half a counter cannot be read; a timer refuses that too, but cannot be written. */
	result = raw(SYS_CALL_EVENT_READ, SYS_read, fd, (long)&nothing, sizeof(nothing) / 2, 0, 0,
		     0);
	if (result != -EINVAL)
		return result < 0 && result != -EAGAIN ? result : -EINVAL;
	result = raw(SYS_CALL_EVENT_WRITE, SYS_write, fd, (long)&nothing, sizeof(nothing), 0, 0, 0);
	return result < 0 ? result : result == sizeof(nothing) ? 0 : -EINVAL;
}

static int lock(int fd, uint64_t offset, short type)
{
	struct flock range = {
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = (off_t)offset,
		.l_len = 1,
	};
	int result = raw(SYS_CALL_LOCK, SYS_fcntl, fd, F_SETLK, (long)&range, 0, 0, 0);

	return result == -EACCES ? -EAGAIN : result;
}

int sys_lock(int fd, uint64_t offset)
{
	return lock(fd, offset, F_WRLCK);
}

void sys_unlock(int fd, uint64_t offset)
{
	lock(fd, offset, F_UNLCK);
}

int sys_read_file(const char *path, char *buffer, size_t size)
{
	int flags = O_RDONLY | O_CLOEXEC;
	int fd = raw(SYS_CALL_OPEN, SYS_openat, AT_FDCWD, (long)path, flags, 0, 0, 0);
	int result;

	if (fd < 0)
		return fd;
	result = raw(SYS_CALL_READ, SYS_read, fd, (long)buffer, (long)size, 0, 0, 0);
	sys_close(fd);
	return result;
}

int sys_pidfd(int32_t pid)
{
	return raw(SYS_CALL_PIDFD, SYS_pidfd_open, pid, 0, 0, 0, 0, 0);
}

int sys_pidfd_number(int pidfd, uint64_t *ret_number)
{
	struct statfs system;
	struct stat file;
	int result = raw(SYS_CALL_STATFS, SYS_fstatfs, pidfd, (long)&system, 0, 0, 0, 0);

	if (result < 0)
		return result;
	if (system.f_type != PIDFS_MAGIC)
		return -EOPNOTSUPP;
	result = sys_stat(pidfd, &file);
	if (result == 0)
		*ret_number = file.st_ino;
	return result;
}

int sys_pid_namespace(int pidfd, uint64_t *ret_number)
{
	struct stat file;
	int fd = raw(SYS_CALL_NAMESPACE, SYS_ioctl, pidfd, PIDFD_GET_PID_NAMESPACE, 0, 0, 0, 0);
	int result;

	/* That is from Linux 6.11 on; /proc may be absent. */
	if (fd < 0)
		fd = raw(SYS_CALL_OPEN, SYS_openat, AT_FDCWD, (long)"/proc/self/ns/pid",
			 O_RDONLY | O_CLOEXEC, 0, 0, 0);
	if (fd < 0)
		return fd;
	result = sys_stat(fd, &file);
	if (result == 0)
		*ret_number = file.st_ino;
	sys_close(fd);
	return result;
}

int sys_proc_self(int32_t *ret_pid)
{
	char text[16];
	int size = raw(SYS_CALL_READLINK, SYS_readlinkat, AT_FDCWD, (long)"/proc/self", (long)text,
		       sizeof(text) - 1, 0, 0);

	if (size < 0)
		return size;
	text[size] = '\0';
	*ret_pid = (int32_t)strtol(text, NULL, 10);
	return 0;
}

/* The rest cannot fail in a way that anybody could do something about. */

uint32_t sys_thread(void)
{
	return (uint32_t)gettid();
}

bool sys_thread_ended(uint32_t thread)
{
	int saved = errno;
	bool ended = syscall(SYS_tgkill, getpid(), (pid_t)thread, 0) < 0 && errno == ESRCH;

	errno = saved;
	return ended;
}

void sys_yield(void)
{
	sched_yield();
}

uint64_t sys_limit(int resource)
{
	struct rlimit limit;
	int saved = errno;
	bool known = getrlimit((__rlimit_resource_t)resource, &limit) == 0;

	errno = saved;
	return known && limit.rlim_cur != RLIM_INFINITY ? limit.rlim_cur : UINT64_MAX;
}
